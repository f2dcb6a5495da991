"""What came of a run that was done again: whether it is the same to the bit, and if not, since when and why."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Hashable, Iterator
from functools import lru_cache
from importlib import import_module

from mlwidgets.errors import UnknownRun
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder, write_once
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.state import settle
from mlwidgets.runs.verdict import Verdict, read_verdict

__all__ = ["Verdict", "await_verdict", "first_of", "verdict_of"]

_RUNS = "mlwidgets.reruns.outcome", "compare_run"
_SWEEPS = "mlwidgets.reruns.sweeps", "verdict_of_sweep"
_REPORTS = "mlwidgets.reruns.reports", "verdict_of_report"
_PATIENCE = 60.0
"""Seconds that a supervisor has to gather what there is to know of a run that has ended."""


def verdict_of(folder: RunFolder) -> Verdict | None:
    """Return what came of a rerun; None while it or the run that it does again goes on, and for a run that is none.

    Whoever asks first after the end compares, and leaves ``verdict.json`` in the run's folder. Nothing is unpickled.

    Raises
    ------
    UnknownRun
        If the run's folder is gone or damaged.
    """
    kept = read_verdict(folder)
    if kept is not None:
        return kept
    try:
        spec = folder.read_spec()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnknownRun(f"the run folder {folder.path} is gone or damaged: {error}") from error
    if spec.rerun_of is None or not settle(folder).ended:
        return None
    first = first_of(folder, spec)
    if first is None:
        # It may be restored.
        return Verdict(spec.rerun_of, None, "original gone", f"{spec.rerun_of}, which it does again, is gone")
    if not settle(first).ended:
        return None
    by = _SWEEPS if spec.sweep is not None else _REPORTS if spec.report is not None else _RUNS
    try:
        verdict = _compare(folder, by, (*_stamps(first), *_stamps(folder)))
    except UnknownRun:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = f"it cannot be compared with {spec.rerun_of}: {type(error).__name__}: {error}"
        return Verdict(spec.rerun_of, None, "not comparable", why)
    # What is known of the machine may still be coming.
    if holder(folder.alive, "supervisor") in {None, os.getpid()}:
        with contextlib.suppress(OSError):
            write_once(folder.verdict, json.dumps(verdict.to_json(), allow_nan=False).encode())
    return read_verdict(folder) or verdict


def first_of(folder: RunFolder, spec: RunSpec) -> RunFolder | None:
    """Return the run that a rerun does again, None where it is gone."""
    told = spec.rerun_of
    # An archive may name any path, and the run itself.
    if told is None or os.path.basename(told) != told or told.startswith(".") or told in {folder.id, ""}:
        return None
    first = RunFolder(folder.path.parent / told)
    return first if first.spec.exists() else None


def await_verdict(folder: RunFolder, patience: float = _PATIENCE) -> Verdict | None:
    """Return the verdict on a rerun that has ended, when all is known that belongs to it.

    Parameters
    ----------
    patience
        Seconds after which it is returned as far as it is known.
    """
    deadline = time.monotonic() + patience
    while holder(folder.alive, "supervisor") is not None and time.monotonic() < deadline:
        if read_verdict(folder) is not None:
            break
        time.sleep(0.05)
    return verdict_of(folder)


def _stamps(folder: RunFolder) -> Iterator[tuple[int, int] | None]:
    """Yield what is other once a file was written that a verdict is made of."""
    for path in (folder.events, folder.metrics, folder.media, folder.outcome, folder.environment):
        try:
            status = path.stat()
        except OSError:
            yield None
        else:
            yield status.st_mtime_ns, status.st_size


@lru_cache(maxsize=32)
def _compare(folder: RunFolder, by: tuple[str, str], _stamps: Hashable) -> Verdict:
    """Compare; views ask each second while the supervisor still gathers what it will keep the verdict with."""
    found: Verdict = getattr(import_module(by[0]), by[1])(folder)
    # What comes from archives is shown as plain text, also where it cannot be kept.
    return Verdict.from_json(found.to_json())
