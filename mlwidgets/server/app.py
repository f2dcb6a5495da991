"""The extension of a Jupyter server, and ``jupyter mlwidgets``: the panel as a page of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool

from mlwidgets.server import page, routes, stream
from mlwidgets.server.service import Service

SETTING = "mlwidgets_service"


class MlwidgetsApp(ExtensionApp):
    """Serves the runs of the stores below the server's root."""

    name = "mlwidgets"
    description = """Every run of a project, live, as a page of its own.

    Run it in the project's folder; it takes the options of `jupyter server`, too.
    """
    extension_url = "/mlwidgets"
    load_other_extensions = False
    read_only = Bool(
        default_value=False, help="Show runs, and let nobody stop, delete, pin, tag or annotate them."
    ).tag(config=True)
    flags = {  # noqa: RUF012 - traitlets wants it so
        **ExtensionApp.flags,
        "read-only": ({"MlwidgetsApp": {"read_only": True}}, "Show runs, and let nobody change them."),
    }

    def initialize_settings(self) -> None:
        """Prepare what the handlers share; nothing is read yet."""
        assert self.serverapp is not None
        self.service = Service(Path(self.serverapp.root_dir), read_only=self.read_only)
        self.settings[SETTING] = self.service

    def initialize_handlers(self) -> None:
        """Add the routes."""
        every: list[tuple[Any, ...]] = [*routes.ROUTES, *stream.ROUTES, *page.ROUTES]
        self.handlers.extend(every)

    async def stop_extension(self) -> None:
        """End threads."""
        self.service.close()


def main() -> None:
    """Run ``jupyter mlwidgets``."""
    MlwidgetsApp.launch_instance()  # type: ignore[no-untyped-call]
