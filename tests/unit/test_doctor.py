"""What the doctor finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mlwidgets import doctor
from mlwidgets.cli import main
from mlwidgets.doctor import Finding
from mlwidgets.runs.spec import RunSpec
from mlwidgets.runs.store import RunStore


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own Jupyter is looked at."""
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        monkeypatch.setenv(f"JUPYTER_{name}", str(tmp_path / name.lower()))
    monkeypatch.delenv("MLWIDGETS_STORE")


def levels(findings: list[Finding]) -> dict[str, str]:
    return {one.topic: one.level for one in findings}


def test_all_is_well_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    topics = ["interpreter", "packages", "kernel", "server extension", "lab extension", "GPU", "store", "queue"]
    assert [line[6:24].strip() for line in lines if not line.startswith(" ")] == [*topics, "history"]


def test_a_store_that_others_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".mlwidgets").mkdir()
    (tmp_path / ".mlwidgets").chmod(0o777)
    monkeypatch.chdir(tmp_path)
    assert main(["doctor"]) == 1
    (line,) = [one for one in capsys.readouterr().out.splitlines() if " store " in one[:24]]
    assert line.startswith("fail")
    assert "chmod 700" in line
    (tmp_path / ".mlwidgets").chmod(0o700)
    (tmp_path / ".mlwidgets" / "store.json").write_text('{"format": 99}')
    assert [one.level for one in doctor.store(tmp_path / ".mlwidgets")] == ["fail"]
    (tmp_path / ".mlwidgets" / "store.json").unlink()
    assert [one.text for one in doctor.store(tmp_path / ".mlwidgets")] == [f"{tmp_path / '.mlwidgets'}: 0 runs"]


def test_the_store_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"store": doctor.store})
    monkeypatch.chdir(tmp_path)
    named = tmp_path / "elsewhere" / ".mlwidgets"
    assert main(["--store", str(named), "doctor"]) == 1
    assert "is no store" in capsys.readouterr().err
    named.mkdir(parents=True, mode=0o700)
    (named / "store.json").write_text('{"format": 1}')
    assert main(["--store", "elsewhere/.mlwidgets", "doctor"]) == 0
    assert f"{named}: 0 runs" in capsys.readouterr().out
    assert main(["doctor"]) == 0
    assert f"{tmp_path / '.mlwidgets'}: the first run makes it" in capsys.readouterr().out


def kernel(tmp_path: Path, name: str, *argv: str) -> None:
    folder = tmp_path / "data_dir" / "kernels" / name
    folder.mkdir(parents=True)
    spec = {
        "argv": [*argv, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": name,
        "language": "python",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))


def test_kernels_of_other_environments(tmp_path: Path) -> None:
    bare = tmp_path / "bare" / "python"
    bare.parent.mkdir()
    bare.write_text(f'#!/bin/sh\nexec {sys.base_prefix}/bin/python3 -I -S "$@"\n')
    other = tmp_path / "other" / "python"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho 0.0.1\n")
    for path in (bare, other):
        path.chmod(0o755)
    kernel(tmp_path, "bare", str(bare))
    kernel(tmp_path, "other", str(other))
    kernel(tmp_path, "gone", str(tmp_path / "gone" / "python"))
    kernel(tmp_path, "here", sys.executable)
    found = {one.text.partition(":")[0]: one for one in doctor.kernels(tmp_path)}
    assert {name: one.level for name, one in found.items() if name != "python3"} == {
        "bare": "warn",
        "other": "warn",
        "gone": "warn",
        "here": "ok",
    }
    assert found["bare"].advice.startswith(f"{bare} -m pip install mlwidgets==")
    assert "mlwidgets 0.0.1" in found["other"].text


def test_a_server_that_does_not_load_it(tmp_path: Path) -> None:
    config = tmp_path / "config_dir" / "jupyter_server_config.d"
    config.mkdir(parents=True)
    off = {"ServerApp": {"jpserver_extensions": {"mlwidgets": False}}}
    (config / "mlwidgets.json").write_text(json.dumps(off))
    (found,) = [one for one in doctor.server(tmp_path) if one.topic == "server extension"]
    assert (found.level, "jupyter server extension enable mlwidgets" in found.advice) == ("fail", True)


def running(tmp_path: Path, url: str) -> Finding:
    """What is found of a server that runs there."""
    runtime = tmp_path / "runtime_dir"
    runtime.mkdir(exist_ok=True)
    server = {"url": url, "token": "t", "pid": os.getpid()}
    (runtime / f"jpserver-{os.getpid()}.json").write_text(json.dumps(server))
    (found,) = [one for one in doctor.server(tmp_path) if one.topic == "running server"]
    return found


def test_a_server_that_runs(tmp_path: Path) -> None:
    found = running(tmp_path, "http://127.0.0.1:9/")
    assert (found.level, "does not answer" in found.text) == ("warn", True)


@pytest.mark.parametrize(
    ("status", "text"),
    [(404, "does not have the extension loaded"), (401, "wants a login"), (403, "wants a login"), (500, "answers 500")],
)
def test_a_server_that_refuses(tmp_path: Path, status: int, text: str) -> None:
    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        found = running(tmp_path, f"http://127.0.0.1:{server.server_port}/")
        thread.join()
    assert found.level == "warn"
    assert text in found.text
    assert bool(found.advice) == (status == 404)


def test_an_extension_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "first" / "labextensions" / "mlwidgets"
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "first"))
    there.mkdir(parents=True)
    (there / "package.json").write_text('{"version": "0.0.1"}')
    (found,) = doctor.labextension(tmp_path)
    assert (found.level, "0.0.1" in found.text) == ("fail", True)
    (there / "package.json").unlink()
    there.rmdir()
    assert [one.level for one in doctor.labextension(tmp_path)] == ["ok"]
    page = tmp_path / "config_dir" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True)
    page.write_text('{"disabledExtensions": {"mlwidgets": true}}')
    (found,) = doctor.labextension(tmp_path)
    assert (found.level, str(page) in found.text) == ("fail", True)


def test_a_queue_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(tmp_path / "file" / "queue"))
    assert [one.level for one in doctor.queue(tmp_path)] == ["fail"]


def test_where_snapshots_of_notebooks_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "ä project"
    project.mkdir()
    store = RunStore(project / ".mlwidgets")
    (found,) = doctor.history(store.path)
    assert (found.level, f"go to {store.path / 'history.git'}" in found.text) == ("ok", True)
    subprocess.run(("git", "init", "--quiet", str(project)), check=True)
    (found,) = doctor.history(store.path)
    assert (found.level, f"go to {project / '.git'}, as refs/mlwidgets" in found.text) == ("ok", True)
    config = (project / ".git" / "config").read_text()
    newer = config.replace("repositoryformatversion = 0", "repositoryformatversion = 1")
    (project / ".git" / "config").write_text(f"{newer}[extensions]\n\tofTomorrow = true\n")
    (found,) = doctor.history(store.path)
    assert (found.level, str(store.path / "history.git") in found.text, bool(found.advice)) == ("warn", True, True)
    (project / ".git" / "config").write_text(config)
    store.prepare()
    folder = store.create_run(RunSpec(id="20261120-123010-lenet-abcd", name="lenet", code="x = 1\n"))
    folder.environment.write_text('{"no_snapshot": "the disk is full"}')
    assert "run 20261120-123010-lenet-abcd has no snapshot of its notebook: the disk is full" in [
        one.text for one in doctor.history(store.path) if one.level == "warn"
    ]
    folder.environment.write_text("{}")
    assert [one.level for one in doctor.history(store.path)] == ["ok"]
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).parent.name != ".git")
    (found,) = doctor.history(store.path)
    assert (found.level, "cannot be written" in found.text) == ("warn", True)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    (found,) = doctor.history(store.path)
    assert (found.level, "no git on PATH" in found.text, "\n" in found.text) == ("warn", True, False)


def test_packages_that_are_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor.metadata, "requires", lambda _: ["numpy>=99", "nothing-of-this-name", "pip; extra == 'x'"]
    )
    found = list(doctor.interpreter(Path()))
    assert levels(found) == {"interpreter": "ok", "packages": "fail"}
    assert "numpy>=99, nothing-of-this-name" in found[1].text


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> Callable[[], None]:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(doctor, "CHECKS", {"queue": broken})
    (found,) = doctor.examine(Path())
    assert (found.level, found.text) == ("warn", "could not be looked at: RuntimeError: no such thing")
