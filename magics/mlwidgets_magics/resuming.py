"""``%runs resume`` and ``%runs load --best``, ``--last``: what a run's checkpoints are for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from IPython.core.error import UsageError

from mlwidgets import api
from mlwidgets.capture.checkpointed import load_checkpoint
from mlwidgets.capture.results import Loaded
from mlwidgets.commands.common import seconds
from mlwidgets.commands.resuming import OF_A_RUN
from mlwidgets.errors import ParameterError
from mlwidgets.runs.checkpoints import LOOK, damage_of, numbered
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.views import console
from mlwidgets.views.kernel import kernel
from mlwidgets.views.live import flush_finished, show
from mlwidgets_magics.sending import tell_hints, wait_here
from mlwidgets_magics.words import LineParser, read_params


def resume(words: Sequence[str], taken: Any) -> None:
    """Let a paused sweep go on, or send off a run that goes on from another one's last checkpoint, and show it.

    Parameters
    ----------
    taken
        Names of the notebook, which no parameter's text may be mistaken for.

    Raises
    ------
    UsageError
        If the words are not understood.
    MlwidgetsError
        If there is no such run, or it cannot go on.
    """
    from mlwidgets.sweeps.sweep import Sweep

    parser = LineParser(prog="%runs resume", add_help=False)
    parser.add_argument("name")
    parser.add_argument("params", nargs="*")
    parser.add_argument("--name", dest="called")
    for option, kind in (("--gpus", float), ("--cpus", int), ("--timeout", seconds), ("--priority", int)):
        parser.add_argument(option, type=kind)
    for flag in ("--force", "--wait", "--help"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_intermixed_args(list(words))
    if options.help:
        raise UsageError(
            "usage: %runs resume NAME [param=value …] [--name NEW] [--gpus N] [--cpus N] [--timeout T] [--priority N] "
            "[--force] [--wait]"
        )
    found = api.run(options.name)
    if isinstance(found, Sweep):
        if options.params or any(getattr(options, one) is not None for one in OF_A_RUN):
            raise ParameterError(f"{found.name} is a sweep: it goes on as it is; %runs add gives it a trial")
        found.resume()
        print(f"{found.name}: asked to go on")
        if options.wait:
            wait_here(found, in_terminal=kernel() is None)
        return
    # What checks a run before it goes on is needed by no other magic.
    from mlwidgets import again

    run = again.resume_run(
        found,
        read_params(options.params, taken=taken),
        gpus=options.gpus,
        cpus=options.cpus,
        timeout=options.timeout,
        priority=options.priority,
        name=options.called,
        force=options.force,
        tell=_tell,
    )
    print(f"{run.name}: goes on from {found.id} as {run.id}")
    tell_hints()
    in_terminal = kernel() is None
    if not (options.wait and in_terminal):
        show(run, background=True)
    if options.wait:
        wait_here(run, in_terminal=in_terminal)
        flush_finished()
        if in_terminal:
            console.print_line(console.end_line(run))


def _tell(found: Any) -> None:
    for difference in found.differences:
        print(difference)


def load(
    run: Run, names: Sequence[str], namespace: dict[str, Any], submitted: dict[str, int] | None, *, last: bool
) -> tuple[Loaded, str]:
    """Put a run's result and its best or last checkpoint into the notebook; return what was done, and from where.

    Raises
    ------
    ParameterError
        If it has no checkpoint, or nothing tells which of them is the best.
    ResultNotAvailable
        If the checkpoint cannot be read.
    """
    found = run.checkpoints
    for path in numbered(RunFolder(run.path).checkpoints):
        if (wrong := damage_of(path)) is not None:
            print(f"mlwidgets: checkpoint {int(path.name)} is damaged: {wrong}; {LOOK}", file=sys.stderr)
    if not found:
        what = "has no checkpoint" if last else "is no sweep and has no checkpoint"
        raise ParameterError(f"{run.name} {what}: call mlwidgets.checkpoint(model, epoch=epoch) in its code")
    chosen = found[-1] if last else run.best_checkpoint
    if chosen is None:
        raise ParameterError(
            f"nothing tells which checkpoint of {run.name} is the best: give checkpoint() a value such as "
            f"val_accuracy=…; %runs load {run.name} --last loads the last"
        )
    values = ", ".join(f"{name} {value:.4g}" for name, value in chosen.values.items())
    where = f"checkpoint {chosen.number}, made after {chosen.where}" + (f": {values}" if values else "")
    return load_checkpoint(run, chosen, namespace, names, submitted), where
