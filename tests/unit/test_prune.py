"""Which runs may go, which never do, and what is left when somebody is killed over it."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.cli import main
from mlwidgets.errors import ParameterError
from mlwidgets.housekeeping.amounts import read_size, read_span, size_words
from mlwidgets.housekeeping.pruning import Rule, plan, prune
from mlwidgets.runs.alive import forget_locks, hold
from mlwidgets.runs.annotations import annotate
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.index import RunIndex
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.spec import Resources
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.runs.trash import restore
from tests.unit.archive_support import ended_run, killed_at

Make = Callable[..., RunFolder]
DAY = 86400.0


@pytest.fixture
def done(new_run: Make) -> Make:
    def make(name: str, *, days: float = 100, state: str = "finished", **fields: Any) -> RunFolder:
        folder = new_run(name, **fields)
        ended = time.time() - days * DAY
        write_outcome(folder, Outcome(state, None, ended - 1, ended, 0), flush=False)
        return folder

    return make


def going(store: RunStore, rule: Rule) -> set[str]:
    return {one.name for one in plan(store, rule).runs}


def test_by_age_size_and_state(store: RunStore, done: Make) -> None:
    done("old")
    done("young", days=1)
    (done("large").outputs / "model").write_bytes(b"x" * 50_000)
    done("failed", state="failed")
    done("killed", days=2, state="killed")
    assert going(store, Rule()) == set()
    assert going(store, Rule(older_than=90 * DAY)) == {"old", "large", "failed"}
    assert going(store, Rule(larger_than=40_000)) == {"large"}
    assert going(store, Rule(states=frozenset({"failed", "killed"}))) == {"failed", "killed"}
    assert going(store, Rule(older_than=90 * DAY, states=frozenset({"failed", "killed"}))) == {"failed"}
    with pytest.raises(ParameterError, match="'running' is no state in which runs end: failed, finished, killed"):
        Rule(states=frozenset({"running"}))


def test_objects_that_it_alone_refers_to_count(store: RunStore, new_run: Make) -> None:
    ended_run(store, new_run, "a")
    assert going(store, Rule(larger_than=6000)) == {"a"}
    # The second refers to the same 6,000 bytes.
    ended_run(store, new_run, "b")
    assert going(store, Rule(larger_than=6000)) == set()


def test_the_last_of_each_name_stay(store: RunStore, done: Make) -> None:
    runs = [done("a") for _ in range(3)] + [done("b")]
    assert {one.id for one in plan(store, Rule(keep_last=1)).runs} == {runs[0].id, runs[1].id}
    assert len(plan(store, Rule(keep_last=0)).runs) == 4
    assert len(plan(store, Rule(keep_last=2, older_than=DAY)).runs) == 1


def test_what_never_goes(store: RunStore, done: Make, new_run: Make) -> None:
    everything = Rule(older_than=0.0)
    annotate(done("pinned"), pinned=True)
    annotate(done("tagged"), tags={"keep": "yes"})
    done("kept", tags={"keep": ""})
    done("not-kept", tags={"keep": "no"})
    for part in ("editions", "pending"):
        (store.path / "reports" / "sales" / part / done(part).id).mkdir(parents=True)
    first, learned_from, sweep = done("first"), done("learned-from"), new_run("search", sweep={})
    sweep.spec.write_text(
        sweep.spec.read_text().replace('"sweep": {}', f'"sweep": {{"warm_start": ["{learned_from.id}"]}}')
    )
    done("search-0", trial_of=sweep.id, trial=0)
    waits = new_run("waits", resources=Resources(after=first.id))
    for alive in (sweep, waits):
        hold(alive.alive, "supervisor")
    try:
        planned = plan(store, everything)
        assert {one.name for one in planned.runs} == {"not-kept"}
        assert planned.protected == {
            "pinned": 1,
            "tagged keep": 2,
            "edition of a report": 2,
            "trial of a sweep that goes on": 1,
            "needed by a run that goes on": 2,
        }
    finally:
        forget_locks()


def test_a_sweep_goes_with_all_its_trials_or_stays(store: RunStore, done: Make) -> None:
    sweep = done("search", sweep={"space": {}})
    trials = [done(f"search-{number}", trial_of=sweep.id, trial=number) for number in range(2)]
    for number, trial in enumerate(trials):
        write_event(sweep.events, "trial", run=trial.id, number=number, params={})
    annotate(trials[0], pinned=True)
    assert going(store, Rule(older_than=0.0)) == {"search-1"}
    annotate(trials[0], pinned=False)
    planned = plan(store, Rule(older_than=0.0))
    assert len(planned.runs) == 3
    found = prune(store, planned)
    assert (sorted(found.runs), found.failed) == (sorted(one.id for one in planned.runs), {})
    restore(store, sweep.id)
    assert len(list(store.folders())) == 3


def test_what_is_pinned_while_the_user_is_asked_stays(store: RunStore, done: Make) -> None:
    folder = done("lenet")
    planned = plan(store, Rule(older_than=0.0))
    annotate(folder, pinned=True)
    assert prune(store, planned).runs == []
    assert folder.path.exists()


def test_what_it_frees_is_true(store: RunStore, new_run: Make) -> None:
    def size() -> int:
        return sum(
            p.stat().st_size
            for part in ("runs", "objects", "trash")
            for p in (store.path / part).rglob("*")
            if p.is_file()
        )

    ended_run(store, new_run, "a")
    ended_run(store, new_run, "b")
    for path in store.objects.path.iterdir():
        os.utime(path, (1, 1))
    planned = plan(store, Rule(keep_last=1, states=frozenset({"finished"})))
    assert planned.runs == ()
    planned = plan(store, Rule(older_than=0.0))
    before = size()
    done = prune(store, planned, now=True)
    assert len(done.runs) == 2
    assert done.objects == planned.objects
    assert before - size() == planned.nbytes + planned.objects.nbytes == before
    assert list((store.path / "trash").iterdir()) == []


def test_a_damaged_run_keeps_the_objects_and_nothing_else(store: RunStore, done: Make) -> None:
    done("damaged").manifest.write_text("{")
    done("old")
    planned = plan(store, Rule(states=frozenset({"finished"}), keep_last=0))
    assert len(planned.runs) == 2
    (store.runs / planned.runs[-1].id / "spec.json").write_text("{")
    store.put(b"nobody's")
    found = prune(store, plan(store, Rule(older_than=0.0)))
    assert len(found.runs) == 2
    assert found.problem is not None
    assert "nobody knows which inputs it needs" in found.problem


def test_killed_at_any_line_runs_are_whole(store: RunStore, new_run: Make) -> None:
    for line in itertools.count(1, 11):
        folder = ended_run(store, new_run, "lenet", id=f"20261120-{line:06}-lenet-abcd")
        files = sorted(p.relative_to(folder.path) for p in folder.path.rglob("*"))
        planned = plan(store, Rule(older_than=0.0))
        killed = killed_at(line, lambda planned=planned: prune(store, planned), "/housekeeping/", "/runs/trash")  # type: ignore[misc]
        places = [path for path in (folder.path, store.path / "trash" / folder.id) if path.exists()]
        assert len(places) == 1
        assert sorted(p.relative_to(places[0]) for p in places[0].rglob("*")) == files
        for path in (store.runs / folder.id, store.path / "trash" / folder.id):
            inputs = RunFolder(path).read_spec().inputs if path.exists() else None
            assert inputs is None or store.objects.read(inputs.stream)
        prune(store, plan(store, Rule(older_than=0.0)), now=True)
        shutil.rmtree(store.path / "trash", ignore_errors=True)
        if not killed:
            break
    assert line > 50
    assert RunIndex(store).summaries() == []


def test_the_command(store: RunStore, done: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = done("lenet")
    call = ("--store", str(store.path), "prune", "--older-than", "90d")
    assert main([*call, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert folder.id in told
    assert "nothing was removed: --dry-run" in told
    assert main(call) == 1
    assert "nobody is there to be asked whether 1 run may go: give --yes" in capsys.readouterr().err
    assert folder.path.exists()
    assert main([*call, "--yes"]) == 0
    assert "1 run deleted; for a week `mlwidgets restore ID`" in capsys.readouterr().out
    assert main(["--store", str(store.path), "restore", "lenet"]) == 0
    assert main([*call, "--yes", "--now"]) == 0
    assert "1 run removed for good" in capsys.readouterr().out
    assert main(["--store", str(store.path), "restore", "lenet"]) == 1
    assert main(["--store", str(store.path), "prune", "--state", "sleeping"]) == 1
    assert main(["--store", str(store.path), "prune"]) == 0


@pytest.mark.parametrize(
    ("text", "value"), [("1GB", 10**9), ("500 mb", 500 * 10**6), ("1.5GiB", 3 << 29), ("7", 7), ("0kB", 0)]
)
def test_sizes(text: str, value: int) -> None:
    assert read_size(text) == value


@pytest.mark.parametrize(("text", "value"), [("90d", 90 * DAY), ("12h", 43200), ("1.5w", 10.5 * DAY), ("0s", 0)])
def test_spans(text: str, value: float) -> None:
    assert read_span(text) == value


@pytest.mark.parametrize("text", ["", "d", "-1d", "1x", "nan", "1e9GB", "1 000", "٣d" * 30])
def test_no_amounts(text: str) -> None:
    for read in (read_size, read_span):
        with pytest.raises(ParameterError, match="write it as"):
            read(text)


def test_words_of_sizes() -> None:
    assert [size_words(n) for n in (0, 1, 999, 1000, 12_345_678, 10**15)] == [
        "0 bytes",
        "1 byte",
        "999 bytes",
        "1.0 kB",
        "12.3 MB",
        "1000.0 TB",
    ]


def test_the_trash_is_emptied_of_what_is_old(store: RunStore, done: Make) -> None:
    folder = done("lenet")
    prune(store, plan(store, Rule(older_than=0.0)))
    trash = Path(store.path / "trash")
    os.utime(trash / folder.id, (1, 1))
    (trash / ".old-half-removed").mkdir()
    prune(store, plan(store, Rule()))
    assert list(trash.iterdir()) == []
