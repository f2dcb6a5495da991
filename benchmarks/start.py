"""Figure: from a submit to the first line of the code."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.kernels import Kernel
from benchmarks.measure import Figure, Row, Spread, at_most, ratios
from benchmarks.ours import store_in
from benchmarks.submit import (
    BIG_CODE,
    BIG_SETUP,
    LOADED,
    LOKY,
    SETUP,
    SMALL_ARGUMENTS,
    SMALL_CODE,
    Way,
    in_turns,
    papermill_way,
    peer_ways,
)

WARM = """
from mlwidgets.runner import warm
while not any("torch" in process.modules for process in warm.warm_processes()):
    time.sleep(0.1)
"""
END = "from mlwidgets.runner import warm; warm.end_warm_processes()"


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    figure = Figure(
        "start",
        "From a submit to the first line of the code",
        "A real kernel with torch imported, driven through its sockets: from sending the cell until the first line of "
        "the submitted code runs in the other process, by the wall clock. All ways in turns in the same kernel, each "
        "job ended before the next begins. The small job reads a model, a tensor and a function of the notebook; the "
        "big one a tensor of a gigabyte that was sent before.",
    )
    with tempfile.TemporaryDirectory(prefix="mlw-") as machine:
        environment = {
            "MLWIDGETS_STORE": str(store_in(scratch)),
            "MLWIDGETS_WARM": f"{machine}/warm",
            "MLWIDGETS_QUEUE": f"{machine}/queue",
        }
        with Kernel(scratch / "notebook", environment) as kernel:
            kernel.run(SETUP)
            kernel.run(LOADED)
            kernel.run(WARM)
            mark = scratch / "notebook" / "mark"
            small = _small_ways(scratch)
            in_turns(kernel, mark, small, rounds=5 if quick else 25)
            _report(figure, small, "small job")
            kernel.run(BIG_SETUP)
            big = _big_ways()
            in_turns(kernel, mark, big, rounds=2 if quick else 7)
            _report(figure, big, "1 GB tensor, the second time")
            kernel.run(END)
    warm = small[0].until_first_line
    spread = Spread.of([s * 1e3 for s in warm]) if warm else None
    figure.targets.append(at_most("warm, small job: at most 50 ms, median", 50, "ms", spread))
    return figure


def _small_ways(scratch: Path) -> list[Way]:
    by_hand, loky, submitit = peer_ways("small_job", SMALL_ARGUMENTS)
    return [
        Way("mlwidgets `%%train`, warm", f"%%train small{SMALL_CODE}", "small.wait()", ours=True),
        Way("mlwidgets `%%train --cold`", f"%%train small --cold{SMALL_CODE}", "small.wait()", ours=True),
        by_hand,
        Way(f"{LOKY}, its worker still there", loky.cell, loky.wait, once=loky.once),
        Way(
            f"{LOKY}, fresh",
            loky.cell,
            loky.wait,
            prepare="get_reusable_executor(max_workers=1).shutdown(wait=True)",
            once=loky.once,
        ),
        submitit,
        papermill_way(scratch / "notebook"),
    ]


def _big_ways() -> list[Way]:
    return [
        Way("mlwidgets `%%train`, warm", f"%%train big_run{BIG_CODE}", "big_run.wait()", ours=True),
        *peer_ways("big_job", "big, mark"),
    ]


def _report(figure: Figure, ways: list[Way], kind: str) -> None:
    ours = ways[0].until_first_line
    for way in ways:
        title = f"{kind}: {way.title}"
        if way.missing or not way.until_first_line:
            figure.rows.append(Row(title, "ms", None, note=way.missing or "its first line never ran"))
            continue
        ratio = None if way is ways[0] else ratios(way.until_first_line, ours)
        figure.rows.append(Row(title, "ms", Spread.of([s * 1e3 for s in way.until_first_line]), ratio))
