from __future__ import annotations

import base64
import json
import math
import random
import re
import struct
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mlwidgets.runs.run import Run
from mlwidgets.views import format as fmt
from mlwidgets.views import static
from mlwidgets.views.data import read_series, snapshot
from mlwidgets.views.groups import Line, charts
from mlwidgets.views.static import MIME, bundle
from mlwidgets.views.summary import summary
from mlwidgets.views.svg import chart
from tests.unit.views_support import make_run

PIXEL = base64.b64encode(b"\x89PNG not really").decode()


class _Markup(HTMLParser):
    """Collects tags, attributes and text, and checks that tags are balanced."""

    VOID = frozenset({"img", "br", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def typical(tmp_path_factory: pytest.TempPathFactory) -> Run:
    noise = random.Random(0)
    return make_run(
        tmp_path_factory.mktemp("runs"),
        "lenet",
        params={"lr": 1e-3, "epochs": 10},
        tags={"team": "vision"},
        note="first try",
        metrics={
            "loss": [2.3 * math.exp(-i / 2000) + noise.random() * 0.1 for i in range(10_000)],
            "accuracy": [1 - math.exp(-i / 60) for i in range(400)],
        },
        output="".join(f"\x1b[32mepoch {i}\x1b[0m\n" for i in range(500)),
    )


@pytest.fixture(scope="module")
def still(typical: Run) -> dict[str, object]:
    return bundle(typical)


def test_the_bundle_is_light_and_needs_nothing(still: dict[str, str]) -> None:
    assert set(still) == {MIME, "text/html", "image/png", "text/plain"}
    assert len(json.dumps(still, allow_nan=False)) < 100_000
    markup = _Markup(still["text/html"])
    assert "script" not in markup.tags
    assert "style" not in markup.tags
    addresses = [value for name, value in markup.attributes if name in {"src", "href", "srcset"}]
    assert len(addresses) == 2
    assert all(address.startswith("data:image/") for address in addresses)
    assert not any(name.startswith("on") for name, _ in markup.attributes)


def test_the_page_says_what_there_is(still: dict[str, str]) -> None:
    text = _Markup(still["text/html"]).text
    for part in ("lenet", "finished", "1:23", "lr", "0.001", "vision", "first try", "loss", "accuracy", "epoch 499"):
        assert part in text


def test_the_numbers_are_in_it(still: dict[str, dict[str, object]], typical: Run) -> None:
    (data,) = still[MIME]["runs"]
    assert data["header"]["id"] == typical.id
    loss, accuracy = data["series"]
    assert (loss["name"], loss["n"], accuracy["n"]) == ("loss", 10_000, 400)
    column = typical.columns()["loss"].values
    assert max(loss["values"]) == pytest.approx(column.max(), rel=1e-5)
    assert min(loss["values"]) == pytest.approx(column.min(), rel=1e-5)
    assert len(loss["steps"]) == len(loss["values"]) < 1000


def test_the_picture_is_a_png_in_the_run_folder(still: dict[str, str], typical: Run) -> None:
    png = base64.b64decode(still["image/png"])
    assert png == (typical.path / "picture.png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    assert width > 2 * height > 300
    assert [path.name for path in typical.path.iterdir() if path.name.startswith(".")] == []


def test_a_picture_is_drawn_once(still: dict[str, str], typical: Run) -> None:
    before = (typical.path / "picture.png").stat().st_mtime_ns
    assert bundle(typical)["image/png"] == still["image/png"]
    assert (typical.path / "picture.png").stat().st_mtime_ns == before


def test_text_for_a_terminal(still: dict[str, str]) -> None:
    lines = still["text/plain"].splitlines()
    assert lines[0] == "✓ lenet  finished  1:23"
    assert "lr=0.001" in lines[1]
    assert any(line.strip().startswith("accuracy") and "highest 0.99" in line for line in lines)
    assert lines[-1] == "  epoch 499"


def test_what_the_user_wrote_is_never_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    run = make_run(
        tmp_path,
        state="failed",
        params={"p": evil},
        tags={"t": evil},
        note=evil,
        metrics={evil: [1.0, 2.0]},
        output=evil + "\n",
        cause=evil,
        traceback=[evil],
        displays=[{"text/plain": evil}, {"image/png": '"><script>', "text/plain": evil}],
    )
    markup = _Markup(bundle(run)["text/html"])
    assert "script" not in markup.tags
    assert not any(name == "onerror" for name, _ in markup.attributes)
    assert markup.text.count(evil) >= 7


def test_displays_look_as_inline(tmp_path: Path) -> None:
    run = make_run(
        tmp_path,
        displays=[
            {"text/html": "<table class='dataframe'><tr><td>1</td></tr></table>", "text/plain": "1"},
            {"image/png": PIXEL + "\n", "text/plain": "<Figure>"},
            {"image/svg+xml": ["<svg>", "<script>x</script></svg>"]},
            {"text/plain": "\x1b[31mred\x1b[0m"},
        ],
    )
    html = bundle(run)["text/html"]
    assert "<table class='dataframe'>" in html
    assert f'src="data:image/png;base64,{PIXEL}"' in html
    assert 'alt="&lt;Figure&gt;"' in html
    assert "data:image/svg+xml,%3Csvg%3E%3Cscript%3E" in html
    assert "<script>" not in html
    assert re.search(r"<span style=\"color:#\w+\">red</span>", html)


def test_a_traceback_is_shown_in_its_colours(tmp_path: Path) -> None:
    run = make_run(tmp_path, state="failed", cause="ValueError: x", traceback=["\x1b[31mValueError\x1b[0m: x <y>"])
    html = bundle(run)["text/html"]
    assert ">ValueError</span>: x &lt;y&gt;</pre>" in html


def test_train_and_validation_share_a_chart(tmp_path: Path) -> None:
    metrics = {"train_loss": [3.0, 2.0], "accuracy": [0.1, 0.2], "val_loss": [3.5, 2.5], "epoch": [0.0, 1.0]}
    run = make_run(tmp_path, metrics=metrics)
    found = [(one.title, [line.label for line in one.lines]) for one in charts(read_series(run))]
    assert found == [("loss", ["train_loss", "val_loss"]), ("accuracy", [""])]
    html = bundle(run)["text/html"]
    assert html.count("<img") == 2
    assert "train_loss: last 2 at step 1, 2 values; val_loss: last 2.5 at step 1, 2 values" in html


def test_markdown_and_formulas_are_more_than_text(tmp_path: Path) -> None:
    pytest.importorskip("mistune")
    html = bundle(
        make_run(tmp_path, displays=[{"text/markdown": "**bold** <x>"}, {"text/latex": "$a < b$", "text/plain": "a"}])
    )["text/html"]
    assert "<strong>bold</strong>" in html
    assert "$a &lt; b$" in html


@pytest.mark.parametrize(("metrics", "length"), [(1, 20_000), (12, 2000), (40, 100), (200, 40)])
def test_it_is_light_whatever_was_logged(tmp_path: Path, metrics: int, length: int) -> None:
    noise = random.Random(0)
    run = make_run(
        tmp_path,
        state="failed",
        params={f"p{i}": i for i in range(20)},
        metrics={f"train/m{i}": [noise.random() for _ in range(length)] for i in range(metrics)},
        output="".join(f"\x1b[32mline {i}\x1b[0m {'x' * i}\n" for i in range(2000)),
        cause="ValueError",
        traceback=[f"frame {i} of many" for i in range(5000)],
        displays=[{"image/png": "A" * 50_000}],
    )
    data = bundle(run)
    assert len(json.dumps(data)) < 100_000 + 50_000
    (kept,) = data[MIME]["runs"]
    assert len(kept["series"]) + kept["hidden"] == metrics
    assert len(kept["series"]) >= min(30, metrics)
    assert all(len(one["values"]) >= 4 for one in kept["series"])
    assert data["image/png"]
    assert "frame 0 of many" in kept["header"]["error"]
    assert "frame 4999 of many" in data["text/html"]


def test_several_runs_beside_each_other_share_the_room(tmp_path: Path) -> None:
    noise = random.Random(0)
    runs = [
        make_run(
            tmp_path,
            params={f"p{i}": i for i in range(300)},
            metrics={f"m{i}": [noise.random() for _ in range(500)] for i in range(10)},
            output="".join(f"\x1b[32mline {i}\x1b[0m\n" for i in range(500)),
        )
        for _ in range(5)
    ]
    data = bundle(*runs)
    assert len(json.dumps(data)) < 150_000
    assert [len(one["series"]) for one in data[MIME]["runs"]] == [10] * 5
    assert "and 288 more</span>" in data["text/html"]


@pytest.mark.parametrize("character", ["漢", "\x1b[31mx\x1b[32m"])
def test_it_is_light_whatever_the_run_was_given_and_said(tmp_path: Path, character: str) -> None:
    run = make_run(
        tmp_path,
        state="failed",
        params={f"p{i}": character * 300 for i in range(1500)},
        tags={f"{i}" * 90: character * 500 for i in range(50)},
        note=character * 10_000,
        cause=character * 20_000,
        traceback=[character * 100_000],
        metrics={f"m{i}": [i, -i] for i in range(60)},
        output=f"{character * 60}\n" * 1000,
    )
    data = bundle(run)
    assert len(json.dumps(data)) < 100_000
    header = data[MIME]["runs"][0]["header"]
    kept = [*header["params"], *header["tags"]]
    assert header["params"][0][0] == "p0"
    assert header["tags"]
    assert header["hidden"] == 1550 - len(kept) > 0
    assert f"  and {header['hidden']} more\n" in data["text/plain"]
    assert re.search(r"and \d+ more</span>", data["text/html"])
    assert header["note"].endswith("…")
    assert header["cause"].endswith("…")
    assert "[…]" in header["error"]
    assert header["error"].endswith(character[-1])


def test_a_hundred_parameters_are_kept(tmp_path: Path) -> None:
    run = make_run(tmp_path, params={f"p{i}": i for i in range(150)})
    data = bundle(run)
    header = data[MIME]["runs"][0]["header"]
    assert header["params"] == [[f"p{i}", str(i)] for i in range(100)]
    assert "p99=99  and 50 more" in data["text/plain"]
    assert "and 90 more</span>" in data["text/html"]
    assert summary(snapshot(run), 0.0).count("=") == 150


def test_ten_heavy_runs_beside_each_other_obey(tmp_path: Path) -> None:
    noise = random.Random(0)
    runs = [
        make_run(
            tmp_path,
            params={f"p{i}": i for i in range(300)},
            note="n" * 900,
            metrics={f"m{i}": [noise.random() for _ in range(60)] for i in range(200)},
            output="".join(f"\x1b[32mline {i}\x1b[0m {'x' * 60}\n" for i in range(500)),
        )
        for _ in range(10)
    ]
    data = bundle(*runs)
    assert len(json.dumps(data)) < 100_000 + 9 * 6000
    assert all(len(one["series"]) >= 12 for one in data[MIME]["runs"])


def test_no_step_that_saves_nothing_is_tried_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(static, "BUDGET", 900)

    def same(*args: object) -> dict[str, object]:
        made.append(args)
        return {"text/plain": "x" * 1000}

    monkeypatch.setattr(static, "_bundle", same)
    bundle(make_run(tmp_path, output="done\n"))
    assert len(made) == 3


def test_a_page_of_a_run_that_goes_on_says_when_it_was_so(tmp_path: Path, still: dict[str, str]) -> None:
    running = _Markup(bundle(make_run(tmp_path, state="running"))["text/html"]).text
    assert re.search(r"running\d:\d\d · as it was on \d{4}-\d\d-\d\d at \d\d:\d\d \S+", running)
    assert "as it was" not in still["text/html"]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path, metrics={f"m{i}": [i, -i] for i in range(500)})
    data = bundle(run)
    (kept,) = data[MIME]["runs"]
    assert kept["hidden"] == 500 - len(kept["series"]) > 0
    assert re.search(rf"\n  \d+ more metrics: %runs show {run.id}$", data["text/plain"])
    (rest,) = re.findall(r"<summary>(\d+) more metrics</summary>", data["text/html"])
    said = _Markup(data["text/html"]).text
    assert f"{rest} metrics are left out of the charts; %runs show {run.id} draws all of them" in said
    assert int(rest) >= kept["hidden"]


def test_a_run_without_metrics_has_no_picture(tmp_path: Path) -> None:
    data = bundle(make_run(tmp_path, output="done\n"))
    assert "image/png" not in data
    assert "<img" not in data["text/html"]


def test_without_matplotlib_the_rest_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "hidden" / "matplotlib"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(hidden.parent))
    data = bundle(make_run(tmp_path / "runs", metrics={"loss": [3.0, 2.0, 1.0]}))
    assert "image/png" not in data
    assert 'alt="loss: last 1 at step 2, 3 values"' in data["text/html"]


def test_a_run_of_which_nothing_is_finite_can_be_drawn(tmp_path: Path) -> None:
    run = make_run(tmp_path, metrics={"loss": [math.nan, math.inf, -math.inf], "one": [5.0]})
    data = bundle(run)
    assert json.loads(json.dumps(data[MIME], allow_nan=False))["runs"][0]["series"][0]["values"] == [None, None, None]
    assert data["image/png"]


def test_lines_have_gaps_and_lone_values_are_dots(tmp_path: Path) -> None:
    values = [1.0 if i % 3 else math.nan for i in range(60)] + [math.nan, 2.0, math.nan]
    series = read_series(make_run(tmp_path, metrics={"loss": values}))[0]
    drawn = chart([Line(series, "", "#123456")])
    assert drawn.count("M") >= 20
    assert drawn.count("<circle") == 1


def test_the_process_that_draws_can_be_called_by_hand(tmp_path: Path) -> None:
    run = make_run(tmp_path, metrics={"loss": [1.0, 2.0]})
    subprocess.run([sys.executable, "-m", "mlwidgets.views.picture", str(run.path)], check=True)
    assert (run.path / "picture.png").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (42.0, "42"),
        (-3.0, "−3"),
        (0.123456, "0.1235"),
        (12.3456, "12.35"),
        (0.00012345, "1.234e−4"),
        (1e12, "1e12"),
        (1234.567, "1234.6"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        (None, "–"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert fmt.number(value) == text


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, ["0", "0.25", "0.50", "0.75", "1.00"]),
        (0.0, 10_000.0, ["0", "2.5k", "5.0k", "7.5k", "10.0k"]),
        (2.0, 2.0, ["2"]),
        (0.0, 4e-6, ["0", "1e−6", "2e−6", "3e−6", "4e−6"]),
    ],
)
def test_ticks(low: float, high: float, labels: list[str]) -> None:
    assert fmt.tick_labels(fmt.ticks(low, high, 4)) == labels
