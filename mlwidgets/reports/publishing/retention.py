"""Which editions are kept, and how those go that are not: by one rename, so that nobody reads half of one."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time

from mlwidgets.errors import StoreError
from mlwidgets.reports.publishing.definition import writing
from mlwidgets.reports.publishing.editions import PUBLISHED, Report, time_of
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.state import read_outcome

DAY = 86400.0


def outdated(report: Report, keep: int | None, days: float | None, now: float | None = None) -> list[str]:
    """Return the ids of editions that need not be kept, the newest first.

    Those that were published and those that were not are counted apart: a week of failures takes no good edition away.
    The latest of both kinds stays, however old.

    Parameters
    ----------
    keep
        How many of each kind are kept.
    days
        How old an edition may be.
    """
    now = time.time() if now is None else now
    ids = report.ids()
    if days is None and (keep is None or len(ids) <= keep):
        return []
    latest = report.latest()
    stay = {one.id for one in (latest, report.newest()) if one is not None}
    found: list[str] = []
    counts = {True: 0, False: 0}
    for one in ids:
        if keep is not None and len(ids) > keep:
            edition = report.find(one)
            published = edition is not None and edition.state == PUBLISHED
            counts[published] += 1
            too_many = counts[published] > keep
        else:
            too_many = False
        too_old = days is not None and now - time_of(one) > days * DAY
        if (too_many or too_old) and one not in stay:
            found.append(one)
    return found


def prune(report: Report, *, keep: int | None = None, days: float | None = None, dry_run: bool = False) -> list[str]:
    """Remove editions that need not be kept; return their ids, the newest first.

    Parameters
    ----------
    keep, days
        As `outdated`; where neither is given, those of the report's definition.
    dry_run
        Only say which.

    Raises
    ------
    StoreError
        If the store cannot be written.
    UnknownReport
        If there is no such report.
    """
    if keep is None and days is None:
        keep, days = report.definition.keep, report.definition.days
    if dry_run:
        return outdated(report, keep, days)
    with writing(report.store, report.definition.name):
        return remove_outdated(report, keep, days)


def remove_outdated(report: Report, keep: int | None, days: float | None) -> list[str]:
    """Do what `prune` does, for whoever writes the report already."""
    sweep(report)
    found = outdated(report, keep, days)
    editions = report.path / "editions"
    for one in found:
        gone = editions / f".old-{one}-{secrets.token_hex(4)}"
        try:
            os.rename(editions / one, gone)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"edition {one} could not be removed: {error.strerror or error}") from error
        shutil.rmtree(gone, ignore_errors=True)
    return found


def sweep(report: Report) -> None:
    """Remove what killed processes have left half made or half removed; for whoever writes the report."""
    editions = report.path / "editions"
    with contextlib.suppress(OSError):
        for name in os.listdir(editions):
            if name.startswith((".new-", ".old-")):
                shutil.rmtree(editions / name, ignore_errors=True)


def delete(report: Report) -> None:
    """Remove a report with all its editions; its runs stay.

    Raises
    ------
    StoreError
        If an edition is being made, or the store cannot be written.
    UnknownReport
        If there is no such report.
    """
    name = report.definition.name
    with writing(report.store, name):
        for run_id in report.pending():
            folder = RunFolder(report.store.runs / run_id)
            if folder.path.exists() and not read_outcome(folder).ended:
                raise StoreError(f"an edition of {name!r} is being made by the run {run_id}; stop it first")
        gone = report.store.path / "reports" / f".old-{name}-{secrets.token_hex(4)}"
        try:
            os.rename(report.path, gone)
        except OSError as error:
            raise StoreError(f"the report {name!r} could not be removed: {error.strerror or error}") from error
    shutil.rmtree(gone, ignore_errors=True)
