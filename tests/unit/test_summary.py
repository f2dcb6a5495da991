"""A run as text: what the machine was used for, and whom its end could not be told."""

from __future__ import annotations

import time
from pathlib import Path
from struct import pack

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import RECORD_FORMAT, metric_key, write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import RunSpec, new_run_id
from mlwidgets.views.changes import previous_run
from mlwidgets.views.data import snapshot
from mlwidgets.views.summary import summary
from tests.unit.views_support import make_run

FIGURES = {
    "cpu": 312.4,
    "memory": 1.2345e9,
    "disk.read": 0.0,
    "disk.written": 51234.0,
    "gpu.0.utilization": 98.0,
    "gpu.0.memory": 512.0,
    "gpu.0.power": 351.9,
    "gpu.0.temperature": 64.0,
}


def _sample(run: Run, step: int, scale: float) -> None:
    folder = RunFolder(run.path)
    with open(folder.system, "ab") as file:
        for name, value in FIGURES.items():
            if step == 0:
                write_event(folder.events, "system", name=name)
            file.write(pack(RECORD_FORMAT, metric_key(name), step, time.time(), value * scale))


def test_the_latest_system_figures_are_one_line(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert "sample" not in summary(snapshot(run), time.time())
    _sample(run, 0, 0.5)
    _sample(run, 1, 1.0)
    assert (
        "\n  last sample: cpu 312 %, memory 1.23 GB, disk read 0 B/s, disk written 51.2 kB/s, gpu 0 utilization 98 %, "
        "gpu 0 memory 512 B, gpu 0 power 352 W, gpu 0 temperature 64 °C" in summary(snapshot(run), time.time())
    )


def test_failed_notifications_are_told_of_and_others_are_not(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    events = RunFolder(run.path).events
    write_event(events, "notified", target="https://example.org/…", ok=False, error="HTTP 404 Not Found")
    write_event(events, "notified", target="touch …", ok=True, error=None)
    text = summary(snapshot(run), time.time())
    assert text.splitlines()[-1] == "  not notified: https://example.org/…: HTTP 404 Not Found"
    assert "touch" not in text


def test_a_rerun_is_compared_with_the_run_that_it_does_again_in_one_line(tmp_path: Path) -> None:
    runs = tmp_path / "store" / "runs"
    first = make_run(runs, metrics={"loss": [0.5, 0.4]})
    make_run(runs, "faster")
    spec = RunSpec(new_run_id("faster"), "faster", "pass\n", {"lr": "0.2"}, rerun_of=first.id, submitted_at=time.time())
    again = Run(RunFolder.create(runs, spec).path)
    before = previous_run(again)
    assert before is not None
    assert before.id == first.id
    assert [line for line in summary(snapshot(again), time.time()).split("\n") if "lenet" in line] == [
        "  rerun of lenet, 1 min earlier: lr 0.2"
    ]
