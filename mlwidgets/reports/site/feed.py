"""Atom feeds (RFC 4287) of published editions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from mlwidgets.reports.page.about import date_words
from mlwidgets.reports.page.making import characters
from mlwidgets.reports.publishing.definition import UnknownReport
from mlwidgets.reports.publishing.editions import PUBLISHED, Edition, Report
from mlwidgets.reports.site.pages import TITLE

ATOM = "http://www.w3.org/2005/Atom"
MOST = 30
"""Entries of a feed."""
LOOKS = 300
"""Editions that are read to find so many published ones."""
_OWN = uuid.UUID("6f1c7e5a-0d5e-4d0a-9a39-6c1b6b1f2d11")


def feed(report: Report, base_url: str = "") -> str:
    """Return the feed of one report.

    Parameters
    ----------
    base_url
        Absolute address of the page of all reports, with its slash; without it links are relative to the feed.

    Raises
    ------
    UnknownReport
        If there is no such report.
    """
    where = f"{base_url}{report.name}/" if base_url else ""
    entries = [(report, edition, where) for edition in _published(report, MOST)]
    return _feed(report.title, _id(report), report.definition.created, entries, where, "index.html")


def feed_of_all(reports: Iterable[Report], base_url: str = "") -> str:
    """Return the feed of several reports, as `feed`."""
    found: list[tuple[Report, Edition, str]] = []
    created = 0.0
    for report in reports:
        try:
            found += [(report, edition, f"{base_url}{report.name}/") for edition in _published(report, MOST)]
            created = max(created, report.definition.created)
        except UnknownReport:
            continue  # deleted meanwhile
    found.sort(key=lambda one: one[1].published or 0.0, reverse=True)
    return _feed(TITLE, uuid.uuid5(_OWN, f"all {base_url}"), created, found[:MOST], base_url, "index.html")


def _published(report: Report, most: int) -> list[Edition]:
    return [one for one in report.editions(LOOKS) if one.state == PUBLISHED][:most]


def _id(report: Report) -> uuid.UUID:
    return uuid.uuid5(_OWN, f"{report.name} {report.definition.created!r}")


def _feed(
    title: str,
    feed_id: uuid.UUID,
    created: float,
    entries: Sequence[tuple[Report, Edition, str]],
    where: str,
    page: str,
) -> str:
    root = ET.Element("feed", {"xmlns": ATOM})
    _add(root, "id", feed_id.urn)
    _add(root, "title", title)
    updated = max((edition.published or 0.0 for _, edition, _ in entries), default=created)
    _add(root, "updated", _moment(updated))
    _add(root, "generator", "mlwidgets")
    ET.SubElement(ET.SubElement(root, "author"), "name").text = "mlwidgets"
    ET.SubElement(root, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{where}feed.xml"})
    ET.SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": f"{where}{page}"})
    for report, edition, folder in entries:
        entry = ET.SubElement(root, "entry")
        _add(entry, "id", uuid.uuid5(_id(report), edition.id).urn)
        _add(entry, "title", f"{edition.title or report.title}, {date_words(edition.when)}")
        _add(entry, "updated", _moment(edition.published or edition.time))
        href = f"{folder}{edition.id}.html"
        ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": href})
        _add(entry, "summary", _summary(edition))
    ET.indent(root, "")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = characters(text)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _summary(edition: Edition) -> str:
    failed = sum(not one.passed for one in edition.checks)
    count = len(edition.checks)
    passed = f"all {count} checks passed" if count > 1 else "the check passed" if count else ""
    checks = f"{failed} of {count} checks failed" if failed else passed
    params = ", ".join(f"{name} = {value}" for name, value in edition.params.items())
    said = "; ".join(filter(None, (checks, params)))
    return f"{said[:1].upper()}{said[1:]}." if said else "A new edition."
