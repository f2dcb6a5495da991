"""A tick that waits: where nobody else ticks, and what it starts ends with it, as in a container."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.firing import FAILED, WAITING, Firing
from mlwidgets.schedules.table import Table, open_firings, rows
from mlwidgets.schedules.telling import tell_pending
from mlwidgets.schedules.tick import Ticked, tick
from mlwidgets.schedules.timetable import Schedules

PAUSE = 1.0
"""Seconds between looks."""
TELLING = 900.0
"""Seconds for which it tries to tell of what has ended."""


def tick_and_wait(store: RunStore, names: Sequence[str], say: Callable[[Ticked], None]) -> bool:
    """Start what is due of some schedules and wait until nothing of theirs is under way, retries included, and told of.

    What becomes due meanwhile is started, too.

    Parameters
    ----------
    say
        Is given what each tick did.

    Returns
    -------
    good
        Whether nothing failed for good.

    Raises
    ------
    ScheduleError, StoreError
        As of `tick`.
    """
    ids = {Schedules(store).find(name).id for name in names}
    good = True
    while True:
        done = tick(store, names=names or None)
        say(done)
        good &= not any(firing.state == FAILED for firing in done.ended)
        if not _under_way(store, ids):
            break
        tell_pending(store)
        time.sleep(PAUSE)
    end = time.monotonic() + TELLING
    while tell_pending(store) and time.monotonic() < end:
        time.sleep(PAUSE)
    return good


def _under_way(store: RunStore, ids: set[str]) -> list[Firing]:
    table = Table(store.path)
    if not table.exists:
        return []
    with table.open() as connection:
        going = [firing for firing in open_firings(connection) if not ids or firing.schedule in ids]
        # What is paused is not tried again, for however long somebody waits.
        paused = {row.schedule.id for row in rows(connection, "NOT enabled")} if going else set()
    return [firing for firing in going if firing.state != WAITING or firing.schedule not in paused]
