"""The text of a notebook gives back its sources, whatever they are; Jupytext, the oracle, writes and reads the same."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlwidgets.history.notebooks.executed import Executed
from mlwidgets.history.notebooks.notebook import Cell, Notebook, read_notebook, to_json
from mlwidgets.history.text.languages import LANGUAGES, language_of
from mlwidgets.history.text.percent import executed_text, from_text, to_text
from tests.unit.awkward import READABLE

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}

SOURCES = [
    "",
    "\n",
    "\n\n",
    "a\n",
    "a\n\n",
    "a\n\n\n",
    "a\n  ",
    "   \n",
    "  indented",
    "\ta = 1",
    "# %%",
    "# %% [markdown]\nx",
    "x = 1\n# %%\ny = 2",
    "# %% lines=1",
    "# %% verbatim=3\n\n\n",
    "# In[3]:",
    "# <codecell>",
    '"""\n# %%\n"""',
    'x = """open',
    "x = '''\n# %%\n",
    "it's",
    '# it\'s """',
    "%matplotlib inline",
    "%%time\nx",
    "%%bash\nls -l\n\n# %%\necho 'a'",
    "%%bash",
    "%%bash ",
    "%%bash -s x\n",
    "%%R -i df -o out\nplot(df)",
    "%%python\nprint(1)",
    "%%html\n<b>'''</b>",
    "%%train lenet lr=1e-3\nmodel = f()\n!ls \\\n  -l",
    "# %time x",
    "#%time x",
    "# # %time x",
    "  %time x",
    "  x = !ls",
    "  # x = !ls",
    "x = %time 1",
    "!echo '''\n# %time\n%time",
    "ls",
    "# ls -l",
    "cat = 1",
    "cat file\\\n more\\\nend",
    "print?",
    "?print",
    "# print?",
    "#!python\nx",
    "#!fsharp",
    "//gonb:%%",
    "%%",
    "%% - a",
    "def f():\n    return 1",
    "@a\nclass A:\n    pass",
    "async def f(): pass",
    "---\ntitle: x\n---",
    "# ---\n# jupyter:\n# ---",
    "# -*- coding: utf-8 -*-",
    "```\n%%\n```",
    "```mermaid\n%% x",
    "~~~\n%% x\n```\n~~~~",
    "%% x",
    "*) x (*",
    "/* %% */",
    " *)",
    "a\r\nb\r\n",
    "\r",
    "a\x0cb\x0c",
    "\x0c# %%",
    "a\u2028# %%",
    "\x1c",
    "\ud800",
    "\x00",
    "<<<<<<< HEAD",
    "+ x\n# +\n# -",
]
KINDS = st.sampled_from(["code", "code", "markdown", "raw"])
LINES = st.one_of(
    st.sampled_from(sorted({line for source in SOURCES for line in source.split("\n")})),
    st.text(max_size=8),
    st.text(alphabet="#%/'\"\\ \n\t!?=ax`~[]()*-;{}", max_size=12),
)
TEXTS = st.one_of(st.sampled_from(SOURCES), st.lists(LINES, max_size=6).map("\n".join))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6), lambda inner: st.lists(inner, max_size=2)
)
TAGS = st.lists(st.text(max_size=6), min_size=1, max_size=3)
METADATA = st.fixed_dictionaries({}, optional={"tags": TAGS, "mlw": VALUES})
CELLS = st.lists(st.builds(Cell, st.none(), KINDS, TEXTS, METADATA), max_size=5)
NAMES = st.one_of(
    st.text(max_size=12), st.sampled_from(["python3", "true", "no", "a: b", "- x", "it's", "é", "'", "1.5", ".inf"])
)


def same(found: Notebook, wanted: Notebook) -> None:
    assert [(c.kind, c.source, c.metadata) for c in found.cells] == [
        (c.kind, c.source, {key: c.metadata[key] for key in c.metadata if key in {"tags", "mlw"}}) for c in wanted.cells
    ]
    assert found.language == wanted.language
    assert found.metadata.get("kernelspec", {}) == wanted.metadata.get("kernelspec", {})


def in_language(cells: list[Cell], language: str) -> Notebook:
    kernel = {"display_name": language, "language": language, "name": language}
    return Notebook(tuple(cells), language, {"kernelspec": kernel} if language != "python" else {})


@pytest.mark.parametrize("kind", ["code", "markdown", "raw"])
@pytest.mark.parametrize("source", SOURCES)
def test_every_awkward_source_comes_back(source: str, kind: str) -> None:
    one, between = Cell(None, kind, source), Cell(None, "markdown", "between")
    cells = [Cell(None, "code", "before"), one, between, one]
    for language in ("python", "r", "c++", "ocaml", "sql", "csharp", "go", "matlab", "rust"):
        notebook = in_language(cells, language)
        same(from_text(to_text(notebook)), notebook)


@settings(max_examples=600, deadline=None)
@given(cells=CELLS, language=st.sampled_from(["python", "python", "python", *LANGUAGES, "brainfuck"]))
@example(cells=[Cell(None, "code", 'x = """'), Cell(None, "code", '"""')], language="python")
@example(cells=[Cell(None, "markdown", "```"), Cell(None, "markdown", "```")], language="python")
def test_any_sources_come_back(cells: list[Cell], language: str) -> None:
    notebook = in_language(cells, language)
    text = to_text(notebook)
    same(from_text(text), notebook)
    assert to_text(from_text(text)) == text


@settings(max_examples=200, deadline=None)
@given(
    kernel=st.dictionaries(NAMES, NAMES | VALUES, max_size=3),
    language=st.sampled_from(["python", "r", "julia", "wolfram language"]),
)
def test_any_kernel_comes_back(kernel: dict[str, Any], language: str) -> None:
    kernel["language"] = language
    notebook = Notebook((Cell(None, "code", "x"),), language, {"kernelspec": kernel})
    same(from_text(to_text(notebook)), notebook)


@pytest.mark.parametrize("name", READABLE)
def test_awkward_notebooks_come_back(name: str) -> None:
    notebook = read_notebook(READABLE[name], name)
    if name == "not numbers":
        notebook = Notebook(())
    same(from_text(to_text(notebook)), notebook)


def oracle_format(language: str) -> dict[str, str]:
    return {
        "extension": language_of(language).suffix,
        "format_name": "percent",
        "cell_metadata_filter": "tags,mlw,-all",
        "notebook_metadata_filter": "kernelspec,-all",
    }


def oracle_writes(notebook: Notebook) -> str:
    import jupytext
    import nbformat

    document = json.loads(json.dumps(to_json(notebook)))
    for cell in document["cells"]:
        cell["source"] = "".join(cell["source"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text: str = jupytext.writes(nbformat.from_dict(document), fmt=oracle_format(notebook.language))
    return text


def oracle_reads(text: str, language: str) -> list[tuple[str, str]]:
    import jupytext

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = jupytext.reads(text, fmt={"extension": language_of(language).suffix, "format_name": "percent"})
    return [(cell.cell_type, cell.source) for cell in found.cells]


ORDINARY = [
    "import torch\nimport numpy as np",
    "def f(x):\n    return x",
    "class A:\n    a = 1\n\n    def f(self):\n        pass",
    "@decorated\ndef g():\n    pass",
    "async def h():\n    pass",
    "# only a comment",
    "# a comment\ndef i():\n    pass",
    "x = [\n    1,\n]\nx",
    "for i in range(3):\n    print(i)",
    'def j():\n    """Say.\n\n    More.\n    """',
    "print('it''s', \"x\")",
    "%load_ext mlwidgets",
    "%%train lenet --gpus 1\nmodel = fit()",
    "%%bash\nls -l | head",
    "%%R -i df\nplot(df)",
    "%%html\n<b>x</b>",
    "!pip list\nx = !ls\n%time f()\nf?",
    "if x:\n    %matplotlib inline",
    "",
    "a = 1  # 100 %",
    "x = '''\n# %% inside\n'''",
]
PROSE = ["", "# Heading\n\nSome *text* with `code`.\n\n- a\n- b", "$$x = 1$$\n\n```python\nx = 1\n```", "é ü 中文 😀"]
CHOSEN = st.fixed_dictionaries({}, optional={"tags": st.just(["parameters", "x y"]), "slideshow": st.just({"a": 1})})
ORDINARY_CELLS = st.lists(
    st.builds(Cell, st.none(), st.just("code"), st.sampled_from(ORDINARY), CHOSEN)
    | st.builds(Cell, st.none(), st.sampled_from(["markdown", "raw"]), st.sampled_from(PROSE), CHOSEN),
    max_size=8,
)


@settings(max_examples=250, deadline=None)
@given(cells=ORDINARY_CELLS)
def test_ordinary_notebooks_are_written_as_jupytext_writes_them(cells: list[Cell]) -> None:
    notebook = Notebook(tuple(cells), "python", {"kernelspec": KERNEL})
    text = to_text(notebook)
    assert text == oracle_writes(notebook)
    assert "lines=" not in text
    assert oracle_reads(text, "python") == [(cell.kind, cell.source) for cell in cells]


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"sql", "python", "matlab", "coconut"}))
def test_other_languages_are_written_as_jupytext_writes_them(language: str) -> None:
    cells = (
        Cell(None, "code", "x <- 1"),
        Cell(None, "code", "%%perl\nls"),
        Cell(None, "markdown", "Some é text"),
        Cell(None, "code", "%magic\nf(x)"),
    )
    kernel = {"display_name": "x", "language": language_of(language).name, "name": "x"}
    notebook = Notebook(cells, language, {"kernelspec": kernel})
    text = to_text(notebook)
    assert text == oracle_writes(notebook)
    # Jupytext forgets the end of a comment where a cell of another language has one.
    assert oracle_reads(text, language)[::3] == [(cell.kind, cell.source) for cell in cells][::3]


@pytest.mark.parametrize("language", ["julia", "r"])
def test_a_language_without_a_kernel_is_named(language: str) -> None:
    notebook = Notebook((Cell(None, "code", "x"),), language, {})
    assert from_text(to_text(notebook)).language == language
    assert oracle_reads(to_text(notebook), language) == [("code", "x")]


@settings(max_examples=300, deadline=None)
@given(cells=CELLS)
def test_jupytext_reads_what_it_can_write(cells: list[Cell]) -> None:
    """Where the sources come back from its own text, they do from ours."""
    notebook = Notebook(tuple(cells), "python", {"kernelspec": KERNEL})
    wanted = [(cell.kind, cell.source) for cell in cells]
    try:
        able = oracle_reads(oracle_writes(notebook), "python") == wanted
    except Exception:
        # Some metadata is more than it can read or write.
        able = False
    if able:
        assert oracle_reads(to_text(notebook), "python") == wanted


def test_what_the_examples_are() -> None:
    notebook = Notebook(
        (
            Cell("a", "markdown", "# Title\n\ntext", {"tags": ["intro"]}),
            Cell("b", "code", "%time x\n"),
            Cell("c", "code", "x\n# %%\ny"),
            Cell("d", "code", "  x = !ls"),
        ),
        "python",
        {"kernelspec": KERNEL},
    )
    assert to_text(notebook) == (
        "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Python 3 (ipykernel)\n#     language: python\n"
        "#     name: python3\n# ---\n\n"
        '# %% [markdown] tags=["intro"]\n# # Title\n#\n# text\n\n'
        "# %% lines=2\n# %time x\n\n\n"
        "# %% lines=3\nx\n# %%\ny\n\n"
        "# %% verbatim=1\n  x = !ls\n"
    )


def test_executed_sources_in_order() -> None:
    executed = [Executed("a", 1, "%load_ext x\ny"), Executed(None, 2, "f?"), Executed("a", 5, "")]
    assert executed_text(executed, "python") == "# %% In[1]\n# %load_ext x\ny\n\n# %% In[2]\n# f?\n\n# %% In[5]\n\n"
    assert [source for _, source in oracle_reads(executed_text(executed, "python"), "python")] == [
        "%load_ext x\ny",
        "f?",
        "",
    ]


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=200) | st.lists(LINES, max_size=20).map("\n".join))
def test_any_text_is_read(text: str) -> None:
    from_text(text)
