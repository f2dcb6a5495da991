"""Schedules as files of other systems: due at the same times, safe for any name, accepted by the validators."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from cronsim import CronSim

from mlwidgets.commands.schedule_export import add_export
from mlwidgets.errors import ScheduleError
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.exporting.cron import crontab
from mlwidgets.schedules.exporting.github import lines_in_utc, workflows
from mlwidgets.schedules.exporting.kubernetes import cronjobs
from mlwidgets.schedules.exporting.plan import Plan
from mlwidgets.schedules.exporting.systemd import units
from mlwidgets.schedules.exporting.times import after_gaps, as_calendar, as_cron, read_times
from mlwidgets.schedules.exporting.validating import validate
from mlwidgets.schedules.schedule import Schedule
from mlwidgets.schedules.times import following
from mlwidgets.schedules.timetable import Schedules

NOW = datetime(2026, 12, 1, 0, 0, 30, tzinfo=UTC)
CRONS = [
    "0 7 * * 1-5",
    "30 2 * * *",
    "*/15 9-17 * * mon,wed,5",
    "0 0 1,15 * 1",
    "0 12 29 2 *",
    "59 23 31 12 *",
    "0 3 * * 7",
    "0 0 * * sun",
]
FANCY = ["0 0 L * *", "0 9 * * 5L", "15 6 * * 1#2", "5 4 */2 * 1", "0 0 * * 1#1,3#5", "0 5 L,10 3-6 *"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]


def due(cron: str, timezone: str, days: int = 400, most: int | None = None) -> list[float]:
    end = (NOW + timedelta(days=days)).timestamp()
    return list(islice(takewhile(lambda at: at < end, following(cron, timezone, NOW.timestamp())), most))


def elapses(event: str, count: int) -> set[float]:
    """When systemd says that a calendar event elapses."""
    command = [
        "systemd-analyze",
        "calendar",
        f"--base-time={NOW:%Y-%m-%d %H:%M:%S} UTC",
        f"--iterations={count}",
        event,
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}).stdout
    found = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\d+-\d+-\d+ \d+:\d+:\d+) UTC", said)
    return {datetime.strptime(one, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp() for one in found}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd itself says when its events elapse")
@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("cron", CRONS + FANCY)
def test_systemd_elapses_when_a_schedule_is_due(cron: str, timezone: str) -> None:
    times = read_times(cron)
    count = 60
    wanted = due(cron, timezone, 2000, count)
    events = as_calendar(times, timezone)
    found = sorted(set().union(*(elapses(event, count) for event in events)))
    # What systemd leaves out is in an hour that the clock leaps over, and there the further events are.
    further = [event for one in after_gaps(times, timezone, NOW) for event in as_calendar(read_times(one), timezone)]
    found_too = set().union(set(), *(elapses(event, 200) for event in further))
    end = min(found[-1], wanted[-1])
    assert {at for at in wanted if at <= end} - set(found) <= found_too
    assert {at for at in found if at <= end} <= set(wanted)
    assert len(found) > 3


def test_a_time_that_the_clock_leaps_over_has_a_further_call() -> None:
    assert after_gaps(read_times("30 2 * * *"), "Europe/Berlin", NOW) == ["0 3 * * *"]
    assert after_gaps(read_times("0 7 * * *"), "Europe/Berlin", NOW) == []
    assert after_gaps(read_times("15 2 * * *"), "Australia/Lord_Howe", NOW) == ["30 2 * * *"]
    assert after_gaps(read_times("30 2 * * *"), "Asia/Kolkata", NOW) == []


@pytest.mark.parametrize("cron", CRONS)
def test_five_fields_of_others_are_due_at_the_same_times(cron: str) -> None:
    assert due(as_cron(read_times(cron)), "UTC", 1500, 200) == due(cron, "UTC", 1500, 200)


@pytest.mark.parametrize("cron", FANCY)
def test_what_others_read_in_another_way_is_refused(cron: str) -> None:
    with pytest.raises(ScheduleError, match="more than other crons understand"):
        as_cron(read_times(cron))


@pytest.mark.parametrize("timezone", ZONES)
@pytest.mark.parametrize("cron", ["0 7 * * 1-5", "*/30 9-11 * * *", "45 23 * * 6", "5 0 * * 1", "0 12 1 * *"])
def test_github_starts_at_the_time_of_the_zone_all_year(cron: str, timezone: str) -> None:
    if cron == "0 12 1 * *" and timezone == "Pacific/Apia":
        with pytest.raises(ScheduleError, match="choose another time"):
            lines_in_utc(read_times(cron), timezone, NOW, "x")
        return
    from zoneinfo import ZoneInfo

    started = set()
    for line, offsets in lines_in_utc(read_times(cron), timezone, NOW, "x").items():
        end = NOW + timedelta(days=400)
        for moment in takewhile(lambda at: at < end, CronSim(line, NOW)):
            # The guard in the workflow asks the same.
            if moment.astimezone(ZoneInfo(timezone)).utcoffset() in offsets:
                started.add(moment.timestamp())
    assert sorted(started) == due(cron, timezone)


@pytest.fixture
def hostile(tmp_path: Path) -> RunStore:
    """A store in a folder whose name is made to break out of quotes."""
    project = tmp_path / 'it\'s 100% $HOME $(x) ${{ y }} "q" `b` \\n;&ü'
    project.mkdir()
    store = RunStore(project / ".mlwidgets")
    store.prepare()
    (project / ".git").mkdir()
    return store


def schedule(store: RunStore, name: str = "sales", **fields: Any) -> Schedule:
    target = {"notebook": str(store.path.parent / "sub dir" / "sales ü.ipynb")}
    return Schedule(name, "report", target, **{"cron": "30 2 * * 1-5", "timezone": "Europe/Berlin", **fields})


def plan(store: RunStore, *schedules: Schedule, chosen: bool = True) -> Plan:
    return Plan(store.path, schedules or (schedule(store),), chosen)


def words(store: RunStore, *names: str) -> list[str]:
    ticking = ["tick-and-wait", *names] if names else ["tick"]
    return ["-P", "-m", "mlwidgets.cli", "--store", str(store.path), "schedule", *ticking]


@pytest.mark.parametrize("chosen", [True, False])
def test_cron_calls_a_tick_whatever_the_folder_is_called(
    chosen: bool, hostile: RunStore, tmp_path: Path, monkeypatch
) -> None:
    python = tmp_path / "a python's"
    python.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    (text,) = crontab(plan(hostile, chosen=chosen)).values()
    (line,) = [one for one in text.splitlines() if one and not one.startswith(("#", "CRON_TZ"))]
    assert ("CRON_TZ=Europe/Berlin\n30 2 * * 1-5 " in text) == chosen
    command = line.split(maxsplit=5)[5]
    # As cron does: the first bare % would end the command.
    assert "%" not in command.replace("\\%", "")
    said = subprocess.run(["/bin/sh", "-c", command.replace("\\%", "%")], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == words(hostile, *(["sales"] if chosen else []))


@pytest.mark.parametrize("chosen", [True, False])
def test_systemd_units(chosen: bool, hostile: RunStore) -> None:
    files = units(plan(hostile, chosen=chosen))
    service, timer = files.values()
    (line,) = [one for one in service.splitlines() if one.startswith("ExecStart=")]
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    found = [re.sub(r"\\(.)", r"\1", one).replace("%%", "%").replace("$$", "$") for one in quoted]
    assert found == [sys.executable, *words(hostile, *(["sales"] if chosen else []))]
    assert not re.search(r"(?<!%)%(?:%%)*(?![%h])", service.replace("%h", ""))
    events = [one.partition("=")[2] for one in timer.splitlines() if one.startswith("OnCalendar")]
    own = ["Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 Europe/Berlin", "*-*-* 03:00:00 Europe/Berlin"]
    assert events == (own if chosen else ["*-*-* *:*:00"])
    assert "KillMode=process" in service
    for verdict in validate("systemd", files):
        assert verdict.problem is None


def test_kubernetes_jobs(hostile: RunStore) -> None:
    waiting = schedule(hostile, "after-sales", cron=None, after="sales")
    jittery = schedule(hostile, "Jitter_y.1", jitter=60.0)
    (file,) = cronjobs(plan(hostile, schedule(hostile), waiting, jittery)).items()
    jobs = list(yaml.safe_load_all(file[1]))
    assert [(one["spec"]["schedule"], one["spec"]["timeZone"]) for one in jobs] == [
        ("30 2 * * 1-5", "Europe/Berlin"),
        ("0 3 * * *", "Europe/Berlin"),
        ("*/5 * * * *", "Europe/Berlin"),
        ("*/5 * * * *", "Europe/Berlin"),
    ]
    names = [one["metadata"]["name"] for one in jobs]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= 52 for name in names)
    spec = jobs[0]["spec"]
    assert (spec["concurrencyPolicy"], spec["startingDeadlineSeconds"]) == ("Forbid", 3600)
    container = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    command = [word.replace("$$", "$") for word in container["command"]]
    assert command == ["mlwidgets", *words(hostile, "sales")[3:]]
    assert container["volumeMounts"][0]["mountPath"] == str(hostile.path.parent)
    for verdict in validate("kubernetes", dict([file])):
        assert verdict.problem is None


def test_a_workflow_executes_the_notebook_of_the_repository(hostile: RunStore) -> None:
    project = hostile.path.parent
    (project / "pyproject.toml").write_text(
        "[tool.mlwidgets]\nsecrets = ['DB_PASSWORD']\nsmtp = {server = 'mail', password = '$SMTP_PASSWORD'}\n"
    )
    value = "'a\"$(rm) ${{ secrets.X }} %s `x`'"
    one = schedule(
        hostile,
        params={"region": value},
        matrix=({"n": "1"}, {"n": "2"}),
        notify={"failure": ["slack:$SLACK_HOOK", "mailto:a@example.org"]},
    )
    files = workflows(plan(hostile, one))
    ((_, text),) = files.items()
    document = yaml.safe_load(text)
    assert [line["cron"] for line in document[True]["schedule"]] == ["30 1 * * 1-5", "30 0 * * 1-5"]
    guard, *steps = document["jobs"]["report"]["steps"]
    runs = [step for step in steps if "mlwidgets report" in step.get("run", "")]
    for number, step in enumerate(runs, 1):
        # As GitHub does: an expression is replaced by its value, here the text of its beginning.
        command = step["run"].replace("${{ '${{' }}", "${{")
        assert step["run"].count("${{") == 2 * step["run"].count("${{ '${{' }}")
        given = [f"--param=region={value}", f"--param=n={number}"]
        said = ["mlwidgets", "report", "run", "--name", f"sales-{number}", *given, "--", "sub dir/sales ü.ipynb"]
        assert shlex.split(command) == said
        assert set(step["env"]) == {"DB_PASSWORD", "SMTP_PASSWORD", "SLACK_HOOK"}
        assert step["env"]["SLACK_HOOK"] == "${{ secrets.SLACK_HOOK }}"
    assert len(runs) == 2
    assert all(step["if"].endswith("steps.due.outputs.now == 'true'") for step in steps)
    assert _guarded(guard["run"]) == [True, False] or _guarded(guard["run"]) == [False, True]
    for verdict in validate("github-actions", files):
        assert verdict.problem is None


def _guarded(script: str) -> list[bool]:
    """Whether the guard lets each line pass today; by hand it always does."""
    found = []
    for line in ("30 1 * * 1-5", "30 0 * * 1-5", ""):
        environment = {**os.environ, "LINE": line, "GITHUB_OUTPUT": "/dev/stdout"}
        said = subprocess.run(["bash", "-e", "-c", script], env=environment, capture_output=True, text=True, check=True)
        found.append("now=true" in said.stdout)
    assert found.pop()
    return found


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kolkata"])
def test_where_the_clock_never_changes_a_workflow_needs_no_guard(timezone: str, hostile: RunStore) -> None:
    (text,) = workflows(plan(hostile, schedule(hostile, timezone=timezone, cron="0 7 * * *"))).values()
    assert "due" not in text
    assert f'- cron: "{"0 7" if timezone == "UTC" else "30 1"} * * *"' in text


@pytest.mark.parametrize("write", [crontab, units])
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cron": None, "after": "x"}, "sales has no times of its own: export without names"),
        ({"jitter": 5.0}, "by chance"),
    ],
)
def test_what_has_no_times_of_its_own_needs_the_tick(
    write: Any, fields: dict[str, Any], said: str, hostile: RunStore
) -> None:
    with pytest.raises(ScheduleError, match=said):
        write(plan(hostile, schedule(hostile, **fields)))


@pytest.mark.parametrize(
    ("write", "fields", "said"),
    [
        (crontab, {"cron": "0 0 L * *"}, "cron does not know last and nth days"),
        (units, {"cron": "0 0 LW * *"}, "no words for the last working day"),
        (cronjobs, {"cron": "0 0 * * 5L"}, "sales: its days"),
        (workflows, {"cron": "0 0 1 * *"}, "choose another time, or the time zone UTC"),
        (workflows, {"kind": "run", "target": {"run": "x"}}, "GitHub has none"),
        (workflows, {"target": {"notebook": "/nowhere/at/all.ipynb"}}, "is in no git repository"),
        (workflows, {"params": {"a": "'\n'"}}, "characters that no file of another system takes"),
    ],
)
def test_what_a_system_cannot_say_is_refused_in_one_line(write: Any, fields, said: str, hostile: RunStore) -> None:
    from dataclasses import replace

    with pytest.raises(ScheduleError, match=said) as raised:
        write(plan(hostile, replace(schedule(hostile), **fields)))
    assert "\n" not in str(raised.value)


def test_a_folder_that_no_line_can_hold_is_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "two\nlines" / ".mlwidgets")
    for write in (crontab, units, cronjobs):
        with pytest.raises(ScheduleError, match="characters"):
            write(plan(store))


@pytest.mark.parametrize(
    ("system", "files"),
    [
        ("cron", {"a.cron": "CRON_TZ=Europe/Berlin\n61 * * * * true\n"}),
        ("cron", {"a.cron": "CRON_TZ=Europe/Berlín\n0 * * * * true\n"}),
        ("kubernetes", {"a.yaml": "kind: CronJob\nspec: [\n"}),
        ("kubernetes", {"a.yaml": "kind: CronJob\nspec: {}\n"}),
        ("github-actions", {"a.yml": "on: {schedule: [{cron: 0 99 * * *}]}\njobs: {}\n"}),
    ],
)
def test_what_is_broken_is_refused(system: str, files: dict[str, str]) -> None:
    assert any(verdict.problem for verdict in validate(system, files))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="it is the validator")
def test_systemd_refuses_a_broken_unit() -> None:
    service = "[Service]\nType=oneshot\nExecStart=relative\n"
    timer = "[Timer]\nOnCalendar=*-*-* 99:00:00\n"
    problems = [one.problem for one in validate("systemd", {"mlw.service": service, "mlw.timer": timer})]
    assert all(problems)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="it is the validator")
def test_kubectl_refuses_a_wrong_type_without_a_cluster(hostile: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/dev/null")
    ((name, text),) = cronjobs(plan(hostile)).items()
    broken = text.replace("startingDeadlineSeconds: 3600", 'startingDeadlineSeconds: "soon"')
    by = {one.by: one.problem for one in validate("kubernetes", {name: broken})}
    assert "startingDeadlineSeconds" in str(by["kubectl --local (no cluster is reached)"])


def export(store: RunStore, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path)
    add_export(parser.add_subparsers())
    options = parser.parse_args(["--store", str(store.path), "export", *arguments])
    status: int = options.action(options)
    return status


@pytest.mark.parametrize("system", ["cron", "systemd", "kubernetes", "github-actions"])
def test_the_command_writes_files_and_says_who_checked_them(
    system: str, hostile: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = hostile.path.parent / "sales.ipynb"
    cells = [{"cell_type": "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": None, "id": "a"}]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    schedules = Schedules(hostile)
    schedules.add(
        Schedule("sales", "report", {"notebook": str(notebook)}, cron="0 7 * * 1-5", timezone="Europe/Berlin")
    )
    schedules.add(Schedule("paused", "report", {"notebook": str(notebook)}, cron="0 8 * * *", timezone="UTC"))
    schedules.pause("paused")
    assert export(hostile, "--to", system, "-o", str(tmp_path / "out" / "deep")) == 0
    out, err = capsys.readouterr()
    written = [Path(line) for line in out.splitlines()]
    assert sorted(written) == sorted((tmp_path / "out" / "deep").iterdir())
    assert "passed" in err
    assert "refused" not in err
    assert not any("paused" in path.read_text() for path in written)
    assert export(hostile, "--to", system, "sales") == 0
    out, _ = capsys.readouterr()
    assert "sales" in out
    with pytest.raises(ScheduleError):
        export(hostile, "--to", system, "nothing")


def test_there_may_be_nothing_to_export(hostile: RunStore) -> None:
    with pytest.raises(ScheduleError, match="there is nothing to export"):
        export(hostile, "--to", "cron")


@pytest.mark.parametrize("names", [(), ("sales",)])
def test_the_command_line_knows_what_the_files_call(names: tuple[str, ...], hostile: RunStore) -> None:
    from mlwidgets.cli import _parser

    options = _parser().parse_args(words(hostile, *names)[3:])
    assert options.names == list(names)
    assert options.action.__name__ == ("_tick_and_wait" if names else "_tick")
