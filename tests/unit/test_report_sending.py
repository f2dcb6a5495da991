"""Sending a notebook off: what is checked before anything is started, what the run is asked, what its file is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from mlwidgets.errors import MlwidgetsError, NotebookError, ParameterError
from mlwidgets.history.notebooks.notebook import read_notebook
from mlwidgets.reports import sending
from mlwidgets.reports.executing.document import NotebookFile, as_it_ends, heading_above, is_to_execute, prepared
from mlwidgets.reports.publishing.definition import read_definition
from mlwidgets.reports.publishing.editions import Report
from mlwidgets.reports.sending import send_report
from mlwidgets.runner.sweeping import EXECUTOR_MODULE, module_of
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.store import RunStore

PARAMETERS = 'region: str = "EU"\nepochs: int = 10'


def code(source: str, *tags: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": [], **more}


def text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def document(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}


SALES = document(text("# Sales"), code(PARAMETERS, "parameters"), code("print(region)"))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """What would be started, without a process: the run folder is made as ever."""
    specs: list[RunSpec] = []

    def only_make(store: RunStore, spec: RunSpec) -> RunFolder:
        specs.append(spec)
        return store.create_run(spec)

    monkeypatch.setattr(sending, "send_off", only_make)
    return specs


def write(path: Path, content: Any = SALES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def store_here() -> RunStore:
    return RunStore(Path(os.environ["MLWIDGETS_STORE"]))


def test_what_the_run_is_asked(tmp_path: Path, sent: list[RunSpec]) -> None:
    path = write(tmp_path / "data" / ".." / "sales.ipynb")
    folder = send_report(path, params={"region": "US"}, cell_timeout=60, timeout=90, tags={"a": "b"}, note="n")

    spec = folder.read_spec()
    assert spec == sent[0]
    assert spec.name == "sales"
    assert spec.params == {"region": "'US'"}
    assert spec.resources.cpus == 1
    assert (spec.resources.timeout, spec.tags, spec.note) == (90, {"a": "b"}, "n")
    assert spec.provenance is not None
    assert (spec.provenance.cwd, spec.provenance.notebook) == (str(tmp_path), str(tmp_path / "sales.ipynb"))
    assert "region = 'US'" in spec.code
    assert spec.code.index("epochs: int = 10") < spec.code.index("region = 'US'") < spec.code.index("print(region)")
    report = dict(spec.report or {})
    assert json.loads(bytes(ObjectStore(folder.store / "objects").read(report.pop("notebook")))) == SALES
    assert report == {
        "path": str(tmp_path / "sales.ipynb"),
        "kernel": "python3",
        "language": "python",
        "cell_timeout": 60,
        "publish": "sales",
        "execute": True,
    }
    assert module_of(spec) == EXECUTOR_MODULE


def test_data_are_named_from_where_the_kernel_works(
    tmp_path: Path, sent: list[RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "reports" / "sales.ipynb")
    (tmp_path / "sales.csv").write_text("1,2\n")
    monkeypatch.chdir(tmp_path)
    send_report(path, data=["sales.csv", tmp_path / "sales.csv"])
    absolute = str(tmp_path / "sales.csv")
    assert sent[0].data == (
        {"path": "../sales.csv", "absolute": absolute},
        {"path": absolute, "absolute": absolute},
    )
    with pytest.raises(ParameterError, match=r"--data gone\.csv: there is no such file"):
        send_report(path, data=["gone.csv"])


def test_the_report_is_defined_and_expected(tmp_path: Path, sent: list[RunSpec]) -> None:
    path = write(tmp_path / "sales.ipynb")
    send_report(path, settings={"title": "Sales", "keep": 3}, params={"epochs": 3})
    send_report(path, settings={"show_code": True})

    defined = read_definition(store_here(), "sales")
    assert (defined.title, defined.keep, defined.show_code, defined.notebook) == ("Sales", 3, True, str(path))
    assert defined.params == {}
    assert sorted(Report(store_here(), "sales").pending()) == sorted(spec.id for spec in sent)


def test_without_publishing_there_is_no_report(tmp_path: Path, sent: list[RunSpec]) -> None:
    send_report(write(tmp_path / "sales.ipynb"), publish=False)

    assert sent[0].report is not None
    assert sent[0].report["publish"] is None
    assert not (store_here().path / "reports").exists()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("sales figures.ipynb", "sales-figures"),
        ("Übersicht Juni.ipynb", "Ubersicht-Juni"),
        ("报告.ipynb", "report"),
        ("..hidden..ipynb", "hidden"),
        ("-rf.ipynb", "rf"),
        ("a" * 200 + ".ipynb", "a" * 100),
        ("$(rm -rf x);'\"<b>.ipynb", "rm-rf-x-b"),
    ],
)
def test_names_of_files(tmp_path: Path, sent: list[RunSpec], file: str, name: str) -> None:
    folder = send_report(write(tmp_path / file))
    assert folder.read_spec().name == name
    assert folder.path.parent == store_here().runs


def test_two_files_of_one_name_do_not_take_each_others_address(tmp_path: Path, sent: list[RunSpec]) -> None:
    first, second = write(tmp_path / "a" / "sales.ipynb"), write(tmp_path / "b" / "sales.ipynb")
    send_report(first)
    with pytest.raises(ParameterError, match=r"there is a report 'sales' of .*/a/sales.ipynb: .* --name"):
        send_report(second)
    send_report(second, name="other")
    first.rename(tmp_path / "moved.ipynb")
    send_report(second)
    assert read_definition(store_here(), "sales").notebook == str(second)


@pytest.mark.parametrize(
    ("cell", "cpus"),
    [
        ("%%train lenet\nx = 1", 0),
        ("%%sweep s --maximize a lr=uniform(0, 1)\npass", 0),
        ("import mlwidgets\nmlwidgets.train('x = 1')", 0),
        ("from mlwidgets import log, sweep\nsweep(f)", 0),
        ("from sklearn.model_selection import train_test_split", 1),
        ("from mine import train\ntrain()", 1),
        ("# %%train is for later", 1),
    ],
)
def test_a_notebook_that_sends_runs_takes_no_place_from_them(
    tmp_path: Path, sent: list[RunSpec], cell: str, cpus: int
) -> None:
    assert send_report(write(tmp_path / "a.ipynb", document(code(cell)))).read_spec().resources.cpus == cpus
    assert send_report(tmp_path / "a.ipynb", cpus=1).read_spec().resources.cpus == 1


FORMAT_5 = {"cells": [], "nbformat": 5}


@pytest.mark.parametrize(
    ("content", "asked", "error", "message"),
    [
        (None, {}, NotebookError, "there is no notebook .*; check the path"),
        ("", {}, NotebookError, "is empty"),
        ("{", {}, NotebookError, "is not JSON"),
        ("[]", {}, NotebookError, "is no notebook"),
        (FORMAT_5, {}, NotebookError, "format 5"),
        (document({"cell_type": "code", "source": 3}), {}, NotebookError, "the source of cell 1 is no text"),
        (document("x"), {}, NotebookError, "cell 1 is no cell"),  # type: ignore[arg-type]
        (SALES, {"params": {"regoin": "US"}}, ParameterError, "no parameter 'regoin'; did you mean 'region'"),
        (SALES, {"params": {"epochs": "many"}}, ParameterError, "'epochs' is int .*'many'"),
        (document(code("1")), {"params": {"a": 1}}, ParameterError, "no parameter 'a': no code cell"),
        (document(code("a: int", "parameters")), {}, ParameterError, "'a' has no default"),
        (document(code("a = (", "parameters")), {}, ParameterError, "is no Python"),
        (SALES, {"params": {"region": "US"}, "execute": False}, ParameterError, "parameters have no effect"),
        (SALES, {"kernel": "pyhton3"}, NotebookError, r"no kernel 'pyhton3' .* did you mean 'python3'\?"),
        (SALES, {"kernel": "../../x"}, NotebookError, r"no kernel '../../x'"),
        (document(kernelspec={"name": "ir", "language": "R"}), {}, NotebookError, "no kernel 'ir' .*python3"),
        (document(kernelspec={"name": 3}, language_info={"name": "R"}), {}, NotebookError, "in r and names no kernel"),
        (SALES, {"name": "../up"}, ParameterError, "'../up' cannot be a run's name"),
        (SALES, {"name": "index.html"}, ParameterError, "cannot be called 'index.html'"),
        (SALES, {"name": "a b"}, ParameterError, "cannot be a run's name"),
        (SALES, {"settings": {"color": "red"}}, ParameterError, "'color' is no setting"),
        (SALES, {"settings": {"keep": 0}}, ParameterError, "keep=0 cannot be set"),
        (SALES, {"settings": {"title": "x"}, "publish": False}, ParameterError, "'title' is set for a report"),
        (SALES, {"cell_timeout": 0}, ParameterError, "time-out of a cell must be more than 0"),
        (SALES, {"cell_timeout": float("nan")}, ParameterError, "time-out of a cell must be more than 0"),
        (SALES, {"timeout": -1}, ParameterError, "time-out must be more than 0"),
        (SALES, {"cpus": -1}, ParameterError, "ask for 0 or more CPU places"),
        (SALES, {"after": "nobody"}, MlwidgetsError, "nobody"),
    ],
)
def test_what_cannot_be_started_is_said_in_one_line(
    tmp_path: Path,
    sent: list[RunSpec],
    content: Any,
    asked: dict[str, Any],
    error: type[MlwidgetsError],
    message: str,
) -> None:
    path = tmp_path / "sales.ipynb"
    if content is not None:
        write(path, content)
    with pytest.raises(error, match=message) as raised:
        send_report(path, **asked)
    assert "\n" not in str(raised.value)
    assert sent == []
    assert not (store_here().path / "reports").exists()


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    for name in ("pipe.ipynb", "folder.ipynb"):
        with pytest.raises(NotebookError, match="is no notebook's file"):
            send_report(tmp_path / name)


def test_format_3_is_read_as_format_4(tmp_path: Path, sent: list[RunSpec]) -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [{"cells": [{"cell_type": "code", "input": "print(1)", "language": "python", "outputs": []}]}],
    }
    folder = send_report(write(tmp_path / "old.ipynb", old))
    kept = json.loads(bytes(ObjectStore(folder.store / "objects").read((sent[0].report or {})["notebook"])))
    assert (kept["nbformat"], kept["cells"][0]["source"]) == (4, "print(1)")


def test_what_an_earlier_execution_left_is_forgotten() -> None:
    shown = {"output_type": "stream", "name": "stdout", "text": "old\n"}
    raw = document(
        {**code("print(1)", outputs=[shown], execution_count=7), "metadata": {"execution": {"x": "y"}, "mine": 1}},
        code("2", "skip-execution", outputs=[shown], execution_count=8),
        widgets={"state": {}},
        kernelspec={"name": "python3"},
    )
    cleared = prepared(raw, clear=True)
    assert cleared["metadata"] == {"kernelspec": {"name": "python3"}}
    first, second = cleared["cells"]
    assert (first["outputs"], first["execution_count"], first["metadata"]) == ([], None, {"mine": 1})
    assert (second["outputs"], second["execution_count"]) == ([shown], 8)
    assert [is_to_execute(cell) for cell in cleared["cells"]] == [True, False]

    kept = prepared(raw, clear=False)
    assert kept["cells"][0]["outputs"] == [shown]
    assert kept["metadata"] == raw["metadata"]
    assert raw["cells"][0]["outputs"] == [shown]


def test_a_damaged_notebook_becomes_one_that_tools_can_read() -> None:
    raw: dict[str, Any] = {
        "cells": [
            {"cell_type": "code", "source": ["a = 1\n", "a"]},
            {"cell_type": "code", "id": "x", "metadata": {"tags": "parameters"}, "source": "1", "outputs": None},
            {"cell_type": "markdown", "id": "x", "metadata": None, "source": "text"},
            {"cell_type": "heading", "id": "y", "source": "old"},
        ],
        "metadata": None,
        "nbformat_minor": 5,
    }
    done = prepared(raw, clear=True)
    nbformat.validate(done)
    assert [cell["cell_type"] for cell in done["cells"]] == ["code", "code", "markdown", "raw"]
    assert len({cell["id"] for cell in done["cells"]}) == 4
    assert read_notebook(done, "n").cells[0].source == "a = 1\na"


def test_heading_above_a_cell() -> None:
    cells = [
        text("# Title\n\nwords"),
        code("1"),
        text("```\n# no heading\n```\n## Sales   by region ##\nwords"),
        text("words alone"),
        code("2"),
        text(f"# {'long ' * 40}"),
        code("3"),
    ]
    assert [heading_above(cells, place) for place in (0, 1, 4)] == [None, "# Title", "## Sales by region"]
    longest = heading_above(cells, 6)
    assert longest is not None
    assert len(longest) == 60
    assert longest.endswith("…")


@pytest.mark.parametrize(
    ("printed", "left"),
    [
        ("", ""),
        ("a\nb\n", "a\nb\n"),
        ("  0 %\r 50 %\r100 %\nend\n", "100 %\nend\n"),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("a\rb\r\n\rc", "b\r\nc"),
        ("\r", "\r"),
        # In a time that grows with the text, not with its square.
        ("x" * 5_000_000 + "\ra", "a"),
        ("x\r" * 2_000_000 + "a", "a"),
    ],
)
def test_what_was_gone_back_over_is_left_out(printed: str, left: str) -> None:
    assert as_it_ends(printed) == left


def test_the_file_is_whole_and_not_written_for_every_cell(tmp_path: Path) -> None:
    path = tmp_path / "out" / "n.ipynb"
    path.parent.mkdir()
    asked = []

    def content() -> dict[str, Any]:
        asked.append(1)
        return document(text(f"\ud800 ü {len(asked)}"))

    file = NotebookFile(path, content)
    for _ in range(1000):
        file.write_soon()
    assert len(asked) < 10
    file.write()
    assert json.loads(path.read_text(encoding="utf-8")) == document(text(f"\ud800 ü {len(asked)}"))
    assert [one.name for one in path.parent.iterdir()] == ["n.ipynb"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    file = NotebookFile(tmp_path / "n.ipynb", lambda: document(text("good")))
    file.write()
    bad = NotebookFile(tmp_path / "n.ipynb", lambda: {"cells": [object()]})
    with pytest.raises(TypeError):
        bad.write()
    assert json.loads((tmp_path / "n.ipynb").read_text())["cells"][0]["source"] == "good"
