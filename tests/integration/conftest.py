"""Real kernels for the tests of this tier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mail import Inbox, mail_server
from tests.notebook import Notebook

EVERYBODYS = "anywidget joblib matplotlib.pyplot mistune pandas pexpect stack_data torch._dynamo"
"""What the cells of some test import, or have the kernel import. Where all kernels have the same, one warm process
serves them all; otherwise another one is made, which imports torch, each time that a kernel has imported more."""


@pytest.fixture(scope="module")
def shared_notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """One kernel for all tests of a module: starting one takes longer than most tests."""
    opened = Notebook(tmp_path_factory.mktemp("notebook"))
    opened.run(f"import importlib\nlist(map(importlib.import_module, {EVERYBODYS.split()}))\ndel importlib")
    yield opened
    opened.close()


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A kernel of the test's own."""
    opened = Notebook(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """What a mail server on this machine was given."""
    with mail_server() as opened:
        yield opened
