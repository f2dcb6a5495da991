"""Settings of one repository: written with consent, undone exactly."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlwidgets.errors import HistoryError
from mlwidgets.history.git.repository import Repository, last_words, run_git
from mlwidgets.history.setup.record import NAME as RECORD
from mlwidgets.history.setup.record import Kept, Record, content, replace
from mlwidgets.history.setup.settings import BEGIN, KEYS, Wanted, is_ours, with_block, without_block

CONFIG, ATTRIBUTES, HOOK = "config", "info/attributes", "hooks/pre-commit"
FILES = (CONFIG, HOOK, ATTRIBUTES)
"""In the order in which they are written: nothing refers to what is not there yet."""
CACHE = "refs/notes/textconv/mlwidgets"
"""Where git keeps texts that it has asked for once."""
_CHECK = "`mlwidgets git-check || exit 1`"


@dataclass(frozen=True)
class Plan:
    """What would be written: of each file what it is, what it was before any setup, and what it will be."""

    files: dict[str, tuple[bytes | None, bytes | None, bytes | None]]

    @property
    def changes(self) -> list[str]:
        """The names of files that will be others."""
        return [name for name in FILES if self.files[name][0] != self.files[name][2]]


class Setup:
    """Of the repository around a folder; linked work trees share it.

    Raises
    ------
    HistoryError
        If there is none that git is willing to read.
    """

    def __init__(self, folder: Path) -> None:
        found = Repository.find(folder)
        if found is None:
            raise HistoryError(f"{folder} is in no git repository that git is willing to read; go to one, or git init")
        self.repository = found
        self.common = found.common

    def plan(self, wanted: Wanted) -> Plan:
        """Return what would be written.

        Raises
        ------
        HistoryError
            If something cannot be read, or a hook of the user's is in the place of ours.
        """
        original = self._original()
        config = self._with_keys(original[CONFIG], {key: [value] for key, value in wanted.config().items()})
        attributes = _joined(with_block(_lines(original[ATTRIBUTES]), wanted.attributes()))
        hook = original[HOOK]
        if wanted.hook:
            self._check_hook(hook)
            hook = wanted.hook_text().encode()
        new = {CONFIG: config, HOOK: hook, ATTRIBUTES: attributes}
        return Plan({name: (content(self.common / name), original[name], new[name]) for name in FILES})

    def write(self, plan: Plan) -> None:
        """Write what was planned; what was there is kept first.

        Raises
        ------
        HistoryError
            If it cannot be written; then `undo` takes back what was.
        """
        old = Record.load(self.common) or Record()
        record = Record(folders=old.folders)
        for name, (now, before, after) in plan.files.items():
            if now != before or before != after:
                record.files[name] = Kept(before, [now, after] if now != before else [after])
        missing = [str(Path(name).parent) for name in plan.changes if not (self.common / name).parent.is_dir()]
        record.folders += [name for name in missing if name not in record.folders]
        self._check_lock()
        record.save(self.common)
        for name in plan.changes:
            now, _, after = plan.files[name]
            path = self.common / name
            with contextlib.suppress(OSError):
                path.parent.mkdir()
            replace(path, after, now, 0o777 & ~_mask() if name == HOOK and after is not None else None)
        self.forget_texts()

    def undo(self) -> bool:
        """Put back what was there; return whether there was anything to undo.

        A file that somebody else has written since loses what is ours, and nothing else.

        Raises
        ------
        HistoryError
            If something cannot be read or written; undo again then.
        """
        record = Record.load(self.common)
        original = self._original()
        changes = [name for name in reversed(FILES) if content(self.common / name) != original[name]]
        if record is None and not changes:
            return False
        self._check_lock()
        for name in changes:
            replace(self.common / name, original[name])
        self.forget_texts()
        for name in record.folders if record else ():
            with contextlib.suppress(OSError):
                (self.common / name).rmdir()
        replace(self.common / RECORD, None)
        return True

    def in_place_of(self) -> list[str]:
        """Return the attributes that notebooks have now and that ours take the place of, as ``diff=nbdime``."""
        top = self.repository.top or self.common
        done = run_git("check-attr", "-z", "diff", "merge", "filter", "--", "x.ipynb", cwd=top)
        words = done.stdout.decode("utf-8", "replace").split("\0")
        said = zip(words[1::3], words[2::3], strict=False)
        return [f"{name}={value}" for name, value in said if value not in {"unspecified", "mlwidgets"}]

    def _original(self) -> dict[str, bytes | None]:
        """Return what the files would be without us."""
        record = Record.load(self.common)
        found: dict[str, bytes | None] = {}
        for name in FILES:
            now = content(self.common / name)
            kept = record.files.get(name) if record else None
            if kept is not None and (now == kept.before or now in kept.afters):
                found[name] = kept.before
            else:
                found[name] = self._without(name, now, kept.before if kept else None)
        return found

    def _without(self, name: str, now: bytes | None, before: bytes | None) -> bytes | None:
        """Return a file without what is ours, where it is not what we left."""
        if now is None:
            return None
        if name == CONFIG:
            # Where nothing is kept, and no command is ours, a user has called something of his own so.
            ours = any(is_ours(value) for values in self._keys_of(now).values() for value in values)
            return self._with_keys(now, self._keys_of(before)) if ours or before is not None else now
        if BEGIN.encode() not in now:
            return now
        if name == HOOK:
            # It is ours from the first line to the last, as an earlier version wrote it; what a user has added stays.
            lines = without_block(_lines(now))
            return _joined(lines) if any(line.strip() and not line.startswith("#!") for line in lines) else None
        lines = without_block(_lines(now))
        return _joined(lines) if lines or before is not None else None

    def _with_keys(self, config: bytes | None, wanted: Mapping[str, Sequence[str]]) -> bytes:
        """Return a configuration in which keys have these values.

        Git itself writes them, into a copy: it knows every manner in which a value may be written.
        """
        with tempfile.TemporaryDirectory(prefix="mlwidgets-") as folder:
            copy = Path(folder) / "config"
            copy.write_bytes(config or b"")
            for key, values in wanted.items():
                now = _values(copy, key)
                if now == list(values):
                    continue
                if now:
                    self._config(copy, "--unset-all", key)
                for value in values:
                    self._config(copy, "--add", key, value)
            return copy.read_bytes()

    def _keys_of(self, config: bytes | None) -> dict[str, list[str]]:
        """Return the values that our keys have in a configuration."""
        with tempfile.TemporaryDirectory(prefix="mlwidgets-") as folder:
            copy = Path(folder) / "config"
            copy.write_bytes(config or b"")
            return {key: _values(copy, key) for key in KEYS}

    def _config(self, path: Path, *arguments: str) -> None:
        done = run_git("config", "--file", str(path), *arguments)
        if done.returncode:
            raise HistoryError(f"{self.common / CONFIG} cannot be changed: {last_words(done)}")

    def _check_lock(self) -> None:
        lock = self.common / "config.lock"
        if lock.exists():
            raise HistoryError(f"another git command writes settings; try again, or remove {lock} if there is none")

    def _check_hook(self, hook: bytes | None) -> None:
        told = run_git("config", "--show-scope", "-z", "--get-all", "core.hooksPath", cwd=self.repository.git_dir)
        words = told.stdout.decode("utf-8", "surrogateescape").split("\0")
        elsewhere = [path for scope, path in zip(words[::2], words[1::2], strict=False) if scope != "command"]
        if elsewhere:
            raise HistoryError(f"hooks are in {elsewhere[-1]} (core.hooksPath): add {_CHECK} to the one there")
        if hook is not None:
            raise HistoryError(f"{self.common / HOOK} is there already: add {_CHECK} to it, not --pre-commit")

    def forget_texts(self) -> None:
        """Forget texts that git has kept: they were made in another way, or are not wanted any more."""
        if not self.repository.git("for-each-ref", CACHE).stdout:
            return
        self.repository.git("update-ref", "-d", CACHE)
        for folder in ("refs/notes/textconv", "refs/notes", "logs/refs/notes/textconv", "logs/refs/notes"):
            with contextlib.suppress(OSError):
                (self.common / folder).rmdir()


def _values(config: Path, key: str) -> list[str]:
    done = run_git("config", "--file", str(config), "-z", "--get-all", key)
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def _lines(data: bytes | None) -> list[str]:
    text = (data or b"").decode("utf-8", "surrogateescape")
    return text.removesuffix("\n").split("\n") if text else []


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
