"""Text twins of notebooks: pairing a project, letting both say the same, and deciding where they do not."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import agreed
from mlwidgets.errors import MlwidgetsError, ParameterError

if TYPE_CHECKING:
    from mlwidgets.history.twins.planning import Plan
    from mlwidgets.history.twins.results import Choice, Conflict, Synced
    from mlwidgets.history.twins.undoing import Undo

_SIDES: dict[str, Choice] = {"ours": "notebook", "theirs": "twin", "both": "both"}
_MOST = 12
"""Lines of a cell that are shown."""


def add(commands: Any) -> None:
    """Add the commands."""
    init = commands.add_parser("init", help="pair a folder's notebooks with text files, which git reads well; asks")
    init.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="by default this one")
    init.add_argument("--format", metavar="F", help="py:percent (by default), md, md:myst, Rmd, qmd, ...")
    init.add_argument("--undo", action="store_true", help="take the pairing back; edited files stay")
    init.add_argument("--yes", action="store_true", help="do not ask")
    init.set_defaults(action=_init)

    sync = commands.add_parser("sync", help="let notebooks and their text twins say the same, whichever was edited")
    sync.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="notebooks, twins or folders; by default here"
    )
    sync.add_argument("--conflicts", action="store_true", help="show what both sides changed; write nothing")
    sides = sync.add_mutually_exclusive_group()
    sides.add_argument("--ours", action="store_const", const="ours", dest="side", help="the notebook's version stays")
    sides.add_argument("--theirs", action="store_const", const="theirs", dest="side", help="the twin's version stays")
    sides.add_argument("--both", action="store_const", const="both", dest="side", help="both stay, as two cells")
    sync.add_argument("--cells", metavar="N,N", help="decide on these cells only, by their numbers in --conflicts")
    sync.set_defaults(action=_sync)

    unpair = commands.add_parser("unpair", help="let a notebook have no text twin any more; the text file stays")
    unpair.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    unpair.set_defaults(action=_unpair)


def _init(options: argparse.Namespace) -> int:
    from mlwidgets.history.twins.planning import pair, plan

    if options.undo:
        return _undo(options)
    found = plan(options.folder, options.format)
    _show(found)
    if not found.writes:
        if not found.present:
            print(f"nothing to do: there are no notebooks in {options.folder}")
            return 0
    elif not (options.yes or agreed("Do it?")):
        return 1
    problems = pair(found)
    for line in problems:
        print(f"mlwidgets: {line}", file=sys.stderr)
    print("done; a twin is written after each save in Jupyter, and by mlwidgets sync; take it back with init --undo")
    return 1 if problems else 0


def _show(plan: Plan) -> None:
    writes = plan.before != plan.after
    rows = [(_shown(plan.settings), f"formats = {plan.formats}")] if writes else []
    rows += [(_shown(twin), f"text of {notebook.name}") for notebook, twin in plan.write]
    rows += [(_shown(notebook), f"stays without a twin, and says so: {why}") for notebook, why in plan.apart]
    rows += [(_shown(one.twin), f"is removed: {one.notebook.name} says the same") for one in plan.leave]
    rows += [(_shown(twin), f"stays: {why}") for twin, why in plan.stay]
    if not writes:
        print(f"{_shown(plan.settings)} says formats = {plan.formats} already, and stays as it is.")
    if rows:
        print("This writes:")
        _print(rows)
    if plan.leave:
        print("What is removed is kept first: mlwidgets history lists it. In git it is a deletion that you commit.")
    if plan.present:
        print("These are there, and are made to say the same as their notebooks:")
        _print([(_shown(twin), f"text of {notebook.name}") for notebook, twin in plan.present])


def _print(rows: Sequence[tuple[str, str]]) -> None:
    width = min(max((len(name) for name, _ in rows), default=0), 40)
    for name, what in rows:
        print(f"  {name:<{width}}  {what}")


def _undo(options: argparse.Namespace) -> int:
    from mlwidgets.history.twins.undoing import plan_undo, undo

    found = plan_undo(options.folder)
    if not found:
        print(f"nothing to undo in {options.folder}: this copy of the project was not paired here")
        return 0
    for one in found:
        _show_undo(one)
    if not (options.yes or agreed("Do it?")):
        return 1
    undo(found)
    print("done")
    return 0


def _show_undo(undo: Undo) -> None:
    stays = {path for path, _ in undo.stay}
    rows = [(_shown(path), "is removed: its notebook says the same") for path in undo.remove]
    if undo.settings not in stays:
        rows.append((_shown(undo.settings), "is removed" if undo.before is None else "is as it was before"))
    rows += [(_shown(path), "says nothing of twins any more") for path in undo.apart]
    rows += [(_shown(path), f"stays: {why}") for path, why in undo.stay]
    print("This takes back:")
    _print(rows)


def _sync(options: argparse.Namespace) -> int:
    if options.cells and not options.side:
        raise ParameterError("--cells needs --ours, --theirs or --both: whose version of these cells stays")
    cells = _numbers(options.cells)
    if options.side and not any(path.is_file() for path in options.paths):
        raise ParameterError(f"name the notebook whose conflicts are decided: mlwidgets sync NOTEBOOK --{options.side}")
    count = wrong = 0
    for path in _notebooks(options.paths or [Path()]):
        count += 1
        done = _looked(path) if options.conflicts else _done(path, options.side, cells)
        wrong += bool(done.problem or done.conflicts)
        _tell(path, done, shown=options.conflicts)
    if not count:
        print("no notebook here has a text twin: mlwidgets init pairs them")
    return 1 if wrong else 0


def _numbers(text: str | None) -> set[int] | None:
    if text is None:
        return None
    try:
        return {int(part) for part in text.split(",")}
    except ValueError:
        raise ParameterError(f"--cells takes numbers of cells, as in --cells 3,5, and not {text!r:.40}") from None


def _done(path: Path, side: str | None, cells: set[int] | None) -> Synced:
    from mlwidgets.history.twins import known

    found = known.synced(path)
    if found is not None and side is None:
        return found
    from mlwidgets.history.twins.syncing import settle, sync

    if side is None:
        return sync(path)
    if cells is None:
        return sync(path, choose=_SIDES[side])
    found = sync(path)
    chosen = {one.id: _SIDES[side] for one in found.conflicts if one.cell in cells}
    unknown = sorted(cells - {one.cell for one in found.conflicts})
    if unknown and not found.problem:
        raise ParameterError(f"cell {unknown[0]} of {path} is in no conflict; see mlwidgets sync --conflicts {path}")
    return settle(path, chosen)


def _looked(path: Path) -> Synced:
    from mlwidgets.history.twins.ahead import look
    from mlwidgets.history.twins.results import Synced

    try:
        found = look(path)
    except MlwidgetsError as error:
        return Synced(problem=str(error))
    return Synced() if found is None else Synced(conflicts=found.conflicts, twin=found.twin)


def _notebooks(paths: Sequence[Path]) -> Iterator[Path]:
    """Return what has a twin: of folders all notebooks in them, and twins whose notebook was never here."""
    from mlwidgets.history.twins.finding import paired_in
    from mlwidgets.history.twins.known import in_step
    from mlwidgets.history.twins.pairing import pairing_of

    for path in paths:
        if path.is_dir():
            yield from paired_in(path)
            continue
        if not path.exists() and not path.with_suffix("").parent.is_dir():
            raise ParameterError(f"there is no {path}; check the path")
        if not in_step(path) and pairing_of(path) is None:
            raise ParameterError(f"{path} has no text twin; mlwidgets init pairs the notebooks of a folder")
        yield path


def _tell(path: Path, done: Synced, *, shown: bool) -> None:
    if done.problem:
        print(f"mlwidgets: {done.problem}", file=sys.stderr)
        return
    name, twin = _shown(path), "" if done.twin is None else _shown(done.twin)
    for side, words in (("notebook", f"{name}: takes over what changed in {twin}"), ("twin", f"{twin}: written")):
        if done.changed in {side, "both"}:
            print(words)
    if not done.conflicts:
        return
    count = f"{len(done.conflicts)} cell{'s' if len(done.conflicts) > 1 else ''}"
    print(f"{name} and {twin}: {count} changed on both sides")
    for one in done.conflicts:
        _show_conflict(one, twin, whole=shown)
    if not shown:
        print(f"  nothing is written until you decide: mlwidgets sync {shlex.quote(name)} --ours, --theirs or --both")


def _show_conflict(one: Conflict, twin: str, *, whole: bool) -> None:
    gone = {"notebook": ", deleted in the notebook", "twin": f", deleted in {twin}"}.get(one.deleted or "", "")
    print(f"  cell {one.cell}{gone}")
    if not whole:
        return
    for label, source, there in (
        ("notebook (--ours)", one.notebook, one.deleted != "notebook"),
        (f"{twin} (--theirs)", one.twin, one.deleted != "twin"),
    ):
        print(f"    {label}{'' if there else ': deleted'}")
        lines = source.split("\n") if there else []
        for line in lines[:_MOST]:
            print(f"      | {line}")
        if len(lines) > _MOST:
            print(f"      | ... {len(lines) - _MOST} more lines")


def _unpair(options: argparse.Namespace) -> int:
    from mlwidgets.history.twins.planning import unpair

    for path in options.notebooks:
        twin = unpair(path)
        if twin is None:
            print(f"{path} has no text twin")
        else:
            print(f"{path} has no twin any more; {_shown(twin)} stays as it is")
    return 0


def _shown(path: Path) -> str:
    """Return a path as it is called from here."""
    here = os.path.realpath(path)
    below = os.path.relpath(here)
    return here if below.startswith("..") else below
