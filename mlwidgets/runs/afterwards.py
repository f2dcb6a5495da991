"""What a user does with a run afterwards, each with the line that says what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from mlwidgets.errors import ParameterError
from mlwidgets.runs.annotations import annotate
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trash import delete as throw_away
from mlwidgets.runs.trash import find_deleted
from mlwidgets.runs.trash import restore as bring_back


def rename(store: RunStore, name: str, new: str) -> str:
    """Call a run otherwise."""
    run = Run(store.find(name).path)
    before = run.name
    run.rename(new)
    if before == new:
        return f"{new} is called so already"
    return f"{before} is called {new} now; {before} still finds it while no other run is called so"


def tag(store: RunStore, name: str, texts: Iterable[str]) -> str:
    """Give a run tags, each as ``key=value``; ``key=`` takes one away."""
    return _annotated(store, name, tags=_changing(texts))


def note(store: RunStore, name: str, text: str) -> str:
    """Give a run a note instead of the one that it has."""
    return _annotated(store, name, note=text)


def pin(store: RunStore, name: str, *, pinned: bool = True) -> str:
    """Keep a run on top of lists, or let it go from there."""
    return _annotated(store, name, pinned=pinned)


def delete(store: RunStore, name: str, command: str) -> str:
    """Move a run that has ended into the trash; `command` is what the word that brings it back is given to."""
    folder = store.find(name)
    called = Run(folder.path).name
    until = time.strftime("%A, %d %B", time.localtime(throw_away(store, folder)))
    RunIndex(store).forget([folder.id])
    return f"{called}: deleted; until {until} `{command} restore {folder.id}` brings it back"


def restore(store: RunStore, name: str) -> str:
    """Bring a deleted run back."""
    run = Run(bring_back(store, find_deleted(store, name)).path)
    return f"{run.name}: {run.state}, back in {store.path}"


def _annotated(store: RunStore, name: str, **given: object) -> str:
    folder = store.find(name)
    annotate(folder, **given)  # type: ignore[arg-type]
    run = Run(folder.path)
    tags = " ".join(f"[{key}: {value}]" for key, value in run.tags.items())
    return "  ".join(filter(None, [f"{run.name}:", "pinned" if run.pinned else "not pinned", tags, run.note]))


def _changing(texts: Iterable[str]) -> Callable[[dict[str, str]], dict[str, str]]:
    """Return what makes the tags of a run of those that it has."""
    given: dict[str, str] = {}
    for one in texts:
        key, equals, value = one.partition("=")
        if not equals:
            raise ParameterError(f"{one!r} is no tag: give it as key=value, and key= to take it away")
        given[key] = value
    taken = {key for key, value in given.items() if not value}
    return lambda now: {k: v for k, v in {**now, **given}.items() if k not in taken}
