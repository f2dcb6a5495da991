"""Arrows point one way: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = {
    ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__"): path
    for base, folder in ((ROOT, "mlwidgets"), (ROOT / "magics", "mlwidgets_magics"))
    for path in sorted((base / folder).rglob("*.py"))
}
FLOORS = {
    "mlwidgets.errors": 0,
    "mlwidgets.runs": 1,
    "mlwidgets.archives": 2,
    "mlwidgets.history": 2,
    "mlwidgets.tracking": 2,
    "mlwidgets.capture": 3,
    "mlwidgets.notifying": 3,
    "mlwidgets.runner": 4,
    "mlwidgets.reports": 5,
    "mlwidgets.reruns": 5,
    "mlwidgets.submit": 5,
    "mlwidgets.sweeps": 5,
    # How a terminal shows text, and in which colours, is no view of a run.
    "mlwidgets.views.palette": 5,
    "mlwidgets.views.terminal": 5,
    "mlwidgets.api": 6,
    "mlwidgets.again": 6,
    "mlwidgets.schedules": 6,
    "mlwidgets.housekeeping": 7,
    "mlwidgets.views": 7,
    "mlwidgets.cli": 8,
    "mlwidgets.commands": 8,
    "mlwidgets.doctor": 8,
    "mlwidgets.server": 8,
    "mlwidgets_magics": 8,
    "mlwidgets": 9,
}
IPYTHON = {"mlwidgets.capture.names", "mlwidgets.runner.shell", "mlwidgets.runner.worker"}
JUPYTER = ("anywidget", "ipykernel", "ipywidgets", "jupyter", "jupyter_client", "jupyter_core", "jupyter_server",
           "jupyterlab", "nbclient", "nbconvert", "nbformat", "notebook", "traitlets")  # fmt: skip


def _is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _nodes(tree: ast.AST, *, types: bool, functions: bool) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    for child in ast.iter_child_nodes(tree):
        if _is_for_types_only(child) and not types:
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not functions:
            continue
        nodes += [child, *_nodes(child, types=types, functions=functions)]
    return nodes


def imports(name: str, *, types: bool = True, functions: bool = True) -> set[str]:
    """Return the modules that a file imports; for our own, the files."""
    found: set[str] = set()
    for node in _nodes(ast.parse(FILES[name].read_text()), types=types, functions=functions):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: relative imports hide where an arrow points"
            module = str(node.module)
            parts = {f"{module}.{a.name}" for a in node.names}
            found |= {p for p in parts if p in FILES}
            if not parts <= set(FILES):
                found.add(module)
    return found


def floor(name: str) -> int:
    while name not in FLOORS:
        name = name.rpartition(".")[0]
    return FLOORS[name]


def test_files_are_found() -> None:
    assert {"mlwidgets.runs.journal", "mlwidgets.capture.names", "mlwidgets_magics.train", "mlwidgets"} <= set(FILES)
    assert "mlwidgets.runs.spec" in imports("mlwidgets.runs.folder")


@pytest.mark.parametrize("name", [n for n in FILES if n != "mlwidgets"])
def test_no_arrow_points_up(name: str) -> None:
    ours = {i for i in imports(name) if i in FILES and i != "mlwidgets"}
    up = {i for i in ours if floor(i) > floor(name)}
    # `Run` is opened by whoever reads results, and the package itself only passes names on.
    assert not up
    if name.startswith("mlwidgets.runs"):
        assert all(i.startswith(("mlwidgets.runs", "mlwidgets.errors")) for i in ours)
    if name.startswith("mlwidgets.tracking"):
        known = {
            f"mlwidgets.{name}"
            for name in ("errors", "runs.journal", "runs.checkpoints", "runs.naming", "runs.superseded")
        }
        assert {i for i in ours if not i.startswith("mlwidgets.tracking")} <= known
    if name.startswith("mlwidgets.capture"):
        assert not any(i.startswith("mlwidgets.runner") for i in ours)


@pytest.mark.parametrize("name", FILES)
def test_jupyter_is_known_upstairs_only(name: str) -> None:
    tops = {i.split(".")[0] for i in imports(name)}
    upstairs = name.startswith(("mlwidgets.views", "mlwidgets.server", "mlwidgets.doctor", "mlwidgets_magics"))
    if not upstairs:
        # The shell is an object with traits: IPython's own way to be configured.
        allowed = {"traitlets"} if name == "mlwidgets.runner.shell" else set()
        if name == "mlwidgets.reports.exporter":
            # nbconvert itself imports this file, and nothing of ours does.
            allowed = {"nbconvert", "traitlets"}
        if name.startswith("mlwidgets.reports.executing"):
            # Whoever executes a notebook talks to kernels.
            allowed = {"jupyter_client", "nbclient", "nbformat"}
        assert not tops & set(JUPYTER) - allowed
        assert ("IPython" in tops) <= (name in IPYTHON)


@pytest.mark.parametrize("name", FILES)
def test_the_ground_floor_stands_on_numpy_alone(name: str) -> None:
    if not name.startswith(("mlwidgets.runs", "mlwidgets.tracking", "mlwidgets.errors")):
        return
    import sys

    foreign = {i.split(".")[0] for i in imports(name, types=False)} - set(sys.stdlib_module_names)
    assert foreign <= {"mlwidgets", "numpy", "pandas"}
    assert not {i.split(".")[0] for i in imports(name, types=False, functions=False)} & {"numpy", "pandas"}


def test_no_circles() -> None:
    arrows = {name: {i for i in imports(name, types=False) if i in FILES and i != name} for name in FILES}
    arrows["mlwidgets"] = set()  # the package passes names on when they are asked for
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for target in sorted(arrows[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in FILES:
        visit(name, ())
    assert len(done) == len(FILES)


@pytest.mark.parametrize("name", FILES)
def test_files_are_short(name: str) -> None:
    assert len(FILES[name].read_text().splitlines()) <= 500
