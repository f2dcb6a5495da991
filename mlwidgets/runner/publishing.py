"""Has a report published when its run has ended; the room that knows how lies above this one, and is called by name."""

from __future__ import annotations

import contextlib
import importlib
import traceback

from mlwidgets.runs.folder import RunFolder, read_json

MODULE = "mlwidgets.reports.publishing.publish"


def publish(folder: RunFolder) -> None:
    """Publish what a run has executed, if it executed a notebook and is to be published.

    Whatever goes wrong stands in the run's output: the run has ended as it has.
    """
    report = (read_json(folder.spec) or {}).get("report")
    if not isinstance(report, dict) or not report.get("publish"):
        return
    try:
        importlib.import_module(MODULE).publish(folder)
    except Exception as error:
        traceback.print_exc()
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        with contextlib.suppress(OSError), open(folder.output, "a", encoding="utf-8") as output:
            output.write(f"\nmlwidgets: the report could not be published: {line}\n")
