"""What differs between runs: facts, contents of variables without executing them, and metrics to the bit."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwidgets.capture.freeze import Freezer
from mlwidgets.errors import ParameterError
from mlwidgets.history.comparing.frozen import variable_digests
from mlwidgets.history.comparing.metrics import FirstDifference, first_difference
from mlwidgets.history.comparing.runs import compare_runs
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import MetricColumn
from mlwidgets.runs.spec import Frozen, Provenance
from mlwidgets.runs.store import RunStore
from mlwidgets.tracking.log import MetricLog
from mlwidgets.views.runsdiff import RunsDiffView, first_words

Make = Callable[..., RunFolder]
NAN, OTHER_NAN = (struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in (0x7FF8 << 48, (0x7FF8 << 48) + 1))


def column(*values: float, steps: list[int] | None = None) -> MetricColumn:
    return MetricColumn(np.array(steps or range(len(values)), np.int64), np.zeros(len(values)), np.array(values))


@pytest.mark.parametrize(
    ("a", "b", "first"),
    [
        (column(1, 2), column(1, 2), None),
        (column(1, NAN), column(1, NAN), None),
        (column(1, 2), column(1, np.nextafter(2, 3)), (1, 1)),
        (column(0.0), column(-0.0), (0, 0)),
        (column(1, NAN), column(1, OTHER_NAN), (1, 1)),
        (column(1, 2), column(1, 2, 3), (2, 2)),
        (column(1, 2, steps=[0, 4]), column(1, 2, steps=[0, 3]), (1, 3)),
        (column(), column(), None),
    ],
)
def test_where_a_metric_first_differs(a: MetricColumn, b: MetricColumn, first: tuple[int, int] | None) -> None:
    found = first_difference({"loss": a}, {"loss": b})
    assert [(one.index, one.step) for one in found.values()] == ([] if first is None else [first])


def test_the_earliest_step_comes_first_and_a_metric_of_one_run_alone_differs() -> None:
    a = {"late": column(1, 2, 3), "early": column(1, 2), "same": column(1)}
    b = {"late": column(1, 2, 4), "early": column(0, 2), "same": column(1), "new": column(7, steps=[1])}
    found = first_difference(a, b)
    assert list(found) == ["early", "new", "late"]
    assert found["new"] == FirstDifference(0, 1, None, 7.0)
    assert first_words(vars(first_difference({"x": column(NAN)}, {"x": column(OTHER_NAN)})["x"])) == (
        "from step 0 on: nan, bits 7ff8000000000000 → 7ff8000000000001"
    )


@given(st.lists(st.floats(width=64), max_size=6), st.lists(st.floats(width=64), max_size=6))
def test_it_says_equal_exactly_when_the_bytes_are(a: list[float], b: list[float]) -> None:
    same = struct.pack(f"<{len(a)}d", *a) == struct.pack(f"<{len(b)}d", *b)
    assert (not first_difference({"x": column(*a)}, {"x": column(*b)})) is same


SOURCE = """
import collections
import numpy as np
small, large = np.arange(5), np.ones(100_000)
text, both = "a", [small, {"k": ("x", 1.5)}]
words = {"p", "q", "r"}
knot = []; knot.append(knot)
def twice(x): return 2 * x
def reads(x): return twice(x) + len(both)
class Model:
    def fit(self): return 1
model = Model(); model.rate = 3
"""
NAMES = ["small", "large", "text", "both", "words", "knot", "twice", "reads", "model"]


@pytest.mark.parametrize(
    ("old", "new", "differ"),
    [
        ("import collections", "import collections\n\n", []),
        ('{"p", "q", "r"}', '{"r", "q", "p"}', []),
        ("np.arange(5)", "np.arange(5) + 0.0", ["small", "both"]),
        ("np.ones(", "np.zeros(", ["large"]),
        ("2 * x", "3 * x", ["twice"]),
        ("1.5", "1.25", ["both"]),
        ("model.rate = 3", "model.rate = 4", ["model"]),
        ('"p", ', "", ["words"]),
    ],
)
def test_which_variable_differs(
    store: RunStore, cell: Callable[[str, dict[str, Any]], None], old: str, new: str, differ: list[str]
) -> None:
    found = []
    for source in (SOURCE, SOURCE.replace(old, new)):
        namespace: dict[str, Any] = {}
        cell(source, namespace)
        digests = variable_digests(Freezer(namespace).freeze(NAMES, [], store.put), store.objects)
        assert digests is not None
        found.append(digests)
    assert set(NAMES) <= set(found[0])
    assert [name for name in NAMES if found[0][name] != found[1][name]] == differ


class _Trap:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_what_a_stream_would_do_is_not_done(store: RunStore, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    stream = pickle.dumps(("name", "x", _Trap(mark)), protocol=5)
    digests = variable_digests(Frozen(store.put(stream)), store.objects)
    assert digests is not None
    assert list(digests) == ["x"]
    assert not mark.exists()
    pickle.loads(stream)
    assert mark.exists()
    for damaged in (stream[:-5], b"\x80\x05garbage.", b"(((", b""):
        assert variable_digests(Frozen(store.put(damaged)), store.objects) in (None, {})
    assert variable_digests(Frozen("0" * 64), store.objects) is None


def log(folder: RunFolder, *losses: float) -> None:
    write = MetricLog(folder.metrics, folder.events)
    for step, loss in enumerate(losses):
        write({"loss": loss}, step=step)


def told(folder: RunFolder, **more: Any) -> None:
    folder.environment.write_text(json.dumps({"platform": "Linux", "packages": {"numpy": "2.0"}, "gpus": [], **more}))


ORIGIN = Provenance("/home", "/bin/python", "3.11.2", "here", "ann", threads={"OMP_NUM_THREADS": 4})


def test_only_what_differs_is_shown(new_run: Make) -> None:
    one = new_run("one", params={"lr": "0.1", "n": "3"}, seed=1, provenance=ORIGIN)
    two = new_run("two", params={"lr": "0.2", "n": "3"}, seed=1, provenance=ORIGIN, code="x = 2\n")
    for folder, version, driver in ((one, "2.0", "535"), (two, "2.1", "550")):
        told(folder, packages={"numpy": version, "same": "1"}, gpus=[{"name": "H100", "driver_version": driver}])
    log(one, 0.5, 0.25)
    log(two, 0.5, 0.125)
    view = RunsDiffView(compare_runs([one, two]))
    data = view.to_json()
    assert data["facts"]["parameters"] == [["lr", ["0.1", "0.2"]]]
    assert data["facts"]["packages"] == [["numpy", ["2.0", "2.1"]]]
    assert data["facts"]["environment"] == [["GPU 0 driver_version", ["535", "550"]]]
    text = view.text()
    assert text.splitlines()[0] == "one and two: other parameters, environment, packages, code; 1 of 1 metric differs"
    assert "loss: from step 1 on: 0.25 → 0.125" in text
    assert "no notebook was kept with one" in text
    assert "same" not in text
    assert not json.dumps(data).count("NaN")


def test_the_work_tree_of_a_rerun_is_that_of_the_run_that_it_does_again(new_run: Make) -> None:
    one = new_run("one", provenance=ORIGIN)
    again = new_run("again", provenance=ORIGIN, rerun_of=one.id)
    other = new_run("other", provenance=ORIGIN)
    for folder, commit in ((one, "a" * 40), (again, "b" * 40), (other, "b" * 40)):
        told(folder, git={"branch": "main", "commit": commit, "dirty": False})
    assert compare_runs([one, again]).facts["environment"] == []
    assert [name for name, _ in compare_runs([one, other]).facts["environment"]] == ["git"]
    lost = new_run("lost", provenance=ORIGIN, rerun_of="../one")
    told(lost, git={"branch": "main", "commit": "c" * 40, "dirty": False})
    assert compare_runs([one, lost]).facts["environment"] == [("git", ["main at aaaaaaa", None])]


def test_runs_that_are_the_same_say_so_and_what_nobody_knows(new_run: Make) -> None:
    one, two, three = (new_run(name, provenance=ORIGIN) for name in ("one", "two", "three"))
    for folder in (one, two):
        told(folder)
    for folder in (one, two, three):
        log(folder, 0.5, float("nan"), float("inf"))
    diff = compare_runs([one, two, three])
    assert not diff
    assert RunsDiffView(diff).text().splitlines()[0] == (
        "one and two, three: nothing else differs as far as it is known; 1 metric bitwise equal"
    )
    assert diff.unknown[0] == ("the environment of three is not known: packages, GPUs and git are not compared with it")
    assert json.loads(json.dumps(RunsDiffView(diff).to_json(), allow_nan=False))["metrics"][0]["runs"][0]["last"] == [
        2,
        "Infinity",
    ]


def test_what_users_wrote_does_nothing_to_the_page(new_run: Make) -> None:
    one = new_run("one", params={"x": "'<script>alert(1)</script>'"})
    two = new_run("two", params={"x": "'\x1b[31m'"}, code="<b>\n")
    page = RunsDiffView(compare_runs([one, two], ["<i>", "b"])).page()
    assert "<script>alert" not in page
    assert "<i>" not in page
    assert "<b>\n" not in page
    assert "\x1b" not in RunsDiffView(compare_runs([one, two])).text()


def test_one_run_is_not_enough(new_run: Make) -> None:
    with pytest.raises(ParameterError, match="it takes two runs"):
        compare_runs([new_run()])


def test_where_the_cell_stands_in_its_notebook_is_no_difference(store: RunStore, new_run: Make) -> None:
    def run(count: int, precision: int) -> RunFolder:
        state = {"shell.execution_count": count, "shell.cells": {"a.py": f"Cell In[{count}]"}, "numpy": precision}
        return new_run("lenet", ambient=Freezer(state).freeze(list(state), [], store.put))

    assert compare_runs([run(3, 8), run(26, 8)]).facts["state around"] == []
    assert [name for name, _ in compare_runs([run(3, 8), run(26, 9)]).facts["state around"]] == ["numpy"]
