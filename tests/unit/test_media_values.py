"""What log_histogram, log_image, log_confusion_matrix and log_table make of what they are given."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.tracking import active, log_confusion_matrix, log_histogram, log_image, log_table, media
from mlwidgets.tracking.histogram import BINS, MARGIN, count_values


@pytest.fixture
def folder(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    folder = new_run()
    monkeypatch.setenv("MLWIDGETS_RUN_FOLDER", str(folder.path))
    monkeypatch.setattr(media, "_active", None)
    monkeypatch.setattr(active, "_told", set())
    return folder


def last(folder: RunFolder) -> Any:
    return Run(folder.path).media()[-1]


def pixels(path: Path) -> Any:
    image = pytest.importorskip("PIL.Image").open(path)
    return np.asarray(image)


SIZES = st.floats(1e-100, 1e100)
SHAPES = hnp.array_shapes(max_dims=3, max_side=40, min_side=0)
TYPES = [np.float32, np.float16, np.int64, np.uint8, np.bool_]
ARRAYS = st.one_of(
    hnp.arrays(st.sampled_from(TYPES), SHAPES),
    hnp.arrays(
        np.float64, SHAPES, elements=SIZES | SIZES.map(lambda x: -x) | st.sampled_from([0.0, math.nan, math.inf])
    ),
)


@given(ARRAYS)
def test_every_value_is_counted_once(array: Any) -> None:
    found = count_values(array)
    values = array.reshape(-1).astype(np.float64)
    finite = values[np.isfinite(values)]
    assert found["n"] == len(finite)
    assert found["n"] + found["nan"] + found["inf"] + found["-inf"] == array.size
    if not len(finite):
        assert "counts" not in found
        return
    assert (found["min"], found["max"]) == (finite.min(), finite.max())
    assert sum(found["counts"]) + found["below"] + found["above"] == len(finite)
    assert len(found["counts"]) <= BINS + 1 + 2 * MARGIN
    low = math.ldexp(found["first"], found["exponent"])
    high = math.ldexp(found["first"] + len(found["counts"]), found["exponent"])
    inside = finite[(finite >= low) & (finite < high)]
    assert sum(found["counts"]) == len(inside)
    assert found["below"] == (finite < low).sum()
    edges = np.ldexp(np.arange(len(found["counts"]) + 1, dtype=float) + found["first"], found["exponent"])
    assert (
        found["counts"]
        == np.bincount(np.searchsorted(edges, inside, side="right") - 1, minlength=len(found["counts"])).tolist()
    )


@given(st.floats(1e-30, 1e30), st.floats(1e-30, 1e30), st.integers(0, 2**31))
def test_bins_of_any_two_steps_fit_into_each_other(one: float, other: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    fine, coarse = sorted(
        (count_values(random.normal(size=100) * size) for size in (one, other)), key=lambda found: found["exponent"]
    )
    factor = 2 ** (coarse["exponent"] - fine["exponent"])
    # The edges of the coarse bins are edges of the fine grid: whole multiples of its width.
    assert math.ldexp(coarse["first"], coarse["exponent"]) == math.ldexp(coarse["first"] * factor, fine["exponent"])


def test_nearly_all_values_take_most_of_the_bins_whatever_a_few_do() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    plain = count_values(values)
    odd = count_values(np.concatenate([values, [1e6, -1e300, 1e300]]))
    assert odd["exponent"] == plain["exponent"]
    assert (odd["below"], odd["above"]) == (1, 2)
    assert odd["max"] == 1e300
    lows = np.ldexp(np.arange(len(plain["counts"]), dtype=float) + plain["first"], plain["exponent"])
    assert BINS // 2 <= ((lows > -2.57) & (lows < 2.57)).sum() <= BINS


def test_figures_are_those_of_numpy_over_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlwidgets.tracking import histogram

    monkeypatch.setattr(histogram, "CHUNK", 7)
    values = np.random.default_rng(1).normal(1e6, 3.0, size=1000)
    found = count_values(values)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["std"] == pytest.approx(values.std(), rel=1e-9)
    assert sum(found["counts"]) + found["below"] + found["above"] == 1000


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 1e-300, 1e300, 5e-324])
def test_one_single_value(value: float) -> None:
    found = count_values(np.full(10, value))
    assert sum(found["counts"]) == 10
    assert len(found["counts"]) == 1
    assert found.get("std", 0.0) == pytest.approx(0.0, abs=1e-15)


def test_whole_numbers_have_a_bin_each() -> None:
    found = count_values(np.repeat(np.arange(10), np.arange(10)))
    assert found["exponent"] == 0
    assert found["counts"] == list(range(10))[1:]


def test_histogram_as_it_is_read(folder: RunFolder) -> None:
    log_histogram("w", [[0.5, 1.5, 1.5], [math.nan, math.inf, -math.inf]])
    found = last(folder)
    assert (found.n, found.nan, found.inf, found.neginf) == (3, 1, 1, 1)
    assert found.counts.sum() == 3
    assert len(found.edges) == len(found.counts) + 1
    assert found.edges[0] == 0.5
    log_histogram("w", np.array([math.nan]))
    assert (last(folder).n, last(folder).mean, last(folder).counts.tolist()) == (0, None, [])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "must be numbers, not NoneType"),
        (["a"], "must be numbers, not list of"),
        ([1j], "must be numbers, not list of complex128"),
        ([[1], [1, 2]], "must be numbers, not list"),
        (object(), "must be numbers, not object"),
        ({"a": 1}, "must be numbers, not dict"),
    ],
)
def test_what_is_no_histogram(folder: RunFolder, values: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"log_histogram: values of 'w' {message}"):
        log_histogram("w", values)
    assert Run(folder.path).media() == []


def test_torch_tensors(folder: RunFolder) -> None:
    torch = pytest.importorskip("torch")
    weight = torch.linspace(0, 1, 11, requires_grad=True)
    for tensor in (
        weight,
        weight.bfloat16(),
        weight.half(),
        weight.to_sparse(),
        (weight * 1j).imag,
        weight.expand(3, -1),
    ):
        log_histogram("w", tensor)
        found = last(folder)
        assert found.n == tensor.numel()
        assert found.min == 0
        assert found.max == pytest.approx(1.0)
    log_image("i", torch.zeros(3, 4, 3))
    assert (last(folder).width, last(folder).height) == (3, 4)
    log_confusion_matrix("c", torch.tensor([0, 1, 2]), torch.eye(3))
    assert np.array_equal(last(folder).counts, np.eye(3))
    log_table("t", {"x": torch.arange(3)})
    assert last(folder).frame["x"].tolist() == [0, 1, 2]


RANDOM = np.random.default_rng(0)
SMOOTH = (np.add.outer(np.arange(40), np.arange(30))[..., None] * [1, 2, 3]).astype(np.uint8)


@pytest.mark.parametrize(
    "array",
    [
        RANDOM.integers(0, 256, (5, 7), dtype=np.uint8),
        RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8),
        RANDOM.integers(0, 256, (5, 7, 4), dtype=np.uint8),
        RANDOM.integers(0, 256, (5, 7, 2), dtype=np.uint8),
        RANDOM.integers(0, 256, (1, 1), dtype=np.uint8),
        SMOOTH,
        SMOOTH[::-2, ::3],
        np.zeros((3, 200, 3), np.uint8),
    ],
    ids=lambda a: str(a.shape),
)
def test_png_holds_the_pixels(folder: RunFolder, array: Any) -> None:
    log_image("i", array)
    found = last(folder)
    assert (found.height, found.width) == array.shape[:2]
    assert found.bytes == found.path.stat().st_size
    assert np.array_equal(pixels(found.path), array)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0.0, 0.5], [1.0, 0.25]]), [[0, 128], [255, 64]]),
        (np.array([[0.0, 1.0]], np.float16), [[0, 255]]),
        (np.array([[True, False]]), [[255, 0]]),
        (np.array([[0, 255]]), [[0, 255]]),
        (np.array([[math.nan, 0.0]]), [[0, 0]]),
        ([[0, 1], [2, 3]], [[0, 1], [2, 3]]),
    ],
)
def test_values_of_pixels(folder: RunFolder, array: Any, expected: Any, capsys: Any) -> None:
    log_image("i", array)
    assert pixels(last(folder).path).tolist() == expected
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("array", "expected", "said"),
    [
        (np.array([[-1.0, 2.0, math.inf]]), [[0, 255, 255]], "from -1 to inf and are clipped to 0 to 1"),
        (np.array([[-5, 300]]), [[0, 255]], "from -5 to 300 and are clipped to 0 to 255"),
    ],
)
def test_values_that_are_clipped_are_told_once(
    folder: RunFolder, array: Any, expected: Any, said: str, capsys: Any
) -> None:
    log_image("i", array)
    log_image("i", array)
    assert pixels(last(folder).path).tolist() == expected
    assert capsys.readouterr().err.count(said) == 1


@pytest.mark.parametrize(
    ("shape", "order", "size"),
    [
        ((5, 7), None, (5, 7)),
        ((5, 7, 3), None, (5, 7)),
        ((3, 5, 7), None, (5, 7)),
        ((3, 5, 4), None, (3, 5)),
        ((3, 5, 4), "CHW", (5, 4)),
        ((1, 28, 28), None, (28, 28)),
        ((2, 28, 28), None, (28, 28)),
        ((3, 5, 4), "NHW", (5, 4)),
    ],
)
def test_order_of_dimensions(
    folder: RunFolder, shape: tuple[int, ...], order: str | None, size: tuple[int, int]
) -> None:
    log_image("i", np.zeros(shape), dataformats=order)
    assert (last(folder).height, last(folder).width) == size


def test_channels_first_holds_the_same_pixels(folder: RunFolder) -> None:
    log_image("i", SMOOTH.transpose(2, 0, 1))
    assert np.array_equal(pixels(last(folder).path), SMOOTH)


def test_batches_and_lists(folder: RunFolder, capsys: Any) -> None:
    batch = RANDOM.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    log_image("batch", batch, caption=[f"number {i}" for i in range(5)])
    found = Run(folder.path).media()
    assert [(one.step, one.index, one.caption) for one in found] == [(0, i, f"number {i}") for i in range(5)]
    assert all(np.array_equal(pixels(one.path), batch[one.index]) for one in found)
    log_image("list", [*batch, batch[0, ..., 0]], caption="same")
    assert [(one.index, one.caption) for one in Run(folder.path).media()[5:]] == [(i, "same") for i in range(6)]
    assert capsys.readouterr().err == ""
    log_image("many", np.zeros((100, 2, 2, 1)))
    assert len(Run(folder.path).media()) == 11 + 64
    assert "of the 100 images of 'many' the first 64 are kept" in capsys.readouterr().err
    with pytest.raises(ValueError, match="has 5 images and 1 captions"):
        log_image("batch", batch, caption=["one"])


def test_the_same_image_is_kept_once(folder: RunFolder) -> None:
    for _ in range(5):
        log_image("i", SMOOTH)
    assert len(list(folder.media_files.iterdir())) == 1


def test_large_images_have_a_preview(folder: RunFolder) -> None:
    log_image("i", np.kron(RANDOM.random((10, 25)), np.ones((40, 40))))
    found = last(folder)
    assert (found.width, found.height) == (1000, 400)
    small = pixels(found.preview)
    assert small.shape == (67, 167)
    assert abs(small.mean() - pixels(found.path).mean()) < 2


def test_pil_images(folder: RunFolder, tmp_path: Path) -> None:
    from PIL import Image

    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "F", "I", "I;16", "HSV", "YCbCr"):
        log_image("i", Image.new(mode, (300, 20)))
        found = last(folder)
        assert (found.width, found.height) == (300, 20)
        assert pixels(found.preview).shape[:2] == (13, 192)
    log_image("i", Image.fromarray(SMOOTH))
    assert np.array_equal(pixels(last(folder).path), SMOOTH)
    for suffix in ("png", "jpg", "gif", "webp", "bmp"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(SMOOTH).save(path)
        for given_ in (path, str(path), path.read_bytes()):
            log_image("i", given_)
            assert last(folder).path.read_bytes() == path.read_bytes()
            assert last(folder).path.suffix == f".{suffix}"


def test_figures(folder: RunFolder) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1), dpi=50)
    figure.subplots().plot([1, 2])
    log_image("i", figure)
    assert (last(folder).width, last(folder).height) == (100, 50)
    log_image("i", [figure, SMOOTH])
    assert last(folder).index == 1


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros(5), ValueError, r"must have height, width and 1, 2, 3 or 4 channels; its shape is \(5,\)"),
        (np.zeros((5, 6, 7)), ValueError, r"its shape is \(5, 6, 7\)"),
        (np.zeros((0, 5)), ValueError, "no side of 0"),
        ("no such.png", FileNotFoundError, "there is no file 'no such.png' for 'i'"),
        (b"text", ValueError, "4 bytes is none"),
        (None, TypeError, "'i' must be numbers, not NoneType"),
        ([], ValueError, "its shape is"),
    ],
)
def test_what_is_no_image(folder: RunFolder, image: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        log_image("i", image)
    with pytest.raises(ValueError, match="dataformats must be one of HW, HWC"):
        log_image("i", SMOOTH, dataformats="WH")
    with pytest.raises(ValueError, match="must have the dimensions NCHW"):
        log_image("i", SMOOTH, dataformats="NCHW")
    assert Run(folder.path).media() == []


LABELS = ["cat", "dog", "cat", "bird"], ["cat", "cat", "cat", "bird"]
COUNTS = [[1, 0, 0], [0, 2, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("arguments", "classes", "counts"),
    [
        ({"y_true": [0, 1, 1], "y_pred": [0, 1, 0]}, ["0", "1"], [[1, 0], [1, 1]]),
        ({"y_true": LABELS[0], "y_pred": LABELS[1]}, ["bird", "cat", "dog"], COUNTS),
        ({"y_true": np.array(LABELS[0]), "y_pred": pd.Series(LABELS[1])}, ["bird", "cat", "dog"], COUNTS),
        (
            {"y_true": [0, 2], "y_pred": [[0.9, 0.1, 0], [0.1, 0.9, 0]]},
            ["0", "1", "2"],
            [[1, 0, 0], [0] * 3, [0, 1, 0]],
        ),
        ({"y_true": [1.0], "y_pred": [[0]], "class_names": ["a", "b"]}, ["a", "b"], [[0, 0], [1, 0]]),
        ({"y_true": [True], "y_pred": [False]}, ["0", "1"], [[0, 0], [1, 0]]),
        ({"counts": np.array(COUNTS), "class_names": "xyz"}, ["x", "y", "z"], COUNTS),
        ({"counts": [[0.5, 0.25], [0, 0]]}, ["0", "1"], [[0.5, 0.25], [0, 0]]),
        ({"counts": [[2.0, 0.0], [0, 0]]}, ["0", "1"], [[2, 0], [0, 0]]),
        ({"y_true": [], "y_pred": []}, [], []),
    ],
)
def test_confusion_matrix(folder: RunFolder, arguments: Any, classes: Any, counts: Any) -> None:
    log_confusion_matrix("c", **arguments)
    found = last(folder)
    assert found.classes == classes
    assert found.counts.tolist() == counts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give y_true and y_pred, or counts="),
        ({"y_true": [0]}, "give y_true and y_pred, or counts="),
        ({"y_true": [0], "y_pred": [0], "counts": [[1]]}, "not both"),
        ({"y_true": [0], "y_pred": [0, 1]}, "there are 1 true labels and 2 predicted ones"),
        ({"y_true": ["a"], "y_pred": [0]}, "must both be numbers, or both be texts"),
        ({"y_true": ["a"], "y_pred": ["b"], "class_names": ["b"]}, "the label 'a' is not among the class names"),
        ({"y_true": [-1], "y_pred": [0]}, "y_true must be from 0; there is a -1"),
        (
            {"y_true": [0], "y_pred": [3], "class_names": ["b"]},
            "y_pred must be from 0 to 0, for 1 class names; there is a 3",
        ),
        ({"y_true": [0.5], "y_pred": [0]}, "y_true must be whole numbers"),
        ({"y_true": [100_000], "y_pred": [0]}, "100001 classes are too many"),
        ({"counts": [1, 2]}, r"must be a square of classes × classes; the shape is \(2,\)"),
        ({"counts": [[-1]]}, "must be finite and not below 0"),
        ({"counts": [[1]], "class_names": ["a", "b"]}, "there are 2 class names for 1 classes"),
    ],
)
def test_what_is_no_confusion_matrix(folder: RunFolder, arguments: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"log_confusion_matrix: .*{message}"):
        log_confusion_matrix("c", **arguments)
    assert Run(folder.path).media() == []


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


@pytest.mark.parametrize(
    ("data", "columns", "names", "rows"),
    [
        ([{"a": 1, "b": "x"}, {"a": 2}], None, ["a", "b"], [[1, "x"], [2, None]]),
        ([{"a": 1, "b": "x"}], ["b"], ["b"], [["x"]]),
        ([{1: 2.5}], None, ["1"], [[2.5]]),
        ({"a": [1, 2], "b": ("x", None)}, None, ["a", "b"], [[1, "x"], [2, None]]),
        ({"a": np.array([1.5, 2]), "b": pd.Series([True, False])}, ["b", "a"], ["b", "a"], [[True, 1.5], [False, 2.0]]),
        (FRAME, None, ["a", "b"], [[1, "x"], [2, "y"]]),
        (FRAME.rename_axis("id"), None, ["id", "a", "b"], [[0, 1, "x"], [1, 2, "y"]]),
        (pd.concat([FRAME, FRAME], axis=1), None, ["a", "b", "a.1", "b.1"], [[1, "x", 1, "x"], [2, "y", 2, "y"]]),
        ([[1, 2], (3, 4)], ["p", "q"], ["p", "q"], [[1, 2], [3, 4]]),
        (np.eye(2), ["p", "p"], ["p", "p.1"], [[1.0, 0.0], [0.0, 1.0]]),
        ([], None, [], []),
        ({}, None, [], []),
    ],
)
def test_tables(folder: RunFolder, data: Any, columns: Any, names: Any, rows: Any) -> None:
    log_table("t", data, columns=columns)
    found = last(folder)
    assert (found.columns, found.rows) == (names, len(rows))
    assert [list(row.values()) for row in found.head()] == rows
    assert list(found.frame.columns) == names


def test_cells(folder: RunFolder) -> None:
    odd = [
        np.float32(0.5),
        np.int8(3),
        np.bool_(True),
        date(2026, 1, 2),
        Fraction(1, 3),
        {"x": 1},
        "ü\ud800\n",
        math.inf,
    ]
    log_table("t", [{"x": cell} for cell in odd])
    expected = [0.5, 3, True, "2026-01-02", "1/3", "{'x': 1}", "ü?\n", math.inf]
    assert [row["x"] for row in last(folder).head()] == expected
    log_table("t", {"x": [math.nan]})
    assert math.isnan(next(last(folder).head())["x"])
    log_table("t", pd.DataFrame({"when": pd.to_datetime(["2026-01-02", None])}))
    assert [row["when"] for row in last(folder).head()] == ["2026-01-02 00:00:00", "NaT"]


def test_other_programs_read_the_file(folder: RunFolder) -> None:
    log_table("t", FRAME)
    assert pd.read_json(io.StringIO(last(folder).path.read_text()), lines=True).equals(FRAME)


@pytest.mark.parametrize(
    ("data", "columns", "message"),
    [
        (3, None, "'t' must be a DataFrame, a list of dicts, a dict of columns or a list of rows, not int"),
        ([1, 2], None, "the rows of 't' need columns="),
        ([[1, 2]], ["a"], "the rows of 't' need columns="),
        ({"a": [1], "b": [1, 2]}, None, r"different lengths \(a: 1, b: 2\)"),
        ({"a": 1}, None, "column 'a' of 't' must be a list, not int"),
        ({"a": "text"}, None, "column 'a' of 't' must be a list, not str"),
        (FRAME, ["z"], "'t' has no column 'z'"),
    ],
)
def test_what_is_no_table(folder: RunFolder, data: Any, columns: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"log_table: .*{message}"):
        log_table("t", data, columns=columns)
    assert Run(folder.path).media() == []
