"""What is wrong with something in a store, in one line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Parameters
    ----------
    where
        Its path in the store.
    what
        What is wrong with it.
    done
        What was done about it, None where that is nothing.
    """

    where: str
    what: str
    done: str | None = None

    @property
    def repaired(self) -> bool:
        """Whether nothing is wrong with it any more."""
        return self.done is not None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}{f' — repaired: {self.done}' if self.done else ''}"
        return "".join(c if c.isprintable() else "?" for c in line)
