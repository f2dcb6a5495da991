"""What a run outlives, what it does not, and that everybody who shows its state afterwards shows the truth."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import mlwidgets
from mlwidgets import api
from mlwidgets.runner import warm
from mlwidgets.runner.board import Board
from mlwidgets.runs.alive import Role, holder
from mlwidgets.runs.run import Run
from mlwidgets.views.data import read_header
from tests.lab import LabKernel, LabServer
from tests.laws import Deeds, Work, command, soon, start_of
from tests.machine import Machine, end_all_runs, kill, pid_of, read_board

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests look for processes in /proc")

ENDLESS = Work("endless", steps=10**6, pause=0.01, daemons=("forked", "session", "deaf"))


def shown(run: Run) -> set[str]:
    """Return the states that all who show one show."""
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "mlwidgets")
    table = str(shell.run_line_magic("runs", ""))
    (line,) = (line for line in table.splitlines() if line.split()[:1] == [run.name])
    listed = subprocess.run(
        [sys.executable, "-m", "mlwidgets.cli", "runs", "--json"], capture_output=True, text=True, check=True
    )
    told = {found["id"]: found["state"] for found in map(json.loads, listed.stdout.splitlines())}
    states = ("submitted", "running", "finished", "failed", "stopped", "killed", "timeout")
    by_table = {word for word in line.split() if word in states}
    return {run.state, read_header(run)["state"], told[run.id], *by_table}


class Watched(Machine):
    """A machine of two places, and what was done to the run in question."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, cpus=2)
        self.deeds = Deeds()

    def start(self, work: Work) -> Run:
        """Submit a run and wait until its code does what it is to do."""
        run = super().start(work)
        assert ("warm_server" in command(pid_of(run, "worker"))) is not work.cold
        return run

    def kill(self, run: Run, *roles: Role) -> None:
        """SIGKILL processes of a run."""
        self.deeds.killed.update(roles)
        kill(run, *roles)

    def look(self, run: Run, work: Work, state: str) -> None:
        """Make sure that the run ended so, that all say so, and that nothing is left of it, nothing locked."""
        self.check(run, work, state, self.deeds)
        assert shown(run) == {state}
        assert self.next_one_finishes()

    def next_one_finishes(self) -> bool:
        """Whether a run that needs the whole machine gets it."""
        run = mlwidgets.train("pass", name="next", namespace={}, cpus=2).wait(60)
        board = Board.open()
        return run.state == "finished" and soon(lambda: not [*board.tickets.iterdir(), *board.holdings.iterdir()])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(tmp_path / "queue"))
    return Watched(tmp_path)


def get_warm() -> None:
    """Wait until there is a process that is warm for this one."""
    warm.prepare()
    mine = warm.fingerprint(os.environ)
    assert soon(lambda: any(one.key.startswith(mine) for one in warm.warm_processes()), 60)


@pytest.fixture(params=["cold", "warm"])
def endless(request: pytest.FixtureRequest) -> Work:
    """The same run, started in either way."""
    if request.param == "warm":
        get_warm()
    return replace(ENDLESS, cold=request.param == "cold")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    started = LabServer(tmp_path_factory.mktemp("lab"))
    yield started
    started.close()


@pytest.fixture(autouse=True)
def _ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    yield
    end_all_runs()


def send_both_off(kernel: LabKernel) -> list[Run]:
    """Have a kernel start a cold run and a warm one, both endless; the kernel works on something else then."""
    store = os.environ["MLWIDGETS_STORE"]
    code = "from mlwidgets import log\nimport time\nfor i in range(10**6):\n    log(x=i)\n    time.sleep(0.01)"
    kernel.run(f"import os\nos.environ['MLWIDGETS_STORE'] = {store!r}")
    kernel.run(f"%%train cold --cold\n{code}")
    kernel.run("from mlwidgets.runner.warm import *\nimport time\nprepare()\nmine = fingerprint(os.environ)")
    kernel.run("while not any(one.key.startswith(mine) for one in warm_processes()): time.sleep(0.05)")
    kernel.run(f"%%train warm\n{code}")
    runs = [api.run(name) for name in ("cold", "warm")]
    for run in runs:
        assert soon(lambda run=run: len(run.metrics) > 3), run
    assert ["warm_server" in command(pid_of(run, "worker")) for run in runs] == [False, True]
    busy = Path(store).parent / "busy"
    kernel.send(f"open({str(busy)!r}, 'w').close()\nwhile True: time.sleep(0.1)")
    assert soon(busy.exists)
    return runs


def go_on(run: Run) -> bool:
    """Whether the run still logs."""
    before = len(run.metrics)
    return soon(lambda: len(run.metrics) > before + 3)


def check_that_they_live(runs: list[Run]) -> None:
    for run in runs:
        assert go_on(run)
        assert shown(run) == {"running"}
    for run in runs:
        run.stop()
        assert run.wait(30).state == "stopped"


@pytest.mark.parametrize("act", [LabKernel.interrupt, LabKernel.restart, LabKernel.shut_down, LabKernel.kill])
def test_the_kernel_ends(server: LabServer, act: Callable[[LabKernel], None]) -> None:
    kernel = server.new_kernel()
    runs = send_both_off(kernel)
    pid = kernel.pid
    act(kernel)
    if act is LabKernel.interrupt:
        assert soon(lambda: kernel.tries("print(cold.state, warm.state)") == "running running\n")
    else:
        assert soon(lambda: start_of(pid) is None)
    check_that_they_live(runs)
    if act is LabKernel.restart:
        kernel.connect()
        kernel.run(f"import os\nos.environ['MLWIDGETS_STORE'] = {os.environ['MLWIDGETS_STORE']!r}")
        assert kernel.run("import mlwidgets\nprint(mlwidgets.run('cold').state)") == "stopped\n"


def test_the_server_is_killed(tmp_path: Path) -> None:
    doomed = LabServer(tmp_path)
    kernel = doomed.new_kernel()
    runs = send_both_off(kernel)
    doomed.kill()
    # The kernel notices by itself that its parent has gone.
    assert soon(lambda: start_of(kernel.pid) is None)
    check_that_they_live(runs)


def test_the_server_is_shut_down_with_its_kernels(tmp_path: Path) -> None:
    closing = LabServer(tmp_path)
    runs = send_both_off(closing.new_kernel())
    closing.close()
    check_that_they_live(runs)


def test_the_worker_is_killed(machine: Watched, endless: Work) -> None:
    run = machine.start(endless)
    machine.kill(run, "worker")
    machine.look(run, endless, "killed")
    assert "SIGKILL" in str(run.cause)


def test_both_are_killed(machine: Watched, endless: Work) -> None:
    run = machine.start(endless)
    machine.kill(run, "supervisor", "worker")
    assert run.ended, "whoever asks next is told the truth"
    machine.look(run, endless, "killed")
    assert "killed from outside" in str(run.cause)


def test_nobody_looks_before_the_next_run_has_its_place(machine: Watched, endless: Work) -> None:
    """What a dead run left running must not be in the way of the one that gets its slots."""
    dead = machine.start(replace(endless, cpus=2))
    code = """
import os
alive = []
for pid in pids:
    try:
        stat = open(f"/proc/{pid}/stat").read()
    except OSError:
        continue
    alive += [pid] if stat.rpartition(")")[2].split()[0] not in "ZX" else []
"""
    pids = [int(line.split()[0]) for line in machine.books(endless).lines("pids")]
    after = mlwidgets.train(code, name="after", namespace={}, params={"pids": pids}, cpus=2)
    assert len(pids) == 4
    assert soon(lambda: waits(after))
    for role in ("worker", "supervisor"):
        os.kill(pid_of(dead, role), signal.SIGKILL)
    assert after.wait(60).result["alive"] == []
    assert (dead.path / "outcome.json").exists()


def waits(run: Run) -> bool:
    return run.id in [ticket.run for ticket in read_board().waiting]


def test_the_supervisor_is_killed(machine: Watched, endless: Work) -> None:
    work = replace(endless, steps=30, held=True)
    run = machine.start(work)
    machine.kill(run, "supervisor")
    assert shown(run) == {"running"}
    held = [holding.run for holding in read_board().holdings]
    assert held == [run.id], "the slots stay taken as long as its code runs"
    (machine.books(work).folder / "go").touch()
    machine.look(run, work, "finished")


def test_the_supervisor_is_killed_and_then_the_worker(machine: Watched, endless: Work) -> None:
    run = machine.start(endless)
    machine.kill(run, "supervisor")
    machine.kill(run, "worker")
    machine.look(run, endless, "killed")


def test_the_supervisor_is_killed_before_the_code_begins(machine: Watched) -> None:
    """In the moments of a start there is always somebody who sees to it that no code runs under a recorded end."""
    for n in range(10):
        work = replace(ENDLESS, name=f"early-{n}", steps=20, daemons=("forked",), cold=n % 5 == 4)
        run = machine.submit(work)
        assert soon(lambda run=run: holder(run.path / "alive", "supervisor"))
        with contextlib.suppress(AssertionError, ProcessLookupError):
            time.sleep(0.004 * n)
            os.kill(pid_of(run, "supervisor"), signal.SIGKILL)
        machine.deeds.killed.add("supervisor")
        machine.check(run, work, run.wait(60).state, machine.deeds)
    assert machine.next_one_finishes()


def test_the_warm_process_is_killed(machine: Watched) -> None:
    get_warm()
    work = replace(ENDLESS, steps=100)
    run = machine.start(work)
    waiting = [mlwidgets.train("pass", name=f"waiting-{n}", namespace={}, cpus=2) for n in range(2)]
    for process in warm.warm_processes():
        os.kill(process.pid, signal.SIGKILL)
    machine.look(run, work, "finished")
    assert [one.wait(60).state for one in waiting] == ["finished"] * 2


def test_workers_of_a_data_loader_end_with_the_run(machine: Watched) -> None:
    code = """
import os, time
from torch.utils.data import DataLoader, Dataset

class Slow(Dataset):
    def __len__(self):
        return 10**6
    def __getitem__(self, i):
        open(os.path.join(books, str(os.getpid())), "w").close()
        time.sleep(0.01)
        return i

for batch in DataLoader(Slow(), batch_size=2, num_workers=2):
    pass
"""
    for n, roles in enumerate((["worker"], ["worker", "supervisor"])):
        books = machine.folder / str(n)
        books.mkdir()
        run = mlwidgets.train(code, name=f"loads-{n}", namespace={}, params={"books": str(books)})
        assert soon(lambda books=books: len(list(books.iterdir())) == 2, 60), run.output
        for pid in [pid_of(run, role) for role in roles]:
            os.kill(pid, signal.SIGKILL)
        assert soon(lambda run=run: run.ended)
        assert run.state == "killed"
        assert soon(lambda books=books: not any(start_of(int(path.name)) for path in books.iterdir()))


@pytest.mark.parametrize(("host", "state"), [(None, "killed"), ("another machine", "running")])
def test_the_machine_is_restarted(machine: Watched, endless: Work, host: str | None, state: str) -> None:
    """Locks that are found after a restart are somebody else's; those of another machine may not reach this one."""
    run = machine.start(endless)
    machine.kill(run, "supervisor", "worker")
    events = run.path / "events.jsonl"
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    for line in lines:
        if line["event"] == "supervising":
            line |= {"boot": "another one", "host": host or line["host"]}
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert shown(run) == {state}
    if host is None:
        assert run.cause == "the machine was restarted"
        machine.look(run, endless, "killed")
    else:
        past = time.time() - 3600
        for path in run.path.iterdir():
            os.utime(path, (past, past))
        assert shown(run) == {"running"}
        assert "no sign of life from another machine for 360" in str(run.cause)
        for path in run.path.iterdir():
            os.utime(path, (past - 86400, past - 86400))
        assert shown(run) == {"killed"}


ODD = 'a store\'s "odd" path\nof two lines, $HOME; rm *'


def test_a_store_on_an_odd_path(machine: Watched, endless: Work, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ODD / ".mlwidgets"))
    short = replace(endless, steps=30)
    run = machine.start(short)
    machine.look(run, short, "finished")
    assert run.result["answer"] == [1, 30]
    for name, roles in {"one": ["worker"], "both": ["worker", "supervisor"]}.items():
        work = replace(endless, name=name)
        other = machine.start(work)
        machine.kill(other, *roles)
        machine.look(other, work, "killed")
    work = replace(endless, name="stopped")
    stopped = machine.start(work)
    machine.deeds = Deeds(stopped=True)
    store = tmp_path / ODD / ".mlwidgets"
    said = subprocess.run(
        [sys.executable, "-m", "mlwidgets.cli", "--store", str(store), "stop", "stopped"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "stopped: stopped (stopped by command line)\n"
    machine.look(stopped, work, "stopped")


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of a few megabytes with the store on it."""
    mounted = tmp_path / "small disk"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mounted)], check=False).returncode:
        pytest.skip("only root can mount a small disk")
    monkeypatch.setenv("MLWIDGETS_STORE", str(mounted / "store"))
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with open(folder / "hog", "ab", buffering=0) as hog:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    hog.write(b"0" * size)


@pytest.mark.parametrize("roles", [["worker"], ["worker", "supervisor"]])
def test_killed_while_the_disk_is_full(machine: Watched, small_disk: Path, endless: Work, roles: list[Role]) -> None:
    run = machine.start(endless)
    fill(small_disk)
    machine.kill(run, *roles)
    if "supervisor" in roles:
        assert shown(run) == {"killed"}, "true, although it cannot be recorded"
        assert soon(lambda: not machine.books(endless).living())
    (small_disk / "hog").unlink()
    assert soon(lambda: run.ended)
    values = run.columns()["x"].values.tolist()
    assert values == sorted(set(values))
    assert shown(run) == {"killed"}
    assert soon(lambda: not machine.books(endless).living())
    assert soon(lambda: (run.path / "outcome.json").exists())
    assert machine.next_one_finishes()


def test_stopped_while_the_disk_is_full(machine: Watched, small_disk: Path, endless: Work) -> None:
    run = machine.start(endless)
    fill(small_disk)
    run.stop()
    assert soon(lambda: machine.books(endless).has("interrupted")), "its code is interrupted"
    assert soon(lambda: not machine.books(endless).living())
    (small_disk / "hog").unlink()
    assert run.wait(60).state == "stopped"
    assert machine.next_one_finishes()


@pytest.mark.parametrize("cold", [True, False])
def test_a_run_that_its_code_submits_outlives_it(machine: Watched, cold: bool) -> None:
    code = """
import mlwidgets
inner = mlwidgets.train("import time; time.sleep(0.3)", name=f"inner-{n}", namespace={}, cold=cold)
"""
    for n in range(4):
        outer = mlwidgets.train(code, name="outer", namespace={}, params={"n": n, "cold": cold}, outputs=[]).wait(60)
        assert (outer.state, outer.cause) == ("finished", None)
    inner = [mlwidgets.run(f"inner-{n}").wait(60) for n in range(4)]
    assert [(run.state, run.cause) for run in inner] == [("finished", None)] * 4
