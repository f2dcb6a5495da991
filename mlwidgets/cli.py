"""The ``mlwidgets`` command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mlwidgets.commands import (
    annotate,
    git,
    housekeeping,
    machine,
    moving,
    notebooks,
    reports,
    resuming,
    runs,
    schedules,
    sweeps,
    twins,
)
from mlwidgets.errors import MlwidgetsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    options, more = parser.parse_known_args(arguments)
    if more and not getattr(options, "takes_more", False):
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
    for room in (
        runs,
        resuming,
        sweeps,
        notebooks,
        git,
        twins,
        reports,
        schedules,
        annotate,
        moving,
        housekeeping,
        machine,
    ):
        room.add(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: the installed metadata are slow to read."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import mlwidgets

        print(f"mlwidgets {mlwidgets.__version__}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
