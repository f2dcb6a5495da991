"""Pairing the notebooks of a folder with text: what would be written, and writing it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlwidgets.errors import MlwidgetsError, TwinError
from mlwidgets.history.merging import documents
from mlwidgets.history.restoring import put_in_place, state_of
from mlwidgets.history.setup.record import content
from mlwidgets.history.setup.record import replace as put
from mlwidgets.history.twins.bases import Bases
from mlwidgets.history.twins.conversion import notebook_of, text_of
from mlwidgets.history.twins.finding import notebooks_in
from mlwidgets.history.twins.keeping import check_is_twin
from mlwidgets.history.twins.leaving import leave, left_twins, reason_to_stay
from mlwidgets.history.twins.pairing import (
    Pairing,
    Settings,
    first_line,
    pairings_of,
    settings_of,
    with_formats,
)
from mlwidgets.history.twins.reading import decoded, read_side
from mlwidgets.history.twins.record import Pairs
from mlwidgets.history.twins.syncing import sync

PERCENT = "py:percent"
_NAME = "jupytext.toml"
_FORMATS = re.compile(r"^[ \t]*formats[ \t]*=[^\[{\n]*$", re.MULTILINE)
_ALONE = "ipynb"
"""The formats of a notebook that has no twin, whatever holds for its folder."""


@dataclass(frozen=True)
class Plan:
    """What would be written.

    Parameters
    ----------
    folder
        Whose notebooks are paired, with those in the folders below it.
    formats
        Of the notebooks and their twins, as Jupytext writes them: ``ipynb,py:percent``.
    settings
        The file with Jupytext's settings.
    before, after
        Its content now (None: it is not there) and then; the same where it says so already.
    write
        Notebooks with the twins that would be written.
    present
        Notebooks with twins that are there already.
    apart
        Notebooks that stay without a twin, each with the reason: their metadata say so then.
    problems
        Notebooks that are left as they are, each with what is wrong.
    leave
        Pairings of a format that another one takes the place of: their twins are removed.
    stay
        Text files of such a format that stay, each with the reason.
    """

    folder: Path
    formats: str
    settings: Path
    before: bytes | None
    after: bytes
    write: tuple[tuple[Path, Path], ...] = ()
    present: tuple[tuple[Path, Path], ...] = ()
    apart: tuple[tuple[Path, str], ...] = ()
    problems: tuple[tuple[Path, str], ...] = field(default=())
    leave: tuple[Pairing, ...] = ()
    stay: tuple[tuple[Path, str], ...] = ()

    @property
    def writes(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after or bool(self.write or self.apart)


def plan(folder: Path, format: str | None = None) -> Plan:  # noqa: A002
    """Return what pairing the notebooks of a folder would write; writes nothing.

    Parameters
    ----------
    format
        ``py:percent``, ``md``, ``md:myst``, ``Rmd``, ``qmd`` or another one that Jupytext knows; by default what
        settings that are there say, else ``py:percent``.

    Raises
    ------
    TwinError
        If settings that are there cannot be changed so, or Jupytext does not know the format.
    """
    folder = Path(os.path.realpath(folder))
    if not folder.is_dir():
        raise TwinError(f"{folder} is no folder: give the one whose notebooks are to be paired")
    start = _settings(folder, format)
    using = _loaded(start)
    write: list[tuple[Path, Path]] = []
    present: list[tuple[Path, Path]] = []
    apart: list[tuple[Path, str]] = []
    problems: list[tuple[Path, str]] = []
    leaving: list[Pairing] = []
    stay: list[tuple[Path, str]] = []
    for notebook in notebooks_in(folder):
        try:
            for pairing in pairings_of(notebook, using):
                if not pairing.twin.exists():
                    write.append((notebook, pairing.twin))
                    documents.load(notebook)
                elif _stranger(pairing, apart):
                    break
                else:
                    present.append((notebook, pairing.twin))
            else:
                if start.before != start.after:
                    _add_left(notebook, start.settings, using, leaving, stay)
        except MlwidgetsError as error:
            write = [one for one in write if one[0] != notebook]
            problems.append((notebook, str(error)))
    return replace(
        start,
        write=tuple(write),
        present=tuple(present),
        apart=tuple(apart),
        problems=tuple(problems),
        leave=tuple(leaving),
        stay=tuple(stay),
    )


def _add_left(
    notebook: Path, settings: Path, using: Settings, leaving: list[Pairing], stay: list[tuple[Path, str]]
) -> None:
    for one in left_twins(notebook, settings, using):
        try:
            reason = reason_to_stay(one)
        except MlwidgetsError as error:
            reason = str(error)
        if reason:
            stay.append((one.twin, reason))
        else:
            leaving.append(one)


def _settings(folder: Path, wanted: str | None) -> Plan:
    """Return the file with settings as it is and as it shall be."""
    config, written = settings_of(folder)
    said = ";".join(filter(None, config.formats)) or None if config is not None else None
    formats = said or f"ipynb,{PERCENT}"
    if wanted is not None:
        formats = wanted if "ipynb" in wanted else f"ipynb,{wanted}"
    settings = written or folder / _NAME
    before = content(settings)
    if said == formats:
        return Plan(folder, formats, settings, before, before or b"")
    if written is None or not _is_own(written, folder):
        if written is not None and (said is not None or folder in written.parents or written.parent in folder.parents):
            raise TwinError(
                f'{written} has settings of Jupytext already: write formats = "{formats}" there, then run this again'
            )
        settings, before = folder / _NAME, None
    text = (before or b"").decode()
    line = f"formats = {json.dumps(formats)}"
    if said is not None:
        after, found = _FORMATS.subn(lambda _: line, text, count=1)
        if found != 1:
            raise TwinError(f"{settings} says otherwise: write {line} there, then run this again")
    else:
        after = f"{line}\n{text}"
    return Plan(folder, formats, settings, before, after.encode())


def _is_own(settings: Path, folder: Path) -> bool:
    return settings.parent == folder and settings.name in {_NAME, f".{_NAME}"}


def _loaded(plan: Plan) -> Settings:
    from jupytext.config import load_jupytext_configuration_file

    try:
        if plan.before == plan.after:
            return settings_of(plan.folder)
        config = load_jupytext_configuration_file(str(plan.settings), plan.after.decode())
    except MlwidgetsError:
        raise
    except Exception as error:  # as its readers of TOML raise
        raise TwinError(f"{plan.settings} would be no settings of Jupytext: {first_line(error)}") from error
    formats = ",".join(config.formats).replace(";", ",").split(",")
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for one in formats:
        name = one.rsplit("//", 1)[-1].strip()
        if not name.endswith("ipynb"):
            try:
                text_of(empty, Pairing(plan.folder / "x.ipynb", plan.folder / "x", name, plan.settings))
            except TwinError as error:
                why = str(error).partition(" written as ")[2].partition(" (one of")[0]
                raise TwinError(f"no text can be written as {why}; take py:percent, md, md:myst or Rmd") from error
    return config, plan.settings


def _stranger(pairing: Pairing, apart: list[tuple[Path, str]]) -> bool:
    """Find out whether what is in the twin's place is none; then the notebook is to stay apart."""
    ours = documents.load(pairing.notebook)
    text = decoded(read_side(pairing.twin))
    told = notebook_of(text_of(ours.raw, pairing), pairing)
    try:
        check_is_twin(notebook_of(text, pairing), told, text, pairing.twin, ours)
    except TwinError:
        apart.append((pairing.notebook, f"{pairing.twin.name} is another file"))
        return True
    return False


def pair(plan: Plan) -> list[str]:
    """Write what was planned; return a line for each notebook with which something is wrong.

    Raises
    ------
    HistoryError
        If the settings changed meanwhile, or cannot be written.
    """
    bases = Bases(plan.folder)
    bases.prepare()
    Pairs(bases).add(
        plan.settings, plan.before, plan.after, [twin for _, twin in plan.write], [one for one, _ in plan.apart]
    )
    for notebook, _ in plan.apart:
        say_formats(notebook, _ALONE)
    if plan.before != plan.after:
        put(plan.settings, plan.after, plan.before)
    lines = [f"{path}: {problem}" for path, problem in plan.problems]
    for notebook in dict.fromkeys(one for one, _ in (*plan.write, *plan.present)):
        done = sync(notebook)
        if done.problem:
            lines.append(done.problem)
        elif done.conflicts:
            lines.append(f"{notebook} and its twin differ in {len(done.conflicts)} cells: mlwidgets sync --conflicts")
        else:
            lines += filter(None, [leave(one) for one in plan.leave if one.notebook == notebook])
    return lines


def unpair(notebook: Path) -> Path | None:
    """Let a notebook have no twin from now on: its metadata say so; return the text file, which stays as it is.

    Raises
    ------
    TwinError
        If the notebook cannot be written.
    """
    found = pairings_of(notebook)
    if not found:
        return None
    config, _ = settings_of(found[0].notebook)
    others = config is not None and config.default_formats(str(found[0].notebook)) is not None
    say_formats(found[0].notebook, _ALONE if others else None)
    for pairing in found:
        Bases(pairing.notebook.parent).forget(pairing)
    return found[0].twin


def say_formats(notebook: Path, formats: str | None) -> None:
    """Let a notebook's metadata say in which formats it is paired; None: nothing of it.

    Raises
    ------
    TwinError
        If it cannot be written.
    """
    state = state_of(notebook)
    document = documents.load(notebook)
    if not put_in_place(notebook, document.written(with_formats(document.raw, formats)), state):
        raise TwinError(f"{notebook} is being written by somebody else; close it there and try again")
