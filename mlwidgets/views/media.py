"""What views show of histograms, images, confusion matrices and tables: bounded in size, whatever was logged."""

from __future__ import annotations

import base64
import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.media import ConfusionMatrix, Histogram, Image, Logged, Table, read_media
from mlwidgets.runs.superseded import superseded_sign
from mlwidgets.views.bins import grid, rebin
from mlwidgets.views.format import json_number
from mlwidgets.views.thumbnail import thumbnail
from mlwidgets.views.tracks import size_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlwidgets.runs.run import Run

BUDGET = 1_000_000
"""Bytes of all that a live view holds, about: half for pictures and tables, half for the others."""
BYTES_PER_SECOND = 400_000
"""What following views send at most, on average."""
MOST_STEPS = 200
MOST_CLASSES = 40
MOST_ROWS = 100
FEWEST_ROWS = 10
MOST_COLUMNS = 40
LONGEST_CELL = 200
LARGEST_IMAGE = 300_000
"""Bytes of a file that is shown as it is where there is no preview."""
LARGEST_THUMBNAIL = 60_000
"""Characters of what is shown of a larger one."""
_MIME = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "svg": "image/svg+xml",
}
_KINDS = {Histogram: "histograms", Image: "images", ConfusionMatrix: "matrices", Table: "tables"}
_PICTURES = frozenset({"images", "tables"})


def media(run: Run, budget: int = BUDGET) -> dict[str, Any]:
    """Return what a view shows, fit for JSON: see `MediaFeed.read`."""
    return MediaFeed(run).read(budget)


@dataclass
class _Track:
    """All that was logged under one name: groups of what one call logged, thinned out evenly as they get many."""

    name: str
    logged: int = 0
    stride: int = 1
    kept: list[tuple[int, list[Any]]] = field(default_factory=list)

    def add(self, record: Logged) -> None:
        if isinstance(record, Image) and record.index and self.kept:
            if self.kept[-1][0] == self.logged - 1:
                self.kept[-1][1].append(record)
            return
        # Of those that the stride leaves out only the latest is kept.
        if self.kept and self.kept[-1][0] % self.stride:
            self.kept.pop()
        self.kept.append((self.logged, [record]))
        self.logged += 1
        if len(self.kept) > MOST_STEPS:
            self.stride *= 2
            self.kept = [one for one in self.kept[:-1] if one[0] % self.stride == 0] + self.kept[-1:]


class _Choice:
    """Which steps of a track a view shows."""

    def __init__(self, kind: str, track: _Track) -> None:
        self.kind, self.track = kind, track
        self.groups = [group for _, group in track.kept]
        self.order = _spread(len(self.groups))
        self.grid = grid([group[0] for group in self.groups]) if kind == "histograms" else {}
        self.steps: dict[int, dict[str, Any]] = {}

    def entry(self) -> dict[str, Any]:
        steps = [self.steps[place] for place in sorted(self.steps)]
        return {"name": self.track.name, "logged": self.track.logged, **self.grid, "steps": steps}


class MediaFeed:
    """Follows the media of one run; each reading takes only what is new from the disk."""

    def __init__(self, run: Run) -> None:
        self._folder = RunFolder(run.path)
        self._offset = 0
        self._sign = superseded_sign(self._folder.media)
        self._tracks: dict[tuple[str, str], _Track] = {}
        self._files: dict[Any, Any] = {}
        self._due = 0.0
        self.shown: dict[str, Any] | None = None
        """What `changes` returned last."""

    def changes(self, *, last: bool = False) -> dict[str, Any] | None:
        """Return all that a view shows if there is something new, else None; the more there is the more seldom.

        Parameters
        ----------
        last
            Whether nobody will ask again, as the run has ended: whatever is new is returned now.
        """
        now = time.monotonic()
        try:
            size = self._folder.media.stat().st_size
        except OSError:
            return None
        same = size == self._offset and superseded_sign(self._folder.media) == self._sign
        if same or (now < self._due and not last):
            return None
        self.shown = self.read()
        self._due = now + _weight(self.shown) / BYTES_PER_SECOND
        return self.shown

    def read(self, budget: int = BUDGET) -> dict[str, Any]:
        """Return the tracks of each kind: ``histograms``, ``images``, ``matrices``, ``tables``.

        Each has a name, how many were ``logged`` and those ``steps`` that fit into `budget` bytes: the latest, the
        first, and ever finer between them. Of images and tables the latest is always there, if need be smaller,
        without its pixels, or with its first rows alone. ``hidden`` counts the names that are left out.
        """
        self._begin_anew_if_cut()
        records, self._offset = read_media(self._folder.media, self._folder.media_files, self._offset)
        for record in records:
            kind = _KINDS[type(record)]
            self._tracks.setdefault((kind, record.name), _Track(record.name)).add(record)
        chosen = [_Choice(kind, track) for (kind, _), track in self._tracks.items()]
        files, self._files = self._files, {}
        rest = {"pictures": budget // 2 - self._latest_pictures(chosen, budget // 2, files), "figures": budget // 2}
        for rank in range(max((len(choice.order) for choice in chosen), default=0)):
            for choice in chosen:
                pool = "pictures" if choice.kind in _PICTURES else "figures"
                if rank >= len(choice.order) or choice.order[rank] in choice.steps or rest[pool] <= 0:
                    continue
                step = self._step(choice, choice.groups[choice.order[rank]], files)
                rest[pool] -= _weight(step)
                if rest[pool] >= 0:
                    choice.steps[choice.order[rank]] = step
        shown: dict[str, Any] = {kind: [] for kind in _KINDS.values()}
        for choice in chosen:
            if choice.steps:
                shown[choice.kind].append(choice.entry())
        return {**shown, "hidden": sum(not choice.steps for choice in chosen)}

    def _begin_anew_if_cut(self) -> None:
        """Forget what was read of a file whose end was taken out, as the code goes on from a checkpoint."""
        sign = superseded_sign(self._folder.media)
        if sign != self._sign or size_of(self._folder.media) < self._offset:
            self._sign, self._offset = sign, 0
            self._tracks.clear()

    def _latest_pictures(self, chosen: list[_Choice], room: int, files: dict[Any, Any]) -> int:
        """Choose the latest of each name, shortened to its fair share of the room; return what they weigh."""
        latest = [(choice, choice.groups[-1]) for choice in chosen if choice.kind in _PICTURES]
        steps = [(self._step(choice, group, files), choice, group) for choice, group in latest]
        taken = 0
        # The light ones come first: what they need not of their share is for the others.
        for place, (step, choice, group) in enumerate(sorted(steps, key=lambda one: _weight(one[0]))):
            share = max(0, room - taken) // (len(steps) - place)
            if _weight(step) > share:
                self._shorten(step, group, share, files)
            taken += _weight(step)
            choice.steps[choice.order[0]] = step
        return taken

    def _step(self, choice: _Choice, group: list[Any], files: dict[Any, Any]) -> dict[str, Any]:
        first = group[0]
        step: dict[str, Any] = {"step": first.step, "time": first.time}
        if choice.kind == "histograms":
            return step | _histogram(first, choice.grid)
        if choice.kind == "matrices":
            return step | _matrix(first)
        if choice.kind == "images":
            return step | {"images": [self._image(image, files) for image in group]}
        if first.path not in files:
            files[first.path] = _table(first)
        self._files[first.path] = files[first.path]
        return {**step, **files[first.path], "file": self._relative(first.path)}

    def _image(self, image: Image, files: dict[Any, Any]) -> dict[str, Any]:
        path = image.preview or image.path
        if path not in files or files[path] is None:
            files[path] = _data_url(path) or thumbnail(path, LARGEST_THUMBNAIL)
        self._files[path] = files[path]
        return {
            "src": files[path],
            "caption": image.caption and image.caption[:LONGEST_CELL],
            "width": image.width,
            "height": image.height,
            "bytes": image.bytes,
            "file": self._relative(image.path),
        }

    def _shorten(self, step: dict[str, Any], group: list[Any], room: int, files: dict[Any, Any]) -> None:
        """Leave the images that fit, the others smaller or only what is said of them; of a table the first rows."""
        if "rows" in step:
            step["rows"] = step["rows"][:FEWEST_ROWS]
        shown = step.get("images", [])
        for place, image in enumerate(shown):
            share = max(0, room) // (len(shown) - place)
            if _weight(image) > share and image["src"] is not None:
                path = group[place].preview or group[place].path
                limit = share - (_weight(image) - len(image["src"]))
                key = (path, limit)
                image["src"] = files[key] if key in files else thumbnail(path, limit)
                self._files[key] = image["src"]
            room -= _weight(image)

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._folder.path))


def _spread(count: int) -> list[int]:
    """Return the numbers below `count` in the order in which they show most: last, first, middle and so on."""
    order = [count - 1, 0][:count]
    gaps = [(0, count - 1)]
    while gaps:
        halves = []
        for low, high in gaps:
            if high - low > 1:
                middle = (low + high) // 2
                order.append(middle)
                halves += [(low, middle), (middle, high)]
        gaps = halves
    return order


def _weight(value: Any) -> int:
    """Return about how many bytes a value takes as JSON."""
    if isinstance(value, dict):
        return sum(len(name) + 4 + _weight(part) for name, part in value.items())
    if isinstance(value, list):
        return 2 + sum(map(_weight, value)) + len(value)
    return len(value) + 2 if isinstance(value, str) else len(str(value))


def _brief(value: float | None) -> float | str | None:
    return json_number(float(f"{value:.6g}") if value is not None and math.isfinite(value) else value)


def _histogram(record: Histogram, bins: dict[str, int]) -> dict[str, Any]:
    below, counts, above = rebin(record, **bins)
    filled = [place for place, count in enumerate(counts) if count] or [0]
    return {
        "n": record.n,
        "nan": record.nan,
        "inf": record.inf,
        "neginf": record.neginf,
        "min": _brief(record.min),
        "max": _brief(record.max),
        "mean": _brief(record.mean),
        "std": _brief(record.std),
        "below": below,
        "above": above,
        "start": filled[0],
        "counts": counts[filled[0] : filled[-1] + 1],
    }


def _matrix(record: ConfusionMatrix) -> dict[str, Any]:
    import numpy as np

    counts, classes = record.counts, [name[:LONGEST_CELL] for name in record.classes]
    rows, columns, right = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, precision = right / rows, right / columns
    keep = np.arange(len(counts))
    grouped = 0
    if len(counts) > MOST_CLASSES:
        # Those that are confused most, in their order; the others as one.
        errors = rows + columns - 2 * right
        keep = np.sort(np.argsort(-errors, kind="stable")[: MOST_CLASSES - 1])
        grouped = len(counts) - len(keep)
        group = np.full(len(counts), len(keep))
        group[keep] = np.arange(len(keep))
        smaller = np.zeros((len(keep) + 1, len(keep) + 1), counts.dtype)
        np.add.at(smaller, (group[:, None], group[None, :]), counts)
        counts = smaller
    total = counts.sum()
    return {
        "classes": [classes[i] for i in keep] + ([f"{grouped} others"] if grouped else []),
        "grouped": grouped,
        "counts": [[_plain(n) for n in row] for row in counts.tolist()],
        "recall": _shares(recall[keep], grouped),
        "precision": _shares(precision[keep], grouped),
        "accuracy": float(f"{right.sum() / total:.5g}") if total else None,
        "total": _plain(total.item()),
    }


def _shares(values: Any, grouped: int) -> list[float | None]:
    """Return shares, None where there is nothing to share and for classes that are shown as one."""
    return [None if math.isnan(v) else float(f"{v:.5g}") for v in values.tolist()] + [None] * bool(grouped)


def _plain(number: float) -> float:
    return float(f"{number:.6g}") if isinstance(number, float) else number


def _table(record: Table) -> dict[str, Any]:
    columns = record.columns[:MOST_COLUMNS]
    return {
        "columns": [name[:LONGEST_CELL] for name in columns],
        "moreColumns": len(record.columns) - len(columns),
        "rows": [[_cell(row.get(name)) for name in columns] for row in record.head(MOST_ROWS)],
        "total": record.rows,
    }


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return json_number(value)
    if isinstance(value, int):
        return value if abs(value) <= 1 << 53 else str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _data_url(path: Path) -> str | None:
    """Return an image as a page can show it; None if it is gone or too large for that."""
    try:
        if path.stat().st_size > LARGEST_IMAGE:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    mime = _MIME.get(path.suffix[1:])
    return mime and f"data:{mime};base64,{base64.b64encode(data).decode()}"
