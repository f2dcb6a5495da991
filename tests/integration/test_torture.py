"""A short round of what ``make torture`` does for as long as asked."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture import ACTS, Torture, plan

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")


@pytest.fixture
def torture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Torture]:
    # The path of a socket may have a hundred characters only.
    with tempfile.TemporaryDirectory(prefix="mlw-") as folder:
        made = Torture(Path(folder))
        for name, value in made.environment.items():
            if os.environ.get(name) != value:
                monkeypatch.setenv(name, value)
        yield made


def test_every_law_holds(torture: Torture) -> None:
    first = random.SystemRandom().randrange(10**8)
    rounds = {plan(seed).act: seed for seed in range(first, first + 500)}
    assert set(rounds) == set(ACTS), "each act once"
    assert torture.run(list(rounds.values()), at_once=3, quiet=True) == []
    assert len(torture.late) == len(ACTS)


def test_a_round_can_be_repeated() -> None:
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)
