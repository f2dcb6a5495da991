"""SIGKILL at each line of a synchronisation: nothing is lost, both files are whole, and the next one ends the work."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from mlwidgets.history.twins.syncing import settle, sync
from tests.twin_support import cell, notebook, ran, read, sources, write

WATCHED = ("/history/twins/", "/history/restoring.py", "/runs/folder.py")
APART = ("/pairing.py", "/carrying.py", "/conversion.py")
"""Nothing is written there."""
POINTS = int(os.environ.get("MLWIDGETS_KILLS", "40"))
"""At how many lines it is killed; 0: at each."""


def killed(path: Path, at: int) -> int:
    """Synchronise in a child that is killed at the n-th line; return how many lines there were where it was not."""
    came, goes = os.pipe()
    child = os.fork()
    if not child:
        left = at

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            name = frame.f_code.co_filename
            if not any(part in name for part in WATCHED) or name.endswith(APART):
                return None
            if event == "line":
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        sync(path, choose="both")
        sys.settrace(None)
        os.write(goes, str(at - left).encode())
        os._exit(0)
    os.close(goes)
    with open(came) as said:
        lines = said.read()
    status = os.waitpid(child, 0)[1]
    assert bool(lines) is not os.WIFSIGNALED(status)
    return int(lines or 0)


def prepare(folder: Path) -> Path:
    (folder / ".mlwidgets").mkdir(mode=0o700, parents=True)
    (folder / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    path = folder / "n.ipynb"
    cells = [ran(cell(f"x{n} = {n}", given=f"c{n}"), f"out {n}\n") for n in range(4)]
    write(path, notebook(*cells))
    assert sync(path).changed == "twin"
    raw = read(path)
    raw["cells"][0]["source"] = ["x0 = 'notebook'"]
    raw["cells"][2]["source"] = ["x2 = 'notebook'"]
    raw["cells"].insert(1, cell("added = 'notebook'", given="new"))
    write(path, raw)
    twin = path.with_suffix(".py")
    text = twin.read_text().replace("x1 = 1", "x1 = 'twin'").replace("x2 = 2", "x2 = 'twin'")
    twin.write_text(text + "\n# %%\nadded = 'twin'\n")
    os.utime(twin, (time.time() - 5, time.time() - 5))
    return path


SAID = (
    "x0 = 'notebook'",
    "x1 = 'twin'",
    "x2 = 'notebook'",
    "x2 = 'twin'",
    "added = 'notebook'",
    "added = 'twin'",
    "x3 = 3",
)


def check(path: Path) -> None:
    """What was on either side is there, and a synchronisation brings it to both."""
    both = "\n".join(sources(read(path))) + path.with_suffix(".py").read_text()
    assert all(one in both for one in SAID)
    done = sync(path)
    done = settle(path, {one.id: "both" for one in done.conflicts}) if done.conflicts else done
    assert done.problem is None
    text = path.with_suffix(".py").read_text()
    assert all(one in "\n".join(sources(read(path))) and one in text for one in SAID)
    assert re.findall("(?m)^added = .*", text) == ["added = 'notebook'", "added = 'twin'"]
    assert sum("outputs" in one and bool(one["outputs"]) for one in read(path)["cells"]) == 4
    assert sync(path).changed == "none"


@pytest.mark.parametrize("part", range(4))
def test_killed_at_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    monkeypatch.delenv("MLWIDGETS_STORE", raising=False)
    path = prepare(tmp_path / "whole")
    lines = killed(path, 1_000_000)
    check(path)
    assert lines > 100
    step = max(lines // POINTS, 1) if POINTS else 1
    for at in range(1 + part * step, lines, 4 * step):
        path = prepare(tmp_path / f"{at}")
        assert killed(path, at) == 0
        check(path)
        assert sum(one.name.startswith(".n.") for one in path.parent.iterdir()) <= 1
