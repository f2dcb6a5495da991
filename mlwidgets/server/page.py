"""The panel as a page of its own, for a machine without JupyterLab."""

from __future__ import annotations

import secrets
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from tornado import web

from mlwidgets.server.handler import RESOURCE

STATIC = Path(__file__).parent / "static"
TYPES = {"panel.js": "text/javascript", "panel.css": "text/css"}
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src data:; media-src data: blob:; connect-src 'self'; frame-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""What a run displays may not do here what a notebook's author lets it do there.

No script by its address: a server that serves files would let a run bring one. A frame shows what its ``srcdoc`` says,
under these same rules.
"""

PAGE = """<!doctype html>
<html lang="en" data-base-url="{base}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Runs</title>
<link rel="icon" href="{base}static/favicons/favicon.ico">
<link rel="stylesheet" href="{base}mlwidgets/panel.css">
<script type="module" nonce="{nonce}" src="{base}mlwidgets/panel.js"></script>
</head>
<body></body>
</html>
"""


class Page(JupyterHandler):
    """The page; whoever is not logged in is sent to the server's own login."""

    auth_resource = RESOURCE

    @cached_property
    def _nonce(self) -> str:
        """What the page's own script bears, and nothing that was written before."""
        return secrets.token_urlsafe(16)

    @property
    def content_security_policy(self) -> str:
        """Nothing from elsewhere, no script but the page's own."""
        return POLICY.format(nonce=self._nonce)

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send it."""
        # The page's requests bear the token of the cookie that is set here.
        _ = self.xsrf_token
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(PAGE.format(base=escape(self.base_url, quote=True), nonce=self._nonce))


class Asset(JupyterHandler):
    """Its script and its style sheet."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Send one."""
        try:
            content = (STATIC / name).read_bytes()
        except OSError as error:
            raise web.HTTPError(404, "the panel was not built: run `npm run build`") from error
        self.set_header("Content-Type", f"{TYPES[name]}; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        self.finish(content)


ROUTES: list[tuple[Any, ...]] = [
    ("mlwidgets", Page),
    ("mlwidgets/", Page),
    (r"mlwidgets/(panel\.js|panel\.css)", Asset),
]
