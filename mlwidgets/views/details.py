"""What a view shows of a run on request: its code, its environment, the files it left, what changed before it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.data import read_data
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.libraries import read_libraries
from mlwidgets.views.changes import read_changes
from mlwidgets.views.checkpoints import read_kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlwidgets.runs.run import Run

MOST_CODE = 200_000
"""Characters."""
MOST_FILES = 1000
MOST_NAMED = 10
"""Uncommitted files."""


def read_details(run: Run) -> dict[str, Any]:
    """Return code, facts about the environment, packages, files and what changed since the run before, fit for JSON."""
    environment = run.environment
    packages = environment.get("packages")
    return {
        "code": run.spec.code[:MOST_CODE],
        "heading": run.spec.heading,
        "facts": [[key, str(value)] for key, value in _facts(run, environment) if value is not None and value != ""],
        "packages": [[str(k), str(v)] for k, v in packages.items()] if isinstance(packages, dict) else [],
        "files": list_files(run),
        "folder": str(run.path),
        "changes": read_changes(run),
        "checkpoints": read_kept(run),
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
        ("Reruns", spec.rerun_of),
        ("Goes on from", spec.resumes),
        ("Trial", None if spec.trial_of is None else f"{spec.trial} of {spec.trial_of}"),
    ]
    if origin is not None:
        facts += [("Notebook", origin.notebook), ("Directory", origin.cwd), ("Interpreter", origin.executable)]
        facts += [("Python", origin.python), ("Host", origin.host), ("User", origin.user)]
    if isinstance(git, dict):
        commit = str(git.get("commit") or "no commit")[:12]
        changed = ", with uncommitted changes" if git.get("dirty") else ""
        facts.append(("Git", f"{git.get('branch') or 'no branch'} at {commit}{changed}"))
        facts += [("Repository", git.get("remote") or git.get("top")), ("Uncommitted", _uncommitted(git))]
    facts += [("Data", _data(path, told)) for path, told in read_data(RunFolder(run.path)).items()]
    facts.append(("Deterministic", "asked for" if spec.deterministic else None))
    facts.append(("Platform", environment.get("platform")))
    facts.append(("Processor", environment.get("cpu") or environment.get("processor")))
    facts.append(("CPUs", environment.get("cpus")))
    memory = environment.get("memory")
    facts.append(("Memory", f"{memory / 2**30:.1f} GiB" if isinstance(memory, int) else None))
    gpus = environment.get("gpus")
    for gpu in gpus if isinstance(gpus, list) else []:
        if isinstance(gpu, dict):
            facts.append(("GPU", ", ".join(str(value) for value in gpu.values())))
    facts.append(("CUDA of the driver", environment.get("cuda_driver")))
    facts += list(_libraries(run))
    if spec.inputs is not None:
        facts.append(("Inputs", ", ".join(one.name for one in spec.inputs.names)))
    return facts


def _uncommitted(git: dict[str, Any]) -> str | None:
    """Return which files were not committed, and which of them are not kept."""
    files, left_out = (told if isinstance(told := git.get(key), list) else [] for key in ("files", "left_out"))
    problem = git.get("problem")
    if not files:
        return None if problem is None else f"not known: {problem}"
    more = git.get("more_files")
    count = len(files) + (more if isinstance(more, int) else 0)
    named = ", ".join(str(name) for name in files[:MOST_NAMED]) + (" …" if count > MOST_NAMED else "")
    gone = f"; not kept: {', '.join(str(name) for name in left_out[:MOST_NAMED])}" if left_out else ""
    wrong = "" if problem is None else f"; {problem}"
    how = " (mlwidgets show --diff)" if any(name not in left_out for name in files) else ""
    return f"{named}{how}{gone}{wrong}"


def _data(path: str, told: dict[str, Any]) -> str:
    if not isinstance(told.get("digest"), str):
        return f"{path}: {told.get('problem') or 'not digested'}"
    changed = ", changed since it began" if told.get("changed") else ""
    return f"{path}: {told['bytes']:,} bytes, {told['digest'][:12]}{changed}"


def _libraries(run: Run) -> Iterator[tuple[str, str]]:
    """Yield what the libraries that the code used say of themselves, a line each."""
    told = read_libraries(RunFolder(run.path))
    torch, numpy = (one if isinstance(one := told.get(key), dict) else {} for key in ("torch", "numpy"))
    if torch:
        parts = [str(torch.get("version"))]
        parts += [f"{label} {torch[key]}" for key, label in (("cuda", "CUDA"), ("cudnn", "cuDNN")) if torch.get(key)]
        parts += [f"{torch['threads']} threads"] if torch.get("threads") else []
        parts += ["deterministic"] if torch.get("deterministic") else []
        yield "Torch", ", ".join(parts)
    if numpy:
        yield "NumPy", ", ".join(str(numpy[key]) for key in ("version", "blas") if numpy.get(key))
