"""The IPython layer: parse a line, call one function, show what came of it."""

from __future__ import annotations

from typing import Any


def load(shell: Any) -> None:
    """Register the magics with an IPython shell."""
    from mlwidgets.runner.warm import prepare_if_worth_it
    from mlwidgets.views.live import flush_finished
    from mlwidgets_magics.executed import remember
    from mlwidgets_magics.nbdiff import DiffMagics
    from mlwidgets_magics.report import ReportMagics
    from mlwidgets_magics.runs import RunsMagics
    from mlwidgets_magics.sending import Sending
    from mlwidgets_magics.sweep import SweepMagics
    from mlwidgets_magics.train import TrainMagics

    if isinstance(shell.magics_manager.registry.get("TrainMagics"), TrainMagics):
        return
    sending = Sending(shell)
    shell.register_magics(TrainMagics(shell, sending), SweepMagics(shell, sending), RunsMagics(shell, sending))
    shell.register_magics(DiffMagics(shell), ReportMagics(shell, sending))
    shell.input_transformers_cleanup.append(_alone_in_a_cell)
    remember(shell)
    shell.events.register("post_run_cell", lambda *_: flush_finished())
    shell.events.register("post_run_cell", lambda *_: prepare_if_worth_it())


def _alone_in_a_cell(lines: list[str]) -> list[str]:
    """Let what needs no code be a cell by itself: IPython refuses cell magics that have nothing below them."""
    words = lines[0].split() if len(lines) == 1 else []
    if words[:1] in (["%%train"], ["%%sweep"]) and {"--help", "-h", "--dry-run"}.intersection(words):
        return [lines[0].replace("%%", "%", 1).rstrip() + "\n"]
    return lines
