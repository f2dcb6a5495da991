"""How a report stands, in words that readers see first: whether what it shows is good, old, or was never there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlwidgets.reports.page.about import date_words
from mlwidgets.reports.publishing.editions import PUBLISHED, STOPPED, WITHHELD, Edition, Report

CURRENT, STALE, NEVER, EMPTY = "current", "stale", "never", "empty"
WORDS = {CURRENT: "up to date", STALE: "stale", NEVER: "never published", EMPTY: "no edition yet"}
_LONGEST = 300
_LOOKS = 200
"""Editions since the latest that are read to see whether they were stopped; those beyond count as gone wrong."""


@dataclass(frozen=True)
class Standing:
    """How a report stands.

    Parameters
    ----------
    state
        ``current``; ``stale`` where all since the latest went wrong; ``never`` where all did; ``empty``.
    latest
        The edition at the report's address.
    newest
        That which was asked for last.
    first_bad, last_bad
        The first and the last after the latest that went wrong; those that somebody has stopped did not.
    bad
        How many did since.
    making
        Ids of runs that will be editions.
    """

    state: str
    latest: Edition | None
    newest: Edition | None
    first_bad: Edition | None
    last_bad: Edition | None
    bad: int
    making: Sequence[str]

    @property
    def stale_since(self) -> float | None:
        """Unix seconds."""
        return self.first_bad.time if self.state == STALE and self.first_bad else None


@dataclass(frozen=True)
class Banner:
    """One or two sentences above a page, and links, each a label and an address."""

    text: str
    links: Sequence[tuple[str, str]] = ()


def standing(report: Report) -> Standing:
    """Return how a report stands."""
    latest = report.latest()
    since = report.since(latest)
    newest = next(filter(None, map(report.find, since)), latest)
    bad = [one for one in since[:_LOOKS] if _went_wrong(report.find(one))] + since[_LOOKS:]
    first, last = (report.find(bad[at]) if bad else None for at in (-1, 0))
    state = EMPTY if newest is None else NEVER if latest is None else STALE if first and last else CURRENT
    return Standing(state, latest, newest, first, last, len(bad), report.making())


def _went_wrong(edition: Edition | None) -> bool:
    return edition is not None and edition.state != STOPPED


def banner(report: Report, edition: Edition, *, front: bool) -> Banner | None:
    """Return what stands above the page of an edition; None where there is nothing to say.

    Parameters
    ----------
    front
        The page is shown at the report's own address, not at the edition's.
    """
    if edition.state != PUBLISHED:
        return _of_bad(report, edition, front)
    if front:
        return _of_stale(standing(report))
    latest = report.latest()
    if latest is None or latest.id == edition.id:
        return None
    # It says no more, so that what was written of it stays as it is when newer ones come.
    return Banner(f"This is the edition of {date_words(edition.when)}.", [("Latest edition", "index.html")])


def _of_bad(report: Report, edition: Edition, front: bool) -> Banner:
    links = [("Where it ended", "#failed")] if edition.failed_cell else []
    if front:
        return Banner(f"No edition of this report has been published yet. This one {went(edition)}", links)
    if report.latest() is not None:
        links.append(("Latest published edition", "index.html"))
    return Banner(f"This edition {went(edition)}", links)


def _of_stale(now: Standing) -> Banner | None:
    latest, first, last = now.latest, now.first_bad, now.last_bad
    if now.state != STALE or latest is None or first is None or last is None:
        return None
    if now.bad == 1:
        said = f"The next one, of {date_words(last.when)}, {went(last)}"
    else:
        # Not all need have gone wrong in the same way.
        said = f"The {now.bad} editions since {date_words(first.when)} were not published; the newest {went(last)}"
    return Banner(f"This page is of {date_words(latest.when)}. {said}", [("What went wrong", f"{last.id}.html")])


def went(edition: Edition) -> str:
    """Return how an edition went that was not published: the end of a sentence."""
    how = {WITHHELD: "was withheld", STOPPED: "was stopped"}.get(edition.state, "failed")
    line = " ".join((edition.cause or "").split()).rstrip(".")
    line = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    if line.startswith(how):
        return f"{line}."
    return f"{how}: {line}." if line else f"{how}."
