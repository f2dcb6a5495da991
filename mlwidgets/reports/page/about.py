"""What stands at the head of a report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlwidgets.errors import ParameterError
from mlwidgets.history.notebooks.notebook import Cell, Notebook
from mlwidgets.reports.parameters.params import INJECTED, TAG, read_params

# Those of `strftime` follow the locale of the server.
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True)
class Check:
    """Something that the notebook checked: what, whether it holds, and what was found."""

    text: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class About:
    """What is known of a report beside its notebook. Whatever is left out is not shown.

    Parameters
    ----------
    title
        Else the notebook's first heading, else its file's name.
    notebook
        The file's name.
    params
        Parameters and their values, as they were written.
    started
        When it was executed, with its time zone.
    duration
        Of the execution, seconds.
    commit
        Short id and branch, and whether there were changes beside it.
    edition
        What this edition is called at the report's address. Such a page has marks for what is put in when it is shown:
        ``<!--r-head-->``, ``<!--r-banner-->`` and ``<!--r-links-->``.
    checks
        What was checked, in order.
    banner
        One sentence that readers must see first.
    links
        Label and address, below the head: the executed notebook, the PDF, other editions.
    """

    title: str = ""
    notebook: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    started: datetime | None = None
    duration: float | None = None
    commit: str = ""
    edition: str = ""
    author: str = ""
    checks: Sequence[Check] = ()
    banner: str | None = None
    links: Sequence[tuple[str, str]] = ()


def date_words(moment: datetime) -> str:
    """Return a moment as ``21 November 2026, 19:05 UTC``."""
    zone = moment.tzname() or ""
    zone = f"UTC{moment:%z}" if re.fullmatch(r"[+-]\d\d(:?\d\d)?", zone) else zone
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} {zone}".rstrip()


def duration_words(seconds: float) -> str:
    """Return a duration as ``1 h 5 min``, ``3 min 20 s`` or ``4.2 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def known(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a notebook's own metadata say for `About`: authors, parameters, when it was executed."""
    metadata = _dict(notebook.get("metadata"))
    cells = [one for one in notebook.get("cells", ()) if isinstance(one, Mapping)]
    times = sorted(_times(cells))
    authors = metadata.get("authors")
    people = [_dict(one).get("name") for one in authors] if isinstance(authors, list) else []
    return {
        "title": metadata["title"] if isinstance(metadata.get("title"), str) else "",
        "author": ", ".join(one for one in people if isinstance(one, str)),
        "params": _params(cells, str(_dict(metadata.get("language_info")).get("name") or "python")),
        "started": times[0].astimezone() if times else None,
        "duration": (times[-1] - times[0]).total_seconds() if len(times) > 1 else None,
    }


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _times(cells: Sequence[Mapping[str, Any]]) -> list[datetime]:
    """Return when cells began and ended, as Jupyter and nbclient record it."""
    found = []
    for cell in cells:
        for value in _dict(_dict(cell.get("metadata")).get("execution")).values():
            try:
                moment = datetime.fromisoformat(value)
            except (TypeError, ValueError):
                continue
            if moment.tzinfo is not None:
                found.append(moment)
    return found


def _params(cells: Sequence[Mapping[str, Any]], language: str) -> dict[str, str]:
    """Return what the cells tagged for parameters assign; what was put in counts."""
    params: dict[str, str] = {}
    for tag in (TAG, INJECTED):
        for cell in cells:
            tags = _dict(cell.get("metadata")).get("tags")
            if isinstance(tags, list) and tag in tags:
                one = Cell(None, "code", str(cell.get("source", "")), {"tags": [TAG]})
                try:
                    found = read_params(Notebook((one,), language))
                except ParameterError:
                    continue
                params |= {param.name: _plain(param.default) for param in found if param.default is not None}
    return params


def _plain(written: str) -> str:
    """Return a value as it is read: a text without its quotes."""
    quoted = re.fullmatch(r"""(["'])([^"'\\\n]*)\1""", written)
    return quoted[2] if quoted else written
