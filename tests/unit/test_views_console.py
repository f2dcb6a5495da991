from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlwidgets.views import console
from tests.unit.views_support import end, make_run


def _announcers() -> int:
    return sum(thread.name == "mlwidgets announces" for thread in threading.enumerate())


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_thread_waits_for_all_runs_while_there_are_any(tmp_path: Path) -> None:
    run = make_run(tmp_path, state="running")
    for _ in range(3):
        console.watch(run)
        assert _announcers() == 1
        assert console.leave([run]) == [run]
    _until(lambda: _announcers() == 0)
    console.watch(run)
    assert _announcers() == 1
    console.leave([run])
    _until(lambda: _announcers() == 0)


def test_of_a_run_that_was_deleted_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone, ended = make_run(tmp_path, "gone", state="running"), make_run(tmp_path, "kept", state="running")
    console.watch(gone)
    console.watch(ended)
    shutil.rmtree(gone.path)
    end(ended, "finished")
    console.tell_ended()
    assert capsys.readouterr().out.startswith("✓ kept  finished  ")
    assert console.leave([gone, ended]) == []
    _until(lambda: _announcers() == 0)
