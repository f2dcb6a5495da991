"""Which files of a work tree are kept: not what is too large, too many, secret by its name, or cannot be read."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

LARGEST_FILE, LARGEST_NEW, MOST_NEW = 5_000_000, 50_000_000, 2000
"""Bytes of a file that git does not know, of all of these together, and how many these may be."""
LARGEST_CHANGED, LARGEST_CHANGES = 50_000_000, 200_000_000
"""Bytes of a changed file that git knows, and of all of these together."""
_PRIVATE = re.compile(
    r"\.env(\..*)?|\.envrc|.*\.(env|pem|key|p12|pfx|ppk|jks|keystore|kdbx|ovpn)|id_(rsa|dsa|ecdsa|ed25519)(_.*)?"
    r"|[._]?netrc|\.pgpass|\.my\.cnf|\.pypirc|\.npmrc|\.htpasswd|\.boto|\.s3cfg|\.dockercfg|\..*_history"
    r"|\.?credentials(\..*)?|\.git-credentials|client_secrets?.*\.json|kaggle\.json"
    r"|\.?(secret|token|password)s?(\.(ya?ml|json|toml|ini|cfg|txt))?",
    re.IGNORECASE,
)
"""Names of files that hold secrets: one that git does not know is the user's alone."""
_PRIVATE_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".gcloud", ".password-store"})
_PUBLIC = re.compile(r"\.env\.(example|sample|template|dist)", re.IGNORECASE)

OF_TOOLS = frozenset({b".ipynb_checkpoints", b"__pycache__"})
"""Folders that tools write beside what a user does: they are nobody's code."""


def shown(path: bytes) -> str:
    """Return a path as it is told."""
    return path.decode("utf-8", "replace")


def is_private(path: bytes) -> bool:
    """Whether a file is called as files are that hold keys and passwords."""
    *folders, name = shown(path).rstrip("/").split("/")
    return not _PRIVATE_FOLDERS.isdisjoint(folders) or bool(_PRIVATE.fullmatch(name) and not _PUBLIC.fullmatch(name))


def readable(top: Path, paths: Sequence[bytes], left_out: list[str]) -> Iterator[bytes]:
    """Yield the changed files whose content can be kept."""
    total = 0
    for path in paths:
        size = size_of(top, path) or 0
        if not 0 <= size <= LARGEST_CHANGED or total + size > LARGEST_CHANGES:
            left_out.append(shown(path))
        else:
            total += size
            yield path


def small(top: Path, paths: Sequence[bytes], left_out: list[str]) -> Iterator[bytes]:
    """Yield the new files that are kept: those first that lie with few others, as code does and samples do not."""
    beside = Counter(os.path.dirname(path) for path in paths)
    count = total = 0
    for path in sorted(paths, key=lambda path: (beside[os.path.dirname(path)], path)):
        fits = count < MOST_NEW and not path.endswith(b"/") and not is_private(path)
        size = size_of(top, path) if fits else None
        if size is None or size < 0 or size > LARGEST_FILE or total + size > LARGEST_NEW:
            left_out.append(shown(path))
        else:
            count += 1
            total += size
            yield path


def size_of(top: Path, path: bytes) -> int | None:
    """Return the bytes of a file, None where there is none, -1 for one that cannot be read."""
    full = os.path.join(os.fsencode(top), path)
    try:
        status = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return -1
    if stat.S_ISREG(status.st_mode):
        return status.st_size if os.access(full, os.R_OK) else -1
    return 0 if stat.S_ISLNK(status.st_mode) or stat.S_ISDIR(status.st_mode) else -1
