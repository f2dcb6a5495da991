"""What a view says of a run that does another one again: which one, what was changed, and what came of it."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import CannotRerun, MlwidgetsError
from mlwidgets.reruns.resumable import cut_short_after
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import name_of

if TYPE_CHECKING:
    from mlwidgets.runs.run import Run
    from mlwidgets.runs.state import Outcome
    from mlwidgets.runs.verdict import Verdict

LONGEST_VALUE = 80
"""Characters of a changed parameter."""
LONGEST_LINE, MOST_LINES = 400, 12
"""Of a verdict's details."""

logger = logging.getLogger("mlwidgets.views")


def read_rerun(run: Run, *, ended: bool) -> dict[str, Any] | None:
    """Return of which run one is a rerun, fit for JSON; None for any other run.

    Returns
    -------
    dict or None
        ``of``: id; ``name``; ``changed``: name, what it was and what it is; ``verdict`` once there is one: ``equal``,
        ``chip``, ``summary`` and ``details`` as `mlwidgets.reruns.verdict.Verdict` has them.
    """
    of = run.spec.rerun_of
    return None if of is None else rerun_of(RunFolder(run.path), of, _verdict(RunFolder(run.path)) if ended else None)


def read_resumes(run: Run, outcome: Outcome) -> str | None:
    """Return after what a run that was cut short can go on, such as ``epoch 8``; None where it cannot."""
    if run.spec.sweep is not None or run.spec.report is not None:
        return None
    return cut_short_after(RunFolder(run.path), outcome.state, ended=outcome.ended)


def rerun_of(folder: RunFolder, of: str, verdict: Verdict | None) -> dict[str, Any]:
    """Return what `read_rerun` does of a rerun whose verdict is known, or not yet."""
    said = None
    if verdict is not None:
        details = [_short(line, LONGEST_LINE) for line in verdict.details[:MOST_LINES]]
        said = {"equal": verdict.equal, "chip": verdict.chip, "summary": verdict.summary, "details": details}
    return {"of": of, "name": name_of(of) or of, "changed": changed_in(folder), "verdict": said}


def _verdict(folder: RunFolder) -> Verdict | None:
    from mlwidgets.reruns.verdict import verdict_of

    try:
        return verdict_of(folder)
    except Exception:  # the view of a run does not hang on another run's folder
        logger.debug("what came of the rerun %r could not be told", folder.id, exc_info=True)
        return None


@functools.lru_cache(maxsize=1000)
def changed_in(folder: RunFolder) -> list[list[str | None]]:
    """Return what was changed on purpose in a rerun; nothing where the first run's spec cannot be read any more."""
    from mlwidgets.reruns.outcome import changes_between
    from mlwidgets.reruns.verdict import first_of

    try:
        now = folder.read_spec()
        first = first_of(folder, now)
        if first is None:
            return []
        before = first.read_spec()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return [
        [str(name), *(one and _short(one) for one in (old, new))] for name, old, new in changes_between(before, now)
    ]


def _short(text: str, most: int = LONGEST_VALUE) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def answer_rerun(run: Run, asked: Any) -> dict[str, Any]:
    """Answer whoever asks what doing a run again takes, or with `asked` to do so; that takes a second.

    Returns
    -------
    dict
        ``plan`` as `mlwidgets.reruns.elsewhere.look` gives it, ``started`` with the new run's id, or ``refused`` with
        ``problems`` and whether it is ``forcible``; ``error`` where something else is wrong.
    """
    from mlwidgets.reruns.elsewhere import look, start

    folder = RunFolder(run.path)
    try:
        if asked is None:
            return {"plan": look(folder)}
        return {"started": start(folder, asked if isinstance(asked, dict) else {}).id}
    except CannotRerun as error:
        return {"refused": {"problems": error.problems, "forcible": error.forcible}}
    except (MlwidgetsError, OSError) as error:
        return {"error": str(error)}


def rerun_lines(rerun: dict[str, Any]) -> list[str]:
    """Return what a terminal says of it, line by line."""
    verdict = rerun["verdict"]
    if verdict is not None:
        return [verdict["summary"], *verdict["details"]]
    changed = ", ".join(f"{name} {old or 'nothing'} → {new or 'nothing'}" for name, old, new in rerun["changed"])
    return [f"runs {rerun['of']} again{f' with {changed}' if changed else ''}"]
