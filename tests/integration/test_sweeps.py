"""Sweeps with real processes: what a person asks for, and what comes of it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlwidgets
from mlwidgets import api
from mlwidgets.errors import CaptureError, ParameterError, ResultNotAvailable, RunFailed
from mlwidgets.runs import trash
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.run import Run
from mlwidgets.runs.trials import read_log
from mlwidgets.sweeps.requests import ask
from mlwidgets.sweeps.sweep import Sweep
from tests.laws import on_board, soon
from tests.machine import end_all_runs

QUICK = """
from mlwidgets import log
for i in range(3):
    log(loss=1 - i / 10, score=1 - (x - 0.3) ** 2 + i / 100)
answer = x
"""
STEPS = """
import os, time
from mlwidgets import log
for i in range(1000):
    log(score=x + i)
    while not os.path.exists(go):
        time.sleep(0.005)
    if i > 3:
        break
"""


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with four CPU places and four GPUs that nobody has."""
    gpus = [{"uuid": f"GPU-{n}", "name": "Imagined", "memory": 1 << 34} for n in range(4)]
    with tempfile.TemporaryDirectory(prefix="mlw-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "machine.json").write_text(json.dumps({"cpus": 4, "gpus": gpus}))
        monkeypatch.setenv("MLWIDGETS_QUEUE", folder)
        yield Path(folder)
        end_all_runs()


def sweep(code: str = QUICK, **options: Any) -> Sweep:
    options.setdefault("space", {"x": "uniform(0, 1)"})
    if "minimize" not in options:
        options.setdefault("maximize", "score")
    options.setdefault("name", "hunt")
    options.setdefault("sampler", "random")
    options.setdefault("namespace", {})
    return api.sweep(code, **options)


def events(run: Run, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_lines(run.path / "events.jsonl") if event["event"] == kind]


def states(found: Sweep) -> list[str]:
    trials = read_log(found.path).trials
    return [trials[number].state for number in sorted(trials)]


def going(found: Sweep) -> list[Run]:
    """Return the runs of trials whose code is running."""
    return [run for run in found.runs if run.state == "running"]


def pid(found: Run, role: Any) -> int:
    assert soon(lambda: holder(found.path / "alive", role))
    return int(holder(found.path / "alive", role) or 0)


def finish(found: Sweep, state: str = "finished") -> Sweep:
    found.wait(120)
    assert found.state == state, (found, found.output)
    return found


def test_a_sweep_is_a_run_whose_trials_are_runs() -> None:
    found = finish(sweep(trials=4, seed=3, tags={"for": "test"}, params={"unused": (1, 2)}, cpus=2))
    assert isinstance(found, Sweep)
    assert found.cause == "all trials have ended: 4"
    assert [run.name for run in found.runs] == [f"hunt-{n}" for n in range(4)]
    for number, run in enumerate(found.runs):
        assert run.state == "finished"
        assert (run.spec.trial_of, run.spec.trial, run.spec.sweep) == (found.id, number, None)
        assert run.params["unused"] == (1, 2)
        assert run.result["answer"] == run.params["x"]
        assert (run.spec.seed, run.tags, run.spec.resources.cpus) == (3, {"for": "test"}, 2)
        assert os.path.samefile(run.path / "environment.json", found.path / "environment.json")
    table = found.trials
    assert list(table.columns) == ["trial", "state", "x", "score", "best", "started", "seconds", "run", "why"]
    assert list(table["score"]) == sorted(table["score"], reverse=True)
    assert list(table["best"]) == list(table["score"])
    assert table["seconds"].between(0, 60).all()
    assert found.best.id == table["run"][0]
    assert found.metrics["score"].iloc[-1] == table["score"][0]
    assert list(found.metrics.index) == [1, 2, 3, 4]
    assert api.open_store().find("hunt").id == found.id
    assert api.run("hunt").id == found.id
    assert isinstance(api.run("hunt"), Sweep)
    assert api.run("hunt-2").id == found.runs[2].id
    assert not isinstance(api.run("hunt-2"), Sweep)
    assert (found.spec.resources.cpus, found.spec.resources.gpus) == (0, 0.0), "it takes no slots itself"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": {}}, "nothing to search"),
        ({"space": {"x": "uniform(2, 1)"}}, "x"),
        ({"space": {"x": "unifrom(0, 1)"}}, "no distribution"),
        ({"space": {"x": "uniform(0, 1)", "y": "uniform(0, 1)"}}, "nothing in the cell reads the parameter 'y'"),
        ({"space": {"i": "uniform(0, 1)"}}, "assigns `i` itself"),
        ({"params": {"x": 1}}, "searched and fixed at once"),
        ({"maximize": ()}, "needs a metric"),
        ({"maximize": ("score", "score")}, "twice"),
        ({"trials": 0}, "number of trials must be 1 or more"),
        ({"concurrent": 0}, "at once must be 1 or more"),
        ({"sampler": "best"}, "no sampler 'best'"),
        ({"sampler": "grid"}, "x"),
        ({"value": "first"}, "last or its best"),
        ({"stop_early": "bandt:slack=0.1"}, "bandt"),
        ({"maximize": ("score", "loss"), "target": 1.0}, "several objectives"),
        ({"max_time": 0}, "more than 0"),
        ({"gpus": 9}, "this machine has"),
        ({"name": "n" * 95}, "at most 90"),
        ({"code": "log(score=x"}, "no valid Python"),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CaptureError, match=r"^[^\n]+$") as caught:
        sweep(options.pop("code", QUICK), **options)
    assert message in str(caught.value)
    assert api.runs() == []


def test_a_function_is_searched_as_well() -> None:
    def fit(x: float, momentum: float = 0.5) -> float:
        from mlwidgets import log

        log(score=x + momentum)
        return momentum

    space = {
        "x": mlwidgets.choice(1, 2),
        "momentum": mlwidgets.uniform(0.9, 0.99).when(x=2),
    }
    found = api.sweep(fit, space=space, maximize="score", sampler="random", trials=6, seed=1)
    finish(found)
    assert found.name == "fit"
    used = {(run.params["x"], run.result["result"] == 0.5) for run in found.runs}
    assert used <= {(1, True), (2, False)}, "where it is not searched, the function's own value stands"
    assert len(used) == 2


def test_a_grid_has_each_combination_once() -> None:
    code = "from mlwidgets import log\nlog(score=x * y)"
    found = finish(sweep(code, space={"x": "choice(1, 2, 3)", "y": "choice(1, 2)"}, sampler="grid"))
    assert sorted((r.params["x"], r.params["y"]) for r in found.runs) == [(x, y) for x in (1, 2, 3) for y in (1, 2)]
    assert found.best.params == {"x": 3, "y": 2}


def test_several_objectives_have_a_front() -> None:
    code = "from mlwidgets import log\nlog(up=x, down=(x - 0.5) ** 2)"
    found = finish(sweep(code, maximize="up", minimize="down", trials=8, sampler="tpe"))
    with pytest.raises(ResultNotAvailable, match="front"):
        found.best
    front = found.front
    assert front
    goods = [(run.last_values()["up"], -run.last_values()["down"]) for run in found.runs]
    for run in front:
        mine = run.last_values()["up"], -run.last_values()["down"]
        assert not any(good != mine and good[0] >= mine[0] and good[1] >= mine[1] for good in goods)
    assert list(found.trials["run"])[: len(front)] == [run.id for run in front]


def test_a_metric_that_is_never_logged_is_noticed_in_the_first_trial(tmp_path: Path) -> None:
    code = """
import os, time
from mlwidgets import log
for epoch in range(2000):
    log(loss=x, val_accuracy=0.5)
    time.sleep(0.01)
"""
    # It must stand in no module of the tests: those that are loaded are sent along.
    wrong = "val_accuracy".replace("acy", "asy")
    found = sweep(code, maximize=wrong, concurrent=2, trials=10)
    finish(found, "failed")
    assert found.cause == f"the code never logs {wrong!r}; it logs 'loss', 'val_accuracy'; did you mean 'val_accuracy'?"
    assert set(states(found)) == {"stopped"}
    assert all(run.ended for run in found.runs)
    with pytest.raises(RunFailed, match="never logs"):
        found.raise_for_state()


def test_a_metric_that_is_never_logged_is_noticed_at_the_end_of_the_first_trial_at_last() -> None:
    found = finish(sweep("from mlwidgets import log\nlog(loss=x)", trials=5, concurrent=1), "failed")
    assert found.cause == "the code never logs 'score'; it logs 'loss'"
    assert len(found.runs) == 1


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_metric_that_comes_late_is_waited_for(epochs: int) -> None:
    code = f"""
import time
from mlwidgets import log
for epoch in range({epochs}):
    for batch in range(20):
        log(loss=x)
        time.sleep(0.002)
    log(score=x)
"""
    finish(sweep(code, trials=2))


def test_a_poor_trial_is_ended_early_and_says_why(tmp_path: Path) -> None:
    code = """
import time
from mlwidgets import log
for i in range(1000):
    log(score=x, step=10 * i)
    if x > 0.5 and i == 5:
        break
    time.sleep(0.01)
"""
    found = sweep(
        code,
        space={"x": "choice(1.0, 0.1)"},
        sampler="grid",
        concurrent=1,
        stop_early="bandit:slack=0.1,delay=3",
    )
    finish(found)
    good, poor = found.runs
    assert states(found) == ["finished", "terminated"]
    assert (good.state, poor.state) == ("finished", "stopped")
    assert str(poor.cause).startswith("ended early: ")
    (end,) = [event for event in events(found, "trial_ended") if event["number"] == 1]
    assert (end["values"], end["cause"]) == ([0.1], poor.cause)
    why = end["why"]
    assert (why["interval"], why["step"], why["value"], why["best"], why["best_trial"]) == (3, 20, 0.1, 1.0, 0)
    assert why["policy"].startswith("bandit:")
    assert list(found.trials["state"]) == ["finished", "ended early"]
    replayed = found.replay("bandit:slack=0.1,delay=5")
    assert "1" in repr(replayed)


def test_a_verdict_holds_for_a_trial_that_was_quicker() -> None:
    code = "from mlwidgets import log\nfor i in range(10): log(score=x)"
    options: dict[str, Any] = {"space": {"x": "choice(1.0, 0.1)"}, "sampler": "grid", "concurrent": 1}
    found = finish(sweep(code, **options, stop_early="bandit:slack=0.1,delay=2"))
    assert states(found) == ["finished", "terminated"]
    assert found.runs[1].ended


def test_a_sweep_ends_when_its_target_is_reached(tmp_path: Path) -> None:
    code = "from mlwidgets import log\nlog(score=x)"
    space = {"x": "choice(1, 2, 3, 4, 5, 6, 7, 8, 9)"}
    found = finish(sweep(code, space=space, sampler="grid", concurrent=1, target=4.0))
    assert found.cause == "target 4 reached by trial 3: score 4"
    assert len(found.runs) == 4


def test_a_sweep_ends_when_nothing_gets_better() -> None:
    code = "from mlwidgets import log\nlog(score=x)"
    space = {"x": "choice(1, 2, 5, 4, 3, 4, 3, 4, 9)"}
    space = {"x": "choice(1, 2, 9, 4, 3, 5, 6, 7, 8)"}
    found = finish(sweep(code, space=space, sampler="grid", concurrent=1, patience=3))
    assert found.cause == "no better score in 3 trials"
    assert len(found.runs) == 6


def test_a_sweep_ends_when_its_time_is_over(tmp_path: Path) -> None:
    found = finish(sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=50, max_time=0.5, concurrent=2))
    assert found.cause == "its time of 0.5 s is over"
    assert set(states(found)) == {"stopped"}
    assert {run.cause for run in found.runs} == {"stopped by sweep hunt: its time of 0.5 s is over"}


def test_a_sweep_ends_when_its_gpu_hours_are_used_up(tmp_path: Path) -> None:
    hours = 1.0 / 3600
    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=50, max_gpu_hours=hours, gpus=2)
    finish(found)
    assert str(found.cause).endswith("GPU hours are used up")
    used = sum(2 * run.elapsed for run in found.runs)
    assert used >= 1.0


def test_as_many_run_at_once_as_the_machine_has_room_for(tmp_path: Path) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=6, gpus=2)
    assert soon(lambda: len(going(found)) == 2)
    assert found.concurrent == 2
    time.sleep(0.3)
    assert len(found.runs) == 2
    go.touch()
    finish(found)
    assert len(found.runs) == 6


def test_pause_and_resume(tmp_path: Path) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=5, concurrent=2)
    assert soon(lambda: len(going(found)) == 2)
    found.pause()
    assert soon(lambda: found.paused is not None)
    go.touch()
    assert soon(lambda: states(found) == ["finished"] * 2)
    time.sleep(0.5)
    assert len(found.runs) == 2, "none was started"
    assert found.state == "running"
    found.resume()
    assert len(finish(found).runs) == 5
    assert [event["why"] for event in events(found, "paused")] == ["paused by user"]


def test_slots_are_given_back_in_the_middle(tmp_path: Path) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=4, concurrent=3, gpus=1, seed=1)
    assert soon(lambda: len(going(found)) == 3)
    before = {run.spec.trial: run.params for run in found.runs}
    found.give_back(2)
    assert soon(lambda: len(on_board() & {run.id for run in found.runs}) == 1)
    assert soon(lambda: states(found).count("given_back") == 2)
    assert found.concurrent == 1
    assert len(events(found, "given_back")) == 2
    found.concurrent = 3
    assert soon(lambda: len(going(found)) == 3), "they begin anew"
    go.touch()
    finish(found)
    assert states(found) == ["finished"] * 4
    assert {run.spec.trial: run.params for run in found.runs if run.spec.trial in before} == before
    attempts = {event["number"]: event["attempt"] for event in events(found, "trial")}
    assert sorted(attempts.values()) == [1, 1, 2, 2]
    stopped = [run for run in api.runs() if run.spec.trial_of == found.id and run.state == "stopped"]
    assert {run.cause for run in stopped} == {"stopped by sweep hunt, which gave its slots back"}


def test_the_number_at_once_changes_without_taking_from_anybody(tmp_path: Path) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=5, concurrent=3)
    assert soon(lambda: len(going(found)) == 3)
    found.concurrent = 1
    assert soon(lambda: events(found, "wish"))
    time.sleep(0.3)
    assert len(going(found)) == 3
    with pytest.raises(ParameterError, match="1 trial at once or more"):
        found.concurrent = 0
    go.touch()
    finish(found)


def test_slots_are_given_back_where_fewer_run_than_may(tmp_path: Path) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=3, concurrent=8, gpus=2)
    assert soon(lambda: len(going(found)) == 2 and len(found.runs) == 3), "the third one waits"
    found.give_back(1)
    assert soon(lambda: events(found, "wish"))
    assert found.concurrent == 1
    assert soon(lambda: len(on_board() & {run.id for run in found.runs}) == 1)
    with pytest.raises(ParameterError, match="cannot give back 1"):
        found.give_back(1)
    go.touch()
    finish(found)
    assert states(found) == ["finished"] * 3


def test_a_trial_that_a_user_has_stopped_does_not_begin_anew(tmp_path: Path) -> None:
    code = """
import os, signal, time
from mlwidgets import log
signal.signal(signal.SIGTERM, signal.SIG_IGN)
log(score=x)
while not os.path.exists(go):
    time.sleep(0.005)
"""
    go = tmp_path / "go"
    found = sweep(code, params={"go": str(go)}, trials=2, concurrent=2)
    assert soon(lambda: len(going(found)) == 2 and all(run.last_values() for run in found.runs))
    found.runs[1].stop("me")
    found.set_concurrent(1, now=True)
    assert soon(lambda: events(found, "wish"))
    go.touch()
    finish(found)
    assert events(found, "given_back") == []
    assert states(found)[1] == "stopped"
    assert found.runs[1].cause == "stopped by me"


def test_what_was_wished_in_vain_is_said(tmp_path: Path) -> None:
    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=2, concurrent=1)
    assert soon(lambda: len(going(found)) == 1)
    folder = RunFolder(found.path)
    ask(folder, "concurrent", "me", n=0)
    ask(folder, "add", "me", params={"x": "7"})
    assert soon(lambda: len(events(found, "wish")) == 2)
    assert "not done, concurrent by me: a sweep runs 1 trial at once or more, not 0" in found.output
    assert "not done, add by me: " in found.output
    os.kill(pid(found, "worker"), signal.SIGSTOP)
    found.stop("test")
    late = ask(folder, "pause", "me")
    # The wishes of this moment come with the request to stop.
    os.kill(pid(found, "worker"), signal.SIGCONT)
    finish(found, "stopped")
    assert late in {event["id"] for event in events(found, "wish")}


def test_nothing_is_left_of_a_paused_sweep_whose_folder_was_deleted(tmp_path: Path) -> None:
    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=3, concurrent=1)
    assert soon(lambda: len(going(found)) == 1)
    found.pause()
    assert soon(lambda: found.paused)
    runs, numbers = found.runs, [pid(found, "worker"), pid(found, "supervisor")]
    shutil.rmtree(found.path)
    assert soon(lambda: not any(os.path.exists(f"/proc/{number}") for number in numbers))
    assert all(run.wait(60).ended for run in runs)


def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = tmp_path / "small disk"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mounted)], check=False).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        monkeypatch.setenv("MLWIDGETS_STORE", str(mounted / "store"))
        go = tmp_path / "go"
        found = sweep(STEPS, params={"go": str(go)}, trials=3, concurrent=1)
        assert soon(lambda: len(going(found)) == 1)
        found.concurrent = 1
        assert soon(lambda: len(events(found, "wish")) == 1), "there is room for a second line"
        with open(mounted / "hog", "wb", buffering=0) as hog, contextlib.suppress(OSError):
            while True:
                hog.write(b"0" * 4096)
        found.concurrent = 2
        time.sleep(3.0)
        assert found.state == "running", found.cause
        assert len(going(found)) == 1
        (mounted / "hog").unlink()
        assert soon(lambda: len(going(found)) == 2)
        go.touch()
        finish(found)
        assert states(found) == ["finished"] * 3
        assert len(events(found, "trial")) == 3
    finally:
        end_all_runs()
        subprocess.run(["umount", "-l", str(mounted)], check=True)


def test_trials_are_added_by_hand(tmp_path: Path) -> None:
    go = tmp_path / "go"
    found = sweep(STEPS, params={"go": str(go)}, trials=2, concurrent=1)
    assert soon(lambda: len(going(found)) == 1)
    found.add(x=0.125)
    with pytest.raises(ParameterError, match="x"):
        found.add(x=7)
    with pytest.raises(ParameterError, match="not searched"):
        found.add(z=7)
    go.touch()
    finish(found)
    assert len(found.runs) == 3, "beside those that were planned"
    assert found.runs[1].params["x"] == 0.125, "it comes next"
    assert [event["by"] for event in events(found, "trial")] == ["sampler", "hand", "sampler"]
    with pytest.raises(ParameterError, match="has ended"):
        found.add(x=0.5)


def test_a_search_learns_from_earlier_ones() -> None:
    first = finish(sweep(name="first", trials=3))
    single = mlwidgets.train(QUICK, name="single", params={"x": 0.5}, namespace={}, wait=True)
    far = mlwidgets.train(QUICK, name="far", params={"x": 5.0}, namespace={}, wait=True)
    found = finish(sweep(trials=2, warm_start=["first", single, "far"]))
    assert "'far'" in " ".join(found.spec.hints)
    earlier = events(found, "earlier")
    assert [event["name"] for event in earlier] == ["first-0", "first-1", "first-2", "single"]
    assert [event["values"][0] for event in earlier] == [run.last_values()["score"] for run in [*first.runs, single]]
    assert len(events(found, "trial")) == 2
    assert [event["number"] for event in events(found, "trial")] == [4, 5]
    assert len(found.trials) == 6
    assert far.ended


def test_failures_of_one_cause_in_a_row_pause_the_sweep() -> None:
    code = "from mlwidgets import log\nlog(score=x)\nraise ValueError(f'bad {x} at {hex(id(log))}')"
    found = sweep(code, trials=9, concurrent=1, max_failures=2)
    assert soon(lambda: found.paused is not None)
    assert "2 trials in a row failed of one cause: ValueError: bad" in str(found.paused)
    assert soon(lambda: states(found) == ["failed"] * 2)
    found.resume()
    assert soon(lambda: states(found) == ["failed"] * 4 and found.paused), "two more are tried"
    found.stop()
    finish(found, "stopped")


def test_a_failed_trial_is_tried_again_if_that_was_asked_for(tmp_path: Path) -> None:
    code = """
import os
from mlwidgets import log
log(score=100)
try:
    os.mkdir(folder + repr(x))
except FileExistsError:
    pass
else:
    raise ValueError('the first time')
log(score=x)
"""
    found = finish(sweep(code, params={"folder": str(tmp_path) + "/"}, trials=2, retries=1, value="best"))
    assert states(found) == ["finished"] * 2
    assert all(len(events(run, "attempt")) == 1 for run in found.runs)
    assert all(trial["values"] == [100.0] for trial in events(found, "trial_ended"))


def test_a_sweep_without_a_result_has_failed() -> None:
    code = "from mlwidgets import log\nlog(score=float('nan'))\nx"
    found = finish(sweep(code, trials=2), "failed")
    assert found.cause == "no trial has a result; the last one: the last 'score' that it logged is nan"


@pytest.mark.parametrize(("sampler", "value"), [("tpe", "last"), ("cmaes", "best")])
def test_a_trial_that_diverges_is_a_result_and_the_worst(sampler: str, value: str) -> None:
    code = "from mlwidgets import log\nlog(score=x if x < 0.6 else float('inf'))"
    found = finish(sweep(code, trials=12, sampler=sampler, value=value, seed=2, max_failures=1))
    assert states(found) == ["finished"] * 12
    assert events(found, "paused") == []
    values = [end["values"][0] for end in events(found, "trial_ended")]
    assert any(math.isinf(value) for value in values)
    assert found.best.params["x"] == max(value for value in values if math.isfinite(value))
    assert len(found.trials) == 12


def test_a_policy_judges_no_attempt_that_failed(tmp_path: Path) -> None:
    code = """
import os, time
from mlwidgets import log
if x == 0.5:
    try:
        os.mkdir(folder)
    except FileExistsError:
        pass
    else:
        for _ in range(3):
            log(score=100)
        time.sleep(0.5)
        raise ValueError('the first time')
for _ in range(4):
    log(score=x)
    time.sleep(0.02)
"""
    space = {"x": "choice(0.5, 1.0)"}
    options: dict[str, Any] = {"params": {"folder": str(tmp_path / "x")}, "retries": 1, "concurrent": 1}
    found = finish(sweep(code, space=space, sampler="grid", stop_early="bandit:amount=1", **options))
    assert states(found) == ["finished"] * 2, "100 is no value of the first trial's"
    assert len(events(found.runs[0], "attempt")) == 1
    from mlwidgets.sweeps.definition import SweepDefinition
    from mlwidgets.views.sweepfeed import SweepFeed

    rows = SweepFeed(found, SweepDefinition.from_json(found.spec.sweep or {})).changes(ended=True)["trials"]
    assert [(row["reports"], row["best"]) for row in rows] == [(4, 0.5), (4, 1.0)]


def test_a_stop_ends_all_trials(tmp_path: Path) -> None:
    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=9, concurrent=3)
    assert soon(lambda: len(going(found)) == 3)
    found.stop("test")
    finish(found, "stopped")
    assert found.cause == "stopped by test"
    assert states(found) == ["stopped"] * 3
    assert all(run.ended for run in found.runs), "it has waited for them"
    assert {run.cause for run in found.runs} == {"stopped by sweep hunt"}


def test_two_sweeps_and_a_run_share_the_machine(tmp_path: Path) -> None:
    code = "import time\nfrom mlwidgets import log\nlog(score=x)\ntime.sleep(0.05)"
    one, other = (sweep(code, name=name, trials=12, gpus=4, concurrent=3) for name in ("one", "other"))
    assert soon(lambda: len(one.runs) > 1 and len(other.runs) > 1)
    run = mlwidgets.train("pass", name="single", namespace={}, gpus=4)
    most = 0
    while not (one.ended and other.ended):
        from tests.machine import read_board

        waiting = [ticket.name.rpartition("-")[0] for ticket in read_board().waiting]
        most = max(most, *(waiting.count(name) for name in ("one", "other")))
        time.sleep(0.003)
    assert most == 1, "never more than one trial of a sweep waits"
    order = sorted([*one.runs, *other.runs], key=lambda run: run.started_at or 0)
    turns = "".join(run.name[1] for run in order)
    assert "nnn" not in turns[4:20] or "ttt" not in turns[4:20], turns
    longest = max(len(part) for name in "nt" for part in turns[2:20].split(name))
    assert longest <= 3, f"they take turns: {turns}"
    first = [run for run in [*one.runs, *other.runs] if (run.started_at or 0) < (api.run("single").started_at or 0)]
    assert len(first) < 20, "the single run was not kept waiting to the end"
    assert run.wait(60).state == "finished"


def test_a_deleted_sweep_takes_its_trials_along() -> None:
    found = finish(sweep(trials=3))
    other = mlwidgets.train("1", name="other", namespace={}, wait=True)
    ids = {run.id for run in api.runs()}
    store = api.open_store()
    trash.delete(store, RunFolder(found.path))
    assert [run.id for run in api.runs()] == [other.id]
    trash.restore(store, found.id)
    assert {run.id for run in api.runs()} == ids
    assert len(found.trials) == 3


def test_a_running_sweep_is_not_deleted(tmp_path: Path) -> None:
    from mlwidgets.errors import StoreError

    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=2)
    assert soon(lambda: going(found))
    with pytest.raises(StoreError, match="stop it first"):
        trash.delete(api.open_store(), RunFolder(found.path))
    found.stop()
    finish(found, "stopped")


def test_the_next_search_is_narrower() -> None:
    found = finish(sweep(trials=25, sampler="tpe", seed=1))
    proposal = found.narrow()
    assert repr(proposal).startswith("%%sweep hunt-narrow --maximize score --trials 25")
    assert "x=uniform(" in repr(proposal)
    assert finish(sweep(space=proposal.space, trials=2, name="next")).state == "finished"
    assert set(found.importance) <= {"x"}


def test_a_controller_that_is_told_to_end_ends_the_sweep(tmp_path: Path) -> None:
    found = sweep(STEPS, params={"go": str(tmp_path / "go")}, trials=2)
    assert soon(lambda: going(found))
    os.kill(pid(found, "worker"), signal.SIGTERM)
    finish(found, "killed")
    assert found.cause == "interrupted from outside by SIGTERM"
    assert set(states(found)) == {"stopped"}
