"""``mlwidgets doctor``: is all there that runs and their views need, and what to do where it is not."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.store import STORE_VARIABLE, RunStore

LITTLE_SPACE = 1 << 30
"""Bytes on the store's disk below which a training may well fill it."""
PATIENCE = 20.0
"""Seconds for another interpreter to say what it has."""

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and what to do about it."""

    level: Level
    topic: str
    text: str
    advice: str = ""


Check = Callable[[Path], Iterator[Finding]]


def examine(path: Path) -> Iterator[Finding]:
    """Look at everything, for a project whose store is or would be at `path`; a check that breaks is a finding, too."""
    for topic, check in CHECKS.items():
        try:
            yield from check(path)
        except Exception as error:  # what is to be found here is exactly what nobody has thought of
            yield Finding("warn", topic, f"could not be looked at: {type(error).__name__}: {error}")


def report(findings: Iterator[Finding]) -> Iterator[str]:
    """Yield each finding as text, with what to do below it."""
    for one in findings:
        yield f"{one.level:<5} {one.topic:<17} {one.text}"
        if one.advice:
            yield f"{'':24}→ {one.advice}"


def interpreter(_: Path) -> Iterator[Finding]:
    """Say which Python this is, and whether it has what this package needs."""
    own = metadata.version("mlwidgets")
    yield Finding("ok", "interpreter", f"Python {platform.python_version()} at {sys.executable}, mlwidgets {own}")
    missing = list(_unmet())
    if missing:
        names = " ".join(f"'{name}'" for name in missing)
        yield Finding("fail", "packages", f"missing or too old: {', '.join(missing)}", f"{_pip()} install -U {names}")
    else:
        yield Finding("ok", "packages", "all that mlwidgets needs is there")


def _unmet() -> Iterator[str]:
    from packaging.requirements import Requirement

    for text in metadata.requires("mlwidgets") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            there = requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
        except metadata.PackageNotFoundError:
            there = False
        if not there:
            yield f"{requirement.name}{requirement.specifier}"


def kernels(_: Path) -> Iterator[Finding]:
    """Say which kernels can start runs: their Python is often another one than the server's."""
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager().get_all_specs()
    pythons = {name: one["spec"] for name, one in specs.items() if one["spec"].get("language", "").lower() == "python"}
    if not pythons:
        yield Finding(
            "fail", "kernel", "no Python kernel is installed", f"{sys.executable} -m ipykernel install --user"
        )
    for name, spec in sorted(pythons.items()):
        yield _kernel(name, spec)


def _kernel(name: str, spec: dict[str, Any]) -> Finding:
    argv = spec.get("argv") or [""]
    python = sys.executable if argv[0] in {"python", "python3"} else shutil.which(argv[0])
    if python is None:
        return Finding("warn", "kernel", f"{name}: {argv[0]} is gone", f"jupyter kernelspec remove {name}")
    if "ipykernel" not in " ".join(argv):
        return Finding("warn", "kernel", f"{name}: starts {argv[0]}, which is none of ipykernel's", "")
    own = metadata.version("mlwidgets")
    found = own if _same(python, sys.executable) else _version_in(python)
    if found is None:
        return Finding(
            "warn", "kernel", f"{name}: {python} has no mlwidgets", f"{python} -m pip install mlwidgets=={own}"
        )
    if found != own:
        advice = f"{python} -m pip install mlwidgets=={own}"
        return Finding("warn", "kernel", f"{name}: {python} has mlwidgets {found}, this is {own}", advice)
    return Finding("ok", "kernel", f"{name}: {python}")


def _same(one: str, other: str) -> bool:
    # Two environments may link to one interpreter: it is their own folders that count.
    return os.path.realpath(os.path.dirname(one)) == os.path.realpath(os.path.dirname(other))


def _version_in(python: str) -> str | None:
    code = "from importlib.metadata import version; print(version('mlwidgets'))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def server(_: Path) -> Iterator[Finding]:
    """Say whether Jupyter servers load the extension: those of this environment, and those that run now."""
    try:
        import mlwidgets.server.app as _app
    except ImportError as error:
        yield Finding("fail", "server extension", f"cannot be imported: {error}", f"{_pip()} install -U jupyter-server")
        return
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    found = ExtensionConfigManager(read_config_path=list(reversed(jupyter_config_path())))
    if found.enabled(_app.MlwidgetsApp.name):  # type: ignore[no-untyped-call]
        yield Finding("ok", "server extension", "enabled")
    else:
        advice = "jupyter server extension enable mlwidgets --sys-prefix"
        yield Finding("fail", "server extension", "not enabled: the panel has nobody to ask", advice)
    yield from _running_servers()


def _running_servers() -> Iterator[Finding]:
    from jupyter_server.serverapp import list_running_servers

    own = metadata.version("mlwidgets")
    for one in list_running_servers():
        url = one["url"].split("?")[0]
        if not url.startswith(("http://", "https://")):
            continue
        headers = {"Authorization": f"token {one['token']}"}
        try:
            request = urllib.request.Request(f"{url}mlwidgets/api/info", headers=headers)  # noqa: S310
            with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310
                found = json.load(answer)["version"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                advice = f"install mlwidgets {own} beside that server (process {one.get('pid')}), then start it again"
                yield Finding("warn", "running server", f"{url} does not have the extension loaded", advice)
            else:
                why = "it wants a login" if error.code in {401, 403} else f"it answers {error.code} {error.reason}"
                yield Finding("warn", "running server", f"{url} cannot be asked: {why}")
        except (OSError, ValueError, KeyError) as error:
            yield Finding("warn", "running server", f"{url} does not answer: {error}")
        else:
            if found == own:
                yield Finding("ok", "running server", f"{url} has it loaded")
            else:
                advice = "start it again, or install the same version beside it"
                yield Finding("warn", "running server", f"{url} has version {found}, this is {own}", advice)


def labextension(_: Path) -> Iterator[Finding]:
    """Say whether JupyterLab has this package's views, of the same version."""
    from jupyter_core.paths import jupyter_config_path, jupyter_path

    topic = "lab extension"
    try:
        lab = metadata.version("jupyterlab")
    except metadata.PackageNotFoundError:
        text = "JupyterLab is not installed here; `jupyter mlwidgets` shows the panel without it"
        yield Finding("ok", topic, text)
        return
    places = [Path(folder, "mlwidgets", "package.json") for folder in jupyter_path("labextensions")]
    there = next((place for place in places if place.exists()), None)
    if there is None:
        yield Finding(
            "fail", topic, f"JupyterLab {lab} does not find it", f"{_pip()} install --force-reinstall mlwidgets"
        )
        return
    own, found = metadata.version("mlwidgets"), json.loads(there.read_text())["version"]
    if found != own:
        yield Finding(
            "fail", topic, f"version {found} in {there.parent}, this is {own}", f"remove {there.parent}, or update it"
        )
        return
    for folder in jupyter_config_path():
        page = Path(folder, "labconfig", "page_config.json")
        disabled = json.loads(page.read_text()).get("disabledExtensions", {}) if page.exists() else {}
        if "mlwidgets" in disabled and (not isinstance(disabled, dict) or disabled["mlwidgets"]):
            yield Finding("fail", topic, f"disabled in {page}", "jupyter labextension enable mlwidgets")
            return
    yield Finding("ok", topic, f"version {found} in {there.parent}")


def gpus(_: Path) -> Iterator[Finding]:
    """Say which GPUs runs can wait for."""
    from mlwidgets.runner import devices, nvml

    has = devices.inventory()
    for index, gpu in enumerate(has.gpus):
        yield Finding("ok", "GPU", f"{index}: {gpu.name}, {gpu.memory / 2**30:.0f} GiB")
    if has.gpus:
        return
    if nvml.parts():
        text = f"CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', '')!r} hides all of them"
        yield Finding("warn", "GPU", text, "unset it where notebooks are started, if runs should use them")
    elif nvml.has_driver():
        yield Finding("warn", "GPU", "there is a driver, and NVML does not answer", "does `nvidia-smi` work here?")
    else:
        yield Finding("ok", "GPU", f"none; runs share {has.cpus} CPU places")


def store(path: Path) -> Iterator[Finding]:
    """Say whether runs can be written in this project."""
    path = path.absolute()
    try:
        found = RunStore(path)
    except MlwidgetsError as error:
        yield Finding("fail", "store", str(error))
        return
    there = path
    while not there.exists():
        there = there.parent
    if not os.access(there if there != path else found.runs if found.runs.exists() else path, os.W_OK):
        advice = f"make it writable, or set {STORE_VARIABLE} to a directory of your own"
        yield Finding("fail", "store", f"{there} cannot be written", advice)
        return
    if there != path:
        yield Finding("ok", "store", f"{path}: the first run makes it")
    else:
        runs = sum(1 for _ in found.folders())
        yield Finding("ok", "store", f"{path}: {runs} run{'' if runs == 1 else 's'}")
        yield from _locks(path)
    free = shutil.disk_usage(there).free
    if free < LITTLE_SPACE:
        yield Finding("warn", "disk", f"{free / 2**20:.0f} MiB free at {there}", "make room before a long training")


def _locks(path: Path) -> Iterator[Finding]:
    """Locks tell who lives: on some network file systems there are none."""
    with tempfile.NamedTemporaryFile(dir=path, prefix=".doctor") as file:
        try:
            fcntl.lockf(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            advice = f"set {STORE_VARIABLE} to a directory on a local disk"
            yield Finding("fail", "store", f"its file system has no locks: {error.strerror}", advice)


def queue(_: Path) -> Iterator[Finding]:
    """Say whether runs of all users of this machine can wait for each other."""
    from mlwidgets.runner.slots import overview

    try:
        now = overview(foreign=False)
    except (MlwidgetsError, OSError) as error:
        yield Finding("fail", "queue", str(error))
        return
    from mlwidgets.runner.board import queue_path

    text = f"{queue_path()}: {len(now.running)} hold slots, {len(now.waiting)} wait"
    yield Finding("ok", "queue", text)


def history(path: Path) -> Iterator[Finding]:
    """Say whether the states of notebooks can be kept, and where."""
    from mlwidgets.history.condition import condition

    for level, text, advice in condition(path.absolute()):
        yield Finding(level, "history", text, advice)


def _pip() -> str:
    return f"{sys.executable} -m pip"


CHECKS: dict[str, Check] = {
    "interpreter": interpreter,
    "kernel": kernels,
    "server extension": server,
    "lab extension": labextension,
    "GPU": gpus,
    "store": store,
    "queue": queue,
    "history": history,
}
