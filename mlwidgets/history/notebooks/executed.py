"""What a kernel executed, and the notebook as it was executed: the saved file may say something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlwidgets.history.notebooks.notebook import Cell, Notebook


@dataclass(frozen=True)
class Executed:
    """One execution of a cell: its id (None: unknown), the number in its prompt, and what was executed."""

    id: str | None
    count: int
    source: str


def overlaid(saved: Notebook | None, executed: Sequence[Executed]) -> Notebook:
    """Return the notebook as it was executed: saved cells with the sources that were executed last in each.

    Cells that were executed but are not in the file come after the cell that was executed before them. An execution
    without an id counts as that of the first cell with its source; where there is none, of no cell in the file. So do
    ids that are none of the file's: those of a front end that calls cells otherwise, or of a file without any.

    Where the front end tells ids, an execution without one was before the magics were loaded. Of such, what the file
    does not have is left out: it may be in the file by now in another form.

    Parameters
    ----------
    saved
        The file's notebook, None where there is none: then it is what was executed, and nothing else.
    executed
        In order of execution.
    """
    cells = list(saved.cells) if saved is not None else []
    places = {cell.id: at for at, cell in enumerate(cells) if cell.id is not None}
    sources: dict[str, int] = {}
    for at, cell in enumerate(cells):
        if cell.kind == "code":
            sources.setdefault(cell.source, at)
    places |= _adopted(cells, places, executed)
    tells_ids = any(one.id in places for one in executed)
    after: dict[int, list[Cell]] = {}
    strangers: dict[str, tuple[int, int]] = {}
    last = len(cells) - 1 if saved is None else -1
    for one in executed:
        place = places.get(one.id) if one.id is not None else sources.get(one.source)
        if place is not None and cells[place].kind == "code":
            cells[place] = replace(cells[place], source=one.source, execution_count=one.count)
            last = place
            continue
        if one.id is None and tells_ids:
            continue
        known = strangers.get(one.id) if one.id is not None else None
        stranger = Cell(one.id, "code", one.source, execution_count=one.count)
        if known is not None:
            after[known[0]][known[1]] = stranger
            last = known[0]
            continue
        row = after.setdefault(last, [])
        if one.id is not None:
            strangers[one.id] = (last, len(row))
        row.append(stranger)
    result = list(after.get(-1, []))
    for at, cell in enumerate(cells):
        result += [cell, *after.get(at, [])]
    base = saved or Notebook(())
    return replace(base, cells=tuple(result))


def _adopted(cells: Sequence[Cell], places: Mapping[str, int], executed: Sequence[Executed]) -> dict[str, int]:
    """Return a place for each id that is none of the file's, and of which the file has what was executed in it."""
    own = {places[one.id] for one in executed if one.id is not None and one.id in places}
    free: dict[str, list[int]] = {}
    for at, cell in enumerate(cells):
        if cell.kind == "code" and at not in own:
            free.setdefault(cell.source, []).append(at)
    said: dict[str, list[str]] = {}
    for one in executed:
        if one.id is not None and one.id not in places:
            said.setdefault(one.id, []).append(one.source)
    found: dict[str, int] = {}
    for cell_id, sources in said.items():
        # What was executed last may not be saved yet.
        place = next((free[source].pop(0) for source in reversed(sources) if free.get(source)), None)
        if place is not None:
            found[cell_id] = place
    return found
