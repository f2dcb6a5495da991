"""A page as PDF, printed by a browser of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from mlwidgets.errors import MlwidgetsError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
PATIENCE = 120
"""Seconds that a browser has."""


class NoPdf(MlwidgetsError):
    """The page could not be printed; it is there as HTML."""


def browser() -> str | None:
    """Return the path of the first browser that can print, or None."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def write_pdf(page: Path, to: Path) -> None:
    """Print a page to a PDF file, whole or not at all. The browser reaches no network.

    Raises
    ------
    NoPdf
        If there is no browser, or it did not print.
    """
    program = browser()
    if program is None:
        raise NoPdf(f"no PDF of {page.name}: none of {', '.join(BROWSERS)} is on PATH; install Chromium or Chrome")
    with tempfile.TemporaryDirectory(prefix="mlwidgets-pdf-") as folder:
        made = Path(folder) / "page.pdf"
        command = [
            program,
            "--headless",
            "--disable-gpu",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-pdf-header-footer",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={made}",
            # Without it Chromium does not start as root, as in most containers.
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            page.resolve().as_uri(),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoPdf(f"no PDF of {page.name}: {Path(program).name}: {error}") from None
        if not made.exists():
            said = [line for line in done.stderr.splitlines() if line.strip()]
            last = said[-1] if said else f"exit status {done.returncode}"
            raise NoPdf(f"no PDF of {page.name}: {Path(program).name} printed nothing: {last}")
        beside = to.with_name(f".{to.name}.{os.getpid()}.tmp")
        try:
            shutil.copyfile(made, beside)
            os.replace(beside, to)
        finally:
            beside.unlink(missing_ok=True)
