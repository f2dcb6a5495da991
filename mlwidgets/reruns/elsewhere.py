"""A rerun asked for by a process that is not to do it itself: a server, which may live in another environment, a view.

The run's own interpreter does it in a process of its own, where there is one that knows mlwidgets; else this one's.
How code is captured and sent is imported there: a server that only shows runs need not know.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlwidgets.errors import CannotRerun, MlwidgetsError, ParameterError, ResultNotAvailable
from mlwidgets.reruns.interpreters import interpreter_of
from mlwidgets.reruns.resumable import goes_on_after
from mlwidgets.runner import boot
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.foreign import check_trusted
from mlwidgets.runs.journal import FOLDER_VARIABLE
from mlwidgets.runs.spec import RunSpec, parse_literal
from mlwidgets.runs.state import FINISHED, settle
from mlwidgets.runs.store import RunStore, name_now

PATIENCE = 120.0
"""Seconds for which an answer is waited for."""
_ANSWER = "mlwidgets answers: "
"""Before the answer: what else an interpreter prints at its start is none."""
_KINDS = {
    "params": dict,
    "force": bool,
    "publish": bool,
    "resume": bool,
    "deterministic": bool | None,
    "seed": int | None,
}


def look(folder: RunFolder) -> dict[str, Any]:
    """Return what doing a run again would take.

    Returns
    -------
    dict
        ``kind``: run, sweep or report; ``params``: texts by name; ``problems``; ``forcible``: whether one can go on in
        spite of them; ``differences``; ``resumes``: after what it could go on instead, such as ``epoch 8``, or None;
        ``resume_differences``: those of a run that does; ``finished``: whether such a one may have nothing left to do.

    Raises
    ------
    MlwidgetsError
        If nobody can tell.
    """
    return _ask(folder, None)


def start(folder: RunFolder, asked: Mapping[str, Any]) -> RunFolder:
    """Do a run again; return the new one's folder.

    Parameters
    ----------
    asked
        What is to be other than it was: ``params`` with texts by name, ``seed``, ``deterministic``; ``force`` goes on
        in spite of problems, ``publish`` publishes the new edition of a report, ``resume`` lets it go on from its last
        checkpoint, with the seed that it had.

    Raises
    ------
    CannotRerun
        With all that is in the way; nothing was started then.
    MlwidgetsError
        If it could not be started, or what is asked is none of this.
    """
    return RunFolder(folder.path.parent / str(_ask(folder, _checked(asked))["run"]))


def _checked(asked: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in asked.items():
        if key not in _KINDS or not isinstance(value, _KINDS[key]) or (key == "seed" and isinstance(value, bool)):
            raise ParameterError(f"{key!r:.60} cannot be asked of a rerun so; there are: {', '.join(_KINDS)}")
    for name, text in asked.get("params", {}).items():
        if not isinstance(text, str):
            raise ParameterError(f"the parameter {name!r:.60} is given as a text")
    return dict(asked)


def _ask(folder: RunFolder, asked: dict[str, Any] | None) -> dict[str, Any]:
    question = json.dumps({"folder": os.fspath(folder.path), "asked": asked})
    answer = None
    for executable in dict.fromkeys((interpreter_of(folder), sys.executable)):
        answer = executable and _answer(executable, question)
        if answer:
            break
    if not answer:
        raise MlwidgetsError(f"no interpreter here can run {folder.id} again: mlwidgets doctor says what is wrong")
    if "problems" in answer and "params" not in answer:
        raise CannotRerun(name_now(folder) or folder.id, answer["problems"], forcible=answer["forcible"])
    if "error" in answer:
        raise (ParameterError if answer["kind"] == "parameter" else MlwidgetsError)(answer["error"])
    return answer


def _answer(executable: str, question: str) -> dict[str, Any] | None:
    """Return what an interpreter answers, None if it cannot."""
    environment = {name: value for name, value in os.environ.items() if name != FOLDER_VARIABLE}
    try:
        done = subprocess.run(
            [executable, "-P", boot.__file__, __name__],
            input=question.encode(),
            capture_output=True,
            cwd="/",
            env=environment,
            timeout=PATIENCE,
            check=False,
        )
    except OSError:
        return None
    except subprocess.TimeoutExpired as error:
        # Another one would begin anew with what takes so long, or start a second run.
        raise MlwidgetsError(f"no answer within {PATIENCE:.0f} s: try mlwidgets rerun in a shell") from error
    lines = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.startswith(_ANSWER)]
    try:
        found = json.loads(lines[-1].removeprefix(_ANSWER)) if lines else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def params_of(store: RunStore, spec: RunSpec) -> dict[str, str]:
    """Return the parameters of a run that can be given anew, as a person would type them."""
    from mlwidgets.reruns.repeating import changeable, searched_in

    if spec.report is not None:
        known: dict[str, str] = importlib.import_module("mlwidgets.reruns.reports").params_of(store, spec)
    else:
        searched = searched_in(spec)
        known = {name: text for name, text in changeable(spec).items() if name not in searched}
    return {name: _bare(text) for name, text in known.items()}


def _bare(text: str) -> str:
    """Return a text without its quotation marks where it is read back as the same."""
    from mlwidgets.reruns.repeating import literal

    try:
        value = parse_literal(text)
    except ValueError:
        return text
    return value if isinstance(value, str) and value and value.isprintable() and literal(value) == text else text


def _looked(store: RunStore, folder: RunFolder) -> dict[str, Any]:
    from mlwidgets.reruns.checks import begins_anew, check
    from mlwidgets.reruns.repeating import read_again

    spec = read_again(folder)
    kind = "sweep" if spec.sweep is not None else "report" if spec.report is not None else "run"
    params: dict[str, str] = {}
    # Of what an archive holds nothing is looked at before somebody trusts its maker.
    with contextlib.suppress(ResultNotAvailable):
        check_trusted(folder)
        params = params_of(store, spec)
    found = check(store, folder)
    resumes = goes_on_after(folder) if kind == "run" else None
    told = {
        "resumes": resumes,
        "resume_differences": [one for one in found.differences if one not in begins_anew(spec)] if resumes else [],
        "finished": settle(folder).state == FINISHED,
    }
    return {"kind": kind, "params": params, **told, **found.to_json()}


def _started(store: RunStore, folder: RunFolder, asked: dict[str, Any]) -> dict[str, Any]:
    from mlwidgets.reruns.repeating import Changes
    from mlwidgets.reruns.sending import send_again

    changes = Changes(asked.get("params", {}), asked.get("seed"), asked.get("deterministic"))
    force, publish = asked.get("force", False), asked.get("publish", False)
    if asked.get("resume"):
        from mlwidgets.reruns.resuming import send_on

        return {"run": send_on(store, folder, Changes(asked.get("params", {})), force=force).id}
    return {"run": send_again(store, folder, changes, force=force, publish=publish).id}


def main() -> None:
    """Answer the question on standard input."""
    question = json.load(sys.stdin)
    folder = RunFolder(Path(question["folder"]))
    store, asked = RunStore(folder.store), question["asked"]
    answer: dict[str, Any]
    try:
        answer = _looked(store, folder) if asked is None else _started(store, folder, asked)
    except CannotRerun as error:
        answer = {"problems": error.problems, "forcible": error.forcible}
    except MlwidgetsError as error:
        answer = {"error": str(error), "kind": "parameter" if isinstance(error, ParameterError) else "other"}
    print(f"\n{_ANSWER}{json.dumps(answer)}", flush=True)
