"""Figure 1: what a call of `log` costs the training code, and what a SIGKILL loses."""

from __future__ import annotations

import mmap
import os
import random
import shutil
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import loggers, readers
from benchmarks.measure import Figure, Row, Spread, Target, Unit, at_least, at_most, number, ratios
from benchmarks.ours import station_in_run, store_in
from benchmarks.peers import NotInstalledError
from benchmarks.stations import Station, StationError, wait_until

#: Calls per round: a round takes each tracker some tenths of a second.
CALLS: dict[type[loggers.Logger], int] = {
    loggers.Nothing: 20_000,
    loggers.BareWrite: 20_000,
    loggers.Ours: 20_000,
    loggers.OursWithStep: 20_000,
    loggers.OursTensors: 20_000,
    loggers.TensorBoard: 5_000,
    loggers.WandB: 5_000,
    loggers.MLflow: 100,
    loggers.Trackio: 10_000,
}
#: Calls per round with work of about half a millisecond between them.
SPACED = 300
KILLABLE: dict[type[loggers.Logger], type[readers.Reader]] = {
    loggers.Ours: readers.Ours,
    loggers.TensorBoard: readers.TensorBoard,
    loggers.WandB: readers.WandB,
    loggers.MLflow: readers.MLflow,
    loggers.Trackio: readers.Trackio,
}
#: Seconds that a peer's helper process has to write what it still holds after its client was killed.
GRACE = 2.0


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    figure = Figure(
        "log",
        "`log(loss=…, acc=…)`, from the caller's side",
        "Two numbers per call. Each tracker in a process of its own (ours inside a real run), asked in turns; every "
        "call timed by itself, so a row's figures are over rounds of that round's median call. *Spaced*: a pass of "
        "numpy over 2 MB lies between the calls, as a training step would; caches are cold and background threads "
        "have time to work off their queues.",
    )
    _time_calls(figure, scratch / "calls", rounds=3 if quick else 15)
    figure.remarks.append(
        "A call of ours returns when the numbers are in the journal; SummaryWriter, W&B and trackio put them into a "
        "queue, which is cheap while their threads keep up and is lost with the process."
    )
    _kill(figure, scratch / "kills", rounds=6 if quick else 60, peer_rounds=2 if quick else 10)
    return figure


def _time_calls(figure: Figure, scratch: Path, rounds: int) -> None:
    stations: dict[type[loggers.Logger], Station] = {}
    try:
        for subject in CALLS:
            try:
                stations[subject] = open_station(subject, scratch / subject.__name__)
            except NotInstalledError as error:
                figure.rows.append(Row(subject.title, "µs", None, note=str(error)))
        for kind, work in (("", 0), (", spaced", 1)):
            _time_kind(figure, stations, rounds, kind, work)
    finally:
        for station in stations.values():
            station.close()


def _time_kind(
    figure: Figure, stations: dict[type[loggers.Logger], Station], rounds: int, kind: str, work: int
) -> None:
    medians: dict[type[loggers.Logger], list[float]] = {subject: [] for subject in stations}
    means: dict[type[loggers.Logger], list[float]] = {subject: [] for subject in stations}
    worst: dict[type[loggers.Logger], float] = dict.fromkeys(stations, 0.0)
    for turn in range(-1, rounds):
        for subject, station in stations.items():
            calls = min(SPACED, CALLS[subject]) if work else CALLS[subject]
            answer = station.ask(do="calls", n=calls, work=work)
            if turn >= 0:
                medians[subject].append(answer["median"])
                means[subject].append(answer["mean"])
                worst[subject] = max(worst[subject], answer["max"])
    ours, our_means = medians.get(loggers.Ours, []), means.get(loggers.Ours, [])
    for subject in stations:
        is_peer = not issubclass(subject, loggers.Ours | loggers.Nothing | loggers.BareWrite)
        mean_ratio = ratios(means[subject], our_means) if is_peer else None
        note = f"mean {number(Spread.of(means[subject]).median)} µs, longest {number(worst[subject] / 1e3)} ms"
        if mean_ratio:
            note += f"; by the mean {number(mean_ratio.median)} ×"
        ratio = ratios(medians[subject], ours) if is_peer else None
        figure.rows.append(Row(subject.title + kind, "µs", Spread.of(medians[subject]), ratio, note))
        if subject in (loggers.TensorBoard, loggers.WandB):
            peer = "SummaryWriter" if subject is loggers.TensorBoard else "W&B offline"
            figure.targets.append(at_least(f"at least 20 times cheaper than {peer}{kind}", 20, ratio))
    text = f"at most 3 µs per call, median{kind}"
    figure.targets.append(at_most(text, 3, "µs", Spread.of(ours) if ours else None))


def open_station(subject: type[loggers.Logger], folder: Path) -> Station:
    """Return a station for a logger, inside a real run where it is ours."""
    entry = f"{subject.__module__}:{subject.__name__}"
    if issubclass(subject, loggers.Ours):
        return station_in_run(entry, folder)
    return Station(entry, folder)


def _kill(figure: Figure, scratch: Path, rounds: int, peer_rounds: int) -> None:
    for subject, reader in KILLABLE.items():
        ours = issubclass(subject, loggers.Ours)
        title = f"{subject.title}: returned calls lost to SIGKILL"
        unit: Unit = "calls"
        try:
            lost, made = _kill_rounds(subject, reader, scratch, rounds if ours else peer_rounds)
        except NotInstalledError as error:
            figure.rows.append(Row(title, unit, None, note=str(error)))
            continue
        hit = sum(count > 0 for count in lost)
        note = f"{hit} of {len(lost)} kills lost something; {sum(lost):,} of {sum(made):,} calls"
        figure.rows.append(Row(title, unit, Spread.of(lost), note=note))
        if ours:
            text = f"nothing lost to SIGKILL, {len(lost)} kills"
            figure.targets.append(Target(text, f"{sum(lost):,} of {sum(made):,} calls", hit == 0))


def _kill_rounds(
    subject: type[loggers.Logger], reader: type[readers.Reader], scratch: Path, rounds: int
) -> tuple[list[int], list[int]]:
    """Return for each kill how many returned calls are not in the record, and how many calls had returned."""
    lost, made = [], []
    for turn in range(rounds):
        folder = scratch / f"{subject.__name__}-{turn}"
        returned = _log_and_kill(open_station(subject, folder), folder)
        ours = issubclass(subject, loggers.Ours)
        if not ours:
            time.sleep(GRACE)
        place = store_in(folder) if ours else folder
        with Station(f"{reader.__module__}:{reader.__name__}", place) as station:
            kept = int(station.ask(do="read")["kept"])
        lost.append(max(0, returned - kept))
        made.append(returned)
        shutil.rmtree(folder, ignore_errors=True)
    return lost, made


def _log_and_kill(station: Station, folder: Path) -> int:
    """Let a station log until it is killed at a random moment; return how many calls had returned."""
    counter = folder / "returned"
    counter.write_bytes(bytes(8))
    with open(counter, "rb") as file, mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ) as shared:

        def returned() -> int:
            return int(struct.unpack_from("<q", shared)[0])

        station.tell(do="until_killed", counter=str(counter))
        if not wait_until(lambda: returned() > 0, 30, pause=0.001):
            raise StationError(f"no call of log returned; see {folder}")
        time.sleep(random.uniform(0, 0.3))
        os.kill(station.pid, signal.SIGKILL)
        wait_until(_gone(station.pid), 10, pause=0.001)
        station.close()
        return returned()


def _gone(pid: int) -> Callable[[], bool]:
    """Return a check that a process executes nothing any more; it may still be a zombie."""

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            return True

    return gone
