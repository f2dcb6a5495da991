"""Real trainings that are killed and go on: the same metrics, to the bit, as if nobody had killed them."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlwidgets
from mlwidgets.cli import main
from mlwidgets.errors import CannotRerun
from mlwidgets.history.comparing.metrics import first_difference
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.store import RunStore
from tests.integration.test_stopping import machine
from tests.laws import soon
from tests.machine import Machine, kill
from tests.notebook import Notebook

__all__ = ["machine"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests look for processes in /proc")

TORCH = """
import torch
from torch import nn
from mlwidgets import checkpoint, log, resume

x = torch.randn(96, 8)
y = (x.sum(1, keepdim=True) > 0).float()
shuffling = torch.Generator().manual_seed(3)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 16, shuffle=True, generator=shuffling)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
start = resume(model, optimizer, scheduler, shuffling)
for epoch in range(start, epochs):
    model.train()
    for a, b in loader:
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(a + 0.1 * torch.randn_like(a)), b)
        loss.backward()
        optimizer.step()
        log(loss=loss)
    scheduler.step()
    model.eval()
    accuracy = ((model(x) > 0) == (y > 0.5)).float().mean()
    log(val_accuracy=accuracy, lr=scheduler.get_last_lr()[0])
    checkpoint(model, optimizer, scheduler, shuffling, epoch=epoch, val_accuracy=accuracy)
    between(epoch)
"""

NUMPY = """
import random
import numpy as np
from mlwidgets import checkpoint, log, resume

rng = np.random.default_rng(5)
x = rng.normal(size=(64, 4))
y = x @ np.array([1.0, -2.0, 0.5, 3.0]) + rng.normal(size=64)
w, momentum = np.zeros(4), np.zeros(4)
best = {"loss": float("inf"), "epoch": -1}
for epoch in range(resume(w, momentum, best, rng), epochs):
    for batch in np.array_split(rng.permutation(64), 8):
        gradient = x[batch].T @ (x[batch] @ w - y[batch]) / 8 + 1e-3 * np.random.randn(4) + 1e-3 * random.random()
        momentum *= 0.9
        momentum += gradient
        w -= 0.01 * momentum
    loss = float(np.mean((x @ w - y) ** 2))
    if loss < best["loss"]:
        best.update(loss=loss, epoch=epoch)
    log(loss=loss, best=best["loss"])
    checkpoint(w, momentum, best, rng, loss=loss)
    between(epoch)
"""

SKLEARN = """
import numpy as np
from sklearn.linear_model import SGDClassifier
from mlwidgets import checkpoint, log, resume

rng = np.random.RandomState(7)
x = rng.randn(200, 5)
y = (x[:, 0] + 0.3 * rng.randn(200) > 0).astype(int)
model = SGDClassifier(loss="log_loss", learning_rate="adaptive", eta0=0.05)
start = resume(model, rng)
for epoch in range(start, epochs):
    order = rng.permutation(200)
    model.partial_fit(x[order], y[order], classes=[0, 1])
    log(accuracy=model.score(x, y), norm=float(np.linalg.norm(model.coef_)))
    checkpoint(model, rng, epoch=epoch, accuracy=model.score(x, y))
    between(epoch)
"""

EPOCHS = 16
UNDISTURBED = f"epochs = {EPOCHS}\ndef between(epoch): pass\n"
DISTURBED = f"""
import glob, os, signal, threading, time
epochs = {EPOCHS}
def between(epoch): time.sleep(0.03)
delay = float(open(delays).readlines()[0])
rest = open(delays).readlines()[1:]
open(delays, "w").writelines(rest)
if delay:
    made = os.environ["MLWIDGETS_RUN_FOLDER"] + "/checkpoints/0*"
    before = glob.glob(made)
    def end():
        # Each attempt gets something done.
        while glob.glob(made) == before:
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Thread(target=end, daemon=True).start()
"""


@pytest.mark.parametrize("code", [TORCH, NUMPY, SKLEARN], ids=["torch", "numpy", "sklearn"])
def test_killed_at_random_moments_and_tried_again(machine: Machine, tmp_path: Path, code: str) -> None:
    chance = random.Random()
    moments = [f"{chance.uniform(0.0, 0.08)}\n" for _ in range(3)]
    delays = tmp_path / "delays"
    delays.write_text("".join([*moments, "0\n"]))
    whole = mlwidgets.train(UNDISTURBED + code, name="whole", namespace={}, seed=1)
    run = mlwidgets.train(
        DISTURBED + code, name="killed", namespace={}, params={"delays": str(delays)}, seed=1, retries=3
    )
    assert run.wait(120).state == "finished", run.output
    assert whole.wait(120).state == "finished", whole.output
    assert len(list(read_lines(run.path / "events.jsonl", "attempt"))) == 3, moments
    assert first_difference(whole.columns(), run.columns()) == {}, (moments, run.output)
    assert run.metrics.equals(whole.metrics)
    assert "mlwidgets: goes on from checkpoint" in run.output
    assert run.checkpoints[-1].next == EPOCHS
    assert 1 <= len(run.checkpoints) <= 3


def test_a_run_goes_on_as_another_one(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    whole = mlwidgets.train(UNDISTURBED + NUMPY, name="whole", namespace={}, seed=1).wait(60)
    code = NUMPY.replace("between(epoch)", "time.sleep(60 * (epoch == hold))")
    first = mlwidgets.train(
        f"import time\n{code}", name="long", namespace={}, params={"epochs": EPOCHS, "hold": 4}, seed=1
    )
    assert soon(lambda: len(list(read_lines(first.path / "events.jsonl", "checkpoint"))) == 5, 60), first.output
    with pytest.raises(CannotRerun, match="it is running: stop it or wait for its end"):
        mlwidgets.resume_run(first)
    first.stop()
    first.wait(60)
    second = mlwidgets.resume_run("long", {"hold": 8})
    assert soon(lambda: len(list(read_lines(second.path / "events.jsonl", "checkpoint"))) == 4, 60), second.output
    kill(second, "supervisor", "worker")
    shutil.rmtree(first.path)
    assert main(["resume", second.id, "--name", "longer", "--wait", "hold=-1"]) == 0
    third = mlwidgets.run("longer")
    assert f"longer goes on from {second.id} as {third.id}\nlonger: finished" in capsys.readouterr().out
    assert (third.name, third.spec.resumes, third.spec.rerun_of) == ("longer", second.id, None)
    assert main(["show", "longer", "--json"]) == main(["show", "longer"]) == 0
    said = capsys.readouterr().out
    assert f'"resumes": "{second.id}"' in said
    assert re.search(r"since long, .+ \(killed\): hold 8 → -1", said), said
    assert first_difference(whole.columns(), third.columns()) == {}
    assert third.result["epoch"] == EPOCHS - 1
    assert third.output.count("goes on from checkpoint 9, made after epoch 8") == 1
    told: list[str] = []
    longer = mlwidgets.resume_run(
        third, {"epochs": EPOCHS + 3}, wait=True, tell=lambda found: told.extend(found.differences)
    )
    assert longer.columns()["loss"].steps.tolist() == list(range(EPOCHS + 3))
    assert not any("nothing left" in one for one in told)
    # Without more epochs there is nothing to do, which is said before and not forbidden.
    capsys.readouterr()
    assert main(["resume", longer.id, "--name", "idle", "--cpus", "0", "--timeout", "1h", "--wait", "hold=-2"]) == 0
    said = capsys.readouterr().err
    assert f"it has finished: after epoch {EPOCHS + 2} its code may find nothing left to do" in said
    idle = mlwidgets.run("idle")
    assert idle.columns()["loss"].steps.tolist() == list(range(EPOCHS + 3))
    assert (idle.spec.resources.cpus, idle.spec.resources.timeout) == (0, 3600.0)
    assert main(["resume", third.id, "nonsense"]) == 1
    assert main(["resume", third.id, "--all"]) == 1
    assert "'nonsense' is no parameter" in capsys.readouterr().err
    with pytest.raises(CannotRerun, match="no parameter"):
        mlwidgets.resume_run(third, {"epoch": 3})


def test_what_cannot_go_on(machine: Machine) -> None:
    code = "from mlwidgets import checkpoint\nmodel = [1]\nif make: checkpoint(model)\nraise ValueError"
    for make, message in ((False, "it has no checkpoint"), (True, "its code never called resume\\(\\)")):
        run = mlwidgets.train(code, name="no", namespace={}, params={"make": make}, retries=1).wait(60)
        assert ("the code keeps checkpoints and begins anew all the same" in run.output) == make
        with pytest.raises(CannotRerun, match=f"no cannot go on: {message}"):
            mlwidgets.resume_run(run)
    assert len(mlwidgets.runs()) == 2


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Notebook]:
    notebook = Notebook(tmp_path)
    yield notebook
    notebook.close()


CELL = """
from mlwidgets import checkpoint, log, resume
for epoch in range(resume(model, history), 4):
    model.weight = [0.1, 0.9, 0.3, 0.2][epoch]
    history.append(epoch)
    log(val_accuracy=model.weight)
    checkpoint(model, history, epoch=epoch, val_accuracy=model.weight)
if hold:
    import time
    time.sleep(60)
"""


def test_a_notebook_loads_the_best_and_goes_on(opened: Notebook, tmp_path: Path) -> None:
    opened.run("class Model:\n    weight = 0.0\nmodel, history = Model(), []")
    opened.train("first hold=False", CELL)
    said = opened.run("%runs load first --best\nprint(model.weight, history)").text
    assert "updated in place: " in said
    assert "checkpoint 2, made after epoch 1: val_accuracy 0.9" in said
    assert "0.9 [0, 1]" in said
    assert "0.2 [0, 1, 2, 3]" in opened.run("%runs load first --last\nprint(model.weight, history)").text
    opened.run("model, history = Model(), []")
    assert "0.0 [0, 1]" in opened.run("%runs load first history --best\nprint(model.weight, history)").text
    # One that was killed has no results, and its states are there all the same.
    opened.run("model, history = Model(), []")
    opened.train("second hold=True", CELL, state=None)
    opened.run("import time\nwhile len(second.checkpoints) < 2 or second.checkpoints[-1].number < 4: time.sleep(0.05)")
    opened.run("import os, signal\nfrom mlwidgets.runs.alive import holder")
    opened.run(
        "for role in ('supervisor', 'worker'): os.kill(holder(second.path / 'alive', role), signal.SIGKILL)\n"
        "_ = second.wait()"
    )
    assert "0.9 [0, 1]" in opened.run("%runs load second --best\nprint(model.weight, history)").text
    opened.run("del model")
    said = opened.run("%runs load second --last\nprint(model.weight, history)").text
    assert "loaded from second: model" in said
    opened.run("%runs resume second hold=False --name third --wait")
    assert (
        "finished [0.1, 0.9, 0.3, 0.2]"
        in opened.run(
            "import mlwidgets\nrun = mlwidgets.run('third')\nprint(run.state, run.metrics['val_accuracy'].tolist())"
        ).text
    )
    # Who waits for it stops it with an interrupt, as if it ran here.
    waits = threading.Thread(target=opened.run, args=("%runs resume second --name fourth --wait",))
    waits.start()
    store = RunStore(tmp_path / ".mlwidgets")
    begun = soon(
        lambda: any(list(read_lines(path / "events.jsonl", "resumed")) for path in store.runs.glob("*-fourth-*")), 60
    )
    os.kill(opened.pid, signal.SIGINT)
    waits.join(60)
    assert begun
    assert opened.value("(mlwidgets.run('fourth').state, mlwidgets.run('fourth').cause)") == (
        "stopped",
        "stopped by interrupt of the kernel",
    )
    said = opened.run("%runs load second nothing --best", fails=True).text
    assert "has no 'nothing'" in said
    opened.train("bare", "x = 1")
    assert "bare has no checkpoint" in opened.run("%runs load bare --last", fails=True).text
