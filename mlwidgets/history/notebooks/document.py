"""From a file to a notebook's JSON, or to one line that says why there is none in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mlwidgets.errors import NotebookError
from mlwidgets.history.notebooks.older import from_format_3

_CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)


def read_file(path: Path) -> bytes:
    """Return what is in a notebook's file.

    Raises
    ------
    NotebookError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotebookError(f"there is no notebook {path}; check the path") from error
    except OSError as error:
        raise NotebookError(f"cannot read {path}: {error.strerror or error}") from error


def read_document(data: bytes | str | dict[str, Any], where: str) -> dict[str, Any]:
    """Return the notebook's JSON as in format 4, nothing else changed.

    Raises
    ------
    NotebookError
        As `read_notebook`.
    """
    document = data if isinstance(data, dict) else _parse(_decode(data, where), where)
    if not isinstance(document, dict) or not ("cells" in document or "worksheets" in document):
        raise NotebookError(f"{where} is no notebook: it has no cells; check the path")
    major = document.get("nbformat", 4 if "cells" in document else 3)
    if not isinstance(major, int) or major > 4:
        raise NotebookError(f"{where} is of notebook format {major}, only 3 and 4 can be read; upgrade mlwidgets")
    if major < 3:
        raise NotebookError(f"{where} is of notebook format {major}, which is too old; open it in Jupyter and save it")
    try:
        document = from_format_3(document) if major == 3 else document
    except (TypeError, AttributeError, ValueError) as error:
        raise NotebookError(f"{where} is a damaged notebook of format 3; open it in Jupyter and save it") from error
    if not isinstance(document.get("cells"), list):
        raise NotebookError(f"{where} is no notebook: its cells are no list; check the path")
    return document


def _decode(data: bytes | str, where: str) -> str:
    if isinstance(data, str):
        text = data.removeprefix("\ufeff")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise NotebookError(
                f"{where} is not UTF-8 text (line {line}, byte {error.start}); save it as UTF-8 or take an earlier one"
            ) from error
    if not text.strip():
        raise NotebookError(f"{where} is empty; save the notebook again in Jupyter or restore an earlier snapshot")
    return text


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        conflict = _CONFLICT.search(text)
        if conflict:
            line = text.count("\n", 0, conflict.start()) + 1
            raise NotebookError(
                f"{where} holds conflict markers of a merge (line {line}); mlwidgets git-setup, then "
                "git checkout -m -- the notebook merges it by cells; git checkout --ours or --theirs takes one side"
            ) from error
        raise NotebookError(
            f"{where} is not JSON: {error.msg} (line {error.lineno}, column {error.colno}); "
            f"mend it there or restore an earlier snapshot"
        ) from error
    except RecursionError as error:
        raise NotebookError(f"{where} cannot be read: it is nested too deeply; no notebook is") from error
    except ValueError as error:
        raise NotebookError(f"{where} cannot be read: {error}") from error
