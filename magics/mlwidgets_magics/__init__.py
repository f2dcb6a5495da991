"""The IPython layer: parse a line, call one function, show what came of it."""

from __future__ import annotations

from typing import Any


def load(shell: Any) -> None:
    """Register the magics with an IPython shell."""
    from mlwidgets.runner.warm import prepare_if_worth_it
    from mlwidgets.views.live import flush_finished
    from mlwidgets_magics.runs import RunsMagics
    from mlwidgets_magics.train import TrainMagics

    if isinstance(shell.magics_manager.registry.get("TrainMagics"), TrainMagics):
        return
    trained = TrainMagics(shell)
    shell.register_magics(trained, RunsMagics(shell, trained))
    shell.input_transformers_cleanup.append(_help_without_a_cell)
    shell.events.register("post_run_cell", lambda *_: flush_finished())
    shell.events.register("post_run_cell", lambda *_: prepare_if_worth_it())


def _help_without_a_cell(lines: list[str]) -> list[str]:
    """Let ``%%train --help`` be a cell by itself: IPython refuses cell magics that have nothing below them."""
    if len(lines) == 1 and lines[0].split() in [["%%train", "--help"], ["%%train", "-h"]]:
        return ["%train --help\n"]
    return lines
