"""The settings that git gets: commands that do without us where our environment has gone."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from mlwidgets.history.setup import called
from mlwidgets.history.setup.calls import CONFLICT

KEYS = (
    *("diff.mlwidgets.textconv", "diff.mlwidgets.cachetextconv", "merge.mlwidgets.name", "merge.mlwidgets.driver"),
    "filter.mlwidgets.clean",
)
"""Every key that may be written."""
BEGIN, END = "# mlwidgets git-setup: begin", "# mlwidgets git-setup: end"


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Parameters
    ----------
    strip
        Outputs stay out of commits.
    hook
        A commit is refused where a notebook in it is not settled.
    outputs
        `git diff` says where outputs differ.
    """

    strip: bool = False
    hook: bool = False
    outputs: bool = False

    def config(self) -> dict[str, str]:
        """Return the values of the keys."""
        text = " --outputs" if self.outputs else ""
        found = {
            "diff.mlwidgets.textconv": f'{_begin(f"textconv{text}", then=" && return")} cat -- "$1"; }}; f',
            "diff.mlwidgets.cachetextconv": "true",
            "merge.mlwidgets.name": "notebooks, cell by cell",
            # In a driver a percent sign stands for something.
            "merge.mlwidgets.driver": (
                f"{_begin('merge', then=f'; case $? in 0) return 0;; {CONFLICT}) return 1;; esac')} git merge-file "
                '--marker-size="$4" -L ours -L base -L theirs "$2" "$1" "$3"; [ $? -eq 0 ]; }; f'
            ).replace("%", "%%")
            + " %O %A %B %L %P %X %Y",
        }
        if self.strip:
            found["filter.mlwidgets.clean"] = f"{_begin('clean', then='; return')} cat; }}; f"
        return found

    def attributes(self) -> list[str]:
        """Return the lines for ``info/attributes``."""
        line = "*.ipynb diff=mlwidgets merge=mlwidgets"
        return [BEGIN, f"{line} filter=mlwidgets" if self.strip else line, END]

    def hook_text(self) -> str:
        """Return the pre-commit hook."""
        return f"#!/bin/sh\n{BEGIN}\n{_begin('check', then=f'; [ $? -ne {CONFLICT} ]; return')} }}; f\n{END}\n"


def _begin(what: str, then: str) -> str:
    """Return the beginning of a shell function: ours where it is there, else one line that says what to do."""
    python, script = (shlex.quote(os.path.abspath(path)) for path in (sys.executable, called.__file__))
    gone = shlex.quote(
        f"mlwidgets is no longer at {os.path.abspath(sys.executable)}: git goes on without it; "
        "run `mlwidgets git-setup` again, or with --undo"
    )
    return (
        f"f() {{ if [ -x {python} ] && [ -f {script} ]; then {python} -I -S {script} {what} "
        f'"$@"{then}; else echo {gone} >&2; fi;'
    )


def is_ours(value: str) -> bool:
    """Return whether a value is a command of ours, of whichever environment."""
    return "/mlwidgets/history/setup/called.py" in value


def with_block(lines: list[str], block: Iterable[str]) -> list[str]:
    """Return the lines of an attributes file with ours: behind those for all notebooks, before those for single ones.

    The last line that matches a file decides.
    """
    general = [n for n, line in enumerate(lines, 1) if line.split()[:1] in (["*.ipynb"], ["*"])]
    at = general[-1] if general else 0
    return [*lines[:at], *block, *lines[at:]]


def without_block(lines: list[str]) -> list[str]:
    """Return the lines without ours."""
    kept, inside = [], False
    for line in lines:
        inside |= line == BEGIN
        if not inside:
            kept.append(line)
        inside &= line != END
    return kept
