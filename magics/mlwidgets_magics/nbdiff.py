"""``%nbdiff``: what changed in this notebook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from mlwidgets import api
from mlwidgets.capture import executed
from mlwidgets.capture.provenance import notebook_here
from mlwidgets.errors import MlwidgetsError, UnknownSnapshot
from mlwidgets_magics.words import HELP, help_of, split_words

if TYPE_CHECKING:
    from mlwidgets.history.which import State


_USAGE = "usage: %nbdiff [--save | RUN | RUN_A RUN_B] [--outputs]; %nbdiff --help says more"


@magics_class
class DiffMagics(Magics):
    """Tells what changed."""

    shell: Any

    @line_magic
    def nbdiff(self, line: str) -> None:
        """Show what changed in this notebook, cell by cell and word by word.

        %nbdiff                 since the last commit
        %nbdiff --save          since the last save; where nothing did, what that save changed
        %nbdiff RUN             since this run was sent off
        %nbdiff RUN_A RUN_B     between two runs
        --outputs               with outputs

        What you have executed counts as changed, also where it is not saved.
        """
        words = split_words(line)
        if HELP.intersection(words):
            print(help_of(DiffMagics.nbdiff))
            return
        options = {word for word in words if word.startswith("-")}
        names = [word for word in words if word not in options]
        if options - {"--save", "--outputs"} or len(names) > 2 or (names and "--save" in options):
            raise UsageError(_USAGE)
        try:
            try:
                old, new = self._sides(names, saved="--save" in options)
            except UnknownSnapshot as nothing:
                if names:
                    raise
                # No mistake of the user's: the notebook is new.
                print(nothing)
                return
            _show(old, new, outputs="--outputs" in options)
        except MlwidgetsError as error:
            raise UsageError(str(error)) from None

    def _sides(self, names: list[str], *, saved: bool) -> tuple[State, State]:
        from mlwidgets.history.diff.cells import compare
        from mlwidgets.history.snapshots import History
        from mlwidgets.history.which import resolve

        if len(names) == 2:
            return _of_run(names[0]), _of_run(names[1])
        path = self._notebook()
        if names:
            return _of_run(names[0]), self._now(path)
        if path is None:
            raise UsageError(
                "%nbdiff: which notebook this is, this kernel does not know; name two runs, or use mlwidgets diff"
            )
        history = History(path)
        now = self._now(path)
        if saved:
            last = resolve(history, "save")
            # Where all is saved, what the save itself changed.
            return (last, now) if compare(last[0], now[0]) else (resolve(history, "save-before"), last)
        try:
            return resolve(history, "commit"), now
        except UnknownSnapshot:
            print("This notebook is in no commit yet; since its last save:")
            return resolve(history, "save"), now

    def _notebook(self) -> Path | None:
        found = self.shell.user_ns.get("__vsc_ipynb_file__") or notebook_here()
        return Path(found) if found and str(found).endswith(".ipynb") and os.path.exists(found) else None

    def _now(self, path: Path | None) -> State:
        from mlwidgets.history.notebooks.notebook import load_notebook
        from mlwidgets.history.submitted import overlaid

        # What was saved after it was executed is in the file as it is now. Cells that only ask change nothing.
        since = path.stat().st_mtime if path else 0.0
        cells = [cell for cell in executed.here.cells(since) if not cell.source.lstrip().startswith("%nbdiff")]
        return overlaid(load_notebook(path) if path else None, cells), "now", None


def _of_run(name: str) -> State:
    from mlwidgets.history.which import of_run
    from mlwidgets.runs.folder import RunFolder

    return of_run(RunFolder(api.run(name).path))


def _show(old: State, new: State, *, outputs: bool) -> None:
    from IPython.display import display

    from mlwidgets.history.diff.cells import compare
    from mlwidgets.history.which import document
    from mlwidgets.views.nbdiffpage import fragment
    from mlwidgets.views.nbdifftext import text

    diff = compare(old[0], new[0], outputs=outputs)
    if outputs and not diff.outputs:
        print("Outputs are not compared: snapshots and runs keep none of the notebook's.")
    told = document(old, new, diff)
    shown = {"text/plain": text(told, colour=False, width=100), "text/html": fragment(told)}
    display(shown, raw=True)
