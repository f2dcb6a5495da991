"""The course of a sweep's trials: what the controller holds of them, and what follows from what they do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from mlwidgets.runner import devices
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import read_records
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.outline import WORDS
from mlwidgets.runs.spec import Resources, RunSpec, literal_text, parse_literal
from mlwidgets.runs.state import FINISHED, KILLED, STOPPED, Outcome
from mlwidgets.runs.stopping import EARLY, ask_to_stop, cause_of
from mlwidgets.runs.trials import Trial
from mlwidgets.sweeps.control import limits, missing
from mlwidgets.sweeps.control.asking import Asker
from mlwidgets.sweeps.control.book import Book
from mlwidgets.sweeps.control.insisting import NO_ROOM, Patience, insist, say
from mlwidgets.sweeps.control.judging import Judge
from mlwidgets.sweeps.control.live import Live, logged
from mlwidgets.sweeps.control.making import TrialMaker
from mlwidgets.sweeps.definition import SweepDefinition
from mlwidgets.sweeps.policies import parse_policy
from mlwidgets.sweeps.requests import Wish
from mlwidgets.sweeps.search.study import Search
from mlwidgets.sweeps.space import Space
from mlwidgets.tracking.log import MetricLog

_MOST_STARTS = 5
"""How often a trial is begun whose process is killed before its code begins."""
_WEIGH_EVERY = 10
"""Trials after which the importance of the parameters is looked at again."""
_COUNT_EVERY = 5.0
"""Seconds between two looks at what the machine has."""


class Course:
    """Everything about the trials of one sweep.

    Attributes
    ----------
    live
        Those whose run goes on, by number.
    unmade
        Numbers of those whose run is not there yet, for want of room.
    asked
        Parameters that the search has chosen and that were not begun, by number.
    by_hand
        Numbers of those that people have added.
    again
        Numbers of those that are to begin anew.
    seen
        The objectives that some trial has logged.
    first_start, gpu_seconds
        When the first trial began (Unix seconds), and how long GPUs were in use by those that have ended.
    news
        When anything happened last, by the monotonic clock.
    patience
        When to try again what a full disk kept from being done.
    fatal
        Why the sweep cannot go on.
    """

    def __init__(self, folder: RunFolder, spec: RunSpec) -> None:
        definition = SweepDefinition.from_json(spec.sweep or {})
        first, policy = definition.objectives[0], definition.policy
        self.folder = folder
        self.spec = spec
        self.definition = definition
        self.metrics = [one.metric for one in definition.objectives]
        self.space = Space.parse(definition.space)
        self.judge = Judge(parse_policy(policy, sign=first.sign, metric=first.metric) if policy else None)
        self.maker = TrialMaker(folder, spec, definition)
        self.resources = Resources(**definition.resources)
        self.asker = Asker(insist(lambda: Search(folder.study, definition, self.space)), definition.sampler)
        self.book = Book(folder)
        self.live: dict[int, Live] = {}
        self.unmade: list[int] = []
        self.asked: dict[int, dict[str, str]] = {}
        self.by_hand: set[int] = set()
        self.again: list[int] = []
        self.seen: set[str] = set()
        self.first_start: float | None = None
        self.gpu_seconds = 0.0
        self._running_since: float | None = None
        self.news = time.monotonic()
        self.patience = Patience()
        self.fatal: str | None = None
        self._mentions = missing.Mentions(spec, ObjectStore(folder.store / "objects"))
        self._log = MetricLog(folder.metrics, folder.events)
        self._logged: int | None = None
        self._weighed = 0
        self._room = (0.0, 0)

    @property
    def concurrent(self) -> int:
        """How many may run at once."""
        asked = self.book.log.concurrent or self.definition.limits.concurrent
        if asked:
            return asked
        looked, room = self._room
        if not room or time.monotonic() - looked > _COUNT_EVERY:
            room = limits.room(self.resources, devices.inventory())
            self._room = time.monotonic(), room
        return room

    @property
    def planned(self) -> int:
        """How many trials there will be in all."""
        return self.definition.limits.trials + len(self.by_hand)

    def expect(self, number: int, params: Mapping[str, Any]) -> None:
        """Take note of what the search has chosen."""
        self.asked[number] = {name: literal_text(value) for name, value in params.items()}

    def add(self, wish: Wish) -> None:
        """Add a trial by hand, once for each wish; it comes next."""
        params = {name: parse_literal(str(text)) for name, text in wish.about["params"].items()}
        number, late = self.asker.add(params, wish.id)
        self.by_hand.add(number)
        if late is not None:
            self.expect(*late)

    def watch(self, trial: Trial) -> Live:
        """Follow a trial whose run is there."""
        curious = not self.seen.issuperset(self.metrics)
        live = Live(trial, self.maker.folder(str(trial.run)), self.definition, curious=curious)
        self.live[trial.number] = live
        self.judge.begin(trial.number)
        return live

    def make(self, number: int) -> Live | None:
        """Make and start the run of a trial of which an event tells, and follow it; None if there is no room.

        Raises
        ------
        StoreError
            If there was none for minutes.
        """
        trial = self.book.log.trials[number]
        try:
            self.maker.start(number, str(trial.run), self.book.texts[number])
        except NO_ROOM:
            if number not in self.unmade:
                self.unmade.append(number)
            if not self.patience.fail():
                raise
            return None
        if number in self.unmade:
            self.unmade.remove(number)
        self.patience.succeed()
        self.news = time.monotonic()
        return self.watch(trial)

    def ask_to_stop(self, live: Live, by: str) -> None:
        """Ask a trial to stop, if it goes on."""
        if live.folder.path.exists() and not live.folder.outcome.exists():
            # Somebody may delete it at this moment.
            with contextlib.suppress(FileNotFoundError):
                ask_to_stop(live.folder, by)

    def was_stopped(self, live: Live) -> bool:
        """Whether somebody else has asked a trial to stop."""
        return live.folder.stop_request.exists() and cause_of(live.folder) != f"stopped by {self.gave_back()}"

    def gave_back(self) -> str:
        """Return who stops a trial that is to begin anew."""
        return f"sweep {self.spec.name}, which gave its slots back"

    def follow(self) -> None:
        """Look at all trials that go on, once."""
        for live in list(self.live.values()):
            if live.advance():
                self.news = time.monotonic()
                self._look(live)
            outcome = live.outcome()
            if outcome is not None:
                self.news = time.monotonic()
                # What it wrote last came after the last look.
                live.advance()
                self._look(live)
                self._conclude(live, outcome)

    def _look(self, live: Live) -> None:
        """See to what is new of a trial."""
        if live.started_at is not None:
            self.first_start = min(self.first_start or live.started_at, live.started_at)
        if live.following.curious:
            self.seen.update(logged(live, self.metrics))
            others = live.following.others
            if self.seen.issuperset(self.metrics):
                live.following.curious = False
            elif self.fatal is None and missing.missing(self.metrics, list(self.seen), others, self._mentions):
                self.fatal = missing.describe(self.metrics, list(self.seen), list(others))
        if live.why is None and not live.given_back:
            if live.judged != live.following.attempts:
                # What an attempt logged that failed is no part of the curve.
                self.judge.begin(live.number)
                live.judged = live.following.attempts
            points = live.following.points[0]
            why = self.judge.look(live.number, points.steps, points.values)
            if why is not None:
                live.terminate(why)
                self.book.tell("terminating", number=live.number, run=live.run, why=why)
                self.ask_to_stop(live, f"{EARLY}{why['rule']}")

    def _conclude(self, live: Live, outcome: Outcome) -> None:
        """Take note of the end of a trial's run."""
        del self.live[live.number]
        live.close()
        self.maker.share_environment(live.run)
        self.account(outcome, live.running_time)
        trial = self.book.log.trials[live.number]
        killed_early = outcome.state == KILLED and live.started_at is None and trial.attempts < _MOST_STARTS
        if (live.given_back and outcome.state in {STOPPED, KILLED}) or (killed_early and live.why is None):
            if not live.given_back:
                self.book.tell("given_back", number=live.number, run=live.run)
            self.judge.forget(live.number)
            self.again.append(live.number)
            return
        state, values, cause = live.end(outcome)
        never = outcome.state == FINISHED and not self.seen.issuperset(self.metrics)
        if never and self.fatal is None and live.why is None:
            self.fatal = missing.describe(self.metrics, list(self.seen), list(live.following.others))
        self.close(trial, state, values, cause, live.why)

    def close(
        self, trial: Trial, state: str, values: list[float] | None, cause: str | None, why: dict[str, Any] | None
    ) -> None:
        """Record how a trial ended, once and for all, and tell the search."""
        number = trial.number
        self.judge.end(number, state)
        self.book.tell("trial_ended", number=number, run=trial.run, state=state, values=values, cause=cause, why=why)
        self.asker.tell(number, values, state, (why or {}).get("interval", 1))
        self.log_bests()
        shown = ", ".join(f"{m} {v:.6g}" for m, v in zip(self.metrics, values or [], strict=False))
        said = (shown, (cause or "").removeprefix(EARLY))
        say(f"trial {number} {WORDS.get(state, state)}" + "".join(f": {text}" for text in said if text))
        bounds = self.definition.limits
        if self.book.log.paused is None:
            row = limits.repeated_failure(self.book.ended[self.book.resumed :], bounds.failures)
            if row is not None:
                self.book.tell("paused", why=row, by="controller")
        self.weigh(every=_WEIGH_EVERY)

    def log_bests(self) -> None:
        """Log the best value so far for each trial that has ended, as far as that is not there."""
        if len(self.metrics) > 1:
            return
        name, sign = self.metrics[0], self.definition.objectives[0].sign
        ended = self.book.ended
        bests = limits.bests(ended, sign)
        for step in range(self._last_step() + 1, len(ended) + 1):
            best, lost = bests[step - 1], self._log.lost
            if best is not None and best.values:
                self._log({name: best.values[0]}, step=step)
            if self._log.lost > lost:
                # There is no room; it is made up for at the next end.
                return
            self._logged = step

    def _last_step(self) -> int:
        if self._logged is None:
            steps = read_records(self.folder.metrics)["step"]
            self._logged = int(steps[-1]) if len(steps) else 0
        return self._logged

    def weigh(self, every: int) -> None:
        """Tell how much of the result each parameter explains, now and then."""
        finished = sum(trial.is_result for trial in self.book.ended)
        if len(self.metrics) > 1 or finished < max(4, self._weighed + every) or self.asker.is_thinking:
            return
        self._weighed = finished
        shares = self.asker.importance()
        if shares:
            self.book.tell("importance", values=shares)

    def account(self, outcome: Outcome, running_time: float = 0.0) -> None:
        """Count how long a run that has ended was using GPUs: as long as was seen here, or as its outcome tells."""
        if outcome.started_at is None:
            return
        self.first_start = min(self.first_start or outcome.started_at, outcome.started_at)
        told = 0.0 if outcome.ended_at is None else max(0.0, outcome.ended_at - outcome.started_at)
        self.gpu_seconds += self.resources.gpus * (running_time or told)

    def running_time(self) -> float:
        """Return the seconds since the first trial began; a clock that is set meanwhile changes nothing."""
        if self.first_start is None:
            return 0.0
        if self._running_since is None:
            self._running_since = time.monotonic() - max(0.0, time.time() - self.first_start)
        return time.monotonic() - self._running_since

    def gpu_time(self) -> float:
        """Return the seconds for which GPUs were in use, of all trials together."""
        if not self.resources.gpus:
            return 0.0
        going = sum(live.running_time for live in self.live.values())
        return self.gpu_seconds + self.resources.gpus * going
