"""States that a run's code can go on from: where they lie, which of them is the best, and how they are read.

``checkpoints/000012/`` holds ``checkpoint.json`` and the states, as ``state.pt`` where torch wrote them and as
``state.pickle`` where it had not been imported. It appears whole, by one rename.
"""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from mlwidgets.errors import ResultNotAvailable
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.foreign import check_trusted
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.naming import place
from mlwidgets.runs.objects import file_digest

ABOUT = "checkpoint.json"
LOOK = "mlwidgets fsck --deep says what is damaged"
BEGUN = ".new-"
"""How the name of a folder begins that is being written or removed; the process's number and some letters follow."""
TORCH, PICKLE = "state.pt", "state.pickle"
JOURNAL = ("metrics.bin", "media.jsonl")
"""Files of a run folder that go back with the code when it goes on from a checkpoint."""
_NUMBERED = re.compile(r"\d{6,12}")


@dataclass(frozen=True)
class Checkpoint:
    """What a run's code had come to at one moment.

    Attributes
    ----------
    path : Path
        Its folder.
    number : int
        Counts from 1.
    epoch, step : int or None
        The last one that was over.
    values : dict
        What it was judged by: numbers by name. One that is not finite is kept as such.
    best : str or None
        Which value says how good it is, and whether more of it is better: ``max:val_accuracy``.
    time : float
        Unix seconds.
    nbytes : int
        Of the states.
    file : str
        Name of the file with the states.
    objects : tuple
        Names of the states, in the order given: a variable's name, or that of a class.
    steps : dict
        The next step of each metric that counts by itself.
    media : tuple
        The same of images, histograms and so on: kind, name, step.
    journal : dict
        How many bytes of each file of the run's journal were there by then.
    digest : str or None
        Of the file with the states, as objects have theirs; None where an earlier version wrote it.
    """

    path: Path
    number: int
    epoch: int | None
    step: int | None
    values: dict[str, float]
    best: str | None
    time: float
    nbytes: int
    file: str
    objects: tuple[str, ...]
    steps: dict[str, int] = field(default_factory=dict)
    media: tuple[tuple[str, str, int], ...] = ()
    journal: dict[str, int] = field(default_factory=dict)
    digest: str | None = None

    @property
    def next(self) -> int:
        """The epoch to go on with, or the step where no epochs are counted."""
        return (self.epoch if self.epoch is not None else self.step or 0) + 1

    @property
    def where(self) -> str:
        """The epoch or the step in words."""
        return f"epoch {self.epoch}" if self.epoch is not None else f"step {self.step}"

    def load(self) -> dict[str, Any]:
        """Return the states by name: what ``state_dict()`` gave, arrays, and objects as they were.

        Raises
        ------
        ResultNotAvailable
            If they are damaged or cannot be read here, or the run came from elsewhere and nobody has said that its
            maker is trusted.
        """
        check_trusted(RunFolder(self.path.parent.parent))
        return {name: state for name, _, state in self.read()["objects"]}

    def read(self) -> dict[str, Any]:
        """Return all that the file holds; only for those who know that it may be unpickled.

        Tensors are in main memory; where they were is in ``devices``: of each storage its address and ``cuda:0``.

        Raises
        ------
        ResultNotAvailable
            If that is not possible, or the file is not what was written: weights of which one bit is wrong load, too.
        """
        wrong = self.damage(deep=True)
        if wrong is not None:
            raise ResultNotAvailable(f"checkpoint {self.path} is damaged: {wrong}; {LOOK}")
        path = self.path / self.file
        try:
            found = _read_torch(path) if self.file == TORCH else _read_pickle(path)
            list(found["objects"])
        except Exception as error:  # what is unpickled may raise anything
            line = str(error).partition("\n")[0][:200]
            raise ResultNotAvailable(f"checkpoint {path} cannot be read: {type(error).__name__}: {line}") from error
        return dict(found)

    def sealed(self, folder: Path) -> Checkpoint:
        """Return it with the size and the digest of its file, which lies in a folder.

        Raises
        ------
        OSError
            If that cannot be read.
        """
        path = folder / self.file
        return replace(self, nbytes=path.stat().st_size, digest=file_digest(path))

    def damage(self, *, deep: bool = False) -> str | None:
        """Return what is wrong with the file of the states, None if nothing is.

        Parameters
        ----------
        deep
            Read it and compare its digest, where it has one; else its size tells.
        """
        path, what = self.path / self.file, f"{self.file} of {self.where}"
        try:
            size = path.stat().st_size
            if size != self.nbytes:
                return f"{what} has {size:,} bytes instead of {self.nbytes:,}"
            if deep and self.digest is not None and file_digest(path) != self.digest:
                return f"{what} is not what was written"
        except FileNotFoundError:
            return f"{what} is missing"
        except OSError as error:
            return f"{what} cannot be read ({error.strerror or error})"
        return None

    def to_json(self) -> dict[str, Any]:
        """Return what `checkpoint.json` says."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "path"}
        # JSON has no NaN and no infinity: they are text.
        return told | {"values": {n: v if math.isfinite(v) else str(v) for n, v in self.values.items()}}

    def __repr__(self) -> str:
        parts = [f"Checkpoint {self.number}", self.where, *(f"{n}={v:.4g}" for n, v in self.values.items())]
        return f"<{', '.join(parts)}>"


def _read_pickle(path: Path) -> Any:
    with open(path, "rb") as file:
        return pickle.load(file)


def _read_torch(path: Path) -> Any:
    torch = import_module("torch")
    devices: dict[int, str] = {}

    def note(storage: Any, device: str) -> Any:
        if device != "cpu" and storage.data_ptr():
            devices[storage.data_ptr()] = device
        return storage

    try:
        # Tensors and plain containers need no code to be executed.
        found = torch.load(path, map_location=note, weights_only=True)
    except pickle.UnpicklingError:
        devices.clear()
        found = torch.load(path, map_location=note, weights_only=False)
    return {**found, "devices": devices}


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Return the checkpoint in a folder, None where that holds no whole one."""
    found = _told_of(path)
    return found if found is not None and found.damage() is None else None


def damage_of(path: Path, *, deep: bool = False) -> str | None:
    """Return what is wrong with the checkpoint in a folder, None where nothing is, or the folder is gone.

    Parameters
    ----------
    deep
        As `Checkpoint.damage` takes it.
    """
    found = _told_of(path)
    if found is None:
        wrong: str | None = f"{ABOUT} cannot be read"
    elif found.number != int(path.name):
        wrong = f"{ABOUT} is that of checkpoint {found.number}"
    else:
        wrong = found.damage(deep=deep)
    # One that vanishes as a better one comes is nobody's fault.
    return wrong if path.exists() else None


def _told_of(path: Path) -> Checkpoint | None:
    """Return what a folder says that it holds; None where that makes no sense."""
    try:
        told = read_json(path / ABOUT) or {}
        found = Checkpoint(
            path,
            number=_whole(told["number"]),
            epoch=None if told["epoch"] is None else _whole(told["epoch"]),
            step=None if told["step"] is None else _whole(told["step"]),
            values={str(name): float(value) for name, value in told["values"].items()},
            best=told["best"] if criterion_of(told["best"]) else None,
            time=float(told["time"]),
            nbytes=_whole(told["nbytes"]),
            file=told["file"],
            objects=tuple(map(str, told["objects"])),
            steps={str(name): _whole(step) for name, step in told["steps"].items()},
            media=tuple((str(kind), str(name), _whole(step)) for kind, name, step in told["media"]),
            # Whoever else may have written it: no other file is meant.
            journal={name: _whole(told["journal"].get(name, 0)) for name in JOURNAL},
            digest=None if told.get("digest") is None else str(told["digest"]),
        )
        return found if found.file in {TORCH, PICKLE} else None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        return None


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r:.40} is no whole number")
    return value


def read_checkpoints(folder: Path) -> list[Checkpoint]:
    """Return the checkpoints below ``checkpoints/`` of a run, the last one last; what is no whole one is left out."""
    found = (read_checkpoint(path) for path in numbered(folder))
    return sorted((one for one in found if one is not None), key=lambda one: one.number)


def numbered(folder: Path) -> list[Path]:
    """Return the folders of checkpoints, whole or not."""
    try:
        found = [path for path in folder.iterdir() if _NUMBERED.fullmatch(path.name)]
    except OSError:
        return []
    return sorted(found, key=lambda path: int(path.name))


def gone_on_from(folder: RunFolder) -> dict[str, Any] | None:
    """Return the event that tells from which checkpoint a run's code went on last, None where it began anew."""
    # Who has never asked for one need not be looked through.
    told = list(read_lines(folder.events, "resumed")) if folder.checkpoints.exists() else []
    return told[-1] if told and told[-1].get("number") else None


def criterion_of(best: Any) -> tuple[str, int] | None:
    """Read ``max:val_accuracy`` as the name and 1, ``min:val_loss`` as the name and -1; None if it is neither."""
    kind, colon, name = best.partition(":") if isinstance(best, str) else ("", "", "")
    return (name, 1 if kind == "max" else -1) if colon and name and kind in {"max", "min"} else None


def judging(values: Iterable[str]) -> str | None:
    """Return which of some values says how good a checkpoint is, as ``max:val_accuracy``; None if no name tells.

    One of validation comes before all others; of several the first.
    """
    known = [(name, place(name)) for name in values if place(name).better]
    known.sort(key=lambda one: one[1].role != "validation")
    return next((f"{'max' if where.better > 0 else 'min'}:{name}" for name, where in known), None)


def best_of(found: Sequence[Checkpoint], most: int = 1, best: str | None = None) -> list[Checkpoint]:
    """Return the best checkpoints, the best first; of equal ones the earlier comes first.

    Parameters
    ----------
    best
        What to judge them by; by default what the last one that says so was judged by.
    """
    best = best or next((one.best for one in reversed(found) if one.best), None)
    criterion = criterion_of(best)
    if criterion is None:
        return []
    name, sign = criterion
    judged = [one for one in found if name in one.values and math.isfinite(one.values[name])]
    return sorted(judged, key=lambda one: (-sign * one.values[name], one.number))[:most]
