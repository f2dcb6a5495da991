"""Whole sweeps and editions of reports done again: each trial, and each cell, beside the first one."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlwidgets
from mlwidgets import api
from mlwidgets.errors import CannotRerun, ParameterError
from mlwidgets.reports.publishing.editions import Report
from mlwidgets.reruns.repeating import Changes, repeat
from mlwidgets.reruns.sending import send_again
from mlwidgets.reruns.verdict import Verdict, await_verdict
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trials import read_log
from mlwidgets.sweeps.sweep import Sweep
from tests.integration.report_support import code, executed, printed, write
from tests.laws import soon
from tests.machine import end_all_runs

DRAWS = """
import random
from mlwidgets import log
for i in range(4):
    log(score=scale * x + random.random() + i)
"""
SLOW = """
import os, time
from mlwidgets import log
for i in range(6):
    log(score=x + i)
    time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with four CPU places."""
    with tempfile.TemporaryDirectory(prefix="mlw-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "machine.json").write_text(json.dumps({"cpus": 4, "gpus": []}))
        monkeypatch.setenv("MLWIDGETS_QUEUE", folder)
        yield
        end_all_runs()


def hunt(source: str = DRAWS, **options: Any) -> Sweep:
    given: dict[str, Any] = {"space": {"x": "loguniform(1e-3, 1)", "kind": "choice('a', 'b')"}, "maximize": "score"}
    given |= {
        "name": "hunt",
        "params": {"scale": 2},
        "namespace": {"kind": "a"},
        "trials": 5,
        "concurrent": 2,
        "gpus": 0,
    }
    return api.sweep(f"{source}\nkind\n", **{**given, **options})


def again(run: Run, *, force: bool = False, publish: bool = False, **params: str) -> Run:
    folder = RunFolder(run.path)
    made = send_again(RunStore(folder.store), folder, Changes(params), force=force, publish=publish)
    return api.open_run(made.path)


def verdict_on(run: Run) -> Verdict:
    found = await_verdict(RunFolder(run.wait().path))
    assert found is not None
    return found


def chosen(sweep: Run) -> dict[int, dict[str, Any]]:
    return {number: trial.params for number, trial in read_log(sweep.path).trials.items()}


def test_each_trial_has_the_parameters_and_the_bits_that_it_had() -> None:
    first = hunt(seed=3).wait()
    for second in (again(first), again(first)):
        verdict = verdict_on(second)
        assert (verdict.equal, verdict.chip) == (True, "same bits"), verdict
        assert "all 5 trials" in verdict.summary
        assert chosen(second) == chosen(first)
        assert [run.spec.rerun_of for run in Sweep(second.path).runs] == [run.id for run in first.runs]
    # One of one again is one of the first, too.
    third = again(second)
    assert verdict_on(third).equal
    assert chosen(third) == chosen(first)
    # A trial is a run of its own, then.
    trial = again(first.runs[2])
    assert verdict_on(trial).equal
    assert (trial.spec.trial_of, trial.spec.rerun_of) == (None, first.runs[2].id)


def test_another_fixed_parameter_searches_anew() -> None:
    first = hunt(seed=3, sampler="random").wait()
    second = again(first, scale="5")
    verdict = verdict_on(second)
    assert (verdict.equal, verdict.chip, verdict.parts) == (None, "scale changed", [])
    assert "scale 2 → 5" in verdict.summary
    assert "best score" in verdict.summary
    # The choices are those of the same seed.
    assert chosen(second) == chosen(first)
    with pytest.raises(CannotRerun, match="x"):
        again(first, x="0.5")
    spec = repeat(RunStore(first.path.parent.parent), RunFolder(first.path), Changes(seed=9, cpus=2))
    assert spec.sweep is not None
    assert (spec.sweep["sampler_seed"], spec.sweep["resources"]["cpus"], spec.sweep["repeats"]) == (9, 2, [])
    assert (spec.resources.cpus, spec.resources.gpus) == (0, 0.0)
    with pytest.raises(ParameterError, match="90 characters"):
        repeat(RunStore(first.path.parent.parent), RunFolder(first.path), Changes(name="n" * 95))


def test_what_was_learnt_from_added_by_hand_and_cut_short_comes_again() -> None:
    earlier = hunt(seed=1, trials=2, name="earlier").wait()
    first = hunt(SLOW, seed=3, trials=6, warm_start="earlier", params={}, name="late")
    first.add(x=0.25)
    assert soon(lambda: sum(trial.is_over for trial in read_log(first.path).trials.values()) > 4, 60)
    first.stop()
    first.wait()
    shutil.rmtree(earlier.path)
    second = again(first)
    verdict = verdict_on(second)
    before, now = read_log(first.path).trials, read_log(second.path).trials
    assert {number: now[number].params for number in before} == chosen(first)
    assert [now[number].by for number in sorted(before)] == [before[number].by for number in sorted(before)]
    # 2 that were learnt from, 6 that were asked for, one by hand.
    assert len(now) == 9
    assert verdict.equal is not False, verdict
    assert all(part["equal"] is not False for part in verdict.parts)


def test_a_controller_that_is_killed_goes_on_with_the_same_trials() -> None:
    import os

    first = hunt(SLOW, seed=3, trials=5, params={}).wait()
    second = again(first)
    assert soon(lambda: len(read_log(second.path).trials) > 1, 60)
    controller = holder(RunFolder(second.path).alive, "worker")
    assert controller is not None
    os.kill(controller, signal.SIGKILL)
    assert verdict_on(second).equal, verdict_on(second)
    assert chosen(second) == chosen(first)


def test_trials_that_are_not_the_same_are_told_one_by_one() -> None:
    unseeded = DRAWS.replace("import random", "import os, random\nif x > 0.02: random.seed(os.urandom(8))")
    first = hunt(unseeded, seed=3, trials=6).wait()
    other = sum(params["x"] > 0.02 for params in chosen(first).values())
    assert 0 < other < 6
    second = again(first)
    verdict = verdict_on(second)
    assert (verdict.equal, verdict.chip) == (False, f"{6 - other} of 6 trials the same")
    assert sum(part["equal"] for part in verdict.parts) == 6 - other
    number = next(n for n, params in sorted(chosen(first).items()) if params["x"] > 0.02)
    assert verdict.details[0].startswith(f"trial {number}: differs from {first.runs[number].id} from step 0")
    shutil.rmtree(first.runs[number].path)
    RunFolder(second.path).verdict.unlink(missing_ok=True)
    assert f"trial {number}: the first run was deleted" in verdict_on(second).details


def test_an_end_by_the_policy_at_another_step_is_said() -> None:
    first = hunt(SLOW, seed=3, trials=4, params={}, concurrent=1).wait()
    second = again(first)
    second.wait()
    # As it is where one was slower than the others.
    trial = read_log(second.path).trials[2]
    events = RunFolder(second.path).events
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    for line in lines:
        if line["event"] == "trial_ended" and line["number"] == 2:
            line |= {"state": "terminated", "why": {"rule": "bandit", "interval": 3}}
    assert soon(lambda: holder(RunFolder(second.path).alive, "supervisor") is None, 60)
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    RunFolder(second.path).verdict.unlink(missing_ok=True)
    verdict = verdict_on(second)
    assert trial.state == "finished"
    assert verdict.chip == "3 of 4 trials the same"
    ends = "trial 2: ended early by the policy after 3 values, finished in the first one"
    assert verdict.details == [f"{ends}; the same in all 6 values that both logged"]


def test_an_edition_is_executed_again_from_what_was_kept(tmp_path: Path) -> None:
    cells = (
        code("region = 'EU'\nepochs: int = 3", "parameters"),
        "import mlwidgets\nfor i in range(epochs): mlwidgets.log(loss=1 / (i + 1))",
        "print(region, 'sold', 10 * epochs)",
    )
    path = write(tmp_path / "work" / "sales.ipynb", *cells)
    first = mlwidgets.report(path, params={"epochs": "2"}, wait=True)
    shutil.rmtree(path.parent)
    report = Report(RunStore(first.path.parent.parent), "sales")
    second = again(first)
    verdict = verdict_on(second)
    assert (verdict.equal, verdict.chip) == (True, "same bits"), verdict
    assert "the outputs of all cells are the same" in verdict.details
    assert printed(executed(second)[-1]) == "EU sold 20\n"
    assert report.ids() == [first.id]

    third = again(first, publish=True, region="US", epochs="4")
    verdict = verdict_on(third)
    assert (verdict.equal, verdict.chip) == (None, "2 changes")
    assert any("US" in line for line in verdict.details), verdict
    assert printed(executed(third)[-1]) == "US sold 40\n"
    assert soon(lambda: report.ids() == [third.id, first.id], 60)
    with pytest.raises(CannotRerun, match="did you mean 'region'"):
        again(first, regoin="US")
    with pytest.raises(CannotRerun, match="is no int"):
        again(first, epochs="many")


def test_outputs_that_are_not_the_same_are_told(tmp_path: Path) -> None:
    counted = tmp_path / "count"
    source = f"p = {str(counted)!r}\nopen(p, 'a').write('x')\nprint('visitors', len(open(p).read()))"
    first = mlwidgets.report(write(tmp_path / "n.ipynb", source), publish=False, wait=True)
    time.sleep(0.01)
    verdict = verdict_on(again(first))
    assert (verdict.equal, verdict.chip) == (False, "1 output differs")
    assert verdict.details[0] == "visitors: 2, it was 1"
    same = mlwidgets.report(write(tmp_path / "same.ipynb", "print('hello')"), publish=False, wait=True)
    verdict = verdict_on(again(same))
    assert (verdict.equal, verdict.chip) == (True, "same outputs")
