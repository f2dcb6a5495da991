"""Reports as a plain static site: a directory, or a bucket of an object store, that any web server can show.

What was written there is noted in a file beside it. So an edition that is gone goes there, too, what is unchanged is
not sent again, and nothing is ever written over or removed that is not of this site.
"""

from __future__ import annotations

import json
import mimetypes
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mlwidgets.errors import MlwidgetsError
from mlwidgets.reports.publishing.definition import UnknownReport, read_definition, report_names, writing
from mlwidgets.reports.publishing.editions import NOTEBOOK, PAGE, PDF, Edition, Report
from mlwidgets.reports.site import pages
from mlwidgets.reports.site.feed import feed, feed_of_all
from mlwidgets.runs.folder import write_whole
from mlwidgets.runs.store import RunStore

NOTES = "mlwidgets-site.json"
_OURS = re.compile(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", re.ASCII)
_WITHOUT_FOLDERS = frozenset(("abfs", "abfss", "az", "gcs", "gs", "s3", "s3a"))
"""Protocols of object stores, where to make a folder may be to make a bucket."""
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}")


class SiteError(MlwidgetsError):
    """The static site could not be written; the editions are in the store as they are."""


@dataclass(frozen=True)
class Written:
    """How many files of a site were written, and how many removed."""

    written: int
    removed: int


@dataclass(frozen=True)
class _File:
    """A file of the site: what tells whether it changed, and what makes it."""

    signature: str
    make: Callable[[], bytes]


def write_site(
    store: RunStore, url: str, names: Iterable[str] | None = None, next_times: Mapping[str, float] | None = None
) -> Written:
    """Write reports as a static site that has these and no others.

    Editions come first and each report's own address last, so that whoever reads meanwhile finds every link.

    Parameters
    ----------
    url
        A directory, or an address that fsspec knows: ``file://``, ``memory://``, ``s3://`` and others.
    names
        Of the reports; all if None.
    next_times
        When reports are made next, Unix seconds, by their names.

    Raises
    ------
    SiteError
        If it cannot be written there.
    UnknownReport
        If there is no such report.
    """
    chosen = report_names(store) if names is None else [read_definition(store, name).name for name in names]
    with writing(store, "", "site"):
        return _write(store, _Target(store, url), chosen, next_times)


def update_site(store: RunStore, url: str) -> Written:
    """Bring a site up to date: with the reports it has, as far as they are there, and those defined to be on it.

    Raises
    ------
    SiteError
        If it cannot be written there.
    """
    there = report_names(store)
    with writing(store, "", "site"):
        target = _Target(store, url)
        on_it = {path.partition("/")[0] for path in target.notes() if "/" in path}
        chosen = [name for name in there if name in on_it or read_definition(store, name).site == url]
        return _write(store, target, chosen, None)


def _write(store: RunStore, target: _Target, names: list[str], next_times: Mapping[str, float] | None) -> Written:
    noted, there = target.notes(), target.there()
    planned = _files([Report(store, name) for name in names], next_times)
    foreign = sorted(there & planned.keys() - noted.keys())
    if foreign:
        raise SiteError(
            f"{target.shown} has a file {foreign[0]} that is not of this site; give a place of its own, or move it away"
        )
    stale = [path for path, file in planned.items() if noted.get(path) != file.signature or path not in there]
    gone = [path for path in noted if path not in planned]
    if not stale and not gone:
        return Written(0, 0)
    kept = {path: signature for path, signature in noted.items() if path not in stale}
    # Noted before it is written: what a killed process leaves is known, and known to be unfinished.
    target.note({**kept, **dict.fromkeys(stale, "")})
    for path in stale:
        try:
            data = planned[path].make()
        except (FileNotFoundError, UnknownReport):
            # It was pruned meanwhile.
            del planned[path]
            gone.append(path)
        else:
            target.put(path, data)
    removed = [path for path in gone if path in there]
    for path in removed:
        target.remove(path)
    target.tidy(there, {*planned, *noted}, gone)
    target.note({path: file.signature for path, file in planned.items()})
    return Written(len(stale), len(removed))


def _files(reports: list[Report], next_times: Mapping[str, float] | None) -> dict[str, _File]:
    """Return the files in the order in which they are written: what is linked to comes before what links."""
    last = {"feed.xml": _text(feed_of_all(reports)), "index.html": _text(pages.index_page(reports, next_times))}
    # Read first: editions that are published from now on are not linked to.
    fronts = {f"{report.name}/index.html": _text(pages.front_page(report)) for report in reports}
    around: dict[str, _File] = {}
    editions: dict[str, _File] = {}
    for report in reports:
        texts = {"feed.xml": feed(report)}
        for page in range(1, pages.pages_of(len(report.ids())) + 1):
            texts[pages.editions_file(page)] = pages.editions_page(report, page, live=False)
        latest = report.latest()
        if latest is not None and report.previous(latest) is not None:
            texts["changes.html"] = pages.changes_page(report)
        around |= {f"{report.name}/{name}": _text(text) for name, text in texts.items()}
        for edition in report.editions(None):
            editions |= {f"{report.name}/{name}": file for name, file in _edition(report, edition)}
    return {**editions, **around, **fronts, **last}


def _text(text: str) -> _File:
    data = text.encode("utf-8", "replace")
    return _File(sha256(data).hexdigest()[:32], lambda: data)


def _edition(report: Report, edition: Edition) -> Iterator[tuple[str, _File]]:
    """Yield the files of an edition, without reading them: they never change but for what is put in."""
    put_in = "".join(pages.put_in(report, edition, front=False)).encode("utf-8", "replace")
    for stored, name in ((NOTEBOOK, ".ipynb"), (PDF, ".pdf"), (PAGE, ".html")):
        path = edition.path / stored
        if path.is_symlink():
            continue
        with suppress(FileNotFoundError):
            status = path.stat()
            signature = f"{status.st_size}-{status.st_mtime_ns}"
            if stored == PAGE:
                signature += f"-{sha256(put_in).hexdigest()[:16]}"
                yield edition.id + name, _File(signature, _page(report, edition.id))
            else:
                yield edition.id + name, _File(signature, path.read_bytes)


def _page(report: Report, edition_id: str) -> Callable[[], bytes]:
    return lambda: pages.edition_page(report, edition_id).encode("utf-8", "replace")


class _Target:
    """Where a site is written to, and nothing outside of it."""

    def __init__(self, store: RunStore, url: str) -> None:
        import fsspec  # type: ignore[import-untyped, unused-ignore]
        from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped, unused-ignore]

        self.shown = _without_password(url)
        self._store = store
        protocol = url.partition("://")[0]
        try:
            self._fs, root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            said = " ".join(str(error).split())
            raise SiteError(f"{self.shown} cannot be reached without a further package: {said}") from None
        except Exception as error:  # libraries of all kinds
            raise SiteError(f"{self.shown} is no address that can be written to: {_line(error)}") from None
        self._root = root.rstrip("/")
        self._local = isinstance(self._fs, LocalFileSystem)
        self._protocol = protocol
        if self._local:
            inside = Path(self._root or "/").resolve()
            if inside.is_relative_to(store.path.resolve()) or store.path.resolve().is_relative_to(inside / "reports"):
                raise SiteError(f"{self.shown} lies in the store; give another directory")

    def _path(self, path: str) -> str:
        full = f"{self._root}/{path}"
        if self._local and not Path(full).parent.resolve().is_relative_to(Path(self._root or "/").resolve()):
            raise SiteError(f"{self.shown} leads elsewhere at {path}, by a link; remove that")
        return full

    def notes(self) -> dict[str, str]:
        """Return what was written there, by path, with what it was made of.

        Raises
        ------
        SiteError
            If another store has written it.
        """
        with _told(self):
            if not self._fs.exists(self._path(NOTES)):
                return {}
            data = self._fs.cat_file(self._path(NOTES))
        try:
            told = json.loads(data)
            files, store = told["files"], told["store"]
        except (ValueError, KeyError, TypeError):
            raise SiteError(f"{self.shown}/{NOTES} is damaged; remove the site, or write to another place") from None
        if store != str(self._store.path):
            raise SiteError(
                f"{self.shown} has the reports of {store}; give another place, or remove its {NOTES} to write over them"
            )
        return {path: str(signature) for path, signature in files.items() if _is_ours(path)}

    def note(self, files: Mapping[str, str]) -> None:
        """Write down what is there."""
        self.put(NOTES, json.dumps({"store": str(self._store.path), "files": files}, indent=0).encode())

    def there(self) -> set[str]:
        """Return the paths of all files that are there."""
        with _told(self):
            self._fs.invalidate_cache()
            if not self._fs.exists(self._root or "/"):
                return set()
            found = self._fs.find(self._root)
        start = len(self._fs._strip_protocol(self._root or "/").rstrip("/")) + 1
        return {path[start:] for path in found}

    def put(self, path: str, data: bytes) -> None:
        """Write a file, on a disk so that nobody reads a part of it; object stores do so themselves."""
        full = self._path(path)
        with _told(self):
            if self._local:
                os.makedirs(os.path.dirname(full), exist_ok=True)
                write_whole(Path(full), data, flush=False)
            else:
                if self._protocol not in _WITHOUT_FOLDERS:
                    self._fs.makedirs(os.path.dirname(full), exist_ok=True)
                self._fs.pipe_file(full, data, **_kind(self._protocol, path))

    def remove(self, path: str) -> None:
        """Remove a file."""
        full = self._path(path)
        with _told(self), suppress(FileNotFoundError):
            self._fs.rm_file(full)

    def tidy(self, there: Iterable[str], ours: set[str], gone: Iterable[str]) -> None:
        """Remove what killed processes left half written, and folders that have become empty."""
        if not self._local:
            return
        for path in there:
            folder, _, name = path.rpartition("/")
            half = _TEMPORARY.fullmatch(name)
            if half and (f"{folder}/{half[1]}" if folder else half[1]) in {*ours, NOTES}:
                self.remove(path)
        for folder in {path.rpartition("/")[0] for path in gone} - {""}:
            with suppress(OSError):
                os.rmdir(self._path(f"{folder}/.")[:-2])


@contextmanager
def _told(target: _Target) -> Iterator[None]:
    """Tell what goes wrong with a target in one line: its library may raise anything."""
    try:
        yield
    except MlwidgetsError:
        raise
    except Exception as error:
        raise SiteError(f"{target.shown} cannot be written to: {_line(error)}") from error


def _is_ours(path: Any) -> bool:
    return (
        isinstance(path, str) and re.fullmatch(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", path, re.ASCII) is not None
    )


def _kind(protocol: str, path: str) -> dict[str, Any]:
    """Return how an object store is told what kind of file it is, so that browsers show it."""
    kind = {".html": "text/html; charset=utf-8", ".xml": "application/atom+xml", ".ipynb": "application/x-ipynb+json"}
    mime = kind.get(os.path.splitext(path)[1]) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    if protocol in {"s3", "s3a"}:
        return {"ContentType": mime}
    return {"content_type": mime} if protocol in {"gs", "gcs"} else {}


def _without_password(url: str) -> str:
    """Return an address without what may be a secret in it."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=host, query="")) if parts.netloc else url
    except ValueError:
        return url


def _line(error: BaseException) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (" ".join(said.split()) or type(error).__name__)[:300]
