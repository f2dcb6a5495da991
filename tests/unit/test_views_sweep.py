from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.outline import count
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.sweeps.definition import Limits
from mlwidgets.sweeps.requests import Wishes
from mlwidgets.views.answers import MOST_TRIALS
from mlwidgets.views.conversation import Conversation
from mlwidgets.views.data import snapshot
from mlwidgets.views.follow import Follower
from mlwidgets.views.static import MIME, first_bundle
from mlwidgets.views.sweep import about, script_text
from mlwidgets.views.sweeppace import remaining
from mlwidgets.views.widget import RunView
from tests.unit.sweep_support import POLICY, SweepFolder, curve, sample, typical, why
from tests.unit.views_support import make_run


class Client:
    """Merges states and frames as a browser does."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self.sweep: dict[str, Any] = {"trials": {}, "curves": {}}
        self.parts: dict[str, Any] = {}
        self.sent: dict[str, Any] = {}

    def look(self) -> dict[str, Any]:
        """Return the part of the next frame that is about the sweep."""
        changes = self._follower.changes()
        self.parts.update({key: value for key, value in changes.items() if key != "sweep"})
        news = changes.get("sweep", {})
        self._merge(news)
        return news

    def _merge(self, news: dict[str, Any]) -> None:
        self.sweep.update({key: value for key, value in news.items() if key not in {"trials", "curves"}})
        self.sweep["trials"].update({one["number"]: one for one in news.get("trials", ())})
        for one in news.get("curves", ()):
            before = self.sweep["curves"].get(one["number"], (0, np.empty((4, 0))))[1]
            points = np.frombuffer(one["points"]).reshape(4, -1)
            self.sweep["curves"][one["number"]] = one["n"], np.concatenate([before[:, : one["keep"]], points], axis=1)

    def has_the_state(self) -> bool:
        """Whether merging has come to what whoever begins to look is sent."""
        whole = Client(self._follower)
        whole._merge(self._follower.full()["sweep"])
        mine, other = self.sweep.pop("curves"), whole.sweep.pop("curves")
        same = self.sweep == whole.sweep and mine.keys() == other.keys()
        for number, (n, points) in mine.items():
            same &= other[number][0] == n and np.array_equal(other[number][1], points, equal_nan=True)
        self.sweep["curves"] = mine
        return same


@pytest.fixture
def sweep(tmp_path: Path) -> SweepFolder:
    return SweepFolder(tmp_path / "runs")


def test_frames_come_to_the_state(sweep: SweepFolder) -> None:
    client = Client(Follower(sweep.run))
    chance = random.Random(0)
    live: dict[int, str] = {}
    for number in range(40):
        live[number] = sweep.submit(number, sample(number), at=number)
        if chance.random() < 0.3:
            client.look()
        sweep.start(live[number], number)
        for one, run in list(live.items()):
            sweep.log(run, [chance.choice([chance.random(), float("nan")]) for _ in range(chance.randrange(60))])
            if chance.random() < 0.4:
                sweep.end(one, run, chance.choice(["finished", "terminated", "failed"]), [chance.random()], at=number)
                del live[one]
        if chance.random() < 0.5:
            client.look()
            assert client.has_the_state()
    sweep.finish()
    client.look()
    assert client.has_the_state()
    assert client.sweep["status"]["counts"]["stopped"] == len(live)
    assert not client.look()
    assert Follower(sweep.run).changes()["sweep"]["status"]["counts"] == client.sweep["status"]["counts"]


def test_a_quiet_sweep_is_told_once(tmp_path: Path) -> None:
    follower = Follower(typical(tmp_path / "runs", 12, going=True).run)
    assert {"about", "status", "trials", "curves", "importance"} <= follower.changes()["sweep"].keys()
    assert "sweep" not in follower.changes()


def test_of_ended_trials_nothing_is_read_again(sweep: SweepFolder) -> None:
    run = sweep.trial(0, sample(0), curve(0))
    client = Client(Follower(sweep.run))
    client.look()
    sweep.log(run, [0.1])
    shutil.rmtree(sweep.of(run).path)
    sweep.trial(1, sample(1), [], state="waiting")
    news = client.look()
    assert [one["number"] for one in news["trials"]] == [1]
    assert "curves" not in news
    assert client.sweep["curves"][0][0] == 30
    assert client.sweep["trials"][0]["started"] is not None


def test_other_runs_have_no_such_part(tmp_path: Path) -> None:
    run = make_run(tmp_path, metrics={"loss": [1.0]})
    assert snapshot(run).sweep is None
    follower = Follower(run)
    assert "sweep" not in follower.changes()
    assert "sweep" not in follower.full()


@pytest.mark.parametrize(
    "damage", [{}, {"objectives": []}, {"objectives": 3}, {"objectives": [{"metric": "a", "x": 1}]}]
)
def test_a_sweep_whose_definition_cannot_be_read_is_a_run(sweep: SweepFolder, damage: dict[str, Any]) -> None:
    path = RunFolder(sweep.folder.path).spec
    path.write_text(json.dumps({**json.loads(path.read_text()), "sweep": damage}))
    assert "sweep" not in Follower(sweep.run).changes()
    assert snapshot(sweep.run).sweep is None


def test_a_trial_through_its_life(sweep: SweepFolder) -> None:
    client = Client(Follower(sweep.run))
    client.look()
    assert client.parts["progress"] == {
        "fraction": 0.0, "label": "0 of 20 trials", "remaining": None, "at": client.sweep["status"]["at"],
    }  # fmt: skip

    run = sweep.submit(0, {"lr": 0.1, "act": "relu", "deep": True, "shape": (1, 2), "none": None}, at=10)
    (row,) = client.look()["trials"]
    assert row == {
        "number": 0, "run": run, "name": "lenet-search-0", "state": "waiting", "values": None, "best": None,
        "params": {"lr": 0.1, "act": "relu", "deep": True, "shape": "(1, 2)", "none": None}, "reports": 0,
        "submitted": pytest.approx(sweep.begin + 10), "started": None, "ended": None, "cause": None, "why": None,
        "attempts": 1, "by": "sampler",
    }  # fmt: skip
    assert client.sweep["status"]["counts"]["waiting"] == 1

    sweep.start(run, 12)
    (row,) = client.look()["trials"]
    assert (row["state"], row["started"]) == ("running", pytest.approx(sweep.begin + 12))
    assert client.sweep["status"]["counts"] == {**count([]), "running": 1}

    sweep.log(run, [0.4, 0.6, 0.5])
    news = client.look()
    assert (news["trials"][0]["values"], news["trials"][0]["best"], news["trials"][0]["reports"]) == ([0.5], 0.6, 3)
    assert "status" not in news
    assert client.sweep["curves"][0][1][2].tolist() == [0.4, 0.6, 0.5]

    sweep.event("terminating", number=0, run=run, why=why(0, 2, 0.5, 0.9))
    (row,) = client.look()["trials"]
    assert (row["state"], row["why"]["interval"], row["why"]["policy"]) == ("running", 3, POLICY)

    sweep.end(0, run, "terminated", [0.5], 20, why=why(0, 2, 0.5, 0.9))
    (row,) = client.look()["trials"]
    assert (row["state"], row["values"], row["why"]["step"]) == ("terminated", [0.5], 2)
    assert (row["started"], row["ended"]) == (pytest.approx(sweep.begin + 12), pytest.approx(sweep.begin + 20))
    assert client.sweep["status"]["counts"] == {**count([]), "terminated": 1}
    assert client.parts["progress"]["label"] == "1 of 20 trials"


def test_slots_that_are_given_back_and_a_trial_begun_anew(sweep: SweepFolder) -> None:
    client = Client(Follower(sweep.run))
    first = sweep.trial(0, sample(0), [0.9, 0.8], state="running")
    client.look()
    sweep.event("given_back", number=0, run=first)
    client.look()
    assert client.sweep["trials"][0]["state"] == "waiting"
    assert client.sweep["status"]["counts"] == {**count([]), "given_back": 1}
    again = sweep.submit(0, sample(0), 50, attempt=2)
    client.look()
    row = client.sweep["trials"][0]
    assert (row["run"], row["state"], row["values"], row["best"], row["reports"]) == (again, "waiting", None, None, 0)
    assert client.sweep["curves"][0][1].size == 0
    assert client.has_the_state()
    assert snapshot(sweep.run).sweep is not None
    sweep.start(again, 51)
    sweep.log(again, [0.1])
    client.look()
    row = client.sweep["trials"][0]
    assert (row["run"], row["attempts"], row["state"], row["values"], row["reports"]) == (again, 2, "running", [0.1], 1)
    assert client.sweep["curves"][0][0] == 1
    assert client.sweep["curves"][0][1][2].tolist() == [0.1]
    assert client.has_the_state()


def test_results_of_earlier_runs(sweep: SweepFolder) -> None:
    params = {"lr": "0.01"}
    sweep.event("earlier", number=0, run=None, params=params, values=[0.99], by="warm-start", name="first")
    sweep.trial(1, sample(1), [0.5])
    client = Client(Follower(sweep.run))
    client.look()
    row = client.sweep["trials"][0]
    assert (row["name"], row["by"], row["state"], row["values"], row["best"]) == (
        "first", "warm-start", "finished", [0.99], 0.99,
    )  # fmt: skip
    assert client.sweep["status"]["counts"] == {**count([]), "finished": 1}
    best = client.sweep["status"]["best"]
    assert (best["number"], best["values"]) == (1, [0.5]), "it is the best of the sweep's own"


def test_what_an_attempt_logged_that_failed_is_not_shown(tmp_path: Path) -> None:
    sweep = SweepFolder(tmp_path / "runs", resources={"retries": 1})
    client = Client(Follower(sweep.run))
    run = sweep.trial(0, sample(0), [0.9, 0.95, 0.97], state="running")
    client.look()
    time.sleep(0.002)
    write_event(sweep.of(run).events, "attempt", number=2, of=2)
    client.look()
    row = client.sweep["trials"][0]
    assert (row["values"], row["best"], row["reports"]) == (None, None, 0)
    assert client.sweep["curves"][0][1].size == 0
    time.sleep(0.002)
    sweep.log(run, [0.1, 0.2])
    client.look()
    row = client.sweep["trials"][0]
    assert (row["values"], row["best"], row["reports"]) == ([0.2], 0.2, 2)
    assert client.sweep["curves"][0][1][2].tolist() == [0.1, 0.2]
    assert client.has_the_state()
    late = Client(Follower(sweep.run))
    late.look()
    assert late.sweep["trials"][0]["best"] == 0.2


def test_what_came_after_the_verdict_is_not_shown(sweep: SweepFolder) -> None:
    client = Client(Follower(sweep.run))
    run = sweep.trial(0, sample(0), [0.1, 0.2, 0.9], state="running")
    client.look()
    sweep.event("terminating", number=0, run=run, why=why(0, 1, 0.2, 0.9))
    sweep.log(run, [0.95])
    client.look()
    sweep.end(0, run, "terminated", [0.2], 20, why=why(0, 1, 0.2, 0.9))
    client.look()
    late = Client(Follower(sweep.run))
    late.look()
    for one in (client, late):
        row = one.sweep["trials"][0]
        assert (row["values"], row["best"], row["reports"]) == ([0.2], 0.2, 2)
        assert one.sweep["curves"][0][1][2].tolist() == [0.1, 0.2]
    assert client.has_the_state()


def test_trials_of_which_the_sweep_could_not_say_how_they_ended(sweep: SweepFolder) -> None:
    runs = [sweep.trial(number, sample(number), [0.5], state="running") for number in range(3)]
    waits = sweep.trial(3, sample(3), [], state="waiting")
    client = Client(Follower(sweep.run))
    client.look()
    sweep.event("terminating", number=1, run=runs[1], why=why(1, 0, 0.5, 0.9))
    for run, state in zip(runs, ("finished", "stopped", "killed"), strict=True):
        write_outcome(sweep.of(run), Outcome(state, None, sweep.begin, sweep.begin + 9))
    shutil.rmtree(sweep.of(waits).path)
    client.look()
    # Until the sweep has ended its controller has the last word.
    assert client.sweep["trials"][0]["state"] == "running"
    sweep.finish("killed")
    client.look()
    assert [client.sweep["trials"][i]["state"] for i in range(4)] == ["finished", "terminated", "killed", "stopped"]
    assert client.sweep["trials"][0]["ended"] == pytest.approx(sweep.begin + 9)
    assert client.sweep["status"]["counts"] == {
        **count([]), "finished": 1, "terminated": 1, "failed": 1, "stopped": 1,
    }  # fmt: skip
    assert client.parts["progress"] is None


def test_a_pause_and_another_number_at_a_time(sweep: SweepFolder) -> None:
    client = Client(Follower(sweep.run))
    client.look()
    assert (client.sweep["status"]["concurrent"], client.sweep["status"]["paused"]) == (5, None)
    sweep.event("paused", why="3 trials in a row failed", by="controller")
    sweep.event("concurrent", n=2, by="user")
    assert client.look()["status"]["paused"] == "3 trials in a row failed"
    sweep.event("paused", why="paused by user", by="user")
    assert client.look()["status"]["paused"] == "by user"
    assert client.sweep["status"]["concurrent"] == 2
    sweep.event("resumed", by="user")
    assert client.look()["status"]["paused"] is None


def test_what_early_termination_saved(sweep: SweepFolder) -> None:
    client = Client(Follower(sweep.run))
    sweep.trial(0, sample(0), curve(0, 10), state="terminated", took=25)
    client.look()
    assert client.sweep["status"]["saved"] is None
    for number, (reports, took) in enumerate([(20, 50), (30, 70), (40, 200)], 1):
        sweep.trial(number, sample(number), curve(number, reports), took=took)
    sweep.trial(4, sample(4), curve(4, 35), state="terminated", took=80)
    client.look()
    # The medians are 30 intervals and 70 seconds; the one that was longer than that has saved nothing.
    assert client.sweep["status"]["saved"] == {
        "intervals": 20, "seconds": pytest.approx(45), "share": pytest.approx(45 / (45 + 25 + 50 + 70 + 200 + 80)),
    }  # fmt: skip


def test_without_a_policy_nothing_is_saved(tmp_path: Path) -> None:
    sweep = SweepFolder(tmp_path / "runs", policy=None)
    sweep.trial(0, sample(0), curve(0))
    client = Client(Follower(sweep.run))
    client.look()
    assert client.sweep["status"]["saved"] is None


def _left(
    sweep: SweepFolder, states: dict[str, int], took: float, going_for: list[float], *waits: float, **given: Any
) -> Any:
    rows = [{"state": "finished", "started": 100.0, "ended": 100.0 + took} for _ in range(states.get("finished", 0))]
    rows += [{"state": "running", "started": 1000.0 - seconds, "ended": None} for seconds in going_for]
    rows += [{"state": "waiting", "submitted": 1000.0 - seconds, "started": None, "ended": None} for seconds in waits]
    counts = {**count([]), **states, "running": len(going_for), "waiting": len(waits)}
    return remaining(sweep.definition, rows, counts, given.get("concurrent", 5), given.get("begun"), 1000.0)


def test_the_time_that_remains(tmp_path: Path) -> None:
    sweep = SweepFolder(tmp_path / "runs", limits=Limits(trials=20))
    assert _left(sweep, {}, 60, [10]) is None
    # 10 to come and two halves under way, two at a time.
    assert _left(sweep, {"finished": 8}, 60, [30, 30], 40) == pytest.approx((10 * 60 + 2 * 30) / 2)
    # One more is about to begin.
    assert _left(sweep, {"finished": 8}, 60, [30], 1) == pytest.approx((11 * 60 + 30) / 2)
    # Somebody else's place is taken in a moment.
    assert _left(sweep, {"finished": 9}, 60, [30], concurrent=2) == pytest.approx((10 * 60 + 30) / 2)
    # The last one alone takes what it takes.
    assert _left(sweep, {"finished": 18}, 60, [30, 50], concurrent=2) == pytest.approx(30)
    # It has run for longer than the others did.
    assert _left(sweep, {"finished": 19}, 60, [90], concurrent=2) == 0
    timed = SweepFolder(tmp_path / "timed", limits=Limits(trials=20, time=500))
    assert _left(timed, {}, 60, [10], begun=600.0) == pytest.approx(100)
    assert _left(timed, {"finished": 8}, 60, [30, 30], begun=600.0, concurrent=2) == pytest.approx(100)


def test_several_objectives(tmp_path: Path) -> None:
    objectives = [("accuracy", "maximize"), ("latency", "minimize")]
    sweep = SweepFolder(tmp_path / "runs", objectives=objectives, policy=None)
    for number, values in enumerate([(0.9, 10.0), (0.95, 30.0), (0.9, 12.0)]):
        run = sweep.submit(number, sample(number))
        sweep.start(run)
        sweep.log(run, [0.1, values[0]])
        sweep.log(run, [values[1]], "latency")
        sweep.end(number, run, "finished", values, 10)
    client = Client(Follower(sweep.run))
    client.look()
    assert (client.sweep["status"]["best"], client.sweep["status"]["front"]) == (None, [1, 0])
    assert client.sweep["trials"][1]["values"] == [0.95, 30.0]
    assert client.sweep["curves"][1][1][2].tolist() == [0.1, 0.95]


def test_a_curve_has_few_points_and_keeps_its_extremes(sweep: SweepFolder) -> None:
    values = [random.Random(i).random() for i in range(5000)]
    values[2345], values[3456] = 7.0, -7.0
    sweep.trial(0, sample(0), values)
    (one,) = Follower(sweep.run).changes()["sweep"]["curves"]
    points = np.frombuffer(one["points"]).reshape(4, -1)
    assert (one["n"], points.shape[1] <= 64) == (5000, True)
    assert (points[2].max(), points[2].min()) == (7.0, -7.0)
    assert points[2][[0, -1]].tolist() == [values[0], values[-1]]


def test_numbers_that_are_not_finite_can_be_sent(sweep: SweepFolder) -> None:
    sweep.trial(0, {"lr": float("inf")}, [float("nan")], why=None)
    sweep.trial(
        1, {"lr": 10**400, "note": "x" * 5000}, [1.0], state="terminated", why={"value": float("nan"), "rule": 3}
    )
    said: list[Any] = []
    talk = Conversation([sweep.run], lambda content, buffers, to: said.append(content))
    talk.answer({"type": "hello"})
    text = json.dumps(said, allow_nan=False)
    trials = json.loads(text)[0]["state"]["runs"][0]["sweep"]["trials"]
    assert (trials[0]["params"], trials[0]["values"], trials[0]["best"]) == ({"lr": "Infinity"}, ["NaN"], None)
    assert (len(trials[1]["params"]["note"]), trials[1]["why"]["value"]) == (200, "NaN")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("loguniform(1e-05, 0.1)", {"low": 1e-5, "high": 0.1, "log": True}),
        ("quniform(0, 10, 2)", {"low": 0, "high": 10, "integer": True}),
        ("quniform(0.0, 0.5, 0.05)", {"low": 0.0, "high": 0.5, "integer": False}),
        ("randint(8)", {"low": 0, "high": 7, "integer": True}),
        ("randint(2, 8)", {"low": 2, "high": 8, "integer": True}),
        ("normal(1.0, 0.5)", {"low": -0.5, "high": 2.5, "log": False}),
        ("lognormal(0, 1)", {"low": pytest.approx(np.exp(-3)), "high": pytest.approx(np.exp(3)), "log": True}),
        ("choice(sgd, 0.1, 1e-07, True, None)", {"choices": ["sgd", "0.1", "1e-7", "true", "null"], "low": None}),
        ("uniform(0.0, 0.9).when(optimizer=sgd)", {"kind": "uniform", "when": "optimizer=sgd", "high": 0.9}),
        ("uniform(", {"kind": "uniform", "low": None}),
        ("what(1, 2)", {"kind": "what", "low": None, "choices": None}),
    ],
)  # fmt: skip
def test_what_is_searched(tmp_path: Path, text: str, said: dict[str, Any]) -> None:
    (one,) = about(SweepFolder(tmp_path / "runs", space={"x": text}).definition)["space"]
    assert {key: one[key] for key in said} == said
    assert (one["name"], one["text"]) == ("x", text)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a b", "a b"), (3, "3"), (True, "true"), (None, "null"), (0.0, "0"), (-0.0, "0"), (1.0, "1"), (0.1, "0.1"),
     (1e-05, "0.00001"), (1.5e-06, "0.0000015"), (1e-07, "1e-7"), (1.5e-07, "1.5e-7"), (1e20, "100000000000000000000"),
     (1e21, "1e+21"), (1.25e+30, "1.25e+30"), (-2.5, "-2.5"), (123456.789, "123456.789")],
)  # fmt: skip
def test_texts_of_values_in_a_browser(value: Any, text: str) -> None:
    assert script_text(value) == text


@pytest.fixture
def told_to_end() -> Iterator[list[int]]:
    """How often this process was told to end: as far as locks tell it is the worker of trials that go on."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    yield told
    signal.signal(signal.SIGTERM, before)


def test_a_widget_asks_the_sweep_and_stops_its_trials(
    sweep: SweepFolder, tmp_path: Path, told_to_end: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    run, other = sweep.trial(0, sample(0), [0.5], state="running"), SweepFolder(tmp_path / "others" / "runs")
    view = RunView(sweep.run)
    for asked in ({"ask": "pause"}, {"ask": "concurrent", "n": 2}, {"ask": "concurrent", "n": 0}, {"ask": "fly"}):
        view._receive(None, {"type": "sweep", "run": sweep.folder.id, **asked}, [])
    view._receive(None, {"type": "sweep", "run": other.folder.id, "ask": "pause"}, [])
    said = [(one.ask, one.by, one.about) for one in Wishes(sweep.folder.wishes).advance()]
    assert said == [("pause", "user", {}), ("concurrent", "user", {"n": 2, "now": False})]
    assert Wishes(other.folder.wishes).advance() == []
    assert [one.levelname for one in caplog.records] == ["WARNING"] * 3
    view._receive(None, {"type": "stop", "run": run}, [])
    assert (sweep.of(run).stop_request.exists(), sweep.folder.stop_request.exists()) == (True, False)
    assert len(told_to_end) == 1


def test_only_the_trials_asked_for_last_are_followed(sweep: SweepFolder) -> None:
    runs = [sweep.trial(number, sample(number), [0.5]) for number in range(MOST_TRIALS + 2)]
    said: list[Any] = []
    talk = Conversation([sweep.run], lambda content, buffers, to: said.append(content["answer"]))
    for run in [*runs, runs[0]]:
        talk.answer({"type": "trial", "run": sweep.folder.id, "trial": run})
        assert said[-1]["state"]["header"]["id"] == run
    assert len(talk._answers._trials) == MOST_TRIALS


def test_a_new_sweep_is_seen_as_one_at_once(sweep: SweepFolder) -> None:
    first = first_bundle(sweep.run)[MIME]["runs"][0]["sweep"]
    assert (first["trials"], first["status"]["planned"], first["about"]["sampler"]) == ([], 20, "tpe")
    assert first["status"]["counts"] == count([])
    # Of one that has gone on for a while nothing is said before it is known.
    sweep.trial(0, sample(0), [0.5])
    assert "sweep" not in first_bundle(sweep.run)[MIME]["runs"][0]
