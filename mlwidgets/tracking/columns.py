"""Columns as a check reads them: of pandas and other tables, arrays and lists; none of these is imported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 the moment from which times without a zone are counted
_MICROSECOND = timedelta(microseconds=1)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)?\s*(us|ms|s|sec|m|min|h|d|w)")
_UNITS = {
    "us": 1,
    "ms": 1000,
    "s": 10**6,
    "min": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86400 * 10**6,
    "w": 604800 * 10**6,
}
_ALIASES = {"m": "min", "sec": "s"}
_KINDS = {
    **dict.fromkeys(("int", "uint"), "int"),
    **dict.fromkeys(("float", "double", "half", "decimal", "bfloat"), "float"),
    "bool": "bool",
    **dict.fromkeys(("str", "utf8", "large_str", "<u"), "str"),
    **dict.fromkeys(("datetime", "timestamp"), "datetime"),
    "date": "date",
    **dict.fromkeys(("timedelta", "duration"), "timedelta"),
    **dict.fromkeys(("categor", "enum", "dictionary"), "category"),
}
"""How the text of a type begins, in pandas, numpy, torch, polars and Arrow, and what it is."""


def is_frame(data: Any) -> bool:
    """Whether something has columns: a table of any library, a dict."""
    return isinstance(data, Mapping) or (hasattr(data, "columns") and not isinstance(data, type))


def columns_of(frame: Any, caller: str) -> list[tuple[str, Any]]:
    """Return the names and columns of a table or a dict of columns.

    Raises
    ------
    TypeError
        If it is none.
    """
    if not is_frame(frame):
        raise TypeError(f"{caller}: give a DataFrame or a dict of columns, not {_what(frame)}")
    if callable(getattr(frame, "items", None)):
        return [(str(name), column) for name, column in frame.items()]
    # Arrow calls the columns themselves so.
    names = getattr(frame, "column_names", frame.columns)
    return [(str(name), frame[name]) for name in names]


def values_of(column: Any, caller: str) -> tuple[Any, int]:
    """Return the values of a column that are not missing, and how many are.

    None, NaN, NaT and the NA of pandas are missing. The values come as a pandas object where the column is one, else
    as a numpy array.

    Raises
    ------
    TypeError
        If it is not one column.
    """
    if is_frame(column) or isinstance(column, str | bytes) or getattr(column, "ndim", 1) != 1:
        raise TypeError(f"{caller}: give one column, such as df['age'], not {_what(column)}")
    if callable(getattr(column, "isna", None)) and callable(getattr(column, "to_numpy", None)):
        lost = column.isna()
        return column[~lost], int(lost.sum())
    return _array_of(column, caller)


def _array_of(column: Any, caller: str) -> tuple[NDArray[Any], int]:
    import numpy as np

    if isinstance(column, np.ndarray) and column.dtype.kind != "O":
        kept = column[column == column]  # noqa: PLR0124 what is missing is not even equal to itself
        return kept, column.size - kept.size
    for name in ("to_pylist", "to_list", "tolist"):
        if callable(getattr(column, name, None)):
            column = getattr(column, name)()
            break
    if not isinstance(column, Iterable):
        raise TypeError(f"{caller}: give one column, such as df['age'], not {_what(column)}")
    values = list(column)
    present = [value for value in values if not _is_missing(value)]
    array: NDArray[Any] = np.empty(len(present), dtype=object)
    array[:] = present
    return array, len(values) - len(present)


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124 NaN and NaT alone are not equal to themselves
    except (TypeError, ValueError):
        # The NA of pandas knows no truth; an array has many.
        return not hasattr(value, "shape")


def _what(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ + (f" of shape {tuple(shape)}" if shape is not None else f" {value!r:.40}")


def type_of(column: Any, caller: str) -> tuple[str, str]:
    """Return what a column holds, by its kind (int, float, bool, str, datetime, …) and as its library calls it."""
    own = str(getattr(column, "dtype", getattr(column, "type", "object")))
    plain = own.lower().removeprefix("torch.").removeprefix("large_")
    if plain == "object":
        kinds = {type(value).__name__ for value in values_of(column, caller)[0]}
        found = "float" if kinds == {"int", "float"} else "empty" if not kinds else " and ".join(sorted(kinds))
        return found, found
    return next((kind for begin, kind in _KINDS.items() if plain.startswith(begin)), plain), own


def times_of(values: Any) -> tuple[NDArray[np.int64], bool]:
    """Return times as microseconds since 1970, and whether these are of UTC; else they are of no zone.

    Raises
    ------
    ValueError
        If a value is no time: neither a datetime, a date, a text of ISO 8601 nor Unix seconds.
    """
    import numpy as np

    kind = getattr(values.dtype, "kind", "O")
    if kind == "M":
        array = np.asarray(values.to_numpy("datetime64[us]") if hasattr(values, "to_numpy") else values)
        return array.astype("datetime64[us]").astype(np.int64), getattr(values.dtype, "tz", None) is not None
    times = [_time_of(value) for value in values.tolist()]
    zones = {zoned for _, zoned in times}
    if len(zones) > 1:
        raise ValueError("some times have a zone and some have none")
    return np.array([time for time, _ in times], dtype=np.int64), zones == {True}


def _time_of(value: Any) -> tuple[int, bool]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value * 10**6), True
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001
    if not isinstance(moment, datetime):
        raise ValueError(f"{value!r:.40} is no time")
    zoned = moment.utcoffset() is not None
    if zoned:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return (moment - _EPOCH) // _MICROSECOND, zoned


def now(*, zoned: bool) -> int:
    """Return the present as `times_of` has it."""
    present = datetime.now(UTC).replace(tzinfo=None) if zoned else datetime.now()  # noqa: DTZ005
    return (present - _EPOCH) // _MICROSECOND


def moment_text(microseconds: int) -> str:
    """Return a time as people write it."""
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat(sep=" ", timespec="auto")


def span_of(given: Any, caller: str) -> int:
    """Read a span of time, such as ``"1h"``, a `timedelta` or seconds; return microseconds.

    Raises
    ------
    TypeError
        If it is none.
    """
    if isinstance(given, timedelta):
        return given // _MICROSECOND
    if isinstance(given, int | float) and not isinstance(given, bool) and abs(given) < 2**53:
        return round(given * 10**6)
    match = _SPAN.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None:
        raise TypeError(f"{caller}: {given!r:.40} is no span of time; write it as '30s', '5min', '1h', '1d' or '1w'")
    return round(float(match[1] or 1) * _UNITS[_ALIASES.get(match[2], match[2])])


def span_text(microseconds: int) -> str:
    """Return a span of time in the largest unit that it fills."""
    unit, size = max(((u, s) for u, s in _UNITS.items() if s <= max(abs(microseconds), 1)), key=lambda one: one[1])
    return f"{microseconds / size:.3g} {unit}"
