"""What all REST handlers share: Jupyter's own authentication, bounded bodies, errors in one line."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from mlwidgets.errors import (
    MlwidgetsError,
    ParameterError,
    ScheduleError,
    UnknownRun,
    UnknownSchedule,
    UnknownSnapshot,
)
from mlwidgets.reports.publishing.definition import UnknownReport
from mlwidgets.server.service import SETTING, Service
from mlwidgets.server.stores import UnknownStore

RESOURCE = "mlwidgets"
"""What Jupyter's authorizer is asked for."""
UNKNOWN = (UnknownRun, UnknownSchedule, UnknownSnapshot, UnknownStore, UnknownReport)
LARGEST_BODY = 64 << 10
"""Bytes of most requests."""


@web.stream_request_body
class Handler(APIHandler):
    """Each method of a subclass bears ``@web.authenticated`` and ``@authorized``."""

    auth_resource = RESOURCE
    largest_body = LARGEST_BODY

    def initialize(self) -> None:
        """Take what nobody has sent yet."""
        self._body = bytearray()
        self._too_big = False

    @property
    def service(self) -> Service:
        """What all handlers share."""
        service: Service = self.settings[SETTING]
        return service

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse what is too big before it is read."""
        length = self.request.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > self.largest_body:
            raise self._refusal()
        await super().prepare()
        if self.largest_body > LARGEST_BODY and self.current_user is None:
            # No large body is kept for a stranger.
            raise web.HTTPError(403)

    def data_received(self, chunk: bytes) -> None:
        """Collect the body; of one that is too big and did not say so, nothing is kept."""
        self._too_big = self._too_big or len(self._body) + len(chunk) > self.largest_body
        if self._too_big:
            self._body.clear()
        else:
            self._body += chunk

    def _refusal(self) -> web.HTTPError:
        return web.HTTPError(413, f"a request has at most {self.largest_body >> 10} kB")

    def body(self) -> dict[str, Any]:
        """Return the request's JSON object."""
        if self._too_big:
            raise self._refusal()
        try:
            found = json.loads(bytes(self._body)) if self._body else {}
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise web.HTTPError(400, "the body is no JSON object")
        return found

    def may_change(self) -> None:
        """Refuse where nobody may change anything."""
        if self.service.read_only:
            raise web.HTTPError(403, "this server shows runs and changes none: it was started with --read-only")

    def reply(self, data: Any, status: int = 200) -> None:
        """Send JSON."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(data))

    @property
    def store(self) -> str:
        """The key of the store that the request names."""
        return self.get_query_argument("store", "", strip=False)

    def number(self, name: str, otherwise: int, most: int) -> int:
        """Return a whole number of the query, from 1 to `most`."""
        text = self.get_query_argument(name, str(otherwise))
        if not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) < 1:
            raise web.HTTPError(400, f"{name} is a whole number from 1 to {most}")
        return min(most, int(text))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send what is wrong as one line."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        message = self._reason
        if isinstance(error, MlwidgetsError):
            message = str(error)
            wrong = isinstance(error, ParameterError | ScheduleError)
            self.set_status(404 if isinstance(error, UNKNOWN) else 400 if wrong else 409)
        elif isinstance(error, web.HTTPError):
            message = error.log_message or error.reason or self._reason
        self.finish(json.dumps({"message": message}))

    def log_exception(self, *args: Any) -> None:
        """Log what is no answer to a mistake of whoever asked."""
        if not isinstance(args[1], MlwidgetsError):
            super().log_exception(*args)
