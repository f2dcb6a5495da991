"""The panel as a page of its own: `jupyter mlwidgets`, killed and started again, and read-only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mlwidgets
from tests.browser.conftest import _free_port, _wait_for
from tests.browser.test_live_view import look, wait_for_change
from tests.browser.test_panel import GOES_ON, HOSTILE, row

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

TOKEN = "of-the-panels-page"


@contextmanager
def served(root: Path, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`jupyter mlwidgets` in a project's folder, until the block ends; then it is killed."""
    home = {f"JUPYTER_{kind}_DIR": str(root / ".jupyter" / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    environment = {k: v for k, v in os.environ.items() if k != "MLWIDGETS_STORE"} | home
    code = "import sys; from mlwidgets.server.app import main; sys.argv[0] = 'jupyter-mlwidgets'; main()"
    command = [sys.executable, "-c", code, "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", *options]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
    log = root / "server.log"
    with log.open("ab") as output:
        server = subprocess.Popen(
            command, cwd=root, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_for(server, f"http://127.0.0.1:{port}/mlwidgets/api/info?token={TOKEN}", log)
        yield server
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_the_page_outlives_its_server_and_shows_others_what_they_may_not_change(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLWIDGETS_STORE", str(tmp_path / ".mlwidgets"))
    port = _free_port()
    value = ".mlw-opened .mlw-chart-value"
    context = browser.new_context(viewport={"width": 1100, "height": 760}, color_scheme="dark")
    context.set_default_timeout(60_000)
    page = context.new_page()
    mlwidgets.train(HOSTILE, name="shows-html", cpus=0, gpus=0).wait()
    first = mlwidgets.train(GOES_ON, name="walker", params={"lr": 0.1}, cpus=0, gpus=0)
    try:
        with served(tmp_path, port):
            page.goto(f"http://127.0.0.1:{port}/mlwidgets?token={TOKEN}")
            row(page, "shows-html").dblclick()
            page.frame_locator(".mlw-sandbox").get_by_text("seen").wait_for()
            look(page, "page-untrusted-html")
            row(page, "walker").dblclick()
            page.locator(".mlw-opened .mlw-chart canvas").first.wait_for()
            wait_for_change(page, value)
            look(page, "page-dark")
            assert page.evaluate("() => window.hacked") is None

        # Nothing that was seen goes, and it is said what is the matter.
        page.locator(".mlw-banner", has_text="The server does not answer").wait_for()
        page.locator(".mlw-opened-message", has_text="The server does not answer").wait_for()
        assert row(page, "walker").count() == 1
        assert page.locator(value).first.inner_text()
        row(page, "walker").hover()
        row(page, "walker").get_by_label("Stop walker").click()
        page.locator(".mlw-toast", has_text="nothing was changed").wait_for()
        look(page, "page-offline")
        second = mlwidgets.train(GOES_ON, name="meanwhile", cpus=0, gpus=0)

        with served(tmp_path, port):
            page.locator(".mlw-banner").wait_for(state="hidden")
            row(page, "meanwhile").wait_for()
            page.locator(".mlw-opened-message").wait_for(state="hidden")
            wait_for_change(page, value)
            row(page, "walker").hover()
            row(page, "walker").get_by_label("Stop walker").click()
            page.locator(".mlw-row[data-state=stopped]", has_text="walker").wait_for()
            page.locator(".mlw-opened .mlw-badge", has_text="stopped").wait_for()

        with served(tmp_path, port, "--read-only"):
            page.emulate_media(color_scheme="light")
            page.reload()
            row(page, "meanwhile").hover()
            assert row(page, "meanwhile").get_by_label("Stop meanwhile").is_hidden()
            row(page, "meanwhile").click(button="right")
            assert page.get_by_role("menuitem").all_inner_texts() == ["Open", "Copy id"]
            page.get_by_role("menuitem", name="Open").click()
            page.locator(".mlw-opened .mlw-badge", has_text="running").wait_for()
            assert page.locator(".mlw-opened .mlw-stop:visible").count() == 0
            look(page, "page-read-only")
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/mlwidgets/api/runs/{second.id}/stop?store=",
                method="POST",
                headers={"Authorization": f"token {TOKEN}"},
            )
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(request)
    finally:
        context.close()
        for run in mlwidgets.runs():
            run.stop()
    assert first.wait().state == "stopped"
