"""The process in which a run's code executes, from its first line to its last."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import dataclasses
import gc
import importlib
import io
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mlwidgets.capture import ambient
from mlwidgets.capture.freeze import Freezer
from mlwidgets.capture.libraries import used_libraries
from mlwidgets.capture.modules import serve
from mlwidgets.capture.results import freeze_result, is_ipython_name
from mlwidgets.capture.thaw import thaw
from mlwidgets.notifying.masking import Masker, masked_notebook, masker_for
from mlwidgets.notifying.settings import ConfigError
from mlwidgets.runner import GRACE
from mlwidgets.runner.deterministic import name_of_file, switch_on
from mlwidgets.runner.notify import notify
from mlwidgets.runner.output import OutputFile, write_through
from mlwidgets.runner.shell import WorkerShell, blank_shell, set_up
from mlwidgets.runs.alive import hold, holder
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import LineWriter
from mlwidgets.runs.leftovers import put_mark, sweep
from mlwidgets.runs.libraries import LIBRARIES
from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import RunSpec, parse_literal
from mlwidgets.runs.state import FAILED, FINISHED, KILLED, STOPPED, Outcome, write_outcome
from mlwidgets.runs.stopping import cause_of
from mlwidgets.tracking.active import tell_once
from mlwidgets.tracking.log import lost_records
from mlwidgets.tracking.media import lost_media

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult


class Worker:
    """Executes the code of one run folder in a shell that was not used before."""

    def __init__(self, folder: RunFolder, output: list[OutputFile], shell: WorkerShell) -> None:
        self._signals: list[int] = []
        self._over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._interrupt)
        self._output = output
        self._folder = folder
        self._spec: RunSpec = folder.read_spec()
        self._objects = ObjectStore(folder.store / "objects")
        self._events = LineWriter(folder.events)
        self._shell = shell
        self._main: types.ModuleType = shell.user_module
        self._given: dict[str, Any] = {}
        self._started: float | None = None
        self._mask = Masker(())
        self._before = frozenset(sys.modules)

    def _interrupt(self, number: int, frame: Any) -> None:
        """Interrupt the code as the notebook's stop button would, so that ``finally`` blocks run."""
        self._signals.append(number)
        if len(self._signals) == 1:
            # Not a threading.Thread: the code may have been interrupted where it holds that module's lock.
            _thread.start_new_thread(self._end_by_force, ())
        signal.default_int_handler(number, frame)

    def _end_by_force(self) -> None:
        """End code that does not end by itself, where the supervisor is dead or dies before it could."""
        while not self._over.wait(GRACE):
            if holder(self._folder.alive, "supervisor") is None:
                sweep(self._folder.path)
                os.killpg(os.getpgrp(), signal.SIGKILL)

    def run(self) -> None:
        """Prepare, execute, save the result, and say how it ended."""
        try:
            self._mask = masker_for(self._folder)
            for file in self._output:
                file.mask(self._mask)
            self._prepare()
        except KeyboardInterrupt:
            self._end(*self._interrupted(), None)
            return
        except ConfigError as error:
            # Nobody knows what is secret: better no output than all of it.
            self._end(FAILED, str(error), None)
            return
        except BaseException as error:  # whatever it is has to reach the user
            frames = traceback.format_exc().splitlines()
            told = {"ename": type(error).__name__, "evalue": str(error), "traceback": frames, "exception": None}
            self._end(FAILED, f"the variables could not be rebuilt in the worker: {_line(error)}", told)
            return
        self._started = time.time()
        try:
            self._events.write("started", pid=os.getpid())
        except OSError as problem:
            tell_once(f"the start of the run was not recorded: {problem.strerror}. The code goes on.")
        state, cause, failure = self._execute(self._shell)
        self._tell_libraries(self._shell)
        self._save_result(self._shell)
        self._end(state, "; ".join(filter(None, [cause, *self._lost()])) or None, failure)

    def _prepare(self) -> None:
        """Make the process what the notebook was: modules, variables, options, random states."""
        spec = self._spec
        state = thaw(spec.ambient, self._objects, vars(self._main)).values if spec.ambient else {}
        ambient.apply_paths(state)
        serve(spec.modules, self._objects)
        sys.modules["__main__"] = self._main
        namespace = vars(self._main)
        outputs: dict[str, Any] = {}
        if spec.inputs is not None:
            inputs = thaw(spec.inputs, self._objects, namespace)
            for name, value in inputs.values.items():
                # The shell has names of its own, which must stay.
                of_shell = is_ipython_name(name) and not name.startswith("__")
                (outputs if of_shell else namespace)[name] = value
            inputs.apply_patches()
        for name in spec.imports:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        for name, text in spec.params.items():
            # What is no literal came as a frozen input, whatever its text looks like.
            if name not in namespace:
                with contextlib.suppress(ValueError):
                    namespace[name] = parse_literal(text)
        self._given = {**namespace, **outputs}
        settings = {k.removeprefix("shell."): v for k, v in state.items() if k.startswith("shell.")}
        set_up(self._shell, LineWriter(self._folder.displays), settings, outputs, self._mask)
        ambient.apply(state)
        if spec.deterministic:
            switch_on(self._events, self._name_of)
        if spec.seed is not None:
            ambient.seed_everything(spec.seed)
        else:
            ambient.apply_random_states(state)

    def _name_of(self, file: str) -> str:
        """Return how tracebacks call a file."""
        cell = self._shell.compile.format_code_name(file)
        return name_of_file(file) if cell is None else " ".join(cell)

    def _execute(self, shell: WorkerShell) -> tuple[str, str | None, dict[str, Any] | None]:
        """Run the code; return state, cause and what it raised."""
        shell.interrupts = self._signals
        code = self._spec.code
        if self._spec.heading is not None and not code.lstrip().startswith("%%"):
            # The magic's line is line 1 of the cell: tracebacks show the numbers that the user sees.
            code = f"# {self._spec.heading}\n{code}"
        result: ExecutionResult = shell.run_cell(code, store_history=True)  # type: ignore[no-untyped-call]
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        self._over.set()
        sys.stdout.flush()
        sys.stderr.flush()
        _flush(shell.user_ns)
        raised = result.error_before_exec or result.error_in_exec
        if raised is None or (isinstance(raised, SystemExit) and raised.code in {None, 0}):
            return FINISHED, None, None
        if isinstance(raised, KeyboardInterrupt) and self._signals:
            return *self._interrupted(), None
        error = dict(shell.failure or {"ename": type(raised).__name__, "evalue": str(raised), "traceback": []})
        if not error["traceback"]:
            error["traceback"] = traceback.format_exception(raised)
        error["exception"] = self._freeze_exception(raised, shell)
        hint = self._spec.unsent.get(getattr(raised, "name", None) or "") if isinstance(raised, NameError) else None
        cause = _line(raised) + (f" (it could not be sent: {hint})" if hint else "")
        return FAILED, cause, error

    def _interrupted(self) -> tuple[str, str]:
        """Return state and cause after an interrupt; a supervisor that sent it knows better."""
        if self._folder.stop_request.exists():
            return STOPPED, cause_of(self._folder)
        names = " and ".join(signal.Signals(number).name for number in dict.fromkeys(self._signals))
        return KILLED, f"interrupted from outside by {names or 'a signal'}"

    def _freeze_exception(self, raised: BaseException, shell: WorkerShell) -> dict[str, Any] | None:
        if self._mask and any(self._mask.find("".join(traceback.format_exception(raised)))):
            return None  # an object cannot be masked
        freezer = Freezer(shell.user_ns, values={"exception": raised}, follow=False)
        try:
            frozen = freezer.freeze([], ["exception"], self._objects.put, patches=False)
        except OSError:
            return None
        return None if freezer.unsent else dataclasses.asdict(frozen)

    def _tell_libraries(self, shell: WorkerShell) -> None:
        """Write down what the code used of the libraries around it."""
        with contextlib.suppress(Exception):  # it must not change how the code ended
            self._events.write(LIBRARIES, **used_libraries(self._before, shell.user_ns, self._spec.code))

    def _save_result(self, shell: WorkerShell) -> None:
        """Store what the code bound, after a failure or a stop too: the model trained so far is worth keeping."""
        try:
            self._events.write("saving")
            only = self._spec.results
            freeze_result(self._folder, self._objects, shell.user_ns, self._given, self._spec.inputs, only)
        except Exception as error:  # a result that cannot be kept must not change how the code ended
            tell_once(f"the result was not recorded: {_line(error)}")

    def _lost(self) -> Iterator[str]:
        """Say what a full disk kept from being recorded."""
        if records := lost_records():
            yield f"{records} metric records could not be written"
        if media := lost_media():
            yield f"{media} images, histograms or tables could not be written"
        if lost := sum(file.lost for file in self._output):
            yield f"{lost} bytes of output could not be written"

    def _end(self, state: str, cause: str | None, error: dict[str, Any] | None) -> None:
        """Say how the code ended: to the supervisor, or to whoever reads the folder if it is dead."""
        for file in self._output:
            file.release()
        cause, error = masked_notebook([cause, error], self._mask)
        try:
            self._events.write("end", state=state, cause=cause, error=error)
        except OSError as problem:
            tell_once(f"the end of the run was not recorded: {problem.strerror}")
        if holder(self._folder.alive, "supervisor") is None:
            sweep(self._folder.path)
            outcome = Outcome(state, cause, self._started, time.time(), None, error)
            write_outcome(self._folder, outcome)
            notify(self._folder, outcome)


def _flush(namespace: dict[str, Any]) -> None:
    """Write what is in the buffers of files that the code has left open: Python's end does not promise to."""
    for value in list(namespace.values()):
        if isinstance(value, io.IOBase):
            with contextlib.suppress(OSError, ValueError):
                value.flush()


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().split("\n")[0][:500]


def _forget_signals() -> None:
    """Let signals mean to a forked child what they mean to any."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def work(folder: RunFolder, shell: WorkerShell, slots: int | None) -> NoReturn:
    """Be the worker of a run, from its first line to the end of this process.

    Parameters
    ----------
    slots
        Descriptor that keeps the run's slots taken for as long as this process lives.
    """
    put_mark(folder.path)
    hold(folder.alive, "worker")
    if folder.outcome.exists():
        # Its supervisor was killed before this process could be seen, so that somebody has given the run up.
        os._exit(1)
    os.register_at_fork(after_in_child=_forget_signals)
    # A thread of the code may have a name of its own, which a child forked from it would bear.
    os.register_at_fork(after_in_child=lambda: put_mark(folder.path))
    if slots is not None:
        os.set_inheritable(slots, False)
        kept = [slots]

        def give_back() -> None:
            # A child that lives on must not keep slots taken which the run has given back. Its own children find
            # nothing left to close: the number may be that of a file by then.
            while kept:
                os.close(kept.pop())

        os.register_at_fork(after_in_child=give_back)
    # Classes of a notebook exist in this process alone: child processes have to be forked to know them.
    multiprocessing.set_start_method("fork", force=True)
    status = 1
    output = write_through()
    try:
        Worker(folder, output, shell).run()
        status = 0
    except BaseException:
        traceback.print_exc()
    _leave(shell, output, status)


def _leave(shell: WorkerShell, output: list[OutputFile], status: int) -> NoReturn:
    """End this process as Python would, but without taking its libraries apart: with torch that takes half a second.

    Threads are waited for, exit handlers run, and files that the code left open are flushed as they are let go of.
    """
    try:
        vars(threading)["_shutdown"]()
        vars(atexit)["_run_exitfuncs"]()
        shell.user_ns.clear()
        gc.collect()
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    for file in output:
        file.release()
    os._exit(status)


def main() -> None:
    """Execute the run whose folder is the first argument, its slots kept by the descriptor that is the second."""
    slots = int(sys.argv[2]) if len(sys.argv) > 2 else None
    work(RunFolder(Path(sys.argv[1])), blank_shell(), slots)


if __name__ == "__main__":
    main()
