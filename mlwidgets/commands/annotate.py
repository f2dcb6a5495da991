"""What may be done with a run afterwards: delete, restore, rename, pin, tag, annotate."""

from __future__ import annotations

import argparse
from typing import Any

from mlwidgets.commands.common import RUN, store_of


def add(commands: Any) -> None:
    """Add the commands."""
    for name, text in (
        ("delete", "move a run that has ended into the trash, where it is kept for a week"),
        ("restore", "bring a deleted run back"),
        ("rename", "call a run otherwise; it is found by its earlier names, too"),
        ("pin", "keep a run on top of lists"),
        ("unpin", "let a run go from the top of lists"),
        ("tag", "give a run tags: `key=value`; `key=` takes one away"),
        ("note", "give a run a note instead of the one that it has"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("name", help=RUN)
        if name == "rename":
            command.add_argument("new", metavar="NEW", help="letters, digits, '_', '.' and '-'")
        elif name == "tag":
            command.add_argument("tags", nargs="+", metavar="KEY=VALUE")
        elif name == "note":
            command.add_argument("text", help="in quotes; an empty one takes the note away")
        command.set_defaults(action=_act, asked=name)


def _act(options: argparse.Namespace) -> int:
    from mlwidgets.runs import afterwards

    store, name, asked = store_of(options), options.name, options.asked
    if asked == "rename":
        print(afterwards.rename(store, name, options.new))
    elif asked == "tag":
        print(afterwards.tag(store, name, options.tags))
    elif asked == "note":
        print(afterwards.note(store, name, options.text))
    elif asked == "delete":
        print(afterwards.delete(store, name, "mlwidgets"))
    elif asked == "restore":
        print(afterwards.restore(store, name))
    else:
        print(afterwards.pin(store, name, pinned=asked == "pin"))
    return 0
