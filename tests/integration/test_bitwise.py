"""Real trainings done again from their folders alone: the same bits, whatever has become of the world since."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from mlwidgets import api
from mlwidgets.again import rerun
from mlwidgets.archives.exporting import export
from mlwidgets.archives.importing import import_runs
from mlwidgets.cli import main
from mlwidgets.errors import CannotRerun, ParameterError
from mlwidgets.reruns.verdict import await_verdict
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import STORE_VARIABLE, RunStore
from mlwidgets.runs.verdict import Verdict
from tests.notebook import Notebook

NOBODY = 65534
SETUP = """
import random
import numpy as np, torch, sklearn.ensemble, sklearn.linear_model
from torch import nn
import helpers
import mlwidgets
from mlwidgets import log, log_image
torch.set_num_threads(2)
np.random.seed(7); torch.manual_seed(7); random.seed(7)
points = np.random.randn(256, 8).astype("float32")
labels = (points[:, :3].sum(1) > 0).astype("int64")
images = torch.randn(48, 1, 12, 12)
classes = torch.randint(0, 3, (48,))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))

    def forward(self, x):
        return self.layers(x)

def jitter(x):
    return x + np.random.randn(*x.shape).astype("float32") * scale
scale = 0.01

def shift():
    import later
    return later.SHIFT
"""
HELPERS = "import numpy as np\n\ndef noise(n):\n    return np.random.rand(n) * 0.1\n"
LATER = "SHIFT = 0.25\n"
NETS = """
from torch.utils.data import DataLoader, TensorDataset
data = TensorDataset(torch.from_numpy(jitter(points)), torch.from_numpy(labels))
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=lr)
for epoch in range(3):
    for x, y in DataLoader(data, batch_size=32, shuffle=True):
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad(); loss.backward(); optimizer.step()
        log(mlp_loss=loss.item())
first = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.2))
net = nn.Sequential(first, nn.Flatten(), nn.Linear(800, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(2):
    for x, y in DataLoader(TensorDataset(images, classes), batch_size=16, shuffle=True, num_workers=2):
        loss = nn.functional.cross_entropy(net(x + torch.randn_like(x) * 0.1), y)
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    log(cnn_loss=loss.item(), weight=first[0].weight.sum().item())
    log_image("filters", first[0].weight[0, 0].detach().numpy())
"""
CLASSIC = """
weights = np.zeros(8)
for epoch in range(4):
    for i in np.random.permutation(len(points)):
        error = points[i] @ weights - labels[i]
        weights -= lr * 0.01 * error * (points[i] + helpers.noise(8) + shift())
    log(sgd_loss=float(((points @ weights - labels) ** 2).mean()), chance=random.random())
for depth in (2, 4):
    trees = sklearn.ensemble.RandomForestClassifier(8, max_depth=depth).fit(jitter(points), labels)
    log(probability=float(trees.predict_proba(points)[:, 0].sum()), depth=depth)
model = sklearn.linear_model.SGDClassifier(loss="log_loss")
for epoch in range(4):
    order = np.random.permutation(len(points))
    model.partial_fit(points[order], labels[order], classes=[0, 1])
    log(accuracy=model.score(points, labels), linear_weight=float(model.coef_.sum()))
total = 0.0
for n, word in enumerate({"alpha", "beta", "gamma", "delta", "epsilon", "zeta"}):
    total = total / 3 + len(word) * random.random()
    log(words=total)
"""
TRAININGS = {
    "nets": ("nets lr=0.01", NETS),
    "nets-seeded": ("nets-seeded --deterministic --seed 3 lr=0.01", NETS),
    "classic": ("classic lr=0.1", CLASSIC),
    "classic-seeded": ("classic-seeded --seed 1 lr=0.1", CLASSIC),
}
TABLE = "log(sum=factor * float(np.loadtxt('table.csv', delimiter=',').sum()))"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store in which everything was trained once; of the notebook, its kernel and its modules nothing is left."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "helpers.py").write_text(HELPERS)
    (folder / "later.py").write_text(LATER)
    (folder / "table.csv").write_text("1,2,3\n")
    notebook = Notebook(folder)
    notebook.run(SETUP)
    for line, code in TRAININGS.values():
        notebook.train(line, code, state=None)
    notebook.train("table --data table.csv factor=1", TABLE, state=None)
    for name in TRAININGS:
        notebook.run(f"run = mlwidgets.run({name!r}).wait(180); assert run.state == 'finished', run.output")
    notebook.run("assert mlwidgets.run('table').wait(180).state == 'finished'")
    # What is in the kernel, in its files and in its folder is another thing by now.
    notebook.run("points = labels = None\ndef jitter(x): return x * 0\nclass Net: pass\nscale = 9")
    notebook.close()
    (folder / "helpers.py").write_text("def noise(n):\n    return 17\n")
    (folder / "later.py").write_text("SHIFT = 99\n")
    yield folder / ".mlwidgets"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """That store, seen from another directory."""
    monkeypatch.setenv(STORE_VARIABLE, str(trained))
    monkeypatch.chdir(tmp_path)
    return RunStore(trained)


def seen_through(run: Run) -> Verdict:
    run.wait(180)
    assert run.state == "finished", (run.cause, run.output, run.error)
    verdict = await_verdict(RunFolder(run.path))
    assert verdict is not None
    return verdict


def test_trainings_give_the_same_bits(store: RunStore) -> None:
    firsts = [api.run(name) for name in TRAININGS]
    for first, again in zip(firsts, [rerun(first) for first in firsts], strict=True):
        verdict = seen_through(again)
        assert verdict.equal is True, verdict.text()
        assert verdict.of == again.rerun_of == first.id
        assert set(again.columns()) == set(first.columns()) != set()
        assert ("images" in verdict.text()) == first.name.startswith("nets"), verdict.text()
        assert again.spec.provenance is not None
        assert first.spec.provenance is not None
        assert again.spec.provenance.cwd == first.spec.provenance.cwd


def test_two_changes_and_nothing_else(store: RunStore) -> None:
    """A parameter, and a variable of the notebook that a function reads; the classes are where they were."""
    first = api.run("classic-seeded")
    again = rerun(first, {"lr": 0.2, "scale": 0.02}, name="faster")
    verdict = seen_through(again)
    assert (verdict.equal, verdict.changed) == (None, [["lr", "0.1", "0.2"], ["scale", "0.01", "0.02"]])
    assert "sgd_loss: best" in verdict.text()
    old, new = first.columns(), again.columns()
    assert old["sgd_loss"].values[0] != new["sgd_loss"].values[0]
    assert old["probability"].values[0] != new["probability"].values[0]
    assert old["words"].values.tolist() == new["words"].values.tolist()
    third = rerun("faster")
    assert third.rerun_of == again.id
    assert seen_through(third).equal is True


def test_from_a_shell(store: RunStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rerun", "table", "--wait", "--name", "table-again"]) == 0
    assert "the same to the bit as" in capsys.readouterr().out
    assert main(["rerun", "table", "factor=2", "--exit-code", "--name", "twice"]) == 1
    assert "factor 1 → 2" in capsys.readouterr().out
    assert main(["rerun", "table", "--json", "facter=3"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert "no parameter 'facter'" in told["problems"][0]
    assert not told["forcible"]
    before = store.ids()
    assert main(["rerun", "table", "--dry-run"]) == 0
    assert main(["rerun", "table", "--dry-run", "--json", "--gpus", "9"]) == 1
    assert store.ids() == before
    assert main(["rerun", "table", "lr"]) == 1
    assert "'lr' is no parameter" in capsys.readouterr().err


def test_data_that_changed_are_told_before_and_after(store: RunStore) -> None:
    table = store.path.parent / "table.csv"
    table.write_text("1,2,4\n")
    with pytest.raises(CannotRerun, match=r"table\.csv have changed"):
        rerun("table")
    assert len([one for one in store.ids() if "-table-" in one and "again" not in one]) == 1
    verdict = seen_through(rerun("table", force=True))
    assert verdict.equal is False
    assert verdict.chip == "differs from step 0"
    assert "6.0 → 7.0" in verdict.summary
    assert "the data table.csv" in verdict.details[0]
    table.unlink()
    with pytest.raises(CannotRerun, match=r"table\.csv are missing"):
        rerun("table")


def test_only_what_a_literal_can_say(store: RunStore) -> None:
    with pytest.raises(ParameterError, match="Python literal"):
        rerun("classic", {"lr": object()})


def test_from_an_archive_in_another_store(store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(store, [api.run("nets-seeded").id], tmp_path / "runs.zip")
    other = RunStore(tmp_path / "elsewhere" / ".mlwidgets")
    other.prepare()
    import_runs(other, tmp_path / "runs.zip")
    monkeypatch.setenv(STORE_VARIABLE, str(other.path))
    with pytest.raises(CannotRerun, match="came from elsewhere"):
        rerun("nets-seeded", force=True)
    api.run("nets-seeded").trust()
    assert seen_through(rerun("nets-seeded")).equal is True


def test_as_another_user(store: RunStore, tmp_path: Path) -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() or setpriv is None:
        pytest.skip("only root becomes another user")
    first = next(run for run in map(api.run, store.ids()) if run.name == "classic" and run.rerun_of is None)
    export(store, [first.id], tmp_path / "run.zip")
    with tempfile.TemporaryDirectory(prefix="mlw-") as home:
        shutil.copy(tmp_path / "run.zip", home)
        (Path(home) / "queue").mkdir()
        os.chown(home, NOBODY, NOBODY)
        os.chown(Path(home) / "queue", NOBODY, NOBODY)
        # This interpreter may lie where only root can look.
        reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        user = (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *reads)
        places = {"HOME": home, STORE_VARIABLE: f"{home}/.mlwidgets", "MLWIDGETS_QUEUE": f"{home}/queue"}

        def mlwidgets(*words: str) -> subprocess.CompletedProcess[str]:
            command = [*user, sys.executable, "-m", "mlwidgets.cli", *words]
            environment = {**os.environ, **places, "MLWIDGETS_WARM": f"{home}/warm", "PYTHONDONTWRITEBYTECODE": "1"}
            return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=180)

        assert mlwidgets("import", "run.zip").returncode == 0
        assert "came from elsewhere" in mlwidgets("rerun", "classic").stderr
        assert mlwidgets("trust", "classic").returncode == 0
        done = mlwidgets("rerun", "classic", "--exit-code", "--json")
        assert done.returncode == 0, (done.stdout, done.stderr)
        told = json.loads(done.stdout)
        assert (told["verdict"]["equal"], told["state"]) == (True, "finished")
        spec = RunFolder(Path(home) / ".mlwidgets" / "runs" / told["id"]).read_spec()
        assert spec.provenance is not None
        assert spec.provenance.user == "nobody"


CHANCE = """
import numpy as np
from mlwidgets import log
rng = np.random.default_rng()
for step in range(3):
    log(drawn=float(rng.random()), same=step)
"""


def test_chance_that_no_seed_repeats_is_named(store: RunStore) -> None:
    run = api.train(CHANCE, name="chance", namespace={"__name__": "__main__"}, wait=True)
    verdict = seen_through(rerun(run))
    assert (verdict.equal, verdict.chip) == (False, "differs from step 0")
    assert [one["name"] for one in verdict.first] == ["drawn"]
    assert any("line 4: default_rng() draws another seed" in line for line in verdict.details)


STOPPED = """
import time
import numpy as np
from mlwidgets import log
for step in range(300):
    log(drawn=float(np.random.rand()))
    if step == 40 and slow:
        time.sleep(600)
"""


def test_a_run_that_was_stopped_is_compared_as_far_as_it_got(store: RunStore) -> None:
    run = api.train(STOPPED, name="stopped", namespace={"__name__": "__main__"}, params={"slow": True})
    while "drawn" not in run.columns() or len(run.columns()["drawn"].values) < 41:
        assert not run.ended, run.error
    run.stop()
    run.wait(60)
    again = rerun(run)
    while "drawn" not in again.columns() or len(again.columns()["drawn"].values) < 41:
        assert not again.ended, again.error
    again.stop()
    again.wait(60)
    verdict = await_verdict(RunFolder(again.path))
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (True, "same bits in 41 steps")


def test_a_trial_again(store: RunStore) -> None:
    code = """
    import numpy as np
    from mlwidgets import log
    w = np.random.randn()
    for step in range(5):
        w -= lr * 2 * (w - 1) + np.random.randn() * 0.01
        log(loss=(w - 1) ** 2)
    """
    space = {"lr": "loguniform(0.01, 0.3)"}
    namespace = {"__name__": "__main__"}
    sweep = api.sweep(dedent(code), space=space, minimize="loss", trials=1, name="find", seed=1, namespace=namespace)
    sweep.wait(120)
    trial = next(run for run in map(api.run, store.ids()) if run.spec.trial_of == sweep.id)
    again = rerun(trial)
    assert seen_through(again).equal is True
    assert (again.spec.trial_of, again.name) == (None, trial.name)


def test_from_another_notebook(trained: Path, tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, {STORE_VARIABLE: str(trained)})
    try:
        said = notebook.run("%runs rerun classic --wait --name classic2").text
        assert "the same to the bit as" in said
        assert notebook.value("classic2.verdict.equal") is True
        assert "the same to the bit as" in notebook.run("%runs show classic2").shown[-1]["text/plain"]
        # Nothing of it came into the notebook.
        assert notebook.value("'model' in globals()") is False
        assert "did you mean" in notebook.run("%runs rerun classic lrr=3", fails=True).text
        assert "--force" in notebook.run("%runs rerun --help").text
    finally:
        notebook.close()
