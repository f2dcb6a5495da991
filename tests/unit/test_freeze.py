from __future__ import annotations

import ast
import socket
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlwidgets.capture import thaw as thaw_module
from mlwidgets.capture.freeze import Freezer
from mlwidgets.capture.thaw import thaw
from mlwidgets.errors import CannotSend
from mlwidgets.runs.store import RunStore

Cell = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def notebook() -> dict[str, Any]:
    return {"__name__": "__main__"}


@pytest.fixture
def send(store: RunStore, notebook: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Freeze variables of the notebook; thaw them into another namespace."""

    def through(*must: str, maybe: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
        freezer = Freezer(notebook, **options)
        frozen = freezer.freeze(must, maybe, store.put)
        worker: dict[str, Any] = {"__name__": "__main__"}
        worker.update(thaw(frozen, store.objects, worker).values)
        return worker

    return through


def test_values_come_back(send: Any, notebook: dict[str, Any]) -> None:
    notebook.update(a=1, b={"c": [float("inf"), None, "ü"]}, d=np.arange(5))
    there = send("a", "b", "d")
    assert (there["a"], there["b"]) == (1, {"c": [float("inf"), None, "ü"]})
    assert there["d"].tolist() == [0, 1, 2, 3, 4]


def test_what_is_shared_stays_shared(send: Any, notebook: dict[str, Any]) -> None:
    notebook["a"] = [1]
    notebook["b"] = {"a": notebook["a"]}
    there = send("a", "b")
    assert there["b"]["a"] is there["a"]


def test_views_of_an_array_share_memory(send: Any, notebook: dict[str, Any]) -> None:
    notebook["a"] = np.zeros((300, 300))
    notebook["b"] = notebook["a"][10:20, ::3]
    notebook["c"] = notebook["a"].T
    there = send("a", "b", "c")
    there["a"][10, 3] = 7
    assert there["b"][0, 1] == 7
    assert there["c"][3, 10] == 7


def test_big_arrays_are_beside_the_stream_and_writable_without_touching_the_store(
    store: RunStore, notebook: dict[str, Any]
) -> None:
    notebook["a"] = np.ones(1_000_000)
    frozen = Freezer(notebook).freeze(["a"], [], store.put)
    assert len(frozen.buffers) == 1
    assert len(store.objects.read(frozen.stream)) < 2000
    first = thaw(frozen, store.objects, {}).values["a"]
    first[:] = 5
    assert thaw(frozen, store.objects, {}).values["a"].sum() == 1_000_000


def test_functions_read_the_globals_they_come_to(cell: Cell, send: Any, notebook: dict[str, Any]) -> None:
    cell("scale = 1\ndef helper(x):\n    return x * scale", notebook)
    there = send("helper")
    assert there["scale"] == 1
    there["scale"] = 3
    assert there["helper"](2) == 6


def test_functions_bring_functions(cell: Cell, send: Any, notebook: dict[str, Any]) -> None:
    cell("k = 2\ndef f():\n    return g() + 1\ndef g():\n    return k\nh = lambda: f()\nunused = 1", notebook)
    there = send("h")
    assert there["h"]() == 3
    assert "unused" not in there


def test_what_the_cell_binds_first_is_not_sent(cell: Cell, send: Any, notebook: dict[str, Any]) -> None:
    cell("model = 'last'\ndef evaluate():\n    return model", notebook)
    assert "model" not in send("evaluate", hidden={"evaluate": {"model"}})
    assert "model" not in send("evaluate", skip={"model"})
    assert send("evaluate")["model"] == "last"


def test_what_an_earlier_function_reads_is_sent(cell: Cell, send: Any, notebook: dict[str, Any]) -> None:
    # The cell: before(); model = 1; after()
    cell("model = 'last'\ndef before():\n    return model\ndef after():\n    return before()", notebook)
    hidden = {"after": {"model"}, "before": set[str]()}
    assert send("before", "after", hidden=hidden)["model"] == "last"
    assert send("after", maybe=("before",), hidden=hidden)["model"] == "last"


def test_closures(cell: Cell, send: Any, notebook: dict[str, Any]) -> None:
    cell("def outer():\n    n = [0]\n    def f():\n        n[0] += 1\n        return n[0]\n    def g():\n"
         "        return n[0]\n    return f, g\nf, g = outer()", notebook)  # fmt: skip
    there = send("f", "g")
    there["f"]()
    assert there["g"]() == 1


def test_deep_objects(cell: Cell, send: Any, notebook: dict[str, Any]) -> None:
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    notebook["deep"] = deep
    there, depth = send("deep")["deep"], 0
    while there:
        there, depth = there[0], depth + 1
    assert depth == 20_000


def test_classes_of_the_notebook(cell: Cell, send: Any, notebook: dict[str, Any]) -> None:
    cell(
        "class Net:\n    width = 3\n    def go(self):\n        return self.width * factor\nnet = Net()\nfactor = 2",
        notebook,
    )
    there = send("net")
    assert there["net"].go() == 6
    assert isinstance(there["net"], there["Net"])


def test_patches_on_imported_classes(cell: Cell, store: RunStore, notebook: dict[str, Any]) -> None:
    cell("import ast\ndef shout(self):\n    return 'patched'\nast.Pass.shout = shout\nnode = ast.Pass()", notebook)
    try:
        frozen = Freezer(notebook).freeze(["node"], [], store.put)
        del ast.Pass.shout  # type: ignore[attr-defined]
        thawed = thaw(frozen, store.objects, {"__name__": "__main__"})
        thawed.apply_patches()
        assert thawed.values["node"].shout() == "patched"
    finally:
        if hasattr(ast.Pass, "shout"):
            del ast.Pass.shout


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = (i for i in range(3))", "cannot send `x`: it is a generator"),
        ("x = {'a': [sqlite3.connect(':memory:')]}", r"`x`: x\['a'\]\[0\] is a sqlite3.Connection"),
        ("x = threading.Lock()", "`x`: it is a thread.lock"),
        ("class C: pass\nx = C()\nx.s = socket.socket()", r"`x`: x.s is a socket.socket"),
        ("db = sqlite3.connect(':memory:')\ndef x():\n    return db", r"`x`: x\(\) uses the global 'db', a sqlite3"),
        ("db = sqlite3.connect(':memory:')\ndef f():\n    return db\nx = {'a': [f]}",
         r"`x`: x\['a'\]\[0\]\(\) uses the global 'db', a sqlite3.Connection"),
        ("def f():\n    k = threading.Lock()\n    return lambda: k\nx = f()",
         r"`x`: x\(\) uses the outer variable 'k', a thread.lock"),
        ("def x(a=threading.Lock()): pass", r"`x`: x\(\) has a default that is a thread.lock"),
        ("x = open('/dev/null', 'wb')", "`x`: it is"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent(cell: Cell, store: RunStore, notebook: dict[str, Any], source: str, message: str) -> None:
    notebook.update(sqlite3=sqlite3, threading=threading, socket=socket)
    cell(source, notebook)
    with pytest.raises(CannotSend, match=message) as raised:
        Freezer(notebook).freeze(["x"], [], store.put)
    assert "\n" not in str(raised.value)
    assert not list(store.objects.path.iterdir())


def test_what_need_not_be_sent_is_left_out(store: RunStore, notebook: dict[str, Any]) -> None:
    notebook.update(a=[1], lock=threading.Lock(), c=[2])
    notebook["both"] = [notebook["a"], notebook["lock"]]
    freezer = Freezer(notebook)
    frozen = freezer.freeze(["a"], ["both", "c", "lock"], store.put)
    assert thaw(frozen, store.objects, {}).values == {"a": [1], "c": [2]}
    assert set(freezer.unsent) == {"both", "lock"}
    assert "both[1] is a thread.lock" in freezer.unsent["both"]


def test_the_same_values_are_stored_once(store: RunStore, notebook: dict[str, Any]) -> None:
    notebook["a"] = np.random.default_rng(0).random(100_000)
    first = Freezer(notebook).freeze(["a"], [], store.put)
    before = {p.name: p.stat().st_ino for p in store.objects.path.iterdir()}
    assert Freezer(notebook).freeze(["a"], [], store.put) == first
    assert {p.name: p.stat().st_ino for p in store.objects.path.iterdir()} == before


def test_a_tensor_of_another_gpu_comes_to_the_default_device() -> None:
    torch = pytest.importorskip("torch")
    bytes_of = bytearray(torch.arange(4.0).numpy().tobytes())
    held = thaw_module.typed_storage(thaw_module.storage(bytes_of, "cuda"), torch.float32)
    tensor = torch._utils._rebuild_tensor_v2(held, 0, (4,), (1,), False, {})
    assert tensor.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert tensor.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_what_functions_import_when_they_are_called(store: RunStore, notebook: dict[str, Any], cell: Cell) -> None:
    cell(
        "def direct():\n    import lazy\n    from package.sub import deep\n    return helper\n"
        "def helper():\n    import within_helper\n"
        "class Net:\n    def forward(self):\n        def inner():\n            import within\n        return inner\n"
        "def unused():\n    import elsewhere\n",
        notebook,
    )
    freezer = Freezer(notebook)
    freezer.freeze(["direct", "Net"], [], store.put)
    assert freezer.imports == {"lazy", "package.sub", "within_helper", "within"}
