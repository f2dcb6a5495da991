"""What is around a run, gathered in the background: git, packages, processor, GPUs, the notebook, the data."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlwidgets.capture.data import digest_data
from mlwidgets.capture.hardware import cpu_model, cuda_driver, gpus, memory
from mlwidgets.capture.installed import installed
from mlwidgets.errors import HistoryError, MlwidgetsError
from mlwidgets.history.git.keeping import keep
from mlwidgets.history.git.remotes import remote_of
from mlwidgets.history.git.repository import Repository
from mlwidgets.history.git.worktree import State, find, look
from mlwidgets.notifying.masking import masker_for
from mlwidgets.notifying.settings import ConfigError
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.uncommitted import write_patch


def write_environment(folder: RunFolder, cwd: str) -> None:
    """Gather git state, packages, processor and GPUs into ``environment.json``, and the digests of named data.

    What is not committed is kept as a commit and as a patch, and the notebook as a snapshot. That costs the run
    nothing if it fails: what was wrong stands in the same file.
    """
    # First what may soon be otherwise.
    repository, state, git = _git(cwd)
    environment = {**_machine(), "git": git}
    _write(folder, environment)
    problems: list[str] = []
    if repository is not None and state is not None:
        problems = list(_keep(folder, repository, state))
    if git is not None and problems:
        git["problem"] = "; ".join(problems)
    if problem := _keep_notebook(folder):
        environment["no_snapshot"] = problem
    if problems or problem:
        _write(folder, environment)
    data = digest_data(folder)
    if data:
        _write(folder, {**environment, "data": data})


def _write(folder: RunFolder, environment: dict[str, Any]) -> None:
    write_whole(folder.environment, json.dumps(environment).encode())


def _machine() -> dict[str, Any]:
    packages, provided = installed()
    return {
        "python": sys.version,
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "memory": memory(),
        "packages": packages,
        "provided": provided,
        "gpus": gpus(),
        "cuda_driver": cuda_driver(),
        "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


def _git(cwd: str) -> tuple[Repository | None, State | None, dict[str, Any] | None]:
    """Return the repository, what its work tree is like, and what is told of both; None outside of one."""
    try:
        repository = find(Path(cwd))
        if repository is None:
            return None, None, None
        state = look(repository)
        where = {"top": str(repository.top), "repository": str(repository.common), "remote": remote_of(repository)}
        return repository, state, {**where, **state.to_json()}
    except HistoryError as error:
        return None, None, {"uncommitted": None, "problem": str(error)}


def _keep(folder: RunFolder, repository: Repository, state: State) -> Iterator[str]:
    """Keep what is not committed: in the repository, and as a patch with the run; yield what was wrong."""
    if state.problem is not None:
        yield state.problem
    try:
        if state.kept is not None:
            keep(repository, folder.store, state.kept)
        if state.patch is not None:
            # The run may be given away: without what is secret.
            mask = masker_for(folder)
            text = state.patch.decode("utf-8", "surrogateescape")
            write_patch(folder, mask(text).encode("utf-8", "surrogateescape") if mask else state.patch)
    except ConfigError as error:
        yield f"no patch was kept: {error}"
    except HistoryError as error:
        yield str(error)
    except OSError as error:
        yield f"no patch was kept: {error.strerror or error}"


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
