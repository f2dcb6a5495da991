"""A matrix of parameters as a file has it: JSON, a list of objects; or CSV, whose first line has the names."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from mlwidgets.errors import ScheduleError

_LARGEST = 10_000_000


def read_matrix(path: Path) -> tuple[dict[str, str], ...]:
    """Return the parameters of each run, as texts.

    Raises
    ------
    ScheduleError
        If the file cannot be read, or is no matrix.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ScheduleError(f"the matrix {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ScheduleError(f"the matrix {path} is no text in UTF-8: save it as such") from error
    if len(data) > _LARGEST:
        raise ScheduleError(f"the matrix {path} is larger than {_LARGEST / 1e6:.0f} MB: it is read as a whole")
    # A line of names in CSV begins with neither.
    rows = _from_json(path, text) if text.lstrip()[:1] in {"[", "{"} else _from_csv(path, text)
    if not rows:
        raise ScheduleError(f"the matrix {path} has no rows: give one for each run")
    return tuple(rows)


def _from_json(path: Path, text: str) -> list[dict[str, str]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScheduleError(f"the matrix {path} is no JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ScheduleError(f'the matrix {path} is no list of objects: write [{{"region": "EU"}}, …]')
    return [{name: _text(path, name, value) for name, value in row.items()} for row in rows]


def _text(path: Path, name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict) or (isinstance(value, float) and not math.isfinite(value)):
        raise ScheduleError(
            f"the matrix {path} gives {name!r:.60} a value that is no text, number, true, false or null"
        )
    return repr(value)


def _from_csv(path: Path, text: str) -> list[dict[str, str]]:
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise ScheduleError(f"the matrix {path} is no CSV: {error}") from error
    names = [name.strip() for name in lines[0]] if lines else []
    if not all(names) or len(set(names)) != len(names):
        raise ScheduleError(f"the first line of the matrix {path} is to name each column, and each by its own name")
    for line in lines[1:]:
        if len(line) != len(names):
            raise ScheduleError(
                f"a row of the matrix {path} has {len(line)} values for {len(names)} names: {','.join(line)!r:.60}"
            )
    return [dict(zip(names, line, strict=True)) for line in lines[1:]]
