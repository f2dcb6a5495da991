"""The REST routes of schedules: what there is, what became of it, and what changes it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.services.contents.fileio import FileManagerMixin
from tornado import web

from mlwidgets.errors import ParameterError
from mlwidgets.notifying.notices import read_notices
from mlwidgets.runs.store import name_of
from mlwidgets.schedules.schedule import REPORT, Schedule
from mlwidgets.schedules.table import Table
from mlwidgets.schedules.times import local_zone
from mlwidgets.server.reports_api import ReportHandler
from mlwidgets.server.schedules_asked import Refused, check_kinds, fields_of, preview_of
from mlwidgets.server.schedules_told import Teller, mark_of

MOST_FIRINGS = 500
_LONGEST_NAME = 80
DEEDS = ("pause", "resume", "run", "duplicate", "restore")


class ScheduleHandler(ReportHandler):
    """What all of them share."""

    _mark = ""

    @property
    def has_files(self) -> bool:
        """Whether notebooks are files here."""
        return isinstance(self.contents_manager, FileManagerMixin)

    @property
    def has_kernels(self) -> bool:
        """Whether whoever may come in may run code of his own here, and commands as well."""
        return "kernels" in self.serverapp.default_services  # type: ignore[union-attr]

    def compute_etag(self) -> str | None:
        """Return the mark of what is sent: what is sent says what time it is, which is no news."""
        return f'"{self._mark}"' if self._mark else None

    async def may_execute(self) -> None:
        """Refuse whoever may not change what runs by itself."""
        self.may_change()
        if not await ensure_async(self.authorizer.is_authorized(self, self.current_user, "execute", "kernels")):
            raise web.HTTPError(403, "you may not have anything executed on this server")

    async def asked(self, given: dict[str, Any]) -> Path | None:
        """Return the file of the notebook that a request names."""
        if not self.has_files and {"notebook", "source"} & given.keys():
            raise web.HTTPError(403, "there are no notebooks on this server that could be scheduled")
        return await self.notebook(given["notebook"]) if "notebook" in given else None

    async def do(self, work: Callable[..., Any], *args: Any) -> Any:
        """Return what `work` returns, called off the event loop."""
        try:
            return await self.service.call(work, *args)
        except Refused as error:
            raise web.HTTPError(403, str(error)) from error

    def teller(self, key: str) -> Teller:
        """Return who tells of a store's schedules, and look after them from now on."""
        teller = Teller(self.service.stores, key, masked=self.service.read_only)
        self.service.tickers.look_after(teller.store.path)
        return teller

    def fields(self, given: dict[str, Any], old: Schedule | None, notebook: Path | None) -> dict[str, Any]:
        """Return the fields that a request gives."""
        stores = self.service.stores
        return fields_of(given, old, stores, notebook, files=self.has_files, commands=self.has_kernels)

    def key_of(self, given: dict[str, Any]) -> str:
        """Return the key of the store of the notebook that a request names."""
        return self.service.stores.key_of(given["notebook"].strip("/").rpartition("/")[0])


class ScheduleList(ScheduleHandler):
    """The schedules of a store."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them, unless whoever asks has them as they are."""
        self._mark = await self.do(self._read_mark, self.store)
        self.set_etag_header()
        if self.check_etag_header():
            self.set_status(304)
            self.set_header("Cache-Control", "no-store")
            await self.finish()
            return
        self.reply(await self.do(self._list, self.store))

    def _read_mark(self, key: str) -> str:
        store = self.service.stores.open(key)
        # A server that was started anew may be one that starts something, or nothing.
        return hashlib.sha256(f"{id(self.service)}{key}{mark_of(store)}".encode()).hexdigest()[:24]

    def _list(self, key: str) -> dict[str, Any]:
        teller = self.teller(key)
        tickers = self.service.tickers
        is_empty = not Table(teller.store.path).exists
        return {
            "store": key,
            "now": time.time(),
            "timezone": local_zone(),
            "can": {
                "change": not self.service.read_only,
                "notebooks": self.has_files,
                "commands": self.has_kernels,
            },
            "ticking": tickers.look_after(teller.store.path) or (tickers.wanted and is_empty),
            "last_tick": teller.schedules.last_tick(),
            "schedules": teller.rows(),
        }

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Keep a new one."""
        await self.may_execute()
        given = check_kinds(self.body())
        if given.get("kind") == REPORT and not self.has_files:
            raise web.HTTPError(403, "there are no notebooks on this server that could be scheduled")
        self.reply(await self.do(self._add, self.store, given, await self.asked(given)), 201)

    def _add(self, key: str, given: dict[str, Any], notebook: Path | None) -> dict[str, Any]:
        from mlwidgets.reports.sending import name_of as name_of_file

        fields = self.fields(given, None, notebook)
        kind = given["kind"]
        if notebook is not None:
            key = self.key_of(given)
            fields.setdefault("name", name_of_file(notebook)[:_LONGEST_NAME])
        elif "run" not in given:
            raise ParameterError("say which notebook" if kind == REPORT else "say which run")
        else:
            run = self.service.stores.open(key).find(given["run"]).id
            fields.setdefault("name", name_of(run)[:_LONGEST_NAME])
        schedule = self.teller(key).schedules.add(Schedule(kind=kind, **fields))
        return {"store": key, "schedule": self.teller(key).row(schedule)}


class OneSchedule(ScheduleHandler):
    """One of them."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Send it."""
        self.reply(await self.do(self._one, self.store, name))

    def _one(self, key: str, name: str) -> dict[str, Any]:
        teller = self.teller(key)
        return teller.row(teller.schedules.find(name))

    @web.authenticated
    @authorized
    async def patch(self, name: str) -> None:
        """Change what is given of it."""
        await self.may_execute()
        given = check_kinds(self.body())
        self.reply(await self.do(self._edit, self.store, name, given, await self.asked(given)))

    def _edit(self, key: str, name: str, given: dict[str, Any], notebook: Path | None) -> dict[str, Any]:
        teller = self.teller(key)
        schedules = teller.schedules
        old = schedules.find(name)
        if notebook is not None and self.key_of(given) != key:
            raise ParameterError(f"{given['notebook']} lies in another project: add a schedule there")
        if set(given) == {"enabled"}:
            # What it names need not be there for that.
            return teller.row((schedules.resume if given["enabled"] else schedules.pause)(old.id))
        return teller.row(schedules.edit(old.id, **self.fields(given, old, notebook)))

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Remove it; its runs and editions stay."""
        await self.may_execute()
        schedule, until = await self.do(self._remove, self.store, name)
        self.reply({"id": schedule.id, "name": schedule.name, "undo_until": until})

    def _remove(self, key: str, name: str) -> tuple[Schedule, float]:
        return self.service.removed.remove(self.service.stores.open(key), name)


class Deed(ScheduleHandler):
    """What is done with one of them."""

    @web.authenticated
    @authorized
    async def post(self, name: str, deed: str) -> None:
        """Do it."""
        if deed not in DEEDS:
            raise web.HTTPError(404, f"nothing is done so with a schedule; there are: {', '.join(DEEDS)}")
        await self.may_execute()
        status, told = await self.do(self._do, self.store, name, deed, self.body())
        self.reply(told, status)

    def _do(self, key: str, name: str, deed: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        check_kinds(given, ("name",) if deed == "duplicate" else ())
        teller = self.teller(key)
        schedules = teller.schedules
        if deed == "restore":
            return 200, teller.row(self.service.removed.restore(teller.store, name))
        if deed == "run":
            schedule = schedules.find(name)
            started = [teller.firing(one, schedule) for one in schedules.run_now(schedule.id)]
            return 202, {"firings": started, "schedule": teller.row(schedule)}
        if deed == "duplicate":
            return 201, teller.row(schedules.duplicate(name, given.get("name")))
        return 200, teller.row((schedules.pause if deed == "pause" else schedules.resume)(name))


class Preview(ScheduleHandler):
    """A schedule that nobody keeps yet."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Say when it would be due."""
        self.reply(await self.do(self._preview, self.store, self.body()))

    def _preview(self, key: str, given: dict[str, Any]) -> dict[str, Any]:
        teller = self.teller(key)
        schedule, count = preview_of(given, self.service.stores, files=self.has_files)
        said, _ = teller.schedules.preview(schedule, count)
        return {"words": said, "times": teller.times(schedule, count)}


class Firings(ScheduleHandler):
    """What was started."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List it, the newest first."""
        limit = self.number("limit", 50, MOST_FIRINGS)
        before = self.number("before", 10**9 - 1, 10**9 - 1)
        name = self.get_query_argument("schedule", None, strip=False)
        self.reply(await self.do(self._list, self.store, name, limit, before))

    def _list(self, key: str, name: str | None, limit: int, before: int) -> dict[str, Any]:
        return {"store": key, "firings": self.teller(key).history(name, limit, before)}


class MissedTimes(ScheduleHandler):
    """What should have run while nobody was there."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List what nobody has looked at yet, or all since a moment."""
        since = self.get_query_argument("since", None)
        if since is not None and not (since.isascii() and since.replace(".", "", 1).isdecimal() and len(since) < 30):
            raise web.HTTPError(400, "since is a time, in Unix seconds")
        self.reply(await self.do(self._list, self.store, None if since is None else float(since)))

    def _list(self, key: str, since: float | None) -> dict[str, Any]:
        return self.teller(key).missed(since)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Keep that somebody has looked at it."""
        self.may_change()
        self.reply(await self.do(self._dismiss, self.store, self.body()))

    def _dismiss(self, key: str, given: dict[str, Any]) -> dict[str, Any]:
        if set(given) != {"seen"}:
            raise ParameterError("give 'seen': the time up to which you have looked")
        teller = self.teller(key)
        teller.dismiss(given["seen"])
        return teller.missed(None)


class Notices(ScheduleHandler):
    """What was left for the browser."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List what came after the number ``since``; without it, only say which was the last."""
        since = self.get_query_argument("since", None)
        if since is not None and not (since.isascii() and since.isdecimal() and len(since) < 16):
            raise web.HTTPError(400, "since is the number of the last notice that was seen")
        self.reply(await self.do(self._list, self.store, None if since is None else int(since)))

    def _list(self, key: str, since: int | None) -> dict[str, Any]:
        found = read_notices(self.service.stores.open(key).path, since or 0)
        last = max((one["number"] for one in found), default=since or 0)
        return {"store": key, "last": last, "notices": [] if since is None else found}


API = "mlwidgets/api/schedules"
ONE = f"{API}/([^/]+)"
ROUTES: list[tuple[Any, ...]] = [
    (API, ScheduleList),
    (f"{API}/preview", Preview),
    (f"{API}/firings", Firings),
    (f"{API}/missed", MissedTimes),
    (ONE, OneSchedule),
    (f"{ONE}/([^/]+)", Deed),
    ("mlwidgets/api/notices", Notices),
]
