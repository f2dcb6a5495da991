"""A real Jupyter server in the test's own process, with the extension as its only one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403 - its fixtures and hooks hold in this folder alone
from tornado.httpclient import HTTPClientError

OPTIONS = {"headers", "request_timeout", "body_producer"}
"""What of `ask`'s arguments is none of the query, which `query` gives as pairs where a name comes twice."""
API = ("mlwidgets", "api")


@pytest.fixture
def jp_base_url() -> str:
    """As under JupyterHub."""
    return "/user/x%40y/"


@pytest.fixture
def read_only() -> bool:
    return False


@pytest.fixture
def jp_server_config(read_only: bool) -> dict[str, Any]:
    return {
        "ServerApp": {
            "jpserver_extensions": {"mlwidgets": True, "jupyter_server_terminals": False},
            # As by default: a route that forgets to authenticate is open.
            "allow_unauthenticated_access": True,
        },
        "MlwidgetsApp": {"read_only": read_only},
    }


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch, jp_root_dir: Path) -> None:
    monkeypatch.delenv("MLWIDGETS_STORE", raising=False)
    # Each test has an environment of its own here, which would have a warm process of its own started.
    monkeypatch.setenv("MLWIDGETS_WARM", "off")
    (jp_root_dir / ".mlwidgets").mkdir(mode=0o700)


@pytest.fixture
def runs(jp_root_dir: Path) -> Path:
    """Where the root's own runs lie."""
    return jp_root_dir / ".mlwidgets" / "runs"


@pytest.fixture
def ask(jp_fetch: Any) -> Callable[..., Any]:
    """Send a request to the extension; return status and JSON."""

    async def send(*path: str, method: str = "GET", body: Any = None, **options: Any) -> tuple[int, Any]:
        params = options.pop(
            "query", {key: options.pop(key) for key in list(options) if key not in {*OPTIONS, "query"}}
        )
        data = body if isinstance(body, str | bytes | None) else json.dumps(body)
        # Some answers come from a Python that is started for them, on a machine that others use, too.
        options = {"request_timeout": 60, **options}
        try:
            found = await jp_fetch(
                *API, *path, method=method, body=data, params=params, allow_nonstandard_methods=True, **options
            )
        except HTTPClientError as error:
            if error.response is None:
                return error.code, {}
            found = error.response
        try:
            return found.code, json.loads(found.body or b"null")
        except ValueError:
            return found.code, found.body

    return send


class Socket:
    """The stream, as a browser has it."""

    def __init__(self, socket: Any) -> None:
        self.raw = socket
        self.rows: dict[str, dict[str, Any]] = {}
        """What was told last of each run."""

    async def send(self, **message: Any) -> None:
        await self.raw.write_message(json.dumps(message))

    async def receive(self, timeout: float = 30) -> Any:
        """Return the next message, unpacked; None once the server has closed the connection."""
        message = await asyncio.wait_for(self.raw.read_message(), timeout)
        if message is None:
            return None
        content = unpack(message) if isinstance(message, bytes) else json.loads(message)
        self.rows.update({row["id"]: row for row in content.get("changed", [])})
        return content

    async def shows(self, run_id: str, **wanted: Any) -> None:
        """Return once all that is wanted was told of a run."""
        while any(self.rows.get(run_id, {}).get(key) != value for key, value in wanted.items()):
            assert await self.receive(60) is not None

    async def until(self, wanted: Callable[[Any], Any], timeout: float = 30) -> Any:
        """Return the first message that is wanted."""
        deadline = time.monotonic() + timeout
        while True:
            message = await self.receive(max(0.01, deadline - time.monotonic()))
            if message is None or wanted(message):
                return message


def unpack(data: bytes) -> Any:
    """Return a binary message with each buffer where its JSON names it."""
    count = int.from_bytes(data[:4], "little")
    lengths = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "little") for i in range(count)]
    at = -(-4 * (count + 1) // 8) * 8
    parts = []
    for length in lengths:
        parts.append(data[at : at + length])
        at += -(-length // 8) * 8
    assert at == len(data)

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            if "mlwidgets:buffer" in value:
                return parts[1 + value["mlwidgets:buffer"]]
            return {key: put(one) for key, one in value.items()}
        return [put(one) for one in value] if isinstance(value, list) else value

    return put(json.loads(parts[0]))


@pytest.fixture
def connect(jp_ws_fetch: Any) -> Callable[..., Any]:
    """Open the stream."""

    async def opened(**options: Any) -> Socket:
        return Socket(await jp_ws_fetch(*API, "stream", **options))

    return opened
