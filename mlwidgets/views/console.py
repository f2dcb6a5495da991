"""Runs in IPython's terminal: a block that follows them in place, and a line above the prompt when one has ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from mlwidgets.errors import MlwidgetsError
from mlwidgets.runs.outline import ending
from mlwidgets.views import format as fmt
from mlwidgets.views import palette, sweeptext, terminal
from mlwidgets.views.data import seconds
from mlwidgets.views.follow import Follower
from mlwidgets.views.grouping import CLOCKS
from mlwidgets.views.sweep import short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prompt_toolkit.formatted_text import AnyFormattedText
    from prompt_toolkit.key_binding import KeyBindings, KeyPress

    from mlwidgets.runs.run import Run
    from mlwidgets.views.sweep import Row

PACE = 0.2
"""Seconds between two looks at a run that is followed."""
SHARE = 8
"""A look is followed by a pause of this many times as long as it took, so that no core is kept busy."""
CALM = 0.5
"""Seconds between two looks at runs in the background."""
BAR = 24
OUTPUT_LINES = 5
OUTPUT_CHARACTERS = 8192
METRIC_LINES = 2

Fragments = list[tuple[str, str]]

_lock = threading.Lock()
_watched: list[Run] = []
_announcer: threading.Thread | None = None
"""Waits for the watched runs, while there are any."""


def is_terminal() -> bool:
    """Whether a person sits at a terminal that can be drawn on."""
    return sys.stdout.isatty() and sys.stdin.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


def can_follow() -> bool:
    """Whether `follow` can be called here: not where an event loop is running, as in a cell with ``await``."""
    return is_terminal() and not _loop_is_running()


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def follow(*runs: Run, hint: str) -> bool:
    """Draw runs in place until all have ended, or paused themselves; take the block away then. Only where `can_follow`.

    Parameters
    ----------
    hint
        What Ctrl-C does; it is said below the block.

    Returns
    -------
    bool
        False if somebody pressed Ctrl-C first.
    """
    from prompt_toolkit.application import Application
    from prompt_toolkit.input.typeahead import store_typeahead
    from prompt_toolkit.layout import FormattedTextControl, Layout, Window

    blocks = [_Block(run) for run in runs]

    def text() -> AnyFormattedText:
        columns = app.output.get_size().columns
        return [*_joined([line for one in blocks for line in one.lines(columns)]), ("class:dim", f"  {hint}")]

    keys, typed = _keys()
    app: Application[bool] = Application(
        layout=Layout(Window(FormattedTextControl(text, show_cursor=False), wrap_lines=False)),
        style=_style(),
        key_bindings=keys,
        erase_when_done=True,
    )

    async def look() -> None:
        with contextlib.suppress(OSError, MlwidgetsError):  # a run folder may go away
            while not all(one.ended for one in blocks):
                begin = time.monotonic()
                for one in blocks:
                    one.look()
                app.invalidate()
                await asyncio.sleep(max(PACE, SHARE * (time.monotonic() - begin)))
        if not app.is_done:
            app.exit(result=True)

    def start() -> None:
        app.create_background_task(look())

    # Not asyncio.run, which would take this thread's event loop away from IPython and the user.
    loop = asyncio.new_event_loop()
    try:
        ended = loop.run_until_complete(app.run_async(pre_run=start))
    finally:
        loop.close()
    store_typeahead(app.input, typed)
    return ended


def _keys() -> tuple[KeyBindings, list[KeyPress]]:
    """Return bindings by which Ctrl-C ends the block, and where all other keys are kept for the next prompt."""
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys

    keys = KeyBindings()
    typed: list[KeyPress] = []

    @keys.add("c-c")
    @keys.add("<sigint>")
    def _leave(event: Any) -> None:
        typed.clear()
        if not event.app.future.done():
            event.app.exit(result=False)

    @keys.add(Keys.Any)
    def _keep(event: Any) -> None:
        typed.extend(event.key_sequence)

    return keys, typed


def _style() -> Any:
    from prompt_toolkit.styles import Style

    return Style.from_dict({**palette.STATES, "name": "bold", "dim": palette.MUTED, "bar": palette.STATES["running"]})


class _Block:
    """What is drawn of one run, kept up to date."""

    def __init__(self, run: Run) -> None:
        self._follower = Follower(run)
        self._header: dict[str, Any] = {}
        self._progress: dict[str, Any] | None = None
        self._metrics: dict[str, Any] = {}
        self._output = ""
        self._sweep: dict[str, Any] = {}
        self._rows: dict[int, Row] = {}
        self._run = run
        self._gave_up = False
        self.look()

    @property
    def ended(self) -> bool:
        return self._follower.ended or self._gave_up

    def look(self) -> None:
        if self._header and self.ended:
            return
        changes = self._follower.changes()
        self._header = changes.get("header", self._header)
        self._progress = changes.get("progress", self._progress)
        self._metrics.update({one["name"]: one["last"] for one in changes.get("series", ())})
        self._sweep.update(changes.get("sweep", {}))
        self._rows.update({one["number"]: one for one in self._sweep.pop("trials", ())})
        paused = self._sweep.get("status", {}).get("paused")
        # A sweep that has paused itself would be followed for ever.
        self._gave_up = bool(paused) and getattr(self._run, "gave_up", None) is not None
        output = changes.get("output", {})
        self._output = (output.get("text", self._output) + output.get("add", ""))[-OUTPUT_CHARACTERS:]

    def lines(self, columns: int) -> list[Fragments]:
        from prompt_toolkit.formatted_text import ANSI, to_formatted_text

        tail = terminal.parse(self._output)[-OUTPUT_LINES:]
        shown = [to_formatted_text(ANSI("  " + terminal.ansi([line]).rstrip("\n"))) for line in tail]
        metrics = self._trials(columns)
        metrics += _metric_lines({n: v for n, v in self._metrics.items() if n.lower() not in CLOCKS}, columns)
        waiting = [[("", f"  {self._header['waiting']}")]] if self._header.get("waiting") else []
        return [self._first(), *waiting, *metrics, *shown]  # type: ignore[list-item]

    def _trials(self, columns: int) -> list[Fragments]:
        """Return how far a sweep is and its best trials; no lines of any other run."""
        if "status" not in self._sweep or "about" not in self._sweep:
            return []
        about, status = self._sweep["about"], self._sweep["status"]
        for one in about["objectives"]:
            self._metrics.pop(one["metric"], None)
        said = sweeptext.lines(about, status, list(self._rows.values()), columns - 2)
        return [[("", f"  {short(line, columns - 2)}")] for line in said]

    def _first(self) -> Fragments:
        header, now = self._header, time.time()
        state = header["state"]
        said = "stopping" if header["stopping"] else state
        parts: Fragments = [(f"class:{state}", f"{palette.SIGNS[state]} "), ("class:name", header["name"])]
        parts.append(("", "  ".join(["", said, *filter(None, [header["attempt"]]), _time(header, now)])))
        if self._progress:
            done = self._progress
            filled = round(done["fraction"] * BAR)
            parts += [("", "  "), ("class:bar", "━" * filled), ("class:dim", "─" * (BAR - filled))]
            parts.append(("", "".join(f"  {text}" for text in (done["label"], _left(done, now)) if text)))
        return parts


def _time(header: dict[str, Any], now: float) -> str:
    return fmt.took(seconds(header, now)) if header["ended"] else fmt.clock(seconds(header, now))


def _left(done: dict[str, Any], now: float) -> str:
    if done["remaining"] is None or done["fraction"] >= 1:
        return ""
    left = done["remaining"] - (now - done["at"])
    return "" if left < 1 and done["remaining"] > 5 else f"{fmt.clock(left)} left"


def _metric_lines(metrics: dict[str, Any], columns: int) -> list[Fragments]:
    """Return names and last values on as few lines as they need; what does not fit is counted."""
    lines: list[Fragments] = []
    width = columns
    for index, (name, value) in enumerate(metrics.items()):
        number = value if isinstance(value, str) else fmt.number(value)
        if width + len(name) + len(number) + 4 > columns - 12:
            if len(lines) == METRIC_LINES:
                lines[-1].append(("class:dim", f"   {len(metrics) - index} more"))
                break
            lines.append([])
            width = 0
        lines[-1] += [("class:dim", f"{'   ' if lines[-1] else '  '}{name} "), ("", number)]
        width += len(name) + len(number) + 4
    return lines


def _joined(lines: Iterable[Fragments]) -> Fragments:
    return [fragment for line in lines for fragment in (*line, ("", "\n"))]


def announce(run: Run) -> None:
    """Say in a line that a run was submitted, and in another when it has ended, above the prompt if there is one."""
    print(f"{palette.SIGNS[run.state]} {run.name}  {run.state}   `%runs show {run.name}` follows it")
    watch(run)


def watch(run: Run) -> None:
    """Say in a line when the run has ended."""
    global _announcer
    with _lock:
        _watched.append(run)
        if _announcer is None:
            _announcer = threading.Thread(target=_wait_for_watched, name="mlwidgets announces", daemon=True)
            _announcer.start()


def leave(runs: Iterable[Run]) -> list[Run]:
    """Say nothing more of these runs, as somebody looks at them; return those of which something would be said."""
    ids = {run.id for run in runs}
    with _lock:
        left = [run for run in _watched if run.id in ids]
        _watched[:] = [run for run in _watched if run.id not in ids]
    return left


def end_line(run: Run) -> Fragments:
    """Return how a run ended, in a line: its last values, or what went wrong."""
    from mlwidgets.views.data import read_header

    header = read_header(run)
    state, cause = header["state"], header["cause"]
    parts: Fragments = [(f"class:{state}", f"{palette.SIGNS[state]} "), ("class:name", header["name"])]
    parts.append(("", f"  {state}  {_time(header, time.time())}"))
    if state == "finished":
        cause = ending(state, cause) if run.spec.sweep else None
    if cause:
        parts.append(("", f"  {cause}"))
    columns = os.get_terminal_size().columns - sum(len(text) for _, text in parts) if is_terminal() else 80
    values = {name: value for name, value in run.last_values().items() if name.lower() not in CLOCKS}
    for line in _metric_lines(values, columns)[:1]:
        parts += line
    return parts


def print_line(line: Fragments) -> None:
    """Print a line, in colours where the terminal has any."""
    if not is_terminal():
        print("".join(text for _, text in line))
        return
    from prompt_toolkit import print_formatted_text
    from prompt_toolkit.formatted_text import FormattedText

    print_formatted_text(FormattedText(line), style=_style())


def tell_ended() -> None:
    """Print a line for each watched run that has ended; called where no prompt is on show."""
    with _lock:
        ended = [run for run in _watched if _is_over(run)]
        for run in ended:
            _watched.remove(run)
    for run in ended:
        with contextlib.suppress(OSError, MlwidgetsError):  # its folder may go away
            if run.path.exists():
                print_line(end_line(run))


def _is_over(run: Run) -> bool:
    """Whether nothing more is to come of a run: it has ended, or was deleted."""
    try:
        return run.ended or not run.path.exists()
    except (OSError, MlwidgetsError):
        return True


def _wait_for_watched() -> None:
    """Wait for runs in the background; a line comes where a prompt is on show, else after the cell."""
    from prompt_toolkit.application import get_app_or_none

    global _announcer
    while True:
        with _lock:
            watched = tuple(_watched)
            if not watched:
                _announcer = None
                return
        app = get_app_or_none()
        loop = app.loop if app is not None else None
        if loop is not None and any(_is_over(run) for run in watched):
            # Not here: what is scheduled on a loop that has ended since stays for the end of the cell.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(tell_ended)
        time.sleep(CALM)
