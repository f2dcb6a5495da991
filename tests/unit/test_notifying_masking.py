"""Secrets that appear in output: in any text, written in any way, in pieces of any length."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import keyring
import keyring.backend
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlwidgets.notifying.masking import MASK, MaskedStream, Masker, masked_notebook, masker_for
from mlwidgets.notifying.secrets import SecretNotFound, resolve
from mlwidgets.notifying.settings import ConfigError

SECRETS = st.text(alphabet=st.characters(exclude_characters="•", exclude_categories=["Cs"]), min_size=8, max_size=40)
ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
WAYS = {
    "plain": lambda s: s,
    "json": json.dumps,
    "json, other letters as they are": lambda s: json.dumps(s, ensure_ascii=False),
    "json in json": lambda s: json.dumps(json.dumps({"a": s})),
    "url": quote,
    "url, all": lambda s: quote(s, safe=""),
    "form": quote_plus,
    "html": html.escape,
    "repr": repr,
    "hex": lambda s: s.encode().hex(),
}


def visible(secret: str) -> bool:
    return len(secret.strip()) >= 4


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60, deadline=None)
@given(SECRETS.filter(visible), ANY, ANY)
def test_no_secret_is_left_however_it_is_written(way: str, secret: str, before: str, after: str) -> None:
    mask = Masker([secret])
    written = WAYS[way](secret)
    masked = mask(f"{before}{written}{after}")
    assert MASK in masked
    for form in (secret, secret.strip(), *(other(secret) for other in WAYS.values())):
        assert form not in masked or form in f"{before}{after}{MASK}"
    assert mask(masked) == masked


@settings(max_examples=200, deadline=None)
@given(SECRETS, st.binary(max_size=7), st.binary(max_size=7), st.booleans())
def test_nothing_of_a_secret_is_left_in_base64(secret: str, before: bytes, after: bytes, url: bool) -> None:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    data = secret.encode()
    text = encode(before + data + after).decode()
    left, masked, right = Masker([secret])(text).partition(MASK)
    assert masked
    # At the edges a secret shares characters with its neighbours: at most two bytes of it remain on each side.
    assert 6 * len(left) // 8 <= len(before) + 1
    assert 6 * len(right.rstrip("=")) // 8 <= len(after) + 2


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("abc=%22\n ", min_size=4, max_size=9), min_size=1, max_size=3), st.data())
def test_a_stream_says_the_same_as_the_whole(secrets: list[str], data: st.DataObject) -> None:
    mask = Masker(secrets)
    pieces = data.draw(st.lists(st.one_of(st.text("abc=%22\n ", max_size=6), st.sampled_from(secrets)), max_size=12))
    stream = MaskedStream(mask)
    shown = "".join([*(stream.feed(piece) for piece in pieces), stream.close()])
    assert shown == mask("".join(pieces))


def test_a_stream_holds_back_only_what_may_become_a_secret() -> None:
    stream = MaskedStream(Masker(["hunter2-hunter2"]))
    assert stream.feed("Password: ") == "Password: "
    assert stream.feed("the word is hunter") == "the word is "
    assert stream.feed("s, not one") == "hunters, not one"
    assert stream.feed("hunter2-hun") == ""
    assert stream.feed("ter2!") == f"{MASK}!"


def test_lines_of_a_key_are_masked_each() -> None:
    key = "-----BEGIN KEY-----\nMIIabcdefgh12345\nshort\nXYZ98765432100==\n-----END KEY-----\n"
    mask = Masker([key])
    assert mask("x MIIabcdefgh12345 y") == f"x {MASK} y"
    assert "XYZ98765432100" not in mask(json.dumps(key.splitlines()))
    assert mask("a short story") == "a short story"


def test_what_is_secret_in_an_address_is_so_by_itself() -> None:
    mask = Masker(
        ["https://hooks.example.org/services/T012/B345/Xyz0123456789abcdefXYZ", "postgres://anna:p%40ss-word@db/sales"]
    )
    assert mask("POST /services/T012/B345/Xyz0123456789abcdefXYZ 404") == f"POST /{MASK} 404"
    assert mask("token Xyz0123456789abcdefXYZ") == f"token {MASK}"
    assert (
        mask("login of anna with p@ss-word (p%40ss-word) at db/sales")
        == f"login of anna with {MASK} ({MASK}) at db/sales"
    )
    assert mask("https://hooks.example.org/services") == "https://hooks.example.org/services"


def test_what_is_too_short_to_be_told_from_chance_stays() -> None:
    mask = Masker(["abc", ""])
    assert not mask
    assert mask("abc") == "abc"


def test_pictures_are_left_alone_and_all_else_in_a_notebook_is_not() -> None:
    picture = base64.b64encode(bytes(range(256)) * 2).decode()
    secret = picture[100:112]
    notebook = {
        "metadata": {"params": {"key": secret, secret: 1}},
        "cells": [
            {
                "cell_type": "code",
                "source": [f"key = '{secret}'\n", "print(key)"],
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": f"{secret}\n"},
                    {
                        "output_type": "display_data",
                        "data": {
                            "image/png": picture,
                            "image/svg+xml": f"<svg><text>{secret}</text></svg>",
                            "text/html": [f'<img src="data:image/png;base64,{picture}">', f"<b>{secret}</b>"],
                            "application/json": {"deep": [secret, 3, None, True]},
                        },
                    },
                    {"output_type": "error", "ename": "E", "evalue": secret, "traceback": [f"\x1b[31m{secret}\x1b[0m"]},
                ],
            }
        ],
    }
    masked = masked_notebook(notebook, Masker([secret]))
    data = masked["cells"][0]["outputs"][1]["data"]
    assert data["image/png"] == picture
    assert data["text/html"][0] == f'<img src="data:image/png;base64,{picture}">'
    assert json.dumps(masked, ensure_ascii=False).replace(picture, "").count(MASK) == 9
    assert secret not in json.dumps(masked).replace(picture, "")
    assert masked_notebook(notebook, Masker([])) is notebook


class Memory(keyring.backend.KeyringBackend):
    """A keyring as each system has one, kept in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def memory() -> Iterator[Memory]:
    before = keyring.get_keyring()
    backend = Memory()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_a_project_names_its_secrets(tmp_path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DB_PASSWORD", "hunter2-db")
    monkeypatch.setenv("TEST_HOOK", "https://hooks.example.org/T/hunter2-hook")
    keyring.set_password("mail.example.org/smtp", "anna", "hunter2-mail")
    keyring.set_password("warehouse", "anna", "hunter2-warehouse")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.mlwidgets]\n"
        "secrets = ['TEST_DB_PASSWORD', 'keyring:warehouse/anna', 'TEST_NOT_SET']\n"
        "notify = {failure = ['slack:$TEST_HOOK', 'mailto:a@example.org'], always = 'browser'}\n"
        "smtp = {server = 'mail.example.org', user = 'anna', password = 'keyring:mail.example.org/smtp/anna'}\n"
    )
    below = tmp_path / "notebooks" / "deep"
    below.mkdir(parents=True)
    mask = masker_for(below)
    text = "hunter2-db https://hooks.example.org/T/hunter2-hook hunter2-mail hunter2-warehouse TEST_NOT_SET"
    assert mask(text) == f"{MASK} {MASK} {MASK} {MASK} TEST_NOT_SET"
    assert not masker_for(tmp_path.parent)


@pytest.mark.parametrize("value", ["3", "['A B']", "[3]", "{a = 'b'}", "['keyring:x']", "'a-b'"])
def test_a_malformed_list_of_secrets_is_an_error_that_does_not_repeat_it(value: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.mlwidgets]\nsecrets = {value}\n")
    with pytest.raises(ConfigError, match="an entry names no secret") as raised:
        masker_for(tmp_path)
    assert value.strip("[]'") not in str(raised.value).replace(str(tmp_path), "") or value in {"3", "[3]"}


def test_a_file_that_others_can_write_still_names_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DB_PASSWORD", "hunter2-db")
    (tmp_path / "pyproject.toml").write_text("[tool.mlwidgets]\nsecrets = ['TEST_DB_PASSWORD']\n")
    (tmp_path / "pyproject.toml").chmod(0o666)
    assert masker_for(tmp_path)("hunter2-db") == MASK


def test_a_secret_that_is_not_there_is_said_without_a_value(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_EMPTY", "")
    for text, said in {
        "$TEST_NOT_SET": r"\$TEST_NOT_SET is not set in the environment",
        "${TEST_EMPTY}": r"\$TEST_EMPTY is not set",
        "keyring:nothing": "names no entry",
        "keyring:mail/anna": "the keyring has no keyring:mail/anna: run `keyring set mail anna`",
    }.items():
        with pytest.raises(SecretNotFound, match=said):
            resolve(text)
    assert resolve("plain $TEXT") == "plain $TEXT"


def test_a_keyring_that_fails(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, username: str) -> str:
        raise RuntimeError("the keyring is\nlocked")

    monkeypatch.setattr(memory, "get_password", locked)
    with pytest.raises(SecretNotFound, match="did not give keyring:a/b: the keyring is locked"):
        resolve("keyring:a/b")
