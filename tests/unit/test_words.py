from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.error import UsageError

from mlwidgets_magics.words import LineParser, is_param, read_params, read_tags, split_names, split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("   ", []),
        ("lenet --seed 0  lr=1e-3", ["lenet", "--seed", "0", "lr=1e-3"]),
        ("a\tb\u00a0c", ["a", "b", "c"]),
        ("layers=[64, 32] f=(1, 2)", ["layers=[64, 32]", "f=(1, 2)"]),
        ("d={'a b': [1, (2, 3)]} x=1", ["d={'a b': [1, (2, 3)]}", "x=1"]),
        ("""text="two words" 'and more'""", ['text="two words"', "and more"]),
        ("""--note "it's a [test" x=1""", ["--note", "it's a [test", "x=1"]),
        ("""--note 'it\\'s'""", ["--note", "it's"]),
        ("""'' x=''""", ["", "x=''"]),
        ("a=b=c", ["a=b=c"]),
        ("x=')' y=2", ["x=')'", "y=2"]),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize(
    ("line", "what"), [("x='a", "'"), ('--note "a b', '"'), ("x=[1, 2", "]"), ("x={'a': (1", r"\)"), ("don't", "'")]
)
def test_what_is_not_closed(line: str, what: str) -> None:
    with pytest.raises(UsageError, match=f"{what} is not closed in: "):
        split_words(line)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.recursive(
            st.integers() | st.text() | st.booleans(), lambda p: st.lists(p, max_size=3) | st.tuples(p, p), max_leaves=5
        ),
        max_size=4,
    )
)
def test_literals_are_one_word_each(values: list[Any]) -> None:
    line = " ".join(f"x{number}={value!r}" for number, value in enumerate(values))
    assert read_params(split_words(line)) == {f"x{number}": value for number, value in enumerate(values)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("1e-3", 0.001), ("-5", -5), ("True", True), ("None", None), ("'a b'", "a b"), ("(1, 2)", (1, 2)),
        ("inf", float("inf")), ("adam", "adam"), ("data/train.csv", "data/train.csv"), ("cuda:0", "cuda:0"),
        ("'true'", "true"), ("a=b", None), ("1_000", 1000),
    ],
)  # fmt: skip
def test_values(text: str, value: Any) -> None:
    if text == "a=b":
        with pytest.raises(UsageError, match="the value is no Python literal; for a text write x='a=b'"):
            read_params([f"x={text}"])
    else:
        (read,) = read_params([f"x={text}"]).values()
        assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x=f(1)"], "parameter x=f(1): the value is no Python literal; for a text write x='f(1)'"),
        (["x="], "parameter x=: the value is no Python literal"),
        (["x=1", "x=2"], "parameter 'x' is given twice"),
        (["lenet"], "'lenet' is no parameter: write name=value"),
        (["3=4"], "'3=4' is no parameter"),
        (["a.b=4"], "'a.b=4' is no parameter"),
    ],
)
def test_what_is_no_parameter(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_params(words)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_which_words_are_parameters() -> None:
    assert [w for w in ("x=1", "_y=", "größe=2", "x", "=1", "1x=2", "a-b=1", "--tag=x") if is_param(w)] == [
        "x=1", "_y=", "größe=2"
    ]  # fmt: skip


def test_tags() -> None:
    assert read_tags(["a=b", "c=d=e", "empty=", "quoted='x y'"]) == {"a": "b", "c": "d=e", "empty": "", "quoted": "x y"}
    for word in ("a", "=b"):
        with pytest.raises(UsageError, match="write --tag key=value"):
            read_tags([word])


def test_lists_of_names() -> None:
    assert list(split_names(["a,b", "c , d"])) == ["a", "b", "c", "d"]
    for text in ("a b", "a,", "1x", ""):
        with pytest.raises(UsageError, match="is no Python name"):
            list(split_names([text]))


def test_the_parser_ends_nothing() -> None:
    parser = LineParser(prog="%%train")
    parser.add_argument("--seed", type=int)
    for words in (["--seed", "x"], ["--unknown"], ["--help"]):
        with pytest.raises(UsageError):
            parser.parse_args(words)


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("x=true", "write x=True, or x='true' for the text"),
        ("x=null", "write x=None"),
        ("lr=lr0", "for the value of the notebook's `lr0` write lr={lr0}, for the text lr='lr0'"),
        ("lr=0.1,", "ends with a comma: parameters are separated by spaces"),
    ],
)
def test_values_that_may_mean_something_else(word: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        read_params([word], taken={"lr0": 0.5})
