from __future__ import annotations

import re

import pytest

from mlwidgets.runs.spans import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5h", 5400), (" 15m ", 900), ("15 min", 900), ("2d", 172_800), ("1w", 604_800), ("1y", 31_536_000)],
)
def test_spans_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_a_number_alone_has_the_unit_that_it_is_said_to_have() -> None:
    assert (seconds_of("2", bare="d"), seconds_of("2s", bare="d")) == (172_800, 2)
    with pytest.raises(ValueError, match="2"):
        seconds_of("2", bare=None)


@pytest.mark.parametrize("text", ["", "h", "-1h", "1e3", "1 month", "1M", "٣d", "1" * 13, "1h30m", "nan", ".5h", "1.s"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(text)}$"):
        seconds_of(text)
