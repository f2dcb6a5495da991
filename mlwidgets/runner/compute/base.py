"""The contract between a supervisor and the place where its worker runs."""

from __future__ import annotations

from abc import ABC, abstractmethod

from mlwidgets.runner.queue import Grant
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import RunSpec


class Worker(ABC):
    """A worker that was started.

    Guarantees: `poll` never blocks, and once it has returned a status it returns that one for ever; `interrupt`
    and `kill` may be called at any time, also after the end; after `kill` the worker and everything that it started
    is gone.
    """

    @property
    @abstractmethod
    def pid(self) -> int:
        """Process id, on the machine where it runs."""

    @abstractmethod
    def poll(self) -> int | None:
        """Return the exit status (negative: the number of the signal), None while it runs."""

    @abstractmethod
    def reap(self) -> None:
        """Let go of processes that the worker started and that have ended since."""

    @abstractmethod
    def spare(self, pid: int) -> None:
        """Leave that process alone: it was not started by the worker."""

    @abstractmethod
    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the code, so that its ``finally`` blocks run."""

    @abstractmethod
    def kill(self) -> None:
        """End the worker and all processes that it started, at once."""


class Compute(ABC):
    """A place where workers run.

    Guarantees: the worker executes the code of the run folder in the spec's working directory, writes its output to
    the folder's ``output.log``, and belongs to no terminal.
    """

    def dismiss(self) -> None:
        """Let go of what was prepared for a start, as the run has to wait: it need not be soon."""
        return

    @abstractmethod
    def start(self, folder: RunFolder, spec: RunSpec, grant: Grant | None = None) -> Worker:
        """Start the worker of a run.

        Parameters
        ----------
        grant
            The slots that the worker may use, and keeps taken as long as it lives.

        Raises
        ------
        OSError
            If it cannot be started.
        """
