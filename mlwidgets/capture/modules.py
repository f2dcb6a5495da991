"""Modules that lie beside the notebook, as they were at submit: kept by content, served by an import hook."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from mlwidgets.runs.objects import ObjectStore

_OWN = frozenset({"mlwidgets", "mlwidgets_magics"})
_MOST = 2000
_INSTALLED_ANYWHERE = ("/site-packages/", "/dist-packages/")
"""Wherever they lie: PYTHONPATH and .pth files add those of other environments."""

Put = Callable[[bytes | memoryview], str]


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    """Folders whose modules come with the environment."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = {sysconfig.get_path(n) for n in names} | {site.getusersitepackages(), *site.getsitepackages()}
    folders |= {os.path.dirname(os.__file__)}
    return tuple(os.path.realpath(f) + os.sep for f in folders if f)


@lru_cache(maxsize=16384)
def is_local(path: str | None) -> bool:
    """Whether a module's file comes from neither the standard library nor site-packages."""
    if not path or not path.endswith(".py") or any(folder in path for folder in _INSTALLED_ANYWHERE):
        return False
    # Resolving links is slow and hardly ever needed: thousands of modules are asked about at each submit.
    return not path.startswith(_installed()) and not os.path.realpath(path).startswith(_installed())


def local_modules(imports: Iterable[str], put: Put) -> tuple[dict[str, Any], ...]:
    """Store the local modules that code may import.

    Those are the ones that this process has imported from outside the standard library and site-packages, and those
    that `imports` (with dots) and they in turn lead to.

    Returns
    -------
    tuple of dict
        ``name``, ``path``, ``package`` and ``digest`` of each, for `serve`.
    """
    found: dict[str, tuple[str, bool]] = {}
    for name, module in sys.modules.copy().items():
        path = getattr(module, "__file__", None)
        if is_local(path) and name.partition(".")[0] not in _OWN and name != "__main__":
            found[name] = (str(path), hasattr(module, "__path__"))
    sources: dict[str, bytes] = {}
    queue = [n.split(".")[0] for n in imports]
    seen: set[str] = set()
    for name, (path, package) in list(found.items()):
        queue.extend(_imports(_read(path, sources)))
        if package and "." not in name:
            queue.append(name)  # what has not been imported of it yet may still be
    while queue and len(found) < _MOST:
        top = queue.pop()
        imported = top in sys.modules and not found.get(top, ("", False))[1]
        if top in seen or imported or top in sys.stdlib_module_names or top in _OWN:
            continue
        seen.add(top)
        for name, path, package in _find(top):
            if found.setdefault(name, (path, package)) == (path, package):
                queue.extend(_imports(_read(path, sources)))
    return tuple(
        {"name": name, "path": path, "package": package, "digest": put(source)}
        for name, (path, package) in sorted(found.items())
        if (source := _read(path, sources)) is not None
    )


def submodules(attributes: Iterable[str], namespace: dict[str, Any]) -> tuple[str, ...]:
    """Return the imported submodules that chains of names lead to: ``sklearn.svm`` is no part of ``import sklearn``."""
    found: dict[str, None] = {}
    for chain in sorted(attributes):
        first, *rest = chain.split(".")
        module = namespace.get(first)
        for part in rest:
            if not isinstance(module, ModuleType):
                break
            name = f"{module.__name__}.{part}"
            module = sys.modules.get(name)
            if module is not None:
                found[name] = None
    return tuple(found)


def _read(path: str, sources: dict[str, bytes]) -> bytes | None:
    if path not in sources:
        try:
            sources[path] = Path(path).read_bytes()
        except OSError:
            return None
    return sources[path]


@lru_cache(maxsize=4096)
def _imports(source: bytes | None) -> tuple[str, ...]:
    """Return the top-level names that a module's source imports."""
    try:
        tree = ast.parse(source or b"")
    except (SyntaxError, ValueError):
        return ()
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.extend(a.name.split(".")[0] for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module.split(".")[0])
    return tuple(dict.fromkeys(names))


def _find(top: str) -> Iterator[tuple[str, str, bool]]:
    """Yield a local module that is not imported yet; of a package, everything in it."""
    try:
        spec = importlib.machinery.PathFinder.find_spec(top, sys.path)
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    if spec.origin and spec.origin.endswith(".py") and not is_local(spec.origin):
        return
    if not spec.submodule_search_locations:
        if is_local(spec.origin):
            yield top, os.path.abspath(str(spec.origin)), False
        return
    for folder in spec.submodule_search_locations:
        if not is_local(os.path.join(folder, "_.py")):
            continue
        for number, path in enumerate(sorted(Path(folder).rglob("*.py"))):
            parts = path.relative_to(folder).with_suffix("").parts
            package = parts[-1] == "__init__"
            parts = parts[:-1] if package else parts
            if number < _MOST and all(p.isidentifier() for p in parts):
                yield ".".join((top, *parts)), os.path.abspath(path), package


class _KeptLoader(importlib.machinery.SourceFileLoader):
    """Loads one module's kept source under its own path; files beside it are read where they are."""

    def __init__(self, name: str, path: str, source: bytes) -> None:
        super().__init__(name, path)
        self._source = source

    def get_data(self, path: str | bytes) -> bytes:
        return self._source if os.fsdecode(path) == self.path else super().get_data(os.fsdecode(path))

    def path_stats(self, path: str | bytes) -> Any:
        raise OSError("the bytecode beside the file is that of another version")


class KeptModules(importlib.abc.MetaPathFinder):
    """Import hook: kept modules come from the store, whatever has become of their files since."""

    def __init__(self, modules: Iterable[dict[str, Any]], objects: ObjectStore) -> None:
        self._modules = {m["name"]: m for m in modules}
        self._objects = objects

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for a kept module, None for any other."""
        kept = self._modules.get(fullname)
        if kept is None:
            return None
        loader = _KeptLoader(fullname, kept["path"], self._objects.read(kept["digest"]))
        folders = [os.path.dirname(kept["path"])] if kept["package"] else None
        return importlib.util.spec_from_file_location(
            fullname, kept["path"], loader=loader, submodule_search_locations=folders
        )


def serve(modules: Iterable[dict[str, Any]], objects: ObjectStore) -> None:
    """Let this process import kept modules."""
    sys.meta_path.insert(0, KeptModules(modules, objects))
