"""What keeps a run from being done again, and what is other than it was then: found before anything starts."""

from __future__ import annotations

import difflib
import os
import platform
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from mlwidgets.capture import hardware
from mlwidgets.capture.data import check_data
from mlwidgets.capture.installed import installed
from mlwidgets.capture.names import read_names
from mlwidgets.errors import CannotRerun, CaptureError, MlwidgetsError, ParameterError
from mlwidgets.reruns import needs
from mlwidgets.reruns.repeating import (
    Changes,
    changeable,
    check_changes,
    digests_of,
    folder_of,
    literal,
    read_again,
    searched_in,
)
from mlwidgets.runs.checkpoints import read_checkpoints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.foreign import check_trusted
from mlwidgets.runs.objects import ObjectStore, content_digest
from mlwidgets.runs.spec import RunSpec, parse_literal
from mlwidgets.runs.state import FINISHED, settle
from mlwidgets.runs.store import RunStore

VERIFIED = 256 << 20
"""Bytes of objects whose contents are looked at: what is damaged would make another run of it."""
MOST = 12
"""Packages that are named one by one."""
_OPTIONS = ("gpus", "cpus", "timeout", "priority")
"""What may be taken for a parameter."""


@dataclass(frozen=True)
class Preflight:
    """What was found before a run is done again, in sentences.

    Attributes
    ----------
    impossible
        What nobody can go past: a damaged folder, a missing object, a maker who is not trusted, a parameter that is
        none.
    problems
        What makes it another run than it was, or fail: data, packages, Python. Whoever knows better goes on.
    differences
        What is other than it was then and may change the bits: versions, processor, GPU.
    """

    impossible: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it fit for JSON: ``problems`` are all of them, ``forcible`` says whether one can go on."""
        return {
            "problems": [*self.impossible, *self.problems],
            "forcible": not self.impossible,
            "differences": self.differences,
        }

    def raise_for_problems(self, name: str, *, force: bool = False, goes_on: bool = False) -> None:
        """Raise CannotRerun if there are problems; with `force` only if nobody can go past them."""
        if self.impossible or (self.problems and not force):
            problems = [*self.impossible, *self.problems]
            raise CannotRerun(name, problems, forcible=not self.impossible, goes_on=goes_on)


def check(store: RunStore, folder: RunFolder, changes: Changes | None = None, *, goes_on: bool = False) -> Preflight:
    """Look whether a run can be done again with some changes, here and now. Nothing is unpickled or started.

    Parameters
    ----------
    goes_on
        It is to go on from its last checkpoint, and not to begin anew.
    """
    changes = changes or Changes()
    found = Preflight()
    try:
        spec = read_again(folder)
        check_trusted(folder)
    except MlwidgetsError as error:
        found.impossible.append(str(error))
        return found
    found.impossible.extend(_objects(store, spec))
    try:
        check_changes(spec, changes)
    except ParameterError as error:
        found.impossible.append(str(error))
    if spec.report is not None:
        found.impossible.extend(import_module("mlwidgets.reruns.reports").refused(store, spec, changes))
    if spec.sweep is not None:
        found.impossible.extend(import_module("mlwidgets.reruns.sweeps").refused(spec, changes))
    searched = searched_in(spec)
    for name, text in changes.params.items() if spec.report is None else ():
        if name in searched:
            continue
        refused = list(_parameter(spec, name, text, _OPTIONS if goes_on else (*_OPTIONS, "seed")))
        found.impossible.extend(refused)
        # What cannot be given at all is of the wrong type, too: one mistake is told once.
        found.problems.extend(() if refused else _kind(spec, name, literal(text)))
    where = folder_of(store, spec)
    if spec.provenance is not None and spec.provenance.cwd != where and spec.report is None:
        found.differences.append(f"its folder {spec.provenance.cwd} is not there: it runs in {where}")
    found.differences.extend(_nothing_left(folder, spec, changes) if goes_on else begins_anew(spec))
    try:
        found.problems.extend(check_data(folder, Path(where)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        found.problems.append(f"nobody knows whether its data are the same: {error}")
    if spec.report is None:
        found.problems.extend(_python(store, folder, spec))
        found.differences.extend(_versions(store, folder, spec))
    found.differences.extend(_hardware(folder, spec, changes.resources(spec.resources).gpus))
    return found


def begins_anew(spec: RunSpec) -> list[str]:
    """Return what is said of a run that went on from a checkpoint when it is done again."""
    if spec.resumes is None:
        return []
    return [f"it went on from a checkpoint of {spec.resumes}: now it begins at the first step"]


def _nothing_left(folder: RunFolder, spec: RunSpec, changes: Changes) -> Iterator[str]:
    """Say of a run that goes on though it had finished that it may do nothing, unless some number is larger now."""
    if settle(folder).state != FINISHED:
        return
    known = changeable(spec)
    if not any(_whole(literal(text)) > _whole(known.get(name, "")) for name, text in changes.params.items()):
        where = read_checkpoints(folder.checkpoints)[-1].where
        yield f"it has finished: after {where} its code may find nothing left to do, unless it is given more epochs"


def _whole(text: str) -> float:
    """Return the whole number that a literal is, and what is less than none for any other."""
    try:
        value = parse_literal(text)
    except ValueError:
        return float("-inf")
    return value if isinstance(value, int) and not isinstance(value, bool) else float("-inf")


def _objects(store: RunStore, spec: RunSpec) -> Iterator[str]:
    """Name what is missing or damaged of what the run is made of."""
    kinds = {digest: f"the module {module['name']}" for module in spec.modules for digest in [module["digest"]]}
    if spec.inputs is not None:
        names = ", ".join(one.name for one in spec.inputs.names)
        kinds |= dict.fromkeys((spec.inputs.stream, *spec.inputs.buffers), f"the frozen variables ({names})")
    if spec.ambient is not None:
        what = "the settings and random states"
        kinds = dict.fromkeys((spec.ambient.stream, *spec.ambient.buffers), what) | kinds
    said: set[str] = set()
    left = VERIFIED
    for digest in dict.fromkeys(digests_of(spec)):
        what = kinds.get(digest, "the notebook")
        state, size = _state_of(store.objects, digest, left)
        left -= size
        if state and what not in said:
            said.add(what)
            yield f"{what}: {state} in the store (object {digest[:12]}); mlwidgets fsck tells what else is"


def _state_of(objects: ObjectStore, digest: str, most: int) -> tuple[str | None, int]:
    """Return what is wrong with an object, and how many bytes of it were read; large ones are only looked for."""
    try:
        size = (objects.path / digest).stat().st_size
        if size > most:
            return None, 0
        return (None if content_digest(memoryview(objects.read(digest))) == digest else "damaged"), size
    except FileNotFoundError:
        return "gone", 0
    except OSError as error:
        return f"unreadable: {error.strerror or error}", 0


def _parameter(spec: RunSpec, name: str, text: str, options: Collection[str]) -> Iterator[str]:
    """Say why a parameter cannot be changed."""
    known = changeable(spec)
    if name not in known:
        frozen = {one.name: one.type for one in spec.inputs.names} if spec.inputs else {}
        if name in frozen:
            yield f"{name} is no parameter but a variable of type {frozen[name]}, which no literal can stand for"
            return
        if name in options:
            option = f"the option is --{name} {text}, in Python {name}={text}"
            yield f"it has no parameter {name!r} that can be changed; {option}"
            return
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        have = f"it has {', '.join(known)}" if known else "it has none"
        guess = f"; did you mean {close[0]}?" if close else ""
        yield f"it has no parameter {name!r} that can be changed: {have}{guess}"
        return
    try:
        names = read_names(spec.code)
    except CaptureError:
        return
    if name in names.assigned_first:
        line = names.assigned_first[name] + (0 if spec.heading is None else 1)
        yield f"parameter {name!r} would have no effect: the code assigns it itself in line {line} before it reads it"


def _kind(spec: RunSpec, name: str, text: str) -> Iterator[str]:
    """Say that a parameter's new value is of another kind than the one that it had."""
    before = changeable(spec).get(name, "")
    frozen = {one.name: one.type for one in spec.inputs.names} if spec.inputs else {}
    try:
        new = type(parse_literal(text)).__name__
        old = frozen[name] if name in frozen else type(parse_literal(before)).__name__
    except ValueError:
        return
    if old == new or "NoneType" in {old, new} or (old, new) == ("float", "int"):
        return
    was = f"{before} ({old})" if before else f"a {old}"
    yield f"{name} was {was}, and {text} is of another type ({new})"


def _python(store: RunStore, folder: RunFolder, spec: RunSpec) -> Iterator[str]:
    """Say what of the Python that executed the run is not here, and where it still is."""
    told = spec.provenance.python if spec.provenance is not None else ""
    other = bool(told) and tuple(told.split(".")[:2]) != tuple(platform.python_version_tuple()[:2])
    if other:
        yield (
            f"it ran in Python {told}, and this is {platform.python_version()}: frozen functions are byte code, which "
            "another minor version cannot execute"
        )
    gone = sorted(name for name in needs.modules_needed(spec, store.objects) if not needs.is_here(name))
    for module in gone:
        package, version = needs.package_of(module, folder, spec)
        words, exact = (f"{package} {version}", f"{package}=={version}") if version else (package, package)
        yield f"it needs {words}, which is not installed here: pip install {exact}"
    if (other or gone) and (own := needs.own_interpreter(folder)) is not None:
        yield f"its own Python is still there: {own} -m mlwidgets --store '{store.path}' rerun {folder.id}"


def _versions(store: RunStore, folder: RunFolder, spec: RunSpec) -> Iterator[str]:
    """Say which versions are others now, of what the code used, or of what it is seen to need where nobody knows."""
    told, now = spec.provenance.python if spec.provenance is not None else "", platform.python_version()
    if told and told != now and told.split(".")[:2] == now.split(".")[:2]:
        yield f"Python: {told} then, {now} now"
    here, _ = installed()
    used = needs.used_then(folder) or needs.packages_needed(store, folder, spec)
    others = [
        f"{package}: {version} then, {here.get(package, 'not installed')} now"
        for package, version in used.items()
        if here.get(package) != version
    ]
    yield from others[:MOST]
    if len(others) > MOST:
        yield f"and {len(others) - MOST} more packages are of other versions"


def _hardware(folder: RunFolder, spec: RunSpec, gpus: float) -> Iterator[str]:
    """Say what this machine has that the other had not."""
    told = needs.environment_then(folder, spec)
    then = told.get("cpu")
    if isinstance(then, str) and then != (now := hardware.cpu_model()):
        yield f"processor: {then} then, {now} now"
    cores = told.get("cpus")
    if isinstance(cores, int) and cores != os.cpu_count():
        yield f"processor cores: {cores} then, {os.cpu_count()} now, which libraries take as many threads for"
    if not told or not (gpus or spec.resources.gpus):
        return
    devices = [one for one in told.get("gpus") or () if isinstance(one, dict)]
    for what, key in (("GPUs", "name"), ("GPU driver", "driver_version")):
        sides = [", ".join(dict.fromkeys(str(one.get(key)) for one in of)) for of in (devices, hardware.gpus())]
        if sides[0] != sides[1]:
            yield f"{what}: {sides[0] or 'none'} then, {sides[1] or 'none'} now"
