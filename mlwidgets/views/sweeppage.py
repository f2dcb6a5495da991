"""The still view of a sweep as HTML, under the same rules as that of a run: no script, plain inline styles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from mlwidgets.runs.trials import TERMINATED
from mlwidgets.views import palette, svg, sweepsvg, sweeptext
from mlwidgets.views.sweep import Row, short

if TYPE_CHECKING:
    from mlwidgets.views.sweepfeed import SweepShot

TOP_TRIALS = 20
FEWEST_TOP = 5
POINTS = 1200
"""Of all curves together, about."""
MOST_PARAMS = 6
MOST_REASONS = 8
LONGEST_TEXT = 120
"""Characters of a distribution, a rule, a cause."""
FEWEST_REASONS = 3
MOST_BARS = 10
BAR = 90
"""Percent of its column that the longest bar fills."""

MUTED = f"color:{palette.MUTED}"
SMALL = "font-size:11px"
HEAD = f"font-size:12px;font-weight:600;{MUTED};margin:14px 0 2px"
TABLE = "border-collapse:collapse;font-size:12px;text-align:right;margin:0"
CELL = "padding:1px 10px 1px 0;text-align:left"
BANNER = "margin-top:8px;padding:5px 9px;border-left:3px solid {};background-color:rgba(201,133,0,0.1)"


def sweep_page(shot: SweepShot, scale: float, *, ended: bool) -> str:
    """Return what a page says of a sweep's trials.

    Parameters
    ----------
    scale
        Of the detail that a page has at most.
    ended
        Whether the sweep has.
    """
    parts = [_paused(shot), _facts(shot), _asked(shot)]
    if shot.rows:
        parts += [
            _pictures(shot, round(POINTS * scale)),
            _importance(shot),
            _leaderboard(shot, max(FEWEST_TOP, round(TOP_TRIALS * scale))),
            _reasons(shot, max(FEWEST_REASONS, round(MOST_REASONS * scale))),
        ]
    elif not ended:
        parts.append(f'<div style="margin-top:10px;font-size:12px;{MUTED}">No trials yet.</div>')
    return "".join(parts)


def _paused(shot: SweepShot) -> str:
    why = shot.status["paused"]
    style = BANNER.format(palette.STATES["timeout"])
    return f'<div style="{style}"><b>Paused:</b> {escape(why)}</div>' if why else ""


def _facts(shot: SweepShot) -> str:
    counts = " · ".join(map(escape, sweeptext.counted(shot.status)))
    lines = [f"<b>{sweeptext.trials_done(shot.status)}</b>" + (f": {counts}" if counts else "")]
    if value := sweeptext.best_value(shot.about, shot.status):
        lines.append(f'<b style="color:{palette.BEST}">━</b> <b>{escape(value)}</b>{_best(shot)}')
    if saved := sweeptext.saved(shot.status):
        lines.append(escape(saved[0].upper() + saved[1:]))
    return "".join(f'<div style="margin-top:4px">{line}</div>' for line in lines)


def _best(shot: SweepShot) -> str:
    one = sweeptext.best_row(shot.status, shot.rows)
    if one is None:
        return ""
    params = " ".join(
        f'<span style="{MUTED}">{escape(sweeptext.figure(name))}</span> {escape(sweeptext.figure(value))}'
        for name, value in list(one["params"].items())[: 2 * MOST_PARAMS]
    )
    hidden = len(one["params"]) - 2 * MOST_PARAMS
    more = f" +{hidden} more" if hidden > 0 else ""
    return f' <span style="{MUTED}">{escape(one["name"])}:</span> {params}{more}'


def _asked(shot: SweepShot) -> str:
    about = shot.about
    goals = [f"{one['direction']} {one['metric']}" for one in about["objectives"]]
    named = about["space"][: 2 * MOST_PARAMS]
    space = [f"{sweeptext.figure(one['name'])}={short(one['text'], LONGEST_TEXT)}" for one in named]
    more = len(about["space"]) - len(space)
    said = [", ".join(goals), *space, *([f"and {more} more"] if more > 0 else []), f"sampler {about['sampler']}"]
    said += [about["policy"]] if about["policy"] else []
    text = " · ".join(map(escape, said))
    return f'<div style="margin-top:4px;{SMALL};{MUTED};overflow-wrap:anywhere">{text}</div>'


def _pictures(shot: SweepShot, points: int) -> str:
    metric = shot.metrics[0]
    several = len(shot.metrics) > 1
    early = any(one["state"] == TERMINATED for one in shot.rows)
    mark = f' · <span style="color:{palette.STATES[TERMINATED]}">●</span> ended early' if early else ""
    found: list[tuple[str, str, str, int]] = []
    if sweepsvg.has_course(shot):
        best = "" if several else f' · <span style="color:{palette.BEST};font-weight:700">━</span> best'
        title = f"<b>{escape(metric)}</b> of all trials by step{best}{mark}"
        found.append((title, f"{metric} of {len(shot.curves)} trials", sweepsvg.curves(shot, points), 50))
    if several and sweepsvg.results(shot.rows):
        title = f"<b>{escape(shot.metrics[1])}</b> by {escape(metric)} · Pareto front"
        found.append((title, "Pareto front", sweepsvg.scatter(shot), 50))
    elif sweepsvg.results(shot.rows):
        title = f"<b>best {escape(metric)}</b> by trials ended{mark}"
        found.append((title, f"best {metric} so far", sweepsvg.history(shot), 50))
    if sweepsvg.results(shot.rows):
        hidden = len(shot.about["space"]) - sweepsvg.MOST_AXES
        more = f" · {text}" if (text := sweeptext.more_params(hidden)) else ""
        whole = f"<b>Parameters</b> and {escape(metric)}, from {_shade(0)} worst to {_shade(-1)} best{more}"
        found.append((whole, "parallel coordinates", sweepsvg.parallel(shot), 100))
    if not found:
        return ""
    return f'<div style="margin:10px -16px 0 0">{"".join(_picture(*one) for one in found)}</div>'


def _shade(index: int) -> str:
    return f'<span style="color:{palette.RAMP[index]};font-weight:700">━</span>'


def _picture(title: str, alt: str, document: str, share: int) -> str:
    source = escape(svg.data_uri(document))
    image = f'<img style="display:block;width:100%;margin:0" alt="{escape(alt)}" src="{source}">'
    box = (
        f"display:inline-block;vertical-align:top;box-sizing:border-box;width:{share}%;min-width:300px;"
        "max-width:1100px;padding:0 16px 8px 0"
    )
    return f'<div style="{box}"><div style="font-size:12px;line-height:18px">{title}</div>{image}</div>'


def _importance(shot: SweepShot) -> str:
    shares = sorted((shot.importance or {}).items(), key=lambda one: -one[1])[:MOST_BARS]
    if not shares:
        return ""
    longest = max(share for _, share in shares) or 1.0
    bar = f"display:inline-block;height:9px;background-color:{palette.RAMP[-1]}"
    rows = "".join(
        f'<tr><td style="{CELL}">{escape(sweeptext.figure(name))}</td>'
        f'<td style="{CELL};width:240px"><span style="{bar};width:{max(1.0, share / longest * BAR):.0f}%"></span></td>'
        f'<td style="{CELL}">{share:.0%}</td></tr>'
        for name, share in shares
    )
    return f'<div style="{HEAD}">Importance</div><table style="{TABLE}">{rows}</table>'


def _leaderboard(shot: SweepShot, most: int) -> str:
    space = sorted(shot.about["space"], key=lambda one: -(shot.importance or {}).get(one["name"], 0.0))
    head, rows = sweeptext.leaderboard({**shot.about, "space": space}, shot.status, shot.rows, most, MOST_PARAMS)
    rest = len(shot.rows) - len(rows)
    left_out = [f"and {rest} more trial{'s' * (rest != 1)}"] if rest > 0 else []
    left_out += [text] if (text := sweeptext.more_params(len(space) - MOST_PARAMS)) else []
    more = f'<div style="{SMALL};{MUTED}">{", ".join(left_out)}</div>' if left_out else ""
    return f'<div style="{HEAD}">Best trials</div>{_table(head, rows)}{more}'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], style: str = "") -> str:
    # Styles of each cell would be most of it; what shows the page knows how its tables look.
    top = "".join(f"<th{style}>{escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td{style}>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    table = f'<table style="{TABLE}" cellpadding="3"><tr>{top}</tr>{body}</table>'
    return f'<div style="overflow-x:auto">{table}</div>'


def _reasons(shot: SweepShot, most: int) -> str:
    early = [one for one in shot.rows if one["state"] == TERMINATED]
    failed = [one for one in shot.rows if one["state"] in {"failed", "killed", "timeout"}]
    return _folded("ended early", early, most, _rule) + _folded("failed", failed, most, lambda one: one["cause"] or "")


def _rule(one: Row) -> str:
    why: dict[str, Any] = one["why"] or {}
    at = f" (step {why['step']})" if why.get("step") is not None else ""
    return f"{why.get('rule') or one['cause'] or ''}{at}"


def _folded(what: str, rows: Sequence[Row], most: int, say: Callable[[Row], str]) -> str:
    if not rows:
        return ""
    body = [[str(one["number"]), short(say(one), LONGEST_TEXT)] for one in rows[-most:]]
    more = f'<div style="{SMALL};{MUTED}">and {len(rows) - most} before these</div>' if len(rows) > most else ""
    summary = f'<summary style="{SMALL};{MUTED}">{len(rows)} {what}: why</summary>'
    table = _table(["trial", "why"], body, " style='text-align:left'")
    return f'<details style="margin-top:6px">{summary}{table}{more}</details>'
