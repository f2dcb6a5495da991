"""The store in order: prune what is old, check what is there."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import store_of
from mlwidgets.errors import ParameterError

if TYPE_CHECKING:
    from mlwidgets.housekeeping.pruning import Plan

_SHOWN = 20


def add(commands: Any) -> None:
    """Add the commands."""
    prune = commands.add_parser("prune", help="delete runs by age, size and state, and inputs that no run refers to")
    prune.add_argument("--older-than", metavar="SPAN", help="runs that ended longer ago, as 90d or 12h")
    prune.add_argument("--larger-than", metavar="SIZE", help="runs that take more than that alone, as 1GB")
    prune.add_argument("--state", metavar="STATE,…", help="runs that ended so: failed,killed")
    prune.add_argument("--keep-last", type=int, metavar="N", help="the newest N runs of each name stay")
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    prune.add_argument("--now", action="store_true", help="remove them at once, and not after a week in the trash")
    prune.add_argument("--yes", action="store_true", help="do not ask")
    prune.set_defaults(action=_prune)
    fsck = commands.add_parser(
        "fsck", help="check every run, the index, reports, schedules; exit status 1 if any is bad"
    )
    fsck.add_argument("--repair", action="store_true", help="repair what can be; no data of a run are deleted")
    fsck.add_argument(
        "--deep", action="store_true", help="read all inputs, results and checkpoints, and check their digests"
    )
    fsck.add_argument("--json", action="store_true", help="as JSON, one object per line")
    fsck.set_defaults(action=_fsck)


def _prune(options: argparse.Namespace) -> int:
    from mlwidgets.housekeeping import pruning
    from mlwidgets.housekeeping.amounts import read_size, read_span, size_words

    rule = pruning.Rule(
        None if options.older_than is None else read_span(options.older_than),
        None if options.larger_than is None else read_size(options.larger_than),
        frozenset(filter(None, (options.state or "").split(","))),
        options.keep_last,
    )
    store = store_of(options)
    planned = pruning.plan(store, rule)
    _say(planned)
    if options.dry_run:
        print(f"{_frees(planned, now=options.now)}; nothing was removed: --dry-run")
        return 0
    if planned.runs and not _agreed(planned, options):
        print("nothing was removed")
        return 1
    done = pruning.prune(store, planned, now=options.now)
    for run_id, why in done.failed.items():
        print(f"mlwidgets: {run_id} stays: {why}", file=sys.stderr)
    if done.runs and options.now:
        print(f"{_runs(len(done.runs))} removed for good: {size_words(planned.nbytes)}")
    elif done.runs:
        print(f"{_runs(len(done.runs))} deleted; for a week `mlwidgets restore ID` brings one back, and then their")
        print(f"{size_words(planned.nbytes)} and what they alone refer to are free; --now frees it at once")
    if done.problem is None:
        what = "input or result" if done.objects.objects == 1 else "inputs and results"
        print(f"{done.objects.objects:,} {what} that no run refers to removed: {size_words(done.objects.nbytes)}")
    else:
        print(f"mlwidgets: inputs that no run refers to stay: {done.problem}", file=sys.stderr)
    return 1 if done.failed or done.problem else 0


def _say(planned: Plan) -> None:
    from mlwidgets.housekeeping.amounts import size_words

    for one in planned.runs[:_SHOWN]:
        ended = one.submitted_at if one.ended_at is None else one.ended_at
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(ended))
        print(f"{one.id}  {one.state:<8}  {when}  {size_words(planned.sizes[one.id]):>9}")
    if len(planned.runs) > _SHOWN:
        print(f"… and {len(planned.runs) - _SHOWN:,} more")
    for why, count in sorted(planned.protected.items()):
        print(f"{_runs(count)} would fit and {'stays' if count == 1 else 'stay'}: {why}")


def _frees(planned: Plan, *, now: bool) -> str:
    from mlwidgets.housekeeping.amounts import size_words

    both = size_words(planned.nbytes + planned.objects.nbytes)
    when = "at once" if now or not planned.runs else "when the trash is emptied, a week later, or at once with --now"
    return (
        f"{_runs(len(planned.runs))} and {planned.objects.objects:,} of the inputs and results would go "
        f"and free {both} {when}"
    )


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"


def _agreed(planned: Plan, options: argparse.Namespace) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise ParameterError(f"nobody is there to be asked whether {_runs(len(planned.runs))} may go: give --yes")
    how = "Remove them for good? They cannot be restored." if options.now else "Delete them?"
    print(f"{_frees(planned, now=options.now)}.")
    return input(f"{how} [y/N] ").strip().lower() in {"y", "yes"}


def _fsck(options: argparse.Namespace) -> int:
    from mlwidgets.housekeeping.checking import check

    left = found = 0
    for finding in check(store_of(options), repair=options.repair, deep=options.deep):
        found += 1
        left += not finding.repaired
        if options.json:
            print(json.dumps(finding.to_json()))
        else:
            print(finding)
    if not options.json:
        print(_verdict(found, left, repair=options.repair))
    return 1 if left else 0


def _verdict(found: int, left: int, *, repair: bool) -> str:
    if not found:
        return "all is well"
    if not left:
        return f"{found:,} found, all repaired"
    hint = "" if repair else "; --repair repairs what can be"
    return f"{found:,} found, {left:,} left{hint}"
