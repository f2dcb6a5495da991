"""What came of a run that was done again: whether it is the same to the bit, and if not, since when and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from mlwidgets.runs.folder import RunFolder


@dataclass(frozen=True)
class Verdict:
    """What came of a rerun beside the run that it does again.

    Attributes
    ----------
    of
        Id of that run.
    equal
        Whether all that can be compared is the same to the bit; None where nothing has to be the same, because
        something was changed on purpose, or where nothing can be compared.
    chip
        The verdict in two to five words: ``same bits``, ``differs from step 12``, ``lr changed``.
    summary
        The verdict in one line.
    details
        Further lines: what differs around the runs, what the reason may be.
    changed
        What was changed on purpose: the name, what it was, and what it is.
    first
        Of each metric that differs the first record that does: ``name``, ``step``, ``index``, ``old`` and ``new``,
        values as texts, None where one logged none there.
    parts
        Of a sweep the verdicts on its trials, by number: ``trial``, ``equal``, ``summary``.
    """

    of: str
    equal: bool | None
    chip: str
    summary: str
    details: list[str] = field(default_factory=list)
    changed: list[list[str | None]] = field(default_factory=list)
    first: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)

    def text(self) -> str:
        """Return summary and details, a line each."""
        return "\n".join([self.summary, *self.details])

    def to_json(self) -> dict[str, Any]:
        """Return it fit for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """Build from `to_json`.

        Raises
        ------
        KeyError, TypeError
            If the data are no verdict.
        """
        return cls(**data)


def verdict_of(folder: RunFolder) -> Verdict | None:
    """Return what came of a rerun; None while it goes on, and for a run that is none.

    Whoever asks first after the end compares, and leaves ``verdict.json`` in the run's folder. Nothing is unpickled.
    """
    raise NotImplementedError


def verdict_of_run(folder: RunFolder) -> Verdict:
    """Compare a rerun of one run, which has ended, with the run that it does again."""
    raise NotImplementedError
