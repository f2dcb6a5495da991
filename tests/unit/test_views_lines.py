from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mlwidgets.views.lines import EVERY, LONGEST, LineIndex


def write(path: Path, text: str) -> LineIndex:
    path.write_bytes(text.encode())
    index = LineIndex(path)
    index.advance(path.stat().st_size)
    return index


def test_any_lines_of_a_million_are_read(tmp_path: Path) -> None:
    index = write(tmp_path / "log", "".join(f"line {i}\n" for i in range(1_000_000)))
    assert index.lines == 1_000_000
    assert index.read(777_777, 2) == ["line 777777", "line 777778"]
    assert index.read(999_999, 5) == ["line 999999"]
    assert index.read(2_000_000, 5) == []
    assert index.find("LINE 99999") == ([99999, *range(999_990, 1_000_000)], False)
    assert index.find("line")[1]


@given(st.lists(st.integers(0, 3 * EVERY), max_size=6))
def test_an_index_that_grows_knows_what_one_made_at_once_knows(tmp_path_factory: object, sizes: list[int]) -> None:
    path = tmp_path_factory.mktemp("lines") / "log"  # type: ignore[attr-defined]
    path.touch()
    grown, count = LineIndex(path), 0
    for size in sizes:
        with path.open("a") as file:
            file.writelines(f"{i}\n" for i in range(count, count + size))
        count += size
        grown.advance(path.stat().st_size)
    assert grown.lines == count
    for number in {0, EVERY - 1, EVERY, count // 2, count - 1} & set(range(count)):
        assert grown.read(number, 1) == [str(number)]


def test_an_index_begins_where_the_output_was_cleared(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\nnew\nmore")
    index = LineIndex(path, 4)
    index.advance(12)
    assert (index.lines, index.read(0, 9)) == (1, ["new", "more"])
    assert index.find("o") == ([1], False)


def test_of_a_progress_bar_the_last_states_are_read(tmp_path: Path) -> None:
    bar = "".join(f"\r{i:5}%" for i in range(100_000))
    (line,) = write(tmp_path / "log", f"{bar}\n").read(0, 1)
    assert len(line) <= LONGEST
    assert line.endswith("\r99999%")
    (long,) = write(tmp_path / "log", "x" * 100_000).read(0, 1)
    assert long.endswith("…")
