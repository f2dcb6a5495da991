"""Notebooks that are hard to read, and files that hold none: what users' disks are full of."""

from __future__ import annotations

import json
from typing import Any

PYTHON = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def code(source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "execution_count": None, "outputs": [], **more}


def markdown(source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def raw(source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": "raw", "metadata": {}, "source": source, **more}


def notebook(*cells: dict[str, Any], minor: int = 5, **metadata: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


def written(document: dict[str, Any], **how: Any) -> bytes:
    return json.dumps(document, **how).encode()


def _kernel(name: str, language: str, display: str) -> dict[str, Any]:
    return {"kernelspec": {"display_name": display, "language": language, "name": name}}


_FORMAT_3 = {
    "metadata": {"name": "Old", "signature": "sha256:0"},
    "nbformat": 3,
    "nbformat_minor": 0,
    "worksheets": [
        {
            "metadata": {},
            "cells": [
                {"cell_type": "heading", "level": 2, "metadata": {}, "source": ["A\n", "heading"]},
                {
                    "cell_type": "code",
                    "collapsed": False,
                    "input": ["x = 1\n", "x"],
                    "language": "python",
                    "metadata": {},
                    "prompt_number": 7,
                    "outputs": [
                        {"output_type": "pyout", "prompt_number": 7, "metadata": {}, "text": ["1"], "png": "aGk="},
                        {"output_type": "stream", "stream": "stderr", "text": ["careful\n"]},
                        {"output_type": "pyerr", "ename": "E", "evalue": "v", "traceback": ["a", "b"]},
                        {"output_type": "display_data", "metadata": {}, "html": ["<b>", "hi</b>"]},
                    ],
                },
                {"cell_type": "html", "metadata": {}, "source": "<i>html</i>"},
            ],
        },
        {"cells": [{"cell_type": "raw", "metadata": {}, "source": "second sheet"}]},
    ],
}

_OUTPUTS = [
    {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
    {"output_type": "execute_result", "execution_count": 3, "metadata": {}, "data": {"text/plain": ["1", "2"]}},
    {"output_type": "display_data", "metadata": {}, "data": {"application/json": [1, 2], "image/png": "aGk=\n"}},
    {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mred\x1b[0m"]},
]

_DEEP: Any = 1
for _ in range(200):
    _DEEP = {"a": _DEEP}

READABLE: dict[str, bytes] = {
    "plain": written(notebook(code("x = 1", id="a"), markdown("# Hi", id="b"), kernelspec=PYTHON)),
    "no cells": written(notebook()),
    "format 3": written(_FORMAT_3),
    "format 4.0": written(notebook(code(["x = 1\n", "y = 2"], execution_count=4), minor=0, kernelspec=PYTHON)),
    "format 4.4": written(notebook(code("x"), code("x"), markdown(""), minor=4)),
    "R": written(notebook(code('x <- "it\'s"\n%in%', id="a"), **_kernel("ir", "R", "R"))),
    "Julia": written(notebook(code("f(x) = x'\n# %% no cell", id="a"), **_kernel("julia-1.10", "julia", "Julia 1.10"))),
    "C++": written(
        notebook(code("int a; // %% no", id="a"), markdown("é", id="b"), **_kernel("xcpp", "C++17", "C++17"))
    ),
    "SQL": written(notebook(code("SELECT 1; -- %% no", id="a"), **_kernel("xsql", "sql", "xsql"))),
    "OCaml": written(notebook(code("let x = 1", id="a"), markdown("a *) b\n\n", id="b"), **_kernel("o", "OCaml", "O"))),
    "unknown language": written(notebook(code("?x ~ !y", id="a"), **_kernel("k", "Brainfuck", "k"))),
    "language_info alone": written(notebook(code("x"), language_info={"name": "julia", "version": "1.10"}, minor=4)),
    "missing ids": written(notebook(code("a", id="a"), code("b"), code("b"), markdown("c"))),
    "duplicate ids": written(notebook(code("a", id="a"), code("b", id="a"), markdown("c", id="a"))),
    "strange ids": written(
        notebook(code("a", id=""), code("b", id=7), code("c", id="with space"), code("d", id="x" * 99))
    ),
    "ids of Colab": written(notebook(code("a", metadata={"id": "Qw3_x", "colab": {"base_uri": "https://x"}}), minor=0)),
    "raw cells": written(notebook(raw("---\ntitle: x\n---", id="a"), raw("<b>", id="b", metadata={"format": "html"}))),
    "attachments": written(
        notebook(markdown("![a](attachment:a.png)", id="a", attachments={"a.png": {"image/png": ["aGk", "="]}}))
    ),
    "widget state": written(
        notebook(code("w", id="a"), widgets={"application/vnd.jupyter.widget-state+json": {"state": {"x" * 99: 1}}})
    ),
    "noise": written(
        notebook(
            code(
                "x",
                id="a",
                metadata={
                    "execution": {"iopub.execute_input": "2026"},
                    "collapsed": True,
                    "jupyter": {"outputs_hidden": True},
                    "tags": ["keep"],
                    "slideshow": {"slide_type": "slide"},
                },
            ),
            markdown("y", id="b", metadata={"tags": [], "ExecuteTime": {}}),
            kernelspec=PYTHON,
            vscode={"interpreter": {"hash": "0"}},
            language_info={"name": "python", "version": "3.11.7"},
        )
    ),
    "source as list": written(notebook(code(["a\n", "b\n", "\n", "c"], id="a"), markdown(["# x\n"], id="b"))),
    "no source": written(notebook({"cell_type": "code", "id": "a"}, code(None, id="b"), code("", id="c"))),
    "unknown cell type": written(notebook({"cell_type": "heading", "source": "x", "id": "a"})),
    "no metadata": written({"cells": [code("x", id="a", metadata=None)], "metadata": None, "nbformat": 4}),
    "outputs": written(notebook(code("x", id="a", execution_count=3, outputs=_OUTPUTS))),
    "odd outputs": written(
        notebook(code("x", id="a", outputs=[None, 3, {"output_type": "new", "x": [1]}, {"data": 1}]))
    ),
    "huge outputs": written(
        notebook(code("x", id="a", outputs=[{"output_type": "stream", "name": "stdout", "text": "y" * 3_000_000}]))
    ),
    "BOM": b"\xef\xbb\xbf" + written(notebook(code("x = 'é'", id="a")), ensure_ascii=False),
    "CRLF": written(notebook(code("a\r\nb", id="a"), markdown("c\rd", id="b")), indent=1).replace(b"\n", b"\r\n"),
    "lone surrogates": written(notebook(code("x = '\ud800'", id="a"), markdown("\udfff", id="b"))),
    "control characters": written(notebook(code("a\x0cb\x00c\x1bd\x85e\u2028f\x0b", id="a"), code("\x0c\x0c", id="b"))),
    "nested deeply": written(notebook(code("x", id="a"), deep=_DEEP)),
    "not numbers": written(notebook(code("x", id="a", metadata={"mlw": {"a": float("nan"), "b": float("-inf")}}))),
    "two of a key": b'{"cells": [], "nbformat": 4, "metadata": {}, "cells": [{"cell_type": "raw", "source": "x"}]}',
}
"""Notebooks by what is awkward in them."""

BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t\n", "is empty"),
    "BOM alone": (b"\xef\xbb\xbf", "is empty"),
    "malformed": (b'{"cells": [\n  {"source" "x"}\n]}', r"not JSON.*\(line 2, column 13\)"),
    "cut off": (READABLE["plain"][:60], r"not JSON.*line 1"),
    "conflict markers": (
        b'{\n "cells": [\n<<<<<<< HEAD\n  1\n=======\n  2\n>>>>>>> theirs\n ]\n}',
        r"conflict markers.*\(line 3\)",
    ),
    "not UTF-8": (b'{"cells": [],\n "x": "\xff\xfe"}', r"not UTF-8.*\(line 2"),
    "UTF-16": ('{"cells": []}'.encode("utf-16"), "not UTF-8"),
    "a list": (b"[1, 2]", "no notebook"),
    "other JSON": (b'{"name": "package"}', "no notebook"),
    "a program": (b"import os\n", "not JSON"),
    "cells are no list": (b'{"cells": {}, "nbformat": 4}', "no notebook"),
    "a cell is none": (written(notebook(code("x"), 3)), "cell 2"),  # type: ignore[arg-type]
    "a source is none": (written(notebook(code({"a": 1}))), "cell 1"),
    "a source of numbers": (written(notebook(code([1, 2]))), "cell 1"),
    "format 5": (written({**notebook(), "nbformat": 5}), "format 5"),
    "format of words": (written({**notebook(), "nbformat": "four"}), "format four"),
    "format 2": (written({"worksheets": [], "nbformat": 2}), "too old"),
    "damaged format 3": (written({"worksheets": [3], "nbformat": 3}), "damaged"),
    "bottomless": (b'{"cells": ' + b"[" * 100_000, "nested too deeply"),
    "endless number": (b'{"cells": [], "nbformat": ' + b"4" * 5000 + b"}", "cannot be read"),
}
"""Files that hold no notebook, with what has to be said."""
