from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from mlwidgets.api import open_run
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import literal_text
from mlwidgets.sweeps.definition import Limits
from mlwidgets.views import static
from mlwidgets.views.console import _Block
from mlwidgets.views.data import snapshot
from mlwidgets.views.static import MIME, bundle
from mlwidgets.views.summary import summary
from mlwidgets.views.sweepsvg import path, robust
from mlwidgets.views.sweeptext import table
from tests.unit.sweep_support import SweepFolder, curve, sample, typical, why


class _Page(HTMLParser):
    """Collects tags, texts and pictures, and checks that tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pictures: list[tuple[str, ET.Element]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        assert not any(name.startswith("on") for name in given)
        if tag == "img":
            source = given["src"] or ""
            assert source.startswith("data:image/svg+xml,")
            drawn = unquote(source.removeprefix("data:image/svg+xml,"))
            assert "nan" not in drawn.lower()
            self.pictures.append((given["alt"] or "", ET.fromstring(drawn)))
        else:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return typical(tmp_path_factory.mktemp("store") / "runs", 30).run


@pytest.fixture(scope="module")
def still(ended: Run) -> dict[str, Any]:
    return bundle(ended)


def _weight(data: dict[str, Any]) -> int:
    """Return the bytes of what a notebook keeps beside the picture."""
    return sum(len(json.dumps(data[key], allow_nan=False)) for key in (MIME, "text/html", "text/plain"))


def test_the_saved_numbers(ended: Run, still: dict[str, Any]) -> None:
    saved = still[MIME]["runs"][0]["sweep"]
    assert (saved["hidden"], saved["hidden_params"]) == (0, 0)
    assert (saved["status"]["best"]["number"], saved["importance"]) == (10, {"lr": 0.71, "width": 0.2, "keep": 0.09})
    rows = {one["number"]: one for one in saved["trials"]}
    whole = {one["number"]: one for one in snapshot(ended).sweep.rows}  # type: ignore[union-attr]
    assert rows.keys() == whole.keys() == set(range(30))
    # A usual value is not said.
    assert rows[0].keys() == {"number", "run", "params", "values", "best", "started", "ended"}
    assert rows[2]["state"] == "terminated"
    assert rows[2]["why"].keys() == {"rule", "interval", "step", "value", "threshold", "best", "best_trial"}
    assert (rows[7]["state"], rows[7]["cause"]) == ("failed", "ValueError: the learning rate is too high")
    assert rows[4]["params"]["lr"] == pytest.approx(whole[4]["params"]["lr"], rel=1e-3)
    assert rows[4]["params"]["width"] == whole[4]["params"]["width"]


def test_the_saved_curves(still: dict[str, Any]) -> None:
    curves = {one["number"]: one for one in still[MIME]["runs"][0]["sweep"]["curves"]}
    assert len(curves) == 30
    for number, one in curves.items():
        steps = [sum(one["steps"][: i + 1]) for i in range(len(one["steps"]))]
        values = curve(number)
        assert one.get("n", len(steps)) == (2 if number % 10 == 7 else 11 if number % 3 == 2 else 30)
        assert (steps[0], steps[-1]) == (0, one.get("n", len(steps)) - 1)
        assert one["values"] == [pytest.approx(values[step], rel=1e-3) for step in steps]


def test_a_sweep_of_200_trials_is_light(tmp_path: Path) -> None:
    data = bundle(typical(tmp_path / "runs", 200, 30).run)
    saved = data[MIME]["runs"][0]["sweep"]
    assert _weight(data) < 100_000
    assert len(data["image/png"]) < 45_000
    kept = {one["number"] for one in saved["trials"]}
    assert len(kept) >= 150
    assert len(kept) + saved["hidden"] == 200
    assert saved["status"]["best"]["number"] in kept
    assert set(range(190, 200)) <= kept
    assert {one["number"] for one in saved["curves"]} <= kept
    assert all(len(one["values"]) in range(4, 41) for one in saved["curves"] if "n" in one)


def _adverse(parent: Path) -> SweepFolder:
    names = [f"parameter_{i}_" + "n" * 60 for i in range(200)]
    space = {name: "choice(" + ", ".join(f"'{'v' * 150}{i}'" for i in range(30)) + ")" for name in names}
    sweep = SweepFolder(parent, space=space, limits=Limits(trials=1000), params=dict.fromkeys(names[:50], "p" * 5000))
    reason = {**why(1, 3, 0.5, 0.9), "rule": "because <b> " * 500}
    for number in range(1000):
        params = dict.fromkeys(names[:20], f"{'v' * 150}{number % 30}")
        texts = {name: literal_text(value) for name, value in params.items()}
        run = f"20261121-120000-lenet-search-{number}-abcd"
        if number % 20 == 0:
            run = sweep.submit(number, params)
            sweep.start(run)
            sweep.log(run, curve(number, 100))
        else:
            # Most of the folders are gone.
            sweep.event("trial", number=number, run=run, params=texts, attempt=1, by="sampler")
        state = ("finished", "terminated", "failed", "killed")[number % 4]
        said = {"values": [curve(number)[-1]] if number % 4 < 2 else None, "cause": "y\n" * 3000}
        sweep.event("trial_ended", number=number, run=run, state=state, why=reason if number % 4 == 1 else None, **said)
    sweep.event("importance", values=dict.fromkeys(names, 1 / 200))
    sweep.finish()
    return sweep


def test_adverse_sweeps_are_light_too(tmp_path: Path) -> None:
    run = _adverse(tmp_path / "runs").run
    data = bundle(run)
    assert _weight(data) < 100_000
    saved = data[MIME]["runs"][0]["sweep"]
    assert (saved["hidden"] + len(saved["trials"]), saved["hidden_params"] >= 150) == (1000, True)
    assert len(saved["trials"]) >= 20
    assert saved["status"]["best"]["number"] in {one["number"] for one in saved["trials"]}
    page = _Page(data["text/html"])
    assert "<b>" in page.text
    assert "and 9" in page.text


def test_several_sweeps_beside_each_other(tmp_path: Path) -> None:
    runs = [typical(tmp_path / name / "runs", 100).run for name in "abc"]
    data = bundle(*runs)
    assert _weight(data) < 100_000 + 2 * static.FURTHER
    assert len(data[MIME]["runs"]) == 3


def test_the_page(still: dict[str, Any]) -> None:
    page = _Page(still["text/html"])
    assert not {"script", "style", "link", "canvas", "svg"} & set(page.tags)
    assert "30 of 30 trials: 18 finished · 9 ended early · 3 failed" in page.text
    assert "best val_accuracy 0.988" in page.text
    assert "Ending early saved 22% of the computing: 171 intervals, 6:00" in page.text
    assert "lr=loguniform(1e-05, 0.1)" in page.text
    assert "71%" in page.text
    assert "and 10 more trials" in page.text
    assert "9 ended early: why" in page.text
    assert "is more than 10 % below the best 0.990 at interval 11 (step 10)" in page.text
    assert "3 failed: why" in page.text
    assert "ValueError: the learning rate is too high" in page.text
    assert [alt for alt, _ in page.pictures] == [
        "val_accuracy of 30 trials", "best val_accuracy so far", "parallel coordinates",
    ]  # fmt: skip


def _lines(picture: ET.Element, colour: str) -> int:
    """Return how many lines are drawn in a colour."""
    found = [one for one in picture.iter("{http://www.w3.org/2000/svg}path") if one.get("stroke") == colour]
    return sum(one.get("d", "").count("M") for one in found)


def test_the_pictures_show_every_trial(still: dict[str, Any]) -> None:
    from mlwidgets.views import palette

    curves, best, parallel = (picture for _, picture in _Page(still["text/html"]).pictures)
    assert sum(_lines(curves, colour) for colour in (*palette.RAMP, palette.BEST)) == 30
    assert _lines(curves, palette.BEST) == _lines(best, palette.BEST) == _lines(parallel, palette.BEST) == 1
    # A dot where each of them was cut.
    assert _lines(curves, palette.STATES["terminated"]) == _lines(best, palette.STATES["terminated"]) == 9
    assert _lines(best, palette.RAMP[-2]) == 18
    assert sum(_lines(parallel, colour) for colour in (*palette.RAMP, palette.BEST)) == 27


def test_the_best_so_far_only_gets_better(tmp_path: Path) -> None:
    from mlwidgets.views import palette

    sweep = SweepFolder(tmp_path / "runs", objectives=[("loss", "minimize")], policy=None)
    for number, value in enumerate([0.5, 0.7, 0.3, 0.4, 0.1]):
        sweep.trial(number, sample(number), [1.0, value], begin=10 * number)
    _, picture = _Page(bundle(sweep.finish())["text/html"]).pictures[1]
    (line,) = [one for one in picture.iter() if one.get("stroke") == palette.BEST]
    downward = [float(dy) for _, dy in re.findall(r"(-?\d+) ?(-?\d+)", (line.get("d") or "").partition("l")[2])]
    # Down the picture is down the axis.
    assert [dy > 0 for dy in downward if dy] == [True, True]


def test_a_sweep_that_goes_on_and_rests(tmp_path: Path) -> None:
    sweep = typical(tmp_path / "runs", 8, going=True)
    sweep.event("paused", why="3 trials in a row failed: <ValueError>", by="controller")
    data = bundle(sweep.run)
    page = _Page(data["text/html"])
    assert "Paused: 3 trials in a row failed: <ValueError>" in page.text
    assert "8 of 12 trials" in page.text
    assert "2 running · 1 waiting" in page.text
    assert "image/png" not in data
    assert "paused: 3 trials in a row failed: <ValueError>" in data["text/plain"]


def test_a_sweep_that_has_not_begun(tmp_path: Path) -> None:
    sweep = SweepFolder(tmp_path / "runs")
    data = bundle(sweep.run)
    assert "No trials yet." in _Page(data["text/html"]).text
    assert "0 of 20 trials" in data["text/plain"]
    assert data[MIME]["runs"][0]["sweep"]["trials"] == []
    ended = bundle(sweep.finish("failed", cause="x is not used"))
    assert "x is not used" in _Page(ended["text/html"]).text
    assert "image/png" not in ended


@pytest.mark.parametrize(
    "curves",
    [
        [[float("nan")], [float("nan"), float("inf")]], [[1.0], [1.0]], [[1e300, -1e300], [1e-300]], [[], []],
        [[1.0, float("nan"), 2.0], [float("-inf")]], [[0.0], [1e9]],
    ],
)  # fmt: skip
def test_values_of_every_kind_can_be_drawn(tmp_path: Path, curves: list[list[float]]) -> None:
    sweep = SweepFolder(tmp_path / "runs")
    for number, values in enumerate(curves):
        sweep.trial(number, sample(number), values, state="terminated" if number else "finished")
    data = bundle(sweep.finish())
    json.dumps(data, allow_nan=False)
    _Page(data["text/html"])
    finite = any(abs(value) < float("inf") for values in curves for value in values[-1:])
    assert ("image/png" in data) == finite


def test_several_objectives(tmp_path: Path) -> None:
    objectives = [("accuracy", "maximize"), ("latency", "minimize")]
    sweep = SweepFolder(tmp_path / "runs", objectives=objectives, policy=None)
    for number, values in enumerate([(0.9, 10.0), (0.95, 30.0), (0.9, 12.0)]):
        run = sweep.submit(number, sample(number))
        sweep.start(run)
        sweep.log(run, [values[0]])
        sweep.end(number, run, "finished", values, 10 + number)
    data = bundle(sweep.finish())
    page = _Page(data["text/html"])
    assert [alt for alt, _ in page.pictures] == ["Pareto front", "parallel coordinates"]
    assert "Pareto front of 2 trials" in page.text
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    head, *rows, rest = data["text/plain"].split("\n")[-4:]
    assert head.split()[:4] == ["trial", "state", "accuracy", "latency"]
    assert [row.split()[0] for row in rows] == ["1", "0"], "the front alone"
    assert rest.strip() == "… and 1 more"


def test_trials_without_a_course(tmp_path: Path) -> None:
    once = SweepFolder(tmp_path / "once", policy=None)
    for number in range(4):
        once.trial(number, sample(number), [number / 10])
    data = bundle(once.finish())
    assert [alt for alt, _ in _Page(data["text/html"]).pictures] == ["best val_accuracy so far", "parallel coordinates"]
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    mixed = SweepFolder(tmp_path / "mixed", policy=None)
    for number, values in enumerate([[0.5], [0.1, 0.2, 0.3], [0.2]]):
        mixed.trial(number, sample(number), values)
    (_, picture), *_ = _Page(bundle(mixed.finish())["text/html"]).pictures
    from mlwidgets.views import palette

    assert sum(_lines(picture, colour) for colour in (*palette.RAMP, palette.BEST)) == 3, "a dot is seen as well"
    failed = SweepFolder(tmp_path / "failed", policy=None)
    for number in range(3):
        failed.trial(number, sample(number), [], state="failed", cause="ValueError: no")
    data = bundle(failed.finish("failed", cause="no trial finished"))
    assert _Page(data["text/html"]).pictures == []
    assert "3 failed: why" in _Page(data["text/html"]).text


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    space = {f"p{i}": "uniform(0, 1)" for i in range(13)}
    sweep = SweepFolder(tmp_path / "runs", policy=None, space=space, params={"p3": 0.9, "epochs": 5})
    for number in range(100):
        sweep.trial(number, dict.fromkeys(space, 0.5), [0.1, number / 100])
    data = bundle(sweep.finish())
    text = data["text/plain"].split("\n")
    assert text[1].split() == ["epochs=5"], "a parameter that is searched is no fixed one"
    assert text[3].endswith("p5=0.5  +7 more")
    assert text[10].strip() == "… and 95 more, +7 more parameters"
    page = _Page(data["text/html"]).text
    assert "and 80 more trials, +7 more parameters" in page
    assert "worst to ━ best · +4 more parameters" in page
    assert "p11 0.5 +1 more" in page
    assert "p3 0.9" not in page


@pytest.mark.parametrize("cause", ["no better val_accuracy in 4 trials", "all combinations were tried: 9"])
def test_why_it_finished(tmp_path: Path, cause: str) -> None:
    from mlwidgets.views.console import end_line

    sweep = SweepFolder(tmp_path / "runs")
    sweep.trial(0, sample(0), [0.1, 0.2])
    run = open_run(sweep.finish(cause=cause).path)
    data = bundle(run)
    assert data["text/plain"].split("\n")[1] == f"  finished: {cause}"
    assert f"Finished: {cause}" in _Page(data["text/html"]).text
    assert cause in "".join(text for _, text in end_line(run))
    assert repr(run).endswith(f", 1 of 20 trials ended, {cause}>")


def test_that_it_ended_as_it_was_asked_to_is_not_said(ended: Run) -> None:
    assert "all trials have ended" not in summary(snapshot(ended), 0.0)


def test_the_text(ended: Run) -> None:
    lines = summary(snapshot(ended), 0.0).split("\n")
    assert lines[0] == "✓ lenet-search  finished  50:00"
    assert lines[1] == "  30 of 30 trials: 18 finished, 9 ended early, 3 failed"
    assert lines[2].startswith("  best val_accuracy 0.988  lenet-search-10  lr=5.265e−5  keep=0.7744  width=64")
    assert lines[3] == "  ending early saved 22% of the computing: 171 intervals, 6:00"
    assert lines[4].split() == ["trial", "state", "val_accuracy", "lr", "keep", "width", "values", "time"]
    assert lines[5].split() == ["10", "✓", "finished", "0.988", "5.265e−5", "0.7744", "64", "30", "1:00"]
    assert lines[10].strip() == "… and 25 more"
    assert len(lines) == 11


def test_a_terminal_that_follows_a_sweep(tmp_path: Path) -> None:
    sweep = typical(tmp_path / "runs", 10, going=True)
    block = _Block(sweep.run)

    def shown(columns: int) -> list[str]:
        block.look()
        return ["".join(text for _, text in line) for line in block.lines(columns)]

    before = shown(100)
    assert "10 of 14 trials" in before[0]
    assert before[1] == "  10 of 14 trials: 6 finished, 3 ended early, 1 failed, 2 running, 1 waiting"
    assert before[4].split()[:2] == ["trial", "state"]
    assert before[10].strip() == "… and 8 more"
    sweep.trial(13, sample(13), [0.999])
    assert shown(100)[5].split()[:4] == ["13", "✓", "finished", "0.999"]
    assert all(len(line) <= 40 for line in shown(40)[1:])


def test_columns_that_find_no_room_are_left_out() -> None:
    head = ["trial", "state", "loss", "alpha", "beta", "values", "time"]
    row = ["1", "finished", "0.5", "0.123456", "0.123456", "30", "1:00"]
    assert table(head, [row])[0].split() == head
    assert table(head, [row], 48)[0].split() == ["trial", "state", "loss", "alpha", "values", "time"]
    assert table(head, [row], 10)[0].split() == ["trial", "state", "loss"]


def test_a_line_with_gaps() -> None:
    assert path([(0.4, 1.0), (2.0, 3.6), (5.0, -1.0)]) == "M0 1l2 3 3-5"
    assert path([(0, 0), None, (1, 1), (2, 2), None, (3, 3)]) == "M1 1l1 1"
    assert path([]) == path([None, (1, 1)]) == ""


def test_an_axis_shows_most_values_well() -> None:
    assert robust([]) == (0.0, 1.0)
    assert robust([2.0, 2.0]) == (1.8, 2.2)
    low, high = robust([*(i / 100 for i in range(100)), 1e6])
    assert (low < 0, 1 < high < 3) == (True, True)
    assert robust([0.0, 1.0], margin=0.0) == (0.0, 1.0)
