"""Runs in plain IPython, in a real terminal: followed in place, and a line above the prompt when they have ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal import Terminal

STEPS = """\
import os
for i in range({steps}):
    log(loss=1 / (i + 1), progress=(i + 1) / {steps})
    print("\\x1b[31mstep\\x1b[0m", i)
    while i == {pause} and not os.path.exists("{go}"): time.sleep(0.01)
    time.sleep(0.1)
"""
"""Step `pause` is on show until there is a file `go`: whoever looks may be slow."""


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    terminal = Terminal(str(Path(sys.executable).with_name("ipython")), tmp_path_factory.mktemp("terminal"))
    yield terminal
    terminal.close()


def test_waiting_follows_in_place_and_leaves_the_output(terminal: Terminal) -> None:
    terminal.type_cell(f"%%train here --wait\n{STEPS.format(steps=25, pause=9, go='here.go')}")
    shown = terminal.until(lambda text: "\n  step 9\n" in text)
    block = shown[shown.index("● here") :].split("\n")
    assert block[0].startswith("● here  running  0:0")
    assert "━" in block[0]
    assert "─" in block[0]
    assert block[0].endswith(" left")
    assert block[1].startswith("  loss 0.")
    assert block[-1] == "  Ctrl-C stops the run"
    assert len(block) == 8
    terminal.type("40 + 2\r")
    (terminal.folder / "here.go").touch()
    after = terminal.until(lambda text: "]: 42" in text)
    after = after[after.index("%%train here") :]
    assert "● here" not in after
    assert "Ctrl-C" not in after
    assert [after.count(f"\nstep {i}\n") for i in range(25)] == [1] * 25
    assert "\nstep 24\n✓ here  finished  " in after
    assert "  loss 0.04\n\nIn [" in after


def test_a_run_in_the_background_says_when_it_has_ended(terminal: Terminal) -> None:
    terminal.type_cell(f"%%train there\n{STEPS.format(steps=10, pause=3, go='there.go')}")
    assert "`%runs show there` follows it" in terminal.wait_for_prompt()
    terminal.type_cell("%runs show there")
    shown = terminal.until(lambda text: "\n  step 3\n" in text)
    assert shown.endswith("\n  Ctrl-C leaves; the run goes on")
    terminal.type("\x03")
    left = terminal.wait_for_prompt()
    assert "Ctrl-C leaves" not in left
    assert "● there  running" in left
    terminal.type("half = 21")
    (terminal.folder / "there.go").touch()
    line = terminal.until(lambda text: "✓ there  finished" in text and text.endswith("]: half = 21"))
    assert line.split("\n")[-2].startswith("✓ there  finished  ")
    terminal.type("\r2 * half\r")
    assert terminal.until(lambda text: "]: 42" in text.split("half = 21")[-1]).count("✓ there") == 1


def test_a_run_that_ends_while_a_cell_executes_is_told_of_after_it(terminal: Terminal) -> None:
    terminal.type_cell("%%train quick\nimport os\nwhile not os.path.exists('go'): time.sleep(0.01)\n")
    terminal.type_cell("open('go', 'w').close(); quick.wait(); print('waited', 'for')")
    assert "\nwaited for\n✓ quick  finished" in terminal.until(lambda text: "✓ quick" in text)
    terminal.type_cell("%runs show quick here")
    shown = terminal.wait_for_prompt()
    assert shown.count("✓ quick") == 2
    assert shown.count("✓ here") == 2


def test_following_to_the_end_says_it_once(terminal: Terminal) -> None:
    terminal.type_cell(f"%%train seen\n{STEPS.format(steps=10, pause=5, go='seen.go')}")
    terminal.type_cell("%runs show seen")
    terminal.until(lambda text: text.endswith("\n  Ctrl-C leaves; the run goes on"))
    (terminal.folder / "seen.go").touch()
    terminal.type_cell("await __import__('asyncio').sleep(0.1)")  # IPython's event loop is as it was
    shown = terminal.wait_for_prompt()
    assert shown.count("✓ seen") == 1
    assert "\n  step 9\n" in shown


def test_runs_that_are_deleted_while_a_cell_executes_are_forgotten(terminal: Terminal) -> None:
    for name in ("gone", "kept"):
        terminal.type_cell(f"%%train {name}\nwhile not __import__('os').path.exists('{name}.go'): time.sleep(0.01)\n")
    terminal.type_cell("from mlwidgets.cli import main")
    terminal.type_cell("open('gone.go', 'w').close(); gone.wait(); main(['delete', 'gone']); 30 + 3")
    assert "Traceback" not in terminal.until(lambda text: text.endswith("]: 33\n\n" + text.split("\n")[-1]))
    terminal.wait_for_prompt()
    terminal.type("half = 4")
    (terminal.folder / "kept.go").touch()
    shown = terminal.until(lambda text: "✓ kept  finished" in text and text.endswith("]: half = 4"))
    terminal.type("1\r")
    assert "✓ gone" not in shown
    assert "UnknownRun" not in shown


def test_a_mistake_shows_the_frames_of_the_cell_alone(terminal: Terminal) -> None:
    terminal.type_cell("log(3.5)")
    shown = terminal.until(lambda text: "TypeError: log: write log(loss=0.3)" in text)
    terminal.wait_for_prompt()
    assert "if misplaced" not in shown


def test_an_interrupt_stops_what_is_waited_for(terminal: Terminal) -> None:
    terminal.type_cell("%%train long --wait\ntime.sleep(1000)\n")
    terminal.until(lambda text: "● long  running" in text)
    terminal.type("\x03")
    terminal.until(lambda text: "RunFailed: " in text)
    shown = terminal.wait_for_prompt()
    assert "■ long  stopped  " in shown
    assert "RunFailed: run 'long' was stopped by Ctrl-C" in shown.replace("\n", " ")


def test_where_nobody_looks_there_are_lines_alone(tmp_path: Path) -> None:
    script = tmp_path / "script.ipy"
    script.write_text(
        "%load_ext mlwidgets\n"
        'get_ipython().run_cell_magic("train", "a --wait", "print(\\"in it\\")")\n'
        'get_ipython().run_cell_magic("train", "b", "x = 1")\n'
        "b.wait()\n"
    )
    command = [sys.executable, "-m", "IPython", "--quick", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=True)
    lines = [line for line in done.stdout.split("\n") if not line.startswith("mlwidgets: ")]
    assert "\x1b" not in done.stdout
    assert lines[0] == "in it"
    assert lines[1].startswith("✓ a  finished")
    assert lines[2].endswith("`%runs show b` follows it")
