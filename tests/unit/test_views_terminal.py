from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwidgets.views import terminal
from mlwidgets.views.terminal import PLAIN, Style, ansi, html, parse, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a\n\nb\n", "a\n\nb"),
        ("a\r\nb\r\n", "a\nb"),
        ("10%\r100%\n", "100%"),
        ("abcdef\rxy", "xycdef"),
        ("abcdef\r\x1b[Kxy", "xy"),
        ("abcdef\x1b[2K\rxy", "xy"),
        ("abc\b\bX", "aXc"),
        ("\router 0\n\rinner 0\x1b[A\router 1\n\rinner 1\x1b[A", "outer 1\ninner 1"),
        ("\x1b]0;title\x07a\x1b[?25lb\x1b(Bc\x1b[3", "abc"),
        ("a\tb", "a\tb"),
        ("a\x00\x07b", "ab"),
        ("x\x1b[5Cy", "x     y"),
    ],
)
def test_text_is_what_a_terminal_would_show(text: str, shown: str) -> None:
    assert plain(parse(text)) == shown


def test_a_progress_bar_leaves_its_last_state() -> None:
    bar = "".join(f"\r{i:3d}%|{'█' * (i // 10)}|" for i in range(101))
    assert plain(parse(f"start\n{bar}\ndone\n")) == "start\n100%|██████████|\ndone"


def test_colours_go_on_across_lines_and_end_with_their_sequences() -> None:
    assert parse("\x1b[1;32ma\nb\x1b[m c") == [
        [("a", Style(fg=2, bold=True))],
        [("b", Style(fg=2, bold=True)), (" c", PLAIN)],
    ]


@pytest.mark.parametrize(
    ("codes", "style"),
    [
        ("38;5;9", Style(fg=9)),
        ("38;5;208", Style(fg="#ff8700")),
        ("38;5;244", Style(fg="#808080")),
        ("48;2;1;2;3", Style(bg="#010203")),
        ("95", Style(fg=13)),
        ("104", Style(bg=12)),
        ("1;4;31;22;39", Style(underline=True)),
        ("1;0", PLAIN),
    ],
)
def test_graphic_renditions(codes: str, style: Style) -> None:
    assert parse(f"\x1b[{codes}mx") == [[("x", style)]]


def test_what_is_overwritten_loses_its_colour() -> None:
    assert parse("\x1b[31mabc\x1b[0m\rX") == [[("X", PLAIN), ("bc", Style(fg=1))]]


def test_html_is_escaped_and_carries_its_colours_inline() -> None:
    text = html(parse("<b>\x1b[1;31m&\x1b[0m\x1b[7mx"))
    assert text.startswith("&lt;b&gt;<span style=")
    assert "color:" in text
    assert "font-weight:bold" in text
    assert ">&amp;</span>" in text


pieces = st.sampled_from(
    [
        "a",
        "bc ",
        "é█",
        "\n",
        "\r",
        "\b",
        "\x1b[31m",
        "\x1b[1;44m",
        "\x1b[0m",
        "\x1b[K",
        "\x1b[A",
        "\x1b[38;5;208m",
        "\x1b[",
    ]
)


@given(st.lists(pieces, max_size=60).map("".join))
def test_what_is_shown_can_be_sent_on_as_text(text: str) -> None:
    lines = parse(text)
    again = parse(ansi(lines))
    assert plain(again) == plain(lines)
    assert [[style for _, style in line] for line in again] == [[style for _, style in line] for line in lines]


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    assert "\r" not in plain(terminal.parse(text))
