"""Notebooks and their text twins that are edited at random, on both sides, and what must hold afterwards."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

TOKEN = re.compile(r"t\d+t")


def cell(source: str, kind: str = "code", given: str | None = None, **metadata: Any) -> dict[str, Any]:
    """Return a cell as Jupyter writes it."""
    made: dict[str, Any] = {"cell_type": kind, "metadata": metadata, "source": source.splitlines(keepends=True)}
    if given is not None:
        made["id"] = given
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def ran(made: dict[str, Any], text: str) -> dict[str, Any]:
    """Return a cell with an output."""
    return made | {"execution_count": 1, "outputs": [{"output_type": "stream", "name": "stdout", "text": [text]}]}


def notebook(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Return a notebook of format 4.5."""
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": list(cells), "metadata": kernel | metadata, "nbformat": 4, "nbformat_minor": 5}


def write(path: Path, raw: dict[str, Any]) -> None:
    """Write a notebook as Jupyter does."""
    path.write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> dict[str, Any]:
    """Return what is in a notebook's file."""
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def sources(raw: dict[str, Any]) -> list[str]:
    """Return the sources of the cells."""
    return ["".join(one["source"]) for one in raw["cells"]]


class Editor:
    """Writes and edits notebooks; each line that it writes has a word in it that is in no other."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._count = 0

    def line(self, kind: str = "code") -> str:
        self._count += 1
        token = f"t{self._count}t"
        said = self.random.choice(_CODE if kind == "code" else _TEXT)
        return said.format(token)

    def source(self, kind: str) -> str:
        return "\n".join(self.line(kind) for _ in range(self.random.choice((1, 1, 2, 3, 5))))

    def cell(self) -> dict[str, Any]:
        kind = self.random.choice(("code", "code", "code", "markdown", "raw"))
        made = cell(self.source(kind), kind, f"c{self._count}-{self.random.randrange(1 << 20)}")
        if self.random.random() < 0.2:
            made["metadata"]["tags"] = [f"tag{self._count}"]
        if kind == "code" and self.random.random() < 0.6:
            made = ran(made, f"output {self._count}\n")
        return made

    def notebook(self) -> dict[str, Any]:
        return notebook(*(self.cell() for _ in range(self.random.choice((0, 1, 2, 4, 6, 9)))))

    def edited(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Return the notebook after an edit in Jupyter."""
        cells = json.loads(json.dumps(raw["cells"]))
        for _ in range(self.random.choice((0, 1, 1, 2, 3))):
            at = self.random.randrange(len(cells)) if cells else 0
            what = self.random.choice(("edit", "edit", "edit", "add", "delete", "move", "run", "tag", "rewrite"))
            if what == "add" or not cells:
                cells.insert(at, self.cell())
            elif what == "delete":
                del cells[at]
            elif what == "move":
                cells.insert(self.random.randrange(len(cells)), cells.pop(at))
            elif what == "run" and cells[at]["cell_type"] == "code":
                cells[at] = ran(cells[at], f"again {self.line()}\n")
            elif what == "tag":
                cells[at]["metadata"]["tags"] = [*cells[at]["metadata"].get("tags", []), f"more{self._count}"]
            else:
                kind = cells[at]["cell_type"]
                said = self._other("".join(cells[at]["source"]), kind, whole=what == "rewrite")
                cells[at]["source"] = said.splitlines(keepends=True)
        return {**raw, "cells": cells}

    def _other(self, source: str, kind: str, *, whole: bool) -> str:
        lines = source.split("\n")
        if whole:
            return self.source(kind)
        at = self.random.randrange(len(lines))
        what = self.random.choice(("change", "insert", "remove"))
        if what == "insert" or len(lines) == 1:
            lines.insert(at, self.line(kind))
        elif what == "change":
            lines[at] = self.line(kind)
        else:
            del lines[at]
        return "\n".join(lines)

    def edited_text(self, text: str) -> str:
        """Return a twin in the percent format after an edit in an editor."""
        parts = re.split(r"(?m)^(?=[ \t]*# %%)", text)
        head, cells = parts[0], parts[1:]
        for _ in range(self.random.choice((0, 1, 1, 2, 3))):
            at = self.random.randrange(len(cells)) if cells else 0
            what = self.random.choice(("edit", "edit", "edit", "add", "delete", "move", "style"))
            if what == "add" or not cells:
                cells.insert(at, f"# %%\n{self.source('code')}\n\n")
                if at + 1 < len(cells) or at == 0:
                    continue
                cells[at - 1] = cells[at - 1].rstrip("\n") + "\n\n"
            elif what == "delete":
                del cells[at]
            elif what == "move":
                moved = cells.pop(at).rstrip("\n") + "\n\n"
                cells.insert(self.random.randrange(len(cells) + 1), moved)
                cells = [one.rstrip("\n") + "\n\n" for one in cells]
            elif what == "style":
                cells[at] = cells[at].rstrip("\n") + "\n\n\n"
            else:
                cells[at] = self._other_block(cells[at])
        return head + "".join(cells)

    def _other_block(self, block: str) -> str:
        marker, _, body = block.partition("\n")
        kind = "markdown" if "[markdown]" in marker or "[raw]" in marker else "code"
        lines = body.rstrip("\n").split("\n")
        at = self.random.randrange(len(lines))
        said = self.line(kind)
        said = f"# {said}" if kind == "markdown" else said
        if self.random.random() < 0.5:
            lines[at] = said
        else:
            lines.insert(at, said)
        return "\n".join([marker, *lines]) + "\n\n"


_CODE = (
    "x = {0}",
    "print({0})",
    "%time {0}",
    "!echo {0}",
    "    y = '{0}'",
    "import {0}",
    'z = """{0}"""',
    "# {0}",
    "{0} = [1,",
    "ü = '{0} ☃'",
    "def {0}(): pass",
    "{0}  ",
    "\t{0}",
)
_TEXT = ("# {0}", "some words {0}", "- {0}", "{0}  ", "> {0}", "`{0}`", "  {0}", "| {0} |", "---{0}")
