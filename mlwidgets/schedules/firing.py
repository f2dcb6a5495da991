"""One start that a schedule asks for: of one element at one due time, and what became of it."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from mlwidgets.schedules.schedule import Schedule

CLAIMED, STARTED, WAITING = "claimed", "started", "waiting"
FINISHED, FAILED, SKIPPED, MISSED = "finished", "failed", "skipped", "missed"
OPEN = (CLAIMED, STARTED, WAITING)
TIME, AFTER, CHANGED, HAND = "time", "after", "changed", "hand"

GRACE = 300.0
"""Seconds after which a due time counts as missed: whoever ticks by cron does so once in a minute or in five."""

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


@dataclass(frozen=True)
class Firing:
    """One row of the history of a schedule. Times in Unix seconds.

    Attributes
    ----------
    schedule : str
        Id.
    due : float
        When it was due; for what was started by hand or by an event, when that was seen.
    element : int
        Which of the matrix; -1 where it stands for all of them.
    state : str
        ``claimed`` (about to start), ``started``, ``waiting`` (to be tried again at `retry_at`), ``finished``,
        ``failed``, ``skipped``, ``missed``.
    trigger : str
        ``time``, ``after``, ``changed`` or ``hand``.
    run : str or None
        Id of the run of the present attempt: written down before there is one.
    missed, first : int, float or None
        How many due times before this one nobody was there for, and the first of them; at most a hundred are counted.
    told : bool
        Whether nobody is left to be told.
    untried : int
        How many of the attempts were killed before any code was executed.
    """

    id: int
    schedule: str
    due: float
    element: int
    state: str
    trigger: str = TIME
    params: dict[str, str] = field(default_factory=dict)
    attempt: int = 1
    run: str | None = None
    claimed: float = 0.0
    started: float | None = None
    ended: float | None = None
    reason: str | None = None
    retry_at: float | None = None
    missed: int = 0
    first: float | None = None
    told: bool = True
    untried: int = 0

    @property
    def tries(self) -> int:
        """How many attempts have executed code, the present one included."""
        return self.attempt - self.untried

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN

    @property
    def late(self) -> bool:
        """Whether nobody was there when it was due."""
        return self.trigger == TIME and self.claimed - self.due > GRACE

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


COLUMNS = (
    *("id", "schedule", "due", "element", "state", "trigger", "params", "attempt", "run", "claimed", "started"),
    *("ended", "reason", "retry_at", "missed", "first", "told", "untried"),
)


def read_row(row: tuple[Any, ...]) -> Firing:
    """Return the firing of a row of `COLUMNS`."""
    fields = dict(zip(COLUMNS, row, strict=True))
    return Firing(**{**fields, "params": json.loads(fields["params"]), "told": bool(fields["told"])})


def place_of(schedule: Schedule, firing: Firing) -> int | None:
    """Return which element of a schedule a firing is for, None where an edit has taken that out since."""
    if not schedule.matrix:
        return 0 if firing.element <= 0 else None
    return next((place for place, one in enumerate(schedule.elements) if one == firing.params), None)


@dataclass(frozen=True)
class Missed:
    """Due times at which nobody was there.

    Attributes
    ----------
    name : str
        Of the schedule.
    first, last : float
        Unix seconds.
    count : int
        A hundred stands for a hundred or more.
    found : float or None
        When that was found; None where they are overdue now, and nobody has come yet.
    run : str or None
        The run that was started once for all of them; None where they were only recorded.
    """

    schedule: str
    name: str
    first: float
    last: float
    count: int
    found: float | None
    run: str | None = None


def run_id(name: str, key: str, at: float) -> str:
    """Return an id as `mlwidgets.runs.spec.new_run_id` does whose end says what it is for, not who made it.

    Parameters
    ----------
    key
        What the run is for.
    at
        When it was claimed.
    """
    digest = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    base = len(_ALPHABET)
    end = "".join(_ALPHABET[digest // base**place % base] for place in range(2))
    part = int(at % 1 * base**2)
    fraction = _ALPHABET[part // base] + _ALPHABET[part % base]
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(math.floor(at)))}-{name}-{fraction}{end}"
