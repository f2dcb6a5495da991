"""What keeps a run from being done again, and what is other than it was then: found before anything starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlwidgets.errors import CannotRerun
from mlwidgets.reruns.repeating import Changes
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import RunStore


@dataclass(frozen=True)
class Preflight:
    """What was found before a run is done again, in sentences.

    Attributes
    ----------
    impossible
        What nobody can go past: a damaged folder, a missing object, a maker who is not trusted, a parameter that is
        none.
    problems
        What makes it another run than it was, or fail: data, packages, Python. Whoever knows better goes on.
    differences
        What is other than it was then and may change the bits: versions, processor, GPU, threads.
    """

    impossible: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it fit for JSON: ``problems`` are all of them, ``forcible`` says whether one can go on."""
        return {
            "problems": [*self.impossible, *self.problems],
            "forcible": not self.impossible,
            "differences": self.differences,
        }

    def raise_for_problems(self, name: str, *, force: bool = False) -> None:
        """Raise CannotRerun if there are problems; with `force` only if nobody can go past them."""
        if self.impossible or (self.problems and not force):
            raise CannotRerun(name, [*self.impossible, *self.problems], forcible=not self.impossible)


def check(store: RunStore, folder: RunFolder, changes: Changes | None = None) -> Preflight:
    """Look whether a run can be done again with some changes, here and now. Nothing is unpickled or started."""
    raise NotImplementedError
