"""What a run holds as CSV, JSON and Parquet: every record, every digit, and files that are whole or as they were."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.cli import main
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.tracking.log import MetricLog

Make = Callable[..., RunFolder]
Command = Callable[..., tuple[int, str, str]]
VALUES = [0.1, 1 / 3, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]


@pytest.fixture
def command(store: RunStore, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: str) -> tuple[int, str, str]:
        status = main(["--store", str(store.path), *words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def done(new_run: Make) -> RunFolder:
    folder = new_run("lenet", params={"lr": "0.1", "opt": "'a,b'", "shape": "(3, 4)", "top": "inf"}, seed=3)
    log = MetricLog(folder.metrics, folder.events)
    for step, value in enumerate(VALUES):
        log({"loss": value, "val/acc, %": 1.0} if step % 2 else {"loss": value}, step=step)
    folder.output.write_text('epoch "1"\nepoch 2\n')
    error = {"type": "ValueError", "message": "no", "traceback": ["\x1b[31mValueError\x1b[0m: no"]}
    write_outcome(folder, Outcome("failed", "ValueError: no", 1.0, 2.0, 1, error=error))
    return folder


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def bits(values: Any) -> list[bytes]:
    return [struct.pack("<d", float(value)) for value in values]


def test_metrics_as_csv_hold_each_record_to_the_last_digit(command: Command, done: RunFolder) -> None:
    status, out, _ = command("metrics", "lenet")
    assert status == 0
    assert command("metrics", "lenet", "--csv")[1] == out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["step", "time", "name", "value"]
    loss = [row for row in rows if row["name"] == "loss"]
    assert [int(row["step"]) for row in loss] == list(range(len(VALUES)))
    assert bits(row["value"] for row in loss) == bits(VALUES)
    assert [row["value"] for row in loss[2:5]] == ["nan", "inf", "-inf"]
    assert [row["step"] for row in rows if row["name"] == "val/acc, %"] == ["1", "3", "5", "7"]
    times = [float(row["time"]) for row in rows]
    assert times == sorted(times)

    import pandas as pd

    read = pd.read_csv(io.StringIO(out))
    assert bits(read[read["name"] == "loss"]["value"]) == bits(VALUES)


def test_metrics_as_json(command: Command, done: RunFolder) -> None:
    _, out, _ = command("metrics", "lenet", "--json")
    rows = [json.loads(line, parse_constant=refuse) for line in out.splitlines()]
    loss = [row["value"] for row in rows if row["name"] == "loss"]
    assert loss[2:5] == ["NaN", "Infinity", "-Infinity"]
    assert bits(map(float, loss)) == bits(VALUES)
    assert len(rows) == len(VALUES) + 4


def test_metrics_of_a_run_that_has_logged_nothing(command: Command, new_run: Make) -> None:
    new_run("empty")
    assert command("metrics", "empty") == (0, "step,time,name,value\n", "")
    assert command("metrics", "empty", "--system", "--json") == (0, "", "")


def test_system_metrics(command: Command, done: RunFolder) -> None:
    from mlwidgets.runs.journal import RECORD_FORMAT, metric_key, write_event

    write_event(done.events, "system", name="cpu")
    done.system.write_bytes(struct.pack(RECORD_FORMAT, metric_key("cpu"), 0, 1.5, 99.5))
    assert command("metrics", "lenet", "--system")[1] == "step,time,name,value\n0,1.5,cpu,99.5\n"


def test_show_and_logs_as_data(command: Command, done: RunFolder) -> None:
    facts = json.loads(command("show", "lenet", "--json")[1], parse_constant=refuse)
    assert (facts["name"], facts["state"], facts["seed"], facts["elapsed"]) == ("lenet", "failed", 3, 1.0)
    assert facts["params"] == {"lr": 0.1, "opt": "a,b", "shape": [3, 4], "top": "Infinity"}
    assert facts["metrics"]["loss"] == VALUES[-1]
    (row,) = csv.DictReader(io.StringIO(command("show", "lenet", "--csv")[1]))
    assert (row["params.opt"], row["params.shape"], row["metrics.val/acc, %"], row["note"]) == (
        "a,b",
        "(3, 4)",
        "1.0",
        "",
    )

    lines = [json.loads(line) for line in command("logs", "lenet", "--json")[1].splitlines()]
    assert [line["text"] for line in lines] == ['epoch "1"', "epoch 2", "ValueError: no"]
    assert [line["stream"] for line in lines] == ["output", "output", "error"]
    rows = list(csv.DictReader(io.StringIO(command("logs", "lenet", "--csv")[1])))
    assert rows[0] == {"line": "1", "stream": "output", "text": 'epoch "1"'}
    assert command("logs", "lenet")[1] == 'epoch "1"\nepoch 2\nValueError: no\n'


def test_a_file_is_there_whole(command: Command, done: RunFolder, tmp_path: Path) -> None:
    for words in (("metrics", "lenet"), ("metrics", "lenet", "--json"), ("show", "lenet", "--json"), ("logs", "lenet")):
        told = command(*words)[1]
        file = tmp_path / "got"
        assert command(*words, "-o", str(file)) == (0, "", "")
        assert file.read_text() == told
    linked = tmp_path / "link"
    linked.symlink_to(file)
    command("logs", "lenet", "--csv", "-o", str(linked))
    assert linked.is_symlink()
    assert file.read_text().startswith("line,stream,text\n")


def test_a_file_that_cannot_be_written_stays_as_it_was(
    command: Command, done: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept.csv"
    file.write_text("old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        status, _, err = command("metrics", "lenet", "-o", str(file))
    assert (status, err) == (1, f"mlwidgets: {file} could not be written: No space left on device\n")
    assert file.read_text() == "old"
    assert {one.name for one in tmp_path.iterdir()} == {"kept.csv", ".mlwidgets"}

    assert command("metrics", "lenet", "-o", str(tmp_path))[2] == (
        f"mlwidgets: {tmp_path} is a directory: name a file in it\n"
    )
    missing = tmp_path / "no" / "file"
    assert command("logs", "lenet", "-o", str(missing))[2] == (
        f"mlwidgets: {missing} could not be written: No such file or directory\n"
    )


def test_parquet_says_what_it_needs(
    command: Command, done: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.parquet"
    with monkeypatch.context() as patch:
        # What Python itself does where a module is not installed.
        patch.setitem(sys.modules, "pyarrow", None)
        status, out, err = command("metrics", "lenet", "--parquet", "-o", str(file))
    assert (status, out) == (1, "")
    assert err == ("mlwidgets: --parquet needs pyarrow: pip install pyarrow; --csv and --json need nothing\n")
    assert not file.exists()


def parquet(command: Command, folder: Path, *words: str) -> Any:
    from pyarrow.parquet import read_table

    file = folder / "x.parquet"
    assert command(*words, "--parquet", "-o", str(file)) == (0, "", "")
    assert {one.name for one in folder.iterdir()} <= {"x.parquet", ".mlwidgets"}
    return read_table(file)


def test_parquet_holds_each_record_to_the_last_bit(command: Command, done: RunFolder, tmp_path: Path) -> None:
    import pandas as pd

    read = parquet(command, tmp_path, "metrics", "lenet")
    assert [f"{field.name} {field.type}" for field in read.schema] == [
        "step int64", "time double", "name string", "value double",
    ]  # fmt: skip
    loss = [row for row in read.to_pylist() if row["name"] == "loss"]
    assert bits(row["value"] for row in loss) == bits(VALUES)
    # NaN is a number that was logged, and not one that is missing.
    assert read["value"].null_count == 0
    assert bits(pd.read_parquet(tmp_path / "x.parquet")["value"]) == bits(row["value"] for row in read.to_pylist())


def test_parquet_of_what_a_run_is_and_printed(command: Command, done: RunFolder, tmp_path: Path) -> None:
    (facts,) = parquet(command, tmp_path, "show", "lenet").to_pylist()
    assert (facts["state"], facts["params.lr"], facts["params.opt"], facts["seed"]) == ("failed", 0.1, "a,b", 3)
    assert (facts["params.shape"], facts["notebook"], facts["params.top"]) == ("(3, 4)", None, math.inf)
    lines = parquet(command, tmp_path, "logs", "lenet").to_pylist()
    assert lines[1] == {"line": 2, "stream": "output", "text": "epoch 2"}
    assert [line["stream"] for line in lines] == ["output", "output", "error"]


def test_parquet_of_what_it_has_no_type_for(command: Command, new_run: Make, tmp_path: Path) -> None:
    params = {"large": str(2**70), "half": r"'\ud800'", "flag": "True", "none": "None", "several": "[1, 'a']"}
    new_run("odd", params=params, note="ü")
    (facts,) = parquet(command, tmp_path, "show", "odd").to_pylist()
    assert facts["params.large"] == str(2**70)
    assert facts["params.half"] == r"\ud800"
    assert (facts["params.flag"], facts["params.none"], facts["params.several"]) == (True, None, "[1, 'a']")
    assert facts["note"] == "ü"
    empty = parquet(command, tmp_path, "metrics", "odd")
    assert (empty.num_rows, str(empty.schema.field("name").type)) == (0, "string")
    assert parquet(command, tmp_path, "logs", "odd").num_rows == 0


def test_parquet_into_a_pipe(store: RunStore, done: RunFolder, tmp_path: Path) -> None:
    from pyarrow.parquet import read_table

    words = f"{sys.executable} -m mlwidgets.cli --store {store.path} metrics lenet --parquet | cat > piped"
    subprocess.run(words, shell=True, cwd=tmp_path, timeout=60, check=True)
    assert read_table(tmp_path / "piped").num_rows == len(VALUES) + 4


def test_a_reader_that_leaves_is_no_error(store: RunStore, new_run: Make) -> None:
    folder = new_run("long")
    log = MetricLog(folder.metrics, folder.events)
    for _ in range(20_000):
        log(loss=0.5)
    words = f"{sys.executable} -m mlwidgets.cli --store {store.path} metrics long | head -2"
    done = subprocess.run(words, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.count("\n") == 2
    assert "Traceback" not in done.stderr
