"""Which runs may go by age, size and state, which never do, and their way into the trash."""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlwidgets.errors import MlwidgetsError, ParameterError, StoreError
from mlwidgets.housekeeping import worktrees
from mlwidgets.housekeeping.collecting import GRACE, Collected, collect, unreferenced
from mlwidgets.housekeeping.references import References
from mlwidgets.runs.annotations import read_annotations
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.index import RunIndex, RunSummary
from mlwidgets.runs.state import END_STATES
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trash import KEPT, delete, empty_trash, remove

KEEP = "keep"
"""Tag of runs that are never pruned; with the value ``no`` they are."""


@dataclass(frozen=True)
class Rule:
    """Which runs are to go: those that every given part fits.

    Parameters
    ----------
    older_than
        Seconds since the end.
    larger_than
        Bytes of the folder and of the objects that no other run refers to.
    states
        How they ended.
    keep_last
        How many of each name stay, the newest; a sweep's trials stay with it.
    """

    older_than: float | None = None
    larger_than: int | None = None
    states: frozenset[str] = frozenset()
    keep_last: int | None = None

    def __post_init__(self) -> None:
        unknown = sorted(self.states - END_STATES)
        if unknown:
            raise ParameterError(f"{unknown[0]!r:.40} is no state in which runs end: {', '.join(sorted(END_STATES))}")
        if self.keep_last is not None and self.keep_last < 0:
            raise ParameterError(f"{self.keep_last} runs of a name cannot be kept")

    @property
    def names_runs(self) -> bool:
        """Whether anything is given that runs can fit."""
        return any(part is not None for part in (self.older_than, self.larger_than, self.keep_last)) or bool(
            self.states
        )


@dataclass(frozen=True)
class Plan:
    """What would go.

    Attributes
    ----------
    runs
        The newest first; a sweep's trials are among them.
    protected
        How many fit the rule and stay, by why.
    nbytes
        Of the runs' folders.
    objects
        What nothing refers to once these runs are gone for good, and its bytes.
    """

    runs: tuple[RunSummary, ...]
    sizes: dict[str, int]
    protected: dict[str, int]
    nbytes: int
    objects: Collected
    references: References = field(repr=False)


def plan(store: RunStore, rule: Rule, *, now: float | None = None, grace: float = GRACE) -> Plan:
    """Say what would go."""
    now = time.time() if now is None else now
    references = References(store)
    references.look()
    summaries = RunIndex(store).summaries() if rule.names_runs else []
    shared = _shared(references)
    object_sizes = _object_sizes(store) if summaries else {}
    sizes: dict[str, int] = {}
    for one in summaries:
        taken = references.footprints.get(one.id)
        own = (taken.digests - shared) if taken else frozenset()
        sizes[one.id] = (taken.nbytes if taken else 0) + sum(object_sizes.get(digest, 0) for digest in own)
    fitting = {one.id for one in _fitting(summaries, rule, sizes, now)}
    reasons = _protected(store, summaries)
    protected: dict[str, int] = defaultdict(int)
    for run_id in fitting & reasons.keys():
        protected[reasons[run_id]] += 1
    going = _without_torn_sweeps(summaries, fitting - reasons.keys())
    runs = tuple(one for one in summaries if one.id in going)
    free: dict[str, int] = {}
    # Where nobody knows what a damaged run refers to, runs may go all the same, and no object does.
    with contextlib.suppress(StoreError):
        free = unreferenced(store, references, frozenset(going), grace=grace)
    nbytes = sum(references.footprints[one.id].nbytes for one in runs if one.id in references.footprints)
    objects = Collected(len(free), sum(free.values()))
    return Plan(runs, sizes, dict(protected), nbytes, objects, references)


def _shared(references: References) -> frozenset[str]:
    """Return the digests that several runs refer to."""
    once: set[str] = set()
    again: set[str] = set()
    for one in references.footprints.values():
        again |= once & one.digests
        once |= one.digests
    return frozenset(again)


def _object_sizes(store: RunStore) -> dict[str, int]:
    with contextlib.suppress(FileNotFoundError), os.scandir(store.objects.path) as entries:
        return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}
    return {}


def _fitting(summaries: Iterable[RunSummary], rule: Rule, sizes: dict[str, int], now: float) -> Iterable[RunSummary]:
    kept = set() if rule.keep_last is None else _last(summaries, rule.keep_last)
    for one in summaries:
        since = one.submitted_at if one.ended_at is None else one.ended_at
        if (
            rule.names_runs
            and one.ended
            and (not rule.states or one.state in rule.states)
            and (rule.older_than is None or now - since > rule.older_than)
            and (rule.larger_than is None or sizes[one.id] > rule.larger_than)
            and one.id not in kept
            and one.trial_of not in kept
        ):
            yield one


def _last(summaries: Iterable[RunSummary], count: int) -> set[str]:
    """Return the ids of the newest runs of each name; a trial's name is its own, and it counts with its sweep."""
    seen: dict[str, int] = defaultdict(int)
    kept = set()
    there = {one.id for one in summaries}
    for one in summaries:
        if one.trial_of in there:
            continue
        seen[one.name] += 1
        if seen[one.name] <= count:
            kept.add(one.id)
    return kept


def _protected(store: RunStore, summaries: Collection[RunSummary]) -> dict[str, str]:
    """Return why runs stay whatever fits them."""
    reasons: dict[str, str] = {}
    going_on = [one for one in summaries if not one.ended]
    alive = {one.id for one in going_on}
    needed = set(_needed(store, going_on))
    editions = set(_editions(store))
    for one in summaries:
        if not one.ended:
            reasons[one.id] = "goes on"
        elif one.pinned:
            reasons[one.id] = "pinned"
        elif _is_kept(one.tags):
            reasons[one.id] = "tagged keep"
        elif one.id in editions:
            reasons[one.id] = "edition of a report"
        elif one.trial_of in alive:
            reasons[one.id] = "trial of a sweep that goes on"
        elif one.id in needed:
            reasons[one.id] = "needed by a run that goes on"
    return reasons


def _needed(store: RunStore, going_on: Iterable[RunSummary]) -> Iterable[str]:
    """Yield the ids of runs that others wait for or learn from."""
    for one in going_on:
        spec = read_json(RunFolder(store.runs / one.id).spec) or {}
        resources, sweep = spec.get("resources"), spec.get("sweep")
        after = resources.get("after") if isinstance(resources, dict) else None
        learns: Any = sweep.get("warm_start") if isinstance(sweep, dict) else None
        yield from (name for name in (after, *(learns or ())) if isinstance(name, str))


def _editions(store: RunStore) -> Iterable[str]:
    """Yield the ids of runs that are editions of a report, or about to be: an edition is called as its run."""
    for part in ("editions", "pending"):
        for folder in (store.path / "reports").glob(f"*/{part}"):
            with contextlib.suppress(OSError):
                yield from os.listdir(folder)


def _without_torn_sweeps(summaries: Iterable[RunSummary], going: set[str]) -> set[str]:
    """Return what may go: a sweep goes with all of its trials or stays, for it would take them along."""
    stays = {one.trial_of for one in summaries if one.trial_of and one.id not in going}
    return going - stays


@dataclass
class Pruned:
    """What went: ids of runs, objects, and what could not go and why."""

    runs: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    objects: Collected = field(default_factory=Collected)
    problem: str | None = None


def prune(store: RunStore, planned: Plan, *, now: bool = False, grace: float = GRACE) -> Pruned:
    """Move the planned runs into the trash, empty it of what is older than a week, and collect what nobody refers to.

    Parameters
    ----------
    now
        Remove the runs for good at once; they cannot be restored then.
    """
    done = Pruned()
    # Sweeps take their trials along, so each goes before its trials would.
    for one in sorted(planned.runs, key=lambda summary: summary.sweep is None):
        folder = RunFolder(store.runs / one.id)
        if not folder.path.exists():
            if (store.path / "trash" / one.id).exists():
                done.runs.append(one.id)
            continue
        try:
            if _protected_since(folder):
                continue
            delete(store, folder, empty=False)
            done.runs.append(one.id)
        except MlwidgetsError as error:
            done.failed[one.id] = str(error)
    if now:
        remove(store, done.runs)
    empty_trash(store, time.time() - KEPT)
    RunIndex(store).forget(done.runs)
    try:
        done.objects = collect(store, planned.references, grace=grace)
    except MlwidgetsError as error:
        done.problem = str(error)
    # What cannot be let go of now is later; a check says why.
    with contextlib.suppress(MlwidgetsError):
        worktrees.release(store)
    return done


def _is_kept(tags: Mapping[str, str]) -> bool:
    return tags.get(KEEP, "no").lower() not in {"no", "false", "0"}


def _protected_since(folder: RunFolder) -> bool:
    """Whether somebody has pinned a run or given it the tag while the user was asked."""
    given = read_annotations(folder)
    return given.pinned or _is_kept(given.tags or {})
