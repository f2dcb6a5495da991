"""Figure: what a text twin costs: written after a save, and brought back when it was edited."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.changes import notebook
from benchmarks.measure import Figure, Row, Spread, at_most, ratios
from mlwidgets.history.twins.helper import Helper

CELLS, LIMIT = 100, 50.0


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    rounds = 10 if quick else 40
    figure = Figure(
        "twins",
        f"Text twins of a notebook of {CELLS} cells",
        f"A notebook of {CELLS} cells (two of three code, with text outputs). After a save: one cell was edited, and "
        f"the process that waits for saves is asked to write the twin; back: a cell of the twin was edited, which "
        f"takes a snapshot of the notebook first. On the command line jupytext does the same in a process of its own.",
    )
    (scratch / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    (scratch / ".mlwidgets").mkdir(mode=0o700)
    path, content = scratch / "n.ipynb", notebook(CELLS, random.Random(7))
    previous = os.environ.pop("MLWIDGETS_STORE", None)
    helper = Helper()
    try:
        _write(path, content)
        helper.sync(path)
        saved = [_after_save(helper, path, content, n) for n in range(rounds)]
        unchanged = [_timed(lambda: helper.sync(path)) for _ in range(rounds)]
        back = [_back(helper, path, n) for n in range(rounds)]
    finally:
        helper.close()
        if previous is not None:
            os.environ["MLWIDGETS_STORE"] = previous
    command = [_shell("mlwidgets.cli", "sync", str(path)) for _ in range(3)]
    peer = [_peer(path, content, n) for n in range(3)]
    figure.rows += [
        Row("twin written after a save", "ms", Spread.of(saved)),
        Row("nothing changed", "ms", Spread.of(unchanged)),
        Row("an edited twin comes to the notebook", "ms", Spread.of(back)),
        Row("mlwidgets sync, nothing changed", "ms", Spread.of(command)),
        Row("jupytext --sync, notebook edited", "ms", Spread.of(peer), ratios(peer, saved[: len(peer)])),
    ]
    figure.targets.append(at_most("twin written after a save, in the background", LIMIT, "ms", Spread.of(saved)))
    return figure


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


def _timed(work: Any) -> float:
    before = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - before)


def _edit(path: Path, content: dict[str, Any], number: int) -> None:
    content["cells"][number % CELLS]["source"] = [f"edited = {number}"]
    _write(path, content)


def _after_save(helper: Helper, path: Path, content: dict[str, Any], number: int) -> float:
    _edit(path, content, number)
    taken = _timed(lambda: helper.sync(path))
    assert f"edited = {number}" in path.with_suffix(".py").read_text()
    return taken


def _back(helper: Helper, path: Path, number: int) -> float:
    twin = path.with_suffix(".py")
    twin.write_text(f"{twin.read_text()}\n# %%\nback = {number}\n")
    # A file that was written a moment ago is waited for: it may be half of one.
    os.utime(twin, (time.time() - 5, time.time() - 5))
    taken = _timed(lambda: helper.sync(path))
    assert f"back = {number}" in path.read_text()
    return taken


def _shell(*command: str) -> float:
    return _timed(lambda: subprocess.run([sys.executable, "-m", *command], capture_output=True, check=True))


def _peer(path: Path, content: dict[str, Any], number: int) -> float:
    _edit(path, content, 1000 + number)
    return _shell("jupytext", "--quiet", "--sync", str(path))
