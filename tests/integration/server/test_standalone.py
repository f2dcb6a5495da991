"""``jupyter mlwidgets``: the panel without JupyterLab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.server.reports_support import edition
from tests.laws import soon
from tests.unit.views_support import make_run

FORBIDDEN = [
    "api/config/x",
    "api/contents",
    "api/contents/secret.txt",
    "api/kernels",
    "api/kernelspecs",
    "api/sessions",
    "api/terminals",
    "files/secret.txt",
    "mlwidgets/api/changes?path=secret.ipynb",
    "mlwidgets/api/history?path=secret.ipynb",
    "mlwidgets/api/history/notebook?path=secret.ipynb&of=file",
    "mlwidgets/api/reports/params?path=secret.ipynb",
    "nbconvert/html/x.ipynb",
    "view/secret.txt",
]


@contextmanager
def serve(folder: Path, *options: str) -> Iterator[str]:
    """Serve a folder; give the address."""
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    paths = {f"JUPYTER_{name}": str(folder.parent / name.lower()) for name in names}
    log = folder.parent / "log"
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlwidgets.cli", "serve", "--no-browser", "--allow-root", "--port", "0"),
                *("--ServerApp.base_url=/user/x/", "--IdentityProvider.token=abc", *options),
            ],
            cwd=folder,
            stdout=file,
            stderr=file,
            env={**os.environ, **paths},
        )
    try:
        found = Path(paths["JUPYTER_RUNTIME_DIR"], f"jpserver-{process.pid}.json")
        assert soon(lambda: found.exists() and found.read_text().rstrip().endswith("}"), 60), log.read_text()
        url = json.loads(found.read_text())["url"].replace("localhost", "127.0.0.1")
        assert soon(lambda: status(f"{url}api/status") == 200, 60), log.read_text()
        yield url
    finally:
        process.terminate()
        process.wait(30)


def status(url: str, method: str = "GET", token: str = "abc") -> int:
    headers = {"Authorization": f"token {token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers, method=method), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_looking_on(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".mlwidgets").mkdir(parents=True, mode=0o700)
    for name in ("secret.txt", "secret.ipynb"):
        (project / name).write_text("secret")
    run = make_run(project / ".mlwidgets" / "runs")
    with serve(project, "--read-only") as url:
        assert url.endswith("/user/x/")
        assert status(f"{url}mlwidgets") == 200
        assert status(f"{url}mlwidgets/api/runs/{run.id}") == 200
        assert status(f"{url}mlwidgets/api/runs/{run.id}", token="wrong") == 403
        assert status(f"{url}mlwidgets/api/runs/{run.id}", "DELETE") == 403
        # A server that shows runs to others is no way to their files and kernels.
        for path in FORBIDDEN:
            assert status(f"{url}{path}") == 404, path
        for path in ("api/shutdown", "api/kernels", "api/sessions"):
            assert status(f"{url}{path}", "POST") in {403, 404, 405}, path
        assert status(f"{url}api/status") == 200
    assert run.path.exists()


def test_reports_for_everybody_and_nothing_else(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".mlwidgets").mkdir(parents=True, mode=0o700)
    shown = edition(project, "sales", "revenue 1300")
    with serve(project, "--open-reports") as url:
        for path in ("", "sales/", f"sales/{shown.id}.html", f"sales/{shown.id}.ipynb", "feed.xml"):
            assert status(f"{url}reports/{path}", token="none") == 200, path
        assert status(f"{url}reports/none/", token="none") == 404
        assert status(f"{url}mlwidgets/api/reports") == 200
        for path in ("mlwidgets/api/reports", "mlwidgets/api/runs", "mlwidgets/api/info"):
            assert status(f"{url}{path}", token="none") == 403, path
        # There are no notebooks here that could be executed.
        assert status(f"{url}mlwidgets/api/reports", "POST") == 405
