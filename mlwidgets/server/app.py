"""The extension of a Jupyter server, and ``jupyter mlwidgets``: the panel as a page of its own."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_server import serverapp
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.fileio import FileManagerMixin
from jupyter_server.services.contents.manager import AsyncContentsManager
from traitlets import Bool, Dict, Enum, Unicode, default

from mlwidgets.errors import MlwidgetsError
from mlwidgets.server import history, page, reports, reports_api, rerunning, routes, schedules, stream, twins
from mlwidgets.server.access import LOGIN, MODES, OPEN, TOKEN, TOKEN_VARIABLE, Access
from mlwidgets.server.saves import Listener, Saves
from mlwidgets.server.service import SETTING, Service

FLAGS = {
    "read-only": ({"MlwidgetsApp": {"read_only": True}}, "Show runs, and let nobody change them."),
    "no-schedules": ({"MlwidgetsApp": {"schedules": False}}, "Start nothing that is due by a schedule."),
    "open-reports": (
        {"MlwidgetsApp": {"reports_access": OPEN}},
        "Let everybody who reaches the server read the published reports, and nothing else.",
    ),
}


class NoFiles(AsyncContentsManager):
    """Serves none."""

    def get_extra_handlers(self) -> list[Any]:
        """Add no route to the files below the root."""
        return []

    def info_string(self) -> str:
        """Say so at the start."""
        return "Showing runs; there are no files and no kernels here"


class PanelServer(ServerApp):
    """The server of ``jupyter mlwidgets``: whoever may look at runs there can start no kernel and read no file."""

    default_services = ("api", "auth", "security")  # type: ignore[assignment]
    flags = Dict({**serverapp.flags, **FLAGS})

    @default("contents_manager_class")
    def _no_files(self) -> type:
        return NoFiles


class MlwidgetsApp(ExtensionApp):
    """Serves the runs of the stores below the server's root."""

    name = "mlwidgets"
    description = """Every run of a project, live, as a page of its own.

    Run it in the project's folder; it takes the options of `jupyter server`, too.
    """
    extension_url = "/mlwidgets"
    load_other_extensions = False
    serverapp_class = PanelServer
    read_only = Bool(
        default_value=False, help="Show runs, and let nobody stop, delete, pin, tag or annotate them."
    ).tag(config=True)
    snapshots = Bool(
        default_value=True, help="Keep a snapshot of each notebook that is saved: what it was can be seen later."
    ).tag(config=True)
    twins = Bool(
        default_value=True,
        help="Keep notebooks that are paired with text files and these the same, whichever of them is edited.",
    ).tag(config=True)
    schedules = Bool(
        default_value=True,
        help="Start what is due by the schedules of the projects below the server's root, unless it is read-only.",
    ).tag(config=True)
    reports_access = Enum(
        MODES,
        default_value=LOGIN,
        help=f"""Who may read published reports: {LOGIN!r}, who is logged in; {TOKEN!r}, also who has `reports_token`;
        {OPEN!r}, everybody who reaches the server.""",
    ).tag(config=True)
    reports_token = Unicode(
        help=f"Opens the published reports and nothing else, with {TOKEN!r}. Else {TOKEN_VARIABLE} is."
    ).tag(config=True)
    flags = {**ExtensionApp.flags, **FLAGS}  # noqa: RUF012 - traitlets wants it so

    @default("reports_token")
    def _token_of_environment(self) -> str:
        return os.environ.get(TOKEN_VARIABLE, "")

    def initialize_settings(self) -> None:
        """Prepare what the handlers share; nothing is read yet."""
        assert self.serverapp is not None
        # Where notebooks are no files there is no history of them.
        contents = self.serverapp.contents_manager
        self.has_files = isinstance(contents, FileManagerMixin)
        saves = None
        if self.snapshots and self.has_files:
            saves = Saves(partial(history.file_of, contents))
            contents.event_logger.register_handler(Listener(saves))
        root = Path(self.serverapp.root_dir)
        self.service = Service(root, saves, read_only=self.read_only, schedules=self.schedules)
        self.settings[SETTING] = self.service
        self.settings[reports.ACCESS] = self._access()
        self.pairs = None
        if self.twins and self.has_files:
            self.pairs = self.settings[twins.TWINS] = twins.Pairs(self.serverapp, read_only=self.read_only)
        self.service.threads.submit(self._catch_up)
        self.service.tickers.begin()

    def _access(self) -> Access:
        assert self.serverapp is not None
        token = self.reports_token
        if self.reports_access == TOKEN and token == self.serverapp.identity_provider.token != "":
            self.log.warning("The token of the reports is the server's own, which opens everything: it is not used.")
            token = ""
        elif self.reports_access == TOKEN and not token:
            self.log.warning("The reports have no token: set MlwidgetsApp.reports_token or %s.", TOKEN_VARIABLE)
        return Access(self.reports_access, token)

    def _catch_up(self) -> None:
        """Publish what ended while no server and no supervisor was there."""
        try:
            self.service.catch_up.begin(self.service.stores.open(""))
        except (MlwidgetsError, OSError) as error:
            self.log.warning("Reports that are not published yet cannot be looked for: %s", error)

    def initialize_handlers(self) -> None:
        """Add the routes."""
        every: list[tuple[Any, ...]] = [*routes.ROUTES, *stream.ROUTES, *page.ROUTES, *reports.ROUTES]
        every += [*schedules.ROUTES, *rerunning.ROUTES]
        every += [*history.ROUTES, *reports_api.WITH_NOTEBOOKS] if self.has_files else reports_api.ROUTES
        every += twins.ROUTES if self.pairs is not None else []
        self.handlers.extend(every)

    async def stop_extension(self) -> None:
        """End threads; what was saved just now is kept first."""
        if self.service.saves is not None:
            await asyncio.to_thread(self.service.saves.close)
        if self.pairs is not None:
            await asyncio.to_thread(self.pairs.twins.close)
        await asyncio.to_thread(self.service.close)


def main() -> None:
    """Run ``jupyter mlwidgets``."""
    MlwidgetsApp.launch_instance()  # type: ignore[no-untyped-call]
