"""Places in the queue, one by one; processes are real and are really killed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.errors import ParameterError, StoreError
from mlwidgets.runner import board
from mlwidgets.runner.board import Board, State
from mlwidgets.runner.queue import (
    Grant,
    NotToStart,
    Request,
    Ticket,
    check,
    default_gpus,
    enter,
    place,
)
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import FAILED, FINISHED, Outcome, write_outcome
from mlwidgets.runs.store import name_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "queue"
    path.mkdir()
    machine(path)
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(path))
    return path


def machine(queue: Path, cpus: int = 4, gpus: int = 2) -> None:
    devices = [{"uuid": f"GPU-{c}", "name": "H200", "memory": 1 << 37} for c in "abcd"[:gpus]]
    (queue / "machine.json").write_text(json.dumps({"cpus": cpus, "gpus": devices}))


def ask(run: str, gpus: float = 0, cpus: int = 1, **rest: Any) -> Request:
    return Request(run, run, rest.pop("store", "/store"), gpus, cpus, **rest)


def fired(ticket: Ticket, within: float = 0) -> bool:
    own, *others = ticket.watched()
    poll = select.poll()
    poll.register(own, select.POLLIN)
    for fd in others:
        poll.register(fd, 0)
    return bool(poll.poll(within * 1000))


@contextlib.contextmanager
def another(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run code in a process with a queue of ours; gives it when it has printed a line."""
    start = "import os, sys, time\nfrom mlwidgets.runner.queue import *\n"
    process = subprocess.Popen(
        [sys.executable, "-c", start + code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout
        assert process.stdout.readline(), "it did not come to its end"
        yield process
    finally:
        process.kill()
        process.wait()


HOLD = """
grant = enter(Request("other", "other", "/store", float(sys.argv[1]), int(sys.argv[2]))).attempt()
print(grant, flush=True)
time.sleep(600)
"""


def left(queue: Path) -> set[str]:
    return {p.name for folder in ("tickets", "holdings") for p in (queue / folder).iterdir()}


def test_a_free_machine_gives_at_once(queue: Path) -> None:
    ticket = enter(ask("a", 1, 2))
    grant = ticket.attempt()
    assert grant is not None
    assert (grant.gpus, grant.cpus) == (("GPU-a",), 2)
    assert grant.environment() == {"CUDA_VISIBLE_DEVICES": "GPU-a"}
    assert ticket.watched() == []
    assert left(queue) == {"1.json", "1.fifo"}
    ticket.leave()
    assert left(queue) == {"1.json", "1.fifo"}
    grant.release()
    grant.release()
    assert left(queue) == set()


def test_the_first_watches_who_holds_and_the_others_who_is_ahead(queue: Path) -> None:
    machine(queue, cpus=1)
    held = enter(ask("a")).attempt()
    first, second = enter(ask("b")), enter(ask("c"))
    assert first.attempt() is second.attempt() is None
    assert first.patience() is second.patience() is None or sys.platform != "linux"
    assert len(first.watched()) == len(second.watched()) == 2
    assert not fired(first)
    assert not fired(second)
    assert held is not None
    held.release()
    assert fired(first)
    assert not fired(second)
    assert second.attempt() is None
    granted = first.attempt()
    assert granted is not None
    assert fired(second)
    assert second.attempt() is None
    granted.release()
    assert second.attempt() is not None


def test_who_asks_for_nothing_never_waits(queue: Path) -> None:
    machine(queue, cpus=1)
    enter(ask("a")).attempt()
    ticket = enter(ask("b", 0, 0))
    assert ticket.watched() == []
    assert ticket.patience() == 0
    grant = ticket.attempt()
    assert grant == Grant((), 0, None)
    assert grant.environment() == {"CUDA_VISIBLE_DEVICES": ""}
    grant.release()
    assert left(queue) == {"1.json", "1.fifo"}


def test_a_machine_without_gpus_has_none_to_hide(queue: Path) -> None:
    machine(queue, gpus=0)
    grant = enter(ask("a")).attempt()
    assert grant is not None
    assert grant.environment() == {}


def test_priority_and_order(queue: Path) -> None:
    machine(queue, cpus=1)
    held = enter(ask("a")).attempt()
    tickets = {name: enter(ask(name, priority=p)) for name, p in (("low", -1), ("b", 0), ("c", 0), ("high", 3))}
    for ticket in tickets.values():
        assert ticket.attempt() is None
    assert [place(name) for name in ("high", "b", "c", "low")] == [
        f"{n} in the queue: waits for 1 CPU place" for n in ("1st", "2nd", "3rd", "4th")
    ]
    order = []
    while tickets:
        assert held is not None
        held.release()
        for name, ticket in list(tickets.items()):
            if fired(ticket) and (held := ticket.attempt()):
                order.append(name)
                del tickets[name]
                break
    assert order == ["high", "b", "c", "low"]


def test_slots_stay_taken_until_supervisor_and_worker_are_gone(queue: Path) -> None:
    code = """
grant = enter(Request("other", "other", "/store", 2, 1)).attempt()
worker = os.fork()
if worker:
    print(worker, file=open(sys.argv[1], "w"), flush=True)
    print("ready", flush=True)
time.sleep(600)
"""
    with another(code, str(queue / "pid")) as supervisor:
        waiting = enter(ask("a", 1))
        assert waiting.attempt() is None
        supervisor.kill()
        supervisor.wait()
        assert not fired(waiting, 0.2)
        assert waiting.attempt() is None
        os.kill(int((queue / "pid").read_text()), signal.SIGKILL)
        assert fired(waiting, 60)
        assert waiting.attempt() is not None
    assert left(queue) == {"2.json", "2.fifo"}


def test_a_descriptor_passed_to_a_program_keeps_the_slots(queue: Path) -> None:
    code = """
import subprocess
grant = enter(Request("other", "other", "/store", 2, 1)).attempt()
print(subprocess.Popen(["sleep", "600"], pass_fds=[grant.fd]).pid, file=open(sys.argv[1], "w"), flush=True)
print("ready", flush=True)
"""
    with another(code, str(queue / "pid")) as supervisor:
        supervisor.wait()
        waiting = enter(ask("a", 1))
        assert waiting.attempt() is None
        os.kill(int((queue / "pid").read_text()), signal.SIGKILL)
        assert fired(waiting, 60)
        assert waiting.attempt() is not None


def test_released_slots_are_free_whoever_still_has_the_descriptor(queue: Path) -> None:
    grant = enter(ask("a", 2)).attempt()
    waiting = enter(ask("b", 2))
    assert waiting.attempt() is None
    assert grant is not None
    assert grant.fd is not None
    copy = os.dup(grant.fd)
    try:
        grant.release()
        assert fired(waiting)
        assert waiting.attempt() is not None
    finally:
        os.close(copy)


def test_one_that_holds_and_dies_while_the_queue_is_read_is_not_waited_for(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading who lives and watching them, anybody may die."""
    with another(HOLD, "2", "1") as holder:
        read = Board.read

        def read_and_kill(board: Board) -> State:
            state = read(board)
            holder.kill()
            holder.wait()
            return state

        waiting = enter(ask("a", 2))
        monkeypatch.setattr(Board, "read", read_and_kill)
        grant = waiting.attempt()
    assert grant is not None


def test_one_ahead_that_dies_while_the_queue_is_read_is_not_waited_for(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
ticket = enter(Request("other", "other", "/store", 2, 1))
ticket.attempt()
print("waits", flush=True)
time.sleep(600)
"""
    held = enter(ask("held", 1)).attempt()
    with another(code) as ahead:
        read = Board.read
        waiting = enter(ask("a", 1))

        def read_and_kill(board: Board) -> State:
            state = read(board)
            ahead.kill()
            ahead.wait()
            return state

        monkeypatch.setattr(Board, "read", read_and_kill)
        assert waiting.attempt() is not None
    assert held is not None


def test_the_first_learns_of_those_who_passed_it(queue: Path) -> None:
    held = enter(ask("held", 1)).attempt()
    first = enter(ask("first", 2))
    assert first.attempt() is None
    with another(HOLD, "0", "2") as passing:
        # It started behind the first, which is to watch it from now on.
        assert fired(first)
        last = enter(ask("last", 0, 2))
        assert first.attempt() is last.attempt() is None
        assert not fired(first)
        assert not fired(last)
        passing.kill()
        assert fired(first, 60)
        assert first.attempt() is None
    # There is room for the last now, and the first says so.
    assert fired(last)
    assert last.attempt() is not None
    assert held is not None


def test_a_retry_keeps_its_place(queue: Path) -> None:
    machine(queue, cpus=1)
    ticket = enter(ask("a", 1))
    grant = ticket.attempt()
    behind = enter(ask("b"))
    assert behind.attempt() is None
    assert grant is not None
    grant.release()
    again = enter(ask("a", 1), number=ticket.number, avoid=grant.gpus)
    assert again.number == ticket.number
    assert behind.attempt() is None
    second = again.attempt()
    assert second is not None
    assert second.gpus == ("GPU-b",)
    assert fired(behind)


def test_a_number_that_another_has_is_not_given_twice() -> None:
    first = enter(ask("a"))
    assert enter(ask("b"), number=first.number).number != first.number


def test_a_place_is_handed_to_the_process_that_uses_it(queue: Path) -> None:
    machine(queue, cpus=1)
    ticket = enter(ask("a"))
    assert ticket.fd is not None
    code = """
import os
ticket = enter(Request("a", "a", "/store", 0, 1), number=int(sys.argv[1]), fd=int(sys.argv[2]))
assert not os.get_inheritable(ticket.fd)
print(ticket.attempt(), flush=True)
time.sleep(600)
"""
    start = "import sys, time\nfrom mlwidgets.runner.queue import *\n"
    behind = enter(ask("b"))
    assert behind.attempt() is None
    taker = subprocess.Popen(
        [sys.executable, "-c", start + code, str(ticket.number), str(ticket.fd)],
        pass_fds=[ticket.fd],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        ticket.close_in_child()
        assert taker.stdout
        assert taker.stdout.readline().startswith("Grant(gpus=(), cpus=1")
        assert fired(behind)
        assert behind.attempt() is None
    finally:
        taker.kill()
        taker.wait()
    assert behind.attempt() is not None
    assert left(queue) == {"2.json", "2.fifo"}


def test_numbers_are_never_given_twice_even_if_the_count_is_lost(queue: Path) -> None:
    numbers = []
    for damage in (b"", b"nonsense", b"-5", b"9" * 40, None):
        ticket = enter(ask("a"))
        numbers.append(ticket.number)
        if damage is None:
            (queue / "mutex").unlink()
        else:
            (queue / "mutex").write_bytes(damage)
    numbers.append(enter(ask("a")).number)
    assert numbers == sorted(set(numbers))


def test_what_others_put_into_the_directory_does_no_harm(queue: Path) -> None:
    enter(ask("first")).leave()
    for folder in (queue / "tickets", queue / "holdings"):
        (folder / "7.json").write_text("{}")
        (folder / "8.json").mkdir()
        (folder / "notes.txt").write_text("mine")
        os.mkfifo(folder / "9.json")
        (folder / "9.fifo").symlink_to("/dev/null")
        (folder / "10.json").symlink_to("/etc/passwd")
        (folder / "11.json").write_text('{"gpus": {"GPU-a": 4}, "cpus": -1}')
        (folder / "12.fifo").write_text("no FIFO")
        (folder / "13.fifo").mkdir()
        (folder / "12.json").write_text(json.dumps({"gpus": {"GPU-a": 4, "GPU-b": 4}, "cpus": 99}))
        (folder / ".13.json.abcd").write_text("somebody died here")
    # One that lives, and says what no ticket says.
    os.mkfifo(queue / "tickets" / "14.fifo")
    fd = os.open(queue / "tickets" / "14.fifo", os.O_RDWR | os.O_NONBLOCK)
    try:
        ticket = enter(ask("pattern", 2))
        pattern = json.loads((queue / "tickets" / f"{ticket.number}.json").read_text())
        ticket.leave()
        odd = {
            "foreign": [],
            "visible": {},
            "submitted_at": float("nan"),
            "places": -1,
            "priority": "high",
            "pid": 1e99,
        }
        texts = [json.dumps(pattern | {key: value, "priority": 9} | {key: value}) for key, value in odd.items()]
        for text in ("[" * 60000, "null", '{"quarters": true}', *texts):
            (queue / "tickets" / "14.json").write_text(text)
            grant = enter(ask("a", 2, 4)).attempt()
            assert grant is not None
            grant.release()
    finally:
        os.close(fd)
    assert (queue / "tickets" / "notes.txt").read_text() == "mine"
    assert not (queue / "tickets" / ".13.json.abcd").exists()


def test_what_somebody_has_put_in_a_place_keeps_nobody_from_it(queue: Path) -> None:
    ticket, behind = enter(ask("a", 1)), enter(ask("b"))
    for folder, name in (("holdings", "1.fifo"), ("holdings", "2.json"), ("tickets", "4.json")):
        (queue / folder / name).mkdir()
    grant, second = ticket.attempt(), behind.attempt()
    assert grant is not None
    assert second is not None
    there = Board.open()
    with there.locked():
        assert {holding.run for holding in there.read().holdings} == {"a", "b"}
    kept = enter(ask("c"), number=4)
    assert kept.number > 4
    granted = kept.attempt()
    for one in (grant, second, granted):
        assert one is not None
        one.release()
    assert left(queue) == {"1.fifo", "2.json", "4.json"}


STOP = """
from mlwidgets.runner.board import Board
with Board.open().locked():
    print(flush=True)
    time.sleep(600)
"""


def test_who_dies_while_making_the_mutex_leaves_nothing(queue: Path) -> None:
    dies = "import os\nfrom mlwidgets.runner.queue import *\nos.link = lambda *_: os._exit(9)\n"
    dies += "enter(Request('other', 'other', '/store', 0, 1))"
    assert subprocess.run([sys.executable, "-c", dies], cwd=ROOT).returncode == 9
    assert [p.name for p in queue.iterdir() if p.name.startswith(".mutex.")]
    grant = enter(ask("a")).attempt()
    assert grant is not None
    grant.release()
    assert {p.name for p in queue.iterdir()} == {"mutex", "machine.json", "tickets", "holdings"}


def test_a_stopped_process_that_holds_the_mutex_is_named(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "_LOCKED_FOR", 0.2)
    held, ticket, leaving = enter(ask("a", 2)).attempt(), enter(ask("b", 1)), enter(ask("c", 2))
    assert held is not None
    assert ticket.attempt() is None
    with another(STOP) as process:
        process.send_signal(signal.SIGSTOP)
        holder = rf"python\S* \(pid {process.pid}\)" if sys.platform == "linux" else "a process"
        with pytest.raises(StoreError, match=f"mutex is held by {holder}.*: continue that process"):
            enter(ask("d"))
        held.release()
        leaving.leave()
        # Who waits already goes on waiting.
        assert ticket.attempt() is None
        assert ticket.patience() == 2
    assert ticket.attempt() is not None
    assert left(queue) == {"2.json", "2.fifo"}


TURNS = """
from mlwidgets.runner.board import Board
print(flush=True)
while True:
    with Board.open().locked():
        time.sleep(0.02)
    time.sleep(0.001)
"""


def test_a_mutex_that_goes_from_hand_to_hand_is_waited_for(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "_LOCKED_FOR", 0.2)
    with another(TURNS), another(TURNS), another(TURNS), another(TURNS):
        for number in range(3):
            ticket, deadline = enter(ask(f"run-{number}", 1)), time.monotonic() + 60
            # On a loaded machine one of them may hold it so long that this process looks again.
            while (grant := ticket.attempt()) is None:
                assert time.monotonic() < deadline
            grant.release()


DIE = """
held = enter(Request("dead", "dead", sys.argv[1], 0, 4)).attempt()
print(held, flush=True)
time.sleep(600)
"""


def test_a_dead_run_s_store_that_does_not_answer_keeps_nobody(queue: Path, tmp_path: Path) -> None:
    dead = tmp_path / "runs" / "dead"
    dead.mkdir(parents=True)
    # Whoever opens it to read waits until somebody writes.
    os.mkfifo(dead / "outcome.json")
    with another(DIE, str(tmp_path)) as process:
        ticket = enter(ask("a"))
        assert ticket.attempt() is None
        process.kill()
        process.wait()
        assert ticket.attempt() is not None
    asked = os.open(dead / "outcome.json", os.O_WRONLY | os.O_NONBLOCK)
    os.close(asked)


def test_a_name_of_another_user_s_run_does_not_steer_the_terminal(queue: Path) -> None:
    from mlwidgets.runner.slots import overview

    enter(Request("id", "\x1b[2Jboo", "/store", 0, 1))
    assert overview().waiting[0].name == "?[2Jboo"


def test_a_count_that_is_used_up_is_said_in_one_line(queue: Path) -> None:
    enter(ask("first")).leave()
    (queue / "mutex").write_text("999999999999999")
    with pytest.raises(StoreError, match=r"^the count of tickets in .* is damaged: remove that folder"):
        enter(ask("second"))


def test_files_that_were_cleaned_away_are_put_up_again(queue: Path) -> None:
    machine(queue, cpus=1)
    held = enter(ask("held")).attempt()
    first, second = enter(ask("a")), enter(ask("b"))
    assert first.attempt() is second.attempt() is None
    for path in (queue / "tickets").iterdir():
        path.unlink()
    assert first.attempt() is second.attempt() is None
    assert held is not None
    held.release()
    assert second.attempt() is None
    assert first.attempt() is not None


def test_cleaners_of_tmp_find_the_folders_locked(queue: Path) -> None:
    def is_locked(folder: Path) -> bool:
        fd = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    ticket = enter(ask("a"))
    assert is_locked(queue / "tickets")
    grant = ticket.attempt()
    assert is_locked(queue / "holdings")
    assert not is_locked(queue / "tickets")
    assert grant is not None
    grant.release()
    assert not is_locked(queue / "holdings")


def test_no_descriptor_is_lost(queue: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))

    def once() -> None:
        grant = enter(ask("a", 2)).attempt()
        waiting = [enter(ask("b", 1)), enter(ask("c", 1)), enter(ask("d", 0, 0)), enter(ask("e", 2))]
        for ticket in waiting:
            ticket.attempt()
        waiting[0].attempt()
        waiting[0].leave()
        waiting[1].close_in_child()
        waiting[3].leave()
        waiting[3].leave()
        assert grant is not None
        grant.release()

    once()
    before = count()
    for _ in range(5):
        once()
    assert count() == before


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be several users")
def test_users_share_the_queue(queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    shared = tmp_path / "shared"
    code = """
import select
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1])); os.umask(0o077)
os.environ["MLWIDGETS_QUEUE"] = sys.argv[2]
ticket = enter(Request("run", "run", "/store", 2, 1))
grant = ticket.attempt()
print("here", flush=True)
while not grant:
    poll = select.poll()
    for place, fd in enumerate(ticket.watched()):
        poll.register(fd, 0 if place else select.POLLIN)
    poll.poll()
    grant = ticket.attempt()
time.sleep(600)
"""
    # The first user makes it; a strict umask does not shut the others out.
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(shared))
    machine_file = json.loads((queue / "machine.json").read_text())
    Board.open()
    (shared / "machine.json").write_text(json.dumps(machine_file))
    (shared / "machine.json").chmod(0o644)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    with another(code, "65534", str(shared)) as nobody, another(code, "1", str(shared)) as daemon:
        from mlwidgets.runner.slots import overview

        now = overview()
        assert [run.user for run in now.running] == ["nobody"]
        assert [(run.user, run.why) for run in now.waiting] == [("daemon", "waits for 2 GPUs")]
        mine = enter(ask("root", 1))
        assert mine.attempt() is None
        nobody.kill()
        nobody.wait()
        wait_for(lambda: [run.user for run in overview().running] == ["daemon"])
        assert mine.attempt() is None
        daemon.kill()
        daemon.wait()
        assert mine.attempt() is not None


def wait_for(condition: Callable[[], bool], patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be another user")
def test_a_directory_that_another_user_keeps_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(theirs))
    enter(ask("a")).leave()
    os.chown(theirs, 65534, 65534)
    with pytest.raises(StoreError, match="is another user's own"):
        enter(ask("a"))
    theirs.chmod(0o1777)
    enter(ask("a")).leave()
    (tmp_path / "link").symlink_to(theirs)
    os.chown(tmp_path / "link", 65534, 65534, follow_symlinks=False)
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(tmp_path / "link"))
    with pytest.raises(StoreError, match="is another user's own"):
        enter(ask("a"))


def test_a_directory_that_cannot_be_made_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(tmp_path / "file" / "queue"))
    with pytest.raises(StoreError, match=r"cannot be used \(.*\): .*MLWIDGETS_QUEUE"):
        enter(ask("a"))
    assert place("a") is None
    # Who needs no slots needs no queue.
    assert enter(ask("b", 0, 0)).attempt() is not None


@pytest.fixture
def first(tmp_path: Path) -> RunFolder:
    store = tmp_path / "store"
    (store / "runs").mkdir(parents=True)
    return RunFolder.create(
        store / "runs", RunSpec("20261120-123010-first-abcd", "first", "pass", submitted_at=time.time())
    )


def after(folder: RunFolder, **rest: Any) -> Request:
    return ask("second", after=folder.id, store=str(folder.store), **rest)


def test_after_a_run_that_waits_and_holds_and_ends(first: RunFolder, queue: Path) -> None:
    machine(queue, cpus=1)
    held = enter(ask("held")).attempt()
    earlier = enter(ask(first.id, store=str(first.store)))
    second = enter(after(first, priority=5))
    third = enter(ask("third"))
    assert earlier.attempt() is second.attempt() is third.attempt() is None
    assert place("second") == f"waits for {name_of(first.id)} to end"
    assert held is not None
    held.release()
    grant = earlier.attempt()
    assert grant is not None
    assert fired(second)
    assert second.attempt() is None
    assert not fired(second)
    write_outcome(first, Outcome(FINISHED))
    grant.release()
    assert fired(second)
    # It kept its number and has its priority: it goes before the third.
    granted = second.attempt()
    assert granted is not None
    assert third.attempt() is None


def test_after_a_run_that_is_not_in_the_queue_yet(first: RunFolder) -> None:
    second = enter(after(first))
    assert second.attempt() is None
    assert second.patience() == 0.5
    write_outcome(first, Outcome(FINISHED))
    assert second.attempt() is not None


def test_after_with_no_slots_to_wait_for(first: RunFolder, queue: Path) -> None:
    second = enter(after(first, cpus=0))
    assert second.attempt() is None
    write_outcome(first, Outcome(FINISHED))
    assert second.attempt() == Grant((), 0, None)
    assert left(queue) == set()


def test_after_a_run_that_did_not_finish(first: RunFolder, queue: Path) -> None:
    write_outcome(first, Outcome(FAILED))
    second = enter(after(first))
    with pytest.raises(NotToStart, match=f"^it was to run after '{name_of(first.id)}', which failed$"):
        second.attempt()
    assert left(queue) == set()


def test_after_a_run_that_was_deleted(first: RunFolder) -> None:
    import shutil

    second = enter(after(first))
    shutil.rmtree(first.path)
    with pytest.raises(NotToStart, match=r"which was deleted$"):
        second.attempt()


def test_who_waits_for_a_run_is_passed_by_the_others(first: RunFolder, queue: Path) -> None:
    machine(queue, cpus=1)
    second = enter(after(first))
    assert second.attempt() is None
    assert enter(ask("third")).attempt() is not None


def test_more_than_the_machine_has_is_an_error_that_says_what_there_is(queue: Path) -> None:
    for gpus, cpus, message in (
        (3, 1, r"^3 GPUs were asked for; this machine has 2: H200, H200$"),
        (0, 5, r"^5 CPU places were asked for; this machine has 4 CPU places$"),
        (0.3, 1, r"^--gpus 0.3: ask for whole GPUs, or for a share of one: 0.25, 0.5 or 0.75$"),
        (1.5, 1, "^--gpus 1.5: "),
        (-1, 1, "^--gpus -1: "),
        (float("nan"), 1, "^--gpus nan: "),
        (float("inf"), 1, "^--gpus inf: "),
        (0, -1, r"^--cpus -1: ask for 0 or more CPU places$"),
    ):
        with pytest.raises(ParameterError, match=message):
            check(gpus, cpus)
    for gpus, cpus in ((2, 4), (0.25, 0), (0, 0), (0, 1)):
        check(gpus, cpus)
    machine(queue, gpus=0)
    with pytest.raises(ParameterError, match=r"^0\.5 of a GPU was asked for; this machine has none$"):
        check(0.5, 1)
    with pytest.raises(ParameterError, match=r"^1 GPU was asked for; this machine has none$"):
        check(1, 1)


def test_a_run_has_one_instance_of_a_divided_gpu_at_most(queue: Path) -> None:
    uuids = ["MIG-1", "GPU-a", "MIG-2", "GPU-b"]
    (queue / "machine.json").write_text(json.dumps({"cpus": 8, "gpus": [{"uuid": uuid} for uuid in uuids]}))
    check(1, 1)
    with pytest.raises(ParameterError, match=r"^3 GPUs were asked for; of .*\(MIG\).* only one: ask for --gpus 1$"):
        check(3, 1)
    grants = [enter(ask("a", 2)).attempt(), enter(ask("b", 1)).attempt()]
    assert [grant and grant.gpus for grant in grants] == [("GPU-a", "GPU-b"), ("MIG-1",)]


def test_a_run_whose_machine_shrank_does_not_wait_for_ever(queue: Path) -> None:
    machine(queue, gpus=1)
    ticket = enter(ask("a", 2))
    with pytest.raises(NotToStart, match="2 GPUs were asked for; this machine has 1: H200"):
        ticket.attempt()
    assert left(queue) == set()


def test_a_machine_that_was_changed_is_seen_at_the_next_look(queue: Path) -> None:
    machine(queue, cpus=1)
    held = enter(ask("a")).attempt()
    ticket = enter(ask("b"))
    assert held is not None
    assert ticket.attempt() is None
    (queue / "machine.json").write_text("{")
    assert ticket.attempt() is None
    machine(queue, cpus=2)
    assert ticket.attempt() is not None


def test_a_notebook_that_uses_gpus_gets_one_by_default(queue: Path) -> None:
    assert default_gpus({"torch": None, "os": None}) == 1
    assert default_gpus(["numpy"]) == 0
    machine(queue, gpus=0)
    assert default_gpus(["jax"]) == 0


def test_nothing_heavy_is_imported_to_wait() -> None:
    code = "import sys; import mlwidgets.runner.queue; print(*sys.modules)"
    output = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT)
    assert not {"numpy", "psutil", "asyncio", "pynvml", "ctypes", "ssl", "IPython"} & set(output.split())
