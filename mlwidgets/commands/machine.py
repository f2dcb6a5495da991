"""The machine: its slots, warm processes, the panel as a page, and whether all is there."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlwidgets.commands.common import given_store, store_of


def add(commands: Any) -> None:
    """Add the commands."""
    serve = commands.add_parser("serve", help="show the panel as a page; further options are those of `jupyter server`")
    # What is no option of ours is one of the server's.
    serve.set_defaults(action=_serve, takes_more=True)
    doctor = commands.add_parser("doctor", help="check that all is there which runs and their views need")
    doctor.set_defaults(action=_doctor)
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


def _serve(options: argparse.Namespace) -> int:
    from mlwidgets.runs.store import STORE_VARIABLE
    from mlwidgets.server.app import MlwidgetsApp

    if options.store is not None:
        os.environ[STORE_VARIABLE] = str(store_of(options).path.absolute())
    MlwidgetsApp.launch_instance(options.more)  # type: ignore[no-untyped-call]
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from mlwidgets import doctor
    from mlwidgets.runs.store import find_store

    store = given_store(options) or find_store(Path.cwd())
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
