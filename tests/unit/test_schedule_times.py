"""When a schedule is due: against every minute of the calendar, in zones whose clocks are changed in all ways."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from mlwidgets.errors import ScheduleError
from mlwidgets.schedules.times import (
    check_cron,
    count_due,
    following,
    jitter_of,
    last_due,
    local_zone,
    next_due,
    next_times,
    zone,
)

_WINDOWS = [
    ("Europe/Berlin", "2026-03-27", 5),
    ("Europe/Berlin", "2026-10-23", 5),
    ("America/New_York", "2026-03-06", 5),
    ("America/New_York", "2026-10-30", 5),
    ("Australia/Lord_Howe", "2026-04-03", 5),
    ("Australia/Lord_Howe", "2026-10-02", 5),
    ("Africa/Casablanca", "2026-02-13", 4),
    ("Africa/Casablanca", "2026-03-20", 4),
    ("Asia/Kolkata", "2026-03-27", 4),
    ("Africa/Cairo", "2026-04-22", 5),
    ("Africa/Cairo", "2026-10-28", 4),
    ("America/Sao_Paulo", "2018-11-02", 4),
    ("Pacific/Apia", "2011-12-28", 5),
    ("UTC", "2028-02-27", 4),
]
_AT_TIMES = [
    "30 2 * * *",
    "0 7 * * 1-5",
    "0,30 1,2,3 * * *",
    "45 23 * * *",
    "15 0 * * *",
    "0 0 * * 0,6",
    "59 1 28-31 * *",
]
_STARRED = ["* * * * *", "0 * * * *", "30 * * * 0", "*/20 2-3 * * *"]


def _sets(cron: str) -> list[set[int]]:
    """Return what each field means, read in another way than the library does."""
    found = []
    for text, low, high in zip(cron.split(), (0, 0, 1, 1, 0), (59, 23, 31, 12, 6), strict=True):
        values: set[int] = set()
        for part in text.split(","):
            span, _, step = part.partition("/")
            first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
            values |= set(range(int(first), int(last or first) + 1, int(step or 1)))
        found.append(values)
    return found


def _matches(sets: list[set[int]], at: datetime) -> bool:
    fields = at.minute, at.hour, at.day, at.month, at.isoweekday() % 7
    return all(value in allowed for value, allowed in zip(fields, sets, strict=True))


def _exists(at: datetime) -> bool:
    return at.astimezone(UTC).astimezone(at.tzinfo).replace(tzinfo=None) == at.replace(tzinfo=None)


def _by_calendar(cron: str, name: str, begin: datetime, days: int) -> list[float]:
    """Return what is due by the hands of the clock: what they leap over at the next minute, what comes twice once."""
    sets, there = _sets(cron), ZoneInfo(name)
    due = set()
    for minute in range(days * 1440):
        at = begin + timedelta(minutes=minute)
        if _matches(sets, at):
            while not _exists(at.replace(tzinfo=there)):
                at += timedelta(minutes=1)
            due.add(at.replace(tzinfo=there).timestamp())
    return sorted(due)


def _by_seconds(cron: str, name: str, start: float, end: float) -> list[float]:
    """Return what is due by real time."""
    sets, there = _sets(cron), ZoneInfo(name)
    return [float(at) for at in range(int(start), int(end), 60) if _matches(sets, datetime.fromtimestamp(at, there))]


@pytest.mark.parametrize(("name", "day", "days"), _WINDOWS)
@pytest.mark.parametrize("cron", _AT_TIMES)
def test_times_of_the_day_are_those_of_the_calendar(name: str, day: str, days: int, cron: str) -> None:
    begin = datetime.fromisoformat(day)
    start = (begin.replace(tzinfo=ZoneInfo(name))).timestamp() - 1
    expected = _by_calendar(cron, name, begin, days)
    found = list(itertools.islice(following(cron, name, start), len(expected)))
    assert found == expected
    # From wherever it is looked, what comes next is the same.
    for at in range(int(start), int(expected[-1]) if expected else 0, 7919):
        later = [due for due in expected if due > at]
        assert next_due(cron, name, at) == later[0]
        earlier = [due for due in expected if due <= at]
        if earlier:
            assert last_due(cron, name, at, expected[0]) == earlier[-1]
            assert count_due(cron, name, expected[0], earlier[-1], 1000) == len(earlier) - 1


@pytest.mark.parametrize(("name", "day", "days"), _WINDOWS)
@pytest.mark.parametrize("cron", _STARRED)
def test_what_is_due_every_so_often_follows_real_time(name: str, day: str, days: int, cron: str) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(name)).timestamp()
    expected = _by_seconds(cron, name, start, start + days * 86400)
    assert (
        list(itertools.takewhile(lambda due: due < start + days * 86400, following(cron, name, start - 1))) == expected
    )


def test_changes_of_the_clock_as_people_say_them() -> None:
    def told(cron: str, name: str, after: str, count: int) -> list[str]:
        start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(name)).timestamp()
        return [
            f"{datetime.fromtimestamp(at, ZoneInfo(name)):%d %H:%M %Z}" for at in next_times(cron, name, count, start)
        ]

    spring = told("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", 3)
    assert spring == ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"]
    autumn = told("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00", 3)
    assert autumn == ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"]
    half_an_hour = told("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", 3)
    assert half_an_hour == ["03 02:15 +1030", "04 02:30 +11", "05 02:15 +11"]
    assert told("0 7 29 2 *", "Asia/Kolkata", "2026-01-01T00:00", 2) == ["29 07:00 IST"] * 2
    assert next_due("0 0 29 2 *", "UTC", datetime(2096, 3, 1, tzinfo=UTC).timestamp()) == (
        datetime(2104, 2, 29, tzinfo=UTC).timestamp()
    )


def test_a_day_of_the_month_and_one_of_the_week_are_either() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC).timestamp() - 1
    days = [datetime.fromtimestamp(at, UTC).day for at in next_times("0 7 13 * 5", "UTC", 6, start)]
    assert days == [5, 12, 13, 19, 26, 3]
    both = [datetime.fromtimestamp(at, UTC) for at in next_times("0 7 1-7 * */5", "UTC", 3, start)]
    assert all(at.day <= 7 for at in both)


@pytest.mark.parametrize("cron", ["* * * * *", "*/5 * * 3 *", "0 0 29 2 *", "0 7 * * 1-5"])
def test_a_jump_of_years_takes_few_steps(cron: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0

    class Counted(CronSim):
        def __next__(self) -> datetime:
            nonlocal steps
            steps += 1
            return super().__next__()

    monkeypatch.setattr("mlwidgets.schedules.times.CronSim", Counted)
    since = next_due(cron, "Europe/Berlin", datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    assert since is not None
    later = datetime(2046, 7, 7, 12, 30, 30, tzinfo=UTC).timestamp()
    last = last_due(cron, "Europe/Berlin", later, since)
    assert last <= later
    assert (next_due(cron, "Europe/Berlin", last) or later + 1) > later
    assert count_due(cron, "Europe/Berlin", since, last, 100) <= 100
    assert steps < 150


def test_the_end_of_time_is_no_error() -> None:
    assert next_due("0 0 * * *", "UTC", 253402300799.0) is None
    assert next_due("0 0 * * *", "UTC", 1e18) is None
    assert next_times("0 0 1 1 *", "UTC", 5, 253339228800.0) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("61 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * * 9", "day of week"),
        ("0 0 30 2 *", "day of month"),
        ("* * * *", "five fields"),
        ("0 0 0 * * *", "five fields"),
        ("@reboot", "five fields"),
        ("", "five fields"),
        ("0 7 * * ²L", "five fields"),
        ("*/0 * * * *", "no cron"),
        ("1-0 * * * *", "minute"),
        ("0 7 * * 5L/2", "no cron"),
        ("0 7 , * *", "no cron"),
        ("0 7 * * 1#9", "no cron"),
        ("\x00 * * * *", "no cron"),
        ("9" * 300 + " * * * *", "five fields"),
        (None, "no cron"),
        (["* * * * *"], "no cron"),
    ],
)
def test_what_is_no_cron_expression_is_said_in_one_line(text: object, said: str) -> None:
    with pytest.raises(ScheduleError, match=said) as caught:
        check_cron(text)
    assert "\n" not in str(caught.value)


def test_expressions_are_written_evenly() -> None:
    assert check_cron(" 0  7 * *\tMON-FRI ") == "0 7 * * MON-FRI"
    assert check_cron("@Daily") == "0 0 * * *"


@pytest.mark.parametrize(
    "name", ["Mars/Base", "", "/etc/passwd", "../UTC", "Europe", "Europe/Berlin\n", "é", "a\0b", 5]
)
def test_what_is_no_zone_is_said_in_one_line(name: str) -> None:
    with pytest.raises(ScheduleError, match="no time zone"):
        zone(name)


def test_the_zone_of_this_machine_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert zone(local_zone()).key == local_zone()
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    assert local_zone() == "Asia/Kolkata"


def test_jitter_is_the_same_for_all_and_differs_between_times() -> None:
    found = [jitter_of("abc", float(due), 60) for due in range(0, 86400 * 500, 86400)]
    assert found == [jitter_of("abc", float(due), 60) for due in range(0, 86400 * 500, 86400)]
    assert all(0 <= one < 60 for one in found)
    assert min(found) < 3 < 57 < max(found)
    assert jitter_of("abc", 0.0, 0) == 0
    assert jitter_of("abd", 0.0, 60) != found[0]
