"""What a project names as secret stands nowhere in what a run has printed, shown or said when it failed."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlwidgets

# This file is code of the run, and kept with it, as other tests may be that are there beside it.
SECRET = "esuoherä w-tnirpliauq"[::-1].replace(" ", "")
CODE = """
import multiprocessing, os, sys, threading
from IPython.display import HTML, display
secret = os.environ["TEST_WAREHOUSE_KEY"]

def child():
    print("child", secret, flush=True)

print("whole", secret)
for sign in secret:
    print(sign, end="", flush=True)
print()
sys.stdout.buffer.write(secret.encode()[:10])
sys.stdout.buffer.write(secret.encode()[10:] + b"\\n")
print("error", secret, file=sys.stderr)
threads = [threading.Thread(target=print, args=(f"thread{n} {secret}\\n",), kwargs={"end": ""}) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
one = multiprocessing.Process(target=child)
one.start(); one.join()
display(HTML(f"<b>{secret}</b>"))
display({"text/plain": "x", "application/json": {"dsn": [secret]}}, raw=True)
print("ends with qua", end="")
del secret, one, threads, thread, sign
raise ConnectionError("no login with " + os.environ["TEST_WAREHOUSE_KEY"])
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_WAREHOUSE_KEY", SECRET)
    return tmp_path


def test_secrets_are_masked_in_all_that_a_run_says(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.mlwidgets]\nsecrets = ['TEST_WAREHOUSE_KEY']\n")
    run = mlwidgets.train(CODE, name="told", namespace={}).wait(120)
    assert run.state == "failed"
    assert run.cause == "ConnectionError: no login with ••••"
    lines = run.output.splitlines()
    assert lines[:3] == ["whole ••••", "••••", "••••"]
    assert {"error ••••", "child ••••", *(f"thread{n} ••••" for n in range(8))} <= set(lines)
    assert "ends with qua" in run.output
    displays = (run.path / "displays.jsonl").read_text()
    assert "<b>\\u2022\\u2022\\u2022\\u2022</b>" in displays or "<b>••••</b>" in displays
    # Nor does the exception itself lie among what the run has left.
    for path in run.path.parent.parent.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert SECRET[:7].encode() not in data, path


def test_without_names_nothing_is_masked(project: Path) -> None:
    run = mlwidgets.train("import os; print(os.environ['TEST_WAREHOUSE_KEY'])", name="told", namespace={}).wait(120)
    assert run.output == f"{SECRET}\n"


def test_a_setting_that_cannot_be_read_ends_the_run_before_it_says_anything(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.mlwidgets]\nsecrets = ['no name']\n")
    run = mlwidgets.train("print('said')", name="told", namespace={}).wait(120)
    assert run.state == "failed"
    assert run.cause is not None
    assert run.cause.startswith("[tool.mlwidgets] secrets in ")
    assert run.output == ""
