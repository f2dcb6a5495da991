"""Which text file is a notebook's twin: what Jupytext's own settings say."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.errors import NotebookError, TwinError
from mlwidgets.history.notebooks.document import read_document, read_file

NOTEBOOK = ".ipynb"
_NAMES = tuple(f"{dot}jupytext{end}" for dot in ("", ".") for end in ("", ".toml", ".yml", ".yaml", ".json"))
_PROGRAM = ".jupytext.py"
_HEAD = 1 << 14
"""Bytes in which a text file says that it is a notebook."""

Settings = tuple[Any, Path | None]
"""Jupytext's configuration and the file that it is in; None and None where there is none."""


@dataclass(frozen=True)
class Pairing:
    """A notebook and its twin.

    Parameters
    ----------
    notebook, twin
        Both files, links resolved; either may not be there yet.
    format
        Of the twin, as Jupytext writes it: ``py:percent``.
    source
        The file with the settings that say so: the notebook itself where its metadata do.
    """

    notebook: Path
    twin: Path
    format: str
    source: Path


def may_be_paired(path: Path) -> bool:
    """Return False where a file has no pairing for sure; imports nothing, and reads no more than the file."""
    try:
        with open(path, "rb") as file:
            if b"jupytext" in (file.read() if path.suffix == NOTEBOOK else file.read(_HEAD)):
                return True
    except OSError:
        pass
    return next(settings_files(Path(os.path.realpath(path)).parent), None) is not None


def _folders(folder: Path) -> Iterator[Path]:
    """Return where Jupytext looks for settings."""
    yield from (folder, *folder.parents)
    home = os.environ.get("HOME", "")
    config = os.environ.get("XDG_CONFIG_HOME")
    found = config.split(":") if config is not None else [os.path.join(home, ".config"), home] if home else []
    found += os.environ.get("XDG_CONFIG_DIRS", "/usr/local/share/:/usr/share/").split(":")
    for one in found:
        yield from (Path(one, "jupytext"), Path(one))


def settings_files(folder: Path) -> Iterator[Path]:
    """Return the files with settings of Jupytext that there are for a folder, of which the first one holds."""
    for one in _folders(folder):
        for name in (*_NAMES, _PROGRAM):
            if (one / name).is_file():
                yield one / name
        with contextlib.suppress(OSError):
            if b"[tool.jupytext" in (one / "pyproject.toml").read_bytes():
                yield one / "pyproject.toml"


def need_jupytext() -> None:
    """Import Jupytext.

    Raises
    ------
    TwinError
        If it is not installed.
    """
    try:
        import jupytext  # noqa: F401
    except ImportError as error:
        raise TwinError("text twins need Jupytext, which is not installed: pip install 'mlwidgets[twins]'") from error


def settings_of(path: Path) -> Settings:
    """Return Jupytext's configuration for a file, and where it is written; None and None where there is none.

    Raises
    ------
    TwinError
        If it cannot be read, or is a program: settings that come with a folder are not executed.
    """
    need_jupytext()
    from jupytext.config import find_jupytext_configuration_file, load_jupytext_configuration_file

    found: str | None = None
    try:
        found = find_jupytext_configuration_file(path)
        if found is None:
            return None, None
        if found.endswith(".py"):
            raise TwinError(f"{found} is a program, which is not executed here; write its settings into jupytext.toml")
        with warnings.catch_warnings():
            # What it says of old options is for those who write them, not for each save.
            warnings.simplefilter("ignore")
            return load_jupytext_configuration_file(found), Path(found)
    except TwinError:
        raise
    except Exception as error:  # whatever a reader of TOML, YAML or JSON says
        raise TwinError(f"Jupytext's settings for {path} cannot be read: {first_line(error)}; mend them") from error


def first_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def pairing_of(path: Path) -> Pairing | None:
    """Return the pairing of a notebook, or of the notebook that a text file is the twin of; None where there is none.

    Raises
    ------
    TwinError
        If Jupytext is not installed, or its settings cannot be read: one line that says which, and what to do.
    """
    return next(iter(pairings_of(path)), None)


def pairings_of(path: Path, using: Settings | None = None) -> tuple[Pairing, ...]:
    """Return the pairings of a notebook with each of its twins, or that of a text file with its notebook.

    Parameters
    ----------
    using
        What `settings_of` shall be taken to say.

    Raises
    ------
    TwinError
        As `pairing_of`.
    """
    path = Path(os.path.realpath(path))
    if using is None and not may_be_paired(path):
        return ()
    config, written = using or settings_of(path)
    metadata = _metadata(path)
    found = _paired(path, metadata, config)
    notebook = next((one for one, fmt in found if fmt["extension"] == NOTEBOOK), None)
    if notebook is None:
        return ()
    if path.suffix != NOTEBOOK and notebook.exists():
        # What the notebook says counts, too.
        return tuple(one for one in pairings_of(notebook) if one.twin == path)
    says_itself = path if _formats_in(metadata) else None
    source = says_itself or written or path
    return tuple(
        Pairing(notebook, _inside(twin, notebook, source), _format(fmt), source)
        for twin, fmt in found
        if fmt["extension"] != NOTEBOOK and (path.suffix == NOTEBOOK or twin == path)
    )


def _formats_in(metadata: dict[str, Any]) -> Any:
    said = metadata.get("jupytext")
    return said.get("formats") if isinstance(said, dict) else None


def _metadata(path: Path) -> dict[str, Any]:
    """Return what a notebook or a text file says of itself; nothing where it cannot be read."""
    if path.suffix == NOTEBOOK:
        try:
            found = read_document(read_file(path), str(path)).get("metadata")
        except NotebookError:
            return {}
        return found if isinstance(found, dict) else {}
    from jupytext.formats import read_metadata

    try:
        return dict(read_metadata(path.read_text("utf-8-sig"), path.suffix))
    except Exception:  # a header that is no YAML: what is wrong with it is said when it is read
        return {}


def _paired(path: Path, metadata: dict[str, Any], config: Any) -> list[tuple[Path, dict[str, str]]]:
    from jupytext.config import notebook_formats
    from jupytext.formats import long_form_multiple_formats
    from jupytext.paired_paths import find_base_path_and_format, paired_paths

    try:
        formats = notebook_formats({"metadata": metadata}, config, str(path), fallback_on_current_fmt=False)
        formats = [
            fmt for fmt in long_form_multiple_formats(formats or [], metadata) if fmt.get("extension") != ".auto"
        ]
        if len(formats) < 2:
            return []
        fmt = find_base_path_and_format(str(path), formats)[1]
        return [(Path(os.path.realpath(one)), found) for one, found in paired_paths(str(path), fmt, formats)]
    except Exception as error:  # formats may be anything that somebody wrote there
        raise TwinError(f"the formats that {path} is paired in cannot be used: {first_line(error)}") from error


def _format(fmt: dict[str, str]) -> str:
    name = fmt.get("format_name")
    extension = fmt["extension"].removeprefix(".")
    return f"{extension}:{name}" if name else extension


def _inside(twin: Path, notebook: Path, source: Path) -> Path:
    """Return the twin if it lies in the project: a notebook from elsewhere must not say where files are written."""
    folders = [notebook.parent, *notebook.parent.parents]
    project = next((one for one in folders if (one / ".git").exists() or (one / ".mlwidgets").is_dir()), folders[0])
    places = [project, *([source.parent] if source != notebook and source.parent in folders else [])]
    if not any(twin.is_relative_to(place) for place in places):
        raise TwinError(
            f"the twin of {notebook} would be {twin}, outside of its project; change the formats in {source}"
        )
    return twin


def with_formats(raw: dict[str, Any], formats: str | None) -> dict[str, Any]:
    """Return a notebook's JSON that says in which formats it is paired; None: nothing of it."""
    metadata = dict(raw.get("metadata") or {})
    said = metadata.pop("jupytext", None)
    said = {key: said[key] for key in said if key != "formats"} if isinstance(said, dict) else {}
    if formats is not None:
        said["formats"] = formats
    if said:
        metadata["jupytext"] = said
    return {**raw, "metadata": metadata}
