"""Why a run that was done again may have come out otherwise: what differs around it, and what in its code is chance."""

from __future__ import annotations

from mlwidgets.errors import MlwidgetsError
from mlwidgets.history.comparing.facts import Fact
from mlwidgets.history.comparing.runs import compare_runs
from mlwidgets.reruns.chance import hints, touched_files
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.libraries import read_libraries
from mlwidgets.runs.nondeterminism import nondeterministic
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import settle

MOST = 8
"""Of each kind that are told."""
_WITHOUT_EFFECT = ("user", "notebook", "git", "executable", "folder")
"""Facts of the environment that give no other bits by themselves."""
_OF_THE_CODE = frozenset({"gpus", "cpus", "cold"})
"""Resources that may."""


def reasons(first: RunFolder, again: RunFolder, spec: RunSpec) -> list[str]:
    """Return what may explain that a run came out otherwise, in lines, the likeliest first.

    Parameters
    ----------
    first
        The run that was done again.
    spec
        Of the run that does it again.
    """
    found: list[str] = []
    around = _around(first, again)
    if around:
        more = f", and {len(around) - MOST} more" if len(around) > MOST else ""
        found.append(f"other than then: {'; '.join(around[:MOST])}{more}")
    ended, begun = settle(first).ended_at, settle(again).started_at
    if ended is not None and begun is not None:
        touched = touched_files(again, spec, ended, begun)[:MOST]
        found += [f"{path}, which the code names, was written since; --data {path} keeps a digest" for path in touched]
    operations = dict.fromkeys((*nondeterministic(again), *nondeterministic(first)))
    found += list(operations)[:MOST]
    told = hints(again, spec)
    found += told[:MOST]
    if not found:
        found.append("nothing that is known differs; threads that add in another order, or a GPU, may be the reason")
        if not spec.deterministic and "torch" in read_libraries(again):
            found[-1] += ": --deterministic lets torch use operations that give the same bits each time"
    return found


def _around(first: RunFolder, again: RunFolder) -> list[str]:
    """Return what of data, packages, machine and environment is other than it was."""
    try:
        told = compare_runs([first, again], ["then", "now"]).facts
    except MlwidgetsError:
        return []
    used = {str(name) for of in (first, again) for name in read_libraries(of).get("modules", {})}
    facts: list[Fact] = []
    for group, these in told.items():
        if group in {"parameters", "variables", "state around"}:
            continue
        if group == "packages":
            facts += [one for one in these if not used or one[0] in used]
        elif group == "resources":
            facts += [one for one in these if one[0] in _OF_THE_CODE]
        else:
            facts += [one for one in these if not one[0].startswith(_WITHOUT_EFFECT)]
    # Data are what a result depends on most, a machine's name least.
    facts.sort(key=lambda one: (not one[0].startswith("data"), one[0] in {"host", "platform"}))
    return [f"{name}: {then or 'none'} then, {now or 'none'} now" for name, (then, now) in facts]
