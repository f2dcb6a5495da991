"""The GPU tier asks the real driver: no inventory is injected."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _real_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    queue = tmp_path_factory.mktemp("queue")
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(queue))
    return queue
