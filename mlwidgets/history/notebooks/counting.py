"""How many cells changed between two states of a notebook: a count, not yet a diff."""

from __future__ import annotations

from collections import Counter

from mlwidgets.history.notebooks.notebook import Cell, Notebook


def count_changes(old: Notebook, new: Notebook) -> tuple[int, int, int]:
    """Return how many cells were added, removed and edited; moved ones count as none of these.

    Cells of the same id are the same cell. Of those without ids, as many as came are taken for edited ones as went.
    """
    before = {cell.id: cell for cell in old.cells if cell.id is not None}
    after = {cell.id for cell in new.cells if cell.id is not None}
    edited = sum(_content(cell) != _content(before[cell.id]) for cell in new.cells if cell.id in before)
    gone = [cell for cell in old.cells if cell.id not in after]
    come = [cell for cell in new.cells if cell.id not in before]
    went, came = Counter(map(_content, gone)), Counter(map(_content, come))
    removed, added = (went - came).total(), (came - went).total()
    nameless = min(removed, added) if any(c.id is None for c in gone) or any(c.id is None for c in come) else 0
    return added - nameless, removed - nameless, edited + nameless


def _content(cell: Cell) -> tuple[str, str, str]:
    return cell.kind, cell.source, repr((sorted(cell.metadata.items()), sorted(cell.attachments)))
