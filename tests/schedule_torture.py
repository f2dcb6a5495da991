"""Schedules under fire: who ticks is killed at random moments of simulated years, and the clock goes as it likes.

``python tests/schedule_torture.py --seconds 600 --seed 7`` goes on for longer than the test does.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mlwidgets.runs.folder import write_whole
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.firing import FAILED, FINISHED, Firing
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.starting import Ended
from mlwidgets.schedules.table import Table, writing
from mlwidgets.schedules.tick import tick
from mlwidgets.schedules.times import following
from mlwidgets.schedules.timetable import Schedules

BEGIN = 1767225600.0
"""The beginning of 2026, UTC."""
DAY = 86400.0


class Recorder:
    """Starts nothing but a file, which is there or not: what is started twice would be two of them."""

    def __init__(self, fails: float = 0.0) -> None:
        self.fails = fails

    def start(self, store: RunStore, schedule: Schedule, firing: Firing) -> None:
        """Record the start under the id of the run that would be."""
        folder = store.path / "started"
        folder.mkdir(exist_ok=True)
        path = folder / f"{schedule.id}|{firing.due!r}|{firing.element}|{firing.attempt}|{firing.run}"
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def look(self, store: RunStore, schedule: Schedule, firing: Firing) -> Ended | None:
        """Say that it ended; some attempts fail."""
        chance = random.Random(str(firing.run)).random()
        return Ended(FAILED, "bad luck") if chance < self.fails else Ended(FINISHED)


def started(store: Path) -> Counter[tuple[str, float, int, int]]:
    """Return how often each schedule's element was started for each due time and attempt."""
    found: Counter[tuple[str, float, int, int]] = Counter()
    for name in os.listdir(store / "started"):
        key, due, element, attempt, _ = name.split("|")
        found[key, float(due), int(element), int(attempt)] += 1
    return found


def write_notebook(path: Path) -> Path:
    """Write a notebook with one parameter."""
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "region = 'EU'", "outputs": []}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}))
    return path


def read_clock(store: Path) -> float | None:
    """Return the simulated time, None where it is over."""
    try:
        text = (store / "clock").read_text()
    except FileNotFoundError:
        return None
    return float(text) if text else None


def _tick_on(store: Path, fails: float) -> None:
    """Tick by the simulated clock until that is taken away."""
    runs = RunStore(store)
    while (now := read_clock(store)) is not None:
        tick(runs, now, starter=Recorder(fails))
        time.sleep(0.002)


def start_ticker(store: Path, fails: float = 0.0) -> int:
    """Fork a process that ticks; return its pid. A fresh one would be killed before it has imported anything."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _tick_on(store, fails)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


@contextlib.contextmanager
def tickers(store: Path, count: int, fails: float = 0.0) -> Iterator[list[int]]:
    """Run as many processes that tick; end them by taking their clock away, and see that they end well."""
    found = [start_ticker(store, fails) for _ in range(count)]
    try:
        yield found
    finally:
        (store / "clock").unlink(missing_ok=True)
        ends = [os.waitpid(pid, 0)[1] for pid in found]
    assert not any(ends), "who ticked failed"


def set_clock(store: Path, now: float) -> None:
    """Let it be `now` for all who tick."""
    write_whole(store / "clock", repr(now).encode(), flush=False)


_CRONS = (
    ("0 7 * * 1-5", "Europe/Berlin"),
    ("30 2 * * *", "America/New_York"),
    ("15 2 * * *", "Australia/Lord_Howe"),
    ("0 */6 * * *", "Africa/Casablanca"),
    ("0 12 29 2 *", "UTC"),
    ("45 23 L * *", "Asia/Kolkata"),
    ("*/30 * 1-3 * *", "UTC"),
)


def make_schedules(store: RunStore) -> list[Schedule]:
    """Add a schedule of each kind that there is."""
    notebook = write_notebook(store.path.parent / "sales.ipynb")
    schedules = Schedules(store, Recorder())
    found = []
    for number, (cron, zone) in enumerate(_CRONS):
        schedule = Schedule(
            f"s{number}",
            "report",
            {"notebook": str(notebook)},
            cron=cron,
            timezone=zone,
            overlap=number % 2 == 0,
            missed="record" if number % 3 == 2 else "once",
            jitter=0.0 if number % 2 else 600.0,
            retries=number % 2,
            retry_wait=3600.0,
            matrix=({"region": "EU"}, {"region": "US"}) if number == 0 else (),
        )
        found.append(schedules.add(schedule, BEGIN))
    return found


def torture(seconds: float, seed: int, folder: Path, processes: int = 2) -> dict[str, int]:
    """Advance the clock by leaps, back at times, and kill who ticks; then see that all was started once.

    Returns
    -------
    dict
        What was counted.
    """
    chance = random.Random(seed)
    store = RunStore(folder / ".mlwidgets")
    store.prepare()
    (store.path / "started").mkdir(exist_ok=True)
    schedules = make_schedules(store)
    now = newest = BEGIN
    kills = 0
    deadline = time.monotonic() + seconds
    set_clock(store.path, now)
    with tickers(store.path, processes, fails=0.2) as alive:
        while time.monotonic() < deadline:
            leap = chance.choice((300.0, 1800.0, 7 * 3600.0, DAY, DAY, 3 * DAY, 40 * DAY))
            now += leap if chance.random() > 0.1 else -chance.choice((60.0, 3600.0, DAY, 5 * DAY))
            now = max(now, BEGIN)
            newest = max(newest, now)
            set_clock(store.path, now)
            time.sleep(chance.expovariate(1 / 0.02))
            if chance.random() < 0.5:
                victim = chance.randrange(len(alive))
                os.kill(alive[victim], signal.SIGKILL)
                os.waitpid(alive[victim], 0)
                kills += 1
                alive[victim] = start_ticker(store.path, 0.2)
    for later in range(3):
        tick(store, newest + later * 7200.0, starter=Recorder())
    return {**judge(store, schedules), "kills": kills, "days": int((newest - BEGIN) / DAY)}


def judge(store: RunStore, schedules: list[Schedule]) -> dict[str, int]:
    """Raise AssertionError unless each due time was started once, or is recorded as missed or skipped."""
    with Table(store.path).open() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with writing(connection):
            still = connection.execute("SELECT count(*) FROM firings WHERE state = 'claimed'").fetchone()
    assert still == (0,), "what is claimed is not started"
    found = started(store.path)
    twice = [key for key, count in found.items() if count > 1]
    assert not twice, f"started twice: {twice[:3]}"
    by_hand = Schedules(store)
    for schedule in schedules:
        assert schedule.cron is not None
        fired = {due for key, due, _, _ in found if key == schedule.id}
        rows = by_hand.firings(schedule.id, 10**6)
        # Rows are kept for a while only: what is older has left its file.
        known = min((row.due for row in rows), default=0.0) if len(rows) >= 1000 else 0.0
        decided = fired | {row.due for row in rows}
        spans = [(row.first, row.due) for row in rows if row.first is not None]
        last = max(decided, default=0.0)
        times = itertools.takewhile(lambda due: due <= last, following(schedule.cron, schedule.timezone, BEGIN))
        due_times = list(times)
        for due in due_times:
            covered = due in decided or any(first <= due <= end for first, end in spans)
            assert covered or due < known, f"{schedule.name}: nobody says what became of {due}"
        assert fired <= set(due_times), f"{schedule.name}: started when nothing was due"
        for row in rows:
            if row.element >= 0 and row.run is not None:
                assert (schedule.id, row.due, row.element, row.attempt) in found
                attempts = {
                    at for key, due, element, at in found if (key, due, element) == (schedule.id, row.due, row.element)
                }
                assert attempts == set(range(1, row.attempt + 1))
    return {"starts": sum(found.values()), "due": len({(key, due) for key, due, _, _ in found})}


def main() -> None:
    """Torture for as long as asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlw-") as folder:
        print(torture(options.seconds, options.seed, Path(folder)))


if __name__ == "__main__":
    main()
