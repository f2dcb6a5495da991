"""The REST routes. All names of runs and stores that a request gives are looked up, never made a path of."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.services.contents.fileio import FileManagerMixin
from tornado import web
from tornado.iostream import StreamClosedError

import mlwidgets
from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.annotations import annotate
from mlwidgets.runs.run import Run
from mlwidgets.runs.trash import delete, restore
from mlwidgets.server.channels import to_json
from mlwidgets.server.handler import Handler
from mlwidgets.server.listing import Row

MOST_RUNS = 5000
AT_ONCE = 250
"""Rows that are read and sent before the event loop goes on."""
MOST_FOLDERS = 50
MOST_SPARKLINES = 200


class Info(Handler):
    """What this server is."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Version, whether anything may be changed and notebooks are files here, the root's own store, the user."""
        user = self.current_user
        has_files = isinstance(self.contents_manager, FileManagerMixin)
        self.reply(
            {
                "version": mlwidgets.__version__,
                "read_only": self.service.read_only,
                "history": has_files,
                "reports": has_files,
                "schedules": True,
                "root_store": "",
                "user": getattr(user, "username", None),
            }
        )


class StoreList(Handler):
    """Stores."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the root's own, and those that notebooks in the folders ``path`` use, where there are such folders."""
        paths = self.get_query_arguments("path", strip=False)
        if len(paths) > MOST_FOLDERS:
            raise web.HTTPError(400, f"at most {MOST_FOLDERS} folders at once")
        self.reply(await self.service.call(self._stores, paths))

    def _stores(self, paths: list[str]) -> dict[str, Any]:
        stores = self.service.stores
        found = {"": stores.name_of("")}
        for path in paths:
            # A folder may be gone, or none of this server's: that hides none of the others.
            with contextlib.suppress(MlwidgetsError, OSError):
                key = stores.key_of(path)
                found[key] = stores.name_of(key)
        return {"stores": [{"store": key, "name": name} for key, name in found.items()]}


class RunList(Handler):
    """Runs of a store."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List the newest, or those older than ``after``, at most ``limit``; sent in parts."""
        limit = self.number("limit", 100, MOST_RUNS)
        after = self.get_query_argument("after", None, strip=False)
        listing = await self.service.call(self.service.stores.listing, self.store)
        total, names = await self.service.call(listing.older, after)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "application/json")
        self.write(f'{{"store": {json.dumps(self.store)}, "total": {total}, "runs": [')
        sent, start = 0, 0
        while sent < limit and start < len(names):
            part = names[start : start + min(AT_ONCE, limit - sent)]
            start += len(part)
            texts = await self.service.call(_texts, listing.rows, part)
            self.write((", " if sent and texts else "") + ", ".join(texts))
            sent += len(texts)
            try:
                await self.flush()
            except StreamClosedError:
                # Whoever asked has gone.
                return
        cursor = names[start - 1] if 0 < start < len(names) else None
        self.finish(f'], "cursor": {json.dumps(cursor)}}}')


def _texts(read: Any, names: list[str]) -> list[str]:
    return [json.dumps(row) for row in read(names)]


class OneRun(Handler):
    """One run."""

    @web.authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        """Its row."""
        listing = await self.service.call(self.service.stores.listing, self.store)
        self.reply(await self.service.call(listing.row, run_id))

    @web.authenticated
    @authorized
    async def patch(self, run_id: str) -> None:
        """Give it a name, a pin, tags, a note."""
        self.may_change()
        given = self.body()
        unknown = given.keys() - {"name", "pinned", "tags", "note"}
        if unknown or not given:
            raise web.HTTPError(400, "a run can be given 'name', 'pinned', 'tags' and 'note'")
        self.reply(await self.service.call(self._annotate, run_id, given))

    def _annotate(self, run_id: str, given: dict[str, Any]) -> Row:
        listing = self.service.stores.listing(self.store)
        annotate(listing.folder(run_id), **given)
        return listing.row(run_id)

    @web.authenticated
    @authorized
    async def delete(self, run_id: str) -> None:
        """Move it into the trash."""
        self.may_change()
        self.reply({"undo_until": await self.service.call(self._delete, run_id)})

    def _delete(self, run_id: str) -> float:
        listing = self.service.stores.listing(self.store)
        until = delete(listing.store, listing.folder(run_id))
        listing.forget(run_id)
        return until


class Stop(Handler):
    """The end of a run."""

    @web.authenticated
    @authorized
    async def post(self, run_id: str) -> None:
        """Ask it to stop; that takes a moment."""
        self.may_change()
        self.reply(await self.service.call(self._stop, run_id), 202)

    def _stop(self, run_id: str) -> Row:
        listing = self.service.stores.listing(self.store)
        Run(listing.folder(run_id).path).stop("panel")
        return listing.row(run_id)


class Restore(Handler):
    """The way back out of the trash."""

    @web.authenticated
    @authorized
    async def post(self, run_id: str) -> None:
        """Bring a deleted run back."""
        self.may_change()
        self.reply(await self.service.call(self._restore, run_id))

    def _restore(self, run_id: str) -> Row:
        listing = self.service.stores.listing(self.store)
        restore(listing.store, run_id)
        return listing.row(run_id)


class Bundle(Handler):
    """What a notebook keeps of a run."""

    @web.authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        """Send the MIME bundle; of a run that goes on it shows this moment."""
        text = await self.service.call(self._bundle, run_id)
        self.set_header("Cache-Control", "no-store")
        self.finish(text)

    def _bundle(self, run_id: str) -> str:
        from mlwidgets.views.static import bundle

        listing = self.service.stores.listing(self.store)
        return to_json(bundle(Run(listing.folder(run_id).path)))


class Sparklines(Handler):
    """One metric of many runs, as small as can be."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send few points of ``metric`` of each of the runs ``ids`` that has it."""
        ids = [one for one in self.get_query_argument("ids", "", strip=False).split(",") if one]
        if len(ids) > MOST_SPARKLINES:
            raise web.HTTPError(400, f"at most {MOST_SPARKLINES} runs at once")
        metric = self.get_query_argument("metric", strip=False)
        self.reply({"sparklines": await self.service.call(self._read, ids, metric)})

    def _read(self, ids: list[str], metric: str) -> dict[str, Any]:
        listing = self.service.stores.listing(self.store)
        known = listing.known()
        lines = {one: self.service.sparklines.read(listing.store.runs / one, metric) for one in ids if one in known}
        return {run_id: line for run_id, line in lines.items() if line is not None}


class Slots(Handler):
    """The machine."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Who holds GPUs and CPU places, who waits."""
        slots = await self.service.call(self.service.stores.slots)
        if slots is None:
            raise web.HTTPError(503, "the machine's queue cannot be read: `mlwidgets doctor` says why")
        self.reply(slots)


API = "mlwidgets/api"
ONE = "([^/]+)"
ROUTES = [
    (f"{API}/info", Info),
    (f"{API}/stores", StoreList),
    (f"{API}/runs", RunList),
    (f"{API}/runs/{ONE}", OneRun),
    (f"{API}/runs/{ONE}/stop", Stop),
    (f"{API}/runs/{ONE}/restore", Restore),
    (f"{API}/runs/{ONE}/bundle", Bundle),
    (f"{API}/sparklines", Sparklines),
    (f"{API}/slots", Slots),
]
