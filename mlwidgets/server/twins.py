"""The routes to text twins: what is paired, what is to be decided, and what an open notebook becomes.

A request names a notebook as Jupyter's own requests do, and whoever may not read or write it there may not do so here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from tornado import web

from mlwidgets.errors import TwinError
from mlwidgets.history.twins import ahead
from mlwidgets.history.twins.ahead import Ahead
from mlwidgets.history.twins.planning import Plan, pair, plan
from mlwidgets.history.twins.syncing import settle
from mlwidgets.server import saves
from mlwidgets.server.handler import Handler
from mlwidgets.server.history import LARGEST_NOTEBOOK, file_of
from mlwidgets.server.jupytexts import leave_pairs
from mlwidgets.server.saves import Listener
from mlwidgets.server.together import Together
from mlwidgets.server.trust import Trust
from mlwidgets.server.twinning import Twins
from mlwidgets.server.twins_told import choices_in, conflicts_told, hash_of, merged, told

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

TWINS = "mlwidgets_twins"
"""Where the web application keeps the `Pairs`."""
LONGEST = 200
_SETTLE = 3.0
_WAIT = 30.0
"""Seconds that the thread waits for the event loop."""


class Pairs:
    """What the handlers share: the thread that writes twins, and the notebooks that people share.

    Parameters
    ----------
    app
        The server; its contents manager is one of files.
    """

    def __init__(self, app: ServerApp, *, read_only: bool) -> None:
        self.contents = app.contents_manager
        self._app = app
        path_of = partial(file_of, self.contents)
        self.twins = Twins(path_of, Trust(self.contents), self._flow)
        self.together = Together(app, self.twins.flows)
        leave_pairs(self.contents, path_of)
        if not read_only:
            self.contents.event_logger.register_handler(Listener(self.twins))

    def _flow(self, notebook: Path, wanted: bool) -> bool:
        loop = getattr(getattr(self._app, "io_loop", None), "asyncio_loop", None)
        if loop is None or not loop.is_running():
            # Before a server has begun nobody shares anything, and at its end nobody is left.
            return False
        path = self.name_of(notebook)
        if not wanted:
            return asyncio.run_coroutine_threadsafe(self.together.document(path), loop).result(_WAIT) is not None
        return asyncio.run_coroutine_threadsafe(self.together.flow(path, notebook), loop).result(_WAIT) is not None

    def name_of(self, file: Path) -> str:
        """Return the path of requests of a file, its name where it is not below the root."""
        root = Path(os.path.realpath(getattr(self.contents, "root_dir", "")))
        return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


class TwinHandler(Handler):
    """Finds the notebook or folder that a request is about."""

    @property
    def pairs(self) -> Pairs:
        """What all of them share."""
        pairs: Pairs = self.settings[TWINS]
        return pairs

    async def file(self, path: Any, action: Literal["read", "write"], *, folder: bool = False) -> Path:
        """Return where it lies, where whoever asks may read or write files; links are followed."""
        allowed = self.authorizer.is_authorized(self, self.current_user, action, "contents")
        if not await ensure_async(allowed):
            raise web.HTTPError(403, "you may not do this with the files of this server")
        if not isinstance(path, str):
            raise web.HTTPError(400, "path is the path of a file, from the server's root")
        return await self.service.call(self._found, path.strip("/"), folder)

    def _found(self, path: str, folder: bool) -> Path:
        try:
            hidden = any(part.startswith(".") for part in path.split("/"))
            file = file_of(self.contents_manager, path) if folder or saves.is_kept(path) else None
            if file is not None and not hidden and (file.is_dir() if folder else file.is_file()):
                return Path(os.path.realpath(file))
        except (OSError, ValueError):
            pass
        raise web.HTTPError(404, f"there is no {'folder' if folder else 'notebook'} {path[:200]!r} on this server")


class OneTwin(TwinHandler):
    """A notebook and its twin."""

    largest_body = LARGEST_NOTEBOOK

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Tell what is there and what there is to be done; who names itself as ``client`` has the notebook open."""
        path = self.get_query_argument("path", "", strip=False).strip("/")
        client = self.get_query_argument("client", "")[:LONGEST]
        file = await self.file(path, "read")
        pairs, twins = self.pairs, self.pairs.twins
        if client and not self.service.read_only and twins.opened(file, client):
            # From now on it is known what both said last.
            twins.add(path)
        await self.service.call(twins.settle_down, path, _SETTLE)
        state = await self.service.call(twins.state, file)
        shared = await pairs.together.document(path) is not None
        if shared and state.ahead is not None and state.ahead.notebook is not None and not self.service.read_only:
            twins.add(path)
        hashed = None
        if state.ahead is not None:
            hashed = await self.service.call(hash_of, file, getattr(self.contents_manager, "hash_algorithm", "sha256"))
        self.reply(await self.service.call(told, state, pairs.name_of, hashed, shared=shared))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Merge an open notebook, settle conflicts, let both files say the same, unpair, or close."""
        self.may_change()
        given = await self.service.call(self.body)
        work = {"merge": self._merge, "settle": self._settle, "sync": self._sync, "unpair": self._unpair,
                "close": self._close}.get(str(given.get("do")))  # fmt: skip
        if work is None:
            raise web.HTTPError(400, "do is 'merge', 'settle', 'sync', 'unpair' or 'close'")
        file = await self.file(given.get("path"), "write")
        self.reply(await work(file, given))

    async def _merge(self, file: Path, given: dict[str, Any]) -> Any:
        notebook = given.get("notebook")
        if not isinstance(notebook, dict) or not _are_cells(notebook.get("cells")):
            raise web.HTTPError(400, "notebook is the JSON of one")
        choices, twins = choices_in(given.get("choices", {})), self.pairs.twins
        if not twins.may_merge(file, str(given.get("client", ""))[:LONGEST]):
            return None

        def work() -> dict[str, Any]:
            content = json.dumps(notebook).encode()
            base = twins.flows.base_of(file, notebook["cells"])
            if choices:
                first = ahead.look(file, content, base=base)
                twins.decide(file, first.conflicts if first else (), choices)
            found = ahead.look(file, content, choices, base)
            if found is None:
                raise TwinError(f"{file.name} has no text twin any more")
            if found.notebook is not None:
                _keep(file)
                if found.base is not None and not choices:
                    twins.flows.note(file, notebook["cells"], json.loads(found.notebook)["cells"], found.base)
            return merged(found, notebook)

        return await self.service.call(work)

    async def _settle(self, file: Path, given: dict[str, Any]) -> Any:
        choices, pairs = choices_in(given.get("choices", {})), self.pairs
        state = await self.service.call(pairs.twins.state, file)
        pairs.twins.decide(file, state.ahead.conflicts if state.ahead else (), choices)
        await self.service.call(_keep, file)
        path = given["path"].strip("/")
        found: Ahead | None = await pairs.together.flow(path, file, choices)
        if found is None:
            synced = await self.service.call(settle, file, choices)
            if synced.problem is not None:
                raise TwinError(synced.problem)
            found = await self.service.call(ahead.look, file)
        elif not found.conflicts:
            pairs.twins.add(path)
        return {"conflicts": [] if found is None else conflicts_told(found)}

    async def _sync(self, file: Path, given: dict[str, Any]) -> Any:
        synced = await self.service.call(self.pairs.twins.sync, file)
        if synced.problem is not None:
            raise TwinError(synced.problem)
        return {"changed": synced.changed}

    async def _unpair(self, file: Path, given: dict[str, Any]) -> Any:
        twin = await self.service.call(self.pairs.twins.unpair, file)
        return {"twin": None if twin is None else self.pairs.name_of(twin)}

    async def _close(self, file: Path, given: dict[str, Any]) -> Any:
        self.pairs.twins.closed(file, str(given.get("client", ""))[:LONGEST])
        self.pairs.twins.add(given["path"].strip("/"))
        return {}


class Planned(TwinHandler):
    """Pairing the notebooks of a folder."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Tell what would be written; nothing is."""
        folder = await self.file(self.get_query_argument("folder", "", strip=False), "read", folder=True)
        found = await self.service.call(plan, folder, self.get_query_argument("format", "") or None)
        self.reply(_plan_told(found, self.pairs))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Write what was told, if it is still the same."""
        self.may_change()
        given = self.body()
        folder = await self.file(given.get("folder"), "write", folder=True)
        found = await self.service.call(plan, folder, given.get("format") or None)
        if _plan_told(found, self.pairs)["id"] != given.get("plan"):
            raise web.HTTPError(409, "something has changed since: look at what would be written once more")
        self.reply({"problems": await self.service.call(pair, found)})


def _are_cells(cells: Any) -> bool:
    return isinstance(cells, list) and all(isinstance(one, dict) for one in cells)


def _keep(file: Path) -> None:
    """Keep a notebook as it lies there before something takes its place."""
    from mlwidgets.history.settled import load_settled
    from mlwidgets.history.snapshots import History

    History(file).take("twin", load_settled(file))


def _plan_told(found: Plan, pairs: Pairs) -> dict[str, Any]:
    same = found.before == found.after
    told_ = {
        "format": found.formats,
        "settings": pairs.name_of(found.settings),
        "created": found.before is None,
        "after": None if same else found.after.decode(errors="replace"),
        "write": [[pairs.name_of(one) for one in both] for both in found.write],
        "present": [[pairs.name_of(one) for one in both] for both in found.present],
        "apart": [[pairs.name_of(one), why] for one, why in (*found.apart, *found.problems)],
        "leave": [[pairs.name_of(one.notebook), pairs.name_of(one.twin)] for one in found.leave],
        "stay": [[pairs.name_of(one), why] for one, why in found.stay],
    }
    return {"id": hashlib.sha256(json.dumps(told_).encode()).hexdigest(), **told_}


API = "mlwidgets/api"
ROUTES = [(f"{API}/twins", OneTwin), (f"{API}/twins/plan", Planned)]
