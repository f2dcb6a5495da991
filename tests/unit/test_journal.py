from __future__ import annotations

import json
import math
import os
import random
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.runs.journal import (
    RECORD_FORMAT,
    RECORD_SIZE,
    LineWriter,
    align_metrics,
    group_records,
    metric_key,
    open_metrics,
    read_lines,
    read_metrics,
    read_records,
    write_event,
)
from mlwidgets.tracking.log import MetricLog

MANY = 3000
LAYOUT = np.dtype([("metric", "<u8"), ("step", "<i8"), ("time", "<f8"), ("value", "<f8")])


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    return tmp_path / "metrics.bin"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def record(name: str, step: int, value: float) -> bytes:
    return struct.pack(RECORD_FORMAT, metric_key(name), step, 1.5, value)


def test_a_record_is_32_bytes(metrics: Path) -> None:
    assert struct.calcsize(RECORD_FORMAT) == RECORD_SIZE == LAYOUT.itemsize == 32


def test_values_come_back_to_the_last_bit(metrics: Path, events: Path) -> None:
    values = [0.1, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]
    log = MetricLog(metrics, events)
    for value in values:
        log(x=value)
    column = read_metrics(metrics, events)["x"]
    assert column.values.tobytes() == np.array(values).tobytes()
    assert column.steps.tolist() == list(range(len(values)))


@pytest.mark.parametrize("torn", range(1, RECORD_SIZE))
def test_torn_tail(metrics: Path, events: Path, torn: int) -> None:
    log = MetricLog(metrics, events)
    for step in range(3):
        log(a=step, b=-step)
    with open(metrics, "ab") as file:
        file.write(record("a", 3, 3.0)[:torn])
    assert read_metrics(metrics, events)["a"].values.tolist() == [0, 1, 2]
    MetricLog(metrics, events)(a=9.0)
    assert read_metrics(metrics, events)["a"].values.tolist() == [0, 1, 2, 9]


@pytest.mark.parametrize("torn", range(2 * RECORD_SIZE + 1))
def test_torn_call_of_two_metrics(metrics: Path, events: Path, torn: int) -> None:
    log = MetricLog(metrics, events)
    log(a=1.0, b=2.0)
    with open(metrics, "ab") as file:
        file.write((record("a", 1, 3.0) + record("b", 1, 4.0))[:torn])
    columns = read_metrics(metrics, events)
    assert columns["a"].values.tolist() == [1, 3][: 1 + (torn >= RECORD_SIZE)]
    assert columns["b"].values.tolist() == [2, 4][: 1 + (torn == 2 * RECORD_SIZE)]


def test_aligning_keeps_whole_records(metrics: Path) -> None:
    metrics.write_bytes(record("a", 0, 1.0) + b"\0" * 31)
    fd = open_metrics(metrics)
    assert metrics.stat().st_size == RECORD_SIZE
    align_metrics(fd)
    os.close(fd)
    assert metrics.stat().st_size == RECORD_SIZE


def test_reading_from_an_offset(metrics: Path, events: Path) -> None:
    log = MetricLog(metrics, events)
    for step in range(5):
        log(a=step)
    assert read_records(metrics, 3)["step"].tolist() == [3, 4]
    assert len(read_records(metrics, 5)) == 0
    assert len(read_records(metrics, 500)) == 0


def test_no_files(metrics: Path, events: Path) -> None:
    assert read_metrics(metrics, events) == {}
    assert list(read_lines(events)) == []


@pytest.mark.parametrize("name", ["loss", "Verlust/ü", "损失", "a b", "x" * 5000, "\ud800", "nul\0", "new\nline", '"'])
def test_names(metrics: Path, events: Path, name: str) -> None:
    MetricLog(metrics, events)({name: 1.5})
    MetricLog(metrics, events)({name: 2.5})
    assert {n: c.values.tolist() for n, c in read_metrics(metrics, events).items()} == {name: [1.5, 2.5]}


def test_torn_event_line_then_more(events: Path) -> None:
    whole = json.dumps({"event": "metric", "time": 1.5, "name": "a"}).encode() + b"\n"
    for torn in range(1, len(whole)):
        events.write_bytes(whole + whole[:torn])
        write_event(events, "metric", name="b")
        names = [e["name"] for e in read_lines(events)]
        assert names == (["a", "a", "b"] if torn == len(whole) - 1 else ["a", "b"])


@pytest.mark.parametrize(
    "noise",
    [
        b"\n\n",
        b'{"event": "c"}\n',
        b'{"event": 1, "time": 1}\n',
        b"[1]\n",
        b"7\n",
        b"null\n",
        b"{}\n",
        b"\xff\n",
        b"{\n",
        b"\0\0\n",
    ],
)
def test_lines_that_are_no_events(events: Path, noise: bytes) -> None:
    write_event(events, "a")
    with open(events, "ab") as file:
        file.write(noise)
    write_event(events, "b")
    assert [e["event"] for e in read_lines(events)] == ["a", "b"]


def test_writers_take_turns(events: Path) -> None:
    one, two = LineWriter(events), LineWriter(events)
    for number in range(5):
        one.write("one", number=number)
        two.write("two", number=number)
    assert [e["number"] for e in read_lines(events)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


STEPS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.floats(width=64)


def _general(records: np.ndarray, names: dict[int, str]) -> dict[str, tuple[bytes, bytes, bytes]]:
    """Group record by record, as the words of the format say."""
    columns: dict[str, list[tuple[int, float, float]]] = {}
    for key, *rest in records.tolist():
        if key in names:
            columns.setdefault(names[key], []).append(tuple(rest))
    return {
        name: (
            np.array([r[0] for r in rows], "<i8").tobytes(),
            np.array([r[1] for r in rows], "<f8").tobytes(),
            np.array([r[2] for r in rows], "<f8").tobytes(),
        )
        for name, rows in columns.items()
    }


@st.composite
def journals(draw: st.DrawFn) -> tuple[np.ndarray, dict[int, str]]:
    known = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
    written = draw(st.lists(st.sampled_from("abcde"), min_size=1, max_size=5, unique=draw(st.booleans())))
    calls = draw(st.integers(0, 4))
    rows = [(metric_key(name), draw(STEPS), 1.0, draw(VALUES)) for _ in range(calls) for name in written]
    if rows and draw(st.booleans()):
        rows = draw(st.permutations(rows))[: draw(st.integers(0, len(rows)))]
    return np.array(rows, LAYOUT), {metric_key(n): n for n in known}


@settings(max_examples=200, deadline=None)
@given(journals())
def test_metrics_in_lockstep_are_read_as_any_others(journal: tuple[np.ndarray, dict[int, str]]) -> None:
    records, names = journal
    columns = group_records(records, names)
    expected = _general(records, names)
    assert list(columns) == list(expected)
    for name, column in columns.items():
        assert tuple(part.tobytes() for part in column) == expected[name]


WRITER = """
import sys
from pathlib import Path
from mlwidgets.tracking.log import MetricLog
folder, who, calls = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
log = MetricLog(folder / "metrics.bin", folder / "events.jsonl")
sys.stdin.read(1)
for number in range(calls):
    log({who: number, "shared": number})
"""


def test_writers_at_the_same_time(metrics: Path, events: Path) -> None:
    calls = MANY
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(metrics.parent), f"w{n}", str(calls)], stdin=subprocess.PIPE
        )
        for n in range(3)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"g")
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    columns = read_metrics(metrics, events)
    for number in range(3):
        assert columns[f"w{number}"].values.tolist() == list(range(calls))
        assert columns[f"w{number}"].steps.tolist() == list(range(calls))
    assert len(columns["shared"].values) == 3 * calls


ACKNOWLEDGING = """
import os, sys
from pathlib import Path
from mlwidgets.tracking.log import MetricLog
folder = Path(sys.argv[1])
log = MetricLog(folder / "metrics.bin", folder / "events.jsonl")
number = int(sys.argv[2])
while True:
    log({"a": number, "b": -number, f"rare/{number // 500}": number})
    os.write(1, number.to_bytes(8, "little"))
    number += 1
"""


def test_nothing_that_returned_is_lost_to_a_kill(metrics: Path, events: Path) -> None:
    rounds, chance, number = 20, random.Random(0), 0
    for _ in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-c", ACKNOWLEDGING, str(metrics.parent), str(number)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.read(8 * chance.randrange(1, 150))
        for _ in range(3):
            read_metrics(metrics, events)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        child.wait()
        acknowledged = int.from_bytes(rest[-8:], "little") if len(rest) >= 8 else number
        columns = read_metrics(metrics, events)
        values = columns["a"].values.tolist()
        assert values == list(range(len(values)))
        assert len(values) > acknowledged
        # Of a write that was under way the system may have done the pages up to some record.
        settled = values[: acknowledged + 1]
        assert columns["b"].values.tolist()[: len(settled)] == [-v for v in settled]
        rare = [v for n, c in columns.items() if n.startswith("rare/") for v in c.values.tolist()]
        assert sorted(rare)[: len(settled)] == settled
        number = len(values)
