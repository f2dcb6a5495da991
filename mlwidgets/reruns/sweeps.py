"""A whole sweep again: each trial under its number with the parameters that it had, and compared with the first."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mlwidgets.errors import ParameterError, UnknownRun
from mlwidgets.reruns.equality import columns_of, compare
from mlwidgets.reruns.outcome import changes_between
from mlwidgets.reruns.repeating import Changes
from mlwidgets.reruns.verdict import Verdict, verdict_of
from mlwidgets.runner import queue
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.outline import WORDS
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trials import TERMINATED, WARM_START, Trial, best, read_log, read_trials
from mlwidgets.sweeps.asked import LONGEST_NAME
from mlwidgets.sweeps.definition import SweepDefinition

MOST_TOLD = 5
"""Trials that are not the same of which a verdict tells one by one."""


def repeat_sweep(store: RunStore, folder: RunFolder, spec: RunSpec, changes: Changes) -> RunSpec:
    """Return what is asked of a sweep that does another one again.

    As it was, its trials get the parameters that they had, and what was planned beyond is searched. With another fixed
    parameter or seed it searches anew.

    Parameters
    ----------
    folder
        Of the sweep that is done again.
    spec
        What is asked now, where the sweep were any other run.
    changes
        What of that is to be other than it was.

    Raises
    ------
    UnknownRun
        If its folder is damaged.
    ParameterError
        If a parameter is to be fixed that it searches, its name is too long, or there is no Optuna here.
    """
    before = folder.read_spec()
    asked = _definition(before)
    given = {name: text for name, text in spec.params.items() if before.params.get(name) != text}
    for why in refused(before, replace(changes, params=given, name=spec.name)):
        raise ParameterError(why)
    anew = spec.params != before.params or spec.seed != before.seed
    definition = replace(
        asked,
        # A sweep itself takes no slots: what is asked for is for its trials.
        resources={**asked.resources, **changes.asked()},
        modules=asked.modules if asked.modules and store.objects.claim(asked.modules) else None,
        sampler_seed=spec.seed if spec.seed is not None and spec.seed != before.seed else asked.sampler_seed,
        # What it had learnt from comes with its trials.
        warm_start=asked.warm_start if anew else (),
        repeats=() if anew else tuple(_repeats(folder)),
    )
    own = replace(before.resources, after=None, priority=spec.resources.priority)
    return replace(spec, resources=own, sweep=json.loads(json.dumps(definition.to_json())))


def refused(spec: RunSpec, changes: Changes) -> list[str]:
    """Return why a sweep cannot be asked for so, nothing if it can."""
    if importlib.util.find_spec("optuna") is None:
        return ["a sweep needs Optuna, which is not installed here: pip install optuna"]
    try:
        asked = _definition(spec)
    except UnknownRun as error:
        return [str(error)]
    name = changes.name or spec.name
    found = [
        f"{given!r} is searched by sweep {name!r} and cannot be given: rerun one of its trials with it"
        for given in changes.params
        if given in asked.space
    ]
    if len(name) > LONGEST_NAME:
        found.append(f"a sweep's name has at most {LONGEST_NAME} characters, not {len(name)}")
    # What is asked for now has been looked at with all that is.
    trials = {key: asked.resources.get(key, 0) for key in ("gpus", "cpus") if key not in changes.asked()}
    try:
        queue.check(trials.get("gpus", 0.0), trials.get("cpus", 0))
    except ParameterError as error:
        found.append(f"its trials: {error}")
    return found


def _definition(spec: RunSpec) -> SweepDefinition:
    try:
        return SweepDefinition.from_json(spec.sweep or {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnknownRun(f"the definition of sweep {spec.id} is damaged; see mlwidgets fsck") from error


def _repeats(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """Yield the trials of a sweep as `SweepDefinition.repeats` has them."""
    texts: dict[int, dict[str, str]] = {}
    for event in read_lines(folder.events):
        if event["event"] in {"trial", "earlier"} and isinstance(event.get("params"), dict):
            texts[event.get("number", -1)] = {str(name): str(text) for name, text in event["params"].items()}
    for trial in read_trials(folder.path):
        if trial.number not in texts:
            continue
        one = {"number": trial.number, "params": texts[trial.number], "by": trial.by, "run": trial.run}
        yield {**one, "values": trial.values, "name": trial.name} if trial.by == WARM_START else one


def verdict_of_sweep(folder: RunFolder) -> Verdict:
    """Compare a sweep that has ended with the one that it does again: its trials by their numbers."""
    spec = folder.read_spec()
    of = str(spec.rerun_of)
    first = RunFolder(folder.path.parent / of)
    asked = SweepDefinition.from_json(spec.sweep or {})
    repeats = [one for one in asked.repeats if one["by"] != WARM_START]
    changed = changes_between(first.read_spec(), spec)
    if not repeats:
        return Verdict(of, None, _chip(changed), _searched_anew(folder, first, asked, changed), changed=changed)
    before, now = read_log(first.path).trials, read_log(folder.path).trials
    parts = [_part(folder, one, before.get(one["number"]), now.get(one["number"])) for one in repeats]
    same = sum(part["equal"] is True for part in parts)
    others = [part for part in parts if part["equal"] is not True]
    equal = True if not others else False if any(part["equal"] is False for part in others) else None
    count = f"{same} of {len(parts)} trials"
    if others:
        summary = f"{count} {'is' if same == 1 else 'are'} the same to the bit as in {of}"
    else:
        summary = f"the same to the bit in {'its only trial' if same == 1 else f'all {same} trials'} as {of}"
    details = [f"trial {part['trial']}: {part['summary']}" for part in others[:MOST_TOLD]]
    if len(others) > MOST_TOLD:
        details.append(f"and {len(others) - MOST_TOLD} more trials that are not the same")
    further = sum(one.by != WARM_START for one in now.values()) - len([one for one in repeats if one["number"] in now])
    if further > 0:
        details.append(f"{further} trial{'s' if further > 1 else ''} beyond those of {of}, which had ended before")
    return Verdict(of, equal, "same bits" if not others else f"{count} the same", summary, details, changed, [], parts)


def _part(folder: RunFolder, one: dict[str, Any], before: Trial | None, now: Trial | None) -> dict[str, Any]:
    """Compare one trial."""
    equal, summary = _compared(folder, one, before, now)
    return {"trial": one["number"], "equal": equal, "summary": summary}


def _compared(
    folder: RunFolder, one: dict[str, Any], before: Trial | None, now: Trial | None
) -> tuple[bool | None, str]:
    if now is None or now.run is None:
        return None, "it was not begun again"
    # An archive may name any path.
    runs = [RunFolder(folder.path.parent / os.path.basename(str(run))) for run in (one["run"], now.run)]
    gone = next((which for run, which in zip(runs, ("first", "second"), strict=True) if not run.spec.exists()), None)
    if gone:
        return None, f"the {gone} run was deleted"
    if before is not None and TERMINATED in {before.state, now.state} and _reach(before) != _reach(now):
        found = compare(*map(columns_of, runs), a_cut=True, b_cut=True)
        where = next((f"{name} differs from step {one.step}" for name, one in found.first.items()), None)
        ends = f"{_ending(now)}, {_ending(before)} in the first one"
        return False, f"{ends}; {where or f'the same in all {found.values} values that both logged'}"
    if runs[1].read_spec().sweep is not None:
        return None, "the second run is no trial"
    told = verdict_of(runs[1])
    return (None, "it has not ended") if told is None else (told.equal, told.summary)


def _reach(trial: Trial) -> tuple[str, Any]:
    """Return how a trial ended, and after how many values where the policy ended it."""
    return trial.state, (trial.why or {}).get("interval")


def _ending(trial: Trial) -> str:
    if trial.state != TERMINATED:
        return str(WORDS.get(trial.state, trial.state))
    reached = (trial.why or {}).get("interval")
    return f"ended early by the policy after {reached} values" if reached else "ended early by the policy"


def _chip(changed: list[list[str | None]]) -> str:
    if not changed:
        return "searched anew"
    return f"{changed[0][0]} changed" if len(changed) == 1 else f"{len(changed)} changes"


def _searched_anew(folder: RunFolder, first: RunFolder, asked: SweepDefinition, changed: list[list[str | None]]) -> str:
    said = ", ".join(f"{name} {old} → {new}" for name, old, new in changed)
    begin = f"searched anew with {said}" if said else f"searched anew: {first.id} had no trials"
    if len(asked.objectives) > 1:
        return begin
    objective = asked.objectives[0]
    found = [best(read_log(one.path).trials.values(), objective.sign) for one in (first, folder)]
    old, new = (f"{one.values[0]:.6g}" if one is not None and one.values else "none" for one in found)
    return f"{begin}; best {objective.metric} {new}, {old} in {first.id}"
