"""Runs from one store to another: export, import, trust."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mlwidgets.commands.common import RUN, store_of
from mlwidgets.errors import ParameterError


def add(commands: Any) -> None:
    """Add the commands."""
    export = commands.add_parser("export", help="write runs with their inputs and results into an archive")
    export.add_argument("names", nargs="+", metavar="NAME", help=f"{RUN}; a sweep brings its trials along")
    export.add_argument("archive", type=Path, metavar="RUN.zip", help="the archive to write")
    export.set_defaults(action=_export)
    bring = commands.add_parser(
        "import", help="bring the runs of an archive into the store; executes nothing of theirs"
    )
    bring.add_argument("archive", type=Path, metavar="RUN.zip", help="what `mlwidgets export` wrote")
    bring.add_argument("--max-size", metavar="SIZE", help="how much it may hold, as 200GB; 100GB unless it is given")
    bring.add_argument(
        "--max-ratio", type=float, metavar="N", help="bytes that may come out of each byte of it; 100 unless given"
    )
    bring.set_defaults(action=_import)
    trust = commands.add_parser(
        "trust", help="let the result of an imported run be read, which executes its maker's code"
    )
    trust.add_argument("name", help=RUN)
    trust.set_defaults(action=_trust)


def _export(options: argparse.Namespace) -> int:
    from mlwidgets.archives.exporting import export

    if options.archive.is_dir():
        raise ParameterError(f"{options.archive} is a folder: name the archive that is to be written, last of all")
    done = export(store_of(options), options.names, options.archive)
    for left in done.left_out:
        print(f"mlwidgets: left out: {left}", file=sys.stderr)
    print(f"{done.path}: {_count(len(done.runs), 'run')}, {_count(done.objects, 'object')}, {done.nbytes:,} bytes")
    return 0


def _import(options: argparse.Namespace) -> int:
    from mlwidgets.archives.importing import import_runs
    from mlwidgets.archives.reading import LARGEST, MOST_PACKED
    from mlwidgets.housekeeping.amounts import read_size

    largest = LARGEST if options.max_size is None else read_size(options.max_size)
    ratio = MOST_PACKED if options.max_ratio is None else options.max_ratio
    store = store_of(options)
    done = import_runs(store, options.archive, largest=largest, most_packed=ratio)
    for one in done.there:
        print(f"{one}: is here already")
    for one in done.new:
        print(f"{one}: imported into {store.path}")
    if done.new:
        print("reading a result of theirs executes code of whoever made them: mlwidgets trust NAME if you know them")
    return 0


def _trust(options: argparse.Namespace) -> int:
    from mlwidgets.runs.foreign import trust

    folder = store_of(options).find(options.name)
    print(f"{folder.id}: {'trusted' if trust(folder) else 'is a run of this store; there is nothing to trust'}")
    return 0


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
