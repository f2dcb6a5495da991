"""CronJobs: one for each schedule, in a container that sees the project on a volume."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any

from mlwidgets.errors import ScheduleError
from mlwidgets.schedules.exporting.plan import Plan, printable
from mlwidgets.schedules.exporting.times import after_gaps, as_cron, read_times
from mlwidgets.schedules.schedule import Schedule

_MOST = 52
"""Characters of a CronJob's name: Kubernetes adds eleven, and takes 63."""
_LATEST = 3600
"""Seconds after its time that a job may still start; the schedule itself says what becomes of missed times."""

_JOB = """\
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}
spec:
  schedule: {cron}
  timeZone: {timezone}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {latest}
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never{security}
          containers:
            - name: mlwidgets
              image: {image}
              command: {command}
              envFrom:
                - secretRef:
                    name: mlwidgets-secrets
                    optional: true
              volumeMounts:
                - name: project
                  mountPath: {project}
          volumes:
            - name: project
              persistentVolumeClaim:
                claimName: {claim}
"""

_HEAD = """\
# mlwidgets: written by `mlwidgets schedule export --to kubernetes`. To install: kubectl apply -f {file}
# The image needs mlwidgets and what the notebooks import; the volume has the project under the same path as here.
# Secrets that notifications name ($NAME): kubectl create secret generic mlwidgets-secrets --from-literal=NAME=value
"""


def cronjobs(plan: Plan) -> dict[str, str]:
    """Return CronJobs in one file.

    Raises
    ------
    ScheduleError
        If a schedule cannot be said in them.
    """
    file = f"{plan.label()}.yaml"
    jobs = [job for schedule in plan.schedules for job in _jobs(plan, schedule)]
    return {file: _HEAD.format(file=file) + "---\n" + "---\n".join(jobs)}


def _jobs(plan: Plan, schedule: Schedule) -> list[str]:
    name = plan.label(schedule.name, _MOST - 2)
    if schedule.cron is None or schedule.jitter:
        # When it starts is not known beforehand: that is looked for.
        return [_job(plan, schedule, name, "*/5 * * * *")]
    times = read_times(schedule.cron)
    try:
        cron = as_cron(times)
    except ScheduleError as error:
        raise ScheduleError(f"{schedule.name}: {error}") from error
    # Kubernetes leaves out times that the clock leaps over.
    more = after_gaps(times, schedule.timezone, datetime.now(UTC))
    return [
        _job(plan, schedule, name, cron),
        *(_job(plan, schedule, f"{name}-{number}", one) for number, one in enumerate(more)),
    ]


def _job(plan: Plan, schedule: Schedule, name: str, cron: str) -> str:
    # A container ends with its first process, and with it all that this has started.
    command = plan.tick_elsewhere(schedule.name)
    printable([plan.image, plan.claim])
    security = ""
    if os.geteuid():
        # A store has to belong to whoever uses it.
        pairs = {"runAsUser": os.geteuid(), "runAsGroup": os.getegid(), "fsGroup": os.getegid()}
        lines = "".join(f"\n            {key}: {value}" for key, value in pairs.items())
        security = f"\n          securityContext:{lines}"
    return _JOB.format(
        name=_scalar(name),
        cron=_scalar(cron),
        timezone=_scalar(schedule.timezone),
        latest=_LATEST,
        security=security,
        image=_scalar(plan.image),
        # $(NAME) would be a variable's value.
        command=_scalar([word.replace("$", "$$") for word in command]),
        project=_scalar(str(plan.project)),
        claim=_scalar(plan.claim),
    )


def _scalar(value: Any) -> str:
    """Return a value as YAML: JSON is."""
    return json.dumps(value, ensure_ascii=False)
