"""A real JupyterLab in a real browser, for figures that end with what somebody sees."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers import NotInstalledError

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
_FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
}


@contextmanager
def chromium() -> Iterator[Any]:
    """Give a browser.

    Raises
    ------
    NotInstalledError
        If there is no Playwright or no chromium.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NotInstalledError("playwright is not installed") from error
    named = [os.environ.get("MLWIDGETS_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for path in map(shutil.which, filter(None, named)) if path), None)
    if found is None:
        raise NotInstalledError("no chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def notebook_page(folder: Path, store: Path) -> Iterator[Any]:
    """Give a function that opens a notebook of the given cells, runs them all, and returns the browser's page.

    Raises
    ------
    NotInstalledError
        If there is no JupyterLab, no Playwright or no chromium.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise NotInstalledError("jupyterlab is not installed")
    root = folder / "work"
    root.mkdir(parents=True)
    with chromium() as browser, _server(folder, root, store) as address:

        def open_notebook(name: str, *cells: str) -> Any:
            _write(root / name, cells)
            page = browser.new_context(viewport={"width": 1280, "height": 1200}).new_page()
            page.set_default_timeout(120_000)
            page.goto(f"{address[0]}/lab/tree/{name}?token={address[1]}&reset")
            page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext")
            page.evaluate(
                """async () => {
                    const { sessionContext } = window.jupyterapp.shell.currentWidget;
                    await sessionContext.ready;
                    await sessionContext.session.kernel.info;
                }"""
            )
            page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
            return page

        yield open_notebook


@contextmanager
def _server(folder: Path, root: Path, store: Path) -> Iterator[tuple[str, str]]:
    environment = {**os.environ, "MLWIDGETS_STORE": str(store)}
    for variable, name in _FOLDERS.items():
        (folder / name).mkdir()
        environment[variable] = str(folder / name)
    port = free_port()
    token, url = secrets.token_hex(16), f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += ["--LabApp.extension_manager=readonly", f"--ServerApp.root_dir={root}", f"--ServerApp.port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={token}"]
    with open(folder / "lab.log", "wb") as log:
        server = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"{url}/api/status?token={token}", timeout=5).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise NotInstalledError(f"JupyterLab does not start; see {folder / 'lab.log'}") from None
                time.sleep(0.2)
        yield url, token
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _write(path: Path, cells: tuple[str, ...]) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    code: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"cell{i}", "metadata": {}, "outputs": [], "execution_count": None, "source": cell}
        for i, cell in enumerate(cells)
    ]
    book = {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book), encoding="utf-8")


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
