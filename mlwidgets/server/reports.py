"""Published reports, for readers: pages, executed notebooks, PDFs and feeds below ``<base_url>reports/``.

Everything that an address names is looked up among what was published; nothing of it is made a path of.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.httputil import url_concat

from mlwidgets.errors import MlwidgetsError
from mlwidgets.reports.publishing.definition import UnknownReport
from mlwidgets.reports.publishing.editions import Edition, Report, reports
from mlwidgets.runs.store import RunStore
from mlwidgets.server.access import LOGIN, TOKEN, Access
from mlwidgets.server.addresses import address_of
from mlwidgets.server.handler import RESOURCE
from mlwidgets.server.nexttimes import next_times
from mlwidgets.server.service import SETTING, Service
from mlwidgets.server.stores import UnknownStore

ACCESS = "mlwidgets_reports_access"
"""Where the web application keeps who may read."""
POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation allow-downloads; "
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""What a notebook's author wrote can do nothing here, and has an origin of its own: no cookie of this server's."""
PDF_POLICY = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
"""Browsers show no PDF in a sandbox; their viewers bring one."""
HTML, ATOM = "text/html; charset=utf-8", "application/atom+xml; charset=utf-8"

MESSAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ display: grid; min-height: 80vh; margin: 0 24px; place-content: center; background: light-dark(#fff, #14171a);
  color: light-dark(#1c2024, #e6e8ea); font: 16px/1.6 system-ui, -apple-system, "Segoe UI", sans-serif; }}
main {{ max-width: 34rem }}
h1 {{ margin: 0 0 8px; font-size: 24px; font-weight: 600; line-height: 1.25 }}
p {{ margin: 0 0 8px; color: light-dark(#50575e, #a9b0b7); overflow-wrap: anywhere }}
a {{ color: light-dark(#0b62b5, #6db3f2) }}
</style>
</head>
<body><main><h1>{title}</h1><p>{text}</p>{link}</main></body>
</html>
"""
TITLES = {
    400: "This address cannot be read",
    403: "This page is not open to you",
    404: "There is no such page",
    405: "This page can only be read",
}


@dataclass(frozen=True)
class Found:
    """What is sent."""

    content: str | bytes
    type: str = HTML
    policy: str = POLICY
    file: str = ""
    is_attachment: bool = False


class Door(JupyterHandler):
    """What all addresses of reports share: who may come in, and one calm page for whatever is wrong."""

    auth_resource = RESOURCE

    @property
    def content_security_policy(self) -> str:
        """Nothing from elsewhere, and no script at all."""
        return POLICY

    def set_default_headers(self) -> None:
        """Let no page say where somebody came from: an address may hold a token."""
        super().set_default_headers()
        self.set_header("Referrer-Policy", "no-referrer")

    @property
    def service(self) -> Service:
        """What all handlers share."""
        service: Service = self.settings[SETTING]
        return service

    @property
    def access(self) -> Access:
        """Who may read."""
        access: Access = self.settings[ACCESS]
        return access

    def refuse(self, file: str) -> None:
        """Send a reader who may not read to the login, or say so."""
        if self.access.mode == LOGIN and not self.current_user and _is_page(file):
            self._login()
            return
        raise web.HTTPError(403)

    @web.authenticated
    def _login(self) -> None:
        """Go to the server's own login, and back."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say in one calm page what is wrong."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        link = ""
        if isinstance(error, UnknownReport | UnknownStore):
            status_code = 404
        self.set_status(status_code)
        text = "Something went wrong on the server, and its log says what. Try again in a moment."
        if status_code == 404:
            text = "Perhaps the report was renamed or deleted, or this edition has made room for later ones."
            link = f'<p><a href="{escape(self.base_url, quote=True)}reports/">All reports</a></p>'
        elif status_code == 403 and not getattr(self, "current_user", None):
            token = self.access.mode == TOKEN
            text = "Open the link that you were sent, with the token at its end." if token else "Log in to read it."
            back = url_concat(self.get_login_url(), {"next": f"{self.base_url}reports/"})
            link = f'<p>Or <a href="{escape(back, quote=True)}">log in</a>.</p>' if token else ""
        elif status_code < 500:
            text = "Ask whoever runs this server."
        elif isinstance(error, MlwidgetsError):
            text = f"{error}."
        title = TITLES.get(status_code, "This page cannot be shown now")
        self.set_header("Content-Type", HTML)
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Cache-Control", "no-store")
        self.finish(MESSAGE.format(title=title, text=escape(text), link=link))

    def log_exception(self, *args: Any) -> None:
        """Log what is no answer to a mistake of whoever asked."""
        if not isinstance(args[1], UnknownReport | UnknownStore):
            super().log_exception(*args)


class Reader(Door):
    """Sends what was published, to whoever may read it."""

    @allow_unauthenticated
    async def get(self, key: str | None = None, name: str = "", slash: str = "", file: str = "") -> None:
        """Send a page or a file."""
        pages = await self.service.call(self._pages, key or "", name, slash)
        # Whoever may read nothing is not told either what there is.
        is_open = isinstance(pages, Pages) and await self.service.call(pages.is_open)
        if not await self.access.admits(self, is_open=is_open):
            self.refuse(file or name)
            return
        if isinstance(pages, MlwidgetsError):
            raise pages
        await self.service.call(self.service.catch_up.begin, pages.store)
        if self.access.is_given(self) and _is_page(file or name):
            self.access.remember(self)
            # A browser that wants a page goes on without the token, which nobody then copies with the address.
            if "text/html" in self.request.headers.get("Accept", ""):
                self.redirect(url_concat(self.request.path, self._query()))
                return
        if not slash and not _is_beside(name):
            self.redirect(f"{self.request.path}/" + (f"?{self.request.query}" if self.request.query else ""))
            return
        base = f"{self.request.protocol}://{self.request.host}{self.base_url}"
        found = await self.service.call(pages.find, file if slash else name, self._query(), base)
        self.set_header("Content-Type", found.type)
        self.set_header("Content-Security-Policy", found.policy)
        self.set_header("Cache-Control", "private, no-cache")
        if found.file:
            how = "attachment" if found.is_attachment else "inline"
            self.set_header("Content-Disposition", f'{how}; filename="{found.file}"')
        self.finish(found.content)

    head = get

    def _pages(self, key: str, name: str, slash: str) -> Pages | MlwidgetsError:
        try:
            store = self.service.stores.open(key)
        except MlwidgetsError as error:
            return error
        return Pages(key, store, Report(store, name) if slash or not _is_beside(name) else None)

    def _query(self) -> dict[str, str]:
        return {key: self.get_query_argument(key) for key in self.request.query_arguments if key != "token"}


class Missing(Door):
    """Any other address below the reports."""

    @allow_unauthenticated
    async def get(self, *_: str) -> None:
        """Say that there is no such page, to whoever may know it."""
        if not await self.access.admits(self, is_open=False):
            self.refuse("")
            return
        raise web.HTTPError(404)

    head = get


class Front(Door):
    """The address without its last slash."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Go to the one with it."""
        self.redirect(f"{self.base_url}reports/" + (f"?{self.request.query}" if self.request.query else ""))

    head = get


@dataclass(frozen=True)
class Pages:
    """The pages of a store's reports, or of one of them; read off the event loop."""

    key: str
    store: RunStore
    report: Report | None

    def is_open(self) -> bool:
        """Return whether everybody may read the report."""
        try:
            return self.report is not None and self.report.definition.open
        except MlwidgetsError:
            return False

    def find(self, file: str, query: dict[str, str], base: str) -> Found:
        """Return what is at the address of a file; `base`: the absolute address of the server.

        Raises
        ------
        UnknownReport
            If there is nothing.
        """
        base += address_of(self.key, "")
        return self._of_all(file, base) if self.report is None else self._of_one(self.report, file, query, base)

    def _of_all(self, file: str, base: str) -> Found:
        from mlwidgets.reports.site import pages
        from mlwidgets.reports.site.feed import feed_of_all

        if file not in ("", "index.html", "feed.xml"):
            raise UnknownReport("no report is called so")
        every = reports(self.store)
        if file == "feed.xml":
            return Found(feed_of_all(every, base), ATOM)
        return Found(pages.index_page(every, next_times(self.store)))

    def _of_one(self, report: Report, file: str, query: dict[str, str], base: str) -> Found:
        from mlwidgets.reports.site import pages
        from mlwidgets.reports.site.feed import feed

        whole: dict[str, Callable[[], str]] = {
            "": lambda: pages.front_page(report),
            "index.html": lambda: pages.front_page(report),
            "editions.html": lambda: pages.editions_page(report),
            "changes.html": lambda: pages.changes_page(report),
            "compare.html": lambda: pages.compare_page(report, query.get("a", ""), query.get("b", "")),
        }
        if file == "feed.xml":
            return Found(feed(report, base), ATOM)
        if file in whole:
            return Found(whole[file]())
        if numbered := re.fullmatch(r"editions-([1-9][0-9]{0,5})\.html", file):
            return Found(pages.editions_page(report, int(numbered[1])))
        edition_id, dot, kind = file.rpartition(".")
        if kind not in ("html", "ipynb", "pdf") or not dot:
            edition_id, kind = file, "html"
        edition = report.edition(edition_id)
        if kind == "html":
            return Found(pages.edition_page(report, edition.id))
        called = f"{report.name}-{edition.id[:15]}.{kind}"
        content = _read(report, edition, edition.notebook if kind == "ipynb" else edition.pdf)
        if kind == "pdf":
            return Found(content, "application/pdf", PDF_POLICY, called)
        return Found(content, "application/x-ipynb+json", POLICY, called, is_attachment=True)


def _read(report: Report, edition: Edition, path: Path | None) -> bytes:
    """Return a file of an edition, one that lies in the report's own folder."""
    own = os.path.realpath(report.store.path)
    if path is None or os.path.realpath(path) != os.path.join(own, path.relative_to(report.store.path)):
        raise UnknownReport(f"the edition {edition.id} has no such file")
    return path.read_bytes()


def _is_beside(name: str) -> bool:
    """Return whether a name is that of a file beside the reports' folders."""
    return name in ("", "index.html", "feed.xml")


def _is_page(file: str) -> bool:
    return not file.endswith((".xml", ".ipynb", ".pdf"))


ROUTES: list[tuple[Any, ...]] = [
    ("reports", Front),
    (r"reports/(?:~(.+)/~/)?([^/]*)(/?)([^/]*)", Reader),
    ("reports/(.*)", Missing),
]
