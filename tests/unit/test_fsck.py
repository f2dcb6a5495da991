"""A store that is looked through: what is damaged is named, and what can be is put right without losing any of it."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from mlwidgets.archives.exporting import export
from mlwidgets.archives.importing import import_runs
from mlwidgets.cli import main
from mlwidgets.housekeeping.checking import check
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.journal import RECORD_FORMAT, metric_key, read_lines, write_event
from mlwidgets.runs.objects import ASIDE
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Provenance
from mlwidgets.runs.store import RunStore
from tests.unit.archive_support import contents, ended_run, killed_at

Make = Callable[..., RunFolder]


@pytest.fixture
def folder(store: RunStore, new_run: Make) -> RunFolder:
    """A run of which all is well."""
    made = ended_run(store, new_run)
    write_event(made.events, "metric", name="loss")
    made.metrics.write_bytes(struct.pack(RECORD_FORMAT, metric_key("loss"), 0, 1.0, 0.5) * 3)
    return made


def found(store: RunStore, *, repair: bool = False, deep: bool = False) -> dict[str, str]:
    return {one.where: one.what for one in check(store, repair=repair, deep=deep)}


def repaired(store: RunStore) -> None:
    """Repair, and see that all is well then."""
    left = [str(one) for one in check(store, repair=True) if not one.repaired]
    assert left == []
    assert found(store) == {}


def test_all_is_well(store: RunStore, folder: RunFolder, new_run: Make) -> None:
    new_run("going", submitted_at=1.0)
    RunIndex(store).summaries()
    before = contents(store)
    assert {where: what for where, what in found(store, deep=True).items() if "-going-" not in where} == {}
    assert contents(store) == before


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("spec.json", b"{", "cannot be read"),
        ("spec.json", b'{"format": 99}', "cannot be read"),
        ("result/manifest.json", b"{", "the result is lost"),
        ("imported.json", b"{", "cannot be read"),
    ],
)
def test_what_is_lost_is_named_and_left(
    store: RunStore, folder: RunFolder, name: str, content: bytes, says: str
) -> None:
    (folder.path / name).write_bytes(content)
    for repair in (False, True):
        assert says in found(store, repair=repair)[f"runs/{folder.id}/{name}"]
        assert (folder.path / name).read_bytes() == content


def test_a_file_that_is_gone(store: RunStore, folder: RunFolder) -> None:
    folder.code.unlink()
    assert list(found(store)) == [f"runs/{folder.id}/spec.json"]
    folder.spec.unlink()
    assert found(store) == {f"runs/{folder.id}/spec.json": "spec.json is missing"}


def test_torn_records_are_kept_beside(store: RunStore, folder: RunFolder) -> None:
    whole = folder.metrics.read_bytes()
    folder.metrics.write_bytes(whole + b"torn end")
    assert found(store) == {f"runs/{folder.id}/metrics.bin": "8 bytes of a torn record at the end"}
    repaired(store)
    assert folder.metrics.read_bytes() == whole
    assert (folder.path / "metrics.bin.damaged").read_bytes() == b"torn end"
    assert Run(folder.path).last_values() == {"loss": 0.5}


def test_records_that_mean_nothing_are_named(store: RunStore, folder: RunFolder) -> None:
    records = struct.pack(RECORD_FORMAT, 7, 0, 1.0, 0.5) + struct.pack(
        RECORD_FORMAT, metric_key("loss"), 0, float("nan"), 1
    )
    folder.metrics.write_bytes(records)
    told = [str(one) for one in check(store, repair=True)]
    assert len(told) == 2
    assert "1 of 2 records are of metrics that events.jsonl does not name" in told[0]
    assert "1 of 2 records have no time" in told[1]
    assert folder.metrics.read_bytes() == records


@pytest.mark.parametrize("name", ["events.jsonl", "displays.jsonl", "media.jsonl"])
def test_torn_lines_are_kept_beside(store: RunStore, folder: RunFolder, name: str) -> None:
    path = folder.path / name
    write_event(path, "first")
    whole = list(read_lines(path))
    path.write_bytes(path.read_bytes() + b'{"event": "to\n')
    write_event(path, "last")
    path.write_bytes(path.read_bytes() + b'{"event": "torn at the e')
    assert found(store) == {f"runs/{folder.id}/{name}": "2 torn or damaged lines"}
    repaired(store)
    assert [e["event"] for e in read_lines(path)] == [*(e["event"] for e in whole), "last"]
    assert path.with_name(f"{name}.damaged").read_bytes() == b'{"event": "to\n{"event": "torn at the e\n'


def test_an_outcome_that_says_nothing(store: RunStore, folder: RunFolder) -> None:
    folder.outcome.write_bytes(b'{"state"')
    os.utime(folder.spec, (1, 1))
    assert found(store) == {f"runs/{folder.id}/outcome.json": "does not say how the run ended"}
    repaired(store)
    assert (folder.path / "outcome.json.damaged").read_bytes() == b'{"state"'
    assert Run(folder.path).state == "killed"


def test_a_run_that_died_without_a_word(store: RunStore, new_run: Make) -> None:
    folder = new_run("dead")
    os.utime(folder.spec, (1, 1))
    assert "is missing: " in found(store)[f"runs/{folder.id}/outcome.json"]
    assert not folder.outcome.exists()
    repaired(store)
    assert Run(folder.path).state == "killed"


@pytest.mark.parametrize("name", ["annotations.json", "environment.json", "executed.json", "snapshot.json"])
def test_what_can_be_done_without_is_put_aside(store: RunStore, folder: RunFolder, name: str) -> None:
    (folder.path / name).write_bytes(b"{")
    repaired(store)
    assert (folder.path / f"{name}.damaged").read_bytes() == b"{"
    (folder.path / name).write_bytes(b"[")
    repaired(store)
    assert (folder.path / f"{name}.damaged.1").read_bytes() == b"["


def test_objects(store: RunStore, folder: RunFolder) -> None:
    stream = store.objects.path / folder.read_spec().inputs.stream  # type: ignore[union-attr]
    content = stream.read_bytes()
    stream.chmod(0o600)
    stream.write_bytes(b"X" + content[1:])
    assert found(store) == {}
    told = found(store, deep=True)
    assert told[f"objects/{stream.name}"] == "is not what its name says"
    assert f"an input is damaged: objects/{stream.name}" in told[f"runs/{folder.id}/spec.json"]
    found(store, deep=True, repair=True)
    assert stream.with_name(f"{stream.name}.damaged").read_bytes() == b"X" + content[1:]
    assert f"an input is missing: objects/{stream.name}" in found(store)[f"runs/{folder.id}/spec.json"]
    store.put(content)
    assert found(store, deep=True) == {}


def test_what_a_collector_was_killed_over(store: RunStore, folder: RunFolder) -> None:
    stream = store.objects.path / folder.read_spec().inputs.stream  # type: ignore[union-attr]
    stream.rename(stream.with_name(f"{ASIDE}{stream.name}"))
    assert f"objects/{stream.name}" in found(store)
    repaired(store)
    assert stream.exists()


def test_what_killed_submits_have_left(store: RunStore, folder: RunFolder, new_run: Make) -> None:
    me = Provenance(
        cwd="/", executable="python", python="3", host=os.uname().nodename, user="me", kernel_pid=os.getpid()
    )
    alive = new_run("alive", provenance=me)
    (begun := store.runs / f".new-{alive.id}").mkdir()
    (begun / "spec.json").write_bytes(alive.spec.read_bytes())
    (store.runs / ".new-young").mkdir()
    (store.objects.path / ".0123456789abcdef.01234567").touch()
    dead = store.runs / ".new-dead"
    dead.mkdir()
    (dead / "spec.json").write_text(
        begun.joinpath("spec.json").read_text().replace(f'"kernel_pid": {os.getpid()}', '"kernel_pid": 4194304999')
    )
    old, half = store.runs / ".new-old", store.objects.path / ".0123456789abcdef.76543210"
    old.mkdir()
    half.touch()
    for path in (old, half):
        os.utime(path, (1, 1))
    told = {where for where in found(store) if "-alive-" not in where}
    assert told == {"runs/.new-dead", "runs/.new-old", f"objects/{half.name}"}
    found(store, repair=True)
    assert {path.name for path in store.runs.iterdir() if path.name.startswith(".")} == {begun.name, ".new-young"}
    assert not half.exists()


def test_an_import_that_was_killed(store: RunStore, folder: RunFolder, tmp_path: Path) -> None:
    export(store, ["lenet"], tmp_path / "run.zip")
    other = RunStore(tmp_path / "other" / ".mlwidgets")
    other.prepare()
    assert killed_at(30, lambda: import_runs(other, tmp_path / "run.zip"), "/archives/importing")
    assert list(found(other).values()) == ["an import was killed"]
    repaired(other)


def test_the_index(store: RunStore, folder: RunFolder, new_run: Make) -> None:
    gone = ended_run(store, new_run, "gone")
    assert len(RunIndex(store).summaries()) == 2
    for path in sorted(gone.path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    gone.path.rmdir()
    assert found(store) == {"index.sqlite": "knows 1 runs that are gone"}
    repaired(store)
    (store.path / "index.sqlite").write_bytes(b"no table at all" * 1000)
    assert "is damaged" in found(store)["index.sqlite"]
    repaired(store)
    assert list(RunIndex(store).kept()) == [folder.id]


def test_reports(store: RunStore) -> None:
    report = store.path / "reports" / "sales"
    editions = [f"2026112{day}-120000-sales-abcd" for day in range(3)]
    for one, state in zip(editions, ("published", "published", "failed"), strict=True):
        (report / "editions" / one).mkdir(parents=True)
        (report / "editions" / one / "edition.json").write_text(json.dumps({"state": state}))
        (report / "editions" / one / "index.html").touch()
    (report / "definition.json").write_text("{}")
    latest = report / "latest.json"
    for told in (None, "{", "{}", '{"edition": "nonsense"}', json.dumps({"edition": editions[2]})):
        latest.unlink(missing_ok=True)
        if told is not None:
            latest.write_text(told)
        assert list(found(store)) == ["reports/sales/latest.json"]
        repaired(store)
        assert json.loads(latest.read_text()) == {"edition": editions[1]}
    (report / "editions" / ".new-half").mkdir()
    repaired(store)
    (report / "editions" / editions[0] / "index.html").unlink()
    (report / "editions" / editions[2] / "edition.json").write_text("{")
    (report / "definition.json").write_text("{")
    assert len(found(store, repair=True)) == 3


def test_schedules(store: RunStore) -> None:
    from mlwidgets.schedules.table import Table

    table = Table(store.path)
    with table.open() as connection:
        connection.execute("INSERT INTO schedules (id, name, definition, enabled) VALUES ('a', 'daily', '{', 1)")
    assert "the schedule 'daily' cannot be read" in found(store, repair=True)["schedules.sqlite"]
    table.path.write_bytes(b"no table at all" * 1000)
    for name in ("-wal", "-shm"):
        table.path.with_name(table.path.name + name).unlink(missing_ok=True)
    assert "is damaged" in found(store, repair=True)["schedules.sqlite"]
    with pytest.raises(sqlite3.DatabaseError), sqlite3.connect(table.path) as raw:
        raw.execute("SELECT * FROM schedules")


def test_the_trash(store: RunStore) -> None:
    trash = store.path / "trash"
    (trash / ".old-half").mkdir(parents=True)
    (trash / "20261120-123010-lenet-abcd").mkdir()
    (trash / "file").touch()
    assert len(found(store)) == 3
    assert len(found(store, repair=True)) == 3
    assert set(found(store)) == {"trash/20261120-123010-lenet-abcd", "trash/file"}


def test_killed_at_any_line_a_repair_loses_nothing(store: RunStore, folder: RunFolder) -> None:
    whole, events = folder.metrics.read_bytes(), folder.events.read_bytes()
    for line in range(1, 2000, 9):
        for path in folder.path.glob("*.damaged*"):
            path.unlink()
        folder.metrics.write_bytes(whole + b"torn")
        folder.events.write_bytes(events + b"torn line")
        killed = killed_at(line, lambda: list(check(store, repair=True)), "/housekeeping/folders")
        repaired(store)
        assert folder.metrics.read_bytes() == whole
        assert folder.events.read_bytes() == events
        assert (folder.path / "metrics.bin.damaged").read_bytes() == b"torn"
        assert (folder.path / "events.jsonl.damaged").read_bytes() == b"torn line\n"
        if not killed:
            break
    assert not killed
    assert line > 30


def test_the_command(store: RunStore, folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    call = ("--store", str(store.path), "fsck")
    assert main(call) == 0
    assert capsys.readouterr().out == "all is well\n"
    folder.metrics.write_bytes(b"torn")
    assert main(call) == 1
    assert "1 found, 1 left; --repair repairs what can be" in capsys.readouterr().out
    assert main([*call, "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "where": f"runs/{folder.id}/metrics.bin",
        "what": "4 bytes of a torn record at the end",
        "done": None,
    }
    assert main([*call, "--repair"]) == 0
    assert "repaired: moved to metrics.bin.damaged" in capsys.readouterr().out
    assert main(call) == 0
