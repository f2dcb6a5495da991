"""One run folder, file by file: what is damaged, and what can be put right without losing any of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.housekeeping.checkpoints import check_checkpoints
from mlwidgets.housekeeping.finding import Finding
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.journal import RECORD_SIZE, metric_key, parse_line, read_lines, read_records
from mlwidgets.runs.spec import FORMAT, Frozen
from mlwidgets.runs.state import read_outcome, settle

if TYPE_CHECKING:
    from mlwidgets.runs.spec import RunSpec

_OBJECTS_OF_JSON = ("annotations.json", "environment.json", "executed.json", "snapshot.json", "imported.json")
_LINES = ("events.jsonl", "displays.jsonl", "media.jsonl")
_TEMPORARY = re.compile(r"\.[A-Za-z0-9_.-]+\.[0-9a-f]{8}")
_BEING_WRITTEN = 3600.0
"""Seconds after which a file that somebody has begun to write is one of the dead."""
Seen = Callable[[str], str | None]
"""Says what is wrong with the object of that digest, None for nothing."""


def check_run(folder: RunFolder, seen: Seen, *, repair: bool, deep: bool = False) -> Iterator[Finding]:
    """Yield what is wrong with a run folder.

    Parameters
    ----------
    seen
        Looks at an object.
    repair
        Put right what can be; what is taken out of a file lies beside it as ``*.damaged`` then.
    deep
        Read the states of checkpoints, too.
    """
    try:
        spec = folder.read_spec()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        missing = not folder.spec.exists() and "spec.json is missing"
        yield _of(folder, "spec.json", missing or f"cannot be read: {type(error).__name__}: {error}"[:200])
        return
    if not isinstance(spec.format, int) or spec.format > FORMAT:
        yield _of(folder, "spec.json", f"was written by a newer mlwidgets (format {spec.format}); upgrade mlwidgets")
        return
    if spec.id != folder.id:
        yield _of(folder, "spec.json", f"is that of the run {spec.id}")
    yield from _check_outcome(folder, repair=repair)
    ended = read_outcome(folder).ended
    for name in _LINES if ended else ():
        yield from _check_lines(folder, name, repair=repair)
    for path, kind in ((folder.metrics, "metric"), (folder.system, "system")):
        yield from _check_records(folder, path, kind, ended=ended, repair=repair)
    yield from _check_json(folder, repair=repair)
    yield from _check_objects(folder, spec, seen)
    yield from check_checkpoints(folder, ended=ended, repair=repair, deep=deep)
    if ended:
        yield from _check_temporary(folder, repair=repair)


def _of(folder: RunFolder, name: str, what: str, done: str | None = None) -> Finding:
    return Finding(f"runs/{folder.id}/{name}", what, done)


def _aside(path: Path, data: bytes) -> str:
    """Keep what is taken out of a file, once; return where."""
    kept = path.with_name(f"{path.name}.damaged")
    before = kept.read_bytes() if kept.exists() else b""
    # Whoever was killed between this and the cut finds it kept already.
    if not before.endswith(data):
        write_whole(kept, before + data)
    return f"moved to {kept.name}"


def _check_outcome(folder: RunFolder, *, repair: bool) -> Iterator[Finding]:
    if os.path.lexists(folder.outcome):
        data = read_json(folder.outcome)
        outcome = read_outcome(folder)
        if data is not None and outcome.state == data.get("state"):
            return
        what, done = "does not say how the run ended", None
        if repair:
            with contextlib.suppress(OSError):
                os.replace(folder.outcome, _free(folder.path / "outcome.json.damaged"))
                done = f"moved to outcome.json.damaged; the run is {settle(folder).state}"
        yield _of(folder, "outcome.json", what, done)
    elif (outcome := read_outcome(folder)).ended:
        done = f"written down: {settle(folder).state}" if repair else None
        yield _of(folder, "outcome.json", f"is missing: {outcome.cause}", done if folder.outcome.exists() else None)


def _free(path: Path) -> Path:
    """Return a name that no file has: none is ever overwritten."""
    number = 0
    while os.path.lexists(found := path if not number else path.with_name(f"{path.name}.{number}")):
        number += 1
    return found


def _check_lines(folder: RunFolder, name: str, *, repair: bool) -> Iterator[Finding]:
    path = folder.path / name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        yield _of(folder, name, f"cannot be read: {error.strerror or error}")
        return
    lines = data.split(b"\n")
    torn = [line for line in lines if line and parse_line(line) is None]
    if not torn:
        return
    done = None
    if repair:
        with contextlib.suppress(OSError):
            done = _aside(path, b"\n".join([*torn, b""]))
            write_whole(path, b"".join(line + b"\n" for line in lines if line and parse_line(line) is not None))
    yield _of(folder, name, f"{len(torn)} torn or damaged line{'' if len(torn) == 1 else 's'}", done)


def _check_records(folder: RunFolder, path: Path, kind: str, *, ended: bool, repair: bool) -> Iterator[Finding]:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return
    torn = size % RECORD_SIZE
    if torn and ended:
        done = None
        if repair:
            with contextlib.suppress(OSError), open(path, "r+b") as file:
                file.seek(size - torn)
                done = _aside(path, file.read())
                file.truncate(size - torn)
        yield _of(folder, path.name, f"{torn} bytes of a torn record at the end", done)
    if size < RECORD_SIZE:
        return
    import numpy as np

    records = read_records(path)
    names = {metric_key(e["name"]) for e in read_lines(folder.events, kind) if isinstance(e.get("name"), str)}
    known = np.fromiter(names, np.uint64, len(names))
    lost = int(np.count_nonzero(~np.isin(records["metric"], known)))
    if lost and ended:
        yield _of(
            folder, path.name, f"{lost:,} of {len(records):,} records are of metrics that events.jsonl does not name"
        )
    bad = int(np.count_nonzero(~np.isfinite(records["time"])))
    if bad:
        yield _of(folder, path.name, f"{bad:,} of {len(records):,} records have no time")


def _check_json(folder: RunFolder, *, repair: bool) -> Iterator[Finding]:
    for name in _OBJECTS_OF_JSON:
        path = folder.path / name
        try:
            # What was executed is a list.
            json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError) as error:
            done = None
            # Without that file a run that came from elsewhere would be one of this store.
            if repair and name != "imported.json" and isinstance(error, ValueError):
                with contextlib.suppress(OSError):
                    os.replace(path, _free(folder.path / f"{name}.damaged"))
                    done = f"moved to {name}.damaged"
            yield _of(folder, name, "cannot be read", done)


def _check_objects(folder: RunFolder, spec: RunSpec, seen: Seen) -> Iterator[Finding]:
    needed: dict[str, str] = {}
    for what, frozen in (("an input", spec.inputs), ("a setting", spec.ambient)):
        needed |= dict.fromkeys(_digests(frozen), what)
    for module in spec.modules:
        if isinstance(module.get("digest"), str):
            needed[module["digest"]] = f"the module {module.get('name')}"
    for told, key, what in ((spec.report, "notebook", "the notebook"), (spec.sweep, "modules", "the list of modules")):
        digest = told.get(key) if told else None
        if isinstance(digest, str):
            needed[os.path.basename(digest)] = what
    for digest, what in needed.items():
        wrong = seen(digest)
        if wrong:
            yield _of(folder, "spec.json", f"{what} {wrong}: objects/{digest}")
    if not folder.manifest.exists():
        return
    manifest: Any = read_json(folder.manifest)
    try:
        frozen = Frozen.from_json(manifest["frozen"])
        digests = [digest for digest in _digests(frozen) if isinstance(digest, str)]
    except (KeyError, TypeError, ValueError, AttributeError):
        yield _of(folder, "result/manifest.json", "cannot be read: the result is lost")
        return
    for digest in dict.fromkeys(digests):
        wrong = seen(digest)
        if wrong:
            yield _of(folder, "result/manifest.json", f"a result {wrong}: objects/{digest}")


def _digests(frozen: Frozen | None) -> tuple[str, ...]:
    return () if frozen is None else (frozen.stream, *frozen.buffers)


def _check_temporary(folder: RunFolder, *, repair: bool) -> Iterator[Finding]:
    for path in sorted(folder.path.glob(".*")):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            if time.time() - path.stat().st_mtime < _BEING_WRITTEN:
                continue
            done = None
            if repair:
                with contextlib.suppress(OSError):
                    path.unlink()
                    done = "removed"
            yield _of(folder, path.name, "was begun by a process that was killed", done)
