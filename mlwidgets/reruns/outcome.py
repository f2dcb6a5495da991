"""The verdict on a run of code: its metrics beside those of the run that it does again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlwidgets.history.comparing.frozen import variable_digests
from mlwidgets.history.comparing.metrics import FirstDifference, extent
from mlwidgets.reruns.equality import Equality, columns_of, compare, measures_time
from mlwidgets.reruns.media import MediaEquality, compare_media
from mlwidgets.reruns.reasons import reasons
from mlwidgets.reruns.verdict import Verdict
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.insight import unit_of
from mlwidgets.runs.journal import MetricColumn
from mlwidgets.runs.naming import better, place
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import Frozen, RunSpec
from mlwidgets.runs.state import ENDINGS, FAILED, FINISHED, Outcome, settle

MOST_METRICS = 8
"""That a verdict tells of one by one."""
_NAMED = 4
_ADDRESS = re.compile("0x[0-9a-fA-F]+")
"""By which the messages of errors differ though the errors are the same."""


def changes_between(before: RunSpec, now: RunSpec) -> list[list[str | None]]:
    """Return what was changed on purpose: name, what it was, what it is."""
    names = dict.fromkeys((*before.params, *now.params))
    frozen = {one.name: one.summary for one in before.inputs.names} if before.inputs else {}
    found: list[list[str | None]] = [
        [name, before.params.get(name) or frozen.get(name) or None, now.params.get(name)]
        for name in names
        if before.params.get(name) != now.params.get(name)
    ]
    if before.seed != now.seed:
        found.append(["seed", _text(before.seed), _text(now.seed)])
    if before.deterministic != now.deterministic:
        found.append(["deterministic", str(before.deterministic), str(now.deterministic)])
    return found


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def compare_run(folder: RunFolder) -> Verdict:
    """Compare a rerun of one run, which has ended, with the run that it does again."""
    spec = folder.read_spec()
    first = RunFolder(folder.path.parent / str(spec.rerun_of))
    before = first.read_spec()
    then, now = settle(first), settle(folder)
    old, new = columns_of(first), columns_of(folder)
    changed = changes_between(before, spec)
    # Where both have failed, both should have got as far.
    cut = {"a_cut": then.state != FINISHED, "b_cut": now.state != FINISHED} if not _failed(then, now) else {}
    if changed:
        both = compare(old, new, a_cut=True, b_cut=True)
        return _changed(first.id, changed, old, new, both, now)
    found, media = compare(old, new, **cut), compare_media(first, folder, **cut)
    clocks = [f"{_list(found.clocks)} measure{'s' * (len(found.clocks) == 1)} time: not compared"]
    details = [f"{_pieces(media)} the same, too"] if found.values and media.count and not media.first else []
    details += clocks if found.clocks else []
    other = [f"{name} from step {step} on" for name, step in media.first.items()][:MOST_METRICS]
    if found.first:
        head = _differs(first.id, found, now, then)
        told = _first_of(found.first)
        why = reasons(first, folder, spec)
        return Verdict(first.id, False, _step(found), head, [*_others(found), *other, *why, *details], [], told)
    upto = f"; the same to the bit up to then ({_count(found)})" if found.values else ""
    chip = None
    if other:
        step = next(iter(media.first.values()))
        same = f"; {_list(found.metrics)} the same ({_count(found)})" if found.values else ""
        chip, head = f"differs from step {step}", f"differs from {first.id}: {other[0]}{same}"
    elif now.state == FAILED and then.state != FAILED and (then.state == FINISHED or found.values < _values_of(old)):
        chip, head = "failed", f"failed where {first.id} {_ended(then)}: {now.cause}{upto}"
    elif _failed(then, now) and _without_addresses(then) != _without_addresses(now):
        chip, head = "failed otherwise", f"failed otherwise than {first.id}: {now.cause}, it was {then.cause}{upto}"
    if chip:
        why = reasons(first, folder, spec, failed=not other)
        return Verdict(first.id, False, chip, head, [*other[1:], *why, *details])
    if not found.values and not media.count:
        return _without_metrics(first, folder, spec, details, then, now)
    equal, chip, head = _same(first.id, found, media, old, then, now)
    if now.state == FAILED != then.state:
        details.append(f"it failed further on: {now.cause}")
    return Verdict(first.id, equal, chip, head, details)


def _failed(then: Outcome, now: Outcome) -> bool:
    return then.state == now.state == FAILED


def _without_addresses(outcome: Outcome) -> str:
    return _ADDRESS.sub("", outcome.cause or "")


def _values_of(columns: Mapping[str, MetricColumn]) -> int:
    return sum(len(column.values) for name, column in columns.items() if not measures_time(name))


def _pieces(media: MediaEquality) -> str:
    return f"{media.count:,} image, histogram or table" if media.count == 1 else f"{media.count:,} images and the like"


def _same(
    of: str, found: Equality, media: MediaEquality, old: Mapping[str, MetricColumn], then: Outcome, now: Outcome
) -> tuple[bool | None, str, str]:
    names = _list(found.metrics) or _pieces(media)
    count = f" ({_count(found)})" if found.values else ""
    steps = _steps(found)
    if now.state not in {FINISHED, FAILED} and (found.values < _values_of(old) or then.state == FINISHED):
        within = f" in the {_steps(found)}" if found.values else ""
        return None, "same so far", f"the same to the bit as {of}{within} before it {ENDINGS[now.state]}: {names}"
    if then.state == FINISHED:
        return True, "same bits", f"the same to the bit as {of}: {names}{count}"
    if then.state == FAILED == now.state:
        return True, "same bits", f"the same to the bit as {of}, and failed as that did: {now.cause}{count}"
    got = f"all{f' {steps}' * (found.values > 0)} that {of} got to before it {ENDINGS[then.state]}"
    return True, f"same bits in {steps}" if found.values else "same bits", f"the same to the bit in {got}: {names}"


def _differs(of: str, found: Equality, now: Outcome, then: Outcome) -> str:
    name, one = next(iter(found.first.items()))
    same = len(found.metrics) - len(found.first)
    rest = f"; {_list([m for m in found.metrics if m not in found.first])} the same" if same else ""
    ends = [
        f"{which} {_ended(outcome)}" for which, outcome in ((of, then), ("this one", now)) if outcome.state != FINISHED
    ]
    tail = f" ({', '.join(ends)})" if ends else ""
    return f"differs from {of} from step {one.step} on: {name} {_values(one)}{rest}{tail}"


def _others(found: Equality) -> list[str]:
    """Return where further metrics begin to differ."""
    others = list(found.first.items())[1:]
    lines = [f"{name} from step {one.step} on: {_values(one)}" for name, one in others[:MOST_METRICS]]
    return [*lines, *([f"and {len(others) - MOST_METRICS} more metrics"] if len(others) > MOST_METRICS else [])]


def _values(one: FirstDifference) -> str:
    return " → ".join("not logged" if value is None else repr(value) for value in (one.old, one.new))


def _first_of(first: Mapping[str, FirstDifference]) -> list[dict[str, Any]]:
    return [
        {**vars(one), "name": name, "old": _number(one.old), "new": _number(one.new)} for name, one in first.items()
    ]


def _number(value: float | None) -> str | None:
    return None if value is None else repr(value)


def _step(found: Equality) -> str:
    return f"differs from step {next(iter(found.first.values())).step}"


def _ended(outcome: Outcome) -> str:
    return ENDINGS[outcome.state]


def _count(found: Equality) -> str:
    return f"{found.values:,} value{'s' * (found.values != 1)} in {_steps(found)}"


def _steps(found: Equality) -> str:
    return f"{found.steps:,} step{'s' * (found.steps != 1)}"


def _list(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:_NAMED]) + (f" and {len(known) - _NAMED} more" if len(known) > _NAMED else "")


def _changed(
    of: str,
    changed: list[list[str | None]],
    old: Mapping[str, MetricColumn],
    new: Mapping[str, MetricColumn],
    both: Equality,
    now: Outcome,
) -> Verdict:
    """Say what was changed, and how last and best values compare."""
    what = ", ".join(f"{name} {before or 'none'} → {after or 'none'}" for name, before, after in changed)
    names = sorted((name for name in old if name in new and name not in both.clocks), key=_interest)
    lines = [f"{name}: {_compared(name, old[name], new[name])}" for name in names[:MOST_METRICS]]
    if len(names) > MOST_METRICS:
        lines.append(f"and {len(names) - MOST_METRICS} more metrics")
    details = lines[1:]
    if both.values and not both.first:
        details.append(f"all the same the bits are those of {of} in {_steps(both)}")
    if now.state != FINISHED:
        details.append(f"it {_ended(now)}{f': {now.cause}' if now.cause else ''}")
    chip = f"{changed[0][0]} changed" if len(changed) == 1 else f"{len(changed)} changes"
    head = f"{what}, compared with {of}"
    return Verdict(of, None, chip, "; ".join([head, *lines[:1]]), details, changed)


def _interest(name: str) -> tuple[bool, bool]:
    """Return what metrics sort by that a verdict begins with: those of validation whose direction is known first."""
    return place(name).role != "validation", better(name) == 0


def _compared(name: str, old: MetricColumn, new: MetricColumn) -> str:
    sides = [extent(old), extent(new)]
    last = " → ".join(f"{side['last'][1]:.6g}" for side in sides)
    sign = better(name)
    ends = [side["high" if sign > 0 else "low"] for side in sides]
    if not sign or None in ends:
        return f"last {last}"
    units = [unit_of(one.steps) for one in (old, new)]
    best = " → ".join(f"{value:.6g} ({unit} {step})" for unit, (step, value) in zip(units, ends, strict=True))
    gain = (ends[1][1] - ends[0][1]) * sign
    word = "better" if gain > 0 else "worse" if gain < 0 else "the same"
    return f"best {best}, {word}; last {last}"


def _without_metrics(
    first: RunFolder, folder: RunFolder, spec: RunSpec, details: list[str], then: Outcome, now: Outcome
) -> Verdict:
    """Compare what the code left behind, where it logged nothing to compare."""
    nothing = "no metric was logged" + " but of time" * bool(details)
    sides = [_results(one) for one in (first, folder)]
    cut = any(one.state not in {FINISHED, FAILED} for one in (then, now))
    if cut or sides[0] is None or sides[1] is None or not (sides[0] or sides[1]):
        ends = f", and it {_ended(now)}" if now.state != FINISHED else ""
        return Verdict(
            first.id, None, "nothing to compare", f"nothing to compare with {first.id}: {nothing}{ends}", details
        )
    old, new = sides[0], sides[1]
    other = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
    if not other:
        head = f"{nothing}; its results are the same to the bit as those of {first.id}: {_list(old)}"
        return Verdict(first.id, True, "same results", head, details)
    head = f"{nothing}; its results differ from those of {first.id}: {_list(other)}"
    return Verdict(first.id, False, "other results", head, [*reasons(first, folder, spec), *details])


def _results(folder: RunFolder) -> dict[str, str] | None:
    """Return a digest of each of a run's results; None where they cannot be told without unpickling them."""
    told = (read_json(folder.manifest) or {}).get("frozen")
    if not isinstance(told, dict):
        return None
    try:
        return variable_digests(Frozen.from_json(told), ObjectStore(folder.store / "objects"))
    except (KeyError, TypeError):
        return None
