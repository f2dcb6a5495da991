"""What is exported: whose schedules, and how a tick of them is called."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from mlwidgets.errors import ScheduleError
from mlwidgets.schedules.schedule import Schedule


@dataclass(frozen=True)
class Plan:
    """Schedules of a store that are to be exported.

    Parameters
    ----------
    store
        Its absolute path.
    schedules
        In order.
    chosen
        Somebody named them: each is called at its own times, where else one tick a minute sees to all.
    image, claim
        Of Kubernetes: the container's image, and the volume claim that holds the project.
    """

    store: Path
    schedules: tuple[Schedule, ...]
    chosen: bool
    image: str = "mlwidgets:latest"
    claim: str = "mlwidgets-project"

    @property
    def project(self) -> Path:
        """The folder around the store."""
        return self.store.parent

    def tick(self, *names: str) -> list[str]:
        """Return the words of the command that starts what is due.

        Raises
        ------
        ScheduleError
            If a word of it cannot be written into a file.
        """
        # -P: a file of the project that happens to be called like a module is left alone.
        return printable([sys.executable, "-P", "-m", "mlwidgets.cli", *self._ticking(names)])

    def tick_elsewhere(self, *names: str) -> list[str]:
        """Return the same for a machine that has its own Python."""
        return printable(["mlwidgets", *self._ticking(names)])

    def _ticking(self, names: tuple[str, ...]) -> list[str]:
        # Where nobody ticks but at a schedule's own times, a tick has to see to the end and to retries itself.
        return ["--store", str(self.store), "schedule", "tick-and-wait" if names else "tick", *names]

    def label(self, name: str = "", most: int = 200) -> str:
        """Return what something is called in other systems: small letters, digits and ``-``, different for each store.

        Where a schedule's name has to be changed for it, or is too long, it ends in a digest of the name.
        """
        digest = hashlib.sha256(str(self.store).encode("utf-8", "surrogateescape")).hexdigest()[:6]
        project = _slug(self.project.name)[:20].strip("-")
        parts = ["mlwidgets", project, digest, _unique(name, most - 18 - len(project))]
        return "-".join(filter(None, parts))


def cron_of(schedule: Schedule) -> str:
    """Return the five fields by which a schedule alone says when it is due.

    Raises
    ------
    ScheduleError
        If they do not.
    """
    if schedule.cron is None or schedule.jitter:
        why = "is put off by chance (jitter)" if schedule.cron else "has no times of its own"
        raise ScheduleError(f"{schedule.name} {why}: export without names, which ticks every minute")
    return schedule.cron


def printable(words: list[str]) -> list[str]:
    """Return the words if each can stand in a line of a file.

    Raises
    ------
    ScheduleError
        If one has a character that is not to be seen.
    """
    for word in words:
        if not word.isprintable():
            raise ScheduleError(f"{word!r} has characters that no file of another system takes; rename it")
    return words


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _unique(name: str, most: int) -> str:
    slug = _slug(name)
    if slug == name and len(slug) <= most:
        return slug
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{slug[: most - 7].strip('-')}-{digest}".strip("-")
