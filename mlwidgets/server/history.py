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

from mlwidgets.errors import ParameterError, UnknownSnapshot
from mlwidgets.history.diff.cells import compare
from mlwidgets.history.notebooks.notebook import read_notebook, to_json
from mlwidgets.history.settled import load_settled
from mlwidgets.history.which import State, resolve
from mlwidgets.runs.store import name_of
from mlwidgets.server.channels import to_json as to_text
from mlwidgets.server.handler import Handler
from mlwidgets.server.saves import is_kept

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
            file = file_of(self.contents_manager, path) if is_kept(path.strip("/")) else None
        except OSError:
            file = None
        if file is None:
            raise _missing(path)
        if self.service.saves is not None:
            self.service.saves.settle(path.strip("/"), _SETTLE)
        from mlwidgets.history.snapshots import History

        return History(file)

    async def answer(self, work: Callable[..., Any], *args: Any) -> None:
        """Send what `work` returns as JSON; a diff may be large, so that is written off the event loop, too."""
        text = await self.service.call(lambda: to_text(work(*args)))
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
        work = _WORK.get(str(given.get("do")))
        if work is None:
            raise web.HTTPError(400, "do is 'restore', 'name' or 'snapshot'")
        for key in ("snapshot", "name"):
            text = given.get(key)
            if text is not None and not (isinstance(text, str) and text.isprintable() and len(text) <= LONGEST_NAME):
                raise web.HTTPError(400, f"{key} is a text of one line, at most {LONGEST_NAME} characters")
        if given["do"] != "snapshot" and not given.get("snapshot"):
            raise web.HTTPError(400, "snapshot is the id of one")
        history = await self.history(given.get("path"), "write")
        await self.answer(work, history, given)


class OneSnapshot(NotebookHandler):
    """A notebook as it was."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send what ``of`` names as a notebook."""
        history = await self.history(self.get_query_argument("path", "", strip=False), "read")
        await self.answer(_notebook, history, self.get_query_argument("of", "", strip=False))


class Changes(NotebookHandler):
    """What changed in a notebook."""

    largest_body = LARGEST_NOTEBOOK

    async def prepare(self) -> None:  # type: ignore[override]
        """Keep no large body for a stranger."""
        await super().prepare()
        if self.current_user is None:
            raise web.HTTPError(403)

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Compare ``from`` with ``to``."""
        old, new = (self.get_query_argument(name, default) for name, default in (("from", "commit"), ("to", "file")))
        history = await self.history(self.get_query_argument("path", "", strip=False), "read")
        outputs = self.get_query_argument("outputs", "0") == "1"
        await self.answer(lambda: _document(resolve(history, old), resolve(history, new), outputs))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Compare ``from`` with a notebook that is not saved yet."""
        given = await self.service.call(self.body)
        old, notebook = given.get("from", "commit"), given.get("notebook")
        if not isinstance(old, str) or not isinstance(notebook, dict):
            raise web.HTTPError(400, "from is a text, notebook the JSON of one")
        history = await self.history(given.get("path"), "read")
        outputs = bool(given.get("outputs"))

        def compared() -> dict[str, Any]:
            new = read_notebook(notebook, "the notebook that was sent"), "now (not saved)", None
            return _document(resolve(history, old), new, outputs)

        await self.answer(compared)


def _missing(path: str) -> web.HTTPError:
    return web.HTTPError(404, f"there is no notebook {path[:200]!r} on this server")


def _document(old: State, new: State, outputs: bool) -> dict[str, Any]:
    return {
        "old": {"label": old[1], "time": old[2]},
        "new": {"label": new[1], "time": new[2]},
        "diff": compare(old[0], new[0], outputs=outputs).to_json(),
    }


def _list(history: History, path: str, limit: int, before: str | None) -> dict[str, Any]:
    older = history.snapshots()
    if not older and not history.notebook.is_file():
        raise _missing(path)
    if before is not None:
        at = next((at for at, one in enumerate(older) if one.id == before), None)
        if at is None:
            raise UnknownSnapshot(f"the snapshot {before!r:.60} of {history.notebook.name} is gone; list them anew")
        older = older[at + 1 :]
    listed = older[:limit] + [one for one in older[limit:] if one.names]
    return {
        "path": path,
        "where": history.where,
        "snapshots": [_told(one) for one in listed],
        "more": len(listed) < len(older),
        "commits": [vars(one) for one in history.commits(MOST_COMMITS)],
    }


def _told(one: Snapshot) -> dict[str, Any]:
    return {
        "id": one.id,
        "time": one.time,
        "kind": one.kind,
        "run": one.run,
        "run_name": None if one.run is None else name_of(one.run),
        "names": one.names,
        "changed": one.changed,
    }


def _notebook(history: History, which: str) -> dict[str, Any]:
    notebook, label, time = resolve(history, which)
    return {"label": label, "time": time, "notebook": to_json(notebook)}


def _restore(history: History, given: dict[str, Any]) -> dict[str, Any]:
    kept = history.restore(history.find(given["snapshot"]))
    return {"kept": None if kept is None else kept.id}


def _name(history: History, given: dict[str, Any]) -> dict[str, Any]:
    history.name(history.find(given["snapshot"]), given.get("name") or None)
    return {"kept": None}


def _snapshot(history: History, given: dict[str, Any]) -> dict[str, Any]:
    """Keep the file as it is; a name is given to what is kept, also where that was so before."""
    taken = history.take("save", load_settled(history.notebook))
    if given.get("name"):
        newest = taken or next(iter(history.snapshots(1)), None)
        if newest is None:
            raise ParameterError("nothing was kept that could be named")
        history.name(newest, given["name"])
    return {"kept": None if taken is None else taken.id}


_WORK = {"restore": _restore, "name": _name, "snapshot": _snapshot}
API = "mlwidgets/api"
ROUTES = [
    (f"{API}/history", Snapshots),
    (f"{API}/history/notebook", OneSnapshot),
    (f"{API}/changes", Changes),
]
