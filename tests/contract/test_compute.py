"""What every place where workers run has to guarantee (`mlwidgets.runner.compute.base`)."""

from __future__ import annotations

import faulthandler
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from IPython.core.interactiveshell import InteractiveShell

from mlwidgets.capture.variables import shaped
from mlwidgets.runner.compute import forking
from mlwidgets.runner.compute.base import Compute, Worker
from mlwidgets.runner.compute.forking import ForkingCompute, Stamp
from mlwidgets.runner.compute.local import LocalCompute
from mlwidgets.runner.shell import WorkerShell, blank_shell
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.spec import Provenance, RunSpec
from mlwidgets.runs.store import RunStore


def _shell() -> WorkerShell:
    # That of pytest would tell of each signal that a test sends.
    faulthandler.disable()
    # Other tests have shells in this process, of which there can be one.
    InteractiveShell.clear_instance()
    return blank_shell()


IMPLEMENTATIONS: dict[str, Callable[[], Compute]] = {
    "local": LocalCompute,
    "forking": lambda: ForkingCompute(_shell, Stamp()),
}


@pytest.fixture(params=IMPLEMENTATIONS)
def compute(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Compute:
    # As whoever submits a run has its supervisor started.
    for name, value in shaped(os.environ).items():
        monkeypatch.setenv(name, value)
    # A thread of pytest's, which waits for other processes' words all its life, is in nobody's way.
    monkeypatch.setattr(forking, "fit_to_fork", lambda: True)
    return IMPLEMENTATIONS[request.param]()


PREAMBLE = """
import os, sys, time
def tell(name, text=''):
    with open(name + '.part', 'w') as file:
        file.write(str(text))
    os.rename(name + '.part', name)  # whole at once: the test waits for the name
"""


class Started:
    """A worker, its run folder and working directory."""

    def __init__(self, worker: Worker, folder: RunFolder, cwd: Path) -> None:
        self.worker = worker
        self.folder = folder
        self.cwd = cwd

    def until(self, name: str) -> str:
        """Wait until the code has written the file `name`; return its text."""
        while not (self.cwd / name).exists():
            assert self.worker.poll() is None, self.folder.output.read_text()
            time.sleep(0.01)
        return (self.cwd / name).read_text()

    def end(self) -> int:
        """Wait for the end; return the exit status."""
        while (status := self.worker.poll()) is None:
            time.sleep(0.01)
        return status

    def last_word(self) -> dict[str, Any] | None:
        """Return what the worker said at its end."""
        return next((e for e in read_lines(self.folder.events) if e["event"] == "end"), None)


@pytest.fixture
def start(compute: Compute, tmp_path: Path) -> Iterator[Callable[..., Started]]:
    store = RunStore(tmp_path / ".mlwidgets")
    store.prepare()
    numbers = itertools.count(10)
    started: list[Started] = []

    def begin(code: str, **asked: Any) -> Started:
        cwd = tmp_path / f"cwd{next(numbers)}"
        cwd.mkdir()
        provenance = Provenance(str(cwd), sys.executable, "3", "host", "user")
        code = PREAMBLE + code
        spec = RunSpec(id=f"20261120-1230{cwd.name[3:]}-x-abcd", name="x", code=code, provenance=provenance, **asked)
        folder = store.create_run(spec)
        started.append(Started(compute.start(folder, spec), folder, cwd))
        return started[-1]

    yield begin
    for one in started:
        one.worker.kill()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


SLEEP = "tell('ready', os.getpid())\ntime.sleep(600)"
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tell('ready')
while True:
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        pass
"""


def test_where_the_code_runs(start: Callable[..., Started]) -> None:
    code = """
import json, subprocess
print('to stdout')
print('to stderr', file=sys.stderr)
os.write(1, b'raw\\n')
subprocess.run(['echo', 'from a child'])
try:
    terminal = os.open('/dev/tty', os.O_RDWR)
except OSError:
    terminal = None
tell('facts', json.dumps([os.getcwd(), sys.stdin.read(), terminal, os.getsid(0)]))
"""
    one = start(code)
    assert one.end() == 0
    cwd, stdin, terminal, session = json.loads((one.cwd / "facts").read_text())
    assert cwd == str(one.cwd)
    assert (stdin, terminal) == ("", None)
    assert session != os.getsid(0)
    assert sorted(one.folder.output.read_text().splitlines()) == ["from a child", "raw", "to stderr", "to stdout"]
    assert (one.last_word() or {})["state"] == "finished"


@pytest.mark.parametrize("variables", [{}, {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "3"}], ids=["own", "other"])
def test_variables_are_those_of_the_submit(
    compute: Compute, start: Callable[..., Started], variables: dict[str, str]
) -> None:
    code = """
import json
family = {name: value for name, value in os.environ.items() if name.startswith(("OMP_", "PYTHONHASH"))}
command = open("/proc/self/cmdline").read()
tell('facts', json.dumps([family, hash("text"), "mlwidgets.runner.worker" in command]))
"""
    one = start(code, variables=variables)
    assert one.end() == 0, one.folder.output.read_text()
    family, hashed, fresh = json.loads((one.cwd / "facts").read_text())
    if variables:
        # A process that was started with others has hashed and imported by them.
        assert (family, fresh) == (variables, True)
        told = subprocess.run(
            [sys.executable, "-c", "print(hash('text'))"], env=variables, capture_output=True, check=True
        )
        assert hashed == int(told.stdout)
    else:
        assert fresh == (type(compute) is LocalCompute)
        assert family == {name: os.environ[name] for name in ("OMP_WAIT_POLICY", "PYTHONHASHSEED")}


def test_status_stays_what_it_was(start: Callable[..., Started]) -> None:
    one = start("tell('ready')\nwhile not os.path.exists('go'): time.sleep(0.01)\nos._exit(3)")
    one.until("ready")
    assert one.worker.poll() is None
    (one.cwd / "go").touch()
    assert one.end() == 3
    one.worker.interrupt()
    one.worker.kill()
    one.worker.kill()
    assert one.worker.poll() == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_status_of_a_signal(start: Callable[..., Started], number: signal.Signals) -> None:
    one = start(
        f"import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.kill(os.getpid(), {int(number)})"
    )
    assert one.end() == -number
    assert one.last_word() is None


def test_interrupted_code_can_clean_up(start: Callable[..., Started]) -> None:
    one = start("try:\n    tell('ready')\n    time.sleep(600)\nfinally:\n    time.sleep(0.2)\n    tell('cleaned')")
    one.until("ready")
    one.worker.interrupt()
    assert one.end() == 0
    assert (one.cwd / "cleaned").exists()
    assert "SIGTERM" in (one.last_word() or {})["cause"]


def test_interrupt_before_the_code_begins(start: Callable[..., Started]) -> None:
    one = start("tell('began')")
    one.worker.interrupt()
    one.end()
    one.worker.interrupt()
    assert not (one.cwd / "began").exists()


def test_kill_does_not_ask(start: Callable[..., Started]) -> None:
    one = start(STUBBORN)
    one.until("ready")
    one.worker.interrupt()
    one.worker.interrupt()
    assert one.worker.poll() is None
    one.worker.kill()
    assert one.worker.poll() == -signal.SIGKILL


def test_kill_at_once(start: Callable[..., Started]) -> None:
    one = start(SLEEP)
    one.worker.kill()
    assert one.worker.poll() == -signal.SIGKILL


FAMILY = """
import subprocess
sleep = [sys.executable, '-c', 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)']
pids = [subprocess.Popen(sleep).pid, subprocess.Popen(sleep, start_new_session=True).pid]
# One whose parent is dead by now, in a session of its own.
between = ('import os, subprocess, sys; '
           'print(subprocess.Popen(' + repr(sleep) + ', start_new_session=True, stdout=-3, stderr=-3).pid)')
pids.append(int(subprocess.run([sys.executable, '-c', between], capture_output=True, text=True).stdout))
if not os.fork():
    time.sleep(600)
tell('ready', ' '.join(map(str, pids)))
"""


@pytest.mark.parametrize("ended", [False, True])
def test_kill_takes_everything_that_was_started(start: Callable[..., Started], ended: bool) -> None:
    one = start(FAMILY + ("os._exit(0)" if ended else "time.sleep(600)"))
    while not (one.cwd / "ready").exists() and one.worker.poll() is None:
        time.sleep(0.01)
    pids = [int(p) for p in (one.cwd / "ready").read_text().split()]
    if ended:
        assert one.end() == 0
    assert not any(gone(pid) for pid in pids)
    one.worker.kill()
    assert [pid for pid in pids if not gone(pid)] == []


def test_what_was_there_before_is_spared(start: Callable[..., Started]) -> None:
    with psutil.Popen(["sleep", "600"]) as bystander:
        try:
            one = start(SLEEP)
            one.until("ready")
            one.worker.kill()
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_worker_that_cannot_start(compute: Compute, tmp_path: Path) -> None:
    store = RunStore(tmp_path / ".mlwidgets")
    store.prepare()
    provenance = Provenance(str(tmp_path / "gone"), sys.executable, "3", "host", "user")
    spec = RunSpec(id="20261120-123000-x-abcd", name="x", code="", provenance=provenance)
    folder = store.create_run(spec)
    with pytest.raises(OSError, match="gone"):
        compute.start(folder, spec)
