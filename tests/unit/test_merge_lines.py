from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from mlwidgets.history.merging.lines import Labels, merge_lines


def by_git(folder: Path, base: str, ours: str, theirs: str) -> tuple[str, bool]:
    for name, text in (("base", base), ("ours", ours), ("theirs", theirs)):
        (folder / name).write_text(text + "\n")
    command = ["git", "merge-file", "-p", "-L", "ours", "-L", "base", "-L", "theirs", "ours", "base", "theirs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.removesuffix("\n"), done.returncode > 0


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("a\nb\nc", "A\nb\nc", "a\nb\nC", "A\nb\nC"),
        ("a\nb", "a\nb", "a\nb\nc", "a\nb\nc"),
        ("a\nb", "", "a\nb", ""),
        ("a", "b", "b", "b"),
        ("", "new", "", "new"),
        ("a\nb\nc", "a\nc", "a\nb\nc\nd", "a\nc\nd"),
    ],
)
def test_changes_of_different_lines_meet(base: str, ours: str, theirs: str, merged: str) -> None:
    assert merge_lines(base, ours, theirs) == (merged, False)


def test_the_same_line_on_both_sides_is_a_conflict_of_that_line_alone() -> None:
    text, conflict = merge_lines("a\nb\nc", "a\nfirst\nours\nc", "a\nfirst\ntheirs\nc", Labels("mine", "yours"))
    assert conflict
    assert text == "a\nfirst\n<<<<<<< mine\nours\n=======\ntheirs\n>>>>>>> yours\nc"


def test_what_both_wrote_from_nothing_is_compared_line_by_line() -> None:
    assert merge_lines(None, "x\ny", "x\ny") == ("x\ny", False)
    text, conflict = merge_lines(None, "x\nours", "x\ntheirs", size=9)
    assert (text.split("\n")[:2], conflict) == (["x", "<<<<<<<<< ours"], True)


def test_merges_as_git_does(tmp_path: Path) -> None:
    """Where git sees no conflict there is none, with the same result, and the other way round."""
    chance = random.Random(3)
    conflicts = 0
    for _ in range(150):
        base = [f"line {n}" for n in range(chance.randrange(1, 12))]
        sides = []
        for side in "ot":
            lines = list(base)
            for n in range(chance.randrange(3)):
                at = chance.randrange(len(lines) + 1)
                lines[at : at + chance.randrange(3)] = [f"{side}{n}{k}" for k in range(chance.randrange(3))]
            sides.append("\n".join(lines) or "all gone")
        ours, expected = merge_lines("\n".join(base), *sides), by_git(tmp_path, "\n".join(base), *sides)
        assert ours[1] == expected[1]
        if not expected[1]:
            assert ours[0] == expected[0]
        conflicts += expected[1]
    assert 20 < conflicts < 130
