"""What the controller does, from the first trial to the last."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.runner import devices
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import write_event
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import Resources, literal_text, parse_literal
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, STOPPED, Outcome, read_outcome
from mlwidgets.runs.stopping import EARLY, ask_to_stop
from mlwidgets.runs.trials import GIVEN_BACK, HAND, SAMPLER, WARM_START, Trial
from mlwidgets.sweeps import limits, missing
from mlwidgets.sweeps.asking import Asker
from mlwidgets.sweeps.book import Book
from mlwidgets.sweeps.curves import followed
from mlwidgets.sweeps.definition import SweepDefinition
from mlwidgets.sweeps.earlier import gather
from mlwidgets.sweeps.judging import Judge
from mlwidgets.sweeps.live import Live, logged
from mlwidgets.sweeps.making import TrialMaker
from mlwidgets.sweeps.policies import parse_policy
from mlwidgets.sweeps.requests import Wish, Wishes
from mlwidgets.sweeps.search import Search
from mlwidgets.sweeps.space import Space
from mlwidgets.sweeps.wake import Wake
from mlwidgets.tracking.log import MetricLog

_QUICK, _SLOW = 0.002, 0.25
"""Seconds between two looks at the trials: while things happen, and when they have not for a while."""
_STEADY = 0.25
"""How long it sleeps, as a part of the time since the last news."""
_MOST_STARTS = 5
"""How often a trial is begun whose process is killed before its code begins."""
_STOPPING = 100.0
"""Seconds that stopped trials have to end; their supervisors kill those that do not sooner than that."""
_WEIGH_EVERY = 10
"""Trials after which the importance of the parameters is looked at again."""


class Leader:
    """Leads one sweep. Made anew where the one before was killed, it finds everything in the folder."""

    def __init__(self, folder: RunFolder, wake: Wake) -> None:
        self._folder = folder
        self._wake = wake
        self._spec = folder.read_spec()
        assert self._spec.sweep is not None
        definition = self._definition = SweepDefinition.from_json(self._spec.sweep)
        self._metrics = [one.metric for one in definition.objectives]
        objects = ObjectStore(folder.store / "objects")
        self._space = Space.parse(definition.space)
        first = definition.objectives[0]
        policy = definition.policy
        self._judge = Judge(parse_policy(policy, sign=first.sign, metric=first.metric) if policy else None)
        self._mentions = missing.Mentions(self._spec, objects)
        self._maker = TrialMaker(folder, self._spec, definition)
        self._resources = Resources(**definition.resources)
        self._asker = Asker(Search(folder.study, definition, self._space), definition.sampler)
        self._book = Book(folder)
        self._wishes = Wishes(folder.wishes)
        self._log = MetricLog(folder.metrics, folder.events)
        self._live: dict[int, Live] = {}
        self._asked: dict[int, dict[str, str]] = {}
        self._by_hand: set[int] = set()
        self._unheard: list[Wish] = []
        self._again: list[int] = []
        self._seen: set[str] = set()
        self._first_start: float | None = None
        self._gpu_seconds = 0.0
        self._news = time.monotonic()
        self._weighed = 0
        self._fatal: str | None = None

    def run(self) -> tuple[str, str]:
        """Lead the sweep to its end; return state and cause."""
        self._take_over_earlier()
        self._recover()
        while True:
            self._hear()
            self._follow()
            end = self._end()
            if end is not None:
                break
            self._start()
            self._rest()
        state, cause = end
        self._wind_down(cause)
        self._weigh(every=1)
        return state, cause

    @property
    def _concurrent(self) -> int:
        asked = self._book.log.concurrent or self._definition.limits.concurrent
        return asked or limits.room(self._resources, devices.inventory())

    @property
    def _planned(self) -> int:
        return self._definition.limits.trials + len(self._by_hand)

    # ---- from the folder to where the one before was

    def _take_over_earlier(self) -> None:
        """Let the search learn from earlier runs, before the first trial."""
        if not self._definition.warm_start or self._book.own:
            return
        found, hints = gather(self._folder, self._definition, self._space)
        for one in found:
            number = self._asker.search.take_over(one.params, one.values, key=one.key)
            if number not in self._book.log.trials:
                texts = {name: literal_text(value) for name, value in one.params.items()}
                told = {"run": one.run, "params": texts, "values": one.values, "name": one.name}
                self._book.tell("earlier", number=number, by=WARM_START, **told)
        for hint in hints:
            print(f"mlwidgets: {hint}", flush=True)

    def _recover(self) -> None:
        for wish in self._wishes.advance():
            if wish.ask == "add" and self._book.wishes.get(wish.id):
                self._add(wish)
            elif wish.id not in self._book.wishes:
                self._unheard.append(wish)
        trials, known = self._book.log.trials, self._asker.search.running
        for number, trial in sorted(trials.items()):
            if trial.by == WARM_START:
                continue
            if trial.values is not None:
                self._seen.update(self._metrics)
            if trial.is_over:
                if number in known:
                    self._asker.tell(number, trial.values, trial.state, (trial.why or {}).get("interval", 1))
                self._recall(trial)
            elif trial.state == GIVEN_BACK and not self._maker.folder(str(trial.run)).path.exists():
                self._again.append(number)
            else:
                self._adopt(trial, given_back=trial.state == GIVEN_BACK)
        for number, params in sorted(known.items()):
            if number not in trials:
                self._expect(number, params)
        self._account_for_past()
        self._log_bests()

    def _adopt(self, trial: Trial, *, given_back: bool) -> None:
        """Go on with a trial that has not ended, wherever it was left."""
        if self._maker.was_deleted(str(trial.run)):
            self._close(trial, KILLED, None, "its run was deleted", None)
            return
        self._maker.start(trial.number, str(trial.run), self._book.texts[trial.number])
        live = self._watch(trial)
        live.given_back = given_back
        live.advance()
        if trial.why is not None:
            live.terminate(trial.why)
            points = live.following.points[0]
            self._judge.recall(trial.number, points.steps, points.values, "", trial.why.get("interval"))
            self._ask_to_stop(live, f"{EARLY}{trial.why['rule']}")
        elif given_back:
            self._ask_to_stop(live, self._gave_back())

    def _recall(self, trial: Trial) -> None:
        """Read the curve of a trial that has ended: the policy compares others with it."""
        if self._definition.policy is None or trial.run is None:
            return
        with followed(self._maker.folder(trial.run), self._metrics) as following:
            points = following.points[0]
            upto = (trial.why or {}).get("interval")
            self._judge.recall(trial.number, points.steps, points.values, trial.state, upto)

    def _account_for_past(self) -> None:
        """Find out when the first trial began and how long GPUs were in use, where there is a limit to that."""
        bounds = self._definition.limits
        if bounds.time is None and bounds.gpu_hours is None:
            return
        live = {one.run for one in self._live.values()}
        for run in self._book.runs:
            if run not in live and self._maker.folder(run).path.exists():
                self._account(read_outcome(self._maker.folder(run)))

    def _account(self, outcome: Outcome) -> None:
        if outcome.started_at is None:
            return
        self._first_start = min(self._first_start or outcome.started_at, outcome.started_at)
        if outcome.ended_at is not None:
            self._gpu_seconds += self._resources.gpus * max(0.0, outcome.ended_at - outcome.started_at)

    # ---- what people ask

    def _hear(self) -> None:
        wishes, self._unheard = [*self._unheard, *self._wishes.advance()], []
        for wish in wishes:
            try:
                self._grant(wish)
                error = None
            except (ParameterError, ValueError, TypeError, KeyError, AttributeError) as problem:
                error = str(problem)
            self._book.tell("wish", id=wish.id, done=error is None, error=error)
            self._news = time.monotonic()

    def _grant(self, wish: Wish) -> None:
        if wish.ask == "pause":
            if self._book.log.paused is None:
                self._book.tell("paused", why=f"paused by {wish.by}", by=wish.by)
        elif wish.ask == "resume":
            if self._book.log.paused is not None:
                self._book.tell("resumed", by=wish.by)
        elif wish.ask == "concurrent":
            most = wish.about.get("n")
            if not isinstance(most, int) or isinstance(most, bool) or most < 1:
                raise ParameterError(f"a sweep runs 1 trial at once or more, not {most}")
            self._book.tell("concurrent", n=most, by=wish.by)
            if wish.about.get("now") is True:
                self._give_back()
        elif wish.ask == "add":
            self._add(wish)

    def _add(self, wish: Wish) -> None:
        params = {name: parse_literal(str(text)) for name, text in wish.about["params"].items()}
        number, late = self._asker.add(params, wish.id)
        self._by_hand.add(number)
        if late is not None:
            self._expect(*late)

    def _expect(self, number: int, params: Mapping[str, Any]) -> None:
        self._asked[number] = {name: literal_text(value) for name, value in params.items()}

    def _give_back(self) -> None:
        """Stop the trials beyond what may run at once that have come the least far; they begin anew later."""
        going = [live for live in self._live.values() if live.why is None and not live.given_back]
        going.sort(key=lambda live: (live.progress, -live.number))
        for live in going[: max(0, len(going) - self._concurrent)]:
            self._book.tell("given_back", number=live.number, run=live.run)
            live.given_back = True
            self._ask_to_stop(live, self._gave_back())

    def _gave_back(self) -> str:
        return f"sweep {self._spec.name}, which gave its slots back"

    # ---- trials that run

    def _watch(self, trial: Trial) -> Live:
        curious = not self._seen.issuperset(self._metrics)
        live = Live(trial, self._maker.folder(str(trial.run)), self._definition, curious=curious)
        self._live[trial.number] = live
        self._judge.begin(trial.number)
        return live

    def _ask_to_stop(self, live: Live, by: str) -> None:
        if live.folder.path.exists() and not live.folder.outcome.exists():
            ask_to_stop(live.folder, by)

    def _follow(self) -> None:
        for live in list(self._live.values()):
            if live.advance():
                self._news = time.monotonic()
                self._look(live)
            outcome = live.outcome()
            if outcome is not None:
                self._news = time.monotonic()
                # What it wrote last came after the last look.
                live.advance()
                self._look(live)
                self._conclude(live, outcome)

    def _look(self, live: Live) -> None:
        """See to what is new of a trial."""
        if live.started_at is not None:
            self._first_start = min(self._first_start or live.started_at, live.started_at)
        if live.following.curious:
            self._seen.update(logged(live, self._metrics))
            others = live.following.others
            if self._seen.issuperset(self._metrics):
                live.following.curious = False
            elif self._fatal is None and missing.missing(self._metrics, list(self._seen), others, self._mentions):
                self._fatal = missing.describe(self._metrics, list(self._seen), list(others))
        if live.why is None and not live.given_back:
            points = live.following.points[0]
            why = self._judge.look(live.number, points.steps, points.values)
            if why is not None:
                live.terminate(why)
                self._book.tell("terminating", number=live.number, run=live.run, why=why)
                self._ask_to_stop(live, f"{EARLY}{why['rule']}")

    def _conclude(self, live: Live, outcome: Outcome) -> None:
        """Take note of the end of a trial's run."""
        del self._live[live.number]
        live.close()
        self._maker.share_environment(live.run)
        self._account(outcome)
        trial = self._book.log.trials[live.number]
        killed_early = outcome.state == KILLED and live.started_at is None and trial.attempts < _MOST_STARTS
        if (live.given_back and outcome.state in {STOPPED, KILLED}) or (killed_early and live.why is None):
            if not live.given_back:
                self._book.tell("given_back", number=live.number, run=live.run)
            self._judge.forget(live.number)
            self._again.append(live.number)
            return
        state, values, cause = live.end(outcome)
        never = outcome.state == FINISHED and not self._seen.issuperset(self._metrics)
        if never and self._fatal is None and live.why is None:
            self._fatal = missing.describe(self._metrics, list(self._seen), list(live.following.others))
        self._close(trial, state, values, cause, live.why)

    def _close(
        self, trial: Trial, state: str, values: list[float] | None, cause: str | None, why: dict[str, Any] | None
    ) -> None:
        """Record how a trial ended, once and for all, and tell the search."""
        number = trial.number
        self._judge.end(number, state)
        self._book.tell("trial_ended", number=number, run=trial.run, state=state, values=values, cause=cause, why=why)
        self._asker.tell(number, values, state, (why or {}).get("interval", 1))
        self._log_bests()
        shown = ", ".join(f"{m} {v:.6g}" for m, v in zip(self._metrics, values or [], strict=False))
        print(f"trial {number} {state}" + "".join(f": {text}" for text in (shown, cause or "") if text), flush=True)
        bounds = self._definition.limits
        if self._book.log.paused is None:
            row = limits.repeated_failure(self._book.ended[self._book.resumed :], bounds.failures)
            if row is not None:
                self._book.tell("paused", why=row, by="controller")
        self._weigh(every=_WEIGH_EVERY)

    def _log_bests(self) -> None:
        """Log the best value so far for each trial that has ended, as far as that is not there."""
        if len(self._metrics) > 1:
            return
        name, sign = self._metrics[0], self._definition.objectives[0].sign
        ended = self._book.ended
        for step in range(self._last_step() + 1, len(ended) + 1):
            best = limits.bests(ended[:step], sign)[-1]
            if best is not None and best.values:
                self._log({name: best.values[0]}, step=step)
        self._logged = len(ended)

    _logged: int | None = None

    def _last_step(self) -> int:
        if self._logged is None:
            from mlwidgets.runs.journal import read_records

            steps = read_records(self._folder.metrics)["step"]
            self._logged = int(steps[-1]) if len(steps) else 0
        return self._logged

    def _weigh(self, every: int) -> None:
        """Tell how much of the result each parameter explains, now and then."""
        finished = sum(trial.is_result for trial in self._book.ended)
        if len(self._metrics) > 1 or finished < max(4, self._weighed + every) or self._asker.is_thinking:
            return
        self._weighed = finished
        shares = self._asker.importance()
        if shares:
            self._book.tell("importance", values=shares)

    # ---- trials that are to run

    def _start(self) -> None:
        """Start trials, as many as may run at once; of those that wait for slots there is never more than one."""
        while self._book.log.paused is None and len(self._live) < self._concurrent and not self._is_queued():
            if not self._start_one():
                return

    def _is_queued(self) -> bool:
        takes = self._resources.gpus or self._resources.cpus
        return bool(takes) and any(not live.following.has_slots for live in self._live.values())

    def _start_one(self) -> bool:
        trials = self._book.log.trials
        if self._again:
            self._again.sort()
            number = self._again.pop(0)
            trial = trials[number]
            self._begin(number, self._book.texts[number], trial.by, trial.attempts + 1)
            return True
        if not self._asked and self._book.own < self._planned and not self._asker.exhausted:
            answer = self._asker.ask()
            if answer is not None:
                self._expect(*answer)
        if not self._asked:
            return False
        number = min(self._asked)
        self._begin(number, self._asked.pop(number), HAND if number in self._by_hand else SAMPLER, 1)
        return True

    def _begin(self, number: int, texts: dict[str, str], by: str, attempt: int) -> None:
        run = self._maker.new_id(number)
        self._book.tell("trial", number=number, run=run, params=texts, attempt=attempt, by=by)
        self._maker.start(number, run, texts)
        self._watch(self._book.log.trials[number])
        self._news = time.monotonic()

    # ---- the end

    def _end(self) -> tuple[str, str] | None:
        """Return state and cause if the sweep is at its end."""
        if self._wake.names:
            return STOPPED, "stopped"
        if self._fatal is not None:
            return FAILED, self._fatal
        definition, ended = self._definition, self._book.ended
        if len(self._metrics) == 1:
            cause = limits.reached(definition.limits, definition.objectives[0], ended)
            if cause is not None:
                return FINISHED, cause
        cause = limits.used_up(definition.limits, self._running(), self._gpu_time())
        if cause is not None:
            return FINISHED, cause
        if self._live or self._again or self._asked or self._asker.is_thinking:
            return None
        if self._book.own < self._planned and not self._asker.exhausted:
            return None
        if not any(trial.is_result for trial in ended):
            last = next((trial.cause for trial in reversed(ended) if trial.cause), None)
            return FAILED, "no trial finished" + (f"; the last one: {last}" if last else "")
        count = len(ended)
        what = "all combinations were tried" if self._book.own < self._planned else "all trials have ended"
        return FINISHED, f"{what}: {count}"

    def _running(self) -> float:
        return 0.0 if self._first_start is None else time.time() - self._first_start

    def _gpu_time(self) -> float:
        if not self._resources.gpus:
            return 0.0
        now = time.time()
        going = sum(max(0.0, now - live.started_at) for live in self._live.values() if live.started_at is not None)
        return self._gpu_seconds + self._resources.gpus * going

    def _wind_down(self, cause: str) -> None:
        """Stop what runs, wait for it, and close what will never run."""
        by = f"sweep {self._spec.name}"
        if not self._wake.names:
            by += f": {cause}"
        if self._live:
            # Ends take longer than this process is given otherwise.
            write_event(self._folder.events, "saving")
        for live in self._live.values():
            # One that was to begin anew does not any more.
            live.given_back = False
            if live.why is None:
                self._ask_to_stop(live, by)
        deadline = time.monotonic() + _STOPPING
        while self._live and time.monotonic() < deadline:
            self._follow()
            self._rest()
        late = self._asker.settle()
        if late is not None:
            self._asker.tell(late[0], None, STOPPED)
        for number in self._asked:
            self._asker.tell(number, None, STOPPED)
        self._asked.clear()
        for number in self._again:
            self._close(self._book.log.trials[number], STOPPED, None, f"not begun anew: stopped by {by}", None)
        self._again.clear()

    def _rest(self) -> None:
        """Sleep until there may be news."""
        quiet = time.monotonic() - self._news
        pause = min(_SLOW, max(_QUICK, _STEADY * quiet))
        if self._asker.is_thinking:
            pause = min(pause, 0.02)
        deaths = {fd: live for live in self._live.values() if (fd := live.watched()) is not None}
        for descriptor in self._wake.sleep(pause, deaths):
            deaths[descriptor].hear_of_death()
            self._news = time.monotonic()
