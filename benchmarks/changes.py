"""Figure: what changed in a notebook: its diff, its snapshot, and what a save costs beside it."""

from __future__ import annotations

import copy
import json
import os
import random
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.lab import free_port
from benchmarks.measure import Figure, Row, Spread, Target, at_most, number, ratios
from benchmarks.peers import NotInstalledError, load

CELLS, CHANGES = 500, 25
DIFF_LIMIT, SNAPSHOT_LIMIT = 0.3, 40.0
_WORDS = ["model", "batch", "loss", "step", "rate", "epoch", "train", "valid", "score", "frame", "table", "scale"]


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    rounds = 3 if quick else 9
    figure = Figure(
        "changes",
        f"What changed, in a notebook of {CELLS} cells",
        f"A notebook of {CELLS} cells (two of three code, with text outputs), of which {CHANGES} were edited, five "
        f"added, five removed and a block of five moved. Each command in a process of its own, output to "
        f"a pipe; they take turns. Snapshots in a process that lives, as in the server, each after an edit. Saves "
        f"over HTTP, of 100 cells, on two servers that differ in the extension alone, taking turns.",
    )
    before = notebook(CELLS, random.Random(7))
    after = edited(before, random.Random(8))
    old, new = scratch / "old.ipynb", scratch / "new.ipynb"
    for path, content in ((old, before), (new, after)):
        path.write_text(json.dumps(content, indent=1))
    _commands(figure, scratch, old, new, rounds)
    for cells in (100, CELLS):
        _snapshots(figure, scratch / f"of-{cells}", notebook(cells, random.Random(7)), rounds)
    _saves(figure, scratch, notebook(100, random.Random(7)), 10 if quick else 120)
    return figure


def notebook(cells: int, chance: random.Random) -> dict[str, Any]:
    """Return a notebook as JSON."""
    return {
        "cells": [_cell(i, chance) for i in range(cells)],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(number_: int, chance: random.Random) -> dict[str, Any]:
    if number_ % 3 == 0:
        text = f"## Part {number_}\n\n" + "\n".join(" ".join(chance.choices(_WORDS, k=12)) for _ in range(3))
        return {"cell_type": "markdown", "id": f"cell-{number_}", "metadata": {}, "source": text.splitlines(True)}
    lines = [f"{a}_{number_} = {b}({c}, {chance.randrange(1000)})" for a, b, c in _triples(chance, 12)]
    printed = [f"{chance.choice(_WORDS)} {chance.random():.6f}\n" for _ in range(5)]
    return {
        "cell_type": "code",
        "id": f"cell-{number_}",
        "metadata": {},
        "execution_count": number_,
        "source": "\n".join(lines).splitlines(True),
        "outputs": [{"output_type": "stream", "name": "stdout", "text": printed}],
    }


def _triples(chance: random.Random, count: int) -> Iterator[list[str]]:
    return (chance.choices(_WORDS, k=3) for _ in range(count))


def edited(before: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return the notebook after an afternoon's work."""
    after = copy.deepcopy(before)
    cells = after["cells"]
    for at in chance.sample(range(len(cells)), CHANGES):
        source = cells[at]["source"]
        line = chance.randrange(len(source))
        source[line] = source[line].replace("_", "_new_", 1) if "_" in source[line] else "changed " + source[line]
    for at in sorted(chance.sample(range(len(cells)), 5), reverse=True):
        del cells[at]
    for i in range(5):
        cells.insert(chance.randrange(len(cells)), _cell(10_000 + 3 * i + 1, chance))
    start = chance.randrange(len(cells) // 2)
    block = cells[start : start + 5]
    del cells[start : start + 5]
    cells[len(cells) - 20 : len(cells) - 20] = block
    return after


def _timed(work: Callable[[], Any]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def _run(*command: str, cwd: Path | None = None) -> None:
    # A diff's exit status may say that there are differences.
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    if done.returncode > 1:
        raise NotInstalledError(done.stderr.decode(errors="replace").strip()[-200:])


def _commands(figure: Figure, scratch: Path, old: Path, new: Path, rounds: int) -> None:
    bin_ = Path(sys.executable).parent

    def by_jupytext() -> None:
        for path in (old, new):
            _run(str(bin_ / "jupytext"), "--quiet", "--to", "py:percent", "-o", str(path.with_suffix(".py")), str(path))
        _run("git", "diff", "--no-index", str(old.with_suffix(".py")), str(new.with_suffix(".py")))

    works: dict[str, Callable[[], None]] = {
        "mlwidgets diff": lambda: _run(str(bin_ / "mlwidgets"), "diff", str(old), str(new)),
        "nbdime's nbdiff, sources": lambda: _run(str(bin_ / "nbdiff"), "-s", str(old), str(new)),
        "nbdime's nbdiff, all": lambda: _run(str(bin_ / "nbdiff"), str(old), str(new)),
        "jupytext twice, then git diff": by_jupytext,
        "git diff of the JSON": lambda: _run("git", "diff", "--no-index", str(old), str(new), cwd=scratch),
    }
    taken = _take_turns(works, rounds)
    ours = taken["mlwidgets diff"]
    for what, times in taken.items():
        if times is None:
            figure.rows.append(Row(what, "s", None, note="not installed"))
            continue
        mine = what == "mlwidgets diff"
        figure.rows.append(Row(what, "s", Spread.of(times), None if mine or ours is None else ratios(times, ours)))
    spread = Spread.of(ours) if ours else None
    figure.targets.append(at_most(f"diff from the shell under {DIFF_LIMIT} s", DIFF_LIMIT, "s", spread))


def _take_turns(works: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float] | None]:
    taken: dict[str, list[float] | None] = {}
    for what, work in works.items():
        try:
            # Once for the caches.
            work()
            taken[what] = []
        except (NotInstalledError, OSError):
            taken[what] = None
    for _ in range(rounds):
        for what, work in works.items():
            times = taken[what]
            if times is not None:
                times.append(_timed(work))
    return taken


def _repository(folder: Path) -> Path:
    folder.mkdir()
    for command in (["init", "-q"], ["config", "user.name", "bench"], ["config", "user.email", "bench@localhost"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def _snapshots(figure: Figure, scratch: Path, content: dict[str, Any], rounds: int) -> None:
    """Ours as the server takes it; beside it what a user's own commit of a text twin takes."""
    reading, history = load("mlwidgets.history.notebooks.notebook"), load("mlwidgets.history.snapshots")
    bin_ = Path(sys.executable).parent
    scratch.mkdir()
    ours, theirs = _repository(scratch / "ours"), _repository(scratch / "theirs")
    content = copy.deepcopy(content)
    name = "long notebook.ipynb"
    taken: list[float] = []
    peers: list[float] = []
    for round_ in range(rounds + 1):
        content["cells"][7]["source"] = [f"changed = {round_}"]
        for folder in (ours, theirs):
            (folder / name).write_text(json.dumps(content, indent=1))
        path = ours / name
        taken.append(1e3 * _timed(lambda: history.History(path).take("save", reading.load_notebook(path))))  # noqa: B023

        def commit(number_: int = round_) -> None:
            _run(str(bin_ / "jupytext"), "--quiet", "--to", "py:percent", "-o", "twin.py", name, cwd=theirs)
            _run("git", "add", "twin.py", cwd=theirs)
            _run("git", "commit", "-q", "-m", f"save {number_}", cwd=theirs)

        try:
            peers.append(1e3 * _timed(commit))
        except (NotInstalledError, OSError):
            peers = []
    spread = Spread.of(taken[1:])
    size = f"{len(content['cells'])} cells"
    figure.rows.append(Row(f"snapshot in the background, {size}", "ms", spread))
    if peers:
        figure.rows.append(
            Row(
                f"jupytext's twin, git add, git commit, {size}",
                "ms",
                Spread.of(peers[1:]),
                ratios(peers[1:], taken[1:]),
            )
        )
    figure.targets.append(at_most(f"snapshot of {size} under {SNAPSHOT_LIMIT:.0f} ms", SNAPSHOT_LIMIT, "ms", spread))


@contextmanager
def _server(folder: Path, *, ours: bool) -> Iterator[Callable[[dict[str, Any]], float]]:
    """Give a function that saves a notebook on a Jupyter server of its own, and returns the milliseconds."""
    load("jupyter_server")
    root = _repository(folder)
    token, port = secrets.token_hex(16), free_port()
    environment = {k: v for k, v in os.environ.items() if k != "MLWIDGETS_STORE"}
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        environment[f"JUPYTER_{name}"] = str(folder.parent / f"{folder.name}-{name.lower()}")
    extensions = {"mlwidgets": ours, "jupyterlab": False, "nbdime": False, "jupytext": False}
    config = Path(environment["JUPYTER_CONFIG_DIR"])
    config.mkdir()
    (config / "jupyter_server_config.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": extensions}}))
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}"]
    server = subprocess.Popen(
        [*command, f"--IdentityProvider.token={token}"],
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def ask(method: str, path: str, body: bytes | None = None) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/{path}", body, method=method)
        request.add_header("Authorization", f"token {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()

    def save(content: dict[str, Any]) -> float:
        body = json.dumps({"type": "notebook", "format": "json", "content": content}).encode()
        return 1e3 * _timed(lambda: ask("PUT", "contents/saved.ipynb", body))

    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                ask("GET", "status")
                break
            except OSError as error:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise NotInstalledError("the server does not start") from error
                time.sleep(0.1)
        yield save
    finally:
        server.terminate()
        server.wait(30)


def _saves(figure: Figure, scratch: Path, content: dict[str, Any], rounds: int) -> None:
    content = copy.deepcopy(content)
    times: dict[bool, list[float]] = {True: [], False: []}
    with ExitStack() as stack:
        save = {ours: stack.enter_context(_server(scratch / f"server-{ours}", ours=ours)) for ours in (True, False)}
        for round_ in range(rounds + 3):
            content["cells"][7]["source"] = f"changed = {round_}"
            for ours in (True, False) if round_ % 2 else (False, True):
                times[ours].append(save[ours](content))
                # Who saves does so again after some seconds; the snapshot is done by then.
                time.sleep(0.3)
    kept = subprocess.run(
        ["git", "for-each-ref", "refs/mlwidgets"], cwd=scratch / "server-True", capture_output=True, check=True
    )
    bare = Spread.of(times[False][3:])
    added = [ours - theirs for ours, theirs in zip(times[True][3:], times[False][3:], strict=True)]
    spread = Spread.of(times[True][3:])
    figure.rows.append(Row("a save, with snapshots", "ms", spread, note="" if kept.stdout else "no snapshot was taken"))
    figure.rows.append(Row("a save, without mlwidgets", "ms", bare, ratios(times[False][3:], times[True][3:])))
    more = Spread.of(added)
    figure.rows.append(Row("added to a save, pair by pair", "ms", more))
    # Nothing is in the save's path: what is left is noise, which is far below what anybody would notice.
    figure.targets.append(
        Target(
            "nothing added to a save",
            f"{number(more.median)} ms",
            bool(kept.stdout) and more.median < 0.05 * bare.median,
        )
    )
