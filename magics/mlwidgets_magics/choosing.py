"""``%runs --where … --sort …`` and ``%runs diff``: runs chosen, and runs beside each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlwidgets import api
from mlwidgets.errors import ParameterError
from mlwidgets.views.table import RunTable
from mlwidgets_magics.words import LineParser

if TYPE_CHECKING:
    from mlwidgets.views.runsdiff import RunsDiffView


def choose(words: list[str]) -> Any:
    """Return the runs that are asked for, as a table or as a DataFrame.

    Raises
    ------
    ParameterError
        If the condition or the order cannot be read, or names what no run has.
    UsageError
        If there is no such option.
    """
    from mlwidgets.runs.where import named_in
    from mlwidgets.views.grouping import better

    parser = LineParser(prog="%runs", add_help=False)
    for option in ("--all", "--trials", "--reverse", "--frame"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--where")
    parser.add_argument("--sort")
    parser.add_argument("-n", type=int)
    asked = parser.parse_intermixed_args(words)
    found = api.summaries(asked.where, asked.sort, reverse=asked.reverse, better=better)[: asked.n]
    chosen = asked.where is not None or asked.sort is not None
    how: dict[str, Any] = {"every": asked.all, "trials": asked.trials, "chosen": chosen}
    table = RunTable(found, sorted_by=named_in(asked.sort or ""), **how)
    return table.frame() if asked.frame else table


def compare(words: list[str]) -> RunsDiffView | None:
    """Return what differs between the runs that are named, as a view; with ``--json`` print it.

    Raises
    ------
    ParameterError
        If it is one run, or there is no such option.
    UnknownRun
        If there is no such run.
    """
    from mlwidgets.history.comparing.runs import compare_runs
    from mlwidgets.runs.folder import RunFolder
    from mlwidgets.views.runsdiff import RunsDiffView

    names = [word for word in words if not word.startswith("-")]
    options = set(words) - set(names)
    if options - {"--json"}:
        raise ParameterError(
            f"%runs diff has no option {min(options - {'--json'})}: usage: %runs diff A B [C…] [--json]"
        )
    view = RunsDiffView(compare_runs([RunFolder(api.run(name).path) for name in names], names))
    if not options:
        return view
    print(json.dumps(view.to_json()))
    return None
