"""Runs: list, wait, stop."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from typing import Any

from mlwidgets.commands import comparing, reading, rerunning
from mlwidgets.commands.common import RUN, find_run, store_of


def add(commands: Any) -> None:
    """Add the commands."""
    listing = commands.add_parser("runs", help="list the runs, newest first")
    listing.add_argument("--all", action="store_true", help="with every parameter and metric, however many there are")
    listing.add_argument("--trials", action="store_true", help="with the trials of sweeps, each in a line of its own")
    listing.add_argument("--where", metavar="CONDITION", help="those that fit: \"lr<1e-3 and state=='finished'\"")
    listing.add_argument("--sort", metavar="NAME", help="by a metric, a parameter, name, age, …: the best first")
    listing.add_argument("--reverse", action="store_true", help="in the opposite order")
    listing.add_argument("-n", type=int, metavar="N", help="the first N")
    listing.add_argument("--json", action="store_true", help="as JSON, one object per line")
    listing.set_defaults(action=_runs)
    reading.add(commands)
    comparing.add(commands)
    rerunning.add(commands)
    waiting = commands.add_parser("wait", help="wait until a run has ended; exit status 0 if it finished")
    waiting.add_argument("name", help=RUN)
    waiting.set_defaults(action=_wait)
    stopping = commands.add_parser("stop", help="stop runs")
    stopping.add_argument("names", nargs="+", metavar="name", help=RUN)
    stopping.set_defaults(action=_stop)


def _runs(options: argparse.Namespace) -> int:
    from mlwidgets import api
    from mlwidgets.runs.where import named_in
    from mlwidgets.views.grouping import better
    from mlwidgets.views.table import RunTable

    store = store_of(options)
    where, sort = options.where, options.sort
    summaries = api.summaries(where, sort, reverse=options.reverse, better=better, store=store)[: options.n]
    chosen = where is not None or sort is not None
    if options.json:
        for summary in summaries:
            # JSON has no NaN and no infinity: they are text.
            metrics = {n: v if math.isfinite(v) else str(v) for n, v in summary.metrics.items()}
            params = {n: _json_value(text) for n, text in summary.params.items()}
            print(json.dumps({**asdict(summary), "params": params, "metrics": metrics}))
    elif summaries or chosen:
        how: dict[str, Any] = {"every": options.all, "trials": options.trials, "chosen": chosen}
        print(RunTable(summaries, command="mlwidgets runs --all", sorted_by=named_in(sort or ""), **how))
    else:
        print(f"no runs yet in {store.path}: put %%train on top of a cell")
    return 0


def _json_value(text: str) -> Any:
    """Return a parameter as JSON has it, or its text where JSON has no such value."""
    from mlwidgets.runs.spec import parse_literal

    try:
        value = parse_literal(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError):
        return text
    return value


def _wait(options: argparse.Namespace) -> int:
    from mlwidgets.views import console

    run = find_run(options)
    if not run.ended and console.can_follow() and not console.follow(run, hint="Ctrl-C leaves; the run goes on"):
        return 130
    run.wait()
    print(f"{run.name}: {run.state}" + (f" ({run.cause})" if run.cause else ""))
    return 0 if run.state == "finished" else 1


def _stop(options: argparse.Namespace) -> int:
    runs = [find_run(options, name) for name in options.names]
    going_on = [run for run in runs if not run.ended]
    for run in going_on:
        run.stop("command line")
    for run in runs:
        if run in going_on:
            run.wait()
            print(f"{run.name}: {run.state} ({run.cause})")
        else:
            print(f"{run.name} has ended already: {run.state}")
    return 0
