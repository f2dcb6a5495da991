"""``compare``: what differs between runs."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import Any

from mlwidgets.commands.common import RUN, find_run


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("compare", help="what differs between runs, and from which step on their metrics do")
    command.add_argument("names", nargs="+", metavar="name", help=f"two or more: {RUN}; lenet~1 is the one before")
    command.add_argument("--exit-code", action="store_true", help="exit status 1 if there are differences")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--html", action="store_true", help="as an HTML page that needs nothing else")
    command.set_defaults(action=_compare)


def _compare(options: argparse.Namespace) -> int:
    from mlwidgets.history.comparing.runs import compare_runs
    from mlwidgets.runs.folder import RunFolder
    from mlwidgets.views.runsdiff import RunsDiffView, json_text

    folders = [RunFolder(find_run(options, name).path) for name in options.names]
    view = RunsDiffView(compare_runs(folders, options.names))
    if options.json:
        print(json_text(view))
    elif options.html:
        print(view.page())
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(view.text(colour=colour, width=shutil.get_terminal_size((100, 24)).columns))
    return 1 if options.exit_code and view.diff else 0
