"""`resume`: puts back what `checkpoint` kept, so that a training that was killed goes on as if it had not been."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlwidgets.errors import ResultNotAvailable
from mlwidgets.runs.checkpoints import JOURNAL, LOOK, Checkpoint, damage_of, numbered, read_checkpoint
from mlwidgets.runs.journal import RECORD_FORMAT, RECORD_SIZE, read_lines, write_event
from mlwidgets.runs.superseded import supersede
from mlwidgets.tracking.active import active_folder, tell_once
from mlwidgets.tracking.checkpoints import made_of_others, name_objects
from mlwidgets.tracking.log import open_log
from mlwidgets.tracking.media import active_media
from mlwidgets.tracking.states import put_back, rank, set_random_states, states_of


def resume(*objects: Any, **named: Any) -> int:
    """Put back what the run's last `checkpoint` kept, and return where to go on: ``start = resume(model, optimizer)``.

    Call it right before the loop, with the objects that `checkpoint` is given. There is a checkpoint where the run is
    tried again after a failure, and where it goes on from another run (``%runs resume``). The objects are changed in
    place. Random states are put back last; what was logged after the checkpoint is logged again.

    Returns
    -------
    int
        The epoch to begin with, or the step where `checkpoint` was given steps alone; 0 without a checkpoint.

    Raises
    ------
    ValueError
        If the objects are not those of the checkpoint, or this process has made checkpoints of others.
    ResultNotAvailable
        If there are checkpoints, and all are damaged or cannot be read here.
    """
    given = name_objects(objects, sys._getframe(1))
    named = {name: value for name, value in named.items() if value is not None}
    folder = active_folder()
    if folder is None:
        tell_once("resume() does nothing here, outside a tracked run. Put %%train on top of the cell.")
        return 0
    if numbered(folder / "checkpoints") and made_of_others([*given.values(), *named.values()]):
        raise ValueError(
            "resume: this run has just made checkpoints of other objects, and can go on with one training alone: "
            "let each be a run, such as each fold a trial of a sweep, or call checkpoint for one of them only"
        )
    found = _read(folder / "checkpoints")
    if found is None:
        _go_back(folder, None)
        return 0
    last, states = found
    _put_back(states_of(states), given, named)
    _go_back(folder, last)
    log = open_log()
    if log is not None:
        log.go_on(last.steps)
    if last.media:
        with contextlib.suppress(OSError):
            active_media(folder).go_on(last.media)
    print(f"mlwidgets: goes on from checkpoint {last.number}, made after {last.where}", file=sys.stderr)
    if rank() == 0:
        set_random_states(states["random"])
    return last.next


def _read(top: Path) -> tuple[Checkpoint, dict[str, Any]] | None:
    """Return the last checkpoint that is whole and what it holds, None where there is none at all.

    Raises
    ------
    ResultNotAvailable
        If all are damaged or cannot be read here: to begin anew without a word could cost days.
    """
    try:
        os.listdir(top)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultNotAvailable(f"nobody can look for checkpoints in {top}: {error.strerror or error}") from error
    passed: list[str] = []
    unreadable: list[str] = []
    for path in reversed(numbered(top)):
        one = read_checkpoint(path)
        try:
            if one is not None:
                states = one.read()
                for line in passed:
                    tell_once(f"an earlier checkpoint is taken: {line}")
                return one, states
            wrong = damage_of(path)
            if wrong is not None:
                passed.append(f"checkpoint {path} is damaged: {wrong}; {LOOK}")
        except ResultNotAvailable as error:
            if path.exists():
                passed.append(str(error))
                # A class that is not defined yet, say.
                unreadable += [str(error)] if damage_of(path, deep=True) is None else []
    if unreadable:
        raise ResultNotAvailable(f"no checkpoint can be read here: {unreadable[0]}")
    if passed:
        raise ResultNotAvailable(
            f"no checkpoint is whole (mlwidgets fsck --deep --repair puts them aside, and the code begins anew): "
            f"{passed[0]}"
        )
    return None


def _put_back(states: list[tuple[str, str, Any]], given: dict[str, Any], named: Mapping[str, Any]) -> None:
    """Find the state of each object: by its name, or by its place where a variable is called otherwise now."""
    there = {name: (kind, state) for name, kind, state in states}
    have = f"the checkpoint has {', '.join(there) or 'no objects'}"
    if not set(given) <= set(there):
        by_place = [name for name in there if name not in named][: len(given)]
        if len(by_place) < len(given):
            raise ValueError(f"resume: {have}; given are {', '.join([*given, *named])}")
        given = dict(zip(by_place, given.values(), strict=True))
    wanted = {**given, **named}
    for name, mine in wanted.items():
        if name not in there:
            raise ValueError(f"resume: {have}, and no {name}")
        try:
            put_back(name, mine, *there[name])
        except ValueError as error:
            raise ValueError(f"resume: {error}") from error
    left = [name for name in there if name not in wanted]
    if left and wanted:
        tell_once(f"resume() was not given {', '.join(left)}, which the checkpoint has too")


def _go_back(folder: Path, last: Checkpoint | None) -> None:
    """Take out of the journal what is logged again now, once for each attempt, whoever comes first; say so."""
    try:
        (folder / "checkpoints").mkdir(mode=0o700, exist_ok=True)
        fd = os.open(folder / "checkpoints", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        tell_once(f"it was not recorded that the code can go on: {error.strerror or error}")
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        begun, own = 0.0, False
        for event in read_lines(folder / "events.jsonl", "started", "resumed", "checkpoint"):
            own = event["event"] != "started"
            begun = begun if own else event["time"]
        # Who has gone on or made a checkpoint of its own has logged what is to stay.
        for name in () if own else JOURNAL:
            try:
                if last is not None:
                    supersede(folder / name, last.journal.get(name, 0))
                elif _last_time(folder / name) < begun:
                    supersede(folder / name, 0)
            except OSError as error:
                tell_once(f"what is logged again now is there twice: {error.strerror or error}. The code goes on.")
        told = {"number": None} if last is None else {"number": last.number, "epoch": last.epoch, "step": last.step}
        with contextlib.suppress(OSError):
            write_event(folder / "events.jsonl", "resumed", **told)
    finally:
        os.close(fd)


def _last_time(path: Path) -> float:
    """Return when something was last written into a file of the journal, in Unix seconds; 0 where nothing was."""
    if path.suffix != ".bin":
        return max((line["time"] for line in read_lines(path)), default=0.0)
    try:
        data = path.read_bytes()[-RECORD_SIZE:]
        return float(struct.unpack(RECORD_FORMAT, data)[2])
    except (OSError, struct.error):
        return 0.0
