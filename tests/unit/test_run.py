from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest

from mlwidgets.errors import ResultNotAvailable, RunFailed
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import LineWriter
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.tracking.log import MetricLog

Make = Callable[..., RunFolder]


def test_what_was_asked(new_run: Make) -> None:
    run = Run(
        new_run("lenet", params={"lr": "0.1", "d": "(1, 2)", "f": "<function f>"}, tags={"a": "b"}, note="n").path
    )
    assert run.params == {"lr": 0.1, "d": (1, 2), "f": "<function f>"}
    assert (run.name, run.tags, run.note) == ("lenet", {"a": "b"}, "n")


def test_metrics(new_run: Make) -> None:
    folder = new_run()
    log = MetricLog(folder.metrics, folder.events)
    log(loss=3.0, acc=0.1)
    log(loss=2.0)
    log(loss=math.nan, step=1)
    log(acc=0.9, step=7)
    run = Run(folder.path)
    expected = pd.DataFrame(
        {"loss": [3.0, math.nan, math.nan], "acc": [0.1, math.nan, 0.9]}, index=pd.Index([0, 1, 7], name="step")
    )
    pd.testing.assert_frame_equal(run.metrics, expected)
    history = run.history()
    assert history.columns.tolist() == ["metric", "step", "value", "time"]
    assert history["metric"].tolist() == ["loss", "acc", "loss", "loss", "acc"]
    assert str(history["time"].dtype.tz) == "UTC"
    assert run.last_values()["acc"] == 0.9


def test_no_metrics(new_run: Make) -> None:
    run = Run(new_run().path)
    assert run.metrics.empty
    assert run.metrics.index.name == "step"
    assert run.history().columns.tolist() == ["metric", "step", "value", "time"]
    assert run.last_values() == {}


def test_output(new_run: Make) -> None:
    folder = new_run()
    folder.output.write_bytes("grün\n".encode() * 5 + b"\xff")
    run = Run(folder.path)
    assert run.output == "grün\n" * 5 + "\ufffd"
    assert run.output_tail() == run.output
    # It may cut a line, even a character: what is left of that line is not shown.
    for limit in range(1, 32):
        lines = run.output_tail(limit).split("\n")
        assert set(lines[:-1]) <= {"grün"}
        assert lines[-1] == "\ufffd"


def test_end_of_a_long_line(new_run: Make) -> None:
    folder = new_run()
    folder.output.write_text("".join(f"\r{n:5}/99999" for n in range(1000)) + "\n")
    assert Run(folder.path).output_tail(110).endswith("  999/99999\n")


def test_output_that_was_cleared(new_run: Make) -> None:
    folder = new_run()
    folder.output.write_text("before\nafter\n")
    LineWriter(folder.displays).write("clear", wait=False, offset=7)
    run = Run(folder.path)
    assert run.output == "before\nafter\n"
    assert run.output_tail() == "after\n"


def test_no_output(new_run: Make) -> None:
    folder = new_run()
    folder.output.unlink()
    assert (Run(folder.path).output, Run(folder.path).output_tail()) == ("", "")


def test_how_it_shows(new_run: Make) -> None:
    folder = new_run()
    assert repr(Run(folder.path)) == "<Run 'lenet', submitted>"
    MetricLog(folder.metrics, folder.events)(loss=0.123456)
    write_outcome(folder, Outcome("failed", "E: no", 10.0, 12.5))
    assert repr(Run(folder.path)) == "<Run 'lenet', failed, 2.5 s, E: no, loss=0.1235>"
    assert Run(folder.path).elapsed == 2.5


def test_results_before_the_end_and_without_one(new_run: Make) -> None:
    folder = new_run()
    with pytest.raises(ResultNotAvailable, match=r"is still submitted; wait\(\) for it first"):
        Run(folder.path).result
    write_outcome(folder, Outcome("killed", "out of memory"))
    with pytest.raises(ResultNotAvailable, match=r"left no result: it was killed: out of memory; its output is in "):
        Run(folder.path).result


def test_waiting(new_run: Make) -> None:
    folder = new_run()
    run = Run(folder.path)
    with pytest.raises(TimeoutError, match="is still submitted after 0 s"):
        run.wait(0)
    write_outcome(folder, Outcome("timeout", "too long"))
    assert run.wait() is run
    with pytest.raises(RunFailed, match="run 'lenet' ran out of time: too long; its output is in "):
        run.raise_for_state()


def test_stopping_what_has_ended_asks_nobody(new_run: Make) -> None:
    folder = new_run()
    write_outcome(folder, Outcome("finished"))
    Run(folder.path).stop()
    assert not folder.stop_request.exists()


def test_stopping_what_has_not_begun_leaves_the_request(new_run: Make) -> None:
    folder = new_run()
    Run(folder.path).stop("me")
    assert folder.stop_request.read_text() == "me"
