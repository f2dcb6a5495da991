"""What is installed for this interpreter, read from the metadata folders themselves: hundreds in milliseconds."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_DISTRIBUTION = re.compile(r"(.+?)-(\d[^-]*)\.(?:dist|egg)-info")
_MOST_PROVIDERS = 2
"""Of a module: what more distributions share is a name space, which says nothing of any of them."""


def installed() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return installed packages with their versions, and what provides modules that are called otherwise.

    Returns
    -------
    packages
        Versions by distribution: ``{"scikit-learn": "1.5"}``.
    provided
        Distributions by top-level module, where these are not called as the module: ``{"sklearn": ["scikit-learn"]}``.
    """
    packages: dict[str, str] = {}
    provided: dict[str, list[str]] = {}
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        there = {_plain(name.partition(".")[0]) for name in names if "." not in name or name.endswith((".py", ".so"))}
        for name in names:
            match = _DISTRIBUTION.fullmatch(name)
            if match is None or (called := _plain(match[1])) in packages:
                continue
            packages[called] = match[2]
            for module in _modules(Path(folder or ".") / name, called in there):
                if _plain(module) != called:
                    provided.setdefault(module, []).append(called)
    few = {module: sorted(by) for module, by in sorted(provided.items()) if len(by) <= _MOST_PROVIDERS}
    return dict(sorted(packages.items())), few


def _plain(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


def _modules(metadata: Path, named_alike: bool) -> set[str]:
    """Return the top-level modules of a distribution; the list of its files, which may be long, is read if need be."""
    try:
        if (metadata / "top_level.txt").exists():
            return {line.strip() for line in (metadata / "top_level.txt").read_text().splitlines() if line.strip()}
        if named_alike:
            return set()
        lines = (metadata / "RECORD").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    tops = {line.partition(",")[0].partition("/")[0].partition(".")[0] for line in lines if line.count(".py,") == 1}
    return {top for top in tops if top.isidentifier()}
