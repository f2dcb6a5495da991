"""The pages around reports, and a report's own page with what is put in when it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from typing import Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.reports.page.about import date_words, duration_words
from mlwidgets.reports.page.clean import picture_address
from mlwidgets.reports.page.making import characters, environment
from mlwidgets.reports.publishing import standing
from mlwidgets.reports.publishing.comparing import Comparison, Number, Picture, compare
from mlwidgets.reports.publishing.definition import UnknownReport
from mlwidgets.reports.publishing.editions import FAILED, PUBLISHED, STOPPED, WITHHELD, Edition, Report
from mlwidgets.reports.publishing.standing import Banner

PER_PAGE = 100
"""Editions on a page of them."""
TITLE = "Reports"
SIGNS = {
    PUBLISHED: ("passed", "published"),
    FAILED: ("failed", "failed"),
    WITHHELD: ("warned", "withheld"),
    STOPPED: ("plain", "stopped"),
}
_STANDINGS = {standing.CURRENT: "passed", standing.STALE: "warned", standing.NEVER: "failed", standing.EMPTY: "plain"}
_TRIES = 5


def front_page(report: Report) -> str:
    """Return what is at a report's address: its latest edition; where none was published yet, the newest.

    Raises
    ------
    UnknownReport
        If there is no such report.
    """
    for _ in range(_TRIES):
        edition = report.latest() or report.newest()
        if edition is None:
            break
        try:
            return _shown(report, edition, front=True)
        except FileNotFoundError:
            continue  # a newer one has taken its place, and it is gone
    said = (
        "An edition is being made: load this page again in a while." if report.making() else "There is no edition yet."
    )
    links = [("All reports", "../index.html")]
    return _made("empty.html.j2", title=report.title, said=said, links=links)


def edition_page(report: Report, edition_id: str) -> str:
    """Return the page of one edition, at an address of its own.

    Raises
    ------
    UnknownReport
        If there is no such report or edition.
    """
    try:
        return _shown(report, report.edition(edition_id), front=False)
    except FileNotFoundError:
        raise UnknownReport(f"report {report.name!r} has no edition {edition_id!r}") from None


def put_in(report: Report, edition: Edition, *, front: bool) -> tuple[str, str, str]:
    """Return what is put into an edition's page when it is shown: into its head, above and below what it is about."""
    links = [("All editions", "editions.html")]
    if front and edition.state == PUBLISHED and report.previous(edition) is not None:
        links.append(("What changed", "changes.html"))
    links += _beside(edition)
    links.append(("All reports", "../index.html"))
    anchors = "\n".join(f'<a href="{escape(href)}">{escape(label)}</a>' for label, href in links)
    return (
        f'<link rel="alternate" type="application/atom+xml" title="{escape(report.title)}" href="feed.xml">',
        _banner(standing.banner(report, edition, front=front)),
        f'<nav class="r-links" aria-label="This report">\n{anchors}\n</nav>',
    )


def _shown(report: Report, edition: Edition, *, front: bool) -> str:
    if edition.page.is_symlink():
        raise UnknownReport(f"report {report.name!r} has no edition {edition.id!r}")
    html = edition.page.read_text(encoding="utf-8")
    for mark, text in zip(("head", "banner", "links"), put_in(report, edition, front=front), strict=True):
        html = html.replace(f"<!--r-{mark}-->", characters(text), 1)
    return html


def _banner(found: Banner | None) -> str:
    if found is None:
        return ""
    anchors = "".join(f' <a href="{escape(href)}">{escape(label)}</a>' for label, href in found.links)
    return f'<p class="r-banner"><span aria-hidden="true">⚠</span> {escape(found.text)}{anchors}</p>'


def _beside(edition: Edition) -> list[tuple[str, str]]:
    found = [("Notebook", f"{edition.id}.ipynb")] if edition.notebook else []
    return [*found, ("PDF", f"{edition.id}.pdf")] if edition.pdf else found


def index_page(reports: Iterable[Report], next_times: Mapping[str, float] | None = None) -> str:
    """Return the page of all reports: how each stands, when it was made, when it is made next.

    Parameters
    ----------
    next_times
        Unix seconds, by the names of reports.
    """
    found = []
    for report in reports:
        try:
            found.append(_entry(report, (next_times or {}).get(report.name)))
        except UnknownReport:
            continue  # deleted meanwhile
    found.sort(key=lambda one: str(one["title"]).casefold())
    return _made("index.html.j2", title=TITLE, entries=found, links=[])


def _entry(report: Report, next_time: float | None) -> dict[str, Any]:
    now = standing.standing(report)
    words = standing.WORDS[now.state]
    if now.stale_since is not None:
        words = f"stale since {date_words(_local(now.stale_since))}"
    return {
        "name": report.name,
        "title": report.title,
        "href": f"{report.name}/index.html",
        "kind": _STANDINGS[now.state],
        "words": words,
        "latest": now.latest.when if now.latest else None,
        "next": None if next_time is None else _local(next_time),
        "making": bool(now.making),
        "cause": standing.went(now.newest) if now.newest and now.newest.state != PUBLISHED else None,
    }


def _local(moment: float) -> datetime:
    return datetime.fromtimestamp(moment).astimezone()


def editions_page(report: Report, page: int = 1, *, live: bool = True) -> str:
    """Return the list of a report's editions, a hundred on a page, the newest on page 1.

    Parameters
    ----------
    live
        A server shows it, which can compare any two of them.

    Raises
    ------
    UnknownReport
        If there is no such report or page.
    """
    editions, count = report.page_of_editions(max(1, page), PER_PAGE)
    last = pages_of(count)
    if not 1 <= page <= last:
        raise UnknownReport(f"report {report.name!r} has {last} pages of editions, not {page}")
    latest = report.latest()
    rows = []
    for place, one in enumerate(editions):
        links = _beside(one)
        older = next((other for other in editions[place + 1 :] if other.state == PUBLISHED), None)
        if live and older is not None and one.state == PUBLISHED:
            links.append(("What changed", f"compare.html?a={older.id}&b={one.id}"))
        failed = sum(not check.passed for check in one.checks)
        kind, how_many = ("failed", f"{failed} of {len(one.checks)}") if failed else ("passed", str(len(one.checks)))
        rows.append(
            {
                "id": one.id,
                "when": one.when,
                "kind": SIGNS[one.state][0],
                "words": SIGNS[one.state][1],
                "latest": latest is not None and latest.id == one.id,
                "cause": one.cause,
                "took": "" if one.duration is None else duration_words(one.duration),
                "checks": (kind, f"{how_many} {kind}") if one.checks else None,
                "params": ", ".join(f"{name} = {value}" for name, value in one.params.items()),
                "links": links,
            }
        )
    around = [("Newer", page - 1)] if page > 1 else []
    around += [("Older", page + 1)] if page < last else []
    return _made(
        "editions.html.j2",
        title=f"{report.title}: editions",
        count=count,
        rows=rows,
        pages=[(label, editions_file(number)) for label, number in around],
        links=[("Latest edition", "index.html"), ("Feed", "feed.xml"), ("All reports", "../index.html")],
    )


def pages_of(count: int) -> int:
    """Return how many pages so many editions take."""
    return max(1, -(-count // PER_PAGE))


def editions_file(page: int) -> str:
    """Return the name of a page of editions."""
    return "editions.html" if page == 1 else f"editions-{page}.html"


def changes_page(report: Report) -> str:
    """Return what changed from the edition before the latest to the latest.

    Raises
    ------
    UnknownReport
        If there are no two.
    """
    latest = report.latest()
    before = None if latest is None else report.previous(latest)
    if latest is None or before is None:
        raise UnknownReport(f"report {report.name!r} has no two published editions")
    return page_of_comparison(report.title, compare(before, latest))


def compare_page(report: Report, a: str, b: str) -> str:
    """Return what changed from the edition `a` to `b`.

    Raises
    ------
    UnknownReport
        If there is no such report or edition.
    """
    return page_of_comparison(report.title, compare(report.edition(a), report.edition(b)))


def page_of_comparison(title: str, found: Comparison) -> str:
    """Return a comparison as a page."""
    numbers = [
        (section, [_number(one) for one in some]) for section, some in groupby(found.numbers, lambda one: one.section)
    ]
    return _made(
        "compare.html.j2",
        title=f"{title}: what changed",
        old=found.old,
        new=found.new,
        said=said(found),
        numbers=numbers,
        pictures=[_picture(one, found) for one in found.pictures],
        texts=found.texts,
        checks=found.checks,
        params=found.params,
        left_out="; ".join(f"{count} more {kind} changed" for kind, count in found.left_out.items()),
        links=[
            ("Latest edition", "index.html"),
            ("All editions", "editions.html"),
            ("All reports", "../index.html"),
        ],
    )


def said(found: Comparison) -> str:
    """Return in a sentence how much changed."""
    more = found.left_out
    counts = (
        (len(found.checks), "check"),
        (len(found.params), "parameter"),
        (len(found.numbers) + more.get("numbers", 0), "number"),
        (len(found.pictures) + more.get("pictures", 0), "picture"),
        (len(found.texts) + more.get("texts", 0), "text"),
    )
    parts = [many(count, what) for count, what in counts if count]
    shown = f"{_listed(parts)} changed" if parts else "Nothing changed that is shown"
    code = f"; the code of {many(found.code, 'cell')} did" if found.code else ""
    return f"{shown}{code}."


def many(count: int, what: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _number(one: Number) -> dict[str, str]:
    return {"label": one.label, "old": one.old, "new": one.new, "difference": grown(one), "share": share(one)}


def grown(one: Number) -> str:
    """Return by how much a number grew, with as many decimals as it is written with."""
    decimals = max(len(text.rstrip("%").partition(".")[2]) for text in (one.old, one.new))
    plain = all("e" not in text.lower() for text in (one.old, one.new)) and abs(one.difference) < 1e15
    text = f"{one.difference:+,.{decimals}f}" if plain and decimals < 16 else f"{one.difference:+.4g}"
    percent = "%" if one.old.endswith("%") and one.new.endswith("%") else ""
    return text.replace("-", "−") + percent


def share(one: Number) -> str:
    """Return by which share a number grew; nothing where that says nothing."""
    part = one.share
    if part is None or one.new.endswith("%") or abs(part) >= 100:
        return ""
    text = f"{part:+.1%}".replace("-", "−")
    return "" if text[1:] == "0.0%" else text


def _picture(one: Picture, found: Comparison) -> dict[str, Any]:
    called = f" of {one.section}" if one.section else ""
    return {
        "section": one.section,
        "sides": [
            {
                "label": label,
                "src": None if side is None else picture_address(_address(*side)),
                "alt": f"Picture{called}, {label.lower()}: {date_words(edition.when)}",
            }
            for label, side, edition in (("Before", one.old, found.old), ("Now", one.new, found.new))
        ],
    }


def _address(mime: str, data: str) -> str:
    return f"data:{mime};base64,{data}"


def _made(template: str, **values: Any) -> str:
    templates = environment()
    templates.filters["words"] = date_words
    try:
        return characters(templates.get_template(template).render(**values))
    except ValueError as error:
        raise MlwidgetsError(f"the page {template} could not be made: {error}") from error
