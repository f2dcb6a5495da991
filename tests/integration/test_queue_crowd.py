"""Many real processes queue on one machine, and some of them are killed at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.runner.slots import overview

CROWD = Path(__file__).with_name("crowd.py")
ROOT = Path(__file__).resolve().parent.parent.parent


class Day:
    """One day at the machine: who was born, killed, and what the others told."""

    def __init__(self, folder: Path, plan: dict[str, Any], kills: int, seed: int) -> None:
        self.folder, self.plan = folder, plan
        (folder / "plan.json").write_text(json.dumps(plan))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen([sys.executable, str(CROWD), str(folder)], env=environment, cwd=folder)
        try:
            self.killed = self._kill_some(kills, random.Random(seed))
            assert self._process.wait(240) == 0
        finally:
            self._process.kill()
            for event in self.told("born"):
                try:
                    os.kill(event["pid"], signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def told(self, kind: str) -> list[dict[str, Any]]:
        try:
            text = (self.folder / "log.jsonl").read_text()
        except FileNotFoundError:
            return []
        events = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [event for event in events if event["event"] == kind]

    def _kill_some(self, kills: int, random_: random.Random) -> set[int]:
        """Kill so many, spread over the time in which the crowd is born, waits and runs."""
        killed: set[int] = set()
        crowd = len(self.plan["asked"])
        while self._process.poll() is None:
            time.sleep(random_.uniform(0, 0.03))
            done = {event["index"] for event in self.told("done")}
            killed -= done  # it had ended a moment before
            if len(killed) == kills:
                break
            # Kills keep pace with the work, so that the last is killed when few are left.
            if len(killed) / kills > (len(done) + len(self.told("born"))) / (1.7 * crowd):
                continue
            started = {event["index"] for event in self.told("started")}
            living = [e for e in self.told("born") if e["index"] not in done | killed]
            # Every other one holds slots at the time.
            chosen = [e for e in living if e["index"] in started] if len(killed) % 2 else living
            if chosen:
                victim = random_.choice(chosen)
                try:
                    os.kill(victim["pid"], signal.SIGKILL)
                    killed.add(victim["index"])
                except ProcessLookupError:
                    pass
        return killed


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "queue"
    monkeypatch.setenv("MLWIDGETS_QUEUE", str(path))
    path.mkdir()
    return path


def machine(queue: Path, cpus: int, gpus: int) -> dict[str, Any]:
    uuids = [f"GPU-{n}" for n in range(gpus)]
    devices = [{"uuid": uuid, "name": "H200", "memory": 1 << 37} for uuid in uuids]
    (queue / "machine.json").write_text(json.dumps({"cpus": cpus, "gpus": devices}))
    return {"cpus": cpus, "gpus": uuids}


def check(day: Day, kills: int) -> set[int]:
    """Check what holds for every crowd; return the survivors."""
    assert day.told("error") == []
    assert len(day.killed) == kills
    survivors = set(range(len(day.plan["asked"]))) - day.killed
    assert {event["index"] for event in day.told("done")} >= survivors
    assert all(event["alone"] for event in day.told("started")), "more was given out than there is"
    numbers = [event["number"] for event in day.told("entered")]
    assert len(set(numbers)) == len(numbers)
    # Nobody who waited looked by the clock.
    assert not any(event["clocked"] for event in day.told("done"))
    return survivors


def is_clean(queue: Path) -> bool:
    now = overview()
    assert now.waiting == now.running == ()
    assert {str(p.relative_to(queue)) for p in queue.rglob("*")} == {"mutex", "machine.json", "tickets", "holdings"}
    return True


def test_two_hundred_wait_and_forty_are_killed(queue: Path, tmp_path: Path) -> None:
    plan = machine(queue, 2, 0) | {"hold": 0.02, "asked": [{"gpus": 0, "cpus": 1, "priority": 0}] * 200}
    day = Day(tmp_path, plan, 40, seed=1)
    check(day, 40)
    started = sorted(day.told("started"), key=lambda event: event["since"])
    numbers = [event["number"] for event in started]
    # The order is that of entering. Only who entered later than somebody had started can have a lower place in it.
    assert numbers == sorted(numbers)
    # Each is woken when the one ahead of it goes, and as the first, when slots are free: never in between.
    woken = [event["woken"] for event in day.told("done")]
    assert sum(woken) <= 4 * len(plan["asked"])
    assert is_clean(queue)


def test_shares_whole_gpus_and_cpus_of_all_sizes(queue: Path, tmp_path: Path) -> None:
    random_ = random.Random(7)
    asked = [
        {
            "gpus": random_.choice([0, 0, 0.25, 0.5, 1, 1, 2, 3]),
            "cpus": random_.randint(1, 3),
            "priority": random_.choice([0, 0, 0, 1, -1]),
        }
        for _ in range(80)
    ]
    day = Day(tmp_path, machine(queue, 8, 3) | {"hold": 0.03, "asked": asked}, 16, seed=2)
    check(day, 16)
    assert all(len(event["gpus"]) == -(-asked[event["index"]]["gpus"] // 1) for event in day.told("started"))
    assert is_clean(queue)
