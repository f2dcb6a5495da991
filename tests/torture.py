"""Kills, stops and disturbs small real runs at random moments for as long as asked, and checks every law after each.

``python -m tests.torture --rounds 1000``, or ``make torture N=1000``. A round that breaks a law is printed with its
seed; ``--seed SEED`` does that one again. The same seed plans the same runs and the same act; when exactly it hits
them is up to the machine, so a rare one may take several repeats (``--rounds 50 --seed SEED`` repeats it).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlwidgets import api
from mlwidgets.runner import warm
from mlwidgets.runner.board import Board
from mlwidgets.runner.tree import descendants
from mlwidgets.runs.alive import holder
from mlwidgets.runs.journal import read_lines
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import RUNNING, SUBMITTED, Outcome
from mlwidgets.runs.store import RunStore, name_of
from mlwidgets.views.data import read_header
from tests.laws import Books, Deeds, Work, broken_laws, command, named_in_commands, soon, start_of

ROOT = Path(__file__).resolve().parent.parent
CPUS = 4
GPU = {"uuid": "GPU-of-the-torture", "name": "torture", "memory": 1 << 30}
STORE = 'it\'s a "store"\nof two lines'
LATE = 2.0
"""Seconds from the death of all that could still go on with a run to its end as shown; on an idle machine it is 0."""
GIVE_UP = 150.0
"""Seconds after which a run that has not ended counts as hanging."""


@dataclass(frozen=True)
class Plan:
    """One round: the runs, what is done to one of them, and when (seconds after the first sign of the round)."""

    seed: int
    works: tuple[Work, ...]
    act: str
    victim: int
    delay: float


def plan(seed: int) -> Plan:
    """Draw a round."""
    dice = random.Random(seed)
    act = dice.choices(sorted(ACTS), [3 if act == "two acts" else 1 for act in sorted(ACTS)])[0]
    kind = dice.choices(("plain", "queued", "retries", "after", "deaf"), (50, 20, 20, 8, 2))[0]
    # What has emptied its environment is found by the supervisor alone.
    daemons = ["forked", "session", "deaf"] + (["clean"] if act in SUPERVISOR_LIVES else [])
    steps = dice.choice((1, 10, 60))
    work = Work(
        name=f"s{seed}-0",
        steps=steps,
        pause=dice.choice((0.0, 0.002, 0.02)),
        cpus=dice.choice((0, 1, 1, 1, 2)),
        gpus=dice.choice((0.0, 0.0, 0.0, 0.25, 1.0)),
        priority=dice.choice((0, 0, 0, 1)),
        daemons=tuple(dice.sample(daemons, dice.choice((0, 0, 1, 2)))),
        cold=dice.random() < 0.12,
        timeout=0.3 if dice.random() < 0.06 else None,
        deaf=kind == "deaf",
        failures=1 if dice.random() < 0.08 else 0,
    )
    works = [work]
    if kind == "queued":
        works = [replace(work, name=f"s{seed}-{n}", cpus=dice.choice((2, 3, CPUS))) for n in range(dice.choice((3, 4)))]
    elif kind == "retries":
        retries = dice.choice((1, 2))
        works = [replace(work, retries=retries, failures=dice.choice((0, 1, retries, retries + 1)))]
    elif kind == "after":
        works = [work, replace(work, name=f"s{seed}-1", after=work.name, failures=0)]
    # Half of the time it hits the moments of the start, which are the intricate ones.
    lasts = 0.3 + work.steps * work.pause + work.cold
    delay = dice.expovariate(1 / 0.04) if dice.random() < 0.5 else dice.uniform(0, lasts)
    return Plan(seed, tuple(works), act, dice.randrange(len(works)), delay)


class Round:
    """Lets the runs of one plan happen, disturbs them, and tells what was wrong."""

    def __init__(self, what: Plan, base: Path) -> None:
        self.plan = what
        self.books = [Books(base / "books" / work.name) for work in what.works]
        self.deeds = [Deeds() for _ in what.works]
        self.store = RunStore(Path(os.environ["MLWIDGETS_STORE"]))
        self._places = base / "places"
        self._before = {f.id for f in self.store.folders() if self._number(f.id) is not None}
        self.submitter = 0
        self.wrong: list[str] = []
        self.slowest = 0.0
        for books in self.books:
            shutil.rmtree(books.folder, ignore_errors=True)
            books.folder.mkdir(parents=True)

    def _number(self, run_id: str) -> int | None:
        head, _, number = name_of(run_id).rpartition("-")
        return int(number) if head == f"s{self.plan.seed}" else None

    def runs(self) -> dict[int, Run]:
        """Return the runs that there are, by their place in the plan."""
        folders = [folder for folder in self.store.folders() if folder.id not in self._before]
        return {n: api.open_run(f.path) for f in folders if (n := self._number(f.id)) is not None}

    def go(self) -> dict[str, Outcome]:
        """Do it all; return how the runs ended."""
        done, hold = os.pipe()
        self.submitter = os.fork()
        if self.submitter == 0:
            os.close(hold)
            self._submit(done)
        os.close(done)
        try:
            time_zero = time.monotonic()
            soon(lambda: self.runs() or "submitter" in self.plan.act, 10)
            time.sleep(self.plan.delay)
            target = min(self.plan.victim, max(self.runs(), default=0))
            ACTS[self.plan.act](self, target)
            self._await_submitter()
            ended = self._observe(time_zero)
        finally:
            os.close(hold)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.submitter, 0)
            self._hear_submitter()
        for n, run in self.runs().items():
            if run.id in ended:
                laws = broken_laws(run, self.plan.works[n], self.books[n], self.deeds[n])
                self.wrong += [f"{run.name}: {law}" for law in laws]
                if run.outcome != ended[run.id]:
                    self.wrong.append(f"{run.name}: it was {ended[run.id]}, and is {run.outcome}")
        return ended

    def _submit(self, told_to_leave: int) -> None:
        """Submit all runs, then live on as a kernel does until the round is over."""
        try:
            for work, books in zip(self.plan.works, self.books, strict=True):
                work.submit(books.folder, self._places)
            (self.books[0].folder / "submitted").touch()
            # A view in the kernel looks on too, and may be the first to see and to record an end.
            while not select.select([told_to_leave], [], [], 0.03)[0]:
                for run in self.runs().values():
                    read_header(run)
        except BaseException:
            (self.books[0].folder / "submitted").write_text(traceback.format_exc())
        finally:
            os._exit(0)

    def _await_submitter(self) -> None:
        said = self.books[0].folder / "submitted"
        soon(lambda: said.exists() or start_of(self.submitter) is None, 60)

    def _hear_submitter(self) -> None:
        said = self.books[0].folder / "submitted"
        if said.exists() and said.read_text():
            self.wrong.append(f"whoever submitted it failed: {said.read_text()}")

    def _observe(self, since: float) -> dict[str, Outcome]:
        """Look on until all runs have ended; an end is for ever."""
        ended: dict[str, Outcome] = {}
        over: dict[str, float] = {}
        while time.monotonic() - since < GIVE_UP:
            runs = self.runs()
            for n, run in runs.items():
                outcome = run.outcome
                if run.id in ended:
                    if outcome != ended[run.id]:
                        self.wrong.append(f"{run.name}: it was {ended[run.id]}, then {outcome}")
                elif outcome.ended:
                    ended[run.id] = outcome
                    late = time.monotonic() - over.get(run.id, time.monotonic())
                    self.slowest = max(self.slowest, late)
                    if late > LATE:
                        self.wrong.append(f"{run.name}: dead for {late:.2f} s when it was said to be {outcome}")
                elif outcome.state not in {SUBMITTED, RUNNING}:
                    self.wrong.append(f"{run.name}: {outcome.state} is no state")
                elif self.is_dead(run):
                    over.setdefault(run.id, time.monotonic())
                else:
                    over.pop(run.id, None)
            if len(ended) == len(runs):
                return ended
            time.sleep(0.01)
        self.wrong += [f"{r.name}: still {r.outcome} after {GIVE_UP} s" for r in self.runs().values() if not r.ended]
        return ended

    def processes(self, n: int) -> dict[str, int]:
        """Return the pids of a run's supervisor and worker as far as they live."""
        run = self.runs().get(n)
        if run is None:
            return {}
        roles = {role: holder(run.path / "alive", role) for role in ("supervisor", "worker")}
        return {role: pid for role, pid in roles.items() if pid}

    def is_dead(self, run: Run) -> bool:
        """Whether nobody is there who could go on with a run."""
        if any(holder(run.path / "alive", role) for role in ("supervisor", "worker")):  # type: ignore[arg-type]
            return False
        said = [event["event"] for event in read_lines(run.path / "events.jsonl")]
        if "supervising" in said:
            return True
        # Its supervisor may be about to speak.
        return "submitted" not in said and start_of(self.submitter) is None and not named_in_commands(run.path)

    def kill(self, n: int, *roles: str) -> None:
        """SIGKILL processes of a run, one right after the other."""
        pids = self.processes(n)
        for role in roles:
            if role in pids:
                self.deeds[n].killed.add(role)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pids[role], signal.SIGKILL)

    def signal(self, n: int, role: str, number: int) -> bool:
        """Send a signal to a process of a run; return whether there was one."""
        pid = self.processes(n).get(role)
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, number)
        return pid is not None

    def stop(self, n: int) -> None:
        """Ask a run to stop."""
        if n in self.runs():
            self.deeds[n].stopped = True
            # Those that wait for this one are not started any more.
            for other, work in enumerate(self.plan.works):
                self.deeds[other].stopped |= work.after == self.plan.works[n].name
            self.runs()[n].stop("torture")


def _kill_submitter(this: Round, _: int) -> None:
    for deeds in this.deeds:
        deeds.killed.add("submitter")
    os.kill(this.submitter, signal.SIGKILL)


def _kill_warm(_: Round, __: int) -> None:
    for process in warm.warm_processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _kill_one_of_all(this: Round, n: int) -> None:
    """Kill any process that the supervisor has below it: a daemon, the worker, one that gathers provenance."""
    supervisor = this.processes(n).get("supervisor")
    below = descendants(supervisor) if supervisor else []
    if below:
        this.deeds[n].killed |= {"worker", "spare"}
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(below), signal.SIGKILL)


def _kill_a_waiting_one(this: Round, n: int) -> None:
    waiting = [n for n, run in this.runs().items() if run.state == SUBMITTED]
    this.kill(waiting[-1] if waiting else n, "supervisor")


def _freeze(this: Round, n: int, role: str) -> None:
    if this.signal(n, role, signal.SIGSTOP):
        time.sleep(0.3)
        this.signal(n, role, signal.SIGCONT)


def _stop_and_kill(this: Round, n: int, role: str) -> None:
    this.stop(n)
    this.kill(n, role)
    # Where nobody was left to see it through, it has to be said again.
    time.sleep(0.1)
    this.stop(n)


def _terminate(this: Round, n: int) -> None:
    this.deeds[n].terminated = True
    this.signal(n, "supervisor", signal.SIGTERM)


def _two_acts(this: Round, n: int) -> None:
    """One blow is not always enough."""
    dice = random.Random(this.plan.seed)
    for act in dice.sample(sorted(set(ACTS) - {"two acts"}), 2):
        ACTS[act](this, n)
        time.sleep(dice.expovariate(1 / 0.05))


def _delete_index(this: Round, _: int) -> None:
    for _ in range(3):
        (this.store.path / "index.sqlite").unlink(missing_ok=True)
        api.summaries()


def _stop_all(this: Round, _: int) -> None:
    for n in this.runs():
        this.stop(n)


ACTS: dict[str, Callable[[Round, int], None]] = {
    "nothing": lambda this, n: None,
    "kill worker": lambda this, n: this.kill(n, "worker"),
    "kill supervisor": lambda this, n: this.kill(n, "supervisor"),
    "kill both": lambda this, n: this.kill(n, "supervisor", "worker"),
    "kill both, worker first": lambda this, n: this.kill(n, "worker", "supervisor"),
    "kill submitter": _kill_submitter,
    "kill warm processes": _kill_warm,
    "kill one of all": _kill_one_of_all,
    "kill a waiting one": _kill_a_waiting_one,
    "stop": lambda this, n: this.stop(n),
    "stop all": _stop_all,
    "stop, kill supervisor": lambda this, n: _stop_and_kill(this, n, "supervisor"),
    "stop, kill worker": lambda this, n: _stop_and_kill(this, n, "worker"),
    "terminate supervisor": _terminate,
    "freeze supervisor": lambda this, n: _freeze(this, n, "supervisor"),
    "freeze worker": lambda this, n: _freeze(this, n, "worker"),
    "delete index": _delete_index,
    "two acts": _two_acts,
}
SUPERVISOR_LIVES = {
    "nothing",
    "kill worker",
    "stop",
    "stop all",
    "freeze supervisor",
    "freeze worker",
    "delete index",
}


def torment(seeds: Sequence[int], base: Path) -> int:
    """Do these rounds one after the other; print a line for each; return how many broke a law."""
    broken = 0
    for seed in seeds:
        what = plan(seed)
        this = Round(what, base)
        begun = time.monotonic()
        try:
            ended = this.go()
        except Exception:
            ended = {}
            this.wrong.append(traceback.format_exc())
        broken += bool(this.wrong)
        tell(
            seed=seed,
            act=what.act,
            delay=round(what.delay, 3),
            works=len(what.works),
            took=round(time.monotonic() - begun, 2),
            late=round(this.slowest, 3),
            ended={run_id: [o.state, o.cause] for run_id, o in ended.items()},
            wrong=this.wrong,
        )
    return broken


def tell(**facts: Any) -> None:
    """Print one JSON line, whole."""
    os.write(1, json.dumps(facts).encode() + b"\n")


class Torture:
    """A machine of its own for the rounds: queue, warm processes, store; several tormentors at once."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.outcomes: dict[str, list[Any]] = {}
        self.broken: list[str] = []
        self.acts: dict[str, int] = {}
        self.late: list[float] = []
        queue = base / "queue"
        queue.mkdir(mode=0o1777)
        (queue / "machine.json").write_text(json.dumps({"cpus": CPUS, "gpus": [GPU]}))
        (base / "places").mkdir()
        for n in range(CPUS):
            (base / "places" / str(n)).touch()
        self.environment = {
            **os.environ,
            "MLWIDGETS_QUEUE": str(queue),
            "MLWIDGETS_WARM": str(base / "warm"),
            "MLWIDGETS_STORE": str(base / STORE / ".mlwidgets"),
        }

    def run(self, seeds: Sequence[int], at_once: int, *, quiet: bool = False) -> list[str]:
        """Do the rounds; return what was wrong."""
        os.environ.update(self.environment)
        api.open_store().prepare()
        shares = [list(seeds[k::at_once]) for k in range(at_once)]
        command_line = [sys.executable, "-m", "tests.torture", "--base", str(self.base), "--seeds"]
        tormentors = [
            subprocess.Popen([*command_line, *map(str, share)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for share in shares
            if share
        ]
        self._listen(tormentors, quiet=quiet)
        for tormentor in tormentors:
            if tormentor.wait() < 0:
                self.broken.append(f"a tormentor died of signal {-tormentor.returncode}")
        self._check_all()
        return self.broken

    def _listen(self, tormentors: Sequence[subprocess.Popen[str]], *, quiet: bool) -> None:
        import selectors

        selector = selectors.DefaultSelector()
        for tormentor in tormentors:
            assert tormentor.stdout is not None
            selector.register(tormentor.stdout, selectors.EVENT_READ)
        rounds = 0
        while selector.get_map():
            for key, _ in selector.select():
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if not line:
                    selector.unregister(key.fileobj)
                    continue
                facts = json.loads(line)
                rounds += 1
                self.outcomes |= facts["ended"]
                self.acts[facts["act"]] = self.acts.get(facts["act"], 0) + 1
                self.late.append(facts["late"])
                for wrong in facts["wrong"]:
                    self.broken.append(f"seed {facts['seed']} ({facts['act']} after {facts['delay']} s): {wrong}")
                    print(self.broken[-1], flush=True)
                if not quiet and rounds % 50 == 0:
                    print(f"{rounds} rounds, {len(self.outcomes)} runs, {len(self.broken)} laws broken", flush=True)

    def _check_all(self) -> None:
        """What has to be true when all is over."""
        for run in api.runs():
            said = self.outcomes.get(run.id)
            if said is not None and [run.state, run.cause] != said:
                self.broken.append(f"{run.name}: it was {said}, at the end of all it is {[run.state, run.cause]}")
        kept = {summary.id: summary.state for summary in api.summaries()}
        (api.open_store().path / "index.sqlite").unlink(missing_ok=True)
        if kept != {summary.id: summary.state for summary in api.summaries()}:
            self.broken.append("a new index says something else than the old one")
        listed = subprocess.run(
            [sys.executable, "-m", "mlwidgets.cli", "runs", "--json"], capture_output=True, text=True, check=False
        )
        lines = [json.loads(line) for line in listed.stdout.splitlines()]
        if {line["id"]: line["state"] for line in lines} != kept or listed.stderr:
            self.broken.append(f"the command line lists something else: {listed.stderr}")
        warm.end_warm_processes()
        if not soon(lambda: not self._alive(), 60):
            self.broken.append(f"still running when all is over: {[(p, command(p)) for p in self._alive()]}")
        board = Board.open()
        with board.locked():
            board.read()
            left = [*board.tickets.iterdir(), *board.holdings.iterdir()]
        if left:
            self.broken.append(f"left in the queue: {left}")

    def _alive(self) -> list[int]:
        """Return all processes whose environment names this torture, but for this process."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and int(entry.name) != os.getpid() and start_of(int(entry.name)):
                    if os.fsencode(f"{self.base}/") in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
        return found


def _torture_sweep(this: Torture, trials: int, seed: int) -> int:
    from tests.sweep_torture import torture

    os.environ.update(this.environment)
    wrong, told = torture(trials, seed, this.base)
    warm.end_warm_processes()
    print(told)
    for law in wrong:
        print(law)
    print(f"{len(wrong)} laws were broken; all is kept in {this.base}" if wrong else "every law held")
    if not wrong:
        shutil.rmtree(this.base)
    return int(bool(wrong))


def main() -> int:
    """Torture; exit status 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how many rounds")
    parser.add_argument("--seed", type=int, help="repeat the round with this seed")
    parser.add_argument("--sweep", type=int, metavar="N", help="torture a sweep of so many trials instead")
    parser.add_argument("--at-once", type=int, default=3, help="how many rounds at the same time")
    parser.add_argument("--base", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seeds", type=int, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.seeds is not None:
        return int(torment(options.seeds, options.base) > 0)
    first = random.SystemRandom().randrange(10**8)
    seeds = [first + n for n in range(options.rounds)] if options.seed is None else [options.seed] * options.rounds
    base = Path(tempfile.mkdtemp(prefix="mlw-"))
    torture = Torture(base)
    if options.sweep is not None:
        return _torture_sweep(torture, options.sweep, first if options.seed is None else options.seed)
    begun = time.monotonic()
    broken = torture.run(seeds, options.at_once)
    acts = ", ".join(f"{act} {count}" for act, count in sorted(torture.acts.items()))
    print(f"{len(seeds)} rounds, {len(torture.outcomes)} runs in {time.monotonic() - begun:.0f} s: {acts}")
    print(f"from the death of a run's processes to its end: at most {max(torture.late, default=0.0):.3f} s")
    if broken:
        print(f"{len(broken)} laws were broken; all is kept in {base}. Repeat a round: --seed SEED --rounds 50")
        return 1
    print("every law held")
    shutil.rmtree(base)
    return 0


if __name__ == "__main__":
    sys.exit(main())
