"""Notifications: a real server, real shell commands, and settings as people write them."""

from __future__ import annotations

import base64
import http.server
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.notifying import command, patience, webhook
from mlwidgets.notifying.targets import shown
from mlwidgets.runner.notify import check_config, notify
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.spec import Provenance
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.tracking.log import MetricLog

FINISHED = Outcome("finished", None, 100.0, 112.5, 0)
FAILED = Outcome("failed", "ValueError: no 'x'\nat all", 100.0, 112.5, 1)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.01, 0.02))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder that runs are submitted from."""
    project = tmp_path / "my project"
    project.mkdir()
    return project


@pytest.fixture
def run(new_run, project: Path) -> RunFolder:
    """A run submitted from a folder inside the project."""
    (project / "notebooks").mkdir()
    provenance = Provenance(str(project / "notebooks"), "python", "3.11", "host", "anna")
    return new_run(provenance=provenance)


@pytest.fixture
def setting(project: Path) -> Callable[[str], None]:
    def write(value: str) -> None:
        (project / "pyproject.toml").write_text(f"[tool.mlwidgets]\nnotify = {value}\n")

    return write


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent, and answers as the path says."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(int(self.path.strip("/").partition("?")[0] or 200))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.received = []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def told(run: RunFolder) -> list[tuple[str, bool, str | None]]:
    return [(e["target"], e["ok"], e["error"]) for e in read_lines(run.events) if e["event"] == "notified"]


def test_nobody_is_notified_without_a_setting(run: RunFolder, project: Path) -> None:
    notify(run, FINISHED)
    (project / "pyproject.toml").write_text("[project]\nname = 'mlwidgets-notify-user'\n")
    notify(run, FINISHED)
    assert told(run) == []
    assert check_config(run) is None


def test_a_webhook_gets_the_outcome_and_the_metrics(run: RunFolder, setting, server) -> None:
    setting(f'"{server.url}/200?token=secret"')
    log = MetricLog(run.metrics, run.events)
    for loss in (0.5, 0.25):
        log(loss=loss, perplexity=float("inf"))
    assert check_config(run) is None
    notify(run, FAILED)
    ((path, headers, message),) = server.received
    assert path == "/200?token=secret"
    assert headers["Content-Type"] == "application/json"
    text = message.pop("text")
    assert message == {
        "id": run.id,
        "name": "lenet",
        "subject": "lenet: failed",
        "state": "failed",
        "cause": FAILED.cause,
        "metrics": {"loss": 0.25, "perplexity": "inf"},
        "elapsed": 12.5,
        "host": socket.gethostname(),
    }
    assert text.startswith("lenet: failed after 12 s on ")
    assert told(run) == [(f"{server.url}/…", True, None)]


def test_a_name_and_password_in_the_address(run: RunFolder, setting, server) -> None:
    setting(f'"{server.url.replace("//", "//anna:a%20secret@")}/200"')
    notify(run, FINISHED)
    ((_, headers, _),) = server.received
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'anna:a secret').decode()}"
    assert headers["Host"] == server.url.partition("//")[2]
    assert told(run) == [(f"{server.url}/…", True, None)]


def test_once_per_run(run: RunFolder, setting, server) -> None:
    setting(f'"{server.url}"')
    notify(run, FINISHED)
    notify(run, FINISHED)
    assert len(server.received) == 1


def test_a_sweep_tells_of_its_end_and_its_trials_do_not(new_run, project: Path, setting, server) -> None:
    setting(f'"{server.url}/200"')
    provenance = Provenance(str(project), "python", "3.11", "host", "anna")
    sweep = new_run(provenance=provenance, sweep={"space": {}})
    trial = new_run(provenance=provenance, trial_of=sweep.id, trial=0)

    notify(trial, FINISHED)
    notify(sweep, FINISHED)

    assert [message["id"] for _, _, message in server.received] == [sweep.id]


def test_a_server_that_refuses_is_told_of(run: RunFolder, setting, server) -> None:
    setting(f'"{server.url}/404?token=secret"')
    notify(run, FINISHED)
    assert told(run) == [(f"{server.url}/…", False, "HTTP 404 Not Found")]


def test_a_server_that_is_not_there(run: RunFolder, setting, server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://anna:secret@127.0.0.1:{unused.getsockname()[1]}/secret"
        setting(f'"{url}"')
        notify(run, FINISHED)
    ((target, ok, error),) = told(run)
    assert not ok
    assert "refused" in str(error)
    assert "secret" not in target + str(error)


def test_a_server_that_never_answers_and_one_that_trickles(
    run: RunFolder, setting, server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 0.5)
    silent, trickling = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def trickle() -> None:
        connection, _ = trickling.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            try:
                connection.sendall(b"X-More: yes\r\n")
            except OSError:
                break
        connection.close()

    thread = threading.Thread(target=trickle)
    thread.start()
    urls = [f"http://127.0.0.1:{s.getsockname()[1]}" for s in (silent, trickling)]
    setting(json.dumps([*urls, f"{server.url}/200"]))
    try:
        notify(run, FINISHED)
    finally:
        over.set()
        thread.join()
        silent.close()
        trickling.close()
    assert told(run) == [
        (urls[0], False, "no answer within 0.5 s"),
        (urls[1], False, "no answer within 0.5 s"),
        (f"{server.url}/…", True, None),
    ]


def test_a_command_gets_it_on_stdin_and_in_its_environment(run: RunFolder, setting, project: Path) -> None:
    names = ("ID", "NAME", "STATE", "CAUSE", "FOLDER")
    shown = "; ".join(f'printf "%s\\0" "$MLWIDGETS_RUN_{name}"' for name in names)
    setting(f"""'cat > message.json; ({shown}) > "about it"; pwd > where'""")
    notify(run, FAILED)
    assert told(run) == [("cat …", True, None)]
    assert json.loads((project / "message.json").read_text())["cause"] == FAILED.cause
    told_about = (project / "about it").read_text().split("\0")[:-1]
    assert told_about == [run.id, "lenet", "failed", FAILED.cause, str(run.path)]
    assert (project / "where").read_text().strip() == str(project)


def test_a_command_that_fails_is_told_of_with_its_last_words(run: RunFolder, setting) -> None:
    setting("'echo out; echo first >&2; echo no such channel >&2; exit 3'")
    notify(run, FINISHED)
    assert told(run) == [("echo …", False, "exit status 3: no such channel")]


def test_a_command_that_does_not_exist(run: RunFolder, setting) -> None:
    setting("'no-such-command-anywhere'")
    notify(run, FINISHED)
    ((target, ok, error),) = told(run)
    assert (target, ok) == ("no-such-command-anywhere", False)
    assert str(error).startswith("exit status 127: ")
    assert "not found" in str(error)


def test_a_command_that_hangs_is_killed_with_what_it_started(
    run: RunFolder, setting, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SECONDS", 0.5)
    setting("""['trap "" TERM; sleep 600 & echo $! > child; wait', 'touch next']""")
    notify(run, FINISHED)
    assert told(run) == [("trap …", False, "killed: it had not ended after 0.5 s"), ("touch …", True, None)]
    child = int((project / "child").read_text())
    deadline = time.monotonic() + 60
    while not _ended(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (project / "next").exists()


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False


@pytest.mark.parametrize(
    "command",
    [
        "exit 0",  # reads nothing
        "yes >&2 & sleep 0.1; kill $!",
        "head -c 10000000 /dev/zero >&2",
        "head -c 10000000 /dev/zero",
        "sleep 20 >/dev/null 2>&1 & true",  # left in the background
        "sleep 20 & true",  # the same, holding what it inherited
    ],
)
def test_commands_that_succeed_in_odd_ways(command: str, run: RunFolder, setting, server) -> None:
    setting(f"'{command}'")
    log = MetricLog(run.metrics, run.events)
    log({f"a metric with a long name {number}": 1.0 for number in range(5000)})
    notify(run, FINISHED)
    assert [ok for _, ok, _ in told(run)] == [True]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("finished", ["success", "always"]),
        ("failed", ["failure", "always"]),
        ("killed", ["failure", "always"]),
        ("timeout", ["failure", "always"]),
        ("stopped", ["always"]),
    ],
)
def test_a_table_tells_success_from_failure(state: str, expected: list[str], run, setting, project: Path) -> None:
    setting("{success = 'echo success >> log', failure = ['echo failure >> log'], always = 'echo always >> log'}")
    assert check_config(run) is None
    notify(run, Outcome(state))
    assert (project / "log").read_text().split() == expected


def test_a_recovery_is_the_success_after_a_failure_of_the_same_name(new_run, setting, project: Path) -> None:
    setting("{recovery = 'echo recovered >> log', failure = 'echo failed >> log'}")
    provenance = Provenance(str(project), "python", "3.11", "host", "anna")
    for name, outcome in (("a", FINISHED), ("a", FAILED), ("b", FINISHED), ("a", FINISHED), ("a", FINISHED)):
        run = new_run(name, provenance=provenance)
        write_outcome(run, outcome)
        notify(run, outcome)
    assert (project / "log").read_text().split() == ["failed", "recovered"]


def test_the_nearest_setting_counts_and_files_without_one_do_not(run: RunFolder, setting, project: Path) -> None:
    setting("'touch outer'")
    (project / "notebooks" / "pyproject.toml").write_text("[project]\nname = 'inner'\n")
    notify(run, FINISHED)
    assert (project / "outer").exists()


def test_without_one_around_the_working_directory_that_around_the_store_counts(new_run, store, tmp_path: Path) -> None:
    (store.path.parent / "pyproject.toml").write_text("[tool.mlwidgets]\nnotify = 'touch by-the-store'\n")
    notify(new_run(), FINISHED)
    assert (store.path.parent / "by-the-store").exists()
    elsewhere = new_run(provenance=Provenance("/", "python", "3.11", "host", "anna"))
    notify(elsewhere, FINISHED)
    assert told(elsewhere) == [("touch …", True, None)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("3", "3 is neither an address nor a command"),
        ("''", "'' is neither"),
        ("['true', 1]", "1 is neither"),
        ("{sucess = 'true'}", "'sucess' is none of failure, recovery, success, always"),
        ("{failure = [[]]}", "[] is neither"),
        ("'http://'", "http:// names no host"),
        ("'https:///hook'", "names no host"),
        ("'http://[::1'", "names no host"),
    ],
)
def test_a_malformed_setting_is_said_at_submit_and_at_the_end(value: str, said: str, run: RunFolder, setting) -> None:
    setting(value)
    hint = check_config(run)
    assert hint is not None
    assert said in hint
    assert "\n" not in hint
    notify(run, FINISHED)
    ((target, ok, error),) = told(run)
    assert (target, ok, error) == ("pyproject.toml", False, hint)


def test_a_broken_file_is_told_of_only_where_it_may_concern_us(run: RunFolder, project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.other\n")
    assert check_config(run) is None
    (project / "pyproject.toml").write_text("[tool.mlwidgets]\nnotify = 'a\n")
    assert "cannot be read" in str(check_config(run))
    (project / "pyproject.toml").write_bytes(b"[tool.mlwidgets]\nnotify = '\xff'\n")
    assert "cannot be read" in str(check_config(run))
    (project / "pyproject.toml").write_text("tool = 3  # mlwidgets notify\n")
    assert "cannot be read" in str(check_config(run))


def test_commands_of_a_file_that_others_can_write_are_not_run(run: RunFolder, setting, project: Path) -> None:
    setting("'touch ran'")
    (project / "pyproject.toml").chmod(0o666)
    assert "can be written by others" in str(check_config(run))
    notify(run, FINISHED)
    assert not (project / "ran").exists()
    assert [ok for _, ok, _ in told(run)] == [False]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_commands_of_somebody_elses_file_are_not_run(run: RunFolder, setting, project: Path) -> None:
    setting("'touch ran'")
    os.chown(project / "pyproject.toml", 12345, -1)
    assert "belongs to another user" in str(check_config(run))
    notify(run, FINISHED)
    assert not (project / "ran").exists()


def test_odd_causes_and_a_run_folder_that_is_gone(run: RunFolder, setting, project: Path) -> None:
    setting("'touch ran'")
    notify(run, Outcome("failed", "a \0 and a \udcff"))
    assert (project / "ran").exists()
    os.rename(run.path, project / "moved")
    notify(run, FINISHED)
    assert "cannot read" in str(check_config(run))
    assert not run.path.exists()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://hooks.example.org/services/T0/B0/secret", "https://hooks.example.org/…"),
        ("https://anna:secret@example.org:8443", "https://example.org:8443"),
        ("https://example.org?key=secret", "https://example.org/…"),
        ("TOKEN=secret curl -d @- example.org", "curl …"),
        ("TOKEN=secret", "…"),
        ("notify-send", "notify-send"),
    ],
)
def test_secrets_are_not_recorded(target: str, expected: str) -> None:
    assert shown(target) == expected
