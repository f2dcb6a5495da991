"""What views get of histograms, images, matrices and tables: right, and bounded."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.media import Histogram
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.tracking import active, log_confusion_matrix, log_histogram, log_image, log_table
from mlwidgets.tracking import media as tracked
from mlwidgets.tracking.histogram import count_values
from mlwidgets.tracking.log import MetricLog
from mlwidgets.views.answers import Answers
from mlwidgets.views.bins import grid, rebin
from mlwidgets.views.follow import Follower
from mlwidgets.views.media import MOST_CLASSES, MOST_STEPS, MediaFeed, _spread, media
from mlwidgets.views.mediapage import media_page
from mlwidgets.views.static import bundle

RANDOM = np.random.default_rng(0)


@pytest.fixture
def run(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> Run:
    folder = new_run()
    monkeypatch.setenv("MLWIDGETS_RUN_FOLDER", str(folder.path))
    monkeypatch.setattr(tracked, "_active", None)
    monkeypatch.setattr(active, "_told", set())
    return Run(folder.path)


def weight(shown: Any) -> int:
    return len(json.dumps(shown, allow_nan=False))


def record(values: Any) -> Histogram:
    counted = count_values(np.asarray(values, float))
    return Histogram(
        "h", 0, 0.0, counted["n"], 0, 0, 0, None, None, None, None, counted["exponent"], counted["first"],
        np.array(counted["counts"]), counted["below"], counted["above"],
    )  # fmt: skip


def test_nothing_was_logged(run: Run) -> None:
    assert media(run) == {"histograms": [], "images": [], "matrices": [], "tables": [], "hidden": 0}


@given(
    st.lists(st.tuples(st.floats(-10, 10), st.integers(-20, 20), st.integers(1, 300)), min_size=1, max_size=6),
    st.integers(0, 1000),
)
def test_every_value_is_in_the_grid_or_counted_beyond_it(steps: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = [random.normal(centre, 2.0**size, n) for centre, size, n in steps]
    records = [record(one) for one in values]
    bins = grid(records)
    assert 1 <= bins["bins"] <= 66
    width = 2.0 ** bins["exponent"]
    edges = np.array([bins["first"], bins["first"] + bins["bins"]]) * width
    for one, counted in zip(values, records, strict=True):
        below, counts, above = rebin(counted, **bins)
        assert len(counts) == bins["bins"]
        assert below + sum(counts) + above == pytest.approx(len(one), rel=0.002, abs=1.5)
        if counted.exponent <= bins["exponent"] and not counted.below and not counted.above:
            assert below == (one < edges[0]).sum()
            inside = one[(one >= edges[0]) & (one < edges[1])]
            places = np.floor(inside / width).astype(int) - bins["first"]
            assert counts == np.bincount(places, minlength=bins["bins"]).tolist()


def test_one_step_that_explodes_does_not_hide_the_others() -> None:
    calm = [record(RANDOM.normal(size=1000)) for _ in range(20)]
    wild = record(RANDOM.normal(size=1000) * 1e6)
    bins = grid([*calm, wild])
    assert 2.0 ** bins["exponent"] * bins["bins"] < 20
    below, counts, above = rebin(wild, **bins)
    assert below + above > 990
    assert below + sum(counts) + above == pytest.approx(1000, abs=1)
    for one in calm:
        below, counts, above = rebin(one, **bins)
        assert sum(counts) > 990


def test_coarse_bins_are_spread_evenly() -> None:
    coarse = Histogram("h", 0, 0.0, 24, 0, 0, 0, None, None, None, None, 2, -1, np.array([8, 16]), 0, 0)
    # From -4 to 4 in bins of 4; shown from -1 to 2 in bins of a half.
    assert rebin(coarse, -1, -2, 6) == (6, [1, 1, 2, 2, 2, 2], 8)


def test_histograms(run: Run) -> None:
    for _ in range(3):
        log_histogram("h", [0.0, 1.0, 1.0, math.nan, math.inf])
    log_histogram("none", [math.nan])
    shown, none = media(run)["histograms"]
    assert (shown["name"], shown["logged"], len(shown["steps"])) == ("h", 3, 3)
    step = shown["steps"][0]
    assert (step["n"], step["nan"], step["inf"], step["min"], step["max"]) == (3, 1, 1, 0.0, 1.0)
    filled = {(shown["first"] + step["start"] + i) * 2.0 ** shown["exponent"]: n for i, n in enumerate(step["counts"])}
    assert {at: n for at, n in filled.items() if n} == {0.0: 1, 1.0: 2}
    assert (none["steps"][0]["n"], none["steps"][0]["counts"]) == (0, [0])
    weight(media(run))


def test_long_runs_are_thinned_out_evenly_and_keep_first_and_last(run: Run) -> None:
    feed = MediaFeed(run)
    for step in range(1000):
        log_histogram("h", [1.0], step=step * 10)
        if step % 100 == 37:
            feed.read()
    for shown in (feed.read(), media(run)):
        (track,) = shown["histograms"]
        steps = [one["step"] for one in track["steps"]]
        assert track["logged"] == 1000
        assert len(steps) <= MOST_STEPS
        assert (steps[0], steps[-1]) == (0, 9990)
        assert len(steps) > MOST_STEPS // 2 - 2
        assert set(np.diff(steps[:-1])) == {80}


@given(st.integers(0, 300))
def test_steps_are_taken_from_the_outside_in(count: int) -> None:
    order = _spread(count)
    assert sorted(order) == list(range(count))
    assert order[:2] == [count - 1, 0][:count]


def test_images(run: Run, tmp_path: Path) -> None:
    log_image("i", [np.zeros((4, 6)), np.ones((4, 6))], caption=["a", "b"])
    log_image("other", np.zeros((2, 2)))
    log_image("i", RANDOM.random((500, 500, 3)))
    track, _ = media(run)["images"]
    first, last = track["steps"]
    assert [(image["caption"], image["width"], image["height"]) for image in first["images"]] == [
        ("a", 6, 4),
        ("b", 6, 4),
    ]
    (image,) = last["images"]
    assert (image["width"], image["height"]) == (500, 500)
    data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
    assert data == Run(run.path).media()[-1].preview.read_bytes()  # type: ignore[attr-defined]
    assert (run.path / image["file"]).stat().st_size == image["bytes"] > len(data)


def test_images_that_are_gone_or_too_large_are_told(run: Run) -> None:
    log_image("gone", np.zeros((4, 6)))
    next((run.path / "media").iterdir()).unlink()
    log_image("large", b"GIF8" + b"0" * 400_000)
    gone, large = (track["steps"][0]["images"][0] for track in media(run)["images"])
    assert gone["src"] is large["src"] is None
    assert large["bytes"] == 400_004


def test_matrix(run: Run) -> None:
    log_confusion_matrix("c", counts=[[8, 2, 0], [0, 5, 5], [0, 0, 0]], class_names=["a", "b", "never"])
    (step,) = media(run)["matrices"][0]["steps"]
    assert step["counts"] == [[8, 2, 0], [0, 5, 5], [0, 0, 0]]
    assert step["recall"] == [0.8, 0.5, None]
    assert step["precision"] == [1.0, pytest.approx(0.71429), 0.0]
    assert (step["accuracy"], step["total"], step["grouped"]) == (0.65, 20, 0)
    log_confusion_matrix("empty", [], [])
    assert media(run)["matrices"][1]["steps"][0]["accuracy"] is None


def test_of_many_classes_those_that_are_confused_most(run: Run) -> None:
    counts = np.eye(1000, dtype=int) * 10
    counts[500, 700] = 7
    counts[3, 500] = 6
    log_confusion_matrix("c", counts=counts)
    (step,) = media(run)["matrices"][0]["steps"]
    assert len(step["classes"]) == len(step["counts"]) == len(step["recall"]) == MOST_CLASSES
    assert {"3", "500", "700"} < set(step["classes"])
    assert step["classes"][-1] == f"{step['grouped']} others"
    assert sum(map(sum, step["counts"])) == step["total"] == counts.sum()
    at = step["classes"].index
    assert step["counts"][at("500")][at("700")] == 7
    assert step["recall"][at("500")] == pytest.approx(10 / 17, abs=1e-5)
    assert step["recall"][-1] is None


def test_tables(run: Run) -> None:
    rows = [{"x": i, "text": "é" * 500, "odd": math.nan, "big": 1 << 60, "no": None} for i in range(1000)]
    log_table("t", rows)
    log_table("wide", [{f"c{i}": i for i in range(100)}])
    tall, wide = (track["steps"][0] for track in media(run)["tables"])
    assert (tall["total"], len(tall["rows"])) == (1000, 100)
    assert tall["rows"][3] == [3, "é" * 199 + "…", "NaN", str(1 << 60), None]
    assert (len(wide["columns"]), wide["moreColumns"]) == (40, 60)


@pytest.mark.parametrize("budget", [0, 10_000, 100_000, 1_000_000])
def test_bounded_whatever_was_logged(run: Run, budget: int) -> None:
    for step in range(12):
        for layer in range(30):
            log_histogram(f"layer {layer}", RANDOM.normal(size=200), step=step)
        log_image("noise", RANDOM.random((3, 150, 150, 3)), step=step)
        log_confusion_matrix("c", RANDOM.integers(0, 60, 500), RANDOM.integers(0, 60, 500))
    log_table("t", [{"x": "y" * 300}] * 500)
    shown = media(run, budget)
    # What is said about the latest images, ten rows of each table and each latest step may go beyond.
    assert weight(shown) < budget * 1.1 + 12_000
    (latest,) = (track["steps"][-1] for track in shown["images"])
    assert latest["step"] == 11
    shown_as = {0: "None", 10_000: "data:image/webp", 100_000: "data:image/webp", 1_000_000: "data:image/png"}
    assert [str(image["src"]).partition(";")[0] for image in latest["images"]] == [shown_as[budget]] * 3
    assert len(shown["tables"][0]["steps"][0]["rows"]) == (10 if budget <= 10_000 else 100)
    names = len(shown["histograms"]) + len(shown["matrices"])
    assert names + shown["hidden"] == 31
    if budget >= 100_000:
        assert names == 31
        assert len(shown["histograms"][0]["steps"]) >= 3


def test_only_what_is_new_is_read(run: Run) -> None:
    feed = MediaFeed(run)
    log_table("t", [{"a": 1}])
    assert len(feed.read()["tables"]) == 1
    # Had it read the line again, or the file, it would not find them.
    folder = RunFolder(run.path)
    next(folder.media_files.iterdir()).unlink()
    log_table("t", [{"a": 2}])
    (track,) = feed.read()["tables"]
    assert [step["rows"] for step in track["steps"]] == [[[1]], [[2]]]


def test_changes_are_told_once_and_the_last_ones_without_delay(run: Run) -> None:
    feed = MediaFeed(run)
    assert feed.changes() is None
    assert feed.changes(last=True) is None
    log_image("i", RANDOM.random((3, 150, 150, 3)))
    first = feed.changes()
    assert first is not None
    assert weight(first) > 100_000
    assert feed.changes() is None
    log_image("i", np.zeros((2, 2)))
    assert feed.changes() is None
    last = feed.changes(last=True)
    assert last is not None
    assert len(last["images"][0]["steps"]) == 2
    assert feed.shown is last
    assert feed.changes(last=True) is None


class _Page(HTMLParser):
    """What a page consists of; it must be well formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "span", "img", "table", "tr", "td", "th", "br"}
        assert {name for name, _ in attrs} <= {"style", "src", "alt", "width", "height", "title"}
        self.sources += [value or "" for name, value in attrs if name == "src"]
        if tag not in {"img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_page_shows_the_latest_of_everything(run: Run) -> None:
    assert media_page(media(run)) == ""
    for step in (0, 10, 100):
        log_histogram("weights", [*RANDOM.normal(size=500), math.nan], step=step)
        log_image("digits", RANDOM.random((3, 8, 8, 1)), step=step, caption=f"at {step}")
        log_confusion_matrix("validation", counts=[[8, 2], [step, 5]], class_names=["cat", "<b>dog</b>"], step=step)
        log_table("worst", [{"file": "<i>", "loss": math.inf, "ok": True}] * 20, step=step)
    log_histogram("nothing", [math.nan])
    log_image("gone", b"GIF8" + b"0" * 400_000)
    log_confusion_matrix("many", counts=np.eye(30, dtype=int))
    shown = _Page(media_page(media(run)))
    text = " ".join(shown.texts)
    assert "500 values · mean" in text
    assert "1 NaN" in text
    assert "at 100" in text
    assert "at 10 " not in text
    assert "<b>dog</b>" in text
    assert "115 samples · accuracy 11.3%" in text
    assert "the first 10 of 20 rows" in text
    assert "∞" in text
    assert "0 to 29 · 30 samples · accuracy 100%" in text
    assert len(shown.sources) == 2 + 3 + 1
    assert all(source.startswith("data:image/png;base64,") for source in shown.sources)


def test_page_is_small(run: Run) -> None:
    for step in range(20):
        for layer in range(20):
            log_histogram(f"layer {layer}", RANDOM.normal(size=1000), step=step)
        log_image("noise", RANDOM.random((5, 64, 64, 3)), step=step)
        log_confusion_matrix("c", RANDOM.integers(0, 60, 500), RANDOM.integers(0, 60, 500))
    log_table("t", [{f"column {i}": "x" * 50 for i in range(5)}] * 500)
    saved = media(run, 20_000)
    assert weight(saved) < 25_000
    assert len(media_page(saved)) < 45_000


def test_page_draws_what_was_logged_where_it_was(run: Run) -> None:
    Image = pytest.importorskip("PIL.Image")
    log_histogram("h", np.zeros(10, int), step=0)
    log_histogram("h", np.full(10, 8), step=3)
    (source,) = _Page(media_page(media(run))).sources
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))
    assert pixels.shape == (9, 100, 4)
    alpha = pixels[..., 3]
    # Upwards: 0 lies in the last row, 8 in the first.
    assert (alpha[8, :50] == 255).all()
    assert (alpha[0, 50:] == 255).all()
    assert alpha[1:8].max() == 0


def test_page_names_what_finds_no_room(run: Run) -> None:
    for layer in range(15):
        log_histogram(f"layer {layer}", [1.0])
    shown = _Page(media_page(media(run)))
    assert len(shown.sources) == 12
    assert "and 3 more: layer 12, layer 13, layer 14" in shown.texts


ODD = [None, True, -1, 0, 2**40, 2**63, 10**400, 1e308, math.nan, math.inf, 1.5, "", "x", "0" * 16 + ".png"]
ODD += [[], [1], [[1]], [None], ["a"], {}, {"a": 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything inside of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, part in inner for way in [(*path, key), *places(part, (*path, key))]]


def test_whatever_is_damaged_in_one_line_is_passed_over_and_the_view_goes_on(run: Run) -> None:
    log_histogram("h", [1.0, 2.0, math.nan])
    log_image("i", np.zeros((2, 2)), caption="c")
    log_confusion_matrix("c", [0, 1], [1, 1], class_names=["a", "b"])
    log_table("t", [{"a": 1, "b": "x"}])
    path = run.path / "media.jsonl"
    lines = path.read_text().splitlines()
    for line in lines:
        for way in places(json.loads(line)):
            spoilt = []
            for odd in ODD:
                entry = json.loads(line)
                *upper, last = way
                node = entry
                for key in upper:
                    node = node[key]
                node[last] = odd
                spoilt.append(json.dumps(entry))
            path.write_text("\n".join([*spoilt, *lines]) + "\n")
            shown = media(run)
            weight(shown)
            _Page(media_page(shown))
            for kind in ("histograms", "images", "matrices", "tables"):
                (whole,) = [track for track in shown[kind] if track["name"] == kind[0].replace("m", "c")]
                assert whole["steps"][-1]["time"] == json.loads(lines[["h", "i", "m", "t"].index(kind[0])])["time"]


def test_a_view_is_told_of_media_and_may_ask_for_the_files(run: Run) -> None:
    follower = Follower(run)
    assert "media" not in follower.changes()
    log_image("i", RANDOM.random((300, 300)))
    told = follower.changes()["media"]
    assert told == follower.full()["media"] == media(run)
    assert "media" not in follower.changes()
    answers = Answers(lambda: [run], lambda name: follower.lines, lambda runs: None)
    file = told["images"][0]["steps"][0]["images"][0]["file"]
    assert answers.answer({"type": "media", "run": run.id, "file": file}) == {"content": (run.path / file).read_bytes()}
    for outside in ("../code.py", "media/../../code.py", "/etc/passwd", "..", ""):
        found = answers.answer({"type": "media", "run": run.id, "file": outside})
        assert found is not None
        assert set(found) == {"error"}


def test_what_a_notebook_keeps_holds_the_media_and_stays_small(run: Run) -> None:
    metrics = MetricLog(run.path / "metrics.bin", run.path / "events.jsonl")
    for step in range(3000):
        metrics({f"metric {i}": float(RANDOM.normal()) for i in range(8)}, step=step)
    for step in range(20):
        for layer in range(10):
            log_histogram(f"layer {layer}", RANDOM.normal(size=1000), step=step)
        log_image("noise", RANDOM.random((4, 28, 28)), step=step, dataformats="NHW")
        log_confusion_matrix("c", RANDOM.integers(0, 10, 500), RANDOM.integers(0, 10, 500))
    log_table("t", [{"x": "y" * 50}] * 500)
    write_outcome(RunFolder(run.path), Outcome("finished", None, 1.0, 2.0, 0))
    kept = bundle(run)
    saved = kept["application/vnd.mlwidgets.run+json"]["runs"][0]["media"]
    assert [len(saved[kind]) for kind in ("histograms", "images", "matrices", "tables")] == [10, 1, 1, 1]
    assert "Confusion matrices" in kept["text/html"]
    assert weight(saved) + len(media_page(saved)) < 45_000
