"""Objects that nothing refers to are collected, also while others submit, and whoever is killed over it."""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
import sqlite3
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from mlwidgets.errors import StoreError
from mlwidgets.housekeeping.collecting import Collected, aside, collect, put_back
from mlwidgets.housekeeping.references import References
from mlwidgets.runs import trash
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.objects import ASIDE, content_digest
from mlwidgets.runs.spec import Frozen, RunSpec
from mlwidgets.runs.store import RunStore
from tests.unit.archive_support import ended_run, killed_at

Make = Callable[..., RunFolder]
OLD = (1, 1)


def old(store: RunStore, content: bytes) -> str:
    """Put an object that nobody has put for years."""
    digest = store.put(content)
    os.utime(store.objects.path / digest, OLD)
    return digest


def age_all(store: RunStore) -> None:
    for path in store.objects.path.iterdir():
        os.utime(path, OLD)


def test_only_what_nothing_refers_to_goes(store: RunStore, new_run: Make) -> None:
    ended_run(store, new_run)
    gone = ended_run(store, new_run, "gone")
    trash.delete(store, gone)
    module = old(store, b"a module")
    new_run("module", modules=({"name": "m", "path": "m.py", "digest": module},))
    crashed = new_run("crashed")
    exception = old(store, b"an exception")
    crashed.outcome.write_text(json.dumps({"state": "failed", "error": {"exception": {"stream": exception}}}))
    report = old(store, b"a notebook")
    new_run("report", report={"notebook": report})
    edition = store.path / "reports" / "sales" / "editions" / "one"
    edition.mkdir(parents=True)
    (edition / "edition.json").write_text(json.dumps({"of": old(store, b"an edition")}))
    with sqlite3.connect(store.path / "schedules.sqlite") as table:
        table.execute("CREATE TABLE schedules (definition TEXT)")
        table.execute("INSERT INTO schedules VALUES (?)", (json.dumps({"x": "y" * 9000 + " " + old(store, b"due")}),))
    loose, new = old(store, b"nobody's"), store.put(b"somebody's in a moment")
    age_all(store)
    os.utime(store.objects.path / new)
    (store.objects.path / "0123.damaged").write_bytes(b"")
    everything = {path.name for path in store.objects.path.iterdir()}
    assert collect(store) == Collected(1, len(b"nobody's"))
    assert {path.name for path in store.objects.path.iterdir()} == everything - {loose}
    trash.remove(store, [gone.id])
    assert collect(store).objects == 2


def test_nothing_goes_where_nobody_knows(store: RunStore, new_run: Make) -> None:
    folder = ended_run(store, new_run)
    old(store, b"nobody's")
    whole = folder.spec.read_bytes()
    for path, damage in ((folder.spec, whole[: len(whole) // 2]), (folder.manifest, b"{")):
        before = path.read_bytes()
        path.write_bytes(damage)
        with pytest.raises(StoreError, match=r"lenet-abcd is damaged, so nobody knows which inputs it needs"):
            collect(store)
        path.write_bytes(before)
    (store.path / "schedules.sqlite").write_bytes(b"no table at all" * 100)
    with pytest.raises(StoreError, match=r"the schedules in .* cannot be read"):
        collect(store)
    (store.path / "schedules.sqlite").unlink()
    assert collect(store).objects == 1


def test_what_is_put_again_is_new(store: RunStore) -> None:
    digest = old(store, b"content")
    assert store.put(b"content") == digest
    assert collect(store).objects == 0
    os.utime(store.objects.path / digest, OLD)
    assert store.objects.claim(digest)
    assert collect(store).objects == 0
    os.utime(store.objects.path / digest, OLD)
    assert collect(store).objects == 1
    assert not store.objects.claim(digest)


def test_what_is_put_while_it_is_collected_stays(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the two moments that count: after it was looked at, and after it was taken aside."""
    first, second = old(store, b"first"), old(store, b"second")
    rename, put = os.rename, store.put

    def renaming(source: Path, target: Path) -> None:
        if source.name == first:
            put(b"first")
        rename(source, target)
        if source.name == second:
            put(b"second")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", renaming)
        collect(store)
    assert (store.objects.read(first), store.objects.read(second)) == (b"first", b"second")
    assert collect(store).objects == 0


def test_killed_at_any_line_everything_can_be_read(store: RunStore, new_run: Make) -> None:
    ended_run(store, new_run)
    kept = {path.name for path in store.objects.path.iterdir()}
    for line in itertools.count(1):
        loose = [old(store, f"nobody's {number}".encode()) for number in range(3)]
        killed = killed_at(line, lambda: collect(store), "/housekeeping/collecting")
        for digest in kept:
            assert content_digest(memoryview(store.objects.read(digest))) == digest
        age_all(store)
        left = aside(store)
        assert put_back(store) == len(left)
        # As new as what is put now, for somebody may have put it meanwhile.
        there = {path.name for path in store.objects.path.iterdir()}
        assert collect(store).objects == len((there & set(loose)) - set(left))
        if not killed:
            break
    assert line > 20


def test_what_was_taken_aside_is_read_all_the_same(store: RunStore) -> None:
    digest = store.put(b"content")
    os.rename(store.objects.path / digest, store.objects.path / f"{ASIDE}{digest}")
    assert store.objects.read(digest) == b"content"
    assert bytes(store.objects.map(digest)) == b"content"
    with pytest.raises(FileNotFoundError):
        store.objects.read("0" * 64)


def test_one_collects_at_a_time(store: RunStore) -> None:
    import fcntl

    fd = os.open(store.path / ".collecting.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(StoreError, match="somebody else collects inputs"):
        collect(store)
    os.close(fd)
    collect(store)


def test_a_run_that_moves_meanwhile_is_seen(store: RunStore, new_run: Make) -> None:
    references = References(store)
    folder = ended_run(store, new_run)
    references.look()
    trash.delete(store, folder)
    again = References(store)
    again.look()
    assert again.digests() == references.digests()
    # A folder that is about to appear may be half written.
    (store.runs / ".new-20261120-123010-x-abcd").mkdir()
    (store.runs / ".new-20261120-123010-x-abcd" / "spec.json").write_text('{"inputs": {"stream": "' + "a" * 64)
    again.look()
    assert "a" * 64 in again.digests()


CONTENTS, SUBMITTERS, ROUNDS = 20, 2, 12


def _submit(path: Path, number: int, turn: int, go: Event) -> None:
    """Submit as `mlwidgets.submit` does: objects first, then the run folder."""
    store = RunStore(path)
    go.wait()
    for step in range(0, CONTENTS, 2):
        which = (step + number) % CONTENTS
        stream, buffer = store.put(_content(turn, which)), store.put(_content(turn, (which + 1) % CONTENTS))
        name = f"s{number}-{step}"
        time.sleep(0.003)
        spec = RunSpec(
            id=f"20261120-{turn:06}-{name}-abcd",
            name=name,
            code="x",
            inputs=Frozen(stream, (buffer,)),
            submitted_at=1.0,
        )
        store.create_run(spec)


def _content(turn: int, which: int) -> bytes:
    return f"content {turn} {which}".encode() * 50


def _hidden(store: RunStore, content: bytes) -> Path:
    """Make an object of years ago that is not in its place yet."""
    digest = content_digest(memoryview(content))
    path = store.objects.path / f".{digest}"
    path.write_bytes(content)
    os.utime(path, OLD)
    return path


def _collect(path: Path, done: Event) -> None:
    store = RunStore(path)
    while not done.is_set():
        collect(store)


def test_submits_and_collections_at_once(store: RunStore) -> None:
    """Objects that nobody has needed for years are put at the moment in which they are collected."""
    context = multiprocessing.get_context("fork")
    done = context.Event()
    collector = context.Process(target=_collect, args=(store.path, done))
    collector.start()
    try:
        for turn in range(ROUNDS):
            go = context.Event()
            submitters = [context.Process(target=_submit, args=(store.path, n, turn, go)) for n in range(SUBMITTERS)]
            for process in submitters:
                process.start()
            waiting = [_hidden(store, _content(turn, which)) for which in range(CONTENTS)]
            go.set()
            for path in waiting:
                # Not over one that has been put meanwhile, which is new.
                with contextlib.suppress(FileExistsError):
                    os.link(path, path.with_name(path.name[1:]))
                path.unlink()
            for process in submitters:
                process.join(60)
                assert process.exitcode == 0
    finally:
        done.set()
        collector.join(60)
    assert collector.exitcode == 0
    folders = list(store.folders())
    assert len(folders) == ROUNDS * SUBMITTERS * CONTENTS // 2
    for folder in folders:
        inputs = folder.read_spec().inputs
        assert inputs is not None
        for digest in (inputs.stream, *inputs.buffers):
            assert content_digest(memoryview(store.objects.read(digest))) == digest
