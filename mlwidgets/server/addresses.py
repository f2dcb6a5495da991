"""Where reports are: those of the root's own store at ``reports/``, of a folder below it at ``reports/~FOLDER/~/``."""

from __future__ import annotations

from urllib.parse import quote


def address_of(key: str, *parts: str) -> str:
    """Return where the reports of a store are, or a page of theirs, from the server's base.

    Parameters
    ----------
    key
        The store's.
    parts
        Names that hold no slash; an empty one at the end stands for the slash there.
    """
    return "/".join([f"reports/~{quote(key)}/~" if key else "reports", *parts])
