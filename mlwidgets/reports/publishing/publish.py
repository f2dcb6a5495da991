"""Publishes what report runs have left, whoever finds that they have ended: at once, whole, and once.

A report's address shows an edition only after all of it is on the disk, and only one that is newer than what it showed.
Whoever is killed at any line leaves the old one or the new one; the mark that the run was expected lets the next one
finish the job.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.reports.publishing import retention
from mlwidgets.reports.publishing.building import build
from mlwidgets.reports.publishing.definition import UnknownReport, define, folder_of, report_names, writing
from mlwidgets.reports.publishing.editions import PDF, PUBLISHED, Edition, Report
from mlwidgets.runs.annotations import leave_word
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.journal import read_lines, write_event
from mlwidgets.runs.state import settle
from mlwidgets.runs.store import RunStore, age

ERROR = "error"
MOST_TRIES = 5
"""Attempts at an edition that may be killed before it is given up."""
FORGOTTEN = 3600.0
"""Seconds after which a run that was expected and never made is expected no longer."""


def expect(store: RunStore, name: str, run_id: str) -> None:
    """Say that a run is about to be made that will be an edition of a report.

    Raises
    ------
    OSError
        If the store cannot be written.
    """
    pending = folder_of(store, name) / "pending"
    pending.mkdir(mode=0o700, parents=True, exist_ok=True)
    (pending / run_id).touch()


def unexpect(store: RunStore, name: str, run_id: str) -> None:
    """Take back what `expect` has said, of a run that could not be made."""
    with contextlib.suppress(OSError):
        (folder_of(store, name) / "pending" / run_id).unlink()


def publish(folder: RunFolder) -> Edition | None:
    """Publish what an ended run has left, unless that was done; return the edition.

    Nothing is raised: what went wrong is told by an event ``published`` of the run, of state ``error``, and
    `catch_up` tries again.

    Returns
    -------
    Edition or None
        None where the run is no report's, goes on, or its edition was removed since.
    """
    try:
        spec = folder.read_spec()
        name = (spec.report or {}).get("publish")
        if not isinstance(name, str) or not settle(folder).ended:
            return None
        store = RunStore(folder.store)
        place = folder_of(store, name)
        if not (place / "definition.json").exists():
            if not (place / "pending" / folder.id).exists():
                raise UnknownReport(f"the report {name!r} was deleted")
            define(store, name, notebook=str((spec.report or {}).get("path") or ""), params=spec.params)
        report = Report(store, name)
        edition = _publish(report, folder)
        if edition is None or _finish(report, edition, folder):
            (report.path / "pending" / folder.id).unlink(missing_ok=True)
        return edition
    except Exception as error:  # the run itself has nothing to do with it
        _tell(folder, "published", state=ERROR, error=_words(error))
        return None


def catch_up(store: RunStore) -> list[Edition]:
    """Publish what ended runs have left whose supervisors were killed before they could; return those editions."""
    found = []
    for name in report_names(store):
        try:
            report = Report(store, name)
            pending = report.pending()
        except MlwidgetsError:
            continue
        for run_id in reversed(pending):
            folder = RunFolder(store.runs / run_id)
            mark = report.path / "pending" / run_id
            if not folder.spec.exists():
                _forget(mark)
            elif settle(folder).ended and _may_try(mark, folder):
                edition = publish(folder)
                with contextlib.suppress(OSError):
                    os.truncate(mark, 0)
                if edition is not None:
                    found.append(edition)
    return found


def _may_try(mark: Path, folder: RunFolder) -> bool:
    """Whether another attempt is worth it: a page that takes all memory would be tried, and take it, for ever."""
    with contextlib.suppress(OSError):
        if mark.stat().st_size >= MOST_TRIES:
            _tell(folder, "published", state=ERROR, error=f"whoever made its page was killed {MOST_TRIES} times")
            mark.unlink()
            return False
        # A mark in the mark, which goes when this process comes back from it.
        with open(mark, "ab") as file:
            file.write(b".")
    return True


def _forget(mark: Path) -> None:
    with contextlib.suppress(OSError):
        if time.time() - mark.stat().st_mtime > FORGOTTEN:
            mark.unlink()


def _publish(report: Report, folder: RunFolder) -> Edition | None:
    """Make the edition if it is not there, switch to it if it is the newest good one, remove what is outdated."""
    definition = report.definition
    with writing(report.store, definition.name):
        retention.sweep(report)
        edition = report.find(folder.id)
        told = any(event.get("state") != ERROR for event in read_lines(folder.events, "published"))
        if edition is None and told:
            return None
        if edition is None:
            edition = build(report, definition, folder, settle(folder), time.time())
        _switch(report)
        if not told:
            with contextlib.suppress(OSError):
                leave_word(folder)
            _tell(folder, "published", report=definition.name, edition=edition.id, state=edition.state)
        retention.remove_outdated(report, definition.keep, definition.days)
    return edition


def _switch(report: Report) -> None:
    """Let the report's address show its newest published edition."""
    shown = (read_json(report.path / "latest.json") or {}).get("edition")
    there = isinstance(shown, str) and report.find(shown) is not None
    for one in report.ids():
        if there and age(one) <= age(str(shown)):
            return
        edition = report.find(one)
        if edition is not None and edition.state == PUBLISHED:
            write_whole(report.path / "latest.json", json.dumps({"edition": one}).encode())
            return


def _finish(report: Report, edition: Edition, folder: RunFolder) -> bool:
    """Make what takes longer and no reader waits for: the PDF, and the static site; return whether it is done.

    It is not where somebody else is at it, who may yet be killed over it.
    """
    after = edition.path / "after.json"
    if after.exists():
        return True
    with writing(report.store, report.definition.name, "after", wait=False) as alone:
        if not alone or after.exists() or not edition.path.exists():
            return after.exists() or not edition.path.exists()
        problems: dict[str, str] = {}
        if edition.state == PUBLISHED and report.definition.pdf:
            problems |= _pdf(edition)
        problems |= _site(report)
        for what, problem in problems.items():
            _tell(folder, what, error=problem)
        with contextlib.suppress(FileNotFoundError):
            write_whole(after, json.dumps({"problems": problems, "time": time.time()}).encode())
    return True


def _pdf(edition: Edition) -> dict[str, str]:
    from mlwidgets.reports.pdf import browser, write_pdf

    if browser() is None or (edition.path / PDF).exists():
        return {}
    try:
        write_pdf(edition.page, edition.path / PDF)
    except (MlwidgetsError, OSError) as error:
        return {"pdf": _words(error)}
    return {}


def _site(report: Report) -> dict[str, str]:
    from mlwidgets.reports.site.writing import update_site

    if report.definition.site is None:
        return {}
    try:
        update_site(report.store, report.definition.site)
    except Exception as error:  # storage of any kind, of any library
        return {"site": _words(error)}
    return {}


def _tell(folder: RunFolder, kind: str, **fields: Any) -> None:
    """Leave an event in the run's folder, if that is still there; what failed is told once."""
    with contextlib.suppress(OSError):
        failed = fields.get("state") == ERROR
        if os.path.exists(folder.events) and not (failed and any(read_lines(folder.events, kind))):
            write_event(folder.events, kind, **fields)


def _words(error: BaseException) -> str:
    """Return an error in one line."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = " ".join(said.split()) or type(error).__name__
    return line[:500] if isinstance(error, MlwidgetsError | OSError) else f"{type(error).__name__}: {line}"[:500]
