"""``%%train``: the cell below becomes a tracked run."""

from __future__ import annotations

import re
import sys
import types
from typing import Any, Literal

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from mlwidgets import api
from mlwidgets.capture.request import Origin
from mlwidgets.capture.results import identities, load_into
from mlwidgets.errors import MlwidgetsError, RunFailed
from mlwidgets.runner.notify import check_config
from mlwidgets.runner.surroundings import untold_hints
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.views import console
from mlwidgets.views.live import flush_finished, show
from mlwidgets_magics.words import LineParser, help_of, is_param, read_params, read_tags, split_names, split_words

_OWN_EXTENSIONS = frozenset({"mlwidgets", "storemagic"})


def _parser() -> LineParser:
    parser = LineParser(prog="%%train", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*", metavar="NAME param=value", help="the run's name, and parameters")
    parser.add_argument("--seed", type=int, metavar="N", help="seed random, numpy and torch")
    parser.add_argument("-i", "--inputs", action="append", default=[], metavar="NAMES", help="send these names too")
    parser.add_argument("-o", "--outputs", action="append", metavar="NAMES", help="bring back these names alone")
    parser.add_argument("--wait", action="store_true", help="block, raise what the cell raises, load its results")
    parser.add_argument("--timeout", type=_seconds, metavar="T", help="end the run after 90, 90s, 15m, 2h or 1d")
    parser.add_argument("--gpus", type=_gpus, default="auto", metavar="N", help="GPUs: a number, 0.25, 0.5, 0.75, auto")
    parser.add_argument("--cpus", type=int, default=1, metavar="N", help="CPU places; 0 takes none")
    parser.add_argument("--priority", type=int, default=0, metavar="N", help="runs of a higher one go first")
    parser.add_argument("--after", metavar="RUN", help="wait until that run has finished")
    parser.add_argument("--retries", type=int, default=0, metavar="N", help="try again so often if it fails")
    parser.add_argument("--cold", action="store_true", help="start in a fresh Python process")
    parser.add_argument("--tag", action="append", default=[], metavar="k=v", help="a tag to find it by")
    parser.add_argument("--note", default="", metavar="TEXT", help="a note, in quotes")
    return parser


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if match is None:
        raise ValueError(text)
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def _gpus(text: str) -> float | Literal["auto"]:
    return "auto" if text == "auto" else float(text)


_gpus.__name__ = "number of GPUs, such as 1, 0.5 or auto,"
_seconds.__name__ = "time, such as 90, 90s, 15m, 2h or 1d,"


@magics_class
class TrainMagics(Magics):
    """Sends cells off, and remembers what names meant when it did."""

    shell: Any

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.submitted: dict[str, dict[str, int]] = {}

    @line_cell_magic
    def train(self, line: str, cell: str | None = None) -> None:
        """Send the cell off as a tracked run and show it live; returns at once.

        %%train [NAME] [--gpus N] [--cpus N] [--priority N] [--after RUN] [--timeout T] [--retries N]
                [--seed N] [--wait] [--cold] [-i NAMES] [-o NAMES] [--tag k=v] [--note TEXT]
                [param=value …]

        NAME is bound to the Run. Names that the cell reads are sent with it; a param=value replaces
        or adds one.
        --seed N      seed random, numpy and torch; without it their present states travel with the cell
        -i NAMES      send these names too (comma-separated), beside those that the cell is seen to read
        -o NAMES      bring back these names alone
        --wait        block until it has ended, raise what it raised, and load its results
        --timeout T   end the run after that time: 90, 90s, 15m, 2h, 1d
        --gpus N      wait for N GPUs and have them to itself; 0.25, 0.5, 0.75: a share of one; 0: none;
                      auto (default): one where the machine has any and the notebook has imported a
                      library that uses them
        --cpus N      wait for N CPU places (default 1); with 0 and no GPU it starts at once
        --priority N  go before runs of lower priority (default 0)
        --after RUN   wait until that run has finished
        --retries N   try again up to N times if it fails
        --cold        start in a fresh Python process, even where a warm one is there
        --tag k=v     a tag to find it by; may be given several times
        --note TEXT   a note, in quotes
        """
        words = split_words(line)
        if "--help" in words or "-h" in words:
            print(help_of(TrainMagics.train))
            return
        if cell is None:
            raise UsageError("%train: write %%train, on top of the code to run; %%train --help lists the options")
        options = _parser().parse_intermixed_args(words)
        plain = [w for w in options.words if not is_param(w)]
        if len(plain) > 1:
            hint = "no spaces around '='" if "=" in plain else "put quotes around a text with spaces"
            raise UsageError(f"%%train takes one name, not {len(plain)}: {' '.join(plain)} ({hint})")
        name = plain[0] if plain else f"cell-{_cell_number(self.shell)}"
        binding = re.sub(r"\W", "_", plain[0]) if plain else None
        if binding is not None and not binding.isidentifier():
            raise UsageError(f"{name!r} cannot be bound to a variable: begin the name with a letter")
        if not cell.strip():
            raise UsageError("%%train: the cell is empty; write the code to run below it")
        namespace = self.shell.user_ns
        try:
            run = api.train(
                cell,
                name=name,
                params=read_params([w for w in options.words if is_param(w)], taken=namespace),
                namespace=namespace,
                seed=options.seed,
                inputs=split_names(options.inputs),
                outputs=None if options.outputs is None else split_names(options.outputs),
                timeout=options.timeout,
                gpus=options.gpus,
                cpus=options.cpus,
                priority=options.priority,
                after=options.after,
                retries=options.retries,
                cold=options.cold,
                tags=read_tags(options.tag),
                note=options.note,
                origin=Origin(
                    heading=f"%%train {line}".rstrip(),
                    binding=binding,
                    shell=shell_settings(self.shell),
                    notebook=namespace.get("__vsc_ipynb_file__"),
                    cell=_cell_id(self.shell),
                ),
            )
        except MlwidgetsError as error:
            raise UsageError(str(error)) from None
        self.submitted[run.id] = identities(namespace, [n for n in namespace if not n.startswith("_")])
        if binding is not None:
            namespace[binding] = run
        misconfigured = check_config(RunFolder(run.path))
        for hint in (*run.spec.hints, *filter(None, [misconfigured])):
            print(f"mlwidgets: {hint}", file=sys.stderr)
        for hint in untold_hints():
            # No mistake of the user's, so not in red.
            print(f"mlwidgets: {hint}")
        in_terminal = getattr(self.shell, "kernel", None) is None
        if not (options.wait and in_terminal):
            show(run, background=True)
        if options.wait:
            self._wait(run, in_terminal=in_terminal)

    def _wait(self, run: Run, *, in_terminal: bool) -> None:
        """Wait as if the cell ran here: an interrupt of the kernel interrupts the run."""
        try:
            if in_terminal and console.can_follow() and not console.follow(run, hint="Ctrl-C stops the run"):
                raise KeyboardInterrupt
            run.wait()
        except KeyboardInterrupt:
            run.stop("Ctrl-C" if in_terminal else "interrupt of the kernel")
            run.wait()
        flush_finished()
        if in_terminal:
            # A terminal has no view that the output would appear in.
            print(run.output, end="")
            for display in run.displays():
                print(display.data.get("text/plain", ""))
            console.print_line(console.end_line(run))
        if RunFolder(run.path).manifest.exists():
            try:
                load_into(RunFolder(run.path), run.result, self.shell.user_ns, submitted=self.submitted.get(run.id))
            except MlwidgetsError as error:
                print(error, file=sys.stderr)
        try:
            run.raise_for_state()
        except RunFailed as error:
            # One line, like a UsageError: the frames of this magic say nothing to the user.
            line = f"RunFailed: {error}"
            if not hasattr(error, "_render_traceback_"):
                error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]
            raise


def shell_settings(shell: Any) -> dict[str, Any]:
    """Return what the shell is set to that shapes how a cell behaves."""
    settings: dict[str, Any] = {
        "execution_count": _cell_number(shell),
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


def _cell_id(shell: Any) -> str | None:
    """Return the id of the cell that is executing, as the front end tells it; None elsewhere."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else None
    found = (parent or {}).get("metadata", {}).get("cellId")
    return found if isinstance(found, str) else None


def _cell_number(shell: Any) -> int:
    """Return the number of the cell that is executing. Some versions of IPython have counted on by now."""
    return max(1, len(shell.history_manager.input_hist_parsed) - 1)


def _own_magics(shell: Any) -> list[tuple[str, str, types.FunctionType]]:
    """Return the magics that the notebook itself defines."""
    return [
        (kind, name, function)
        for kind, magics in shell.magics_manager.magics.items()
        for name, function in magics.items()
        if isinstance(function, types.FunctionType) and function.__globals__ is shell.user_ns
    ]
