"""What ``make demo`` does: execute the example notebooks headless, show their runs and write them as HTML pages."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from mlwidgets.runs.run import Run

NOTEBOOKS = Path(__file__).resolve().parent
PROJECT = NOTEBOOKS.parent
#: Those that show runs; the others are made to be reports.
SHOWN = ("01-train.ipynb", "02-sweep.ipynb")
CELL_TIMEOUT = 900
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

#: The page is one file: the parts of nbconvert's template that load scripts from the net are left out.
SELF_CONTAINED = """
{%- extends 'index.html.j2' -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""


class DemoError(Exception):
    """The notebook did not run as it should; the message says where."""


def execute(path: Path) -> NotebookNode:
    """Execute the notebook in its own folder with a new kernel of this Python and return it with its outputs."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbconvert.filters import strip_ansi

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    except CellTimeoutError as error:
        raise DemoError(f"{path.name}: a cell took more than {CELL_TIMEOUT} s:\n{error}") from error
    except DeadKernelError as error:
        raise DemoError(f"{path.name}: the kernel died: {error}") from error
    except CellExecutionError as error:
        raise DemoError(f"{path.name}: a cell failed:\n{strip_ansi(str(error))}") from error
    return notebook


def write_page(notebook: NotebookNode, path: Path) -> None:
    """Write an executed notebook as one HTML file that needs neither a kernel nor the net."""
    from nbconvert import HTMLExporter

    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            # A live view shows nothing without its kernel; the picture beside it does.
            if len(data) > 1:
                data.pop(WIDGET_VIEW, None)
    exporter = HTMLExporter(raw_template=SELF_CONTAINED, embed_images=True)
    html, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": path.stem}})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")


def describe(run: Run) -> str:
    """Return a run with its parameters and, for each metric, how it began and ended."""
    params = " ".join(f"{name}={value}" for name, value in run.params.items())
    lines = [f"{run.name}  {run.state}  {run.elapsed:.1f} s  {params}", f"    {run.path}"]
    for name, column in run.columns().items():
        values = column.values
        lines.append(f"    {name}: {values[0]:.4g} at first, {values[-1]:.4g} at last ({len(values)} values)")
    return "\n".join(lines)


def show(path: Path, pages: Path) -> int:
    """Execute a notebook, write its page, print its runs; return how many did not finish.

    Raises
    ------
    DemoError
        If it did not run as it should.
    """
    import mlwidgets

    began = time.time()
    print(f"executing {path} …", flush=True)
    notebook = execute(path.resolve())
    # The trials of a sweep are told of by its own run.
    runs = [run for run in reversed(mlwidgets.runs()) if run.submitted_at >= began and run.spec.trial_of is None]
    if not runs:
        raise DemoError(f"{path.name} has left no run in {os.environ['MLWIDGETS_STORE']}")
    page = pages / f"{path.stem}.html"
    write_page(notebook, page)
    print(f"done in {time.time() - began:.0f} s; its runs:\n")
    for run in runs:
        print(describe(run), end="\n\n")
    print(f"The notebook as a page, with its charts: {page}\n")
    unfinished = [run for run in runs if run.state != "finished"]
    for run in unfinished:
        print(f"run {run.name} was {run.state}: {run.cause}", file=sys.stderr)
    return len(unfinished)


def main(arguments: list[str] | None = None) -> int:
    """Show the notebooks one after the other; return 1 with a message if anything did not go well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, default=[NOTEBOOKS / name for name in SHOWN])
    parser.add_argument("--pages", type=Path, default=PROJECT / "build" / "demo", help="folder of the HTML pages")
    options = parser.parse_args(arguments)
    os.environ.setdefault("MLWIDGETS_STORE", str(PROJECT / ".mlwidgets"))
    try:
        unfinished = sum(show(path, options.pages) for path in options.notebooks)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 1 if unfinished else 0


if __name__ == "__main__":
    sys.exit(main())
