"""Notebooks in git: merges by cells, readable diffs, and the settings by which git uses them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import agreed
from mlwidgets.errors import HistoryError, MlwidgetsError, ParameterError

if TYPE_CHECKING:
    from mlwidgets.history.merging.documents import Document
    from mlwidgets.history.setup.repository import Plan, Setup
    from mlwidgets.history.setup.settings import Wanted

_WHAT = {
    "config": "how git shows and merges notebooks",
    "info/attributes": "that it does so for *.ipynb",
    "hooks/pre-commit": "refuses a commit of a notebook with a conflict in it",
}


def add(commands: Any) -> None:
    """Add the commands."""
    merge = commands.add_parser("merge", help="merge two notebooks that come from one, cell by cell")
    merge.add_argument(
        "notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help="BASE OURS THEIRS; with --list any number of them"
    )
    merge.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it there and not to standard output")
    merge.add_argument("--list", action="store_true", help="the cells in conflict; exit status 1 if there are any")
    merge.set_defaults(action=_merge)

    setup = commands.add_parser("git-setup", help="let git show and merge this repository's notebooks by cells; asks")
    setup.add_argument("--undo", action="store_true", help="put back what was there before")
    setup.add_argument("--strip-outputs", action="store_true", help="commit notebooks without their outputs")
    setup.add_argument("--pre-commit", action="store_true", help="refuse commits of notebooks with conflicts in them")
    setup.add_argument("--outputs", action="store_true", help="say in diffs where outputs differ")
    setup.add_argument("--yes", action="store_true", help="do not ask")
    setup.set_defaults(action=_setup)

    textconv = commands.add_parser("textconv", help="print a notebook as text")
    textconv.add_argument("--outputs", action="store_true", help="with a line for the outputs of each cell")
    textconv.add_argument("notebook", type=Path)
    textconv.set_defaults(action=_textconv)

    strip = commands.add_parser("strip-outputs", help="take outputs out of notebooks; without one, of standard input")
    strip.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK")
    strip.set_defaults(action=_strip)

    driver = commands.add_parser("git-merge-driver", help="for git: merge.mlwidgets.driver")
    driver.add_argument("files", nargs="+", metavar="%O %A %B %L %P %X %Y")
    driver.set_defaults(action=_driver)

    check = commands.add_parser("git-check", help="for a pre-commit hook: status 1 if a notebook is not settled")
    check.set_defaults(action=_check)


def _merge(options: argparse.Namespace) -> int:
    try:
        return _list(options.notebooks) if options.list else _merge_three(options)
    except MlwidgetsError as error:
        # Status 1 says that there are conflicts.
        print(f"mlwidgets: {error}", file=sys.stderr)
        return 2


def _merge_three(options: argparse.Namespace) -> int:
    from mlwidgets.history.merging import documents
    from mlwidgets.history.merging.lines import Labels
    from mlwidgets.history.merging.merge import merge
    from mlwidgets.history.restoring import put_in_place, state_of
    from mlwidgets.history.setup.calls import told

    if len(options.notebooks) != 3:
        raise ParameterError("give three notebooks: the one from which both come, ours, and theirs")
    base, ours, theirs = options.notebooks
    output = None if options.output is None else Path(os.path.realpath(options.output))
    state = None if output is None else state_of(output)
    labels = Labels(*(" ".join(str(path).split()) for path in (ours, theirs)))
    merged = merge(_or_nothing(base), documents.load(ours), documents.load(theirs), labels)
    if output is None:
        sys.stdout.buffer.write(merged.data)
        sys.stdout.buffer.flush()
    elif not put_in_place(output, merged.data, state):
        raise HistoryError(f"{output} changed while it was merged; merge again")
    for line in told(str(output or ours), merged.clashes, [one.number for one in merged.conflicts]):
        print(f"mlwidgets: {line}", file=sys.stderr)
    return 1 if merged.conflicts else 0


def _or_nothing(path: Path) -> Document:
    from mlwidgets.history.merging import documents
    from mlwidgets.history.notebooks.document import read_file

    data = read_file(path)
    return documents.read(data, str(path)) if data.strip() else documents.nothing()


def _list(paths: list[Path]) -> int:
    from mlwidgets.history.merging import documents
    from mlwidgets.history.merging.conflicts import conflicts_in

    found = False
    for path in paths:
        for one in conflicts_in(documents.load(path).raw):
            found = True
            print(f"{path}: cell {one.number}{f' ({one.id})' if one.id else ''}: {one.note}")
    return int(found)


def _setup(options: argparse.Namespace) -> int:
    from mlwidgets.history.setup.repository import Setup
    from mlwidgets.history.setup.settings import Wanted

    setup = Setup(Path.cwd())
    if options.undo:
        done = setup.undo()
        print(f"{setup.common} is as it was" if done else f"nothing to undo in {setup.common}")
        return 0
    wanted = Wanted(strip=options.strip_outputs, hook=options.pre_commit, outputs=options.outputs)
    plan = setup.plan(wanted)
    if not plan.changes:
        # Another version of mlwidgets at the same place may write other texts.
        setup.forget_texts()
        print(f"nothing to do: {setup.common} is set up so")
        return 0
    if not _agreed(setup, plan, wanted, asked=options.yes):
        return 1
    setup.write(plan)
    print("done; mlwidgets git-setup --undo puts back what was there")
    if wanted.strip:
        print("notebooks that were committed with outputs show as changed once: git add --renormalize '*.ipynb'")
    return 0


def _agreed(setup: Setup, plan: Plan, wanted: Wanted, *, asked: bool) -> bool:
    """Say what would be written; return whether that may be done."""
    print(f"In {setup.common}, and nowhere else, this writes:")
    for name in plan.changes:
        gone = name == "hooks/pre-commit" and not wanted.hook
        print(f"  {name:<18}{'no longer ' if gone else ''}{_WHAT[name]}")
        if name == "config":
            for key in wanted.config():
                print(f"  {'':<18}{key}")
        elif name == "info/attributes":
            print(f"  {'':<18}{wanted.attributes()[1]}")
    replaced = [one for one in setup.in_place_of() if wanted.strip or not one.startswith("filter=")]
    if replaced:
        print(f"  in place of       {', '.join(replaced)}")
    return asked or agreed("Write it?")


def _textconv(options: argparse.Namespace) -> int:
    from mlwidgets.history.setup.calls import textconv

    return textconv(options.notebook, outputs=options.outputs)


def _strip(options: argparse.Namespace) -> int:
    from mlwidgets.history.notebooks.document import read_file
    from mlwidgets.history.restoring import put_in_place, state_of
    from mlwidgets.history.setup.calls import clean
    from mlwidgets.history.setup.outputs import without_outputs

    for given in options.notebooks:
        path = Path(os.path.realpath(given))
        state, data = state_of(path), read_file(path)
        stripped = without_outputs(data, str(given))
        if stripped != data and not put_in_place(path, stripped, state):
            raise HistoryError(f"{given} changed meanwhile; try again")
    return 0 if options.notebooks else clean()


def _driver(options: argparse.Namespace) -> int:
    from mlwidgets.history.setup.calls import CONFLICT, call

    status = call(["merge", *options.files])
    return 1 if status == CONFLICT else 0 if status == 0 else _by_lines(options.files)


def _by_lines(files: list[str]) -> int:
    """Merge as git does where no notebooks are."""
    from mlwidgets.history.git.repository import run_git

    if len(files) < 3:
        raise ParameterError("give the files of a merge driver: %O %A %B %L %P")
    base, ours, theirs = files[:3]
    done = run_git("merge-file", "-L", "ours", "-L", "base", "-L", "theirs", ours, base, theirs)
    return 1 if done.returncode else 0


def _check(_: argparse.Namespace) -> int:
    from mlwidgets.history.setup.calls import call

    return 1 if call(["check"]) else 0
