"""Things to do as soon as a module is imported, now or by the code itself."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Action = Callable[[Any], object]


def when_imported(name: str, action: Action) -> None:
    """Call `action` with a module: at once if it is imported, else right after its import.

    Parameters
    ----------
    name
        The module's, with dots.
    action
        What it raises comes out of the import. Several for one module are called in the order in which they were given.
    """
    module = sys.modules.get(name)
    if module is not None:
        action(module)
        return
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    _waiting.setdefault(name, []).append(action)


_waiting: dict[str, list[Action]] = {}


class _Finder:
    """Lets the other finders find a module and has its loader tell when it has executed it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _waiting:
            return None
        others = (finder for finder in list(sys.meta_path) if finder is not self)
        found = (finder.find_spec(name, path, target) for finder in others if hasattr(finder, "find_spec"))
        spec = next((one for one in found if one is not None), None)
        if spec is not None and spec.loader is not None:
            _tell_when_executed(spec.loader, name)
        return spec


_FINDER: Any = _Finder()


def _tell_when_executed(loader: Any, name: str) -> None:
    execute = getattr(loader, "exec_module", None)
    if execute is None or getattr(execute, "tells", False):
        return

    def execute_and_act(module: ModuleType) -> None:
        # Libraries look whether another one is there without importing it, and some loaders serve several modules.
        del loader.exec_module
        execute(module)
        if module.__name__ == name:
            for action in _waiting.pop(name, []):
                action(module)

    execute_and_act.tells = True  # type: ignore[attr-defined]
    # A loader that takes no attributes is that of a built-in module: no library is one.
    with contextlib.suppress(AttributeError, TypeError):
        loader.exec_module = execute_and_act
