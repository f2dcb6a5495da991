"""What becomes of one cell: its source by lines, its metadata by key, its outputs by where its source comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlwidgets.history.merging.conflicts import ATTACHMENT, DELETED, EDITED, mark
from mlwidgets.history.merging.lines import SIZE, Labels, merge_lines
from mlwidgets.history.merging.values import MISSING, merge_values
from mlwidgets.history.notebooks.noise import CELL
from mlwidgets.history.notebooks.notebook import Cell

_BY_EXECUTION = frozenset({"execution", "ExecuteTime", "executionInfo", "papermill"})
"""Metadata that say when and how a cell was executed: they go where its outputs go."""
_APART = frozenset({"cell_type", "source", "metadata", "attachments", "outputs", "execution_count", "id"})


@dataclass(frozen=True)
class State:
    """A cell in one notebook: its JSON, and as it is compared."""

    raw: dict[str, Any]
    cell: Cell


@dataclass
class Merging:
    """How cells are merged, and what is to be told of it: paths of metadata of which one value was taken."""

    labels: Labels = field(default_factory=Labels)
    size: int = SIZE
    clashes: list[str] = field(default_factory=list)

    def merged(self, base: State | None, ours: State | None, theirs: State | None) -> dict[str, Any] | None:
        """Return the merged cell as JSON, None where it was deleted.

        A cell that one side deleted and the other edited stays, as a conflict; one that the other side only executed,
        moved, folded or tagged is gone.
        """
        if ours is None or theirs is None:
            side = ours or theirs
            if side is None:
                return None
            if base is None:
                return side.raw
            if _content(base.cell) == _content(side.cell):
                return None
            return self._kept(side, *(self.labels if ours else self.labels[::-1]))
        return self._both(base, ours, theirs)

    def _kept(self, side: State, here: str, there: str) -> dict[str, Any]:
        note = f"edited in {here}, deleted in {there}"
        return _noted(
            side.raw, DELETED, note, f"{note}: remove this line to keep the cell, or delete the cell", self.size
        )

    def _both(self, base: State | None, ours: State, theirs: State) -> dict[str, Any]:
        before = base.raw if base is not None else {}
        source, conflict = self._source(base, ours, theirs)
        kind = _picked(base and base.cell.kind, ours.cell.kind, theirs.cell.kind)
        other: dict[str, Any] = {}
        for key in [*ours.raw, *(key for key in theirs.raw if key not in ours.raw)]:
            if key not in _APART:
                sides = (one.get(key, MISSING) for one in (before, ours.raw, theirs.raw))
                value = merge_values(sides, key, self.clashes)
                if value is not MISSING:
                    other[key] = value
        cell = {**{key: ours.raw[key] for key in ours.raw if key in other or key in _APART}, **other}
        cell["cell_type"] = kind if kind != ours.cell.kind else ours.raw.get("cell_type", kind)
        if source != ours.cell.source:
            whole = isinstance(ours.raw.get("source"), str)
            cell["source"] = source if whole else source.splitlines(keepends=True)
        given = _picked(before.get("id"), ours.raw.get("id"), theirs.raw.get("id"))
        cell.pop("id", None)
        if given is not None:
            # Where Jupyter writes it, for files whose keys are not sorted.
            cell = {"cell_type": cell.pop("cell_type"), "id": given, **cell}
        shown = self._shown(base, ours, theirs, source, kind)
        cell["metadata"] = self._metadata(before, ours.raw, theirs.raw, shown)
        _put_outputs(cell, kind, shown)
        lost = self._attach(cell, before, ours.raw, theirs.raw, kind)
        if conflict:
            mark(cell, EDITED, f"edited in {self.labels.ours} and in {self.labels.theirs}")
        elif lost:
            note = f"{' and '.join(lost)} differ: those of {self.labels.theirs} are kept beside"
            return _noted(cell, ATTACHMENT, note, f"{note}; remove this line", self.size)
        return cell

    def _source(self, base: State | None, ours: State, theirs: State) -> tuple[str, bool]:
        before = base.cell.source if base is not None else None
        if theirs.cell.source in {before, ours.cell.source}:
            return ours.cell.source, False
        if ours.cell.source == before:
            return theirs.cell.source, False
        return merge_lines(before, ours.cell.source, theirs.cell.source, self.labels, self.size)

    def _shown(self, base: State | None, ours: State, theirs: State, source: str, kind: str) -> State | None:
        """Return the side whose outputs the cell gets, None where no side has executed this source."""
        sides = [one for one in (ours, theirs) if one.cell.kind == "code" and one.cell.source == source]
        if kind != "code" or not sides:
            return None
        if len(sides) == 1:
            return sides[0]
        if base is not None and base.cell.source == source:
            changed = [one for one in sides if _executed(one.raw) != _executed(base.raw)]
            if len(changed) == 1:
                return changed[0]
        # Where both say when: the later one.
        return max(sides, key=lambda one: _time(one.raw)) if all(map(_time, (ours.raw, theirs.raw))) else ours

    def _metadata(
        self, before: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], shown: State | None
    ) -> dict[str, Any]:
        clashes: list[str] = []
        sides = [_dict(one.get("metadata")) for one in (before, ours, theirs)]
        merged: dict[str, Any] = merge_values(sides, "", clashes)
        # Nothing is told of what tools write by themselves.
        self.clashes += [path for path in clashes if path.partition(".")[0] not in CELL]
        said = _dict(shown.raw.get("metadata")) if shown is not None else {}
        return {
            **{key: value for key, value in merged.items() if key not in _BY_EXECUTION},
            **{key: said[key] for key in said if key in _BY_EXECUTION},
        }

    def _attach(
        self, cell: dict[str, Any], before: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], kind: str
    ) -> list[str]:
        """Merge attachments; return the names of which both sides have one of their own."""
        clashes: list[str] = []
        sides = [{name: _dict(one.get("attachments")).get(name, MISSING) for name in _names(ours, theirs)} for one in
                 (before, ours, theirs)]  # fmt: skip
        merged: dict[str, Any] = {}
        for name in sides[0]:
            found: list[str] = []
            one = merge_values([_Whole.of(side[name]) for side in sides], name, found)
            if one is not MISSING:
                merged[name] = one.value
            if found:
                merged[f"theirs-{name}"] = sides[2][name]
                clashes.append(name)
        cell.pop("attachments", None)
        if merged and kind != "code":
            cell["attachments"] = merged
        elif "attachments" in ours and kind != "code":
            cell["attachments"] = {}
        return clashes if kind != "code" else []


@dataclass(frozen=True)
class _Whole:
    """A value of which no part is merged."""

    value: Any

    @classmethod
    def of(cls, value: Any) -> Any:
        return MISSING if value is MISSING else cls(value)


def _names(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    here, there = _dict(ours.get("attachments")), _dict(theirs.get("attachments"))
    return [*here, *(name for name in there if name not in here)]


def _noted(raw: dict[str, Any], kind: str, note: str, line: str, size: int) -> dict[str, Any]:
    """Return a cell with a line before its source that says what is to be decided."""
    source = raw.get("source") or ""
    begin = f"{'<' * size} {line}"
    text = source if isinstance(source, str) else "".join(source)
    lines: Any = f"{begin}\n{text}" if text else begin
    if not isinstance(source, str):
        lines = lines.splitlines(keepends=True)
    cell = {**raw, "source": lines, "metadata": {**_dict(raw.get("metadata"))}}
    mark(cell, kind, note)
    return cell


def _put_outputs(cell: dict[str, Any], kind: str, shown: State | None) -> None:
    for key in ("outputs", "execution_count"):
        cell.pop(key, None)
    if kind == "code":
        raw = shown.raw if shown is not None else {}
        cell["execution_count"] = raw.get("execution_count")
        cell["outputs"] = raw.get("outputs", [])


def _picked(base: Any, ours: Any, theirs: Any) -> Any:
    return theirs if ours == base or ours is None else ours


def _content(cell: Cell) -> tuple[Any, ...]:
    return cell.kind, cell.source, cell.attachments


def _executed(raw: dict[str, Any]) -> tuple[Any, Any]:
    return raw.get("outputs"), raw.get("execution_count")


def _time(raw: dict[str, Any]) -> str:
    """Return when a cell was executed, as Jupyter writes it (ISO 8601, UTC); empty where it does not."""
    said = _dict(_dict(raw.get("metadata")).get("execution"))
    found = said.get("shell.execute_reply", said.get("iopub.execute_input", ""))
    return found if isinstance(found, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
