"""What a report is: its notebook, how its page is made, who may read it, how long its editions are kept."""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mlwidgets.errors import MlwidgetsError, ParameterError, StoreError
from mlwidgets.runs.folder import read_json, write_whole
from mlwidgets.runs.spec import check_name
from mlwidgets.runs.store import RunStore

PUBLISH, WITHHOLD = "publish", "withhold"
LONGEST_TITLE = 300
_PAGES = frozenset({"index.html", "feed.xml"})
"""Files that lie beside the reports' folders where all of them are served."""


class UnknownReport(MlwidgetsError):
    """No report, or no edition of it, is called so."""


@dataclass(frozen=True)
class Definition:
    """A report as it was asked for last.

    Parameters
    ----------
    notebook
        Absolute path of the notebook.
    params
        Given parameters, Python literals as text.
    title
        What the page is called; None for what the notebook says.
    show_code
        Code is open to view; else it is folded away.
    on_failed_check
        ``publish`` all the same, or ``withhold`` the edition.
    pdf
        A PDF lies beside each edition where a browser is installed.
    keep, days
        Editions that were published and are kept, others are as many; days for which one is kept. None for no limit.
    open
        Anybody who reaches the server may read it.
    site
        Address that the static site is written to after each publication.
    created, changed
        Unix seconds.
    """

    name: str
    notebook: str = ""
    params: dict[str, str] = field(default_factory=dict)
    title: str | None = None
    show_code: bool = False
    on_failed_check: str = PUBLISH
    pdf: bool = True
    keep: int | None = 100
    days: float | None = None
    open: bool = False
    site: str | None = None
    created: float = 0.0
    changed: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, name: str, data: Mapping[str, Any]) -> Definition:
        """Build from `to_json`; a field that is damaged is as if it were not given."""
        usable = {key: data[key] for key, (fits, _) in _FIELDS.items() if key in data and fits(data[key])}
        return cls(**{**usable, "name": name})


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_yes_or_no(value: Any) -> bool:
    return isinstance(value, bool)


def _is_title(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= LONGEST_TITLE)


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_count(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)


def _is_days(value: Any) -> bool:
    return value is None or (_is_time(value) and value > 0)


def _is_params(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for pair in value.items() for text in pair)


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "notebook": (_is_text, "a path"),
    "params": (_is_params, "parameters"),
    "title": (_is_title, f"a text of at most {LONGEST_TITLE} characters"),
    "show_code": (_is_yes_or_no, "yes or no"),
    "on_failed_check": (lambda value: value in (PUBLISH, WITHHOLD), f"{PUBLISH} or {WITHHOLD}"),
    "pdf": (_is_yes_or_no, "yes or no"),
    "keep": (_is_count, "a number of editions, at least 1, or none"),
    "days": (_is_days, "a number of days or none"),
    "open": (_is_yes_or_no, "yes or no"),
    "site": (lambda value: value is None or (isinstance(value, str) and value != ""), "an address or none"),
    "created": (_is_time, "a time"),
    "changed": (_is_time, "a time"),
}
SETTINGS = ("title", "show_code", "on_failed_check", "pdf", "keep", "days", "open", "site")
"""Fields of a definition that a user sets."""


def check_report_name(name: str) -> str:
    """Return `name` if a report may be called so.

    Raises
    ------
    ParameterError
        If no run may, or a file beside the reports is called so.
    """
    if check_name(name).casefold() in _PAGES:
        raise ParameterError(f"a report cannot be called {name!r}: the page of all reports is; take another name")
    return name


def check_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings if they are ones, with a site's path made absolute.

    Raises
    ------
    ParameterError
        If one is unknown or its value is none that it can have.
    """
    for key, value in settings.items():
        if key not in SETTINGS:
            raise ParameterError(f"{key!r} is no setting of a report; there are: {', '.join(SETTINGS)}")
        fits, what = _FIELDS[key]
        if not fits(value):
            raise ParameterError(f"{key}={value!r:.60} cannot be set for a report: give {what}")
    found = dict(settings)
    site = found.get("site")
    if site is not None and "://" not in site:
        found["site"] = os.path.abspath(os.path.expanduser(site))
    return found


def folder_of(store: RunStore, name: str) -> Path:
    """Return where a report lies."""
    return store.path / "reports" / check_report_name(name)


@contextmanager
def writing(store: RunStore, name: str, what: str = "", *, wait: bool = True) -> Iterator[bool]:
    """Be the only process that writes a report, until the end of the block or of the process.

    Parameters
    ----------
    what
        Which part of it, where several can be written at once.
    wait
        For whoever writes now; else it is told whether this process is the one.

    Raises
    ------
    StoreError
        If the store cannot be written.
    """
    reports = store.path / "reports"
    try:
        reports.mkdir(mode=0o700, exist_ok=True)
        # Beside the report's folder, which may be deleted while somebody waits.
        fd = os.open(reports / f".{name}{what and f'+{what}'}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot write to {reports}: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def read_definition(store: RunStore, name: str) -> Definition:
    """Return what a report was asked for as.

    Raises
    ------
    UnknownReport
        If there is none of that name.
    """
    try:
        folder = folder_of(store, name)
    except ParameterError:
        raise UnknownReport(f"no report {name!r:.120} in the store {store.path}") from None
    if not folder.is_dir():
        known = report_names(store)
        have = ", ".join(known[:8]) + (" …" if len(known) > 8 else "") or "none"
        raise UnknownReport(f"no report {name!r} in the store {store.path}; it has: {have}")
    return Definition.from_json(name, read_json(folder / "definition.json") or {})


def define(
    store: RunStore,
    name: str,
    *,
    notebook: str | None = None,
    params: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Definition:
    """Change a report's definition, and return it; a report that is not there yet is made.

    Parameters
    ----------
    notebook, params, settings
        What stays as it is where it is not given; `SETTINGS` says which settings there are.

    Raises
    ------
    ParameterError
        If no report can be called so, or a setting cannot be.
    StoreError
        If the store cannot be written.
    """
    folder = folder_of(store, name)
    given = check_settings(settings or {})
    if notebook is not None:
        given["notebook"] = notebook
    if params is not None:
        given["params"] = dict(params)
    store.prepare()
    with writing(store, name):
        data = read_json(folder / "definition.json")
        old = Definition.from_json(name, data or {})
        new = replace(old, **given)
        if data is not None and new == old:
            return old
        now = time.time()
        new = replace(new, changed=now, created=old.created or now)
        try:
            (folder / "editions").mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / "pending").mkdir(mode=0o700, exist_ok=True)
            write_whole(folder / "definition.json", json.dumps(new.to_json()).encode())
        except OSError as error:
            raise StoreError(f"cannot write the report {name!r} to {folder}: {error.strerror or error}") from error
    return new


def report_names(store: RunStore) -> list[str]:
    """Return the names of all reports, in the order of the alphabet."""
    try:
        with os.scandir(store.path / "reports") as entries:
            found = [e.name for e in entries if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(found, key=str.casefold)
