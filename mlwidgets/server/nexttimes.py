"""When the reports of a store are made next, as their schedules say."""

from __future__ import annotations

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.store import RunStore


def next_times(store: RunStore) -> dict[str, float]:
    """Return Unix seconds by the names of reports; of one with several schedules the first."""
    from mlwidgets.schedules.schedule import REPORT
    from mlwidgets.schedules.timetable import Schedules

    found: dict[str, float] = {}
    try:
        schedules = Schedules(store).list()
    except MlwidgetsError:
        # Schedules that cannot be read hide no report.
        return found
    for one in schedules:
        if one.kind != REPORT or one.next is None or not one.enabled:
            continue
        for number in range(len(one.elements)):
            name = one.name_of(number)
            found[name] = min(one.next, found.get(name, one.next))
    return found
