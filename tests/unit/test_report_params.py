from __future__ import annotations

import ast
import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwidgets.cli import main
from mlwidgets.errors import NotebookError, ParameterError
from mlwidgets.history.notebooks.notebook import read_notebook
from mlwidgets.reports.parameters.params import Param, check_params, inject, read_params

CELL = '''%matplotlib inline
# What the report is about.
region = "EU"  # which region: EU or US
epochs: int = 10
rate = 1e-3  # type: float of learning
data: Path = Path("data/x.csv")
names = ["a",
         "b"]  # who
limit: float | None = None
kind: Literal["daily", "weekly"] = "daily"
left, right = 1, True
since = "2026-01-01"
nothing = None
must: str
text = """
%no magic
"""
print(region)
'''


def notebook(source: str = CELL, *, tags: Any = ("parameters",), language: str = "python") -> dict[str, Any]:
    tags = list(tags) if isinstance(tags, tuple) else tags
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "k", "display_name": "k", "language": language}},
        "cells": [
            {"cell_type": "markdown", "id": "m", "metadata": {"tags": ["parameters"]}, "source": "# Sales"},
            {"cell_type": "code", "id": "p", "metadata": {"tags": tags}, "source": source, "outputs": [],
             "execution_count": None},
            {"cell_type": "code", "id": "c", "metadata": {}, "source": ["1 +\n", "1"], "outputs": [],
             "execution_count": 1},
        ],
    }  # fmt: skip


def params(source: str = CELL, **more: Any) -> dict[str, Param]:
    return {param.name: param for param in read_params(read_notebook(notebook(source, **more), "n.ipynb"))}


def test_what_the_cell_says_of_each() -> None:
    found = params()
    assert [(p.name, p.default, p.type, p.help) for p in found.values()] == [
        ("region", '"EU"', "str", "which region: EU or US"),
        ("epochs", "10", "int", ""),
        ("rate", "1e-3", "float", "of learning"),
        ("data", 'Path("data/x.csv")', "Path", ""),
        ("names", '["a",\n         "b"]', "list", "who"),
        ("limit", "None", "float | None", ""),
        ("kind", '"daily"', "Literal['daily', 'weekly']", ""),
        ("left", "1", "int", ""),
        ("right", "True", "bool", ""),
        ("since", '"2026-01-01"', "str", ""),
        ("nothing", "None", "", ""),
        ("must", None, "str", ""),
        ("text", '"""\n%no magic\n"""', "str", ""),
    ]


def test_of_the_same_name_the_last_counts() -> None:
    assert params("a = 1\nb = 2\na = 'x'") == {"a": Param("a", "'x'", "str"), "b": Param("b", "2", "int")}


@pytest.mark.parametrize("tags", [(), ("parameter",), "parameters", None, 7, [{}]])
def test_only_the_tag_makes_parameters(tags: Any) -> None:
    assert params(tags=tags) == {}


def test_a_cell_that_is_no_python() -> None:
    with pytest.raises(ParameterError, match=r"tagged 'parameters' is no Python: .*\(line 2\); mend it"):
        params("a = 1\nb = = 2")
    with pytest.raises(ParameterError, match="is no Python"):
        params("a = " + "(" * 5000 + ")" * 5000)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("region", "US", "US"), ("region", "7", "7"), ("region", "", ""), ("region", "a b\n'\"", "a b\n'\""),
        ("epochs", "20", 20), ("epochs", "-1", -1), ("epochs", 7, 7), ("epochs", np.int64(7), 7),
        ("rate", "1", 1.0), ("rate", "1e-4", 1e-4), ("rate", "inf", math.inf), ("rate", 2, 2.0),
        ("rate", np.float32(0.5), 0.5),
        ("right", "false", False), ("right", "Yes", True), ("right", "0", False), ("right", True, True),
        ("names", "['c']", ["c"]), ("names", '["c", true]', ["c", True]), ("names", ("c",), ["c"]),
        ("limit", "None", None), ("limit", "2", 2.0), ("limit", None, None),
        ("kind", "weekly", "weekly"),
        ("data", "other.csv", "other.csv"), ("data", Path("a") / "b", "a/b"),
        ("since", "2026-02-03", "2026-02-03"), ("since", dt.date(2026, 2, 3), "2026-02-03"),
        ("nothing", "EU", "EU"), ("nothing", "[1, 2]", [1, 2]), ("nothing", "null", None),
    ],
)  # fmt: skip
def test_a_value_becomes_of_its_parameters_type(name: str, text: Any, value: Any) -> None:
    found = check_params({"must": "x", name: text}, tuple(params().values()))[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("epochs", "ten", r"^the parameter 'epochs' is int \(default 10\): 'ten' is no int$"),
        ("epochs", "1.5", "'1.5' is no int"),
        ("epochs", True, "True is no int"),
        ("epochs", "True", "'True' is no int"),
        ("rate", "fast", "'fast' is no float"),
        ("rate", "1" + "0" * 400, "too large"),
        ("right", "maybe", "write true or false"),
        ("right", 2, "2 is no bool"),
        ("names", "a,b", r"\(default \[\"a\", \"b\"\]\): 'a,b' is no list: write it as \[1, 2\]"),
        ("limit", "much", r"is float \| None \(default None\): 'much' is no float"),
        ("kind", "yearly", "'yearly' is none of 'daily', 'weekly'"),
        ("region", 5, "5 is no str"),
        ("regio", "EU", r"^the notebook has no parameter 'regio'; did you mean 'region'\? it has: region, epochs,"),
        ("zzz", "EU", r"^the notebook has no parameter 'zzz'; it has: region,"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_given(name: str, text: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as raised:
        check_params({"must": "x", name: text}, tuple(params().values()))
    assert "\n" not in str(raised.value)


def test_one_without_a_default_must_be_given() -> None:
    with pytest.raises(ParameterError, match="'must' has no default"):
        check_params({"epochs": 3}, tuple(params().values()))


def test_a_notebook_without_parameters_takes_none() -> None:
    assert check_params({}, ()) == {}
    with pytest.raises(ParameterError, match="no parameter 'region': no code cell that assigns one is tagged"):
        check_params({"region": "EU"}, ())


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("list[int]", "[1, 2]", [1, 2]), ("dict[str, float]", "{'a': 1}", {"a": 1.0}),
        ("tuple[int, str]", "[1, 'a']", (1, "a")), ("tuple[int, ...]", "(1, 2)", (1, 2)), ("set[int]", "[1, 1]", {1}),
        ("Optional[int]", "None", None), ("Union[str, int]", "5", 5), ("typing.List[str]", "['a']", ["a"]),
        ("'int'", "5", 5), ("pd.Timestamp", "2026-01-01", "2026-01-01"), ("Annotated[int, 'x']", "5", 5),
        ("datetime.date", "2026-01-01", "2026-01-01"), ("Literal[1, 2]", "2", 2),
    ],
)  # fmt: skip
def test_annotations(annotation: str, text: str, value: Any) -> None:
    found = check_params({"a": text}, tuple(params(f"a: {annotation} = x").values()))["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("annotation", "text"),
    [("list[int]", "[1, 'a']"), ("tuple[int, str]", "(1,)"), ("Literal['a']", "b"), ("Optional[int]", "x")],
)
def test_annotations_that_a_value_does_not_keep(annotation: str, text: str) -> None:
    with pytest.raises(ParameterError, match="the parameter 'a' is "):
        check_params({"a": text}, tuple(params(f"a: {annotation} = x").values()))


def test_other_languages() -> None:
    found = params('region <- "EU" # which\nn = 5L\nok = TRUE\nif (x == 1) 5\nprint(1)', language="R")
    assert [(p.name, p.default, p.type, p.help) for p in found.values()] == [
        ("region", '"EU"', "str", "which"), ("n", "5L", "", ""), ("ok", "TRUE", "bool", ""),
    ]  # fmt: skip
    found = params('val n: Int = 5 // how many\nvar s = "a";', language="scala")
    assert [(p.name, p.default, p.type, p.help) for p in found.values()] == [
        ("n", "5", "int", "how many"), ("s", '"a"', "str", ""),
    ]  # fmt: skip


def injected(values: dict[str, Any], document: dict[str, Any] | None = None) -> dict[str, Any]:
    document = notebook() if document is None else document
    before = json.dumps(document)
    found = inject(document, values)
    assert json.dumps(document) == before
    nbformat.validate(found)
    return found


def tags(document: dict[str, Any]) -> list[str]:
    return [",".join(cell["metadata"].get("tags", ())) for cell in document["cells"] if cell["cell_type"] == "code"]


def test_values_stand_behind_the_parameters() -> None:
    found = injected({"region": "US", "epochs": 2})
    assert tags(found) == ["parameters", "injected-parameters", ""]
    assert found["cells"][2]["source"] == "# Parameters\nregion = 'US'\nepochs = 2"


def test_given_again_they_take_their_place() -> None:
    first = injected({"region": "US"})
    second = injected({"epochs": 2}, first)
    assert tags(second) == ["parameters", "injected-parameters", ""]
    assert second["cells"][2]["source"] == "# Parameters\nepochs = 2"
    assert [c["source"] for c in injected({}, second)["cells"]] == [c["source"] for c in notebook()["cells"]]


def test_without_a_cell_of_parameters_they_stand_on_top() -> None:
    document = notebook(tags=())
    assert injected({"a": 1}, document)["cells"][0]["metadata"]["tags"] == ["injected-parameters"]


def test_an_older_notebook_gets_no_id() -> None:
    document = notebook()
    document["nbformat_minor"] = 4
    for cell in document["cells"]:
        del cell["id"]
    assert "id" not in injected({"a": 1}, document)["cells"][2]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_python_reads_back_what_was_given(value: Any) -> None:
    source = inject(notebook(), {"x": value})["cells"][2]["source"]
    namespace: dict[str, Any] = {}
    exec(compile(ast.parse(source), "cell", "exec"), namespace)
    assert repr(namespace["x"]) == repr(value)


def test_other_languages_are_written_in_their_words() -> None:
    values = {"a": None, "b": True, "c": [1, 2.5], "d": 'x "$y"', "e": {"k": math.inf}, "f": (1,), "g": -math.inf}

    def source(language: str) -> list[str]:
        return inject(notebook("", language=language), values)["cells"][2]["source"].split("\n")[1:]

    assert source("R") == [
        "a = NULL", "b = TRUE", "c = list(1, 2.5)", 'd = "x \\"$y\\""', 'e = list("k" = Inf)',
        "f = list(1)", "g = -Inf",
    ]  # fmt: skip
    assert source("julia") == [
        "a = nothing", "b = true", "c = [1, 2.5]", 'd = "x \\"\\$y\\""', 'e = Dict("k" => Inf)', "f = (1,)", "g = -Inf",
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="cannot be given to a notebook in rust, only in Python, R, Julia"):
        source("rust")


@pytest.mark.parametrize("name", ["a b", "import", "x;import os", "", "a\nb"])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises(ParameterError, match="is no name of a parameter"):
        inject(notebook(), {name: 1})


def test_only_what_can_be_written_is_given() -> None:
    assert inject(notebook(), {"a": {1}, "b": set()})["cells"][2]["source"].split("\n")[1:] == ["a = {1}", "b = set()"]
    with pytest.raises(ParameterError, match=r"<object object at .* cannot be given: write a number, a text"):
        inject(notebook(), {"a": [object()]})
    with pytest.raises(NotebookError):
        inject({}, {"a": 1})


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sales.ipynb"
    path.write_text(json.dumps(notebook('region = "EU"  # which\nepochs: int = 10\nx = "\x1b[31m"  # \x1b[0m')))
    assert main(["report", "params", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "name    default  type  help",
        'region  "EU"     str   which',
        "epochs  10       int",
        'x       "?[31m"  str   ?[0m',
    ]
    assert main(["report", "params", "--json", str(path)]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first == {"name": "region", "default": '"EU"', "type": "str", "help": "which"}
    path.write_text(json.dumps(notebook(tags=())))
    assert main(["report", "params", str(path)]) == 0
    assert capsys.readouterr().out == f"{path} has no parameters: tag the code cell that assigns them 'parameters'\n"
    assert main(["report", "params", str(tmp_path / "none.ipynb")]) == 1
    assert "there is no notebook" in capsys.readouterr().err
