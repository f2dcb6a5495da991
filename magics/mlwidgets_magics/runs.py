"""``%runs``: the project's runs, listed, shown, stopped and loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from mlwidgets import api
from mlwidgets.capture.results import Loaded, load_into
from mlwidgets.errors import MlwidgetsError, StoreError
from mlwidgets.runner.slots import overview
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.views.live import show
from mlwidgets.views.slots import QueuedRunTable, SlotsView
from mlwidgets.views.table import RunTable
from mlwidgets_magics.sending import Sending
from mlwidgets_magics.words import HELP, help_of, split_words

_T = TypeVar("_T")
_USAGE = (
    "usage: %runs [--all | slots | show NAME [NAME…] | logs NAME | stop NAME [NAME…] | load NAME [NAMES…]]; "
    "%runs --help says more"
)


@magics_class
class RunsMagics(Magics):
    """Looks at runs from the notebook."""

    shell: Any

    def __init__(self, shell: Any, sending: Sending) -> None:
        super().__init__(shell)
        self._sending = sending

    @line_magic
    def runs(self, line: str) -> RunTable | SlotsView | None:
        """List the project's runs, or do something with one.

        %runs                       table of all runs, newest first; below it, who holds slots and who waits
        %runs --all                 the same with every parameter and metric, however many there are
        %runs slots                 who holds GPUs and CPU places of this machine, who waits, and why
        %runs show NAME [NAME…]     its view: live while it runs, its end afterwards; several together
        %runs logs NAME             its output, and the traceback if it failed
        %runs stop NAME [NAME…]     interrupt it, and kill it if it does not end
        %runs load NAME [NAMES…]    put its results into the notebook

        NAME is a run's name (the newest of that name), an id or the beginning of an id.
        """
        words = split_words(line)
        if not words or words == ["--all"]:
            return self._guarded(lambda: _table(every=bool(words)))
        if words[0] in HELP:
            print(help_of(RunsMagics.runs))
            return None
        if words == ["slots"]:
            return self._guarded(lambda: SlotsView(overview()))
        action, names = words[0], words[1:]
        if action == "show" and names:
            self._guarded(lambda: _show([api.run(name) for name in names]))
        elif action == "load" and names:
            self._guarded(lambda: self._load(api.run(names[0]), names[1:]))
        elif action == "stop" and names:
            self._guarded(lambda: _stop([api.run(name) for name in names]))
        elif action == "logs" and len(names) == 1:
            self._guarded(lambda: self._logs(api.run(names[0])))
        else:
            raise UsageError(_USAGE)
        return None

    def _guarded(self, action: Callable[[], _T]) -> _T:
        try:
            return action()
        except MlwidgetsError as error:
            raise UsageError(str(error)) from None
        except KeyError as error:
            raise UsageError(str(error.args[0])) from None

    def _logs(self, run: Run) -> None:
        print(run.output, end="")
        if run.error:
            print(run.error)

    def _load(self, run: Run, names: list[str]) -> None:
        submitted = self._sending.submitted.get(run.id)
        loaded = load_into(RunFolder(run.path), run.result, self.shell.user_ns, names, submitted)
        print(describe(run, loaded))


def _table(*, every: bool) -> RunTable:
    summaries = api.summaries()
    try:
        return QueuedRunTable(summaries, overview(foreign=False), every=every)
    except StoreError:
        # Runs are there to be seen even where there is no queue.
        return RunTable(summaries, every=every)


def _show(runs: list[Run]) -> None:
    first, *others = {run.id: run for run in runs}.values()
    show(first, *others)


def _stop(runs: list[Run]) -> None:
    for run in {run.id: run for run in runs}.values():
        if run.ended:
            print(f"{run.name} has ended already: {run.state}")
        else:
            run.stop()
            print(f"{run.name}: asked to stop")


def describe(run: Run, loaded: Loaded) -> str:
    """Say in a few lines what was loaded."""
    lines = []
    if loaded.bound:
        lines.append(f"loaded from {run.name}: {', '.join(loaded.bound)}")
    if loaded.updated:
        lines.append(f"updated in place: {', '.join(loaded.updated)}")
    for name, reason in loaded.kept.items():
        lines.append(f"left alone: {name} ({reason})")
    return "\n".join(lines) or f"{run.name} has no results"
