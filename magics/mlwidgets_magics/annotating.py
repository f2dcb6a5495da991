"""``%runs rename``, ``tag``, ``note``, ``pin``, ``delete`` and ``restore``: what is done with runs afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from IPython.core.error import UsageError

from mlwidgets import api
from mlwidgets.runs import afterwards
from mlwidgets_magics.words import unquote

_USAGES = {
    "rename": "NAME NEW",
    "tag": "NAME key=value [key=value …]",
    "note": 'NAME "TEXT"',
    "pin": "NAME [NAME…]",
    "unpin": "NAME [NAME…]",
    "delete": "NAME [NAME…]",
    "restore": "NAME [NAME…]",
}
ACTIONS = frozenset(_USAGES)


def act(words: Sequence[str]) -> None:
    """Do what the first word says with the runs that the others name, and print what came of it.

    Raises
    ------
    UsageError
        If words are missing, or there are too many.
    MlwidgetsError
        If there is no such run, or it cannot be done.
    """
    action, *names = words
    if len(names) < (2 if action in {"rename", "tag", "note"} else 1) or (action == "rename" and len(names) > 2):
        raise UsageError(f"usage: %runs {action} {_USAGES[action]}")
    store = api.open_store()
    if action == "rename":
        print(afterwards.rename(store, names[0], names[1]))
    elif action == "tag":
        pairs = (one.partition("=") for one in names[1:])
        print(afterwards.tag(store, names[0], [f"{key}{equals}{unquote(value)}" for key, equals, value in pairs]))
    elif action == "note":
        print(afterwards.note(store, names[0], " ".join(names[1:])))
    else:
        for name in names:
            if action == "delete":
                print(afterwards.delete(store, name, "%runs"))
            elif action == "restore":
                print(afterwards.restore(store, name))
            else:
                print(afterwards.pin(store, name, pinned=action == "pin"))
