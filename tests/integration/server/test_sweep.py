"""What the server tells of sweeps, and who may ask what of them."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs.outline import count
from mlwidgets.sweeps.requests import Wishes
from tests.integration.server.test_stream import about, said
from tests.unit.sweep_support import SweepFolder, curve, sample, typical
from tests.unit.views_support import make_run


def wishes(sweep: SweepFolder) -> list[tuple[str, str, dict[str, Any]]]:
    return [(one.ask, one.by, one.about) for one in Wishes(sweep.folder.wishes).advance()]


def error(message: Any) -> bool:
    return bool(message["type"] == "error")


async def opened(connect: Any, *runs: str) -> Any:
    """Return a socket that shows these runs in channel 1, and their state."""
    socket = await connect()
    await socket.send(type="open", channel=1, store="", runs=list(runs))
    return socket, (await socket.until(said("state")))["message"]["state"]


async def test_rows_of_sweeps_and_trials(ask: Any, runs: Path) -> None:
    going, ended, other = SweepFolder(runs, "going"), typical(runs, 12), make_run(runs, "lenet")
    first = going.trial(0, sample(0), [0.5, float("inf")])
    _, listed = await ask("runs", limit=100)
    rows = {row["id"]: row for row in listed["runs"]}
    assert rows[ended.folder.id]["sweep"] == {
        "objectives": [{"metric": "val_accuracy", "direction": "maximize"}],
        "planned": 12,
        "counts": {**count([]), "finished": 7, "terminated": 4, "failed": 1},
        "best": [pytest.approx(0.98804, rel=1e-4)],
        "best_trial": 10,
        "paused": None,
    }
    assert (rows[ended.folder.id]["trial_of"], rows[ended.folder.id]["trial"]) == (None, None)
    assert (rows[first]["trial_of"], rows[first]["trial"], rows[first]["sweep"]) == (going.folder.id, 0, None)
    assert (rows[other.id]["trial_of"], rows[other.id]["trial"], rows[other.id]["sweep"]) == (None, None, None)
    assert rows[going.folder.id]["sweep"]["counts"] == {**count([]), "finished": 1}
    # Once more, out of the index.
    _, again = await ask("runs", limit=100)
    assert {row["id"]: row for row in again["runs"]}[ended.folder.id] == rows[ended.folder.id]


async def test_a_watched_sweep(connect: Any, runs: Path) -> None:
    sweep = SweepFolder(runs)
    socket = await connect()
    await socket.send(type="watch", stores=[""])
    await socket.shows(sweep.folder.id, state="running")

    async def shows(**counts: int) -> dict[str, Any]:
        while socket.rows[sweep.folder.id]["sweep"]["counts"] != {**count([]), **counts}:
            assert await socket.receive(60) is not None
        row: dict[str, Any] = socket.rows[sweep.folder.id]
        return row

    run = sweep.submit(0, sample(0))
    await shows(waiting=1)
    await socket.shows(run, trial=0, trial_of=sweep.folder.id)
    sweep.start(run)
    await shows(running=1)
    sweep.log(run, [0.5])
    sweep.end(0, run, "finished", [0.5], 60)
    row = await shows(finished=1)
    assert (row["sweep"]["best"], row["sweep"]["best_trial"]) == ([0.5], 0)
    assert (row["progress"]["fraction"], row["progress"]["label"]) == (0.05, "1 of 20 trials")
    # One at a time is said to take its minute, and five places are free.
    assert row["progress"]["remaining"] == pytest.approx(19 * 60, rel=0.01)
    sweep.event("paused", why="enough", by="user")
    while socket.rows[sweep.folder.id]["sweep"]["paused"] != "enough":
        assert await socket.receive(60) is not None
    sweep.trial(1, sample(1), [0.1], state="running")
    sweep.finish("stopped")
    await socket.shows(sweep.folder.id, state="stopped")
    assert socket.rows[sweep.folder.id]["sweep"]["counts"] == {**count([]), "finished": 1, "stopped": 1}
    assert socket.rows[sweep.folder.id]["sweep"]["paused"] is None


async def test_a_live_view_of_a_sweep(connect: Any, runs: Path) -> None:
    sweep = typical(runs, 5, going=True)
    socket, state = await opened(connect, sweep.folder.id)
    (shown,) = state["runs"]
    assert [row["number"] for row in shown["sweep"]["trials"]] == list(range(8))
    assert all(isinstance(one["points"], bytes) for one in shown["sweep"]["curves"])
    assert shown["progress"]["label"] == "5 of 9 trials"
    (run,) = [row["run"] for row in shown["sweep"]["trials"] if row["number"] == 5]
    sweep.end(5, run, "finished", [0.99], 3600)
    frame = await socket.until(
        lambda m: said("frame")(m) and any("sweep" in one for one in m["message"]["runs"]),
    )
    (changed,) = frame["message"]["runs"]
    assert [(row["number"], row["state"]) for row in changed["sweep"]["trials"]] == [(5, "finished")]
    assert changed["sweep"]["status"]["best"]["number"] == 5


async def test_a_trial_in_full(connect: Any, runs: Path) -> None:
    sweep = SweepFolder(runs)
    trial = sweep.trial(0, sample(0), curve(0), state="running")
    sweep.of(trial).output.write_text("epoch 1\nepoch 2\n")
    socket, state = await opened(connect, sweep.folder.id)
    sweep_id = state["runs"][0]["header"]["id"]

    async def answer(**question: Any) -> Any:
        await socket.send(type="message", channel=1, message={**question, "to": 7})
        return (await socket.until(said("answer")))["message"]["answer"]

    told = (await answer(type="trial", run=sweep_id, trial=trial))["state"]
    assert (told["header"]["id"], told["header"]["state"]) == (trial, "running")
    assert [(one["name"], one["n"], len(one["points"])) for one in told["series"]] == [("val_accuracy", 30, 30 * 4 * 8)]
    assert told["output"]["text"] == "epoch 1\nepoch 2\n"
    sweep.log(trial, [0.9])
    assert (await answer(type="trial", run=sweep_id, trial=trial))["state"]["series"][0]["n"] == 31
    # What else a view asks of a run it may ask of this one.
    assert (await answer(type="lines", run=trial, first=1, count=1))["lines"] == ["epoch 2"]
    assert (await answer(type="find", run=trial, text="epoch"))["lines"] == [0, 1]
    zoomed = await answer(type="range", run=trial, axis="step", **{"from": 2, "until": 4})
    assert zoomed["series"][0]["n"] == 5


async def test_only_trials_of_the_sweep_on_show_are_told(connect: Any, runs: Path) -> None:
    sweep, other, run = SweepFolder(runs), SweepFolder(runs, "other"), make_run(runs, "lenet", output="secret\n")
    foreign = other.trial(0, sample(0), [0.5], state="running")
    socket, _ = await opened(connect, sweep.folder.id)
    odd = [foreign, run.id, sweep.folder.id, "../runs/" + foreign, ".", "..", "", "nothing", None, 3, ["x"], {}]
    for one in odd:
        for question in ({"type": "trial", "trial": one}, {"type": "lines", "run": one, "first": 0, "count": 9}):
            if one == sweep.folder.id and question["type"] == "lines":
                continue
            await socket.send(type="message", channel=1, message={"run": sweep.folder.id, **question, "to": 1})
            answer = (await socket.until(said("answer")))["message"]["answer"]
            assert answer.keys() == {"error"}
            assert "secret" not in json.dumps(answer)


async def test_a_sweep_is_paused_and_resumed_and_takes_another_number(connect: Any, runs: Path) -> None:
    sweep = SweepFolder(runs)
    socket, _ = await opened(connect, sweep.folder.id)
    for asked in ({"ask": "pause"}, {"ask": "resume"}, {"ask": "concurrent", "n": 3},
                  {"ask": "concurrent", "n": 1, "now": True, "by": "nobody", "id": "mine"}):  # fmt: skip
        await socket.send(type="message", channel=1, message={"type": "sweep", "run": sweep.folder.id, **asked})
    await socket.send(type="message", channel=1, message={"type": "runs", "to": 9})
    await socket.until(said("answer"))
    assert wishes(sweep) == [
        ("pause", "panel", {}), ("resume", "panel", {}), ("concurrent", "panel", {"n": 3, "now": False}),
        ("concurrent", "panel", {"n": 1, "now": True}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"ask": "add", "params": {"lr": "1"}}, {"ask": "stop"}, {"ask": ["pause"]}, {"ask": {"pause": 1}},
        {"ask": "concurrent"}, {"ask": "concurrent", "n": 0}, {"ask": "concurrent", "n": -1},
        {"ask": "concurrent", "n": 1.5}, {"ask": "concurrent", "n": True}, {"ask": "concurrent", "n": "2"},
        {"ask": "concurrent", "n": 10**9}, {"ask": "pause", "run": "nothing"}, {"ask": "pause", "run": None},
        {"ask": "pause", "run": ["x"]}, {"ask": "pause", "run": "../x"},
    ],
)  # fmt: skip
async def test_what_is_no_wish_is_refused(connect: Any, runs: Path, asked: dict[str, Any]) -> None:
    sweep = SweepFolder(runs)
    socket, _ = await opened(connect, sweep.folder.id)
    await socket.send(type="message", channel=1, message={"type": "sweep", "run": sweep.folder.id, **asked})
    found = await socket.until(error)
    assert (found["channel"], "log" in found["message"]) == (1, False)
    assert wishes(sweep) == []


async def test_only_a_sweep_on_show_that_goes_on_is_asked(connect: Any, runs: Path) -> None:
    sweep, other, run = typical(runs, 3), SweepFolder(runs, "other"), make_run(runs, "lenet", state="running")
    socket, _ = await opened(connect, sweep.folder.id, run.id)
    for run_id, why in (
        (sweep.folder.id, "has ended"),
        (other.folder.id, "no such sweep"),
        (run.id, "is no sweep"),
    ):
        await socket.send(type="message", channel=1, message={"type": "sweep", "run": run_id, "ask": "pause"})
        assert why in (await socket.until(error))["message"]
    assert wishes(sweep) == wishes(other) == []
    assert not (run.path / "requests" / "sweep.jsonl").exists()


@pytest.fixture
def told_to_end() -> Iterator[list[int]]:
    """How often this process was told to end: as far as locks tell it is the worker of trials that go on."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    yield told
    signal.signal(signal.SIGTERM, before)


async def test_a_trial_is_stopped_from_the_view_of_its_sweep(connect: Any, runs: Path, told_to_end: list[int]) -> None:
    sweep, other = SweepFolder(runs), SweepFolder(runs, "other")
    mine = sweep.trial(0, sample(0), [0.5], state="running")
    foreign = other.trial(0, sample(0), [0.5], state="running")
    socket, _ = await opened(connect, sweep.folder.id)
    for run_id in (foreign, other.folder.id, "nothing", None, 3):
        await socket.send(type="message", channel=1, message={"type": "stop", "run": run_id})
        assert "no such run" in (await socket.until(error))["message"]
    await socket.send(type="message", channel=1, message={"type": "stop", "run": mine})
    await socket.send(type="message", channel=1, message={"type": "runs", "to": 9})
    await socket.until(said("answer"))
    assert sweep.of(mine).stop_request.read_text() == "panel"
    assert len(told_to_end) == 1
    for folder in (sweep.folder, other.folder, other.of(foreign)):
        assert not folder.stop_request.exists()


@pytest.mark.parametrize("read_only", [True])
async def test_a_server_for_readers_changes_no_sweep(connect: Any, runs: Path) -> None:
    sweep = SweepFolder(runs)
    trial = sweep.trial(0, sample(0), [0.5], state="running")
    socket, _ = await opened(connect, sweep.folder.id)
    await socket.send(type="message", channel=1, message={"type": "sweep", "run": sweep.folder.id, "ask": "pause"})
    assert "not change" in (await socket.until(error))["message"]
    await socket.send(type="message", channel=1, message={"type": "stop", "run": trial})
    assert "not stop" in (await socket.until(error))["message"]
    await socket.send(
        type="message", channel=1, message={"type": "trial", "run": sweep.folder.id, "trial": trial, "to": 1}
    )
    assert "state" in (await socket.until(said("answer")))["message"]["answer"]
    assert wishes(sweep) == []
    assert not sweep.of(trial).stop_request.exists()


async def test_who_may_only_read_changes_no_sweep(
    connect: Any, runs: Path, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = SweepFolder(runs)
    asked: list[str] = []

    def may(_handler: Any, _user: Any, action: str, resource: str) -> bool:
        asked.append(f"{action} {resource}")
        return action == "read"

    monkeypatch.setattr(jp_serverapp.authorizer, "is_authorized", may)
    socket, _ = await opened(connect, sweep.folder.id)
    await socket.send(type="message", channel=1, message={"type": "sweep", "run": sweep.folder.id, "ask": "pause"})
    assert "not change" in (await socket.until(error))["message"]
    assert wishes(sweep) == []
    assert asked[-1].startswith("write ")


async def test_the_list_to_compare_with_leaves_trials_to_their_sweeps(connect: Any, runs: Path) -> None:
    sweep, run = typical(runs, 3), make_run(runs, "lenet")
    trial = next(path.name for path in runs.iterdir() if "lenet-search-1-" in path.name)

    async def listed(run_id: str) -> set[str]:
        socket, _ = await opened(connect, run_id)
        await socket.send(type="message", channel=1, message={"type": "runs", "to": 1})
        return {one[0] for one in (await socket.until(said("answer")))["message"]["answer"]["runs"]}

    assert await listed(run.id) == {run.id, sweep.folder.id}
    assert len(await listed(trial)) == 5


async def test_a_saved_sweep(ask: Any, runs: Path) -> None:
    sweep = typical(runs, 3)
    status, data = await ask("runs", sweep.folder.id, "bundle")
    assert status == 200
    assert len(data["application/vnd.mlwidgets.run+json"]["runs"][0]["sweep"]["trials"]) == 3


async def test_a_watched_sweep_is_told_by_its_row(connect: Any, runs: Path) -> None:
    sweep = SweepFolder(runs)
    socket = await connect()
    await socket.send(type="watch", stores=[""])
    await socket.until(about(sweep.folder.id, trial_of=None))
    assert socket.rows[sweep.folder.id]["sweep"]["planned"] == 20
