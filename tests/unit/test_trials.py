from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs.index import RunIndex, RunSummary
from mlwidgets.runs.journal import LineWriter
from mlwidgets.runs.outline import count, outline
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trials import Trial, TrialLog, best, front, read_trials
from tests.unit.sweep_support import SweepFolder, curve, sample, typical, why


@pytest.fixture
def log(tmp_path: Path) -> TrialLog:
    return TrialLog(tmp_path / "events.jsonl")


def _write(log: TrialLog, *events: tuple[str, dict[str, Any]]) -> set[int]:
    writer = LineWriter(log.path)
    for kind, fields in events:
        writer.write(kind, **fields)
    return log.advance()


def _trial(number: int, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "trial", {"number": number, "run": f"r{number}", "params": {"lr": "0.1"}, "attempt": 1, **fields}


def _ended(number: int, state: str = "finished", values: Any = None, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "trial_ended", {"number": number, "run": f"r{number}", "state": state, "values": values, **fields}


def test_a_trial_from_its_beginning_to_its_end(log: TrialLog) -> None:
    assert log.advance() == set()
    assert _write(log, _trial(0, params={"lr": "0.1", "act": "'relu'", "odd": "<object>"}, by="hand")) == {0}
    (trial,) = log.trials.values()
    assert (trial.run, trial.params, trial.by) == ("r0", {"lr": 0.1, "act": "relu", "odd": "<object>"}, "hand")
    assert (trial.state, trial.is_over, trial.attempts) == ("open", False, 1)
    assert _write(log, ("terminating", {"number": 0, "why": {"rule": "poor"}})) == {0}
    assert (trial.is_over, trial.why) == (False, {"rule": "poor"})
    assert _write(log, _ended(0, "terminated", [0.5], cause="x", why={"rule": "very poor"})) == {0}
    assert (trial.state, trial.values, trial.cause, trial.why) == ("terminated", [0.5], "x", {"rule": "very poor"})
    assert trial.ended
    assert trial.ended >= trial.submitted


def test_a_trial_ends_once(log: TrialLog) -> None:
    _write(log, _trial(0), _ended(0, values=[0.5]))
    assert _write(log, _ended(0, "failed"), _trial(0, attempt=2), ("given_back", {"number": 0})) == set()
    assert (log.trials[0].state, log.trials[0].values, log.trials[0].attempts) == ("finished", [0.5], 1)


def test_a_trial_that_finished_before_the_policy_could_end_it_has_no_reason(log: TrialLog) -> None:
    _write(log, _trial(0), ("terminating", {"number": 0, "why": {"rule": "poor"}}), _ended(0, values=[0.5], why=None))
    assert log.trials[0].why is None


def test_slots_that_are_given_back(log: TrialLog) -> None:
    _write(log, _trial(0), ("given_back", {"number": 0, "run": "r0"}))
    assert (log.trials[0].state, log.trials[0].is_over) == ("given_back", False)
    _write(log, _trial(0, run="again", attempt=2))
    assert (log.trials[0].state, log.trials[0].run, log.trials[0].attempts) == ("open", "again", 2)


def test_what_is_said_of_the_sweep(log: TrialLog) -> None:
    _write(log, ("paused", {"why": "the disk is full", "by": "controller"}), ("concurrent", {"n": 3}))
    assert (log.paused, log.concurrent, log.importance) == ("the disk is full", 3, None)
    _write(log, ("resumed", {}), ("importance", {"values": {"lr": 0.7, "x": "?", "y": float("nan")}}))
    assert (log.paused, log.concurrent, log.importance) == (None, 3, {"lr": 0.7})


def test_each_line_is_read_once_and_a_torn_one_later(log: TrialLog) -> None:
    _write(log, _trial(0))
    version = log.version
    line = json.dumps({"event": "trial", "time": 1.0, **_trial(1)[1]})
    with open(log.path, "a") as file:
        file.write(line[:20])
        file.flush()
        assert log.advance() == set()
        assert log.version == version
        file.write(line[20:] + "\n")
    assert log.advance() == {1}
    assert log.version == version + 1
    assert _write(log, ("metric", {"name": "loss"})) == set()
    assert log.version == version + 1


@pytest.mark.parametrize(
    "event",
    [
        ("trial", {}), ("trial", {"number": "1"}), ("trial", {"number": -1}), ("trial", {"number": True}),
        ("trial_ended", {"number": 7, "state": "finished"}), ("trial_ended", {"number": 0, "state": "on fire"}),
        ("trial_ended", {"number": 0, "state": ["finished"]}), ("given_back", {"number": None}),
        ("earlier", {"number": 0, "values": [1.0]}), ("terminating", {"number": [0]}), ("importance", {"values": 3}),
        ("concurrent", {"n": "many"}), ("concurrent", {"n": 0}),
    ],
)  # fmt: skip
def test_events_that_make_no_sense_are_passed_over(log: TrialLog, event: tuple[str, dict[str, Any]]) -> None:
    _write(log, _trial(0))
    assert _write(log, event) == set()
    assert [(one.number, one.state) for one in log.trials.values()] == [(0, "open")]
    assert (log.concurrent, log.importance) == (None, None)


@pytest.mark.parametrize("run", ["../../etc", "/etc", ".new-r0", "a/b", "", 3, None, ["r"]])
def test_a_run_is_a_name_in_the_store(log: TrialLog, run: Any) -> None:
    _write(log, _trial(0, run=run))
    assert log.trials[0].run is None


@pytest.mark.parametrize("values", [[], "0.5", [None], ["0.5"], [True], [10**400], {"0": 1}])
def test_values_that_are_none(log: TrialLog, values: Any) -> None:
    _write(log, _trial(0), _ended(0, values=values))
    assert (log.trials[0].state, log.trials[0].values, log.trials[0].is_result) == ("finished", None, False)


def test_parameters_that_are_no_texts(log: TrialLog) -> None:
    _write(log, _trial(0, params={"a": [1], "b": None, "c": "nan", "d": "1e400"}))
    assert str(log.trials[0].params) == "{'a': [1], 'b': None, 'c': nan, 'd': inf}"


def _results(*values: tuple[float, ...] | None) -> list[Trial]:
    return [
        Trial(i, f"r{i}", {}, "sampler", 0.0, state="finished", values=None if one is None else list(one))
        for i, one in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("values", "sign", "number"),
    [([1.0, 3.0, 2.0], 1, 1), ([1.0, 3.0, 2.0], -1, 0), ([2.0, 3.0, 3.0], 1, 1), ([2.0, 2.0], -1, 0),
     ([float("nan"), 1.0, float("inf")], 1, 1), ([float("nan")], 1, None), ([], 1, None)],
)  # fmt: skip
def test_the_best(values: list[float], sign: int, number: int | None) -> None:
    found = best(_results(*((one,) for one in values)), sign)
    assert (found.number if found else None) == number


def test_what_was_taken_over_is_not_the_best() -> None:
    trials = _results((1.0,), (3.0,), (2.0,))
    trials[1].by = "warm-start"
    assert best(trials, 1) is trials[2]
    assert front(trials, [1]) == [trials[2]]


def test_what_did_not_finish_is_not_the_best() -> None:
    trials = _results((1.0,), (3.0,), None)
    trials[1].state = "terminated"
    assert best(trials, 1) is trials[0]


def test_the_front_of_several_objectives() -> None:
    # More of the first, less of the second.
    trials = _results((0.9, 10.0), (0.95, 30.0), (0.8, 5.0), (0.9, 12.0), (0.7, 6.0), (0.95, 30.0), None, (0.99,))
    assert [one.number for one in front(trials, [1, -1])] == [1, 5, 0, 2]
    assert front([], [1, -1]) == []


def test_the_front_is_what_no_other_surpasses() -> None:
    trials = _results(*(((i * 37) % 101 / 10, (i * 53) % 97 / 10, (i * 29) % 89 / 10) for i in range(150)))
    signs = [1, -1, 1]
    good = {one.number: [s * v for s, v in zip(signs, one.values or [], strict=True)] for one in trials}

    def surpassed(mine: list[float]) -> bool:
        return any(all(a >= b for a, b in zip(other, mine, strict=True)) and other != mine for other in good.values())

    assert {one.number for one in front(trials, signs)} == {n for n, mine in good.items() if not surpassed(mine)}


def test_killed_trials_and_those_without_time_have_failed() -> None:
    assert count(["killed", "timeout", "failed", "terminated", "given_back"]) == {
        "running": 0, "waiting": 0, "finished": 0, "terminated": 1, "failed": 3, "stopped": 0, "given_back": 1,
    }  # fmt: skip


def test_the_outline_of_a_sweep_that_goes_on_and_of_one_that_has_ended(tmp_path: Path) -> None:
    sweep = SweepFolder(tmp_path / "runs")
    sweep.event("earlier", number=0, run=None, params=sample(0), values=[0.7], by="warm-start", name="old")
    sweep.trial(1, sample(1), curve(1), why=None)
    sweep.trial(2, sample(2), curve(2)[:6], state="terminated", why=why(2, 5, 0.5, 0.9))
    sweep.trial(3, sample(3), curve(3)[:6], state="running")
    sweep.event("paused", why="enough", by="user")
    log = TrialLog(sweep.folder.events)
    log.advance()
    said = outline(log, sweep.definition.to_json(), lambda one: one.number == 9, ended=False)
    assert said["counts"] == {**count([]), "finished": 1, "terminated": 1, "waiting": 1}
    assert (said["planned"], said["best_trial"], said["best"], said["paused"]) == (20, 1, [curve(1)[-1]], "enough")
    assert said["objectives"] == [{"metric": "val_accuracy", "direction": "maximize"}]
    said = outline(log, sweep.definition.to_json(), ended=True)
    assert said["counts"] == {**count([]), "finished": 1, "terminated": 1, "stopped": 1}
    assert said["paused"] is None


def test_all_trials_by_number(tmp_path: Path) -> None:
    sweep = typical(tmp_path / "runs", 12)
    found = read_trials(sweep.folder.path)
    assert [one.number for one in found] == list(range(12))
    assert [one.state for one in found[:9]] == [
        "finished", "finished", "terminated", "finished", "finished", "terminated", "finished", "failed", "terminated",
    ]  # fmt: skip
    assert found[3].params == sample(3)


def test_sweeps_and_trials_in_the_index(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    store.prepare()
    ended, going = typical(store.runs, 6), SweepFolder(store.runs, "going")
    going.trial(0, sample(0), [0.5])

    def listed() -> dict[str, RunSummary]:
        return {one.id: one for one in RunIndex(store).summaries()}

    first = listed()
    said = first[ended.folder.id].sweep or {}
    assert said["counts"] == {**count([]), "finished": 4, "terminated": 2}
    assert (said["planned"], said["best_trial"]) == (6, 1)
    assert (first[going.folder.id].sweep or {})["counts"] == {**count([]), "finished": 1}
    trials = {one.trial: one.trial_of for one in first.values() if one.trial_of == ended.folder.id}
    assert trials == dict.fromkeys(range(6), ended.folder.id)
    assert RunIndex(store).kept().keys() == first.keys() - {going.folder.id}
    assert listed() == first
    # What was said of the sweep that has ended comes out of the index.
    ended.folder.events.write_bytes(b"")
    assert listed()[ended.folder.id].sweep == said


@pytest.mark.parametrize(
    "damage", [{}, {"objectives": None}, {"objectives": [{}], "limits": {"trials": 3}}, {"limits": 3}]
)
def test_a_sweep_with_a_damaged_definition_is_listed(tmp_path: Path, damage: dict[str, Any]) -> None:
    store = RunStore(tmp_path / "store")
    store.prepare()
    sweep = SweepFolder(store.runs)
    data = json.loads(sweep.folder.spec.read_text())
    sweep.folder.spec.write_text(json.dumps({**data, "sweep": damage}))
    assert [(one.name, one.sweep) for one in RunIndex(store).summaries()] == [("lenet-search", None)]
