"""What a project sets for its runs: the table ``[tool.mlwidgets]`` of its ``pyproject.toml``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from mlwidgets.runs.folder import RunFolder


class ConfigError(Exception):
    """What is wrong with a setting, where, and what to do."""


class Setting(NamedTuple):
    """A value, and the file that it stands in."""

    file: Path
    value: Any


def find_setting(folder: RunFolder, name: str) -> Setting | None:
    """Return a setting for a run: of the project around its working directory, else of that around its store.

    Of several files on the way up the nearest that has the setting counts.

    Raises
    ------
    ConfigError
        If a file that seems to have it is broken, or is not the user's own: a setting may be a command.
    """
    provenance = folder.read_spec().provenance
    starts = [folder.store.parent] if provenance is None else [Path(provenance.cwd), folder.store.parent]
    for start in starts:
        for parent in (start, *start.parents):
            setting = _read(parent / "pyproject.toml", name)
            if setting is not None:
                return setting
    return None


def _read(path: Path, name: str) -> Setting | None:
    try:
        with open(path, "rb") as file:
            data, status = file.read(), os.fstat(file.fileno())
    except OSError:
        return None
    # Most files have nothing to do with this: they need not be parsed, nor be right.
    if b"mlwidgets" not in data or name.encode() not in data:
        return None
    import tomllib

    try:
        table = tomllib.loads(data.decode()).get("tool", {}).get("mlwidgets", {})
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be read, so {name} in it is not used: {error}") from error
    if not isinstance(table, dict) or name not in table:
        return None
    if status.st_uid not in {os.geteuid(), 0}:
        raise ConfigError(f"{path} belongs to another user, so {name} in it is not used: copy it to a folder of yours")
    if status.st_mode & 0o002:
        raise ConfigError(f"{path} can be written by others, so {name} in it is not used: run chmod o-w on it")
    return Setting(path, table[name])
