"""``%runs``: the project's runs, listed, shown, stopped and loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from mlwidgets import api
from mlwidgets.capture.results import Loaded, load_into
from mlwidgets.errors import MlwidgetsError, ParameterError, StoreError
from mlwidgets.runner.slots import overview
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.views.live import show
from mlwidgets.views.slots import QueuedRunTable, SlotsView
from mlwidgets.views.table import RunTable
from mlwidgets_magics import annotating, rerunning, resuming
from mlwidgets_magics.choosing import choose, compare
from mlwidgets_magics.sending import Sending
from mlwidgets_magics.words import HELP, help_of, read_params, split_words

_T = TypeVar("_T")
_USAGE = (
    "usage: %runs [--all | --trials | --where … --sort … | slots | diff A B [C…] | show NAME [NAME…] | logs NAME | "
    "stop NAME [NAME…] | load NAME [NAMES…] [--best | --last] | rerun or resume NAME [param=value …] | "
    "rename NAME NEW | tag NAME key=value … | note NAME TEXT | pin, unpin, delete or restore NAME [NAME…] | "
    "trials, narrow or pause SWEEP | concurrent SWEEP N [--now] | add SWEEP param=value …]; %runs --help says more"
)
_OF_SWEEPS = frozenset({"trials", "narrow", "pause", "concurrent", "add"})
_WHICH = frozenset({"--best", "--last"})
LONGEST_PARAMS = 200
"""Characters of a trial's parameters in one line."""


@magics_class
class RunsMagics(Magics):
    """Looks at runs from the notebook."""

    shell: Any

    def __init__(self, shell: Any, sending: Sending) -> None:
        super().__init__(shell)
        self._sending = sending

    @line_magic
    def runs(self, line: str) -> Any:
        """List the project's runs, or do something with one.

        %runs                       table of all runs, newest first; below it, who holds slots and who waits
        %runs --all                 the same with every parameter and metric, however many there are
        %runs --trials              the same with the trials of sweeps, each in a line of its own
        %runs --sort val_accuracy   the best first; by a metric, a parameter, name, age, …; --reverse turns it around
        %runs --where "lr<1e-3 and state=='finished'"    those that fit; -n N the first N, --frame as a DataFrame
        %runs diff A B [C…]         what differs between runs: only that, and from which step on metrics do; --json
        %runs slots                 who holds GPUs and CPU places of this machine, who waits, and why
        %runs show NAME [NAME…]     its view: live while it runs, its end afterwards; several together
        %runs logs NAME             its output, and the traceback if it failed
        %runs stop NAME [NAME…]     interrupt it, and kill it if it does not end
        %runs load NAME [NAMES…]    put its results into the notebook; --best: as its best checkpoint was, --last: as
                                    its last was; of a sweep --best is its best trial
        %runs rerun NAME            do it again, exactly, as a new run; param=value changes what is named, --wait says
                                    what came of it; %runs rerun --help says more
        %runs resume NAME           go on from its last checkpoint, as a new run; param=value changes what is named

        What is said of a run afterwards:
        %runs rename NAME NEW       call it otherwise; its earlier names still find it
        %runs tag NAME key=value …  give it tags; key= takes one away
        %runs note NAME TEXT        give it a note
        %runs pin NAME [NAME…]      keep it on top of lists; unpin lets it go
        %runs delete NAME [NAME…]   into the trash for a week; %runs restore NAME brings it back

        Of sweeps:
        %runs trials NAME           table of its trials, the best first
        %runs narrow NAME           the next, smaller search around the good region, as a line to copy
        %runs pause NAME            start no trials until %runs resume NAME; those that run go on
        %runs concurrent NAME N     run N trials at once; with --now also interrupt those beyond, which run again later
        %runs add NAME lr=0.01 …    run a trial with these parameters next

        NAME is a run's name (the newest of that name), an id or the beginning of an id.
        """
        words = split_words(line)
        if set(words) <= {"--all", "--trials"}:
            return self._guarded(lambda: _table(every="--all" in words, trials="--trials" in words))
        if words[0] in HELP:
            print(help_of(RunsMagics.runs))
            return None
        if words[0].startswith("-"):
            return self._guarded(lambda: choose(words))
        if words[0] == "diff" and len(words) > 1:
            return self._guarded(lambda: compare(words[1:]))
        if words == ["slots"]:
            return self._guarded(lambda: SlotsView(overview()))
        action, names = words[0], words[1:]
        if action in annotating.ACTIONS:
            return self._guarded(lambda: annotating.act(words))
        if action in _OF_SWEEPS and names and _is_whole(action, names[1:]):
            return self._guarded(lambda: self._of_sweep(action, names[0], names[1:]))
        return self._of_run(action, names)

    def _of_run(self, action: str, names: list[str]) -> None:
        if action == "show" and names:
            self._guarded(lambda: _show([api.run(name) for name in names]))
        elif action == "load" and [name for name in names if name not in _WHICH]:
            odd = next((name for name in names if name.startswith("-") and name not in _WHICH), None)
            if odd is not None:
                raise UsageError(f"%runs load: there is no option {odd}; it has {' and '.join(sorted(_WHICH))}")
            which = next((name for name in names if name in _WHICH), None)
            self._guarded(lambda: self._load(*(name for name in names if name not in _WHICH), which=which))
        elif action == "stop" and names:
            self._guarded(lambda: _stop([api.run(name) for name in names]))
        elif action == "logs" and len(names) == 1:
            self._guarded(lambda: self._logs(api.run(names[0])))
        elif action == "rerun":
            if not names:
                raise UsageError("%runs rerun takes a run, and what is to change: %runs rerun lenet lr=3e-4")
            self._guarded(lambda: rerunning.rerun(names, self.shell.user_ns))
        elif action == "resume" and names:
            self._guarded(lambda: resuming.resume(names, self.shell.user_ns))
        else:
            raise UsageError(_USAGE)

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

    def _load(self, name: str, *names: str, which: str | None) -> None:
        from mlwidgets.sweeps.sweep import Sweep

        run = found = api.run(name)
        # What names meant when the sweep was submitted is what they meant for its trials.
        submitted = self._sending.submitted.get(found.id)
        if isinstance(found, Sweep):
            if which != "--best":
                raise ParameterError(f"{name} is a sweep: %runs load {name} --best loads its best trial, "
                                     f"%runs load {name}-3 the trial 3")  # fmt: skip
            run = found.best
        elif which is not None:
            last = which == "--last"
            loaded, where = resuming.load(run, names, self.shell.user_ns, submitted, last=last)
            print(f"{describe(run, loaded)}\n{where}")
            return
        loaded = load_into(RunFolder(run.path), run.result, self.shell.user_ns, list(names), submitted)
        print(describe(run, loaded))
        if run is not found:
            print(self._params_of(run, loaded))

    def _params_of(self, run: Run, loaded: Loaded) -> str:
        """Say which parameters the best trial had, and that the notebook's own names are not touched."""
        from mlwidgets.sweeps.space.values import word

        line = f"its parameters: {' '.join(f'{name}={word(value)}' for name, value in run.params.items())}"
        own = [f"`{name}`" for name in run.params if name in self.shell.user_ns and name not in loaded.bound]
        stay = f"; the notebook's own {', '.join(own)} stay{'s' * (len(own) == 1)} as before" if own else ""
        return (line if len(line) <= LONGEST_PARAMS else f"{line[: LONGEST_PARAMS - 1]}…") + stay

    def _of_sweep(self, action: str, name: str, words: list[str]) -> Any:
        from mlwidgets.sweeps.sweep import Sweep

        sweep = api.run(name)
        if not isinstance(sweep, Sweep):
            raise ParameterError(f"{name} is no sweep: %runs {action} is for those that %%sweep has started")
        if action == "trials":
            return sweep.trials
        if action == "narrow":
            return sweep.narrow()
        if action == "add":
            sweep.add(read_params(words, taken=self.shell.user_ns))
            asked = f"run a trial with {', '.join(words)}"
        elif action == "concurrent":
            sweep.set_concurrent(_number(words[0]), now="--now" in words)
            asked = f"run {words[0]} at once"
        else:
            sweep.pause()
            asked = f"pause; `%runs resume {name}` lets it go on"
        print(f"{sweep.name}: asked to {asked}")
        return None


def _table(*, every: bool, trials: bool) -> RunTable:
    summaries = api.summaries()
    try:
        return QueuedRunTable(summaries, overview(foreign=False), every=every, trials=trials)
    except StoreError:
        # Runs are there to be seen even where there is no queue.
        return RunTable(summaries, every=every, trials=trials)


def _is_whole(action: str, words: list[str]) -> bool:
    """Whether what is asked of a sweep has all its words, and no others."""
    if action == "add":
        return bool(words)
    if action == "concurrent":
        return bool(words) and set(words[1:]) <= {"--now"}
    return not words


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ParameterError(f"{text!r} is no number of trials") from None


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
