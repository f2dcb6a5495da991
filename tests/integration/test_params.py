"""Parameters and names as the code in a run sees them, sent from plain Python."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest

import mlwidgets


@pytest.mark.parametrize(
    "value", [1, 0.5, True, None, (1, "a"), {"a": [1]}, np.float64(0.5), collections.UserList([1]), np.arange(3)]
)
def test_a_parameter_keeps_its_type(value: Any) -> None:
    run = mlwidgets.train("text = repr(value)", params={"value": value}, namespace={}, wait=True)
    assert run.result["text"] == repr(value)


def test_a_function_sees_a_name_that_the_cell_binds_after_calling_it() -> None:
    notebook: dict[str, Any] = {"__name__": "__main__"}
    exec("n = 1\ndef helper():\n    return n", notebook)
    run = mlwidgets.train("first = helper()\nn = 3\nsecond = helper()", namespace=notebook, wait=True)
    assert (run.result["first"], run.result["second"]) == (1, 3)
