"""What is known of a run in a word each: what was asked, where it ran, what it read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mlwidgets.errors import UnknownRun
from mlwidgets.history.comparing.frozen import variable_digests
from mlwidgets.runs.data import read_data
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.libraries import read_libraries
from mlwidgets.runs.nondeterminism import nondeterministic
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Frozen
from mlwidgets.runs.uncommitted import parts_of, read_patch

LONGEST = 200
"""Characters of a value."""
DIGITS = 8
"""Of a content's digest."""
MOST_FILES = 50
"""Uncommitted files that differ."""
_UNCOMMITTED = "uncommitted "
_OF_ITSELF = frozenset({"packages", "provided", "git", "gpus", "data", "no_snapshot"})
"""Entries of the environment that are told in another way."""
_OF_GIT = frozenset(
    {"branch", "commit", "dirty", "top", "repository", "uncommitted", "files", "left_out"}
    | {"more_files", "more_left_out"}
)

_PLACE = frozenset({"shell.cells", "shell.execution_count"})
"""Where a cell stands in its notebook; it computes the same anywhere."""

Fact = tuple[str, list[str | None]]
"""A name, and its value in each run; None where a run has none."""


def asked(run: Run) -> dict[str, str]:
    """Return parameters, what is searched, and the seed."""
    spec = run.spec
    found = dict(spec.params)
    for key, value in (spec.sweep or {}).items():
        found |= _flat(f"sweep {key}", value)
    found |= {} if spec.seed is None else {"seed": str(spec.seed)}
    return found | ({"deterministic": "yes"} if spec.deterministic else {})


def resources(run: Run) -> dict[str, str]:
    """Return what the run was given: GPUs, CPU places, time, tries."""
    given = {key: value for key, value in vars(run.spec.resources).items() if key != "after"}
    return {key: f"{value:g}" if isinstance(value, float) else str(value) for key, value in given.items()}


def environment(run: Run) -> dict[str, str]:
    """Return Python, host, threads, GPUs, git, and whatever else was found out."""
    origin, told = run.spec.provenance, run.environment
    found: dict[str, str] = {}
    if origin is not None:
        found |= {"python": origin.python, "executable": origin.executable, "host": origin.host, "user": origin.user}
        found |= {"folder": origin.cwd, "notebook": origin.notebook or "none"}
        found |= {f"threads {name}": str(count) for name, count in origin.threads.items()}
    found |= {f"${name}": value for name, value in run.spec.variables.items()}
    for key, value in told.items():
        if key not in _OF_ITSELF and not (key == "python" and origin is not None):
            found |= _flat(key, value)
    first = _first(run)
    found |= {} if first is None else _git(first, first.environment.get("git"))
    gpus = told.get("gpus")
    for number, gpu in enumerate(gpus if isinstance(gpus, list) else ()):
        found |= _flat(f"GPU {number}", gpu)
    return found


def _first(run: Run) -> Run | None:
    """Return the run whose work tree is that of `run`: a rerun reads none; None where that one is gone."""
    known = {run.id}
    try:
        while run.spec.rerun_of is not None:
            # An id may come out of an archive.
            told = run.spec.rerun_of
            run = Run(run.path.parent / os.path.basename(told))
            if told in known or run.id != told:
                return None
            known.add(told)
    except UnknownRun:
        return None
    return run


def _git(run: Run, git: Any) -> dict[str, str]:
    """Return commit and branch, and of each file that was not committed what is not."""
    if not isinstance(git, dict):
        return {}
    edited = ", edited" if git.get("dirty") else ""
    found = {"git": f"{git.get('branch') or 'no branch'} at {str(git.get('commit') or 'no commit')[:7]}{edited}"}
    found |= _flat("git", {key: value for key, value in git.items() if key not in _OF_GIT and value != []})
    left_out = git.get("left_out")
    if isinstance(left_out, list) and left_out:
        found["git, not kept"] = ", ".join(map(str, left_out))
    patch = read_patch(RunFolder(run.path))
    if patch is not None:
        found |= {f"{_UNCOMMITTED}{path}": _changed(part) for path, part in parts_of(patch).items()}
    if git.get("uncommitted") and (patch is None or git.get("problem")):
        # Of what the patch lacks the commit alone tells that it differs.
        found["uncommitted"] = str(git["uncommitted"])[:DIGITS]
    return found


def _changed(part: bytes) -> str:
    """Return how many lines of a file a patch adds and removes, and which patch it is."""
    if b"\nGIT binary patch\n" in part:
        return f"binary #{hashlib.sha256(part).hexdigest()[:DIGITS]}"
    body = part.partition(b"\n@@")[2].split(b"\n")
    added, removed = (sum(line.startswith(sign) for line in body) for sign in (b"+", b"-"))
    return f"+{added} −{removed} #{hashlib.sha256(part).hexdigest()[:DIGITS]}"


def data(run: Run) -> dict[str, str]:
    """Return the digests of the data that the run was told to read."""
    known = read_data(RunFolder(run.path))
    found: dict[str, str] = {}
    for one in run.spec.data:
        told = known.get(one["path"], {})
        digest = told.get("digest")
        found[one["path"]] = (
            str(told.get("problem") or "not digested")
            if not isinstance(digest, str)
            else f"{told['bytes']:,} bytes #{digest[:DIGITS]}{' changed meanwhile' if told.get('changed') else ''}"
        )
    return found


def libraries(run: Run) -> dict[str, str]:
    """Return what the libraries that the code used say of themselves: versions, threads, switches."""
    told = read_libraries(RunFolder(run.path))
    found: dict[str, str] = {}
    for name in ("torch", "numpy", "threadpools"):
        found |= _flat(name, told.get(name))
    chance = nondeterministic(RunFolder(run.path))
    return found | ({"without deterministic form": "; ".join(chance)} if chance else {})


def packages(run: Run) -> dict[str, str]:
    """Return installed packages with their versions."""
    told = run.environment.get("packages")
    return {str(name): str(version) for name, version in told.items()} if isinstance(told, dict) else {}


def _flat(name: str, value: Any) -> dict[str, str]:
    """Return a value by names: a mapping's entries each by its own."""
    if isinstance(value, dict):
        return {k: v for key, one in value.items() for k, v in _flat(f"{name} {key}", one).items()}
    return {} if value is None else {name: str(value)}


def variables(runs: Sequence[Run], which: str) -> tuple[list[Fact], list[str]]:
    """Return the frozen variables that differ, and what cannot be told.

    Parameters
    ----------
    which
        ``inputs``, or ``ambient``: random states, options, filters.
    """
    every: list[Frozen | None] = [getattr(run.spec, which) for run in runs]
    if all(one is not None and (one.stream, one.buffers) == (every[0].stream, every[0].buffers)
           for one in every if every[0] is not None) and every[0] is not None:  # fmt: skip
        return [], []
    told: list[dict[str, str]] = []
    unknown: list[str] = []
    for at, (run, frozen) in enumerate(zip(runs, every, strict=True)):
        if frozen is None:
            told.append({})
            continue
        digests = variable_digests(frozen, ObjectStore(RunFolder(run.path).store / "objects"))
        if digests is None:
            unknown.append(f"{at}")
            digests = {}
        shown = (one for one in frozen.names if which == "inputs" or one.name not in _PLACE)
        told.append({one.name: _told(one.type, one.summary, digests.get(one.name)) for one in shown})
    return differing(told), unknown


def _told(kind: str, summary: str, digest: str | None) -> str:
    return " ".join(filter(None, (kind, summary, "" if digest is None else f"#{digest[:DIGITS]}")))


def differing(told: Sequence[Mapping[str, str]]) -> list[Fact]:
    """Return the names whose values are not the same in all runs."""
    names = dict.fromkeys(name for one in told for name in one)
    found = ((name, [one.get(name) for one in told]) for name in names)
    return _few([(name, [_short(value) for value in values]) for name, values in found if len(set(values)) > 1])


def _few(facts: list[Fact]) -> list[Fact]:
    """Return the facts with as many uncommitted files as can be looked at."""
    files = [fact for fact in facts if fact[0].startswith(_UNCOMMITTED)]
    more = {name for name, _ in files[MOST_FILES:]}
    if not more:
        return facts
    counts = (sum(values[at] is not None for name, values in files if name in more) for at in range(len(files[0][1])))
    return [fact for fact in facts if fact[0] not in more] + [("more uncommitted files", [str(n) for n in counts])]


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
