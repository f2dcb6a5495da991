"""A notebook as it is compared and kept: read from any file that Jupyter writes, without any library."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlwidgets.errors import NotebookError
from mlwidgets.history.notebooks.document import read_document, read_file
from mlwidgets.history.notebooks.noise import chosen_of_cell, chosen_of_notebook

KINDS = ("code", "markdown", "raw")

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class Cell:
    """One cell.

    Parameters
    ----------
    id
        Unique within the notebook; None where it had none. A duplicate stays with the first cell that has it.
    kind
        ``code``, ``markdown`` or ``raw``.
    source
        As one text, exactly.
    metadata
        Without what tools write by themselves.
    outputs
        As in format 4, texts joined.
    """

    id: str | None
    kind: str
    source: str
    metadata: dict[str, Any] = field(default_factory=dict)
    attachments: dict[str, Any] = field(default_factory=dict)
    execution_count: int | None = None
    outputs: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Notebook:
    """Cells, the language of the code (lower case) and what is known of the kernel.

    ``outputs_kept`` is False where outputs were not kept with the cells: then it is not known what they were.
    """

    cells: tuple[Cell, ...]
    language: str = "python"
    metadata: dict[str, Any] = field(default_factory=dict)
    outputs_kept: bool = field(default=True, compare=False)


def load_notebook(path: Path) -> Notebook:
    """Read a notebook file.

    Raises
    ------
    NotebookError
        If there is none at `path`, or none that can be read.
    """
    return read_notebook(read_file(path), str(path))


def read_notebook(data: bytes | str | dict[str, Any], where: str) -> Notebook:
    """Read a notebook of format 3 to 4.5.

    Parameters
    ----------
    data
        What is in the file, or its JSON already read.
    where
        What messages call it: a path mostly.

    Raises
    ------
    NotebookError
        If it is no such notebook: one line that says what is wrong, where, and what to do.
    """
    document = read_document(data, where)
    cells = [_cell(raw, number, where) for number, raw in enumerate(document["cells"], 1)]
    metadata = _dict(document.get("metadata"))
    return Notebook(tuple(_told_apart(cells)), _language(metadata), chosen_of_notebook(metadata))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def joined(value: Any) -> str:
    """Return a text that may be kept as a list of lines.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        raise TypeError(f"no text: {value!r:.60}")
    return "".join(value)


def _cell(raw: Any, number: int, where: str) -> Cell:
    if not isinstance(raw, dict):
        raise NotebookError(f"{where} is a damaged notebook: cell {number} is no cell; mend or remove it")
    try:
        source = joined(raw.get("source"))
    except TypeError as error:
        raise NotebookError(
            f"{where} is a damaged notebook: the source of cell {number} is no text; mend or remove it"
        ) from error
    metadata = _dict(raw.get("metadata"))
    kind = raw.get("cell_type")
    # Colab has kept a cell's id among its metadata since before the format had ids.
    given = raw.get("id", metadata.get("id"))
    code = kind == "code"
    return Cell(
        given if isinstance(given, str) and given else None,
        kind if kind in KINDS else "raw",
        source,
        chosen_of_cell(metadata),
        {} if code else _attachments(_dict(raw.get("attachments"))),
        _count(raw.get("execution_count")) if code else None,
        tuple(_outputs(raw.get("outputs"))) if code else (),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _attachments(raw: dict[str, Any]) -> dict[str, Any]:
    return {name: _bundle(_dict(data)) for name, data in raw.items()}


def _bundle(data: dict[str, Any]) -> dict[str, Any]:
    return {mime: value if mime.endswith("json") else _text(value) for mime, value in data.items()}


def _text(value: Any) -> Any:
    """Return a text that may be a list of lines; anything else as it is."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def _outputs(raw: Any) -> Iterable[dict[str, Any]]:
    for output in raw if isinstance(raw, list) else ():
        if isinstance(output, dict):
            kept = {key: value for key, value in output.items() if key != "transient"}
            if "text" in kept:
                kept["text"] = _text(kept["text"])
            if "data" in kept:
                kept["data"] = _bundle(_dict(kept["data"]))
            yield kept


def _told_apart(cells: Iterable[Cell]) -> Iterable[Cell]:
    seen: set[str] = set()
    for cell in cells:
        if cell.id is not None and cell.id in seen:
            yield Cell(None, *list(vars(cell).values())[1:])
        else:
            yield cell
        if cell.id is not None:
            seen.add(cell.id)


def _language(metadata: dict[str, Any]) -> str:
    for key, name in (("kernelspec", "language"), ("language_info", "name")):
        value = _dict(metadata.get(key)).get(name)
        if isinstance(value, str) and value.strip():
            return usual_name(value)
    return "python"


def usual_name(language: str) -> str:
    """Return what a language is called here: in lower case, without the version of its standard."""
    name = language.strip().lower()
    if name.startswith("c++"):
        return "c++"
    if name.startswith(("ipython", "python")):
        return "python"
    return {"c#": "csharp", "f#": "fsharp"}.get(name, name)


def to_json(notebook: Notebook, outputs: bool = False) -> dict[str, Any]:
    """Return the notebook as JSON of format 4.5; of 4.4, which knows no ids, where no cell has one.

    The same notebook gives the same JSON. Where only some cells have ids, the others get theirs from their content.
    """
    ids = _ids(notebook.cells)
    cells = []
    for cell, given in zip(notebook.cells, ids, strict=True):
        document: dict[str, Any] = {"cell_type": cell.kind, "metadata": cell.metadata}
        if given is not None:
            document["id"] = given
        document["source"] = cell.source.splitlines(keepends=True)
        if cell.attachments:
            document["attachments"] = cell.attachments
        if cell.kind == "code":
            document["execution_count"] = cell.execution_count if outputs else None
            document["outputs"] = list(cell.outputs) if outputs else []
        cells.append(document)
    return {"cells": cells, "metadata": notebook.metadata, "nbformat": 4, "nbformat_minor": 5 if any(ids) else 4}


def _ids(cells: tuple[Cell, ...]) -> list[str | None]:
    if not any(cell.id for cell in cells):
        return [None] * len(cells)
    taken = {cell.id for cell in cells}
    ids: list[str | None] = []
    for cell in cells:
        given = cell.id
        if given is None or not _ID.fullmatch(given):
            start = hashlib.sha256(f"{given}\0{cell.kind}\0{cell.source}".encode("utf-8", "surrogatepass")).hexdigest()
            given = next(i for n in range(len(cells) + 1) if (i := f"{start[:8]}-{n}" if n else start[:8]) not in taken)
            taken.add(given)
        ids.append(given)
    return ids


def encode(document: dict[str, Any]) -> bytes:
    """Return JSON as Jupyter writes it into a notebook's file."""
    try:
        return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which JSON can only escape.
        return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
