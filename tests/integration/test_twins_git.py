"""Notebooks and their twins in git: two people, merges, rebases, stashes and branches; no line is ever lost."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.cli import main
from mlwidgets.history.twins.syncing import settle, sync
from tests.twin_support import TOKEN, cell, notebook, ran, read, sources, write

STEPS = int(os.environ.get("MLWIDGETS_TWIN_STEPS", "12"))
MARKER = re.compile(r"(?m)^(# )?(<{7}|={7}|>{7}|\|{7})( .*)?\n?")


class Person:
    """A clone, and who works in it."""

    def __init__(self, folder: Path, chance: random.Random, counter: list[int], *, twins: bool) -> None:
        self.folder, self.chance, self.counter, self.twins = folder, chance, counter, twins
        self.path, self.twin = folder / "n.ipynb", folder / "n.py"

    def git(self, *arguments: str, check: bool = True) -> int:
        identity = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "core.editor=true")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.returncode

    def line(self) -> str:
        self.counter[0] += 1
        return f"x = 't{self.counter[0]}t'"

    def edit_notebook(self) -> None:
        raw = read(self.path)
        at = self.chance.randrange(len(raw["cells"]) + 1)
        if at == len(raw["cells"]) or self.chance.random() < 0.3:
            raw["cells"].insert(at, ran(cell(self.line(), given=f"c{self.counter[0]}"), "out\n"))
        else:
            lines = "".join(raw["cells"][at]["source"]).split("\n")
            lines.insert(self.chance.randrange(len(lines) + 1), self.line())
            raw["cells"][at]["source"] = "\n".join(lines).splitlines(keepends=True)
        write(self.path, raw)

    def edit_twin(self) -> None:
        parts = re.split(r"(?m)^(?=# %%)", self.twin.read_text())
        at = self.chance.randrange(1, len(parts) + 1)
        if at == len(parts) or self.chance.random() < 0.3:
            parts[at - 1] = parts[at - 1].rstrip("\n") + "\n\n"
            parts.insert(at, f"# %%\n{self.line()}\n\n")
        else:
            lines = parts[at].split("\n")
            lines.insert(1, self.line())
            parts[at] = "\n".join(lines)
        self.put("".join(parts))

    def put(self, text: str) -> None:
        self.twin.write_text(text)
        os.utime(self.twin, (time.time() - 5, time.time() - 5))

    def sync(self) -> None:
        if not self.twins:
            return
        done = sync(self.path)
        assert done.problem is None, done.problem
        for _ in range(9):
            if not done.conflicts:
                break
            # One after the other, as somebody would in a dialog.
            done = settle(self.path, {done.conflicts[0].id: "both"})
            assert done.problem is None, done.problem
            if done.changed == "none" and done.conflicts:
                done = settle(self.path, {one.id: "both" for one in done.conflicts})
        assert not done.conflicts

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", "work", check=False)

    def settle_git(self) -> None:
        """Keep both sides of what git left to be decided."""
        self.put(MARKER.sub("", self.twin.read_text()))
        raw: dict[str, Any] = json.loads(self.path.read_bytes())
        for one in raw["cells"]:
            source = MARKER.sub("", "".join(one["source"]))
            one["source"] = source.splitlines(keepends=True)
        write(self.path, raw)

    def pull(self) -> None:
        self.commit()
        self.git("fetch", "-q")
        if self.chance.random() < 0.5:
            if self.git("merge", "-q", "origin/main", check=False):
                self.settle_git()
                self.commit()
            return
        failed = self.git("rebase", "-q", "origin/main", check=False)
        for _ in range(50):
            if not failed:
                return
            self.settle_git()
            self.git("add", "-A")
            failed = self.git("rebase", "--continue", check=False)
        raise AssertionError("the rebase does not end")

    def stash(self) -> None:
        if self.git("stash", "-q", check=False):
            return
        self.sync()
        self.pull()
        self.sync()
        # The rest of what a stash does not take back where files changed meanwhile.
        self.commit()
        if self.git("stash", "pop", "-q", check=False):
            self.settle_git()
            self.git("add", "-A")
            self.git("reset", "-q")
            self.git("stash", "drop", "-q", check=False)

    def branch(self) -> None:
        """Work on another branch for a moment, then merge it."""
        self.commit()
        self.git("checkout", "-q", "-b", f"b{self.counter[0]}-{self.chance.randrange(1 << 30)}", "HEAD~1", check=False)
        self.sync()
        self.edit_notebook()
        self.sync()
        self.commit()
        self.git("checkout", "-q", "main")
        self.sync()
        self.commit()
        if self.git("merge", "-q", "-", check=False):
            self.settle_git()
            self.commit()


@pytest.mark.parametrize("seed", range(int(os.environ.get("MLWIDGETS_TWIN_HISTORIES", "4"))))
def test_no_line_is_ever_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    monkeypatch.delenv("MLWIDGETS_STORE", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    chance, counter = random.Random(seed), [0]
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", tmp_path / "origin"], check=True)
    people = []
    for name in ("with", "without"):
        subprocess.run(["git", "clone", "-q", tmp_path / "origin", tmp_path / name], check=True, capture_output=True)
        people.append(Person(tmp_path / name, chance, counter, twins=name == "with"))
    one, other = people
    monkeypatch.chdir(one.folder)
    one.git("checkout", "-q", "-B", "main")
    assert main(["git-setup", "--yes"]) == 0
    write(one.path, notebook(*(ran(cell(one.line(), given=f"s{n}"), "out\n") for n in range(4))))
    assert main(["init", "--yes"]) == 0
    one.commit()
    one.git("push", "-q", "origin", "main")
    other.git("pull", "-q", "origin", "main")
    other.git("checkout", "-q", "-B", "main", "origin/main")
    for step in range(STEPS):
        # A colleague who has none of this edits the text, and now and then the notebook.
        if chance.random() < 0.5:
            other.git("pull", "-q", "--no-rebase", "-X", "theirs", "origin", "main")
            other.edit_twin()
            other.commit()
            other.git("push", "-q", "origin", "main")
        for _ in range(chance.randrange(3)):
            chance.choice((one.edit_notebook, one.edit_twin, one.sync))()
        if chance.random() < 0.2:
            for base in (one.folder / ".mlwidgets" / "twins").glob("*.json"):
                base.unlink()
        chance.choice((one.sync, one.commit, one.pull, one.stash, one.branch))()
        one.sync()
        texts = one.twin.read_text(), "\n".join(sources(read(one.path)))
        assert set(TOKEN.findall(texts[0])) == set(TOKEN.findall(texts[1])), step
        if chance.random() < 0.4:
            one.pull()
            one.sync()
            one.commit()
            one.git("push", "-q", "origin", "main")
    one.pull()
    one.sync()
    there = set(TOKEN.findall(one.twin.read_text()))
    assert there == set(TOKEN.findall("\n".join(sources(read(one.path)))))
    assert {f"t{n}t" for n in range(1, counter[0] + 1)} - there == set()
    one.git("fsck", "--strict")
    capsys.readouterr()
