"""What a user says of a run after the submit: name, tags, note, pin. The spec never changes; this lies beside it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlwidgets.errors import ParameterError, StoreError
from mlwidgets.runs.folder import RunFolder, read_json, write_whole
from mlwidgets.runs.spec import RunSpec, check_name
from mlwidgets.runs.stopping import trials_of

MOST_TAGS = 50
LONGEST_TAG = 100
LONGEST_VALUE = 500
LONGEST_NOTE = 10_000
"""Characters."""
MOST_NAMES = 20
"""Earlier names by which a run is still found."""
LARGEST_LOG = 64 << 10
"""Bytes of the file that tells which runs were annotated; beyond that it begins anew."""
_UNCHANGED: Any = object()


@dataclass(frozen=True)
class Annotations:
    """What was given afterwards.

    ``name``, ``tags`` and ``note`` are in place of the spec's, None where those still hold; ``formerly`` is what it was
    called between the spec's name and this one.
    """

    pinned: bool = False
    tags: dict[str, str] | None = None
    note: str | None = None
    name: str | None = None
    formerly: tuple[str, ...] = ()


def annotation_log(store: Path) -> Path:
    """Return the file in which each annotation leaves the run's id, one a line, for whoever watches the store.

    It may be deleted at any time.
    """
    return store / "annotated.log"


def read_annotations(folder: RunFolder) -> Annotations:
    """Return what a run was given; what is damaged counts as not given."""
    data = read_json(folder.annotations)
    if data is None:
        return Annotations()
    tags, note, formerly = data.get("tags"), data.get("note"), data.get("formerly")
    whole = isinstance(tags, dict) and all(isinstance(text, str) for text in tags.values())
    return Annotations(
        pinned=data.get("pinned") is True,
        tags=tags if whole else None,
        note=note if isinstance(note, str) else None,
        name=_name_or_none(data.get("name")),
        formerly=tuple(filter(None, map(_name_or_none, formerly if isinstance(formerly, list) else ()))),
    )


def _name_or_none(name: Any) -> str | None:
    """Return what may be a run's name: others may have written the file, and names are printed and typed."""
    try:
        return check_name(name)
    except (ParameterError, TypeError):
        return None


def name_of_trial(runs: Path, sweep: str, number: int | None) -> str | None:
    """Return what the trial of a sweep is called since that was given another name, None where it was not.

    Parameters
    ----------
    runs
        The folder of the run folders.
    sweep
        The sweep's id.
    number
        The trial's number there.
    """
    given = None if number is None else read_annotations(RunFolder(runs / sweep)).name
    return None if given is None else f"{given}-{number}"


def annotate(
    folder: RunFolder,
    *,
    pinned: bool = _UNCHANGED,
    tags: Mapping[str, str] | Callable[[dict[str, str]], Mapping[str, str]] | None = _UNCHANGED,
    note: str | None = _UNCHANGED,
    name: str | None = _UNCHANGED,
) -> Annotations:
    """Change what a run was given, and return all of it.

    Parameters
    ----------
    folder
        The run; it may go on or have ended.
    pinned
        Whether lists keep it on top.
    tags
        All tags that it has from now on, or a function that makes them of those it has; None brings back those of the
        submit.
    note
        The note; None brings back that of the submit.
    name
        What it is called from now on; None brings back the name of the submit. It is found by its earlier names, too,
        as long as no other run is called so.

    Raises
    ------
    ParameterError
        If a tag or the note is too long, or of another type, or the name is none for a run.
    StoreError
        If it cannot be read or written.
    """
    all_tags, note = tags if callable(tags) else _checked_tags(tags), _checked_note(note)
    renamed = name is not _UNCHANGED
    if renamed and name is not None and _name_or_none(name) is None:
        check_name(str(name))
        raise ParameterError("a run's name is a text")
    if pinned is not _UNCHANGED and not isinstance(pinned, bool):
        raise ParameterError("'pinned' is true or false")
    try:
        with _alone(folder.path):
            now = read_annotations(folder)
            if callable(all_tags):
                # In here, so that nobody gives it others between the reading and the writing.
                all_tags = _checked_tags(all_tags(_spec(folder).tags if now.tags is None else dict(now.tags)))
            called, formerly = _names(now, name, _spec(folder).name) if renamed else (now.name, now.formerly)
            given = Annotations(
                now.pinned if pinned is _UNCHANGED else pinned,
                now.tags if all_tags is _UNCHANGED else all_tags,
                now.note if note is _UNCHANGED else note,
                called,
                formerly,
            )
            entries = {**vars(given), "formerly": list(formerly) or None}
            write_whole(folder.annotations, json.dumps({k: v for k, v in entries.items() if v is not None}).encode())
    except OSError as error:
        raise StoreError(f"run {folder.id!r} could not be annotated: {error.strerror or error}") from error
    with contextlib.suppress(OSError):
        # The trials of a sweep are called by its name.
        for one in (folder, *(trials_of(folder) if renamed else ())):
            leave_word(one)
    return given


def _names(now: Annotations, name: str | None, submitted: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the name that is given, and those that there were between that of the submit and it."""
    earlier = [one for one in now.formerly if one != name]
    if now.name not in {None, name, *earlier}:
        earlier.append(str(now.name))
    return None if name == submitted else name, tuple(earlier[-MOST_NAMES:])


def leave_word(folder: RunFolder) -> None:
    """Say so where whoever watches the store looks: at one file, not at thousands."""
    log, line = annotation_log(folder.store), os.fsencode(folder.id) + b"\n"
    fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        full = os.fstat(fd).st_size + len(line) > LARGEST_LOG
        if not full:
            os.write(fd, line)
    finally:
        os.close(fd)
    if full:
        write_whole(log, line)


def _spec(folder: RunFolder) -> RunSpec:
    try:
        return folder.read_spec()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"run {folder.id!r} could not be annotated: its folder is damaged") from error


def _checked_tags(tags: Any) -> Any:
    if tags is _UNCHANGED or tags is None:
        return tags
    if not isinstance(tags, Mapping) or not all(isinstance(text, str) for pair in tags.items() for text in pair):
        raise ParameterError("tags are pairs of texts")
    if len(tags) > MOST_TAGS:
        raise ParameterError(f"a run has at most {MOST_TAGS} tags")
    for name, value in tags.items():
        if not name.strip() or len(name) > LONGEST_TAG or len(value) > LONGEST_VALUE:
            raise ParameterError(
                f"a tag's name has 1 to {LONGEST_TAG} characters, its value at most {LONGEST_VALUE}: {name[:40]!r}"
            )
    return dict(tags)


def _checked_note(note: Any) -> Any:
    if note is _UNCHANGED or note is None:
        return note
    if not isinstance(note, str) or len(note) > LONGEST_NOTE:
        raise ParameterError(f"a note is a text of at most {LONGEST_NOTE:,} characters")
    return note


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from annotating the run meanwhile, as far as the file system can lock a directory."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
