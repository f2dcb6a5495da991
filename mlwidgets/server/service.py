"""What all handlers of a server share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from mlwidgets.server.catchup import CatchUp
from mlwidgets.server.channels import Channels
from mlwidgets.server.hub import Hub
from mlwidgets.server.removed import Removed
from mlwidgets.server.saves import Saves
from mlwidgets.server.sparklines import Sparklines
from mlwidgets.server.stores import Stores
from mlwidgets.server.tickers import Tickers

SETTING = "mlwidgets_service"
"""Where the web application keeps it."""
WORKERS = 8
"""Threads that read the disk for requests; others wait."""

P = ParamSpec("P")
T = TypeVar("T")


class Service:
    """Stores below a server's root, the threads that read them, and who listens.

    Parameters
    ----------
    root
        The server's root.
    saves
        Who hears what Jupyter saves, where it saves files and snapshots of them are wanted.
    read_only
        Nobody may change anything.
    schedules
        What is due by a schedule is started.
    """

    def __init__(
        self, root: Path, saves: Saves | None = None, *, read_only: bool = False, schedules: bool = False
    ) -> None:
        self.read_only = read_only
        self.saves = saves
        self.stores = Stores(root)
        self.threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="mlwidgets")
        self.sparklines = Sparklines()
        self.catch_up = CatchUp()
        self.tickers = Tickers(self.stores, wanted=schedules and not read_only)
        self.removed = Removed()
        self.hub = Hub(self.stores)
        self.channels = Channels(self.call)

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, called off the event loop: reading a disk takes as long as it takes."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(work, *args, **kwargs))

    def close(self) -> None:
        """End all threads as soon as they are done with what they do."""
        self.tickers.close()
        self.hub.close()
        self.channels.close()
        self.threads.shutdown(wait=False, cancel_futures=True)
