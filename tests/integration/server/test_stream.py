"""What the websocket tells."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlwidgets.runs.alive import holder
from mlwidgets.runs.annotations import annotate
from mlwidgets.runs.folder import RunFolder
from mlwidgets.server.channels import LARGEST_FILE, Busy
from mlwidgets.server.outbox import MOST_BYTES, MOST_MESSAGES, MOST_REFUSALS, Outbox
from mlwidgets.server.stream import _Channel
from mlwidgets.server.watcher import Batch
from tests.integration.server.conftest import unpack
from tests.unit.views_support import add_values, end, make_run


def about(run_id: str, **wanted: Any) -> Any:
    """Say whether a message tells this of a run."""

    def is_it(message: Any) -> bool:
        rows = [row for row in message.get("changed", []) if row["id"] == run_id]
        return bool(rows) and all(rows[0][key] == value for key, value in wanted.items())

    return is_it


def of_type(kind: str) -> Any:
    return lambda message: message["type"] == kind


def said(kind: str, channel: int = 1) -> Any:
    return lambda m: m["type"] == "channel" and m["channel"] == channel and m["message"]["type"] == kind


async def test_a_watched_store(connect: Any, runs: Path, ask: Any, jp_serverapp: Any) -> None:
    service = jp_serverapp.web_app.settings["mlwidgets_service"]
    assert service.hub.watcher.is_idle
    old, going = make_run(runs, "old", took=5000), make_run(runs, "going", state="running", metrics={"loss": [1.0]})
    socket = await connect()
    await socket.send(type="watch", stores=[""])
    both = {message["type"]: message for message in [await socket.receive(), await socket.receive()]}
    assert about(going.id, state="running", metrics={"loss": 1})(both["runs"])
    assert set(both["slots"]["slots"]) >= {"gpus", "cpus", "running", "waiting", "mine"}
    add_values(going.path, "loss", [0.5])
    assert await socket.until(about(going.id, metrics={"loss": 0.5}))
    new = make_run(runs, "new", state="submitted")
    assert await socket.until(about(new.id, state="submitted"))
    RunFolder(going.path).stop_request.touch()
    assert await socket.until(about(going.id, stopping=True))
    end(going, "stopped", "stopped by a test")
    assert await socket.until(about(going.id, state="stopped", cause="stopped by a test", stopping=False))
    annotate(RunFolder(old.path), pinned=True)
    assert await socket.until(about(old.id, pinned=True))
    await ask("runs", old.id, method="PATCH", body={"note": "n"})
    assert await socket.until(about(old.id, note="n"))
    await ask("runs", old.id, method="DELETE")
    assert await socket.until(lambda m: old.id in m.get("gone", []))
    await ask("runs", old.id, "restore", method="POST", body="")
    assert await socket.until(about(old.id, state="finished", note="n"))
    assert [row["id"] for row in (await ask("runs"))[1]["runs"]][-1] == old.id
    socket.raw.close()
    deadline = time.monotonic() + 30
    while not service.hub.watcher.is_idle and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert service.hub.watcher.is_idle


async def test_real_runs_that_wait_and_are_killed(
    connect: Any, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlwidgets

    monkeypatch.chdir(jp_root_dir)
    socket = await connect()
    await socket.send(type="watch", stores=[""])
    first = mlwidgets.train("import time\ntime.sleep(600)", name="first", namespace={}, gpus=0)
    second = mlwidgets.train("x = 1", name="second", namespace={}, gpus=0, after=first)
    await socket.shows(first.id, state="running")
    await socket.shows(second.id, state="submitted", waiting="waits for first to end")
    # A kill changes no file of the run.
    for role in ("supervisor", "worker"):
        pid = holder(RunFolder(first.path).alive, role)  # type: ignore[arg-type]
        assert pid
        os.kill(pid, signal.SIGKILL)
    await socket.shows(first.id, state="killed", stopping=False)
    assert "killed from outside" in socket.rows[first.id]["cause"]
    await socket.shows(second.id, waiting=None)


async def test_several_stores_and_clients(connect: Any, runs: Path, jp_root_dir: Path) -> None:
    other = jp_root_dir / "a" / ".mlwidgets"
    other.mkdir(parents=True, mode=0o700)
    both, one = await connect(), await connect()
    await both.send(type="watch", stores=["", "a"])
    await one.send(type="watch", stores=["a"])
    assert {(await both.until(of_type("runs")))["store"] for _ in range(2)} == {"", "a"}
    assert (await one.until(of_type("runs")))["store"] == "a"
    here, there = make_run(runs, "here", state="running"), make_run(other / "runs", "there", state="running")
    assert await both.until(about(here.id, store=""))
    assert (await one.until(of_type("runs")))["changed"][0]["id"] == there.id
    await one.send(type="watch", stores=[])
    await both.send(type="watch", stores=["nowhere"])
    assert (await both.until(of_type("error")))["channel"] is None
    foreign = jp_root_dir / "b" / ".mlwidgets"
    foreign.mkdir(parents=True)
    foreign.chmod(0o777)
    await one.send(type="watch", stores=["b"])
    assert "chmod 700" in (await one.until(of_type("error")))["message"]
    foreign.chmod(0o700)
    assert await one.until(of_type("runs")) == {"type": "runs", "store": "b", "changed": [], "gone": []}


async def test_a_store_that_begins_while_it_is_watched(connect: Any, jp_root_dir: Path) -> None:
    shutil.rmtree(jp_root_dir / ".mlwidgets")
    socket = await connect()
    await socket.send(type="watch", stores=[""])
    assert (await socket.until(of_type("runs")))["changed"] == []
    (jp_root_dir / ".mlwidgets").mkdir(mode=0o700)
    run = make_run(jp_root_dir / ".mlwidgets" / "runs", state="running")
    assert await socket.until(about(run.id))


async def test_a_live_view(connect: Any, runs: Path) -> None:
    run, other = make_run(runs, state="running", metrics={"loss": [3.0, 2.0]}), make_run(runs, "other")
    first, second = await connect(), await connect()
    for number, socket in ((1, first), (9, second)):
        await socket.send(type="open", channel=number, store="", runs=[run.id])
        message = (await socket.until(said("state", number)))["message"]
        (shown,) = message["state"]["runs"]
        assert shown["header"]["id"] == run.id
        assert np.frombuffer(shown["series"][0]["points"], "<f8").reshape(4, -1)[2].tolist() == [3, 2]
    add_values(run.path, "loss", [1.0])
    for number, socket in ((1, first), (9, second)):
        frame = await socket.until(lambda m, n=number: said("frame", n)(m) and m["message"]["runs"])
        (series,) = frame["message"]["runs"][0]["series"]
        assert series["last"] == 1
    hello = {"type": "hello", "frame": -1}
    await first.send(type="message", channel=1, message=hello)
    assert await first.until(said("state"))
    question = {"type": "lines", "run": run.id, "first": 0, "count": 1, "to": 5}
    await first.send(type="message", channel=1, message=question)
    assert (await first.until(said("answer")))["message"] == {"type": "answer", "to": 5, "answer": {"lines": []}}
    (run.outputs / "weights.bin").write_bytes(b"abc")
    (run.outputs / "secret").symlink_to("/etc/passwd")
    for name, expected in (("weights.bin", {"content": b"abc"}), ("secret", None), ("../code.py", None)):
        question = {"type": "file", "run": run.id, "name": name, "to": 6}
        await first.send(type="message", channel=1, message=question)
        answer = (await first.until(said("answer")))["message"]["answer"]
        assert answer == (expected or {"error": "this is no file of the run"})
    # Comparing is this channel's own affair.
    await first.send(type="message", channel=1, message={"type": "compare", "runs": [other.id]})
    state = (await first.until(said("state")))["message"]["state"]
    assert [one["header"]["name"] for one in state["runs"]] == ["lenet", "other"]
    await first.send(type="message", channel=1, message={"type": "stop", "run": other.id})
    end(run, "stopped")
    assert (await second.until(said("frame", 9)))["message"]["frame"] > 0
    await second.send(type="close", channel=9)
    await second.send(type="message", channel=9, message=hello)
    assert "not open" in (await second.until(of_type("error")))["message"]


async def test_views_are_shared_and_end_with_their_last_listener(connect: Any, runs: Path, jp_serverapp: Any) -> None:
    channels = jp_serverapp.web_app.settings["mlwidgets_service"].channels
    run = make_run(runs, state="running")
    sockets = [await connect() for _ in range(20)]
    for socket in sockets:
        await socket.send(type="open", channel=1, store="", runs=[run.id])
    for socket in sockets:
        assert await socket.until(said("state"))
    assert len(channels) == 1
    for socket in sockets:
        socket.raw.close()
    deadline = time.monotonic() + 30
    while len(channels) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert len(channels) == 0


@pytest.mark.parametrize("kind", ["range", "lines", "find", "file", "media", "runs", "compare", "hello", [], {}])
async def test_odd_questions_end_no_view(connect: Any, runs: Path, kind: Any) -> None:
    run = make_run(runs, state="running", metrics={"loss": [1.0]}, output="a\nb\n")
    asks, looks = await connect(), await connect()
    for socket in (asks, looks):
        await socket.send(type="open", channel=1, store="", runs=[run.id])
        assert await socket.until(said("state"))
    for value in ("1e999", "NaN", "-1", '"x"', "[[[1]]]", "9" * 4000, "null", "[" * 400 + "]" * 400):
        names = ("first", "count", "from", "until", "axis", "text", "name", "file", "runs", "frame", "to", "id")
        odd = ", ".join(f'"{name}": {value}' for name in names)
        question = f'{{"type": {json.dumps(kind)}, "run": "{run.id}", {odd}}}'
        await asks.raw.write_message(f'{{"type": "message", "channel": 1, "message": {question}}}')
    add_values(run.path, "loss", [0.5])
    assert await looks.until(lambda m: said("frame")(m) and m["message"]["runs"])
    # Whoever asks no more often than it is answered hears the last one, too.
    wanted = {"type": "lines", "run": run.id, "first": 0, "count": 1, "to": "last"}
    while True:
        await asks.send(type="message", channel=1, message=wanted)
        found = await asks.until(lambda m: m["type"] == "error" or (said("answer")(m) and m["message"]["to"] == "last"))
        if found["type"] == "channel":
            break
        assert "ended" not in found["message"]
        await asyncio.sleep(0.1)
    assert found["message"]["answer"] == {"lines": ["a"]}


async def test_tags_that_are_given_after_the_end_reach_an_open_view(connect: Any, runs: Path) -> None:
    run, other = make_run(runs), make_run(runs, "other")
    socket = await connect()
    await socket.send(type="open", channel=1, store="", runs=[run.id, other.id])
    assert await socket.until(said("state"))
    annotate(RunFolder(other.path), tags={"k": "v"}, note="n")
    (told,) = (await socket.until(said("frame")))["message"]["runs"]
    assert (told["id"], told["header"]["tags"], told["header"]["note"]) == (other.id, [["k", "v"]], "n")
    assert told.keys() == {"id", "header"}


async def test_a_view_that_has_ended_takes_no_other_along(runs: Path, jp_serverapp: Any) -> None:
    service = jp_serverapp.web_app.settings["mlwidgets_service"]

    class Ear:
        def tell(self, text: str, buffers: Any, instead: str | None = None) -> None: ...

        def fail(self, message: str) -> None: ...

    run = make_run(runs)
    listing = service.stores.listing("")
    first, second = Ear(), Ear()
    failed = await service.channels.open(first, listing, [run.id])
    failed._fail("a disk is gone")
    works = await service.channels.open(second, listing, [run.id])
    assert works is not failed
    failed.leave(first)
    failed.close()
    assert await service.channels.open(Ear(), listing, [run.id]) is works
    with pytest.raises(Busy, match="ended"):
        failed.ask({"type": "hello"}, first)
    works.close()
    works.close()
    assert len(service.channels) == 0


async def test_a_view_of_a_run_that_is_deleted(connect: Any, runs: Path, ask: Any) -> None:
    run = make_run(runs)
    socket = await connect()
    await socket.send(type="open", channel=1, store="", runs=["nothing"])
    assert (await socket.until(of_type("error")))["channel"] == 1
    await socket.send(type="open", channel=1, store="", runs=[run.id])
    assert await socket.until(said("state"))
    await ask("runs", run.id, method="DELETE")
    await socket.send(type="message", channel=1, message={"type": "media", "run": run.id, "file": "x", "to": 1})
    assert "error" in (await socket.until(said("answer")))["message"]["answer"]


async def test_a_view_of_a_damaged_run(connect: Any, runs: Path) -> None:
    run = make_run(runs)
    RunFolder(run.path).spec.write_text("{")
    socket = await connect()
    await socket.send(type="open", channel=4, store="", runs=[run.id])
    message = await socket.receive()
    assert (message["type"], message["channel"], "damaged" in message["message"]) == ("error", 4, True)


async def test_what_is_not_finite(connect: Any, runs: Path) -> None:
    shown = [{"application/json": {"a": float("nan")}, "text/plain": "\ud800"}]
    run = make_run(runs, metrics={"loss": [float("inf")]}, displays=shown)
    socket = await connect()
    await socket.send(type="open", channel=1, store="", runs=[run.id])
    (state,) = (await socket.until(said("state")))["message"]["state"]["runs"]
    assert state["displays"][0]["data"]["application/json"] == {"a": "NaN"}
    assert state["series"][0]["last"] == "Infinity"


async def test_a_client_that_does_not_read() -> None:
    sent: list[Any] = []
    may_go = asyncio.Event()

    async def send(body: str | bytes) -> None:
        await may_go.wait()
        sent.append(body)

    outbox = Outbox(send)
    taken = [outbox.put(b"x" * (MOST_BYTES // 4)) for _ in range(1000)]
    await asyncio.sleep(0)
    assert 0 < sum(taken) <= 5
    assert sum(outbox.put("small") for _ in range(1000)) <= MOST_MESSAGES
    for value in range(1000):
        batch = Batch("", {"a": {"id": "a", "value": value}, f"b{value % 3}": {"id": "b"}}, {"c"})
        outbox.put_runs(batch, batch.to_json())
        outbox.put_slots(json.dumps({"type": "slots", "slots": value}))
    may_go.set()
    while outbox.busy:
        await asyncio.sleep(0)
    told = [json.loads(body) for body in sent if isinstance(body, str) and body != "small"]
    assert [one["type"] for one in told] == ["runs", "slots"]
    assert (told[0]["changed"][0], len(told[0]["changed"]), told[0]["gone"]) == ({"id": "a", "value": 999}, 4, ["c"])
    assert told[1]["slots"] == 999
    assert outbox.put("again")


async def test_an_answer_that_finds_no_room_says_so() -> None:
    sent: list[Any] = []
    may_go = asyncio.Event()

    async def send(body: str | bytes) -> None:
        await may_go.wait()
        sent.append(body)

    outbox = Outbox(send)
    channel = _Channel(3, outbox, None)  # type: ignore[arg-type]
    for to in range(MOST_MESSAGES):
        channel.tell(f'{{"type": "answer", "to": {to}}}', [bytes(LARGEST_FILE)], f'{{"type": "error", "to": {to}}}')
    assert outbox.dropped
    may_go.set()
    while outbox.busy:
        await asyncio.sleep(0)
    told = [unpack(body) if isinstance(body, bytes) else json.loads(body) for body in sent]
    assert sorted(one["message"]["to"] for one in told) == list(range(MOST_MESSAGES))
    assert {one["message"]["type"] for one in told} == {"answer", "error"}
    for _ in range(1000):
        outbox.put_refusal("x")
    assert outbox.waiting <= MOST_MESSAGES + MOST_REFUSALS
    outbox.close()


def test_batches_that_are_merged() -> None:
    batch = Batch("", {"a": {"v": 1}, "b": {"v": 1}}, {"c"})
    batch.add(Batch("", {"a": {"v": 2}, "c": {"v": 2}}, {"b"}))
    assert (batch.changed, batch.gone) == ({"a": {"v": 2}, "c": {"v": 2}}, {"b"})
