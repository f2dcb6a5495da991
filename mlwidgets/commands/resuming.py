"""What was interrupted goes on: a run from its last checkpoint, a paused sweep."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import find_run
from mlwidgets.commands.rerunning import add_resources, read_params
from mlwidgets.errors import ParameterError

if TYPE_CHECKING:
    from mlwidgets.reruns.checks import Preflight
    from mlwidgets.runs.run import Run

OF_A_RUN = ("gpus", "cpus", "timeout", "priority", "called")
"""Options that a sweep has not when it goes on."""


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("resume", help="go on from a run's last checkpoint, or let a paused sweep go on")
    command.add_argument("name", help="a run's or a sweep's name, an id or the beginning of an id")
    command.add_argument("params", nargs="*", default=[], metavar="param=value", help="what is to be other: epochs=20")
    command.add_argument("--name", dest="called", metavar="NEW", help="what to call the new run")
    add_resources(command)
    command.add_argument("--force", action="store_true", help="with other data, packages, or another Python, too")
    command.add_argument("--wait", action="store_true", help="wait for its end; exit status 0 if it finished")
    # What comes behind an option is left over by argparse.
    command.set_defaults(action=_resume, takes_more=True)


def _resume(options: argparse.Namespace) -> int:
    from mlwidgets.again import resume_run
    from mlwidgets.sweeps.sweep import Sweep

    found, given = find_run(options), [*options.params, *options.more]
    if isinstance(found, Sweep):
        if given or any(getattr(options, one) is not None for one in OF_A_RUN):
            raise ParameterError(f"{options.name} is a sweep: it goes on as it is; mlwidgets add gives it a trial")
        found.resume()
        print(f"{options.name}: asked to go on")
        return _waited(found) if options.wait else 0
    run = resume_run(
        found,
        read_params(given),
        gpus=options.gpus,
        cpus=options.cpus,
        timeout=options.timeout,
        priority=options.priority,
        name=options.called,
        force=options.force,
        tell=_tell,
    )
    print(f"{run.name} goes on from {found.id} as {run.id}")
    return _waited(run) if options.wait else 0


def _waited(run: Run) -> int:
    print(f"{run.name}: {run.wait().state}")
    return 0 if run.state == "finished" else 1


def _tell(found: Preflight) -> None:
    for difference in found.differences:
        print(f"mlwidgets: {difference}", file=sys.stderr)
