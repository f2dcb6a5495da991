"""A sweep in words: counts, the best trial, what was saved, the leaderboard; pages and terminals share them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.outline import COUNTED, WORDS, number_ended
from mlwidgets.runs.state import RUNNING
from mlwidgets.runs.trials import GIVEN_BACK, WAITING, WARM_START
from mlwidgets.views import format as fmt
from mlwidgets.views import palette
from mlwidgets.views.sweep import Row, short
from mlwidgets.views.sweepsaved import goodness

if TYPE_CHECKING:
    from mlwidgets.views.sweepfeed import SweepShot

LONGEST_VALUE = 24
LONGEST_LINE = 200
"""Characters."""
MOST_OBJECTIVES = 4
MOST_PARAMS = 6
TOP_TRIALS = 5

About = Mapping[str, Any]
Status = Mapping[str, Any]


def word(state: str) -> str:
    """Return a state in words."""
    return WORDS.get(state, state)


def trials_done(status: Status) -> str:
    """Return how many trials have ended: ``18 of 20 trials``."""
    done, planned = number_ended(status["counts"]), status["planned"]
    return f"{done} of {planned} trials" if planned and done <= planned else f"{done} trial{'s' * (done != 1)}"


def counted(status: Status) -> list[str]:
    """Return how many trials are in each state, ``12 finished``, those that have ended first."""
    counts = status["counts"]
    order = sorted(COUNTED, key=(RUNNING, WAITING, GIVEN_BACK).__contains__)
    return [f"{counts[state]} {word(state)}" for state in order if counts[state]]


def best_row(status: Status, rows: Iterable[Row]) -> Row | None:
    """Return the best trial's row, None where there is none or it is not kept."""
    best = status["best"]
    return next((one for one in rows if best and one["number"] == best["number"]), None)


def best_value(about: About, status: Status) -> str | None:
    """Return the best value with its metric; of several objectives how many trials the Pareto front has."""
    if len(about["objectives"]) > 1:
        count = len(status["front"])
        return f"Pareto front of {count} trial{'s' * (count != 1)}" if count else None
    if not status["best"]:
        return None
    return f"best {figure(about['objectives'][0]['metric'])} {figure(status['best']['values'][0])}"


def saved(status: Status) -> str | None:
    """Return what early termination has saved, None where that is nothing."""
    found = status["saved"]
    if not found or found["intervals"] <= 0:
        return None
    intervals = f"{found['intervals']:,} interval{'s' * (found['intervals'] != 1)}"
    return f"ending early saved {found['share']:.0%} of the computing: {intervals}, {fmt.took(found['seconds'])}"


def figure(value: Any) -> str:
    """Return a value of a metric or a parameter as people read it."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return fmt.number(value)
    return short(str(value), LONGEST_VALUE)


def ranked(rows: Iterable[Row], sign: int) -> list[Row]:
    """Return the trials, the best first: finished ones, then others that have a value, then the rest."""
    return sorted(rows, key=lambda one: goodness(one, sign), reverse=True)


def sign_of(about: About) -> int:
    """Return 1 where more of the first objective is better, -1 where less is."""
    return -1 if about["objectives"][0]["direction"] == "minimize" else 1


def leaderboard(
    about: About, status: Status, rows: Sequence[Row], most: int, params: int
) -> tuple[list[str], list[list[str]]]:
    """Return the heads and the cells of the best trials; of several objectives the Pareto front comes first.

    Parameters
    ----------
    most, params
        How many trials and parameters it has at most.
    """
    objectives = about["objectives"][:MOST_OBJECTIVES]
    front = set(status["front"])
    order = sorted(ranked(rows, sign_of(about)), key=lambda one: one["number"] not in front)[:most]
    names = [one["name"] for one in about["space"]][:params]
    head = ["trial", "state", *(figure(one["metric"]) for one in objectives), *map(figure, names), "values", "time"]
    return head, [_cells(one, len(objectives), names) for one in order]


def _cells(one: Row, objectives: int, names: Sequence[str]) -> list[str]:
    values = [figure(value) for value in one["values"] or ()][:objectives]
    values += [""] * (objectives - len(values))
    params = [figure(one["params"][name]) if name in one["params"] else "" for name in names]
    known = one["started"] is not None and one["ended"] is not None and one["by"] != WARM_START
    took = fmt.took(one["ended"] - one["started"]) if known else ""
    trial = figure(one["name"]) if one["by"] == WARM_START else str(one["number"])
    state = "earlier run" if one["by"] == WARM_START else f"{palette.SIGNS[one['state']]} {word(one['state'])}"
    return [trial, state, *values, *params, str(one["reports"] or ""), took]


def sweep_lines(shot: SweepShot) -> list[str]:
    """Return a sweep as lines of text: how far it is, the best trial, what was saved, the best few."""
    return lines(shot.about, shot.status, shot.rows)


def more_params(hidden: int) -> str:
    """Return how many parameters are left out, in words; nothing where none is."""
    return f"+{hidden} more parameter{'s' * (hidden != 1)}" if hidden > 0 else ""


def lines(about: About, status: Status, rows: Sequence[Row], columns: int | None = None) -> list[str]:
    """Return the same of its parts, tables at most `columns` wide."""
    found = [trials_done(status) + (": " + ", ".join(counted(status)) if any(status["counts"].values()) else "")]
    if status["paused"]:
        found.insert(0, f"paused: {short(status['paused'], LONGEST_LINE)}")
    if value := best_value(about, status):
        one = best_row(status, rows)
        given = list(one["params"].items()) if one else []
        params = [f"{figure(name)}={figure(v)}" for name, v in given[:MOST_PARAMS]]
        params += [f"+{len(given) - MOST_PARAMS} more"] if len(given) > MOST_PARAMS else []
        found.append("  ".join([value, *([one["name"]] if one else []), *params]))
    if text := saved(status):
        found.append(text)
    if rows:
        front = [one for one in rows if one["number"] in status["front"]]
        head, cells = leaderboard(about, status, front or rows, TOP_TRIALS, MOST_PARAMS)
        kept = _fitting(head, cells, columns)
        found += table(head, cells, columns)
        shown = len(kept) - (len(head) - min(len(about["space"]), MOST_PARAMS))
        rest = [f"… and {len(rows) - len(cells)} more"] if len(rows) > len(cells) else []
        rest += [text] if (text := more_params(len(about["space"]) - max(0, shown))) else []
        found += [", ".join(rest)] if rest else []
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None = None) -> list[str]:
    """Return a table as lines of text; those of parameters that find no room in `columns` are left out."""
    kept = _fitting(head, rows, columns)
    widths = [max(len(line[i]) for line in [head, *rows]) for i in kept]
    lines = [[line[i].ljust(width) for i, width in zip(kept, widths, strict=True)] for line in [head, *rows]]
    return ["  ".join(line).rstrip() for line in lines]


def _fitting(head: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None) -> list[int]:
    """Return the places of the columns that find room."""
    kept = list(range(len(head)))
    while True:
        widths = [max(len(line[i]) for line in [head, *rows]) for i in kept]
        if columns is None or sum(widths) + 2 * len(widths) <= columns or len(kept) <= 3:
            return kept
        # The first columns tell most, and the last are no parameters.
        kept.pop(-3 if len(kept) > 5 else -1)
