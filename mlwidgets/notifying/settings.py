"""What a project sets: the table ``[tool.mlwidgets]`` of its ``pyproject.toml``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.folder import RunFolder


class ConfigError(MlwidgetsError):
    """What is wrong with a setting, where, and what to do."""


class Setting(NamedTuple):
    """A value, and the file that it stands in."""

    file: Path
    value: Any


def find_setting(where: RunFolder | Path, name: str, *, harmless: bool = False) -> Setting | None:
    """Return a setting for a run: of the project around its working directory, else of that around its store.

    Of several files on the way up the nearest that has the setting counts.

    Parameters
    ----------
    where
        A run, or a folder of the project.
    harmless
        The setting can do no harm, whoever wrote it: nobody asks whose the file is.

    Raises
    ------
    ConfigError
        If a file that seems to have it is broken, or is not the user's own: a setting may be a command.
    """
    for start in _starts(where):
        for parent in (start, *start.parents):
            setting = _read(parent / "pyproject.toml", name, harmless=harmless)
            if setting is not None:
                return setting
    return None


def _starts(where: RunFolder | Path) -> list[Path]:
    if isinstance(where, Path):
        return [where.absolute()]
    provenance = where.read_spec().provenance
    return [where.store.parent] if provenance is None else [Path(provenance.cwd), where.store.parent]


def _read(path: Path, name: str, *, harmless: bool) -> Setting | None:
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
    if not harmless and status.st_uid not in {os.geteuid(), 0}:
        raise ConfigError(f"{path} belongs to another user, so {name} in it is not used: copy it to a folder of yours")
    if not harmless and status.st_mode & 0o002:
        raise ConfigError(f"{path} can be written by others, so {name} in it is not used: run chmod o-w on it")
    return Setting(path, table[name])
