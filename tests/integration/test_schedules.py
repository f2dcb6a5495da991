"""Schedules for real: processes that race and are killed, reports and runs that start by themselves."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlwidgets import api
from mlwidgets.errors import ScheduleError
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.firing import Firing
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.starting import RunStarter
from mlwidgets.schedules.tick import tick
from mlwidgets.schedules.ticker import Ticker
from mlwidgets.schedules.times import next_due
from mlwidgets.schedules.timetable import Schedules
from mlwidgets.sweeps.sweep import Sweep
from tests.schedule_torture import BEGIN, DAY, Recorder, set_clock, start_ticker, started, tickers, write_notebook
from tests.waiting import until

PATIENCE = 120.0
ROOT = Path(__file__).resolve().parent.parent.parent


def _as_many(store: RunStore, count: int) -> bool:
    return len(os.listdir(store.path / "started")) >= count


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    monkeypatch.chdir(tmp_path)
    store = RunStore(tmp_path / ".mlwidgets")
    store.prepare()
    (store.path / "started").mkdir()
    return store


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Sales"},
        {"cell_type": "code", "id": "b", "metadata": {"tags": ["parameters"]}, "source": "region = 'EU'"},
        {"cell_type": "code", "id": "c", "metadata": {}, "source": "print('sales of', region); assert region != 'XX'"},
    ]
    for cell in cells[1:]:
        cell.update(outputs=[], execution_count=None)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = tmp_path / "sales.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}))
    return path


def test_six_processes_race_for_fifty_schedules(store: RunStore, tmp_path: Path) -> None:
    plain = write_notebook(tmp_path / "plain.ipynb")
    schedules = Schedules(store, Recorder())
    for number in range(50):
        schedules.add(Schedule(f"s{number}", "report", {"notebook": str(plain)}, cron="0 7 * * *", overlap=True), BEGIN)
    set_clock(store.path, BEGIN)
    with tickers(store.path, 6):
        for day in range(3):
            set_clock(store.path, BEGIN + day * DAY + 7 * 3600.0)
            until(partial(_as_many, store, 50 * (day + 1)), "what is due")
    found = started(store.path)
    assert set(found.values()) == {1}
    assert len(found) == 150
    assert {one.state for one in schedules.firings(limit=500)} <= {"started", "finished"}


def test_killed_at_random_moments_of_years() -> None:
    torture = [sys.executable, "-m", "tests.schedule_torture", "--seconds", "15", "--seed", str(time.time_ns() % 10**6)]
    done = subprocess.run(torture, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{torture}\n{done.stderr}"
    counted = json.loads(done.stdout.replace("'", '"'))
    assert counted["kills"] > 0
    assert counted["starts"] > 0


def test_a_report_is_executed_and_published_for_each_region(store: RunStore, notebook: Path) -> None:
    schedules = Schedules(store)
    now = time.time()
    matrix = ({"region": "EU"}, {"region": "XX"})
    schedule = Schedule("sales", "report", {"notebook": str(notebook)}, cron="* * * * *", matrix=matrix)
    schedules.add(schedule, now)
    begun = tick(store, now + 60).started
    assert len(begun) == 2
    until(lambda: all(not one.open for one in _ticked(store, schedules, now)), "the end")
    eu, xx = sorted(schedules.firings(), key=lambda one: one.element)
    assert (eu.state, xx.state) == ("finished", "failed")
    assert xx.reason is not None
    assert "AssertionError" in xx.reason
    assert eu.run is not None
    run = api.open_run(store.runs / eu.run)
    assert (run.name, run.state, run.tags["schedule"]) == ("sales-EU", "finished", "sales")
    assert (store.path / "reports" / "sales-EU" / "editions" / eu.run / "index.html").exists()


def test_an_edition_that_a_check_withholds_is_a_failure(store: RunStore, notebook: Path) -> None:
    document = json.loads(notebook.read_text())
    document["cells"][-1]["source"] = "import mlwidgets\nmlwidgets.check(1 > 2, 'one is more')"
    notebook.write_text(json.dumps(document))
    schedules = Schedules(store)
    settings = {"on_failed_check": "withhold"}
    target = {"notebook": str(notebook), "report": "numbers", "settings": settings}
    schedules.add(Schedule("sales", "report", target, cron="0 7 1 1 *"))
    now = time.time()
    schedules.run_now("sales")
    until(lambda: not any(one.open for one in _ticked(store, schedules, now)), "the end")
    (one,) = schedules.firings()
    assert one.state == "failed"
    assert one.reason == "withheld: 1 of 1 checks failed"


def test_a_report_comes_after_an_edition_of_another(store: RunStore, notebook: Path) -> None:
    schedules = Schedules(store)
    schedules.add(Schedule("first", "report", {"notebook": str(notebook)}, cron="0 7 1 1 *"))
    schedules.add(Schedule("second", "report", {"notebook": str(notebook)}, after="first"))
    schedules.run_now("first")
    now = time.time()
    until(lambda: len(_ticked(store, schedules, now)) >= 2, "the edition of the other")
    second = schedules.firings("second")
    assert [one.trigger for one in second] == ["after"]
    until(lambda: not any(one.open for one in _ticked(store, schedules, now)), "the end")
    assert [one.state for one in schedules.firings()] == ["finished", "finished"]


def _ticked(store: RunStore, schedules: Schedules, now: float) -> list[Firing]:
    tick(store, now + 61)
    return list(schedules.firings())


def test_a_pinned_report_executes_what_was_committed(store: RunStore, notebook: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "sales.ipynb"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *arguments], cwd=notebook.parent, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=notebook.parent, check=True, capture_output=True, text=True
    ).stdout.strip()
    notebook.write_text(notebook.read_text().replace("sales of", "changed"))
    schedules = Schedules(store)
    schedules.add(Schedule("sales", "report", {"notebook": str(notebook)}, cron="0 7 1 1 *", source=commit))
    (begun,) = schedules.run_now("sales")
    with pytest.raises(ScheduleError, match="sales still runs"):
        schedules.run_now("sales")
    run = api.open_run(store.runs / str(begun.run))
    run.wait()
    assert "sales of EU" in run.output
    assert run.spec.provenance is not None
    assert run.spec.provenance.cwd == str(notebook.parent)


def test_a_run_is_trained_again_by_who_ticks_in_a_server(store: RunStore) -> None:
    first = api.train("result = lr * 2", name="fit", params={"lr": 0.5}, gpus=0, wait=True)
    schedules = Schedules(store)
    ticker = Ticker(store.path)
    ticker.start()
    try:
        again = Schedule("weekly", "run", {"run": "fit"}, cron="* * * * *", params={"lr": "4"})
        # As of a moment ago: it is due at once, and the thread sees by itself that there is something new.
        schedules.add(again, time.time() - 60)
        until(lambda: any(one.state == "finished" for one in schedules.firings()), "the run's end")
        schedules.pause("weekly")
    finally:
        ticker.stop()
    done = next(one for one in schedules.firings() if one.state == "finished")
    run = api.open_run(store.runs / str(done.run))
    assert run.result["result"] == 8
    assert (run.name, run.tags["schedule"], run.id != first.id) == ("fit", "weekly", True)


class Abandons(RunStarter):
    """Is killed, as it were, as soon as the run's folder is there."""

    def start(self, store: RunStore, schedule: Schedule, firing: Firing) -> None:
        from mlwidgets.schedules.starting import repeated

        assert firing.run is not None
        store.create_run(repeated(store, schedule, firing.run, firing.params, {}))
        raise KeyboardInterrupt


def test_a_run_that_was_made_but_not_started_is_started(store: RunStore) -> None:
    api.train("result = 1", name="fit", gpus=0, wait=True)
    schedules = Schedules(store)
    now = time.time()
    schedules.add(Schedule("weekly", "run", {"run": "fit"}, cron="* * * * *"), now)
    with pytest.raises(KeyboardInterrupt):
        tick(store, now + 60, starter=Abandons())
    (claimed,) = schedules.firings()
    assert claimed.state == "claimed"
    # What a process left that was killed while it made the folder is in nobody's way either.
    (begun,) = tick(store, now + 61).started
    assert begun.run == claimed.run
    run = api.open_run(store.runs / str(begun.run))
    run.wait()
    assert run.result["result"] == 1
    assert len([one for one in store.folders() if RunFolder(one.path).spec.exists()]) == 2


def test_who_starts_runs_is_killed_and_each_is_executed_once(store: RunStore, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    code = f"""
import os
with open({str(marks)!r}, "ab", buffering=0) as file:
    file.write(os.path.basename(os.environ["MLWIDGETS_RUN_FOLDER"]).encode() + b"\\n")
"""
    api.train(code, name="fit", gpus=0, wait=True)
    schedules = Schedules(store)
    begin = time.time()
    for name in ("a", "b"):
        schedules.add(Schedule(name, "run", {"run": "fit"}, cron="* * * * *", overlap=True), begin)
    chance = random.Random(time.time_ns())
    first = next_due("* * * * *", "UTC", begin)
    assert first is not None
    command = [sys.executable, "-c", _TICK_FOR_REAL, str(store.path)]
    for minute in range(5):
        at = first + 60 * minute
        processes = [
            subprocess.Popen([*command, repr(at)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == b"ready\n"
            process.stdin.write(b"go\n")
            process.stdin.flush()
        time.sleep(chance.uniform(0, 0.12))
        for process in processes:
            process.kill()
            process.communicate()

    def all_over() -> bool:
        tick(store, first + 240)
        found = schedules.firings(limit=1000)
        return len(found) >= 2 and not any(one.open for one in found)

    until(all_over, "the end")
    found = schedules.firings(limit=1000)
    assert {one.state for one in found} == {"finished"}
    executed = marks.read_text().split()[1:]
    assert sorted(executed) == sorted(str(one.run) for one in found)
    missed = sum(one.missed for one in found)
    assert len(found) + missed == 10


_TICK_FOR_REAL = """
import sys
from pathlib import Path
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.starting import RunStarter
from mlwidgets.schedules.tick import tick
store, now, starter = RunStore(Path(sys.argv[1])), float(sys.argv[2]), RunStarter()
print("ready", flush=True)
sys.stdin.readline()
tick(store, now, starter=starter)
"""


def test_one_tick_by_command(store: RunStore, notebook: Path) -> None:
    schedules = Schedules(store)
    schedules.add(Schedule("sales", "report", {"notebook": str(notebook)}, cron="* * * * *"), time.time() - 60)
    command = [sys.executable, "-m", "mlwidgets.cli", "--store", str(store.path), "schedule", "tick", "sales"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (firing,) = schedules.firings()
    assert done.stdout.strip() == f"started {firing.run}"
    until(
        lambda: subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("ended"),
        "the end",
    )


def test_a_ticker_sees_what_others_change(store: RunStore, tmp_path: Path) -> None:
    plain = write_notebook(tmp_path / "plain.ipynb")
    ticker = Ticker(store.path, starter=Recorder())
    ticker.start()
    try:
        schedules = Schedules(store, Recorder())
        schedules.add(Schedule("s", "report", {"notebook": str(plain)}, cron="* * * * *"), time.time() - 60)
        until(lambda: started(store.path), "what is due")
        schedules.pause("s")
        until(lambda: not any(one.open for one in schedules.firings()), "the end")
    finally:
        ticker.stop()
    assert set(started(store.path).values()) == {1}


def test_a_process_that_is_killed_leaves_a_table_that_others_use(store: RunStore, tmp_path: Path) -> None:
    plain = write_notebook(tmp_path / "plain.ipynb")
    schedules = Schedules(store, Recorder())
    schedules.add(Schedule("s", "report", {"notebook": str(plain)}, cron="* * * * *", overlap=True), BEGIN)
    set_clock(store.path, BEGIN)
    for minute in range(1, 6):
        pid = start_ticker(store.path)
        set_clock(store.path, BEGIN + minute * 60)
        until(partial(_as_many, store, minute), "what is due")
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    assert set(started(store.path).values()) == {1}
    assert len(schedules.list()) == 1


def test_a_sweep_is_repeated_with_its_trials(store: RunStore) -> None:
    code = "from mlwidgets import log\nlog(score=-((x - centre) ** 2))"
    given: dict[str, Any] = {"trials": 2, "concurrent": 1, "sampler": "random", "gpus": 0, "cold": True}
    space = {"x": "uniform(0, 1)"}
    first = api.sweep(code, space=space, maximize="score", name="find", params={"centre": 0.3}, wait=True, **given)
    assert first.state == "finished", first.output
    schedules = Schedules(store)
    now = time.time()
    schedules.add(Schedule("weekly", "sweep", {"run": "find"}, cron="* * * * *", params={"centre": "0.9"}), now)
    (begun,) = tick(store, now + 60).started
    until(lambda: not any(one.open for one in _ticked(store, schedules, now)), "the end")
    (done,) = schedules.firings()
    assert (done.state, done.run) == ("finished", begun.run), done.reason
    again = Sweep(store.runs / str(done.run))
    assert (again.name, again.tags["schedule"]) == ("find", "weekly")
    assert [trial.state for trial in again.runs] == ["finished", "finished"]
    assert {trial.params["centre"] for trial in again.runs} == {0.9}
    assert {trial.id for trial in again.runs}.isdisjoint(trial.id for trial in first.runs)
