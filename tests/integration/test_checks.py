"""Checks in real runs and real kernels."""

from __future__ import annotations

import mlwidgets
from mlwidgets.runs.journal import read_lines
from mlwidgets.tracking.told import MIME
from tests.notebook import Notebook

CODE = """
import multiprocessing
from mlwidgets import check

check(accuracy > 0.9, "accuracy above 90 %", accuracy)
check.range(frame["age"], 0, 120)
child = multiprocessing.get_context("fork").Process(target=check, args=(True, "from a child"))
child.start()
child.join()
check.unique(frame["id"])
"""


def test_a_run_keeps_its_checks_and_goes_on() -> None:
    import pandas as pd

    frame = pd.DataFrame({"id": [1, 1], "age": [20, 40]})
    run = mlwidgets.train(CODE, namespace={"frame": frame}, params={"accuracy": 0.85}).wait(60).raise_for_state()
    assert run.output.splitlines() == [
        "✗ accuracy above 90 %: 0.85",
        "✓ age from 0 to 120: 20 to 40",
        "✓ from a child",
        "✗ id is unique: 1 occurs 2 times",
    ]
    events = read_lines(run.path / "events.jsonl", "check")
    assert [(e["text"], e["passed"], e["detail"]) for e in events] == [
        ("accuracy above 90 %", False, "0.85"),
        ("age from 0 to 120", True, "20 to 40"),
        ("from a child", True, None),
        ("id is unique", False, "1 occurs 2 times"),
    ]


def test_a_required_one_ends_the_run_at_the_users_own_line() -> None:
    code = "check(accuracy > 0.9, 'accuracy above 90 %', accuracy, required=True)\nafter = 1"
    # `check` comes from the notebook here, as a value that the cell reads.
    namespace = {"check": mlwidgets.check, "accuracy": 0.85}
    run = mlwidgets.train(code, namespace=namespace).wait(60)
    assert (run.state, run.cause) == ("failed", "CheckFailed: check failed: accuracy above 90 %: 0.85")
    assert [e["passed"] for e in read_lines(run.path / "events.jsonl", "check")] == [False]
    assert run.error is not None
    assert "tell_check" not in run.error


def test_a_notebook_shows_them(notebook: Notebook) -> None:
    reply = notebook.run("from mlwidgets import check\ncheck(1 < 2, '1 < 2');\ncheck(False, 'b', '<script>');")
    passed, failed = reply.shown
    assert passed["text/plain"] == "✓ 1 < 2"
    assert ">✓</span> 1 &lt; 2</div>" in passed["text/html"]
    assert passed[MIME] == {"text": "1 < 2", "passed": True, "detail": None}
    assert 'aria-label="failed"' in failed["text/html"]
    assert "<script>" not in failed["text/html"]
    assert failed[MIME]["detail"] == "<script>"
    # A child of the kernel has no way to show what is no text.
    reply = notebook.run("""
        import multiprocessing
        child = multiprocessing.get_context("fork").Process(target=check, args=(True, "from a child"))
        child.start()
        child.join()
    """)
    assert "✓ from a child" in reply.text


def test_a_cell_that_is_sent_off_uses_the_notebooks_check(notebook: Notebook) -> None:
    notebook.run("from mlwidgets import check")
    notebook.train("checked", "check(2 < 1, 'less')")
    assert "✗ less" in notebook.run("%runs logs checked").text
