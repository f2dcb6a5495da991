"""Going on where the controller before was killed: everything is in the folder, each step may be half done."""

from __future__ import annotations

from functools import partial

from mlwidgets.runs.spec import literal_text, parse_literal
from mlwidgets.runs.state import KILLED, read_outcome
from mlwidgets.runs.stopping import EARLY
from mlwidgets.runs.trials import GIVEN_BACK, HAND, WARM_START, Trial
from mlwidgets.sweeps.control.course import Course
from mlwidgets.sweeps.control.curves import followed
from mlwidgets.sweeps.control.earlier import gather
from mlwidgets.sweeps.control.insisting import insist, say
from mlwidgets.sweeps.requests import Wish, Wishes


def take_over_earlier(course: Course) -> None:
    """Let the search learn from earlier runs, before the first trial."""
    if not course.definition.warm_start or course.book.own:
        return
    found, hints = gather(course.folder, course.definition, course.space, course.spec.params)
    for one in found:
        number = insist(partial(course.asker.search.take_over, one.params, one.values, key=one.key))
        if number not in course.book.log.trials:
            texts = {name: literal_text(value) for name, value in one.params.items()}
            told = {"run": one.run, "params": texts, "values": one.values, "name": one.name}
            course.book.tell("earlier", number=number, by=WARM_START, **told)
    for hint in hints:
        say(f"mlwidgets: {hint}")


def take_up_repeated(course: Course) -> None:
    """Let the trials of the sweep that this one does again come first, each under its number with its parameters."""
    search, number = course.asker.search, 0
    for one in course.definition.repeats:
        while number < one["number"]:
            insist(partial(search.skip, f"none/{number}"))
            number += 1
        key, texts = f"again/{number}", one["params"]
        params = {name: parse_literal(text) for name, text in texts.items()}
        if one["by"] == WARM_START:
            insist(partial(search.take_over, params, one["values"], key=key))
            if number not in course.book.log.trials:
                told = {"run": one["run"], "params": texts, "values": one["values"], "name": one["name"]}
                course.book.tell("earlier", number=number, by=WARM_START, **told)
        else:
            insist(partial(search.add, params, key))
            if one["by"] == HAND:
                course.by_hand.add(number)
        number += 1


def recover(course: Course, wishes: Wishes) -> list[Wish]:
    """Take up all that was begun; return the wishes that were not answered."""
    unheard: list[Wish] = []
    for wish in wishes.advance():
        if wish.id not in course.book.wishes:
            unheard.append(wish)
        elif wish.ask == "add" and course.book.wishes[wish.id]:
            # It is there already; which number it has is known again.
            insist(partial(course.add, wish))
    trials, known = course.book.log.trials, course.asker.search.running
    for number, trial in sorted(trials.items()):
        if trial.by == WARM_START:
            continue
        if trial.values is not None:
            course.seen.update(course.metrics)
        if trial.is_over:
            if number in known:
                course.asker.tell(number, trial.values, trial.state, (trial.why or {}).get("interval", 1))
            _recall(course, trial)
        elif trial.state == GIVEN_BACK and not course.maker.folder(str(trial.run)).path.exists():
            course.again.append(number)
        else:
            _adopt(course, trial, given_back=trial.state == GIVEN_BACK)
    for number, params in sorted(known.items()):
        if number not in trials:
            course.expect(number, params)
    _account_for_past(course)
    course.log_bests()
    return unheard


def _adopt(course: Course, trial: Trial, *, given_back: bool) -> None:
    """Go on with a trial that has not ended, wherever it was left."""
    if course.maker.was_deleted(str(trial.run)):
        course.close(trial, KILLED, None, "its run was deleted", None)
        return
    live = course.make(trial.number)
    if live is None:
        return
    # Whom a user has stopped meanwhile does not begin anew.
    live.given_back = given_back and not course.was_stopped(live)
    live.advance()
    if trial.why is not None:
        live.terminate(trial.why)
        points = live.following.points[0]
        course.judge.recall(trial.number, points.steps, points.values, "", trial.why.get("interval"))
        course.ask_to_stop(live, f"{EARLY}{trial.why['rule']}")
    elif live.given_back:
        course.ask_to_stop(live, course.gave_back())


def _recall(course: Course, trial: Trial) -> None:
    """Read the curve of a trial that has ended: the policy compares others with it."""
    if course.definition.policy is None or trial.run is None:
        return
    with followed(course.maker.folder(trial.run), course.metrics) as following:
        points = following.points[0]
        upto = (trial.why or {}).get("interval")
        course.judge.recall(trial.number, points.steps, points.values, trial.state, upto)


def _account_for_past(course: Course) -> None:
    """Find out when the first trial began and how long GPUs were in use, where there is a limit to that."""
    bounds = course.definition.limits
    if bounds.time is None and bounds.gpu_hours is None:
        return
    live = {one.run for one in course.live.values()}
    for run in course.book.runs:
        if run not in live and course.maker.folder(run).path.exists():
            course.account(read_outcome(course.maker.folder(run)))
