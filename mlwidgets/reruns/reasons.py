"""Why a run that was done again may have come out otherwise: what differs around it, and what in its code is chance."""

from __future__ import annotations

from mlwidgets.errors import MlwidgetsError
from mlwidgets.history.comparing.runs import compare_runs
from mlwidgets.reruns.chance import hints, touched_files
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.libraries import read_libraries
from mlwidgets.runs.nondeterminism import nondeterministic
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import settle

MOST = 8
"""Of each kind that are told."""
_WITHOUT_EFFECT = ("user", "notebook", "git", "uncommitted", "executable", "folder", "memory", "cuda_visible_devices")
"""Facts of the environment that give no other bits by themselves."""
_OF_THE_CODE = frozenset({"gpus", "cpus", "cold"})
"""Resources that may."""


def reasons(first: RunFolder, again: RunFolder, spec: RunSpec, *, failed: bool = False) -> list[str]:
    """Return what may explain that a run came out otherwise, in lines, the likeliest first.

    Parameters
    ----------
    first
        The run that was done again.
    spec
        Of the run that does it again.
    failed
        Whether it is an error that came otherwise, and no value: what draws other values is no reason for one.
    """
    found: list[str] = []
    around = _around(first, again)
    if around:
        more = f", and {len(around) - MOST} more" if len(around) > MOST else ""
        found.append(f"other than then: {'; '.join(around[:MOST])}{more}")
    origin = (read_json(first.spec) or {}).get("resumes")
    if origin and spec.resumes is None:
        found.append(f"{first.id} went on from a checkpoint of {origin}, and this one began at the first step")
    ended, begun = settle(first).ended_at, settle(again).started_at
    if ended is not None and begun is not None:
        touched = touched_files(again, spec, ended, begun)[:MOST]
        found += [f"{path}, which the code names, was written since; --data {path} keeps a digest" for path in touched]
    if failed:
        return found
    operations = dict.fromkeys((*nondeterministic(again), *nondeterministic(first)))
    found += list(operations)[:MOST]
    told = hints(again, spec)
    found += told[:MOST]
    if not found:
        found.append("nothing that is known differs; threads that add in another order, or a GPU, may be the reason")
        if not spec.deterministic and "torch" in read_libraries(again).get("imported", ()):
            found[-1] += ": --deterministic lets torch use operations that give the same bits each time"
    return found


def _around(first: RunFolder, again: RunFolder) -> list[str]:
    """Return what of data, libraries, machine and environment is other than it was, data first."""
    try:
        told = compare_runs([first, again], ["then", "now"]).facts
    except MlwidgetsError:
        return []
    used = {str(name) for of in (first, again) for name in read_libraries(of).get("modules", {})}
    found: list[str] = []
    for group in ("data", "packages", "libraries", "resources", "environment"):
        for name, values in told.get(group, ()):
            if group == "packages" and used and name not in used:
                continue
            if group == "resources" and name not in _OF_THE_CODE:
                continue
            if group == "environment" and name.startswith(_WITHOUT_EFFECT):
                continue
            then, now = (value or "none" for value in values)
            found.append(f"{'the data ' if group == 'data' else ''}{name}: {then} then, {now} now")
    return found
