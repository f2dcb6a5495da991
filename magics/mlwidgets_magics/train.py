"""``%%train``: the cell below becomes a tracked run."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from mlwidgets import api
from mlwidgets.errors import MlwidgetsError
from mlwidgets_magics.sending import Sending, cell_number, given, name_and_binding, origin, parser_of
from mlwidgets_magics.words import help_of, is_param, read_params, split_words


@magics_class
class TrainMagics(Magics):
    """Sends cells off."""

    shell: Any

    def __init__(self, shell: Any, sending: Sending) -> None:
        super().__init__(shell)
        self._sending = sending

    @line_cell_magic
    def train(self, line: str, cell: str | None = None) -> None:
        """Send the cell off as a tracked run and show it live; returns at once.

        %%train [NAME] [--gpus N] [--cpus N] [--priority N] [--after RUN] [--timeout T] [--retries N]
                [--seed N] [--deterministic] [--data PATH] [--wait] [--cold] [-i NAMES] [-o NAMES]
                [--tag k=v] [--note TEXT] [param=value …]

        NAME is bound to the Run. Names that the cell reads are sent with it; a param=value replaces
        or adds one.
        --seed N      seed random, numpy and torch; without it their present states travel with the cell
        -i NAMES      send these names too (comma-separated), beside those that the cell is seen to read
        -o NAMES      bring back these names alone
        --wait        block until it has ended, raise what it raised, and load its results
        --timeout T   end the run after that time: 90, 90s, 15m, 2h, 1d
        --gpus N      wait for N GPUs and have them to itself; 0.25, 0.5, 0.75: a share of one; 0: none;
                      auto (default): one where the machine has any and the notebook has imported a
                      library that uses them
        --cpus N      wait for N CPU places (default 1); with 0 and no GPU it starts at once
        --priority N  go before runs of lower priority (default 0)
        --after RUN   wait until that run has finished
        --retries N   try again up to N times if it fails
        --cold        start in a fresh Python process, even where a warm one is there
        --data PATH   a file or folder that the cell reads: the digest of its content is kept with the run
        --deterministic  let torch compute the same bits each time; what cannot is said
        --tag k=v     a tag to find it by; may be given several times
        --note TEXT   a note, in quotes
        """
        words = split_words(line)
        if "--help" in words or "-h" in words:
            print(help_of(TrainMagics.train))
            return
        if cell is None:
            raise UsageError("%train: write %%train, on top of the code to run; %%train --help lists the options")
        options = parser_of("%%train").parse_intermixed_args(words)
        name, binding = name_and_binding(options.words, "%%train")
        if not cell.strip():
            raise UsageError("%%train: the cell is empty; write the code to run below it")
        namespace = self.shell.user_ns
        try:
            run = api.train(
                cell,
                name=name or f"cell-{cell_number(self.shell)}",
                params=read_params([w for w in options.words if is_param(w)], taken=namespace),
                namespace=namespace,
                origin=origin(self.shell, f"%%train {line}", binding),
                **given(options),
            )
        except MlwidgetsError as error:
            raise UsageError(str(error)) from None
        self._sending.see_off(run, binding, wait=options.wait)
