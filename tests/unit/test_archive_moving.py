"""Runs that go from one store into another as archives."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mlwidgets.archives.exporting import export
from mlwidgets.archives.importing import import_runs
from mlwidgets.archives.layout import ArchiveError
from mlwidgets.archives.staging import PREFIX, finish_leftovers
from mlwidgets.cli import main
from mlwidgets.errors import ResultNotAvailable, UnknownRun
from mlwidgets.runs.alive import forget_locks, hold
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.foreign import check_trusted, read_origin, trust
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.store import RunStore
from tests.unit.archive_support import contents, ended_run, killed_at

Make = Callable[..., RunFolder]


@pytest.fixture
def other(tmp_path: Path) -> RunStore:
    store = RunStore(tmp_path / "other" / ".mlwidgets")
    store.prepare()
    return store


@pytest.fixture
def sweep(store: RunStore, new_run: Make) -> RunFolder:
    """A sweep with two trials."""
    definition = {"space": {"lr": "uniform(0, 1)"}, "objectives": [{"metric": "loss"}]}
    folder = ended_run(store, new_run, "search", sweep=definition)
    for number in range(2):
        trial = ended_run(store, new_run, f"search-{number}", trial_of=folder.id, trial=number)
        write_event(folder.events, "trial", run=trial.id, number=number, params={})
    return folder


def files_of(folder: RunFolder) -> dict[str, bytes]:
    return {str(p.relative_to(folder.path)): p.read_bytes() for p in folder.path.rglob("*") if p.is_file()}


def test_there_and_back(store: RunStore, other: RunStore, new_run: Make, tmp_path: Path) -> None:
    folder = ended_run(store, new_run)
    (folder.outputs / "empty").mkdir()
    done = export(store, ["lenet"], tmp_path / "run.zip")
    assert (done.runs, done.objects, done.left_out) == ([folder.id], 3, [])
    assert done.nbytes == (tmp_path / "run.zip").stat().st_size
    assert import_runs(other, tmp_path / "run.zip").new == (folder.id,)
    brought = RunFolder(other.runs / folder.id)
    found = files_of(brought)
    origin = json.loads(found.pop("imported.json"))
    assert found == files_of(folder)
    assert (brought.outputs / "empty").is_dir()
    assert brought.read_spec() == folder.read_spec()
    assert {p.name: p.read_bytes() for p in other.objects.path.iterdir()} == {
        p.name: p.read_bytes() for p in store.objects.path.iterdir()
    }
    assert origin["made"]["host"] == os.uname().nodename
    assert (origin["archive"], origin["trusted"]) == (str(tmp_path / "run.zip"), None)
    assert [one.state for one in RunIndex(other).summaries()] == ["finished"]


def test_the_order_is_the_same_each_time(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    ended_run(store, new_run, "b")
    ended_run(store, new_run, "a")
    export(store, ["a", "b"], tmp_path / "one.zip")
    export(store, ["b", "a", "a"], tmp_path / "two.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as one, zipfile.ZipFile(tmp_path / "two.zip") as two:
        names = one.namelist()
        assert names == two.namelist()
        assert names[:-1] == sorted(names[:-1])
        assert [i.CRC for i in one.infolist()[:-1]] == [i.CRC for i in two.infolist()[:-1]]


def test_a_sweep_brings_its_trials(store: RunStore, other: RunStore, sweep: RunFolder, tmp_path: Path) -> None:
    done = export(store, ["search"], tmp_path / "run.zip")
    assert len(done.runs) == 3
    assert set(import_runs(other, tmp_path / "run.zip").new) == {folder.id for folder in store.folders()}


def test_what_is_not_exported(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    going = new_run("going")
    hold(going.alive, "supervisor")
    try:
        with pytest.raises(ArchiveError, match="run 'going' is submitted: wait for its end or stop it"):
            export(store, ["going"], tmp_path / "run.zip")
    finally:
        forget_locks()
    with pytest.raises(UnknownRun):
        export(store, ["nobody"], tmp_path / "run.zip")
    folder = ended_run(store, new_run)
    with pytest.raises(ArchiveError, match=r"run\.zip could not be written: No such file"):
        export(store, ["lenet"], tmp_path / "nowhere" / "run.zip")
    (folder.outputs / "A").touch()
    (folder.outputs / "a").touch()
    with pytest.raises(ArchiveError, match="are one file on some disks"):
        export(store, ["lenet"], tmp_path / "run.zip")
    (folder.outputs / "A").rename(folder.outputs / "back\\slash")
    with pytest.raises(ArchiveError, match="has a backslash in its name: no archive can hold it"):
        export(store, ["lenet"], tmp_path / "run.zip")
    (folder.outputs / "back\\slash").unlink()
    folder.spec.write_text("{")
    with pytest.raises(ArchiveError, match="is damaged and cannot be exported"):
        export(store, ["lenet"], tmp_path / "run.zip")
    assert list(tmp_path.glob("*.zip")) == list(tmp_path.glob(".*.part")) == []


def test_links_are_left_out_and_not_followed(
    store: RunStore, new_run: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ended_run(store, new_run)
    (tmp_path / "secret").write_text("secret")
    (folder.outputs / "link").symlink_to(tmp_path / "secret")
    (folder.outputs / "folder").symlink_to(tmp_path)
    os.mkfifo(folder.outputs / "fifo")
    assert main(["--store", str(store.path), "export", "lenet", str(tmp_path / "run.zip")]) == 0
    assert capsys.readouterr().err.count("left out: ") == 3
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        assert [n for n in archive.namelist() if "/outputs/" in n] == [f"runs/{folder.id}/outputs/model.bin"]


def test_the_same_run_is_skipped_and_another_one_refused(
    store: RunStore, other: RunStore, sweep: RunFolder, tmp_path: Path
) -> None:
    export(store, ["search"], tmp_path / "run.zip")
    first = import_runs(other, tmp_path / "run.zip")
    before = contents(other)
    again = import_runs(other, tmp_path / "run.zip")
    assert (again.new, again.there) == ((), first.new)
    assert contents(other) == before
    # Part of it is there: the rest is brought.
    shutil.rmtree(other.runs / first.new[1])
    assert import_runs(other, tmp_path / "run.zip").new == (first.new[1],)
    shutil.rmtree(other.runs / first.new[1])
    (other.runs / first.new[0] / "outputs" / "model.bin").write_bytes(b"changed")
    before = contents(other)
    with pytest.raises(ArchiveError, match="has another run"):
        import_runs(other, tmp_path / "run.zip")
    assert contents(other) == before


def test_an_archive_made_of_an_imported_run_trusts_nobody(
    store: RunStore, other: RunStore, new_run: Make, tmp_path: Path
) -> None:
    folder = ended_run(store, new_run)
    export(store, ["lenet"], tmp_path / "run.zip")
    import_runs(other, tmp_path / "run.zip")
    assert trust(RunFolder(other.runs / folder.id))
    export(other, ["lenet"], tmp_path / "again.zip")
    third = RunStore(tmp_path / "third" / ".mlwidgets")
    import_runs(third, tmp_path / "again.zip")
    with pytest.raises(ResultNotAvailable, match="came from elsewhere"):
        check_trusted(RunFolder(third.runs / folder.id))


def test_trust(store: RunStore, new_run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ended_run(store, new_run)
    check_trusted(folder)
    assert read_origin(folder) is None
    assert not trust(folder)
    for damaged in ("", "[]", "{", '{"trusted": true}', '{"made": {"host": "\\u001b[31m"}}'):
        folder.imported.write_text(damaged)
        with pytest.raises(ResultNotAvailable, match="run 'lenet' came from elsewhere") as raised:
            check_trusted(folder)
        assert "\x1b" not in str(raised.value)
    assert main(["--store", str(store.path), "trust", "lenet"]) == 0
    check_trusted(folder)
    assert "trusted" in capsys.readouterr().out


def test_killed_at_any_line_it_is_whole_or_not_there(
    store: RunStore, other: RunStore, sweep: RunFolder, tmp_path: Path
) -> None:
    export(store, ["search"], tmp_path / "run.zip")
    ids = {folder.id for folder in store.folders()}
    clean = tmp_path / "clean"
    shutil.copytree(other.path, clean)
    line, seen = 0, set[int]()
    while True:
        # Every line while runs are put in their places.
        line += 1 if len(seen) > 1 and len(ids) not in seen else 9
        shutil.rmtree(other.path)
        shutil.copytree(clean, other.path)
        if not killed_at(
            line, lambda: import_runs(other, tmp_path / "run.zip"), "/archives/importing", "/archives/staging"
        ):
            break
        visible = {folder.id for folder in other.folders()}
        seen.add(len(visible))
        for run_id in visible:
            found = files_of(RunFolder(other.runs / run_id))
            assert read_origin(RunFolder(other.runs / run_id))
            assert {name: data for name, data in found.items() if name != "imported.json"} == files_of(
                RunFolder(store.runs / run_id)
            )
            for digest in footprint_of(other, run_id):
                assert digest in other.objects
        done = import_runs(other, tmp_path / "run.zip")
        assert {*done.new, *done.there} == ids == {folder.id for folder in other.folders()}
        assert not list(other.path.glob(f"{PREFIX}*"))
    assert {folder.id for folder in other.folders()} == ids
    assert 0 in seen
    assert len(seen) > 1


def footprint_of(store: RunStore, run_id: str) -> set[str]:
    folder = RunFolder(store.runs / run_id)
    spec = folder.read_spec()
    assert spec.inputs is not None
    manifest = json.loads(folder.manifest.read_bytes())
    return {spec.inputs.stream, *spec.inputs.buffers, manifest["frozen"]["stream"]}


def test_an_import_that_goes_on_is_no_leftover(other: RunStore) -> None:
    from mlwidgets.archives.staging import staging

    with staging(other) as place:
        assert finish_leftovers(other) == 0
        assert place.exists()
    assert not place.exists()


def test_an_export_that_was_killed_leaves_the_old_archive(store: RunStore, new_run: Make, tmp_path: Path) -> None:
    ended_run(store, new_run)
    target = tmp_path / "run.zip"
    export(store, ["lenet"], target)
    before = target.read_bytes()
    for line in (20, 40, 60, 80):
        assert killed_at(line, lambda: export(store, ["lenet"], target), "/archives/exporting")
        assert target.read_bytes() == before
    export(store, ["lenet"], target)
    assert list(tmp_path.glob(".*.part")) == []
