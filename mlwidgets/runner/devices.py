"""What this machine has: GPUs by UUID, and CPU places."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlwidgets.errors import StoreError
from mlwidgets.runner import nvml
from mlwidgets.runner.board import queue_path
from mlwidgets.runner.entry import read_object
from mlwidgets.runner.records import ODD, parse_machine
from mlwidgets.runs.machine import boot_id

_PIDS_OF_THE_MACHINE = 0xEFFFFFFC
"""The inode of Linux's first PID namespace (``PROC_PID_INIT_INO``), the same on every machine."""


@dataclass(frozen=True)
class Device:
    """A GPU, or an instance of one that is divided (MIG).

    ``memory`` in bytes; ``whole`` is the UUID of the divided GPU.
    """

    uuid: str
    name: str
    memory: int = 0
    whole: str = ""

    @property
    def instance(self) -> bool:
        """Whether it is an instance of a divided GPU."""
        return bool(self.whole) or self.uuid.startswith("MIG-")


@dataclass(frozen=True)
class Inventory:
    """What a run of this process may be given."""

    gpus: tuple[Device, ...]
    cpus: int

    def usable(self, gpus: float) -> tuple[Device, ...]:
        """Return the devices for a run on so many: CUDA shows a process one instance of a divided GPU, and no more."""
        return self.gpus if gpus <= 1 else tuple(device for device in self.gpus if not device.instance)


def inventory() -> Inventory:
    """Return what this process may use of this machine.

    A file ``machine.json`` in the queue directory takes the place of what the machine itself says.

    Raises
    ------
    StoreError
        If that file is wrong.
    """
    injected = _injected()
    if injected is not None:
        return injected
    return Inventory(visible(machine_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES")), cpu_places())


def _injected() -> Inventory | None:
    path = queue_path() / "machine.json"
    mark = injected_mark()
    if not mark or not _may_decide(mark[0]):
        return None
    data, uid = read_object(path)
    if data is not None and not _may_decide(uid):
        return None
    try:
        gpus, cpus = parse_machine(data)
    except ODD:
        raise StoreError(
            f"{path} does not say what this machine has: write it as in "
            '{"cpus": 8, "gpus": [{"uuid": "GPU-…", "name": "H200", "memory": 151397597184}]}, or remove it'
        ) from None
    return Inventory(tuple(Device(*gpu) for gpu in gpus), cpu_places() if cpus is None else cpus)


def injected_mark() -> tuple[int, ...]:
    """Return the owner of ``machine.json`` and what is another after each change; nothing where there is none."""
    try:
        status = os.lstat(queue_path() / "machine.json")
    except OSError:
        return ()
    return status.st_uid, status.st_ino, status.st_mtime_ns, status.st_size


def _may_decide(uid: int) -> bool:
    """Return whether a user may say what this machine has: an administrator, oneself, whoever made the directory."""
    return uid in {0, os.getuid()} or uid == queue_path().stat().st_uid


def cpu_places() -> int:
    """Return how many CPUs this process may use: those it is bound to, or fewer by its control group's quota."""
    count = os.cpu_count() or 1
    if sys.platform == "linux":
        count = len(os.sched_getaffinity(0))
    quota = cpu_quota()
    return max(1, count if quota is None else min(count, math.ceil(quota)))


def cpu_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the CPUs' worth of time that the control group allows, None without a limit."""
    with contextlib.suppress(OSError, ValueError):
        limit, _, period = (root / "cpu.max").read_text().partition(" ")
        return None if limit == "max" else int(limit) / int(period)
    with contextlib.suppress(OSError, ValueError):
        quota = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        return None if quota <= 0 else quota / int((root / "cpu" / "cpu.cfs_period_us").read_text())
    return None


def visible(devices: Sequence[Device], setting: str | None) -> tuple[Device, ...]:
    """Return those of the machine's devices that ``CUDA_VISIBLE_DEVICES`` leaves, in its order.

    As with CUDA, entries are indices or beginnings of UUIDs, the list ends at the first that names no device, and
    one that is named twice leaves none at all. A divided GPU stands for all its instances.
    """
    if setting is None:
        return tuple(devices)
    chosen: list[Device] = []
    for entry in setting.split(","):
        named = _named(devices, entry.strip())
        if not named:
            break
        if named[0] in chosen:
            return ()
        chosen += named
    return tuple(chosen)


def _named(devices: Sequence[Device], entry: str) -> list[Device]:
    wholes = list(dict.fromkeys(device.whole or device.uuid for device in devices))
    if entry.isdecimal():
        matching = wholes[int(entry) : int(entry) + 1]
    else:
        # Older drivers name an instance by its GPU: MIG-GPU-<uuid>/<instance>/<compute instance>.
        matching = [name for name in (*wholes, *(d.uuid for d in devices)) if entry and name.startswith(entry)]
        matching = list(dict.fromkeys(matching))
    if len(matching) != 1:
        return []
    return [device for device in devices if matching[0] in {device.uuid, device.whole}]


def machine_gpus() -> tuple[Device, ...]:
    """Return all GPUs of the machine.

    The driver takes a good part of a second to answer, more than a run's whole start: its answer is kept beside the
    queue, until the machine is started again or its devices change.
    """
    if not nvml.has_driver():
        return ()
    stamp = _stamp()
    kept = queue_path() / f"gpus-{os.getuid()}.json"
    data, uid = read_object(kept)
    # A file that someone else has put there says nothing.
    if data is not None and uid == os.getuid() and data.get("stamp") == stamp:
        with contextlib.suppress(TypeError, KeyError):
            return tuple(Device(**entry) for entry in data["gpus"])
    found = tuple(Device(p.uuid, p.name, p.memory, "" if p.uuid == p.whole else p.whole) for p in nvml.parts())
    if not found:
        # A driver that is just starting says so too.
        return ()
    beside = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        beside.write_text(json.dumps({"stamp": stamp, "gpus": [vars(device) for device in found]}))
        os.replace(beside, kept)
    with contextlib.suppress(OSError):
        # Still there where another user's file cannot be replaced.
        os.unlink(beside)
    return found


def _stamp() -> list[str]:
    """Return what changes whenever the driver's answer may."""
    stamp = [boot_id() or ""]
    with contextlib.suppress(OSError):
        stamp.append(Path("/proc/driver/nvidia/version").read_text())
    for folder, pattern in (("/dev", "nvidia*"), ("/proc/driver/nvidia/capabilities", "gpu*/mig/gi*/ci*")):
        stamp += sorted(map(str, Path(folder).glob(pattern)))
    return stamp


def foreign(devices: Collection[str], but: Collection[int] = ()) -> dict[str, str]:
    """Return which of these GPUs are in use, and by whom in words.

    Parameters
    ----------
    devices
        UUIDs.
    but
        Pids of processes whose use does not count, nor that of their children.
    """
    if not devices or not nvml.has_driver():
        return {}
    found = {}
    for uuid, pids in nvml.users(devices).items():
        user = next((pid for pid in pids if _counts(pid, but)), None)
        if user is not None:
            found[uuid] = describe_process(user)
    return found


def _counts(pid: int, but: Collection[int]) -> bool:
    """Return whether a process is none of the exceptions, nor a descendant of one, nor dead already.

    In a container the driver may give the machine's own pids: one that is not there may be the exception itself.
    """
    ancestor: int | None = pid
    for _ in range(64):
        if ancestor in but:
            return False
        if ancestor is None or ancestor <= 1:
            break
        status = _status(ancestor)
        if ancestor == pid and (_in_container() if status is None else status[0] in "ZX"):
            return False
        ancestor = None if status is None else status[1]
    return True


def _in_container() -> bool:
    """Return whether this process has another view of pids than the machine itself."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino != _PIDS_OF_THE_MACHINE
    except OSError:
        return False


def _status(pid: int) -> tuple[str, int] | None:
    """Return a process's state letter and its parent's pid."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, parent = text.rpartition(")")[2].split()[:2]
    return state, int(parent)


def describe_process(pid: int) -> str:
    """Return what is known of a process, in words: ``python (pid 123, anna)``."""
    name, user = "a process", ""
    with contextlib.suppress(OSError):
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        user = f", {user_name(Path(f'/proc/{pid}').stat().st_uid)}"
    return f"{name} (pid {pid}{user})"


def user_name(uid: int) -> str:
    """Return a user's name, or the number of one without."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
