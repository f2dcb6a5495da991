"""Environment variables that shape what libraries compute."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mlwidgets.capture.variables import environment_of, gather, same_shape, shaped
from mlwidgets.runner import warm
from mlwidgets.runs.spec import RunSpec


@pytest.mark.parametrize(
    ("own", "hashed_by"),
    [("7", "7"), ("0042", "0042"), ("4294967295", "4294967295"), ("random", "0"), ("", "0"), (None, "0"),
     ("4294967296", "0"), ("-1", "0"), ("٣", "0"), ("7\n", "0")],
)  # fmt: skip
def test_texts_are_hashed_as_the_user_said_or_always_alike(
    monkeypatch: pytest.MonkeyPatch, own: str | None, hashed_by: str
) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    if own is not None:
        monkeypatch.setenv("PYTHONHASHSEED", own)
    assert gather()["PYTHONHASHSEED"] == hashed_by
    environment = shaped(os.environ)
    assert environment["PYTHONHASHSEED"] == hashed_by
    command = [sys.executable, "-c", "print(hash('text'))"]
    seen = {subprocess.run(command, env=environment, capture_output=True, check=True).stdout for _ in range(2)}
    assert len(seen) == 1


def test_without_an_environment_there_is_no_word_of_it() -> None:
    command = [sys.executable, "-E", "-c", "from mlwidgets.capture.variables import gather; print(gather())"]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "3"}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "'OMP_NUM_THREADS': '3'" in told
    assert "PYTHONHASHSEED" not in told


def test_a_rerun_has_those_of_the_run_and_no_others() -> None:
    mine = {"HOME": "/home/me", "OMP_NUM_THREADS": "8", "MKL_DYNAMIC": "FALSE", "TORCH_HOME": "/mine", "TZ": "UTC"}
    then = {"OMP_NUM_THREADS": "2", "LC_ALL": "C", "PYTHONHASHSEED": "7", "LD_PRELOAD": "evil", "TORCH_HOME": "/its"}
    assert shaped(mine, then) == {
        "HOME": "/home/me",
        "TORCH_HOME": "/mine",
        "OMP_NUM_THREADS": "2",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
    }
    # A run from before they were recorded.
    assert shaped(mine, {}) == {**mine, "PYTHONHASHSEED": "0"}


@pytest.mark.parametrize(("own", "used"), [(None, ":4096:8"), (":16:8", ":16:8"), (":0:0", ":4096:8")])
def test_cublas_is_told_before_it_begins(own: str | None, used: str) -> None:
    variables = {"PYTHONHASHSEED": "0"} | ({} if own is None else {"CUBLAS_WORKSPACE_CONFIG": own})
    spec = RunSpec(id="20261120-123010-x-abcd", name="x", code="", variables=variables, deterministic=True)
    environment = environment_of(spec, {})
    assert environment["CUBLAS_WORKSPACE_CONFIG"] == used
    assert environment_of(RunSpec(spec.id, "x", "", variables=variables), {}).get("CUBLAS_WORKSPACE_CONFIG") == own
    assert same_shape(environment, variables), "no library reads it when it is imported"
    assert warm.fingerprint(environment) == warm.fingerprint(variables)
    assert not same_shape({**environment, "OMP_NUM_THREADS": "2"}, environment)
