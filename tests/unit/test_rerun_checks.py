"""What keeps a run from being done again: everything that is not there any more is said before anything starts."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.capture import ambient
from mlwidgets.capture.data import digest_data, named_data
from mlwidgets.capture.freeze import Freezer
from mlwidgets.errors import CannotRerun, MlwidgetsError, ParameterError, ResultNotAvailable, StoreError, UnknownRun
from mlwidgets.history.comparing.frozen import mentioned
from mlwidgets.reruns import elsewhere, needs, resuming
from mlwidgets.reruns.checks import check
from mlwidgets.reruns.interpreters import interpreter_of
from mlwidgets.reruns.repeating import Changes, changeable, repeat
from mlwidgets.reruns.resumable import cut_short_after
from mlwidgets.reruns.sending import send_again, take_notebook
from mlwidgets.runs.checkpoints import read_checkpoints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE, write_event
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import Frozen, Provenance, Resources, RunSpec
from mlwidgets.runs.store import RunStore
from mlwidgets.tracking import checkpoint

Make = Callable[..., RunFolder]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"


def frozen(store: RunStore, **values: Any) -> Frozen:
    return Freezer(values, values=values).freeze(list(values), [], store.put)


def where(cwd: Path, **fields: Any) -> Provenance:
    told = {"cwd": str(cwd), "executable": sys.executable, "python": HERE, "host": "h", "user": "u"}
    return Provenance(**{**told, **fields})


def started(store: RunStore) -> list[str]:
    return sorted(path.name for path in store.runs.iterdir())


def test_a_whole_run_can_be_repeated(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    folder = new_run(params={"lr": "0.1"}, inputs=frozen(store, data=[1, 2]), provenance=where(tmp_path))
    found = check(store, folder)
    assert (found.impossible, found.problems) == ([], [])
    spec = repeat(store, folder, Changes(params={"lr": "0.2"}, seed=3, name="again", tags={"a": "b"}))
    assert (spec.name, spec.params, spec.seed, spec.tags) == ("again", {"lr": "0.2"}, 3, {"a": "b"})
    assert (spec.rerun_of, spec.trial_of, spec.inputs) == (folder.id, None, folder.read_spec().inputs)
    assert spec.id != folder.id
    assert spec.provenance is not None
    assert spec.provenance.cwd == str(tmp_path)


def test_a_trial_becomes_a_run_and_a_scheduled_one_is_nobodys(store: RunStore, new_run: Make) -> None:
    tags = {"schedule": "weekly", "due": "now", "kind": "x"}
    folder = new_run("find-3", trial_of="20261120-123000-find-abcd", trial=3, tags=tags, resources=Resources(after="x"))
    spec = repeat(store, folder)
    assert (spec.trial_of, spec.trial, spec.rerun_of) == (None, None, folder.id)
    assert (spec.tags, spec.resources.after) == ({"kind": "x"}, None)


def test_a_folder_that_is_gone_leads_to_the_project(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    folder = new_run(provenance=where(tmp_path / "gone"))
    assert check(store, folder).differences == [f"its folder {tmp_path / 'gone'} is not there: it runs in {tmp_path}"]
    spec = repeat(store, folder)
    assert spec.provenance is not None
    assert spec.provenance.cwd == str(tmp_path)


def test_data_are_looked_up_where_the_code_runs(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    folder = new_run(data=({"path": "a.csv", "absolute": "/somewhere/a.csv"},), provenance=where(tmp_path))
    assert repeat(store, folder).data == ({"path": "a.csv", "absolute": str(tmp_path / "a.csv")},)


def test_a_damaged_folder(store: RunStore, new_run: Make) -> None:
    folder = new_run()
    folder.spec.write_text("{")
    assert "gone or damaged" in check(store, folder).impossible[0]
    with pytest.raises(UnknownRun):
        repeat(store, folder)


def test_objects_that_are_gone_or_damaged(store: RunStore, new_run: Make) -> None:
    inputs = frozen(store, data=[1], more=bytes(2 << 20))
    module: dict[str, Any] = {"name": "helpers", "path": "/x/helpers.py", "package": False}
    module["digest"] = store.put(b"x = 1\n")
    folder = new_run(inputs=inputs, modules=(module,), ambient=frozen(store, argv=["a"]))
    assert check(store, folder).impossible == []
    (store.objects.path / module["digest"]).unlink()
    damaged = store.objects.path / inputs.stream
    damaged.chmod(0o600)
    damaged.write_bytes(damaged.read_bytes() + b"x")
    found = check(store, folder)
    assert [one.split(" in the store")[0] for one in found.impossible] == [
        "the frozen variables (data, more): damaged",
        "the module helpers: gone",
    ]
    for force in (False, True):
        with pytest.raises(CannotRerun, match="helpers: gone") as raised:
            send_again(store, folder, force=force)
        assert not raised.value.forcible
    with pytest.raises(StoreError, match="is gone"):
        repeat(store, folder)
    assert started(store) == [folder.id]


def test_an_import_is_trusted_first(store: RunStore, new_run: Make) -> None:
    folder = new_run()
    folder.imported.write_text(json.dumps({"made": {"host": "there", "user": "eve"}}))
    assert "came from elsewhere (there, eve)" in check(store, folder).impossible[0]
    with pytest.raises(ResultNotAvailable):
        repeat(store, folder)
    with pytest.raises(CannotRerun, match="mlwidgets trust"):
        send_again(store, folder, force=True)
    folder.imported.write_text(json.dumps({"trusted": {"by": "me"}}))
    assert check(store, folder).impossible == []


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"lrr": "1"}, "no parameter 'lrr' that can be changed: it has lr, mode, width; did you mean lr?"),
        ({"net": "1"}, "net is no parameter but a variable of type dict_keys, which no literal can stand for"),
        ({"epochs": "3"}, "parameter 'epochs' would have no effect: the code assigns it itself in line 2"),
        ({"gpus": "0"}, "no parameter 'gpus' that can be changed; the option is --gpus 0, in Python gpus=0"),
        ({"seed": "3"}, "no parameter 'seed' that can be changed; the option is --seed 3, in Python seed=3"),
    ],
)
def test_parameters_that_are_none(store: RunStore, new_run: Make, params: dict[str, str], said: str) -> None:
    values = frozen(store, width=3)
    names = (*values.names, type(values.names[0])("net", "dict_keys"))
    folder = new_run(
        code="epochs = 3\nfit(width)\n",
        heading="%%train",
        params={"lr": "0.1", "mode": "'fast'", **({"epochs": "2"} if "epochs" in params else {})},
        inputs=Frozen(values.stream, values.buffers, names, values.nbytes),
    )
    found = check(store, folder, Changes(params=params))
    # One mistake is one problem.
    (problem,) = [*found.impossible, *found.problems]
    assert said in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.2", None),
        ("2", None),
        ("None", None),
        ("high", "lr was 0.1 (float), and 'high' is of another type (str)"),
        ("True", "lr was 0.1 (float), and True is of another type (bool)"),
    ],
)
def test_types_of_parameters(store: RunStore, new_run: Make, text: str, said: str | None) -> None:
    folder = new_run(params={"lr": "0.1"})
    found = check(store, folder, Changes(params={"lr": text}))
    assert (found.impossible, found.problems) == ([], [said] if said else [])


def test_a_fraction_is_no_number_of_epochs(store: RunStore, new_run: Make) -> None:
    folder = new_run(inputs=frozen(store, epochs=10, layers=[1, 2]))
    assert changeable(folder.read_spec()) == {"epochs": "10", "layers": ""}
    problems = check(store, folder, Changes(params={"epochs": "10.5", "layers": "3"})).problems
    assert problems == [
        "epochs was 10 (int), and 10.5 is of another type (float)",
        "layers was a list, and 3 is of another type (int)",
    ]


def test_a_parameter_in_the_place_of_a_variable(store: RunStore, new_run: Make) -> None:
    folder = new_run(inputs=frozen(store, lr=0.1, data=[1]))
    spec = repeat(store, folder, Changes(params={"lr": "0.2"}))
    assert spec.params == {"lr": "0.2"}
    assert spec.inputs is not None
    assert [one.name for one in spec.inputs.names] == ["data"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (Changes(gpus=64), "64 GPUs were asked for"),
        (Changes(gpus=0.3), "ask for whole GPUs"),
        (Changes(seed=-1), "the seed must lie between"),
        (Changes(timeout=0.0), "the time-out must be more than 0 seconds"),
        (Changes(name="a b"), "cannot be a run's name"),
    ],
)
def test_what_cannot_be_asked_for(store: RunStore, new_run: Make, changes: Changes, said: str) -> None:
    folder = new_run()
    assert said in check(store, folder, changes).impossible[0]
    with pytest.raises(ParameterError, match=said):
        repeat(store, folder, changes)


def test_the_trials_of_a_sweep_need_no_gpu_any_more(store: RunStore, new_run: Make) -> None:
    resources = {"gpus": 1.0, "cpus": 3, "timeout": 60.0, "priority": 2, "retries": 1, "after": None, "cold": False}
    objective = {"metric": "loss", "direction": "minimize"}
    asked = {"space": {}, "objectives": [objective], "trials": 1, "resources": resources}
    folder = new_run("hunt", sweep=asked, resources=Resources(gpus=0.0, cpus=0, priority=2))
    assert [one.partition(";")[0] for one in check(store, folder).impossible] == ["its trials: 1 GPU was asked for"]
    changes = Changes(gpus=0.0, cpus=0, priority=0)
    assert check(store, folder, changes).impossible == []
    spec = repeat(store, folder, changes)
    assert spec.sweep is not None
    assert spec.sweep["resources"] == {**resources, "gpus": 0.0, "cpus": 0, "priority": 0}
    assert spec.resources.priority == 0


def test_another_python(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    folder = new_run(provenance=where(tmp_path, python="3.7.4", executable="/gone/python"))
    found = check(store, folder)
    assert found.impossible == []
    assert found.problems[0].startswith("it ran in Python 3.7.4")
    with pytest.raises(CannotRerun, match="force") as raised:
        send_again(store, folder)
    assert raised.value.forcible
    near = f"{sys.version_info.major}.{sys.version_info.minor}.99"
    folder = new_run(provenance=where(tmp_path, python=near))
    assert check(store, folder).problems == []
    assert check(store, folder).differences[0] == f"Python: {near} then, {HERE} now"


@pytest.mark.parametrize("executable", [3, ["sh"], "python", "bin/../python", "/", "/gone/python", None])
def test_no_interpreter(new_run: Make, tmp_path: Path, executable: Any) -> None:
    folder = new_run(provenance=where(tmp_path, executable=executable))
    assert interpreter_of(folder) is None
    folder.spec.write_text("[]")
    assert interpreter_of(folder) is None


def test_nothing_of_an_archive_is_looked_at_before_it_is_trusted(
    store: RunStore, new_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "private.json"
    outside.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    asked: list[str] = []
    read = ObjectStore.read
    monkeypatch.setattr(ObjectStore, "read", lambda self, digest: asked.append(digest) or read(self, digest))  # type: ignore[func-returns-value]
    folder = new_run(report={"notebook": "../../private.json", "path": "x.ipynb"}, provenance=where(tmp_path))
    folder.imported.write_text(json.dumps({"made": {"host": "there"}}))
    answer = answered({"folder": str(folder.path), "asked": None}, monkeypatch)
    assert (answer["params"], answer["forcible"], asked) == ({}, False, [])
    started = answered({"folder": str(folder.path), "asked": {"force": True}}, monkeypatch)
    assert "came from elsewhere" in started["problems"][0]
    assert asked == []


def answered(question: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    said = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdin", io.StringIO(json.dumps(question)))
        patched.setattr(sys, "stdout", said)
        elsewhere.main()
    answer: dict[str, Any] = json.loads(said.getvalue().partition("answers: ")[2])
    return answer


def test_an_interpreter_that_takes_too_long_is_not_stood_in_for(
    new_run: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setattr(elsewhere, "PATIENCE", 0.2)
    with pytest.raises(MlwidgetsError, match="no answer within"):
        elsewhere.look(new_run(provenance=where(tmp_path, executable=str(slow))))


def test_the_runs_own_python(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    own = tmp_path / "own" / "python"
    own.parent.mkdir()
    own.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    own.chmod(0o755)
    folder = new_run(provenance=where(tmp_path, python="3.7.4", executable=str(own)))
    said = check(store, folder).problems[-1].partition("its own Python is still there: ")[2]
    assert said.startswith(f"{own} -m mlwidgets")
    done = subprocess.run([*shlex.split(said), "--dry-run"], capture_output=True, text=True, timeout=120, check=False)
    assert "it ran in Python 3.7.4" in done.stderr, done.stderr
    folder.imported.write_text(json.dumps({"trusted": {"by": "me"}}))
    assert needs.own_interpreter(folder) is None


def test_packages_that_are_gone(store: RunStore, new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = types.ModuleType("lightgbm_gone")
    sys.modules["lightgbm_gone"] = gone
    gone.__spec__ = types.SimpleNamespace(name="lightgbm_gone")  # type: ignore[assignment]
    gone.__file__ = "/usr/lib/site-packages/lightgbm_gone.py"
    inputs = frozen(store, gbm=gone)
    del sys.modules["lightgbm_gone"]
    module = {"name": "helpers", "path": "/x/helpers.py", "package": False, "digest": store.put(b"import kept_gone\n")}
    code = (
        "import sklearn_gone.svm\nimport helpers\ntry:\n    import optional_gone\nexcept ImportError:\n    pass\ngbm\n"
    )
    folder = new_run(code=code, inputs=inputs, modules=(module,))
    told = {
        "packages": {"lightgbm-gone": "4.3", "scikit-gone": "1.5", "numpy": "0.1"},
        "provided": {"sklearn_gone": ["scikit-gone"]},
    }
    folder.environment.write_text(json.dumps(told))
    write_event(folder.events, "libraries", imported=["numpy"])
    found = check(store, folder)
    assert found.problems == [
        "it needs kept_gone, which is not installed here: pip install kept_gone",
        "it needs lightgbm-gone 4.3, which is not installed here: pip install lightgbm-gone==4.3",
        "it needs scikit-gone 1.5, which is not installed here: pip install scikit-gone==1.5",
    ]
    assert any(one.startswith("numpy: 0.1 then, ") for one in found.differences)


def test_versions_are_told_of_a_run_that_was_killed(store: RunStore, new_run: Make) -> None:
    folder = new_run(code="import numpy as np\n")
    folder.environment.write_text(json.dumps({"packages": {"numpy": "0.1", "pandas": "0.1"}}))
    told = [one for one in check(store, folder).differences if "0.1 then" in one]
    assert len(told) == 1
    assert told[0].startswith("numpy: 0.1 then, ")


def test_what_a_large_stream_is_made_of(store: RunStore) -> None:
    import decimal
    import fractions

    import numpy as np

    small = {"a": decimal.Decimal(1), "b": fractions.Fraction(1, 3), "c": np.float32(1), "d": np}
    large = {**small, "e": [f"word {n}" for n in range(150_000)]}
    tops = []
    for values in (small, large):
        told = mentioned(frozen(store, **values), store.objects)
        assert told is not None
        tops.append({name.partition(".")[0] for name in told.modules})
    assert {"decimal", "fractions", "numpy"} <= tops[1] <= tops[0]


def test_libraries_are_those_of_this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", "/usr/lib/python3.11", f"{sys.prefix}/lib/python3.11/site-packages"])
    same = ["/project", f"{sys.prefix}/lib/python3.11/site-packages", "/other/site-packages"]
    monkeypatch.setattr(sys, "argv", ["x"])
    ambient.apply_paths({"path": same})
    assert sys.path == same
    monkeypatch.setattr(sys, "path", ["", "/usr/lib/python3.11", f"{sys.prefix}/lib/python3.11/site-packages"])
    there = ["/project", "", "/home/maria/env/lib/python3.11/site-packages", "/opt/python/lib/python311.zip"]
    ambient.apply_paths({"path": [*there, "/opt/python/lib/python3.11/lib-dynload", "/more"]})
    own = ["/usr/lib/python3.11", f"{sys.prefix}/lib/python3.11/site-packages"]
    assert sys.path == ["/project", "", "/more", *own]


def test_another_processor(store: RunStore, new_run: Make) -> None:
    folder = new_run()
    folder.environment.write_text(json.dumps({"cpu": "Cray-1", "cpus": 9999, "gpus": [{"name": "Voodoo 2"}]}))
    told = check(store, folder).differences
    assert told[0].startswith("processor: Cray-1 then, ")
    assert told[1].startswith("processor cores: 9999 then, ")
    assert len(told) == 2


def test_data_that_changed(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    for name in ("same.csv", "other.csv", "gone.csv"):
        (tmp_path / name).write_text(name)
    names = ["same.csv", "other.csv", "gone.csv"]
    found = named_data([tmp_path / name for name in names])
    data = tuple({**one, "path": name} for one, name in zip(found, names, strict=True))
    folder = new_run(data=data, provenance=where(tmp_path), submitted_at=4e9)
    never = check(store, folder).problems
    assert len(never) == 3
    assert "never digested" in never[0]
    folder.environment.write_text(json.dumps({"data": digest_data(folder)}))
    assert check(store, folder).problems == []
    (tmp_path / "other.csv").write_text("changed")
    (tmp_path / "gone.csv").unlink()
    problems = check(store, folder).problems
    assert "other.csv have changed" in problems[0]
    assert "gone.csv are missing" in problems[1]
    with pytest.raises(CannotRerun, match="have changed") as raised:
        send_again(store, folder)
    assert raised.value.problems == problems
    assert str(raised.value).split("\n") == [
        "lenet cannot be run again:",
        *(f"  - {problem}" for problem in problems),
        "--force (force=True) runs it all the same",
    ]
    assert started(store) == [folder.id]


def test_the_notebook_is_that_of_the_first_run(new_run: Make) -> None:
    sweep = new_run("find")
    sweep.snapshot.write_text('{"id": "a"}')
    sweep.executed.write_text('{"cells": []}')
    trial, again = new_run("find-1", trial_of=sweep.id, trial=1), new_run("find-1")
    again.executed.write_text('{"cells": ["of somebody else"]}')
    take_notebook(trial, again)
    assert again.snapshot.read_text() == '{"id": "a"}'
    assert again.executed.read_text() == '{"cells": []}'
    plain, other = new_run("plain"), new_run("plain")
    other.executed.write_text("x")
    take_notebook(plain, other)
    assert not other.executed.exists()


def test_the_value_that_it_had_is_no_change(store: RunStore, new_run: Make) -> None:
    folder = new_run(params={"lr": "0.1", "mode": "'fast'"}, inputs=frozen(store, width=3, scale=0.01))
    spec = repeat(store, folder, Changes(params={"lr": "1e-1", "mode": "fast", "width": "3", "scale": "1e-2"}))
    before = folder.read_spec()
    assert (spec.params, spec.inputs) == (before.params, before.inputs)
    spec = repeat(store, folder, Changes(params={"lr": "0.1", "width": "3.0", "scale": "-0.01"}))
    assert spec.params == {**before.params, "width": "3.0", "scale": "-0.01"}


def test_what_went_on_begins_anew(store: RunStore, new_run: Make) -> None:
    folder = new_run(resumes="20261120-123000-first-abcd")
    assert check(store, folder).differences == [
        "it went on from a checkpoint of 20261120-123000-first-abcd: now it begins at the first step"
    ]
    assert check(store, folder, goes_on=True).differences == []
    assert repeat(store, folder).resumes is None


def test_what_a_sweep_cannot_be_asked_for_is_said_before(store: RunStore, new_run: Make) -> None:
    objective = {"metric": "loss", "direction": "minimize"}
    asked = {"space": {"lr": "loguniform(1e-5, 0.1)"}, "objectives": [objective], "trials": 3}
    folder = new_run("find", params={"width": "3"}, sweep=asked)
    searched = "'lr' is searched by sweep 'find' and cannot be given: rerun one of its trials with it"
    assert check(store, folder, Changes(params={"lr": "0.1", "width": "4"})).impossible == [searched]
    with pytest.raises(ParameterError, match="rerun one of its trials"):
        repeat(store, folder, Changes(params={"lr": "0.1"}))
    assert "a sweep's name has at most" in check(store, folder, Changes(name="n" * 100)).impossible[0]
    assert check(store, folder, Changes(params={"width": "4"})).impossible == []
    damaged = new_run("odd", sweep={"space": 3})
    assert "definition of sweep" in check(store, damaged).impossible[0]


@pytest.mark.parametrize(("report", "said"), [(None, "epoch 2"), ({"name": "sales"}, None)])
def test_a_report_does_not_go_on(
    new_run: Make, monkeypatch: pytest.MonkeyPatch, report: dict[str, Any] | None, said: str | None
) -> None:
    folder = new_run(report=report)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder.path))
    checkpoint([1], epoch=2)
    write_event(folder.events, "resumed")
    assert cut_short_after(folder, "failed", ended=True) == said


def test_what_goes_on_is_from_the_notebook_of_the_first(new_run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first, again = new_run(), new_run()
    first.snapshot.write_text('{"id": "a"}')
    again.executed.write_text('{"cells": ["of somebody else"]}')
    monkeypatch.setenv(FOLDER_VARIABLE, str(first.path))
    checkpoint([1], epoch=0)
    resuming.fill(first, again)
    assert again.snapshot.read_text() == '{"id": "a"}'
    assert not again.executed.exists()
    assert [one.epoch for one in read_checkpoints(again.checkpoints)] == [0]


def test_a_spec_from_before_reruns(store: RunStore, new_run: Make) -> None:
    folder = new_run()
    old = json.loads(folder.spec.read_text())
    for key in ("data", "deterministic", "variables", "rerun_of", "resumes"):
        del old[key]
    folder.spec.write_text(json.dumps(old))
    assert check(store, folder).impossible == []
    assert isinstance(repeat(store, folder), RunSpec)
