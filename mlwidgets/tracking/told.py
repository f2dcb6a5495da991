"""How a check is told: a line where the code's output is seen, an event in its run."""

from __future__ import annotations

import html
import os
import sys
from typing import Any

from mlwidgets.errors import CheckFailed
from mlwidgets.runs.journal import write_event
from mlwidgets.tracking.active import active_folder, tell_once

MIME = "application/vnd.mlwidgets.check+json"
"""What a check leaves beside its text in a notebook's output, for a page that is made of the notebook alone."""

_LONGEST = 1000


def tell_check(passed: bool, text: str, detail: str, required: bool) -> bool:
    """Show a check, write it into the run's events, and raise if it was required and did not pass."""
    text, detail = _short(text), _short(detail)
    told = {"text": text, "passed": passed, "detail": detail or None}
    folder = active_folder()
    if folder is not None:
        try:
            write_event(folder / "events.jsonl", "check", **told)
        except OSError as error:
            tell_once(f"checks are not being recorded: {error.strerror or error}. The code goes on.")
    _show(told)
    if required and not passed:
        raise CheckFailed(f"check failed: {text}" + (f": {detail}" if detail else ""))
    return passed


def _show(told: dict[str, Any]) -> None:
    sign, word = ("✓", "passed") if told["passed"] else ("✗", "failed")
    line = f"{sign} {told['text']}" + (f": {told['detail']}" if told["detail"] else "")
    shell = _kernel_shell()
    if shell is None:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(line.encode(encoding, "backslashreplace").decode(encoding))
        return
    colour = "var(--jp-success-color1, #1a7f37)" if told["passed"] else "var(--jp-error-color1, #cf222e)"
    detail = f'<span style="opacity: 0.75">: {html.escape(told["detail"])}</span>' if told["detail"] else ""
    shown = (
        f'<div class="mlwidgets-check"><span role="img" aria-label="{word}" style="color: {colour}; font-weight: 600">'
        f"{sign}</span> {html.escape(told['text'])}{detail}</div>"
    )
    shell.display_pub.publish({"text/plain": line, "text/html": shown, MIME: told})


def _kernel_shell() -> Any:
    """Return the shell whose outputs a notebook shows, None where there is only text: in a run, in a child process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    session = getattr(getattr(shell, "kernel", None), "session", None)
    return shell if getattr(session, "pid", None) == os.getpid() else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
