"""The ``mlwidgets`` command."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from mlwidgets import api
from mlwidgets.errors import MlwidgetsError, ParameterError, StoreError
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.spec import parse_literal
from mlwidgets.runs.store import STORE_VARIABLE, RunStore, find_store
from mlwidgets.sweeps.sweep import Sweep


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options, more = parser.parse_known_args(arguments)
    if more and options.action is not _serve:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    options.more = more
    try:
        action: Callable[[argparse.Namespace], int] = options.action
        status = action(options)
        sys.stdout.flush()
        return status
    except MlwidgetsError as error:
        print(f"mlwidgets: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Nobody reads on (`| head`): what is left in the buffer must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mlwidgets", description="Tracked runs of notebook cells.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    parser.add_argument("--store", type=Path, help="the store; by default that of the project around this directory")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("runs", help="list the runs, newest first")
    listing.add_argument("--all", action="store_true", help="with every parameter and metric, however many there are")
    listing.add_argument("--trials", action="store_true", help="with the trials of sweeps, each in a line of its own")
    listing.add_argument("--json", action="store_true", help="as JSON, one object per line")
    listing.set_defaults(action=_runs)
    for name, action, text in (
        ("show", _show, "state, parameters and metrics of a run"),
        ("logs", _logs, "output of a run, and its traceback if it failed"),
        ("wait", _wait, "wait until a run has ended; exit status 0 if it finished"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("name", help="a run's name, an id or the beginning of an id")
        command.set_defaults(action=action)
    _add_sweeps(commands)
    _add_annotations(commands)
    serve = commands.add_parser("serve", help="show the panel as a page; further options are those of `jupyter server`")
    serve.set_defaults(action=_serve)
    doctor = commands.add_parser("doctor", help="check that all is there which runs and their views need")
    doctor.set_defaults(action=_doctor)
    stopping = commands.add_parser("stop", help="stop runs")
    stopping.add_argument("names", nargs="+", metavar="name", help="a run's name, an id or the beginning of an id")
    stopping.set_defaults(action=_stop)
    warm = commands.add_parser("warm", help="list the processes from which runs are forked; `warm stop` ends them")
    warm.add_argument("what", nargs="?", choices=("stop",), help="end them all")
    warm.set_defaults(action=_warm)
    slots = commands.add_parser("slots", help="who holds GPUs and CPU places of this machine, who waits, and why")
    slots.add_argument("--json", action="store_true", help="as one JSON object")
    slots.set_defaults(action=_slots)
    choices = slots.add_subparsers(metavar="drain|release")
    drain = choices.add_parser("drain", help="let no further run start on a GPU; those that run go on")
    drain.add_argument("gpu", metavar="GPU", help="its index, its UUID or the beginning of it")
    drain.add_argument("--reason", default="set aside", help="what to tell those who wait for it")
    drain.set_defaults(action=_drain)
    release = choices.add_parser("release", help="let runs start on a GPU again")
    release.add_argument("gpu", metavar="GPU", help="its index, its UUID or the beginning of it")
    release.set_defaults(action=_release)
    return parser


def _add_sweeps(commands: Any) -> None:
    """Add what is asked of sweeps."""
    for name, action, text in (
        ("trials", _trials, "the trials of a sweep, the best first"),
        ("narrow", _narrow, "the next, smaller search around a sweep's good region, as a line to copy"),
        ("pause", _pause, "let a sweep start no trials; those that run go on"),
        ("resume", _resume, "let a paused sweep go on"),
        ("concurrent", _concurrent, "change how many trials of a sweep run at once"),
        ("add", _add, "have a sweep run a trial with given parameters next"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("name", help="a sweep's name, an id or the beginning of an id")
        if action is _concurrent:
            command.add_argument("number", type=int, metavar="N")
            command.add_argument("--now", action="store_true", help="interrupt those beyond, which run again later")
        elif action is _add:
            command.add_argument("params", nargs="+", metavar="param=value")
        command.set_defaults(action=action)


def _add_annotations(commands: Any) -> None:
    """Add what may be done with a run afterwards."""
    for name, action, text in (
        ("delete", _delete, "move a run that has ended into the trash, where it is kept for a week"),
        ("restore", _restore, "bring a deleted run back"),
        ("pin", _pin, "keep a run on top of lists"),
        ("unpin", _unpin, "let a run go from the top of lists"),
        ("tag", _tag, "give a run tags: `key=value`; `key=` takes one away"),
        ("note", _note, "give a run a note instead of the one that it has"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("name", help="a run's name, an id or the beginning of an id")
        if action is _tag:
            command.add_argument("tags", nargs="+", metavar="KEY=VALUE")
        elif action is _note:
            command.add_argument("text", help="in quotes; an empty one takes the note away")
        command.set_defaults(action=action)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: the installed metadata are slow to read."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import mlwidgets

        print(f"mlwidgets {mlwidgets.__version__}")
        parser.exit()


def _given_store(options: argparse.Namespace) -> Path | None:
    given: Path | None = options.store
    if given is not None and not (given / "store.json").exists():
        raise StoreError(f"{given} is no store: give the path of a project's .mlwidgets directory")
    return given


def _store(options: argparse.Namespace) -> RunStore:
    return api.open_store(_given_store(options))


def _find(options: argparse.Namespace, name: str | None = None) -> Run:
    return api.open_run(_store(options).find(name or options.name).path)


def _json_value(text: str) -> Any:
    """Return a parameter as JSON has it, or its text where JSON has no such value."""
    try:
        value = parse_literal(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError):
        return text
    return value


def _plain(text: str) -> str:
    """Return text as the place where it goes can show it: colours are for terminals."""
    from mlwidgets.views import terminal

    return text if sys.stdout.isatty() else terminal.plain(terminal.parse(text))


def _runs(options: argparse.Namespace) -> int:
    from mlwidgets.runs.index import RunIndex
    from mlwidgets.views.table import RunTable

    store = _store(options)
    summaries = RunIndex(store).summaries()
    if options.json:
        for summary in summaries:
            # JSON has no NaN and no infinity: they are text.
            metrics = {n: v if math.isfinite(v) else str(v) for n, v in summary.metrics.items()}
            params = {n: _json_value(text) for n, text in summary.params.items()}
            print(json.dumps({**asdict(summary), "params": params, "metrics": metrics}))
    elif summaries:
        print(RunTable(summaries, every=options.all, trials=options.trials, command="mlwidgets runs --all"))
    else:
        print(f"no runs yet in {store.path}: put %%train on top of a cell")
    return 0


def _show(options: argparse.Namespace) -> int:
    from mlwidgets.views.data import snapshot
    from mlwidgets.views.summary import summary

    print(summary(snapshot(_find(options)), time.time()))
    return 0


def _logs(options: argparse.Namespace) -> int:
    run = _find(options)
    sys.stdout.write(run.output)
    if run.error:
        print(_plain(run.error))
    return 0


def _stop(options: argparse.Namespace) -> int:
    runs = [_find(options, name) for name in options.names]
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


def _wait(options: argparse.Namespace) -> int:
    from mlwidgets.views import console

    run = _find(options)
    if not run.ended and console.can_follow() and not console.follow(run, hint="Ctrl-C leaves; the run goes on"):
        return 130
    run.wait()
    print(f"{run.name}: {run.state}" + (f" ({run.cause})" if run.cause else ""))
    return 0 if run.state == "finished" else 1


def _sweep(options: argparse.Namespace) -> Sweep:
    found = _find(options)
    if not isinstance(found, Sweep):
        raise ParameterError(f"{options.name} is no sweep: those are what %%sweep has started")
    return found


def _trials(options: argparse.Namespace) -> int:
    frame = _sweep(options).trials
    if len(frame):
        print(frame.apply(lambda column: column.map(_cell)).to_string(index=False))
    else:
        print(f"{options.name} has no trials yet")
    return 0


def _cell(value: Any) -> str:
    """Return a value as a table shows it: a number with six digits, a time in seconds where the user is."""
    import pandas as pd

    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value.timestamp()))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _narrow(options: argparse.Namespace) -> int:
    print(_sweep(options).narrow())
    return 0


def _pause(options: argparse.Namespace) -> int:
    _sweep(options).pause()
    print(f"{options.name}: asked to pause; `mlwidgets resume {options.name}` lets it go on")
    return 0


def _resume(options: argparse.Namespace) -> int:
    _sweep(options).resume()
    print(f"{options.name}: asked to go on")
    return 0


def _concurrent(options: argparse.Namespace) -> int:
    _sweep(options).set_concurrent(options.number, now=options.now)
    print(f"{options.name}: asked to run {options.number} at once")
    return 0


def _add(options: argparse.Namespace) -> int:
    given: dict[str, Any] = {}
    for one in options.params:
        key, equals, text = one.partition("=")
        if not equals:
            raise ParameterError(f"{one!r} is no parameter: give it as param=value")
        try:
            given[key] = parse_literal(text)
        except ValueError:
            given[key] = text
    _sweep(options).add(given)
    print(f"{options.name}: asked to run a trial with {', '.join(options.params)}")
    return 0


def _delete(options: argparse.Namespace) -> int:
    from mlwidgets.runs.index import RunIndex
    from mlwidgets.runs.trash import delete

    store = _store(options)
    folder = store.find(options.name)
    name = Run(folder.path).name
    until = time.strftime("%A, %d %B", time.localtime(delete(store, folder)))
    RunIndex(store).forget([folder.id])
    print(f"{name}: deleted; until {until} `mlwidgets restore {folder.id}` brings it back")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from mlwidgets.runs.trash import find_deleted, restore

    store = _store(options)
    run = Run(restore(store, find_deleted(store, options.name)).path)
    print(f"{run.name}: {run.state}, back in {store.path}")
    return 0


def _annotate(options: argparse.Namespace, **given: Any) -> int:
    from mlwidgets.runs.annotations import annotate

    run = _find(options)
    annotate(RunFolder(run.path), **given)
    tags = " ".join(f"[{key}: {value}]" for key, value in run.tags.items())
    print("  ".join(filter(None, [f"{run.name}:", "pinned" if run.pinned else "not pinned", tags, run.note])))
    return 0


def _pin(options: argparse.Namespace) -> int:
    return _annotate(options, pinned=True)


def _unpin(options: argparse.Namespace) -> int:
    return _annotate(options, pinned=False)


def _tag(options: argparse.Namespace) -> int:
    given: dict[str, str] = {}
    for one in options.tags:
        key, equals, value = one.partition("=")
        if not equals:
            raise ParameterError(f"{one!r} is no tag: give it as key=value, and key= to take it away")
        given[key] = value
    taken = {key for key, value in given.items() if not value}
    return _annotate(options, tags=lambda now: {k: v for k, v in {**now, **given}.items() if k not in taken})


def _note(options: argparse.Namespace) -> int:
    return _annotate(options, note=options.text)


def _serve(options: argparse.Namespace) -> int:
    from mlwidgets.server.app import MlwidgetsApp

    if options.store is not None:
        os.environ[STORE_VARIABLE] = str(_store(options).path.absolute())
    MlwidgetsApp.launch_instance(options.more)  # type: ignore[no-untyped-call]
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from mlwidgets import doctor

    store = _given_store(options) or find_store(Path.cwd())
    found: list[doctor.Finding] = []

    def each() -> Iterator[doctor.Finding]:
        for one in doctor.examine(store):
            found.append(one)
            yield one

    for line in doctor.report(each()):
        print(line, flush=True)
    return 1 if any(one.level == "fail" for one in found) else 0


def _warm(options: argparse.Namespace) -> int:
    from mlwidgets.runner.warm import HEAVY, IDLE, end_warm_processes, warm_processes

    if options.what == "stop":
        ended = end_warm_processes()
        print(f"{ended} warm process{'' if ended == 1 else 'es'} ended")
        return 0
    found = list(warm_processes())
    for process in found:
        heavy = [name for name in process.modules if name in HEAVY] or list(process.modules)
        since = time.strftime("%H:%M:%S", time.localtime(process.since))
        print(
            f"pid {process.pid}, {process.memory / 2**20:.0f} MB, since {since}, {process.python}: {', '.join(heavy)}"
        )
    if not found:
        print("no warm processes: the next run starts in a fresh one, and makes sure that those after it need not")
    else:
        print(f"they leave after {IDLE / 60:.0f} minutes without a start; `mlwidgets warm stop` ends them now")
    return 0


def _slots(options: argparse.Namespace) -> int:
    from mlwidgets.runner.slots import overview
    from mlwidgets.views.slots import SlotsView

    now = overview()
    print(json.dumps(asdict(now)) if options.json else SlotsView(now))
    return 0


def _drain(options: argparse.Namespace) -> int:
    from mlwidgets.runner import devices, health

    uuid = health.drain(options.gpu, options.reason, devices.user_name(os.getuid()))
    print(f"{uuid}: no further run starts on it until `mlwidgets slots release {uuid}`")
    return 0


def _release(options: argparse.Namespace) -> int:
    from mlwidgets.runner import health

    uuid, was_drained = health.release(options.gpu)
    print(f"{uuid}: in use again" if was_drained else f"{uuid} was in use already")
    return 0


if __name__ == "__main__":
    sys.exit(main())
