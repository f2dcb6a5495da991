"""Telling: once for each event by any number of processes, again after a failure, and never with a secret."""

from __future__ import annotations

import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.notifying import notices, patience, tell
from mlwidgets.notifying.message import Message
from mlwidgets.notifying.notices import read_notices
from mlwidgets.notifying.settings import ConfigError
from mlwidgets.notifying.targets import shown, wanted
from mlwidgets.runs.store import RunStore

MESSAGE = Message("sales: failed", "It failed.", "failed", "sales", "no rows", "http://localhost/reports/sales/")
TELL = """
import sys
from pathlib import Path
from mlwidgets.notifying.message import Message
from mlwidgets.notifying.tell import tell
print([one.ok for one in tell(sys.argv[2], Message("s", "t", "failed", "n"), store=Path(sys.argv[1]), key="k")])
"""


TELL_ALL = """
import sys
from pathlib import Path
from mlwidgets.notifying.message import Message
from mlwidgets.notifying.tell import settled, tell
message = Message("s", "t", "failed", "n")
for number in range(40):
    assert settled(tell([sys.argv[2], "browser"], message, store=Path(sys.argv[1]), key=f"k{number}"))
"""


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.01, 0.02))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server: Any = self.server
        server.received.append((self.path, dict(self.headers), body))
        server.open.wait(60)
        status = server.answers.pop(0) if server.answers else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.received, server.answers, server.open = [], [], threading.Event()
    server.open.set()
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.open.set()
    server.shutdown()
    server.server_close()


def say(store: RunStore, targets: Any, message: Message = MESSAGE, key: str = "k", **more: Any) -> list[Any]:
    return [(one.ok, one.error) for one in tell.tell(targets, message, store=store.path, key=key, **more)]


def test_each_target_hears_of_an_event_once(store: RunStore, server: Any) -> None:
    targets = [f"{server.url}/a", f"{server.url}/b", "command: echo told >> log", "browser"]
    for _ in range(3):
        assert say(store, targets) == [(True, None)] * 4
    assert [path for path, _, _ in server.received] == ["/a", "/b"]
    assert (store.path.parent / "log").read_text() == "told\n"
    assert len(read_notices(store.path)) == 1
    assert say(store, targets, key="another") == [(True, None)] * 4
    assert len(server.received) == 4
    assert {headers["Idempotency-Key"] for _, headers, _ in server.received} == {"k", "another"}


def test_six_processes_race_and_one_tells(store: RunStore, server: Any) -> None:
    command = [sys.executable, "-c", TELL, str(store.path), server.url]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    said = [process.communicate(timeout=120)[0].strip() for process in racing]
    assert len(server.received) == 1
    assert "[True]" in said
    assert say(store, server.url) == [(True, None)]
    assert len(server.received) == 1


def test_whoever_is_killed_while_telling_is_stood_in_for(store: RunStore, server: Any) -> None:
    server.open.clear()
    process = subprocess.Popen([sys.executable, "-c", TELL, str(store.path), server.url])
    deadline = time.monotonic() + 60
    while not server.received:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # As long as it lives nobody else tells.
    assert say(store, server.url) == [(False, None)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    server.open.set()
    assert say(store, server.url) == [(True, None)]
    assert say(store, server.url) == [(True, None)]
    keys = [headers["Idempotency-Key"] for _, headers, _ in server.received]
    assert keys == ["k", "k"]


def test_killed_at_any_moment_nothing_is_lost_and_little_comes_twice(store: RunStore, server: Any) -> None:
    command = [sys.executable, "-c", TELL_ALL, str(store.path), server.url]
    chance = random.Random(7)
    kills = 0
    for _ in range(12):
        heard = len(server.received)
        process = subprocess.Popen(command)
        deadline = time.monotonic() + 60
        # Let it tell of some, then kill it wherever it is by then.
        while process.poll() is None and len(server.received) < heard + 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.01))
        kills += process.poll() is None
        process.kill()
        process.wait()
    subprocess.run(command, check=True, timeout=120)
    keys = [headers["Idempotency-Key"] for _, headers, _ in server.received]
    assert set(keys) == {f"k{number}" for number in range(40)}
    assert len(keys) <= 40 + kills
    shown_once = [one["key"] for one in read_notices(store.path)]
    assert sorted(shown_once) == sorted(set(keys))


def test_who_could_not_be_reached_is_tried_again_later(
    store: RunStore, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = [500, 502, 503]
    failed = (False, "HTTP 503 Service Unavailable")
    assert say(store, server.url) == [failed]
    assert len(server.received) == 3
    assert say(store, server.url) == [failed]
    assert len(server.received) == 3  # its wait is not over
    (one,) = tell.tell(server.url, MESSAGE, store=store.path, key="k")
    assert not tell.settled([one])
    monkeypatch.setattr(tell, "PAUSES", (0.0,))
    assert say(store, server.url) == [(True, None)]
    assert len(server.received) == 4


def test_after_three_days_nobody_tries_any_more(store: RunStore, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tell, "PAUSES", (0.0,))
    server.answers = [500] * 9
    say(store, server.url)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3 * 86400 + 60)
    deliveries = tell.tell(server.url, MESSAGE, store=store.path, key="k")
    assert tell.settled(deliveries)
    assert len(server.received) == 3


@pytest.mark.parametrize("status", [302, 400, 401, 404, 410])
def test_what_is_refused_for_good_is_not_tried_again(status: int, store: RunStore, server: Any) -> None:
    server.answers = [status]
    deliveries = tell.tell(server.url, MESSAGE, store=store.path, key="k")
    assert not deliveries[0].ok
    assert tell.settled(deliveries)
    assert len(server.received) == 1


def test_a_server_that_wants_to_be_left_alone_is(store: RunStore, server: Any) -> None:
    server.answers = [429]
    began = time.monotonic()
    assert say(store, server.url) == [(True, None)]
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("state", "before", "heard"),
    [
        ("failed", None, "failure always"),
        ("missed", "finished", "failure always"),
        ("withheld", "finished", "failure always"),
        ("finished", "failed", "recovery success always"),
        ("published", "missed", "recovery success always"),
        ("finished", "finished", "success always"),
        ("finished", None, "success always"),
        ("stopped", "failed", "always"),
    ],
)
def test_who_hears_of_what(state: str, before: str | None, heard: str) -> None:
    table = {when: [when] for when in ("failure", "recovery", "success", "always")}
    assert wanted(table, state, before) == heard.split()


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (3, "3 is neither an address nor a command"),
        (["browser", ""], "'' is neither"),
        ({"sometimes": "browser"}, "'sometimes' is none of failure, recovery, success, always"),
        ("slack:", "what stands behind slack: is no web address"),
        ("slack:hooks.example.org", "is no web address"),
        ("mailto:", "has an address that is none: ''"),
        ("mailto:a@b,c", "has an address that is none: 'c'"),
        ("mailto:a@b%0d%0aBcc:c@d", "has an address that is none"),
        ("mailto:<a@b>", "has an address that is none"),
        ("command:", "names no command"),
        ("https://", "names no host"),
    ],
)
def test_what_is_no_target_is_said_in_one_line(targets: Any, said: str, store: RunStore) -> None:
    with pytest.raises(ConfigError) as raised:
        tell.check_targets(targets)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    ((ok, error),) = say(store, targets)
    assert not ok
    assert said in str(error)


@pytest.mark.parametrize(
    "targets",
    ["browser", "mailto:a@b.example", "$HOOK", "slack:keyring:slack/team", {"recovery": ["true", "https://x/y"]}],
)
def test_what_is_a_target_passes_without_its_secret(targets: Any) -> None:
    tell.check_targets(targets)


def test_secrets_are_looked_up_when_it_is_sent_and_never_recorded(
    store: RunStore, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = ["slack:$TEST_HOOK", "$TEST_HOOK", "webhook:${TEST_HOOK}"]
    assert say(store, targets) == [(False, "$TEST_HOOK is not set in the environment of this process")] * 3
    monkeypatch.setenv("TEST_HOOK", f"{server.url}/T0/hunter2-hook")
    monkeypatch.setattr(tell, "PAUSES", (0.0,))
    message = Message(
        "s", f"it said {server.url}/T0/hunter2-hook", "failed", "n", details={"deep": ["T0/hunter2-hook"]}
    )
    assert say(store, targets, message) == [(True, None)] * 3
    assert [path for path, _, _ in server.received] == ["/T0/hunter2-hook"] * 3
    assert [body["text"] for _, _, body in server.received[1:]] == ["it said ••••"] * 2
    server.answers = [404]
    say(store, ["$TEST_HOOK", f"{server.url}/T0/hunter2-hook"], key="other")
    for path in store.path.rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes(), path
    assert shown("slack:$TEST_HOOK") == "slack:$TEST_HOOK"
    assert shown("slack:https://hooks.example.org/T0/secret") == "slack:https://hooks.example.org/…"


def test_a_value_that_a_project_calls_secret_is_masked_everywhere(
    store: RunStore, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DB_PASSWORD", 'hunter2"db')
    (store.path.parent / "pyproject.toml").write_text("[tool.mlwidgets]\nsecrets = ['TEST_DB_PASSWORD']\n")
    message = Message("s", "t", "failed", "n", 'OperationalError: password "hunter2"db" is wrong')
    command = 'printf %s "$MLWIDGETS_NOTICE_CAUSE" > cause; echo "hunter2\\"db" >&2; exit 1'
    assert say(store, ["browser", server.url, command], message) == [
        (True, None),
        (True, None),
        (False, "exit status 1: ••••"),
    ]
    said = 'OperationalError: password "••••" is wrong'
    assert read_notices(store.path)[0]["cause"] == said
    assert server.received[0][2]["cause"] == said
    assert (store.path.parent / "cause").read_text() == said


def test_without_knowing_its_secrets_nothing_leaves_a_project(store: RunStore, server: Any) -> None:
    (store.path.parent / "pyproject.toml").write_text("[tool.mlwidgets]\nsecrets = [3]\n")
    ((ok, error),) = say(store, server.url)
    assert not ok
    assert "an entry names no secret" in str(error)
    assert server.received == []


def test_slack_gets_blocks_that_nobody_can_break_out_of(store: RunStore, server: Any) -> None:
    hostile = "<!channel> <http://evil|x> & *bold* `"
    message = Message(
        f"{hostile}\nsecond", hostile * 200, "failed", hostile, "a\nb", "http://localhost/a b|c>?x=1&y", since=1.0
    )
    assert say(store, f"slack:{server.url}", message) == [(True, None)]
    body = server.received[0][2]
    assert set(body) == {"text", "blocks"}
    texts = [block["text"]["text"] for block in body["blocks"] if "text" in block]
    assert body["blocks"][0]["text"]["type"] == "plain_text"
    assert len(texts[0]) <= 150
    assert "\n" not in texts[0]
    assert all(len(text) <= 3000 for text in [*texts, body["text"]])
    for text in [*texts[1:], body["text"]]:
        assert "<!channel>" not in text
        assert "<http://evil" not in text
    assert "<http://localhost/a%20b%7Cc%3E?x=1&amp;y|Open>" in texts
    assert ">a\n>b" in texts


def test_what_the_browser_shows_is_numbered_and_does_not_grow_for_ever(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "MOST_NOTICES", 5)
    for number in range(25):
        assert say(store, "browser", key=f"event {number}") == [(True, None)]
    found = read_notices(store.path)
    assert [one["number"] for one in found] == list(range(found[0]["number"], 26))
    assert 5 <= len(found) <= 10
    assert read_notices(store.path, 24)[0]["key"] == "event 24"
    assert read_notices(store.path, 25) == []
    with open(store.path / notices.NOTICES, "ab") as file:
        file.write(b'{"event": "notice", "torn')
    assert say(store, "browser", key="after") == [(True, None)]
    assert [one["key"] for one in read_notices(store.path, 25)] == ["after"]


def test_the_record_does_not_grow_for_ever(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MOST_BYTES", 5000)
    for number in range(60):
        say(store, "command: true", key=f"event {number}")
    assert (store.path / notices.TOLD).stat().st_size < 6000
    assert notices.read_told(store.path, "event 59")


def test_where_nothing_can_be_recorded_it_is_told_all_the_same(tmp_path: Path, server: Any) -> None:
    (one,) = tell.tell(server.url, MESSAGE, store=tmp_path / "not there", key="k", project=tmp_path)
    assert one.ok
    assert "not recorded" in str(one.error)
    assert len(server.received) == 1
