"""The head of a notebook's text: its kernel, in the little YAML that this takes."""

from __future__ import annotations

import json
import re
from typing import Any

from mlwidgets.history.notebooks.notebook import Notebook, usual_name
from mlwidgets.history.text.languages import Language, language_of

_PLAIN = re.compile(r"\.?[A-Za-z]([A-Za-z0-9_()./+-]| (?=[A-Za-z0-9_(.]))*")
_NOT_PLAIN = re.compile(r"(?i:true|false|yes|no|on|off|null|\.inf|\.nan|nan|infinity)")
_BEGIN = re.compile(r"(?P<comment>\S+) ---(?: (?P<end>\S+))?")
_CODING = re.compile(r"\S+ -\*- coding: utf-8 -\*-")


def header_lines(notebook: Notebook, language: Language) -> list[str]:
    """Return the lines before the first cell, none where the kernel is unknown and the language Python."""
    kernel = notebook.metadata.get("kernelspec")
    kernel = kernel if isinstance(kernel, dict) else {}
    spoken = kernel.get("language")
    lines: list[str] = []
    if usual_name(spoken if isinstance(spoken, str) and spoken.strip() else "python") != notebook.language:
        lines += ["  jupytext:", f"    main_language: {_scalar(language.name)}"]
    if kernel:
        lines += ["  kernelspec:", *(f"    {_scalar(key)}: {_scalar(kernel[key])}" for key in sorted(kernel))]
    if not lines:
        return []
    return [*language.commented(["---", "jupyter:", *lines, "---"]), ""]


def _scalar(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and not _NOT_PLAIN.fullmatch(value):
        return value
    if value.isascii() and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return json.dumps(value)


def _read_scalar(text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins there and where it ends."""
    if text.startswith("'", at):
        match = re.compile(r"'((?:[^']|'')*)'").match(text, at)
        if match is not None:
            return match[1].replace("''", "'"), match.end()
    match = _PLAIN.match(text, at)
    if match is not None and not _NOT_PLAIN.fullmatch(match[0]):
        return match[0], match.end()
    value, end = json.JSONDecoder().raw_decode(text, at)
    return value, end


def read_header(lines: list[str]) -> tuple[str, dict[str, Any], int]:
    """Return the language, the notebook's metadata and the number of the first line behind the header."""
    start = 1 if lines and _CODING.fullmatch(lines[0]) else 0
    match = _BEGIN.fullmatch(lines[start]) if len(lines) > start else None
    if match is None:
        return "python", {}, start
    found: dict[str, dict[str, Any]] = {"jupytext": {}, "kernelspec": {}}
    signs = Language("", "", match["comment"], match["end"] or "")
    block: dict[str, Any] = {}
    for at in range(start + 1, len(lines)):
        line = signs.uncommented([lines[at]])[0]
        if line == "---":
            break
        if line.startswith("    "):
            try:
                key, end = _read_scalar(line, 4)
                block[key] = _read_scalar(line, end + 2)[0]
            except (ValueError, TypeError):
                continue
        else:
            block = found.setdefault(line.strip().removesuffix(":"), {})
    else:
        return "python", {}, start
    kernel = found["kernelspec"]
    name = found["jupytext"].get("main_language") or kernel.get("language")
    language = usual_name(name) if isinstance(name, str) and name.strip() else "python"
    at += 1
    if at < len(lines) and not language_of(language).uncommented([lines[at]])[0].strip():
        at += 1
    return language, {"kernelspec": kernel} if kernel else {}, at
