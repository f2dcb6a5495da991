"""`log_table`: rows and columns, whole on the disk as one JSON object for each row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from mlwidgets.tracking.media import new_name, open_media


def log_table(name: str, data: Any, *, columns: Sequence[str] | None = None, step: int | None = None) -> None:
    """Record a table.

    ``log_table("errors", frame, step=epoch)``. Outside a run it does nothing and says so once.

    Parameters
    ----------
    name
        Tables of one name are shown with a slider over their steps.
    data
        A pandas DataFrame (with its index, if that has a name), a list of dicts, a dict of columns, or a list of rows
        with `columns`. Numbers, bools, texts and None are kept as such, anything else as its text.
    columns
        Which columns, in which order; for a list of rows what they are called.
    step
        Where none is given each name counts by itself, from 0 or from its last step.

    Raises
    ------
    TypeError, ValueError
        If it is no table; the message says why.
    """
    media, step = open_media("log_table", name, step)
    if media is None:
        return
    names, rows = _rows(name, data, columns)
    file = new_name("jsonl")
    fields: dict[str, Any] = {"file": file, "columns": names, "rows": len(rows)}

    def write(stream: BinaryIO) -> None:
        for row in rows:
            record = dict(zip(names, map(_cell, row), strict=True))
            stream.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    media.append("table", name, step, fields, {file: write})


def _rows(name: str, data: Any, columns: Sequence[str] | None) -> tuple[list[str], list[Sequence[Any]]]:
    """Return the names of the columns and the rows, each with one value for each name."""
    if callable(getattr(data, "to_pandas", None)) and not hasattr(data, "itertuples"):
        data = data.to_pandas()  # polars, pyarrow, datasets
    if hasattr(data, "itertuples") and hasattr(data, "columns"):
        index = [str(n) for n in getattr(data.index, "names", ()) if n is not None and n not in data.columns]
        found = {n: data.index.get_level_values(n).tolist() for n in index}
        for place, column in enumerate(data.columns):
            found[_unused(str(column), found)] = data.iloc[:, place].tolist()
        return _by_columns(name, found, columns)
    if isinstance(data, Mapping):
        return _by_columns(name, {str(n): _listed(name, n, values) for n, values in data.items()}, columns)
    if callable(getattr(data, "tolist", None)):
        data = data.tolist()
    if not isinstance(data, list | tuple):
        raise TypeError(
            f"log_table: {name!r} must be a DataFrame, a list of dicts, a dict of columns or a list of rows, "
            f"not {type(data).__name__}"
        )
    if all(isinstance(row, Mapping) for row in data):
        names = [str(n) for n in columns or dict.fromkeys(n for row in data for n in row)]
        return names, [[row.get(n) for n in names] for row in ({str(n): v for n, v in r.items()} for r in data)]
    if columns is None or not all(isinstance(row, list | tuple) and len(row) == len(columns) for row in data):
        raise ValueError(f"log_table: the rows of {name!r} need columns=, with a name for each of their values")
    unique: dict[str, None] = {}
    for column in columns:
        unique[_unused(str(column), unique)] = None
    return list(unique), list(data)


def _by_columns(
    name: str, found: dict[str, list[Any]], columns: Sequence[str] | None
) -> tuple[list[str], list[Sequence[Any]]]:
    names = list(found) if columns is None else [str(n) for n in columns]
    if missing := [n for n in names if n not in found]:
        raise ValueError(f"log_table: {name!r} has no column {missing[0]!r:.60}")
    if len({len(found[n]) for n in names}) > 1:
        lengths = ", ".join(f"{n}: {len(found[n])}" for n in names)
        raise ValueError(f"log_table: the columns of {name!r} have different lengths ({lengths:.200})")
    return names, list(zip(*(found[n] for n in names), strict=True))


def _listed(name: str, column: Any, values: Any) -> list[Any]:
    if callable(getattr(values, "tolist", None)):
        values = values.tolist()
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise TypeError(
            f"log_table: column {str(column)!r:.60} of {name!r} must be a list, not {type(values).__name__}"
        )
    return list(values)


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """Return a column's name, with a number if another has it already."""
    free, number = name, 1
    while free in taken:
        free, number = f"{name}.{number}", number + 1
    return free


def _cell(value: Any) -> Any:
    """Return a value as JSON can carry it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        inner = item()
        return inner if isinstance(inner, bool | int | float | str) else str(inner)
    return str(value)
