"""A real run is sampled while it runs, and its end is told."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import mlwidgets

CODE = """
import subprocess, sys, time
from mlwidgets import log

held = bytearray(100_000_000)
end = time.time() + 2.5
while time.time() < end:
    subprocess.run([sys.executable, "-S", "-c", "sum(range(10**6))"])
    log(rounds=1.0)
"""


def test_samples_and_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.mlwidgets]\nnotify = 'cat > told; mv told ended.json; exit 3'\n")
    run = mlwidgets.train(CODE, name="watched", namespace={}).wait(120)
    assert run.state == "finished", run.output
    frame = run.system
    assert len(frame) >= 1
    assert frame["memory"].max() > 100_000_000
    assert frame["cpu"].max() > 1, "its children's time counts, although each is gone before it is looked for"
    deadline = time.monotonic() + 60
    while '"notified"' not in (run.path / "events.jsonl").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told = json.loads((tmp_path / "ended.json").read_text())
    assert (told["id"], told["state"], told["metrics"]) == (run.id, "finished", {"rounds": 1.0})
    assert run.state == "finished", "whatever came of telling"
