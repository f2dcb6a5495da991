"""Ticks by a clock that is given: what is due is started once, whatever the clock does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mlwidgets.errors import ScheduleError
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules import conditions
from mlwidgets.schedules.firing import FAILED, FINISHED, Firing, place_of
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.starting import Ended
from mlwidgets.schedules.table import KEPT, Table, writing
from mlwidgets.schedules.tick import tick
from mlwidgets.schedules.timetable import Schedules
from tests.schedule_torture import Recorder, started, write_notebook

HOUR, DAY = 3600.0, 86400.0


def at(text: str, zone: str = "Europe/Berlin") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


MONDAY = at("2026-11-23T06:00")


class Hand(Recorder):
    """Ends what it started when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: Ended | None = None
        self.fails_to_start: Exception | None = None
        self.asked: list[Firing] = []

    def start(self, store: RunStore, schedule: Schedule, firing: Firing) -> None:
        self.asked.append(firing)
        if self.fails_to_start is not None:
            raise self.fails_to_start
        super().start(store, schedule, firing)

    def look(self, store: RunStore, schedule: Schedule, firing: Firing) -> Ended | None:
        return self.ends


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def add(store: RunStore, hand: Hand, tmp_path: Path) -> Callable[..., Schedule]:
    notebook = write_notebook(tmp_path / "sales.ipynb")

    def make(name: str = "sales", now: float = MONDAY, **fields: object) -> Schedule:
        given = {"cron": "0 7 * * *", "timezone": "Europe/Berlin", **fields}
        return Schedules(store, hand).add(Schedule(name, "report", {"notebook": str(notebook)}, **given), now)  # type: ignore[arg-type]

    return make


def dues(store: RunStore) -> list[float]:
    return sorted(due for _, due, _, _ in started(store.path))


def test_what_is_due_is_started_once_and_at_its_time(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    assert tick(store, MONDAY, starter=hand).started == ()
    schedule = add()
    assert schedule.next == at("2026-11-23T07:00")
    assert tick(store, schedule.next - 0.001, starter=hand).started == ()
    (first,) = tick(store, schedule.next, starter=hand).started
    assert (first.due, first.state, first.run) == (schedule.next, "started", hand.asked[0].run)
    assert tick(store, schedule.next, starter=hand).started == ()
    assert tick(store, schedule.next + 1, starter=hand).started == ()
    assert Schedules(store).find("sales").next == at("2026-11-24T07:00")
    assert dues(store) == [at("2026-11-23T07:00")]


def test_a_weekend_down_runs_once_for_all(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add(now=at("2026-11-20T06:00"))
    later = at("2026-11-23T09:30")
    (overdue,) = Schedules(store).missed(later, later)
    assert (overdue.count, overdue.found, overdue.first) == (4, None, at("2026-11-20T07:00"))
    (one,) = tick(store, later, starter=hand).started
    assert (one.due, one.missed, one.first) == (at("2026-11-23T07:00"), 3, at("2026-11-20T07:00"))
    (missed,) = Schedules(store).missed(later, later + 1)
    assert (missed.name, missed.count, missed.run) == ("sales", 4, one.run)
    assert Schedules(store).missed(later + 1, later + 1) == []


def test_a_weekend_down_is_only_recorded(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add(now=at("2026-11-20T06:00"), missed="record")
    later = at("2026-11-23T09:30")
    done = tick(store, later, starter=hand)
    assert done.started == ()
    (one,) = done.missed
    assert (one.missed, one.first, one.due) == (4, at("2026-11-20T07:00"), at("2026-11-23T07:00"))
    (missed,) = Schedules(store).missed(0, later)
    assert (missed.count, missed.run) == (4, None)
    # A tick that is a little late is no miss.
    (started_,) = tick(store, at("2026-11-24T07:04"), starter=hand).started
    assert started_.missed == 0


def test_a_clock_that_goes_back_starts_nothing_twice(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add(cron="0 * * * *", overlap=True)
    for hour in range(10):
        tick(store, MONDAY + hour * HOUR, starter=hand)
    assert len(dues(store)) == 9
    for back in (MONDAY + 4 * HOUR, MONDAY + 8.5 * HOUR, MONDAY):
        assert tick(store, back, starter=hand).started == ()
        assert Schedules(store).find("sales").next == MONDAY + 10 * HOUR
    for hour in range(12):
        tick(store, MONDAY + hour * HOUR, starter=hand)
    assert dues(store) == [MONDAY + hour * HOUR for hour in range(1, 12)]


def test_a_clock_that_was_wrong_by_years_does_not_silence_a_schedule(
    store: RunStore, hand: Hand, add: Callable[..., Schedule]
) -> None:
    add(cron="*/5 * * * *", overlap=True)
    tick(store, MONDAY + 300, starter=hand)
    (wrong,) = tick(store, MONDAY + 3650 * DAY, starter=hand).started
    assert wrong.missed == 100, "a hundred are counted, and no more"
    tick(store, MONDAY + 601, starter=hand)
    assert Schedules(store).find("sales").next == MONDAY + 900
    for minute in range(15, 40, 5):
        tick(store, MONDAY + minute * 60, starter=hand)
    assert dues(store)[:-1] == [MONDAY + 300, *(MONDAY + minute * 60 for minute in range(15, 40, 5))]
    # And the time that the clock once showed does not come again.
    assert tick(store, MONDAY + 3650 * DAY, starter=hand).started == ()


def test_no_overlap_unless_allowed(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add()
    add("both", overlap=True)
    tick(store, at("2026-11-23T07:00"), starter=hand)
    done = tick(store, at("2026-11-24T07:00"), starter=hand)
    assert [one.schedule for one in done.started] == [Schedules(store).find("both").id]
    (skipped,) = done.skipped
    assert skipped.reason is not None
    assert skipped.reason.startswith("the one before still runs (20261123-")
    with pytest.raises(ScheduleError, match="still runs"):
        Schedules(store, hand).run_now("sales", now=at("2026-11-24T08:00"))
    hand.ends = Ended(FINISHED)
    (by_hand,) = Schedules(store, hand).run_now("sales", now=at("2026-11-24T08:00"))
    assert by_hand.trigger == "hand"
    assert Schedules(store).find("sales").next == at("2026-11-25T07:00")


def test_what_failed_is_tried_again_after_a_wait(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add(retries=2, retry_wait=600)
    begin = at("2026-11-23T07:00")
    tick(store, begin, starter=hand)
    hand.ends = Ended(FAILED, "cell 5: ValueError: no data")
    assert tick(store, begin + 60, starter=hand).ended == ()
    (waiting,) = Schedules(store).firings()
    assert (waiting.state, waiting.retry_at, waiting.reason) == ("waiting", begin + 660, "cell 5: ValueError: no data")
    assert tick(store, begin + 659, starter=hand).started == ()
    (second,) = tick(store, begin + 660, starter=hand).started
    assert second.attempt == 2
    assert second.run != waiting.run
    tick(store, begin + 700, starter=hand)
    assert [one.attempt for one in tick(store, begin + 1300, starter=hand).started] == [3]
    (over,) = tick(store, begin + 1400, starter=hand).ended
    assert (over.state, over.attempt, over.reason) == ("failed", 3, "cell 5: ValueError: no data")
    assert tick(store, begin + 9000, starter=hand).started == ()


def test_the_next_time_ends_the_waiting(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add(retries=1, retry_wait=2 * DAY)
    tick(store, at("2026-11-23T07:00"), starter=hand)
    hand.ends = Ended(FAILED, "no data")
    tick(store, at("2026-11-23T08:00"), starter=hand)
    hand.ends = None
    assert len(tick(store, at("2026-11-24T07:00"), starter=hand).started) == 1
    old = Schedules(store).firings()[1]
    assert (old.state, old.reason) == ("failed", "no data; it was not tried again, as its next time came")


def test_what_cannot_be_started_says_why(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add()
    add("other")
    hand.fails_to_start = RuntimeError("boom")
    done = tick(store, at("2026-11-23T07:00"), starter=hand)
    assert {one.reason for one in done.ended} == {"RuntimeError: boom"}
    hand.fails_to_start = None
    assert len(tick(store, at("2026-11-24T07:00"), starter=hand).started) == 2


def test_a_claim_whose_process_died_is_taken_over_under_the_same_id(
    store: RunStore, hand: Hand, add: Callable[..., Schedule]
) -> None:
    add()
    hand.fails_to_start = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        tick(store, at("2026-11-23T07:00"), starter=hand)
    (claimed,) = Schedules(store).firings()
    assert claimed.state == "claimed"
    hand.fails_to_start = None
    (mine,) = tick(store, at("2026-11-23T07:10"), starter=hand).started
    assert (mine.id, mine.run, mine.attempt) == (claimed.id, claimed.run, 1)
    assert dues(store) == [at("2026-11-23T07:00")]
    assert os.listdir(store.path / "schedules") == []


def test_what_was_never_executed_is_started_anew(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add()
    tick(store, at("2026-11-23T07:00"), starter=hand)
    hand.ends = Ended(FAILED, "killed", untried=True)
    (anew,) = tick(store, at("2026-11-23T07:01"), starter=hand).started
    assert anew.attempt == 2
    hand.ends = Ended(FINISHED)
    (over,) = tick(store, at("2026-11-23T07:02"), starter=hand).ended
    assert over.state == "finished"


def test_each_element_of_a_matrix_is_started(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    matrix = ({"region": "EU"}, {"region": "US"}, {"region": "../etc"})
    schedule = add(matrix=matrix)
    done = tick(store, at("2026-11-23T07:00"), starter=hand)
    assert [one.params for one in done.started] == list(matrix)
    assert [schedule.name_of(number) for number in range(3)] == ["sales-EU", "sales-US", "sales-etc"]
    assert len({one.run for one in done.started}) == 3
    twins = replace(schedule, matrix=({"region": "a b"}, {"region": "a_b"}))
    assert [twins.name_of(0), twins.name_of(1)] == ["sales-a_b-1", "sales-a_b-2"]


def test_two_hundred_due_at_once_are_all_started(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    for number in range(200):
        add(f"s{number:03}")
    done = tick(store, at("2026-11-23T07:00"), starter=hand)
    assert len({one.run for one in done.started}) == len({one.schedule for one in done.started}) == 200


def test_an_end_and_a_pause(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add(until=at("2026-11-24T12:00"))
    schedules = Schedules(store, hand)
    hand.ends = Ended(FINISHED)
    schedules.pause("sales")
    assert tick(store, at("2026-11-23T07:00"), starter=hand).started == ()
    assert schedules.resume("sales", at("2026-11-23T09:00")).next == at("2026-11-24T07:00")
    (one,) = tick(store, at("2026-11-26T07:00"), starter=hand).started
    assert (one.due, one.missed) == (at("2026-11-24T07:00"), 0)
    assert schedules.find("sales").next is None
    with pytest.raises(ScheduleError, match="never due before its end"):
        schedules.edit("sales", cron="0 8 * * *", now=at("2026-11-26T08:00"))


def test_jitter_puts_off_and_loses_nothing(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add(cron="*/10 * * * *", jitter=HOUR, overlap=True)
    found: list[Firing] = []
    now = MONDAY
    while now < MONDAY + 8 * HOUR:
        found += tick(store, now, starter=hand).started
        now += 180
    for one in found:
        assert 0 <= one.claimed - one.due < HOUR + 181
    decided = len(found) + sum(one.missed for one in found)
    assert 8 * 6 - 7 <= decided <= 8 * 6
    assert len({one.due for one in found}) == len(found)


def test_names_alone_are_ticked(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add()
    add("other")
    assert len(tick(store, at("2026-11-23T07:00"), names=["other"], starter=hand).started) == 1
    with pytest.raises(ScheduleError, match="no schedule 'nope'; there are: other, sales"):
        tick(store, at("2026-11-23T07:00"), names=["nope"], starter=hand)
    assert len(tick(store, at("2026-11-23T07:00"), starter=hand).started) == 1


def _finished(new_run: Callable[..., RunFolder], name: str, **fields: object) -> RunFolder:
    folder = new_run(name, **fields)
    write_outcome(folder, Outcome("finished", ended_at=MONDAY))
    return folder


def test_after_a_run_has_finished(
    store: RunStore, hand: Hand, add: Callable[..., Schedule], new_run: Callable[..., RunFolder]
) -> None:
    _finished(new_run, "load")
    add(cron=None, after="load")
    add("weekly", after="load")
    assert tick(store, MONDAY + 60, starter=hand).started == ()
    done = tick(store, at("2026-11-23T07:00"), starter=hand)
    (skipped,) = done.skipped
    assert skipped.reason == "load has succeeded no further time"
    tick(store, at("2026-11-24T07:00"), starter=hand)
    assert [one.due for one in Schedules(store).firings("weekly")] == [at("2026-11-24T07:00")], "the last look is kept"
    new_run("load")
    assert tick(store, at("2026-11-24T08:00"), starter=hand).started == ()
    newer = _finished(new_run, "load")
    (one,) = tick(store, at("2026-11-24T09:00"), starter=hand).started
    assert (one.trigger, one.due) == ("after", at("2026-11-24T09:00"))
    assert tick(store, at("2026-11-24T09:01"), starter=hand).started == ()
    hand.ends = Ended(FINISHED)
    assert len(tick(store, at("2026-11-25T07:00"), starter=hand).started) == 1
    # A report's editions count, not its runs.
    report = store.path / "reports" / "load"
    report.mkdir(parents=True)
    (report / "definition.json").write_text("{}")
    _finished(new_run, "load")
    assert tick(store, at("2026-11-25T08:00"), starter=hand).started == ()
    (report / "latest.json").write_text(json.dumps({"edition": "20261125-080000-load-abcd"}))
    assert [one.trigger for one in tick(store, at("2026-11-25T08:01"), starter=hand).started] == ["after"]
    assert newer.path.exists()


def test_when_content_has_changed(store: RunStore, hand: Hand, add: Callable[..., Schedule], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("1")
    (data / ".hidden").write_text("1")
    hand.ends = Ended(FINISHED)
    add(cron=None, when_changed=(str(data), str(tmp_path / "*.parquet")))
    now = MONDAY

    def fired() -> int:
        nonlocal now
        now += 60
        return len(tick(store, now, starter=hand).started)

    assert fired() == 0
    os.utime(data / "a.csv", (5, 5))
    (data / ".hidden").write_text("2")
    assert fired() == 0, "the same content at another time is no change"
    (data / "a.csv").write_text("2")
    assert (fired(), fired()) == (1, 0)
    (data / "sub").mkdir()
    (data / "sub" / "b.csv").write_text("1")
    assert (fired(), fired()) == (1, 0)
    (tmp_path / "x.parquet").write_text("1")
    assert (fired(), fired()) == (1, 0)
    (data / "a.csv").unlink()
    assert (fired(), fired()) == (1, 0)
    # What is being written just now is waited for.
    (data / "a.csv").write_text("half")
    os.utime(data / "a.csv", (now + 60, now + 60))
    assert (fired(), fired()) == (0, 1)


def test_old_history_is_forgotten_and_still_nothing_is_started_twice(
    store: RunStore, hand: Hand, add: Callable[..., Schedule]
) -> None:
    schedule = add(cron="* * * * *", overlap=True)
    with Table(store.path).open() as connection, writing(connection):
        for minute in range(1, KEPT + 50):
            connection.execute(
                "INSERT INTO firings (schedule, due, element, state, trigger, params, attempt, run, claimed, missed, "
                "told) VALUES (?, ?, 0, 'finished', 'time', '{}', 1, ?, 0, 0, 1)",
                (schedule.id, MONDAY + minute * 60, f"r{minute}"),
            )
        due = MONDAY + (KEPT + 50) * 60
        connection.execute("UPDATE schedules SET due = ?, next = ?", (due, due))
    tick(store, MONDAY + (KEPT + 50) * 60, starter=hand)
    assert len(Schedules(store).firings(limit=5000)) == KEPT
    tick(store, MONDAY, starter=hand)
    assert Schedules(store).find("sales").next == MONDAY + (KEPT + 51) * 60


def test_what_was_never_executed_uses_up_no_retry(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add(retries=1, retry_wait=60)
    begin = at("2026-11-23T07:00")
    tick(store, begin, starter=hand)
    hand.ends = Ended(FAILED, "killed", untried=True)
    tick(store, begin + 1, starter=hand)
    hand.ends = Ended(FAILED, "no data")
    assert tick(store, begin + 2, starter=hand).ended == ()
    (third,) = tick(store, begin + 100, starter=hand).started
    assert (third.attempt, third.tries) == (3, 2)
    (over,) = tick(store, begin + 101, starter=hand).ended
    assert over.reason == "no data"


def test_who_starts_it_being_killed_over_and_over_ends_it(
    store: RunStore, hand: Hand, add: Callable[..., Schedule]
) -> None:
    add()
    hand.ends = Ended(FAILED, "killed", untried=True)
    begin = at("2026-11-23T07:00")
    ended = [one for second in range(10) for one in tick(store, begin + second, starter=hand).ended]
    assert [(one.state, one.attempt, one.untried) for one in ended] == [("failed", 4, 3)]


def test_what_a_person_ended_is_not_tried_again(store: RunStore, hand: Hand, add: Callable[..., Schedule]) -> None:
    add(retries=5)
    begin = at("2026-11-23T07:00")
    tick(store, begin, starter=hand)
    hand.ends = Ended(FAILED, "was stopped", final=True)
    (over,) = tick(store, begin + 1, starter=hand).ended
    assert (over.state, over.reason) == ("failed", "was stopped")


def test_elements_that_are_taken_out_meanwhile_break_nothing(
    store: RunStore, hand: Hand, add: Callable[..., Schedule]
) -> None:
    schedule = add(matrix=({"region": "EU"}, {"region": "US"}, {"region": "ASIA"}), retries=1, retry_wait=60)
    begin = at("2026-11-23T07:00")
    tick(store, begin, starter=hand)
    hand.ends = Ended(FAILED, "no data")
    tick(store, begin + 1, starter=hand)
    # What is left has another place now: it keeps its report all the same.
    edited = Schedules(store, hand).edit("sales", now=begin + 2, matrix=({"region": "ASIA"}, {"region": "EU"}))
    names = {str(one.params["region"]): one for one in tick(store, begin + 100, starter=hand).started}
    assert set(names) == {"ASIA", "EU"}
    assert {edited.name_of(place_of(edited, one) or 0) for one in names.values()} == {"sales-ASIA", "sales-EU"}
    assert all(f"-{edited.name_of(place_of(edited, one) or 0)}-" in str(one.run) for one in names.values())
    (gone,) = [one for one in Schedules(store).firings() if one.params["region"] == "US"]
    assert (gone.state, gone.reason) == (
        "failed",
        "no data; it was not tried again, as its parameters are no longer scheduled",
    )
    assert schedule.id == edited.id


def test_what_is_claimed_and_then_taken_out_is_not_started(
    store: RunStore, hand: Hand, add: Callable[..., Schedule]
) -> None:
    add(matrix=({"region": "EU"}, {"region": "US"}))
    begin = at("2026-11-23T07:00")
    hand.fails_to_start = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        tick(store, begin, starter=hand)
    hand.fails_to_start = None
    Schedules(store, hand).edit("sales", now=begin + 2, matrix=({"region": "US"},))
    (one,) = tick(store, begin + 3, starter=hand).started
    assert one.params == {"region": "US"}
    assert [one.state for one in Schedules(store).firings()] == ["started", "skipped"]


def test_what_a_library_says_of_one_keeps_no_other_from_starting(
    store: RunStore, hand: Hand, add: Callable[..., Schedule], monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    add("other", cron="0 8 * * *")
    tick(store, at("2026-11-23T07:00"), starter=hand)

    def broken(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(hand, "look", broken)
    done = tick(store, at("2026-11-23T08:00"), starter=hand)
    assert [one.reason for one in done.ended] == ["it cannot be told how it ended: too deep"]
    assert len(done.started) == 1


def test_a_pipe_is_no_content_and_nobody_waits_for_it(
    store: RunStore, hand: Hand, add: Callable[..., Schedule], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "a.csv")
    add(cron=None, when_changed=(str(tmp_path / "*.csv"),))
    assert tick(store, MONDAY + 60, starter=hand).started == ()
    (tmp_path / "b.csv").write_text("1")
    assert len(tick(store, MONDAY + 120, starter=hand).started) == 1


def test_of_large_files_little_is_read(
    store: RunStore, hand: Hand, add: Callable[..., Schedule], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "AT_ONCE", 3 * conditions.LARGE // 2)
    large = tmp_path / "large.bin"
    with open(large, "wb") as file:
        file.truncate(1 << 40)
    for name in ("a.bin", "b.bin"):
        with open(tmp_path / name, "wb") as file:
            file.truncate(conditions.LARGE)
    hand.ends = Ended(FINISHED)
    add(cron=None, when_changed=(str(tmp_path / "*.bin"),))
    assert tick(store, MONDAY + 60, starter=hand).started == ()
    with open(large, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    assert len(tick(store, MONDAY + 120, starter=hand).started) == 1
    # In its midst nothing is read: its time says it.
    with open(large, "r+b") as file:
        file.seek(1 << 39)
        file.write(b"x")
    os.utime(large, (MONDAY, MONDAY))
    assert len(tick(store, MONDAY + 180, starter=hand).started) == 1
    assert tick(store, MONDAY + 240, starter=hand).started == ()


def test_texts_that_are_no_unicode_stop_no_tick(
    store: RunStore, hand: Hand, add: Callable[..., Schedule], tmp_path: Path
) -> None:
    odd = os.fsdecode(b"\xff.csv")
    (tmp_path / odd).write_text("1")
    add(params={"region": "\ud800\0"})
    add("changes", when_changed=(str(tmp_path / odd),))
    begin = at("2026-11-23T07:00")
    done = tick(store, begin, starter=hand)
    assert len(done.started) == len(done.skipped) == 1
    hand.ends = Ended(FAILED, "cell 1: ValueError: \ud800")
    assert [one.state for one in tick(store, begin + 1, starter=hand).ended] == ["failed"]
    assert sorted(str(one.reason) for one in Schedules(store).firings()) == [
        f"{tmp_path}/?.csv did not change",
        "cell 1: ValueError: ?",
    ]


def test_what_is_removed_while_it_starts_is_forgotten(
    store: RunStore, hand: Hand, add: Callable[..., Schedule], monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    add("other")

    def start(store: RunStore, schedule: Schedule, firing: Firing) -> None:
        if schedule.name == "sales":
            Schedules(store, hand).remove("sales")

    monkeypatch.setattr(hand, "start", start)
    assert len(tick(store, at("2026-11-23T07:00"), starter=hand).started) == 1
    hand.ends = Ended(FINISHED)
    assert len(tick(store, at("2026-11-23T07:01"), starter=hand).ended) == 1
    assert [one.name for one in Schedules(store).list()] == ["other"]
