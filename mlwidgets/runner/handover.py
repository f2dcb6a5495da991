"""One message with descriptors over a Unix socket, whole or not at all: its sender may be killed in the middle."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

_MOST = 3


def send(channel: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send a message and its end; the channel can only be listened to afterwards.

    Raises
    ------
    OSError
        If nobody listens.
    """
    socket.send_fds(channel, [b"."], list(descriptors))
    channel.sendall(json.dumps(message).encode())
    channel.shutdown(socket.SHUT_WR)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a message and the descriptors that came with it, which are the caller's now.

    Raises
    ------
    OSError, ValueError
        If it did not come whole; none of its descriptors stays open.
    """
    _, descriptors, _, _ = socket.recv_fds(channel, 1, _MOST)
    try:
        message = json.loads(b"".join(iter(lambda: channel.recv(65536), b"")))
        if not isinstance(message, dict):
            raise ValueError("the message is no JSON object")
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    return message, descriptors
