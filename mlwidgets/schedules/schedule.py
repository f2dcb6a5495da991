"""What is asked of a schedule: a frozen dataclass, to and from JSON."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlwidgets.errors import ParameterError, ScheduleError
from mlwidgets.runs.spec import check_name
from mlwidgets.schedules.times import LAST_TIME, check_cron, zone

REPORT, RUN, SWEEP = "report", "run", "sweep"
KINDS = (REPORT, RUN, SWEEP)
ONCE, RECORD = "once", "record"
CURRENT = "current"

_TARGET = {REPORT: "notebook", RUN: "run", SWEEP: "run"}
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NO_WORD = re.compile(r"[^A-Za-z0-9_.]+")
_DAY = 86400.0
_MOST_ELEMENTS = 1000
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Schedule:
    """What runs by itself, and when.

    Parameters
    ----------
    kind
        ``report``, ``run`` (a run's code once more: retraining) or ``sweep``.
    target
        Of a report ``{"notebook": absolute path}`` and, where they are given, ``"report"`` (its name), ``"settings"``
        (of its definition) and ``"options"`` (of `mlwidgets.reports.sending.send_report`); of a run or a sweep
        ``{"run": id}``.
    cron
        Five fields; None where only `after` and `when_changed` say when.
    timezone
        In which `cron` is read.
    params
        Texts, as a command has them.
    matrix
        Further parameters: one run for each of these at each due time.
    enabled
        Whether it is not paused.
    missed
        What becomes of times at which nobody was there: ``once`` runs once for all of them, ``record`` only records.
    overlap
        Whether one may start while the one before still runs.
    jitter
        Seconds: each due time is put off by up to as many, by chance, but always by the same.
    until
        Unix seconds after which nothing is due.
    retries, retry_wait
        How often what failed is tried again, and after how many seconds.
    after
        Name of a report or a run. With `cron`: starts only where there is a newer published edition or a newer
        finished run than the last time; without: starts as soon as there is one.
    when_changed
        Paths of files, folders or patterns: the same for their content.
    source
        ``current``, or the id of the commit that the report's notebook is read from.
    notify
        Targets, as `mlwidgets.notifying` takes them: texts are not resolved here.
    next
        Unix seconds at which it starts next, None where it does not; kept by the table alone.
    """

    name: str
    kind: str
    target: dict[str, Any]
    cron: str | None = None
    timezone: str = "UTC"
    params: dict[str, str] = field(default_factory=dict)
    matrix: tuple[dict[str, str], ...] = ()
    enabled: bool = True
    missed: str = ONCE
    overlap: bool = False
    jitter: float = 0.0
    until: float | None = None
    retries: int = 0
    retry_wait: float = 300.0
    after: str | None = None
    when_changed: tuple[str, ...] = ()
    source: str = CURRENT
    notify: Any = None
    id: str = ""
    created: float = 0.0
    changed: float = 0.0
    next: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Schedule:
        """Build from what `to_json` gave; fields that are not known are left out.

        Raises
        ------
        ScheduleError
            If it is no schedule.
        """
        if not isinstance(data, dict):
            raise ScheduleError(f"no schedule: {data!r:.60}")
        known = {f.name for f in dataclasses.fields(cls)}
        data = {key: value for key, value in data.items() if key in known}
        try:
            data["matrix"] = tuple(data.get("matrix", ()))
            data["when_changed"] = tuple(data.get("when_changed", ()))
            return cls(**data)
        except TypeError as error:
            raise ScheduleError(f"no schedule: {error}") from error

    @property
    def elements(self) -> tuple[dict[str, str], ...]:
        """The parameters of each run that one due time starts."""
        return tuple({**self.params, **one} for one in self.matrix or ({},))

    def name_of(self, element: int) -> str:
        """Return what the report of one element is called: each of a matrix is a report of its own."""
        called = str(self.target.get("report") or self.name)
        if not self.matrix:
            return called
        names = ["-".join([called, *filter(None, map(_word, one.values()))])[:95] for one in self.matrix]
        own = names[element]
        return own if names.count(own) == 1 else f"{own}-{element + 1}"


def _word(value: str) -> str:
    return _NO_WORD.sub("_", value)[:20].strip("_.")


def checked(schedule: Schedule) -> Schedule:
    """Return the schedule as it is kept; whether there is what it names is not looked at.

    Raises
    ------
    ScheduleError
        If something of it is wrong: one line that says what.
    """
    try:
        name = check_name(schedule.name)
    except (ParameterError, TypeError):
        name = ""
    if not name or len(name) > _LONGEST_NAME:
        raise ScheduleError(
            f"{schedule.name!r:.100} cannot be a schedule's name: use letters, digits, '_', '.' and '-', at most "
            f"{_LONGEST_NAME} of them"
        )
    if schedule.kind not in KINDS:
        raise ScheduleError(f"{schedule.kind!r:.60} cannot be scheduled: a schedule starts a report, a run or a sweep")
    _check_what(schedule, name)
    _check_when(schedule, name)
    _check_params(schedule)
    cron = None if schedule.cron is None else check_cron(schedule.cron)
    return dataclasses.replace(schedule, name=name, cron=cron, after=schedule.after or None)


def _check_what(schedule: Schedule, name: str) -> None:
    key = _TARGET[schedule.kind]
    if not isinstance(schedule.target, dict) or not isinstance(schedule.target.get(key), str):
        raise ScheduleError(f"the schedule {name} of kind {schedule.kind} does not say which {key}")
    if schedule.source == CURRENT:
        return
    if not (isinstance(schedule.source, str) and _COMMIT.fullmatch(schedule.source)):
        raise ScheduleError(f"the source is 'current' or the id of a commit, not {schedule.source!r:.60}")
    if schedule.kind != REPORT:
        raise ScheduleError(f"a {schedule.kind} has the code that it was sent with: only a report can be pinned")


def _check_when(schedule: Schedule, name: str) -> None:
    if not (schedule.cron or schedule.after or schedule.when_changed):
        raise ScheduleError(f"the schedule {name} is never due: say when (--every), after what, or when what changes")
    zone(schedule.timezone)
    if schedule.missed not in (ONCE, RECORD):
        raise ScheduleError(f"{schedule.missed!r:.60}: missed times run 'once' or are only put on 'record'")
    _check_number("the jitter", schedule.jitter, _DAY)
    _check_number("the wait before a retry", schedule.retry_wait, 7 * _DAY)
    if schedule.until is not None:
        _check_number("the end", schedule.until, LAST_TIME)
    if isinstance(schedule.retries, bool) or not isinstance(schedule.retries, int) or not 0 <= schedule.retries <= 100:
        raise ScheduleError(f"{schedule.retries!r:.60} retries: give a whole number from 0 to 100")
    if schedule.after is not None and not isinstance(schedule.after, str):
        raise ScheduleError(f"{schedule.after!r:.60} is no name of a report or run to come after")
    if not all(isinstance(path, str) and path and "\0" not in path for path in schedule.when_changed):
        raise ScheduleError("a path whose change is waited for is a text that is not empty")


def _check_number(what: str, value: Any, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ScheduleError(f"{what} is a number of seconds, not {value!r:.60}")
    if not 0 <= value <= most:
        raise ScheduleError(f"{what} is between 0 and {most:.0f} s, not {value:g} s")


def _check_params(schedule: Schedule) -> None:
    if len(schedule.matrix) > _MOST_ELEMENTS:
        raise ScheduleError(f"a matrix of {len(schedule.matrix)} is too large: {_MOST_ELEMENTS} at most")
    for given in (schedule.params, *schedule.matrix):
        if not isinstance(given, Mapping) or not all(isinstance(t, str) for pair in given.items() for t in pair):
            raise ScheduleError(f"parameters are texts by name, not {given!r:.60}")
    if not all(schedule.matrix):
        raise ScheduleError("an element of the matrix has no parameter")
    seen: list[dict[str, str]] = []
    for one in schedule.matrix:
        if one in seen:
            raise ScheduleError(f"{', '.join(f'{k}={v}' for k, v in one.items())} is in the matrix twice")
        seen.append(one)
