"""Starts what a schedule names, and says how it ended."""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mlwidgets.errors import MlwidgetsError, ParameterError, ScheduleError
from mlwidgets.runner.launch import launch
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.foreign import check_trusted
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import ENDINGS, KILLED, STOPPED, read_events, settle
from mlwidgets.runs.state import FINISHED as RUN_FINISHED
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.firing import FAILED, FINISHED, Firing, place_of
from mlwidgets.schedules.schedule import REPORT, Schedule
from mlwidgets.schedules.sources import content_of
from mlwidgets.schedules.times import zone

PUBLISHING = "mlwidgets.reports.publishing.publish"
_TO_PUBLISH = 10.0
"""Seconds in which whoever executed a report publishes it; after that whoever looks does."""


@dataclass(frozen=True)
class Ended:
    """How a start ended.

    Attributes
    ----------
    state : str
        ``finished`` or ``failed``.
    untried : bool
        Whether none of the code was executed, because whoever started it was killed.
    final : bool
        Whether it is not tried again: a person has ended it.
    """

    state: str
    reason: str | None = None
    at: float | None = None
    untried: bool = False
    final: bool = False


class Starter(Protocol):
    """Who starts what is claimed. It is called by one process at a time for one firing."""

    def start(self, store: RunStore, schedule: Schedule, firing: Firing) -> None:
        """Start what has the id `firing.run`, unless that is there already."""

    def look(self, store: RunStore, schedule: Schedule, firing: Firing) -> Ended | None:
        """Return how it ended, None while it goes on."""


class RunStarter:
    """Starts reports, runs and sweeps as runs of the store."""

    def start(self, store: RunStore, schedule: Schedule, firing: Firing) -> None:
        """Make the run and start its supervisor; of a run that is there already only what is missing of that.

        Raises
        ------
        MlwidgetsError
            If it cannot be started.
        """
        assert firing.run is not None
        folder = RunFolder(store.runs / firing.run)
        if folder.spec.exists():
            # Whoever began was killed. A second supervisor of one run leaves at once.
            if not folder.outcome.exists() and "supervising" not in read_events(folder):
                launch(folder, folder.read_spec(), prepare=False)
            return
        shutil.rmtree(store.runs / f".new-{firing.run}", ignore_errors=True)
        tags = {"schedule": schedule.name, "due": _written(schedule, firing.due)}
        if schedule.kind == REPORT:
            self._send_report(store, schedule, firing, tags)
        else:
            store.prepare()
            # A server that only shows schedules need not know how code is captured.
            from mlwidgets.submit import send_off

            send_off(store, repeated(store, schedule, firing.run, firing.params, tags))

    def _send_report(self, store: RunStore, schedule: Schedule, firing: Firing, tags: dict[str, str]) -> None:
        from mlwidgets.reports.sending import send_report

        send_report(
            Path(schedule.target["notebook"]),
            name=schedule.name_of(place_of(schedule, firing) or 0),
            params=firing.params,
            tags=tags,
            settings=schedule.target.get("settings"),
            store=store,
            run_id=firing.run,
            content=content_of(schedule),
            **schedule.target.get("options", {}),
        )

    def look(self, store: RunStore, schedule: Schedule, firing: Firing) -> Ended | None:
        """Return how the run ended, and whether its report was published."""
        assert firing.run is not None
        folder = RunFolder(store.runs / firing.run)
        if not folder.path.exists():
            return Ended(FAILED, "its run was deleted", final=True)
        outcome = settle(folder)
        if not outcome.ended:
            return None
        if outcome.state != RUN_FINISHED:
            untried = outcome.state == KILLED and "supervising" not in read_events(folder)
            if not untried and not self._publish(folder, outcome.ended_at):
                return None
            reason = outcome.cause or f"the run {ENDINGS[outcome.state]}"
            return Ended(FAILED, reason, outcome.ended_at, untried, final=outcome.state == STOPPED)
        report = folder.read_spec().report
        if not report or not report.get("publish"):
            return Ended(FINISHED, None, outcome.ended_at)
        if not self._publish(folder, outcome.ended_at):
            return None
        told = next(iter(list(read_lines(folder.events, "published"))[::-1]), {})
        if told.get("state") == "published":
            return Ended(FINISHED, None, outcome.ended_at)
        why = told.get("error") or _cause(store, str(report["publish"]), folder.id)
        said = "withheld" if told.get("state") == "withheld" else "executed, but not published"
        return Ended(FAILED, f"{said}: {why}" if why else f"it was {said}", outcome.ended_at)

    def _publish(self, folder: RunFolder, ended_at: float | None) -> bool:
        """Return False while the run's report is still being published; publish it where nobody does."""
        if any(True for _ in read_lines(folder.events, "published")):
            return True
        if not folder.read_spec().report:
            return True
        if ended_at is not None and 0 <= time.time() - ended_at < _TO_PUBLISH:
            return False
        importlib.import_module(PUBLISHING).publish(folder)
        return True


def _cause(store: RunStore, report: str, edition: str) -> str | None:
    """Return why an edition was not published."""
    found = read_json(store.path / "reports" / report / "editions" / edition / "edition.json") or {}
    cause = found.get("cause")
    return cause if isinstance(cause, str) else None


def repeated(
    store: RunStore, schedule: Schedule, run: str, params: Mapping[str, str], tags: Mapping[str, str]
) -> RunSpec:
    """Return what is asked of a run that repeats the one that a schedule names.

    Raises
    ------
    ScheduleError
        If that one is gone, or is no sweep where it should be one.
    ParameterError
        If it has no such parameter.
    ResultNotAvailable, StoreError
        If nobody trusts its maker, or something that it needs is gone.
    """
    folder = RunFolder(store.runs / str(schedule.target["run"]))
    try:
        spec = folder.read_spec()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScheduleError(
            f"the run {folder.id} that {schedule.name} repeats is gone; restore it, or edit the schedule"
        ) from error
    if (spec.sweep is not None) != (schedule.kind == "sweep"):
        raise ScheduleError(f"{folder.id} is {'a' if spec.sweep else 'no'} sweep: give it as such")
    # A server that only shows schedules need not know how code is captured.
    from mlwidgets.reruns.repeating import Changes, asked_again, changeable

    check_trusted(folder)
    known = changeable(spec)
    for name in params:
        if name not in known:
            have = f"it has: {', '.join(known)}" if known else "it has none"
            raise ParameterError(f"the run {folder.id} has no parameter {name!r} that can be changed; {have}")
    return asked_again(store, folder, spec, Changes(params, tags=tags), run)


def _written(schedule: Schedule, at: float) -> str:
    try:
        return datetime.fromtimestamp(at, zone(schedule.timezone)).isoformat(timespec="minutes")
    except (MlwidgetsError, ValueError, OverflowError, OSError):
        return str(at)
