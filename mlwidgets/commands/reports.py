"""Reports: what a notebook can be given."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the commands."""
    report = commands.add_parser("report", help="a notebook as one page; its parameters")
    choices = report.add_subparsers(required=True, metavar="params")
    params = choices.add_parser("params", help="the parameters of a notebook: name, default, type and what it is for")
    params.add_argument("notebook", type=Path)
    params.add_argument("--json", action="store_true", help="as JSON, one object per line")
    params.set_defaults(action=_params)


def _params(options: argparse.Namespace) -> int:
    from mlwidgets.history.notebooks.notebook import load_notebook
    from mlwidgets.reports.params import TAG, read_params

    found = read_params(load_notebook(options.notebook))
    if options.json:
        for param in found:
            print(json.dumps(param.to_json()))
    elif found:
        rows = [("name", "default", "type", "help"), *((p.name, p.default or "", p.type, p.help) for p in found)]
        shown = [[_cell(text, 72 if place == 3 else 40) for place, text in enumerate(row)] for row in rows]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        for row in shown:
            print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    else:
        print(f"{options.notebook} has no parameters: tag the code cell that assigns them {TAG!r}")
    return 0


def _cell(text: str, most: int) -> str:
    """Return a text in one line that a terminal shows as it is; a notebook may come from anybody."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"
