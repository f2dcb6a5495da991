"""What is found in generated code against what executing that code needs."""

from __future__ import annotations

from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlwidgets.capture.names import read_names


class Value:
    """Stands for anything: every operation works, truth follows the drawn bits."""

    def __init__(self, bits: list[bool]) -> None:
        self._bits = bits

    def __bool__(self) -> bool:
        return self._bits.pop() if self._bits else False

    def __iter__(self) -> Any:
        return iter([self, self])

    def __call__(self, *_: Any) -> Value:
        return self

    def __add__(self, _: Any) -> Value:
        return self

    def __lt__(self, _: Any) -> Value:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Untouchable:
    """Raises at whatever is done with it."""

    def _refuse(self, *_: Any) -> Any:
        raise AssertionError("the notebook's value was used")

    __bool__ = __iter__ = __call__ = __add__ = __radd__ = __lt__ = __gt__ = __enter__ = __exit__ = _refuse


NAMES = st.sampled_from("abcd")
FUNCTIONS = st.sampled_from("fg")


def _expressions(depth: int, calls: bool = True) -> st.SearchStrategy[str]:
    if not depth:
        return NAMES
    part = _expressions(depth - 1, calls)
    quiet = _expressions(depth - 1, calls=False)
    plain = [
        part,
        st.builds("({} + {})".format, part, part),
        st.builds("({} and {})".format, part, part),
        st.builds("({} if {} else {})".format, part, part, part),
        st.builds("({} < {} < {})".format, part, part, part),
        st.builds("(lambda: {})()".format, quiet),
        st.builds("(lambda {}: {})({})".format, NAMES, quiet, part),
        st.builds("[{} for {} in {}][0]".format, quiet, NAMES, NAMES),
        st.builds("([{1} for {0} in {2} if {1}], {2})[1]".format, NAMES, NAMES, NAMES),
        st.builds("list({} for {} in {})[0]".format, NAMES, NAMES, NAMES),
    ]
    if calls:
        plain += [
            st.builds("({} := {})".format, NAMES, part),
            st.builds("{}()".format, FUNCTIONS),
            st.builds("{}({})".format, NAMES, part),
        ]
    return st.one_of(plain)


def _indent(block: str) -> str:
    return "\n".join(f"    {line}" for line in block.split("\n"))


def _statements(depth: int) -> st.SearchStrategy[str]:
    expression = _expressions(1)
    simple = st.one_of(
        st.builds("{} = {}".format, NAMES, expression),
        st.builds("{} += {}".format, NAMES, expression),
        expression,
        st.builds("{}, {} = {}".format, NAMES, NAMES, NAMES),
        st.builds("def {}():\n    return {}".format, FUNCTIONS, _expressions(1, calls=False)),
        st.builds("def {0}():\n    global {1}\n    {1} = {2}\n    return {1}".format, FUNCTIONS, NAMES, NAMES),
        st.builds("class K:\n    {0} = {1}\n    {2} = {0} + {3}".format, NAMES, NAMES, NAMES, NAMES),
        st.builds("class K:\n    if {0}:\n        {1} = {2}\n    {3} = {1}".format, NAMES, NAMES, NAMES, NAMES),
    )
    if not depth:
        return simple
    block = st.lists(_statements(depth - 1), min_size=1, max_size=3).map("\n".join).map(_indent)
    leave = st.sampled_from(["pass", "break", "continue"])
    return st.one_of(
        simple,
        st.builds("if {}:\n{}".format, expression, block),
        st.builds("if {}:\n{}\nelse:\n{}".format, expression, block, block),
        st.builds("for {} in {}:\n{}\n    if {}: {}\n{}".format, NAMES, NAMES, block, NAMES, leave, block),
        st.builds("for {} in {}:\n{}\n    if {}: {}\nelse:\n{}".format, NAMES, NAMES, block, NAMES, leave, block),
        st.builds("while True:\n{}\n    if {}: break\n{}\n    break".format, block, NAMES, block),
        st.builds("try:\n{}\n    perhaps()\n{}\nexcept ValueError:\n{}".format, block, block, block),
        st.builds("try:\n    perhaps()\n{}\nexcept ValueError:\n{}\nelse:\n{}\nfinally:\n{}".format,
                  block, block, block, block),
        st.builds("try:\n{}\nexcept NameError:\n{}".format, block, block),
        st.builds("with {} as {}:\n{}".format, NAMES, NAMES, block),
        st.builds("match {}:\n    case {} if {}:\n{}\n    case _:\n{}".format,
                  NAMES, NAMES, NAMES, block.map(_indent), block.map(_indent)),
    )  # fmt: skip


CODE = st.lists(_statements(2), min_size=1, max_size=5).map("\n".join)


def _execute(code: str, namespace: dict[str, Any], bits: list[bool]) -> None:
    left = list(bits)

    def perhaps() -> None:
        if left and left.pop():
            raise ValueError

    exec(compile(code, "<generated>", "exec"), {**namespace, "perhaps": perhaps})


def _valid(code: str) -> bool:
    try:
        compile(code, "<generated>", "exec")
    except SyntaxError:
        return False
    return True


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(CODE.filter(_valid), st.lists(st.booleans(), max_size=12))
def test_what_is_found_is_what_executing_needs(code: str, bits: list[bool]) -> None:
    names = read_names(code)
    found = set(names.must) | names.maybe
    unread = set("abcdfg") - found

    def values(without: str = "") -> dict[str, Any]:
        left = list(bits)
        return {n: Value(left) for n in "abcdfg" if n in found and n != without}

    _execute(code, values(), bits)
    _execute(code, {**values(), **{n: Untouchable() for n in unread}}, bits)
    for name in set(names.must) & set("abcdfg"):
        with pytest.raises(NameError):
            _execute(code, values(without=name), bits)
