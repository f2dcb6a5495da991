"""Whom a stop from a view reaches."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.views.conversation import Conversation
from tests.unit.views_support import make_run


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[list[Run]]:
    # This process stands for the workers, which a stop interrupts.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield [make_run(tmp_path, name, state="running") for name in ("a", "b")]
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(("asked", "stopped"), [("b", "b"), (None, "a"), ("20261120-123010-gone-abcd", ""), (7, "")])
def test_a_stop_reaches_the_run_that_was_meant_and_no_other(runs: list[Run], asked: object, stopped: str) -> None:
    by_name = {run.name: run.id for run in runs}
    Conversation(runs, lambda *_: None).stop(by_name.get(str(asked), asked))
    assert [run.name for run in runs if RunFolder(run.path).stop_request.exists()] == [*stopped]
