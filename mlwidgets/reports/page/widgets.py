"""ipywidgets as they stood when the notebook was saved: their state is in its metadata, and needs no kernel."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
DEEPEST = 12
BAR = re.compile(r"\d+%\|.*\| +\d+/\d+ \[|\b\d+it \[")
"""How tqdm writes a bar."""
PICTURES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


class Widgets:
    """The saved widgets of one notebook.

    Parameters
    ----------
    metadata
        The notebook's.
    clean
        What makes HTML harmless.
    outputs
        What shows the outputs that a widget caught.
    """

    def __init__(
        self, metadata: Mapping[str, Any], clean: Callable[[str], str], outputs: Callable[[list[Any]], str]
    ) -> None:
        saved = _dict(_dict(metadata.get("widgets")).get(STATE)).get("state")
        self._models, self._saved = _dict(saved), isinstance(saved, Mapping)
        self._clean, self._outputs = clean, outputs

    def still(self, view: Any) -> str:
        """Return a widget as HTML; empty where its state was not saved, or says nothing without a script."""
        return self._model(_dict(view).get("model_id"), 0)

    def taken_away(self, view: Any, plain: str) -> bool:
        """Return whether a widget was a progress bar that its code took away: states were saved, its was not."""
        return self._saved and _dict(view).get("model_id") not in self._models and bool(BAR.search(plain))

    def _model(self, key: Any, depth: int) -> str:
        model = _dict(self._models.get(key)) if isinstance(key, str) else {}
        state = _dict(model.get("state"))
        name = str(model.get("model_name", "")).removesuffix("Model")
        if not state or depth > DEEPEST:
            return ""
        if isinstance(state.get("children"), list):
            return self._box(state, name, depth)
        if name in {"HTML", "HTMLMath"}:
            value = self._clean(str(state.get("value", "")))
            return _described(state, value) if value.strip() else ""
        if name == "Output":
            return self._outputs(state["outputs"]) if isinstance(state.get("outputs"), list) else ""
        if name.endswith("Progress"):
            return _progress(state)
        if name == "Image":
            return _picture(model, state)
        return _value(state)

    def _box(self, state: Mapping[str, Any], name: str, depth: int) -> str:
        drawn = [self._model(str(one).removeprefix("IPY_MODEL_"), depth + 1) for one in state["children"]]
        titles = state.get("titles") or list(_dict(state.get("_titles")).values())
        if name in {"Tab", "Accordion"}:
            named = [escape(str(one), quote=False) for one in titles] + [""] * len(drawn)
            drawn = [
                f'<div><p class="r-label">{title}</p>{one}</div>' for title, one in zip(named, drawn, strict=False)
            ]
        if not any(drawn):
            return ""
        return f'<div class="{"r-row" if name == "HBox" else "r-column"}">{"".join(drawn)}</div>'


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _described(state: Mapping[str, Any], html: str) -> str:
    description = str(state.get("description") or "")
    label = f'<span class="r-label">{escape(description, quote=False)}</span> ' if description else ""
    return f"<div>{label}{html}</div>"


def _progress(state: Mapping[str, Any]) -> str:
    numbers = [state.get(key, default) for key, default in (("min", 0), ("max", 100), ("value", 0))]
    if not all(isinstance(one, int | float) for one in numbers):
        return ""
    low, high, value = (float(one) for one in numbers)
    share = min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.0
    bar = f'<progress max="1" value="{share:.4g}" aria-label="{share:.0%}"></progress>'
    return _described(state, bar)


def _picture(model: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    mime = PICTURES.get(str(state.get("format", "png")).lower())
    buffers = model.get("buffers")
    for one in buffers if isinstance(buffers, list) else []:
        if mime and _dict(one).get("path") == ["value"] and one.get("encoding") == "base64":
            return self_contained(mime, str(one.get("data", "")))
    return ""


def self_contained(mime: str, data: str) -> str:
    """Return a picture that a widget held."""
    from mlwidgets.reports.page.clean import picture_address

    address = picture_address(f"data:{mime};base64,{''.join(data.split())}")
    return f'<img src="{escape(address)}" alt="Picture of a widget">' if address else ""


def _value(state: Mapping[str, Any]) -> str:
    """Return what a control was set to."""
    labels, index = state.get("_options_labels"), state.get("index")
    chosen: list[Any] = index if isinstance(index, list) else [index]
    if isinstance(labels, list) and all(isinstance(one, int) and 0 <= one < len(labels) for one in chosen):
        said = ", ".join(str(labels[one]) for one in chosen)
    elif isinstance(state.get("value"), bool):
        said = "yes" if state["value"] else "no"
    elif isinstance(state.get("value"), str | int | float):
        said = str(state["value"])
    elif isinstance(state.get("value"), list):
        said = ", ".join(map(str, state["value"]))
    else:
        return ""
    return _described(state, f"<span>{escape(said, quote=False)}</span>") if said else ""
