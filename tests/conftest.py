"""What all tests share: their tier, and a store of their own."""

from __future__ import annotations

import compileall
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlwidgets.capture import modules
from mlwidgets.runner import warm

ROOT = Path(__file__).resolve().parent.parent
TIERS = ("unit", "contract", "integration", "browser", "gpu")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile what the tests start in thousands of fresh processes: those of a run are told to write no bytecode."""
    if not hasattr(session.config, "workerinput"):
        for folder in (ROOT / "mlwidgets", ROOT / "magics"):
            compileall.compile_dir(folder, quiet=2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test's folder is its tier. The quickest come first, before there are servers that the others share.

    Where several processes share the tests they begin with those that take longest.
    """
    if "torch" in sys.modules and not any(_tier(item) == "gpu" for item in items):
        # Their workers import what their submitter has, and take four times as long for it.
        raise pytest.UsageError("a module of the tests imports torch, and so would every run: import it in the tests")
    order = TIERS[::-1] if hasattr(config, "workerinput") else TIERS
    for item in items:
        item.add_marker(_tier(item))
        if os.environ.get("CI") == "true" and _tier(item) in {"integration", "browser"}:
            # Real browsers and kernels on a machine that others use too: one more try, which the summary names.
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=lambda item: order.index(_tier(item)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one process, and to one of them all that need a browser: they share a JupyterLab."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)

    return ByFile(config, log)


def _tier(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").parts[0]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def _own_machine() -> Iterator[None]:
    """The tests have a queue and warm processes of their own: those of the machine's users are left alone."""
    with tempfile.TemporaryDirectory(prefix="mlw-") as folder, pytest.MonkeyPatch.context() as patch:
        machine = Path(folder) / "queue"
        machine.mkdir(mode=0o1777)
        # Some tests have many runs at once.
        (machine / "machine.json").write_text(json.dumps({"cpus": 64, "gpus": []}))
        patch.setenv("MLWIDGETS_QUEUE", str(machine))
        patch.setenv("MLWIDGETS_WARM", str(Path(folder) / "warm"))
        # Threads of torch that wait for each other by spinning keep one another from the few processors there are.
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        # Every run of this process would keep and look through the hundreds of modules that the tests are.
        patch.setattr(modules, "_OWN", modules._OWN | {"tests", "benchmarks"})
        # What this process has imported grows from test to test, and each time another warm process would import it.
        warm.stand_in(["numpy"])
        yield
        warm.end_warm_processes()


@pytest.fixture(autouse=True)
def _no_foreign_store(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test writes into a store that it did not choose, whatever the environment names."""
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path_factory.mktemp("store") / ".mlwidgets"))
