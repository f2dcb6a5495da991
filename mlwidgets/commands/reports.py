"""Reports: a notebook executed and published, exported as it stands, and what it can be given."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.commands import editions, scheduling
from mlwidgets.commands.common import plain, print_table, seconds, store_of
from mlwidgets.errors import ParameterError, StoreError

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run


def add(commands: Any) -> None:
    """Add the commands."""
    report = commands.add_parser("report", help="notebooks as pages: execute and publish one, its parameters")
    choices = report.add_subparsers(required=True, metavar="COMMAND")
    _add_run(choices)
    export = choices.add_parser("export", help="an executed notebook as it stands to one HTML file; nothing is run")
    export.add_argument("notebook", type=Path)
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="by default beside the notebook")
    export.add_argument("--pdf", action="store_true", help="a PDF instead, printed by a browser of this machine")
    export.add_argument("--show-code", action="store_true", help="code is open to view; else it is folded away")
    export.set_defaults(action=_export)
    params = choices.add_parser("params", help="the parameters of a notebook: name, default, type and what it is for")
    params.add_argument("notebook", type=Path)
    params.add_argument("--json", action="store_true", help="as JSON, one object per line")
    params.set_defaults(action=_params)
    scheduling.add_report_schedule(choices)
    editions.add(choices)


def _add_run(choices: Any) -> None:
    run = choices.add_parser(
        "run", help="execute a notebook as a run and publish it; exit status 0 if it was published"
    )
    run.add_argument("notebook", type=Path)
    run.add_argument("--name", help="of the report; by default that of the file")
    run.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter; may be repeated")
    run.add_argument("--timeout", type=seconds, metavar="T", help="end it after 90, 90s, 15m, 2h or 1d")
    run.add_argument("--cell-timeout", type=seconds, metavar="T", help="the same for each cell")
    run.add_argument("--gpus", type=float, default=0.0, metavar="N", help="GPUs: a number, 0.25, 0.5, 0.75")
    run.add_argument(
        "--cpus", type=int, metavar="N", help="CPU places: 1, or none where the notebook sends runs itself"
    )
    run.add_argument("--data", action="append", default=[], metavar="PATH", help="a file or folder that it reads")
    run.add_argument("--kernel", metavar="NAME", help="by default the one that the notebook asks for")
    run.add_argument("--no-execute", action="store_true", help="publish the outputs that the notebook has")
    run.add_argument("--no-publish", action="store_true", help="only execute it, into the run's outputs")
    run.add_argument("--no-wait", action="store_true", help="return at once")
    kept = run.add_argument_group("of the report from now on; what is not said stays as it is")
    yes_or_no = argparse.BooleanOptionalAction
    kept.add_argument("--title", metavar="TEXT", help="by default the first heading")
    kept.add_argument("--show-code", action=yes_or_no, help="code is open to view; else it is folded away")
    kept.add_argument("--pdf", action=yes_or_no, help="a PDF beside each edition, where a browser is installed")
    kept.add_argument("--open", action=yes_or_no, help="whoever reaches the server may read it, without a login")
    kept.add_argument("--withhold-on-failed-check", action=yes_or_no, help="do not publish what a check failed in")
    kept.add_argument("--keep", type=int, metavar="N", help="keep the newest N editions")
    kept.add_argument("--keep-days", type=float, metavar="D", help="keep editions for D days")
    run.set_defaults(action=_run)


def _run(options: argparse.Namespace) -> int:
    from mlwidgets.api import open_run
    from mlwidgets.reports.sending import send_report
    from mlwidgets.views import console

    folder = send_report(
        options.notebook,
        name=options.name,
        params=_given(options.param),
        cell_timeout=options.cell_timeout,
        timeout=options.timeout,
        gpus=options.gpus,
        cpus=options.cpus,
        publish=not options.no_publish,
        execute=not options.no_execute,
        kernel=options.kernel,
        settings=_settings(options),
        data=options.data,
        store=store_of(options),
    )
    run = open_run(folder.path)
    if options.no_execute:
        _say_unexecuted(options.notebook)
    if options.no_wait:
        print(f"{run.name}: submitted as {run.id}; follow it with: mlwidgets wait {run.id}")
        return 0
    if not run.ended and console.can_follow() and not console.follow(run, hint="Ctrl-C leaves; the run goes on"):
        return 130
    run.wait()
    if options.no_publish:
        said = run.outputs / options.notebook.name if run.state == "finished" else f"({run.cause})"
        print(f"{run.name}: {run.state} {said}")
        return 0 if run.state == "finished" else 1
    return _say_published(run, options)


def _given(words: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.strip():
            raise ParameterError(f"--param {word}: write NAME=VALUE")
        if name.strip() in given:
            raise ParameterError(f"--param {word}: {name.strip()!r} is given twice")
        given[name.strip()] = value
    return given


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    withheld = options.withhold_on_failed_check
    said = {
        "title": options.title,
        "show_code": options.show_code,
        "pdf": options.pdf,
        "open": options.open,
        "on_failed_check": None if withheld is None else "withhold" if withheld else "publish",
        "keep": options.keep,
        "days": options.keep_days,
    }
    return {name: value for name, value in said.items() if value is not None}


def _say_published(run: Run, options: argparse.Namespace) -> int:
    """Wait until the run's edition is there, and say what became of it and where its page is."""
    from mlwidgets.reports.publishing.awaiting import await_edition
    from mlwidgets.reports.publishing.editions import PUBLISHED, Report
    from mlwidgets.runs.folder import RunFolder
    from mlwidgets.runs.journal import read_lines

    folder = RunFolder(run.path)
    edition = await_edition(folder)
    if edition is None:
        told = [event.get("error") for event in read_lines(folder.events, "published")]
        print(f"{run.name}: {run.state}, but not published ({told[-1] if told else run.cause})")
        return 1
    if edition.state == PUBLISHED:
        print(f"{run.name}: published {edition.page}")
        return 0
    latest = Report(store_of(options), run.name).latest()
    stays = f"; the page stays that of {latest.id}" if latest else ""
    print(f"{run.name}: {edition.state} ({edition.cause or run.cause}){stays}; see {edition.page}")
    return 1


def _export(options: argparse.Namespace) -> int:
    from mlwidgets.reports.page.making import export
    from mlwidgets.runs.folder import write_whole

    notebook: Path = options.notebook
    page = export(notebook, show_code=options.show_code)
    to = options.output or notebook.with_suffix(".pdf" if options.pdf else ".html")
    try:
        if options.pdf:
            _print_pdf(page, to)
        else:
            write_whole(to, page.encode())
    except OSError as error:
        raise StoreError(f"cannot write {to}: {error.strerror or error}") from error
    _say_unexecuted(notebook)
    print(to)
    return 0


def _say_unexecuted(notebook: Path) -> None:
    """Say so where a notebook that is shown as it stands was never executed: its page is code alone."""
    from mlwidgets.history.notebooks.notebook import load_notebook

    code = [cell for cell in load_notebook(notebook).cells if cell.kind == "code" and cell.source.strip()]
    if code and not any(cell.outputs or cell.execution_count for cell in code):
        print(f"mlwidgets: no cell of {notebook.name} was executed: `mlwidgets report run` does", file=sys.stderr)


def _print_pdf(page: str, to: Path) -> None:
    import tempfile

    from mlwidgets.reports.pdf import write_pdf

    with tempfile.TemporaryDirectory(prefix="mlwidgets-export-") as folder:
        made = Path(folder) / "page.html"
        made.write_text(page, encoding="utf-8")
        write_pdf(made, to)


def _params(options: argparse.Namespace) -> int:
    from mlwidgets.history.notebooks.notebook import load_notebook
    from mlwidgets.reports.parameters.params import TAG, read_params

    found = read_params(load_notebook(options.notebook))
    if options.json:
        for param in found:
            print(json.dumps(param.to_json()))
    elif found:
        rows = [("name", "default", "type", "help"), *((p.name, p.default or "", p.type, p.help) for p in found)]
        print_table([[plain(text, 72 if place == 3 else 40) for place, text in enumerate(row)] for row in rows])
    else:
        print(f"{options.notebook} has no parameters: tag the code cell that assigns them {TAG!r}")
    return 0
