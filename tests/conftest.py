"""What all tests share: their tier, and a store of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TIERS = {"unit", "contract", "integration", "browser", "gpu"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's folder is its tier."""
    for item in items:
        tier = item.path.relative_to(ROOT / "tests").parts[0]
        if tier in TIERS:
            item.add_marker(tier)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(autouse=True)
def _no_foreign_store(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test writes into a store that it did not choose, whatever the environment names."""
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path_factory.mktemp("store") / ".mlwidgets"))
