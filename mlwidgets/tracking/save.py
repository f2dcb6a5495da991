"""`save`: puts a file, figure, array or state dict into the run's outputs."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from mlwidgets.runs.journal import write_event
from mlwidgets.tracking.active import active_folder, tell_once


def save(path_or_object: Any, name: str | None = None) -> Path | None:
    """Put a file, figure, array, table or ``state_dict`` into the run's ``outputs/``.

    Outside a run it does nothing and says so once.

    Parameters
    ----------
    path_or_object
        A path to a file or folder, which is copied; a matplotlib figure (PNG, or what `name` ends with); a torch
        module (its ``state_dict``), tensor or dict of tensors (``torch.save``); a numpy array (``.npy``); a pandas
        table (CSV); a str that names no file, or bytes, only with a `name` (as they are).
    name
        Name below ``outputs/``, with folders if wanted. Saving again under one name replaces it whole.

    Returns
    -------
    Path or None
        Where it lies; None outside a run.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        If there is no such file, it cannot be saved, or the name leads out of ``outputs/``.
    """
    write, default = _writer(path_or_object, name)
    folder = active_folder()
    if folder is None:
        tell_once("save() does nothing here, outside a tracked run. Put %%train on top of the cell.")
        return None
    outputs = folder / "outputs"
    target = _inside(outputs, name or default)
    temporary = target.with_name(f".{secrets.token_hex(4)}.{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        os.replace(temporary, target)
        write_event(folder / "events.jsonl", "artifact", name=str(target.relative_to(outputs)), bytes=_size(target))
    except OSError as error:
        tell_once(f"{target.name} could not be saved: {error}. The code goes on.")
        return None
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
    return target


def _inside(outputs: Path, name: str) -> Path:
    pure = PurePath(name)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise ValueError(f"save: the name {name!r} leads out of the run's outputs; give a name below it")
    return outputs / pure


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size


def _writer(value: Any, name: str | None) -> tuple[Callable[[Path], Any], str]:
    """Return the function that writes `value` to a path, and the name it gets where none is given."""
    if isinstance(value, str | PurePath):
        source = Path(value).expanduser()
        if source.is_dir():
            return lambda path: shutil.copytree(source, path, symlinks=True, ignore=_ignore_store), source.name
        if source.is_file():
            return lambda path: shutil.copyfile(source, path), source.name
        if isinstance(value, str) and name is not None:
            return lambda path: path.write_text(value, encoding="utf-8"), name
        raise FileNotFoundError(f"save: there is no file {str(value)!r} (to save a text, give it a name=)")
    if isinstance(value, bytes | bytearray) and name is not None:
        return lambda path: path.write_bytes(value), name
    if callable(getattr(value, "savefig", None)):
        number = getattr(value, "number", None)
        kind = PurePath(name or "").suffix[1:] or "png"
        return lambda path: value.savefig(path, format=kind), f"figure{f'-{number}' if number else ''}.png"
    return _array_writer(value)


def _array_writer(value: Any) -> tuple[Callable[[Path], Any], str]:
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.nn.Module):
        state = value.state_dict()
        return lambda path: _save_torch(torch, path, state), f"{type(value).__name__}.pt"
    if torch is not None and _has_tensor(value, torch):
        return lambda path: _save_torch(torch, path, value), "state.pt"
    if numpy is not None and isinstance(value, numpy.ndarray):
        return lambda path: _save_array(numpy, path, value), "array.npy"
    if callable(getattr(value, "to_csv", None)):
        return value.to_csv, "table.csv"
    raise TypeError(
        f"save: cannot save a {type(value).__name__}: write it to a file and save the path, or save a figure, "
        "array, table, tensor, module or state_dict"
    )


def _ignore_store(_folder: Any, names: list[str]) -> list[str]:
    """Leave stores out of a copied folder: this run lies in one."""
    return [name for name in names if name == ".mlwidgets"]


def _save_torch(torch: Any, path: Path, value: Any) -> None:
    try:
        torch.save(value, path)
    except RuntimeError as error:
        # What torch makes of a full disk.
        raise OSError(str(error).split("\n", maxsplit=1)[0]) from error


def _has_tensor(value: Any, torch: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_tensor(v, torch) for v in value.values())
    if isinstance(value, list | tuple):
        return any(_has_tensor(v, torch) for v in value)
    return isinstance(value, torch.Tensor)


def _save_array(numpy: Any, path: Path, value: Any) -> None:
    with open(path, "wb") as file:
        numpy.save(file, value, allow_pickle=False)
