"""The command: ``python -m benchmarks [--only NAME …] [--quick]``."""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.report import machine, read_results, verdict, write_results

#: The figures in the order of the page; each is a module with ``measure(scratch, quick=…)``.
FIGURES = (
    "log",
    "read",
    "submit",
    "provenance",
    "start",
    "queue",
    "sampling",
    "views",
    "panel",
    "listing",
    "trials",
    "search",
    "changes",
    "reports",
    "schedules",
    "git",
    "twins",
    "housekeeping",
    "imports",
)


def main(arguments: list[str] | None = None) -> int:
    """Measure what was asked for and write the results after each figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=FIGURES, metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument("--quick", action="store_true", help="few rounds: minutes instead of a quarter of an hour")
    parser.add_argument("--dry", action="store_true", help="print, and leave the written results as they are")
    parser.add_argument("--scratch", type=Path, help="where runs and peers' files go for the time being")
    options = parser.parse_args(arguments)
    results = {} if options.dry else read_results()
    for name in FIGURES:
        if name not in options.only:
            continue
        print(f"{name} …", flush=True)
        beginning, before = machine(), time.monotonic()
        scratch = Path(tempfile.mkdtemp(prefix=f"bench-{name}-", dir=options.scratch))
        try:
            figure: Figure = importlib.import_module(f"benchmarks.{name}").measure(scratch, quick=options.quick)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        _print(figure, time.monotonic() - before)
        results[name] = {"quick": options.quick, "machine": beginning, "figure": figure.to_json()}
        if not options.dry:
            write_results({key: results[key] for key in FIGURES if key in results})
    return 0


def _print(figure: Figure, seconds: float) -> None:
    from benchmarks.report import _line

    for row in figure.rows:
        print("  ", _line(row).strip("| "))
    for target in figure.targets:
        print(f"   {target.text}: {target.measured}, {verdict(target).strip('*')}")
    print(f"   {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
