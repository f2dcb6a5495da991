from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mlwidgets.runner.handover import receive, send


def test_a_message_and_its_descriptors(tmp_path: Path) -> None:
    ours, its = socket.socketpair()
    with open(tmp_path / "file", "w") as file, ours, its:
        send(ours, {"folder": "a" * 100_000}, [file.fileno()])
        message, (descriptor,) = receive(its)
    os.write(descriptor, b"arrived")
    os.close(descriptor)
    assert len(message["folder"]) == 100_000
    assert (tmp_path / "file").read_text() == "arrived"


@pytest.mark.parametrize("sent", [b"", b'{"folder": "/some', b"[1]", b"\xff"])
def test_what_did_not_come_whole_leaves_no_descriptor_open(sent: bytes) -> None:
    ours, its = socket.socketpair()
    reading, writing = os.pipe()
    with ours, its:
        socket.send_fds(ours, [b"."], [writing])
        os.close(writing)
        ours.sendall(sent)
        ours.close()
        with pytest.raises(ValueError, match=r".+"):
            receive(its)
    assert os.read(reading, 1) == b"", "somebody still holds the other end"
    os.close(reading)
