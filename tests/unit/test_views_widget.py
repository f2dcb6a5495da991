from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlwidgets.views.data import FEWEST_BUCKETS, read_series
from tests.unit.views_support import add_display, add_values, end, make_run

pytest.importorskip("anywidget")


def test_the_traits_alone_hold_all_that_is_shown(tmp_path: Path) -> None:
    from mlwidgets.views.widget import RunView

    run = make_run(
        tmp_path,
        state="running",
        metrics={"loss": [3.0, 2.0, 1.0]},
        output="a\rb\x1b[31mc\n",
        displays=[{"text/plain": "1"}],
    )
    state = RunView(run).get_state(["header", "series", "output", "displays"])
    assert state["header"]["name"] == "lenet"
    (series,) = state["series"]
    assert (series["name"], series["n"], series["last"], series["lastStep"]) == ("loss", 3, 1.0, 2)
    assert np.frombuffer(series["steps"], "<f8").tolist() == [0, 1, 2]
    assert np.frombuffer(series["values"], "<f8").tolist() == [3, 2, 1]
    assert state["output"] == {"text": "b\x1b[31mc\x1b[0m\n", "cut": False}
    assert state["displays"] == [{"data": {"text/plain": "1"}, "metadata": {}}]


def test_a_refresh_sends_only_what_changed(tmp_path: Path) -> None:
    from mlwidgets.views.widget import RunView

    run = make_run(tmp_path, state="running", metrics={"loss": [1.0]})
    view = RunView(run)
    changed: list[str] = []
    view.observe(lambda change: changed.append(change["name"]), ["header", "series", "output", "displays"])
    assert view.refresh()
    assert changed == []
    add_values(run.path, "loss", [0.5])
    assert view.refresh()
    assert changed == ["series"]
    add_display(run.path, {"image/png": "x" * 1000})
    assert view.refresh()
    assert changed == ["series", "displays"]
    assert view.sent > 1000
    end(run, "finished")
    assert not view.refresh()
    assert changed == ["series", "displays", "header"]


def test_many_metrics_share_the_resolution(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    run = make_run(tmp_path, metrics={f"metric {i}": numbers.random(2000) for i in range(40)})
    series = read_series(run)
    assert len(series) == 40
    assert all(FEWEST_BUCKETS < len(one.values) <= 2 * FEWEST_BUCKETS + 2 for one in series)
