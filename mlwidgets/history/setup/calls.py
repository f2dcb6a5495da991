"""What git calls: a notebook as text, a merge of three, a notebook without outputs, a check before a commit."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mlwidgets.errors import MlwidgetsError, NotebookError

CONFLICT = 33
"""Exit status where something is to be settled: one that no crash has."""
FAILED = 2


def call(arguments: Sequence[str]) -> int:
    """Do what git asks for; return the exit status. What goes wrong is one line, and git's own way is left to it."""
    what, *rest = arguments
    try:
        if what == "textconv":
            return textconv(Path(rest[-1]), outputs="--outputs" in rest[:-1])
        if what == "merge":
            return merge_driver(rest)
        if what == "clean":
            return clean()
        return check()
    except BrokenPipeError:
        # Nobody reads on: what is left in the buffer must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MlwidgetsError as error:
        _say(str(error))
    except Exception as error:
        # A traceback in the middle of a diff helps nobody; git goes on without us.
        _say(f"{what} failed: {type(error).__name__}: {error}")
    return FAILED


def _say(line: str) -> None:
    print(f"mlwidgets: {line}", file=sys.stderr)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def textconv(path: Path, *, outputs: bool = False) -> int:
    """Print a notebook as text, as `git diff` and `git blame` show it.

    Parameters
    ----------
    outputs
        With a line below each cell that has some, which says how many and differs where they do.
    """
    from mlwidgets.history.notebooks.document import read_file
    from mlwidgets.history.notebooks.notebook import read_notebook
    from mlwidgets.history.setup.shown import text_of

    data = read_file(path)
    if data.strip():
        text = text_of(read_notebook(data, str(path)), outputs=outputs)
        # A notebook may hold what is no text in UTF-8: half of a character that JSON wrote in two.
        _write(text.encode("utf-8", "backslashreplace"))
    return 0


def merge_driver(arguments: Sequence[str]) -> int:
    """Merge as git asks a driver to: base, ours, theirs, size of the markers, path, labels; into the file of ours."""
    from mlwidgets.history.merging import documents
    from mlwidgets.history.merging.lines import SIZE, Labels
    from mlwidgets.history.merging.merge import merge
    from mlwidgets.history.restoring import put_in_place, state_of

    base, ours, theirs = (Path(name) for name in arguments[:3])
    more = list(arguments[3:])
    size = int(more[0]) if more and more[0].isdecimal() else SIZE
    path = more[1] if len(more) > 1 else str(ours)
    # Before 2.45 git does not know the labels, and leaves %X and %Y as they are.
    names = [name if name and not name.startswith("%") else None for name in (*more[2:4], "", "")]
    labels = Labels(_one_line(names[0] or "ours"), _one_line(names[1] or "theirs"))
    found = (
        documents.load(base, f"{path} (base)") if base.read_bytes().strip() else documents.nothing(),
        documents.load(ours, f"{path} (ours)"),
        documents.load(theirs, f"{path} (theirs)"),
    )
    before = state_of(ours)
    merged = merge(*found, labels, size)
    if not put_in_place(ours, merged.data, before):
        raise NotebookError(f"{path} changed while it was merged; merge again")
    for line in told(path, merged.clashes, [one.number for one in merged.conflicts]):
        _say(line)
    return CONFLICT if merged.conflicts else 0


def _one_line(label: str) -> str:
    return " ".join(label.split())


def told(path: str, clashes: Sequence[str], numbers: Sequence[int]) -> list[str]:
    """Return what is to be said of a merge: which metadata were taken, and what is to be settled."""
    lines = []
    if clashes:
        lines.append(f"{path}: metadata changed on both sides, ours is kept: {', '.join(dict.fromkeys(clashes))}")
    if numbers:
        cells = f"cell {numbers[0]}" if len(numbers) == 1 else f"cells {', '.join(map(str, numbers))}"
        lines.append(f"{path}: conflict in {cells}: the notebook opens; remove the lines with markers there, and save")
    return lines


def clean() -> int:
    """Copy a notebook from standard input to standard output without outputs; what is none as it is."""
    from mlwidgets.history.setup.outputs import without_outputs

    data = sys.stdin.buffer.read()
    try:
        _write(without_outputs(data))
    except MlwidgetsError:
        _write(data)
    return 0


def check() -> int:
    """Look at notebooks that are about to be committed; return `CONFLICT` if one would not open or is not settled."""
    from mlwidgets.history.merging import documents
    from mlwidgets.history.merging.conflicts import conflicts_in

    names = _git("diff", "--cached", "--no-ext-diff", "--name-only", "-z", "--diff-filter=d", "--", "*.ipynb")
    wrong = []
    for name in filter(None, names.decode("utf-8", "surrogateescape").split("\0")):
        try:
            document = documents.read(_git("cat-file", "blob", f":0:{name}"), name)
        except NotebookError as error:
            wrong.append(str(error))
            continue
        wrong += told(name, (), [one.number for one in conflicts_in(document.raw)])
    for line in wrong:
        _say(line.encode("utf-8", "backslashreplace").decode())
    if wrong:
        _say("nothing was committed; `git commit --no-verify` commits it all the same")
    return CONFLICT if wrong else 0


def _git(*arguments: str) -> bytes:
    """Run git as the hook's git would, with the index that is about to be committed."""
    import subprocess

    return subprocess.run(("git", *arguments), capture_output=True, check=True).stdout
