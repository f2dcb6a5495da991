"""What a run's code really used of the libraries around it, as its worker told at the end."""

from __future__ import annotations

from typing import Any

from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.journal import read_lines

LIBRARIES = "libraries"
"""Of the event."""


def read_libraries(folder: RunFolder) -> dict[str, Any]:
    """Return what the code used; empty for a run that was killed, or whose code has not ended.

    Of whatever is known: ``modules``, distributions that the code imported from, with their versions; ``imported``,
    those modules by their top-level names; ``torch``, ``numpy`` and ``threadpools``, what these say of themselves.
    """
    told: dict[str, Any] = {}
    for event in read_lines(folder.events, LIBRARIES):
        told = {key: value for key, value in event.items() if key not in {"event", "time"}}
    if not told:
        return {}
    names = told.get("imported")
    imported = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return {**told, "imported": imported, "modules": _distributions(folder, imported)}


def _distributions(folder: RunFolder, modules: list[str]) -> dict[str, str]:
    environment = read_json(folder.environment) or {}
    packages, provided = (
        told if isinstance(told := environment.get(key), dict) else {} for key in ("packages", "provided")
    )
    found: dict[str, str] = {}
    for module in modules:
        given = provided.get(module, [module.replace("_", "-").lower()])
        for name in given if isinstance(given, list) else ():
            version = packages.get(name) if isinstance(name, str) else None
            if isinstance(version, str):
                found[name] = version
    return dict(sorted(found.items()))
