"""What a run asks of the machine's queue."""

from __future__ import annotations

from mlwidgets.runner.queue import Request
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.spec import RunSpec


def request_of(folder: RunFolder, spec: RunSpec) -> Request:
    """Return what the run of this folder asks for."""
    asked = spec.resources
    return Request(
        run=folder.id,
        name=spec.name,
        store=str(folder.store),
        gpus=asked.gpus,
        cpus=asked.cpus,
        priority=asked.priority,
        timeout=asked.timeout,
        after=asked.after,
        kernel_pid=spec.provenance.kernel_pid if spec.provenance else None,
    )
