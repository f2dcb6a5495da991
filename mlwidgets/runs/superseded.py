"""What a run's code had logged behind the checkpoint that it goes on from: it logs that again, and loses nothing.

The journal is append-only but for this: its end is put below ``superseded/``, under the same name, and cut off.
"""

from __future__ import annotations

import os
from pathlib import Path

_PIECE = 1 << 20


def supersede(path: Path, size: int) -> None:
    """Take out of a file of a run folder what lies behind `size` bytes. Who is killed meanwhile may begin anew.

    Raises
    ------
    OSError
        If it cannot be kept; nothing was taken out then.
    """
    if not path.exists():
        return
    with open(path, "r+b") as source:
        if os.fstat(source.fileno()).st_size <= size:
            return
        kept = _kept(path)
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        with open(kept, "ab") as target:
            begin = target.tell()
            source.seek(size)
            try:
                while piece := source.read(_PIECE):
                    target.write(piece)
                target.flush()
                os.fsync(target.fileno())
            except OSError:
                target.truncate(begin)
                raise
        source.truncate(size)
        # After the cut: whoever follows the file and sees this begins to read it anew.
        os.utime(kept)


def superseded_sign(path: Path) -> int:
    """Return what differs once something was taken out of a file, 0 as long as nothing was."""
    try:
        return os.stat(_kept(path)).st_mtime_ns
    except OSError:
        return 0


def _kept(path: Path) -> Path:
    return path.parent / "superseded" / path.name
