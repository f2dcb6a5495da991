"""A scheduled report that fails and comes back tells a real mail server: why, since when, where, and what it showed."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.telling import tell_pending
from mlwidgets.schedules.tick import tick
from mlwidgets.schedules.timetable import Schedules
from tests.mail import Inbox, text_of

PATIENCE = 120.0
PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
).decode()
CELL = f"""
import os
from base64 import b64decode
from pathlib import Path
from IPython.display import Image, display
display(Image(b64decode({PNG!r}), format="png"))
if not Path("there").exists():
    raise ConnectionError("no login with " + os.environ["TEST_WAREHOUSE_KEY"])
"""


def write_notebook(path: Path) -> None:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": CELL,
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": [cell]}))


def test_letters_of_a_failure_and_a_recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inbox: Inbox) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.mlwidgets]\n"
        "secrets = ['TEST_WAREHOUSE_KEY']\n"
        "address = 'https://jupyter.example.org'\n"
        f"smtp = {{server = '127.0.0.1:{inbox.port}', security = 'none', from = 'reports@example.org'}}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    monkeypatch.setenv("TEST_WAREHOUSE_KEY", "hunter2-warehouse")
    notebook = tmp_path / "sales.ipynb"
    write_notebook(notebook)
    store = RunStore(tmp_path / ".mlwidgets")
    store.prepare()
    notify = {"failure": "mailto:team@example.org", "recovery": "mailto:team@example.org"}
    schedules = Schedules(store)
    begin = time.time() - 60
    schedules.add(Schedule("sales", "report", {"notebook": str(notebook)}, cron="* * * * *", notify=notify), begin)
    for number in range(2):
        tick(store, begin + 61 + 60 * number)
        deadline = time.monotonic() + PATIENCE
        # The clock stands still, so that nothing is due meanwhile.
        while any(one.open for one in schedules.firings()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
            tick(store, begin + 61 + 60 * number)
        assert tell_pending(store) == 0
        (tmp_path / "there").touch()
    good, bad = schedules.firings()
    failed, recovered = inbox.letters
    assert [bad.state, good.state] == ["failed", "finished"]
    assert failed["Subject"] == "sales failed"
    assert "ConnectionError: no login with ••••" in text_of(failed)
    assert recovered["Subject"] == "sales succeeded again"
    assert "It had failed since" in text_of(recovered)
    for letter, firing in ((failed, bad), (recovered, good)):
        assert f"https://jupyter.example.org/reports/sales/{firing.run}.html" in text_of(letter)
        pictures = [part for part in letter.walk() if part.get_content_type() == "image/png"]
        assert [part.get_content() for part in pictures] == [base64.b64decode(PNG)]
        assert "hunter2" not in letter.as_string()
