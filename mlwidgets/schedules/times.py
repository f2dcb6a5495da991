"""When a schedule is due: cron expressions in a time zone, as Unix seconds.

A time that the clock leaps over is due at the next minute that there is, one that comes twice is due the first time.
Expressions whose minutes or hours begin with ``*`` follow real time, as Debian's cron does.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from mlwidgets.errors import ScheduleError

LAST_TIME = 253370764800.0
"""The beginning of the year 9999, in Unix seconds: nothing is due later."""
_LONGEST = 200
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SOME = datetime(2026, 1, 1, tzinfo=UTC)
_DAY = 86400.0
_BACK = 8
"""Candidates that are looked at for the last due time: around a change of the clock the nearest one may be none."""


def check_cron(text: Any) -> str:
    """Return a cron expression in five fields, one space between them.

    Raises
    ------
    ScheduleError
        If it is none, or never due.
    """
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ScheduleError(f'{text!r:.60} is no cron expression: give five fields, such as "0 7 * * 1-5"')
    written = _NAMED.get(text.strip().lower(), text)
    if len(written.split()) != 5 or not written.isascii():
        raise ScheduleError(
            f"{text!r} is no cron expression: give five fields - minute, hour, day of the month, month, day of the "
            'week - such as "0 7 * * 1-5"'
        )
    try:
        CronSim(written, _SOME)
        first = next(following(written, "UTC", _SOME.timestamp()), None)
    except (CronSimError, ValueError, AssertionError, TypeError, RecursionError, MemoryError) as error:
        raise ScheduleError(f"{text!r} is no cron expression: {_reason(error)}") from error
    if first is None:
        raise ScheduleError(f"{text!r} is never due: no year has such a day")
    return " ".join(written.split())


def _reason(error: BaseException) -> str:
    said = str(error)
    return f"the field {said.removeprefix('Bad ').replace('-', ' ')!r} is wrong" if said.startswith("Bad ") else (
        said[:1].lower() + said[1:] or "it cannot be read"
    )  # fmt: skip


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises
    ------
    ScheduleError
        If there is none of that name.
    """
    try:
        if isinstance(name, str) and name.isascii() and name.isprintable() and not name.startswith(("/", ".")):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise ScheduleError(f"{name!r:.60} is no time zone: give one such as Europe/Berlin, America/New_York or UTC")


def local_zone() -> str:
    """Return the name of this machine's time zone, UTC where it does not say."""
    named = os.environ.get("TZ", "").removeprefix(":")
    with contextlib.suppress(OSError):
        link = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
        for name in (named, link, Path("/etc/timezone").read_text().strip() if not link else ""):
            with contextlib.suppress(ScheduleError):
                return zone(name.removeprefix("posix/").removeprefix("right/")).key
    return "UTC"


def end_of(text: str, timezone: str) -> float:
    """Return the last moment, in Unix seconds, of what is written as a day or a moment of a time zone.

    Raises
    ------
    ScheduleError
        If it is neither.
    """
    try:
        end = datetime.fromisoformat(text)
        if len(text.strip()) == len("2027-01-31"):
            end += timedelta(days=1, seconds=-1)
        return (end if end.tzinfo else end.replace(tzinfo=zone(timezone))).timestamp()
    except (ValueError, OverflowError) as error:
        raise ScheduleError(f"{text!r:.60} is no date: give one such as 2027-01-31 or 2027-01-31T18:00") from error


def following(cron: str, timezone: str, after: float) -> Iterator[float]:
    """Yield the times that are due after a moment, in order, each once; fifty years ahead at most.

    Parameters
    ----------
    cron
        As from `check_cron`.
    after
        Unix seconds.
    """
    last = after
    try:
        for at in _by_real_time(cron, zone(timezone), after) if _is_starred(cron) else _by_hands(cron, timezone, after):
            if at >= LAST_TIME:
                return
            # Two times that the clock leaps over are one, and one that comes twice may lie before `after`.
            if at > last:
                last = at
                yield at
    except (OverflowError, ValueError, OSError):
        # There is no such year.
        return


def _is_starred(cron: str) -> bool:
    minute, hour = cron.split()[:2]
    return minute.startswith("*") or hour.startswith("*")


def _by_hands(cron: str, timezone: str, after: float) -> Iterator[float]:
    for due in CronSim(cron, datetime.fromtimestamp(after, zone(timezone))):
        yield due.timestamp()


def _by_real_time(cron: str, there: ZoneInfo, after: float) -> Iterator[float]:
    """Yield what is due between two changes of the clock as if it was never changed, then between the next two.

    The library goes on by whole hours of real time, and the clock of Lord Howe Island is changed by half of one.
    """
    while True:
        offset = _offset(there, after)
        change: float | None = None
        for due in CronSim(cron, datetime.fromtimestamp(after + offset, UTC)):
            at = due.timestamp() - offset
            change = _first_change(there, after, at)
            if change is not None:
                break
            yield at
            after = at
        if change is None:
            return
        # What is due at that very moment is due by the new time.
        offset = _offset(there, change)
        first = datetime.fromtimestamp(change - 1 + offset, UTC)
        found = next(CronSim(cron, first), None)
        if found is None:
            return
        after = found.timestamp() - offset
        if _first_change(there, change, after) is None:
            yield after
        else:
            after = change


def _offset(there: ZoneInfo, at: float) -> float:
    """Return by how many seconds the clock of a zone is ahead of UTC."""
    found = datetime.fromtimestamp(at, there).utcoffset()
    return 0.0 if found is None else found.total_seconds()


def _first_change(there: ZoneInfo, after: float, upto: float) -> float | None:
    """Return the first whole second in which the clock is ahead by something else than at `after`."""
    offset = _offset(there, after)
    low = after
    while low < upto:
        high = min(upto, low + _DAY)
        if _offset(there, high) != offset:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(there, middle) == offset else (low, middle)
            return float(math.ceil(high))
        low = high
    return None


def next_due(cron: str, timezone: str, after: float) -> float | None:
    """Return the first time that is due after a moment, None where there is none."""
    return next(following(cron, timezone, after), None)


def next_times(cron: str, timezone: str, count: int, now: float) -> list[float]:
    """Return the next `count` times that are due."""
    return list(itertools.islice(following(cron, timezone, now), count))


def last_due(cron: str, timezone: str, upto: float, since: float) -> float:
    """Return the last due time that is not after `upto`, without a step for each one on the way.

    Parameters
    ----------
    since
        A due time: what is returned is not before it.
    """
    found = since
    with contextlib.suppress(OverflowError, ValueError, OSError):
        earlier = CronSim(cron, datetime.fromtimestamp(upto + 1, zone(timezone)), reverse=True)
        for candidate in itertools.islice(earlier, _BACK):
            start = candidate.timestamp() - 1
            start = max(since, start)
            # What is due is what `following` says; the way back only says where to look.
            near = list(itertools.takewhile(lambda due: due <= upto, following(cron, timezone, start)))
            if near:
                return max(since, near[-1])
            if start == since:
                break
    return found


def count_due(cron: str, timezone: str, first: float, before: float, most: int) -> int:
    """Return how many due times there are from the due time `first` to before `before`, `most` at most."""
    if first >= before:
        return 0
    later = itertools.takewhile(lambda due: due < before, following(cron, timezone, first))
    return 1 + sum(1 for _ in itertools.islice(later, most - 1))


def jitter_of(schedule: str, due: float, most: float) -> float:
    """Return by how many seconds a due time is put off: whoever asks gets the same answer.

    Parameters
    ----------
    schedule
        Its id.
    most
        Seconds.
    """
    if not most:
        return 0.0
    digest = hashlib.sha256(f"{schedule}|{due!r}".encode()).digest()
    return most * int.from_bytes(digest[:8], "big") / 2**64
