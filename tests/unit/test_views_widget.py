from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlwidgets.views.data import read_series
from mlwidgets.views.tracks import FEWEST_BUCKETS
from tests.unit.views_support import add_display, add_values, end, make_run

pytest.importorskip("anywidget")


def listened(view: Any) -> list[tuple[dict[str, Any], list[bytes]]]:
    """Return the list to which whatever the view sends is appended."""
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    view.send = lambda content, buffers=None: sent.append((content, buffers or []))
    return sent


def numbers(data: bytes) -> list[list[float]]:
    return np.frombuffer(data, "<f8").reshape(4, -1).tolist()


def test_the_state_alone_holds_all_that_is_shown(tmp_path: Path) -> None:
    from mlwidgets.views.widget import RunView

    run = make_run(
        tmp_path,
        state="running",
        metrics={"loss": [3.0, 2.0, 1.0]},
        output="a\rb\x1b[31mc\n",
        displays=[{"text/plain": "1"}],
    )
    view = RunView(run)
    (state,) = view.get_state(["state"])["state"]["runs"]
    assert state["header"]["name"] == "lenet"
    (series,) = state["series"]
    assert (series["name"], series["n"], series["last"], series["lastStep"]) == ("loss", 3, 1.0, 2)
    steps, times, values, means = numbers(series["points"])
    assert (steps, values, means) == ([0, 1, 2], [3, 2, 1], [3, 2, 1])
    assert times == sorted(times)
    assert state["output"] == {"text": "a\rb\x1b[31mc\n", "first": 0, "lines": 1, "cut": False}
    assert state["displays"] == [{"data": {"text/plain": "1"}, "metadata": {}}]
    assert state["details"]["code"] == "pass\n"


def test_a_refresh_sends_only_what_changed(tmp_path: Path) -> None:
    from mlwidgets.views.widget import RunView

    run = make_run(tmp_path, state="running", metrics={"loss": [1.0]})
    view = RunView(run)
    sent = listened(view)
    assert view.refresh()
    assert [content["runs"] for content, _ in sent] == [[]]
    add_values(run.path, "loss", [0.5])
    assert view.refresh()
    content, (points,) = sent[-1]
    (change,) = content["runs"]
    assert set(change) == {"id", "series"}
    assert change["series"][0]["keep"] == 0
    assert numbers(points)[2] == [1.0, 0.5]
    add_values(run.path, "loss", [0.25])
    view.refresh()
    content, (points,) = sent[-1]
    # The last record of the frame before comes once more: its neighbourhood might have grown.
    assert content["runs"][0]["series"][0]["keep"] == 1
    assert numbers(points)[2] == [0.5, 0.25]
    add_display(run.path, {"image/png": "x" * 1000})
    assert view.refresh()
    assert view.sent > 1000
    end(run, "finished")
    assert not view.refresh()
    assert {"header", "details"} >= set(sent[-1][0]["runs"][0]) - {"id"}
    assert [content["frame"] for content, _ in sent] == list(range(1, len(sent) + 1))


def test_whoever_missed_a_frame_is_sent_everything_again(tmp_path: Path) -> None:
    from mlwidgets.views.widget import RunView

    run = make_run(tmp_path, state="running", metrics={"loss": [1.0, 2.0]})
    view = RunView(run)
    sent = listened(view)
    view._receive(None, {"type": "hello", "frame": 0}, [])
    assert sent == []
    view._receive(None, {"type": "hello", "frame": 7}, [])
    content, (points,) = sent[-1]
    assert content["type"] == "state"
    assert numbers(points)[2] == [1.0, 2.0]
    assert view.seen


def test_questions_are_answered(tmp_path: Path) -> None:
    from mlwidgets.views.widget import RunView

    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    run = make_run(
        store / "runs", metrics={"loss": range(100_000)}, output="".join(f"line {i}\n" for i in range(10_000))
    )
    other = make_run(store / "runs", "other", params={"lr": 0.1})
    (run.outputs / "model").mkdir()
    (run.outputs / "model" / "weights.bin").write_bytes(b"abc")
    view = RunView(run)
    sent = listened(view)

    def ask(**question: Any) -> tuple[dict[str, Any], list[bytes]]:
        view._receive(None, {"run": run.id, "to": 7, **question}, [])
        content, buffers = sent[-1]
        assert (content["type"], content["to"]) == ("answer", 7)
        return content["answer"], buffers

    _, (points,) = ask(type="range", axis="step", **{"from": 500, "until": 600})
    assert numbers(points)[2] == list(range(499, 602))
    assert ask(type="lines", first=5000, count=2)[0] == {"lines": ["line 5000", "line 5001"]}
    assert ask(type="find", text="line 999")[0]["lines"] == [999, *range(9990, 10_000)]
    assert ask(type="file", name="model/weights.bin")[1] == [b"abc"]
    assert "no file of the run" in ask(type="file", name="../code.py")[0]["error"]
    assert "error" in ask(type="file", name="model/nothing")[0]
    runs = ask(type="runs")[0]["runs"]
    assert [(one[1], one[4], one[5]) for one in runs] == [("other", "lr=0.1", False), ("lenet", "", True)]
    view._receive(None, {"type": "compare", "runs": [other.id, "../lenet"]}, [])
    assert [one["header"]["name"] for one in sent[-1][0]["state"]["runs"]] == ["lenet", "other"]


def test_a_following_view_goes_on_until_all_its_runs_have_ended(tmp_path: Path) -> None:
    from mlwidgets.views.widget import RunView

    runs = [make_run(tmp_path, name, state="running", metrics={"loss": [1.0]}) for name in ("a", "b")]
    view = RunView(*runs)
    sent = listened(view)
    thread = threading.Thread(target=view.follow, daemon=True)
    thread.start()
    end(runs[0], "finished")
    view._receive(None, {"type": "lines", "run": runs[1].id, "first": 0, "count": 1, "to": 1}, [])
    # This process stands for the worker, which the stop interrupts.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        view._receive(None, {"type": "stop", "run": runs[1].id}, [])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (runs[1].path / "requests" / "stop").exists()
    assert not (runs[0].path / "requests" / "stop").exists()
    assert thread.is_alive()
    end(runs[1], "stopped")
    thread.join(30)
    assert not thread.is_alive()
    assert any(content["type"] == "answer" for content, _ in sent)
    assert [one["header"]["state"] for one in view.get_state()["state"]["runs"]] == ["finished", "stopped"]


def test_many_metrics_share_the_resolution(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    run = make_run(tmp_path, metrics={f"metric {i}": random.random(20_000) for i in range(80)})
    series = read_series(run)
    assert len(series) == 80
    assert all(FEWEST_BUCKETS / 2 < len(one.values) <= 2 * FEWEST_BUCKETS + 2 for one in series)
