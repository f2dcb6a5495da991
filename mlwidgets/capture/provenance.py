"""Where a run came from: at once what costs nothing, the rest by the supervisor while the worker starts."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlwidgets.capture import executed
from mlwidgets.capture.imported import imported
from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.spec import Provenance

_DISTRIBUTION = re.compile(r"(.+?)-(\d[^-]*)\.(?:dist|egg)-info")


def provenance(notebook: str | None = None, cell: str | None = None) -> Provenance:
    """Return what this process knows of itself without asking anybody."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Provenance(
        cwd=os.getcwd(),
        executable=sys.executable,
        python=platform.python_version(),
        host=socket.gethostname(),
        user=user,
        notebook=notebook or notebook_here(),
        kernel_pid=os.getpid(),
        threads=_threads(),
        cell=cell,
    )


def notebook_here() -> str | None:
    """Return the path of this kernel's notebook, as far as Jupyter has told it; also after it was renamed."""
    told = os.environ.get("JPY_SESSION_NAME")
    if not told or not told.endswith(".ipynb") or os.path.exists(told):
        return told
    try:
        changed = os.stat(os.path.dirname(told)).st_mtime_ns
    except OSError:
        return told
    if _renamed.get(told, (0, ""))[0] != changed:
        from mlwidgets.history.located import locate

        found = locate(Path(told), [cell.id for cell in executed.here.cells() if cell.id is not None])
        _renamed[told] = changed, told if found is None else str(found)
    return _renamed[told][1]


_renamed: dict[str, tuple[int, str]] = {}
"""Where notebooks were found that are not where they were, and when their folder had changed last by then."""


def _threads() -> dict[str, int]:
    """Return how many threads the numeric libraries use, as far as that can be known without importing any."""
    told = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    threads = {name: int(os.environ[name]) for name in told if os.environ.get(name, "").isdigit()}
    torch = imported("torch")
    if torch is not None:
        threads["torch"] = torch.get_num_threads()
    return threads


def write_environment(folder: RunFolder, cwd: str) -> None:
    """Gather git state, packages and GPUs into ``environment.json``; then take a snapshot of the notebook.

    That costs the run nothing if it fails: what was wrong stands in the same file.
    """
    environment = _environment(cwd)
    write_whole(folder.environment, json.dumps(environment).encode())
    problem = _keep_notebook(folder)
    if problem is not None:
        write_whole(folder.environment, json.dumps({**environment, "no_snapshot": problem}).encode())


def _environment(cwd: str) -> dict[str, Any]:
    return {
        "python": sys.version,
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "git": _git(cwd),
        "packages": _packages(),
        "gpus": _gpus(),
        "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


def _keep_notebook(folder: RunFolder) -> str | None:
    """Take a snapshot of the notebook that the run was submitted from; return what was wrong."""
    told = (read_json(folder.spec) or {}).get("provenance")
    if not folder.executed.exists() and not (isinstance(told, dict) and told.get("notebook")):
        return None
    try:
        from mlwidgets.history.submitted import snapshot_of_submit

        snapshot_of_submit(folder)
    except MlwidgetsError as error:
        return str(error)
    except Exception as error:  # the run has nothing to do with it
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


def _ask(*command: str, cwd: str | None = None) -> str | None:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _git(cwd: str) -> dict[str, Any] | None:
    """Return commit, branch and whether anything was uncommitted; None outside a git work tree."""
    top = _ask("git", "rev-parse", "--show-toplevel", cwd=cwd)
    if top is None:
        return None
    commit = _ask("git", "rev-parse", "--verify", "HEAD", cwd=cwd)
    branch = _ask("git", "symbolic-ref", "--short", "-q", "HEAD", cwd=cwd)
    status = _ask("git", "status", "--porcelain", cwd=cwd)
    return {
        "top": top.rstrip("\n"),
        "commit": commit.strip() if commit else None,
        "branch": branch.strip() if branch else None,
        "dirty": bool(status),
    }


def _packages() -> dict[str, str]:
    """Return installed packages with their versions, from the names of their metadata folders."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            match = _DISTRIBUTION.fullmatch(name)
            if match:
                found.setdefault(match[1].replace("_", "-").lower(), match[2])
    return dict(sorted(found.items()))


def _gpus() -> list[dict[str, str]]:
    """Return name, UUID, driver and memory of each GPU, as the driver's own tool tells."""
    if shutil.which("nvidia-smi") is None:
        return []
    fields = ("name", "uuid", "driver_version", "memory.total")
    text = _ask("nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader") or ""
    return [dict(zip(fields, (p.strip() for p in line.split(",")), strict=False)) for line in text.splitlines()]


def main() -> None:
    """Gather for the run folder and working directory given as arguments."""
    write_environment(RunFolder(Path(sys.argv[1])), sys.argv[2])


if __name__ == "__main__":
    main()
