"""What files were before they were written, kept beside them until that is undone."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlwidgets.errors import HistoryError
from mlwidgets.history.restoring import put_in_place, state_of

NAME = "mlwidgets-git-setup.json"


@dataclass
class Kept:
    """One file: what it was, and what it may be since. None is no file."""

    before: bytes | None
    afters: list[bytes | None] = field(default_factory=list)


@dataclass
class Record:
    """Files by their path in the repository, and folders that were made for them."""

    files: dict[str, Kept] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, common: Path) -> Record | None:
        """Return what is kept, None where nothing is.

        Raises
        ------
        HistoryError
            If it cannot be read.
        """
        path = common / NAME
        try:
            said = json.loads(path.read_bytes())
            files = {
                name: Kept(_decoded(one["before"]), [_decoded(after) for after in one["afters"]])
                for name, one in said["files"].items()
            }
            return cls(files, [str(name) for name in said["folders"]])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HistoryError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HistoryError(f"{path} is damaged; remove it, then undo takes away what git-setup wrote") from error

    def save(self, common: Path) -> None:
        """Write it whole.

        Raises
        ------
        HistoryError
            If it cannot be written.
        """
        files = {
            name: {"before": _encoded(one.before), "afters": [_encoded(after) for after in one.afters]}
            for name, one in self.files.items()
        }
        data = json.dumps({"version": 1, "files": files, "folders": self.folders}, indent=1) + "\n"
        with _private():
            replace(common / NAME, data.encode())


@contextlib.contextmanager
def _private() -> Iterator[None]:
    """Let nobody else read what is written: a configuration may hold a password."""
    mask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(mask)


def _encoded(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)


def content(path: Path) -> bytes | None:
    """Return what is in a file, None where there is none.

    Raises
    ------
    HistoryError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HistoryError(f"cannot read {path}: {error.strerror or error}") from error


def replace(path: Path, data: bytes | None, expected: bytes | bool | None = False, mode: int | None = None) -> None:
    """Write a file whole, or remove it.

    Parameters
    ----------
    expected
        What it must hold; False for whatever it does.
    mode
        Of a new file.

    Raises
    ------
    HistoryError
        If it cannot be written, or holds something else by now.
    """
    path = Path(os.path.realpath(path))
    state = state_of(path)
    if expected is not False and content(path) != expected:
        raise HistoryError(f"{path} changed meanwhile; try again")
    if data is None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise HistoryError(f"{path} cannot be removed: {error.strerror or error}") from error
        return
    # One that is there keeps its mode; until it has it, its copy is nobody else's.
    with _private() if state is not None else contextlib.nullcontext():
        done = put_in_place(path, data, state)
    if not done:
        raise HistoryError(f"{path} changed meanwhile; try again")
    if mode is not None:
        path.chmod(mode)
