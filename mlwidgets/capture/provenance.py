"""Where a run came from, as far as it costs nothing to ask."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import sys
from pathlib import Path

from mlwidgets.capture import executed
from mlwidgets.capture.imported import imported
from mlwidgets.runs.spec import Provenance


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


def main() -> None:
    """Gather the rest for the run folder and working directory given as arguments."""
    from mlwidgets.capture.environment import write_environment
    from mlwidgets.runs.folder import RunFolder

    write_environment(RunFolder(Path(sys.argv[1])), sys.argv[2])


if __name__ == "__main__":
    main()
