"""Archives that anybody may have made: refused whole, each in one line."""

from __future__ import annotations

import hashlib
import json
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlwidgets.archives import reading
from mlwidgets.archives.exporting import export
from mlwidgets.archives.importing import import_runs
from mlwidgets.archives.layout import ArchiveError, collision, problem_with
from mlwidgets.cli import main
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import RunStore
from tests.unit.archive_support import contents, ended_run, forged, members_of, told_of

Refuse = Callable[..., str]
ID = "20261120-123010-lenet-abcd"
TOP = f"runs/{ID}"


@pytest.fixture
def members(store: RunStore, new_run: Callable[..., RunFolder], tmp_path: Path) -> dict[str, bytes]:
    """What a good archive holds; each test changes one thing of it."""
    ended_run(store, new_run)
    export(store, ["lenet"], tmp_path / "good.zip")
    return members_of(tmp_path / "good.zip")


@pytest.fixture
def empty(tmp_path: Path) -> RunStore:
    store = RunStore(tmp_path / "other" / ".mlwidgets")
    store.prepare()
    return store


@pytest.fixture
def refuse(empty: RunStore, tmp_path: Path) -> Refuse:
    """Import an archive that is refused; return why, in one line, and see that nothing of it is left."""

    def try_it(data: bytes, **options: Any) -> str:
        path = tmp_path / "run.zip"
        path.write_bytes(data)
        before, around = contents(empty), sorted(tmp_path.rglob("*"))
        with pytest.raises(ArchiveError) as raised:
            import_runs(empty, path, **options)
        assert contents(empty) == before
        assert sorted(tmp_path.rglob("*")) == around
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return try_it


def test_what_is_changed_below_is_good_before(empty: RunStore, members: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "run.zip").write_bytes(forged(members))
    assert import_runs(empty, tmp_path / "run.zip").new == (ID,)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../outside", "leads out of its folder"),
        (f"{TOP}/outputs/../../../../outside", "leads out of its folder"),
        ("/etc/passwd", "has an absolute name"),
        ("C:/windows", "has an absolute name"),
        (f"{TOP}/outputs\\model", "has a backslash in its name"),
        (f"{TOP}/out\nput", "has a control character"),
        (f"{TOP}//model", "is no path"),
        (f"{TOP}/./model", "is no path"),
        (f"{TOP}/outputs/", "is no path"),
        (f"{TOP}/{'x' * 300}", "too long"),
        (f"{TOP}/{'ü' * 200}", "too long"),
        ("store.json", "belongs to no run"),
        ("trash/x/y", "belongs to no run"),
        ("objects/../store.json", "leads out of its folder"),
        ("objects/abc", "belongs to no run"),
        (f"objects/{'a' * 64}/b", "belongs to no run"),
        ("runs/lenet/spec.json", "no run's id"),
        ("runs/.new-20261120-123010-lenet-abcd/spec.json", "no run's id"),
        (f"{TOP}/imported.json", "is never part of an archive"),
    ],
)
def test_names_that_lead_elsewhere(refuse: Refuse, members: dict[str, bytes], name: str, why: str) -> None:
    assert why in refuse(forged({**members, name: b"x"}))


def test_a_name_with_a_nul(refuse: Refuse, members: dict[str, bytes]) -> None:
    # zipfile writes no such name itself.
    data = forged({**members, f"{TOP}/outputs/aXb": b"x"})
    assert "has a NUL in its name" in refuse(data.replace(b"outputs/aXb", b"outputs/a\0b"))


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (stat.S_IFLNK, "is a symbolic link"),
        (stat.S_IFIFO, "is neither a file"),
        (stat.S_IFCHR, "is neither a file"),
        (stat.S_IFBLK, "is neither a file"),
        (stat.S_IFSOCK, "is neither a file"),
        (stat.S_IFDIR, "is neither a file"),
    ],
)
def test_what_is_no_file(refuse: Refuse, members: dict[str, bytes], kind: int, why: str) -> None:
    entry = zipfile.ZipInfo(f"{TOP}/outputs/link")
    entry.external_attr = (kind | 0o777) << 16
    told = told_of({**members, entry.filename: b"/etc/passwd"})
    assert why in refuse(forged(members, told, ((entry, b"/etc/passwd"),)))


def test_a_member_that_is_there_twice(refuse: Refuse, members: dict[str, bytes]) -> None:
    with warnings.catch_warnings(action="ignore"):
        data = forged(members, None, ((f"{TOP}/spec.json", b"{}"),))
    assert "spec.json' is there twice" in refuse(data)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{TOP}/outputs/Model.bin", f"{TOP}/outputs/model.bin"),
        (f"{TOP}/outputs/stra\u00dfe", f"{TOP}/outputs/STRASSE"),
        (f"{TOP}/outputs/caf\u00e9", f"{TOP}/outputs/cafe\u0301"),
        (f"{TOP}/Outputs/a", f"{TOP}/outputs/b"),
        (f"{TOP}/outputs/a", f"{TOP}/outputs/a/b"),
    ],
)
def test_names_that_are_one_on_some_disks(refuse: Refuse, members: dict[str, bytes], one: str, other: str) -> None:
    assert "are one file on some disks" in refuse(forged({**members, one: b"x", other: b"y"}))


def test_contents_that_are_not_what_they_should_be(refuse: Refuse, members: dict[str, bytes]) -> None:
    name = f"{TOP}/outputs/model.bin"
    told = told_of(members)
    assert "SHA-256 differs" in refuse(forged({**members, name: b"\xff" * 256}, told))
    assert "another size or digest" in refuse(forged({**members, name: b"shorter"}, told))
    told["members"][name] = {"sha256": "nonsense", "size": 256}
    assert "another size or digest" in refuse(forged(members, told))
    told["members"][name] = None
    assert "another size or digest" in refuse(forged(members, told))


def test_objects_have_the_digest_that_they_are_called(refuse: Refuse, members: dict[str, bytes]) -> None:
    # Any run of the store that refers to that digest would read it.
    digest = next(name for name in members if name.startswith("objects/"))
    assert "is not the object of that digest" in refuse(forged({**members, digest: b"evil"}))


def test_what_the_manifest_does_not_name(refuse: Refuse, members: dict[str, bytes]) -> None:
    told = told_of(members)
    assert "is not in its manifest.json" in refuse(forged({**members, f"{TOP}/outputs/more": b"x"}, told))
    del members[f"{TOP}/outputs/model.bin"]
    assert "is not in the archive" in refuse(forged(members, told))


def test_bombs(refuse: Refuse, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HARMLESS", 1 << 20)
    zeros = {**members, f"{TOP}/outputs/zeros": b"\0" * (4 << 20)}
    assert "--max-ratio allows more" in refuse(forged(zeros, compression=zipfile.ZIP_DEFLATED))
    assert "--max-size allows more" in refuse(forged(zeros), largest=1 << 20)


def test_a_bomb_that_lies_about_its_size(refuse: Refuse, members: dict[str, bytes], empty: RunStore) -> None:
    """What the directory of the archive says is a few bytes, and 4 MB would come out."""
    big = b"\0" * (4 << 20)
    data = forged({**members, f"{TOP}/outputs/zeros": big}, compression=zipfile.ZIP_DEFLATED)
    told = told_of({**members, f"{TOP}/outputs/zeros": big[:10]})
    data = forged({**members, f"{TOP}/outputs/zeros": big}, told, compression=zipfile.ZIP_DEFLATED)
    data = data.replace(struct.pack("<I", len(big)), struct.pack("<I", 10))
    assert "damaged" in refuse(data) or "SHA-256" in refuse(data)


def test_an_encrypted_member(refuse: Refuse, members: dict[str, bytes]) -> None:
    data = bytearray(forged(members))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    assert "is encrypted" in refuse(bytes(data))


def test_a_member_that_is_packed_in_another_way(refuse: Refuse, members: dict[str, bytes]) -> None:
    assert "is packed in a way" in refuse(forged(members, compression=zipfile.ZIP_LZMA))


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_archive(refuse: Refuse, members: dict[str, bytes], part: float) -> None:
    data = forged(members)
    assert "is no zip file, or not all of one" in refuse(data[: int(len(data) * part)])


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"format": 2}, "written by a newer mlwidgets"),
        ({"format": 0}, "names no format"),
        ({"format": None}, "names no format"),
        ({"format": True}, "names no format"),
        ({"runs": []}, "names no runs"),
        ({"runs": "all"}, "names no runs"),
        ({"runs": ["lenet"]}, "names no runs"),
        ({"runs": [["x"]]}, "names no runs"),
        ({"runs": [ID, ID]}, "does not hold the runs"),
        ({"runs": [ID, "20261120-123011-lenet-abcd"]}, "does not hold the runs"),
        ({"members": []}, "names no members"),
        ({"folders": ["../x"]}, "leads out of its folder"),
        ({"folders": ["/x"]}, "has an absolute name"),
        ({"folders": [7]}, "names folders that are none"),
        ({"folders": ["runs/20261120-123011-lenet-abcd/x"]}, "belongs to no run"),
        ({"folders": [f"{TOP}/spec.json"]}, "is a file and a folder"),
        ({"folders": [f"{TOP}/spec.json/x"]}, "are one place on some disks"),
        ({"folders": [f"{TOP}/Outputs"]}, None),
    ],
)
def test_manifests(refuse: Refuse, members: dict[str, bytes], told: dict[str, Any], why: str | None) -> None:
    said = refuse(forged(members, told_of(members, **told))) if why else None
    assert why is None or why in str(said)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff"])
def test_manifests_that_are_none(refuse: Refuse, members: dict[str, bytes], data: bytes) -> None:
    assert "manifest.json" in refuse(forged(members, data))


def test_no_manifest(refuse: Refuse, members: dict[str, bytes], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as archive:
        archive.writestr(f"{TOP}/spec.json", b"{}")
    assert "is no archive of runs" in refuse((tmp_path / "plain.zip").read_bytes())


def test_too_many_members(refuse: Refuse, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_MEMBERS", len(members))
    assert f"at most {len(members)} are taken in" in refuse(forged(members))


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("spec.json", {"id": "20261120-123011-lenet-abcd"}, "says that it is"),
        ("spec.json", {"format": 99}, "is a run of a newer mlwidgets"),
        ("spec.json", {"params": 7}, "is no run"),
        ("outcome.json", {"state": "running"}, "does not say how it ended"),
        ("outcome.json", {"state": ["x"]}, "does not say how it ended"),
    ],
)
def test_folders_that_are_no_run(
    refuse: Refuse, members: dict[str, bytes], name: str, change: dict[str, Any], why: str
) -> None:
    path = f"{TOP}/{name}"
    assert why in refuse(forged({**members, path: json.dumps({**json.loads(members[path]), **change}).encode()}))


@pytest.mark.parametrize("name", ["spec.json", "code.py", "outcome.json"])
def test_folders_that_lack_something(refuse: Refuse, members: dict[str, bytes], name: str) -> None:
    del members[f"{TOP}/{name}"]
    assert "is no run" in (said := refuse(forged(members))) or "does not say how it ended" in said


def test_the_command_says_it_in_one_line(
    empty: RunStore, members: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.zip").write_bytes(forged({**members, "../x\x1b[31m": b""}))
    assert main(["--store", str(empty.path), "import", str(tmp_path / "run.zip")]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "\x1b" not in told


_PART = st.sampled_from(["runs", "objects", ID, "..", ".", "", "a", "A", "b\\", "\0", "spec.json", "é", "\x7f", "C:"])
_NAME = st.lists(_PART, min_size=1, max_size=6).map("/".join)


@given(st.lists(_NAME, max_size=6))
@example([f"{TOP}/a", f"{TOP}/A"])
def test_names_that_are_let_through_lead_to_places_of_their_own(names: list[str]) -> None:
    good = [name for name in dict.fromkeys(names) if problem_with(name) is None]
    for name in good:
        parts = Path(name).parts
        assert not Path(name).is_absolute()
        assert not {"..", "\0", "\\"} & {*parts, *name}
        assert name == "manifest.json" or (parts[0] == "objects" and len(parts) == 2) or parts[:2] == ("runs", ID)
    if collision(good) is None:
        assert len({name.casefold() for name in good}) == len(good)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_an_archive_with_changed_bytes_is_refused_or_the_same(
    members: dict[str, bytes], tmp_path: Path, data: st.DataObject
) -> None:
    """Whatever bytes are changed: nothing else than an error of ours, and nothing else than what was exported."""
    archive = bytearray(forged(members, compression=zipfile.ZIP_DEFLATED))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "changed.zip").write_bytes(archive)
    store = RunStore(tmp_path / hashlib.sha256(archive).hexdigest() / ".mlwidgets")
    store.prepare()
    before = contents(store)
    refused = ""
    try:
        import_runs(store, tmp_path / "changed.zip")
    except ArchiveError as error:
        refused = str(error)
    assert "\n" not in refused
    if refused:
        assert contents(store) == before
    else:
        for name, content in members.items():
            assert (store.path / name).read_bytes() == content
