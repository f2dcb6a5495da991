"""The IPython shell in which a run's code executes: what it displays goes into the journal."""

from __future__ import annotations

import base64
import builtins
import getpass
import hashlib
import os
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NoReturn

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils import process as ipython_process
from traitlets import Any as AnyTrait
from traitlets import Type
from traitlets.config import Config

from mlwidgets.notifying.masking import Masker, masked_notebook
from mlwidgets.runner.widgets import WIDGET, WidgetTexts
from mlwidgets.runs.journal import LineWriter
from mlwidgets.tracking.active import tell_once


class JournalPublisher(DisplayPublisher):
    """Writes displays, updates and clears to the journal, each with the output's size at that moment."""

    journal = AnyTrait()
    mask = Masker(())

    @cached_property
    def widgets(self) -> WidgetTexts:
        """The widgets on show."""
        return WidgetTexts(lambda shown_as, data: self._write("update", data=data, metadata={}, display_id=shown_as))

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *args: Any,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **kwargs: Any,
    ) -> None:
        """Record one display."""
        shown = {k: _encode(v) for k, v in data.items() if k != WIDGET}
        display_id = (transient or {}).get("display_id")
        if WIDGET in data and not update:
            display_id = self.widgets.follow(data[WIDGET]) or display_id
        self._write(
            "update" if update else "display",
            data=shown,
            metadata=_encode(metadata or {}),
            display_id=display_id,
        )

    def clear_output(self, wait: bool = False) -> None:
        """Record that what was shown so far is to be cleared."""
        self._write("clear", wait=bool(wait))

    def _write(self, kind: str, **fields: Any) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            self.journal.write(kind, offset=os.fstat(1).st_size, **masked_notebook(fields, self.mask))
        except OSError as error:
            tell_once(f"displays are not being recorded: {error.strerror}. The code goes on.")


def _encode(value: Any) -> Any:
    """Return a MIME bundle's value as JSON knows it: bytes as base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(k): _encode(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(v) for v in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


class JournalDisplayHook(DisplayHook):
    """Shows the value of the last expression as a display."""

    def write_output_prompt(self) -> None:
        """Nothing: a run's outputs have no numbers."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Record the value."""
        if format_dict:
            self.shell.display_pub.publish(format_dict, md_dict)  # type: ignore[union-attr]


class CellCompiler(CachingCompiler):
    """Names cells as a kernel does, which decides how warnings and tracebacks show them."""

    def get_code_name(self, raw_code: str, code: str, number: int) -> str:
        """Return the file name that the code is to have; there is no such file."""
        mark = hashlib.sha256(raw_code.encode("utf-8", "surrogatepass")).hexdigest()[:10]
        return os.path.join(tempfile.gettempdir(), f"mlwidgets_{os.getpid()}", f"{mark}.py")


class WorkerShell(InteractiveShell):
    """A real IPython shell with neither terminal nor history file.

    Attributes
    ----------
    failure
        Name, value and traceback of what the code raised, None if nothing.
    interrupts
        Signals that have come in to interrupt the code.
    """

    display_pub_class = Type(JournalPublisher)
    displayhook_class = Type(JournalDisplayHook)
    compiler_class = Type(CellCompiler)
    failure: dict[str, Any] | None = None
    interrupts: Sequence[int] = ()
    _begun = False

    async def run_code(self, code_obj: Any, result: Any = None, *, async_: bool = False) -> bool:
        """Execute compiled code; an interrupt that came before its first line ends it there.

        Whatever is called back while a process prepares itself swallows what a signal raises in it.
        """
        if not self._begun:
            self._begun = True
            if self.interrupts:
                code_obj, async_ = compile("raise KeyboardInterrupt", "<interrupt>", "exec"), False
        failed: bool = await super().run_code(code_obj, result, async_=async_)  # type: ignore[no-untyped-call]
        return failed

    def system(self, cmd: str) -> None:
        """Run a command of the system, as ``!cmd`` does."""
        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        with self._interruptible():
            expanded: str = self.var_expand(cmd, depth=1)  # type: ignore[no-untyped-call]
            run: Any = vars(ipython_process)["system"]
            self.user_ns["_exit_code"] = run(expanded)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """Run a command of the system and return what it prints, as ``x = !cmd`` does."""
        with self._interruptible():
            return super().getoutput(cmd, split, depth + 1)  # type: ignore[no-untyped-call]

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Raise the interrupt that IPython swallows while a command runs: it was meant for the code."""
        before = len(self.interrupts)
        yield
        if len(self.interrupts) > before:
            raise KeyboardInterrupt

    def ask_exit(self) -> None:
        """End the code, as ``exit()`` and ``quit()`` in a cell ask for."""
        raise SystemExit(0)

    def enable_gui(self, gui: str | None = None) -> None:
        """Nothing to integrate with: there is no event loop of a toolkit here."""

    def _atexit_once(self) -> None:
        """Nothing: the process ends, and what its namespace held is let go of by whoever ends it."""

    def showtraceback(
        self,
        exc_tuple: Any = None,
        filename: str | None = None,
        tb_offset: int | None = None,
        exception_only: bool = False,
        running_compiled_code: bool = False,
    ) -> None:
        """Show what was raised; where `log` and its like refused a value, the line that called them is the last."""
        etype, value, tb = exc_tuple or sys.exc_info()
        shown: Any = (etype, value, _without_refusal(tb))
        super().showtraceback(shown, filename, tb_offset, exception_only, running_compiled_code)

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        self.failure = {"ename": getattr(etype, "__name__", str(etype)), "evalue": str(evalue), "traceback": stb}


def _without_refusal(tb: types.TracebackType | None) -> types.TracebackType | None:
    """Return a traceback without the frames of `mlwidgets.tracking` at its end."""
    every: list[types.TracebackType] = []
    while tb is not None:
        every.append(tb)
        tb = tb.tb_next
    kept = len(every)
    while kept > 1 and str(every[kept - 1].tb_frame.f_globals.get("__name__")).startswith("mlwidgets.tracking."):
        kept -= 1
    shown: types.TracebackType | None = None
    for one in reversed(every[:kept]):
        shown = types.TracebackType(shown, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return shown


# pandas, rich and others tell a notebook from a terminal by this name, and print wide tables accordingly.
WorkerShell.__name__ = WorkerShell.__qualname__ = "ZMQInteractiveShell"


def blank_shell() -> WorkerShell:
    """Make the shell of this process, whose namespace is a new ``__main__``; it takes a while, and computes nothing."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryAccessor.enabled = False
    main = types.ModuleType("__main__")
    shell: WorkerShell = WorkerShell.instance(config=config, user_module=main, user_ns=vars(main))
    return shell


def set_up(
    shell: WorkerShell, displays: LineWriter, settings: dict[str, Any], outputs: dict[str, Any], mask: Masker
) -> None:
    """Make the shell behave as the submitting one did.

    Parameters
    ----------
    settings
        What the submitting shell was set to: ``ast_node_interactivity``, ``extensions``, ``figure_formats``,
        ``execution_count`` and so on, each optional.
    outputs
        What the code reads of the notebook's earlier outputs: ``_``, ``_12``, ``Out``.
    mask
        Masks secrets in what is displayed.
    """
    _restore_outputs(shell, outputs)
    magics: Any = shell.magics_manager
    extensions: Any = shell.extension_manager
    assert isinstance(shell.display_pub, JournalPublisher)
    shell.starting_dir = os.getcwd()
    shell.display_pub.journal = displays
    shell.display_pub.mask = mask
    shell.events.register("post_execute", shell.display_pub.widgets.flush)
    for name in ("ast_node_interactivity", "autoawait", "execution_count", "colors"):
        # What watches some of them takes a millisecond.
        if settings.get(name) not in {None, getattr(shell, name)}:
            setattr(shell, name, settings[name])
    # Tracebacks show functions of the notebook as "Cell In[n]".
    getattr(shell.compile, "_filename_map", {}).update(settings.get("cells", {}))
    shell.compile.flags |= settings.get("compiler_flags", 0)
    if settings.get("automagic") is not None:
        shell.automagic = settings["automagic"]
    for name in settings.get("extensions", ()):
        try:
            extensions.load_extension(name)
        except Exception as error:  # an extension may raise anything, and the code may not need it
            tell_once(f"the extension {name} could not be loaded in the run: {error}")
    for kind, name, function in settings.get("magics", ()):
        magics.register_function(function, magic_kind=kind, magic_name=name)
    for cls in settings.get("magic_classes", ()):
        shell.register_magics(cls)
    if settings.get("figure_formats") or settings.get("figure_options"):
        _inline_figures(shell, settings)
    if settings.get("precision"):
        shell.run_line_magic("precision", settings["precision"])
    builtins.input = _no_input
    getpass.getpass = _no_input
    sys.breakpointhook = _no_debugger


def _restore_outputs(shell: WorkerShell, sent: dict[str, Any]) -> None:
    """Put back what the code reads of the notebook's earlier outputs: ``_``, ``_12``, ``Out[12]``."""
    vars(shell.user_module)["Out"].update(sent.pop("Out", None) or sent.pop("_oh", None) or {})
    vars(shell.user_module).update(sent)
    hook: Any = shell.displayhook
    for name in {"_", "__", "___"} & set(sent):
        setattr(hook, name, sent[name])  # or it would take the name for the user's own and leave it alone


def _inline_figures(shell: WorkerShell, settings: dict[str, Any]) -> None:
    from matplotlib_inline.config import InlineBackend

    backend = InlineBackend.instance(parent=shell)
    backend.shell = shell
    if settings.get("figure_formats"):
        backend.figure_formats = set(settings["figure_formats"])
    if settings.get("figure_options"):
        backend.print_figure_kwargs = settings["figure_options"]


def _no_input(*_: Any, **__: Any) -> NoReturn:
    raise EOFError(
        "a tracked run has nobody to answer input(): set the value in the notebook before, or give it as a "
        "parameter (%%train name value=...)"
    )


def _no_debugger(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("a tracked run has no terminal for the debugger: run the cell without %%train to debug it")
