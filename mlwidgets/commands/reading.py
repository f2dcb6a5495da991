"""What a run holds, for people and for programs: show, logs, metrics; as text, CSV, JSON or Parquet."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import RUN, find_run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlwidgets.commands.tables import Table
    from mlwidgets.runs.run import Run


def add(commands: Any) -> None:
    """Add the commands."""
    for name, action, text in (
        ("show", _show, "state, parameters and metrics of a run"),
        ("logs", _logs, "output of a run, and its traceback if it failed"),
        ("metrics", _metrics, "every record that a run has logged, one line each; CSV if nothing else is said"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("name", help=RUN)
        form = command.add_mutually_exclusive_group()
        form.add_argument("--csv", dest="form", action="store_const", const="csv", help="as CSV")
        lines = "as a JSON object" if name == "show" else "as JSON, one object per line"
        form.add_argument("--json", dest="form", action="store_const", const="json", help=lines)
        form.add_argument("--parquet", dest="form", action="store_const", const="parquet", help="as Parquet (pyarrow)")
        command.add_argument("-o", "--output", type=Path, metavar="FILE", help="into this file, which is there whole")
        if action is _show:
            what = "what was not committed to git at submit, as a patch for git apply, instead"
            form.add_argument("--diff", dest="form", action="store_const", const="diff", help=what)
        if action is _metrics:
            command.add_argument("--system", action="store_true", help="what it used of the machine, instead")
        command.set_defaults(action=action)


def _show(options: argparse.Namespace) -> int:
    from mlwidgets.commands import tables

    run = find_run(options)
    if options.form == "diff":
        return _write_patch(run, options.output)
    if options.form is None:
        from mlwidgets.views.data import snapshot
        from mlwidgets.views.summary import summary

        return tables.write_text(f"{summary(snapshot(run), time.time())}\n", options.output)
    facts = _facts(run)
    if options.form == "json":
        return tables.write_object(facts, options.output)
    flat = {
        name if group is None else f"{group}.{name}": value
        for group, part in _grouped(facts)
        for name, value in part.items()
    }
    columns = {name: [value if isinstance(value, int | float | None) else str(value)] for name, value in flat.items()}
    return tables.write(tables.Table(columns), options.form, options.output)


def _write_patch(run: Run, output: Path | None) -> int:
    from mlwidgets.commands import tables
    from mlwidgets.runs.folder import RunFolder
    from mlwidgets.runs.uncommitted import read_patch

    patch = read_patch(RunFolder(run.path))
    if patch is None:
        print(f"mlwidgets: {run.name} has no patch: {_harmless(_why_no_patch(run))}", file=sys.stderr)
        return 0
    if output is None and sys.stdout.isatty():
        sys.stdout.write(_harmless(patch.decode("utf-8", "replace").replace("\r\n", "\n")))
        return 0
    return tables.write_bytes(patch, output)


def _harmless(text: str) -> str:
    """Return text in which nobody has anything to say to the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def _why_no_patch(run: Run) -> str:
    from mlwidgets.runs.folder import RunFolder, read_json

    # A trial's is its sweep's.
    environment = run.environment or read_json(
        RunFolder(run.path.parent / Path(run.spec.trial_of or "").name).environment
    )
    if not environment or "git" not in environment:
        return "what was not committed is not known"
    git = environment["git"]
    if not isinstance(git, dict):
        return "it was submitted outside of a git repository"
    if git.get("problem"):
        return str(git["problem"])
    if git.get("uncommitted"):
        return "what was not committed is not known"
    left_out = git.get("left_out")
    if isinstance(left_out, list) and left_out:
        return f"what was not committed is not kept: {', '.join(map(str, left_out[:10]))}"
    return "all was committed"


def _facts(run: Run) -> dict[str, Any]:
    from mlwidgets.runs.operands import param_of

    spec, outcome = run.spec, run.outcome
    verdict = run.verdict
    return {
        "id": run.id,
        "name": run.name,
        "state": outcome.state,
        "cause": outcome.cause,
        "submitted": spec.submitted_at,
        "started": outcome.started_at,
        "ended": outcome.ended_at,
        "elapsed": run.elapsed,
        "seed": spec.seed,
        "notebook": spec.provenance.notebook if spec.provenance else None,
        "note": run.note,
        "pinned": run.pinned,
        "rerun_of": run.rerun_of,
        "resumes": spec.resumes,
        **({} if verdict is None else {"verdict": verdict.to_json()}),
        "best_epoch": run.best_epoch,
        "insight": run.insight.lines(),
        "params": {name: param_of(text) for name, text in spec.params.items()},
        "metrics": run.last_values(),
        "tags": run.tags,
    }


def _grouped(facts: dict[str, Any]) -> Iterable[tuple[str | None, dict[str, Any]]]:
    groups = {name: part for name, part in facts.items() if isinstance(part, dict)}
    yield None, {name: value for name, value in facts.items() if name not in groups}
    yield from groups.items()


def _logs(options: argparse.Namespace) -> int:
    from mlwidgets.commands import tables

    run = find_run(options)
    error = run.error
    if options.form is None:
        said = run.output + (f"{error}\n" if error else "")
        if options.output is None and sys.stdout.isatty():
            sys.stdout.write(said)
            return 0
        return tables.write_text(run.output + (f"{_plain(error)}\n" if error else ""), options.output)
    lines = [("output", line) for line in run.output.split("\n")]
    if lines[-1] == ("output", ""):
        lines.pop()
    lines += [("error", line) for line in (_plain(error).split("\n") if error else ())]
    columns = {
        "line": list(range(1, len(lines) + 1)),
        "stream": [stream for stream, _ in lines],
        "text": [text for _, text in lines],
    }
    return tables.write(tables.Table(columns), options.form, options.output)


def _plain(text: str) -> str:
    """Return text without what colours it: that is for terminals."""
    from mlwidgets.views import terminal

    return terminal.plain(terminal.parse(text))


def _metrics(options: argparse.Namespace) -> int:
    from mlwidgets.commands import tables

    run = find_run(options)
    table = _records(run, system=options.system)
    return tables.write(table, options.form or "csv", options.output)


def _records(run: Run, *, system: bool) -> Table:
    """Return one row for each record, in the order in which they were logged."""
    import numpy as np

    from mlwidgets.commands.tables import Table

    columns = run.system_columns() if system else run.columns()
    parts = list(columns.values())
    times = np.concatenate([part.times for part in parts] or [np.empty(0)])
    order = np.argsort(times, kind="stable")
    which = np.repeat(np.arange(len(parts)), [len(part.values) for part in parts])[order]
    names = np.array([*columns, ""], dtype=object)
    return Table(
        {
            "step": np.concatenate([part.steps for part in parts] or [np.empty(0, np.int64)])[order],
            "time": times[order],
            "name": names[which] if parts else [],
            "value": np.concatenate([part.values for part in parts] or [np.empty(0)])[order],
        }
    )
