"""What a run needs of the Python that executes it: modules, found in its code and its frozen variables."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from mlwidgets.capture.names import parse
from mlwidgets.errors import CaptureError
from mlwidgets.history.comparing.frozen import mentioned
from mlwidgets.reruns.interpreters import interpreter_of
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.libraries import read_libraries
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.store import RunStore

_OURS = frozenset({"mlwidgets", "mlwidgets_magics", "__main__", "__mp_main__"})
_AROUND = frozenset({"numpy", "torch", "pandas"})
"""Libraries whose settings are put back before the code runs, and which are imported for that."""
_CALLED_OTHERWISE = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
_PATIENCE = 30.0
"""Seconds that another interpreter has to say whether it knows this package."""


def sources(spec: RunSpec, objects: ObjectStore) -> Iterator[tuple[str, str]]:
    """Yield the texts that a run executes, each with where it is from: code, kept modules, cells of its functions."""
    yield "the code", spec.code
    for module in spec.modules:
        try:
            yield f"module {module['name']}", objects.read(module["digest"]).decode("utf-8", "replace")
        except OSError:
            continue
    if spec.inputs is not None and (told := mentioned(spec.inputs, objects)) is not None:
        for text in told.sources:
            yield "the notebook", text


def tree_of(where: str, text: str) -> ast.Module | None:
    """Return the syntax of one of the `sources`, None where it has none."""
    try:
        if not where.startswith("module "):
            return parse(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A project may have hundreds: what IPython makes of a cell takes ten times as long.
            return ast.parse(text)
    except (CaptureError, SyntaxError, ValueError):
        return None


def modules_needed(spec: RunSpec, objects: ObjectStore) -> set[str]:
    """Return the top-level modules that a run cannot do without; neither Python's own nor those that were kept.

    That is what its code and its modules import at their top level, and what its variables are made of.
    """
    found: set[str] = set()
    for where, text in sources(spec, objects):
        if where != "the notebook":
            found |= _imported(where, text)
    for frozen in (spec.inputs, spec.ambient):
        if frozen is not None and (told := mentioned(frozen, objects)) is not None:
            found |= {name.partition(".")[0] for name in told.modules}
    if spec.ambient is not None:
        found |= {one.name for one in spec.ambient.names} & _AROUND
    found |= {name.partition(".")[0] for name in spec.imports}
    kept = {module["name"].partition(".")[0] for module in spec.modules}
    return found - kept - _OURS - set(sys.stdlib_module_names) - set(sys.builtin_module_names)


@lru_cache(maxsize=4096)
def _imported(where: str, text: str) -> frozenset[str]:
    tree = tree_of(where, text)
    return frozenset(_imports(tree) if tree is not None else ())


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported for certain: not inside functions, nor where the code goes on without."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Try | ast.If):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
        else:
            yield from _imports(node)


def is_here(module: str) -> bool:
    """Whether this Python can import a top-level module."""
    if module in sys.modules:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def environment_then(folder: RunFolder, spec: RunSpec) -> dict[str, Any]:
    """Return what was found out about the machine and the Python of a run; a trial's are its sweep's."""
    told = read_json(folder.environment)
    if not told and spec.trial_of is not None:
        told = read_json(RunFolder(folder.path.parent / spec.trial_of).environment)
    return told or {}


def packages_then(folder: RunFolder, spec: RunSpec) -> dict[str, str]:
    """Return the packages with their versions that were installed where a run was."""
    told = environment_then(folder, spec).get("packages")
    return {str(name): str(version) for name, version in told.items()} if isinstance(told, dict) else {}


def package_of(module: str, folder: RunFolder, spec: RunSpec) -> tuple[str, str | None]:
    """Return the package that a module is most likely part of, with its version where a run was, if that is known."""
    told = environment_then(folder, spec).get("provided")
    given = told.get(module) if isinstance(told, dict) else None
    known = packages_then(folder, spec)
    by = [str(name) for name in given] if isinstance(given, list) else []
    for name in (*by, _CALLED_OTHERWISE.get(module, ""), module.lower().replace("_", "-"), module.lower()):
        if name in known:
            return name, known[name]
    return _CALLED_OTHERWISE.get(module, module), None


def used_then(folder: RunFolder) -> dict[str, str]:
    """Return the packages that a run's code imported from, with their versions then."""
    told = read_libraries(folder).get("modules")
    return dict(told) if isinstance(told, dict) else {}


def packages_needed(store: RunStore, folder: RunFolder, spec: RunSpec) -> dict[str, str]:
    """Return the packages that a run is seen to need, with their versions then, as far as these are known."""
    told = (package_of(module, folder, spec) for module in sorted(modules_needed(spec, store.objects)))
    return {package: version for package, version in told if version}


def own_interpreter(folder: RunFolder) -> str | None:
    """Return the Python that executed a run if it is another one than this, is still there and knows mlwidgets.

    Nothing that an archive names is executed.
    """
    told = interpreter_of(folder)
    if told is None or Path(told).parent.resolve() == Path(sys.executable).parent.resolve():
        return None
    try:
        command = [told, "-c", "import mlwidgets"]
        done = subprocess.run(command, cwd="/", capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told if done.returncode == 0 else None
