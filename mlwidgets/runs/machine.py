"""Which machine this is, and since when it is up."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path


def host() -> str:
    """Return the machine's name."""
    return os.uname().nodename


@cache
def boot_id() -> str:
    """Return what is another after each start of the machine, the same in all its containers; "" if unknown."""
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
        except (OSError, subprocess.TimeoutExpired):
            return ""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
