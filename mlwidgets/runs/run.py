"""What a user holds: a run, read from its folder whenever it is asked."""

from __future__ import annotations

import os
import time
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import ResultNotAvailable, RunFailed, StoreError, UnknownRun
from mlwidgets.runs.annotations import Annotations, annotate, name_of_trial, read_annotations
from mlwidgets.runs.checkpoints import Checkpoint, best_of, criterion_of, read_checkpoints
from mlwidgets.runs.displays import Display, replay
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.foreign import read_origin, trust
from mlwidgets.runs.insight import Insight, insight
from mlwidgets.runs.journal import MetricColumn, read_lines, read_metrics
from mlwidgets.runs.latest import read_last
from mlwidgets.runs.media import Logged, read_media
from mlwidgets.runs.spec import RunSpec, parse_literal
from mlwidgets.runs.state import ENDINGS, FINISHED, Outcome, settle
from mlwidgets.runs.stopping import ask_to_stop
from mlwidgets.runs.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

    from mlwidgets.runs.result import Result, ResultOpener


class Run:
    """One execution of one piece of notebook code.

    It holds no state of its own but the run folder's path: any process may make one for the same run, and each
    reads what is true now.

    Parameters
    ----------
    path
        The run folder.
    opener
        Reads results; without one the run can be looked at, but nothing of it is unpickled.
    """

    def __init__(self, path: Path, opener: ResultOpener | None = None) -> None:
        self._folder = RunFolder(Path(path))
        self._opener = opener

    @cached_property
    def spec(self) -> RunSpec:
        """What was asked.

        Raises
        ------
        UnknownRun
            If the run folder is gone or damaged.
        """
        try:
            return self._folder.read_spec()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnknownRun(f"the run folder {self.path} is gone or damaged: {error}") from error

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._folder.path

    @property
    def id(self) -> str:
        """Sortable by time, readable, typable."""
        return self._folder.id

    @property
    def name(self) -> str:
        """What the user called it last; a trial is called after its sweep."""
        spec = self.spec
        given = self._annotations.name
        if given is None and spec.trial_of is not None:
            given = name_of_trial(self.path.parent, spec.trial_of, spec.trial)
        return given or spec.name

    @cached_property
    def params(self) -> dict[str, Any]:
        """The parameters with their values; a value that is no Python literal is its text."""
        values: dict[str, Any] = {}
        for name, text in self.spec.params.items():
            try:
                values[name] = parse_literal(text)
            except ValueError:
                values[name] = text
        return values

    @property
    def _annotations(self) -> Annotations:
        """What it was given after the submit."""
        return read_annotations(self._folder)

    @property
    def tags(self) -> dict[str, str]:
        """The tags it was given last."""
        given = self._annotations.tags
        return dict(self.spec.tags if given is None else given)

    @property
    def note(self) -> str:
        """The note it was given last."""
        given = self._annotations.note
        return self.spec.note if given is None else given

    @property
    def pinned(self) -> bool:
        """Whether lists keep it on top."""
        return self._annotations.pinned

    def rename(self, name: str | None) -> Run:
        """Call the run otherwise; None brings back the name of the submit. Return the run.

        It is found by its earlier names, too, as long as no other run is called so.

        Raises
        ------
        ParameterError
            If a run cannot be called so.
        StoreError
            If that cannot be written down.
        """
        return self.annotate(name=name)

    def annotate(self, **given: Any) -> Run:
        """Give the run ``tags``, a ``note``, a ``name``, or ``pinned``; return it.

        Tags are all that it has from now on, or a function that makes them of those it has: ``tags=lambda tags: tags |
        {"good": "yes"}``. None brings back what the submit gave.

        Raises
        ------
        ParameterError
            If one of them is too long, or of another type.
        StoreError
            If that cannot be written down.
        """
        annotate(self._folder, **given)
        return self

    @property
    def outcome(self) -> Outcome:
        """State, cause and times in one reading."""
        return settle(self._folder)

    @property
    def state(self) -> str:
        """One of submitted, running, finished, failed, stopped, killed, timeout."""
        return self.outcome.state

    @property
    def cause(self) -> str | None:
        """Why it ended as it did, in one line."""
        return self.outcome.cause

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.outcome.ended

    @property
    def submitted_at(self) -> float:
        """Unix seconds."""
        return self.spec.submitted_at

    @property
    def started_at(self) -> float | None:
        """Unix seconds at which the code began, None before that."""
        return self.outcome.started_at

    @property
    def ended_at(self) -> float | None:
        """Unix seconds, None before the end."""
        return self.outcome.ended_at

    @property
    def elapsed(self) -> float:
        """Seconds that the code has been running, or ran in all."""
        outcome = self.outcome
        if outcome.started_at is None:
            return 0.0
        return max(0.0, (outcome.ended_at or time.time()) - outcome.started_at)

    def columns(self) -> dict[str, MetricColumn]:
        """Return the metrics as numpy arrays, in the order in which they first appeared."""
        return read_metrics(self._folder.metrics, self._folder.events)

    @property
    def metrics(self) -> pd.DataFrame:
        """One column per metric, indexed by step; of several records at one step the last one."""
        import pandas as pd

        series = {}
        for name, column in self.columns().items():
            one = pd.Series(column.values, index=pd.Index(column.steps, name="step"), name=name)
            series[name] = one[~one.index.duplicated(keep="last")]
        if not series:
            return pd.DataFrame(index=pd.Index([], name="step", dtype="int64"))
        return pd.concat(series, axis=1, sort=True).rename_axis("step")

    def history(self) -> pd.DataFrame:
        """Return every record in long form: columns ``metric``, ``step``, ``value``, ``time`` (UTC)."""
        import numpy as np
        import pandas as pd

        columns = self.columns()
        frame = pd.DataFrame(
            {
                "metric": np.repeat(np.array(list(columns), dtype=object), [len(c.values) for c in columns.values()]),
                "step": np.concatenate([c.steps for c in columns.values()] or [np.empty(0, np.int64)]),
                "value": np.concatenate([c.values for c in columns.values()] or [np.empty(0)]),
                "time": np.concatenate([c.times for c in columns.values()] or [np.empty(0)]),
            }
        )
        frame["time"] = pd.to_datetime(frame["time"], unit="s", utc=True)
        return frame.sort_values("time", kind="stable", ignore_index=True)

    def system_columns(self) -> dict[str, MetricColumn]:
        """Return what the run used, sampled every second from outside, as `columns` does."""
        return read_metrics(self._folder.system, self._folder.events, "system")

    @property
    def system(self) -> pd.DataFrame:
        """What the run used: one column per figure, indexed by seconds since its code began."""
        import numpy as np
        import pandas as pd

        columns = self.system_columns()
        if not columns:
            return pd.DataFrame(index=pd.Index([], name="seconds", dtype="float64"))
        steps, first = np.unique(np.concatenate([c.steps for c in columns.values()]), return_index=True)
        times = np.concatenate([c.times for c in columns.values()])[first]
        series = {
            name: pd.Series(c.values, index=c.steps)[lambda s: ~s.index.duplicated(keep="last")]
            for name, c in columns.items()
        }
        frame = pd.DataFrame(series).reindex(steps)
        frame.index = pd.Index(times - (self.started_at or times[0]), name="seconds")
        return frame

    @property
    def output(self) -> str:
        """All that the code wrote to standard output and error."""
        return self._read_output(0)

    def output_tail(self, limit: int = 65536) -> str:
        """Return the end of the output, at most `limit` bytes, without what ``clear_output`` took away."""
        size = self._output_size()
        start = max(self._shown()[1], size - limit)
        text = self._read_output(start)
        if start == 0 or size - start < limit:
            return text
        # The first line is cut off, unless it is all there is, as with a progress bar.
        return text.partition("\n")[2] or text

    def _read_output(self, start: int) -> str:
        try:
            with open(self._folder.output, "rb") as file:
                file.seek(start)
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def _output_size(self) -> int:
        try:
            return self._folder.output.stat().st_size
        except FileNotFoundError:
            return 0

    def displays(self) -> list[Display]:
        """Return what the code has on show now: figures, tables, values; updates and clears applied."""
        return self._shown()[0]

    def _shown(self) -> tuple[list[Display], int]:
        return replay(read_lines(self._folder.displays), self._output_size())

    def media(self) -> list[Logged]:
        """Return the histograms, images, confusion matrices and tables that it logged, in order."""
        return read_media(self._folder.media, self._folder.media_files)[0]

    @property
    def outputs(self) -> Path:
        """The directory with the files that the code saved."""
        return self._folder.outputs

    @property
    def error(self) -> str | None:
        """The traceback as the notebook would have shown it (with colours: print it), None if there is none."""
        error = self.outcome.error
        return "\n".join(error["traceback"]) if error else None

    @cached_property
    def _result(self) -> Result:
        if self._opener is None:
            raise ResultNotAvailable(f"this view of run {self.name!r} opens no results; use mlwidgets.run({self.id!r})")
        return self._opener.open_result(self._folder, f"run {self.name!r}")

    @property
    def result(self) -> Result:
        """The names that the code bound or changed in place, with their values.

        Raises
        ------
        ResultNotAvailable
            If the run goes on, or ended without leaving a result.
        """
        outcome = self.outcome
        if not outcome.ended:
            raise ResultNotAvailable(f"run {self.name!r} is still {outcome.state}; wait() for it first")
        if not self._folder.manifest.exists():
            raise ResultNotAvailable(
                f"run {self.name!r} left no result: it {_ending(outcome)}; its output is in {self._folder.output}"
            )
        return self._result

    @property
    def rerun_of(self) -> str | None:
        """Id of the run that this one does again, None for a run that is no rerun."""
        return self.spec.rerun_of

    @property
    def verdict(self) -> Verdict | None:
        """What came of it beside the run that it does again; None while it goes on, and for a run that is no rerun."""
        if self.rerun_of is None:
            return None
        # The room that compares lies above this one, and is called by name.
        found: Verdict | None = import_module("mlwidgets.reruns.verdict").verdict_of(self._folder)
        return found

    def wait(self, timeout: float | None = None) -> Run:
        """Block until the run has ended; return it.

        Raises
        ------
        TimeoutError
            If it goes on after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.005
        while not self.ended:
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"run {self.name!r} is still {self.state} after {timeout:g} s")
            time.sleep(pause)
            pause = min(0.1, pause * 1.5)
        return self

    def raise_for_state(self) -> Run:
        """Return the run if it finished.

        Raises
        ------
        Exception
            What the code raised, showing the traceback of the cell, where it can be loaded here.
        RunFailed
            If it ended in another way.
        """
        outcome = self.outcome
        if outcome.state == FINISHED or not outcome.ended:
            return self
        if outcome.error is not None and self._opener is not None:
            raise self._opener.load_exception(self._folder, outcome.error)
        raise RunFailed(f"run {self.name!r} {_ending(outcome)}; its output is in {self._folder.output}")

    def stop(self, by: str = "user") -> None:
        """Ask the run to stop: the code is interrupted, and killed if it does not end in time.

        Returns at once; a run that has ended stays as it is.

        Raises
        ------
        StoreError
            If the request cannot be left in the run folder.
        """
        if self.ended:
            return
        try:
            ask_to_stop(self._folder, by)
        except OSError as error:
            raise StoreError(f"run {self.name!r} could not be asked to stop: {error.strerror or error}") from error

    def __repr__(self) -> str:
        try:
            outcome = self.outcome
            parts = [f"Run {self.name!r}", outcome.state]
            if outcome.started_at is not None:
                parts.append(f"{(outcome.ended_at or time.time()) - outcome.started_at:.1f} s")
            if outcome.cause and outcome.state != FINISHED:
                parts.append(outcome.cause)
            parts.extend(f"{name}={value:.4g}" for name, value in self.last_values().items())
            return f"<{', '.join(parts)}>"
        except Exception as error:  # a list of runs shows all of them, whatever became of one folder
            if isinstance(error, UnknownRun) and not os.path.exists(self.path):
                return f"<{error}>"
            cause = error.__cause__ or error
            return f"<Run folder {self.id} is damaged: {type(cause).__name__}: {cause}>"

    def last_values(self) -> dict[str, float]:
        """Return the last value of each metric."""
        return read_last(self._folder.metrics, self._folder.events)

    @property
    def origin(self) -> dict[str, Any] | None:
        """Where the run was imported from: archive, host, user, when and by whom; None for a run of this store."""
        return read_origin(self._folder)

    def trust(self) -> Run:
        """Say that whoever made this imported run is trusted: its result may be read, which executes their code.

        Raises
        ------
        StoreError
            If that cannot be written down.
        """
        trust(self._folder)
        return self

    @property
    def artifacts(self) -> list[str]:
        """Names below `outputs` that `save` wrote, in order."""
        names = [e.get("name") for e in read_lines(self._folder.events) if e["event"] == "artifact"]
        return list(dict.fromkeys(name for name in names if isinstance(name, str)))

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """What `mlwidgets.checkpoint` kept of its training, the last one last."""
        return read_checkpoints(self._folder.checkpoints)

    @property
    def best_checkpoint(self) -> Checkpoint | None:
        """The best one by the value that they were judged by, None where nothing tells."""
        return next(iter(best_of(self.checkpoints)), None)

    @property
    def insight(self) -> Insight:
        """What its curves tell: the best epoch, and whether validation gets worse while training gets better."""
        judged = next((one.best for one in reversed(self.checkpoints) if one.best), None)
        return insight({name: (column.steps, column.values) for name, column in self.columns().items()}, judged)

    @property
    def best_epoch(self) -> int | None:
        """The epoch at which what it is judged by was best, the step where that counts steps; None if nothing tells."""
        kept, found = self.best_checkpoint, self.insight.best
        judged = criterion_of(kept.best) if kept is not None else None
        if kept is not None and judged is not None and (found is None or found.metric != judged[0]):
            # It is judged by a value that it does not log.
            return kept.step if kept.epoch is None else kept.epoch
        return None if found is None else found.step

    @property
    def environment(self) -> dict[str, Any]:
        """Provenance gathered in the background: git, packages, GPUs, threads; empty until it is there."""
        return read_json(self._folder.environment) or {}


def _ending(outcome: Outcome) -> str:
    """Return how a run ended and why, in words: ``was killed: out of memory``."""
    ending, cause = ENDINGS[outcome.state], outcome.cause
    if not cause:
        return ending
    # Many a cause begins with the word itself, as "stopped by Ctrl-C" does.
    return f"was {cause}" if f"was {cause}".startswith(f"{ending} ") else f"{ending}: {cause}"
