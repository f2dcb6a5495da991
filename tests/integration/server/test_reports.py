"""Published reports over HTTP: every page, for whoever may read it and for nobody else, and nothing but them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import nbformat
import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from mlwidgets.reports.publishing.definition import define
from mlwidgets.reports.publishing.editions import Report
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.run import Run
from mlwidgets.runs.state import read_events
from mlwidgets.runs.store import RunStore
from mlwidgets.schedules.schedule import REPORT, Schedule
from mlwidgets.schedules.timetable import Schedules
from mlwidgets.server import catchup
from mlwidgets.server.access import TOKEN_VARIABLE
from tests.integration.server.reports_support import edition, ended_run, notebook

READING = "the token of the reports"
BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9"}
SECRET = "nobody reads this"


@pytest.fixture
def access() -> dict[str, str]:
    return {}


@pytest.fixture
def authorizer() -> type[Authorizer] | None:
    return None


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], access: dict[str, str], authorizer: Any) -> dict[str, Any]:
    jp_server_config["MlwidgetsApp"].update(access)
    if authorizer:
        jp_server_config["ServerApp"]["authorizer_class"] = authorizer
    return jp_server_config


@pytest.fixture
def get(http_server_client: Any, jp_base_url: str) -> Callable[..., Any]:
    """Send a request to an address from the server's base, as nobody unless headers say who; follow nothing."""

    async def send(path: str, method: str = "GET", **headers: str) -> Any:
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        try:
            return await http_server_client.fetch(
                jp_base_url + path, method=method, headers=sent, follow_redirects=False, allow_nonstandard_methods=True
            )
        except HTTPClientError as error:
            if error.response is None:
                raise
            return error.response

    return send


@pytest.fixture
def user(get: Any, jp_auth_header: dict[str, str]) -> Callable[..., Any]:
    """Send one as the server's user."""

    async def send(path: str, method: str = "GET", **headers: str) -> Any:
        return await get(path, method, **jp_auth_header, **headers)

    return send


@pytest.fixture
def sales(jp_root_dir: Path) -> SimpleNamespace:
    """Two good editions of a report, a failed one after them, and files beside that nobody publishes."""
    first, second = (edition(jp_root_dir, "sales", f"revenue {amount}") for amount in ("1200", "1300"))
    (second.path / "report.pdf").write_bytes(b"%PDF-1.4 of sales")
    failed = edition(jp_root_dir, "sales", "revenue", state="failed")
    (jp_root_dir / "secret.txt").write_text(SECRET)
    (jp_root_dir / ".mlwidgets" / "reports" / "secret.txt").write_text(SECRET)
    return SimpleNamespace(first=first.id, second=second.id, failed=failed.id, path=second.path)


def is_calm(answer: Any) -> bool:
    """Whether an answer that refuses is one whole page that can do nothing and says nothing of the inside."""
    body = answer.body.decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    return body.startswith("<!doctype html>") and body.rstrip().endswith("</html>") and "Traceback" not in body


async def test_every_page_of_a_report(user: Any, sales: SimpleNamespace) -> None:
    shows = {
        "": ["Sales", "sales/index.html"],
        "index.html": ["Sales"],
        "sales/": ["revenue 1300", "This page is of", f"{sales.second}.ipynb", f"{sales.second}.pdf"],
        "sales/index.html": ["revenue 1300"],
        f"sales/{sales.first}": ["revenue 1200"],
        f"sales/{sales.first}.html": ["revenue 1200"],
        f"sales/{sales.failed}.html": ["no rows"],
        "sales/editions.html": [sales.first, sales.second, sales.failed],
        "sales/changes.html": ["1300"],
        f"sales/compare.html?a={sales.second}&b={sales.first}": ["1200"],
    }
    for path, texts in shows.items():
        found = await user(f"reports/{path}")
        assert found.code == 200, path
        assert found.headers["Content-Type"] == "text/html; charset=utf-8"
        for text in texts:
            assert text in found.body.decode(), (path, text)
        policy = found.headers["Content-Security-Policy"]
        assert policy.startswith("sandbox ")
        assert "allow-scripts" not in policy
        assert "allow-same-origin" not in policy
        assert "; default-src 'none'; img-src data:; style-src 'unsafe-inline'; " in policy
        assert found.headers["X-Content-Type-Options"] == "nosniff"
        assert found.headers["Referrer-Policy"] == "no-referrer"
        assert "script-src" not in policy


async def test_files_beside_the_pages(user: Any, sales: SimpleNamespace) -> None:
    found = await user(f"reports/sales/{sales.second}.ipynb")
    assert (found.code, found.headers["Content-Type"]) == (200, "application/x-ipynb+json")
    assert nbformat.reads(found.body.decode(), 4).cells[1].outputs[0].text == "revenue 1300"
    called = f"sales-{sales.second[:15]}.ipynb"
    assert found.headers["Content-Disposition"] == f'attachment; filename="{called}"'
    assert found.headers["Content-Security-Policy"].startswith("sandbox ")
    found = await user(f"reports/sales/{sales.second}.pdf")
    assert (found.code, found.headers["Content-Type"], found.body) == (200, "application/pdf", b"%PDF-1.4 of sales")
    assert "default-src 'none'" in found.headers["Content-Security-Policy"]
    assert (await user(f"reports/sales/{sales.first}.pdf")).code == 404
    for path, page in (("feed.xml", "sales/"), ("sales/feed.xml", "")):
        found = await user(f"reports/{path}")
        assert (found.code, found.headers["Content-Type"]) == (200, "application/atom+xml; charset=utf-8")
        links = [one.get("href", "") for one in ET.fromstring(found.body).iter("{http://www.w3.org/2005/Atom}link")]
        assert any(sales.second in link for link in links)
        assert not any(sales.failed in link for link in links)
        for link in links:
            assert link.startswith("http://127.0.0.1"), link
            assert (await user(link.partition("/user/x%40y/")[2])).code == 200, (page, link)


async def test_asked_again_it_is_not_sent_again(user: Any, get: Any, sales: SimpleNamespace) -> None:
    for path in ("sales/", f"sales/{sales.first}.html", f"sales/{sales.second}.pdf", "sales/feed.xml"):
        found = await user(f"reports/{path}")
        assert found.headers["Cache-Control"] == "private, no-cache"
        again = await user(f"reports/{path}", If_None_Match=found.headers["Etag"])
        assert (again.code, again.body) == (304, b"")
        head = await user(f"reports/{path}", "HEAD")
        assert (head.code, head.body, head.headers["Etag"]) == (200, b"", found.headers["Etag"])
        # What somebody has seen is no way in for others.
        assert (await get(f"reports/{path}", If_None_Match=found.headers["Etag"])).code in {302, 403}
    packed = await user("reports/sales/", Accept_Encoding="gzip")
    assert "revenue 1300" in packed.body.decode()


async def test_the_ways_to_the_pages(user: Any, jp_base_url: str, sales: SimpleNamespace) -> None:
    for path, to in (("reports", "reports/"), ("reports/sales", "reports/sales/"), ("reports/sales?x=1", None)):
        found = await user(path)
        assert (found.code, found.headers["Location"]) == (302, jp_base_url + (to or "reports/sales/?x=1"))


async def test_a_report_without_an_edition_says_so(user: Any, jp_root_dir: Path) -> None:
    define(RunStore(jp_root_dir / ".mlwidgets"), "soon", notebook=str(jp_root_dir / "soon.ipynb"))
    assert "There is no edition yet" in (await user("reports/soon/")).body.decode()
    assert "soon" in (await user("reports/")).body.decode()
    assert (await user("reports/soon/changes.html")).code == 404


async def test_the_page_of_all_reports_says_when_the_next_edition_is_due(
    user: Any, sales: SimpleNamespace, jp_root_dir: Path
) -> None:
    store = RunStore(jp_root_dir / ".mlwidgets")
    assert "next on" not in (await user("reports/")).body.decode()
    target = {"notebook": str(jp_root_dir / "sales.ipynb"), "report": "sales"}
    Schedules(store).add(Schedule("weekly", REPORT, target, "0 7 1 1 *"))
    found = (await user("reports/")).body.decode()
    assert "1 January 20" in found
    (jp_root_dir / ".mlwidgets" / "schedules.sqlite").write_bytes(b"damaged" * 1000)
    found = await user("reports/")
    assert (found.code, "Sales" in found.body.decode()) == (200, True)


async def test_with_no_report_at_all_there_is_a_page(user: Any) -> None:
    found = await user("reports/")
    assert found.code == 200
    assert found.body.decode().rstrip().endswith("</html>")


HOSTILE = [
    "../secret.txt",
    "%2e%2e/secret.txt",
    "secret.txt",
    "secret.txt/",
    "sales/definition.json",
    "sales/latest.json",
    "sales/editions/",
    "sales/editions",
    "sales/pending",
    "sales/../secret.txt",
    "sales/..%2f..%2fsecret.txt",
    "sales/%2e%2e",
    "sales/..",
    "sales%2feditions.html",
    "sales%2f",
    ".",
    "..",
    "./",
    "../",
    ".sales.lock",
    ".sales.lock/",
    "%00",
    "%00/",
    "sales/%00",
    "sales/x%00.html",
    "sales/latest%00.html",
    "%ff/",
    "sales/%ff.html",
    "sales/%c0%ae%c0%ae/secret.txt",
    "SALES/",
    "sales%20/",
    "säles/",
    "\u202esales/",
    "sales\u200b/",
    "a" * 5000 + "/",
    "sales/" + "a" * 5000 + ".html",
    "sales/{edition}/index.html",
    "sales/{edition}/notebook.ipynb",
    "sales/{edition}/edition.json",
    "sales/{edition}.json",
    "sales/{edition}.html.pdf",
    "sales/{edition}%2fedition.json",
    "sales/{edition}/",
    "sales//",
    "//sales/",
    "/x",
    "sales/editions-0.html",
    "sales/editions-2.html",
    "sales/editions-99999999999.html",
    "sales/compare.html",
    "sales/compare.html?a=..&b=../..",
    "sales/compare.html?a={edition}&b=%00",
    "sales/*",
    "sales/'\"><script>alert(1)</script>",
    "~/~/sales/",
    "~../~/sales/",
    "~%2e%2e/~/sales/",
    "~..%2f..%2f/~/sales/",
    "~none/~/",
    "~none/~/sales/",
    "~.mlwidgets/~/sales/",
    "~.mlwidgets/reports/~/sales/",
    "~%00/~/sales/",
    "~/etc/~/",
    "~outside/~/",
    "~~/~/~/~/",
]


def _sent(path: str) -> str:
    return "".join(one if one.isascii() and one not in "\"'<> " else quote(one) for one in path)


async def test_nothing_but_editions_can_be_read(user: Any, sales: SimpleNamespace, jp_root_dir: Path) -> None:
    outside = jp_root_dir.parent / "outside"
    (outside / ".mlwidgets").mkdir(parents=True, mode=0o700)
    edition(outside, "sales", SECRET)
    (jp_root_dir / "outside").symlink_to(outside)
    for path in HOSTILE:
        found = await user("reports/" + _sent(path.replace("{edition}", sales.second)))
        # The server itself takes a way up out of an address, as it takes a second slash at its begin.
        if found.code == 302:
            assert found.headers["Location"].endswith("/"), path
            found = await user(found.headers["Location"].removeprefix("/user/x%40y/"))
        assert found.code in {400, 404}, path
        assert SECRET not in found.body.decode(), path
        assert "<script>" not in found.body.decode(), path
        assert is_calm(found), path


async def test_links_in_an_edition_lead_nowhere(user: Any, sales: SimpleNamespace, jp_root_dir: Path) -> None:
    for name, kind in (("report.pdf", "pdf"), ("notebook.ipynb", "ipynb")):
        (sales.path / name).unlink()
        (sales.path / name).symlink_to(jp_root_dir / "secret.txt")
        found = await user(f"reports/sales/{sales.second}.{kind}")
        assert (found.code, SECRET in found.body.decode()) == (404, False)


async def test_an_address_of_nothing_is_no_fault_of_the_server(
    user: Any, sales: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("none/", "~none/~/", "~none/~/sales/", f"~none/~/sales/{sales.second}.html"):
        assert (await user(f"reports/{path}")).code == 404, path
    assert not [record for record in caplog.records if record.exc_info]


async def test_pages_can_only_be_read(user: Any, sales: SimpleNamespace) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("reports/", "reports/sales/", f"reports/sales/{sales.second}.html"):
            found = await user(path, method)
            assert found.code == 405, (method, path)
            assert is_calm(found)


async def test_a_store_that_cannot_be_used_is_said_in_a_calm_page(
    user: Any, sales: SimpleNamespace, jp_root_dir: Path
) -> None:
    (jp_root_dir / ".mlwidgets").chmod(0o777)
    found = await user("reports/sales/")
    assert found.code == 500
    assert is_calm(found)
    assert "other users can write" in found.body.decode()


# Who may read.

PAGES = ["", "sales/", "sales/editions.html", "sales/{edition}.html", "sales/changes.html", "none/", "a/b/c"]
FILES = ["feed.xml", "sales/feed.xml", "sales/{edition}.ipynb", "sales/{edition}.pdf", "sales/{failed}.ipynb"]
WRONG: list[dict[str, str]] = [
    {},
    {"Authorization": "token wrong"},
    {"Authorization": "Bearer "},
    {"Authorization": READING},
    {"Cookie": "mlwidgets-reports-127-0-0-1=x"},
]


def filled(paths: list[str], sales: SimpleNamespace) -> list[str]:
    return [path.format(edition=sales.second, failed=sales.failed) for path in paths]


async def test_by_default_who_is_logged_in_reads(get: Any, user: Any, sales: SimpleNamespace) -> None:
    for headers in [*WRONG, {"Authorization": f"token {READING}"}]:
        for path in filled(PAGES, sales):
            for method in ("GET", "HEAD"):
                found = await get(f"reports/{path}", method, **headers)
                assert found.code == 302, path
                assert found.headers["Location"].startswith("/user/x%40y/login?next="), path
        for path in filled(FILES, sales):
            found = await get(f"reports/{path}", **headers)
            assert found.code == 403, path
            assert is_calm(found)
    # Nobody who may not read is told which reports and folders there are.
    there, gone = [await get(f"reports/{path}", **BROWSER) for path in ("sales/", "salez/")]
    assert there.code == gone.code
    assert (await get("reports/~none/~/")).code == 302
    assert (await user("reports/sales/")).code == 200


@pytest.mark.parametrize("access", [{"reports_access": "token", "reports_token": READING}])
async def test_the_token_opens_the_reports_and_nothing_else(
    get: Any, user: Any, sales: SimpleNamespace, jp_root_dir: Path
) -> None:
    for headers in WRONG:
        for path in [*filled(PAGES, sales), *filled(FILES, sales), "?token=", "?token=wrong"]:
            found = await get(f"reports/{path}", **headers)
            assert found.code == 403, path
            assert is_calm(found)
            assert READING not in found.body.decode()
    reading = {"Authorization": f"Bearer {READING}"}
    assert (await get("reports/sales/", **reading)).code == 403, "a header holds no spaces"
    link = f"token={quote(READING)}"
    for path in [*filled(PAGES[:5], sales), *filled(FILES, sales)]:
        assert (await get(f"reports/{path}?{link}")).code == 200, path
    assert (await get(f"reports/none/?{link}")).code == 404
    found = await get(f"reports?{link}")
    assert (found.code, found.headers["Location"]) == (302, f"/user/x%40y/reports/?{link}")
    assert (await get(f"reports/sales?{link}")).headers["Location"] == f"/user/x%40y/reports/sales/?{link}"
    assert (await user("reports/sales/")).code == 200

    # A browser goes on with a cookie.
    found = await get(f"reports/sales/compare.html?a={sales.first}&{link}&b={sales.second}", **BROWSER)
    to = f"/user/x%40y/reports/sales/compare.html?a={sales.first}&b={sales.second}"
    assert (found.code, found.headers["Location"]) == (302, to)
    (given,) = [one for one in found.headers.get_list("Set-Cookie") if one.startswith("mlwidgets-reports")]
    words = {word.strip() for word in given.split(";")}
    assert {"HttpOnly", "Path=/user/x%40y/reports", "SameSite=Lax"} <= words
    assert READING not in given
    cookie = {"Cookie": given.partition(";")[0]}
    for path in [*filled(PAGES[:5], sales), *filled(FILES, sales)]:
        assert (await get(f"reports/{path}", **cookie)).code == 200, path

    # Nothing else.
    nbformat.write(notebook("x = 1"), jp_root_dir / "x.ipynb")
    closed = ["mlwidgets", "mlwidgets/api/info", "mlwidgets/api/runs", "mlwidgets/api/reports", "mlwidgets/api/stream"]
    closed += ["mlwidgets/api/reports/params?path=x.ipynb", f"mlwidgets/api/reports/runs/{sales.second}"]
    closed += ["api/contents", "api/contents/x.ipynb", "api/kernels", "api/sessions", "api/me", "files/x.ipynb", "tree"]
    for path in closed:
        query = f"{path}{'&' if '?' in path else '?'}{link}"
        for found in (await get(query), await get(path, **cookie), await get(query, **cookie)):
            assert found.code in {302, 403, 404}, path
            assert found.code != 302 or "/login?" in found.headers["Location"], path
    for path in ("api/kernels", "api/sessions", "mlwidgets/api/reports", "api/contents"):
        for headers in (cookie, {}):
            assert (await get(f"{path}?{link}", "POST", **headers)).code in {403, 404}, path
    assert not (await user("api/kernels")).body.decode().strip("[]\n")


@pytest.mark.parametrize("access", [{"reports_access": "token", "reports_token": "a-word"}])
async def test_the_token_in_a_header(get: Any, sales: SimpleNamespace) -> None:
    for header in ("token a-word", "Bearer a-word", "bearer  a-word"):
        found = await get("reports/sales/", Authorization=header, **BROWSER)
        # Whoever sends it each time is given no cookie to lose.
        assert found.code in {200, 302}
    assert (await get("reports/sales/", Authorization="token a-wor")).code == 403
    assert (await get("reports/sales/", Authorization="token a-word-")).code == 403


@pytest.fixture
def _in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "of-the-environment")


@pytest.mark.usefixtures("_in_the_environment")
@pytest.mark.parametrize("access", [{"reports_access": "token"}])
async def test_the_token_may_be_in_the_environment(get: Any, sales: SimpleNamespace) -> None:
    assert (await get("reports/sales/?token=of-the-environment")).code == 200
    assert (await get("mlwidgets/api/runs?token=of-the-environment")).code == 403
    assert (await get("reports/sales/")).code == 403


@pytest.mark.usefixtures("_in_the_environment")
async def test_a_token_alone_opens_nothing(get: Any, sales: SimpleNamespace) -> None:
    assert (await get("reports/sales/?token=of-the-environment")).code == 302


@pytest.mark.parametrize("access", [{"reports_access": "token"}])
async def test_without_a_token_nobody_has_it(get: Any, user: Any, sales: SimpleNamespace) -> None:
    for query in ("", "?token=", "?token=None"):
        assert (await get(f"reports/sales/{query}")).code == 403
    assert (await user("reports/sales/")).code == 200


@pytest.mark.parametrize("access", [{"reports_access": "open"}])
async def test_open_reports_are_all_that_is_open(get: Any, sales: SimpleNamespace) -> None:
    for path in [*filled(PAGES[:5], sales), *filled(FILES, sales)]:
        assert (await get(f"reports/{path}")).code == 200, path
    for path in ("api/contents", "mlwidgets/api/runs", "mlwidgets/api/reports", "mlwidgets"):
        assert (await get(path)).code in {302, 403}, path
    assert is_calm(await get("reports/none/"))


async def test_one_report_may_be_open(get: Any, sales: SimpleNamespace, jp_root_dir: Path) -> None:
    shown = edition(jp_root_dir, "open", "for everybody", open=True)
    for path in (
        "open",
        "open/",
        f"open/{shown.id}.html",
        f"open/{shown.id}.ipynb",
        "open/feed.xml",
        "open/editions.html",
    ):
        found = await get(f"reports/{path}")
        assert found.code == 200 or found.headers["Location"].endswith("/reports/open/"), path
    for path in ("", "sales/", "feed.xml", f"open/../sales/{sales.second}.html", f"open/{sales.second}.html"):
        assert (await get(f"reports/{path}")).code in {302, 403, 404}, path
    define(RunStore(jp_root_dir / ".mlwidgets"), "open", settings={"open": False})
    assert (await get("reports/open/")).code == 302


class Stranger(Authorizer):
    """Lets whoever is logged in do nothing."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return False


@pytest.mark.parametrize("authorizer", [Stranger])
async def test_whoever_may_not_see_runs_may_not_read(user: Any, sales: SimpleNamespace) -> None:
    for path in [*filled(PAGES, sales), *filled(FILES, sales)]:
        found = await user(f"reports/{path}")
        assert found.code == 403, path
        assert is_calm(found)


async def test_stores_below_the_root(user: Any, ask: Any, jp_root_dir: Path) -> None:
    project = jp_root_dir / "a b" / "ü~"
    (project / ".mlwidgets").mkdir(parents=True, mode=0o700)
    shown = edition(project, "sales", "below")
    status, found = await ask("reports", store="a b/ü~")
    assert status == 200
    assert [one["address"] for one in found["reports"]] == [f"{found['address']}sales/"]
    for path in ("", "sales/", f"sales/{shown.id}.html", "sales/feed.xml", "feed.xml"):
        answer = await user(found["address"] + path)
        assert answer.code == 200, path
        if path.endswith(".xml"):
            links = [
                one.get("href", "") for one in ET.fromstring(answer.body).iter("{http://www.w3.org/2005/Atom}link")
            ]
            assert all([(await user(link.partition("/user/x%40y/")[2])).code == 200 for link in links]), links
    assert (await user("reports/sales/")).code == 404
    assert (await ask("runs", shown.id, store="a b/ü~"))[1]["report"] == f"{found['address']}sales/{shown.id}.html"


# What is asked of the server.


async def test_the_list(ask: Any, sales: SimpleNamespace) -> None:
    status, found = await ask("reports")
    assert (status, found["store"], found["address"]) == (200, "", "reports/")
    (one,) = found["reports"]
    assert (one["name"], one["title"], one["address"], one["open"]) == ("sales", "Sales", "reports/sales/", False)
    assert (one["notebook"], one["latest"]["id"], one["newest"]["id"]) == ("sales.ipynb", sales.second, sales.failed)
    assert one["newest"]["cause"].startswith("cell 1: ValueError: no rows")
    assert (await ask("reports", store="none"))[0] == 404
    _, row = await ask("runs", sales.second)
    assert row["report"] == f"reports/sales/{sales.second}.html"


async def test_what_a_notebook_can_be_given(ask: Any, jp_root_dir: Path) -> None:
    nb = notebook('region = "EU"\ndays = 7  # back from today\nsince: str | None = None', "print(region)")
    nb.cells[0].metadata.tags = ["parameters"]
    nbformat.write(nb, jp_root_dir / "Sales über all.ipynb")
    status, found = await ask("reports", "params", path="Sales über all.ipynb")
    assert (status, found["name"], found["title"], found["show_code"]) == (200, "Sales-uber-all", "", False)
    assert [(one["name"], one["shown"], one["value"], one["type"]) for one in found["params"]] == [
        ("region", "EU", "EU", "str"),
        ("days", "7", "7", "int"),
        ("since", "None", "None", "str | None"),
    ]
    assert found["params"][1]["help"] == "back from today"
    path = str(jp_root_dir / "Sales über all.ipynb")
    given = {"region": "'US'", "gone": "1"}
    define(RunStore(jp_root_dir / ".mlwidgets"), "sales", notebook=path, params=given, settings={"title": "Sales!"})
    _, found = await ask("reports", "params", path="Sales über all.ipynb")
    assert (found["name"], found["title"], found["params"][0]["value"]) == ("sales", "Sales!", "US")
    assert (await ask("reports", "params", path="none.ipynb"))[0] == 404
    assert (await ask("reports", "params", path="../x.ipynb"))[0] == 404
    (jp_root_dir / "bad.ipynb").write_text("{")
    assert (await ask("reports", "params", path="bad.ipynb"))[0] == 409


async def test_a_notebook_is_executed_and_published(ask: Any, user: Any, jp_root_dir: Path) -> None:
    (jp_root_dir / "sub").mkdir()
    nb = notebook("# Sales", "amount = 3", "## All of it", "print(6 * amount, 'sold')")
    nb.cells[1].metadata.tags = ["parameters"]
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nb, jp_root_dir / "sub" / "sales.ipynb")
    body = {"path": "sub/sales.ipynb", "title": "This week", "params": {"amount": "7"}, "show_code": True}
    status, found = await ask("reports", method="POST", body=body)
    assert (status, found["name"], found["store"], found["address"]) == (201, "sales", "", "reports/sales/")
    deadline = time.monotonic() + 120
    seen = []
    while True:
        status, told = await ask("reports", "runs", found["run"])
        assert status == 200
        seen.append(told["cells"])
        if told["edition"] or time.monotonic() > deadline:
            break
        assert told["pending"]
        await asyncio.sleep(0.1)
    assert (told["state"], told["edition"]["state"], told["cause"]) == ("finished", "published", None)
    assert told["cells"] == {"done": 5, "of": 5, "heading": "All of it"}, "with the cell that gives the parameters"
    assert told["edition"]["address"] == f"reports/sales/{found['run']}.html"
    assert [one["done"] for one in seen if one] == sorted(one["done"] for one in seen if one)
    page = (await user(found["address"])).body.decode()
    assert "42 sold" in page
    assert "This week" in page
    assert '<details class="r-fold" open>' in page
    Run(jp_root_dir / ".mlwidgets" / "runs" / found["run"]).wait(60)


WRONG_STARTS: list[tuple[Any, int, str]] = [
    ({"params": {"amuont": 1}}, 400, "did you mean 'amount'?"),
    ({"params": {"amount": "many"}}, 400, "the parameter 'amount' is int (default 3)"),
    ({"params": {"amount": [1]}}, 400, "the parameter 'amount' is int"),
    ({"params": [1]}, 400, "params is an object"),
    ({"params": {f"p{n}": 1 for n in range(1001)}}, 400, "at most 1000"),
    ({"name": "../x"}, 400, "cannot be a run's name"),
    ({"name": ""}, 400, "name is the name of a report"),
    ({"name": "feed.xml"}, 400, "feed.xml"),
    ({"name": 1}, 400, "name is the name of a report"),
    ({"name": "other"}, 400, "there is a report 'other' of another notebook"),
    ({"title": "x" * 301}, 400, "title"),
    ({"show_code": "yes"}, 400, "show_code is true or false"),
    ({"timeout": True}, 400, "timeout is a number"),
    ({"timeout": -1}, 400, "time"),
    ({"cell_timeout": 0}, 400, "time-out"),
    ({"on_failed_check": "ignore"}, 400, "on_failed_check"),
    ({"site": "/tmp/x"}, 400, "'site' cannot be asked for"),
    ({"open": True}, 400, "'open' cannot be asked for"),
    ({"path": ""}, 400, "path is the path of a notebook"),
    ({"path": 3}, 400, "path is the path of a notebook"),
    ({"path": "none.ipynb"}, 404, "there is no notebook 'none.ipynb'"),
    ({"path": "../sales.ipynb"}, 404, "there is no notebook"),
    ({"path": "secret.txt"}, 404, "there is no notebook"),
]


async def test_what_cannot_be_published_is_said_in_one_line(ask: Any, jp_root_dir: Path, runs: Path) -> None:
    nb = notebook("amount = 3")
    nb.cells[0].metadata.tags = ["parameters"]
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for name in ("sales", "other"):
        nbformat.write(nb, jp_root_dir / f"{name}.ipynb")
    (jp_root_dir / "secret.txt").write_text(SECRET)
    define(RunStore(jp_root_dir / ".mlwidgets"), "other", notebook=str(jp_root_dir / "other.ipynb"))
    for given, status, text in WRONG_STARTS:
        found = await ask("reports", method="POST", body={"path": "sales.ipynb", **given})
        assert found[0] == status, (given, found)
        assert text in found[1]["message"], (given, found)
        assert "\n" not in found[1]["message"]
    for body in ("", "[]", "{", '{"path": "sales.ipynb"} x'):
        assert (await ask("reports", method="POST", body=body))[0] == 400, body
    nb.metadata.kernelspec.name = "no-such-kernel"
    nbformat.write(nb, jp_root_dir / "sales.ipynb")
    status, found = await ask("reports", method="POST", body={"path": "sales.ipynb"})
    assert status in {400, 409}
    assert "no-such-kernel" in found["message"]
    assert not runs.exists() or not os.listdir(runs)


@pytest.mark.parametrize("read_only", [True])
async def test_a_read_only_server_shows_reports_and_makes_none(
    ask: Any, user: Any, sales: SimpleNamespace, runs: Path
) -> None:
    before = sorted(os.listdir(runs))
    status, found = await ask("reports", method="POST", body={"path": "sales.ipynb"})
    assert (status, "--read-only" in found["message"]) == (403, True)
    assert (await ask("reports"))[0] == 200
    assert (await user("reports/sales/")).code == 200
    assert sorted(os.listdir(runs)) == before


class NoKernels(Authorizer):
    """Lets nobody execute anything."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return (action, resource) != ("execute", "kernels")


@pytest.mark.parametrize("authorizer", [NoKernels])
async def test_whoever_may_execute_nothing_publishes_nothing(ask: Any, sales: SimpleNamespace, runs: Path) -> None:
    before = sorted(os.listdir(runs))
    assert (await ask("reports", method="POST", body={"path": "sales.ipynb"}))[0] == 403
    assert sorted(os.listdir(runs)) == before


async def test_what_nobody_published_is_published_when_somebody_looks(
    ask: Any, user: Any, jp_root_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catchup, "LATE", 0.0)
    run = ended_run(jp_root_dir, "late", "published late")
    assert "An edition is being made" in (await user("reports/late/")).body.decode()
    deadline = time.monotonic() + 60
    while not (told := (await ask("reports", "runs", run.id))[1])["edition"]:
        assert time.monotonic() < deadline
        assert told["pending"]
        await asyncio.sleep(0.1)
    assert "published late" in (await user("reports/late/")).body.decode()
    store = RunStore(jp_root_dir / ".mlwidgets")
    while Report(store, "late").pending():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert not catchup.CatchUp().begin(store), "there is nothing left to be done"


async def test_a_report_that_was_killed_with_its_supervisor_is_told_of(ask: Any, user: Any, jp_root_dir: Path) -> None:
    nb = notebook("print('so far')", "import time; time.sleep(600)")
    nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nb, jp_root_dir / "long.ipynb")
    status, found = await ask("reports", method="POST", body={"path": "long.ipynb"})
    assert status == 201
    folder = RunFolder(jp_root_dir / ".mlwidgets" / "runs" / found["run"])
    deadline = time.monotonic() + 120
    while (told := (await ask("reports", "runs", folder.id))[1])["cells"] != {"done": 1, "of": 2, "heading": None}:
        assert time.monotonic() < deadline
        assert told["state"] in {"submitted", "running"}
        await asyncio.sleep(0.1)
    events = read_events(folder)
    for kind in ("supervising", "started"):
        os.kill(events[kind]["pid"], signal.SIGKILL)
    while not (told := (await ask("reports", "runs", folder.id))[1])["edition"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert (told["state"], told["edition"]["state"]) == ("killed", "failed")
    assert "so far" in (await user("reports/long/")).body.decode()


async def test_only_reports_are_asked_how_far_they_are(ask: Any, jp_root_dir: Path, runs: Path) -> None:
    from tests.unit.views_support import make_run

    run = make_run(runs)
    assert (await ask("reports", "runs", run.id))[0] == 404
    assert (await ask("reports", "runs", "none"))[0] == 404
    assert (await ask("runs", run.id))[1]["report"] is None
