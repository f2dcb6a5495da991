"""`checkpoint`: what a training has come to, kept whole or not at all, the last and the best of it."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import secrets
import shutil
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from mlwidgets.runs.checkpoints import (
    ABOUT,
    BEGUN,
    JOURNAL,
    PICKLE,
    TORCH,
    Checkpoint,
    best_of,
    criterion_of,
    judging,
    numbered,
    read_checkpoints,
)
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.naming import better
from mlwidgets.tracking.active import active_folder, tell_once
from mlwidgets.tracking.log import as_step, open_log
from mlwidgets.tracking.media import media_steps
from mlwidgets.tracking.states import random_states, rank, state_of


def checkpoint(
    *objects: Any,
    epoch: int | None = None,
    step: int | None = None,
    keep_last: int = 1,
    keep_best: int = 1,
    best: str | None = None,
    **named: Any,
) -> Path | None:
    """Keep what the training has come to: ``checkpoint(model, optimizer, epoch=epoch, val_accuracy=accuracy)``.

    Call it at the end of an epoch, and `resume` with the same objects before the loop. The random states of
    ``random``, numpy and torch are kept too, and the steps of `log`. Outside a run it does nothing and says so once.

    Parameters
    ----------
    *objects
        What has a ``state_dict`` (models, optimizers, schedulers, scalers), tensors, arrays, random generators,
        estimators, lists, dicts and other objects that can be pickled.
    epoch
        The epoch that is over; by default they are counted from 0.
    step
        The step that is over, where the training counts steps.
    keep_last, keep_best
        How many of the last and of the best stay.
    best
        Which value says how good it is: ``max:val_accuracy``, ``min:val_loss``, or the name alone where that tells
        what is better. By default the first value whose name does, one of validation before others.
    **named
        Numbers are values to judge the checkpoint by, which are not logged; all else are further objects.

    Returns
    -------
    Path or None
        The checkpoint's folder; None outside a run, and where it could not be written.

    Raises
    ------
    TypeError, ValueError
        If an object cannot be kept, or `best` names no value. The earlier checkpoints stay.
    """
    global _made
    values = {name: number for name, value in named.items() if (number := _number(value)) is not None}
    objects_by_name = name_objects(objects, sys._getframe(1))
    for name, value in named.items():
        if name not in values and value is not None:
            if objects_by_name.get(name, value) is not value:
                raise ValueError(f"checkpoint: two objects are called {name}: give one of them another name")
            objects_by_name[name] = value
    if keep_last < 1 or keep_best < 0:
        raise ValueError("checkpoint: keep_last must be 1 or more and keep_best 0 or more: resume() needs the last")
    judged = _criterion(best, values)
    kept = [(name, *state_of(name, value)) for name, value in objects_by_name.items()]
    folder = active_folder()
    if folder is None:
        tell_once("checkpoint() does nothing here, outside a tracked run. Put %%train on top of the cell.")
        return None
    if rank():
        # Of a distributed training the first process writes for all.
        return None
    epoch = None if epoch is None else as_step(epoch, "checkpoint")
    step = None if step is None else as_step(step, "checkpoint")
    top = folder / "checkpoints"
    before = read_checkpoints(top)
    if epoch is None and step is None:
        epoch = before[-1].next if before else 0
    log = open_log()
    about = Checkpoint(
        path=top,
        number=1 + max((int(path.name) for path in numbered(top)), default=0),
        epoch=epoch,
        step=step,
        values=values,
        best=judged,
        time=time.time(),
        nbytes=0,
        file=PICKLE if sys.modules.get("torch") is None else TORCH,
        objects=tuple(objects_by_name),
        steps=log.next_steps() if log else {},
        media=tuple(media_steps()),
        journal={name: _size(folder / name) for name in JOURNAL},
    )
    try:
        path = _write(top, about, {"objects": kept, "random": random_states()})
    except OSError as error:
        tell_once(
            f"a checkpoint could not be written: {error.strerror or error}. The code goes on; the one before stays."
        )
        return None
    _made = os.getpid(), [_reference(one) for one in objects_by_name.values()]
    with contextlib.suppress(OSError):
        _keep(top, keep_last, keep_best, judged)
    with contextlib.suppress(OSError):
        told = {"number": int(path.name), "epoch": epoch, "step": step, "values": about.to_json()["values"]}
        write_event(folder / "events.jsonl", "checkpoint", **told)
    return path


_made: tuple[int, list[Callable[[], Any]]] = (0, [])
"""Who made a checkpoint last, and of what: what a process was forked with is not its own."""


def _reference(value: Any) -> Callable[[], Any]:
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value


def made_of_others(objects: Sequence[Any]) -> bool:
    """Whether this process has made a checkpoint, and of none of these objects."""
    pid, made = _made
    return bool(pid == os.getpid() and made and objects) and not any(get() is one for get in made for one in objects)


def _number(value: Any) -> float | None:
    """Return a value that is one number, None for any other; what has a dimension is an object."""
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
        value = value.item()
    return float(value) if isinstance(value, int | float) else None


def _criterion(best: str | None, values: Mapping[str, float]) -> str | None:
    if best is None:
        found = judging(values)
        if values and found is None:
            name = next(iter(values))
            tell_once(f"checkpoint: nobody knows whether more of {name} is better; best='max:{name}' says so")
        return found
    if not isinstance(best, str):
        raise TypeError(f"checkpoint: best is a text such as 'max:val_accuracy', not {best!r:.60}")
    criterion = criterion_of(best) or (best, better(best))
    name, sign = criterion
    have = f"there are {', '.join(values)}" if values else f"give {name}=…"
    if name not in values:
        raise ValueError(f"checkpoint: best names {name!r}, which is no value of this checkpoint; {have}")
    if not sign:
        raise ValueError(f"checkpoint: say whether more of it is better: best='max:{name}' or best='min:{name}'")
    return f"{'max' if sign > 0 else 'min'}:{name}"


def name_objects(objects: Iterable[Any], frame: FrameType) -> dict[str, Any]:
    """Return objects by the names of the variables that hold them where they are given, else of their classes."""
    named: dict[str, Any] = {}
    # A scheduler may be one or None.
    for value in (one for one in objects if one is not None):
        where = (frame.f_locals, frame.f_globals)
        called = (name for names in where for name, one in [*names.items()] if one is value and name[0] != "_")
        base = next(called, type(value).__name__)
        name, number = base, 2
        while name in named:
            name, number = f"{base}-{number}", number + 1
        named[name] = value
    return named


def _write(top: Path, about: Checkpoint, states: dict[str, Any]) -> Path:
    """Put a checkpoint into its place by one rename, all of it on the disk by then; return where it is."""
    top.mkdir(mode=0o700, exist_ok=True)
    remove_begun(top)
    for name in JOURNAL:
        # What was logged by then is not to be lost where the checkpoint is not.
        with contextlib.suppress(OSError), open(top.parent / name, "rb") as file:
            os.fsync(file.fileno())
    temporary = top / f"{BEGUN}{os.getpid()}-{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        with open(temporary / about.file, "wb") as file:
            _dump(states, file, torch=about.file == TORCH)
            file.flush()
            # While it is still in memory.
            about = about.sealed(temporary)
            _flush(file)
        number = about.number
        while True:
            told = about.to_json() | {"number": number}
            with open(temporary / ABOUT, "w", encoding="utf-8") as file:
                json.dump(told, file)
                _flush(file)
            try:
                os.rename(temporary, top / f"{number:06d}")
                break
            except OSError:
                # Another process of the run may have been quicker.
                if not (top / f"{number:06d}").exists():
                    raise
                number += 1
        _flush_folder(top)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return top / f"{number:06d}"


def _dump(states: dict[str, Any], file: Any, *, torch: bool) -> None:
    try:
        if torch:
            sys.modules["torch"].save(states, file)
        else:
            pickle.dump(states, file, protocol=5)
    except RuntimeError as error:
        # What torch makes of a full disk.
        raise OSError(str(error).split("\n", maxsplit=1)[0]) from error
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        names = ", ".join(name for name, _, _ in states["objects"])
        raise TypeError(f"checkpoint: one of {names} cannot be kept: {str(error).splitlines()[0]}") from error


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _keep(top: Path, last: int, best: int, judged: str | None) -> None:
    """Remove what is neither among the last nor among the best; each vanishes whole, by one rename."""
    found = read_checkpoints(top)
    kept = {one.number for one in (*found[-last:], *best_of(found, best, judged))}
    for one in found:
        if one.number not in kept:
            going = top / f"{BEGUN}{os.getpid()}-{secrets.token_hex(4)}"
            os.rename(one.path, going)
            shutil.rmtree(going, ignore_errors=True)


def remove_begun(top: Path) -> None:
    """Remove what processes have left that were killed while they wrote or removed a checkpoint."""
    for path in top.glob(f"{BEGUN}*"):
        pid = path.name.removeprefix(BEGUN).partition("-")[0]
        if pid.isdecimal() and not _lives(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
