"""What a view shows of a run on request: its code, its environment, the files it left, what changed before it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from mlwidgets.views.changes import read_changes

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

MOST_CODE = 200_000
"""Characters."""
MOST_FILES = 1000


def read_details(run: Run) -> dict[str, Any]:
    """Return code, facts about the environment, packages, files and what changed since the run before, fit for JSON."""
    environment = run.environment
    packages = environment.get("packages")
    return {
        "code": run.spec.code[:MOST_CODE],
        "heading": run.spec.heading,
        "facts": [[key, str(value)] for key, value in _facts(run, environment) if value not in {None, ""}],
        "packages": [[str(k), str(v)] for k, v in packages.items()] if isinstance(packages, dict) else [],
        "files": list_files(run),
        "folder": str(run.path),
        "changes": read_changes(run),
    }


def list_files(run: Run) -> list[list[Any]]:
    """Return name and bytes of each file below the run's outputs, at most `MOST_FILES`, in order."""
    top = os.fspath(run.outputs)
    found: list[list[Any]] = []
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            try:
                found.append([os.path.relpath(path, top), os.stat(path).st_size])
            except OSError:
                continue
            if len(found) == MOST_FILES:
                return found
    return found


def _facts(run: Run, environment: dict[str, Any]) -> list[tuple[str, Any]]:
    spec, origin = run.spec, run.spec.provenance
    git = environment.get("git")
    facts: list[tuple[str, Any]] = [
        ("Run", run.id),
        ("Submitted", time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(run.submitted_at))),
        ("Seed", spec.seed),
        ("Trial", None if spec.trial_of is None else f"{spec.trial} of {spec.trial_of}"),
    ]
    if origin is not None:
        facts += [("Notebook", origin.notebook), ("Directory", origin.cwd), ("Interpreter", origin.executable)]
        facts += [("Python", origin.python), ("Host", origin.host), ("User", origin.user)]
    if isinstance(git, dict):
        commit = str(git.get("commit") or "no commit")[:12]
        changed = ", with uncommitted changes" if git.get("dirty") else ""
        facts.append(("Git", f"{git.get('branch') or 'no branch'} at {commit}{changed}"))
    facts += [("Platform", environment.get("platform")), ("Processor", environment.get("processor"))]
    facts.append(("CPUs", environment.get("cpus")))
    gpus = environment.get("gpus")
    for gpu in gpus if isinstance(gpus, list) else []:
        if isinstance(gpu, dict):
            facts.append(("GPU", ", ".join(str(value) for value in gpu.values())))
    if spec.inputs is not None:
        facts.append(("Inputs", ", ".join(one.name for one in spec.inputs.names)))
    return facts
