"""A report is a run: executed in a real kernel, watched, stopped, waited for and published as one."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

import mlwidgets
from mlwidgets.errors import RunFailed
from mlwidgets.reports.publishing.editions import PUBLISHED, Report
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore
from mlwidgets.views.data import snapshot
from tests.integration.report_support import (
    cells_told,
    code,
    executed,
    leaves_nothing,
    printed,
    send,
    text,
    write,
)
from tests.waiting import until

TALKATIVE = """
import os, sys, mlwidgets
from IPython.display import HTML, clear_output, display
print("region", region, epochs)
sys.stderr.write("careful\\n")
os.system("echo from a child")
mlwidgets.log(loss=0.5)
mlwidgets.check(epochs == 3, "three epochs")
handle = display(HTML("<b>first</b>"), display_id=True)
handle.update(HTML("<b>second</b>"))
for n in range(3):
    clear_output(wait=True)
    display(HTML(f"<i>{n}</i>"))
os.getcwd(), os.environ["MLWIDGETS_RUN_FOLDER"]
"""
LATER = """
from IPython.display import display
h = display("early", display_id=True)
kernel = get_ipython().kernel
parent = kernel.get_parent()
def send_late():
    said = {"name": "stdout", "text": "late words\\n"}
    kernel.session.send(kernel.iopub_socket, "stream", said, parent=parent, ident=b"stream.stdout")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def done(folder: Path) -> Iterator[Run]:
    """A notebook that was executed once for several tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLWIDGETS_STORE", str(folder / ".mlwidgets"))
        yield send(
            folder,
            text("# Sales"),
            code('region: str = "EU"  # where\nepochs = 10', "parameters"),
            text("## Numbers"),
            TALKATIVE,
            code("raise ValueError('expected')", "raises-exception"),
            code("raise ValueError('never')", "skip-execution"),
            "",
            LATER,
            "send_late()\nh.update('late')\nprint('\\r'.join(f'{n:3} %' for n in range(0, 101, 10)))\nprint('end')",
            name="sales figures ü",
            params={"epochs": "3"},
            publish=True,
        ).wait(120)


def test_it_is_executed_as_in_jupyter(done: Run, folder: Path) -> None:
    assert (done.state, done.cause) == ("finished", None)
    cells = executed(done)
    assert [cell["cell_type"] for cell in cells[:4]] == ["markdown", "code", "code", "markdown"]
    assert cells[2]["source"] == "# Parameters\nepochs = 3"
    talk = cells[4]
    # The cell's own clear_output has taken away what it printed and showed before.
    kinds = [(one["output_type"], one.get("data", {}).get("text/html")) for one in talk["outputs"]]
    assert kinds == [("display_data", "<i>2</i>"), ("execute_result", None)]
    shown = talk["outputs"][1]["data"]["text/plain"]
    assert ast.literal_eval(shown) == (str(folder), str(done.path))
    assert [cell.get("execution_count") for cell in cells] == [None, 1, 2, None, 3, 4, None, None, 5, 6]
    assert cells[5]["outputs"][0]["ename"] == "ValueError"
    assert cells[6]["outputs"] == []
    assert printed(cells[9]) == "100 %\nend\n"
    assert list(done.outputs.iterdir()) == [done.outputs / "sales figures ü.ipynb"]
    nbformat.validate(json.loads((done.outputs / "sales figures ü.ipynb").read_bytes()))


def test_what_earlier_cells_still_say_is_theirs(done: Run) -> None:
    earlier, later = executed(done)[8:10]
    assert printed(earlier) == "late words\n"
    assert earlier["outputs"][0]["data"]["text/plain"] == "'late'"
    assert "late" not in json.dumps(later["outputs"])


def test_it_is_watched_as_a_run(done: Run) -> None:
    lines = done.output.splitlines()
    assert sorted(lines[:3]) == ["careful", "from a child", "region EU 3"]
    assert "ValueError" in done.output
    assert lines[-1] == "end"
    shown = [one.data for one in done.displays()]
    assert [one.get("text/html") for one in shown[:2]] == ["<i>2</i>", None]
    assert shown[-1]["text/plain"] == "'late'"
    assert done.params == {"epochs": 3}
    assert done.last_values() == {"loss": 0.5, "progress": 1.0}
    checks = list(read_lines(RunFolder(done.path).events, "check"))
    assert [(one["text"], one["passed"]) for one in checks] == [("three epochs", True)]


def test_each_cell_is_told(done: Run) -> None:
    events = list(read_lines(RunFolder(done.path).events, "cell"))
    assert [(one["index"], one["state"]) for one in events] == [
        (index, state) for index in (2, 3, 5, 6, 9, 10) for state in ("started", "finished")
    ]
    assert {one["of"] for one in events} == {10}
    assert [one["count"] for one in events[::2]] == [1, 2, 3, 4, 5, 6]
    assert [one["heading"] for one in events[::2]] == ["# Sales", "# Sales", *["## Numbers"] * 4]


def test_it_is_published(done: Run, folder: Path) -> None:
    report = Report(RunStore(folder / ".mlwidgets"), "sales-figures-u")
    until(lambda: report.find(done.id) is not None)
    edition = report.edition(done.id)
    assert (edition.state, edition.title) == (PUBLISHED, "Sales")
    assert "region EU 3" not in edition.page.read_text(encoding="utf-8")
    assert "<i>2</i>" in edition.page.read_text(encoding="utf-8")
    until(lambda: report.latest() is not None and not report.pending())
    latest = report.latest()
    assert latest is not None
    assert latest.id == done.id
    assert leaves_nothing(done)


def test_a_cell_that_fails_ends_it(tmp_path: Path) -> None:
    run = send(tmp_path, text("# T"), "print('before')", "def f():\n    1 / 0\nf()", "print('after')").wait(120)

    assert (run.state, run.cause) == ("failed", "cell 3: ZeroDivisionError: division by zero")
    assert "ZeroDivisionError" in str(run.error)
    with pytest.raises(RunFailed, match="ZeroDivisionError: division by zero"):
        run.raise_for_state()
    cells = executed(run)
    assert printed(cells[1]) == "before\n"
    assert cells[2]["outputs"][0]["ename"] == "ZeroDivisionError"
    assert (cells[3]["outputs"], cells[3]["execution_count"]) == ([], None)
    assert cells_told(run) == [(2, "started"), (2, "finished"), (3, "started"), (3, "failed")]
    assert leaves_nothing(run)


def test_a_notebook_that_trains_and_waits(tmp_path: Path) -> None:
    machine = tmp_path / "queue"
    machine.mkdir(mode=0o1777)
    # One place for all: the notebook must not keep it from its own run.
    (machine / "machine.json").write_text(json.dumps({"cpus": 1, "gpus": []}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLWIDGETS_QUEUE", str(machine))
        run = send(
            tmp_path,
            "%load_ext mlwidgets",
            "%%train lenet x=2\nfrom mlwidgets import log\nfor i in range(3): log(loss=x / (i + 1))\nresult = 21 * x",
            "lenet.wait(100)\nprint(lenet.state, lenet.result['result'])",
        ).wait(200)
    assert (run.state, run.cause) == ("finished", None)
    cells = executed(run)
    assert printed(cells[2]) == "finished 42\n"
    (view,) = [one for one in cells[1]["outputs"] if one["output_type"] == "display_data"]
    assert "finished" in json.dumps(view["data"]["application/vnd.mlwidgets.run+json"])
    trained = mlwidgets.run("lenet")
    assert trained.spec.provenance is not None
    assert trained.spec.provenance.notebook == str(tmp_path / "n.ipynb")
    assert trained.last_values() == {"loss": 2 / 3}
    assert run.last_values() == {"progress": 1.0}


def test_as_it_stands(tmp_path: Path) -> None:
    cell = code("raise RuntimeError('never executed')")
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "kept\n"}]
    run = send(tmp_path, text("# Kept"), cell, execute=False).wait(120)
    assert (run.state, run.cause) == ("finished", None)
    assert printed(executed(run)[1]) == "kept\n"
    assert cells_told(run) == []
    assert run.output == ""


def test_the_notebook_is_executed_as_it_was_sent(tmp_path: Path) -> None:
    first = send(
        tmp_path, "import time, pathlib\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)", name="first"
    )
    second = send(tmp_path, "print('as sent')", name="second", after=first)
    write(tmp_path / "second.ipynb", "print('changed')")
    (tmp_path / "go").touch()
    assert second.wait(120).output == "as sent\n"


def test_a_kernel_of_another_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = tmp_path / "jupyter" / "kernels" / "upper"
    kernel.mkdir(parents=True)
    (kernel / "upper.py").write_text(
        "from ipykernel.kernelapp import IPKernelApp\n"
        "from ipykernel.kernelbase import Kernel\n"
        "class Upper(Kernel):\n"
        "    implementation = banner = 'upper'\n"
        "    implementation_version = language_version = '1'\n"
        "    language_info = {'name': 'upper', 'mimetype': 'text/plain', 'file_extension': '.up'}\n"
        "    def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **_):\n"
        "        said = {'name': 'stdout', 'text': code.upper()}\n"
        "        self.send_response(self.iopub_socket, 'stream', said)\n"
        "        return {'status': 'ok', 'execution_count': 1, 'payload': [], 'user_expressions': {}}\n"
        "IPKernelApp.launch_instance(kernel_class=Upper)\n"
    )
    argv = [sys.executable, str(kernel / "upper.py"), "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Upper", "language": "upper"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    path = write(tmp_path / "n.ipynb", "quiet words", kernelspec={"name": "upper", "language": "upper"})
    run = mlwidgets.report(path, publish=False, wait=True)
    assert printed(executed(run)[0]) == "QUIET WORDS"
    assert run.spec.report is not None
    assert (run.spec.report["kernel"], run.spec.report["language"]) == ("upper", "upper")


def command(*words: str | Path, folder: Path) -> tuple[int, str, str]:
    environment = {**os.environ, "MLWIDGETS_STORE": str(folder / ".mlwidgets")}
    line = [sys.executable, "-m", "mlwidgets.cli", "report", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    return done.returncode, done.stdout, done.stderr


def test_by_command(tmp_path: Path) -> None:
    write(
        tmp_path / "my report.ipynb", text("# Mine"), code("n = 1", "parameters"), "assert n < 3, 'too many'\nprint(n)"
    )

    status, said, _ = command("run", "my report.ipynb", "--param", "n=2", "--show-code", "--no-pdf", folder=tmp_path)
    assert status == 0
    assert said.startswith("my-report: published ")
    page = Path(said.split(" ", 2)[2].strip())
    assert "<title>Mine" in page.read_text(encoding="utf-8")

    status, said, _ = command("run", "my report.ipynb", "--param", "n=3", folder=tmp_path)
    assert status == 1
    assert said.startswith(
        f"my-report: failed (cell 4: AssertionError: too many); the page stays that of {page.parent.name}"
    )
    assert said.count("\n") == 1

    assert command("run", "my report.ipynb", "--param", "m=3", folder=tmp_path) == (
        1, "", "mlwidgets: the notebook has no parameter 'm'; it has: n\n"
    )  # fmt: skip
    assert "time, such as 90" in command("run", "my report.ipynb", "--timeout", "soon", folder=tmp_path)[2]


def test_by_command_without_publishing(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", text("# Mine"), "print(1)")
    status, said, _ = command("run", path, "--no-publish", folder=tmp_path)
    assert (status, said.split()[:2]) == (0, ["n:", "finished"])
    made = Path(said.split()[2])
    assert printed(json.loads(made.read_bytes())["cells"][1]) == "1\n"

    assert command("export", made, "-o", "out.html", folder=tmp_path) == (0, "out.html\n", "")
    assert "<title>Mine" in (tmp_path / "out.html").read_text(encoding="utf-8")
    status, _, said = command("export", path, "-o", "code.html", folder=tmp_path)
    assert (status, said) == (0, "mlwidgets: no cell of n.ipynb was executed: `mlwidgets report run` does\n")
    status, _, said = command("export", made, "-o", "no/such/folder.html", folder=tmp_path)
    assert (status, said) == (1, "mlwidgets: cannot write no/such/folder.html: No such file or directory\n")


def test_a_running_one_shows_how_far_it_is(tmp_path: Path) -> None:
    run = send(tmp_path, "1", "print('half')\nimport time\ntime.sleep(100)")
    until(lambda: (2, "started") in cells_told(run) and "half" in run.output)
    done = snapshot(run).progress
    assert done is not None
    assert done.fraction == 0.5
    run.stop()
    assert run.wait(60).state == "stopped"
