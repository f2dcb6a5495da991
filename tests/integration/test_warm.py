"""Warm starts: forked from a process that has imported only, and cold wherever that would make a difference."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlwidgets.runner import warm
from mlwidgets.runner.warm import WarmProcess
from mlwidgets.runs.leftovers import lives
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="runs start fresh elsewhere")

PROLOGUE = """
import json, os, sys, time
import numpy
import mlwidgets
from mlwidgets.runner import warm

FACTS = '''
import os
command = open('/proc/self/cmdline').read().replace(chr(0), ' ')
facts = {'warm': 'warm_server' in command, 'pid': os.getpid(), 'parent': os.getppid()}
'''

def go(code='', **options):
    run = mlwidgets.train(FACTS + code, name='x', namespace={}, **options).wait(100)
    assert run.state == 'finished', (run, run.output, run.error)
    return run

def warmed(count=1):
    deadline = time.monotonic() + 60
    while len(found := list(warm.warm_processes())) < count:
        assert time.monotonic() < deadline, 'nothing got warm'
        time.sleep(0.05)
    return found

def is_warm(**options):
    return bool(go(**options).result['facts']['warm'])
"""


class User:
    """Whoever submits runs, in a process of its own with its own environment and its own warm processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages = folder / "base" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        self.packages.mkdir(parents=True)
        self.environment = {
            **os.environ,
            "MLWIDGETS_WARM": str(folder / "w"),
            "MLWIDGETS_STORE": str(folder / ".mlwidgets"),
            "PYTHONUSERBASE": str(folder / "base"),
            "PYTHONPATH": str(self.packages),
        }

    def does(self, code: str, **environment: str) -> Any:
        """Run a program that ends with ``tell(…)``; return what it told."""
        program = PROLOGUE + "def tell(value):\n    print('TOLD', json.dumps(value))\n" + textwrap.dedent(code)
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        told = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
        assert done.returncode == 0, done.stdout + done.stderr
        assert told, done.stdout + done.stderr
        return json.loads(told[-1].removeprefix("TOLD "))

    def warm_processes(self) -> list[WarmProcess]:
        return list(warm.warm_processes(self.folder / "w"))


@pytest.fixture
def user() -> Iterator[User]:
    # The path of a socket may have a hundred characters only.
    with tempfile.TemporaryDirectory(prefix="mlw-", ignore_cleanup_errors=True) as folder:
        one = User(Path(folder))
        yield one
        for process in one.warm_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def test_the_first_is_cold_and_ten_in_a_row_are_warm(user: User) -> None:
    told = user.does(
        """
        first = is_warm()
        warmed()
        runs = [mlwidgets.train(FACTS, name='x', namespace={}) for _ in range(10)]
        facts = [run.wait(60).result['facts'] for run in runs]
        tell([first, [f['warm'] for f in facts], len({f['pid'] for f in facts}), is_warm(cold=True)])
        """
    )
    assert told == [False, [True] * 10, 10, False]


WORK = """
import numpy as np, torch, threading, atexit, multiprocessing
loaded = sorted(m for m in ("torch", "numpy") if m in __import__("sys").modules)
big = torch.ones(700, 700)
product = float((big @ big).double().sum()) + float((np.ones((700, 700)) @ np.ones((700, 700))).sum())
from torch.utils.data import DataLoader
batches = [b.sum().item() for b in DataLoader(list(range(8)), batch_size=4, num_workers=2)]
left_open = open("left-open.txt", "w")
left_open.write("flushed")
atexit.register(lambda: open("at-exit.txt", "w").write("done"))
threading.Timer(0.3, lambda: open("thread.txt", "w").write("waited for")).start()
drawn = np.random.rand()
"""


def test_what_the_libraries_do_in_a_forked_process(user: User) -> None:
    told = user.does(
        f"""
        import torch
        go()
        warmed()
        code = {WORK!r}
        one, two = go(code), go(code)
        assert one.result['facts']['warm'] and two.result['facts']['warm']
        texts = [open(name).read() for name in ('left-open.txt', 'at-exit.txt', 'thread.txt')]
        tell([one.result['product'], one.result['batches'], texts])
        """
    )
    assert told == [2 * 700.0**3, [6, 22], ["flushed", "done", "waited for"]]


def test_what_torch_loads_with_the_first_optimizer_is_there(user: User) -> None:
    told = user.does(
        """
        import torch
        go()
        warmed()
        mine = 'torch._dynamo' in __import__('sys').modules
        run = go("there = 'torch._dynamo' in __import__('sys').modules")
        tell([mine, run.result['facts']['warm'], run.result['there']])
        """
    )
    assert told == [False, True, True]


def test_pandas_is_there_though_it_brings_pyarrow_whose_allocator_likes_a_thread(user: User) -> None:
    told = user.does(
        """
        import pandas, pyarrow
        go()
        warmed()
        run = go("there = sorted({'pandas', 'pyarrow'} & {*__import__('sys').modules})")
        tell([run.result['facts']['warm'], run.result['there']])
        """
    )
    assert told == [True, ["pandas", "pyarrow"]]


def test_figures_are_shown_where_nobody_chose_a_backend(user: User) -> None:
    user.environment.pop("MPLBACKEND", None)
    told = user.does(
        """
        import matplotlib.pyplot
        go()
        warmed()
        run = go("import matplotlib.pyplot as plt\\nplt.plot([1, 2])\\nplt.show()")
        tell([run.result['facts']['warm'], [sorted(shown.data) for shown in run.displays()]])
        """
    )
    assert told == [True, [["image/png", "text/plain"]]]


def test_two_runs_do_not_draw_the_same_numbers(user: User) -> None:
    program = """
        go()
        warmed()
        # What was never imported by whoever submits has no state to send along.
        for name in [n for n in sys.modules if n.partition('.')[0] == 'numpy']:
            del sys.modules[name]
        one, two = (go('import numpy, random\\ndrawn = [numpy.random.rand(), random.random()]') for _ in range(2))
        assert one.result['facts']['warm'] and two.result['facts']['warm']
        tell([one.result['drawn'][0] != two.result['drawn'][0]])
        """
    assert user.does(program) == [True]


def test_the_environment_is_that_of_the_submitter(user: User) -> None:
    told = user.does(
        """
        go()
        warmed()
        os.environ['MLWIDGETS_OF_MINE'] = 'set later'
        os.umask(0o027)
        os.umask(0o022)
        run = go("import os\\nseen = [os.environ.get('MLWIDGETS_OF_MINE'), os.getcwd(), os.getsid(0) == os.getpid()]")
        tell([run.result['facts']['warm'], run.result['seen'], os.getcwd()])
        """
    )
    assert told[:2] == [True, ["set later", told[2], True]]


@pytest.mark.parametrize(
    "change",
    [
        "os.environ['PYTHONHASHSEED'] = '7'",
        "os.environ['OMP_NUM_THREADS'] = '1'",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))",
        "os.umask(0o077)",
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})",
        "os.mkdir(os.environ['PYTHONPATH'] + '/installed')",
        "sys.executable = sys._base_executable = os.path.realpath(sys.executable)",
    ],
)
def test_what_a_fresh_process_would_have_otherwise_starts_cold(user: User, change: str) -> None:
    program = f"""
        go()
        warmed()
        assert is_warm()
        executable = sys.executable
        {change}
        found = [w.key.partition('-')[0] for w in warm.warm_processes()]
        tell([warm.fingerprint(os.environ) in found])
        """
    assert user.does(program) == [False]


def test_a_package_that_was_changed_starts_cold_and_then_warm_again(user: User) -> None:
    (user.packages / "library").mkdir()
    (user.packages / "library" / "__init__.py").write_text("from library.part import VALUE")
    (user.packages / "library" / "part.py").write_text("VALUE = 'old'")
    told = user.does(
        """
        import library
        code = "import library\\nvalue = library.VALUE"
        seen = []
        def see():
            run = go(code)
            seen.append([run.result['facts']['warm'], run.result['value']])
        see()
        old = warmed()[0].pid
        see()
        with open(os.environ['PYTHONPATH'] + '/library/part.py', 'w') as file:
            file.write("VALUE = 'newer'")
        see()
        while warmed()[0].pid == old:
            time.sleep(0.05)
        see()
        tell(seen)
        """
    )
    assert told == [[False, "old"], [True, "old"], [False, "newer"], [True, "newer"]]


def test_a_library_that_starts_threads_is_left_out(user: User) -> None:
    threads = "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
    (user.packages / "threaded.py").write_text(threads)
    (user.packages / "harmless.py").write_text("")
    told = user.does(
        """
        import harmless, threaded
        go()
        modules = warmed()[0].modules
        tell([is_warm(), 'harmless' in modules, 'threaded' in modules])
        """
    )
    assert told == [True, True, False]


def test_killed_warm_processes_take_nothing_along(user: User) -> None:
    told = user.does(
        """
        import signal
        go()
        process = warmed()[0]
        waiting = 'import time, os\\nwhile not os.path.exists("go"): time.sleep(0.01)'
        run = mlwidgets.train(FACTS + waiting, namespace={})
        while run.state != 'running':
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        while list(warm.warm_processes()):
            time.sleep(0.01)
        cold = is_warm()
        open('go', 'w').close()
        run.wait(60)
        warmed()
        tell([run.state, run.result['facts']['warm'], cold, is_warm()])
        """
    )
    assert told == ["finished", True, False, True]


def test_what_a_killed_run_left_running_is_found_under_any_name(user: User) -> None:
    told = user.does(
        """
        import signal
        from mlwidgets.runs.alive import holder
        go()
        warmed()
        # Workers of a data loader name themselves.
        run = mlwidgets.train(FACTS + "child = os.fork()\\nif child == 0: open('/proc/self/comm', 'w').write('dl')\\n"
            "else: print(child, facts['warm'], flush=True)\\nimport time; time.sleep(600)", namespace={})
        while not run.output.endswith('\\n'):
            time.sleep(0.01)
        child, is_forked = run.output.split()
        for role in ('supervisor', 'worker'):
            os.kill(holder(run.path / 'alive', role), signal.SIGKILL)
        while not run.ended:
            time.sleep(0.01)
        tell([run.state, is_forked, int(child)])
        """
    )
    assert told[:2] == ["killed", "True"]
    until(lambda: not psutil.pid_exists(told[2]) or psutil.Process(told[2]).status() == psutil.STATUS_ZOMBIE)


def test_seen_and_ended(user: User) -> None:
    told = user.does(
        """
        go()
        process = warmed()[0]
        kin = [process.pid]
        seen = [process.memory > 1e6, 'numpy' in process.modules, process.python == sys.executable]
        import psutil
        kin += [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        tell([seen, kin, warm.end_warm_processes(), list(warm.warm_processes())])
        """
    )
    seen, kin, ended, left = told
    assert seen == [True, True, True]
    assert len(kin) == 3  # itself, a supervisor and a worker that wait to be needed
    assert (ended, left) == (1, [])
    until(lambda: not any(lives(pid) for pid in kin))


def test_seen_and_ended_in_a_shell(user: User) -> None:
    def shell(*words: str) -> str:
        command = [sys.executable, "-m", "mlwidgets.cli", "warm", *words]
        done = subprocess.run(command, env=user.environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    assert "no warm processes" in shell()
    pid = user.does("go()\ntell(warmed()[0].pid)")
    assert f"pid {pid}, " in shell()
    assert "numpy" in shell()
    assert shell("stop") == "1 warm process ended\n"
    assert "no warm processes" in shell()


def test_they_leave_after_idling(user: User) -> None:
    program = "from mlwidgets.runner import warm, warm_server\n"
    program += "warm.IDLE = 0.5\nwarm_server._LOOK_AFTER = 0.1\nwarm_server.main()"
    where = user.folder / "w"
    where.mkdir(mode=0o700)
    (where / "key.modules").write_text(json.dumps({"names": ["json"]}))
    done = subprocess.run([sys.executable, "-c", program, str(where), "key"], timeout=60, check=False)
    assert done.returncode == 0
    assert sorted(path.name for path in where.iterdir()) == ["key.lock"]


def test_a_directory_that_others_could_write_is_not_used(user: User) -> None:
    (user.folder / "w").mkdir(mode=0o700)
    (user.folder / "w").chmod(0o770)
    assert user.does("go()\ngo()\ntell([is_warm(), os.listdir(os.environ['MLWIDGETS_WARM'])])") == [False, []]
    assert user.does("tell([is_warm(), warm.directory()])", MLWIDGETS_WARM="off") == [False, None]


def test_a_warm_process_that_hangs_is_waited_for_once(user: User) -> None:
    told = user.does(
        """
        import signal
        from mlwidgets.runner import warm as w
        w.ANSWER_WITHIN = 0.5
        go()
        process = warmed()[0]
        os.kill(process.pid, signal.SIGSTOP)
        asked = []
        ask = w._ask
        w._ask = lambda *given: asked.append(1) or ask(*given)
        cold = [is_warm(), is_warm()]
        os.kill(process.pid, signal.SIGCONT)
        tell([cold, len(asked)])
        """
    )
    assert told == [[False, False], 1]


def test_options_of_the_interpreter_are_handed_on(user: User) -> None:
    program = PROLOGUE + "print('TOLD', go('kept = __debug__').result['kept'])"
    for options, kept in (([], "True"), (["-O"], "False")):
        command = [sys.executable, *options, "-c", program]
        done = subprocess.run(
            command, env=user.environment, cwd=user.folder, capture_output=True, text=True, timeout=100, check=True
        )
        assert f"TOLD {kept}" in done.stdout
