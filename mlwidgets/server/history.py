"""The routes to notebooks as they were: what changed, the list of snapshots, and the way back.

A request names a notebook as Jupyter's own requests do. Where it lies is the contents manager's business, and whoever
may not read or write it there may not do so here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from tornado import web

from mlwidgets.errors import UnknownSnapshot
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import name_now
from mlwidgets.server import aside, saves
from mlwidgets.server.channels import to_json as to_text
from mlwidgets.server.handler import Handler

if TYPE_CHECKING:
    from mlwidgets.history.snapshots import History, Snapshot

MOST_SNAPSHOTS = 5000
MOST_COMMITS = 20
LARGEST_NOTEBOOK = 64 << 20
"""Bytes of a request that holds one."""
LONGEST_NAME = 200
_SETTLE = 3.0
"""Seconds that a request waits at most for what was saved just before to be kept."""


def file_of(contents: Any, path: str) -> Path:
    """Return where a file or folder of the server lies.

    Parameters
    ----------
    contents
        The server's contents manager, one of files.

    Raises
    ------
    FileNotFoundError
        If it would lie outside of the root.
    """
    try:
        return Path(contents._get_os_path(path.strip("/")))
    except web.HTTPError as error:
        raise FileNotFoundError(path) from error


class NotebookHandler(Handler):
    """Finds the notebook that a request is about."""

    async def history(self, path: Any, action: Literal["read", "write"]) -> History:
        """Return the history of the notebook at that path, where whoever asks may read or write notebooks.

        What was saved just before is in it.
        """
        allowed = self.authorizer.is_authorized(self, self.current_user, action, "contents")
        if not await ensure_async(allowed):
            raise web.HTTPError(403, "you may not do this with the files of this server")
        if not isinstance(path, str) or not path:
            raise web.HTTPError(400, "path is the path of a notebook, from the server's root")
        return await self.service.call(self._open, path)

    def _open(self, path: str) -> History:
        try:
            file = file_of(self.contents_manager, path) if saves.is_kept(path.strip("/")) else None
        except OSError:
            file = None
        if file is None:
            raise _missing(path)
        if self.service.saves is not None:
            self.service.saves.settle(path.strip("/"), _SETTLE)
        from mlwidgets.history.snapshots import History

        return History(file)

    async def answer(self, work: Callable[..., str], *args: Any) -> None:
        """Send the JSON that `work` returns; a diff may be large, so that is written off the event loop, too."""
        text = await self.service.call(work, *args)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "application/json")
        self.finish(text)


class Snapshots(NotebookHandler):
    """The history of a notebook."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List its snapshots, the newest first, and the last of the user's own commits that it is in.

        Of those that are older than ``limit`` of them only those with a name are in the list.
        """
        limit = self.number("limit", 200, MOST_SNAPSHOTS)
        before = self.get_query_argument("before", None, strip=False)
        path = self.get_query_argument("path", "", strip=False)
        await self.answer(_list, await self.history(path, "read"), path, limit, before)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Take a snapshot now, go back to one, or give one a name."""
        self.may_change()
        given = self.body()
        if given.get("do") not in ("restore", "name", "snapshot"):
            raise web.HTTPError(400, "do is 'restore', 'name' or 'snapshot'")
        for key in ("snapshot", "name"):
            text = given.get(key)
            if text is not None and not (isinstance(text, str) and text.isprintable() and len(text) <= LONGEST_NAME):
                raise web.HTTPError(400, f"{key} is a text of one line, at most {LONGEST_NAME} characters")
        if given["do"] != "snapshot" and not given.get("snapshot"):
            raise web.HTTPError(400, "snapshot is the id of one")
        history = await self.history(given.get("path"), "write")
        await self.answer(aside.answer, given["do"], history, given)


class OneSnapshot(NotebookHandler):
    """A notebook as it was."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send what ``of`` names as a notebook."""
        history = await self.history(self.get_query_argument("path", "", strip=False), "read")
        await self.answer(aside.answer, "notebook", history, {"of": self.get_query_argument("of", "", strip=False)})


class Changes(NotebookHandler):
    """What changed in a notebook."""

    largest_body = LARGEST_NOTEBOOK

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Compare ``from`` with ``to``."""
        given = {
            "from": self.get_query_argument("from", "commit"),
            "to": self.get_query_argument("to", "file"),
            "outputs": self.get_query_argument("outputs", "0") == "1",
        }
        history = await self.history(self.get_query_argument("path", "", strip=False), "read")
        await self.answer(aside.answer, "changes", history, given)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Compare ``from`` with a notebook that is not saved yet."""
        given, reader = await self.service.call(self._read)
        try:
            if not isinstance(given["from"], str) or not isinstance(given.get("notebook"), dict):
                raise web.HTTPError(400, "from is a text, notebook the JSON of one")
            history = await self.history(given.get("path"), "read")
            await self.answer(aside.answer, "unsaved", history, given, reader)
        finally:
            if reader is not None:
                reader.close()

    def _read(self) -> tuple[dict[str, Any], aside.Aside | None]:
        """Return what the body says, and who has read it where that is large."""
        if self._too_big or len(self._body) <= saves.LARGE:
            return {"from": "commit", **self.body()}, None
        reader = aside.Aside("unsaved", None, self._body)
        try:
            given = reader.hear()
            if given is None:
                raise web.HTTPError(400, "the body is no JSON object")
        except BaseException:
            reader.close()
            raise
        return given, reader


def _missing(path: str) -> web.HTTPError:
    return web.HTTPError(404, f"there is no notebook {path[:200]!r} on this server")


def _list(history: History, path: str, limit: int, before: str | None) -> str:
    older = history.snapshots()
    if not older and not history.notebook.is_file():
        raise _missing(path)
    if before is not None:
        at = next((at for at, one in enumerate(older) if one.id == before), None)
        if at is None:
            raise UnknownSnapshot(f"the snapshot {before!r:.60} of {history.notebook.name} is gone; list them anew")
        older = older[at + 1 :]
    listed = older[:limit] + [one for one in older[limit:] if one.names]
    return to_text(
        {
            "path": path,
            "where": history.where,
            "snapshots": [_told(one, history.store) for one in listed],
            "more": len(listed) < len(older),
            "commits": [vars(one) for one in history.commits(MOST_COMMITS)],
        }
    )


def _told(one: Snapshot, store: Path) -> dict[str, Any]:
    return {
        "id": one.id,
        "time": one.time,
        "kind": one.kind,
        "run": one.run,
        "run_name": None if one.run is None else name_now(RunFolder(store / "runs" / one.run)),
        "names": one.names,
        "changed": one.changed,
    }


API = "mlwidgets/api"
ROUTES = [
    (f"{API}/history", Snapshots),
    (f"{API}/history/notebook", OneSnapshot),
    (f"{API}/changes", Changes),
]
