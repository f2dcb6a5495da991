"""``%%sweep`` and what ``%runs`` does with sweeps, in a real kernel."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlwidgets
from mlwidgets.cli import main
from mlwidgets.runs.trials import read_log
from mlwidgets.sweeps.sweep import Sweep
from tests.notebook import Notebook
from tests.waiting import until

CELL = """
from mlwidgets import log
for epoch in range(epochs):
    log(score=offset - (x - 0.3) ** 2 + epoch / 100)
model = {"x": x, "kind": kind}
"""


@pytest.fixture(scope="module")
def nb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    notebook = Notebook(tmp_path_factory.mktemp("sweeping"))
    notebook.run("offset = 1\nepochs = 3\nx = 'mine'")
    yield notebook
    notebook.close()


@pytest.fixture(autouse=True)
def store(nb: Notebook, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLWIDGETS_STORE", str(nb.folder / ".mlwidgets"))
    return nb.folder / ".mlwidgets"


def found(name: str) -> Sweep:
    sweep = mlwidgets.run(name)
    assert isinstance(sweep, Sweep)
    return sweep


def test_from_the_line_to_the_best_model(nb: Notebook) -> None:
    nb.run(
        "%%sweep first-search --maximize score --trials 6 --concurrent 2 --seed 1 --wait --cpus 0 epochs=4 "
        "x=uniform(0, 1) kind=choice(flat, 'two words', 3)\n" + CELL
    )
    sweep = found("first-search")
    assert (sweep.state, len(sweep.runs)) == ("finished", 6)
    assert {run.params["epochs"] for run in sweep.runs} == {4}
    assert {run.params["kind"] for run in sweep.runs} <= {"flat", "two words", 3}
    best = max(sweep.runs, key=lambda run: run.last_values()["score"])
    assert sweep.best.id == best.id

    assert nb.value("(type(first_search).__name__, x, len(first_search.trials))") == ("Sweep", "mine", 6)
    said = nb.run("%runs load first-search --best").text
    assert f"loaded from {best.name}" in said
    assert f"its parameters: epochs=4 x={best.params['x']}" in said
    assert said.rstrip().endswith("; the notebook's own `epochs`, `x` stay as before")
    assert nb.value("model") == {"x": best.params["x"], "kind": best.params["kind"]}
    table = nb.run("%runs trials first-search").shown[0]["text/html"]
    assert table.count("<tr") == 7
    line = nb.run("%runs narrow first-search").shown[0]["text/plain"]
    assert line.startswith("%%sweep first-search-narrow --maximize score ")
    assert "epochs=4" in line

    listed = nb.run("%runs").shown[0]["text/plain"]
    assert "first-search" in listed
    assert "first-search-0" not in listed
    assert "first-search-0" in nb.run("%runs --trials").shown[0]["text/plain"]


def test_what_was_proposed_can_be_run_as_it_stands(nb: Notebook) -> None:
    nb.run(
        "%%sweep coarse --maximize score --trials 8 --seed 2 --wait --cpus 0 x=uniform(0,1) kind=choice('a b',c)\n"
        + CELL
    )
    line = nb.run("%runs narrow coarse").shown[0]["text/plain"]
    nb.run(f"{line.replace('--trials 8', '--trials 3')} --wait\n{CELL}")
    assert found("coarse-narrow").state == "finished"


def test_what_was_proposed_does_all_else_as_the_first_search(nb: Notebook) -> None:
    nb.run("helper = 7")
    options = (
        "--minimize score --trials 6 --concurrent 2 --stop median:delay=99 --sampler random --value best --max-time 2h "
        "--max-gpu-hours 1.5 --target=-1e-07 --patience 50 --max-failures 0 --seed 5 --timeout 90.5 --retries 1 "
        "--cpus 2 --gpus 0 --priority=-3 --cold --tag 'for=a [test' --tag by=me -i helper,offset -o model "
        """--note 'it\\'s "so", -- (really' epochs=2 kind=choice(flat,'two words') x=uniform(0,1)"""
    )
    nb.run(f"%%sweep whole {options}\n{CELL}")
    first = found("whole")
    assert first.wait(60).state == "finished"
    assert first.note == """it's "so", -- (really"""
    line = nb.run("%runs narrow whole").shown[0]["text/plain"]
    nb.run(f"{line}\n{CELL}")
    second = found("whole-narrow")
    second.stop()
    second.wait(60)
    before, now = (
        dataclasses.replace(one.definition, space={}, warm_start=(), modules=None) for one in (first, second)
    )
    assert now == before
    assert second.definition.warm_start == (first.id,)
    fixed = {"kind": "'flat'"} if "kind=flat" in line else {}
    for name in ("seed", "results", "resources", "note", "tags"):
        assert getattr(second.spec, name) == getattr(first.spec, name), name
    assert set(second.spec.params) - set(first.spec.params) <= {"kind"}, fixed


def test_options_that_were_not_given_are_not_proposed(nb: Notebook) -> None:
    nb.run(f"%%sweep grid --maximize score --sampler grid --wait kind=choice(a,b) x=quniform(0,1,0.25)\n{CELL}")
    line = nb.run("%runs narrow grid").shown[0]["text/plain"]
    options = [word for word in line.split() if word.startswith("-")]
    assert options == ["--maximize", "--sampler", *(["--gpus"] if "--gpus" in line else []), "--warm-start"]


def test_a_dry_run_is_a_cell_by_itself(nb: Notebook) -> None:
    nb.run("%%sweep earlier --maximize score --trials 6 --seed 3 --wait --cpus 0 x=uniform(0,9) kind=a\n" + CELL)
    before = len(mlwidgets.runs())
    said = nb.run("%%sweep earlier --dry-run --stop bandit:slack=0.1,delay=1").shown[0]["text/plain"]
    assert "of 6 trials" in said
    assert "Why(" not in said
    assert len(mlwidgets.runs()) == before


def test_it_is_paused_changed_and_stopped_by_name(nb: Notebook) -> None:
    nb.run(
        "%%sweep going --maximize score --trials 500 --concurrent 1 --cpus 0 x=uniform(0,1)\n"
        "import time\nfrom mlwidgets import log\nlog(score=x)\ntime.sleep(0.1)"
    )
    sweep = found("going")
    assert nb.run("%runs pause going").text == "going: asked to pause; `%runs resume going` lets it go on\n"
    until(lambda: sweep.paused is not None)
    for line in ("concurrent going", "add going", "pause going 2", "concurrent going 2 --later"):
        assert "usage: %runs" in nb.run(f"%runs {line}", fails=True).text
    assert nb.run("%runs add going x=0.25").text == "going: asked to run a trial with x=0.25\n"
    assert nb.run("%runs concurrent going 2 --now").text == "going: asked to run 2 at once\n"
    until(lambda: sweep.concurrent == 2)
    assert [one.by for one in read_log(sweep.path).trials.values()].count("hand") == 0
    assert nb.run("%runs resume going").text == "going: asked to go on\n"
    until(lambda: any(run.params["x"] == 0.25 for run in sweep.runs))
    nb.run("%runs stop going")
    assert sweep.wait(60).state == "stopped"
    assert all(run.wait(60).ended for run in sweep.runs)


@pytest.mark.parametrize("by", ["a notebook", "a shell"])
def test_who_lets_it_go_on_may_wait_for_its_end(nb: Notebook, by: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = by.replace(" ", "-")
    nb.run(
        f"%%sweep {name} --maximize score --trials 6 --concurrent 1 --cpus 0 x=uniform(0,1)\n"
        "import time\nfrom mlwidgets import log\nlog(score=x)\ntime.sleep(0.1)"
    )
    nb.run(f"%runs pause {name}")
    until(lambda: found(name).paused is not None)
    if by == "a notebook":
        nb.run(f"%runs resume {name} --wait")
    else:
        assert main(["resume", name, "--wait"]) == 0
        assert capsys.readouterr().out == f"{name}: asked to go on\n{name}: finished\n"
    assert found(name).state == "finished"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--maximize score x=uniform(0,1)", "%%sweep needs a name"),
        ("bad --maximize score", "nothing to search"),
        ("bad x=uniform(0,1)", "--maximize"),
        ("bad --maximize score x=uniform(1,0)", "x=uniform(1,0)"),
        ("bad --maximize score x=uniform(0,1) wdith=choice(1,2)", "wdith"),
        ("bad --maximize score --stop bandits:slack=1 x=uniform(0,1)", "bandits"),
        ("bad --maximize score --sampler best x=uniform(0,1)", "best"),
        ("bad --maximize score --trials 0 x=uniform(0,1)", "trials"),
        ("bad --maximize score --value middle x=uniform(0,1)", "middle"),
        ("bad --maximize score --warm-start nobody x=uniform(0,1)", "nobody"),
        ("bad --maximize score x=uniform(0,1) x=choice(1,2)", "twice"),
        ("bad --maximize score x=uniform(0,1) x=2", "searched and fixed at once"),
        ("bad --dry-run", "--stop"),
        ("bad --maximize score --trails 5 x=uniform(0,1)", "there is no option --trails; did you mean --trials? %%"),
        ("bad --maximize score --unheard-of=5 x=uniform(0,1)", "there is no option --unheard-of; %%sweep --help"),
        ("bad --maximize score x=choice(2)", "give it as the fixed parameter x=2"),
        ("bad --maximize score x=choice(epochs,1)", "for the value of the notebook's `epochs` write {epochs}, for the"),
        ("offset --maximize score x=uniform(0,1)", "so the run needs another one: %%sweep offset_run"),
        ("nobody --dry-run --stop median", "nobody"),
    ],
)
def test_mistakes_are_said_in_a_line_and_change_nothing(nb: Notebook, line: str, says: str) -> None:
    nb.run("kind = 1")
    before = len(mlwidgets.runs())
    reply = nb.run(f"%%sweep {line}\n{CELL}", fails=True)
    said = (reply.text + reply.error).strip()
    assert says in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1
    assert len(mlwidgets.runs()) == before


def test_waiting_for_one_that_pauses_itself_raises_in_a_line(nb: Notebook) -> None:
    reply = nb.run(
        "%%sweep doomed --maximize score --max-failures 1 --wait --cpus 0 x=uniform(0,1)\nraise ValueError(f'no {x}')",
        fails=True,
    )
    assert "RunFailed: sweep 'doomed' has paused itself: a trial failed: ValueError: no 0." in reply.error
    assert len(reply.error.strip().splitlines()) == 1
    sweep = found("doomed")
    assert not sweep.ended
    nb.run("%runs stop doomed")
    assert sweep.wait(60).ended


def test_a_name_that_is_not_there_is_told_beside_those_of_sweeps(nb: Notebook) -> None:
    nb.run("%%sweep many --maximize score --trials 12 --wait --cpus 0 x=uniform(0,1)\n" + CELL)
    said = nb.run("%runs show x", fails=True).text
    assert "it has: many, " in said
    assert "many-3" not in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("pause single", "single is no sweep"),
        ("load single --best", "single is no sweep"),
        ("concurrent first 2", "first"),
        ("trials", "usage"),
        ("pause", "usage"),
    ],
)
def test_what_is_no_sweep_is_told_so(nb: Notebook, line: str, says: str) -> None:
    nb.run("%%train single --wait --cpus 0\npass")
    reply = nb.run(f"%runs {line}", fails=True)
    assert says in reply.text + reply.error
