"""A real kernel, driven as a notebook front end drives it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.peers import NotInstalledError, load


class CellError(Exception):
    """A cell raised; the message is its traceback."""


class Kernel:
    """An ipykernel of this environment, in a working directory of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        manager = load("jupyter_client").KernelManager(kernel_name="python3")
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder.with_name(f"{folder.name}.log"), "wb") as log:
            manager.start_kernel(cwd=str(folder), env={**os.environ, **environment}, stdout=log, stderr=log)
        self._manager: Any = manager
        self._client: Any = manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, code: str, patience: float = 300) -> tuple[float, str]:
        """Execute a cell; return the seconds until the kernel was idle again, and the cell's printed output.

        Raises
        ------
        NotInstalledError
            If the cell imported something that is not there.
        CellError
            If it raised anything else.
        """
        before = time.perf_counter()
        request = self._client.execute(code)
        seconds, printed, error = 0.0, "", None
        while not seconds:
            message = self._client.get_iopub_msg(timeout=patience)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                seconds = time.perf_counter() - before
            elif kind == "stream" and content["name"] == "stdout":
                printed += content["text"]
            elif kind == "error":
                error = content
        self._client.get_shell_msg(timeout=patience)
        if error:
            if error["ename"] == "ModuleNotFoundError":
                raise NotInstalledError(error["evalue"])
            raise CellError("\n".join(error["traceback"]))
        return seconds, printed

    def close(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
