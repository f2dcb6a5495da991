"""A run as plain text: what a terminal shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlwidgets.runs.outline import ending
from mlwidgets.views import format as fmt
from mlwidgets.views import palette, terminal
from mlwidgets.views.changestext import since_words
from mlwidgets.views.data import seconds
from mlwidgets.views.insights import insight_lines
from mlwidgets.views.reruns import rerun_lines
from mlwidgets.views.sweeptext import sweep_lines

if TYPE_CHECKING:
    from mlwidgets.views.data import Snapshot

LAST_LINES = 10
LONGEST_LINE = 500
"""Characters."""


def summary(snapshot: Snapshot, now: float, most: int | None = None) -> str:
    """Return state, time, parameters, metrics, what the machine was used for last, and the last lines of the output.

    Parameters
    ----------
    now
        Unix seconds at which the snapshot was taken.
    most
        How many metrics are named; all if None. The others are counted.
    """
    header = snapshot.header
    state = header["state"]
    elapsed = fmt.took(seconds(header, now)) if header["ended"] else fmt.clock(seconds(header, now))
    text = [f"{palette.SIGNS[state]} {header['name']}  {state}  {elapsed}"]
    if header["cause"] and state != "finished":
        text.append(f"  {header['cause']}")
    elif snapshot.sweep and (cause := ending(state, header["cause"])):
        text.append(f"  finished: {cause}")
    if header.get("waiting"):
        text.append(f"  {header['waiting']}")
    pairs = [f"{key}={value}" for key, value in header["params"]]
    pairs += [f"[{key}: {value}]" for key, value in header["tags"]]
    pairs += [f"and {header['hidden']} more"] if header.get("hidden") else []
    if pairs:
        text.append("  " + "  ".join(pairs))
    text += [f"  {line}" for line in _beside(snapshot)]
    if header["note"]:
        text.append(f"  {header['note']}")
    series = snapshot.series
    if snapshot.sweep:
        text += [f"  {line}" for line in sweep_lines(snapshot.sweep)]
        series = [one for one in series if one.name not in snapshot.sweep.metrics]
    width = max((len(one.name) for one in series), default=0)
    for one in series[:most]:
        line = f"  {one.name:<{width}}  {fmt.number(one.last):>9}"
        text.append(f"{line}   lowest {fmt.number(one.low)}, highest {fmt.number(one.high)}, step {one.last_step}")
    if most is not None and len(series) > most:
        text.append(f"  {len(series) - most} more metrics: %runs show {header['id']}")
    text += [f"  {line}" for line in insight_lines(snapshot)]
    if snapshot.system:
        text.append("  last sample: " + ", ".join(_used(one.name, one.last) for one in snapshot.system))
    text += [f"  not notified: {problem}" for problem in header["unnotified"]]
    last = "\n".join(line[:LONGEST_LINE] for line in terminal.plain(snapshot.output.lines[-LAST_LINES:]).split("\n"))
    if last:
        text.append("  " + last.replace("\n", "\n  "))
    return "\n".join(text)


def _beside(snapshot: Snapshot) -> list[str]:
    """Return how the run compares with the one before, or with the one that it does again."""
    changes = (snapshot.details or {}).get("changes")
    rerun = snapshot.header.get("rerun")
    if rerun and changes and changes["since"]["id"] == rerun["of"] and not rerun["verdict"]:
        return [since_words(changes, snapshot).replace("since", "rerun of", 1)]
    return rerun_lines(rerun) if rerun else [since_words(changes, snapshot)] if changes else []


def _used(name: str, value: float) -> str:
    """Return one figure of the machine's use with its unit: cpu 312 %, gpu 0 power 350 W."""
    if math.isnan(value):
        shown = fmt.number(value)
    elif name == "cpu" or name.endswith(".utilization"):
        shown = f"{value:.0f} %"
    elif name.startswith(("disk.", "network.")):
        shown = f"{fmt.size(value)}/s"
    elif name.endswith("memory"):
        shown = fmt.size(value)
    else:
        shown = f"{value:.0f} {'W' if name.endswith('power') else '°C'}"
    return f"{name.replace('.', ' ')} {shown}"
