"""What came of a run that did another one again, as it is kept in its folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mlwidgets.runs.folder import RunFolder, read_json


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
        return "\n".join([self.summary, *(f"  {line}" for line in self.details)])

    def to_json(self) -> dict[str, Any]:
        """Return it fit for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """Build from `to_json`.

        Raises
        ------
        ValueError, TypeError
            If the data are no verdict.
        """
        verdict = cls(**data)
        texts = [verdict.of, verdict.chip, verdict.summary, *verdict.details]
        tables = (*verdict.first, *verdict.parts)
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(one, dict) for one in tables):
            raise ValueError("no verdict")
        if verdict.equal not in {True, False, None} or not all(isinstance(one, list) for one in verdict.changed):
            raise ValueError("no verdict")
        # It may have come in an archive, and terminals show it.
        chip, summary, *details = (_plain(text) for text in (verdict.chip, verdict.summary, *verdict.details))
        return replace(verdict, chip=chip, summary=summary, details=details)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def read_verdict(folder: RunFolder) -> Verdict | None:
    """Return the verdict that was left in a run's folder, None where there is none that can be read."""
    data = read_json(folder.verdict)
    if data is None:
        return None
    try:
        return Verdict.from_json(data)
    except (ValueError, TypeError):
        return None
