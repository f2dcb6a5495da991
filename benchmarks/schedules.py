"""Figure: how soon what is due is started, what waiting for it costs, and whether each time is started once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measure import Figure, Row, Spread, Target, Unit, at_most
from benchmarks.peers import NotInstalledError
from benchmarks.stations import Station

JOBS, WAITING = 20, 200
SOON, SETTLED = 3.0, 3.0
"""Seconds from now until what is due is due, and after which no second start of it is expected."""
DELAY_LIMIT = 1.0
SUBJECTS = {
    "Ours": "mlwidgets",
    "APScheduler": "APScheduler 3, SQLAlchemy job store",
    "PatientAPScheduler": "the same, `misfire_grace_time=None`",
    "JupyterScheduler": "jupyter-scheduler",
}
FOLD, GAP = (2026, 10, 25), (2026, 3, 29)
_WRONG: dict[str, Callable[[int], bool]] = {"lost": lambda count: count < 1, "more than once": lambda count: count > 1}


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    rounds, idle = (1, 3.0) if quick else (2, 20.0)
    figure = Figure(
        "schedules",
        "What is due: how soon, how often, at what cost",
        f"*Two servers*: {JOBS} jobs that are due in the same second, two processes that look after them in the same "
        "database. *Down for three days*: the process comes back an hour after the third time at which each of them "
        "was due; once for all of them is asked for. *A time that comes twice*, *that is left out*: 02:30 in Berlin "
        "on the days on which the clock goes back and forward, by a clock that is simulated; once is right. "
        "What is started writes a line and nothing else; all subjects take their turn at the same time, and hardly do "
        "anything meanwhile. *Delay*: of the two servers' jobs, from the due time to that line. "
        f"*Real runs*: until the run's supervisor is started, and until the first line of its "
        f"code. *Idle*: what a process uses of one core in {idle:g} s while {WAITING} jobs wait for tomorrow.",
    )
    delays: dict[str, list[float]] = {}
    counted: dict[tuple[str, str], list[list[int]]] = {}
    missing: dict[str, str] = {}
    poll = 1 if quick else 0
    for number in range(rounds):
        with ThreadPoolExecutor(len(SUBJECTS)) as pool:
            begun = {
                subject: pool.submit(_scenarios, subject, scratch / f"{subject}-{number}", poll)
                for subject in SUBJECTS
                if subject not in missing
            }
        for subject, one in begun.items():
            try:
                soon, counts = one.result()
            except NotInstalledError as error:
                missing[subject] = str(error)
                continue
            delays.setdefault(subject, []).extend(soon)
            for what, count in counts.items():
                counted.setdefault((what, subject), []).append(count)
    real = _real(scratch / "real", 1 if quick else 3, missing)
    _rows(figure, delays, counted, missing, real)
    _idle(figure, scratch / "idle", idle, missing)
    if quick and "JupyterScheduler" not in missing:
        figure.remarks.append("jupyter-scheduler looks every second here, and every ten seconds by default.")
    return figure


def _scenarios(subject: str, folder: Path, poll: int) -> tuple[list[float], dict[str, list[int]]]:
    """Return the delays of what was due, and how often each was started in each scenario."""
    delays, starts = _two_servers(subject, folder / "two", poll if subject == "JupyterScheduler" else 0)
    return delays, {
        "two servers": starts,
        "down for three days": _down(subject, folder / "down"),
        "a time that comes twice": [_day(subject, folder / "twice", FOLD)],
        "a time that is left out": [_day(subject, folder / "out", GAP)],
    }


def _two_servers(subject: str, folder: Path, poll: int) -> tuple[list[float], list[int]]:
    """Return the delays of what was due in some seconds, and how often each was started."""
    for soon in (SOON, 4 * SOON, 16 * SOON):
        place = folder / str(soon)
        stations = [Station(f"benchmarks.tickers:{subject}", place / str(number)) for number in range(2)]
        try:
            due = float(int(time.time() + soon + 1))
            stations[0].ask(do="prepare", due=due, count=JOBS)
            for station in stations:
                station.ask(do="serve", due=due, **({"poll": poll} if poll else {}))
            ready = time.time() < due - 0.5
            # Jupyter-scheduler looks every ten seconds, each process at a time of its own.
            settled = 12.0 if subject == "JupyterScheduler" and not poll else SETTLED
            time.sleep(max(0.0, due + settled - time.time()) if ready else 0.0)
        finally:
            for station in stations:
                station.close()
        if ready:
            break
    else:
        raise TimeoutError(f"{subject} was not ready within {soon:g} s")
    found = _starts(place)
    first: dict[str, float] = {}
    for name, at in found:
        first.setdefault(name, at)
    return [at - due for at in first.values()], _often(found)


def _down(subject: str, folder: Path) -> list[int]:
    """Return how often each was started when a process came back."""
    with Station(f"benchmarks.tickers:{subject}", folder / "0") as station:
        due = float(int(time.time() - 3600.0))
        station.ask(do="prepare", due=due, count=JOBS, down=2 * 86400.0)
        station.ask(do="serve", due=due)
        time.sleep(SETTLED)
    return _often(_starts(folder))


def _day(subject: str, folder: Path, day: Sequence[int]) -> int:
    with Station(f"benchmarks.tickers:{subject}", folder / "0") as station:
        year, month, number = day
        return int(station.ask(do="day", year=year, month=month, day=number)["starts"])


def _real(folder: Path, rounds: int, missing: dict[str, str]) -> dict[str, list[float]]:
    if "Ours" in missing:
        return {}
    with Station("benchmarks.tickers:Ours", folder / "0", patience=600) as station:
        return station.ask(do="real", rounds=rounds)


def _starts(folder: Path) -> list[tuple[str, float]]:
    path = folder / "starts"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(name, float(at)) for name, at in map(str.split, lines)]


def _often(starts: Sequence[tuple[str, float]]) -> list[int]:
    counts = Counter(name for name, _ in starts)
    return [counts[f"job{number}"] for number in range(JOBS)]


def _rows(
    figure: Figure,
    delays: dict[str, list[float]],
    counted: dict[tuple[str, str], list[list[int]]],
    missing: dict[str, str],
    real: dict[str, list[float]],
) -> None:
    for subject, title in SUBJECTS.items():
        if subject in missing:
            figure.rows.append(Row(title, "s", None, note=missing[subject]))
        elif delays.get(subject):
            figure.rows.append(Row(f"delay: {title}", "s", Spread.of(delays[subject])))
    started = Spread.of(real["started"]) if real else None
    if started is not None:
        figure.rows.append(Row("delay: mlwidgets, real runs, until started", "s", started))
        figure.rows.append(Row("delay: mlwidgets, real runs, until their first line", "s", Spread.of(real["began"])))
    unit: Unit = "starts"
    for (what, subject), values in sorted(counted.items(), key=lambda item: list(SUBJECTS).index(item[0][1])):
        every = [count for one in values for count in one]
        said = [f"{sum(map(is_so, every))} {word}" for word, is_so in _WRONG.items() if any(map(is_so, every))]
        spread = Spread.of([sum(one) for one in values])
        title = f"{what}, {len(values[0])} due: {SUBJECTS[subject]}"
        note = f"of {len(every)}: {', '.join(said)}" if said else ""
        figure.rows.append(Row(title, unit, spread, note=note))
    figure.targets.append(at_most("from due to started: under 1 s, median, real runs", DELAY_LIMIT, "s", started))
    ours = [count for (_, subject), values in counted.items() if subject == "Ours" for one in values for count in one]
    wrong = sum(count != 1 for count in ours)
    text = "each due time started exactly once, in every scenario"
    measured = f"{len(ours) - wrong} of {len(ours)}" if ours else "not measured"
    figure.targets.append(Target(text, measured, not wrong if ours else None))


def _idle(figure: Figure, folder: Path, seconds: float, missing: dict[str, str]) -> None:
    """Measure what all use who wait, at the same time: they hardly do anything."""
    stations = {
        subject: Station(f"benchmarks.tickers:{subject}", folder / subject / "0")
        for subject in SUBJECTS
        if subject not in missing and subject != "PatientAPScheduler"
    }
    try:
        for station in stations.values():
            due = float(int(time.time() + 86400.0 - 3600.0))
            station.ask(do="prepare", due=due, count=WAITING)
            station.ask(do="serve", due=due)
        time.sleep(2.0)
        before = {subject: station.ask(do="spent")["seconds"] for subject, station in stations.items()}
        began = time.monotonic()
        time.sleep(seconds)
        for subject, station in stations.items():
            used = station.ask(do="spent")["seconds"] - before[subject]
            share = 100 * used / (time.monotonic() - began)
            figure.rows.append(Row(f"idle, {WAITING} jobs: {SUBJECTS[subject]}", "%", Spread.of([share])))
    finally:
        for station in stations.values():
            station.close()
