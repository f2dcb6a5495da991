"""What may be done with a run afterwards: delete, restore, rename, pin, tag, annotate."""

from __future__ import annotations

import argparse
import time
from typing import Any

from mlwidgets.commands.common import RUN, find_run, store_of
from mlwidgets.errors import ParameterError


def add(commands: Any) -> None:
    """Add the commands."""
    for name, action, text in (
        ("delete", _delete, "move a run that has ended into the trash, where it is kept for a week"),
        ("restore", _restore, "bring a deleted run back"),
        ("rename", _rename, "call a run otherwise; it is found by its earlier names, too"),
        ("pin", _pin, "keep a run on top of lists"),
        ("unpin", _unpin, "let a run go from the top of lists"),
        ("tag", _tag, "give a run tags: `key=value`; `key=` takes one away"),
        ("note", _note, "give a run a note instead of the one that it has"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("name", help=RUN)
        if action is _rename:
            command.add_argument("new", metavar="NEW", help="letters, digits, '_', '.' and '-'")
        elif action is _tag:
            command.add_argument("tags", nargs="+", metavar="KEY=VALUE")
        elif action is _note:
            command.add_argument("text", help="in quotes; an empty one takes the note away")
        command.set_defaults(action=action)


def _delete(options: argparse.Namespace) -> int:
    from mlwidgets.runs.index import RunIndex
    from mlwidgets.runs.run import Run
    from mlwidgets.runs.trash import delete

    store = store_of(options)
    folder = store.find(options.name)
    name = Run(folder.path).name
    until = time.strftime("%A, %d %B", time.localtime(delete(store, folder)))
    RunIndex(store).forget([folder.id])
    print(f"{name}: deleted; until {until} `mlwidgets restore {folder.id}` brings it back")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from mlwidgets.runs.run import Run
    from mlwidgets.runs.trash import find_deleted, restore

    store = store_of(options)
    run = Run(restore(store, find_deleted(store, options.name)).path)
    print(f"{run.name}: {run.state}, back in {store.path}")
    return 0


def _rename(options: argparse.Namespace) -> int:
    run = find_run(options)
    before = run.name
    run.rename(options.new)
    print(f"{before} is called {run.name} now; {before} still finds it while no other run is called so")
    return 0


def _annotate(options: argparse.Namespace, **given: Any) -> int:
    from mlwidgets.runs.annotations import annotate
    from mlwidgets.runs.folder import RunFolder

    run = find_run(options)
    annotate(RunFolder(run.path), **given)
    tags = " ".join(f"[{key}: {value}]" for key, value in run.tags.items())
    print("  ".join(filter(None, [f"{run.name}:", "pinned" if run.pinned else "not pinned", tags, run.note])))
    return 0


def _pin(options: argparse.Namespace) -> int:
    return _annotate(options, pinned=True)


def _unpin(options: argparse.Namespace) -> int:
    return _annotate(options, pinned=False)


def _tag(options: argparse.Namespace) -> int:
    given: dict[str, str] = {}
    for one in options.tags:
        key, equals, value = one.partition("=")
        if not equals:
            raise ParameterError(f"{one!r} is no tag: give it as key=value, and key= to take it away")
        given[key] = value
    taken = {key for key, value in given.items() if not value}
    return _annotate(options, tags=lambda now: {k: v for k, v in {**now, **given}.items() if k not in taken})


def _note(options: argparse.Namespace) -> int:
    return _annotate(options, note=options.text)
