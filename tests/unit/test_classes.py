from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlwidgets.capture.classes import fingerprint

Cell = Callable[[str, dict[str, Any]], None]

NET = """
class Net(Base):
    width = 3
    sizes = (1, "a", None)

    def __init__(self, depth=2):
        self.depth = depth

    @property
    def area(self):
        return self.width * self.depth

    @staticmethod
    def make():
        return Net()

    @classmethod
    def name(cls):
        return cls.__name__

    act = lambda self, x: x + 1
"""


@pytest.fixture
def mark(cell: Cell) -> Callable[..., str]:
    """Execute source in a fresh notebook; return the fingerprint of the class `Net`."""

    def of(source: str, before: str = "class Base: pass") -> str:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        cell(before, namespace)
        cell(source, namespace)
        return fingerprint(namespace["Net"])

    return of


Mark = Callable[..., str]


@pytest.mark.parametrize(
    "same",
    [
        NET,
        "\n\n# comment\nx = 1\n" + NET,
        NET.replace("self.depth = depth", "self.depth   =  depth  # depth"),
        "def helper():\n    return 1\n" + NET,
    ],
)
def test_equal_sources_are_the_same_class(mark: Mark, same: str) -> None:
    assert mark(same) == mark(NET)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("width = 3", "width = 4"),
        ("width = 3", "width = 3.0"),
        ("width = 3", "width = True"),
        ('(1, "a", None)', '(1, "b", None)'),
        ("depth=2", "depth=3"),
        ("self.depth = depth", "self.depth = depth + 1"),
        ("return self.width * self.depth", "return self.width + self.depth"),
        ("@staticmethod", "@classmethod"),
        ("return cls.__name__", "return cls.__qualname__"),
        ("x + 1", "x + 2"),
        ("Net(Base)", "Net"),
        ("Net(Base)", "Net(Base, object)"),
        ("def name", "def title"),
        ("@property\n", "\n"),
    ],
)
def test_what_makes_another_class(mark: Mark, old: str, new: str) -> None:
    assert old in NET
    assert mark(NET.replace(old, new)) != mark(NET)


def test_use_does_not_change_it(cell: Cell) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cell("class Base: pass\n" + NET, namespace)
    before = fingerprint(namespace["Net"])
    cell("class Sub(Net): pass\nNet().area\nNet.make()\nnet = Net()\nnet.extra = 1\nNet.__doc__ = 'told'", namespace)
    assert fingerprint(namespace["Net"]) == before


def test_a_method_patched_on_it_changes_it(cell: Cell) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cell("class Base: pass\n" + NET, namespace)
    before = fingerprint(namespace["Net"])
    cell("def area(self):\n    return 0\nNet.make = area", namespace)
    assert fingerprint(namespace["Net"]) != before


@pytest.mark.parametrize(
    "source",
    [
        "from dataclasses import dataclass\n@dataclass\nclass Net:\n    lr: float = 0.1\n    n: int = 3",
        "import enum\nclass Net(enum.Enum):\n    A = 1\n    B = 2",
        "from typing import NamedTuple\nclass Net(NamedTuple):\n    a: int\n    b: int = 2",
        "import abc\nclass Net(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...",
        "class Net:\n    __slots__ = ('a', 'b')\n    def f(self):\n        return super().__repr__()",
        "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass Net(Generic[T]):\n    x = 1",
        "class Net:\n    class Inner:\n        x = 1\n    items = [1, 2]",
        "class Meta(type): pass\nclass Net(metaclass=Meta): pass",
        "class Net:\n    def f(self):\n        def g(): return [lambda: i for i in range(3)]\n        return g",
    ],
)
def test_every_kind_of_class_is_the_same_when_its_cell_runs_again(mark: Mark, source: str) -> None:
    assert mark(source) == mark("\n# again\n" + source)


def test_classes_without_source() -> None:
    def made(code: str) -> type:
        namespace: dict[str, Any] = {}
        exec(code, namespace)
        cls: type = namespace["Net"]
        return cls

    code = "class Net:\n    def f(self):\n        return {}\n"
    assert fingerprint(made(code.format(1))) == fingerprint(made(code.format(1)))
    assert fingerprint(made(code.format(1))) != fingerprint(made(code.format(2)))
