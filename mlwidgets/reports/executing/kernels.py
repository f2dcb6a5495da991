"""Which kernel executes a notebook, and whether it is installed here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from mlwidgets.errors import NotebookError

NATIVE = "python3"
"""The kernel of this very Python, which needs no entry of its own."""


def kernel_of(document: Mapping[str, Any], language: str) -> str:
    """Return the name of the kernel that a notebook asks for; of one that names none, Python's.

    Raises
    ------
    NotebookError
        If it is of another language and names none.
    """
    metadata = document.get("metadata")
    told = metadata.get("kernelspec") if isinstance(metadata, Mapping) else None
    name = told.get("name") if isinstance(told, Mapping) else None
    if isinstance(name, str) and name.strip():
        return name.strip()
    if language != "python":
        raise NotebookError(f"the notebook is in {language} and names no kernel: give one with --kernel NAME")
    return NATIVE


def check_kernel(name: str) -> str:
    """Return the language of an installed kernel, in lower case.

    Raises
    ------
    NotebookError
        If there is none of that name; the message says which there are.
    """
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        return str(manager.get_kernel_spec(name).language).lower()
    except NoSuchKernel:
        known = sorted(manager.find_kernel_specs())
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        meant = f"did you mean {close[0]!r}? " if close else ""
        there = f"there are: {', '.join(known)}" if known else "there are none"
        raise NotebookError(
            f"no kernel {name!r:.60} is installed here; {meant}{there}; name one with --kernel, or install it"
        ) from None
    except Exception as error:  # the file that describes it may hold anything
        raise NotebookError(f"the kernel {name!r:.60} cannot be used: {error}; install it again") from error
