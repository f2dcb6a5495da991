"""What was given with a run and what was found out about it, compared with those of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run

LONGEST_VALUE = 200
"""Characters of a parameter."""

Difference = list[str | None]
"""What it is, what it was, and what it is now; None where there is none."""


def params(run: Run) -> dict[str, str]:
    """Return what was given with the run: parameters, what is searched, the seed."""
    spec = run.spec
    found = dict(spec.params)
    if spec.sweep is not None:
        space = spec.sweep.get("space")
        found |= {str(name): str(text) for name, text in (space.items() if isinstance(space, dict) else ())}
        found |= {key: str(spec.sweep[key]) for key in ("sampler", "policy") if spec.sweep.get(key)}
        limits = spec.sweep.get("limits")
        if isinstance(limits, dict) and limits.get("trials") is not None:
            found["trials"] = str(limits["trials"])
    if spec.seed is not None:
        found["seed"] = str(spec.seed)
    return found


def differences(old: Mapping[str, str], new: Mapping[str, str], prefix: str = "") -> list[Difference]:
    """Return the names whose values differ, the new ones first."""
    names = dict.fromkeys((*new, *old))
    return [
        [prefix + name, _short(old.get(name)), _short(new.get(name))]
        for name in names
        if old.get(name) != new.get(name)
    ]


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def environment(before: Run, run: Run) -> list[Difference]:
    """Return what else differs: Python, packages, GPUs, git, resources, variables that the code reads, modules."""
    old, new = before.environment, run.environment
    found = differences(_asked(before), _asked(run))
    if old and new:
        found += differences(_gathered(old), _gathered(new))
        found += differences(_texts(old.get("packages")), _texts(new.get("packages")), "package ")
    found += differences(_inputs(before), _inputs(run), "variable ")
    sent = [{one["name"]: "sent" for one in of.spec.modules} for of in (before, run)]
    return found + differences(sent[0], sent[1], "module ")


def _asked(run: Run) -> dict[str, str]:
    resources = run.spec.resources
    asked = {"gpus": f"{resources.gpus:g}", "cpus": str(resources.cpus), "timeout": f"{resources.timeout or 0:g}"}
    origin = run.spec.provenance
    return asked | ({} if origin is None else {"python": origin.python})


def _gathered(environment: dict[str, Any]) -> dict[str, str]:
    found = {key: str(environment[key]) for key in ("platform", "processor") if environment.get(key)}
    git, gpus = environment.get("git"), environment.get("gpus")
    if isinstance(git, dict):
        changed = ", edited" if git.get("dirty") else ""
        commit = str(git.get("commit") or "no commit")[:7]
        found["git"] = f"{git.get('branch') or 'no branch'} at {commit}{changed}"
    if isinstance(gpus, list):
        names = [str(one.get("name")) for one in gpus if isinstance(one, dict)]
        drivers = sorted(
            {str(one["driver_version"]) for one in gpus if isinstance(one, dict) and "driver_version" in one}
        )
        found |= {"machine's GPUs": ", ".join(names)} if names else {}
        found |= {"GPU driver": ", ".join(drivers)} if drivers else {}
    return found


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}


def _inputs(run: Run) -> dict[str, str]:
    """Return what is said of the variables that were frozen: of what type and how large they were."""
    frozen = run.spec.inputs
    return {} if frozen is None else {one.name: " ".join(filter(None, (one.type, one.summary))) for one in frozen.names}
