"""One sweep of many short trials whose controller, supervisor and trials' processes are killed at random moments.

``python -m tests.torture --sweep 500``; every law is checked when it has ended.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlwidgets import api
from mlwidgets.runner import warm
from mlwidgets.runs.alive import Role, holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_lines, read_records
from mlwidgets.runs.leftovers import leftovers
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import literal_text
from mlwidgets.runs.trials import TRIAL_ENDS, read_log
from mlwidgets.sweeps.sweep import Sweep
from tests.laws import command, on_board, soon

CODE = """
import os, time
from mlwidgets import log

def note(what):
    run = os.path.basename(os.environ['MLWIDGETS_RUN_FOLDER'])
    fd = os.open(books, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f'{what} {run} {os.getpid()} {x!r}\\n'.encode())
    os.close(fd)

note('begun')
for i in range(steps):
    log(score=i - (x - 0.3) ** 2)
    time.sleep(pause)
if x > 0.95:
    raise ValueError(f'{x} is too much')
note('reached')
"""


@dataclass
class Deeds:
    """What was done."""

    controller: int = 0
    supervisor: int = 0
    runs: set[str] = field(default_factory=set)
    warm: int = 0


def submit(books: Path, trials: int, **options: Any) -> Sweep:
    """Submit the sweep."""
    params = {"books": str(books), "steps": 5, "pause": 0.02, **options.pop("params", {})}
    return api.sweep(
        CODE,
        name=options.pop("name", "tortured"),
        space={"x": "uniform(0, 1)"},
        maximize="score",
        trials=trials,
        params=params,
        namespace={},
        max_failures=0,
        sampler=options.pop("sampler", "random"),
        **options,
    )


def kill(run: Run, role: Role) -> bool:
    """SIGKILL a process of a run; return whether there was one."""
    pid = holder(run.path / "alive", role)
    if not pid:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True


def torment(sweep: Sweep, dice: random.Random, every: float, give_up: float = 600.0) -> Deeds:
    """Kill until the sweep has ended: the controller again and again, its supervisor once, late."""
    deeds = Deeds()
    deadline = time.monotonic() + give_up
    planned = sweep.definition.limits.trials
    late = planned * dice.uniform(0.6, 0.9)
    while not sweep.ended and time.monotonic() < deadline:
        time.sleep(min(3.0, dice.expovariate(1 / every)))
        log = read_log(sweep.path)
        ended = sum(trial.is_over for trial in log.trials.values())
        going = [trial.run for trial in log.trials.values() if not trial.is_over and trial.run]
        act = dice.choices(("controller", "trial", "warm", "supervisor"), (4, 10, 1, 6))[0]
        if act == "controller" and not deeds.supervisor:
            deeds.controller += kill(sweep, "worker")
        elif act == "supervisor" and not deeds.supervisor and ended > late:
            # From here on nobody starts the controller again, which goes on alone.
            if holder(sweep.path / "alive", "worker"):
                deeds.supervisor += kill(sweep, "supervisor")
        elif act == "trial" and going:
            run = api.open_run(sweep.path.parent / dice.choice(going))
            roles: tuple[Role, ...] = ("supervisor", "worker")
            for role in dice.sample(roles, dice.choice((1, 1, 2))):
                if kill(run, role):
                    deeds.runs.add(run.id)
        elif act == "warm":
            for process in warm.warm_processes():
                deeds.warm += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
    return deeds


def broken_laws(sweep: Sweep, books: Path, deeds: Deeds) -> Iterator[str]:
    """Yield what is not as it has to be with a sweep that has come to its end by itself."""
    planned = sweep.definition.limits.trials
    outcome = sweep.outcome
    if outcome.state != "finished" or outcome.cause != f"all trials have ended: {planned}":
        yield f"it {outcome.state}: {outcome.cause}"
    events = list(read_lines(sweep.path / "events.jsonl"))
    yield from _wrong_events(events, planned)
    yield from _wrong_runs(sweep, events, books, deeds)
    yield from _wrong_study(sweep, events)
    yield from _wrong_records(sweep, events)
    yield from _left_behind(sweep)


def _wrong_events(events: list[dict[str, Any]], planned: int) -> Iterator[str]:
    ends = Counter(event["number"] for event in events if event["event"] == "trial_ended")
    if ends != Counter(range(planned)):
        yield f"trials that did not end exactly once: {dict(ends - Counter(range(planned)))} {planned - len(ends)}"
    if strange := {e["state"] for e in events if e["event"] == "trial_ended"} - TRIAL_ENDS:
        yield f"{strange} are no ends"
    runs = [event["run"] for event in events if event["event"] == "trial"]
    if len(set(runs)) < len(runs):
        yield "a run was told of twice"
    attempts: dict[int, int] = {}
    over: set[int] = set()
    for event in events:
        if event["event"] == "trial":
            number = event["number"]
            attempts[number] = attempts.get(number, 0) + 1
            if event["attempt"] != attempts[number]:
                yield f"trial {number}: attempt {event['attempt']} is the {attempts[number]}th"
            if number in over:
                yield f"trial {number} was begun after its end"
        elif event["event"] == "trial_ended":
            over.add(event["number"])


def _wrong_runs(sweep: Sweep, events: list[dict[str, Any]], books: Path, deeds: Deeds) -> Iterator[str]:
    told = {event["run"]: event["number"] for event in events if event["event"] == "trial"}
    last = {event["number"]: event["run"] for event in events if event["event"] == "trial"}
    params = {event["run"]: event["params"] for event in events if event["event"] == "trial"}
    ends = {event["number"]: event for event in events if event["event"] == "trial_ended"}
    there = {run.id: run for run in api.runs() if run.spec.trial_of == sweep.id}
    if set(there) != set(told):
        yield f"runs that nobody told of: {set(there) - set(told)}; runs that are not there: {set(told) - set(there)}"
    noted = [line.split(maxsplit=3) for line in books.read_text().splitlines()] if books.exists() else []
    begun = Counter(run for what, run, _, _ in noted if what == "begun")
    reached = Counter(run for what, run, _, _ in noted if what == "reached")
    for run, count in (begun + reached - Counter(set(begun)) - Counter(set(reached))).items():
        yield f"run {run} was executed {count + 1} times"
    executions = Counter(told[run] for run in begun)
    for number, count in executions.items():
        if count > 1:
            yield f"trial {number} was executed {count} times"
    for _, run, _, x in noted:
        if params[run]["x"] != x:
            yield f"run {run} had x={x}, not {params[run]['x']}"
    for number, end in ends.items():
        yield from _wrong_end(end, there[last[number]], set(reached), deeds)


def _wrong_end(end: dict[str, Any], run: Run, reached: set[str], deeds: Deeds) -> Iterator[str]:
    """Compare how a trial is said to have ended with its run."""
    number, state, cause = end["number"], run.state, run.cause or ""
    if not run.ended:
        yield f"{run} goes on"
        return
    if end["run"] != run.id or end["state"] != state:
        yield f"trial {number} is said to have {end['state']}, its run {state} ({cause})"
    if state == "finished" and run.id not in reached:
        yield f"trial {number} finished without having reached its end"
    explained = state == "finished" or run.id in deeds.runs or (state == "failed" and "is too much" in cause)
    if not explained:
        yield f"trial {number} {state} ({cause}), and nobody touched it"
    log = run.path / "supervisor.log"
    if log.exists() and log.read_text():
        yield f"the supervisor of trial {number} complains: {log.read_text()}"


def _wrong_study(sweep: Sweep, events: list[dict[str, Any]]) -> Iterator[str]:
    from mlwidgets.sweeps.search.study import Search

    search = Search(RunFolder(sweep.path).study, sweep.definition, sweep.space)
    ends = {event["number"]: event for event in events if event["event"] == "trial_ended"}
    if search.running or search.ended != set(ends):
        yield f"the study says {sorted(search.running)} go on, and {sorted(search.ended ^ set(ends))} have not ended"
    texts = {event["number"]: event["params"] for event in events if event["event"] == "trial"}
    for trial in search._study.get_trials(deepcopy=False):
        if literal_text(trial.params["x"]) != texts[trial.number]["x"]:
            yield f"trial {trial.number} has other parameters in the study"
        values = ends.get(trial.number, {}).get("values")
        if trial.values != values:
            yield f"trial {trial.number} came to {values}, in the study to {trial.values}"
    search.close()


def _wrong_records(sweep: Sweep, events: list[dict[str, Any]]) -> Iterator[str]:
    steps = read_records(sweep.path / "metrics.bin")["step"].tolist()
    values = [event["values"] for event in events if event["event"] == "trial_ended"]
    first = next((place for place, value in enumerate(values) if value), len(values))
    if steps != list(range(first + 1, len(values) + 1)):
        yield f"the best so far was logged at {steps}"


def _nothing_left(run: Run) -> bool:
    return soon(lambda: not list(leftovers(run.path)))


def _left_behind(sweep: Sweep) -> Iterator[str]:
    for run in [sweep, *sweep.runs]:
        if not _nothing_left(run):
            yield f"left behind by {run.name}: {[(pid, command(pid)) for pid in leftovers(run.path)]}"
            return
    ids = {run.id for run in sweep.runs}
    if not soon(lambda: not on_board() & ids):
        yield f"they still hold slots or a place in the queue: {on_board() & ids}"
    log = sweep.path / "supervisor.log"
    if log.exists() and log.read_text():
        yield f"its supervisor complains: {log.read_text()}"


def torture(trials: int, seed: int, base: Path, every: float = 0.2) -> tuple[list[str], str]:
    """Do it; return what was wrong, and in words what was done."""
    books = base / "books"
    begun = time.monotonic()
    sweep = submit(books, trials, concurrent=2, seed=seed)
    deeds = torment(sweep, random.Random(seed), every)
    took = time.monotonic() - begun
    wrong = list(broken_laws(sweep, books, deeds)) if sweep.ended else [f"still {sweep!r} after {took:.0f} s"]
    states = Counter(trial.state for trial in read_log(sweep.path).trials.values())
    done = f"{deeds.controller} kills of the controller, {deeds.supervisor} of its supervisor, "
    done += f"{len(deeds.runs)} trials hit, {deeds.warm} warm processes; {sweep.restarts} restarts"
    return wrong, f"{trials} trials in {took:.0f} s, seed {seed}: {done}; {dict(states)}"
