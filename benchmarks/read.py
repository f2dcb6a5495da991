"""Figure 2: the history of 100 runs of 10,000 steps and two metrics, read into numpy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks import loggers, readers
from benchmarks.measure import Figure, Row, Spread, Target, at_least, number, ratios
from benchmarks.ours import start_run, store_in
from benchmarks.peers import NotInstalledError, load
from benchmarks.stations import Station, StationError

RUNS, STEPS = 100, 10_000
PEERS: dict[type[readers.Reader], type[loggers.Logger]] = {
    readers.TensorBoard: loggers.TensorBoard,
    readers.WandB: loggers.WandB,
    readers.MLflow: loggers.MLflow,
    readers.Trackio: loggers.Trackio,
}
#: Slow peers read fewer runs and their time is scaled. Not trackio's: its time per run grows with their number.
PEER_RUNS = {readers.TensorBoard: 3, readers.WandB: 5, readers.MLflow: 3, readers.Trackio: RUNS}
SOURCE = f"""
from mlwidgets import log
for step in range({STEPS}):
    log(loss=1.0 / (step + 1), acc=step * 1e-6)
"""


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    runs = 20 if quick else RUNS
    peer_runs = dict.fromkeys(PEERS, 1) if quick else PEER_RUNS
    counts = ", ".join(f"{reader.__name__} {count}" for reader, count in peer_runs.items())
    figure = Figure(
        "read",
        f"Reading {RUNS} runs × {STEPS:,} steps × 2 metrics into numpy",
        f"Steps, times and values of each metric as arrays; ours includes listing the store. All in turns, files in "
        f"the system's cache. Runs read: ours and numpy {runs}, {counts}; every figure is scaled to {RUNS}, "
        f"which where fewer were read favours the peer. The sums of all values are compared afterwards.",
    )
    places: dict[type[readers.Reader], Path] = {}
    missing: dict[type[readers.Reader], str] = {}
    try:
        places[readers.Ours] = _write_ours(scratch / "ours", runs)
    except NotInstalledError as error:
        missing[readers.Ours] = str(error)
    _write_raw(scratch / "raw", runs)
    places[readers.RawLoad] = places[readers.RawFile] = scratch / "raw"
    for reader, logger in PEERS.items():
        try:
            places[reader] = _write_peer(logger, scratch / logger.__name__, peer_runs[reader])
        except NotInstalledError as error:
            missing[reader] = str(error)
    seconds = _read_in_turns(places, rounds=3 if quick else 7)
    ours = seconds.get(readers.Ours, [])
    subjects: tuple[type[readers.Reader], ...] = (readers.Ours, readers.RawLoad, readers.RawFile, *PEERS)
    for reader in subjects:
        if reader in missing:
            figure.rows.append(Row(reader.title, "ms", None, note=missing[reader]))
            continue
        ratio = None if reader is readers.Ours else ratios(seconds[reader], ours)
        figure.rows.append(Row(reader.title, "ms", Spread.of([s * 1e3 for s in seconds[reader]]), ratio))
        if reader in PEERS:
            figure.targets.append(at_least(f"at least 100 times faster than {reader.title}", 100, ratio))
    for baseline in (readers.RawLoad, readers.RawFile):
        figure.targets.append(_within(3, baseline, ratios(ours, seconds[baseline])))
    return figure


def _within(limit: float, baseline: type[readers.Reader], ratio: Spread | None) -> Target:
    text = f"within {limit:g} times {baseline.title}"
    if ratio is None:
        return Target(text, "not measured", None)
    return Target(text, f"{number(ratio.median)} × its time", ratio.median <= limit)


def _read_in_turns(places: dict[type[readers.Reader], Path], rounds: int) -> dict[type[readers.Reader], list[float]]:
    """Return each reader's seconds for `RUNS` runs, round by round."""
    stations: dict[type[readers.Reader], Station] = {}
    seconds: dict[type[readers.Reader], list[float]] = {reader: [] for reader in places}
    sums: dict[str, float] = {}
    try:
        for reader, place in places.items():
            stations[reader] = Station(f"{reader.__module__}:{reader.__name__}", place)
        for turn in range(-1, rounds):
            for reader, station in stations.items():
                answer = station.ask(do="read")
                if answer["points"] != answer["runs"] * STEPS * 2 or not answer["runs"]:
                    raise StationError(f"{reader.title} found {answer['points']} points in {answer['runs']} runs")
                sums[reader.title] = answer["sum"] / answer["runs"]
                if turn >= 0:
                    seconds[reader].append(answer["seconds"] / answer["runs"] * RUNS)
    finally:
        for station in stations.values():
            station.close()
    # TensorBoard keeps single precision.
    if max(sums.values()) - min(sums.values()) > 1e-4 * max(sums.values()):
        raise StationError(f"the readers disagree about the values: {sums}")
    return seconds


def _write_ours(folder: Path, runs: int) -> Path:
    """Log one real run and lay copies of its folder beside it."""
    folder.mkdir(parents=True)
    run = start_run(SOURCE, folder).wait()
    for copied in range(1, runs):
        copy = run.path.with_name(f"{run.id[:-4]}{copied:04d}")
        shutil.copytree(run.path, copy)
        spec = json.loads((copy / "spec.json").read_text(encoding="utf-8"))
        (copy / "spec.json").write_text(json.dumps({**spec, "id": copy.name}), encoding="utf-8")
    return store_in(folder)


def _write_raw(folder: Path, runs: int) -> None:
    """Write the same columns as numpy's own files and as bare arrays."""
    np = load("numpy")
    steps = np.arange(STEPS, dtype="<i8")
    values = {"loss": 1.0 / (steps + 1), "acc": steps * 1e-6}
    for run in range(runs):
        place = folder / f"{run:03d}"
        place.mkdir(parents=True)
        for metric, column in values.items():
            columns = {"steps": steps, "times": 1.7e9 + steps * 1e-3, "values": column}
            for name, array in columns.items():
                np.save(place / f"{metric}-{name}.npy", array)
                array.tofile(place / f"{metric}-{name}")


def _write_peer(logger: type[loggers.Logger], folder: Path, runs: int) -> Path:
    """Let a peer log the same runs and return the folder to read."""
    with Station("benchmarks.loggers:filler", folder) as station:
        station.ask(do="fill", logger=logger.__name__, runs=runs, steps=STEPS)
    return folder
