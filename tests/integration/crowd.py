"""A crowd of processes that queue: forked from here, each waits its turn, holds its slots for a moment, and goes.

Started as a script, ``crowd.py FOLDER``, where FOLDER/plan.json says what each process asks for. Every slot of the
machine has a lock file of its own here, and who holds a slot locks it: two that use the same at the same time are
found out whatever the queue's books say.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from mlwidgets.runner.board import queue_path
from mlwidgets.runner.need import quarters
from mlwidgets.runner.places import QUARTERS
from mlwidgets.runner.queue import Grant, Request, Ticket, enter


def wait(ticket: Ticket) -> tuple[Grant, int, bool]:
    """Wait as a supervisor does; return the grant, how often it woke, and whether it ever looked by the clock."""
    woken, clocked = 0, False
    while (grant := ticket.attempt()) is None:
        own, *others = ticket.watched()
        poll = select.poll()
        poll.register(own, select.POLLIN)
        for fd in others:
            poll.register(fd, 0)
        patience = ticket.patience()
        clocked = clocked or patience is not None
        poll.poll(None if patience is None else patience * 1000)
        woken += 1
    return grant, woken, clocked


class Slots:
    """The truth about who uses what. Record locks: the dying lose them before their FIFOs close."""

    def __init__(self, folder: Path, cpus: int, gpus: list[str]) -> None:
        names = [f"cpu-{n}" for n in range(cpus)] + [f"{uuid}-{n}" for uuid in gpus for n in range(QUARTERS)]
        self._fds = {name: os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600) for name in names}

    def take(self, kind: str, count: int) -> bool:
        """Lock so many slots of a kind; return whether there were as many free ones."""
        for _ in range(3):  # who looks at one after the other may miss one that is exchanged meanwhile
            for name, fd in self._fds.items():
                if count and name.rpartition("-")[0] == kind:
                    try:
                        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        count -= 1
                    except BlockingIOError:
                        pass
        return count == 0

    def give_back(self) -> None:
        """Unlock all."""
        for fd in self._fds.values():
            fcntl.lockf(fd, fcntl.LOCK_UN)


def live(folder: Path, plan: dict[str, Any], index: int, log: int) -> None:
    """Be one of the crowd."""
    asked = plan["asked"][index]
    slots = Slots(folder, plan["cpus"], plan["gpus"])
    ticket = enter(
        Request(f"run-{index}", f"run-{index}", str(folder), asked["gpus"], asked["cpus"], asked["priority"])
    )
    tell(log, event="entered", index=index, number=ticket.number)
    grant, woken, clocked = wait(ticket)
    since = json.loads((queue_path() / "holdings" / f"{ticket.number}.json").read_text())["since"]
    each = min(quarters(asked["gpus"]), QUARTERS)
    alone = slots.take("cpu", grant.cpus) and all(slots.take(uuid, each) for uuid in grant.gpus)
    tell(log, event="started", index=index, number=ticket.number, since=since, alone=alone, gpus=grant.gpus)
    time.sleep(plan["hold"])
    slots.give_back()
    grant.release()
    tell(log, event="done", index=index, woken=woken, clocked=clocked)


def tell(log: int, **event: Any) -> None:
    """Write one line of the log."""
    os.write(log, json.dumps(event).encode() + b"\n")


def main() -> None:
    """Fork the crowd and wait until all have gone."""
    folder = Path(sys.argv[1])
    plan = json.loads((folder / "plan.json").read_text())
    log = os.open(folder / "log.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for index in range(len(plan["asked"])):
        if pid := os.fork():
            tell(log, event="born", index=index, pid=pid)
            continue
        try:
            live(folder, plan, index, log)
        except BaseException as error:
            tell(log, event="error", index=index, error=repr(error))
            raise
        finally:
            os._exit(0)
    tell(log, event="all born")
    for _ in plan["asked"]:
        os.wait()


if __name__ == "__main__":
    main()
