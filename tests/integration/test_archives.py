"""Real runs that go to another store, and what is unpickled of them when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mlwidgets
from mlwidgets.archives.exporting import export
from mlwidgets.archives.importing import import_runs
from mlwidgets.capture.results import load_into
from mlwidgets.cli import main
from mlwidgets.errors import ResultNotAvailable, RunFailed
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import STORE_VARIABLE, RunStore

CANARY = """
class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")

bird, number = Canary(path), 42
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A second store; each test moves there after its runs."""
    store = RunStore(tmp_path / "elsewhere" / ".mlwidgets")
    store.prepare()
    return store


def moved(run: mlwidgets.Run, elsewhere: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mlwidgets.Run:
    export(RunStore(run.path.parent.parent), [run.id], tmp_path / "run.zip")
    import_runs(elsewhere, tmp_path / "run.zip")
    monkeypatch.setenv(STORE_VARIABLE, str(elsewhere.path))
    return mlwidgets.run(run.id)


def test_nothing_is_unpickled_until_its_maker_is_trusted(
    elsewhere: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = tmp_path / "canary"
    namespace = {"__name__": "__main__", "path": str(canary)}
    run = mlwidgets.train(CANARY, name="bird", namespace=namespace, wait=True).raise_for_state()
    assert run.result["number"] == 42
    run.result["bird"].close()
    canary.unlink()
    foreign = moved(run, elsewhere, tmp_path, monkeypatch)
    assert foreign.state == "finished"
    assert main(["show", "bird"]) == main(["runs"]) == main(["logs", "bird"]) == main(["fsck", "--deep"]) == 0
    for read in (
        lambda: foreign.result,
        lambda: load_into(RunFolder(foreign.path), run.result, {}),
    ):
        with pytest.raises(ResultNotAvailable, match=r"run 'bird' came from elsewhere \(.+\): reading its result"):
            read()
    assert not canary.exists()
    capsys.readouterr()
    assert main(["trust", "bird"]) == 0
    trusted = mlwidgets.run("bird").result
    assert trusted["number"] == 42
    trusted["bird"].close()
    assert canary.exists()


def test_what_it_raised_is_told_as_text(elsewhere: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "class Odd(Exception): pass\nraise Odd('no such number')"
    run = mlwidgets.train(code, name="odd", namespace={"__name__": "__main__"}).wait()
    foreign = moved(run, elsewhere, tmp_path, monkeypatch)
    with pytest.raises(RunFailed, match="Odd: no such number"):
        foreign.raise_for_state()
    assert foreign.error is not None
    assert "no such number" in foreign.error


def test_arrays_and_metrics_arrive_to_the_bit(
    elsewhere: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    given = np.random.default_rng(0).normal(size=400_000)
    code = "from mlwidgets import log, save\nfor step in range(50):\n    log(loss=1 / (step + 1))\ntwice = given * 2\n"
    namespace = {"__name__": "__main__", "given": given}
    run = mlwidgets.train(code, name="twice", namespace=namespace, wait=True).raise_for_state()
    metrics = run.metrics
    foreign = moved(run, elsewhere, tmp_path, monkeypatch)
    assert foreign.metrics.equals(metrics)
    assert (foreign.trust().result["twice"] == given * 2).all()
    assert os.path.samefile(foreign.path.parent.parent, elsewhere.path)
