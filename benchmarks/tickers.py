"""Whoever starts what is due, each as a station: ours, APScheduler 3 and jupyter-scheduler.

What is started writes a line with its name and the time, and nothing else: only who starts it is compared.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.ours import store_in
from benchmarks.peers import load

BERLIN = ZoneInfo("Europe/Berlin")
STEP = 600.0
"""Seconds between two looks of a simulated day."""


def mark(path: str, name: str) -> None:
    """Record that something was started."""
    with open(path, "ab", buffering=0) as file:
        file.write(f"{name} {time.time()!r}\n".encode())


class _Subject:
    """What all have in common.

    ``prepare`` writes ``count`` jobs that are due at ``due``, each day at that time; ``serve`` starts what is due from
    then on, in a thread; ``spent`` says what processor time the process has used; ``day`` says how often something
    was started on one day of Berlin, in a clock that is given.
    """

    def __init__(self, folder: Path) -> None:
        # Two servers share what is beside the stations' own folders.
        self.folder = folder.parent
        self.starts = str(self.folder / "starts")

    def __call__(self, request: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(request)
        do: Callable[..., dict[str, Any] | None] = getattr(self, f"_{given.pop('do')}")
        return do(**given) or {}

    def _spent(self) -> dict[str, Any]:
        return {"seconds": time.process_time()}


class Ours(_Subject):
    """The thread that ticks in a Jupyter server with mlwidgets."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        stores, self._timetable = load("mlwidgets.runs.store"), load("mlwidgets.schedules.timetable")
        self._schedule = load("mlwidgets.schedules.schedule").Schedule
        self._store = stores.RunStore(store_in(self.folder))
        self._store.prepare()
        notebook = self.folder / "plain.ipynb"
        if not notebook.exists():
            notebook.write_text('{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": []}')
        self._notebook = str(notebook)

    def _prepare(self, due: float, count: int, down: float = 0.0) -> None:
        """Cron knows no seconds: a clock that is ahead has its minute when the others have their second."""
        at = datetime.fromtimestamp(due + _ahead(due), UTC)
        schedules = self._timetable.Schedules(self._store)
        for number in range(count):
            one = self._schedule(
                f"job{number}", "report", {"notebook": self._notebook}, cron=f"{at.minute} {at.hour} * * *"
            )
            schedules.add(one, at.timestamp() - down - 30)

    def _serve(self, due: float) -> None:
        starter = _marking(self.starts)
        ticker = load("mlwidgets.schedules.ticker")
        ticker.Ticker(self._store.path, clock=lambda: time.time() + _ahead(due), starter=starter).start()

    def _day(self, year: int, month: int, day: int) -> dict[str, Any]:
        begin = datetime(year, month, day, tzinfo=BERLIN).timestamp()
        daily = self._schedule(
            "daily",
            "report",
            {"notebook": self._notebook},
            cron="30 2 * * *",
            timezone="Europe/Berlin",
            overlap=True,
        )
        self._timetable.Schedules(self._store).add(daily, begin)
        tick = load("mlwidgets.schedules.tick").tick
        found = (tick(self._store, now, starter=_marking(self.starts)).started for now in _day(begin))
        return {"starts": sum(map(len, found))}

    def _real(self, rounds: int) -> dict[str, Any]:
        """Start real runs; return the seconds from due until they were started, and until their code began."""
        mlwidgets, api = load("mlwidgets"), load("mlwidgets.api")
        os.environ["MLWIDGETS_STORE"] = str(self._store.path)
        run = mlwidgets.train("import time\nbegan = time.time()", name="job", namespace={}).wait(60)
        schedules = self._timetable.Schedules(self._store)
        due = time.time() + 3.0
        # A minute of the clock that is ahead begins then, and the others when the one before has ended.
        started, began = [], []
        for number in range(rounds):
            at = datetime.fromtimestamp(due + _ahead(due), UTC)
            one = self._schedule(f"real{number}", "run", {"run": run.id}, cron=f"{at.minute} {at.hour} * * *")
            schedules.add(one, at.timestamp() - 30)
            ahead = _ahead(due)
            ticker = load("mlwidgets.schedules.ticker").Ticker(
                self._store.path, clock=lambda ahead=ahead: time.time() + ahead
            )
            ticker.start()
            deadline = time.monotonic() + 60
            while not (found := [one for one in schedules.firings(f"real{number}") if one.state == "finished"]):
                if time.monotonic() > deadline:
                    raise TimeoutError("the run did not end")
                time.sleep(0.05)
            ticker.stop()
            schedules.remove(f"real{number}")
            started.append(found[0].started - found[0].due)
            began.append(api.open_run(self._store.runs / found[0].run).result["began"] - due)
            due = time.time() + 2.0
        return {"started": started, "began": began}


def _ahead(due: float) -> float:
    return (due // 60 + 1) * 60 - due


def _day(begin: float) -> list[float]:
    return list(itertools.takewhile(lambda now: now < begin + 86400, itertools.count(begin + 1, STEP)))


def _marking(starts: str) -> Any:
    ended = load("mlwidgets.schedules.starting").Ended

    class Marking:
        """Starts nothing but a line."""

        def start(self, store: Any, schedule: Any, firing: Any) -> None:
            mark(starts, schedule.name)

        def look(self, store: Any, schedule: Any, firing: Any) -> Any:
            return ended("finished")

    return Marking()


class APScheduler(_Subject):
    """Its background scheduler on a job store in SQLite."""

    options: Mapping[str, Any] = {}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        load("sqlalchemy")
        store = load("apscheduler.jobstores.sqlalchemy").SQLAlchemyJobStore(f"sqlite:///{self.folder / 'jobs.sqlite'}")
        background = load("apscheduler.schedulers.background")
        self._scheduler = background.BackgroundScheduler(jobstores={"default": store}, timezone=UTC)
        self._trigger = load("apscheduler.triggers.cron").CronTrigger

    def _prepare(self, due: float, count: int, down: float = 0.0) -> None:
        at = datetime.fromtimestamp(due, UTC)
        self._scheduler.start(paused=True)
        for number in range(count):
            self._scheduler.add_job(
                "benchmarks.tickers:mark",
                self._trigger(hour=at.hour, minute=at.minute, second=at.second, timezone=UTC),
                args=[self.starts, f"job{number}"],
                # As whoever served before it went down has left it.
                next_run_time=at - timedelta(seconds=down),
                **self.options,
            )

    def _serve(self, due: float) -> None:
        if self._scheduler.running:
            self._scheduler.resume()
        else:
            self._scheduler.start()

    def _day(self, year: int, month: int, day: int) -> dict[str, Any]:
        trigger = self._trigger.from_crontab("30 2 * * *", timezone=BERLIN)
        begin = datetime(year, month, day, tzinfo=BERLIN)
        starts, before = 0, None
        upcoming = trigger.get_next_fire_time(None, begin)
        for now in _day(begin.timestamp()):
            while upcoming.timestamp() <= now:
                starts += 1
                before = upcoming
                upcoming = trigger.get_next_fire_time(before, datetime.fromtimestamp(now, BERLIN))
        return {"starts": starts}


class PatientAPScheduler(APScheduler):
    """The same, told to run what is late however late it is, once for all missed times."""

    options: Mapping[str, Any] = {"misfire_grace_time": None, "coalesce": True}


class JupyterScheduler(_Subject):
    """The task runner of its server extension, on its database."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._orm = load("jupyter_scheduler.orm")
        self._url = f"sqlite:///{self.folder / 'scheduler.sqlite'}"
        self._orm.create_tables(self._url)
        self._scheduler = self._make()

    def _make(self) -> Any:
        manager = load("jupyter_scheduler.environments").StaticEnvironmentManager()
        starts = self.starts

        class Marking(load("jupyter_scheduler.scheduler").Scheduler):  # type: ignore[misc]
            """Starts nothing but a line."""

            def create_job(self, model: Any) -> str:
                mark(starts, model.name)
                return str(model.name)

        return Marking(root_dir=str(self.folder), environments_manager=manager, db_url=self._url)

    def _prepare(self, due: float, count: int, down: float = 0.0) -> None:
        """When it went down is not in its database: what it would start next is worked out anew at its start."""
        at = datetime.fromtimestamp(due, UTC)
        for number in range(count):
            self._define(f"job{number}", f"{at.minute} {at.hour} * * * {at.second}", "UTC")

    def _define(self, name: str, schedule: str, timezone: str) -> None:
        with self._scheduler.db_session() as session:
            given = {"name": name, "schedule": schedule, "timezone": timezone, "input_filename": "plain.ipynb"}
            session.add(self._orm.JobDefinition(runtime_environment_name="", output_formats=[], **given))
            session.commit()

    def _serve(self, due: float, poll: int = 0) -> None:
        def serve() -> None:
            # Its cache belongs to the thread that has made it.
            runner = self._make().task_runner
            runner.poll_interval = poll or runner.poll_interval
            asyncio.run(runner.start())

        threading.Thread(target=serve, daemon=True).start()

    def _day(self, year: int, month: int, day: int) -> dict[str, Any]:
        utils = load("jupyter_scheduler.utils")
        begin = datetime(year, month, day, tzinfo=BERLIN).timestamp()
        clock = [begin]

        class Clock(datetime):
            """Shows the simulated time."""

            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime.fromtimestamp(clock[0], tz)

        utils.datetime = Clock
        self._define("daily", "30 2 * * *", "Europe/Berlin")
        self._scheduler.task_runner.populate_cache()
        for now in _day(begin):
            clock[0] = now
            self._scheduler.task_runner.process_queue()
        path = Path(self.starts)
        return {"starts": len(path.read_text().splitlines()) if path.exists() else 0}
