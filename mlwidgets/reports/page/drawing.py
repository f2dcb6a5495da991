"""Static pictures of figures that only a script can draw: plotly by kaleido and a browser, Vega by vl-convert.

Both are optional, and slow to start: one process of its own draws all figures of a notebook, and is ended where it
takes too long. What a notebook holds is untrusted: figures that name files or addresses are not drawn, and the process
has no way into the network.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from importlib import import_module
from importlib.util import find_spec
from typing import Any

PLOTLY, VEGA, LITE = "application/vnd.plotly.", "application/vnd.vega.", "application/vnd.vegalite."
PATIENCE = 90
"""Seconds for all figures of a notebook."""
MOST = 100
MOST_BYTES = 50_000_000
SCALE = 2
"""Pixels of a picture for one of the page."""
WIDEST = 5000
"""Pixels of the page that a figure may be wide, or high."""
_TILED = ("scattermap", "choroplethmap", "densitymap")
"""How types of traces begin that lie on a map of pictures."""
NOWHERE = "http://127.0.0.1:9"


def with_pictures(notebook: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the notebook with a picture beside each figure that has none and that can be drawn on this machine."""
    wanted = {kind for kind, modules in _NEEDED.items() if all(map(_installed, modules))}
    if not wanted or next(_figures(notebook, wanted), None) is None:
        return notebook
    notebook = deepcopy(dict(notebook))
    found = list(_figures(notebook, wanted))[:MOST]
    for output, picture in zip(found, _drawn([_figure(one["data"], wanted) for one in found]), strict=False):
        if picture:
            output["data"]["image/png"] = picture
            metadata = output["metadata"] if isinstance(output.get("metadata"), dict) else {}
            output["metadata"] = {**metadata, "image/png": _size(picture)}
    return notebook


_NEEDED = {PLOTLY: ("kaleido", "plotly"), VEGA: ("vl_convert",), LITE: ("vl_convert",)}


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _figures(notebook: Mapping[str, Any], wanted: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the outputs that are figures without a picture."""
    cells = notebook.get("cells")
    for cell in cells if isinstance(cells, list) else ():
        outputs = cell.get("outputs") if isinstance(cell, Mapping) else None
        for output in outputs if isinstance(outputs, list) else ():
            data = output.get("data") if isinstance(output, Mapping) else None
            if isinstance(data, Mapping) and not any(mime.startswith("image/") for mime in data):
                kind, figure = _figure(data, wanted)
                if kind and not reaches_out(figure) and not is_too_large(figure):
                    yield output


def _figure(data: Mapping[str, Any], wanted: set[str]) -> tuple[str, Any]:
    for mime, value in data.items():
        for kind in wanted:
            # What has no content is drawn by others, or is not a figure.
            if mime.startswith(kind) and isinstance(value, dict) and value:
                return kind, value
    return "", None


def reaches_out(figure: Any) -> bool:
    """Return whether a figure names what would have to be read from somewhere: data, pictures, maps."""
    traces = figure.get("data") if isinstance(figure, dict) else None
    for trace in traces if isinstance(traces, list) else ():
        if isinstance(trace, dict) and str(trace.get("type")).startswith(_TILED):
            return True
    waiting = [figure]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for key, inner in value.items():
                is_text = isinstance(inner, str)
                # An address may be put together by an expression.
                named = key == "url" or (is_text and key in {"source", "topojsonURL", "sourceattribution", "geojson"})
                named = named or (key == "style" and is_text and any(sign in inner for sign in ":/"))
                is_data = is_text and inner.startswith("data:")
                if (named and not is_data) or (key in {"mark", "type"} and inner == "image"):
                    return True
                waiting.append(inner)
    return False


def is_too_large(figure: Any) -> bool:
    """Return whether a figure asks for so many pixels that drawing it may take all memory."""
    layout = figure.get("layout") if isinstance(figure, dict) else None
    sides = [one.get(key) for one in (figure, layout) if isinstance(one, dict) for key in ("width", "height")]
    return any(isinstance(side, int | float) and not side <= WIDEST for side in sides)


def _drawn(figures: list[tuple[str, Any]]) -> list[str]:
    """Return the pictures as base64; empty texts for those that cannot be drawn."""
    asked = json.dumps(figures).encode()
    if len(asked) > MOST_BYTES:
        return []
    proxies = dict.fromkeys(
        ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "mlwidgets.reports.page.drawing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **proxies, "no_proxy": "", "NO_PROXY": ""},
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(asked, PATIENCE)
    except subprocess.TimeoutExpired:
        said = b""
    finally:
        # The browser that it has started ends with it.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        process.wait()
    pictures = []
    for line in said.splitlines():
        try:
            pictures.append(str(json.loads(line)))
        except ValueError:
            break
    return pictures


def _size(picture: str) -> dict[str, int]:
    """Return the size on the page of a PNG, from its header."""
    header = base64.b64decode(picture[:48])
    return {side: int.from_bytes(header[at : at + 4], "big") // SCALE for side, at in (("width", 16), ("height", 20))}


def _without_network(get_cli: Callable[[Any], Sequence[str]]) -> Callable[[Any], Sequence[str]]:
    """Return what starts a browser that reaches nothing: all names and addresses lead to no machine."""
    alone = (f"--proxy-server={NOWHERE}", "--proxy-bypass-list=<-loopback>", "--host-resolver-rules=MAP * ~NOTFOUND")
    return lambda browser: [*get_cli(browser), *alone]


def main() -> None:
    """Draw the figures that standard input names; write one line for each as soon as it is there."""
    import asyncio

    figures = json.load(sys.stdin)
    # What the libraries print must not come between the lines.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    async def draw() -> None:
        browser: Any = None
        for kind, figure in figures:
            picture = b""
            try:
                if kind == PLOTLY:
                    kaleido = import_module("kaleido")
                    chromium = import_module("choreographer.browsers.chromium").Chromium

                    if browser is None:
                        # By itself it asks no proxy for what is on this machine or on its own network.
                        chromium.get_cli = _without_network(chromium.get_cli)
                        browser = kaleido.Kaleido(n=1, timeout=30, mathjax=False)
                        await browser.open()
                    picture = await browser.calc_fig(figure, opts={"format": "png", "scale": SCALE})
                else:
                    vl_convert = import_module("vl_convert")

                    paint = vl_convert.vega_to_png if kind == VEGA else vl_convert.vegalite_to_png
                    picture = paint(figure, scale=SCALE, allowed_base_urls=[])
            except Exception as error:
                print(error, file=sys.stderr)
            print(json.dumps(base64.b64encode(picture).decode()), file=answers, flush=True)
        if browser is not None:
            await browser.close()

    asyncio.run(draw())


if __name__ == "__main__":
    main()
