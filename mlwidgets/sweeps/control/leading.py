"""What the controller does, from the first trial to the last."""

from __future__ import annotations

import contextlib
import time

from mlwidgets.errors import ParameterError
from mlwidgets.runner import SAVING_GRACE
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.outline import ALL_ENDED
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, STOPPED
from mlwidgets.runs.trials import HAND, SAMPLER
from mlwidgets.sweeps.control import limits
from mlwidgets.sweeps.control.course import Course
from mlwidgets.sweeps.control.insisting import insist, say
from mlwidgets.sweeps.control.live import Live
from mlwidgets.sweeps.control.recovery import recover, take_over_earlier, take_up_repeated
from mlwidgets.sweeps.control.wake import Wake
from mlwidgets.sweeps.requests import Wish, Wishes

_QUICK, _SLOW = 0.002, 0.25
"""Seconds between two looks at the trials: while things happen, and when they have not for a while."""
_STEADY = 0.25
"""How long it sleeps, as a part of the time since the last news."""
_THINKING = 0.02
"""Seconds between two looks whether the search has chosen."""
_STOPPING = SAVING_GRACE + 30.0
"""Seconds that stopped trials have to end; their supervisors kill those that do not sooner than that."""
_LOOK = 1.0
"""Seconds between two looks whether the sweep is still there, and has been asked to stop."""


class Leader:
    """Leads one sweep. Made anew where the one before was killed, it finds everything in the folder."""

    def __init__(self, folder: RunFolder, wake: Wake) -> None:
        self._wake = wake
        self._course = Course(folder, folder.read_spec())
        self._wishes = Wishes(folder.wishes)
        self._unheard: list[Wish] = []
        self._judged = 0
        self._enough: str | None = None
        self._looked = 0.0
        self._is_gone = self._is_asked = False

    def run(self) -> tuple[str, str]:
        """Lead the sweep to its end; return state and cause."""
        take_over_earlier(self._course)
        take_up_repeated(self._course)
        self._unheard = recover(self._course, self._wishes)
        while True:
            self._look()
            self._hear()
            self._course.follow()
            end = self._end()
            if end is not None:
                break
            self._start()
            self._rest()
        state, cause = end
        self._wind_down(cause)
        if self._is_gone:
            return state, cause
        self._course.weigh(every=1)
        return state, cause

    def _look(self) -> None:
        """See whether the sweep was deleted, or asked to stop before this process could be told."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        folder = self._course.folder
        self._is_gone = not folder.path.exists()
        self._is_asked = folder.stop_request.exists()

    def _hear(self) -> None:
        self._unheard += self._wishes.advance()
        while self._unheard and self._course.patience.is_over:
            wish = self._unheard[0]
            try:
                self._grant(wish)
                error = None
            except OSError:
                # There is no room for what was wished; it stays a wish.
                if not self._course.patience.fail():
                    raise
                return
            except (ParameterError, ValueError, TypeError, KeyError, AttributeError) as problem:
                error = str(problem)
            del self._unheard[0]
            self._answer(wish, error)

    def _answer(self, wish: Wish, error: str | None) -> None:
        """Say what became of a wish; why it was refused is in the output, where people look."""
        self._course.book.tell("wish", id=wish.id, done=error is None, error=error)
        if error is not None:
            say(f"mlwidgets: not done, {wish.ask} by {wish.by}: {error}")
        self._course.news = time.monotonic()

    def _grant(self, wish: Wish) -> None:
        if wish.ask == "pause":
            if self._course.book.log.paused is None:
                self._course.book.tell("paused", why=f"paused by {wish.by}", by=wish.by)
        elif wish.ask == "resume":
            if self._course.book.log.paused is not None:
                self._course.book.tell("resumed", by=wish.by)
        elif wish.ask == "concurrent":
            most = self._wished(wish)
            if not isinstance(most, int) or isinstance(most, bool) or most < 1:
                raise ParameterError(f"a sweep runs 1 trial at once or more, not {most}")
            self._course.book.tell("concurrent", n=most, by=wish.by, wish=wish.id)
            if wish.about.get("now") is True:
                self._give_back()
        elif wish.ask == "add":
            self._course.add(wish)

    def _wished(self, wish: Wish) -> object:
        """Return how many trials are to run at once: so many, or fewer by so many than there are on slots now."""
        fewer = wish.about.get("fewer")
        if fewer is None:
            return wish.about.get("n")
        if wish.id in self._course.book.numbers:
            # A controller was killed over it that had counted already.
            return self._course.book.numbers[wish.id]
        if not isinstance(fewer, int) or isinstance(fewer, bool) or fewer < 1:
            raise ParameterError(f"slots of 1 trial or more can be given back, not of {fewer}")
        return min(self._course.concurrent, sum(live.following.has_slots for live in self._going())) - fewer

    def _going(self) -> list[Live]:
        """Return the trials that nobody has asked to end."""
        going = [live for live in self._course.live.values() if live.why is None and not live.given_back]
        return [live for live in going if not self._course.was_stopped(live)]

    def _give_back(self) -> None:
        """Stop the trials beyond what may run at once that have come the least far; they begin anew later."""
        going = self._going()
        going.sort(key=lambda live: (live.progress, -live.number))
        for live in going[: max(0, len(going) - self._course.concurrent)]:
            self._course.book.tell("given_back", number=live.number, run=live.run)
            live.given_back = True
            self._course.ask_to_stop(live, self._course.gave_back())

    def _start(self) -> None:
        """Start trials, as many as may run at once; of those that wait for slots there is never more than one."""
        course = self._course
        while course.book.log.paused is None and len(course.live) < course.concurrent and not self._is_queued():
            if not course.patience.is_over or not self._start_one():
                return

    def _is_queued(self) -> bool:
        takes = self._course.resources.gpus or self._course.resources.cpus
        return bool(takes) and any(not live.following.has_slots for live in self._course.live.values())

    def _start_one(self) -> bool:
        course = self._course
        if course.unmade:
            return course.make(min(course.unmade)) is not None
        if course.again:
            course.again.sort()
            trial = course.book.log.trials[course.again.pop(0)]
            return self._begin(trial.number, course.book.texts[trial.number], trial.by, trial.attempts + 1)
        if not course.asked and self._has_more():
            try:
                answer = course.asker.ask()
            except OSError:
                # Nothing was asked; it is as if it had never begun.
                if not course.patience.fail():
                    raise
                return False
            if answer is not None:
                course.expect(*answer)
        if not course.asked:
            return False
        number = min(course.asked)
        return self._begin(number, course.asked.pop(number), HAND if number in course.by_hand else SAMPLER, 1)

    def _has_more(self) -> bool:
        """Whether further trials are to be asked for."""
        return self._course.book.own < self._course.planned and not self._course.asker.exhausted

    def _begin(self, number: int, texts: dict[str, str], by: str, attempt: int) -> bool:
        course = self._course
        run = course.maker.new_id(number)
        course.book.tell("trial", number=number, run=run, params=texts, attempt=attempt, by=by)
        return course.make(number) is not None

    def _end(self) -> tuple[str, str] | None:
        """Return state and cause if the sweep is at its end."""
        course = self._course
        if self._is_gone:
            return KILLED, "its folder was deleted"
        if self._wake.names or self._is_asked:
            return STOPPED, "stopped"
        if course.fatal is not None:
            return FAILED, course.fatal
        cause = self._reached() or limits.used_up(course.definition.limits, course.running_time(), course.gpu_time())
        if cause is not None:
            return FINISHED, cause
        to_begin = course.unmade or course.again or course.asked
        if course.live or to_begin or course.asker.is_thinking or self._has_more():
            return None
        ended = course.book.ended
        if not any(trial.is_result for trial in ended):
            last = next((trial.cause for trial in reversed(ended) if trial.cause), None)
            none = "no trial has a result" if any(trial.state == FINISHED for trial in ended) else "no trial finished"
            return FAILED, none + (f"; the last one: {last}" if last else "")
        what = "all combinations were tried" if course.book.own < course.planned else ALL_ENDED
        return FINISHED, f"{what}: {len(ended)}"

    def _reached(self) -> str | None:
        """Return why the trials that have ended are reason enough to end; looked at after each end only."""
        definition, ended = self._course.definition, self._course.book.ended
        if len(definition.objectives) == 1 and len(ended) > self._judged:
            self._judged = len(ended)
            self._enough = limits.reached(definition.limits, definition.objectives[0], ended)
        return self._enough

    def _wind_down(self, cause: str) -> None:
        """Stop what runs, wait for it, and close what will never run."""
        course = self._course
        by = f"sweep {course.spec.name}" + ("" if self._wake.names or self._is_asked else f": {cause}")
        for live in course.live.values():
            # One that was to begin anew does not any more.
            live.given_back = False
            if live.why is None:
                course.ask_to_stop(live, by)
        if self._is_gone:
            return
        deadline = time.monotonic() + _STOPPING
        while course.live and time.monotonic() < deadline:
            course.follow()
            self._rest()
        for wish in [*self._unheard, *self._wishes.advance()]:
            self._answer(wish, f"it came too late: {cause}")
        with contextlib.suppress(OSError):
            late = course.asker.settle()
            if late is not None:
                course.asker.tell(late[0], None, STOPPED)
        for number in course.asked:
            course.asker.tell(number, None, STOPPED)
        course.asked.clear()
        for number in course.again:
            course.close(course.book.log.trials[number], STOPPED, None, f"not begun anew: stopped by {by}", None)
        course.again.clear()
        for number in course.unmade:
            course.close(course.book.log.trials[number], STOPPED, None, f"not begun: stopped by {by}", None)
        course.unmade.clear()
        # What there was no room for; a restart would know it from the events.
        with contextlib.suppress(OSError):
            insist(course.asker.catch_up)

    def _rest(self) -> None:
        """Sleep until there may be news."""
        quiet = time.monotonic() - self._course.news
        pause = min(_SLOW, max(_QUICK, _STEADY * quiet))
        if self._course.asker.is_thinking:
            pause = min(pause, _THINKING)
        deaths = {fd: live for live in self._course.live.values() if (fd := live.watched()) is not None}
        for descriptor in self._wake.sleep(pause, deaths):
            deaths[descriptor].hear_of_death()
            self._course.news = time.monotonic()
