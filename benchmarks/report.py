"""The written result: a table for readers and the same as JSON."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Row, Spread, Target, number
from benchmarks.peers import versions

HERE = Path(__file__).resolve().parent
JSON_FILE = HERE / "results.json"
TABLE_FILE = HERE / "RESULTS.md"


def machine() -> dict[str, Any]:
    """Return what shapes the figures: hardware, system, versions, load."""
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="minutes"),
        "commit": _commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "versions": versions(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    git = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def read_results(path: Path = JSON_FILE) -> dict[str, Any]:
    """Return the figures written before, by name; none where there is no file."""
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return results


def write_results(results: dict[str, Any], json_file: Path = JSON_FILE, table_file: Path = TABLE_FILE) -> None:
    """Write both files."""
    json_file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    table_file.write_text(to_markdown(results), encoding="utf-8")


def to_markdown(results: dict[str, Any]) -> str:
    """Return the results as a page: the targets first, then each figure with its machine."""
    figures = {name: Figure.from_json(entry["figure"]) for name, entry in results.items()}
    lines = [
        "# Benchmarks: mlwidgets beside what you would use otherwise",
        "",
        "Written by `python -m benchmarks`; do not edit. Figures are *median (minimum … maximum)* over rounds in",
        "which all subjects were measured in turns. A ratio is theirs over ours, round by round: above 1, ours is",
        "cheaper. Wall times of a shared machine are upper bounds; ratios and minima hold better.",
        "",
        "## Targets",
        "",
        "| target | measured | |",
        "|---|---|---|",
    ]
    for figure in figures.values():
        lines += [f"| {figure.title}: {t.text} | {t.measured} | {verdict(t)} |" for t in figure.targets]
    for name, figure in figures.items():
        lines += ["", *_section(figure, results[name]["machine"], quick=results[name]["quick"])]
    return "\n".join(lines) + "\n"


def verdict(target: Target) -> str:
    """Return whether a target was met, in words."""
    if target.met is None:
        return "not measured"
    return "met" if target.met else "**not met**"


def _section(figure: Figure, machine: dict[str, Any], *, quick: bool) -> Iterable[str]:
    yield f"## {figure.title}"
    yield ""
    yield figure.method
    if quick:
        yield ""
        yield "*A quick run: few rounds, wide spreads.*"
    yield ""
    yield "| what | median (min … max) | theirs / ours | rounds | |"
    yield "|---|---|---|---|---|"
    for row in figure.rows:
        yield _line(row)
    for remark in figure.remarks:
        yield ""
        yield remark
    yield ""
    installed = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield (
        f"{machine['date']}, commit {machine['commit']}; {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}, load {machine['load']} at the "
        f"start. {installed}."
    )


def _line(row: Row) -> str:
    if row.figure is None:
        return f"| {row.what} | – | – | – | {row.note} |"
    ratio = _shown(row.ratio, " ×") if row.ratio else "–"
    return f"| {row.what} | {_shown(row.figure, f' {row.unit}')} | {ratio} | {row.figure.rounds} | {row.note} |"


def _shown(spread: Spread, unit: str) -> str:
    return f"{number(spread.median)}{unit} ({number(spread.low)} … {number(spread.high)})"
