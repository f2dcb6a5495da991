from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlwidgets.cli import main
from mlwidgets.errors import ParameterError
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.tracking.log import MetricLog

Make = Callable[..., RunFolder]


@pytest.fixture
def done(new_run: Make) -> RunFolder:
    folder = new_run("lenet", params={"lr": "0.1"})
    MetricLog(folder.metrics, folder.events)(loss=0.25, best=float("inf"))
    folder.output.write_text("epoch 1\n")
    write_outcome(folder, Outcome("finished", None, 1.0, 2.0, 0))
    return folder


@pytest.fixture
def command(store: RunStore, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        status = main(["--store", str(store.path), *words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


Command = Callable[..., tuple[int, str, str]]


def test_list(command: Command, done: RunFolder) -> None:
    status, out, _ = command("runs")
    assert status == 0
    assert out.split("\n")[1].split()[:2] == ["lenet", "finished"]


def test_a_long_list_says_how_to_see_all_of_it(command: Command, new_run: Make) -> None:
    params = {f"p{i}": "1" for i in range(9)} | {"p0": "'`%runs --all`'"}
    new_run("wide", params=params)
    _, out, _ = command("runs")
    assert out.endswith("; `mlwidgets runs --all` shows every column\n")
    # What a user wrote stays as it is.
    assert "'`%runs --all`'" in out
    assert "shows every column" not in command("runs", "--all")[1]


def test_empty_list(command: Command) -> None:
    code, out, _ = command("runs")
    assert code == 0
    assert out.startswith("no runs yet in /")
    assert out.endswith(".mlwidgets: put %%train on top of a cell\n")


def test_store_that_is_none(command: Command) -> None:
    code, _, err = command("--store", "/etc", "runs")
    assert (code, err) == (1, "mlwidgets: /etc is no store: give the path of a project's .mlwidgets directory\n")


def test_list_as_json(command: Command, done: RunFolder, new_run: Make) -> None:
    new_run("other")
    _, out, _ = command("runs", "--json")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    other, lenet = (json.loads(line, parse_constant=refuse) for line in out.splitlines())
    assert (other["name"], lenet["name"]) == ("other", "lenet")
    assert lenet["metrics"] == {"loss": 0.25, "best": "inf"}


def test_show(command: Command, done: RunFolder) -> None:
    status, out, _ = command("show", "lenet")
    assert status == 0
    for part in ("lenet", "finished", "lr", "loss", "0.25"):
        assert part in out


def test_logs(command: Command, done: RunFolder, new_run: Make) -> None:
    assert command("logs", done.id) == (0, "epoch 1\n", "")
    failed = new_run("failed")
    failed.output.write_text("start\n")
    error = {"ename": "E", "evalue": "x", "traceback": ["Traceback", "E: x"], "exception": None}
    write_outcome(failed, Outcome("failed", "E: x", 1.0, 2.0, 0, error))
    assert command("logs", "failed") == (0, "start\nTraceback\nE: x\n", "")


def test_stop_and_wait(command: Command, done: RunFolder, new_run: Make) -> None:
    write_outcome(new_run("bad"), Outcome("killed", "out of memory"))
    assert command("stop", "lenet") == (0, "lenet has ended already: finished\n", "")
    assert command("stop", "lenet", "bad") == (
        0,
        "lenet has ended already: finished\nbad has ended already: killed\n",
        "",
    )
    assert command("wait", "lenet") == (0, "lenet: finished\n", "")
    assert command("wait", "bad") == (1, "bad: killed (out of memory)\n", "")


def test_errors_are_one_line(command: Command, store: RunStore, done: RunFolder) -> None:
    status, out, err = command("show", "resnet")
    assert (status, out) == (1, "")
    assert err == f"mlwidgets: no run 'resnet' in the store {store.path}; it has: lenet\n"
    store.path.chmod(0o777)
    status, out, err = command("runs")
    assert (status, out) == (1, "")
    assert err.startswith("mlwidgets: other users can write to the store")


def test_damaged_run(command: Command, new_run: Make) -> None:
    folder = new_run("broken")
    folder.spec.write_text("{")
    status, _, err = command("show", "broken")
    assert status == 1
    assert "is gone or damaged" in err


def process(*words: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mlwidgets.cli", *words], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,  # type: ignore[call-overload]
    )  # fmt: skip


def test_the_store_around_the_working_directory(done: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "MLWIDGETS_STORE"}
    out, err = process("logs", "lenet", cwd=tmp_path / "deep", env=environment).communicate()
    assert (out, err) == ("epoch 1\n", "")


@pytest.mark.parametrize("lines", [1, 100_000])
def test_readers_that_went_away(done: RunFolder, store: RunStore, lines: int) -> None:
    done.output.write_text("line\n" * lines)
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "mlwidgets.cli", "--store", str(store.path), "logs", "lenet"]
    ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_version_and_usage(capsys: pytest.CaptureFixture[str]) -> None:
    import mlwidgets

    with pytest.raises(SystemExit) as raised:
        main(["--version"])
    assert raised.value.code == 0
    assert capsys.readouterr().out == f"mlwidgets {mlwidgets.__version__}\n"
    with pytest.raises(SystemExit) as raised:
        main([])
    assert raised.value.code == 2


@pytest.mark.parametrize("word", ["rerun", "resume"])
def test_only_what_must_be_given_is_asked_for(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([word])
    assert capsys.readouterr().err.endswith("the following arguments are required: name\n")


@pytest.mark.parametrize("option", ["--gpus", "--cpus", "--timeout", "--priority", "--name", "lr=1"])
def test_a_sweep_goes_on_as_it_is(
    command: Command, store: RunStore, new_run: Make, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    from mlwidgets_magics.resuming import resume

    folder = new_run("hunt", sweep={"space": {}})
    words = ["hunt", option] if "=" in option else ["hunt", option, "1" if option != "--name" else "other"]
    status, out, err = command("resume", *words)
    assert (status, out) == (1, "")
    assert "hunt is a sweep: it goes on as it is" in err
    monkeypatch.setenv("MLWIDGETS_STORE", str(store.path))
    with pytest.raises(ParameterError, match="hunt is a sweep: it goes on as it is"):
        resume(words, {})
    assert folder.wishes.read_bytes() == b""
