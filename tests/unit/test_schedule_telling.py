"""Whoever is to hear how a schedule went is told once: of failures, of the recovery, and of what was missed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.firing import FAILED, FINISHED, Firing
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.starting import Ended
from mlwidgets.schedules.table import Table, writing
from mlwidgets.schedules.telling import tell_pending
from mlwidgets.schedules.tick import tick
from mlwidgets.schedules.timetable import Schedules
from tests.schedule_torture import BEGIN, DAY, Recorder, write_notebook

SEVEN = BEGIN + 7 * 3600.0


class Hand(Recorder):
    """Ends what it started as it is told to."""

    ends = Ended(FINISHED)

    def look(self, store: RunStore, schedule: Schedule, firing: Firing) -> Ended | None:
        return self.ends


@pytest.fixture
def told(store: RunStore, tmp_path: Path) -> Any:
    heard = tmp_path / "heard"
    heard.touch()

    def read() -> list[dict[str, Any]]:
        tell_pending(store)
        return [json.loads(line) for line in heard.read_text().splitlines()]

    return read


def add(store: RunStore, tmp_path: Path, when: str, **fields: Any) -> None:
    notebook = write_notebook(tmp_path / "sales.ipynb")
    notify = {when: "command: (cat; echo) >> heard"}
    schedule = Schedule("sales", "report", {"notebook": str(notebook)}, cron="0 7 * * *", notify=notify, **fields)
    Schedules(store).add(schedule, BEGIN)


def test_failure_and_recovery(store: RunStore, tmp_path: Path, told: Any) -> None:
    add(store, tmp_path, "failure")
    Schedules(store).edit(
        "sales",
        now=BEGIN,
        notify={"failure": "command: (cat; echo) >> heard", "recovery": "command: (cat; echo) >> heard"},
        params={"region": "EU"},
    )
    hand = Hand()
    for day, ends in enumerate(
        (Ended(FINISHED), Ended(FAILED, "no data"), Ended(FAILED, "no data"), Ended(FINISHED), Ended(FINISHED))
    ):
        tick(store, SEVEN + day * DAY, starter=hand)
        hand.ends = ends
        tick(store, SEVEN + day * DAY + 60, starter=hand)
        told()
    heard = told()
    assert [one["state"] for one in heard] == ["failed", "failed", "finished"]
    assert [one["cause"] for one in heard] == ["no data", "no data", None]
    assert heard[0]["subject"] == "sales (region=EU) failed"
    assert told() == heard


def test_who_is_killed_after_telling_does_not_tell_again(store: RunStore, tmp_path: Path, told: Any) -> None:
    add(store, tmp_path, "always")
    hand = Hand()
    tick(store, SEVEN, starter=hand)
    tick(store, SEVEN + 60, starter=hand)
    assert len(told()) == 1
    with Table(store.path).open() as connection, writing(connection):
        connection.execute("UPDATE firings SET told = 0")
    assert len(told()) == 1


def test_what_was_missed_is_told(store: RunStore, tmp_path: Path, told: Any) -> None:
    add(store, tmp_path, "failure", missed="record")
    (missed,) = tick(store, SEVEN + 3 * DAY - 3600, starter=Hand()).missed
    assert missed.missed == 3
    (heard,) = told()
    assert heard["state"] == "missed"
    assert "was not run 3 times from Thu 1 Jan 2026 07:00 UTC to Sat 3 Jan 2026 07:00 UTC" in heard["text"]


def test_nobody_is_told_of_a_retry(store: RunStore, tmp_path: Path, told: Any) -> None:
    add(store, tmp_path, "failure", retries=1, retry_wait=60.0)
    hand = Hand()
    hand.ends = Ended(FAILED, "no data")
    tick(store, SEVEN, starter=hand)
    tick(store, SEVEN + 1, starter=hand)
    assert told() == []
    tick(store, SEVEN + 100, starter=hand)
    tick(store, SEVEN + 101, starter=hand)
    (heard,) = told()
    assert "attempt 2 of 2" in heard["text"]
