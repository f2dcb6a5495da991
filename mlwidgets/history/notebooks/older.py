"""Notebooks of format 3, which Jupyter wrote until 2015: worksheets, headings, outputs by other names."""

from __future__ import annotations

import re
from typing import Any

_MIMES = {
    "text": "text/plain",
    "html": "text/html",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "latex": "text/latex",
    "json": "application/json",
    "javascript": "application/javascript",
    "pdf": "application/pdf",
}


def from_format_3(document: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook of format 3 as one of format 4.4.

    Raises
    ------
    TypeError, AttributeError, ValueError
        If it is damaged.
    """
    raw = [cell for sheet in document.get("worksheets") or [] for cell in sheet.get("cells") or []]
    metadata = {key: value for key, value in (document.get("metadata") or {}).items() if key != "signature"}
    languages = [cell["language"] for cell in raw if cell.get("cell_type") == "code" and cell.get("language")]
    if languages and not ("kernelspec" in metadata or "language_info" in metadata):
        metadata["language_info"] = {"name": str(languages[0])}
    return {"cells": [_cell(cell) for cell in raw], "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}


def _cell(raw: dict[str, Any]) -> dict[str, Any]:
    kind = raw.get("cell_type")
    metadata = raw.get("metadata") or {}
    if kind == "code":
        return {
            "cell_type": "code",
            "metadata": metadata,
            "source": raw.get("input", raw.get("source")),
            "execution_count": raw.get("prompt_number"),
            "outputs": [_output(output) for output in raw.get("outputs") or []],
        }
    if kind == "heading":
        lines = raw.get("source") or ""
        text = re.sub(r"[\r\n]+", " ", lines if isinstance(lines, str) else "".join(lines))
        return {"cell_type": "markdown", "metadata": metadata, "source": f"{'#' * int(raw.get('level', 1))} {text}"}
    kind = "markdown" if kind in {"markdown", "html"} else "raw"
    return {"cell_type": kind, "metadata": metadata, "source": raw.get("source")}


def _output(raw: dict[str, Any]) -> dict[str, Any]:
    kind = raw.get("output_type")
    if kind == "stream":
        return {"output_type": "stream", "name": raw.get("stream", "stdout"), "text": raw.get("text", "")}
    if kind == "pyerr":
        return {"output_type": "error", **{key: raw.get(key) for key in ("ename", "evalue", "traceback")}}
    shown = {_MIMES.get(key, key): value for key, value in raw.items() if key in _MIMES or "/" in key}
    output = {"output_type": "display_data", "data": shown, "metadata": raw.get("metadata") or {}}
    if kind == "pyout":
        output |= {"output_type": "execute_result", "execution_count": raw.get("prompt_number")}
    return output
