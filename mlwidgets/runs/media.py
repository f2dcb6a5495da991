"""What a run logged beyond numbers: histograms, images, confusion matrices and tables, read from its folder.

A line of ``media.jsonl`` has a kind, a name, a step, the time and what its kind needs; images and tables are files
below ``media/``, whole before their line is written. Lines that are torn, damaged or of a kind that is not known are
passed over.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.journal import parse_line

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_FILE = re.compile(r"[0-9a-f]{8,64}\.[a-z]{2,5}")


@dataclass(frozen=True)
class Logged:
    """What all kinds share: under which name, at which step and when (Unix seconds) it was logged."""

    name: str
    step: int
    time: float


@dataclass(frozen=True)
class Histogram(Logged):
    """How values were distributed.

    Attributes
    ----------
    n
        How many finite values there were.
    nan, inf, neginf
        How many others.
    min, max, mean, std
        Of the finite values; None if there were none.
    exponent, first
        Bin i is ``2**exponent`` wide and begins at ``(first + i) * 2**exponent``.
    counts : int64
        Finite values in each bin.
    below, above
        Finite values that lie outside of all bins.
    """

    n: int
    nan: int
    inf: int
    neginf: int
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    exponent: int
    first: int
    counts: NDArray[np.int64]
    below: int
    above: int

    @property
    def edges(self) -> NDArray[np.float64]:
        """The edges of the bins: one more than there are bins."""
        import numpy as np

        return np.ldexp(np.arange(self.first, self.first + len(self.counts) + 1, dtype=np.float64), self.exponent)


@dataclass(frozen=True)
class Image(Logged):
    """An image. ``index`` counts the images of one call; width and height are None where they are not known."""

    index: int
    path: Path
    preview: Path | None
    caption: str | None
    width: int | None
    height: int | None
    bytes: int


@dataclass(frozen=True)
class ConfusionMatrix(Logged):
    """True classes in rows, predicted ones in columns; ``classes`` are their names."""

    classes: list[str]
    counts: NDArray[Any]


@dataclass(frozen=True)
class Table(Logged):
    """A table; its rows are read from `path` when they are asked for."""

    path: Path
    columns: list[str]
    rows: int

    def head(self, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the first `limit` rows, or all."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                for line in islice(file, limit):
                    try:
                        row = json.loads(line)
                    except (ValueError, RecursionError):
                        continue
                    if isinstance(row, dict):
                        yield row
        except OSError:
            return

    @property
    def frame(self) -> pd.DataFrame:
        """The whole table."""
        import pandas as pd

        return pd.DataFrame.from_records(list(self.head()), columns=self.columns)


def read_media(path: Path, files: Path, offset: int = 0) -> tuple[list[Logged], int]:
    """Return what was logged, in order, and the offset of the first byte that was not read.

    Parameters
    ----------
    path, files
        ``media.jsonl`` and the folder with the files that it names.
    offset
        Where an earlier reading ended: only what came after it is returned.
    """
    try:
        with open(path, "rb") as file:
            # A shorter file than before is another one.
            file.seek(offset if offset <= os.fstat(file.fileno()).st_size else 0)
            start = file.tell()
            data = file.read()
    except OSError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    found: list[Logged] = []
    for line in whole.split(b"\n"):
        entry = parse_line(line)
        reader = _READERS.get(entry["event"]) if entry else None
        if entry is None or reader is None:
            continue
        try:
            found += list(reader(_Fields(entry, files)))
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
            continue
    return found, start + len(whole)


class _Fields:
    """The fields of a line, each checked when it is taken: the file may have been written by anyone."""

    def __init__(self, entry: dict[str, Any], files: Path) -> None:
        self.entry, self.files = entry, files
        self.common = (self.text("name"), self.whole("step"), float(entry["time"]))

    def text(self, name: str) -> str:
        value = self.entry[name]
        if not isinstance(value, str):
            raise TypeError(name)
        return value

    def whole(self, name: str, default: int | None = None) -> int:
        return _whole(self.entry.get(name, default))

    def number(self, name: str) -> float | None:
        value = self.entry.get(name)
        return None if value is None else float(value)

    def file(self, value: Any) -> Path:
        if not isinstance(value, str) or not _FILE.fullmatch(value):
            raise ValueError("no name of a file")
        return self.files / value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 63:
        raise TypeError("no int of 64 bits")
    return value


def _histogram(fields: _Fields) -> Iterator[Histogram]:
    import numpy as np

    counts = np.array(fields.entry.get("counts", []) or np.empty(0, np.int64))
    exponent, first = fields.whole("exponent", 0), fields.whole("first", 0)
    if (
        counts.dtype != np.int64
        or counts.ndim != 1
        or (len(counts) and counts.min() < 0)
        or len(counts) > 1 << 16
        or not -1100 < exponent < 1100
    ):
        raise ValueError("no counts")
    yield Histogram(
        *fields.common,
        n=fields.whole("n"),
        nan=fields.whole("nan", 0),
        inf=fields.whole("inf", 0),
        neginf=fields.whole("-inf", 0),
        min=fields.number("min"),
        max=fields.number("max"),
        mean=fields.number("mean"),
        std=fields.number("std"),
        exponent=exponent,
        first=first,
        counts=counts,
        below=fields.whole("below", 0),
        above=fields.whole("above", 0),
    )


def _images(fields: _Fields) -> Iterator[Image]:
    for index, item in enumerate(fields.entry["images"]):
        preview = fields.file(item["preview"]) if "preview" in item else None
        caption = item["caption"] if isinstance(item.get("caption"), str) else None
        sides = (_side(item.get("width")), _side(item.get("height")))
        yield Image(*fields.common, index, fields.file(item["file"]), preview, caption, *sides, _whole(item["bytes"]))


def _side(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 < value < 1 << 24 else None


def _confusion_matrix(fields: _Fields) -> Iterator[ConfusionMatrix]:
    import numpy as np

    size = fields.whole("size")
    names = fields.entry.get("classes")
    rows, columns, values = (np.array(part) for part in fields.entry["cells"])
    if not 0 <= size <= 2000 or (names is not None and len(names) != size):
        raise ValueError("no matrix")
    kind = values.dtype.kind if len(values) else "i"
    if kind not in "if" or not all(isinstance(place, int) for place in (*rows.tolist(), *columns.tolist())):
        raise TypeError("no counts")
    if len(rows) and min(rows.min(), columns.min(), values.min()) < 0:
        raise ValueError("no counts")
    counts = np.zeros((size, size), np.float64 if kind == "f" else np.int64)
    if len(rows):
        counts[rows, columns] = values
    if not math.isfinite(float(counts.sum())):
        raise ValueError("no counts")
    yield ConfusionMatrix(*fields.common, [str(n) for n in names or range(size)], counts)


def _table(fields: _Fields) -> Iterator[Table]:
    columns = fields.entry["columns"]
    if not isinstance(columns, list):
        raise TypeError("no columns")
    yield Table(*fields.common, fields.file(fields.entry["file"]), [str(c) for c in columns], fields.whole("rows"))


_READERS: dict[str, Callable[[_Fields], Iterator[Logged]]] = {
    "histogram": _histogram,
    "image": _images,
    "confusion_matrix": _confusion_matrix,
    "table": _table,
}
