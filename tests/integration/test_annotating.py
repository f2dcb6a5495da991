"""Names, tags and notes that are changed from the notebook, while the run goes on and afterwards."""

from __future__ import annotations

import pytest

from tests.notebook import Notebook

pytestmark = pytest.mark.integration

SLOW = "import time\nfrom mlwidgets import log\nlog(loss=0.5)\nwhile True:\n    time.sleep(0.05)\n"


def test_a_run_is_called_otherwise_while_it_goes_on(shared_notebook: Notebook) -> None:
    def said(line: str, *, fails: bool = False) -> str:
        return shared_notebook.run(f"%runs {line}", fails=fails).text

    shared_notebook.run("import mlwidgets")
    shared_notebook.train("slow", SLOW, state=None)
    assert (
        said("rename slow quick") == "slow is called quick now; slow still finds it while no other run is called so\n"
    )
    assert said("rename slow quick") == "quick is called so already\n"
    assert shared_notebook.value("(slow.name, mlwidgets.run('quick').id == mlwidgets.run('slow').id)") == (
        "quick", True,
    )  # fmt: skip
    said("tag quick owner=ada")
    assert said('tag quick why="slow, noisy"') == "quick:  not pinned  [owner: ada] [why: slow, noisy]\n"
    assert said("tag quick owner=") == "quick:  not pinned  [why: slow, noisy]\n"
    assert said("note quick the one for the paper").endswith("  the one for the paper\n")
    assert said("delete quick", fails=True).endswith("; stop it first\n")
    said("stop quick")
    shared_notebook.run("slow.wait(60)")
    assert said("pin slow").startswith("quick:  pinned  ")
    assert "quick" in shared_notebook.run("print(repr(mlwidgets.runs()))").text
    assert said("delete quick").startswith("quick: deleted; until ")
    assert "no run 'quick'" in said("show quick", fails=True)
    assert said("restore quick").startswith("quick: stopped, back in ")
    assert shared_notebook.value("(slow.rename(None).name, mlwidgets.run('quick').name)") == ("slow", "slow")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("rename once", "usage: %runs rename NAME NEW"),
        ("rename once a b", "usage: %runs rename NAME NEW"),
        ("rename once a/b", "'a/b' cannot be a run's name: use letters, digits, '_', '.' and '-', at most 100 of them"),
        ("rename never x", "no run 'never' in the store"),
        ("tag once word", "'word' is no tag: give it as key=value, and key= to take it away"),
        ("note once", 'usage: %runs note NAME "TEXT"'),
        ("restore once", "no run 'once' in the trash of the store"),
        ("delete", "usage: %runs delete NAME [NAME…]"),
    ],
)
def test_what_is_refused_is_one_line(shared_notebook: Notebook, line: str, why: str) -> None:
    if not shared_notebook.value("'once' in globals()"):
        shared_notebook.train("once", "x = 1\n")
    text = shared_notebook.run(f"%runs {line}", fails=True).text
    assert text.startswith(f"UsageError: {why}")
    assert text.count("\n") == 1
