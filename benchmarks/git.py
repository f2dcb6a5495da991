"""Figure: what git waits for with notebooks: their text for a diff, and their merge."""

from __future__ import annotations

import json
import random
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.changes import CHANGES, edited, notebook
from benchmarks.measure import Figure, Row, Spread, at_least, at_most, ratios
from benchmarks.peers import NotInstalledError
from mlwidgets.history.setup.settings import Wanted

CELLS = 200
LIMIT, TIMES = 0.2, 10.0


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    rounds = 3 if quick else 9
    figure = Figure(
        "git",
        f"Notebooks in git, of {CELLS} cells",
        f"A notebook of {CELLS} cells (two of three code, with text outputs); two sides that each edited {CHANGES}, "
        f"added five, removed five and moved a block of five. Each command as git starts it, by a shell, in a process "
        f"of its own; they take turns.",
    )
    base, ours, theirs = (scratch / f"{name}.ipynb" for name in ("base", "ours", "theirs"))
    content = notebook(CELLS, random.Random(7))
    sides = (content, edited(content, random.Random(8)), edited(content, random.Random(9)))
    for path, one in zip((base, ours, theirs), sides, strict=True):
        path.write_text(json.dumps(one, indent=1))
    bin_ = Path(sys.executable).parent
    _compare(
        figure,
        "textconv",
        {
            "mlwidgets": _textconv(base),
            "nbdime": lambda: _run([str(bin_ / "nbshow"), "-s", str(base)]),
            "jupytext": lambda: _run([str(bin_ / "jupytext"), "--quiet", "--to", "py:percent", "-o", "-", str(base)]),
        },
        rounds,
    )
    out = scratch / "out.ipynb"

    def by_nbdime() -> None:
        shutil.copy(ours, out)
        names = (str(base), str(out), str(theirs), "7", "out.ipynb")
        _run([str(bin_ / "git-nbmergedriver"), "merge", *names])

    _compare(figure, "merge driver", {"mlwidgets": _merge(base, ours, theirs, out), "nbdime": by_nbdime}, rounds)
    return figure


def _compare(figure: Figure, what: str, works: dict[str, Callable[[], Any]], rounds: int) -> None:
    taken: dict[str, list[float]] = {}
    for name, work in works.items():
        try:
            # Once for the caches.
            work()
            taken[name] = []
        except (NotInstalledError, OSError) as error:
            figure.rows.append(Row(f"{what}: {name}", "s", None, note=f"not installed: {str(error)[-60:]}"))
    for _ in range(rounds):
        for name, times in taken.items():
            before = time.perf_counter()
            works[name]()
            times.append(time.perf_counter() - before)
    ours = taken["mlwidgets"]
    for name, times in taken.items():
        ratio = None if name == "mlwidgets" else ratios(times, ours)
        figure.rows.append(Row(f"{what}: {name}", "s", Spread.of(times), ratio))
        if ratio is not None:
            figure.targets.append(at_least(f"{what}: {TIMES:.0f} times faster than {name}'s", TIMES, ratio))
    figure.targets.append(at_most(f"{what} under {LIMIT} s", LIMIT, "s", Spread.of(ours)))


def _textconv(path: Path) -> Callable[[], None]:
    command = Wanted().config()["diff.mlwidgets.textconv"]
    return lambda: _run(["sh", "-c", f'{command} "$@"', command, str(path)])


def _merge(base: Path, ours: Path, theirs: Path, out: Path) -> Callable[[], None]:
    # As git fills it in: %O is the base, %A the file of ours, which gets the result, %B theirs.
    begin = Wanted().config()["merge.mlwidgets.driver"].partition(" %O ")[0].replace("%%", "%")
    command = f"{begin} {shlex.join([str(base), str(out), str(theirs), '7', 'out.ipynb'])}"

    def work() -> None:
        shutil.copy(ours, out)
        _run(["sh", "-c", command])

    return work


def _run(command: list[str]) -> None:
    # A merge's exit status may say that there are conflicts.
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode > 1:
        raise NotInstalledError(done.stderr.decode(errors="replace").strip()[-200:])
