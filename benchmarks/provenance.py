"""Figure: what it costs the kernel to say where a run came from, and what it costs others afterwards."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.kernels import Kernel
from benchmarks.measure import Figure, Row, Spread, at_most
from benchmarks.ours import store_in
from benchmarks.peers import NotInstalledError
from benchmarks.submit import LOADED, SETUP, SMALL_CODE, Way, in_turns

FILES, CHANGED, LINES = 5000, 50, 200
"""Of the repository that a run is submitted in: what git knows, what was changed since, and lines of each file."""
_DATA = 1 << 30
"""Bytes of a data file."""
# What is replaced in the kernel for a bare submit is all that says where a run came from.
BARE = f"""
{LOADED}
import mlwidgets.submit as _submit
from mlwidgets.capture import executed as _executed, variables as _variables
from mlwidgets.runs.alive import holder as _holder
from mlwidgets.runs.folder import RunFolder as _RunFolder

_full = (_submit.provenance, _submit.named_data, _submit.local_modules, _submit._freeze_ambient, _variables.gather)
_write = type(_executed.here).write
_constant = _submit.provenance(None, None)
_bare = (lambda *a: _constant, lambda *a: (), lambda *a: (), lambda *a, **k: None, dict)

def _gather(parts, write):
    _submit.provenance, _submit.named_data, _submit.local_modules, _submit._freeze_ambient, _variables.gather = parts
    type(_executed.here).write = write

def _ended(run):
    run.wait()
    while _holder(_RunFolder(run.path).alive, "supervisor") is not None:
        time.sleep(0.01)
"""
CALL = f"run = mlwidgets.train({SMALL_CODE!r}, name='small', namespace=globals(), data=['data'])"


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    figure = Figure(
        "provenance",
        "Provenance",
        f"A real kernel in a git repository of {FILES:,} files, {CHANGED} of them changed, with torch imported and a "
        "folder of 1,000 data files named: from sending the cell that submits until the kernel is idle. *Bare*: the "
        "same submit with all that gathers provenance replaced by nothing — random states, options, modules, variables "
        "of the environment, executed cells, data, host and user. In turns, in the same kernel. *In the background*: "
        "what the process beside the run does afterwards, one after the other here, with nothing else at work.",
    )
    project = _project(scratch)
    ways = [
        Way("a bare submit", CALL, "_ended(run)", "_gather(_bare, lambda *a: None)", BARE, ours=True),
        Way("with provenance", CALL, "_ended(run)", "_gather(_full, _write)", BARE, ours=True),
    ]
    try:
        with Kernel(project, {"MLWIDGETS_STORE": str(store_in(scratch))}) as kernel:
            kernel.run(SETUP)
            in_turns(kernel, project / "mark", ways, rounds=4 if quick else 30)
    except NotInstalledError as error:
        figure.rows.append(Row("a submit", "ms", None, note=str(error)))
        return figure
    bare, full = ways
    for way in ways:
        note = f"first line after {Spread.of(way.until_first_line).median * 1e3:.0f} ms"
        figure.rows.append(Row(way.title, "ms", Spread.of([s * 1e3 for s in way.blocked]), None, note))
    extra = Spread.of([(a - b) * 1e3 for a, b in zip(full.blocked, bare.blocked, strict=True)])
    figure.rows.append(Row("what provenance costs the kernel, round by round", "ms", extra))
    for title, seconds in _in_background(scratch, project, rounds=2 if quick else 5):
        figure.rows.append(Row(f"in the background: {title}", "ms", Spread.of([s * 1e3 for s in seconds])))
    figure.targets.append(at_most("provenance under 20 ms in the kernel", 20, "ms", extra))
    return figure


def _project(scratch: Path) -> Path:
    project = scratch / "project"
    (project / "data").mkdir(parents=True)
    for number in range(1000):
        (project / "data" / f"{number:04}.csv").write_text(f"{number}\n" * 100)
    (project / ".gitignore").write_text("/data\n/mark\n/large.bin\n")
    for number in range(FILES):
        path = project / f"part{number % 50}" / f"module{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"x{number} = 1\n" * LINES)
    _git(project, "init", "--quiet")
    _git(project, "add", "--all")
    _git(project, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "all")
    for number in range(CHANGED):
        (project / f"part{number % 50}" / f"module{number}.py").write_text("y = 2\n" * LINES)
    return project


def _git(project: Path, *arguments: str) -> None:
    subprocess.run(("git", "-C", str(project), *arguments), check=True, capture_output=True)


def _in_background(scratch: Path, project: Path, rounds: int) -> list[tuple[str, list[float]]]:
    from mlwidgets.capture.contents import CACHE, DigestCache, read_contents
    from mlwidgets.capture.hardware import cpu_model, cuda_driver, gpus
    from mlwidgets.capture.installed import installed
    from mlwidgets.history.git.worktree import find, look

    large = project / "large.bin"
    piece = os.urandom(1 << 20)
    with open(large, "wb") as file:
        file.writelines(piece for _ in range(_DATA >> 20))
    # What was written a moment ago is not remembered: it might be written to again in the same instant.
    time.sleep(3)
    cache = DigestCache(scratch)
    repository = find(project)
    assert repository is not None

    def again() -> None:
        read_contents(str(large), cache)
        read_contents(str(project / "data"), cache)

    def first() -> None:
        nonlocal cache
        cache.close()
        (scratch / CACHE).unlink(missing_ok=True)
        cache = DigestCache(scratch)
        again()

    steps: list[tuple[str, Callable[[], object]]] = [
        (f"git: {CHANGED} changed of {FILES:,} files, kept as a commit and a patch", lambda: look(repository)),
        ("installed packages", installed),
        ("processor, GPUs, driver", lambda: (cpu_model(), gpus(), cuda_driver())),
        ("data, 1 GB in one file and 1,000 small ones, never seen", first),
        ("the same data again", again),
    ]
    found = []
    for title, work in steps:
        seconds = []
        for _ in range(rounds):
            before = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - before)
        found.append((title, seconds))
    cache.close()
    large.unlink()
    return found
