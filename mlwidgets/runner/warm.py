"""Warm starts: processes that have imported the heavy modules already are asked to fork a run's supervisor.

Such a process has imported only, never computed and never initialised a GPU, so that it can be forked safely. It
serves those who would get the same by starting a fresh Python: same interpreter, environment, packages, limits.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import resource
import site
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mlwidgets.capture.modules import is_local
from mlwidgets.capture.variables import CUBLAS, shaped
from mlwidgets.runner.boot import python_command
from mlwidgets.runner.compute.local import figures_environment
from mlwidgets.runner.handover import send
from mlwidgets.runs.folder import RunFolder, read_json, write_whole

VARIABLE = "MLWIDGETS_WARM"
"""Names the directory of warm processes, or is ``off``."""

IDLE = 600.0
"""Seconds after which a warm process that nobody asks leaves."""

ANSWER_WITHIN = 5.0
"""Seconds that a warm process has to answer before a fresh one is started instead."""

MANY = 150
"""How many modules a process must have imported newly for another warm process to be worth it."""

HEAVY = ("torch", "transformers", "lightning", "sklearn", "scipy", "pandas", "matplotlib", "polars", "xgboost", "numpy")
"""Libraries that take long to import: worth a warm process, and worth naming where one is shown."""

_SOON = {"torch": "torch._dynamo"}
"""What a library imports, taking long, when nearly every cell first uses it: torch when it makes an optimizer."""

# They differ from notebook to notebook, and no library looks at them when it is imported.
_VOLATILE = re.compile(
    rf"{CUBLAS}|(JPY|MLWIDGETS|VSCODE|SSH|PYDEVD|KERNEL|DBUS|XDG_SESSION|TERM|GIT|TMUX|WINDOW)_?.*"
    r"|_|OLDPWD|PWD|SHLVL|COLUMNS|LINES|CLICOLOR.*|FORCE_COLOR|PAGER|LS_COLORS|PYTEST_CURRENT_TEST|INVOCATION_ID"
)
# Kernel machinery, what looks for the shell when it is imported, and libraries that start threads or hold a GPU as soon
# as they are imported.
_NOT_WARMED = {
    *("ipykernel", "zmq", "tornado", "debugpy", "jupyter_client", "jupyter_core", "comm", "nest_asyncio", "ipywidgets"),
    *("matplotlib_inline", "ipympl", "tqdm"),
    *("pydevd", "_pydevd_bundle", "_pydev_bundle", "_pydevd_frame_eval", "pydev_ipython", "pydevd_file_utils"),
    *("mlwidgets", "mlwidgets_magics", "anywidget", "widgetsnbextension", "__main__", "__mp_main__"),
    *("tensorflow", "jax", "jaxlib", "ray", "grpc", "torch_xla", "pyspark", "pytest", "_pytest", "pluggy", "xdist"),
}


_LIMITING = ("Umask", "NoNewPrivs", "Seccomp", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
"""Lines of ``/proc/self/status`` that a child process inherits."""


@dataclass(frozen=True)
class WarmProcess:
    """A process that is warm. ``since`` in Unix seconds, ``modules`` the top-level names that it has imported."""

    pid: int
    key: str
    modules: tuple[str, ...]
    since: float
    python: str

    @property
    def memory(self) -> int:
        """Bytes that it has for itself or shares with others, its share of those counted (PSS); 0 if unknown."""
        with contextlib.suppress(OSError, ValueError):
            for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        return 0


def directory() -> Path | None:
    """Return the private directory of this user's warm processes; None where there are to be none."""
    named = os.environ.get(VARIABLE)
    if named == "off" or sys.platform != "linux":
        # Frameworks of macOS do not survive a fork.
        return None
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if named:
        path = Path(named)
    elif runtime and os.access(runtime, os.W_OK):
        path = Path(runtime) / "mlwidgets"
    else:
        path = Path(tempfile.gettempdir()) / f"mlwidgets-{os.geteuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return path if private else None


def start(folder: RunFolder, environment: Mapping[str, str], number: int, place: int | None) -> int | None:
    """Have a warm process fork the run's supervisor; return its pid, or None if there is none that fits.

    Parameters
    ----------
    number, place
        The run's place in the queue, and the descriptor that keeps it.
    """
    where = directory()
    if where is None:
        return None
    best = _best(where, environment, set(_tops()))
    if best is None or best.pid in _hanging:
        return None
    request = {"folder": str(folder.path), "environment": dict(environment), "number": number}
    answer = _ask(where, best, request, [] if place is None else [place])
    if "stale" in answer:
        _prepared.discard(best.key)
    pid = answer.get("pid")
    return pid if isinstance(pid, int) else None


def prepare() -> None:
    """Start a process that imports what this one has, unless there is one; returns at once."""
    where = directory()
    if where is None:
        return
    names = worth_having()
    names += [later for library, later in _SOON.items() if library in _tops() and later not in names]
    key = f"{fingerprint(os.environ)}-{_digest(sorted(_tops()))[:8]}"
    if key in _prepared or any(warm.key == key for warm in warm_processes(where)):
        return
    _prepared.add(key)
    with contextlib.suppress(OSError):
        write_whole(where / f"{key}.modules", json.dumps({"names": names}).encode())
        environment = {k: v for k, v in shaped(os.environ).items() if not k.startswith("MLWIDGETS_RUN")}
        environment = {**_WITHOUT_THREADS, **environment, **figures_environment()}
        with open(where / f"{key}.log", "wb") as log:
            process = subprocess.Popen(
                python_command("mlwidgets.runner.warm_server", str(where), key),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        threading.Thread(target=_until_ended, args=(process, key), name="mlwidgets-warm", daemon=True).start()


_WITHOUT_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""By these, libraries start no thread when they are imported, which no fork would have: pyarrow's allocator, that comes
with pandas, frees memory without one then (jemalloc's manual, ``background_thread``)."""

_hanging: set[int] = set()
"""Warm processes that did not answer in time: nobody waits for them again."""

_prepared: set[str] = set()
_met: set[str] = set()


def _until_ended(process: subprocess.Popen[bytes], key: str) -> None:
    """Take the exit status; afterwards another one may be started, unless it said that it cannot be warm."""
    if process.wait() <= 0:
        _prepared.discard(key)


def prepare_if_worth_it() -> None:
    """Start a warm process if this process has imported much since it last asked."""
    fresh = {n for n in sys.modules if n not in _met}
    if len(fresh) < MANY:
        return
    _met.update(fresh)
    if sum(n.split(".")[0] not in _NOT_WARMED for n in fresh) >= MANY and _heavy():
        prepare()


def _heavy() -> bool:
    """Whether it takes long to import what this process has imported."""
    return any(name in sys.modules for name in HEAVY)


def worth_having() -> list[str]:
    """Return the names of all modules that this process has imported and that are worth having warm."""
    return [name for top in _tops().values() for name in top]


def stand_in(names: Sequence[str]) -> None:
    """Start runs as a process does that has imported these modules, as `worth_having` gave them there."""
    global _instead
    _instead = {}
    for name in names:
        _instead.setdefault(name.partition(".")[0], []).append(name)


_instead: dict[str, list[str]] | None = None


def _tops() -> dict[str, list[str]]:
    """Return the modules that are worth having warm, by their top-level names: all that come with the environment."""
    return _tops_of(len(sys.modules)) if _instead is None else _instead


@lru_cache(maxsize=1)
def _tops_of(_count: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, module in sys.modules.copy().items():
        top = name.partition(".")[0]
        if top in _NOT_WARMED or top in sys.stdlib_module_names:
            continue
        if getattr(module, "__spec__", None) is None or is_local(getattr(module, "__file__", None)):
            continue
        found.setdefault(top, []).append(name)
    return found


def _best(where: Path, environment: Mapping[str, str], wanted: set[str]) -> WarmProcess | None:
    """Return the warm process of this environment that has imported most of what is wanted and least besides."""
    base = fingerprint(environment)
    fitting = [warm for warm in warm_processes(where) if warm.key.startswith(f"{base}-")]
    return max(
        fitting, key=lambda w: (len(wanted & set(w.modules)), -len(set(w.modules) - wanted), w.since), default=None
    )


def warm_processes(where: Path | None = None) -> Iterator[WarmProcess]:
    """Yield the user's warm processes."""
    where = where or directory()
    if where is None:
        return
    for path in sorted(where.glob("*.json")):
        data = read_json(path)
        if data is None:
            continue
        with contextlib.suppress(TypeError, KeyError):
            warm = WarmProcess(**{**data, "modules": tuple(data["modules"])})
            if is_served(where, warm.key):
                yield warm


def is_served(where: Path, key: str) -> bool:
    """Whether a process lives that serves `key`: it holds a lock for as long."""
    try:
        fd = os.open(where / f"{key}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def end_warm_processes() -> int:
    """Ask all of the user's warm processes to leave; return how many did."""
    where = directory()
    if where is None:
        return 0
    return sum(bool(_ask(where, warm, {"end": True})) for warm in list(warm_processes(where)))


def end_those_within(where: Path, key: str, modules: set[str]) -> None:
    """Ask those to leave that serve the environment of `key` with fewer modules than `modules`."""
    base = key.partition("-")[0]
    for warm in list(warm_processes(where)):
        if warm.key != key and warm.key.startswith(f"{base}-") and set(warm.modules) < modules:
            _ask(where, warm, {"end": True})


def describe(key: str, modules: list[str]) -> bytes:
    """Return what a warm process that serves `key` tells of itself."""
    return json.dumps(asdict(WarmProcess(os.getpid(), key, tuple(modules), time.time(), sys.executable))).encode()


def _ask(where: Path, warm: WarmProcess, request: dict[str, Any], descriptors: Sequence[int] = ()) -> dict[str, Any]:
    """Send a request and return the answer, {} if there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_WITHIN)
            connection.connect(str(where / f"{warm.key}.sock"))
            send(connection, request, descriptors)
            answer = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
    except TimeoutError:
        _hanging.add(warm.pid)
        return {}
    except (OSError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


def fingerprint(environment: Mapping[str, str]) -> str:
    """Return what is the same for processes that a fresh Python would start alike."""
    # Warm processes and supervisors have the safe path (-P) and a known hash seed always, whoever starts them.
    flags = re.sub(r"(safe_path|hash_randomization)=\w+", "", repr(sys.flags))
    facts: list[Any] = [
        [sys.executable, sys.version, sys.prefix, flags, sys.warnoptions, sorted(map(str, sys._xoptions))],
        sorted((k, v) for k, v in shaped(environment).items() if not _VOLATILE.fullmatch(k)),
        [(folder, _changed_at(folder)) for folder in (*site.getsitepackages(), site.getusersitepackages())],
        [resource.getrlimit(number) for name, number in sorted(vars(resource).items()) if name.startswith("RLIMIT_")],
        [os.geteuid(), os.getegid(), os.getgroups(), os.getpriority(os.PRIO_PROCESS, 0)],
    ]
    if sys.platform == "linux":
        facts.append(sorted(os.sched_getaffinity(0)))
        facts.append([os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "pid", "net", "user", "ipc")])
        facts.append(Path("/proc/self/cgroup").read_text())
        facts.append([ln for ln in Path("/proc/self/status").read_text().splitlines() if ln.startswith(_LIMITING)])
    return _digest(facts)[:16]


def _changed_at(path: str | Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _digest(facts: Any) -> str:
    return blake2b(json.dumps(facts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
