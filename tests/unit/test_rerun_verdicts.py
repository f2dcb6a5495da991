"""What is said of a run that was done again: to the bit, as far as both got, and why it may have come out otherwise."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from mlwidgets.reruns import outcome
from mlwidgets.reruns.chance import hints, touched_files
from mlwidgets.reruns.equality import columns_of, measures_time
from mlwidgets.reruns.verdict import verdict_of
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import Provenance
from mlwidgets.runs.state import Outcome, write_outcome
from mlwidgets.runs.verdict import Verdict
from mlwidgets.tracking.log import MetricLog
from mlwidgets.tracking.media import MediaLog

Make = Callable[..., RunFolder]
Metrics = dict[str, list[float]]


def logged(folder: RunFolder, metrics: Metrics, state: str | None = "finished", cause: str | None = None) -> RunFolder:
    log = MetricLog(folder.metrics, folder.events)
    for step in range(max(map(len, metrics.values()), default=0)):
        log({name: values[step] for name, values in metrics.items() if step < len(values)}, step=step)
    if state is not None:
        write_outcome(folder, Outcome(state, cause, 1.0, 2.0, 0))
    return folder


@pytest.fixture
def pair(new_run: Make) -> Callable[..., tuple[RunFolder, RunFolder]]:
    """Make a run and one that does it again."""

    def make(
        old: Metrics,
        new: Metrics,
        *,
        ended: tuple[Any, Any] = ("finished", "finished"),
        again: Any = None,
        **of_both: Any,
    ) -> tuple[RunFolder, RunFolder]:
        first = logged(new_run("lenet", **of_both), old, ended[0], None if ended[0] == "finished" else "why")
        second = new_run("lenet", **{**of_both, **(again or {}), "rerun_of": first.id})
        return first, logged(second, new, ended[1], None if ended[1] == "finished" else "why")

    return make


ONE = "1 image, histogram or table"
CURVE = {"loss": [3.0, 2.0, math.nan], "accuracy": [0.1, 0.2, 0.3]}


def test_the_same_bits(pair: Any) -> None:
    first, again = pair(CURVE, CURVE)
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (True, "same bits")
    assert verdict.summary == f"the same to the bit as {first.id}: loss, accuracy (6 values in 3 steps)"
    assert json.loads(again.verdict.read_text()) == verdict.to_json()
    assert Run(again.path).verdict == verdict
    assert (Run(again.path).rerun_of, Run(first.path).verdict) == (first.id, None)


def test_one_bit_differs(pair: Any) -> None:
    other = {"loss": [3.0, float(np.nextafter(2.0, 3.0)), 9.0], "accuracy": [0.1, 0.2, 0.5], "lr": [1.0]}
    first, again = pair({**CURVE, "lr": [1.0]}, other)
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (False, "differs from step 1")
    assert verdict.summary == f"differs from {first.id} from step 1 on: loss 2.0 → 2.0000000000000004; lr the same"
    assert verdict.details[0] == "accuracy from step 2 on: 0.3 → 0.5"
    assert "nothing that is known differs" in verdict.details[-1]
    assert verdict.first[0] == {"name": "loss", "step": 1, "index": 1, "old": "2.0", "new": "2.0000000000000004"}


def test_the_verdict_is_kept_once(pair: Any) -> None:
    first, again = pair(CURVE, CURVE)
    kept = verdict_of(again)
    for path in first.path.iterdir():
        if path.is_file():
            path.unlink()
    assert verdict_of(again) == kept
    for damaged in ("{", '{"of": 3}', '{"of": "a", "equal": 7, "chip": "", "summary": ""}', "[]"):
        again.verdict.write_text(damaged)
        told = verdict_of(again)
        assert told is not None
        assert told.chip == "original gone"
        assert again.verdict.read_text() == damaged


def test_while_more_is_being_found_out_it_is_compared_once(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, again = pair(CURVE, CURVE)
    calls: list[RunFolder] = []
    compare = outcome.compare_run

    def counted(folder: RunFolder) -> Verdict:
        calls.append(folder)
        return compare(folder)

    monkeypatch.setattr(outcome, "compare_run", counted)
    command = f"import time; from mlwidgets.runs.alive import hold; hold({str(again.alive)!r}, 'supervisor')"
    waits = "print('held', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", f"{command}; {waits}"], stdout=subprocess.PIPE) as supervisor:
        try:
            assert supervisor.stdout is not None
            supervisor.stdout.readline()
            told = [verdict_of(again) for _ in range(3)]
            assert told[0] is not None
            assert (told[0].equal, told[0] == told[2], len(calls)) == (True, True, 1)
            again.environment.write_text("{}")
            assert verdict_of(again) == told[0]
            assert (len(calls), again.verdict.exists()) == (2, False)
        finally:
            supervisor.kill()
    verdict_of(again)
    assert again.verdict.exists()


def test_a_run_is_not_compared_with_itself(new_run: Make) -> None:
    folder = logged(new_run(id="20261120-123099-me-abcd", rerun_of="20261120-123099-me-abcd"), CURVE)
    verdict = verdict_of(folder)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (None, "original gone")


def test_a_sweep_that_is_a_trial_of_itself(new_run: Make) -> None:
    first = logged(new_run("find"), CURVE)
    own = "20261120-123099-find-abcd"
    repeats = [{"number": 0, "params": {}, "by": "sampler", "run": first.id}]
    objective = {"metric": "loss", "direction": "minimize"}
    asked = {"space": {}, "objectives": [objective], "trials": 1, "repeats": repeats}
    again = logged(new_run("find", id=own, rerun_of=first.id, sweep=asked), CURVE)
    write_event(again.events, "trial", number=0, run=own, name="find-1", by="sampler", params={})
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.details) == (None, ["trial 0: the second run is no trial"]), verdict


def test_nothing_is_said_too_early(pair: Any, new_run: Make) -> None:
    assert verdict_of(logged(new_run(), CURVE)) is None
    write_now = {"submitted_at": time.time()}
    first, again = pair(CURVE, CURVE, ended=("finished", None), **write_now)
    write_event(again.events, "submitted", supervisor=os.getpid(), host="elsewhere", boot="x")
    assert verdict_of(again) is None
    first, again = pair(CURVE, CURVE, ended=(None, "finished"), **write_now)
    write_event(first.events, "submitted", supervisor=os.getpid(), host="elsewhere", boot="x")
    assert verdict_of(again) is None
    assert not again.verdict.exists()


@pytest.mark.parametrize("state", ["stopped", "killed", "failed", "timeout"])
def test_what_the_first_got_to_is_compared(pair: Any, state: str) -> None:
    got = {"loss": [3.0, 2.0], "accuracy": [0.1]}
    first, again = pair(got, CURVE, ended=(state, "finished"))
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (True, "same bits in 2 steps")
    assert f"in all 2 steps that {first.id} got to before it " in verdict.summary
    first, again = pair(got, {"loss": [3.0], "accuracy": [0.1]}, ended=(state, "finished"))
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.equal is False
    assert verdict.first[0]["new"] is None


def test_a_rerun_that_was_stopped_got_less_far(pair: Any) -> None:
    first, again = pair(CURVE, {"loss": [3.0]}, ended=("finished", "stopped"))
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (None, "same so far")
    assert verdict.summary == f"the same to the bit as {first.id} in the 1 step before it was stopped: loss"
    _, again = pair(CURVE, {"loss": [4.0]}, ended=("finished", "stopped"))
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.equal is False


def test_failures(pair: Any) -> None:
    first, again = pair({"loss": [3.0, 2.0]}, {"loss": [3.0]}, ended=("finished", "failed"))
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (False, "failed")
    assert verdict.summary == (
        f"failed where {first.id} finished: why; the same to the bit up to then (1 value in 1 step)"
    )
    first, again = pair({"loss": [3.0]}, {"loss": [3.0]}, ended=("failed", "failed"))
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.equal is True
    assert "failed as that did: why" in verdict.summary


def test_a_failure_that_comes_earlier_or_for_another_reason(pair: Any) -> None:
    first, again = pair({"loss": [3.0, 2.0]}, {"loss": [3.0]}, ended=("failed", "failed"))
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (False, "differs from step 1")
    assert "2.0 → not logged" in verdict.summary
    for old, new, equal in ((" at 0x7f01", " at 0x7f02", True), ("KeyError: 1", "MemoryError", False)):
        first, again = pair({"loss": [3.0]}, {"loss": [3.0]}, ended=(None, None))
        write_outcome(first, Outcome("failed", old, 1.0, 2.0, 1))
        write_outcome(again, Outcome("failed", new, 1.0, 2.0, 1))
        verdict = verdict_of(again)
        assert verdict is not None
        assert verdict.equal is equal, verdict.text()
    assert verdict.summary == (
        f"failed otherwise than {first.id}: MemoryError, it was KeyError: 1; "
        "the same to the bit up to then (1 value in 1 step)"
    )


DRAWS = "import numpy as np\nrng = np.random.default_rng()\nopen('no such file')\n"


@pytest.mark.parametrize("ended", [("finished", "failed"), ("failed", "failed"), ("stopped", "failed")])
def test_what_draws_other_values_is_no_reason_for_an_error(pair: Any, ended: tuple[str, str]) -> None:
    first, again = pair({"loss": [3.0, 2.0]}, {"loss": [3.0]}, ended=("finished", None), code=DRAWS)
    first.outcome.unlink()
    write_outcome(first, Outcome(ended[0], None if ended[0] == "finished" else "ValueError", 1.0, 2.0, 1))
    write_outcome(again, Outcome("failed", "FileNotFoundError", 1.0, 2.0, 1))
    if ended[0] == "failed":
        # Both got as far, and then came another error.
        again.metrics.unlink()
        logged(again, {"loss": [3.0, 2.0]}, None)
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.equal is False
    assert verdict.chip.startswith("failed")
    assert "FileNotFoundError" in verdict.summary
    assert "default_rng" not in verdict.text()
    assert "nothing that is known differs" not in verdict.text()
    # Where values differ before it, they may have been drawn.
    again.metrics.unlink()
    again.verdict.unlink(missing_ok=True)
    logged(again, {"loss": [4.0]}, None)
    verdict = verdict_of(again)
    assert verdict is not None
    assert "default_rng() draws another seed" in verdict.text()
    assert "FileNotFoundError" not in verdict.chip


def test_a_failure_further_on_than_the_first_run_got(pair: Any) -> None:
    _, again = pair({"loss": [3.0]}, {"loss": [3.0, 2.0]}, ended=("stopped", "failed"))
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.details) == (True, ["it failed further on: why"])
    _, again = pair({"loss": [3.0, 2.0]}, {"loss": [3.0]}, ended=("stopped", "failed"))
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (False, "failed")


def draw(folder: RunFolder, *, file: str = "", counts: tuple[int, ...] = (1, 2), rows: str = "") -> None:
    log = MediaLog(folder.path)
    for step, count in enumerate(counts):
        log.append("histogram", "weights", step, {"n": count, "counts": [count]})
    if file:
        log.append("table", "worst", 3, {"file": file, "columns": ["x"], "rows": 1}, {file: writes(rows)})


def writes(text: str) -> Callable[[BinaryIO], object]:
    return lambda file: file.write(text.encode())


def test_images_and_tables_are_compared_by_what_they_hold(pair: Any) -> None:
    first, again = pair(CURVE, CURVE)
    draw(first, file="a" * 32 + ".jsonl", rows="[1]")
    draw(again, file="b" * 32 + ".jsonl", rows="[1]")
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.details) == (True, ["3 images and the like the same, too"])
    first, again = pair(CURVE, CURVE)
    draw(first, file="a" * 32 + ".jsonl", rows="[1]")
    draw(again, file="b" * 32 + ".jsonl", rows="[2]", counts=(1, 3))
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (False, "differs from step 1")
    assert verdict.summary == (
        f"differs from {first.id}: histogram weights from step 1 on; loss, accuracy the same (6 values in 3 steps)"
    )
    assert verdict.details[0] == "table worst from step 3 on"


def test_images_alone_are_something_to_compare(pair: Any) -> None:
    first, again = pair({}, {})
    draw(first)
    draw(again)
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (True, "same bits")
    first, again = pair({}, {}, ended=("stopped", "finished"))
    draw(first, counts=(1,))
    draw(again)
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.summary == f"the same to the bit in all that {first.id} got to before it was stopped: {ONE}"
    first, again = pair({}, {})
    draw(first)
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (False, "differs from step 0")


def test_images_of_an_attempt_that_was_given_up(pair: Any) -> None:
    first, again = pair({}, {})
    draw(first, counts=(1, 2, 3))
    draw(again, counts=(1, 7, 8))
    time.sleep(0.01)
    write_event(again.events, "attempt", number=2)
    time.sleep(0.01)
    log = MediaLog(again.path)
    for step in (1, 2):
        log.append("histogram", "weights", step, {"n": step + 1, "counts": [step + 1]})
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.equal is True, verdict.text()


def test_what_was_changed_on_purpose_is_not_asked_to_be_the_same(pair: Any) -> None:
    old, new = {"loss": [3.0, 2.0], "val_accuracy": [0.5, 0.4]}, {"loss": [3.0, 1.0], "val_accuracy": [0.5, 0.9]}
    first, again = pair(old, new, params={"lr": "0.1"}, again={"params": {"lr": "0.2"}})
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (None, "lr changed")
    assert verdict.changed == [["lr", "0.1", "0.2"]]
    assert verdict.summary == (
        f"lr 0.1 → 0.2, compared with {first.id}; "
        "val_accuracy: best 0.5 (epoch 0) → 0.9 (epoch 1), better; last 0.4 → 0.9"
    )
    assert verdict.details == ["loss: best 2 (epoch 1) → 1 (epoch 1), better; last 2 → 1"]
    _, again = pair(old, old, seed=1, again={"seed": 2, "deterministic": True})
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.chip == "2 changes"
    assert "all the same the bits are those of" in verdict.details[-1]


def test_clocks_are_not_compared(pair: Any) -> None:
    _, again = pair({**CURVE, "epoch_seconds": [1.0]}, {**CURVE, "epoch_seconds": [2.0]})
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.equal is True
    assert verdict.details == ["epoch_seconds measures time: not compared"]
    assert all(map(measures_time, ("time", "epoch_time", "s/sec", "samples_per_second", "elapsed", "batch_ms")))
    assert not any(map(measures_time, ("loss", "time_loss", "second_moment", "times_two_accuracy", "alpha", "step")))


def test_without_metrics(pair: Any) -> None:
    _, again = pair({}, {})
    verdict = verdict_of(again)
    assert verdict is not None
    assert (verdict.equal, verdict.chip) == (None, "nothing to compare")


def test_the_last_attempt_counts(new_run: Make) -> None:
    folder = new_run()
    logged(folder, {"loss": [1.0, 2.0, 3.0], "gone": [1.0]}, None)
    time.sleep(0.01)
    write_event(folder.events, "attempt", number=2)
    time.sleep(0.01)
    log = MetricLog(folder.metrics, folder.events)
    for step, value in ((1, 7.0), (2, 8.0), (3, 9.0)):
        log({"loss": value}, step=step)
    columns = columns_of(folder)
    assert list(columns) == ["loss"]
    assert columns["loss"].values.tolist() == [1.0, 7.0, 8.0, 9.0]


def test_what_differs_around_is_said(pair: Any, tmp_path: Path) -> None:
    told = {
        "packages": {"torch": "2.1", "unused": "1"},
        "cpu": "old",
        "data": {"a.csv": {"digest": "0" * 64, "bytes": 3, "files": 1}},
    }
    data = ({"path": "a.csv", "absolute": str(tmp_path / "a.csv")},)
    first, again = pair({"loss": [1.0]}, {"loss": [2.0]}, data=data)
    first.environment.write_text(json.dumps(told))
    told |= {
        "packages": {"torch": "2.2", "unused": "2"},
        "cpu": "new",
        "data": {"a.csv": {"digest": "1" * 64, "bytes": 4, "files": 1}},
    }
    again.environment.write_text(json.dumps(told))
    write_event(first.events, "libraries", imported=["torch"])
    write_event(again.events, "nondeterministic", operation="put_", where="line 3")
    verdict = verdict_of(again)
    assert verdict is not None
    around = verdict.details[0]
    assert around.startswith(
        "other than then: the data a.csv: 3 bytes #00000000 then, 4 bytes #11111111 now; torch: 2.1"
    )
    assert "cpu: old then, new now" in around
    assert "unused" not in around
    assert any("put_ has no deterministic form" in line for line in verdict.details)


def test_one_that_went_on_is_begun_anew(pair: Any) -> None:
    origin = "20261120-122900-first-abcd"
    first, again = pair({"loss": [1.0]}, {"loss": [2.0]}, resumes=origin, again={"resumes": None})
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.details == [
        f"{first.id} went on from a checkpoint of {origin}, and this one began at the first step"
    ]


def test_a_file_that_was_written_since(pair: Any, new_run: Make, tmp_path: Path) -> None:
    code = "table = read('table.csv')\nlist('other.csv')\n"
    origin = Provenance(str(tmp_path), "python", "3", "h", "u")
    (tmp_path / "table.csv").write_text("x")
    (tmp_path / "other.csv").write_text("x")
    os.utime(tmp_path / "other.csv", (1.5, 1.5))
    first = new_run(code=code, provenance=origin)
    logged(first, {"loss": [1.0]}, None)
    write_outcome(first, Outcome("finished", None, 1.0, 2.0, 0))
    again = new_run(code=code, provenance=origin, rerun_of=first.id)
    logged(again, {"loss": [2.0]}, None)
    write_outcome(again, Outcome("finished", None, time.time() + 60, time.time() + 61, 0))
    verdict = verdict_of(again)
    assert verdict is not None
    assert verdict.details == ["table.csv, which the code names, was written since; --data table.csv keeps a digest"]
    again.imported.write_text("{}")
    assert touched_files(again, again.read_spec(), 2.0, time.time() + 60) == []


@pytest.mark.parametrize(
    ("code", "line", "said"),
    [
        ("import numpy as np\nrng = np.random.default_rng()\n", 2, "default_rng() draws another seed"),
        ("rng = np.random.RandomState(seed=None)\n", 1, "RandomState() draws another seed"),
        ("r = random.SystemRandom()\n", 1, "SystemRandom asks the system"),
        ("x = os.urandom(3)\n", 1, "os.urandom() asks the system"),
        ("x = secrets.token_hex()\n", 1, "secrets.token_hex asks the system"),
        ("np.random.seed()\n", 1, "np.random.seed() seeds from the system"),
        ("random.seed(None)\n", 1, "random.seed() seeds from the system"),
        ("%matplotlib inline\nx = uuid.uuid4()\n", 2, "uuid.uuid4() asks the system"),
        ("for f in os.listdir('.'):\n    pass\n", 1, "os.listdir() has no certain order"),
        ("lr = float(os.environ['LR'])\n", 1, "reads the environment variable LR, of which nothing is kept"),
        ("lr = os.environ.get(name, 3)\n", 1, "reads an environment variable, of which nothing is kept"),
        ("lr = getenv('LR')\n", 1, "reads the environment variable LR"),
        ("m = importlib.import_module('m')\n", 1, "import_module() brings a module as it is now"),
        ("seed = time.time()\n", 1, "time.time() reads the clock"),
    ],
)
def test_chance_in_the_code(new_run: Make, code: str, line: int, said: str) -> None:
    folder = new_run(code=code)
    found = hints(folder, folder.read_spec())
    assert len(found) == 1
    assert found[0].startswith(f"the code, line {line}: {said}")
    magic = new_run(code=code, heading="%%train")
    assert hints(magic, magic.read_spec())[0].startswith(f"the code, line {line + 1}: ")


@pytest.mark.parametrize(
    "code",
    [
        "rng = np.random.default_rng(0)\nnp.random.seed(3)\n",
        "rng = np.random.default_rng(seed)\nrandom.Random(x=1)\n",
        "files = sorted(os.listdir('.'))\nmodel.seed\n",
        "this is no Python",
    ],
)
def test_no_chance_in_the_code(new_run: Make, code: str) -> None:
    folder = new_run(code=code)
    assert hints(folder, folder.read_spec()) == []


def test_chance_in_a_module(store: Any, new_run: Make) -> None:
    module = {
        "name": "helpers",
        "path": "/x/helpers.py",
        "package": False,
        "digest": store.put(b"\nx = os.urandom(1)\n"),
    }
    folder = new_run(modules=(module,))
    assert hints(folder, folder.read_spec())[0].startswith("module helpers, line 2: os.urandom()")


def test_a_verdict_in_words() -> None:
    verdict = Verdict("a", True, "same bits", "the same", ["more"])
    assert verdict.text() == "the same\n  more"
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
    foreign = {**verdict.to_json(), "chip": "\x1b[31mred", "details": ["a\nb"]}
    assert (Verdict.from_json(foreign).chip, Verdict.from_json(foreign).details) == ("?[31mred", ["a?b"])
