"""The panel as a page of its own."""

from __future__ import annotations

from typing import Any

ROUTES: list[tuple[Any, ...]] = []
