"""Where a run could be ended together with what it was submitted from: containers, batch jobs, systemd units.

A session of its own takes a run out of its kernel's and its terminal's reach, but not out of a control group.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_BATCH = (
    ("SLURM_JOB_ID", "SLURM", "scontrol show job {job}"),
    ("PBS_JOBID", "PBS", "qstat -f {job}"),
    ("LSB_JOBID", "LSF", "bjobs -l {job}"),
)
_CONTAINER_FILES = (".dockerenv", "run/.containerenv")
_CONTAINER_GROUP = re.compile(r"/(?:docker|libpod|crio|cri-containerd)[-/]")
_UNIT_BASES = ("etc", "run", "usr/lib", "lib")
_LOGIND = ("usr/lib/systemd/logind.conf", "etc/systemd/logind.conf")
_LOGIND_PARTS = ("usr/lib/systemd/logind.conf.d", "run/systemd/logind.conf.d", "etc/systemd/logind.conf.d")


def hints(
    environment: Mapping[str, str] = os.environ, proc: Path = Path("/proc"), root: Path = Path("/")
) -> tuple[str, ...]:
    """Return one line for each thing whose end would take this process's runs along, with what to do.

    Parameters
    ----------
    environment
        This process's environment variables.
    proc, root
        Where the system's ``/proc`` and ``/`` are.
    """
    groups = _control_groups(proc)
    batch = _batch(environment)
    container = _container(environment, groups, root)
    # Inside a batch job or a container the units are those of the machine around it.
    unit = None if batch or container else _systemd(environment, groups, root)
    return tuple(hint for hint in (*batch, container, unit) if hint)


_told: set[str] = set()


def untold_hints() -> list[str]:
    """Return the hints that this process has not been given yet: once is enough."""
    untold = [hint for hint in hints() if hint not in _told]
    _told.update(untold)
    return untold


def _control_groups(proc: Path) -> list[str]:
    """Return the paths of the control groups that this process is in."""
    lines = _text(proc / "self" / "cgroup").splitlines()
    return list(dict.fromkeys(line.split(":", 2)[2] for line in lines if line.count(":") >= 2))


def _batch(environment: Mapping[str, str]) -> list[str]:
    return [
        f"Runs end with {system} job {environment[variable]}, also at its time limit: "
        f"see that it lasts long enough ({command.format(job=environment[variable])}), or submit from outside the job."
        for variable, system, command in _BATCH
        if environment.get(variable)
    ]


def _container(environment: Mapping[str, str], groups: list[str], root: Path) -> str | None:
    if environment.get("KUBERNETES_SERVICE_HOST") or any("/kubepods" in group for group in groups):
        return (
            "Runs end with this Kubernetes pod, as when an idle notebook server is culled: keep the pod until they "
            "are over, and the store on a persistent volume."
        )
    if any((root / name).exists() for name in _CONTAINER_FILES) or any(map(_CONTAINER_GROUP.search, groups)):
        return (
            "Runs end with this container: keep it running until they are over, and the store on a volume that "
            "outlives it."
        )
    return None


def _systemd(environment: Mapping[str, str], groups: list[str], root: Path) -> str | None:
    for group in groups:
        parts = [part for part in group.split("/") if part]
        units = [part for part in parts if part.endswith(".service")]
        by_user = bool(units) and re.fullmatch(r"user@\d+\.service", units[0]) is not None
        if units[by_user:]:
            return _unit(units[-1], environment.get("HOME") if by_user else None, root)
        if any(re.fullmatch(r"session-.*\.scope", part) for part in parts) and _kills_user_processes(root):
            return (
                "Runs end when you log out of this machine (KillUserProcesses=yes): run `loginctl enable-linger` once "
                "and start Jupyter with `systemd-run --user --scope jupyter lab`."
            )
        if by_user and not _lingers(environment, root):
            return (
                "Runs end when you log out of this machine, together with all that your session started: run "
                "`loginctl enable-linger` once to keep them."
            )
    return None


def _unit(name: str, home: str | None, root: Path) -> str | None:
    """Return the hint for a unit of the system, or of the user whose home this is."""
    if home is None:
        folders = [root / "run/systemd/transient", *(root / base / "systemd/system" for base in _UNIT_BASES)]
    else:
        folders = [root / base / "systemd/user" for base in (home.strip("/") + "/.config", *_UNIT_BASES)]
    if re.search(r"^\s*KillMode\s*=\s*(?:process|none)\s*$", _unit_text(name, folders), re.MULTILINE):
        return None
    return (
        f"Runs end when the systemd unit {name} stops or restarts: add KillMode=process to its [Service] section "
        f"(systemctl {'' if home is None else '--user '}edit {name})."
    )


def _unit_text(name: str, folders: list[Path]) -> str:
    """Return what is configured of a unit, as far as files tell; a template's instances share its file."""
    text = ""
    for folder in folders:
        for unit in {name, re.sub(r"@.*(?=\.service$)", "@", name)}:
            text += _text(folder / unit)
            text += "".join(map(_text, sorted((folder / f"{unit}.d").glob("*.conf"))))
    return text


def _kills_user_processes(root: Path) -> bool:
    text = "".join(_text(root / name) for name in _LOGIND)
    for folder in _LOGIND_PARTS:
        text += "".join(map(_text, sorted((root / folder).glob("*.conf"))))
    told = re.findall(r"^\s*KillUserProcesses\s*=\s*(\w+)\s*$", text, re.MULTILINE)
    return bool(told) and told[-1].lower() in {"yes", "true", "on", "1"}


def _lingers(environment: Mapping[str, str], root: Path) -> bool:
    user = environment.get("USER") or environment.get("LOGNAME") or ""
    return bool(user) and "/" not in user and (root / "var/lib/systemd/linger" / user).exists()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
