"""Tables and texts that a command gives to a program: to standard output, or to a file that is there whole or not."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from mlwidgets.errors import ParameterError, StoreError
from mlwidgets.views.format import json_number

AT_ONCE = 50_000
"""Rows that become Python objects at a time."""


@dataclass(frozen=True)
class Table:
    """Columns of one length by their names: lists, or numpy arrays."""

    columns: Mapping[str, Any]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows as plain Python values."""
        columns = list(self.columns.values())
        for start in range(0, len(columns[0]), AT_ONCE):
            yield from zip(*(_plain(column[start : start + AT_ONCE]) for column in columns), strict=True)


def _plain(part: Any) -> Sequence[Any]:
    values: Sequence[Any] = part if isinstance(part, list) else part.tolist()
    return values


def write(table: Table, form: str, output: Path | None) -> int:
    """Write a table as ``csv``, ``json`` (one object a line) or ``parquet``; return the exit status.

    Floats are written with as many digits as it takes to read the same number back. What is not finite is ``nan``,
    ``inf`` and ``-inf`` in CSV, the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` in JSON, which has no such
    numbers, and itself in Parquet. What there is none of is empty in CSV and null in the others.

    Raises
    ------
    ParameterError
        If it cannot be had in this form.
    StoreError
        If the file cannot be written; what was there before is there still.
    """
    write_parquet = _parquet(table, output) if form == "parquet" else None
    with _opened(output) as file:
        if write_parquet is not None:
            write_parquet(file)
            return 0
        with _text_over(file) as text:
            if form == "csv":
                writer = csv.writer(text, lineterminator="\n")
                writer.writerow(table.columns)
                writer.writerows(table.rows())
            else:
                names = list(table.columns)
                text.writelines(
                    f"{json.dumps({name: _value(one) for name, one in zip(names, row, strict=True)})}\n"
                    for row in table.rows()
                )
    return 0


def write_text(text: str, output: Path | None) -> int:
    """Write a text; return the exit status.

    Raises
    ------
    StoreError
        If the file cannot be written; what was there before is there still.
    """
    with _opened(output) as file, _text_over(file) as over:
        over.write(text)
    return 0


def write_bytes(data: bytes, output: Path | None) -> int:
    """Write bytes as they are; return the exit status.

    Raises
    ------
    StoreError
        If the file cannot be written; what was there before is there still.
    """
    with _opened(output) as file:
        file.write(data)
    return 0


def write_object(data: Any, output: Path | None) -> int:
    """Write one JSON object; return the exit status.

    Raises
    ------
    StoreError
        If the file cannot be written; what was there before is there still.
    """
    return write_text(f"{json.dumps(_value(data), indent=2)}\n", output)


def _value(value: Any) -> Any:
    """Return what JSON has for a value, its text where it has none."""
    if isinstance(value, float):
        return json_number(value)
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, dict):
        return {str(key): _value(one) for key, one in value.items()}
    return [_value(one) for one in value] if isinstance(value, list | tuple) else str(value)


def _parquet(table: Table, output: Path | None) -> Callable[[IO[bytes]], None]:
    """Return what writes the table: all that can be wrong with it is found before a file is touched."""
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise ParameterError("--parquet needs pyarrow: pip install pyarrow; --csv and --json need nothing") from None
    if output is None and sys.stdout.isatty():
        raise ParameterError("Parquet is nothing for a terminal: name a file with -o FILE")
    columns = arrow.table({name: _column(arrow, column) for name, column in table.columns.items()})
    return lambda file: parquet.write_table(columns, file)


def _column(arrow: Any, column: Any) -> Any:
    """Return a column as Arrow has it: NaN stays NaN, what it has no type for is text, as is what has no rows."""
    if not len(column) and str(getattr(column, "dtype", "object")) == "object":
        return arrow.array([], arrow.string())
    try:
        return arrow.array(column, from_pandas=False)
    except (arrow.ArrowException, OverflowError, UnicodeError):
        # Whole numbers of more than 64 bits; half a character, which no encoding has.
        texts = [None if one is None else str(one).encode("utf-8", "backslashreplace") for one in _plain(column)]
        return arrow.array(texts, arrow.string())


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    """Give the file to write to, or standard output; a new file takes its place when all is in it."""
    if output is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        path = Path(os.path.realpath(output))
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            if path.is_dir():
                raise ParameterError(f"{output} is a directory: name a file in it")
            with open(path, "wb") as file:
                yield file
            return
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{output} could not be written: {error.strerror or error}") from error


@contextlib.contextmanager
def _text_over(file: IO[bytes]) -> Iterator[IO[str]]:
    """Give a file for text; half a character, which no encoding has, is written as its number."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    try:
        yield text
    finally:
        text.flush()
        text.detach()
