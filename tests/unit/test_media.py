"""Histograms, images, confusion matrices and tables: written by the code of a run, read from its folder."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.media import ConfusionMatrix, Histogram, Image, Table, read_media
from mlwidgets.runs.run import Run
from mlwidgets.tracking import active, log_confusion_matrix, log_histogram, log_image, log_table, media

NAME = "MLWIDGETS_RUN_FOLDER"


@pytest.fixture
def folder(new_run: Callable[..., RunFolder], monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run folder; this process executes in it."""
    folder = new_run()
    monkeypatch.setenv(NAME, str(folder.path))
    monkeypatch.setattr(media, "_active", None)
    monkeypatch.setattr(active, "_told", set())
    return folder


def logged(folder: RunFolder) -> list[Any]:
    return Run(folder.path).media()


def child(folder: RunFolder, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, NAME: str(folder.path)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)


ALL = """
import numpy as np
from mlwidgets import log_confusion_matrix, log_histogram, log_image, log_table
def log_all(i):
    log_histogram("h", np.arange(1000.0) * i)
    log_image("i", np.full((4, 4), i % 256, np.uint8))
    log_confusion_matrix("c", [0, 1, 1], [0, 1, 0])
    log_table("t", [{"i": i, "text": "x" * 100}] * 50)
"""


def test_all_kinds_in_order_with_their_steps(folder: RunFolder) -> None:
    log_histogram("w", [1.0, 2.0])
    log_image("w", np.zeros((2, 2)))
    log_confusion_matrix("w", ["a"], ["b"], step=7)
    log_table("w", {"x": [1]})
    log_histogram("w", [1.0])
    log_histogram("w", [1.0], step=np.int64(10))
    log_histogram("w", [1.0])
    log_histogram("other", [1.0])
    found = logged(folder)
    assert [type(one) for one in found[:4]] == [Histogram, Image, ConfusionMatrix, Table]
    assert [(one.name, one.step) for one in found] == [
        *[("w", 0)] * 2, ("w", 7), ("w", 0), ("w", 1), ("w", 10), ("w", 11), ("other", 0),
    ]  # fmt: skip
    assert all(time.time() - 60 < one.time <= time.time() for one in found)


@pytest.mark.parametrize("call", [log_histogram, log_image, log_confusion_matrix, log_table])
def test_name_and_step_are_checked(folder: RunFolder, call: Callable[..., None]) -> None:
    with pytest.raises(TypeError, match="the name comes first and must be a non-empty str, not array"):
        call(np.zeros(3), [1.0])
    with pytest.raises(TypeError, match=f"{call.__name__}: step must be an int, not float 0.5"):
        call("x", [1.0], step=0.5)
    assert logged(folder) == []


def test_outside_a_run_they_do_nothing_and_say_so_once(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != NAME}
    code = f"{ALL}\nfor i in range(3): log_all(i)\nlog_image(3, None)\nprint('on')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "on\n"
    for name in ("log_histogram", "log_image", "log_confusion_matrix", "log_table"):
        assert done.stderr.count(f"{name}() does nothing here") == 1
    assert not list(tmp_path.iterdir())


def test_no_library_is_imported_for_it(folder: RunFolder) -> None:
    heavy = "('matplotlib', 'PIL', 'torch', 'pandas')"
    done = child(folder, f"{ALL}\nlog_all(1)\nimport sys\nprint([m for m in {heavy} if m in sys.modules])")
    assert done.stdout == "[]\n"
    done = child(
        folder, "import sys\nfrom mlwidgets import log\nlog(a=1)\nprint('mlwidgets.tracking.media' in sys.modules)"
    )
    assert done.stdout == "False\n"


def test_processes_that_were_forked_log_too(folder: RunFolder) -> None:
    child(
        folder,
        f"{ALL}\nimport os\nlog_all(0)\n"
        "for n in range(2):\n    if os.fork() == 0:\n        for i in range(50): log_all(i)\n        os._exit(0)\n"
        "os.wait(), os.wait()",
    )
    found = logged(folder)
    assert len(found) == 4 * 101
    assert all(one.rows == len(list(one.head())) == 50 for one in found if isinstance(one, Table))


def test_killed_in_the_middle_of_writing(folder: RunFolder) -> None:
    """Whatever the lines name is there, whole, wherever SIGKILL struck."""
    for delay in (0.0, 0.01, 0.03, 0.07):
        process = subprocess.Popen(
            [sys.executable, "-c", f"{ALL}\nprint('go', flush=True)\ni = 0\nwhile True:\n    i += 1\n    log_all(i)"],
            env={**os.environ, NAME: str(folder.path)},
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        before = folder.media.stat().st_size if folder.media.exists() else 0
        while not folder.media.exists() or folder.media.stat().st_size < before + 20_000:
            assert process.poll() is None
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = logged(folder)
        assert found
        lines = folder.media.read_bytes().split(b"\n")
        assert len(found) == len(lines) - 1
        for one in found:
            if isinstance(one, Table):
                assert len(list(one.head())) == one.rows == 50
            elif isinstance(one, Image):
                assert one.path.stat().st_size == one.bytes
    child(folder, f"{ALL}\nlog_all(1)")
    assert len(logged(folder)) > len(found)


def test_torn_line_is_passed_over_and_the_next_writer_goes_on(folder: RunFolder) -> None:
    child(folder, f"{ALL}\nlog_all(1)")
    whole = folder.media.read_bytes()
    for cut in (1, 10, 50):
        folder.media.write_bytes(whole[:-cut])
        assert len(logged(folder)) == 3
        child(folder, f"{ALL}\nlog_all(2)")
        # Cut by one, the last line lacks nothing but its end.
        assert len(logged(folder)) == (8 if cut == 1 else 7)


FULL = (
    ALL
    + """
import resource, signal
from mlwidgets.tracking.media import lost_media
log_all(0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, resource.RLIM_INFINITY))
for i in range(1, 30): log_all(i)
before = lost_media()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log_all(31)
print(before, lost_media())
"""
)


@pytest.mark.parametrize("limit", [10, 1000, 4000, 8001, 20_000])
def test_full_disk(folder: RunFolder, limit: int) -> None:
    done = child(folder, FULL.replace("BYTES", str(limit)))
    found = logged(folder)
    lost, after = map(int, done.stdout.split())
    assert lost == after > 0
    assert len(found) == 4 * 31 - lost
    assert done.stderr.count("are not being recorded") == 1
    assert {type(one) for one in found[-4:]} == {Histogram, Image, ConfusionMatrix, Table}
    assert not list(folder.media_files.glob(".*"))


def test_run_folder_that_is_gone(folder: RunFolder) -> None:
    folder.path.rename(folder.path.with_name("elsewhere"))
    count = "from mlwidgets.tracking.media import lost_media\nprint(lost_media())"
    done = child(folder, f"{ALL}\nlog_all(1); log_all(2)\n{count}")
    assert done.stdout == "8\n"
    assert done.stderr.count("are not being recorded") == 1


DAMAGED = [
    {"name": 3},
    {"step": "1"},
    {"step": 1 << 70},
    {"step": None},
    {"time": "now"},
    {"event": "unknown"},
    {"counts": "many"},
    {"counts": [-1]},
    {"counts": [1.5]},
    {"exponent": 10**9},
    {"n": "x"},
    {"mean": "x"},
    {"size": -1},
    {"size": 10**9},
    {"classes": ["a"]},
    {"classes": 5},
    {"cells": [[9], [9], [1]]},
    {"cells": [[-1], [0], [1]]},
    {"cells": [[0.5], [0], [1]]},
    {"cells": [[0], [0], [-1]]},
    {"cells": [[0], [0], ["1"]]},
    {"cells": [[0], [0], [math.inf]]},
    {"cells": [[0], [0]]},
    {"cells": None},
    {"images": [{"file": "../../code.py", "bytes": 1}]},
    {"images": [{"file": "/etc/passwd", "bytes": 1}]},
    {"images": [{}]},
    {"images": [3]},
    {"images": 3},
    {"file": "../spec.json"},
    {"file": None},
    {"columns": "ab"},
    {"rows": "x"},
]


@pytest.mark.parametrize("damage", DAMAGED, ids=str)
def test_damaged_lines_are_passed_over(folder: RunFolder, damage: dict[str, Any]) -> None:
    log_histogram("h", [1.0, 2.0])
    log_image("i", np.zeros((2, 2)))
    log_confusion_matrix("c", [0, 1], [1, 1])
    log_table("t", [{"a": 1}])
    lines = [json.loads(line) for line in folder.media.read_text().splitlines()]
    (field,) = damage
    spoilt = [{**line, **damage} if field in line else line for line in lines]
    folder.media.write_text("".join(f"{json.dumps(line)}\n" for line in [*spoilt, *lines]))
    touched = sum(field in line for line in lines)
    assert touched
    assert len(logged(folder)) == 8 - touched


def test_files_that_are_gone_or_damaged(folder: RunFolder) -> None:
    log_image("i", np.zeros((2, 2)))
    log_table("t", [{"a": 1}, {"a": 2}, {"a": 3}])
    image, table = logged(folder)
    image.path.unlink()
    table.path.write_bytes(b'{"a": 1}\nnonsense\n[1]\n\xff\n{"a": 3}\n')
    assert list(table.head()) == [{"a": 1}, {"a": 3}]
    table.path.unlink()
    assert list(table.head()) == []
    assert list(table.frame.columns) == ["a"]
    assert not logged(folder)[0].path.exists()


def test_reading_goes_on_where_it_ended(folder: RunFolder) -> None:
    assert read_media(folder.media, folder.media_files, 5) == ([], 5)
    log_histogram("h", [1.0])
    first, end = read_media(folder.media, folder.media_files)
    assert len(first) == 1
    assert end == folder.media.stat().st_size
    with open(folder.media, "ab") as file:
        file.write(b'{"event": "hist')
    assert read_media(folder.media, folder.media_files, end) == ([], end)
    monkey = media.MediaLog(folder.path)
    monkey.append("histogram", "h", 5, {"n": 0})
    second, _ = read_media(folder.media, folder.media_files, end)
    assert [one.step for one in second] == [5]
    folder.media.write_bytes(b"")
    assert read_media(folder.media, folder.media_files, end) == ([], 0)
