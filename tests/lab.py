"""A real JupyterLab server without a browser: its kernels are made, interrupted and ended through its REST API."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from tests.laws import soon

COLLABORATION = {
    "server": ["jupyter_server_fileid", "jupyter_server_ydoc"],
    "lab": ["@jupyter/collaboration-extension", "@jupyter/docprovider-extension"],
}
"""What jupyter-collaboration adds to a server and to JupyterLab."""


def without_collaboration(config: Path) -> None:
    """Let a server with this configuration open documents as it does where jupyter-collaboration is not installed."""
    pages = config / "labconfig" / "page_config.json"
    pages.parent.mkdir(parents=True, exist_ok=True)
    pages.write_text(json.dumps({"disabledExtensions": dict.fromkeys(COLLABORATION["lab"], True)}))
    extensions = dict.fromkeys(COLLABORATION["server"], False)
    (config / "jupyter_server_config.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": extensions}}))


class LabServer:
    """A server whose files, and those of its kernels, lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runtime = folder / "runtime"
        names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
        paths = {f"JUPYTER_{name}": str(folder / name.partition("_")[0].lower()) for name in names}
        without_collaboration(folder / "config")
        with open(folder / "server.log", "wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                    *("--ServerApp.port=0", "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"),
                    f"--ServerApp.root_dir={folder}",
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, **paths, "IPYTHONDIR": str(folder / "ipython")},
                start_new_session=True,
            )
        found = self._runtime / f"jpserver-{self._process.pid}.json"
        assert soon(found.exists, 60), (folder / "server.log").read_text()
        assert soon(lambda: self._answers(found), 60), (folder / "server.log").read_text()

    def _answers(self, found: Path) -> bool:
        try:
            self._url = json.loads(found.read_text())["url"]
            return self.ask("GET", "api") is not None
        except (OSError, ValueError):
            return False

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the REST API; return what it answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def new_kernel(self) -> LabKernel:
        """Start a kernel and load the magics."""
        kernel = self.ask("POST", "api/kernels", {"name": "python3"})
        return LabKernel(self, kernel["id"], self._runtime / f"kernel-{kernel['id']}.json")

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would; its kernels are on their own."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the server and its kernels."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)


class LabKernel:
    """One of its kernels."""

    def __init__(self, server: LabServer, name: str, connection: Path) -> None:
        self._server = server
        self._path = f"api/kernels/{name}"
        self._connection = connection
        self._client: BlockingKernelClient
        self.connect()

    def connect(self) -> None:
        """Connect to it, also anew after a restart."""
        assert soon(self._is_ready, 60)
        self.pid = int(self.run("%load_ext mlwidgets\nimport os; print(os.getpid())").strip())

    def _is_ready(self) -> bool:
        self._client = BlockingKernelClient(connection_file=str(self._connection))
        self._client.load_connection_file()
        self._client.start_channels()
        try:
            self._client.wait_for_ready(timeout=60)
        except RuntimeError:
            # It is just being restarted.
            self._client.stop_channels()
            return False
        return True

    def run(self, code: str) -> str:
        """Execute a cell; return what it printed."""
        printed: list[str] = []

        def collect(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        code = textwrap.dedent(code).strip("\n")
        done = self._client.execute_interactive(code, output_hook=collect, timeout=120)
        assert done["content"]["status"] == "ok", (code, done["content"])
        return "".join(printed)

    def tries(self, code: str) -> str:
        """Execute a cell; return what it printed, "" if it was aborted, as all are that an interrupt finds waiting."""
        with contextlib.suppress(AssertionError):
            return self.run(code)
        return ""

    def send(self, code: str) -> None:
        """Start a cell and do not wait for it."""
        self._client.execute(code)

    def interrupt(self) -> None:
        """What the stop button does."""
        self._server.ask("POST", f"{self._path}/interrupt", {})

    def restart(self) -> None:
        """What the restart button does."""
        self._client.stop_channels()
        self._server.ask("POST", f"{self._path}/restart", {})

    def shut_down(self) -> None:
        """What the menu's "Shut Down Kernel" does."""
        self._client.stop_channels()
        self._server.ask("DELETE", self._path)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash or the system would."""
        self._client.stop_channels()
        os.kill(self.pid, signal.SIGKILL)
