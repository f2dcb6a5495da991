"""A matrix of parameters is read from CSV and JSON, and what is none says so in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlwidgets.errors import ScheduleError
from mlwidgets.schedules.matrix import read_matrix


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("region,year\nEU,2026\nUS,\n", [{"region": "EU", "year": "2026"}, {"region": "US", "year": ""}]),
        ('\ufeffregion\r\n"a, ""b"""\r\n\r\n', [{"region": 'a, "b"'}]),
        ('[{"region": "EU", "rows": 3, "all": true}, {"rate": 0.5}]', None),
    ],
)
def test_rows_are_elements(tmp_path: Path, text: str, expected: list[dict[str, str]] | None) -> None:
    (tmp_path / "m").write_text(text, encoding="utf-8", newline="")
    wanted = expected or [{"region": "EU", "rows": "3", "all": "True"}, {"rate": "0.5"}]
    assert list(read_matrix(tmp_path / "m")) == wanted


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "has no rows"),
        (b",b\n1,2\n", "the first line"),
        (b"region\n", "has no rows"),
        (b"[]", "has no rows"),
        (b"region,region\na,b\n", "each by its own name"),
        (b"region,year\nEU\n", "1 values for 2 names: 'EU'"),
        (b'region\n"EU\n', "is no CSV"),
        (b"[{", "is no JSON"),
        (b'{"region": ["EU"]}', "is no list of objects"),
        (b'[{"region": ["EU"]}]', "gives 'region' a value that is no text"),
        (b"\xff\xfe", "is no text in UTF-8"),
    ],
)
def test_what_is_no_matrix_says_why(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(ScheduleError) as raised:
        read_matrix(tmp_path / "m")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match="cannot be read: No such file"):
        read_matrix(tmp_path / "m")
