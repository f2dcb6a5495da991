"""IPython in a real terminal, and what that terminal shows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pexpect

COLUMNS, ROWS = 100, 40
PROMPT = re.compile(r"^In \[(\d+)\]: $")
_TOKEN = re.compile(r"\x1b\[([?0-9;]*)([@-~])|\x1b\][^\x07]*\x07|\x1b[=>78]|([\n\r\b\x07])|([^\x1b\x00-\x1f]+)")


class Screen:
    """The rows of a terminal, of which none is ever forgotten; colours are."""

    def __init__(self) -> None:
        self.rows = [""]
        self._row = self._column = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        text = self._rest + text
        # What may be the beginning of a sequence waits for its end.
        cut = text.rfind("\x1b")
        whole = cut < 0 or _TOKEN.match(text, cut) is not None
        text, self._rest = (text, "") if whole else (text[:cut], text[cut:])
        for args, final, control, plain in _TOKEN.findall(text):
            if plain:
                self._put(plain)
            elif control:
                self._control(control)
            elif final and "?" not in args:
                self._command(final, args)

    def _put(self, text: str) -> None:
        for char in text:
            if self._column == COLUMNS:
                self._control("\n")
                self._column = 0
            row = self.rows[self._row].ljust(self._column)
            self.rows[self._row] = row[: self._column] + char + row[self._column + 1 :]
            self._column += 1

    def _control(self, control: str) -> None:
        if control == "\r":
            self._column = 0
        elif control == "\b":
            self._column = max(0, self._column - 1)
        elif control == "\n":
            self._row += 1
            if self._row == len(self.rows):
                self.rows.append("")

    def _command(self, final: str, args: str) -> None:
        count = int(args) if args.isdigit() else 0
        if final == "A":
            self._row = max(0, self._row - max(1, count))
        elif final == "B":
            self._row = min(len(self.rows) - 1, self._row + max(1, count))
        elif final == "C":
            self._column += max(1, count)
        elif final == "D":
            self._column = max(0, self._column - max(1, count))
        elif final in "KJ":
            row = self.rows[self._row]
            self.rows[self._row] = "" if count == 2 else row[: self._column]
            if final == "J":
                del self.rows[self._row + 1 :]

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self.rows).rstrip()


class Terminal:
    """An IPython that somebody types into. Its store lies in `folder`."""

    def __init__(self, ipython: str, folder: Path) -> None:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",  # nobody here answers where the cursor is
            "IPYTHONDIR": str(folder / "ipython"),
            "MLWIDGETS_STORE": str(folder / ".mlwidgets"),
        }
        arguments = ["--no-banner", "--no-confirm-exit", "--no-term-title", "--no-autoindent"]
        # What is typed comes as it is.
        arguments += ["--TerminalInteractiveShell.autosuggestions_provider=None"]
        self.folder = folder
        self._child = pexpect.spawn(
            ipython, arguments, cwd=str(folder), env=environment, encoding="utf-8", dimensions=(ROWS, COLUMNS)
        )
        self.screen = Screen()
        self.type_cell("%load_ext mlwidgets")
        self.type_cell("from mlwidgets import log; import time")

    def until(self, condition: Callable[[str], object], seconds: float = 120) -> str:
        """Read until what the terminal shows fulfils the condition; return it."""
        deadline = monotonic() + seconds
        while not condition(self.screen.text):
            if monotonic() > deadline:
                raise AssertionError(f"the terminal shows\n{self.screen.text}")
            try:
                self.screen.feed(self._child.read_nonblocking(65536, timeout=0.2))
            except pexpect.TIMEOUT:
                continue
        return self.screen.text

    def wait_for_prompt(self) -> str:
        return self.until(lambda text: PROMPT.match(text.split("\n")[-1] + " "))

    def type(self, keys: str) -> None:
        self._child.send(keys)

    def type_cell(self, code: str) -> None:
        """Type a cell at the prompt and execute it."""
        self.wait_for_prompt()
        lines = code.strip().split("\n")
        before = len(self.screen.rows)
        for line in lines:
            self.type(f"{line}\r")
        if len(lines) > 1:
            self.type("\r\r")
        self.until(lambda text: lines[-1] in text and len(self.screen.rows) > before + len(lines))

    def close(self) -> None:
        self._child.close(force=True)
