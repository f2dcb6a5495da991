"""Notebooks: what changed in them, and what they were."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import find_run
from mlwidgets.errors import ParameterError, UnknownSnapshot
from mlwidgets.runs.spans import seconds_of

if TYPE_CHECKING:
    from mlwidgets.history.snapshots import History, Snapshot
    from mlwidgets.history.which import State


_SIDE = "a notebook, NOTEBOOK@WHEN (commit, commit:REV, save, save-before, ~N, a snapshot's id or name), or a run"


def add(commands: Any) -> None:
    """Add the commands."""
    diff = commands.add_parser("diff", help="what changed in a notebook, or between two notebooks or runs")
    diff.add_argument("old", help=_SIDE)
    diff.add_argument("new", nargs="?", help="such a one, too; without it, what changed in OLD since its last commit")
    diff.add_argument("--save", action="store_true", help="what the last save changed")
    diff.add_argument("--outputs", action="store_true", help="with outputs")
    diff.add_argument("--exit-code", action="store_true", help="exit status 1 if there are differences")
    form = diff.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--html", action="store_true", help="as an HTML page that needs nothing else")
    # NEW may come after the options: argparse leaves it over then.
    diff.set_defaults(action=_diff, takes_more=True)

    history = commands.add_parser(
        "history", help="the snapshots of a notebook, newest first; open, restore, name, prune"
    )
    history.add_argument("notebook", type=Path)
    history.set_defaults(action=_list)
    history.add_argument("--json", action="store_true", help="as JSON, one object per line")
    history.add_argument("-n", type=_count, metavar="N", default=None, help="the newest N")
    choices = history.add_subparsers(metavar="open|restore|name|prune")
    which = "a snapshot's id or the beginning of it, its name, ~N for the Nth before the last, or a run"
    opening = choices.add_parser("open", help="print a snapshot as text, or write it as a notebook")
    opening.add_argument("snapshot", help=which)
    opening.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write it there: .ipynb a notebook, else text"
    )
    opening.set_defaults(action=_open)
    restoring = choices.add_parser(
        "restore", help="put a snapshot in the notebook's place; what is there is kept first"
    )
    restoring.add_argument("snapshot", help=which)
    restoring.set_defaults(action=_restore)
    naming = choices.add_parser("name", help="give a snapshot a name, by which it is found and for which it is kept")
    naming.add_argument("snapshot", help=which)
    naming.add_argument("name", help="an empty one takes the name away")
    naming.set_defaults(action=_name)
    pruning = choices.add_parser("prune", help="forget old snapshots; named ones and those of runs stay")
    pruning.add_argument("--keep", type=_count, metavar="N", help="the newest N stay")
    pruning.add_argument("--older-than", type=_age, metavar="AGE", help="only what is older, such as 30d, 12h or 2w")
    pruning.add_argument("--dry-run", action="store_true", help="say what would go, and leave it")
    pruning.set_defaults(action=_prune)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _age(text: str) -> float:
    """Read an age: 30d, 12h, 2w; return seconds."""
    try:
        return seconds_of(text, bare="d")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: write 12h, 30d or 2w") from None


def _diff(options: argparse.Namespace) -> int:
    from mlwidgets.history.diff.cells import compare
    from mlwidgets.history.which import document

    if options.new is None and len(options.more) == 1 and not options.more[0].startswith("-"):
        options.new = options.more.pop()
    if options.more:
        raise ParameterError(f"what is {' '.join(options.more)}? See mlwidgets diff --help")
    old, new = _sides(options)
    diff = compare(old[0], new[0], outputs=options.outputs)
    if options.outputs and not diff.outputs:
        print("outputs are not compared: snapshots and runs keep none of the notebook's", file=sys.stderr)
    told = document(old, new, diff)
    if options.json:
        print(json.dumps(told))
    elif options.html:
        from mlwidgets.views.nbdiffpage import page

        print(page(told))
    else:
        from mlwidgets.views.nbdifftext import text

        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(text(told, colour=colour, width=_width()))
    return 1 if options.exit_code and diff else 0


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def _sides(options: argparse.Namespace) -> tuple[State, State]:
    if options.new is not None and options.save:
        raise ParameterError("--save compares one notebook with what it was: give one, not two")
    if options.new is not None:
        alone = _split(options.old)[0] != _split(options.new)[0]
        return _side(options, options.old, alone=alone), _side(options, options.new, alone=alone)
    path, when = _split(options.old)
    if not _is_file(path):
        # A run, and what its notebook is now.
        old = _side(options, options.old)
        origin = find_run(options, options.old).spec.provenance
        if origin is None or not origin.notebook or not Path(origin.notebook).is_file():
            raise ParameterError(f"the notebook of {options.old} is not known: name what to compare it with, too")
        return old, _at(Path(origin.notebook), "file", alone=False)
    if options.save and when:
        raise ParameterError(f"--save compares the last save: give {path} without @{when}")
    if options.save:
        return _at(path, "save-before", alone=False), _at(path, "save", alone=False)
    now = _at(path, "file", alone=False)
    if when is not None:
        return _at(path, when, alone=False), now
    try:
        return _at(path, "commit", alone=False), now
    except UnknownSnapshot as error:
        try:
            before = _at(path, "save-before", alone=False)
        except UnknownSnapshot:
            raise error from None
    print(f"{path} is in no commit yet; what the last save changed:", file=sys.stderr)
    return before, now


def _side(options: argparse.Namespace, text: str, *, alone: bool = False) -> State:
    """Return the notebook that is meant, what to call it (by its path if it stands `alone`), and when it was so."""
    path, when = _split(text)
    if _is_file(path):
        return _at(path, when or "file", alone=alone)
    if when is not None:
        raise ParameterError(f"there is no notebook {path}")
    if path.exists():
        raise ParameterError(f"{text} is no notebook: give the path of an .ipynb file")
    if path.suffix == ".ipynb" or os.sep in text:
        raise ParameterError(f"there is no file {text}")
    from mlwidgets.history.which import of_run
    from mlwidgets.runs.folder import RunFolder

    return of_run(RunFolder(find_run(options, text).path))


def _split(text: str) -> tuple[Path, str | None]:
    path, at, when = text.rpartition("@")
    # The name of a file may hold an @ itself.
    if not at or os.path.exists(text):
        return Path(text), None
    if not when:
        raise ParameterError(f"{text}: say which state behind the @, such as {path}@commit")
    return Path(path), when


def _is_file(path: Path) -> bool:
    return path.suffix == ".ipynb" and path.exists()


def _at(path: Path, when: str, *, alone: bool) -> State:
    if when == "file" and alone:
        from mlwidgets.history.notebooks.notebook import load_notebook

        return load_notebook(path), str(path), path.stat().st_mtime
    from mlwidgets.history.snapshots import History
    from mlwidgets.history.which import KINDS, resolve

    known = when.partition(":")[0] in KINDS
    notebook, label, at = resolve(History(path), when if known else f"snapshot:{when}")
    return notebook, f"{path} ({label})" if alone else label, at


def _history(options: argparse.Namespace) -> History:
    from mlwidgets.history.snapshots import History

    if options.notebook.suffix != ".ipynb":
        raise ParameterError(f"{options.notebook} is no notebook: give the path of an .ipynb file")
    return History(options.notebook)


def _list(options: argparse.Namespace) -> int:
    found = _history(options).snapshots(options.n)
    if options.json:
        for one in found:
            print(
                json.dumps(
                    {
                        "id": one.id,
                        "time": one.time,
                        "kind": one.kind,
                        "run": one.run,
                        "names": list(one.names),
                        "changed": one.changed,
                        "commit": one.commit,
                    }
                )
            )
        return 0
    if not found and not options.notebook.exists():
        raise ParameterError(f"there is no notebook {options.notebook}, and there are no snapshots of one")
    if not found:
        print(f"no snapshots of {options.notebook}: they are taken at each save in Jupyter and with each run")
    for line in _table(found):
        print(line)
    return 0


def _table(found: list[Snapshot]) -> list[str]:
    rows = [
        (
            one.id,
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.time)),
            _what(one),
            "" if one.changed is None else "+{} -{} ~{}".format(*one.changed),
            ", ".join(one.names),
        )
        for one in found
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(5)] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _what(one: Snapshot) -> str:
    if one.kind == "submit":
        return f"sent off as {one.run}" if one.run else "sent off"
    words = {"save": "saved", "kept": "kept before a restore", "twin": "kept before a twin was merged"}
    return words.get(one.kind, one.kind)


def _open(options: argparse.Namespace) -> int:
    history = _history(options)
    snapshot = history.find(options.snapshot)
    if options.output is None:
        # A notebook may hold what is no text in UTF-8: half of a character that JSON wrote in two.
        sys.stdout.write(history.text(snapshot).encode("utf-8", "backslashreplace").decode())
        return 0
    from mlwidgets.history.notebooks.notebook import to_json
    from mlwidgets.runs.folder import write_whole

    if options.output.exists():
        raise ParameterError(f"{options.output} is there already: give the name of a new file")
    if options.output.suffix == ".ipynb":
        text = json.dumps(to_json(history.read(snapshot)), indent=1) + "\n"
    else:
        text = history.text(snapshot)
    write_whole(options.output, text.encode("utf-8", "backslashreplace"))
    print(f"{snapshot.id} written to {options.output}")
    return 0


def _restore(options: argparse.Namespace) -> int:
    history = _history(options)
    snapshot = history.find(options.snapshot)
    kept = history.restore(snapshot)
    print(f"{options.notebook} is as it was in {snapshot.id}")
    if kept is not None:
        print(f"what it was until now: mlwidgets history {options.notebook} restore {kept.id}")
    print("a browser that has it open: reload it from the disk (File, Reload Notebook from Disk)")
    return 0


def _name(options: argparse.Namespace) -> int:
    history = _history(options)
    snapshot = history.find(options.snapshot)
    history.name(snapshot, options.name or None)
    print(f"{snapshot.id} is called {options.name}" if options.name else f"{snapshot.id} has no name now")
    return 0


def _prune(options: argparse.Namespace) -> int:
    if options.keep is None and options.older_than is None:
        raise ParameterError("say what may go: --keep N, --older-than 30d, or both")
    gone = _history(options).prune(keep=options.keep, older_than=options.older_than, dry_run=options.dry_run)
    for line in _table(gone):
        print(line)
    number = f"{len(gone)} snapshot{'' if len(gone) == 1 else 's'}"
    print(f"{number} would go" if options.dry_run else f"{number} forgotten")
    return 0
