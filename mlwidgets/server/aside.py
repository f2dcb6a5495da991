"""What is asked of one notebook and its past, and a process of its own for it where the notebook is large.

Reading JSON holds up everything else in a Python process: a server that read 60 MB of it would answer nobody meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets import errors
from mlwidgets.errors import MlwidgetsError, ParameterError
from mlwidgets.history.diff.cells import compare
from mlwidgets.history.notebooks.notebook import read_notebook, to_json
from mlwidgets.history.settled import load_settled
from mlwidgets.history.which import State, document, resolve
from mlwidgets.runner.boot import python_command
from mlwidgets.server import saves

if TYPE_CHECKING:
    from mlwidgets.history.snapshots import History

Given = dict[str, Any]
"""What a request says."""


def answer(do: str, history: History, given: Given, aside: Aside | None = None) -> str:
    """Return the JSON that answers a request.

    Parameters
    ----------
    do
        A key of `WORK`.
    aside
        The process that has the request already.
    """
    if aside is None and not _is_large(history, given):
        return _text(WORK[do](history, given))
    aside = aside or Aside(do, given)
    try:
        return aside.answer(history.notebook)
    finally:
        aside.close()


def _text(value: Any) -> str:
    from mlwidgets.server.channels import to_json as to_text

    return to_text(value)


def _is_large(history: History, given: Given) -> bool:
    with contextlib.suppress(OSError):
        if history.notebook.stat().st_size > saves.LARGE:
            return True
    asked = [str(given.get(key, "")).partition(":") for key in ("from", "to", "of")]
    revs = [rev or "HEAD" for kind, _, rev in asked if kind == "commit"]
    if not revs:
        return False
    from mlwidgets.history.git.commits import committed_size
    from mlwidgets.history.places import Places

    places = Places(history.notebook, history.store)
    repository = places.repository
    return repository is not None and any(committed_size(repository, rev, places.path) > saves.LARGE for rev in revs)


class Aside:
    """A process that does one work with one notebook.

    Parameters
    ----------
    do
        A key of `WORK`.
    given
        What the request says; None if its body says it.
    body
        JSON that only the other process reads.
    """

    def __init__(self, do: str, given: Given | None, body: bytes | bytearray = b"") -> None:
        # Whoever interrupts a server in its terminal may change his mind.
        self._process = subprocess.Popen(
            python_command("mlwidgets.server.aside"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._say([do, given, len(body)], body)

    def _say(self, value: Any, body: bytes | bytearray = b"") -> None:
        # One that has ended says nothing more, either.
        with contextlib.suppress(BrokenPipeError):
            self._in.write(json.dumps(value).encode() + b"\n")
            self._in.write(body)
            self._in.flush()

    def hear(self) -> Any:
        """Return what the process says next: what a body holds beside the notebook, None if it is no object.

        Raises
        ------
        MlwidgetsError
            If it has ended.
        """
        try:
            return json.loads(self._out.readline())
        except ValueError as error:
            raise MlwidgetsError("the process that reads the notebook ended early; is there enough memory?") from error

    def answer(self, notebook: Path) -> str:
        """Return the answer, for the notebook in that file.

        Raises
        ------
        MlwidgetsError
            What the work raises.
        """
        self._say(str(notebook))
        problem = self.hear()
        if problem is not None:
            name, message = problem
            raise getattr(errors, name, MlwidgetsError)(message)
        return self._out.read().decode()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._in.close()
        self._out.close()
        self._process.wait()


def _compared(old: State, new: State, outputs: bool) -> dict[str, Any]:
    return document(old, new, compare(old[0], new[0], outputs=outputs))


def _changes(history: History, given: Given) -> dict[str, Any]:
    return _compared(resolve(history, given["from"]), resolve(history, given["to"]), given["outputs"])


def _unsaved(history: History, given: Given) -> dict[str, Any]:
    new = read_notebook(given["notebook"], "the notebook that was sent"), "now (not saved)", None
    return _compared(resolve(history, given["from"]), new, bool(given.get("outputs")))


def _notebook(history: History, given: Given) -> dict[str, Any]:
    notebook, label, time = resolve(history, given["of"])
    return {"label": label, "time": time, "notebook": to_json(notebook)}


def _restore(history: History, given: Given) -> dict[str, Any]:
    kept = history.restore(history.find(given["snapshot"]))
    return {"kept": None if kept is None else kept.id}


def _name(history: History, given: Given) -> dict[str, Any]:
    history.name(history.find(given["snapshot"]), given.get("name") or None)
    return {"kept": None}


def _snapshot(history: History, given: Given) -> dict[str, Any]:
    """Keep the file as it is; a name is given to what is kept, also where that was so before."""
    taken = history.take("save", load_settled(history.notebook))
    if given.get("name"):
        newest = taken or next(iter(history.snapshots(1)), None)
        if newest is None:
            raise ParameterError("nothing was kept that could be named")
        history.name(newest, given["name"])
    return {"kept": None if taken is None else taken.id}


WORK: dict[str, Callable[[History, Given], dict[str, Any]]] = {
    "changes": _changes,
    "unsaved": _unsaved,
    "notebook": _notebook,
    "restore": _restore,
    "name": _name,
    "snapshot": _snapshot,
}


def main() -> None:
    """Do what is asked on standard input, as `Aside` does, and say the answer."""
    from mlwidgets.history.snapshots import History

    def say(value: Any) -> None:
        sys.stdout.buffer.write(json.dumps(value).encode() + b"\n")
        sys.stdout.buffer.flush()

    read = sys.stdin.buffer
    do, given, size = json.loads(read.readline())
    if size:
        try:
            given = json.loads(read.read(size))
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            say(None)
            return
        given = {"from": "commit", **given}
        # What is large in it is not said back.
        say({**given, "notebook": {} if isinstance(given.get("notebook"), dict) else None})
    notebook = Path(json.loads(read.readline()))
    try:
        text = _text(WORK[do](History(notebook), given))
    except MlwidgetsError as error:
        say([type(error).__name__, str(error)])
        return
    say(None)
    sys.stdout.buffer.write(text.encode())


if __name__ == "__main__":
    main()
