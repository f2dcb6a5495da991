"""A real JupyterLab with a real kernel, in a real browser.

Without a chromium these tests are skipped on a developer's machine, and fail where CI is set.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from mlwidgets.runs.run import Run
from mlwidgets.runs.store import RunStore
from tests.lab import without_collaboration

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
PATIENCE = 60_000
"""Milliseconds to wait at most for what a page is to show."""


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab. Notebooks lie in `root`, their runs in `store`."""

    url: str
    token: str
    root: Path
    store: Path
    tree: str = "lab/tree"

    def write(self, name: str, *cells: str) -> Path:
        """Write a notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.root / name
        nbformat.write(notebook, path)
        return path

    def open(self, page: Page, name: str) -> None:
        """Open a notebook in the browser and wait for its kernel."""
        page.goto(f"{self.url}/{self.tree}/{name}?token={self.token}&reset")
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext")
        page.evaluate(
            """async () => {
                const { sessionContext } = window.jupyterapp.shell.currentWidget;
                await sessionContext.ready;
                await sessionContext.session.kernel.info;
            }"""
        )

    @staticmethod
    def command(page: Page, command: str, arguments: dict[str, Any] | None = None) -> None:
        """Start one of JupyterLab's commands. Some end only with what they started: wait for what the page shows."""
        start = "([id, args]) => { void window.jupyterapp.commands.execute(id, args); }"
        page.evaluate(start, [command, arguments or {}])

    def save(self, page: Page, name: str) -> nbformat.NotebookNode:
        """Save the open notebook and read it from the disk."""
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.root / name, as_version=4)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _environment(base: Path) -> dict[str, str]:
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    for folder in names.values():
        (base / folder).mkdir()
    news = base / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text(json.dumps({"fetchNews": "false"}))
    without_collaboration(base / "config")
    paths = {variable: str(base / folder) for variable, folder in names.items()}
    return {**os.environ, **paths, "MLWIDGETS_STORE": str(base / "store" / ".mlwidgets")}


@contextmanager
def serve(base: Path, python: Path | str, module: str, environment: Mapping[str, str] | None = None) -> Iterator[Lab]:
    """Run JupyterLab or Notebook 7 of a Python, with everything that it writes below `base`."""
    root = base / "work"
    root.mkdir(parents=True)
    token, port = secrets.token_hex(16), _free_port()
    command = [str(python), "-m", module, "--no-browser", "--allow-root", "--expose-app-in-browser"]
    if module == "jupyterlab":
        command.append("--LabApp.extension_manager=readonly")
    command += [f"--ServerApp.root_dir={root}", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    log = base / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=root,
            env={**_environment(base), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    page = "lab/tree" if module == "jupyterlab" else "notebooks"
    try:
        _wait_for(server, f"{url}/api/status?token={token}", log)
        yield Lab(url, token, root, base / "store" / ".mlwidgets", page)
    finally:
        # First politely: the server takes its kernels with it.
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        # Runs outlive server and kernels, and a test that failed leaves its own behind.
        for folder in RunStore(base / "store" / ".mlwidgets").folders():
            Run(folder.path).stop()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with serve(tmp_path_factory.mktemp("lab"), sys.executable, "jupyterlab") as served:
        yield served


def _wait_for(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 90
    while server.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    named = os.environ.get("MLWIDGETS_CHROMIUM")
    candidates = [named] if named else ["chromium", "chromium-browser", "google-chrome"]
    executable = next((path for path in map(shutil.which, candidates) if path), None)
    if executable is None:
        reason = "no chromium found: install one, or name it in MLWIDGETS_CHROMIUM"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    # Whatever moves is drawn anew sixty times a second, by the processor here.
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    yield page
    context.close()
