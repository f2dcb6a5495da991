"""What changed since the previous run of the same name, in the still view of a run as HTML."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from mlwidgets.views import format as fmt
from mlwidgets.views import palette
from mlwidgets.views.changesfit import fitted
from mlwidgets.views.changestext import effects, since_words
from mlwidgets.views.nbdifffragment import cells_html, rows_html
from mlwidgets.views.nbdiffwords import fact_words, visible

if TYPE_CHECKING:
    from mlwidgets.views.data import Snapshot

BYTES = 6000
"""Of what a notebook keeps of the changes as JSON, where there is room."""
FEWEST = 600
MOST_ROWS = 200
MOST_FACTS = 20
FEWEST_FACTS = 3
"""Parameters, metrics and entries of the environment, each."""

MUTED = f"color:{palette.MUTED}"
SMALL = "font-size:11px"
HEAD = f"{SMALL};font-weight:600;{MUTED};margin:8px 0 2px"


def kept(changes: dict[str, Any] | None, scale: float) -> dict[str, Any] | None:
    """Return what a notebook keeps of the changes, the less the smaller `scale` is."""
    return None if changes is None else fitted(changes, max(FEWEST, round(BYTES * scale)))


def changes_page(shot: Snapshot, scale: float) -> str:
    """Return what changed as a line, and folded below it all that there is room for; nothing for a first run."""
    changes = kept((shot.details or {}).get("changes"), scale)
    if changes is None:
        return ""
    rows, facts = round(MOST_ROWS * scale), max(FEWEST_FACTS, round(MOST_FACTS * scale))
    effect = [f"{one.name}: {fmt.number(one.before)} → {one.now_words()}" for one in effects(changes, shot)]
    parts = [
        _lines("Parameters", map(fact_words, changes["params"]), facts),
        _lines("Effect", effect, facts),
        _part("Code of the cell", rows_html(changes["cell"] or [], rows)),
        *(_part(name, rows_html(some, rows)) for name, some in changes["modules"]),
        _part("Other cells of the notebook", cells_html((changes["notebook"] or {"cells": []})["cells"], rows)),
        _lines("Environment", map(fact_words, changes["environment"]), facts),
    ]
    if changes.get("left_out"):
        parts.append(f'<div style="{SMALL};{MUTED}">{changes["left_out"]} more found no room here</div>')
    said = since_words(changes, shot)
    summary = f'<summary style="font-size:12px;overflow-wrap:anywhere">{escape(said[:1].upper() + said[1:])}</summary>'
    return f'<details style="margin-top:8px">{summary}{"".join(parts)}</details>'


def _part(name: str, body: str) -> str:
    return f'<div style="{HEAD}">{escape(visible(name))}</div>{body}' if body else ""


def _lines(name: str, lines: Iterable[str], most: int) -> str:
    every = [escape(visible(line)) for line in lines]
    every[most:] = [f"and {len(every) - most} more"] if len(every) > most else []
    return _part(
        name, f'<div style="font-size:12px;overflow-wrap:anywhere">{"<br>".join(every)}</div>' if every else ""
    )
