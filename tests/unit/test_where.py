"""Conditions on runs: what they find, and that nothing in them is ever executed."""

from __future__ import annotations

import ast
import contextlib
import string
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlwidgets.errors import ParameterError
from mlwidgets.runs.expressions import Expression
from mlwidgets.runs.index import RunSummary
from mlwidgets.runs.where import select

NOW = 1_800_000_000.0


def run(name: str, state: str = "finished", **fields: Any) -> RunSummary:
    given: dict[str, Any] = {"params": {}, "tags": {}, "metrics": {}, "submitted_at": NOW - 3600, **fields}
    return RunSummary(
        id=f"20261120-123010-{name}-abcd",
        name=name,
        state=state,
        cause=None,
        started_at=NOW - 3000,
        ended_at=None if state == "running" else NOW - 2900,
        notebook=None,
        **given,
    )


RUNS = [
    run("cnn", params={"lr": "0.0005", "opt": "'adam'"}, metrics={"val_accuracy": 0.9, "val/loss": 0.3}),
    run("mlp", params={"lr": "0.1", "opt": "'sgd'"}, metrics={"val_accuracy": 0.7}, tags={"owner": "ann"}),
    run("new", "running", params={"lr": "1e-05"}, submitted_at=NOW - 60),
    run("bad", "failed", params={"opt": "None", "layers": "(3, 4)"}, metrics={"val_accuracy": float("nan")}, note="x"),
]


def names(where: str | None = None, sort: str | None = None, **options: Any) -> list[str]:
    return [one.name for one in select(RUNS, where, sort, now=NOW, **options)]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("lr<1e-3 and state=='finished'", ["cnn"]),
        ("lr < 1e-3 or owner == 'ann'", ["cnn", "mlp", "new"]),
        ("0.0001 <= lr <= .1", ["cnn", "mlp"]),
        ("lr*1000 > 1", ["mlp"]),
        ("not lr < 1e-3", ["mlp"]),
        ("lr is None", ["bad"]),
        ("opt is not None", ["cnn", "mlp"]),
        ("opt != 'adam'", ["mlp"]),
        ("opt in ('sgd', 'adam')", ["cnn", "mlp"]),
        ("'opt' in params and 'lr' not in params", ["bad"]),
        ("'val/loss' in metrics", ["cnn"]),
        ("metrics['val/loss'] < 1", ["cnn"]),
        ("params.lr == 0.1", ["mlp"]),
        ("tags.owner.startswith('a')", ["mlp"]),
        ("name.upper() == 'CNN'", ["cnn"]),
        ("'n' in name", ["cnn", "new"]),
        ("'fin' in state", ["cnn", "mlp"]),
        ("state not in ['finished', 'running']", ["bad"]),
        ("age < '2min'", ["new"]),
        ("age > '30min' and elapsed == 100", ["cnn", "mlp", "bad"]),
        ("submitted > '2020-01-01'", ["cnn", "mlp", "new", "bad"]),
        ("layers == (3, 4)", []),
        ("note == 'x'", ["bad"]),
        ("abs(-lr) > 0.01", ["mlp"]),
        ("lr / 0 > 1", []),
        ("9**9**9 > 1", []),
        ("val_accuracy < inf", ["cnn", "mlp"]),
        ("pinned", []),
    ],
)
def test_what_fits(where: str, found: list[str]) -> None:
    assert names(where) == found


def test_order_puts_the_best_first_and_what_has_no_value_last() -> None:
    def better(name: str) -> int:
        return 1 if "accuracy" in name else 0

    assert names(sort="val_accuracy") == ["mlp", "cnn", "new", "bad"]
    assert names(sort="val_accuracy", better=better) == ["cnn", "mlp", "new", "bad"]
    assert names(sort="val_accuracy", better=better, reverse=True) == ["mlp", "cnn", "new", "bad"]
    assert names(sort="metrics['val_accuracy']", better=better) == ["cnn", "mlp", "new", "bad"]
    assert names(sort="lr") == ["new", "cnn", "mlp", "bad"]
    assert names(sort="-lr") == ["mlp", "cnn", "new", "bad"]
    assert names(sort="opt", where="lr > 1e-4") == ["cnn", "mlp"]
    assert names(sort="state") == ["bad", "cnn", "mlp", "new"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("lrr < 1", "where: no run has 'lrr'; did you mean 'lr'?, here: ▸lrr < 1"),
        ("name == 'ä' and lrr < 1", "where: no run has 'lrr'; did you mean 'lr'?, here: name == 'ä' and ▸lrr < 1"),
        ("lr = 1", "where: write == to compare, here: lr ▸= 1"),
        ("lr < < 1", "where: invalid syntax, here: lr < ▸< 1"),
        ("state == 'finishd'", "where: 'finishd' is no state; did you mean 'finished'?, here: state == ▸'finishd'"),
        (
            "lr < 'a'",
            "where: \"lr < 'a'\" compares or computes what does not go together: texts need quotes, numbers have none",
        ),
        (
            "age < '2x'",
            "where: '2x' is no duration: write '30min', '12h', '2d', or seconds as a number, here: age < ▸'2x'",
        ),
        ("lr < 1 & 2", "where: this operator is not known here: write and, or, here: lr < ▸1 & 2"),
        ("name.__class__ == 1", "where: only params, metrics and tags have members, here: ▸name.__class__ == 1"),
    ],
)
def test_mistakes_are_one_line_that_points_to_the_place(where: str, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        names(where)
    assert str(caught.value) == said


def test_nothing_is_wrong_with_an_empty_store() -> None:
    assert select([], "lrr < 1", "nothing") == []


HOSTILE = (
    "__import__('os').system('touch {mark}')",
    "().__class__.__base__.__subclasses__()",
    "[open('{mark}', 'w') for _ in (1,)]",
    "(lambda: open('{mark}', 'w'))()",
    "name.format(open('{mark}', 'w'))",
    'f\'{{open("{mark}", "w")}}\'',
    "(x := open('{mark}', 'w'))",
    "open('{mark}', 'w') and True",
    "params.get.__globals__['os']",
    "metrics[__import__('os').system('touch {mark}')]",
    "name.startswith(open('{mark}', 'w'))",
    "params.clear()",
    "await x",
    "yield",
    "exec('x')",
    "*name",
    "{{**params}}",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_would_execute_something_is_refused(text: str, tmp_path: Any) -> None:
    mark = tmp_path / "mark"
    said = outcome(text.format(mark=mark))
    assert said.startswith("where: ")
    assert "\n" not in said
    assert _watched == []
    assert not mark.exists()


_watched: list[str] = []
_watching = False


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in {"exec", "import", "open", "os.system", "subprocess.Popen", "object.__getattr__"}:
        _watched.append(f"{event} {arguments}")


sys.addaudithook(_note)


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """The interpreter itself tells of all that is executed, imported, opened and started."""
    global _watching
    _watched.clear()
    _watching = True
    try:
        yield
    finally:
        _watching = False


def test_the_watch_sees_what_is_executed() -> None:
    with watched():
        eval("1 + 1")
    assert len(_watched) == 1


def outcome(where: str | None, sort: str | None = None) -> str:
    """Return what is said of a text; nothing where it was understood."""
    try:
        with watched():
            found = select(RUNS, where, sort, now=NOW)
    except ParameterError as error:
        return str(error)
    assert all(one in RUNS for one in found)
    return ""


WORDS = st.sampled_from(
    ["lr", "opt", "name", "state", "params", "tags", "metrics", "age", "__import__", "eval", "exec", "open", "os",
     ".", ".__class__", ".__globals__", "system", "popen", "(", ")", "[", "]", "{", "}", "'x'", '"lr"', "0", "1e-3",
     "9**9", "and", "or", "not", "in", "is", "None", "if", "else", "for", "lambda", ":", ",", "=", ":=", "==", "<",
     "+", "-", "*", "/", "//", "%", "**", "@", "~", "|", "\\", "\n", "#", "f'{lr}'", "await", "*", "startswith",
     ".startswith('a')", ".lower()", "abs", "\0", "ä", "\ud800"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.lists(WORDS, max_size=14).map(" ".join), st.text(string.printable, max_size=60)))
@example("name " * 400)
@example("-" * 990 + "1")
@example("(" * 400)
@example("not " * 240 + "1")
@example("'a' * 999999999999")
@example("name % name")
@example("1 < lr < (lr, name) in params in [metrics]")
def test_any_text_finds_runs_or_is_refused_in_one_line(text: str) -> None:
    before = [dict(one.params) for one in RUNS]
    for said in (outcome(text), outcome(None, text)):
        assert _watched == []
        assert "\n" not in said
        assert len(said) < 1000
    assert [one.params for one in RUNS] == before


@settings(max_examples=200, deadline=None)
@given(st.recursive(
    st.sampled_from(["lr", "0.5", "1e-4", "val_accuracy", "-2", "elapsed"]),
    lambda part: st.tuples(part, st.sampled_from(["+", "-", "*", "<", "<=", "==", "!=", ">"]), part).map(
        lambda pieces: f"({' '.join(pieces)})"
    ),
    max_leaves=8,
))  # fmt: skip
def test_arithmetic_is_pythons(text: str) -> None:
    known = {"lr": 0.0005, "val_accuracy": 0.9, "elapsed": 100.0}
    tree = compile(ast.parse(text, mode="eval"), "<test>", "eval")
    assert Expression(text).values(RUNS[:1], NOW) == [eval(tree, {"__builtins__": {}}, known)]
