"""Where real runs of a real kernel came from: the work tree, the data, the libraries, and what differs between them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from mlwidgets.archives.exporting import export
from mlwidgets.archives.importing import import_runs
from mlwidgets.capture.data import check_data
from mlwidgets.cli import main
from mlwidgets.housekeeping.checking import check
from mlwidgets.runs.data import read_data
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.libraries import read_libraries
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.uncommitted import read_patch
from tests.histories import commit, git
from tests.laws import soon
from tests.notebook import Notebook

TRAIN = """
import numpy as np, torch
from mlwidgets import log
from rates import rate
torch.manual_seed(0)
numbers = torch.from_numpy(np.loadtxt("data/train.csv", delimiter=",", dtype=np.float32))
model = torch.nn.Linear(2, 1)
for step in range(3):
    loss = model(numbers).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= rate * p.grad
    model.zero_grad()
    log(loss=loss)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / "rates.py").write_text("rate = 0.1\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("1,2\n3,4\n")
    (tmp_path / ".gitignore").write_text("data\n__pycache__\n")
    commit(tmp_path)
    return tmp_path


def folder_of(nb: Notebook, name: str) -> RunFolder:
    """Return the folder of an ended run when all that the background finds out is in it."""
    folder = RunFolder(Path(nb.value(f"str({name}.path)")))
    assert soon(lambda: bool(read_data(folder)))
    return folder


def test_two_runs_and_what_lies_between_them(project: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    nb = Notebook(project)
    try:
        (project / "rates.py").write_text("rate = 0.2\n")
        index = (project / ".git" / "index").read_bytes()
        nb.train("first --data data --data data/train.csv", TRAIN)
        first = folder_of(nb, "first")
        (project / "rates.py").write_text("rate = 0.3\n")
        (project / "more.py").write_text("x = 1\n")
        (project / "data" / "train.csv").write_text("1,2\n3,5\n")
        nb.run("import importlib, rates; importlib.reload(rates)")
        nb.train("second --data data --data data/train.csv", TRAIN)
        second = folder_of(nb, "second")
        assert (project / ".git" / "index").read_bytes() == index
        assert git(project, "stash", "list") == ""

        told = read_libraries(first)
        assert told["modules"]["numpy"] == version("numpy")
        assert {"numpy", "torch"} <= set(told["imported"])
        assert "rates" not in told["imported"]
        assert (told["torch"]["version"], told["torch"]["deterministic"]) == (version("torch"), False)

        assert read_data(first)["data"] != read_data(second)["data"]
        assert not read_data(first)["data/train.csv"]["changed"]
        assert [line.split(":")[0] for line in check_data(first, project)] == [
            "the data data have changed",
            "the data data/train.csv have changed",
        ]
        assert check_data(second, project) == []

        shown = nb.run("%runs diff first second").shown[0]["text/plain"]
        for part in ("uncommitted rates.py", "uncommitted more.py", "data/train.csv", "modules"):
            assert part in shown

        assert main(["--store", str(project / ".mlwidgets"), "show", "--diff", "second"]) == 0
        patch = capfdbinary.readouterr().out
        assert b"-rate = 0.1\n+rate = 0.3\n" in patch
        assert list(check(RunStore(project / ".mlwidgets"))) == []
    finally:
        nb.close()

    # On another machine the folder alone says it.
    export(RunStore(project / ".mlwidgets"), ["second"], project / "run.zip")
    other = RunStore(project / "elsewhere" / ".mlwidgets")
    import_runs(other, project / "run.zip")
    assert read_patch(RunFolder(other.runs / second.id)) == patch
    assert check_data(RunFolder(other.runs / second.id), project) == []
    assert list(check(other)) == []


def test_trials_have_what_their_sweep_has(project: Path) -> None:
    nb = Notebook(project)
    try:
        nb.run(
            "%%sweep search --minimize loss --trials 2 --concurrent 2 --data data lr=uniform(0, 1)\n"
            "import sklearn.linear_model\nfrom mlwidgets import log\n"
            "sklearn.linear_model.Ridge(alpha=lr).fit([[0.0], [1.0]], [0.0, 1.0])\nlog(loss=lr)"
        )
        nb.run("search.wait()")
        sweep = RunFolder(Path(nb.value("str(search.path)")))
        assert soon(lambda: bool(read_data(sweep)))
    finally:
        nb.close()
    trial = next(one for one in RunStore(sweep.store).folders() if one.read_spec().trial_of == sweep.id)
    assert trial.read_spec().data == sweep.read_spec().data != ()
    assert not list(trial.path.glob(".environment*"))
    assert read_data(trial) == read_data(sweep)
    assert check_data(trial, project) == []
    assert read_libraries(trial)["modules"]["scikit-learn"] == version("scikit-learn")


def test_what_one_run_writes_is_what_the_next_one_reads(project: Path) -> None:
    made = project / "data" / "made.csv"
    made.write_text("old\n")
    nb = Notebook(project)
    try:
        nb.run(f"%%train make\nimport time\ntime.sleep(2)\nopen({str(made)!r}, 'w').write('new, and longer\\n')")
        nb.train("use --after make --data data/made.csv", f"text = open({str(made)!r}).read()")
        folder = folder_of(nb, "use")
        assert nb.value("use.result['text']") == "new, and longer\n"
    finally:
        nb.close()
    told = read_data(folder)["data/made.csv"]
    assert (told["bytes"], told["changed"]) == (16, False)
    assert check_data(folder, project) == []


def test_gathering_that_is_killed_leaves_a_store_that_is_whole(project: Path) -> None:
    (project / "rates.py").write_text("rate = 0.2\n")
    submit = (
        "import sys; from mlwidgets.runs.store import RunStore; from mlwidgets.runs.spec import *\n"
        "from pathlib import Path\n"
        "store = RunStore(Path(sys.argv[1])); store.prepare()\n"
        "spec = RunSpec(id=new_run_id('lost'), name='lost', code='', submitted_at=1.0,"
        " provenance=Provenance(sys.argv[2], sys.executable, '3', 'h', 'u'),"
        " data=({'path': 'data', 'absolute': sys.argv[2] + '/data'},))\n"
        "print(store.create_run(spec).path)"
    )
    store = RunStore(project / ".mlwidgets")
    for delay in range(0, 400, 40):
        arguments = (sys.executable, "-c", submit, str(store.path), str(project))
        made = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()
        gather = subprocess.Popen((sys.executable, "-m", "mlwidgets.capture.provenance", made, str(project)))
        try:
            gather.wait(delay / 1000)
        except subprocess.TimeoutExpired:
            os.kill(gather.pid, signal.SIGKILL)
        gather.wait()
    list(check(store, repair=True))
    left = [one for one in check(store) if "temporary" not in one.what and "was begun" not in one.what]
    # A run that nobody ever ran has no outcome.
    assert [one for one in left if not one.where.endswith("outcome.json")] == []
    git(project, "fsck", "--strict")
