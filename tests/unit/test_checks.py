from __future__ import annotations

import datetime as dt
import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mlwidgets
from mlwidgets import check
from mlwidgets.errors import CheckFailed, MlwidgetsError
from mlwidgets.runs.journal import FOLDER_VARIABLE, read_lines

HOUR = pd.Timedelta("1h")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda: capsys.readouterr().out.rstrip("\n")


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [20, 30, 40, 50],
            "share": [0.1, 0.2, np.nan, 0.4],
            "region": ["EU", "US", "EU", None],
            "time": pd.date_range("2026-01-01", periods=4, freq="h"),
        }
    )


def test_it_says_and_returns_whether_it_holds(said: Any) -> None:
    assert check(0.95 > 0.9, "accuracy above 90 %") is True
    assert said() == "✓ accuracy above 90 %"
    assert check(np.bool_(False), "accuracy above 90 %", 0.85) is False
    assert said() == "✗ accuracy above 90 %: 0.85"
    assert check(np.array([1.0]) > 0, "of one element") is True


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((np.array([True, False]), "all"), r"needs one truth value, not ndarray of shape \(2,\): add .all\(\)"),
        ((pd.Series([True, False]), "all"), r"not Series of shape \(2,\)"),
        ((pd.NA, "known"), "'known' needs one truth value, not NAType"),
        (("accuracy", 0.9 > 0.8), "True is no text"),
        ((True, " "), "' ' is no text"),
    ],
)
def test_what_is_no_check(given: tuple[Any, Any], message: str, said: Any) -> None:
    with pytest.raises(TypeError, match=message):
        check(*given)
    assert said() == ""


def test_required_ends_the_code(said: Any) -> None:
    assert check(True, "fine", required=True)
    with pytest.raises(CheckFailed, match=r"^check failed: too low: 0.1$") as raised:
        check(False, "too low", 0.1, required=True)
    assert isinstance(raised.value, MlwidgetsError)
    with pytest.raises(CheckFailed, match="columns a"):
        check.columns({}, ["a"], required=True)
    assert said().splitlines()[1] == "✗ too low: 0.1"


def test_inside_a_run_each_is_an_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Any) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    check(True, "fine")
    check(False, "a\nb \ud800", "x" * 5000)
    with pytest.raises(CheckFailed):
        check.unique([1, 1], required=True)
    events = list(read_lines(tmp_path / "events.jsonl", "check"))
    assert [(e["text"], e["passed"]) for e in events] == [
        ("fine", True),
        ("a b \ud800", False),
        ("the column is unique", False),
    ]
    assert [e["detail"] if len(e["detail"] or "") < 99 else len(e["detail"]) for e in events] == [
        None,
        1000,
        "1 occurs 2 times",
    ]
    assert len(said().splitlines()) == 3


def test_a_run_whose_events_cannot_be_written_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "gone"))
    assert check(True, "fine")
    assert check(True, "fine")
    captured = capsys.readouterr()
    assert captured.out == "✓ fine\n✓ fine\n"
    assert captured.err.count("checks are not being recorded: No such file") == 1


def test_outside_a_run_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    check(True, "fine")
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_that_knows_ascii_alone() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code = "import sys, mlwidgets; mlwidgets.check(True, 'größer'); sys.exit('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "\\u2713 gr\\xf6\\xdfer\n"


def test_pandas_stays_out_of_checks_that_are_given_none() -> None:
    code = """
import sys, mlwidgets
from mlwidgets import check
data = {"a": [1, 2, None], "t": ["2026-01-01", "2026-01-02"]}
check.columns(data, ["a"]), check.types(data, {"a": "int"}), check.range(data["a"], 1, 2), check.unique(data["a"])
check.categories(data["a"], [1, 2]), check.interval(data["t"], "1d"), check.fresh(data["t"], "1w"), check.missing(data)
sys.exit("pandas" in sys.modules or "IPython" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line[0] for line in done.stdout.splitlines()] == ["✓", "✓", "✓", "✓", "✓", "✓", "✗", "✗"]


def test_there_is_one() -> None:
    assert pickle.loads(pickle.dumps(check)) is check
    assert mlwidgets.check is check


def test_columns(frame: pd.DataFrame, said: Any) -> None:
    assert check.columns(frame, ["age", "region"])
    assert said() == "✓ columns age, region"
    assert not check.columns(frame, ["age", "town", "street"])
    assert said() == "✗ columns age, town, street: there is no town, street; there are age, share, region, time"
    assert check.columns({"a": [1]}, "a")
    with pytest.raises(TypeError, match=r"check.columns: give a DataFrame or a dict of columns, not list \[1\]"):
        check.columns([1], ["a"])


def test_types(frame: pd.DataFrame, said: Any) -> None:
    assert check.types(frame, {"age": "int", "share": float, "region": str, "time": "datetime"})
    assert said() == "✓ age is int, share is float, region is str, time is datetime"
    assert check.types(frame, {"age": "number", "share": "number"})
    assert check.types(frame, {"age": "int64"})
    assert check.types(frame, {"age": np.int64})
    said()
    assert not check.types(frame, {"age": "str", "share": "int", "town": "str"}, text="types")
    assert said() == "✗ types: age is int64, share is float64, there is no town"


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pd.Series([1, None], dtype="Int64"), "int"), (pd.Series([True]), "bool"),
        (pd.Series([True, None], dtype="boolean"), "bool"), (pd.Series(["a"], dtype="category"), "category"),
        (pd.Series(["a"], dtype="string"), "str"), (pd.Series(["a", None], dtype=object), "str"),
        (pd.Series([1, "a"], dtype=object), "int and str"), (pd.Series([], dtype=object), "empty"),
        (pd.Series([dt.date(2026, 1, 1)]), "date"), (pd.to_timedelta(["1h"]), "timedelta"),
        (pd.to_datetime(["2026-01-01"], utc=True), "datetime"), (np.array(["a"]), "str"), (np.zeros(2, "u1"), "int"),
        ([1, 2.5, None], "float"), ([1, None], "int"), (("a", "b"), "str"), ([True], "bool"),
    ],
)  # fmt: skip
def test_kinds(column: Any, kind: str) -> None:
    assert check.types({"a": column}, {"a": kind})


def test_range(frame: pd.DataFrame, said: Any) -> None:
    assert check.range(frame["age"], 20, 50)
    assert said() == "✓ age from 20 to 50: 20 to 50"
    assert not check.range(frame["age"], 25, 45)
    assert said() == "✗ age from 25 to 45: 1 below 25 and 1 above 45 of 4; they are 20 to 50"
    assert check.range(frame["share"], low=0)
    assert said() == "✓ share at least 0: 0.1 to 0.4"
    assert check.range(frame["time"], "2026-01-01", high=pd.Timestamp("2026-02-01"))
    assert not check.range(frame["time"], high="2026-01-01 01:30")
    said()
    assert not check.range(frame["region"], 0, 5)
    assert said().startswith("✗ region from 0 to 5: the values cannot be compared: ")
    assert not check.range([1, float("inf")], high=100)
    assert said() == "✗ the column at most 100: 1 above 100 of 2; they are 1 to inf"
    assert check.range(np.array([1.0, np.nan]), 0, 1)
    assert check.range(["a", None, "b"], "a", "c")


@pytest.mark.parametrize("empty", [[], [None], pd.Series([], dtype=float), pd.Series([None]), np.array([np.nan])])
def test_no_values_pass_nothing(empty: Any, said: Any) -> None:
    assert not check.range(empty, 0)
    assert not check.categories(empty, [1])
    assert not check.unique(empty)
    assert not check.fresh(empty, "1d")
    assert [line.rpartition(": ")[2] for line in said().splitlines()] == ["there are no values"] * 4
    assert not check.interval(empty, "1h")
    assert said().endswith("0 times have no interval")


def test_categories(frame: pd.DataFrame, said: Any) -> None:
    assert check.categories(frame["region"], ["EU", "US", "ASIA"])
    assert said() == "✓ region is one of EU, US, ASIA"
    assert not check.categories(frame["region"], {"US"})
    assert said() == "✗ region is one of US: 'EU' occurs 2 times"
    assert not check.categories(list("abcdefgh"), ["a"])
    assert said().endswith("; and 2 others")
    assert check.categories([[1], [1]], [[1]])
    assert check.categories(pd.Series(["a", "b"], dtype="category"), ["a", "b"])


@pytest.mark.parametrize(
    "times",
    [
        pd.Series(pd.date_range("2026-01-01", periods=4, freq="h")),
        pd.Series(pd.date_range("2026-01-01", periods=4, freq="h", tz="Europe/Berlin")),
        pd.date_range("2026-01-01", periods=4, freq="h"),
        pd.date_range("2026-01-01", periods=4, freq="h", tz="UTC"),
        np.arange("2026-01-01", "2026-01-01T04", dtype="datetime64[h]"),
        [dt.datetime.fromisoformat(f"2026-01-01T0{hour}") for hour in range(4)],
        [f"2026-01-01T0{hour}:00:00Z" for hour in range(4)],
        [0, 3600, 7200, 10800.0],
        np.arange(4) * 3600,
    ],
)
def test_interval(times: Any) -> None:
    for every in ("1h", "h", "60 min", "3600s", 3600, dt.timedelta(hours=1), HOUR):
        assert check.interval(times, every)
    assert not check.interval(times, "30min")
    assert check.interval(times, "55min", tolerance="5min")
    assert not check.interval([*list(times)[:3], list(times)[2]], "1h")


def test_where_an_interval_differs(said: Any) -> None:
    check.interval(["2026-01-01", "2026-01-02", "2026-01-05", "2026-01-06"], "1d")
    assert said() == "✗ the column every 1 d: 1 of 3 steps differ, first 3 d after 2026-01-02 00:00:00"
    check.interval(["2026-01-01", "2026-01-02"], "1d")
    assert said() == "✓ the column every 1 d: 2 times from 2026-01-01 00:00:00 to 2026-01-02 00:00:00"
    check.interval(["2026-01-01", "31.12.2026"], "1d")
    assert said() == "✗ the column every 1 d: '31.12.2026' is no time"
    check.interval(["2026-01-01", "2026-01-02T00:00Z"], "1d")
    assert said().endswith("some times have a zone and some have none")
    for wrong in ("1M", "often", None, True, ""):
        with pytest.raises(TypeError, match=f"check.interval: {re.escape(repr(wrong))} is no span of time"):
            check.interval([1, 2], wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/Los_Angeles"])
def test_fresh(zone: str, monkeypatch: pytest.MonkeyPatch, said: Any) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        now = dt.datetime.now()  # noqa: DTZ005
        recent, old = now - dt.timedelta(minutes=5), now - dt.timedelta(days=3)
        for times in (
            pd.Series([old, recent, None]), [old, recent], pd.Series([old, recent]).dt.tz_localize(zone),
            [recent.astimezone(dt.UTC).isoformat()], [time.time() - 300],
        ):  # fmt: skip
            assert check.fresh(times, "1h")
            assert not check.fresh(times, "1min")
        said()
        assert not check.fresh([old], within="2d")
        assert said() == "✗ the column not older than 2 d: the newest is 3 d old"
        assert check.fresh([now + dt.timedelta(days=3, minutes=1)], within="2d")
        assert said() == "✓ the column not older than 2 d: the newest is 3 d ahead"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_missing(frame: pd.DataFrame, said: Any) -> None:
    assert not check.missing(frame)
    assert said() == "✗ nothing missing in 4 columns: share 1 of 4 (25 %), region 1 of 4 (25 %)"
    assert check.missing(frame, at_most=0.25)
    assert said() == "✓ at most 25 % missing in each of 4 columns"
    assert check.missing(frame["age"])
    assert said() == "✓ nothing missing in age"
    assert not check.missing([None, pd.NA, pd.NaT, float("nan"), 1])
    assert said() == "✗ nothing missing in the column: 4 of 5 (80 %)"
    assert not check.missing(frame.iloc[:0])
    assert said() == "✗ nothing missing in 4 columns: there are no values"
    twice = pd.DataFrame([[1, None]], columns=["a", "a"])
    assert not check.missing(twice)
    for wrong in (2, -0.1, "1 %"):
        with pytest.raises(TypeError, match="at_most is a share from 0 to 1"):
            check.missing(frame, at_most=wrong)  # type: ignore[arg-type]


def test_unique(frame: pd.DataFrame, said: Any) -> None:
    assert check.unique(frame["age"])
    assert said() == "✓ age is unique"
    assert not check.unique(frame["region"])
    assert said() == "✗ region is unique: 'EU' occurs 2 times"
    assert check.unique(frame.index)
    assert not check.unique([[1], [1]])


@pytest.mark.parametrize("wrong", [pd.DataFrame({"a": [1]}), np.zeros((2, 2)), "text", {"a": [1]}, 5])
def test_one_column_is_wanted(wrong: Any) -> None:
    for judge in (lambda: check.range(wrong, 0), lambda: check.unique(wrong), lambda: check.fresh(wrong, "1d")):
        with pytest.raises(TypeError, match=r"^check\.\w+: give one column, such as df\['age'\], not "):
            judge()


def test_an_event_is_one_json_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    check.range(pd.Series([1, 2], name="a"), np.int64(0), np.float64(2.5))
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert (told["event"], told["text"], told["passed"]) == ("check", "a from 0 to 2.5", True)
