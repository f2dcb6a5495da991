"""From a trial's parameters to its run: the folder, made of the sweep's own spec, and the start of its process."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runner import warm
from mlwidgets.runner.launch import launch
from mlwidgets.runs.alive import holder
from mlwidgets.runs.folder import RunFolder, write_whole
from mlwidgets.runs.spec import Resources, RunSpec, new_run_id
from mlwidgets.runs.state import FAILED, Outcome, read_events, write_outcome
from mlwidgets.runs.store import RunStore
from mlwidgets.sweeps.definition import SweepDefinition

_PREPARE_AFTER = 5.0
"""Seconds after which a warm process is prepared again, if none was there."""


class TrialMaker:
    """Makes and starts the runs of one sweep's trials; each step may be taken again where it was left in the middle."""

    def __init__(self, folder: RunFolder, spec: RunSpec, definition: SweepDefinition) -> None:
        self._sweep = folder
        self._store = RunStore(folder.store)
        self._prepared = time.monotonic()
        self._repeats = {one["number"]: one["run"] for one in definition.repeats}
        # What concerns the search alone stays with the sweep.
        self._base = replace(
            spec, sweep=None, trial_of=spec.id, resources=Resources(**definition.resources), hints=(), note=""
        )

    def name(self, number: int) -> str:
        """Return what a trial's run is called."""
        return f"{self._base.name}-{number}"

    def new_id(self, number: int) -> str:
        """Return an id for a run of a trial."""
        return new_run_id(self.name(number))

    def folder(self, run: str) -> RunFolder:
        """Return the folder of a run, which may not be there yet."""
        return RunFolder(self._store.runs / run)

    def was_deleted(self, run: str) -> bool:
        """Whether the run lies in the trash."""
        return (self._store.path / "trash" / run).exists()

    def spec(self, number: int, run: str, params: Mapping[str, str]) -> RunSpec:
        """Return what is asked of a trial."""
        return replace(
            self._base,
            id=run,
            name=self.name(number),
            trial=number,
            params={**self._base.params, **params},
            rerun_of=self._repeats.get(number),
            submitted_at=time.time(),
        )

    def start(self, number: int, run: str, params: Mapping[str, str]) -> None:
        """Make sure that the run is there and that its supervisor was started; nothing is done twice.

        It may end at once: what kept it from being started is its outcome.

        Raises
        ------
        StoreError
            If its folder cannot be made.
        """
        folder, spec = self.folder(run), self.spec(number, run, params)
        if not folder.path.exists():
            # Somebody was killed over it.
            shutil.rmtree(self._store.runs / f".new-{run}", ignore_errors=True)
            self._store.create_run(spec)
        self.share_environment(run)
        if folder.outcome.exists() or holder(folder.alive, "supervisor") is not None:
            return
        if read_events(folder).keys() & {"submitted", "supervising"}:
            return
        try:
            if not launch(folder, spec, prepare=False) and time.monotonic() - self._prepared > _PREPARE_AFTER:
                self.prepare()
        except (OSError, MlwidgetsError) as error:
            write_outcome(folder, Outcome(FAILED, f"it could not be started: {error}", ended_at=time.time()))

    def prepare(self) -> None:
        """Let a warm process be there for the trials that has imported what the notebook had."""
        self._prepared = time.monotonic()
        if not self._base.resources.cold:
            warm.prepare()

    def share_environment(self, run: str) -> None:
        """Give the run what was found out about the sweep's environment, which is the same for all its trials."""
        own = self.folder(run).environment
        temporary = own.with_name(f".{own.name}.{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):
            found = self._sweep.environment.stat().st_mtime_ns
            # More is found out while the first trials begin.
            if own.exists() and own.stat().st_mtime_ns >= found:
                return
            try:
                os.link(self._sweep.environment, temporary)
                os.replace(temporary, own)
            except OSError:
                # A file system without hard links.
                write_whole(own, self._sweep.environment.read_bytes())
