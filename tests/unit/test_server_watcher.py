"""Which runs of a store have news, also where a disk does not answer for a moment."""

from __future__ import annotations

import errno
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runs import annotations
from mlwidgets.runs.annotations import annotate, annotation_log
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore
from mlwidgets.server import listing, watcher
from mlwidgets.server.annotated import Annotated
from mlwidgets.server.going import Going
from mlwidgets.server.stores import Stores
from mlwidgets.server.watcher import Batch, _Watched
from tests.unit.views_support import make_run


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.delenv("MLWIDGETS_STORE", raising=False)
    monkeypatch.setattr(watcher, "CALM", 0.0)
    monkeypatch.setattr(watcher, "RETRY", 0.0)
    (tmp_path / ".mlwidgets").mkdir(mode=0o700)
    return RunStore(tmp_path / ".mlwidgets")


@pytest.fixture
def watched(store: RunStore, tmp_path: Path) -> _Watched:
    return _Watched("", Stores(tmp_path))


def settle(folder: Path) -> None:
    """Let a directory have been as it is for a while."""
    at = time.time() - 60
    os.utime(folder, (at, at))


def told(batch: Batch | None) -> tuple[set[str], set[str]]:
    return (set(batch.changed), batch.gone) if batch else (set(), set())


def broken(*_: Any, **__: Any) -> Any:
    raise OSError(errno.EIO, "no answer")


def test_a_disk_that_does_not_answer_has_lost_no_run(
    watched: _Watched, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, going = make_run(store.runs, "old"), make_run(store.runs, "going", state="running")
    assert told(watched.look()) == ({going.id}, set())
    new = make_run(store.runs, "new")
    for call in ("scandir", "stat"):
        with monkeypatch.context() as patch:
            patch.setattr(listing.os, call, broken)
            found = watched.look()
            assert watched._listing is not None
            assert watched._listing.known() == {old.id, going.id}
        assert found is None or not found.gone
    assert told(watched.look()) == ({new.id}, set())
    for run in (old, going, new):
        run.path.rename(store.path / run.id)
    store.runs.rmdir()
    assert told(watched.look()) == (set(), {old.id, going.id, new.id})


def test_what_comes_within_one_tick_of_the_clock_is_seen(watched: _Watched, store: RunStore) -> None:
    make_run(store.runs, "first")
    watched.look()
    before = store.runs.stat()
    second = make_run(store.runs, "second", state="running")
    os.utime(store.runs, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert told(watched.look()) == ({second.id}, set())
    # Once its time is old enough, the directory is not read again.
    settle(store.runs)
    watched.look()
    assert watched._time == store.runs.stat().st_mtime_ns


def test_a_run_that_cannot_be_looked_at_for_a_moment_is_kept(
    watched: _Watched, store: RunStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run, other = make_run(store.runs, state="running"), make_run(store.runs, "other", state="running")
    look = Going.look

    def sometimes(self: Going, now: float, *, fresh: bool = False) -> None:
        if self.summary.id == run.id:
            raise RuntimeError("for a moment")
        look(self, now, fresh=fresh)

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(Going, "look", sometimes)
        assert told(watched.look()) == ({other.id}, set())
        watched.look()
        assert [one.getMessage() for one in caplog.records] == [
            f"run {run.id!r} could not be looked at; it is tried again"
        ]
    assert told(watched.look()) == ({run.id}, set())


def test_a_run_that_cannot_be_read_for_a_moment_is_kept(
    watched: _Watched, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(store.runs, state="running")
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "read_spec", broken)
        assert watched.look() is None
    settle(store.runs)
    assert told(watched.look()) == ({run.id}, set())


def test_annotations_are_told_of(watched: _Watched, store: RunStore) -> None:
    one, other = make_run(store.runs, "one"), make_run(store.runs, "other")
    annotate(RunFolder(other.path), note="before")
    settle(store.runs)
    assert watched.look() is None
    annotate(RunFolder(one.path), pinned=True)
    # Nobody looks at all the runs for it.
    assert time.time() - store.runs.stat().st_mtime > 30
    batch = watched.look()
    assert told(batch) == ({one.id}, set())
    assert batch is not None
    assert batch.changed[one.id]["pinned"] is True
    assert watched.look() is None
    annotation_log(store.path).unlink()
    assert told(watched.look()) == ({one.id, other.id}, set())
    annotate(RunFolder(other.path), note="after")
    assert told(watched.look()) >= ({other.id}, set())


def test_the_log_of_annotations(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [make_run(store.runs, f"r{i}") for i in range(6)]
    names = {run.id for run in runs}
    followed = Annotated(store)

    def note(run: Run) -> None:
        annotate(RunFolder(run.path), note="n")

    note(runs[0])
    note(runs[1])
    assert followed.news(names) == {runs[0].id, runs[1].id}
    assert followed.news(names) == set()
    note(runs[1])
    note(runs[2])
    assert followed.news(names - {runs[1].id}) == {runs[2].id}
    # Deleted, and as long again before anybody looks.
    annotation_log(store.path).unlink()
    for run in (runs[0], runs[1], runs[1], runs[2]):
        note(run)
    assert followed.news(names) == {run.id for run in runs[:3]}
    # It stays small.
    monkeypatch.setattr(annotations, "LARGEST_LOG", 100)
    for run in runs:
        note(run)
    assert annotation_log(store.path).stat().st_size <= 100
    assert followed.news(names) == names
    annotation_log(store.path).unlink()
    annotation_log(store.path).mkdir()
    note(runs[0])
    assert followed.news(names) == names
