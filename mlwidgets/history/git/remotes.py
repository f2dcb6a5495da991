"""Where a repository is published, as far as anybody may know it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from mlwidgets.history.git.repository import Repository


def remote_of(repository: Repository) -> str | None:
    """Return where the repository is published: its ``origin``, else the first one; without user and password."""
    done = repository.git("config", "--null", "--get-regexp", r"^remote\..*\.url$")
    found: Mapping[str, str] = {
        key.lower(): value
        for key, _, value in (entry.partition("\n") for entry in done.stdout.decode("utf-8", "replace").split("\0"))
        if value
    }
    url = found.get("remote.origin.url") or next(iter(found.values()), None)
    return None if url is None else without_credentials(url)


def without_credentials(url: str) -> str:
    """Return an address without what may open it; ``git@host:path`` names no secret and stays."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return re.sub(r"://.*@", "://", url)
    if "://" not in url or not parts.scheme:
        return url
    user = f"{parts.username}@" if parts.username and parts.scheme.startswith("ssh") else ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{user}{host}{port}{parts.path}"
