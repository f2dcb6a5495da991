"""The controller's book: each decision is an event in the sweep's folder before it is carried out."""

from __future__ import annotations

from typing import Any

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import LineWriter, read_lines
from mlwidgets.runs.trials import WARM_START, Trial, TrialLog
from mlwidgets.sweeps.control.insisting import insist


class Book:
    """Writes and remembers what happened to the trials of one sweep.

    Attributes
    ----------
    log
        The trials as the events tell of them.
    texts
        Their parameters as Python literals, by number.
    ended
        Those that have ended, in the order of their ends; without those that were taken over.
    runs
        Ids of all runs that there were, also of trials that gave their slots back.
    wishes
        Ids of the wishes that were answered, and whether they were granted.
    numbers
        What wishes for so many trials at once came to, by their ids.
    resumed
        How many trials had ended when the sweep last went on after a pause.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._writer = LineWriter(folder.events)
        self.log = TrialLog(folder.events)
        self.texts: dict[int, dict[str, str]] = {}
        self.ended: list[Trial] = []
        self.runs: list[str] = []
        self.wishes: dict[str, bool] = {}
        self.numbers: dict[str, int] = {}
        self.resumed = 0
        # By the order of the events: clocks are set, forwards and back.
        ends: dict[int, None] = {}
        for event in read_lines(folder.events):
            self._remember(event)
            if event["event"] == "trial_ended":
                ends[event["number"]] = None
            elif event["event"] == "resumed":
                self.resumed = len(ends)
        self.log.advance()
        told = (self.log.trials.get(number) for number in ends)
        self.ended = [trial for trial in told if trial is not None and trial.is_over and trial.by != WARM_START]

    def tell(self, kind: str, **fields: Any) -> None:
        """Write an event; on a full disk wait for room.

        Raises
        ------
        OSError
            If there is none for minutes.
        """
        insist(lambda: self._writer.write(kind, **fields))
        self._remember({"event": kind, **fields})
        if kind == "resumed":
            self.resumed = len(self.ended)
        self.log.advance()
        if kind == "trial_ended":
            self.ended.append(self.log.trials[fields["number"]])

    def _remember(self, event: dict[str, Any]) -> None:
        if event["event"] == "trial":
            self.texts[event["number"]] = event["params"]
            self.runs.append(event["run"])
        elif event["event"] == "wish":
            self.wishes[event["id"]] = event["done"]
        elif event["event"] == "concurrent" and "wish" in event:
            self.numbers[event["wish"]] = event["n"]

    @property
    def own(self) -> int:
        """How many trials there are that were not taken over."""
        return sum(trial.by != WARM_START for trial in self.log.trials.values())
