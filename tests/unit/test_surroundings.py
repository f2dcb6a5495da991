"""What a run would end with, from folders as machines have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlwidgets.runner.surroundings import hints

SESSION = "/user.slice/user-1000.slice/session-3.scope"
DESKTOP = "/user.slice/user-1000.slice/user@1000.service/app.slice/app-terminal.slice/vte-spawn-1.scope"
HUB = "/system.slice/jupyter-anna-singleuser.service"
OWN_UNIT = "/user.slice/user-1000.slice/user@1000.service/app.slice/jupyter.service"
POD = "/kubepods/burstable/podd00c1a3e/6fe9"
DOCKER = "/system.slice/docker-0123456789abcdef.scope"


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    """Return the hints on a machine with this control group, these variables and these files."""

    def hints_on(group: str = "/", files: dict[str, str] | None = None, **variables: str) -> tuple[str, ...]:
        cgroup = tmp_path / "proc" / "self" / "cgroup"
        cgroup.parent.mkdir(parents=True, exist_ok=True)
        cgroup.write_text(group if ":" in group else f"0::{group}\n")
        for name, content in (files or {}).items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return hints(variables, tmp_path / "proc", tmp_path / "root")

    return hints_on


@pytest.mark.parametrize("group", ["/", SESSION, "/init.scope", f"1:name=systemd:{SESSION}\n0::/\n", "garbage:\n"])
def test_nothing_on_a_plain_machine(group: str, machine) -> None:
    assert machine(group, USER="anna", HOME="/home/anna") == ()


def test_nothing_where_there_is_no_proc(tmp_path: Path) -> None:
    assert hints({}, tmp_path / "proc", tmp_path) == ()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SLURM_JOB_ID", "4711", "SLURM job 4711"),
        ("PBS_JOBID", "12.server", "qstat -f 12.server"),
        ("LSB_JOBID", "99", "bjobs -l 99"),
    ],
)
def test_batch_jobs(variable: str, value: str, said: str, machine) -> None:
    (hint,) = machine("/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0", **{variable: value})
    assert said in hint
    assert "time limit" in hint


def test_pods(machine) -> None:
    (by_variable,) = machine(KUBERNETES_SERVICE_HOST="10.0.0.1")
    (by_group,) = machine(POD)
    assert by_variable == by_group
    assert "Kubernetes pod" in by_group
    assert "persistent volume" in by_group


def test_a_pod_is_told_of_once_although_it_is_a_container(machine) -> None:
    (hint,) = machine(files={".dockerenv": ""}, KUBERNETES_SERVICE_HOST="10.0.0.1")
    assert "pod" in hint


@pytest.mark.parametrize(
    ("group", "files"),
    [
        ("/", {".dockerenv": ""}),
        ("/", {"run/.containerenv": "engine=podman"}),
        (DOCKER, {}),
        ("12:memory:/docker/0123456789abcdef\n", {}),
        ("/machine.slice/libpod-0123.scope/container", {}),
    ],
)
def test_containers(group: str, files: dict[str, str], machine) -> None:
    (hint,) = machine(group, files)
    assert "this container" in hint


def test_the_service_of_a_container_engine_is_no_container(machine) -> None:
    (hint,) = machine("/system.slice/docker.service")
    assert "systemd unit docker.service" in hint


def test_a_batch_job_in_a_container_tells_of_both(machine) -> None:
    assert len(machine(DOCKER, SLURM_JOB_ID="1")) == 2


def test_units(machine) -> None:
    (hint,) = machine(HUB)
    assert "systemd unit jupyter-anna-singleuser.service" in hint
    assert "(systemctl edit jupyter-anna-singleuser.service)" in hint
    (hint,) = machine(f"3:cpu:/\n1:name=systemd:{HUB}\n0::/\n")
    assert "KillMode=process" in hint


@pytest.mark.parametrize(
    "file",
    [
        "etc/systemd/system/jupyter-anna-singleuser.service",
        "run/systemd/system/jupyter-anna-singleuser.service",
        "run/systemd/transient/jupyter-anna-singleuser.service",
        "etc/systemd/system/jupyter-anna-singleuser.service.d/runs.conf",
    ],
)
def test_units_that_leave_processes_alone(file: str, machine) -> None:
    assert machine(HUB, {file: "[Service]\nKillMode=process\n"}) == ()


def test_units_that_do_not(machine) -> None:
    name = "etc/systemd/system/jupyter-anna-singleuser.service"
    assert len(machine(HUB, {name: "[Service]\n# KillMode=process\nKillMode=mixed\n"})) == 1


def test_instances_of_a_template(machine) -> None:
    group = "/system.slice/system-jupyter.slice/jupyter@anna.service"
    assert "jupyter@anna.service" in machine(group)[0]
    assert machine(group, {"etc/systemd/system/jupyter@.service": "[Service]\nKillMode = process\n"}) == ()


def test_units_of_the_user(machine) -> None:
    (hint,) = machine(OWN_UNIT, HOME="/home/anna", USER="anna")
    assert "(systemctl --user edit jupyter.service)" in hint
    settings = {"home/anna/.config/systemd/user/jupyter.service": "[Service]\nKillMode=process\n"}
    assert machine(OWN_UNIT, settings, HOME="/home/anna", USER="anna") == ()


def test_a_desktop_session_ends_with_its_processes_unless_the_user_lingers(machine) -> None:
    (hint,) = machine(DESKTOP, USER="anna")
    assert "loginctl enable-linger" in hint
    assert machine(DESKTOP, {"var/lib/systemd/linger/anna": ""}, USER="anna") == ()


def test_sessions_whose_end_kills(machine) -> None:
    assert machine(SESSION, {"etc/systemd/logind.conf": "[Login]\n#KillUserProcesses=yes\n"}) == ()
    (hint,) = machine(SESSION, {"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"})
    assert "KillUserProcesses" in hint
    assert "systemd-run --user --scope" in hint
    assert machine(SESSION, {"etc/systemd/logind.conf.d/9.conf": "[Login]\nKillUserProcesses=no\n"}) == ()


def test_every_hint_is_one_line_that_says_what_to_do(machine) -> None:
    found = [*machine(SLURM_JOB_ID="1"), *machine(POD), *machine(DOCKER), *machine(HUB), *machine(DESKTOP)]
    assert len(found) == 5
    for hint in found:
        assert "\n" not in hint
        assert hint.startswith("Runs end ")
        assert ": " in hint
        assert len(hint) < 240
