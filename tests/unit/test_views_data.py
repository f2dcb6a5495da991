from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from mlwidgets.runs.journal import LineWriter
from mlwidgets.runs.run import Run
from mlwidgets.views.data import read_range, snapshot
from mlwidgets.views.follow import Follower
from mlwidgets.views.terminal import plain
from mlwidgets.views.tracks import BUCKETS
from tests.unit.views_support import add_display, add_values, end, make_run


def test_the_header_says_what_was_asked_and_how_it_ended(tmp_path: Path) -> None:
    run = make_run(
        tmp_path,
        "lenet",
        state="failed",
        params={"lr": 1e-3, "optimizer": "adam", "shape": (3, 4)},
        tags={"team": "vision"},
        note="first try",
        cause="ValueError: no",
        traceback=["Traceback", "ValueError: no"],
    )
    header = snapshot(run).header
    assert (header["name"], header["state"], header["cause"]) == ("lenet", "failed", "ValueError: no")
    assert header["params"] == [["lr", "0.001"], ["optimizer", "adam"], ["shape", "(3, 4)"]]
    assert header["tags"] == [["team", "vision"]]
    assert header["error"] == "Traceback\nValueError: no"
    assert header["ended"] - header["started"] == pytest.approx(83)
    assert header["stopping"] is False
    json.dumps(header, allow_nan=False)


def test_long_parameters_are_cut(tmp_path: Path) -> None:
    header = snapshot(make_run(tmp_path, params={"text": "x" * 10_000})).header
    assert len(header["params"][0][1]) == 200


def test_series_keep_their_spikes_and_know_their_numbers(tmp_path: Path) -> None:
    values = [1.0] * 20_000
    values[777], values[888], values[-1] = 9.0, -9.0, math.nan
    series = snapshot(make_run(tmp_path, metrics={"loss": values})).series[0]
    assert series.n == 20_000
    assert math.isnan(series.last)
    assert (series.low, series.high, series.last_step) == (-9.0, 9.0, 19_999)
    assert {9.0, -9.0} <= set(series.values.tolist())
    assert len(series.values) <= 3 * BUCKETS + 2
    assert series.steps.dtype == series.values.dtype == "<f8"
    assert series.about()["last"] == "NaN"


def test_steps_that_went_back_are_drawn_in_order(tmp_path: Path) -> None:
    run = make_run(tmp_path, state="running", metrics={"loss": [1.0, 2.0, 3.0]})
    add_values(run.path, "loss", [4.0])
    series = snapshot(run).series[0]
    assert series.steps.tolist() == [0, 0, 1, 2]
    assert series.values.tolist() == [1, 4, 2, 3]
    assert (series.last, series.last_step) == (4.0, 0)


def test_only_the_end_of_a_long_output_is_read(tmp_path: Path) -> None:
    output = snapshot(make_run(tmp_path, output="".join(f"line {i}\n" for i in range(100_000)))).output
    assert output.cut
    assert plain(output.lines).endswith("line 99998\nline 99999")
    assert len(output.lines) == 400


def test_a_short_output_is_whole(tmp_path: Path) -> None:
    output = snapshot(make_run(tmp_path, output="a\nb\n")).output
    assert not output.cut
    assert plain(output.lines) == "a\nb"


def test_a_follower_reads_what_changed_and_nothing_else(tmp_path: Path) -> None:
    run = make_run(tmp_path, state="running", metrics={"loss": [1.0]}, output="a\n")
    follower = Follower(run)
    assert set(follower.changes()) == {"header", "series", "output", "displays", "details"}
    assert follower.changes() == {}
    add_values(run.path, "accuracy", [0.5])
    assert [one["name"] for one in follower.changes()["series"]] == ["accuracy"]
    with (run.path / "output.log").open("ab") as file:
        file.write("b\nö".encode()[:-1])
    assert follower.changes() == {"output": {"add": "b\n", "lines": 2}}
    with (run.path / "output.log").open("ab") as file:
        file.write("ö".encode()[-1:])
    assert follower.changes()["output"]["add"] == "ö"
    add_display(run.path, {"text/plain": "figure"})
    assert follower.changes()["displays"] == [{"data": {"text/plain": "figure"}, "metadata": {}}]
    (run.path / "requests" / "stop").write_text("user")
    assert follower.changes()["header"]["stopping"]
    end(run, "stopped", "stopped by user")
    assert follower.changes()["header"]["state"] == "stopped"
    assert follower.ended
    assert follower.changes() == {}


def test_what_was_cleared_is_gone_and_lines_count_from_there(tmp_path: Path) -> None:
    run = make_run(tmp_path, state="running", output="one\ntwo\n", displays=[{"text/plain": "figure"}])
    follower = Follower(run)
    follower.changes()
    LineWriter(run.path / "displays.jsonl").write("clear", offset=8, wait=True)
    assert follower.changes() == {}
    with (run.path / "output.log").open("a") as file:
        file.write("three\n")
    changes = follower.changes()
    assert changes["output"] == {"text": "three\n", "first": 0, "lines": 1, "cut": False}
    assert changes["displays"] == []
    assert follower.lines.read(0, 9) == ["three"]


def test_of_a_flood_of_output_a_view_gets_the_end(tmp_path: Path) -> None:
    run = make_run(tmp_path, state="running")
    follower = Follower(run)
    follower.changes()
    with (run.path / "output.log").open("a") as file:
        file.writelines(f"line {i}\n" for i in range(100_000))
    output = follower.changes()["output"]
    first = int(output["text"].split()[1])
    assert output["first"] == first > 90_000
    assert output["text"].endswith("line 99999\n")
    assert (output["lines"], output["cut"]) == (100_000, True)


def test_a_range_is_reduced_by_itself(tmp_path: Path) -> None:
    columns = make_run(tmp_path, metrics={"loss": range(50_000)}).columns()
    found = read_range(columns, "step", 1000.0, 1009.0)["loss"]
    assert (found.n, found.low, found.high) == (12, 999.0, 1010.0)
    begin = float(columns["loss"].times[0])
    assert read_range(columns, "time", begin - 2, begin - 1) == {}


def test_details_say_what_it_takes_to_do_it_again(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run.path / "environment.json").write_text(
        json.dumps({"packages": {"numpy": "2.0"}, "git": {"branch": "main", "commit": "a" * 40, "dirty": True}})
    )
    (run.outputs / "a").mkdir()
    (run.outputs / "a" / "b.txt").write_text("hi")
    details = snapshot(run).details
    assert details is not None
    assert (details["code"], details["packages"], details["files"]) == ("pass\n", [["numpy", "2.0"]], [["a/b.txt", 2]])
    assert ["Git", "main at aaaaaaaaaaaa, with uncommitted changes"] in details["facts"]
    json.dumps(details, allow_nan=False)


def test_a_view_holds_nothing_but_the_folder(tmp_path: Path) -> None:
    path = make_run(tmp_path, metrics={"loss": [3.0, 1.0]}, output="hello\n").path
    first, second = snapshot(Run(path)), snapshot(Run(path))
    assert first.header == second.header
    assert first.series[0].values.tolist() == second.series[0].values.tolist()


def test_nothing_heavy_is_imported_for_a_view() -> None:
    heavy = "('anywidget', 'ipywidgets', 'IPython', 'matplotlib', 'numpy', 'pandas')"
    code = f"import sys, mlwidgets.views.live; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
