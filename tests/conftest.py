"""What all tests share: their tier, and a store of their own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlwidgets.runner import warm

ROOT = Path(__file__).resolve().parent.parent
TIERS = ("unit", "contract", "integration", "browser", "gpu")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test's folder is its tier. The quickest come first, before there are servers that the others share.

    Where several processes share the tests, one has all that need a browser, and begins with them: they take longest.
    """
    shared = config.getoption("dist", "no") != "no"
    order = TIERS[::-1] if shared else TIERS
    for item in items:
        item.add_marker(_tier(item))
        group = "browser" if _tier(item) == "browser" else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: order.index(_tier(item)))


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
        yield
        warm.end_warm_processes()


@pytest.fixture(autouse=True)
def _no_foreign_store(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test writes into a store that it did not choose, whatever the environment names."""
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path_factory.mktemp("store") / ".mlwidgets"))
