"""Notebooks that several people edit at once, by jupyter-collaboration: what the text says flows into what they share.

The file of such a notebook is the server's own to write: one that is written by somebody else replaces what was typed
since the last save.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.history.twins import ahead
from mlwidgets.history.twins.ahead import Ahead
from mlwidgets.history.twins.results import Choice
from mlwidgets.server.flows import Flows

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

EXTENSION = "jupyter_server_ydoc"
TRIES = 10
"""So often a merge is tried while people type."""
_APART = frozenset({"outputs", "execution_count", "execution_state"})


class Together:
    """The notebooks that people of this server share.

    Parameters
    ----------
    app
        The server.
    flows
        Is told what comes into a notebook.
    """

    def __init__(self, app: ServerApp, flows: Flows) -> None:
        self._app = app
        self._flows = flows
        self._flowing: dict[str, asyncio.Lock] = {}

    async def document(self, path: str) -> Any:
        """Return what is shared of the notebook at that path of requests; None where it is not."""
        manager = getattr(self._app, "extension_manager", None)
        for extension in getattr(manager, "extension_apps", {}).get(EXTENSION, ()):
            return await extension.get_document(path=path, content_type="notebook", file_format="json", copy=False)
        return None

    async def flow(self, path: str, notebook: Path, choices: Mapping[str, Choice] | None = None) -> Ahead | None:
        """Let what a notebook's twin says come to what is shared; it is saved as all that people type in it is.

        Parameters
        ----------
        path
            Of requests.
        notebook
            The file.
        choices
            Decisions on conflicts, by their ids.

        Returns
        -------
        Ahead or None
            What was done, or what is to be decided first; None where nothing is shared, or the notebook has no twin.
        """
        async with self._flowing.setdefault(path, asyncio.Lock()):
            for _ in range(TRIES):
                document = await self.document(path)
                if document is None:
                    return None
                before = text_of(document)
                base = self._flows.base_of(notebook, before["cells"])
                found = await asyncio.to_thread(ahead.look, notebook, json.dumps(before).encode(), choices, base)
                if found is None or found.notebook is None:
                    return found
                if text_of(document) == before:
                    # Nobody comes in between: nothing is waited for from here on.
                    then = json.loads(found.notebook)
                    if found.base is not None and not choices:
                        self._flows.note(notebook, before["cells"], then["cells"], found.base)
                    put(document, before, then)
                    return found
        return found


def text_of(document: Any) -> dict[str, Any]:
    """Return what a `jupyter_ydoc.YNotebook` says, without outputs."""
    from pycrdt import Map

    cells = []
    for ycell in document.ycells:
        cell = {key: _plain(ycell[key]) for key in ycell if key not in _APART}
        cells.append(cell | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}))
    metadata = _plain(document.ydoc.get("meta", type=Map).get("metadata", {}))
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _plain(value: Any) -> Any:
    from pycrdt import Text

    return str(value) if isinstance(value, Text) else value.to_py() if hasattr(value, "to_py") else value


def put(document: Any, before: dict[str, Any], then: dict[str, Any]) -> None:
    """Make the shared cells what they become; what does not change is not touched.

    Parameters
    ----------
    document
        A `jupyter_ydoc.YNotebook`.
    before, then
        What it says now and then, without outputs.
    """
    from pycrdt import Map

    with document.ydoc.transaction():
        metadata = then.get("metadata")
        if metadata != before.get("metadata") and isinstance(metadata, dict):
            document.ydoc.get("meta", type=Map)["metadata"] = Map(metadata)
        wanted = {cell["id"]: cell for cell in then["cells"]}
        now = {cell["id"]: cell for cell in before["cells"]}
        kept = {name for name, cell in now.items() if name in wanted and wanted[name]["cell_type"] == cell["cell_type"]}
        order = [cell["id"] for cell in before["cells"]]
        for index in range(len(order) - 1, -1, -1):
            if order[index] not in kept:
                del document.ycells[index], order[index]
        for index, cell in enumerate(then["cells"]):
            name = cell["id"]
            if order[index : index + 1] == [name]:
                continue
            if name in kept:
                # Its outputs go along.
                old = order.index(name)
                moved = document.ycells[old].to_py()
                del document.ycells[old], order[old]
            else:
                moved = {**cell, "source": _joined(cell)}
            document.ycells.insert(index, document.create_ycell(moved))
            order.insert(index, name)
        for index, cell in enumerate(then["cells"]):
            if cell["id"] in kept:
                _write(document, index, now[cell["id"]], cell)


def _write(document: Any, index: int, before: dict[str, Any], then: dict[str, Any]) -> None:
    if _joined(before) != _joined(then):
        document.set_cell(index, source=_joined(then))
    if before.get("metadata", {}) != then.get("metadata", {}):
        metadata = document.ycells[index]["metadata"]
        metadata.clear()
        metadata.update(then.get("metadata", {}))


def _joined(cell: dict[str, Any]) -> str:
    source = cell.get("source") or ""
    return source if isinstance(source, str) else "".join(source)
