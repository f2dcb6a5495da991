"""The run folder: every file name of a run, and writes that are whole or not there."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.runs.spec import RunSpec

ANNOTATIONS = "annotations.json"


@contextmanager
def _written_beside(path: Path, data: bytes, *, flush: bool = True) -> Iterator[Path]:
    """Give a temporary file in the folder of `path` that holds `data` and is on the disk."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            if flush:
                os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write `data` so that a reader sees the old file or the new one, never a part.

    Parameters
    ----------
    flush
        Wait for the disk first, so that this holds if the machine loses power, too.
    """
    with _written_beside(path, data, flush=flush) as temporary:
        os.replace(temporary, path)


_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})


def _claim(temporary: Path, path: Path) -> bool:
    """Put a file in its place on a file system without hard links: whoever makes the claim does."""
    try:
        os.close(os.open(path.with_name(f".{path.name}.claim"), os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    os.replace(temporary, path)
    return True


def flush_file(path: Path) -> None:
    """Wait until a file is on the disk; one that is not there is."""
    with suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def write_once(path: Path, data: bytes, *, flush: bool = True) -> bool:
    """Write `data` whole unless the file is there already; return whether it was written."""
    with _written_beside(path, data, flush=flush) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _claim(temporary, path)
        return True


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in `path`, or None if there is no such file or it is no JSON object."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


@dataclass(frozen=True)
class RunFolder:
    """The directory that is the run. Names only; it opens nothing by itself."""

    path: Path

    @property
    def id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name

    @property
    def store(self) -> Path:
        """The store that this folder lies in."""
        return self.path.parent.parent

    @property
    def spec(self) -> Path:
        """What was asked, as JSON."""
        return self.path / "spec.json"

    @property
    def code(self) -> Path:
        """The code as the user wrote it."""
        return self.path / "code.py"

    @property
    def metrics(self) -> Path:
        """Metric records."""
        return self.path / "metrics.bin"

    @property
    def system(self) -> Path:
        """Metric records of what the run used, sampled from outside."""
        return self.path / "system.bin"

    @property
    def events(self) -> Path:
        """States, metric names, notes and artifacts, one JSON line each."""
        return self.path / "events.jsonl"

    @property
    def displays(self) -> Path:
        """What the code displayed, updated and cleared, one JSON line each."""
        return self.path / "displays.jsonl"

    @property
    def media(self) -> Path:
        """Histograms, images, confusion matrices and tables, one JSON line each."""
        return self.path / "media.jsonl"

    @property
    def media_files(self) -> Path:
        """Images and tables that the lines of `media` name."""
        return self.path / "media"

    @property
    def output(self) -> Path:
        """Standard output and error, bytes as written."""
        return self.path / "output.log"

    @property
    def requests(self) -> Path:
        """What others ask of the supervisor."""
        return self.path / "requests"

    @property
    def stop_request(self) -> Path:
        """There when somebody asked the run to stop; says who."""
        return self.requests / "stop"

    @property
    def wishes(self) -> Path:
        """What others ask of a sweep while it goes on, one JSON line each; there where the run is a sweep."""
        return self.requests / "sweep.jsonl"

    @property
    def study(self) -> Path:
        """What a sweep's search knows."""
        return self.path / "study.log"

    @property
    def outputs(self) -> Path:
        """The user's files."""
        return self.path / "outputs"

    @property
    def checkpoints(self) -> Path:
        """States that the code can go on from, a folder each."""
        return self.path / "checkpoints"

    @property
    def verdict(self) -> Path:
        """What came of a rerun beside the run that it repeats, as JSON; there when somebody has compared them."""
        return self.path / "verdict.json"

    @property
    def result(self) -> Path:
        """Directory of the result's manifest."""
        return self.path / "result"

    @property
    def manifest(self) -> Path:
        """What the code bound, as digests of objects in the store."""
        return self.result / "manifest.json"

    @property
    def outcome(self) -> Path:
        """Present exactly when the run has ended."""
        return self.path / "outcome.json"

    @property
    def annotations(self) -> Path:
        """Tags, note and pin that were given after the submit, as JSON."""
        return self.path / ANNOTATIONS

    @property
    def imported(self) -> Path:
        """There when the run came out of an archive: from where, and whether its maker is trusted, as JSON."""
        return self.path / "imported.json"

    @property
    def environment(self) -> Path:
        """Provenance that is gathered in the background."""
        return self.path / "environment.json"

    @property
    def uncommitted(self) -> Path:
        """What was not committed to git at submit, as a patch; a large one is beside it, compressed."""
        return self.path / "uncommitted.diff"

    @property
    def executed(self) -> Path:
        """Cells that the notebook's kernel had executed by then, in order, the one that submits last, as JSON."""
        return self.path / "executed.json"

    @property
    def snapshot(self) -> Path:
        """Which state of which notebook the run was submitted from, as JSON."""
        return self.path / "snapshot.json"

    @property
    def alive(self) -> Path:
        """Locked by the living supervisor and worker."""
        return self.path / "alive"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor itself had to say, empty when all went well."""
        return self.path / "supervisor.log"

    def read_spec(self) -> RunSpec:
        """Return what was asked.

        Raises
        ------
        OSError, ValueError, KeyError, TypeError
            If the folder is damaged.
        """
        data = json.loads(self.spec.read_bytes())
        return RunSpec.from_json(data, self.code.read_bytes().decode("utf-8", "surrogatepass"))

    @classmethod
    def create(cls, parent: Path, spec: RunSpec) -> RunFolder:
        """Make the folder of `spec` below `parent`: it appears whole, by one rename."""
        building = cls(parent / f".new-{spec.id}")
        building.path.mkdir(mode=0o700)
        building.requests.mkdir()
        building.outputs.mkdir()
        building.result.mkdir()
        building.code.write_bytes(spec.code.encode("utf-8", "surrogatepass"))
        building.spec.write_text(json.dumps(spec.to_json()), encoding="utf-8")
        files = (building.alive, building.events, building.output, building.metrics, building.system, building.displays)
        for path in files:
            path.touch()
        if spec.sweep is not None:
            building.wishes.touch()
        folder = cls(parent / spec.id)
        os.rename(building.path, folder.path)
        return folder
