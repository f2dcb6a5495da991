from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlwidgets.runs.objects import PIECE, ObjectStore, content_digest


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    (tmp_path / "objects").mkdir()
    return ObjectStore(tmp_path / "objects")


def names(objects: ObjectStore) -> list[str]:
    return sorted(p.name for p in objects.path.iterdir())


@pytest.mark.parametrize("data", [b"", b"x", b"abc" * 1000, os.urandom(PIECE), os.urandom(PIECE + 1)])
def test_content_comes_back(objects: ObjectStore, data: bytes) -> None:
    digest = objects.put(data)
    assert objects.read(digest) == data
    assert bytes(objects.map(digest)) == data
    assert digest in objects
    assert names(objects) == [digest]


def test_digest_is_that_of_the_pieces_digests() -> None:
    data = os.urandom(2 * PIECE + 7)
    leaves = [hashlib.sha256(data[i : i + PIECE]).digest() for i in range(0, len(data), PIECE)]
    assert content_digest(memoryview(data)) == hashlib.sha256(b"".join(leaves)).hexdigest()


def test_every_kind_of_buffer(objects: ObjectStore) -> None:
    array = np.arange(10)
    same = {objects.put(array.tobytes()), objects.put(memoryview(array)), objects.put(memoryview(bytearray(array)))}
    assert len(same) == 1


def test_the_same_content_is_written_once(objects: ObjectStore) -> None:
    digest = objects.put(b"abc")
    os.utime(objects.path / digest, (1, 1))
    before = (objects.path / digest).stat()
    assert objects.put(b"abc") == digest
    after = (objects.path / digest).stat()
    assert before.st_ino == after.st_ino
    # It is as new as if it were written now: a collector leaves it.
    assert after.st_mtime_ns > before.st_mtime_ns


def test_a_damaged_object_is_written_anew(objects: ObjectStore) -> None:
    digest = objects.put(b"abcdef")
    (objects.path / digest).chmod(0o600)
    (objects.path / digest).write_bytes(b"abc")
    objects.put(b"abcdef")
    assert objects.read(digest) == b"abcdef"


def test_mapped_memory_is_the_readers_own(objects: ObjectStore) -> None:
    digest = objects.put(b"a" * 10_000)
    mapped = objects.map(digest)
    mapped[:3] = b"xyz"
    assert objects.read(digest) == b"a" * 10_000
    assert bytes(objects.map(digest)[:3]) == b"aaa"


def test_objects_are_read_only_and_private(objects: ObjectStore) -> None:
    digest = objects.put(b"abc")
    assert (objects.path / digest).stat().st_mode & 0o777 == 0o400


def test_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        ObjectStore(tmp_path / "gone").put(b"abc")


PUT = """
import sys
from pathlib import Path
from typing import Any
from mlwidgets.runs.objects import ObjectStore
objects = ObjectStore(Path(sys.argv[1]))
sys.stdin.read(1)
for number in range(20):
    objects.put(bytes([number]) * 300_000)
"""


def test_processes_that_put_the_same(objects: ObjectStore) -> None:
    command = [sys.executable, "-c", PUT, str(objects.path)]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"g")
        writer.stdin.close()
    assert [w.wait() for w in writers] == [0] * 4
    assert len(names(objects)) == 20
    for name in names(objects):
        assert content_digest(memoryview(objects.read(name))) == name


PUT_FOREVER = """
import os, sys
from pathlib import Path
from typing import Any
from mlwidgets.runs.objects import ObjectStore
objects, number = ObjectStore(Path(sys.argv[1])), int(sys.argv[2]) * 10_000
while True:
    objects.put(number.to_bytes(8, "little") * 250_000)
    os.write(1, b".")
    number += 1
"""


def test_a_kill_leaves_no_wrong_object(objects: ObjectStore) -> None:
    chance = random.Random(0)
    for round_ in range(8):
        command = [sys.executable, "-c", PUT_FOREVER, str(objects.path), str(round_)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.read(chance.randrange(1, 10))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    whole = [n for n in names(objects) if not n.startswith(".")]
    assert len(whole) >= 8
    for name in whole:
        assert content_digest(memoryview(objects.read(name))) == name


@pytest.mark.parametrize("called", ["/dev/zero", "../outside", "", ".", "a" * 63, "A" * 64, 3, None])
def test_what_an_archive_calls_a_digest_is_no_path(tmp_path: Path, called: Any) -> None:
    objects = ObjectStore(tmp_path / "objects")
    objects.path.mkdir()
    (tmp_path / "outside").write_bytes(b"private")
    for read in (objects.read, objects.map):
        with pytest.raises(FileNotFoundError):
            read(called)
    assert objects.claim(called) is False
