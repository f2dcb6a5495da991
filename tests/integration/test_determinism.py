"""The same spec twice gives the same bits: cold and warm, from processes that were told and imported other things."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runner import warm

TRAININGS = {
    "sets": """
words = {f"word{n}" for n in range(200)}
total = 0.0
for at, word in enumerate(words):
    total = total * 1.0000001 + len(word) / (at + 1)
    trace.append(total)
trace += [float(hash("text") % 1000), random.random()]
""",
    "numpy": """
import numpy as np
x, w = np.random.randn(500, 20), np.zeros(20)
y = x @ np.arange(20) + np.random.randn(500)
for step in range(20):
    rows = np.random.permutation(500)[:64]
    error = x[rows] @ w - y[rows]
    w -= 0.01 * x[rows].T @ error / 64
    trace.append(float((error**2).mean()))
trace += [random.random(), float(np.random.rand())]
""",
    "torch": """
import torch
from torch.utils.data import DataLoader, Dataset
class Points(Dataset):
    def __len__(self):
        return 96
    def __getitem__(self, i):
        import numpy as np
        noise = torch.randn(16) + float(np.random.rand())
        return noise, (noise.sum() > 0).long()
net = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.Dropout(0.3), torch.nn.ReLU(), torch.nn.Linear(64, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(2):
    for x, y in DataLoader(Points(), batch_size=16, shuffle=True, num_workers=2):
        loss = torch.nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad(); loss.backward(); optimizer.step()
        trace.append(float(loss))
trace.append(float(torch.rand(())))
""",
    "sklearn": """
import numpy as np
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split
x, y = make_classification(400)
parts = train_test_split(x, y)
for model in (SGDClassifier(), RandomForestClassifier(20, n_jobs=2), HistGradientBoostingClassifier(max_iter=5)):
    model.fit(parts[0], parts[2])
    predict = getattr(model, "decision_function", None) or model.predict_proba
    trace += [float(value) for value in np.ravel(predict(parts[1]))[:50]]
""",
}
CODE = """
import os, random, sys
from mlwidgets import log
trace = []
{training}
for value in trace:
    log(value=value)
command = open("/proc/self/cmdline").read()
about = dict(
    warm="warm_server" in command, threads=os.environ.get("OMP_NUM_THREADS"), hash=sys.flags.hash_randomization
)
"""

PROLOGUE = """
import json, os, sys, time
from dataclasses import replace
import mlwidgets
from mlwidgets.runner import warm
from mlwidgets.api import open_run
from mlwidgets.runs.spec import new_run_id
from mlwidgets.submit import open_store, send_off

def seen(run):
    assert run.wait(200).state == "finished", (run, run.output, run.error)
    return [run.id, [float(v).hex() for v in run.metrics["value"]], run.result["about"]]

def again(run, **asked):
    store = open_store()
    spec = store.find(run).read_spec()
    spec = replace(spec, id=new_run_id("again"), resources=replace(spec.resources, **asked))
    return seen(open_run(send_off(store, spec).path))

def warmed(name):
    warm.prepare()
    deadline = time.monotonic() + 300
    mine = warm.fingerprint(os.environ)
    while not any(one.key.startswith(mine) and name in one.modules for one in warm.warm_processes()):
        assert time.monotonic() < deadline, "nothing got warm"
        time.sleep(0.05)
"""


class Users:
    """Several who share a store, each in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def does(self, code: str, **environment: str | None) -> Any:
        """Run a program with environment variables of its own; return what it bound to `told`."""
        own = {**os.environ, "MLWIDGETS_STORE": str(self._folder / "s"), "MLWIDGETS_WARM": str(self._folder / "w")}
        given = {name: value for name, value in {**own, **environment}.items() if value is not None}
        program = f"{PROLOGUE}\n{code}\nprint('TOLD', json.dumps(told))"
        done = subprocess.run(
            [sys.executable, "-c", program], env=given, cwd=self._folder, capture_output=True, text=True, timeout=400,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.rpartition("TOLD ")[2])

    def warmly(self, module: str, code: str, **environment: str | None) -> Any:
        """Do it while a process is warm that has imported a module."""
        for _ in range(10):
            self.does(f"import {module}; told = warmed({module.split('.')[0]!r})", **environment)
            told = self.does(code, **environment)
            if all(one[2]["warm"] for one in told):
                return told
            # It leaves when a file that it has imported has changed.
        raise AssertionError(f"never warm: {told}")


@pytest.fixture(scope="module")
def users() -> Iterator[Users]:
    # The path of a socket may have a hundred characters only.
    with tempfile.TemporaryDirectory(prefix="mlw-", ignore_cleanup_errors=True) as folder:
        yield Users(Path(folder))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLWIDGETS_WARM", f"{folder}/w")
            warm.end_warm_processes()


@pytest.mark.parametrize(
    ("training", "known"),
    [
        ("sets", ""),
        ("numpy", ""),
        ("numpy", "import numpy; numpy.random.rand()"),
        ("torch", ""),
        ("torch", "import torch; torch.rand(())"),
        ("sklearn", ""),
    ],
    ids=["sets", "numpy", "numpy-with-a-state", "torch", "torch-with-a-state", "sklearn"],
)
def test_the_same_bits_each_time(users: Users, training: str, known: str) -> None:
    code = CODE.format(training=TRAININGS[training])
    first, values, about = users.does(
        f"{known}\ntold = seen(mlwidgets.train({code!r}, name='first', namespace={{}}, cold=True))",
        PYTHONHASHSEED="random",
        OMP_NUM_THREADS="2",
    )
    assert about == {"warm": False, "threads": "2", "hash": 0}
    assert len(values) > 10
    assert len(set(values)) > 5
    # Another who has been told otherwise and has imported other things, cold and warm.
    cold = users.does(f"told = again({first!r})", PYTHONHASHSEED="11", OMP_NUM_THREADS="1", MKL_DYNAMIC="FALSE")
    assert (cold[1], cold[2]["threads"]) == (values, "2")
    module = "torch" if training == "torch" else "numpy.random"
    (forked,) = users.warmly(module, f"told = [again({first!r}, cold=False)]", OMP_NUM_THREADS="2")
    assert forked[1] == values


def test_runs_that_were_submitted_apart_draw_apart(users: Users) -> None:
    code = CODE.format(training="import numpy, torch\ntrace = [numpy.random.rand(), float(torch.rand(()))]")
    submit = f"seen(mlwidgets.train({code!r}, name='x', namespace={{}}))"
    # Whoever submits has no states: those of the warm process would be the same for all.
    one, two = users.warmly("torch", f"told = [{submit} for _ in range(2)]")
    assert not set(one[1]) & set(two[1])


def test_a_seed_counts_wherever_the_libraries_are_imported(users: Users) -> None:
    import_late = "import importlib.util\nimportlib.util.find_spec('torch')\nimport numpy, torch\n"
    code = CODE.format(training=import_late + "trace = [numpy.random.rand(), float(torch.rand(())), random.random()]")
    submit = f"seen(mlwidgets.train({code!r}, name='x', namespace={{}}, seed=5, cold=True))[1]"
    inline = (
        "import random, numpy, torch; random.seed(5); numpy.random.seed(5); torch.manual_seed(5)\n"
        "inline = [v.hex() for v in (numpy.random.rand(), float(torch.rand(())), random.random())]\n"
    )
    first = users.does(f"told = {submit}")
    assert users.does(f"{inline}told = [inline, {submit}]") == [first, first]


def test_children_that_import_a_library_themselves_draw_apart(users: Users) -> None:
    pool = """
import multiprocessing
def draw(number):
    import numpy, time
    time.sleep(0.2)
    return multiprocessing.current_process().name, numpy.random.rand()
with multiprocessing.Pool(2) as pool:
    drawn = dict(pool.map(draw, range(2), chunksize=1))
trace = [drawn[name] for name in sorted(drawn)]
"""
    code = CODE.format(training=pool)
    first, values, _ = users.does(f"told = seen(mlwidgets.train({code!r}, name='x', namespace={{}}, cold=True))")
    assert len(set(values)) == 2
    assert users.does(f"told = again({first!r})")[1] == values
