"""What a cell put out, as HTML: each output by the richest form that needs no script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from mlwidgets.reports.page import console, figures, svg
from mlwidgets.reports.page.about import Check
from mlwidgets.reports.page.clean import Cleaned, Cleaner, picture_address
from mlwidgets.reports.page.markdown import latex, rendered
from mlwidgets.reports.page.widgets import VIEW, Widgets

CHECK = "application/vnd.mlwidgets.check+json"
RUN = "application/vnd.mlwidgets.run+json"
PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp")
TEXTS = ("text/html", "text/markdown", "text/latex")
DRAWN_BY_SCRIPT = {
    "application/vnd.plotly": (
        "An interactive plotly figure",
        'a picture is drawn where plotly and kaleido are installed, or saved with plotly.io.renderers.default = "png"',
    ),
    "application/vnd.vega": (
        "An interactive Vega chart",
        'a picture is drawn where vl-convert-python is installed, or saved with alt.renderers.enable("png")',
    ),
    "application/vnd.bokeh": ("An interactive Bokeh figure", "a static picture of it is saved by bokeh.io.export_png"),
    "application/vnd.holoviews": ("An interactive HoloViews figure", "a static picture of it is saved by hv.save"),
    "application/javascript": ("A script", "reports run none"),
}
MOST_JSON = 200_000


@dataclass(frozen=True)
class Cell:
    """What outputs need to know of their cell: its code, its own name for a figure, and its number."""

    source: str = ""
    metadata: Mapping[str, Any] | None = None


class Outputs:
    """The outputs of one page; its figures are numbered as they come."""

    def __init__(self, cleaner: Cleaner, metadata: Mapping[str, Any]) -> None:
        self._cleaner, self._pieces = cleaner, cleaner.pieces
        self._figures = 0
        self.checks: list[Check] = []
        self._cell = Cell()
        self._widgets = Widgets(
            metadata, lambda html: cleaner.clean(html).html, lambda outputs: self.html(outputs, self._cell)
        )

    def html(self, outputs: Iterable[Mapping[str, Any]], cell: Cell) -> str:
        """Return the outputs of a cell."""
        before, self._cell = self._cell, cell
        parts = [self._output(one) for one in joined(outputs)]
        self._cell = before
        return "".join(parts)

    def _output(self, output: Mapping[str, Any]) -> str:
        kind = output.get("output_type")
        if kind == "stream":
            said = console.printed(text_of(output.get("text")), " r-stderr" if output.get("name") == "stderr" else "")
            return f'<div class="r-output">{said}</div>' if said else ""
        if kind == "error":
            return _error(output)
        data, metadata = (
            one if isinstance(one, Mapping) else {} for one in (output.get("data"), output.get("metadata"))
        )
        return self._bundle(data, dict(metadata))

    def _bundle(self, data: Mapping[str, Any], metadata: dict[str, Any]) -> str:
        """Show the first form that leaves something to see; what was left out of those before is said."""
        notes: list[str] = []
        for form in self._forms(data, metadata):
            cleaned = form()
            notes += cleaned.notes
            if not cleaned.empty:
                return f'<div class="r-output">{cleaned.html}{_note(notes)}</div>'
        return f'<div class="r-output">{_note(notes)}</div>' if notes else ""

    def _forms(self, data: Mapping[str, Any], metadata: dict[str, Any]) -> Iterable[Callable[[], Cleaned]]:
        pictures = [mime for mime in PICTURES if mime in data]
        script = next((kind for mime in data for kind in DRAWN_BY_SCRIPT if mime.startswith(kind)), None)
        if CHECK in data:
            yield lambda: self._check(data[CHECK])
        if RUN in data and "text/html" in data:
            yield lambda: self._html(data, run=True)
        if VIEW in data:
            yield lambda: self._widget(data)
        if pictures:
            yield lambda: self._figure(pictures[0], data, metadata)
        if script and not pictures:
            # Its HTML would be the script and an empty place for it.
            what, how = DRAWN_BY_SCRIPT[script]
            yield lambda: Cleaned(f'<p class="r-note">{what} is not shown here: {how}.</p>')
        if "text/html" in data:
            yield lambda: self._html(data)
        if "text/markdown" in data:
            yield lambda: self._cleaner.clean(rendered(text_of(data["text/markdown"]), self._pieces))
        if "text/latex" in data:
            yield lambda: self._cleaner.clean(latex(text_of(data["text/latex"]), self._pieces))
        structured = next((mime for mime in data if mime.endswith("json") and mime not in {CHECK, RUN, VIEW}), None)
        if structured:
            yield lambda: self._json(data[structured])
        if "text/plain" in data:
            yield lambda: self._plain(text_of(data["text/plain"]))
        if not data.keys() & {"text/plain", *TEXTS, *PICTURES} and data:
            kinds = ", ".join(escape(mime, quote=False) for mime in list(data)[:3])
            yield lambda: Cleaned(f'<p class="r-note">An output that a page cannot show: {kinds}.</p>')

    def _check(self, told: Any) -> Cleaned:
        """Show something that was checked; the page's head says all of them."""
        if not isinstance(told, Mapping) or not isinstance(told.get("passed"), bool):
            return Cleaned("", empty=True)
        check = Check(text_of(told.get("text")), told["passed"], text_of(told.get("detail")))
        self.checks.append(check)
        name, sign, word = ("r-passed", "✓", "passed") if check.passed else ("r-failed", "✕", "failed")
        detail = f" <small>{escape(check.detail, quote=False)}</small>" if check.detail else ""
        return Cleaned(
            f'<p class="r-check"><span class="{name}"><span aria-hidden="true">{sign}</span> {word}</span> '
            f"<span>{escape(check.text, quote=False)}{detail}</span></p>"
        )

    def _html(self, data: Mapping[str, Any], *, run: bool = False) -> Cleaned:
        alt = " ".join(text_of(data.get("text/plain", "")).split())[:150]
        cleaned = self._cleaner.clean(text_of(data["text/html"]), alt=alt, own=run)
        name = "r-run" if run else "r-html r-paper" if cleaned.grounded else "r-html"
        return Cleaned(f'<div class="{name}">{cleaned.html}</div>', cleaned.notes, cleaned.empty)

    def _widget(self, data: Mapping[str, Any]) -> Cleaned:
        still = self._widgets.still(data[VIEW])
        if still:
            return Cleaned(f'<div class="r-widget">{still}</div>')
        if data.keys() & {*PICTURES, "text/html", "text/markdown"}:
            return Cleaned("", empty=True)
        said = text_of(data.get("text/plain", "")).strip()
        if self._widgets.taken_away(data[VIEW], said):
            return Cleaned("", empty=False)
        words = f": <code>{escape(said[:300], quote=False)}</code>" if said else "."
        return Cleaned(f'<p class="r-note">An interactive widget that is shown in Jupyter alone{words}</p>')

    def _figure(self, mime: str, data: Mapping[str, Any], metadata: dict[str, Any]) -> Cleaned:
        text = text_of(data[mime]).strip()
        sides = self._size(mime, metadata)
        said = ""
        try:
            if mime == "image/svg+xml":
                drawing = svg.read(text)
                sides, said = sides or svg.size(drawing), svg.said(drawing)
                address: str | None = svg.address(svg.document(drawing))
            else:
                address = picture_address(f"data:{mime};base64,{''.join(text.split())}")
        except svg.Unreadable:
            address = None
        if address is None:
            return Cleaned("", ["a picture that cannot be read"], empty=True)
        self._figures += 1
        below = figures.caption(self._cell.source, dict(self._cell.metadata or {}))
        known = figures.alternative(self._cell.source, metadata, mime) or below or said
        near = next((one.text for one in reversed(self._cleaner.outline.headings) if one.text), "")
        alt = known or (f"Figure {self._figures}, in “{near}”" if near else f"Figure {self._figures}")
        size = f' width="{sides[0]}" height="{sides[1]}"' if sides else ""
        words = f": {escape(below, quote=False)}" if below else ""
        return Cleaned(
            f'<figure class="r-figure" id="figure-{self._figures}">'
            f'<img src="{escape(address)}" alt="{escape(alt)}"{size}>'
            f"<figcaption><b>Figure {self._figures}</b>{words}</figcaption></figure>"
        )

    @staticmethod
    def _size(mime: str, metadata: dict[str, Any]) -> tuple[int, int] | None:
        own = metadata.get(mime)
        given = own if isinstance(own, dict) else metadata
        sides = [given.get(side) for side in ("width", "height")]
        found = [round(one) for one in sides if isinstance(one, int | float) and 0 < one < 1e5]
        return (found[0], found[1]) if len(found) == 2 else None

    @staticmethod
    def _json(value: Any) -> Cleaned:
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
        cut = "\n… and so on" if len(text) > MOST_JSON else ""
        body = escape(text[:MOST_JSON] + cut, quote=False)
        return Cleaned(
            f'<details class="r-more"><summary>JSON, {len(text):,} characters</summary>'
            f'<pre class="r-print" tabindex="0">{body}</pre></details>'
        )

    @staticmethod
    def _plain(text: str) -> Cleaned:
        # What only names an object, for a page says nothing.
        if re.fullmatch(r"<(Figure size|Axes:|matplotlib\.|IPython\.core\.display\.)[^\n]*>", text.strip()):
            return Cleaned("", empty=True)
        said = console.printed(text)
        return Cleaned(said, empty=not said)


def joined(outputs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return outputs with what was printed to one stream in a row as one: Jupyter cuts it anywhere."""
    found: list[dict[str, Any]] = []
    for output in outputs:
        if not isinstance(output, Mapping):
            continue
        one = dict(output)
        last = found[-1] if found else {}
        if one.get("output_type") == "stream" == last.get("output_type") and one.get("name") == last.get("name"):
            last["text"] = text_of(last.get("text")) + text_of(one.get("text"))
        else:
            found.append(one)
    return found


def text_of(value: Any) -> str:
    """Return a value of a MIME bundle as text; notebooks may hold lists of lines."""
    if isinstance(value, list):
        return "".join(map(str, value))
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _note(notes: Iterable[str]) -> str:
    left_out = ", ".join(escape(one, quote=False) for one in dict.fromkeys(notes))
    return f'<p class="r-note">Left out here: {left_out}.</p>' if left_out else ""


def note(cleaned: Cleaned) -> str:
    """Return a text of the notebook with what was left out of it."""
    return cleaned.html + _note(cleaned.notes)


def _error(output: Mapping[str, Any]) -> str:
    name, value = (text_of(output.get(key)) for key in ("ename", "evalue"))
    lines = output.get("traceback")
    trace = console.lines_of("\n".join(map(str, lines))) if isinstance(lines, list) and lines else ""
    folded = (
        f'<details class="r-trace"><summary>Traceback</summary><pre tabindex="0">{trace}</pre></details>'
        if trace
        else ""
    )
    said = f": {console.lines_of(value)}" if value else ""
    return (
        '<div class="r-output r-error"><p><span aria-hidden="true">✕</span> '
        f"<b>{escape(name or 'Error', quote=False)}</b>{said}</p>{folded}</div>"
    )
