"""Requests that nobody with good intentions sends."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket as sockets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError
from tornado.routing import PathMatches, Router
from tornado.websocket import WebSocketHandler

from mlwidgets.server.handler import LARGEST_BODY
from mlwidgets.server.reports import Door
from mlwidgets.server.stream import BURST, LARGEST_MESSAGE, MOST_CHANNELS
from tests.unit.views_support import add_values, make_run

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def routes(router: Any) -> Iterator[tuple[str, type]]:
    """Yield a path for each route of the application that is ours and no report's, and its handler."""
    for rule in router.rules:
        if isinstance(rule.target, Router):
            yield from routes(rule.target)
        elif isinstance(rule.target, type) and rule.target.__module__.startswith("mlwidgets"):
            if issubclass(rule.target, Door):
                continue
            assert isinstance(rule.matcher, PathMatches)
            pattern = rule.matcher.regex.pattern.removesuffix("$").replace("([^/]+)", "x")
            yield re.sub(r"\((panel.js)[^)]*\)", r"\1", pattern.replace("\\", "")), rule.target


def methods(handler: type) -> list[str]:
    return [method for method in METHODS if method.lower() in vars(handler)]


@pytest.fixture
def every_route(jp_web_app: Any) -> list[tuple[str, str, bool]]:
    """Path, method and whether it is a websocket, of each of our routes."""
    found = [
        (path, method, issubclass(handler, WebSocketHandler))
        for path, handler in routes(jp_web_app.default_router)
        for method in methods(handler)
    ]
    assert len(found) >= 15
    assert sum(is_socket for *_, is_socket in found) == 1
    return found


@pytest.fixture
def status(http_server_client: Any, jp_http_port: int) -> Any:
    """Send a request as it is; return the status."""

    async def send(path: str, method: str = "GET", is_socket: bool = False, **options: Any) -> int:
        headers = options.pop("headers", {})
        if is_socket:
            upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
            key = base64.b64encode(bytes(16)).decode()
            headers = {**upgrade, "Sec-WebSocket-Key": key, **headers}
        try:
            found = await http_server_client.fetch(
                path, method=method, headers=headers, allow_nonstandard_methods=True, follow_redirects=False, **options
            )
        except HTTPClientError as error:
            return error.code
        return int(found.code)

    return send


async def test_no_route_answers_a_stranger(every_route: Any, status: Any) -> None:
    for path, method, is_socket in every_route:
        for headers in ({}, {"Authorization": "token wrong"}, {"Authorization": "Bearer "}):
            found = await status(path, method, is_socket, headers=headers)
            assert found == (302 if path.rstrip("/").endswith(("mlwidgets", "panel.js")) else 403), (path, method)


class Nobody(Authorizer):
    """Lets nobody do anything."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return False


@pytest.fixture
def authorizer() -> type[Authorizer] | None:
    return None


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], authorizer: Any) -> dict[str, Any]:
    if authorizer:
        jp_server_config["ServerApp"]["authorizer_class"] = authorizer
    return jp_server_config


@pytest.mark.parametrize("authorizer", [Nobody])
async def test_every_route_asks_the_authorizer(every_route: Any, status: Any, jp_auth_header: Any) -> None:
    for path, method, is_socket in every_route:
        Nobody.asked.clear()
        assert await status(path, method, is_socket, headers=dict(jp_auth_header)) == 403, (path, method)
        assert Nobody.asked == [("read" if method == "GET" else "write", "mlwidgets")]


class Readers(Authorizer):
    """Lets everybody read and nobody write."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action == "read"


@pytest.mark.parametrize("authorizer", [Readers])
async def test_a_reader_may_not_stop_runs(connect: Any, runs: Path, ask: Any) -> None:
    run = make_run(runs, state="running")
    assert (await ask("runs", run.id))[0] == 200
    assert (await ask("runs", run.id, "stop", method="POST", body=""))[0] == 403
    socket = await connect()
    await socket.send(type="open", channel=1, store="", runs=[run.id])
    await socket.send(type="message", channel=1, message={"type": "stop", "run": run.id})
    assert "not stop" in (await socket.until(lambda m: m["type"] == "error"))["message"]
    assert not list((run.path / "requests").iterdir())


async def test_a_browser_needs_the_xsrf_token(
    runs: Path, jp_fetch: Any, jp_auth_header: Any, jp_base_url: str, status: Any
) -> None:
    run = make_run(runs)
    token = jp_auth_header["Authorization"].split()[1]
    page = await jp_fetch("mlwidgets", params={"token": token}, headers={"Authorization": ""})
    cookies = [one.partition(";")[0] for one in page.headers.get_list("Set-Cookie")]
    xsrf = next(one.partition("=")[2] for one in cookies if one.startswith("_xsrf="))
    path = f"{jp_base_url}mlwidgets/api/runs/{run.id}"
    headers = {"Cookie": "; ".join(cookies), "Content-Type": "application/json"}
    body = json.dumps({"pinned": True})
    assert await status(path, headers=headers) == 200
    assert await status(path, "PATCH", headers=headers, body=body) == 403
    assert await status(path, "PATCH", headers={**headers, "X-XSRFToken": "wrong"}, body=body) == 403
    assert not run.pinned
    assert await status(path, "PATCH", headers={**headers, "X-XSRFToken": xsrf}, body=body) == 200
    assert run.pinned


async def test_pages_of_others_may_not_open_the_stream(
    connect: Any, jp_fetch: Any, jp_auth_header: Any, jp_http_port: int
) -> None:
    token = jp_auth_header["Authorization"].split()[1]
    host = f"localhost:{jp_http_port}"
    page = await jp_fetch("mlwidgets", params={"token": token}, headers={"Authorization": "", "Host": host})
    cookies = "; ".join(one.partition(";")[0] for one in page.headers.get_list("Set-Cookie"))
    headers = {"Cookie": cookies, "Authorization": ""}
    for origin in ("http://evil.example", "null", f"https://localhost:{jp_http_port + 1}"):
        with pytest.raises(HTTPClientError, match="403"):
            await connect(headers={**headers, "Origin": origin})
    socket = await connect(headers={**headers, "Origin": f"http://{host}"})
    await socket.send(type="watch", stores=[""])
    assert await socket.receive()


async def test_no_store_outside_of_the_root(
    ask: Any, connect: Any, jp_root_dir: Path, tmp_path: Path, runs: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / ".mlwidgets").mkdir(parents=True, mode=0o700)
    make_run(outside / ".mlwidgets" / "runs", "secret")
    (jp_root_dir / "link").symlink_to(outside)
    (jp_root_dir / "linked").mkdir()
    (jp_root_dir / "linked" / ".mlwidgets").symlink_to(outside / ".mlwidgets")
    (jp_root_dir / "file").write_text("")
    roots_own = {"stores": [{"store": "", "name": "root_dir"}]}
    socket = await connect()
    for store in (
        "..", "../outside", "/", str(outside), "link", "linked", "linked/../../outside", "./..", "a/../../outside",
        "..\\outside", "%2e%2e/outside", "nothing", "file", "\0", "x\0", "x" * 5000, "\ud800", "~", "a//../..",
    ):  # fmt: skip
        if "\ud800" not in store:
            for path, method in (("runs", "GET"), ("runs/x", "GET"), ("runs/x/stop", "POST"), ("sparklines", "GET")):
                found, said = await ask(
                    path, method=method, store=store, metric="m", body="" if method == "POST" else None
                )
                # Jupyter's own limit on a request's first line comes first.
                assert found in {400, 404, 431}, (store, said)
                assert "secret" not in str(said)
            found, said = await ask("stores", path=store)
            assert (found, said) == (200, roots_own) or found in {400, 431}, store
        await socket.send(type="watch", stores=[store])
        answer = await socket.receive()
        assert answer["type"] == "error", answer
        await socket.send(type="open", channel=1, store=store, runs=["x"])
        assert (await socket.receive())["type"] == "error"


async def test_no_run_that_is_not_in_the_list(
    status: Any, ask: Any, jp_base_url: str, jp_auth_header: Any, runs: Path, tmp_path: Path
) -> None:
    good = make_run(runs)
    secret = make_run(tmp_path / "elsewhere", "secret")
    (runs / "20260101-000000-linked-aaaa").symlink_to(secret.path)
    (runs / ".hidden").mkdir()
    ids = [
        "..", ".", "%2e%2e", "..%2f..%2f", "%2fetc%2fpasswd", f"..%2fruns%2f{good.id}", f"{good.id}%2f",
        f"{good.id}%00",
        "20260101-000000-linked-aaaa", ".hidden", "%00", "%ff", "x" * 5000, f"{good.id}%2foutputs", good.name, "*",
        good.id[:-1],
    ]  # fmt: skip
    for run_id in ids:
        for end, method in (
            ("", "GET"),
            ("", "PATCH"),
            ("", "DELETE"),
            ("/stop", "POST"),
            ("/restore", "POST"),
            ("/bundle", "GET"),
        ):
            path = f"{jp_base_url}mlwidgets/api/runs/{run_id}{end}"
            body = json.dumps({"pinned": True}) if method == "PATCH" else None
            found = await status(path, method, headers=dict(jp_auth_header), body=body)
            assert found in {400, 404, 405}, (run_id, end, method)
    assert (await ask("sparklines", metric="loss", ids="../x,..," + "x" * 3000))[1] == {"sparklines": {}}
    assert not good.pinned
    assert not secret.pinned
    assert secret.path.exists()
    assert len(list(runs.iterdir())) == 3


async def test_bodies_that_are_too_big(ask: Any, runs: Path) -> None:
    run = make_run(runs)

    async def in_parts(write: Any) -> None:
        for _ in range(100):
            await write(b"x" * 10_000)

    status, found = await ask("runs", run.id, method="PATCH", body="x" * (LARGEST_BODY + 1))
    assert (status, found.get("message", "64 kB")) in {(413, "a request has at most 64 kB"), (599, "64 kB")}
    status, _ = await ask("runs", run.id, method="PATCH", body_producer=in_parts)
    assert status == 413
    for body in ("[" * LARGEST_BODY, '{"note": "' + "x" * 20_000 + '"}', b"\xff\xfe"):
        assert (await ask("runs", run.id, method="PATCH", body=body))[0] == 400
    for limit in ("0", "-1", "x", "1e3", "٣", "9" * 5000):
        assert (await ask("runs", limit=limit))[0] in {400, 431}
    assert (await ask("runs", limit="999999999"))[0] == 200
    assert run.note == ""


async def test_messages_that_make_no_sense(connect: Any, runs: Path) -> None:
    run = make_run(runs)
    socket = await connect()
    await socket.send(type="open", channel=1, store="", runs=[run.id])
    assert (await socket.receive())["message"]["type"] == "state"
    for text in (
        "", "{", "[]", "3", '"x"', "{}", '{"type": 1}', '{"type": "watch"}', '{"type": "watch", "stores": [1]}',
        '{"type": "open"}', '{"type": "open", "channel": true}', '{"type": "open", "channel": 2, "runs": "x"}',
        '{"type": "open", "channel": 2, "runs": []}', '{"type": "message", "channel": 1}', "[" * 30_000,
        '{"type": "message", "channel": 7, "message": {}}', '{"type": "open", "channel": 2, "runs": ["../x"]}',
        json.dumps({"type": "open", "channel": 3, "runs": [f"r{i}" for i in range(51)]}),
        json.dumps({"type": "watch", "stores": [""] * 65}),
        '{"type": "message", "channel": 1, "message": {"type": "stop"}}',
    ):  # fmt: skip
        await socket.raw.write_message(text)
        assert (await socket.receive())["type"] == "error", text
    for question in (
        {"type": "range"},
        {"type": "lines", "run": run.id, "first": -5, "count": 10**9},
        {"type": "file"},
    ):
        await socket.send(type="message", channel=1, message={**question, "to": 1})
        assert (await socket.receive())["message"]["type"] == "answer"
    # And it still works.
    await socket.send(type="message", channel=1, message={"type": "hello", "frame": -1})
    assert (await socket.receive())["message"]["type"] == "state"


async def test_messages_that_are_too_many_or_too_big(connect: Any, runs: Path) -> None:
    run = make_run(runs)
    socket = await connect()
    for number in range(MOST_CHANNELS + 1):
        await socket.send(type="open", channel=number, store="", runs=[run.id])
    assert "views at once" in (await socket.until(lambda m: m["type"] == "error"))["message"]
    for _ in range(int(BURST)):
        await socket.raw.write_message("{}")
    assert await socket.until(lambda _: False) is None
    assert socket.raw.close_code == 1008
    socket = await connect()
    await socket.raw.write_message("x" * (LARGEST_MESSAGE + 1))
    assert await socket.until(lambda _: False) is None
    assert socket.raw.close_code == 1009


async def test_a_slow_reader_holds_up_nobody(
    connect: Any, runs: Path, jp_http_port: int, jp_base_url: str, jp_auth_header: Any, jp_serverapp: Any
) -> None:
    run = make_run(runs, state="running", metrics={"loss": [1.0]})
    (run.outputs / "big.bin").write_bytes(bytes(3 << 20))
    slow = sockets.create_connection(("127.0.0.1", jp_http_port))
    slow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    slow.sendall(
        f"GET {jp_base_url}mlwidgets/api/stream HTTP/1.1\r\nHost: 127.0.0.1:{jp_http_port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n"
        f"Sec-WebSocket-Version: 13\r\nAuthorization: {jp_auth_header['Authorization']}\r\n\r\n".encode()
    )
    slow.setblocking(False)

    def say(**message: Any) -> None:
        data = json.dumps(message).encode()
        slow.sendall(b"\x81" + bytes([0x80 | 126, *len(data).to_bytes(2, "big")]) + bytes(4) + data)

    say(type="watch", stores=[""])
    say(type="open", channel=1, store="", runs=[run.id])
    for number in range(40):
        question = {"type": "file", "run": run.id, "name": "big.bin", "to": number}
        say(type="message", channel=1, message=question)
    quick = await connect()
    await quick.send(type="watch", stores=[""])
    await quick.send(type="open", channel=1, store="", runs=[run.id])
    hub = jp_serverapp.web_app.settings["mlwidgets_service"].hub
    for value in range(2, 12):
        add_values(run.path, "loss", [value])
        assert await quick.until(lambda m, v=value: m["type"] == "runs" and m["changed"][0]["metrics"]["loss"] == v)
    assert len(hub) == 2
    waiting = sorted(client._outbox.waiting for client in hub._watching)
    assert waiting[0] < 1 << 20
    assert waiting[1] <= 8 << 20
    slow.close()


async def test_a_hundred_clients(connect: Any, runs: Path) -> None:
    run = make_run(runs, state="running", metrics={"loss": [1.0]})
    clients = await asyncio.gather(*(connect() for _ in range(100)))
    for client in clients:
        await client.send(type="watch", stores=[""])
        await client.send(type="open", channel=1, store="", runs=[run.id])
    await asyncio.gather(*(client.until(lambda m: m["type"] == "channel", 60) for client in clients))
    threads = threading.active_count()
    add_values(run.path, "loss", [0.5])
    wanted = lambda m: m["type"] == "runs" and m["changed"] and m["changed"][0]["metrics"]["loss"] == 0.5
    assert all(await asyncio.gather(*(client.until(wanted, 60) for client in clients)))
    assert threads < 40
    for client in clients:
        client.raw.close()
