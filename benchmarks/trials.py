"""Figure: what a search costs beside its trials."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Row, Spread, at_most, ratios
from benchmarks.ours import store_in
from benchmarks.peers import NotInstalledError, load
from benchmarks.stations import Station

TRIALS, CONCURRENT, REPORTS, WORK = 100, 2, 10, 0.001
RAY_TRIALS = 20
"""Ray's take seconds each, and a hundred would tell no more."""
LIMIT = 30.0
_CODE = f"""
import time
from mlwidgets import log
for i in range({REPORTS}):
    time.sleep({WORK / REPORTS})
    log(score=-((x - 0.3) ** 2) + i / 1000)
"""


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    rounds = 1 if quick else 3
    figure = Figure(
        "trials",
        "What a search costs beside its trials",
        f"{TRIALS} trials of one millisecond that report {REPORTS} values, {CONCURRENT} at a time, random search. "
        "*A trial*: all the time from the call until the last trial has ended and its value is known, less what the "
        "trials themselves would take, divided by their number. *In full swing*: the same from the first trial's "
        f"start on. Ray is started before, and runs {RAY_TRIALS} of them. Optuna alone has no process for each "
        "trial: two workers run all of them on one journal; the row below has a process for each, started as "
        "`multiprocessing` does by *spawn*, which is what a notebook needs.",
    )
    subjects: dict[str, tuple[str, str]] = {
        "ours": ("`%%sweep`, each trial a tracked run in a process of its own", "benchmarks.trials:Ours"),
        "ray": ("Ray Tune, an actor for each trial", "benchmarks.trials:RayTune"),
        "optuna": ("Optuna alone, two workers", "benchmarks.trials:OptunaWorkers"),
        "spawned": ("Optuna alone, a process for each trial", "benchmarks.trials:OptunaSpawned"),
    }
    took: dict[str, list[dict[str, float]]] = {}
    missing: dict[str, str] = {}
    for number in range(rounds):
        for subject, (_, entry) in subjects.items():
            if subject in missing:
                continue
            try:
                with Station(entry, scratch / f"{subject}-{number}") as station:
                    took.setdefault(subject, []).append(station.ask())
            except NotInstalledError as error:
                missing[subject] = str(error)
    for subject, (title, _) in subjects.items():
        if subject in missing:
            figure.rows.append(Row(title, "ms", None, note=missing[subject]))
            continue
        for key, name in (("all", "a trial"), ("swing", "a trial in full swing")):
            values = [one[key] for one in took[subject] if key in one]
            if values:
                ours = [one[key] for one in took.get("ours", [])]
                ratio = None if subject == "ours" else ratios(values, ours)
                figure.rows.append(Row(f"{title}: {name}", "ms", Spread.of(values), ratio))
    ours = [one["swing"] for one in took.get("ours", [])]
    text = f"each trial under {LIMIT:g} ms beside its own work, in full swing"
    figure.targets.append(at_most(text, LIMIT, "ms", Spread.of(ours) if ours else None))
    return figure


def _beside(seconds: float, trials: int = TRIALS) -> float:
    """Return the milliseconds of each trial that were not its own work."""
    return (seconds - trials * WORK / CONCURRENT) / trials * 1000


class Ours:
    """Real sweeps in a store of their own."""

    def __init__(self, folder: Path) -> None:
        self._mlwidgets = load("mlwidgets")
        os.environ["MLWIDGETS_STORE"] = str(store_in(folder))

    def __call__(self, _request: Mapping[str, Any]) -> dict[str, float]:
        """Run the search once."""
        # As in a notebook, where a run was started before: a warm process is there.
        self._mlwidgets.train("pass", name="before", namespace={}, cpus=0, gpus=0).wait()
        time.sleep(2)
        begin = time.time()
        sweep = self._mlwidgets.sweep(
            _CODE, space={"x": "uniform(0, 1)"}, maximize="score", name="bench", namespace={}, trials=TRIALS,
            concurrent=CONCURRENT, sampler="random", seed=0, cpus=0, gpus=0,
        )  # fmt: skip
        sweep.wait()
        ends = [run.ended_at for run in sweep.runs]
        starts = [run.started_at for run in sweep.runs]
        if len(ends) != TRIALS or {run.state for run in sweep.runs} != {"finished"}:
            raise RuntimeError(f"not all trials finished: {sweep!r}")
        return {"all": _beside(max(sweep.ended_at, *ends) - begin), "swing": _beside(max(ends) - min(starts))}


class RayTune:
    """Ray on this machine alone."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
        os.environ["RAY_AIR_NEW_PERSISTENCE_MODE"] = "1"
        self._ray = load("ray")
        self._tune = load("ray.tune")
        self._folder = folder
        self._ray.init(
            address="local", num_cpus=CONCURRENT, include_dashboard=False, log_to_driver=False, logging_level="error"
        )

    def __call__(self, _request: Mapping[str, Any]) -> dict[str, float]:
        """Run the search once."""
        tune = self._tune

        def trainable(config: dict[str, float]) -> None:
            for i in range(REPORTS):
                time.sleep(WORK / REPORTS)
                tune.report({"score": -((config["x"] - 0.3) ** 2) + i / 1000})

        begin = time.time()
        settings = tune.TuneConfig(metric="score", mode="max", num_samples=RAY_TRIALS, max_concurrent_trials=CONCURRENT)
        tuner = tune.Tuner(
            trainable,
            param_space={"x": tune.uniform(0, 1)},
            tune_config=settings,
            run_config=tune.RunConfig(storage_path=str(self._folder / "ray"), verbose=0),
        )
        results = tuner.fit()
        if len(results) != RAY_TRIALS or results.errors:
            raise RuntimeError(f"not all trials finished: {results.errors[:1]}")
        return {"all": _beside(time.time() - begin, RAY_TRIALS)}

    def close(self) -> None:
        """End Ray."""
        self._ray.shutdown()


class OptunaWorkers:
    """Two processes that run all trials."""

    def __init__(self, folder: Path) -> None:
        load("optuna")
        self._journal = str(folder / "journal.log")

    def __call__(self, _request: Mapping[str, Any]) -> dict[str, float]:
        """Run the search once."""
        return {"all": _beside(_in_processes("fork", CONCURRENT, _optimize, self._journal, TRIALS // CONCURRENT))}


class OptunaSpawned:
    """A fresh process for each trial, two at a time."""

    def __init__(self, folder: Path) -> None:
        load("optuna")
        self._journal = str(folder / "journal.log")

    def __call__(self, _request: Mapping[str, Any]) -> dict[str, float]:
        """Run the search once."""
        return {"all": _beside(_in_processes("spawn", TRIALS, _optimize, self._journal, 1))}


def _in_processes(method: str, many: int, work: Callable[[str, int], None], journal: str, trials: int) -> float:
    """Return the seconds that so many processes take, two at a time, each for so many trials."""
    import multiprocessing.connection

    context: Any = multiprocessing.get_context(method)
    begin = time.time()
    study_of(journal)
    running: list[Any] = []
    for _ in range(many):
        while len(running) >= CONCURRENT:
            multiprocessing.connection.wait([one.sentinel for one in running])
            running = [one for one in running if one.is_alive()]
        process = context.Process(target=work, args=(journal, trials))
        process.start()
        running.append(process)
    for process in running:
        process.join()
    done = len(study_of(journal).trials)
    if done != TRIALS:
        raise RuntimeError(f"{done} trials of {TRIALS}")
    return time.time() - begin


def study_of(journal: str) -> Any:
    """Return the study in a journal."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.disable_default_handler()
    storage = optuna.storages.JournalStorage(JournalFileBackend(journal))
    return optuna.create_study(
        study_name="bench",
        storage=storage,
        sampler=optuna.samplers.RandomSampler(),
        direction="maximize",
        load_if_exists=True,
    )


def _optimize(journal: str, trials: int) -> None:
    def objective(trial: Any) -> float:
        x, score = trial.suggest_float("x", 0, 1), 0.0
        for i in range(REPORTS):
            time.sleep(WORK / REPORTS)
            score = -((x - 0.3) ** 2) + i / 1000
            trial.report(score, i)
        return score

    study_of(journal).optimize(objective, n_trials=trials)
