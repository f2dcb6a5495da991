"""``--deterministic``: torch's switches are on however the code comes to torch, and what has no such form is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mlwidgets
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.nondeterminism import nondeterministic
from mlwidgets.runs.run import Run

SWITCHES = """
import os, sys, torch
switches = [torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark]
cublas = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
"""
PUT = "torch.zeros(4).put_(torch.tensor([0, 1]), torch.tensor([1.0, 2.0]))"


def finished(code: str, *, deterministic: bool = True) -> Run:
    """Run code to its end in a fresh process that has imported nothing for it."""
    run = mlwidgets.train(code, name="x", namespace={}, deterministic=deterministic, cold=True).wait(200)
    assert run.state == "finished", (run, run.output, run.error)
    return run


def test_the_switches_are_on_wherever_torch_is_imported() -> None:
    code = """
compiler = "torch._inductor.config" in sys.modules
import torch._inductor.config
compiled = torch._inductor.config.deterministic
"""
    run = finished(SWITCHES + code)
    assert run.result["switches"] == [True, True, True, False]
    assert run.result["cublas"] in {":4096:8", ":16:8"}
    assert (run.result["compiler"], run.result["compiled"]) == (False, True)
    assert nondeterministic(RunFolder(run.path)) == []
    assert "no deterministic form" not in run.output


def test_without_it_nothing_is_switched() -> None:
    run = finished(SWITCHES + PUT, deterministic=False)
    assert run.result["switches"] == [False, False, False, False]
    assert nondeterministic(RunFolder(run.path)) == []


def test_an_operation_without_such_a_form_is_told_once(tmp_path: Path) -> None:
    code = f"""import torch, warnings
def train():
    for _ in range(3):
        {PUT}
train()
{PUT}
warnings.warn("of the code's own")
"""
    run = finished(code)
    sentence = "put_ has no deterministic form here (Cell In[1], line 4)"
    assert nondeterministic(RunFolder(run.path)) == [sentence]
    told = [line for line in run.output.splitlines() if "deterministic" in line]
    assert told == [f"mlwidgets: {sentence}: a rerun may differ from there on, in the last bits"]
    assert "of the code's own" in run.output
    events = read_lines(RunFolder(run.path).events, "nondeterministic")
    assert [(event["operation"], event["where"]) for event in events] == [("put_", "Cell In[1], line 4")]


@pytest.mark.parametrize(
    "quiet",
    [
        f"warnings.filterwarnings('ignore')\n{PUT}",
        f"with warnings.catch_warnings():\n    warnings.simplefilter('ignore')\n    {PUT}",
        f"with warnings.catch_warnings(record=True):\n    warnings.simplefilter('always')\n    {PUT}",
        f"warnings.resetwarnings()\nwarnings.simplefilter('error')\n{PUT}",
        f"""
from sklearn.utils.parallel import Parallel, delayed
def work(number):
    return number + 1
done = Parallel(n_jobs=2)(delayed(work)(number) for number in range(4))
assert done == [1, 2, 3, 4]
{PUT}""",
    ],
    ids=["ignored", "ignored-for-a-while", "recorded", "errors", "sent-to-processes"],
)
def test_whatever_the_code_does_with_warnings(quiet: str) -> None:
    run = finished(f"import torch, warnings\n{quiet}")
    (sentence,) = nondeterministic(RunFolder(run.path))
    assert sentence.startswith("put_ has no deterministic form here (Cell In[1], line ")
    assert sentence in run.output


def test_where_a_module_calls_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nets.py").write_text(f"import torch\n\ndef forward():\n    return {PUT}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    run = finished("import nets\nnets.forward()")
    assert nondeterministic(RunFolder(run.path)) == ["put_ has no deterministic form here (nets.py, line 4)"]


def test_code_that_wants_errors_has_them() -> None:
    code = f"""import torch
torch.use_deterministic_algorithms(True)
try:
    {PUT}
except RuntimeError as error:
    said = str(error)
"""
    run = finished(code)
    assert "does not have a deterministic implementation" in run.result["said"]
    assert nondeterministic(RunFolder(run.path)) == []


def test_trials_are_deterministic_too() -> None:
    code = f"from mlwidgets import log\n{SWITCHES}{PUT}\nlog(value=x)"
    asked: dict[str, Any] = {"seed": 3, "deterministic": True, "cold": True, "namespace": {}}
    sweep = mlwidgets.sweep(code, space={"x": "choice(1, 2)"}, maximize="value", trials=2, **asked).wait(200)
    assert len(sweep.runs) == 2
    for run in sweep.runs:
        assert (run.spec.deterministic, run.spec.seed) == (True, 3)
        assert run.spec.variables == sweep.spec.variables
        assert run.spec.variables["PYTHONHASHSEED"].isdigit()
        assert run.result["switches"] == [True, True, True, False]
        assert len(nondeterministic(RunFolder(run.path))) == 1


def test_what_a_folder_says_is_read_as_text(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.events.write_text(
        '{"event": "nondeterministic", "time": 1, "operation": 3, "where": "x"}\n'
        '{"event": "nondeterministic", "time": 1, "operation": "put_", "where": null}\n'
        '{"event": "nondeterministic", "time": 2, "operation": "put_", "where": "later"}\n'
        '{"event": "nondeterministic", "time": 3}\n{"event": "nondet'
    )
    assert nondeterministic(folder) == ["put_ has no deterministic form here"]
