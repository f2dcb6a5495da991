"""The REST routes of reports: the list, what a notebook can be given, the start of an edition and what became of it."""

from __future__ import annotations

import math
import os
from collections import deque
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from tornado import web

from mlwidgets.errors import ParameterError
from mlwidgets.reports.publishing.definition import read_definition, report_names
from mlwidgets.reports.publishing.editions import Report, reports
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import parse_literal
from mlwidgets.runs.store import RunStore
from mlwidgets.server.addresses import address_of
from mlwidgets.server.handler import Handler
from mlwidgets.server.history import NotebookHandler

SETTINGS = ("title", "show_code", "on_failed_check")
"""Those of a definition that a request gives."""
NUMBERS = ("timeout", "cell_timeout")
"""Seconds."""
MOST_PARAMS = 1000


class ReportList(Handler):
    """Reports of a store."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them, each with its last edition and the one at its address."""
        self.reply(await self.service.call(self._list, self.store))

    def _list(self, key: str) -> dict[str, Any]:
        store = self.service.stores.open(key)
        self.service.catch_up.begin(store)
        told = []
        for report in reports(store):
            latest, newest = report.latest(), report.newest()
            told.append(
                {
                    "name": report.name,
                    "title": report.title,
                    "address": address_of(key, report.name, ""),
                    "open": report.definition.open,
                    "notebook": self.service.stores.relative(report.definition.notebook),
                    "latest": latest and latest.to_json(),
                    "newest": newest and newest.to_json(),
                }
            )
        return {"store": key, "address": address_of(key, ""), "reports": told}


class ReportHandler(NotebookHandler):
    """Finds the notebook that is to be a report."""

    async def notebook(self, path: str) -> Path:
        """Return the file of the notebook at that path, where whoever asks may read it."""
        notebook = (await self.history(path, "read")).notebook
        if not await self.service.call(notebook.is_file):
            raise web.HTTPError(404, f"there is no notebook {path[:200]!r} on this server")
        return notebook


class ReportsOfNotebooks(ReportList, ReportHandler):
    """The same where notebooks are files."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Execute a notebook that lies on this server, and publish it."""
        self.may_change()
        given = _checked(self.body())
        allowed = self.authorizer.is_authorized(self, self.current_user, "execute", "kernels")
        if not await ensure_async(allowed):
            raise web.HTTPError(403, "you may not execute notebooks on this server")
        notebook = await self.notebook(given["path"])
        self.reply(await self.service.call(self._start, notebook, given), 201)

    def _start(self, notebook: Path, given: dict[str, Any]) -> dict[str, Any]:
        from mlwidgets.reports.sending import send_report

        key = self.service.stores.key_of(given["path"].strip("/").rpartition("/")[0])
        store = self.service.stores.open(key)
        name = given.get("name")
        if name is not None:
            _check_free(store, name, notebook)
        folder = send_report(
            notebook,
            name=name,
            params=given.get("params") or {},
            settings={one: given[one] for one in SETTINGS if one in given},
            store=store,
            **{one: given[one] for one in NUMBERS if given.get(one) is not None},
        )
        name = folder.read_spec().name
        return {"run": folder.id, "store": key, "name": name, "address": address_of(key, name, "")}


class Params(ReportHandler):
    """What a notebook can be given."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send its parameters, and what it was published with last."""
        path = self.get_query_argument("path", "", strip=False)
        self.reply(await self.service.call(self._read, path, await self.notebook(path)))

    def _read(self, path: str, notebook: Path) -> dict[str, Any]:
        from mlwidgets.history.notebooks.notebook import load_notebook
        from mlwidgets.reports.parameters.params import read_params
        from mlwidgets.reports.sending import name_of as default_name

        params = read_params(load_notebook(notebook))
        store = self.service.stores.open(self.service.stores.key_of(path.strip("/").rpartition("/")[0]))
        known = [one.definition for one in reports(store) if one.definition.notebook == os.fspath(notebook)]
        last = max(known, key=lambda one: one.changed, default=None)
        given = last.params if last else {}
        return {
            "name": last.name if last else default_name(notebook),
            "title": (last.title if last else None) or "",
            "show_code": bool(last and last.show_code),
            "params": [
                {
                    **param.to_json(),
                    "shown": _shown(param.default),
                    "value": _shown(given.get(param.name, param.default)),
                }
                for param in params
            ],
        }


class OneRun(Handler):
    """A run that is to be an edition."""

    @web.authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        """Say how far it is, and what became of it."""
        self.reply(await self.service.call(self._told, run_id))

    def _told(self, run_id: str) -> dict[str, Any]:
        listing = self.service.stores.listing(self.store)
        row = listing.row(run_id)
        folder = listing.folder(run_id)
        run = Run(folder.path)
        asked = run.spec.report
        if asked is None:
            raise web.HTTPError(404, f"the run {run_id!r:.120} executes no notebook")
        name = asked.get("publish")
        edition, is_pending = (None, False) if name is None else self._edition(listing.store, name, run_id)
        error = None if edition else next((one.get("error") for one in read_lines(folder.events, "published")), None)
        return {
            "state": row["state"],
            "cause": error or row["cause"],
            "waiting": row["waiting"],
            "cells": _cells(folder),
            "pending": is_pending and not error,
            "edition": edition and {**edition, "address": address_of(listing.key, str(name), f"{run_id}.html")},
        }

    def _edition(self, store: RunStore, name: str, run_id: str) -> tuple[dict[str, Any] | None, bool]:
        """Return the edition, and whether there is going to be one."""
        report = Report(store, name)
        is_pending = run_id in report.pending()
        found = report.find(run_id)
        if found is None and is_pending:
            self.service.catch_up.begin(store)
        told = {"state": found.state, "cause": found.cause, "title": found.title} if found else None
        return told, is_pending


def _cells(folder: RunFolder) -> dict[str, Any] | None:
    """Return how many cells have been executed, of how many, and what stands above the one that is."""
    events = deque(read_lines(folder.events, "cell"), maxlen=1)
    last = events[0] if events else {}
    index, many, heading = last.get("index"), last.get("of"), last.get("heading")
    if not isinstance(index, int) or not isinstance(many, int):
        return None
    done = index if last.get("state") == "finished" else index - 1
    return {"done": done, "of": many, "heading": heading.lstrip("# ") if isinstance(heading, str) else None}


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return what a request asks for if it can be asked for."""
    kinds: dict[str, tuple[Any, str]] = {
        "path": (str, "the path of a notebook, from the server's root"),
        "name": (str | None, "the name of a report"),
        "title": (str | None, "a text"),
        "show_code": (bool, "true or false"),
        "on_failed_check": (str, "'publish' or 'withhold'"),
        "timeout": (int | float | None, "a number of seconds"),
        "cell_timeout": (int | float | None, "a number of seconds"),
        "params": (dict | None, "an object of names and values"),
    }
    for key, value in given.items():
        if key not in kinds:
            raise web.HTTPError(400, f"{key!r:.60} cannot be asked for; there are: {', '.join(kinds)}")
        kind, what = kinds[key]
        is_number = isinstance(value, int | float)
        is_wrong = isinstance(value, bool) != (kind is bool) or (is_number and not math.isfinite(value))
        if is_wrong or not isinstance(value, kind):
            raise web.HTTPError(400, f"{key} is {what}")
    for key in ("path", "name"):
        if given.get(key, "" if key == "path" else None) == "":
            raise web.HTTPError(400, f"{key} is {kinds[key][1]}")
    if len(given.get("params") or {}) > MOST_PARAMS:
        raise web.HTTPError(400, f"a notebook is given at most {MOST_PARAMS} parameters")
    return given


def _check_free(store: RunStore, name: str, notebook: Path) -> None:
    """Raise ParameterError where another notebook is published under that name."""
    if name not in report_names(store):
        return
    other = read_definition(store, name).notebook
    if other and other != os.fspath(notebook) and os.path.exists(other):
        raise ParameterError(f"there is a report {name!r} of another notebook, {other}: take another name")


def _shown(text: str | None) -> str:
    """Return a parameter's value as one types it: a text without quotes."""
    if text is None:
        return ""
    try:
        value = parse_literal(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


API = "mlwidgets/api/reports"
RUNS = (f"{API}/runs/([^/]+)", OneRun)
ROUTES: list[tuple[Any, ...]] = [(API, ReportList), RUNS]
WITH_NOTEBOOKS: list[tuple[Any, ...]] = [(API, ReportsOfNotebooks), (f"{API}/params", Params), RUNS]
