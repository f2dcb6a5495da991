"""Archives as tests need them: of real runs, and forged ones."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from mlwidgets.archives.layout import MANIFEST
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import Frozen
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore


def ended_run(store: RunStore, new_run: Callable[..., RunFolder], name: str = "lenet", **fields: Any) -> RunFolder:
    """Make a run that has ended, with an input, a result and a file of its own."""
    stream = store.put(f"the input of {name}".encode())
    folder = new_run(name, inputs=Frozen(stream, (store.put(b"shared" * 1000),)), **fields)
    result = Frozen(store.put(f"the result of {name}".encode()))
    folder.manifest.write_text(
        json.dumps({"frozen": asdict(result), "bound": [], "changed": [], "imports": {}, "missing": {}})
    )
    (folder.outputs / "model.bin").write_bytes(bytes(range(256)))
    write_outcome(folder, Outcome("finished", None, 1.0, 2.0, 0))
    return folder


def members_of(path: Path) -> dict[str, bytes]:
    """Return what is in an archive, without its manifest."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != MANIFEST}


def told_of(held: Mapping[str, bytes], **fields: Any) -> dict[str, Any]:
    """Return the manifest of an archive with these members."""
    runs = {name.split("/")[1] for name in held if name.startswith("runs/") and name.count("/") > 1}
    manifest: dict[str, Any] = {
        "format": 1,
        "made": {"host": "there", "user": "somebody"},
        "runs": sorted(runs),
        "folders": [],
        "members": {n: {"sha256": hashlib.sha256(d).hexdigest(), "size": len(d)} for n, d in held.items()},
    }
    return {**manifest, **fields}


def forged(
    members: Mapping[str, bytes],
    manifest: Any = None,
    more: tuple[tuple[zipfile.ZipInfo | str, bytes], ...] = (),
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """Return an archive of these members, and of others that no dictionary can hold."""
    told = told_of(members) if manifest is None else manifest
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        for entry, data in more:
            archive.writestr(entry, data)
        archive.writestr(MANIFEST, told if isinstance(told, bytes) else json.dumps(told))
    return buffer.getvalue()


def contents(store: RunStore) -> dict[str, bytes | None]:
    """Return all files and folders of a store; nothing of an import that was refused may be among them."""
    return {
        str(path.relative_to(store.path)): path.read_bytes() if path.is_file() else None
        for path in sorted(store.path.rglob("*"))
    }


def killed_at(line: int, action: Callable[[], object], *rooms: str) -> bool:
    """Do something in a process that kills itself at the n-th line of ours in these rooms; return whether it did.

    The process is a fork of this one: SIGKILL leaves no line of Python to tidy up.
    """
    pid = os.fork()
    if not pid:
        count = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal count
            if not any(room in frame.f_code.co_filename for room in rooms):
                return None
            if event == "line":
                count += 1
                if count == line:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        try:
            sys.settrace(trace)
            action()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)
