"""Schedules as they are kept: added, edited, refused in one line; and the table that keeps them."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets import cli
from mlwidgets.errors import MlwidgetsError, ScheduleError, StoreError
from mlwidgets.reports.publishing.definition import define
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import Frozen, FrozenName, new_run_id
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.checking import resolve_source
from mlwidgets.schedules.firing import Firing
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.sources import content_at
from mlwidgets.schedules.starting import repeated
from mlwidgets.schedules.table import FILE, Table, record, writing
from mlwidgets.schedules.timetable import Schedules, when
from tests.schedule_torture import Recorder, write_notebook

NOW = 1795408200.0
"""Monday, 23 November 2026, 05:30 in Berlin."""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "sales.ipynb")


@pytest.fixture
def schedules(store: RunStore) -> Schedules:
    return Schedules(store, Recorder())


def of(notebook: Path, name: str = "sales", **fields: Any) -> Schedule:
    given = {"cron": "0 7 * * 1-5", "timezone": "Europe/Berlin", **fields}
    return Schedule(name, "report", {"notebook": str(notebook)}, **given)


def test_what_is_kept_is_what_was_asked(schedules: Schedules, notebook: Path, store: RunStore) -> None:
    assert schedules.list() == []
    assert not Table(store.path).exists
    given = of(
        notebook, params={"region": "EU"}, jitter=60.0, retries=2, until=NOW + 1e7, when_changed=(str(notebook),)
    )
    kept = schedules.add(given, NOW)
    assert schedules.list() == [kept] == [Schedules(store).find("sales")] == [Schedules(store).find(kept.id)]
    assert Schedule.from_json(json.loads(json.dumps(kept.to_json()))) == kept
    assert kept.next is not None
    assert 1795413600.0 <= kept.next < 1795413660.0
    assert when(kept) == (
        f"at 07:00 from Monday to Friday, Europe/Berlin, if {notebook} has changed since the last time"
    )
    assert stat.S_IMODE((store.path / FILE).stat().st_mode) == 0o600


def test_edit_changes_what_is_given_alone(schedules: Schedules, notebook: Path) -> None:
    kept = schedules.add(of(notebook, jitter=0.0), NOW)
    edited = schedules.edit("sales", now=NOW + 1, cron="30 8 * * *", retries=3)
    assert (edited.id, edited.timezone, edited.retries) == (kept.id, "Europe/Berlin", 3)
    assert edited.next == 1795419000.0
    assert schedules.edit("sales", now=NOW + 86400, missed="record").next == edited.next, (
        "a time that has come stays due"
    )
    renamed = schedules.edit("sales", name="revenue", now=NOW)
    assert (renamed.name, renamed.name_of(0)) == ("revenue", "sales"), "the report keeps its address"
    copy = schedules.duplicate("revenue", now=NOW)
    assert (copy.name, copy.enabled, copy.next, copy.cron) == ("revenue-2", False, None, "30 8 * * *")
    assert copy.name_of(0) == "revenue-2"
    assert schedules.duplicate("revenue", now=NOW).name == "revenue-3"
    with pytest.raises(ScheduleError, match="there is a schedule 'revenue' already"):
        schedules.edit("revenue-2", name="revenue", now=NOW)
    assert [one.name for one in schedules.list()] == ["revenue", "revenue-2", "revenue-3"]
    schedules.remove("revenue-2")
    with pytest.raises(ScheduleError, match="no schedule 'revenue-2'; there are: revenue, revenue-3"):
        schedules.remove("revenue-2")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cron": "0 25 * * *"}, "no cron expression: the field 'hour' is wrong"),
        ({"cron": None}, "never due: say when"),
        ({"cron": 5}, "no cron expression"),
        ({"timezone": "Mars/Base"}, "no time zone"),
        ({"timezone": None}, "no time zone"),
        ({"jitter": -1}, "the jitter is between 0 and 86400 s, not -1 s"),
        ({"jitter": float("nan")}, "the jitter is a number of seconds"),
        ({"jitter": "5"}, "the jitter is a number of seconds"),
        ({"retries": -1}, "-1 retries: give a whole number"),
        ({"retries": 1.5}, "retries: give a whole number"),
        ({"retries": True}, "retries: give a whole number"),
        ({"retry_wait": 1e9}, "the wait before a retry is between"),
        ({"until": NOW - 1}, "never due before its end"),
        ({"until": float("inf")}, "the end is a number"),
        ({"missed": "often"}, "run 'once' or are only put on 'record'"),
        ({"params": {"regoin": "EU"}}, "did you mean 'region'"),
        ({"params": {"region": 5}}, "parameters are texts"),
        ({"matrix": ({"region": "EU"}, {"region": "EU"})}, "region=EU is in the matrix twice"),
        ({"matrix": ({},)}, "has no parameter"),
        ({"matrix": tuple({"region": str(n)} for n in range(1001))}, "too large"),
        ({"after": "nobody"}, "no report and no run called 'nobody'"),
        ({"after": "../x"}, "no report and no run called"),
        ({"after": "sales"}, "each would come after the other: sales after sales"),
        ({"when_changed": ("",)}, "not empty"),
        ({"when_changed": ("a\0b",)}, "not empty"),
        ({"source": "main"}, "'current' or the id of a commit"),
        ({"source": "a" * 40}, "lies in no git repository"),
        ({"notify": {"sometimes": "mailto:a@example.org"}}, "sometimes"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    schedules: Schedules, notebook: Path, store: RunStore, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(MlwidgetsError, match=said) as caught:
        schedules.add(of(notebook, **fields), NOW)
    assert "\n" not in str(caught.value)
    assert schedules.list() == []


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 81, "-x", "a\n", None, 5])
def test_hostile_names(schedules: Schedules, notebook: Path, name: Any) -> None:
    with pytest.raises(ScheduleError, match="cannot be a schedule's name"):
        schedules.add(of(notebook, name), NOW)


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        ("report", {"notebook": "/nowhere/x.ipynb"}, "there is no notebook /nowhere/x.ipynb"),
        ("report", {}, "does not say which notebook"),
        ("report", {"notebook": "/etc"}, "no notebook"),
        ("run", {"run": "nobody"}, "no run 'nobody'"),
        ("run", {"notebook": "x"}, "does not say which run"),
        ("party", {}, "cannot be scheduled"),
        ("sweep", {"run": "lenet"}, "no sweep: give it as such"),
    ],
)
def test_what_is_not_there_cannot_be_scheduled(
    schedules: Schedules, new_run: Callable[..., RunFolder], kind: str, target: dict[str, Any], said: str
) -> None:
    new_run("lenet")
    with pytest.raises(MlwidgetsError, match=said):
        schedules.add(Schedule("x", kind, target, cron="0 7 * * *"), NOW)


def test_circles_are_refused(schedules: Schedules, notebook: Path) -> None:
    schedules.add(of(notebook, "a"), NOW)
    schedules.add(of(notebook, "b", after="a"), NOW)
    schedules.add(of(notebook, "c", cron=None, after="b"), NOW)
    with pytest.raises(ScheduleError, match="each would come after the other: a after c after b after a"):
        schedules.edit("a", after="c", now=NOW)
    assert schedules.find("a").after is None


def test_a_report_of_another_notebook_is_not_taken_over(schedules: Schedules, notebook: Path, store: RunStore) -> None:
    other = write_notebook(notebook.with_name("other.ipynb"))
    folder = store.path / "reports" / "sales"
    folder.mkdir(parents=True)
    (folder / "definition.json").write_text(json.dumps({"notebook": str(other)}))
    with pytest.raises(ScheduleError, match=r"there is a report 'sales' of .*other\.ipynb"):
        schedules.add(of(notebook), NOW)


@pytest.mark.parametrize("report", ["../x", "a/b", "", "x" * 200])
def test_hostile_names_of_reports(schedules: Schedules, notebook: Path, report: str) -> None:
    schedule = Schedule("x", "report", {"notebook": str(notebook), "report": report}, cron="0 7 * * *")
    if report:
        with pytest.raises(MlwidgetsError, match="cannot be a run's name"):
            schedules.add(schedule, NOW)
    else:
        assert schedules.add(schedule, NOW).name_of(0) == "x"


def test_a_run_is_repeated_with_other_parameters(
    store: RunStore, schedules: Schedules, new_run: Callable[..., RunFolder]
) -> None:
    inputs = Frozen(store.put(b"a table"), names=(FrozenName("data", "DataFrame"),))
    run = new_run(
        "lenet", params={"lr": "0.1", "mode": "'fast'", "data": "<DataFrame>"}, inputs=inputs, tags={"a": "b"}
    )
    kept = schedules.add(
        Schedule("weekly", "run", {"run": "lenet"}, cron="0 7 * * 1", params={"lr": "0.2", "mode": "slow"}), NOW
    )
    assert kept.target == {"run": run.id}
    spec = repeated(store, kept, "20261123-060000-lenet-abcd", kept.params, {"schedule": "weekly"})
    assert spec.params == {"lr": "0.2", "mode": "'slow'", "data": "<DataFrame>"}
    assert (spec.code, spec.tags, spec.id) == (
        "x = 1\n",
        {"a": "b", "schedule": "weekly"},
        "20261123-060000-lenet-abcd",
    )
    for name in ("data", "epochs"):
        with pytest.raises(MlwidgetsError, match=f"no parameter '{name}' that can be changed; it has: lr, mode"):
            schedules.edit("weekly", params={name: "1"}, now=NOW)
    with pytest.raises(ScheduleError, match="only a report can be pinned"):
        schedules.edit("weekly", source="a" * 40, now=NOW)


def test_a_notebook_in_a_commit(notebook: Path, schedules: Schedules) -> None:
    def git(*arguments: str) -> str:
        user = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *user, *arguments], cwd=notebook.parent, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    (notebook.parent / "x").write_text("")
    git("add", "x")
    git("commit", "-qm", "before")
    with pytest.raises(ScheduleError, match="is not in the commit"):
        resolve_source(str(notebook), "HEAD")
    git("add", "sales.ipynb")
    git("commit", "-qm", "one")
    commit = resolve_source(str(notebook), "HEAD")
    assert commit == git("rev-parse", "HEAD")
    before = notebook.read_bytes()
    notebook.write_text("changed, and no notebook any more")
    assert content_at(notebook, commit) == before
    kept = schedules.add(of(notebook, source=commit, params={"region": "EU"}), NOW)
    assert kept.source == commit
    for wrong in ("nope", "HEAD\nHEAD", "", "--all"):
        with pytest.raises(ScheduleError, match="no commit"):
            resolve_source(str(notebook), wrong)


def test_a_table_that_cannot_be_used(store: RunStore, schedules: Schedules, notebook: Path) -> None:
    schedules.add(of(notebook), NOW)
    with sqlite3.connect(store.path / FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer mlwidgets"):
        schedules.list()
    for path in store.path.glob(f"{FILE}*"):
        path.unlink()
    (store.path / FILE).write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(StoreError, match="damaged"):
        schedules.list()


def test_the_commands(
    store: RunStore, notebook: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str, status: int = 0) -> str:
        assert cli.main(["--store", str(store.path), "schedule", *arguments]) == status
        out = capsys.readouterr()
        return out.err if status else out.out

    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert "no schedules yet" in said("list")
    shown = said("add", "sales", "--report", str(notebook), "--every", "0 7 * * 1-5", "--dry-run")
    assert (
        shown.startswith("sales: at 07:00 from Monday to Friday, Europe/Berlin\n  Mon ") or shown.count("07:00 CE") == 5
    )
    assert "no schedules yet" in said("list")
    said("add", "sales", "--report", str(notebook), "--every", "0 7 * * 1-5", "--tz", "Asia/Kolkata", "--matrix",
         "region=EU,US", "--jitter", "5m", "--until", "2190-01-31", "--retries", "2", "--retry-wait", "1h", "--missed",
         "record", "--overlap", "--paused", "--notify", "failure=mailto:me@example.org")  # fmt: skip
    (one,) = (json.loads(line) for line in said("list", "--json").splitlines())
    assert one["when"] == "at 07:00 from Monday to Friday, Asia/Kolkata"
    assert (one["jitter"], one["retry_wait"], one["enabled"]) == (300, 3600, False)
    assert one["matrix"] == [{"region": "EU"}, {"region": "US"}]
    assert one["notify"] == {"failure": ["mailto:me@example.org"]}
    assert "paused" in said("list")
    assert "0 s later" in said("resume", "sales")
    assert "at 08:00 every day" in said("edit", "sales", "--every", "0 8 * * *", "--no-overlap", "--notify", "")
    assert said("next", "sales", "--count", "3").count("08:00 IST") == 3
    assert said("tick") == ""
    assert "nothing was due yet" in said("history")
    assert "sales-2: kept, paused" in said("duplicate", "sales")
    assert "sales: paused" in said("pause", "sales")
    assert "sales: removed" in said("remove", "sales")
    assert "no schedule 'sales'; there are: sales-2" in said("tick", "sales", status=1)
    assert "is no date" in said("edit", "sales-2", "--until", "soon", status=1)
    assert "is no time" in said("edit", "sales-2", "--jitter", "-5", status=1)
    assert "is no parameter" in said("edit", "sales-2", "--param", "x", status=1)


def test_the_list_says_how_long_the_last_ones_took_and_which_edition_is_the_latest(
    store: RunStore, notebook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = Schedules(store).add(Schedule("sales", "report", {"notebook": str(notebook)}, cron="0 7 * * *"))
    with Table(store.path).open() as connection, writing(connection):
        for day, seconds in enumerate((2.0, 4.0, 8.0)):
            due = day * 86400.0
            record(connection, Firing(0, schedule.id, due, 0, "finished", started=due, ended=due + seconds))
    arguments = ["--store", str(store.path), "schedule", "list"]
    assert cli.main(arguments) == 0
    assert "▃▅█ 8 s" in capsys.readouterr().out
    assert cli.main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["durations"], told["editions"]) == ([2.0, 4.0, 8.0], {})
    run = new_run_id("sales")
    define(store, "sales", notebook=str(notebook))
    edition = {"id": run, "run": run, "state": "published"}
    folder = store.path / "reports" / "sales" / "editions" / run
    folder.mkdir(parents=True)
    (folder / "edition.json").write_text(json.dumps(edition))
    (folder / "index.html").write_text("<p>")
    (folder.parent.parent / "latest.json").write_text(json.dumps({"edition": run}))
    assert cli.main(arguments) == 0
    assert run in capsys.readouterr().out
