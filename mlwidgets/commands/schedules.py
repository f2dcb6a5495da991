"""Schedules: what runs by itself, when, and what became of it."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlwidgets.commands import scheduling
from mlwidgets.commands.common import plain, print_table, store_of
from mlwidgets.commands.schedule_export import add_export
from mlwidgets.commands.scheduling import NAME, show, who_ticks

if TYPE_CHECKING:
    from mlwidgets.runs.store import RunStore
    from mlwidgets.schedules.firing import Firing
    from mlwidgets.schedules.schedule import Schedule
    from mlwidgets.schedules.timetable import Schedules

_LONGEST = 90
_TREND = 20
_BARS = "▁▂▃▄▅▆▇█"


def add(commands: Any) -> None:
    """Add the commands."""
    schedule = commands.add_parser("schedule", help="what runs by itself: reports, runs and sweeps")
    choices = schedule.add_subparsers(
        required=True, metavar="list|add|edit|pause|resume|run|remove|duplicate|next|history|tick|serve|export"
    )
    listing = choices.add_parser("list", help="all schedules: when, next and last time, and how that ended")
    listing.add_argument("--json", action="store_true", help="as JSON, one object per line")
    listing.set_defaults(action=_list)
    for name, action, text in (
        ("pause", _pause, "let a schedule not be due; what runs goes on"),
        ("resume", _resume, "let a paused schedule be due again"),
        ("run", _run, "start now what a schedule starts; its times stay as they are"),
        ("remove", _remove, "forget a schedule; its runs and editions stay"),
        ("duplicate", _duplicate, "keep a schedule once more, paused, to be edited"),
        ("next", _next, "when a schedule is due next, in words and in times"),
    ):
        command = choices.add_parser(name, help=text)
        command.add_argument("name", help=NAME)
        if action is _duplicate:
            command.add_argument("new_name", nargs="?", help="of the copy")
        elif action is _next:
            command.add_argument("--count", type=int, default=5, metavar="N", help="how many times (5)")
        command.set_defaults(action=action)
    scheduling.add(choices)
    history = choices.add_parser("history", help="what schedules have started, skipped and missed, the newest first")
    history.add_argument("name", nargs="?", help=NAME)
    history.add_argument("--limit", type=int, default=20, metavar="N", help="how many (20)")
    history.add_argument("--json", action="store_true", help="as JSON, one object per line")
    history.set_defaults(action=_history)
    ticking = choices.add_parser("tick", help="start what is due, and exit: for cron, systemd, Kubernetes")
    ticking.add_argument("names", nargs="*", metavar="name", help="only these schedules")
    ticking.set_defaults(action=_tick)
    serving = choices.add_parser("serve", help="start what is due until Ctrl-C, where no Jupyter server does")
    serving.set_defaults(action=_serve)
    add_export(choices)


def _schedules(options: argparse.Namespace) -> Schedules:
    from mlwidgets.schedules.timetable import Schedules

    return Schedules(store_of(options))


def _list(options: argparse.Namespace) -> int:
    from mlwidgets.schedules.timetable import when
    from mlwidgets.schedules.words import moment

    schedules = _schedules(options)
    found = schedules.list()
    lines = []
    store = store_of(options)
    for one in found:
        newest = schedules.firings(one.name, _TREND)
        last = newest[0] if newest else None
        editions = _editions(store, one)
        if options.json:
            told = {"when": when(one), "last": None if last is None else last.to_json(), "editions": editions}
            durations = [_seconds(firing) for firing in reversed(newest)]
            print(json.dumps({**one.to_json(), **told, "durations": durations}))
            continue
        next_ = "paused" if not one.enabled else "" if one.next is None else moment(one.next, one.timezone)
        ended = "" if last is None else f"{last.state}, {moment(last.due, one.timezone)}"
        took = " ".join(filter(None, [_bars(newest), _duration(last)]))
        shown = ", ".join(editions.values()) if len(editions) < 2 else f"{len(editions)} reports"
        lines.append((one.name, one.kind, when(one), next_, ended, took, shown))
    if lines:
        _print_table([("name", "starts", "when", "next", "last", "took", "latest edition"), *lines])
    elif not found:
        print('no schedules yet: `mlwidgets schedule add NAME --report NOTEBOOK --every "0 7 * * 1-5"`')
    if not options.json:
        _print_missed(schedules)
    return 0


def _editions(store: RunStore, schedule: Schedule) -> dict[str, str]:
    """Return the latest published edition of each report that a schedule makes, by the report's name."""
    from mlwidgets.reports.publishing.definition import UnknownReport
    from mlwidgets.reports.publishing.editions import Report
    from mlwidgets.schedules.schedule import REPORT

    found = {}
    for number in range(len(schedule.elements) if schedule.kind == REPORT else 0):
        name = schedule.name_of(number)
        with contextlib.suppress(UnknownReport):
            latest = Report(store, name).latest()
            if latest is not None:
                found[name] = latest.id
    return found


def _seconds(firing: Firing) -> float | None:
    if firing.started is None or firing.ended is None:
        return None
    return max(0.0, firing.ended - firing.started)


def _bars(newest: Sequence[Firing]) -> str:
    """Return how long the last ones took as bars, the newest last; of fewer than three there is no trend."""
    took = [seconds for firing in reversed(newest) if (seconds := _seconds(firing)) is not None]
    longest = max(took, default=0.0)
    if len(took) < 3 or not longest:
        return ""
    return "".join(_BARS[min(len(_BARS) - 1, int(seconds / longest * len(_BARS)))] for seconds in took)


def _print_missed(schedules: Schedules) -> None:
    from mlwidgets.schedules.words import moment

    zones = {one.id: one.timezone for one in schedules.list()}
    for gone in schedules.missed(time.time()):
        first = moment(gone.first, zones[gone.schedule])
        times = "once" if gone.count == 1 else f"{gone.count}{' or more' if gone.count >= 100 else ''} times"
        print(f"{gone.name} is overdue: {times}, since {first}; nobody was there{who_ticks(schedules)}")


def _duration(firing: Firing | None) -> str:
    took = None if firing is None else _seconds(firing)
    if took is None:
        return ""
    return f"{took:.0f} s" if took < 120 else f"{took / 60:.0f} min"


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    print_table([[plain(text, _LONGEST) for text in row] for row in rows])


def _pause(options: argparse.Namespace) -> int:
    print(f"{_schedules(options).pause(options.name).name}: paused")
    return 0


def _resume(options: argparse.Namespace) -> int:
    schedules = _schedules(options)
    show(schedules, schedules.resume(options.name), 1)
    return 0


def _run(options: argparse.Namespace) -> int:
    for firing in _schedules(options).run_now(options.name):
        print(f"{options.name}: started {firing.run}")
    return 0


def _remove(options: argparse.Namespace) -> int:
    print(f"{_schedules(options).remove(options.name).name}: removed; its runs and editions stay")
    return 0


def _duplicate(options: argparse.Namespace) -> int:
    new = _schedules(options).duplicate(options.name, options.new_name)
    print(f"{new.name}: kept, paused; `mlwidgets schedule edit {new.name}` changes it, then `resume`")
    return 0


def _next(options: argparse.Namespace) -> int:
    schedules = _schedules(options)
    schedule = schedules.find(options.name)
    show(schedules, schedule, max(1, options.count))
    if not schedule.enabled:
        print("  it is paused")
    return 0


def _history(options: argparse.Namespace) -> int:
    from mlwidgets.schedules.words import moment

    schedules = _schedules(options)
    known = {one.id: one for one in schedules.list()}
    found = schedules.firings(options.name, max(1, options.limit))
    if options.json:
        for firing in found:
            name = known[firing.schedule].name if firing.schedule in known else None
            print(json.dumps({**firing.to_json(), "name": name}))
        return 0
    lines = []
    for firing in found:
        one = known.get(firing.schedule)
        due = moment(firing.due, one.timezone if one else "UTC")
        given = " ".join(f"{name}={text}" for name, text in firing.params.items())
        why = firing.reason or ("" if not firing.missed else f"for {firing.missed} missed times, too")
        lines.append((one.name if one else "", due, firing.state, _duration(firing), firing.run or "", given, why))
    if lines:
        _print_table([("name", "due", "state", "took", "run", "parameters", "why"), *lines])
    else:
        print("nothing was due yet")
    return 0


def _tick(options: argparse.Namespace) -> int:
    from mlwidgets.schedules.telling import tell_pending
    from mlwidgets.schedules.tick import tick

    store = store_of(options)
    done = tick(store, names=options.names or None)
    for state, found in (("started", done.started), ("ended", done.ended), ("skipped", done.skipped)):
        for firing in found:
            print(plain(" ".join(filter(None, [state, firing.run, firing.reason]))))
    for firing in done.missed:
        print(f"missed {max(1, firing.missed)}: {firing.reason}")
    tell_pending(store)
    return 0


def _serve(options: argparse.Namespace) -> int:
    from mlwidgets.schedules.ticker import Ticker

    store = store_of(options)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    ticker = Ticker(store.path)
    ticker.start()
    print(f"schedules of {store.path} start by themselves until Ctrl-C", flush=True)
    over.wait()
    ticker.stop()
    return 0
