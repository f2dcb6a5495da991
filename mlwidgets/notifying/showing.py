"""What a message shows beside its words: a picture of a run, and where its page is."""

from __future__ import annotations

import importlib
import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlwidgets.errors import MlwidgetsError
from mlwidgets.notifying.settings import find_setting
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.run import Run

MOST_BYTES = 2_000_000
"""Bytes of a picture that a letter takes."""
_LARGEST_NOTEBOOK = 64_000_000
_PNG = b"\x89PNG\r\n\x1a\n"


def picture_of(folder: RunFolder) -> bytes | None:
    """Return a picture of a run as PNG: its charts; of a report the first picture in its notebook.

    None where there is none, or none can be made: a message does without.
    """
    try:
        report = (read_json(folder.spec) or {}).get("report")
        if isinstance(report, dict):
            return _first_picture(folder.outputs / Path(str(report.get("path"))).name)
        # The room of pictures is upstairs; it draws in a process of its own, and gives up after some seconds.
        picture: bytes | None = importlib.import_module("mlwidgets.views.picture").picture(Run(folder.path))
    except Exception:  # whatever libraries say of what a user logged
        return None
    return picture


def address_of(where: RunFolder | Path, report: str | None = None, edition: str | None = None) -> str | None:
    """Return where people find a report, one edition of it, or else the list of runs.

    It lies at the server that ``[tool.mlwidgets] address`` names; None where that is not set.
    """
    try:
        setting = find_setting(where, "address", harmless=True)
    except (MlwidgetsError, OSError, ValueError, KeyError, TypeError):
        return None
    base = setting.value if setting is not None else None
    if not isinstance(base, str) or not base.lower().startswith(("http://", "https://")):
        return None
    base = base.rstrip("/")
    if report is None:
        return f"{base}/mlwidgets"
    return f"{base}/reports/{quote(report)}/{f'{quote(edition)}.html' if edition else ''}"


def _first_picture(notebook: Path) -> bytes | None:
    if notebook.stat().st_size > _LARGEST_NOTEBOOK:
        return None
    for written in _pictures(json.loads(notebook.read_bytes())):
        text = "".join(written) if isinstance(written, list) else str(written)
        data = b64decode(text)
        if data.startswith(_PNG) and len(data) <= MOST_BYTES:
            return data
    return None


def _pictures(notebook: dict[str, Any]) -> Iterator[Any]:
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            if picture := output.get("data", {}).get("image/png"):
                yield picture
