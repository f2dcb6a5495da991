"""A notebook as one HTML page."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlwidgets.history.notebooks.document import read_document, read_file
from mlwidgets.reports.page.about import About, Check, date_words, duration_words, known
from mlwidgets.reports.page.clean import Cleaner, picture_address
from mlwidgets.reports.page.drawing import with_pictures
from mlwidgets.reports.page.highlight import highlighted
from mlwidgets.reports.page.markdown import rendered
from mlwidgets.reports.page.outline import Outline
from mlwidgets.reports.page.outputs import Cell, Outputs, note, text_of
from mlwidgets.reports.page.pieces import Pieces

PICTURE_FILES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
MOST_PICTURE_BYTES = 20_000_000
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
NOT_EXECUTED = '<p class="r-note">The execution ended here. What follows was not executed.</p>'
FEWEST_HEADINGS = 3
"""A page with fewer needs no table of contents."""


@dataclass(frozen=True)
class Options:
    """How a page is made.

    Parameters
    ----------
    show_code
        Code is open to view; else it is folded away.
    leave_code_out
        There is no code on the page.
    folder
        Where the notebook lies; pictures in and below it that its texts name become part of the page.
    failed_cell
        Number of the cell, from 1, that the execution ended at; it is at ``#failed``, and its code is open to view.
    """

    show_code: bool = False
    leave_code_out: bool = False
    folder: Path | None = None
    failed_cell: int | None = None


@dataclass(frozen=True)
class Made:
    """A page, what it is called, and what was checked in it."""

    html: str
    title: str
    checks: Sequence[Check]


def export(
    notebook: Path | Mapping[str, Any],
    about: About | None = None,
    *,
    show_code: bool = False,
    folder: Path | None = None,
) -> str:
    """Return a notebook as one self-contained HTML page.

    Parameters
    ----------
    notebook
        The path of an executed notebook, or its JSON, of format 4.
    about
        What stands at the head beside what the notebook says itself.
    show_code
        Show code; else it is folded away.
    folder
        Where pictures lie that the notebook names; of a path its own folder.

    Raises
    ------
    NotebookError
        If there is no notebook at the path, or none that can be read.
    """
    about = about or About()
    if isinstance(notebook, Path):
        folder = folder or notebook.parent
        about = replace(about, notebook=about.notebook or notebook.name)
        notebook = read_document(read_file(notebook), str(notebook))
    return page(notebook, about, Options(show_code=show_code, folder=folder))


def page(notebook: Mapping[str, Any], about: About, options: Options) -> str:
    """Return a notebook of format 4 as one HTML page that needs nothing else.

    Parameters
    ----------
    notebook
        As JSON.
    about
        What it leaves open is taken from the notebook.
    """
    return made(notebook, about, options).html


def made(notebook: Mapping[str, Any], about: About, options: Options) -> Made:
    """Return the page of a notebook with what stands on it for whoever publishes it."""
    notebook = with_pictures(notebook)
    pieces, outline = Pieces(), Outline()
    cleaner = Cleaner(pieces, outline, partial(local_picture, options.folder))
    metadata = notebook.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    outputs = Outputs(cleaner, metadata)
    body = "".join(_cells(notebook, cleaner, outputs, options))
    facts = known(notebook)
    title = about.title or facts["title"] or outline.title() or Path(about.notebook).stem or "Report"
    outline.settle(title)
    checks = about.checks or outputs.checks
    started = about.started or facts["started"]
    duration = facts["duration"] if about.duration is None and about.started is None else about.duration
    text = (
        environment()
        .get_template("page.html.j2")
        .render(
            about=about,
            checks=checks,
            author=about.author or facts["author"],
            params=about.params or facts["params"],
            title=title,
            started=date_words(started) if started else "",
            moment=started.isoformat(timespec="seconds") if started else "",
            duration="" if duration is None else duration_words(duration),
            failed=sum(not one.passed for one in checks),
            contents=contents if len(contents := outline.contents()) >= FEWEST_HEADINGS else [],
            body=body,
        )
    )
    return Made(characters(pieces.resolve(text)), title, checks)


def characters(text: str) -> str:
    """Return a text that a page can hold: a notebook may have what is no character, or half of one."""
    return _NO_TEXT.sub("\ufffd", text)


def environment() -> Any:
    """Return what reads the templates."""
    from jinja2 import Environment, PackageLoader

    return Environment(
        loader=PackageLoader("mlwidgets.reports", "template"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


def _cells(notebook: Mapping[str, Any], cleaner: Cleaner, outputs: Outputs, options: Options) -> list[str]:
    metadata = notebook.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, Mapping) else None
    info = info if isinstance(info, Mapping) else {}
    lexer = info.get("pygments_lexer") or info.get("name") or "ipython3"
    language = "ipython3" if lexer in {"python", "ipython"} else str(lexer)
    parts = []
    for number, cell in enumerate(notebook.get("cells", ())):
        tags = _tags(cell) | ({"show-input"} if number + 1 == options.failed_cell else set())
        if tags & {"remove-cell"}:
            continue
        source = text_of(cell.get("source"))
        if cell.get("cell_type") == "code":
            part = _code_cell(cell, source, tags, outputs, options, language)
        elif cell.get("cell_type") == "markdown":
            part = _text(source, cleaner, _attachments(cell))
        else:
            part = _raw(source, cell, cleaner, first=number == 0)
        failed = number + 1 == options.failed_cell
        if part and "hide-cell" in tags and not failed:
            part = f'<details class="r-more"><summary>Hidden cell</summary>{part}</details>'
        parts.append(f'<div id="failed">{part}{NOT_EXECUTED}</div>' if failed else part)
    return parts


def _tags(cell: Mapping[str, Any]) -> set[str]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, Mapping) else None
    return {str(one).replace("_", "-") for one in tags} if isinstance(tags, list) else set()


def _attachments(cell: Mapping[str, Any]) -> Callable[[str], str | None]:
    kept = cell.get("attachments")

    def attached(name: str) -> str | None:
        bundle = kept.get(name) if isinstance(kept, Mapping) else None
        for mime, data in bundle.items() if isinstance(bundle, Mapping) else ():
            address = picture_address(f"data:{mime};base64,{''.join(text_of(data).split())}")
            if address:
                return address
        return None

    return attached


def _text(source: str, cleaner: Cleaner, attachments: Callable[[str], str | None]) -> str:
    cleaned = cleaner.clean(rendered(source, cleaner.pieces), attachments)
    said = note(cleaned)
    return f'<div class="r-text">{said}</div>' if said.strip() else ""


def _raw(source: str, cell: Mapping[str, Any], cleaner: Cleaner, *, first: bool) -> str:
    """Show a raw cell that is meant for a page, or for no format in particular."""
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    mime = metadata.get("raw_mimetype") or metadata.get("format") or ""
    if mime == "text/html":
        return f'<div class="r-text">{note(cleaner.clean(source))}</div>'
    if mime == "text/markdown":
        return _text(source, cleaner, lambda _: None)
    # At the head of a notebook such a cell is a header for tools.
    if mime or not source.strip() or (first and source.startswith("---")):
        return ""
    return f'<pre class="r-print" tabindex="0">{escape(source, quote=False)}</pre>'


def _code_cell(
    cell: Mapping[str, Any], source: str, tags: set[str], outputs: Outputs, options: Options, language: str
) -> str:
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    if tags & {"parameters", "injected-parameters"} and "show-input" not in tags:
        tags = tags | {"remove-input"}
    shown = "" if "remove-input" in tags or options.leave_code_out else _code(cell, source, tags, options, language)
    made = ""
    if "remove-output" not in tags and isinstance(cell.get("outputs"), list):
        made = outputs.html(cell["outputs"], Cell(source, metadata))
    jupyter = metadata.get("jupyter")
    hidden = isinstance(jupyter, Mapping) and jupyter.get("outputs_hidden") is True
    if made and ("hide-output" in tags or hidden):
        made = f'<details class="r-more"><summary>Output</summary>{made}</details>'
    return f'<div class="r-cell">{shown}{made}</div>' if shown or made else ""


def _code(cell: Mapping[str, Any], source: str, tags: set[str], options: Options, language: str) -> str:
    if not source.strip():
        return ""
    opened = "show-input" in tags or (options.show_code and "hide-input" not in tags)
    count = cell.get("execution_count")
    number = f' <span class="r-count">In [{count}]</span>' if isinstance(count, int) else ""
    return (
        f'<details class="r-fold"{" open" if opened else ""}><summary>Code{number}</summary>'
        f'<pre class="r-code" tabindex="0"><code>{highlighted(source, language)}</code></pre></details>'
    )


def local_picture(folder: Path | None, source: str) -> str | None:
    """Return a picture file as a data address, if it lies in `folder` or below it and is a picture; else None."""
    if folder is None or not source:
        return None
    try:
        path = (folder / urlsplit(source).path).resolve()
        mime = PICTURE_FILES.get(path.suffix.lower())
        if mime is None or not path.is_relative_to(folder.resolve()) or path.stat().st_size > MOST_PICTURE_BYTES:
            return None
        data = path.read_bytes()
    except (OSError, ValueError):
        return None
    return picture_address(f"data:{mime};base64,{b64encode(data).decode()}")
