"""A git repository for objects and refs of our own, by the git command; what is the user's stays as it is.

Only plumbing is called: nothing here knows a branch, HEAD, the index, the work tree or a reflog, and no hook runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlwidgets.errors import HistoryError
from mlwidgets.history.git import objects

TIMEOUT = 60.0
"""Seconds after which a git command is given up: a file system that hangs."""
_PATIENCE = 20.0
"""Seconds to wait for others who write to the same repository."""
_STALE = 2.0
"""Seconds after which the lock of a ref of ours has lost its owner: git holds it for a few milliseconds."""
_LOOSE = 27
"""Objects of one folder in 256: git packs above 6700 in all."""
_KEPT = {"GIT_CEILING_DIRECTORIES", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"}
_CONFIG = (
    *("core.hooksPath=/dev/null", "core.logAllRefUpdates=false", "gc.auto=0", "maintenance.auto=false"),
    # A ref that survives a loss of power while its objects do not would be an error in each of the user's `git gc`.
    *("core.fsync=committed,loose-object", "core.fsyncMethod=batch"),
)
_ARGUMENTS = tuple(part for setting in _CONFIG for part in ("-c", setting))

Answer = subprocess.CompletedProcess[bytes]


class Unusable(HistoryError):
    """The repository cannot be written, or read: full, damaged, somebody else's."""


def _environment() -> dict[str, str]:
    """Return an environment in which no variable of the user's says which repository, index or identity is meant."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key in _KEPT}
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        # What a partial clone lacks is not fetched, not by a git that does not know the second one either.
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
    }


def run_git(
    *arguments: str,
    data: bytes = b"",
    cwd: Path | None = None,
    keep_open: int | None = None,
    within: float | None = None,
    variables: Mapping[str, str] | None = None,
) -> Answer:
    """Run git with settings of our own; return what it said, whatever its exit status.

    Parameters
    ----------
    within
        Seconds after which it is ended; what it said until then is the answer, and the exit status that of a kill.
    variables
        What its environment has beside that: which index, say.

    Raises
    ------
    HistoryError
        If there is no git, or it does not come to an end.
    """
    try:
        return subprocess.run(
            ("git", *_ARGUMENTS, *arguments),
            input=data,
            cwd=cwd,
            env={**_environment(), **(variables or {})},
            capture_output=True,
            timeout=TIMEOUT if within is None else within,
            check=False,
            pass_fds=() if keep_open is None else (keep_open,),
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise HistoryError(f"the folder {cwd} is gone") from error
        raise HistoryError("there is no git on PATH, and a notebook's history is kept with it; install git") from error
    except subprocess.TimeoutExpired as error:
        if within is not None:
            return Answer(error.cmd, -signal.SIGKILL, error.output or b"", b"")
        raise HistoryError(f"git did not answer within {TIMEOUT:.0f} s; is the file system well?") from error
    except OSError as error:
        raise HistoryError(f"git cannot be started: {error.strerror or error}") from error


def last_words(done: Answer) -> str:
    """Return what git complained of, in one line."""
    lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[0] if lines else "")
    return re.sub(r"^(fatal|error): ", "", said).strip() or f"git ended with status {done.returncode}"


@dataclass(frozen=True)
class Repository:
    """Where objects and refs of ours are kept.

    Parameters
    ----------
    git_dir
        Of this work tree; with its HEAD.
    common
        The folder with objects and refs, which all linked work trees share.
    algorithm
        ``sha1`` or ``sha256``.
    top
        Of the work tree, None for a bare repository.
    """

    git_dir: Path
    common: Path
    algorithm: str
    top: Path | None

    @classmethod
    def find(cls, folder: Path) -> Repository | None:
        """Return the repository that a folder lies in, None where there is none that git is willing to read.

        Raises
        ------
        HistoryError
            If there is no git.
        """
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        # The last one fails in a bare repository.
        asked = ("--git-dir", "--git-common-dir", "--show-object-format", "--show-toplevel")
        done = run_git("rev-parse", *asked, cwd=folder)
        lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")
        if len(lines) < 4 or lines[2] not in {"sha1", "sha256"}:
            return None
        git_dir, common = (Path(os.path.realpath(folder / line)) for line in lines[:2])
        top = Path(os.path.realpath(lines[3])) if done.returncode == 0 and lines[3] else None
        return cls(git_dir, common, lines[2], top)

    @classmethod
    def make_bare(cls, path: Path) -> Repository:
        """Return the bare repository at `path`; make it where it is missing.

        Raises
        ------
        HistoryError
            If it cannot be made.
        """
        found = cls.open_bare(path)
        if found is not None:
            return found
        new = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            done = run_git("init", "--quiet", "--bare", "--template=", "--object-format=sha1", str(new))
            if done.returncode:
                raise Unusable(f"no history can be kept in {path.parent}: {last_words(done)}")
            # Somebody else may have been faster: a folder that is not empty is not replaced.
            with contextlib.suppress(OSError):
                os.rename(new, path)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        found = cls.open_bare(path)
        if found is None:
            raise Unusable(f"no history can be kept in {path}: it is no git repository; move it away")
        return found

    @classmethod
    def open_bare(cls, path: Path) -> Repository | None:
        """Return the bare repository at `path`, None where there is none."""
        path = Path(os.path.realpath(path))
        return cls(path, path, "sha1", None) if (path / "HEAD").is_file() and (path / "objects").is_dir() else None

    @property
    def worktree(self) -> str:
        """The name of the linked work tree, empty in the main one."""
        return "" if self.git_dir == self.common else self.git_dir.name

    def git(
        self, *arguments: str, data: bytes = b"", keep_open: int | None = None, within: float | None = None
    ) -> Answer:
        """Run git in this repository, as `run_git` does."""
        return run_git(f"--git-dir={self.git_dir}", *arguments, data=data, keep_open=keep_open, within=within)

    def read(self, *names: str) -> list[tuple[str, str, bytes] | None]:
        """Return id, kind and content of objects, None for one that is not there.

        Raises
        ------
        Unusable
            If the repository cannot be read.
        """
        asked = "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")
        done = self.git("cat-file", "--batch", data=asked)
        found: list[tuple[str, str, bytes] | None] = []
        out, at = done.stdout, 0
        for _ in names:
            end = out.find(b"\n", at)
            if end < 0:
                raise Unusable(f"the history in {self.common} cannot be read: {last_words(done)}")
            words = out[at:end].split(b" ")
            at = end + 1
            if len(words) == 3 and words[1] in {b"commit", b"tree", b"blob", b"tag"} and words[2].isdigit():
                size = int(words[2])
                found.append((words[0].decode(), words[1].decode(), out[at : at + size]))
                at += size + 1
            else:
                found.append(None)
        return found

    def write(self, new: Sequence[objects.Object], lock: int | None = None) -> None:
        """Write objects; those that are there already are left alone.

        Raises
        ------
        Unusable
            If they cannot be written.
        """
        done = self.git("unpack-objects", "-q", data=objects.pack(new, self.algorithm), keep_open=lock)
        if done.returncode:
            raise Unusable(f"the repository {self.common} cannot be written: {last_words(done)}")

    def update(self, changes: Sequence[tuple[str, str | None, str | None]], lock: int | None = None) -> bool:
        """Move refs of ours, all or none; return False where one is not, or no longer, where it was thought to be.

        Parameters
        ----------
        changes
            Of each ref its name, what it shall be (None: gone), and what it was (None: not there).
        lock
            What `locked` gave.

        Raises
        ------
        Unusable
            If refs cannot be written.
        """
        zero = "0" * (64 if self.algorithm == "sha256" else 40)
        lines = "".join(
            f"update {ref} {new} {old or zero}\n" if new else f"delete {ref} {old}\n" for ref, new, old in changes
        )
        deadline = time.monotonic() + _PATIENCE
        while True:
            done = self.git("update-ref", "--stdin", data=lines.encode(), keep_open=lock)
            if done.returncode == 0:
                return True
            said = done.stderr.decode("utf-8", "replace")
            if "but expected" in said or "already exists" in said or "unable to resolve" in said:
                return False
            if "File exists" not in said or time.monotonic() > deadline:
                raise Unusable(f"the repository {self.common} cannot be written: {last_words(done)}")
            for ref, _, _ in changes:
                self._remove_stale_lock(self.common / f"{ref}.lock", _STALE if lock is not None else 5 * _STALE)
            time.sleep(0.05)

    def tidy(self) -> None:
        """Let git pack what lies about in a bare repository of ours, as it does in the user's by itself."""
        with contextlib.suppress(OSError):
            if len(os.listdir(self.common / "objects" / "17")) > _LOOSE:
                self.git("-c", "gc.auto=1", "gc", "--auto", "--quiet")

    @staticmethod
    def _remove_stale_lock(path: Path, age: float) -> None:
        """Remove the lock file of a ref of ours whose git was killed.

        Nobody else who takes snapshots is at it, as they hold `locked`; a `git gc` of the user is done with it soon.
        """
        with contextlib.suppress(OSError):
            if abs(time.time() - path.stat().st_mtime) > age:
                path.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[int | None]:
        """Keep others who take snapshots out; give what `write` and `update` take as `lock`.

        Git's processes inherit it: whoever gets it knows that none of a killed process is at work any more. Where
        it cannot be had, on some network file systems, the refs' old values are guard enough.
        """
        fd = None
        try:
            with contextlib.suppress(OSError):
                fd = os.open(self.common / "refs", os.O_RDONLY | os.O_CLOEXEC)
            yield fd if fd is not None and _lock(fd) else None
        finally:
            if fd is not None:
                os.close(fd)


def _lock(fd: int) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        except OSError:
            return False
        else:
            return True
