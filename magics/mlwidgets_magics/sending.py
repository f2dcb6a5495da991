"""What ``%%train`` and ``%%sweep`` share: their options, and what happens around a cell that is sent off."""

from __future__ import annotations

import argparse
import os
import re
import sys
import types
from typing import Any, Literal

from IPython.core.error import UsageError

from mlwidgets.capture.request import Origin
from mlwidgets.capture.results import identities, load_into
from mlwidgets.commands.common import seconds
from mlwidgets.errors import MlwidgetsError, RunFailed
from mlwidgets.runner.notify import check_config
from mlwidgets.runner.surroundings import untold_hints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import FOLDER_VARIABLE
from mlwidgets.runs.run import Run
from mlwidgets.views import console
from mlwidgets.views.live import flush_finished, show
from mlwidgets_magics.words import LineParser, is_param, read_tags, split_names

_OWN_EXTENSIONS = frozenset({"mlwidgets", "storemagic"})


def parser_of(magic: str) -> LineParser:
    """Return a parser of what may be asked of any cell that is sent."""
    parser = LineParser(prog=magic, add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*", metavar="NAME param=value", help="a name, and parameters")
    parser.add_argument("--seed", type=int, metavar="N", help="seed random, numpy and torch")
    parser.add_argument("-i", "--inputs", action="append", default=[], metavar="NAMES", help="send these names too")
    parser.add_argument("-o", "--outputs", action="append", metavar="NAMES", help="bring back these names alone")
    parser.add_argument("--wait", action="store_true", help="block, raise what the cell raises, load its results")
    parser.add_argument("--timeout", type=seconds, metavar="T", help="end the run after 90, 90s, 15m, 2h or 1d")
    parser.add_argument("--gpus", type=_gpus, default="auto", metavar="N", help="GPUs: a number, 0.25, 0.5, 0.75, auto")
    parser.add_argument("--cpus", type=int, default=1, metavar="N", help="CPU places; 0 takes none")
    parser.add_argument("--priority", type=int, default=0, metavar="N", help="runs of a higher one go first")
    parser.add_argument("--after", metavar="RUN", help="wait until that run has finished")
    parser.add_argument("--retries", type=int, default=0, metavar="N", help="try again so often if it fails")
    parser.add_argument("--cold", action="store_true", help="start in a fresh Python process")
    parser.add_argument("--data", action="append", default=[], metavar="PATH", help="a file or folder that it reads")
    parser.add_argument("--deterministic", action="store_true", help="the same bits each time, where torch can")
    parser.add_argument("--tag", action="append", default=[], metavar="k=v", help="a tag to find it by")
    parser.add_argument("--note", default="", metavar="TEXT", help="a note, in quotes")
    return parser


def given(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `parser_of` has read as `mlwidgets.train` takes it."""
    same = ("seed", "timeout", "gpus", "cpus", "priority", "after", "retries", "cold", "note", "data", "deterministic")
    return {
        **{name: getattr(options, name) for name in same},
        "inputs": split_names(options.inputs),
        "outputs": None if options.outputs is None else split_names(options.outputs),
        "tags": read_tags(options.tag),
    }


def _gpus(text: str) -> float | Literal["auto"]:
    return "auto" if text == "auto" else float(text)


# argparse names it where a value is none.
_gpus.__name__ = "number of GPUs, such as 1, 0.5 or auto,"


def name_and_binding(words: list[str], magic: str) -> tuple[str | None, str | None]:
    """Return the one word that is no parameter, and the variable that it names; None for both if there is none.

    Raises
    ------
    UsageError
        If there are several, or the name is no variable's.
    """
    plain = [w for w in words if not is_param(w)]
    if len(plain) > 1:
        hint = "no spaces around '='" if "=" in plain else "put quotes around a text with spaces"
        raise UsageError(f"{magic} takes one name, not {len(plain)}: {' '.join(plain)} ({hint})")
    if not plain:
        return None, None
    binding = re.sub(r"\W", "_", plain[0])
    if not binding.isidentifier():
        raise UsageError(f"{plain[0]!r} cannot be bound to a variable: begin the name with a letter")
    return plain[0], binding


def origin(shell: Any, heading: str, binding: str | None) -> Origin:
    """Return where the cell that executes now comes from."""
    return Origin(
        heading=heading.rstrip(),
        binding=binding,
        shell=_settings(shell),
        notebook=shell.user_ns.get("__vsc_ipynb_file__"),
        cell=cell_id(shell),
    )


def tell_hints() -> None:
    """Say what may end runs together with this process, once."""
    # Readers of a report that is being executed can do nothing about it.
    for hint in () if FOLDER_VARIABLE in os.environ else untold_hints():
        # No mistake of the user's, so not in red.
        print(f"mlwidgets: {hint}")


def wait_here(run: Run, *, in_terminal: bool) -> None:
    """Wait as if the run's code ran here: an interrupt of the kernel interrupts the run."""
    try:
        if in_terminal and console.can_follow() and not console.follow(run, hint="Ctrl-C stops the run"):
            raise KeyboardInterrupt
        run.wait()
    except KeyboardInterrupt:
        run.stop("Ctrl-C" if in_terminal else "interrupt of the kernel")
        run.wait()


class Sending:
    """Sees off what was submitted, and remembers what names meant then."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.submitted: dict[str, dict[str, int]] = {}

    def see_off(self, run: Run, binding: str | None, *, wait: bool) -> None:
        """Bind the run, say what may be a mistake, show it; with `wait` block until it has ended."""
        namespace = self._shell.user_ns
        self.submitted[run.id] = identities(namespace, [n for n in namespace if not n.startswith("_")])
        if binding is not None:
            namespace[binding] = run
        misconfigured = check_config(RunFolder(run.path))
        for hint in (*run.spec.hints, *filter(None, [misconfigured])):
            print(f"mlwidgets: {hint}", file=sys.stderr)
        tell_hints()
        in_terminal = getattr(self._shell, "kernel", None) is None
        if not (wait and in_terminal):
            show(run, background=True)
        if wait:
            self._wait(run, in_terminal=in_terminal)

    def _wait(self, run: Run, *, in_terminal: bool) -> None:
        """Wait as if the cell ran here: an interrupt of the kernel interrupts the run."""
        try:
            wait_here(run, in_terminal=in_terminal)
            flush_finished()
            if in_terminal:
                # A terminal has no view that the output would appear in.
                print(run.output, end="")
                for display in run.displays():
                    print(display.data.get("text/plain", ""))
                console.print_line(console.end_line(run))
            if RunFolder(run.path).manifest.exists():
                try:
                    load_into(
                        RunFolder(run.path), run.result, self._shell.user_ns, submitted=self.submitted.get(run.id)
                    )
                except MlwidgetsError as error:
                    print(error, file=sys.stderr)
            run.raise_for_state()
        except RunFailed as error:
            # One line, like a UsageError: the frames of this magic say nothing to the user.
            line = f"RunFailed: {error}"
            if not hasattr(error, "_render_traceback_"):
                error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]
            raise


def cell_number(shell: Any) -> int:
    """Return the number of the cell that is executing. Some versions of IPython have counted on by now."""
    return max(1, len(shell.history_manager.input_hist_parsed) - 1)


def _settings(shell: Any) -> dict[str, Any]:
    """Return what the shell is set to that shapes how a cell behaves."""
    settings: dict[str, Any] = {
        "execution_count": cell_number(shell),
        "ast_node_interactivity": shell.ast_node_interactivity,
        "autoawait": shell.autoawait,
        "automagic": shell.automagic,
        "colors": shell.colors,
        "compiler_flags": shell.compile.flags,
        "cells": dict(getattr(shell.compile, "_filename_map", {})),
        "extensions": sorted(set(shell.extension_manager.loaded) - _OWN_EXTENSIONS),
        "magics": _own_magics(shell),
        "magic_classes": [type(m) for m in shell.magics_manager.registry.values() if type(m).__module__ == "__main__"],
        "precision": shell.display_formatter.formatters["text/plain"].float_precision or None,
    }
    inline = sys.modules.get("matplotlib_inline.config")
    if inline is not None and inline.InlineBackend.initialized():
        backend = inline.InlineBackend.instance()
        settings["figure_formats"] = sorted(backend.figure_formats)
        settings["figure_options"] = dict(backend.print_figure_kwargs)
    return settings


def cell_id(shell: Any) -> str | None:
    """Return the id of the cell that is executing, as the front end tells it; None elsewhere."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else None
    found = (parent or {}).get("metadata", {}).get("cellId")
    return found if isinstance(found, str) else None


def _own_magics(shell: Any) -> list[tuple[str, str, types.FunctionType]]:
    """Return the magics that the notebook itself defines."""
    return [
        (kind, name, function)
        for kind, magics in shell.magics_manager.magics.items()
        for name, function in magics.items()
        if isinstance(function, types.FunctionType) and function.__globals__ is shell.user_ns
    ]
