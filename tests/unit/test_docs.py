"""The documentation's own promises: its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_linked_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {
        (index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))
    }

    assert {page for page in PAGES if page.parent == index.parent} - linked - {index} == set()


def _read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("magic", ["train", "sweep"])
def test_every_option_is_described_and_no_other(magic: str) -> None:
    from mlwidgets_magics.sending import parser_of
    from mlwidgets_magics.sweep import parser

    shared = {option for action in parser_of("%%train")._actions for option in action.option_strings}
    asked = parser_of("%%train") if magic == "train" else parser()
    known = {option for action in asked._actions for option in action.option_strings}
    rows = re.findall(r"^\| (`-.*?) \|", _read(f"{magic}.md"), re.MULTILINE)
    table = {option for row in rows for option in re.findall(r"`(-[^ `]+)", row)}

    assert table <= known
    # The page on sweeps refers to that on runs for what both have; what it says of these is more.
    described = table | (shared if magic == "sweep" else set())
    undescribed = [
        a.option_strings for a in asked._actions if a.option_strings and not set(a.option_strings) & described
    ]
    assert undescribed == []


def test_everything_public_of_a_run_is_described() -> None:
    from mlwidgets import Run

    page = _read("runs.md")
    public = [name for name in vars(Run) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"`{name}\b", page)] == []


def test_everything_public_of_a_sweep_is_described() -> None:
    from mlwidgets.sweeps.sweep import Sweep

    page = _read("sweep.md")
    public = [name for name in vars(Sweep) if not name.startswith("_")]
    assert [name for name in public if f"s.{name}" not in page] == []


def test_every_command_of_the_shell_is_described() -> None:
    from mlwidgets.cli import _parser

    (commands,) = (action.choices for action in _parser()._actions if action.dest != "help" and action.choices)
    pages = "".join(
        map(
            _read,
            (
                "runs.md",
                "sweep.md",
                "changes.md",
                "reports.md",
                "schedules.md",
                "git.md",
                "twins.md",
                "moving.md",
                "housekeeping.md",
            ),
        )
    )
    assert [name for name in commands if f"mlwidgets {name}" not in pages] == []


def test_the_magic_describes_what_the_guide_describes() -> None:
    from mlwidgets_magics.runs import _USAGE

    for action in re.findall(r"\b(\w+) NAME", _USAGE):
        assert f"`%runs {action} NAME`" in _read("runs.md")
