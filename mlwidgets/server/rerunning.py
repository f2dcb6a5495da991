"""Doing a run again: what that takes, and its start."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from mlwidgets.errors import CannotRerun
from mlwidgets.reruns import elsewhere
from mlwidgets.server.handler import Handler
from mlwidgets.server.listing import Row
from mlwidgets.server.routes import API, ONE


class Rerun(Handler):
    """One run again."""

    @web.authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        """Its parameters, what is in the way, what is other than it was; for whoever may start it."""
        self.may_change()
        self.reply(await self.service.call(self._look, run_id))

    def _look(self, run_id: str) -> dict[str, Any]:
        return elsewhere.look(self.service.stores.listing(self.store).folder(run_id))

    @web.authenticated
    @authorized
    async def post(self, run_id: str) -> None:
        """Start it; send the new run's row, or what is in the way."""
        self.may_change()
        asked = self.body()
        try:
            self.reply(await self.service.call(self._start, run_id, asked), 202)
        except CannotRerun as error:
            said = {"message": str(error), "problems": error.problems, "forcible": error.forcible}
            self.reply(said, 409)

    def _start(self, run_id: str, asked: dict[str, Any]) -> Row:
        listing = self.service.stores.listing(self.store)
        return listing.row(elsewhere.start(listing.folder(run_id), asked).id)


ROUTES = [(f"{API}/runs/{ONE}/rerun", Rerun)]
