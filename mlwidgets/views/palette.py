"""Colours that live and static views share. The line colours stay apart for every kind of colour vision."""

from __future__ import annotations

LINES = ("#0079c1", "#d55e00", "#009e73", "#cc79a7", "#c98500", "#4aa3df", "#8a6fd1")
"""The same as LINE_COLOURS in labextension/views/palette.ts."""

STATES = {
    "submitted": "#7d7d7d",
    "running": "#0079c1",
    "finished": "#009e73",
    "failed": "#d5443a",
    "stopped": "#7d7d7d",
    "killed": "#d5443a",
    "timeout": "#c98500",
    "terminated": "#c98500",
    "waiting": "#7d7d7d",
}

SIGNS = {
    "submitted": "○",
    "running": "●",
    "finished": "✓",
    "failed": "✕",
    "stopped": "■",
    "killed": "✕",
    "timeout": "◷",
    "terminated": "◐",
    "waiting": "○",
}
"""Each state has a shape besides its colour."""

RAMP = ("#a2a5a2", "#86aca3", "#66b1a6", "#49a9b7", "#3a9bc6", "#2f8bd0", "#2478c8", "#1f68bd")
"""Trials from the worst to the best, on light and dark ground."""
BEST = "#e0701a"

MUTED = "#7d7d7d"
"""Readable on white and on JupyterLab's dark ground alike."""

ANSI = (
    *("#3e424d", "#e75c58", "#00a250", "#b58900", "#208ffb", "#d160c4", "#2aa1a3", "#a1a6b2"),
    *("#787d8a", "#d0433f", "#008f47", "#b27d12", "#0a7be0", "#b044a3", "#258f8f", "inherit"),
)
MARKER = "#ddb62b"
"""Yellow as a ground marks the failing part of a line in tracebacks: dark text must stay readable on it."""


def line(index: int) -> str:
    """Return the colour of the chart at `index`."""
    return LINES[index % len(LINES)]
