"""Real kernels for the tests of this tier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notebook import Notebook


@pytest.fixture(scope="module")
def shared_notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """One kernel for all tests of a module: starting one takes longer than most tests."""
    opened = Notebook(tmp_path_factory.mktemp("notebook"))
    yield opened
    opened.close()


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    """A kernel of the test's own."""
    opened = Notebook(tmp_path)
    yield opened
    opened.close()
