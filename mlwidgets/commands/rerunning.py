"""``rerun``: the same run again, and what came of it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import RUN, find_run, seconds
from mlwidgets.errors import CannotRerun, ParameterError

if TYPE_CHECKING:
    from mlwidgets.reruns.checks import Preflight
    from mlwidgets.runs.run import Run


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("rerun", help="do a run, a sweep or an edition again, from its folder alone")
    command.add_argument("name", help=f"{RUN}; lenet~1 is the one before")
    command.add_argument(
        "params", nargs="*", default=[], metavar="param=value", help="what is to be other than it was: lr=3e-4"
    )
    command.add_argument("--seed", type=int, metavar="N", help="another seed")
    command.add_argument("--deterministic", action="store_true", default=None, help="the same bits, where torch can")
    add_resources(command)
    command.add_argument("--name", dest="called", metavar="NEW", help="what to call the new run")
    command.add_argument("--force", action="store_true", help="with other data, packages, or another Python, too")
    command.add_argument("--publish", action="store_true", help="publish a report's new edition")
    command.add_argument(
        "--dry-run", action="store_true", help="say what is in the way and what is other; start nothing"
    )
    command.add_argument("--wait", action="store_true", help="wait for its end, and say what came of it")
    command.add_argument("--json", action="store_true", help="as a JSON object")
    command.add_argument(
        "--exit-code", action="store_true", help="wait; exit status 0 only if it came out the same to the bit"
    )
    # What comes behind an option is left over by argparse.
    command.set_defaults(action=_rerun, takes_more=True)


def add_resources(command: argparse.ArgumentParser) -> None:
    """Add the options that say what a run may use where that is to be other than it was."""
    command.add_argument("--gpus", type=float, metavar="N", help="as many GPUs, or a share of one; 0: none")
    command.add_argument("--cpus", type=int, metavar="N", help="as many CPU places")
    command.add_argument("--timeout", type=seconds, metavar="T", help="end it after 90, 90s, 15m, 2h or 1d")
    command.add_argument("--priority", type=int, metavar="N", help="runs of a higher one go first")


def read_params(words: list[str]) -> dict[str, Any]:
    """Read ``name=value`` words; a value that is no Python literal is a text.

    Raises
    ------
    ParameterError
        If a word is none, or a name comes twice.
    """
    from mlwidgets.runs.operands import param_of

    params: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise ParameterError(f"{word!r} is no parameter: give it as param=value")
        if name in params:
            raise ParameterError(f"the parameter {name!r} is given twice")
        params[name] = param_of(text)
    return params


def _rerun(options: argparse.Namespace) -> int:
    from mlwidgets.again import rerun

    first = find_run(options)
    params = read_params([*options.params, *options.more])
    if options.dry_run:
        return _look(first, params, options)
    found: list[Preflight] = []
    try:
        run = rerun(
            first,
            params,
            seed=options.seed,
            deterministic=options.deterministic,
            gpus=options.gpus,
            cpus=options.cpus,
            timeout=options.timeout,
            priority=options.priority,
            name=options.called,
            force=options.force,
            publish=options.publish,
            tell=found.append,
        )
    except CannotRerun as error:
        if not options.json:
            raise
        print(json.dumps({"problems": error.problems, "forcible": error.forcible}))
        return 1
    told = found[0].to_json()
    if not options.json:
        _say(found[0], options.force)
        print(f"{run.name}: does {first.id} again as {run.id}", flush=True)
    if options.wait or options.exit_code:
        return _await(run, told, options)
    if options.json:
        print(json.dumps({"id": run.id, "name": run.name, "rerun_of": first.id, **told}))
    return 0


def _look(first: Run, params: dict[str, Any], options: argparse.Namespace) -> int:
    from mlwidgets.reruns.checks import check
    from mlwidgets.reruns.repeating import Changes, literals
    from mlwidgets.runs.folder import RunFolder
    from mlwidgets.runs.store import RunStore

    folder = RunFolder(first.path)
    changes = Changes(
        literals(params), options.seed, options.deterministic, options.gpus, options.cpus, options.timeout,
        options.priority, options.called,
    )  # fmt: skip
    found = check(RunStore(folder.store), folder, changes)
    if options.json:
        print(json.dumps(found.to_json()))
    else:
        _say(found, force=True)
        if not (found.impossible or found.problems):
            print(f"{first.name} can be run again")
    return 1 if found.impossible or (found.problems and not options.force) else 0


def _say(found: Preflight, force: bool) -> None:
    for problem in (*found.impossible, *found.problems) if force else ():
        print(f"mlwidgets: {problem}", file=sys.stderr)
    for difference in found.differences:
        print(f"mlwidgets: {difference}", file=sys.stderr)


def _await(run: Run, told: dict[str, Any], options: argparse.Namespace) -> int:
    from mlwidgets.reruns.verdict import await_verdict
    from mlwidgets.runs.folder import RunFolder
    from mlwidgets.views import console

    follows = not options.json and not run.ended and console.can_follow()
    if follows and not console.follow(run, hint="Ctrl-C leaves; the run goes on"):
        return 130
    outcome = run.wait().outcome
    verdict = await_verdict(RunFolder(run.path))
    if options.json:
        said = {"id": run.id, "name": run.name, "rerun_of": run.rerun_of, **told, "state": outcome.state}
        print(json.dumps({**said, "cause": outcome.cause, "verdict": verdict and verdict.to_json()}))
    else:
        print(f"{run.name}: {outcome.state}" + (f" ({outcome.cause})" if outcome.cause else ""))
        if verdict is not None:
            print(verdict.text())
    if options.exit_code:
        return 0 if verdict is not None and verdict.equal else 1
    return 0 if outcome.state == "finished" else 1
