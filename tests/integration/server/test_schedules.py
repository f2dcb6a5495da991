"""Schedules over HTTP, and the servers that start what is due: every route, for whoever may use it and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from jupyter_server.auth import Authorizer

from mlwidgets.notifying.message import Message
from mlwidgets.notifying.notices import add_notice
from mlwidgets.runs.spec import RunSpec, new_run_id
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.firing import MISSED, Firing
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.table import Table, record, writing
from mlwidgets.schedules.timetable import Schedules
from tests.integration.server.reports_support import notebook
from tests.integration.server.test_standalone import serve
from tests.laws import soon

SALES = {"kind": "report", "notebook": "shop/sales.ipynb", "cron": "0 7 * * 1-5", "timezone": "Europe/Berlin"}
NEW_YEAR = "0 7 1 1 *"


class NoKernels(Authorizer):
    """Lets nobody execute anything."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return (action, resource) != ("execute", "kernels")


@pytest.fixture
def authorizer() -> type[Authorizer] | None:
    return None


@pytest.fixture
def options() -> dict[str, Any]:
    return {}


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], authorizer: Any, options: dict[str, Any]) -> dict[str, Any]:
    jp_server_config["MlwidgetsApp"].update(options)
    if authorizer:
        jp_server_config["ServerApp"]["authorizer_class"] = authorizer
    return jp_server_config


@pytest.fixture
def store(jp_root_dir: Path) -> RunStore:
    store = RunStore(jp_root_dir / ".mlwidgets")
    store.prepare()
    return store


@pytest.fixture
def shop(jp_root_dir: Path) -> Path:
    """A notebook with parameters, in a folder of the project."""
    document = notebook("# Sales", 'region: str = "EU"\nlimit: int = 3')
    document.cells[1].metadata["tags"] = ["parameters"]
    (jp_root_dir / "shop").mkdir()
    path = jp_root_dir / "shop" / "sales.ipynb"
    path.write_text(json.dumps(document))
    return path


def past_run(store: RunStore, code: str = "pass\n", name: str = "fit") -> str:
    """Leave a run that has ended, to be repeated."""
    spec = RunSpec(new_run_id(name), name, code, submitted_at=time.time() - 60)
    write_outcome(store.create_run(spec), Outcome("finished", None, time.time() - 59, time.time() - 58, 0))
    return spec.id


def make_due(store: Path, name: str, at: float) -> None:
    """Have a schedule be due at a moment."""
    with contextlib.closing(sqlite3.connect(store / "schedules.sqlite", timeout=30)) as connection, connection:
        connection.execute("UPDATE schedules SET due = ?, next = ? WHERE name = ?", (at, at, name))


async def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 60
    while not (found := await condition()):
        assert time.monotonic() < deadline, f"{what} did not come"
        await asyncio.sleep(0.1)
    return found


async def test_a_report_is_scheduled_changed_and_removed(ask: Any, shop: Path, store: RunStore) -> None:
    code, told = await ask("schedules", method="POST", body={**SALES, "params": {"region": "US"}})
    row = told["schedule"]
    assert (code, told["store"], row) == (201, "", (await ask("schedules/sales"))[1])
    assert (row["name"], row["notebook"], row["run"], row["report"]) == ("sales", "shop/sales.ipynb", None, "sales")
    assert row["words"] == "at 07:00 from Monday to Friday, Europe/Berlin"
    assert [one["text"].split()[-2:] for one in row["times"]] == [["07:00", row["times"][0]["text"][-4:].strip()]] * 5
    assert row["times"][0]["at"] == row["next"] > time.time()
    assert (row["params"], row["last"], row["durations"], row["running"]) == ({"region": "US"}, None, [], [])
    assert row["reports"][0]["address"] == "reports/sales/"
    one = ("schedules", row["id"])

    matrix = [{"region": "EU"}, {"region": "US"}]
    change = {"cron": "@daily", "matrix": matrix, "title": "All sales", "timeout": 60, "until": "2099-12-31"}
    code, row = await ask(*one, method="PATCH", body={**change, "notify": {"failure": "browser"}})
    assert (code, row["cron"], row["matrix"], row["title"], row["timeout"]) == (
        200,
        "0 0 * * *",
        matrix,
        "All sales",
        60,
    )
    assert row["until"] == 4102441199.0
    assert [report["name"] for report in row["reports"]] == ["sales-EU", "sales-US"]
    assert row["notify"] == {"failure": "browser"}
    assert (await ask(*one, method="PATCH", body={"matrix": None, "title": None, "until": None}))[1]["matrix"] == []

    code, row = await ask(*one, "pause", method="POST")
    assert (code, row["enabled"], row["next"], row["times"]) == (200, False, None, [])
    assert (await ask(*one, "resume", method="POST"))[1]["next"] is not None
    assert (await ask(*one, method="PATCH", body={"enabled": False}))[1]["enabled"] is False
    code, copy = await ask(*one, "duplicate", method="POST", body={"name": "more-sales"})
    assert (code, copy["name"], copy["report"], copy["enabled"]) == (201, "more-sales", "more-sales", False)
    assert (await ask(*one, "duplicate", method="POST"))[1]["name"] == "sales-2"

    code, removed = await ask(*one, method="DELETE")
    assert (code, removed["id"]) == (200, row["id"])
    assert removed["undo_until"] > time.time()
    assert (await ask(*one))[0] == 404
    code, back = await ask(*one, "restore", method="POST")
    assert (code, back["id"], back["notify"], back["params"]) == (200, row["id"], {"failure": "browser"}, row["params"])
    assert (await ask(*one, "restore", method="POST"))[0] == 404
    assert {one.name for one in Schedules(store).list()} == {"sales", "more-sales", "sales-2"}


async def test_a_notebook_is_scheduled_where_its_project_is(ask: Any, shop: Path, jp_root_dir: Path) -> None:
    (jp_root_dir / "shop" / ".mlwidgets").mkdir(mode=0o700)
    code, told = await ask("schedules", method="POST", body=SALES)
    assert (code, told["store"]) == (201, "shop")
    assert told["schedule"]["reports"][0]["address"] == "reports/~shop/~/sales/"
    assert (await ask("schedules"))[1]["schedules"] == []
    code, found = await ask("schedules", store="shop")
    assert ([one["name"] for one in found["schedules"]], found["ticking"]) == (["sales"], True)


async def test_nothing_is_sent_again_while_nothing_changes(ask: Any, jp_fetch: Any, shop: Path) -> None:
    await ask("schedules", method="POST", body={**SALES, "cron": NEW_YEAR})

    async def look(mark: str) -> tuple[int, str]:
        found = await jp_fetch(
            "mlwidgets", "api", "schedules", headers={"If-None-Match": mark} if mark else {}, raise_error=False
        )
        return found.code, found.headers["Etag"]

    async def is_calm() -> bool:
        return (await look((await look(""))[1]))[0] == 304

    await until(is_calm, "an answer that nothing has changed")
    _, mark = await look("")
    await ask("schedules/sales/pause", method="POST")
    assert (await look(mark))[0] == 200


async def test_what_was_sent_before_runs_again_now(ask: Any, store: RunStore) -> None:
    past_run(store, "print('again')\n")
    code, told = await ask("schedules", method="POST", body={"kind": "run", "run": "fit", "cron": NEW_YEAR})
    assert (code, told["schedule"]["name"]) == (201, "fit")
    code, found = await ask("schedules/fit/run", method="POST")
    assert code == 202
    (firing,) = found["firings"]
    assert (firing["trigger"], firing["name"]) == ("hand", "fit")

    async def ended() -> Any:
        last = (await ask("schedules/fit"))[1]["last"]
        return last if last["state"] not in ("claimed", "started") else None

    last = await until(ended, "the end of the run")
    assert (last["state"], last["run"], last["address"]) == ("finished", firing["run"], None)
    row = (await ask("schedules/fit"))[1]
    assert [(one["id"], one["state"]) for one in row["durations"]] == [(firing["id"], "finished")]
    assert row["durations"][0]["seconds"] == last["seconds"] >= 0
    assert (store.runs / firing["run"] / "output.log").read_text() == "again\n"
    code, history = await ask("schedules/firings", schedule=row["id"])
    assert (code, [one["id"] for one in history["firings"]]) == (200, [firing["id"]])
    assert (await ask("schedules/firings", before=str(firing["id"])))[1]["firings"] == []
    # What it did comes back with it.
    await ask("schedules", row["id"], method="DELETE")
    assert (await ask("schedules", row["id"], "restore", method="POST"))[1]["last"]["run"] == firing["run"]


async def test_times_are_said_before_anything_is_kept(ask: Any, store: RunStore) -> None:
    given = {"cron": "30 6 * * 1", "timezone": "America/New_York", "count": 3}
    code, told = await ask("schedules/preview", method="POST", body=given)
    assert (code, told["words"], len(told["times"])) == (200, "at 06:30 on Mondays, America/New_York", 3)
    assert "Mon" in told["times"][0]["text"]
    code, told = await ask("schedules/preview", method="POST", body={**given, "until": "2001-01-01"})
    assert (code, told["times"]) == (200, [])
    for wrong, said in (
        ({"cron": "7 7 7"}, "'7 7 7' is no cron expression"),
        ({"timezone": "Mars/Phobos"}, "no time zone"),
        ({"until": "soon"}, "is no date"),
        ({"count": 21}, "count is"),
        ({"cron": None}, "say when"),
        ({"when": "now"}, "cannot be asked for"),
    ):
        code, told = await ask("schedules/preview", method="POST", body={**given, **wrong})
        assert (code, said in told["message"], "\n" in told["message"]) == (400, True, False), told
    assert not Table(store.path).exists


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"cron": "61 * * * *"}, 400, "cron expression"),
    ({"cron": None}, 400, "never due"),
    ({"timezone": "/etc/passwd"}, 400, "no time zone"),
    ({"kind": "shell"}, 400, "kind is one of"),
    ({"name": "../x"}, 400, "cannot be a schedule's name"),
    ({"name": "x" * 81}, 400, "cannot be a schedule's name"),
    ({"report": "../../x"}, 400, ""),
    ({"report": "index.html"}, 400, ""),
    ({"params": {"nobody": "1"}}, 400, "nobody"),
    ({"params": {"limit": "many"}}, 400, "limit"),
    ({"params": {"limit": 3}}, 400, "parameters are texts"),
    ({"params": ["limit"]}, 400, "params is"),
    ({"matrix": [1]}, 400, "parameters are texts"),
    ({"matrix": [{}]}, 400, "no parameter"),
    ({"matrix": [{"region": "EU"}, {"region": "EU"}]}, 400, "twice"),
    ({"enabled": 1}, 400, "enabled is"),
    ({"overlap": "yes"}, 400, "overlap is"),
    ({"retries": True}, 400, "retries is"),
    ({"retries": 101}, 400, "0 to 100"),
    ({"jitter": 1e300}, 400, "jitter"),
    ({"timeout": 0}, 400, "timeout"),
    ({"on_failed_check": "shrug"}, 400, "on_failed_check"),
    ({"missed": "twice"}, 400, "'once' or"),
    ({"after": "nothing"}, 400, "no report and no run"),
    ({"source": "no-such-commit"}, 400, "commit"),
    ({"notify": 7}, 400, "notify is"),
    ({"notify": {"sometimes": "browser"}}, 400, "sometimes"),
    ({"notify": ["mailto:nobody"]}, 400, "nobody"),
    ({"when_changed": ["../secret"]}, 400, "below the server's root"),
    ({"when_changed": ["/etc/passwd"]}, 400, "below the server's root"),
    ({"when_changed": ["~/secret"]}, 400, "below the server's root"),
    ({"when_changed": [7]}, 400, "when_changed is"),
    ({"notebook": "../x.ipynb"}, 404, ""),
    ({"notebook": "/etc/passwd"}, 404, ""),
    ({"notebook": "shop/none.ipynb"}, 404, ""),
    ({"notebook": "shop"}, 404, ""),
    ({"notebook": ""}, 400, "notebook is"),
    ({"run": "fit"}, 400, "has no 'run'"),
    ({"target": {"notebook": "/etc/passwd"}}, 400, "cannot be asked for"),
    ({"id": "x"}, 400, "cannot be asked for"),
    ({"name": "two\nlines"}, 400, "one line"),
]


async def test_what_is_wrong_is_said_in_one_line_and_nothing_is_kept(ask: Any, shop: Path, store: RunStore) -> None:
    (shop.parent.parent.parent / "x.ipynb").write_text(shop.read_text())
    for wrong, status, said in WRONG:
        code, told = await ask("schedules", method="POST", body={**SALES, **wrong})
        assert (code, said in told["message"], "\n" in told["message"]) == (status, True, False), (wrong, told)
    assert not Schedules(store).list()
    await ask("schedules", method="POST", body=SALES)
    before = Schedules(store).list()
    for wrong, status, said in WRONG:
        if wrong == {"run": "fit"} or "kind" in wrong:
            continue
        code, told = await ask("schedules/sales", method="PATCH", body=wrong)
        assert (code, said in told["message"], "\n" in told["message"]) == (status, True, False), (wrong, told)
    assert Schedules(store).list() == before
    assert (await ask("schedules", method="POST", body=SALES))[0] == 400


async def test_hostile_requests(ask: Any, shop: Path, store: RunStore) -> None:
    await ask("schedules", method="POST", body=SALES)
    for body in ("[]", "{", "[" * 50_000, "null", b"\xff\xfe", '{"cron": NaN}', '{"name": {}}'):
        for path, method in (("schedules", "POST"), ("schedules/sales", "PATCH"), ("schedules/preview", "POST")):
            assert (await ask(path, method=method, body=body))[0] == 400, (path, body)
    assert (await ask("schedules", method="POST", body=json.dumps({**SALES, "title": "x" * 70_000})))[0] == 413
    for key in ("..", "/etc", "shop/..", "none", "\0", "."):
        assert (await ask("schedules", store=key))[0] == 404, key
        assert (await ask("schedules/missed", store=key))[0] == 404, key
        assert (await ask("notices", store=key))[0] == 404, key
    for name in ("none", "%00", "..%2f..", "' OR 1=1 --", "x" * 5000, "%"):
        assert (await ask("schedules", name))[0] in (400, 404), name
        for deed in ("pause", "run", "duplicate", "restore", "resume"):
            assert (await ask("schedules", name, deed, method="POST"))[0] in (400, 404), (name, deed)
    assert (await ask("schedules/sales/pause", method="POST", body={"force": True}))[0] == 400
    for query in ({"limit": "0"}, {"limit": "x"}, {"before": "-1"}, {"schedule": "none"}):
        assert (await ask("schedules/firings", **query))[0] in (400, 404), query
    for since in ("x", "-1", "1e9", "nan", "١"):
        assert (await ask("schedules/missed", since=since))[0] == 400
        assert (await ask("notices", since=since))[0] == 400
    for seen in ("now", None, True, -1, [1]):
        assert (await ask("schedules/missed", method="POST", body={"seen": seen}))[0] == 400
    (store.path / "schedules.sqlite").write_bytes(b"damaged" * 1000)
    code, told = await ask("schedules")
    assert (code, "damaged" in told["message"]) == (409, True)


ROUTES = [
    ("schedules", "GET"),
    ("schedules", "POST"),
    ("schedules/sales", "GET"),
    ("schedules/sales", "PATCH"),
    ("schedules/sales", "DELETE"),
    *((f"schedules/sales/{deed}", "POST") for deed in ("pause", "resume", "run", "duplicate", "restore")),
    ("schedules/preview", "POST"),
    ("schedules/firings", "GET"),
    ("schedules/missed", "GET"),
    ("schedules/missed", "POST"),
    ("notices", "GET"),
]
LOOKING = {("schedules/preview", "POST")}


async def test_nobody_comes_in_without_a_token(ask: Any, shop: Path, store: RunStore) -> None:
    await ask("schedules", method="POST", body=SALES)
    before = Schedules(store).list()
    for path, method in ROUTES:
        for headers in ({"Authorization": ""}, {"Authorization": "token wrong"}):
            code, _ = await ask(path, method=method, body=SALES if method == "POST" else None, headers=headers)
            assert code == 403, (path, method)
    assert Schedules(store).list() == before


async def test_a_browser_needs_the_xsrf_token(
    ask: Any, jp_fetch: Any, jp_auth_header: dict[str, str], store: RunStore
) -> None:
    past_run(store)
    Schedules(store).add(Schedule("sales", "run", {"run": "fit"}, NEW_YEAR))
    before = Schedules(store).list()
    token = jp_auth_header["Authorization"].split()[1]
    page = await jp_fetch("mlwidgets", params={"token": token}, headers={"Authorization": ""})
    cookies = [one.partition(";")[0] for one in page.headers.get_list("Set-Cookie")]
    xsrf = next(one.partition("=")[2] for one in cookies if one.startswith("_xsrf="))
    known = {"Cookie": "; ".join(cookies), "Authorization": ""}
    for path, method in ROUTES:
        for headers in (known, {**known, "X-XSRFToken": "wrong"}) if method != "GET" else ():
            assert (await ask(path, method=method, body={}, headers=headers))[0] == 403, (path, method)
    assert Schedules(store).list() == before
    code, row = await ask("schedules/sales/pause", method="POST", body={}, headers={**known, "X-XSRFToken": xsrf})
    assert (code, row["enabled"]) == (200, False)


async def test_what_came_with_a_download_starts_nothing(ask: Any, jp_root_dir: Path, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "made" / ".mlwidgets")
    store.prepare()
    past_run(store)
    Schedules(store).add(Schedule("often", "run", {"run": "fit"}, NEW_YEAR))
    make_due(store.path, "often", time.time() - 1)
    table = jp_root_dir / "clone" / ".mlwidgets" / "schedules.sqlite"
    (store.path / "schedules.sqlite").chmod(0o644)
    store.path.parent.rename(jp_root_dir / "clone")
    code, found = await ask("schedules", store="clone")
    assert (code, [one["name"] for one in found["schedules"]], found["ticking"]) == (200, ["often"], False)
    await asyncio.sleep(2.5)
    assert (await ask("schedules/firings", store="clone"))[1]["firings"] == []
    table.chmod(0o600)

    async def started() -> Any:
        return (await ask("schedules/firings", store="clone"))[1]["firings"]

    assert len(await until(started, "the run")) == 1


@pytest.mark.parametrize("read_only", [True])
async def test_whoever_looks_on_changes_nothing(ask: Any, shop: Path, store: RunStore) -> None:
    past_run(store)
    hook = "https://hooks.example.org/T0/secret"
    Schedules(store).add(Schedule("sales", "run", {"run": "fit"}, NEW_YEAR, notify={"always": [hook]}))
    before = Schedules(store).list()
    for path, method in ROUTES:
        if method != "GET" and (path, method) not in LOOKING:
            assert (await ask(path, method=method, body={}))[0] == 403, (path, method)
    code, found = await ask("schedules")
    assert (code, found["can"]["change"], found["ticking"]) == (200, False, False)
    assert found["schedules"][0]["notify"] == {"always": ["https://hooks.example.org/…"]}
    assert (await ask("schedules/preview", method="POST", body={"cron": "@daily"}))[0] == 200
    assert Schedules(store).list() == before


@pytest.mark.parametrize(("read_only", "options"), [(True, {}), (False, {"schedules": False})])
async def test_a_server_that_is_told_so_starts_nothing(ask: Any, store: RunStore) -> None:
    past_run(store)
    Schedules(store).add(Schedule("often", "run", {"run": "fit"}, NEW_YEAR))
    make_due(store.path, "often", time.time() - 1)
    await asyncio.sleep(2.5)
    code, found = await ask("schedules")
    assert (code, found["ticking"], found["last_tick"], found["schedules"][0]["last"]) == (200, False, None, None)


@pytest.mark.parametrize("authorizer", [NoKernels])
async def test_whoever_may_execute_nothing_schedules_nothing(ask: Any, shop: Path, store: RunStore) -> None:
    Schedules(store).add(Schedule("sales", "report", {"notebook": str(shop)}, NEW_YEAR))
    before = Schedules(store).list()
    for path, method in ROUTES:
        code, _ = await ask(path, method=method, body={} if method == "POST" else None)
        assert (code == 403) == (method != "GET" and path not in ("schedules/preview", "schedules/missed")), path
    assert Schedules(store).list() == before


async def test_what_was_missed_is_told_until_somebody_has_seen_it(ask: Any, store: RunStore) -> None:
    assert (await ask("schedules/missed"))[1]["missed"] == []
    past_run(store)
    kept = Schedules(store).add(Schedule("nightly", "run", {"run": "fit"}, NEW_YEAR, timezone="Europe/Berlin"))
    now = time.time()
    gone = Firing(0, kept.id, now - 7200, -1, MISSED, claimed=now - 60, missed=3, first=1795194000.0, reason="nobody")
    with Table(store.path).open() as connection, writing(connection):
        record(connection, gone)
    code, told = await ask("schedules/missed")
    (one,) = told["missed"]
    assert (code, one["name"], one["count"], one["run"]) == (200, "nightly", 3, None)
    assert one["since"] == "Fri 20 Nov 2026 18:00 CET"
    code, told = await ask("schedules/missed", method="POST", body={"seen": one["found"]})
    assert (code, told["missed"], told["seen"]) == (200, [], one["found"])
    assert (await ask("schedules/missed"))[1]["missed"] == []
    # Nobody is told again of what was seen by an earlier click.
    await ask("schedules/missed", method="POST", body={"seen": 1})
    assert (await ask("schedules/missed"))[1]["missed"] == []
    assert len((await ask("schedules/missed", since="0"))[1]["missed"]) == 1
    assert (await ask("schedules/missed", method="POST", body={"seen": 1e12}))[1]["seen"] < now + 3600


async def test_of_a_matrix_the_one_that_failed_is_shown(ask: Any, store: RunStore) -> None:
    past_run(store)
    kept = Schedules(store).add(Schedule("nightly", "run", {"run": "fit"}, NEW_YEAR, overlap=True))
    with Table(store.path).open() as connection, writing(connection):
        for due, states in ((100.0, ("failed", "failed")), (200.0, ("finished", "failed", "finished"))):
            for number, state in enumerate(states):
                known = Firing(0, kept.id, due, number, state, claimed=due, started=due + 1, ended=due + 3 + number)
                record(connection, known)
    row = (await ask("schedules/nightly"))[1]
    assert [row["last"][key] for key in ("due", "element", "state", "seconds")] == [200.0, 1, "failed", 3.0]
    assert [one["seconds"] for one in row["durations"]] == [2.0, 3.0, 2.0, 3.0, 4.0]


async def test_notices_reach_the_browser(ask: Any, store: RunStore) -> None:
    assert await ask("notices") == (200, {"store": "", "last": 0, "notices": []})
    for number in (1, 2):
        add_notice(store.path, Message("sales failed", "why", "failed", "sales"), f"key {number}")
    assert (await ask("notices"))[1]["last"] == 2
    assert [one["number"] for one in (await ask("notices", since="0"))[1]["notices"]] == [1, 2]
    (one,) = (await ask("notices", since="1"))[1]["notices"]
    assert (one["subject"], one["state"], one["name"]) == ("sales failed", "failed", "sales")
    assert (await ask("notices", since="2"))[1] == {"store": "", "last": 2, "notices": []}


def told(url: str, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    """Send a request to a server of its own process."""
    headers = {"Authorization": "token abc"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}mlwidgets/api/{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


@contextlib.contextmanager
def served(folder: Path, count: int) -> Iterator[list[str]]:
    """Serve a folder by several servers; give their addresses."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(count) as threads:
        yield list(threads.map(lambda _: stack.enter_context(serve(folder)), range(count)))


def processes(folder: Path) -> list[int]:
    """Return the servers of a folder."""
    return [int(one.stem.rpartition("-")[2]) for one in (folder.parent / "runtime_dir").glob("jpserver-*.json")]


def test_two_servers_start_it_once_and_one_that_was_killed_catches_up(tmp_path: Path) -> None:
    project = tmp_path / "project"
    below = project / "a" / "b"
    below.mkdir(parents=True)
    marks = tmp_path / "marks"
    stores = [RunStore(folder / ".mlwidgets") for folder in (project, below)]
    code = f"import os\nos.write(os.open({str(marks)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT), b'x')\n"
    for store in stores:
        store.prepare()
        past_run(store, code)
        Schedules(store).add(Schedule("often", "run", {"run": "fit"}, NEW_YEAR))
    root, lower = (Schedules(store) for store in stores)

    def ended(schedules: Schedules, count: int) -> bool:
        states = [one.state for one in schedules.firings()]
        return len(states) >= count and all(state == "finished" for state in states)

    with served(project, 2) as urls:
        # Nobody has asked for the store below the root: it is found.
        for store in stores:
            make_due(store.path, "often", time.time() + 2)
        assert soon(lambda: ended(root, 1)), root.firings()
        assert soon(lambda: ended(lower, 1)), lower.firings()
        for url in urls:
            assert told(url, "schedules")[1]["schedules"][0]["last"]["state"] == "finished"
        headless(urls[0])
        assert marks.read_bytes() == b"xx"
        for pid in processes(project):
            os.kill(pid, signal.SIGKILL)
    # Each hour, and for the next half of one it is not due.
    minute = (int(time.time()) // 60 + 30) % 60
    root.edit("often", cron=f"{minute} * * * *")
    first = float(root.find("often").next or 0) - 3 * 3600
    make_due(stores[0].path, "often", first)
    with served(project, 1) as (url,):
        assert soon(lambda: ended(root, 2)), root.firings()
        (missed,) = told(url, "schedules/missed")[1]["missed"]
        assert (missed["name"], missed["first"], missed["count"]) == ("often", first, 3)
        assert root.firings()[0].run == missed["run"]
        assert len(root.firings()) == 2
    assert marks.read_bytes() == b"xxx"


def headless(url: str) -> None:
    """A server without kernels runs no commands and schedules no notebooks, but what was sent before."""
    can = told(url, "schedules")[1]["can"]
    assert can == {"change": True, "notebooks": False, "commands": False}
    assert told(url, "schedules", "POST", SALES)[0] == 403
    run = {"kind": "run", "run": "fit", "name": "more", "cron": NEW_YEAR, "enabled": False}
    for notify in ("command: touch x", "touch x", "$SHELL", {"failure": ["browser", "command:touch x"]}):
        code, found = told(url, "schedules", "POST", {**run, "notify": notify})
        assert (code, "runs no commands" in found["message"]) == (403, True), notify
    assert told(url, "schedules", "POST", {**run, "when_changed": ["x"]})[0] == 403
    code, found = told(url, "schedules", "POST", {**run, "notify": {"failure": "mailto:me@example.org"}})
    assert (code, found["schedule"]["enabled"]) == (201, False)
    assert told(url, "schedules/more", "PATCH", {"notify": "touch x"})[0] == 403
    assert told(url, "schedules/more", "DELETE")[0] == 200
