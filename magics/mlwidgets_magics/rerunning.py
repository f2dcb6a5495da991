"""``%runs rerun``: the same run again, and what came of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlwidgets import api
from mlwidgets.capture.ledger import CellNames
from mlwidgets.capture.request import Origin, check_binding
from mlwidgets.commands.common import seconds
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.views import console
from mlwidgets.views.kernel import kernel
from mlwidgets.views.live import flush_finished, show
from mlwidgets_magics.sending import name_and_binding, tell_hints, wait_here
from mlwidgets_magics.words import HELP, LineParser, read_params

if TYPE_CHECKING:
    from mlwidgets.reruns.checks import Preflight

USAGE = """\
%runs rerun NAME [param=value …] [--seed N] [--deterministic] [--force] [--wait] [--publish]
            [--name NEW] [--gpus N] [--cpus N] [--timeout T] [--priority N]

Does the run NAME again, from its folder alone: with the code, the variables, the modules, the seed and the
random states that it had, whatever has become of the notebook since. When it has ended it says whether it
came out the same to the bit; if not, from which step on, and why that may be. Sweeps, trials and editions
of reports can be done again as well.

param=value      changes what is named: a parameter, or a variable with a plain value that the code reads
--seed N         another seed
--deterministic  let torch compute the same bits each time; what cannot is said
--force          go on with other data, without packages, or in another Python than it had
--wait           block until it has ended, and say what came of it
--publish        publish a report's new edition
--name NEW       call the new run so, and bind it to that variable
--gpus, --cpus, --timeout, --priority
                 as %%train has them; those of the run if they are not given"""


def rerun(words: Sequence[str], namespace: dict[str, Any]) -> None:
    """Send a run off again, show it, and with ``--wait`` say what came of it.

    Parameters
    ----------
    namespace
        The notebook's.

    Raises
    ------
    UsageError
        If the words are not understood.
    MlwidgetsError
        If there is no such run, or it cannot be done again.
    """
    if HELP.intersection(words):
        print(USAGE)
        return
    parser = LineParser(prog="%runs rerun", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="+")
    for option, kind in (("--seed", int), ("--gpus", float), ("--cpus", int), ("--timeout", seconds)):
        parser.add_argument(option, type=kind)
    parser.add_argument("--priority", type=int)
    parser.add_argument("--name")
    parser.add_argument("--deterministic", action="store_true", default=None)
    for flag in ("--force", "--wait", "--publish"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_intermixed_args(list(words))
    first, *params = options.words
    binding = None
    if options.name:
        _, binding = name_and_binding([options.name], "%runs rerun --name")
        check_binding(Origin("%runs rerun --name", binding), CellNames(), namespace)
    # What checks a run before it is done again is needed by no other magic.
    from mlwidgets import again

    run = again.rerun(
        api.run(first),
        read_params(params, taken=namespace),
        seed=options.seed,
        deterministic=options.deterministic,
        gpus=options.gpus,
        cpus=options.cpus,
        timeout=options.timeout,
        priority=options.priority,
        name=options.name,
        force=options.force,
        publish=options.publish,
        tell=_tell,
    )
    if binding is not None:
        namespace[binding] = run
    print(f"{run.name}: does {run.rerun_of} again as {run.id}")
    tell_hints()
    in_terminal = kernel() is None
    if not (options.wait and in_terminal):
        show(run, background=True)
    if options.wait:
        _wait(run, in_terminal=in_terminal)


def _tell(found: Preflight) -> None:
    """Say what is other than it was, and what was gone past, before anything starts."""
    for problem in found.problems:
        print(f"mlwidgets: {problem}", file=sys.stderr)
    for difference in found.differences:
        print(f"mlwidgets: {difference}")


def _wait(run: Run, *, in_terminal: bool) -> None:
    """Wait, and say what came of it."""
    from mlwidgets.reruns.verdict import await_verdict

    wait_here(run, in_terminal=in_terminal)
    verdict = await_verdict(RunFolder(run.path))
    flush_finished()
    if in_terminal:
        console.print_line(console.end_line(run))
    if verdict is not None:
        print(verdict.text())
