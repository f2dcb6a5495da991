"""Histograms, images, confusion matrices and tables as HTML: no script, styles inline, as in the page of a run."""

from __future__ import annotations

import base64
import math
from html import escape
from typing import TYPE_CHECKING, Any

from mlwidgets.views import format as fmt
from mlwidgets.views import palette

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 12
"""Names of one kind."""
WIDTH, HEIGHT = 300, 120
ROWS = 10
NUMBERED = 16
"""Classes up to which a confusion matrix has numbers."""
SIDE = 112
MUTED = f"font-size:11px;color:{palette.MUTED}"
BOX = "display:inline-block;vertical-align:top;max-width:100%;margin:0 20px 10px 0"
RIGHT, WRONG = (0, 121, 193), (213, 94, 0)


def media_page(media: dict[str, Any]) -> str:
    """Return the latest of what `mlwidgets.views.media` gave, of each name; empty where there is nothing."""
    kinds = (
        ("Distributions", "histograms", _histogram),
        ("Images", "images", _images),
        ("Confusion matrices", "matrices", _matrix),
        ("Tables", "tables", _table),
    )
    parts = []
    for title, kind, draw in kinds:
        tracks = [track for track in media.get(kind) or [] if track["steps"]]
        if tracks:
            parts.append(f'<div style="margin:12px 0 4px;{MUTED};font-weight:600">{title}</div>')
            parts += [_card(track, draw(track)) for track in tracks[:MOST]]
        if len(tracks) > MOST:
            names = ", ".join(escape(track["name"]) for track in tracks[MOST:])
            parts.append(f'<div style="{MUTED}">and {len(tracks) - MOST} more: {names:.1000}</div>')
    return "".join(parts)


def _card(track: dict[str, Any], drawn: str) -> str:
    step = f'<span style="{MUTED};margin-left:8px">step {fmt.number(track["steps"][-1]["step"])}</span>'
    return f'<div style="{BOX}"><div style="font-size:12px">{escape(track["name"])}{step}</div>{drawn}</div>'


def _histogram(track: dict[str, Any]) -> str:
    last = track["steps"][-1]
    low, high = (math.ldexp(track["first"] + place, track["exponent"]) for place in (0, track["bins"]))
    words = f"{fmt.number(last['n'])} values"
    if isinstance(last["mean"], float) and isinstance(last["std"], float):
        words += f" · mean {fmt.number(last['mean'])} ± {fmt.number(last['std'])}"
    for name, count in (("NaN", last["nan"]), ("∞", last["inf"]), ("−∞", last["neginf"])):
        words += f" · {fmt.number(count)} {name}" if count else ""
    ends = f"{fmt.number(low)} to {fmt.number(high)}"
    about = f"Distribution over {len(track['steps'])} steps, from {ends}: {words}"
    first, until = (fmt.number(track["steps"][place]["step"]) for place in (0, -1))
    drawn = _drawn(_heat(track), WIDTH, HEIGHT, about)
    return f'{drawn}<div style="{MUTED}">{ends}, upwards; step {first} to {until}<br>{words}</div>'


def _drawn(pixels: NDArray[Any], width: int, height: int, about: str) -> str:
    from mlwidgets.tracking.png import encode_png

    source = base64.b64encode(encode_png(pixels)).decode()
    sides = f'width="{width}" height="{height}" style="image-rendering:pixelated;max-width:100%"'
    return f'<img {sides} alt="{escape(about)}" src="data:image/png;base64,{source}">'


def _heat(track: dict[str, Any]) -> NDArray[Any]:
    """Return the distribution over the steps as pixels: one for each bin, 100 for the steps, clear where nothing is."""
    import numpy as np

    shares = np.zeros((len(track["steps"]), track["bins"]))
    for place, step in enumerate(track["steps"]):
        filled = slice(step["start"], step["start"] + len(step["counts"]))
        shares[place, filled] = np.array(step["counts"]) / max(1, step["n"])
    full = float(np.quantile(shares.max(axis=1), 0.9)) or 1.0
    strength = np.where(shares > 0, 0.06 + 0.94 * np.sqrt(shares / full), 0).clip(0, 1)
    at = np.array([step["step"] for step in track["steps"]], float)
    if len(at) < 2 or (np.diff(at) <= 0).any():
        at = np.arange(len(at), dtype=float)
    places = np.linspace(at[0], at[-1], 100)
    nearest = np.abs(places[:, None] - at[None, :]).argmin(axis=1)
    pixels = np.empty((track["bins"], 100, 4), np.uint8)
    pixels[..., :3] = RIGHT
    pixels[..., 3] = (strength[nearest].T[::-1] * 255).round()
    return pixels


def _images(track: dict[str, Any]) -> str:
    images = track["steps"][-1]["images"]
    side = 340 if len(images) == 1 else SIDE
    return "".join(_image(image, side) for image in images)


def _image(image: dict[str, Any], side: int) -> str:
    caption = f'<div style="{MUTED}">{escape(image["caption"])}</div>' if image["caption"] else ""
    if image["src"] is None:
        drawn = f'<div style="{MUTED}">{escape(image["file"])}</div>'
    else:
        longer = max(image["width"] or side, image["height"] or side)
        factor = max(1, side // longer) if longer <= side else side / longer
        width = round((image["width"] or side) * factor)
        style = f"image-rendering:{'pixelated' if factor > 1 else 'auto'};max-width:100%"
        alt = escape(image["caption"] or image["file"])
        drawn = f'<img width="{width}" style="{style}" alt="{alt}" src="{escape(image["src"])}">'
    return f'<div style="display:inline-block;vertical-align:top;margin:0 8px 6px 0">{drawn}{caption}</div>'


def _matrix(track: dict[str, Any]) -> str:
    last = track["steps"][-1]
    accuracy = "" if last["accuracy"] is None else f" · accuracy {fmt.number(round(last['accuracy'] * 100, 1))}%"
    words = f"{fmt.number(last['total'])} samples{accuracy}"
    size = len(last["classes"])
    if size > NUMBERED:
        about = f"Confusion matrix, true classes downwards, predicted ones across: {words}"
        names = f"{last['classes'][0]} to {last['classes'][-1]}"
        side = min(340, 10 * size)
        drawn, words = _drawn(_squares(last["counts"]), side, side, about), f"{names} · {words}"
    else:
        largest = max((count for row in last["counts"] for count in row), default=0) or 1
        head = "".join(map(_label, ["true \\ predicted", *last["classes"]]))
        rows = [
            f"<tr>{_label(name)}{''.join(_cell(n, n / largest, right=i == j) for j, n in enumerate(counts))}</tr>"
            for i, (name, counts) in enumerate(zip(last["classes"], last["counts"], strict=True))
        ]
        style = "border-collapse:separate;border-spacing:1px;font-size:11px"
        drawn = f'<table style="{style}"><tr>{head}</tr>{"".join(rows)}</table>'
    return f'{drawn}<div style="{MUTED}">{escape(words)}</div>'


def _squares(counts: list[list[float]]) -> NDArray[Any]:
    """Return a matrix as pixels: right ones blue, errors orange, stronger where there are more."""
    import numpy as np

    shares = np.array(counts, float)
    pixels = np.empty((*shares.shape, 4), np.uint8)
    pixels[..., :3] = np.where(np.eye(len(shares), dtype=bool)[..., None], RIGHT, WRONG)
    pixels[..., 3] = (np.sqrt(shares / (shares.max() or 1)) * 255).round()
    return pixels


def _label(text: str) -> str:
    short = text if len(text) <= 14 else f"{text[:13]}…"
    title = f' title="{escape(text)}"' if short != text else ""
    return f'<th{title} style="font-weight:400;padding:0 4px">{escape(short)}</th>'


def _cell(count: float, share: float, *, right: bool) -> str:
    red, green, blue = RIGHT if right else WRONG
    ground = f"background-color:rgba({red},{green},{blue},{math.sqrt(share) * 0.64 + 0.03:.2f})"
    return f'<td style="{ground};padding:3px 7px;text-align:center">{fmt.number(count)}</td>'


def _table(track: dict[str, Any]) -> str:
    last = track["steps"][-1]
    style = "padding:1px 8px;text-align:left"
    head = "".join(f'<th style="{style}">{escape(name)}</th>' for name in last["columns"])
    rows = "".join(
        "<tr>" + "".join(f'<td style="{style}">{escape(_text(cell))}</td>' for cell in row) + "</tr>"
        for row in last["rows"][:ROWS]
    )
    shown = min(ROWS, len(last["rows"]))
    more = f"the first {shown} of {fmt.number(last['total'])} rows" if shown < last["total"] else f"{shown} rows"
    return f'<table style="font-size:11px"><tr>{head}</tr>{rows}</table><div style="{MUTED}">{more}</div>'


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return fmt.number(cell)
    return {"Infinity": "∞", "-Infinity": "−∞"}.get(cell, cell) if isinstance(cell, str) else str(cell).lower()
