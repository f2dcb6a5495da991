"""The shell in which a run's code executes."""

from __future__ import annotations

import signal

from mlwidgets.runner.shell import blank_shell


def test_an_interrupt_that_was_swallowed_before_the_first_line_ends_the_code_there() -> None:
    shell = blank_shell()
    shell.interrupts = [signal.SIGTERM]
    result = shell.run_cell("reached = 1\nreached = 2")
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    assert "reached" not in shell.user_ns


def test_an_interrupt_that_the_code_has_caught_does_not_end_it_later() -> None:
    shell = blank_shell()
    interrupts: list[int] = []
    shell.interrupts = interrupts
    shell.user_ns["interrupt"] = lambda: interrupts.append(signal.SIGTERM)
    result = shell.run_cell("interrupt()\nreached = 1")
    assert result.success
    assert shell.user_ns["reached"] == 1
