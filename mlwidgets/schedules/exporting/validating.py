"""Files are checked by the systems that they are for, as far as this machine has these."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cronsim import CronSim, CronSimError

from mlwidgets.errors import ScheduleError
from mlwidgets.schedules.times import zone

SECONDS = 30.0
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Verdict(NamedTuple):
    """What a validator said.

    Attributes
    ----------
    by
        Its name; what it checked.
    problem
        None if it found none.
    """

    by: str
    problem: str | None


def validate(system: str, files: Mapping[str, str]) -> list[Verdict]:
    """Return what each validator that is here says of the files; an empty list where there is none."""
    with tempfile.TemporaryDirectory(prefix="mlwidgets-export-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        return [verdict for check in _CHECKS[system] if (verdict := check(folder, files)) is not None]


def _run(command: list[str], folder: Path) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"{command[0]} had not ended after {SECONDS:g} s"
    return done.returncode, (done.stderr + done.stdout).strip()


def _verify_units(folder: Path, files: Mapping[str, str]) -> Verdict | None:
    if shutil.which("systemd-analyze") is None:
        return None
    status, said = _run(["systemd-analyze", "verify", *(f"./{name}" for name in files)], folder)
    # It ends well with some warnings; those about units of the machine are not ours.
    ours = [line for line in said.splitlines() if any(name in line for name in files) or "mlwidgets" in line]
    broken = "\n".join(ours) or (said if status else "")
    return Verdict("systemd-analyze verify", broken or None)


def _verify_events(folder: Path, files: Mapping[str, str]) -> Verdict | None:
    if shutil.which("systemd-analyze") is None:
        return None
    lines = "\n".join(files.values()).splitlines()
    events = [line.partition("=")[2] for line in lines if line.startswith("OnCalendar=")]
    status, said = _run(["systemd-analyze", "calendar", *dict.fromkeys(events)], folder)
    return Verdict("systemd-analyze calendar", said if status else None)


def _crontab(folder: Path, files: Mapping[str, str]) -> Verdict | None:
    if shutil.which("crontab") is None:
        return None
    problems = []
    for name in files:
        status, said = _run(["crontab", "-T", name], folder)
        if "invalid option" in said or "unrecognized option" in said or "usage" in said.lower():
            return None  # an old one, which has no such check
        problems += [said or f"{name} is refused"] if status else []
    return Verdict("crontab -T", "\n".join(problems) or None)


def _cron_lines(_: Path, files: Mapping[str, str]) -> Verdict | None:
    """Read the lines as cronsim does, the same library that says when a schedule is due."""
    try:
        for line in "\n".join(files.values()).splitlines():
            if line.startswith("CRON_TZ="):
                zone(line.partition("=")[2])
            elif line and not line.startswith("#"):
                CronSim(" ".join(line.split()[:5]), _EPOCH)
    except (CronSimError, ScheduleError) as error:
        return Verdict("cronsim", f"{line}: {error}")
    return Verdict("cronsim", None)


def _kubectl(folder: Path, files: Mapping[str, str]) -> Verdict | None:
    if shutil.which("kubectl") is None:
        return None
    (name,) = files
    status, said = _run(["kubectl", "apply", "--dry-run=client", "--request-timeout=5s", "-f", name], folder)
    if not status:
        return Verdict("kubectl apply --dry-run=client", None)
    if not any(
        words in said for words in ("connect", "server API group", "Unable to", "unable to recognize", "refused")
    ):
        return Verdict("kubectl apply --dry-run=client", said)
    # Without a cluster it still reads the file by the types that it knows.
    status, said = _run(["kubectl", "set", "env", "--local", "-f", name, "-o", "name", "MLWIDGETS=1"], folder)
    return Verdict("kubectl --local (no cluster is reached)", said if status else None)


def _actionlint(folder: Path, files: Mapping[str, str]) -> Verdict | None:
    if shutil.which("actionlint") is None:
        return None
    status, said = _run(["actionlint", "-no-color", *files], folder)
    return Verdict("actionlint", said or "it is refused" if status else None)


def _yaml(_: Path, files: Mapping[str, str]) -> Verdict | None:
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        return None
    for name, text in files.items():
        try:
            for document in yaml.safe_load_all(text):
                _check_shape(document)
        except (yaml.YAMLError, CronSimError, ScheduleError, LookupError, TypeError, ValueError) as error:
            return Verdict("its YAML", f"{name}: {error}")
    return Verdict("its YAML", None)


def _check_shape(document: Any) -> None:
    """Make sure that a document has what its system needs; a key that is not there raises."""
    if document.get("kind") == "CronJob":
        spec = document["spec"]
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        texts = [document["metadata"]["name"], spec["schedule"], spec["timeZone"], *pod["containers"][0]["command"]]
        CronSim(spec["schedule"], _EPOCH)
        zone(spec["timeZone"])
    else:
        # YAML 1.1 takes the word `on` for true.
        starts = document.get("on") or document[True]
        texts = [line["cron"] for line in starts["schedule"]]
        for line in texts:
            CronSim(line, _EPOCH)
        texts += [step.get("run") or step["uses"] for job in document["jobs"].values() for step in job["steps"]]
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("a text is none")


_CHECKS: dict[str, list[Callable[[Path, Mapping[str, str]], Verdict | None]]] = {
    "cron": [_crontab, _cron_lines],
    "systemd": [_verify_units, _verify_events],
    "kubernetes": [_kubectl, _yaml],
    "github-actions": [_actionlint, _yaml],
}
