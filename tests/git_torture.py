"""Random histories of a notebook in a real git repository: edits on both sides, merges, rebases, stashes, cherry-picks.

``python -m tests.git_torture --rounds 1000``. Each line of each cell holds a token of its own, so that it can be said
of every one where it has to be after each merge. A round that loses one is printed with its seed; ``--seed SEED`` does
that one again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from mlwidgets.history.merging.conflicts import conflicts_in
from mlwidgets.history.merging.documents import read
from mlwidgets.history.merging.merge import merge
from mlwidgets.history.setup.repository import Setup
from mlwidgets.history.setup.settings import Wanted

TOKEN = re.compile(r"\bt\d+\b")
MARKER = re.compile(r"^(<{7,} |={7,}$|>{7,} )")
NAME = "a notebook é 中 'q'.ipynb"
WORDS = ["load", "model", "batch", "train", "plot", "score", "frame", "epochs", "the", "result"]


class Author:
    """Somebody who edits notebooks; every line that is written has a token that no other one has."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.count = 0
        self.ids = chance.random() < 0.7

    def line(self) -> str:
        self.count += 1
        words = self.chance.choices(WORDS, k=self.chance.randrange(4))
        return self.chance.choice(["", "", "    "]) + " ".join([f"t{self.count}", *words])

    def cell(self) -> dict[str, Any]:
        lines = [self.line() for _ in range(self.chance.choice([1, 1, 2, 3, 6]))]
        if self.chance.random() < 0.3:
            lines.insert(self.chance.randrange(len(lines) + 1), "")
        cell: dict[str, Any] = {"cell_type": self.chance.choice(["code", "code", "markdown"]), "metadata": {}}
        if self.ids:
            cell["id"] = f"{self.chance.getrandbits(32):08x}"
        self.write(cell, "" if self.chance.random() < 0.1 else "\n".join(lines))
        self.run(cell)
        return cell

    def three(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Return a notebook and what became of it on two sides, which may have had some of their changes in common."""
        base = self.notebook()
        begin = self.edited(base) if self.chance.random() < 0.3 else base
        return base, self.edited(begin), self.edited(begin)

    def notebook(self) -> dict[str, Any]:
        cells = [self.cell() for _ in range(self.chance.randrange(9))]
        return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5 if self.ids else 4}

    def write(self, cell: dict[str, Any], text: str) -> None:
        cell["source"] = text.splitlines(keepends=True)

    def run(self, cell: dict[str, Any]) -> None:
        if cell["cell_type"] == "code":
            self.count += 1
            cell["execution_count"] = self.count
            text = [f"out of {source_of(cell)!r}: {self.count}\n"]
            cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": text}]

    def edited(self, before: dict[str, Any], steps: int | None = None) -> dict[str, Any]:
        after: dict[str, Any] = json.loads(json.dumps(before))
        for _ in range(self.chance.randrange(1, 6) if steps is None else steps):
            self._step(after)
        return after

    def _step(self, notebook: dict[str, Any]) -> None:
        cells, chance = notebook["cells"], self.chance
        self.ids = notebook["nbformat_minor"] == 5
        if not cells or chance.random() < 0.2:
            cells.insert(chance.randrange(len(cells) + 1), self.cell())
            return
        n = chance.randrange(len(cells))
        lines = source_of(cells[n]).split("\n")
        if chance.random() < 0.4:
            at = chance.randrange(len(lines) + 1)
            lines[at : at + chance.randrange(2)] = [self.line() for _ in range(chance.randrange(3))]
            self.write(cells[n], "\n".join(lines))
            if chance.random() < 0.7:
                self.run(cells[n])
        elif chance.random() < 0.6:
            self._change_cells(cells, n, lines)
        else:
            self._change_around(notebook, cells[n])

    def _change_cells(self, cells: list[dict[str, Any]], n: int, lines: list[str]) -> None:
        chance, cell = self.chance, cells[n]
        act = chance.choice(["delete", "move", "split", "join", "rewrite", "copy line"])
        if act == "delete":
            del cells[n]
        elif act == "move":
            size = chance.choice([1, 1, 2, 3])
            taken, cells[n : n + size] = cells[n : n + size], []
            at = chance.randrange(len(cells) + 1)
            cells[at:at] = taken
        elif act == "split" and len(lines) > 1:
            at = chance.randrange(1, len(lines))
            new = self.cell()
            self.write(cell, "\n".join(lines[:at]))
            self.write(new, "\n".join(lines[at:]))
            cells.insert(n + 1, new)
        elif act == "join" and n + 1 < len(cells):
            self.write(cell, "\n".join([source_of(cell), source_of(cells.pop(n + 1))]))
        elif act == "rewrite":
            self.write(cell, "\n".join(self.line() for _ in range(4)))
        elif act == "copy line":
            self.write(chance.choice(cells), "\n".join([chance.choice(lines), self.line()]))

    def _change_around(self, notebook: dict[str, Any], cell: dict[str, Any]) -> None:
        chance = self.chance
        act = chance.choice(["run", "kind", "tag", "ids", "kernel", "format"])
        if act == "run":
            for one in notebook["cells"]:
                self.run(one)
        elif act == "kind":
            code = cell["cell_type"] != "code"
            for key in ("outputs", "execution_count"):
                cell.pop(key, None)
            cell |= {"cell_type": "code", "outputs": [], "execution_count": None} if code else {"cell_type": "markdown"}
        elif act == "tag":
            tags = cell["metadata"].setdefault("tags", [])
            tags += [tag for tag in [f"tag-{chance.randrange(9)}"] if tag not in tags]
        elif act == "kernel":
            version = f"3.{chance.randrange(9, 14)}.{chance.randrange(9)}"
            notebook["metadata"]["language_info"] = {"name": "python", "version": version}
        elif notebook["nbformat_minor"] == 5 or (act == "format" and chance.random() < 0.3):
            notebook["nbformat_minor"] = 5
            for one in notebook["cells"]:
                one["id"] = f"{chance.getrandbits(32):08x}"


def source_of(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def tokens(notebook: dict[str, Any]) -> set[str]:
    return set(_all_tokens(notebook))


def _all_tokens(notebook: dict[str, Any]) -> list[str]:
    return [token for cell in notebook["cells"] for token in TOKEN.findall(source_of(cell))]


def written(notebook: dict[str, Any]) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def check(
    bases: list[dict[str, Any]],
    ours: dict[str, Any],
    theirs: dict[str, Any],
    merged: dict[str, Any],
    *,
    stripped: bool = False,
) -> None:
    """Fail where a merge has lost, or brought back, what it should not have.

    Of a notebook that is committed without outputs, `stripped`, the file still has those that nobody has merged.
    """
    check_notebook(merged)
    before = set().union(*map(tokens, bases))
    o, t, m = tokens(ours), tokens(theirs), tokens(merged)
    # Of a line that is there twice each side may have deleted another one.
    twice = {x for one in bases for x, n in Counter(_all_tokens(one)).items() if n > 1}
    lost = ((o - before) | (t - before) | (o & t) - twice) - m
    assert not lost, f"lost: {sorted(lost)}"
    if not conflicts_in(merged) and len(bases) == 1:
        # Of a cell that the other side has left as it was; who moves or copies a line has written it.
        deleted = {x for mine, other in ((o, theirs), (t, ours)) for x in _untouched(bases[0], other) & before - mine}
        back = (deleted - (o & t)) & m
        assert not back, f"deleted by one side, and there again: {sorted(back)}"
    known = {source_of(one): [] for side in (ours, theirs) for one in side["cells"]}
    for side in (ours, theirs):
        for one in side["cells"]:
            known[source_of(one)].append(one.get("outputs", []))
    for cell in merged["cells"]:
        if cell.get("outputs") and not stripped and not MARKER.match(source_of(cell)):
            assert cell["outputs"] in known[source_of(cell)], "outputs of another source"


def _untouched(base: dict[str, Any], side: dict[str, Any]) -> set[str]:
    """Return tokens that a side has once, in a cell that the base has, too."""
    was = [(one["cell_type"], source_of(one)) for one in base["cells"]]
    same = [one for one in side["cells"] if (one["cell_type"], source_of(one)) in was]
    count = Counter(_all_tokens(side))
    return {token for token in tokens({"cells": same}) if count[token] == 1}


def check_notebook(notebook: dict[str, Any]) -> None:
    """Fail where a notebook would not open."""
    from nbformat import validate

    validate(notebook)
    ids = [cell["id"] for cell in notebook["cells"] if "id" in cell]
    assert len(ids) == len(set(ids)), "two cells of one id"


class History:
    """One repository with a notebook in it, its branches, and what must hold after each command."""

    def __init__(self, top: Path, seed: int) -> None:
        self.top, self.chance = top, random.Random(seed)
        self.author = Author(self.chance)
        self.path = top / "sub folder" / NAME
        self.branches = ["main"]
        self.stripped = self.chance.random() < 0.3
        self.done: list[str] = []
        top.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")
        for key, value in (("user.name", "Me"), ("user.email", "me@x"), ("commit.gpgsign", "false"), ("gc.auto", "0")):
            self.git("config", key, value)
        setup = Setup(top)
        setup.write(setup.plan(Wanted(hook=self.chance.random() < 0.5, strip=self.stripped)))
        self.path.parent.mkdir()
        self.save(self.author.notebook())
        self.commit()

    def git(self, *arguments: str, check: bool = True) -> str:
        environment = {**os.environ, "GIT_EDITOR": "true", "GIT_MERGE_AUTOEDIT": "no", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["git", *arguments], cwd=self.top, capture_output=True, text=True, env=environment, check=False
        )
        self.done.append(f"git {' '.join(arguments)} -> {done.returncode}")
        assert not re.search(r"Traceback|mlwidgets: \w+ failed:", done.stderr), done.stderr
        if check:
            assert done.returncode == 0, f"{self.done[-1]}: {done.stdout}{done.stderr}"
        self.status = done.returncode
        return done.stdout

    def save(self, notebook: dict[str, Any]) -> None:
        self.path.write_bytes(written(notebook))

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a commit")

    def now(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_bytes())
        return found

    def at(self, commit: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.git("show", f"{commit}:sub folder/{NAME}"))
        return found

    def edit(self) -> None:
        self.save(self.author.edited(self.now()))

    def settle(self) -> None:
        """Do what a user does with a conflict: take the marker lines out, and keep the rest."""
        notebook = self.now()
        check_notebook(notebook)
        assert conflicts_in(notebook), "git speaks of a conflict, the notebook of none"
        for cell in notebook["cells"]:
            lines = [line for line in source_of(cell).split("\n") if not MARKER.match(line)]
            self.author.write(cell, "\n".join(lines))
        self.save(notebook)
        self.git("add", "--all")

    def other(self) -> str:
        return self.chance.choice([one for one in self.branches if one != self.branch()] or self.branches)

    def branch(self) -> str:
        return self.git("branch", "--show-current").strip()

    def step(self) -> None:
        act = self.chance.choice(["branch", "commit", "commit", "switch", "merge", "merge", "rebase", "stash", "pick"])
        if act == "branch" and len(self.branches) < 4:
            self.branches.append(f"b{len(self.branches)}")
            self.git("checkout", "--quiet", "-b", self.branches[-1])
        elif act == "switch":
            self.git("checkout", "--quiet", self.other())
        elif act == "merge":
            self.merge(self.other())
        elif act == "rebase":
            self.rebase(self.other())
        elif act == "stash":
            self.stash()
        elif act == "pick":
            self.pick(self.other())
        else:
            self.edit()
            self.commit()

    def bases(self, other: str) -> list[dict[str, Any]]:
        return [self.at(one) for one in self.git("merge-base", "--all", "HEAD", other).split()]

    def merge(self, other: str) -> None:
        bases, ours, theirs = self.bases(other), self.at("HEAD"), self.at(other)
        self.git("merge", "--quiet", "--no-edit", other, check=False)
        merged = self.now()
        check(bases, ours, theirs, merged, stripped=self.stripped)
        if self.status:
            self.settle()
            check(bases, ours, theirs, self.now(), stripped=self.stripped)
            self.commit()

    def rebase(self, other: str) -> None:
        bases, ours, theirs = self.bases(other), self.at(other), self.at("HEAD")
        own = self.git("rev-list", f"{other}..HEAD").split()
        # What a commit of this branch took away again, whoever else has it from another one that was picked.
        taken = set().union(*(tokens(self.at(one)) for one in own)) - tokens(theirs)
        self.git("rebase", "--quiet", other, check=False)
        while (self.top / ".git" / "rebase-merge").is_dir():
            if self.git("ls-files", "--unmerged"):
                self.settle()
            self.git("rebase", "--continue", check=False)
            if self.status and not self.git("ls-files", "--unmerged"):
                self.git("rebase", "--skip", check=False)
        check_notebook(self.now())
        if len(bases) == 1:
            before = tokens(bases[0])
            lost = ((tokens(ours) | tokens(theirs)) - before) - taken - tokens(self.now())
            assert not lost, f"lost in a rebase: {sorted(lost)}"

    def stash(self) -> None:
        base = self.at("HEAD")
        self.edit()
        theirs = self.now()
        self.git("stash", "--quiet")
        if not self.git("stash", "list"):
            return
        self.git("checkout", "--quiet", self.other())
        if self.chance.random() < 0.5:
            self.edit()
            self.commit()
        ours = self.now()
        self.git("stash", "pop", check=False)
        check([base], ours, theirs, self.now(), stripped=self.stripped)
        if self.status:
            self.settle()
            self.git("stash", "drop", "--quiet")
        self.commit()

    def pick(self, other: str) -> None:
        if self.git("rev-list", "--parents", "-n", "1", other).count(" ") != 1:
            return
        base, ours, theirs = self.at(f"{other}^"), self.at("HEAD"), self.at(other)
        self.git("cherry-pick", "--allow-empty", "--keep-redundant-commits", other, check=False)
        check([base], ours, theirs, self.now(), stripped=self.stripped)
        if self.status:
            self.settle()
            self.git("-c", "core.editor=true", "cherry-pick", "--continue", check=False)
            if self.status:
                self.git("commit", "--allow-empty", "--quiet", "-m", "picked")


def play(folder: Path, seed: int, steps: int) -> None:
    """Do one round; fail where it breaks a law."""
    history = History(folder / f"round {seed}", seed)
    try:
        for _ in range(steps):
            history.step()
        history.git("log", "-p", "--all")
        history.git("blame", f"sub folder/{NAME}")
    except BaseException as error:
        error.add_note("\n".join(history.done[-12:]))
        raise


def merge_in_memory(seed: int) -> None:
    """Merge three notebooks without git; fail where that breaks a law."""
    base, ours, theirs = Author(random.Random(seed)).three()
    merged = merge(*(read(written(one), "a notebook") for one in (base, ours, theirs)))
    check([base], ours, theirs, json.loads(merged.data))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--merges", action="store_true", help="merges alone, without git: some hundred a second")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    first = random.SystemRandom().getrandbits(32) if options.seed is None else options.seed
    failed = 0
    for seed in range(first, first + options.rounds):
        with tempfile.TemporaryDirectory(prefix="mlw-") as folder:
            try:
                if options.merges:
                    merge_in_memory(seed)
                else:
                    play(Path(folder), seed, options.steps)
            except Exception:
                failed += 1
                print(f"--seed {seed}\n{traceback.format_exc()}", flush=True)
    print(f"{options.rounds} rounds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
