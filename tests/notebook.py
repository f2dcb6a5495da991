"""A notebook without a browser: a real kernel, driven cell by cell."""

from __future__ import annotations

import ast
import os
import signal
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager


@dataclass
class Reply:
    """What one cell gave.

    ``text`` is what it printed (UsageErrors too), ``shown`` the MIME bundles of its outputs in order, ``error`` the
    traceback as the notebook shows it.
    """

    status: str = "ok"
    text: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""


class CellError(AssertionError):
    """A cell failed that should not have."""


class Notebook:
    """Executes cells in a kernel whose working directory is `folder` and whose store lies in it."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self._environment = {**os.environ, "MLWIDGETS_STORE": str(folder / ".mlwidgets"), **(environment or {})}
        self.start()

    def start(self) -> None:
        """Start the kernel and load the magics."""
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(self.folder), env=self._environment)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        self.run("%load_ext mlwidgets")

    def run(self, code: str, *, fails: bool = False, timeout: float = 120) -> Reply:
        """Execute a cell.

        Raises
        ------
        CellError
            If it fails although it should not, or the other way round.
        """
        reply = Reply()

        def collect(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                reply.text += content["text"]
            elif kind in {"display_data", "execute_result", "update_display_data"}:
                reply.shown.append(content["data"])
            elif kind == "error":
                reply.error = "\n".join(content["traceback"])

        code = textwrap.dedent(code).strip("\n")
        done = self._client.execute_interactive(code, output_hook=collect, timeout=timeout, store_history=True)
        reply.status = done["content"]["status"]
        if (reply.status != "ok") != fails:
            raise CellError(f"{code}\n--> {reply.status}\n{reply.text}\n{reply.error}")
        return reply

    def train(self, line: str, code: str, *, state: str | None = "finished", timeout: float = 120) -> Reply:
        """Execute ``%%train line`` over `code`, wait for the run, and check how it ended (None: do not wait)."""
        reply = self.run(f"%%train {line}\n{textwrap.dedent(code).strip(chr(10))}\n", timeout=timeout)
        if state is not None:
            name = line.split(maxsplit=1)[0].replace("-", "_")
            self.run(f"{name}.wait({timeout})", timeout=timeout)
            ended, cause, error, output = self.value(f"({name}.state, {name}.cause, {name}.error, {name}.output)")
            if ended != state:
                raise CellError(f"%%train {line}\n{code}\n--> {ended}: {cause}\n{error}\n{output}")
        return reply

    def value(self, expression: str) -> Any:
        """Return the value of an expression, which has to be a Python literal."""
        done = self._client.execute(
            "", silent=True, user_expressions={"value": f"repr({expression})"}, reply=True, timeout=120
        )
        found = done["content"]["user_expressions"]["value"]
        if found["status"] != "ok":
            raise CellError(f"{expression}\n--> {found['ename']}: {found['evalue']}")
        return ast.literal_eval(ast.literal_eval(found["data"]["text/plain"]))

    @property
    def pid(self) -> int:
        """The kernel's process id."""
        return int(self._manager.provisioner.pid)  # type: ignore[union-attr]

    def kill(self) -> None:
        """End the kernel with SIGKILL, as a crash would."""
        os.kill(self.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """End the kernel and its channels."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def restart(self) -> None:
        """A fresh kernel in the same folder."""
        self.close()
        self.start()
