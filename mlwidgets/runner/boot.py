"""Fresh Python processes of ours: ``python -P boot.py MODULE ARGUMENTS…`` runs ``main`` of a module.

A kernel may know mlwidgets by its ``sys.path`` alone, which a fresh process does not share.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours in a fresh Python process with this one's interpreter options."""
    options = vars(subprocess)["_args_from_interpreter_flags"]()
    return [sys.executable, *options, "-P", __file__, module, *arguments]


if __name__ == "__main__":
    try:
        import mlwidgets  # noqa: F401
    except ImportError:
        sys.path.append(str(Path(__file__).resolve().parents[2]))
    importlib.import_module(sys.argv.pop(1)).main()
