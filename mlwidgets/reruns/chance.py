"""What in a run's code may give other values each time, found in its text."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mlwidgets.reruns.needs import sources, tree_of
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.foreign import read_origin
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import RunSpec

_UNSEEDED = {
    "default_rng": "default_rng() draws another seed each time: give it one, as default_rng(0)",
    "RandomState": "RandomState() draws another seed each time: give it one, as RandomState(0)",
    "Random": "random.Random() draws another seed each time: give it one, as random.Random(0)",
    "SeedSequence": "SeedSequence() draws another seed each time: give it one",
    "PCG64": "PCG64() draws another seed each time: give it one",
}
"""Generators that ask the system for a seed unless they are given one."""
_SYSTEM = {
    ("os", "urandom"): "os.urandom() asks the system for chance, which no seed repeats",
    ("os", "getrandom"): "os.getrandom() asks the system for chance, which no seed repeats",
    ("uuid", "uuid1"): "uuid.uuid1() is another one each time",
    ("uuid", "uuid4"): "uuid.uuid4() asks the system for chance, which no seed repeats",
    ("torch", "seed"): "torch.seed() draws another seed each time: torch.manual_seed(0) gives one",
    ("os", "getpid"): "os.getpid() is another one each time",
}
_CLOCK = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
_FOLDERS = {("os", "listdir"), ("os", "scandir"), ("glob", "glob"), ("glob", "iglob")}
_FOLDER_METHODS = {"iterdir", "rglob"}
_ENVIRONMENT = "reads {}, of which nothing is kept: make it a parameter"
_LONGEST_PATH = 300


def hints(folder: RunFolder, spec: RunSpec) -> list[str]:
    """Return in sentences what in the texts of a run may give other values each time, the likeliest first."""
    objects = ObjectStore(folder.store / "objects")
    sure: list[str] = []
    maybe: list[str] = []
    for where, text in sources(spec, objects):
        tree = tree_of(where, text)
        if tree is None:
            continue
        below = 1 if where == "the code" and spec.heading is not None else 0
        for line, sentence, likely in _found(tree):
            place = f"{where}, line {line + below}: {sentence}" if where != "the notebook" else f"{where}: {sentence}"
            (sure if likely else maybe).append(place)
    return list(dict.fromkeys((*sure, *maybe)))


def _found(tree: ast.AST) -> Iterator[tuple[int, str, bool]]:
    """Yield line, sentence, and whether it is likely to be the reason."""
    ordered = {
        id(argument)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"sorted", "set", "len"}
        for argument in call.args
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "SystemRandom":
            yield node.lineno, "SystemRandom asks the system for chance, which no seed repeats", True
        if isinstance(node, ast.Attribute | ast.Name) and _chain(node)[:1] == ["secrets"] and len(_chain(node)) > 1:
            yield node.lineno, f"{'.'.join(_chain(node))} asks the system for chance, which no seed repeats", True
        yield from _not_kept(node)
        if not isinstance(node, ast.Call):
            continue
        chain = _chain(node.func)
        last = tuple(chain[-2:])
        if chain and chain[-1] in _UNSEEDED and _without_seed(node):
            yield node.lineno, _UNSEEDED[chain[-1]], True
        elif chain[-1:] == ["seed"] and "random" in chain[:-1] and _without_seed(node):
            yield node.lineno, f"{'.'.join(chain)}() seeds from the system: give it a number", True
        elif last in _SYSTEM:
            yield node.lineno, _SYSTEM[last], True
        elif (last in _FOLDERS or (chain[-1:] and chain[-1] in _FOLDER_METHODS)) and id(node) not in ordered:
            yield node.lineno, f"{'.'.join(chain)}() has no certain order: put sorted() around it", False
        elif last in _CLOCK:
            yield node.lineno, f"{'.'.join(chain)}() reads the clock", False


def _not_kept(node: ast.AST) -> Iterator[tuple[int, str, bool]]:
    """Yield what code takes from around it that no run keeps."""
    if isinstance(node, ast.Subscript) and _chain(node.value)[-1:] == ["environ"]:
        yield node.lineno, _ENVIRONMENT.format(_variable(node.slice)), False
    if not isinstance(node, ast.Call):
        return
    chain = _chain(node.func)
    if node.args and (chain[-1:] == ["getenv"] or chain[-2:] == ["environ", "get"]):
        yield node.lineno, _ENVIRONMENT.format(_variable(node.args[0])), False
    elif chain[-1:] in (["import_module"], ["__import__"]):
        yield node.lineno, f"{chain[-1]}() brings a module as it is now: an import statement has it kept", False


def _variable(node: ast.expr) -> str:
    told = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isprintable()
    return f"the environment variable {node.value}" if told else "an environment variable"  # type: ignore[attr-defined]


def _without_seed(call: ast.Call) -> bool:
    """Whether a generator is given nothing, or None."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return not given or all(isinstance(one, ast.Constant) and one.value is None for one in given)


def _chain(node: ast.expr) -> list[str]:
    """Return the names of ``np.random.default_rng``, of anything else the last of them."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [*([node.id] if isinstance(node, ast.Name) else []), *reversed(names)]


def touched_files(folder: RunFolder, spec: RunSpec, since: float, before: float) -> list[str]:
    """Return the files that a run's texts name, whose content was not kept, and which were written meanwhile.

    Parameters
    ----------
    since, before
        Unix seconds; what the runs themselves have written is not meant.
    """
    if read_origin(folder) is not None:
        # Its paths are those of another machine.
        return []
    cwd = Path(spec.provenance.cwd) if spec.provenance is not None else folder.store.parent
    named = {one["absolute"] for one in spec.data}
    found: dict[str, None] = {}
    for where, text in sources(spec, ObjectStore(folder.store / "objects")):
        tree = tree_of(where, text)
        for node in ast.walk(tree) if tree is not None else ():
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            path = node.value
            if not 0 < len(path) <= _LONGEST_PATH or "\n" in path:
                continue
            try:
                absolute = os.path.abspath(cwd / os.path.expanduser(path))
                status = os.stat(absolute)
            except (OSError, ValueError):
                continue
            if absolute not in named and stat.S_ISREG(status.st_mode) and since < status.st_mtime < before:
                found[path] = None
    return list(found)
