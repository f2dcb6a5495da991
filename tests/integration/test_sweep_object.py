"""What the object that a user holds of a sweep says, of sweeps with real processes."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlwidgets
from mlwidgets import api, cli
from mlwidgets.errors import ParameterError, ResultNotAvailable, RunFailed
from mlwidgets.runs.trials import read_log
from mlwidgets.sweeps.sweep import Sweep
from tests.laws import soon
from tests.machine import end_all_runs

QUICK = "from mlwidgets import log\nlog(score=1 - (x - 0.3) ** 2, loss=x)"
FAILS = "from mlwidgets import log\nlog(score=x)\nraise ValueError('no such file')"


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with four CPU places."""
    with tempfile.TemporaryDirectory(prefix="mlw-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "machine.json").write_text(json.dumps({"cpus": 4, "gpus": []}))
        monkeypatch.setenv("MLWIDGETS_QUEUE", folder)
        yield Path(folder)
        end_all_runs()


def sweep(code: str = QUICK, **options: Any) -> Sweep:
    options.setdefault("space", {"x": "uniform(0, 1)"})
    options.setdefault("maximize", "score")
    options.setdefault("name", "hunt")
    options.setdefault("sampler", "random")
    options.setdefault("namespace", {})
    return api.sweep(code, **options)


def test_whoever_waits_for_a_sweep_that_pauses_itself_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RunFailed, match=r"has paused itself: 2 trials in a row failed .*no such file") as told:
        sweep(FAILS, trials=9, concurrent=1, max_failures=2, wait=True)
    assert len(str(told.value).splitlines()) == 1
    found = api.run("hunt")
    assert isinstance(found, Sweep)
    assert (found.ended, str(found.gave_up)[:8]) == (False, "2 trials")
    with pytest.raises(RunFailed, match="has paused itself"):
        found.wait()
    assert cli.main(["wait", "hunt"]) == 1
    assert "has paused itself" in capsys.readouterr().err

    found.resume()
    with pytest.raises(RunFailed, match="has paused itself"):
        # What it waits for are the two that come now: not the pause before, which the resume is about to end.
        found.wait()
    assert len(found.runs) == 4
    found.stop()
    assert found.wait(60).state == "stopped"


def test_a_pause_by_a_person_is_waited_for() -> None:
    found = sweep(QUICK + "\nimport time\ntime.sleep(0.1)", trials=4, concurrent=1)
    found.pause()
    assert soon(lambda: found.paused)
    assert found.gave_up is None
    with pytest.raises(TimeoutError, match=r"'hunt' is still running after 0.3 s"):
        found.wait(0.3)
    waiting = threading.Thread(target=found.wait)
    waiting.start()
    found.resume()
    waiting.join(60)
    assert found.state == "finished"


def test_added_trials_are_counted_and_earlier_ones_are_not() -> None:
    first = sweep(name="first", trials=3, wait=True)
    other = mlwidgets.train(QUICK, name="far", params={"x": 5.0}, namespace={}, wait=True)
    found = sweep(
        QUICK + "\nimport time\ntime.sleep(0.1)", trials=2, concurrent=1, warm_start=["first", other], name="second"
    )
    found.add(x=0.25)
    assert found.wait(60).state == "finished"
    assert repr(found).endswith(", 3 of 3 trials ended>")
    assert [run.params["x"] for run in found.runs].count(0.25) == 1
    assert {run.id for run in found.runs}.isdisjoint(run.id for run in first.runs)
    table = found.trials
    assert sorted(table["state"]) == ["earlier"] * 3 + ["finished"] * 3
    assert set(table[table["state"] == "earlier"]["run"]) == {run.id for run in first.runs}
    outline = next(one for one in api.summaries() if one.id == found.id).sweep
    assert outline is not None
    assert outline["planned"] == 3
    assert "nothing is learnt from 'far': far: parameter x=5.0 is outside" in found.output


def test_what_is_not_learnt_from_is_said() -> None:
    code = "from mlwidgets import log\nlog(score=x)\nif kind == 'bad': raise ValueError('bad')"
    space = {"x": "uniform(0, 1)", "kind": "choice('good', 'bad')"}
    first = sweep(code, name="first", trials=6, space=space, seed=1, max_failures=0, wait=True)
    good = [one for one in read_log(first.path).trials.values() if one.is_result]
    assert 0 < len(good) < 6
    found = sweep(trials=1, name="next", warm_start="first", params={"kind": "good"}, wait=True)
    hint = next(line for line in found.output.splitlines() if line.startswith("mlwidgets: "))
    assert f"{6 - len(good)} of 6 trials of 'first' are not used: first-" in hint
    assert hint.endswith(": did not finish")
    found = sweep(trials=1, name="other", warm_start="first", params={"kind": "bad"}, wait=True)
    assert "kind is 'bad' here, which was searched there" in found.output


def test_what_cannot_be_told_or_done_says_why() -> None:
    with pytest.raises(ParameterError, match=r"parameter foo=1 is no distribution: .*given as params=\{'foo': ...\}"):
        sweep(space={"foo": 1})
    found = sweep(QUICK + "\nimport time\ntime.sleep(30)", trials=4, concurrent=3)
    assert soon(lambda: len(found.runs) == 3)
    for n in (7, 3, 0, -1, True):
        with pytest.raises(ParameterError, match=f"runs 3 at once and cannot give back {n}: give back 1 to 2, or"):
            found.give_back(n)
    with pytest.raises(ResultNotAvailable, match=r"has no result of its own.*look at its \.best\.result"):
        found.result
    with pytest.raises(ResultNotAvailable, match=r"importance .* is not known: that takes 10 trials"):
        found.importance
    found.stop()
    found.wait(60)
    with pytest.raises(ParameterError, match="has ended; another one with --warm-start hunt"):
        found.pause()
    several = sweep(trials=1, maximize=["score", "loss"], name="several", wait=True)
    with pytest.raises(ResultNotAvailable, match="several objectives"):
        several.importance


@pytest.mark.parametrize(
    ("text", "fixed"), [("choice(32)", "x=32"), ("quniform(0, 1, 2)", "x=0"), ("choice('a b')", "x='a b'")]
)
def test_a_search_over_one_value_is_none(text: str, fixed: str) -> None:
    with pytest.raises(ParameterError, match=f"has one value only: give it as the fixed parameter {fixed}$"):
        sweep(space={"x": text, "y": "uniform(0, 1)"})


def test_a_trial_that_ended_early_is_called_so(tmp_path: Path) -> None:
    code = """
import time
from mlwidgets import log
for i in range(200):
    log(score=x)
    if x < 0.5 or i > 3:
        time.sleep(0.01 if x < 0.5 else 0)
    if x > 0.5 and i > 3:
        break
"""
    found = sweep(
        code, space={"x": "choice(0.9, 0.1)"}, sampler="grid", concurrent=1, stop_early="bandit:slack=0.1,delay=2"
    ).wait(60)
    assert list(found.trials["state"]) == ["finished", "ended early"]
    said = next(line for line in found.output.splitlines() if line.startswith("trial 1"))
    assert said.startswith("trial 1 ended early: score 0.1: ")
    assert said.count("ended early") == 1
    assert found.cause == "all trials have ended: 2"
    assert time.time() - found.trials["started"][0].timestamp() < 120
    assert (found.trials["started"].dt.microsecond == 0).all()


def test_trials_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    found = sweep(trials=3, seed=1, wait=True)
    best = found.trials.iloc[0]
    assert cli.main(["trials", "hunt"]) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["trial", "state", "x", "score", "best", "started", "seconds", "run", "why"]
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(best["started"].timestamp()))
    assert first.split()[:7] == [str(best["trial"]), "finished", f"{best['x']:.6g}",
                                 f"{best['score']:.6g}", f"{best['best']:.6g}", *at.split()]  # fmt: skip
    assert "nan" not in first.lower()


def test_a_sweep_that_came_to_a_limit_says_so() -> None:
    found = sweep(QUICK, trials=20, concurrent=1, target=-9.0, wait=True)
    assert repr(found).endswith(f", {found.cause}>")
    assert str(found.cause).startswith("target -9 reached by trial 0")
    whole = sweep(space={"x": "choice(0.1, 0.2)"}, sampler="grid", trials=5, name="grid", wait=True)
    assert repr(whole).endswith(", 2 of 5 trials ended, all combinations were tried: 2>")
