"""Whoever is to hear how a schedule went is told once: of failures, of the recovery, and of what was missed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules import telling
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


def add(store: RunStore, tmp_path: Path, when: str, name: str = "sales", **fields: Any) -> None:
    notebook = write_notebook(tmp_path / "sales.ipynb")
    notify = {when: "command: (cat; echo) >> heard"}
    schedule = Schedule(name, "report", {"notebook": str(notebook)}, cron="0 7 * * *", notify=notify, **fields)
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
    assert "since" not in heard[0]
    # That it goes on, and for how long it was down, is said by the first that failed.
    assert heard[1]["since"] == SEVEN + DAY
    assert "It has failed since Fri 2 Jan 2026 07:00 UTC." in heard[1]["text"]
    assert heard[2]["subject"] == "sales (region=EU) succeeded again"
    assert "It had failed since Fri 2 Jan 2026 07:00 UTC, for 2 days 1 minute." in heard[2]["text"]
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
    assert (heard["state"], heard["since"]) == ("missed", SEVEN)
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


def test_where_it_is_seen(store: RunStore, tmp_path: Path, told: Any) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.mlwidgets]\naddress = 'https://jupyter.example.org/hub/'\n")
    add(store, tmp_path, "always", matrix=({"region": "EU"}, {"region": "US"}))
    hand = Hand()
    eu, us = tick(store, SEVEN, starter=hand).started
    folder = RunFolder(store.runs / str(us.run))
    folder.path.mkdir(parents=True)
    folder.spec.write_text(json.dumps({"report": {"publish": "sales-US"}}))
    (store.path / "reports" / "sales-US" / "editions" / str(us.run)).mkdir(parents=True)
    tick(store, SEVEN + 60, starter=hand)
    addresses = {one["run"]: one["address"] for one in told()}
    assert addresses == {
        eu.run: "https://jupyter.example.org/hub/mlwidgets",
        us.run: f"https://jupyter.example.org/hub/reports/sales-US/{us.run}.html",
    }


def test_who_has_stopped_it_needs_not_be_told(store: RunStore, tmp_path: Path, told: Any) -> None:
    add(store, tmp_path, "failure")
    hand = Hand()
    hand.ends = Ended(FAILED, "was stopped", final=True)
    (one,) = tick(store, SEVEN, starter=hand).started
    folder = RunFolder(store.runs / str(one.run))
    folder.path.mkdir(parents=True)
    write_outcome(folder, Outcome("stopped"))
    tick(store, SEVEN + 60, starter=hand)
    assert told() == []


def test_a_server_that_does_not_answer_keeps_no_other_schedule_waiting(
    store: RunStore, tmp_path: Path, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "ROUND", 1.0)
    add(store, tmp_path, "always")
    add(store, tmp_path, "always", name="other")
    # Its first letter takes until the round is over; the rest is left to the next.
    Schedules(store).edit("sales", now=BEGIN, notify="command: sleep 1.5; (cat; echo) >> heard")
    hand = Hand()
    for day in range(3):
        tick(store, SEVEN + day * DAY, starter=hand)
        tick(store, SEVEN + day * DAY + 60, starter=hand)
    assert tell_pending(store) >= 2
    heard = [json.loads(line)["name"] for line in (tmp_path / "heard").read_text().splitlines()]
    assert heard.count("other") == 3
    assert heard.count("sales") == 1
    deadline = time.monotonic() + 60
    while tell_pending(store):
        assert time.monotonic() < deadline
    assert len(told()) == 6


def test_of_what_hangs_somebody_hears_once(store: RunStore, tmp_path: Path, told: Any) -> None:
    class Hangs(Recorder):
        def look(self, store: RunStore, schedule: Schedule, firing: Firing) -> Ended | None:
            return None

    add(store, tmp_path, "failure")
    (hangs,) = tick(store, SEVEN, starter=Hangs()).started
    for day in range(1, 4):
        assert len(tick(store, SEVEN + day * DAY, starter=Hangs()).skipped) == 1
        (heard,) = told()
    assert (heard["state"], heard["subject"], heard["since"]) == ("missed", "sales was not run", SEVEN + DAY)
    assert f"the one before still runs ({hangs.run})" in heard["text"]
