"""Metadata that nobody chose: when cells ran, how they are folded, which editor was open."""

from __future__ import annotations

from typing import Any

CELL = frozenset(
    {
        *("ExecuteTime", "execution", "executionInfo", "papermill", "collapsed", "scrolled", "autoscroll", "trusted"),
        *("vscode", "pycharm", "nteract", "gather", "colab", "outputId", "_uuid", "_cell_guid", "id"),
        *("outputHidden", "inputHidden", "hidden", "heading_collapsed", "jp-MarkdownHeadingCollapsed"),
        *("cell_marker", "lines_to_next_cell", "lines_to_end_of_cell_marker"),
        "application/vnd.databricks.v1+cell",
    }
)
"""Names of a cell's metadata that tools write by themselves."""

NOTEBOOK = frozenset(
    {
        *("widgets", "signature", "orig_nbformat", "orig_nbformat_minor", "papermill", "vscode", "interpreter"),
        *("toc", "varInspector", "nteract", "colab", "execution", "application/vnd.databricks.v1+notebook"),
    }
)
"""Names of a notebook's metadata that tools write by themselves; ``widgets`` is part of the outputs."""

_FOLDED = ("outputs_hidden", "source_hidden")


def chosen_of_cell(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return a cell's metadata without noise and without what is empty."""
    kept = {key: value for key, value in metadata.items() if key not in CELL}
    if isinstance(kept.get("jupyter"), dict):
        kept["jupyter"] = {key: value for key, value in kept["jupyter"].items() if key not in _FOLDED}
    return {key: value for key, value in kept.items() if value or key not in {"tags", "jupyter"}}


def chosen_of_notebook(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook's metadata without noise; of the language only its name is kept."""
    kept = {key: value for key, value in metadata.items() if key not in NOTEBOOK}
    information = kept.pop("language_info", None)
    if isinstance(information, dict) and isinstance(information.get("name"), str):
        kept["language_info"] = {"name": information["name"]}
    if isinstance(kept.get("jupytext"), dict):
        kept["jupytext"] = {key: value for key, value in kept["jupytext"].items() if key != "text_representation"}
    return {key: value for key, value in kept.items() if value or key != "jupytext"}
