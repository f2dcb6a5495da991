"""Whether what a schedule names is there: asked before it is kept, so that nobody waits for Monday to learn it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mlwidgets.errors import MlwidgetsError, ScheduleError
from mlwidgets.history.notebooks.document import read_file
from mlwidgets.history.notebooks.notebook import read_notebook
from mlwidgets.reports.parameters.params import check_params, read_params
from mlwidgets.runs.folder import read_json
from mlwidgets.runs.spec import check_name
from mlwidgets.runs.store import RunStore, name_of
from mlwidgets.schedules.conditions import MOST_FILES, files_of, is_known
from mlwidgets.schedules.schedule import CURRENT, REPORT, Schedule
from mlwidgets.schedules.sources import commit_of, content_of
from mlwidgets.schedules.starting import repeated


def check_target(store: RunStore, schedule: Schedule) -> Schedule:
    """Return the schedule with what its names stand for: absolute paths, ids.

    Raises
    ------
    MlwidgetsError
        If there is no such notebook, run or parameter: one line that says what is wrong.
    """
    given = tuple(_absolute(path) for path in schedule.when_changed)
    schedule = replace(schedule, when_changed=given)
    if sum(1 for _, _ in zip(files_of(given), range(MOST_FILES + 1), strict=False)) > MOST_FILES:
        raise ScheduleError(
            f"more than {MOST_FILES} files to watch for changes: name fewer, or one that is written last"
        )
    if schedule.kind == REPORT:
        return _check_report(store, schedule)
    run = store.find(str(schedule.target["run"])).id
    schedule = replace(schedule, target={**schedule.target, "run": run})
    for params in schedule.elements:
        repeated(store, schedule, run, params, {})
    return schedule


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def _check_report(store: RunStore, schedule: Schedule) -> Schedule:
    notebook = _absolute(schedule.target["notebook"])
    # The report keeps its name, and its address, when the schedule gets another one.
    target = {"report": schedule.name, **schedule.target, "notebook": notebook}
    schedule = replace(schedule, target=target)
    content = content_of(schedule)
    document = read_notebook(read_file(Path(notebook)) if content is None else content, notebook)
    params = read_params(document)
    for element in schedule.elements:
        check_params(element, params)
    for number in range(len(schedule.elements)):
        name = check_name(schedule.name_of(number))
        known = (read_json(store.path / "reports" / name / "definition.json") or {}).get("notebook")
        if isinstance(known, str) and known != notebook and os.path.exists(known):
            raise ScheduleError(f"there is a report {name!r} of {known}: give this one another name")
    return schedule


def resolve_source(notebook: str, source: str) -> str:
    """Return ``current``, or the id of the commit that is meant.

    Raises
    ------
    ScheduleError
        If there is no such commit, or the notebook is not in it.
    """
    return source if source == CURRENT else commit_of(Path(_absolute(notebook)), source)


def check_order(store: RunStore, schedule: Schedule, others: Iterable[Schedule]) -> None:
    """See that what a schedule comes after can come, and does not come after the schedule itself.

    Raises
    ------
    ScheduleError
        If it cannot.
    """
    if schedule.after is None:
        return
    others = [one for one in others if one.id != schedule.id]
    makers = {name: one for one in (*others, schedule) for name in names_made(one)}
    if schedule.after not in makers and not is_known(store, schedule.after):
        raise ScheduleError(f"there is no report and no run called {schedule.after!r:.100} to come after")
    way = [schedule.name]
    at: Schedule | None = schedule
    while at is not None and at.after is not None:
        at = makers.get(at.after)
        if at is not None and at.name in way:
            raise ScheduleError(f"each would come after the other: {' after '.join([*way, at.name])}")
        way.append(at.name if at else "")


def names_made(schedule: Schedule) -> list[str]:
    """Return the names of the reports or runs that a schedule starts."""
    if schedule.kind != REPORT:
        return [name_of(str(schedule.target["run"]))]
    return [schedule.name_of(number) for number in range(len(schedule.elements))]


def check_notify(schedule: Schedule) -> None:
    """See that whoever is to be told can be.

    Raises
    ------
    MlwidgetsError
        If a target is none.
    """
    if schedule.notify is None:
        return
    from mlwidgets.notifying.tell import check_targets

    try:
        check_targets(schedule.notify)
    except MlwidgetsError:
        raise
    except (TypeError, ValueError) as error:
        raise ScheduleError(f"nobody can be told so: {error}") from error
