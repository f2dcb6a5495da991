"""The pages around reports, the feeds, and the static site: complete, harmless, and nowhere but where they belong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import fsspec
import pytest
from bleach import html5lib_shim

from mlwidgets.cli import main
from mlwidgets.reports.publishing import retention
from mlwidgets.reports.publishing.definition import UnknownReport, define
from mlwidgets.reports.publishing.editions import Report, reports
from mlwidgets.reports.publishing.publish import publish
from mlwidgets.reports.site import pages
from mlwidgets.reports.site.feed import feed, feed_of_all
from mlwidgets.reports.site.writing import NOTES, SiteError, write_site
from mlwidgets.runs.store import RunStore
from tests.unit.edition_support import DAY, check, ended, files, notebook, published, report, told
from tests.unit.report_support import PNG, Page, code, printed, shown

ATOM = "{http://www.w3.org/2005/Atom}"
EVIL = (
    "</title></style></h1><script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg onload=alert(1)>"
    "<!--r-banner--><!--r-links--><!--r-head-->&amp;&lt; {{ 7*7 }} {% raw %} javascript:alert(1) "
    "\x00\x1b\ud800\uffff ]]>"
)


def assert_sound(html: str) -> Page:
    """It is valid HTML that asks for nothing and runs nothing, and every link on it is one."""
    parser = html5lib_shim.HTMLParser()
    parser.parse(html)
    assert parser.errors == []
    html.encode()
    page = Page(html)
    assert not page.strays
    names = {name for name, _ in page.tags}
    assert not names & set("script iframe object embed form base input button svg frame template".split())
    assert [one["rel"] for one in page.all("link")] in (["alternate"], [])
    assert [one.get("http-equiv") for one in page.all("meta")].count("Content-Security-Policy") == 1
    for name, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on")], (name, attributes)
        address = attributes.get("src") or attributes.get("href") or ""
        if name == "img":
            assert re.match(r"data:image/(png|svg\+xml)", address)
        else:
            assert re.fullmatch(r"(#[\w-]+)|((\.\./)?([\w.-]+/)?[\w.-]+(\?a=[\w.-]+&b=[\w.-]+)?)|", address), address
    assert len(page.all("h1")) == len(page.all("main")) == 1
    return page


@pytest.mark.parametrize("evil", [EVIL, "a" * 300, "\u202e\u2066 \u0000", "<" * 300, "]]><x/>"])
def test_hostile_titles_parameters_and_cells_are_shown_as_text(store: RunStore, evil: str) -> None:
    title = evil[:300]
    sales = report(store, title=title, on_failed_check="withhold")
    cells = (
        code(f"print({evil!r})", printed(f"{evil} 1\n")),
        code("t", shown({"text/html": f"<table><tr><th>{evil}</th></tr><tr><td>1</td></tr></table>"})),
        code("p", shown({"image/png": "AAAA" + evil, "text/plain": evil})),
        code("s", shown({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='x()'><rect/></svg>"})),
    )
    first = publish(ended(store, executed=notebook("7", *cells), at=time.time() - DAY, params={evil: evil}))
    more = (*cells[:2], code("p", shown({"image/png": PNG})), code("s", shown({"image/svg+xml": "<svg/>"})))
    publish(ended(store, executed=notebook(f"{evil} 2 {evil} 3", *more), params={evil: 2}))
    publish(ended(store, executed=notebook("8", check(False, evil)), at=time.time() + 1))
    publish(ended(store, state="failed", cause=evil, executed=notebook("8"), at=time.time() + 2, cell=(2, "failed")))
    assert first is not None
    made = [
        pages.front_page(sales),
        *(pages.edition_page(sales, one) for one in sales.ids()),
        pages.index_page(reports(store), {"sales": time.time(), evil: 1.0}),
        pages.editions_page(sales),
        pages.changes_page(sales),
        pages.compare_page(sales, sales.ids()[-1], sales.ids()[0]),
    ]
    for html in made:
        assert_sound(html)
    visible = "".join(c for c in title if c.isprintable())[:40].split("<")[0].strip()
    assert visible in assert_sound(pages.index_page(reports(store))).text
    for text in (feed(sales, "https://x.org/r/?a=1&b=2#"), feed_of_all(reports(store))):
        assert_feed(text)


def assert_feed(text: str) -> ET.Element:
    """It is an Atom feed as RFC 4287 asks for: one id, title and time of each, links that are ones."""
    root = ET.fromstring(text.encode())
    assert root.tag == f"{ATOM}feed"
    assert root.findall(f"{ATOM}author/{ATOM}name")
    for one in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(one.findall(ATOM + name)) == 1, name
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", one.findtext(f"{ATOM}id") or "")
        assert datetime.fromisoformat(one.findtext(f"{ATOM}updated") or "").tzinfo
        links = one.findall(f"{ATOM}link")
        rels = [link.get("rel") for link in links]
        assert sorted(filter(None, rels)) == (["alternate", "self"] if one is root else ["alternate"])
        assert all(" " not in (link.get("href") or " ") for link in links)
    ids = [one.text for one in root.iter(f"{ATOM}id")]
    assert len(set(ids)) == len(ids)
    return root


def test_feeds_tell_of_what_was_published_and_stay_the_same(store: RunStore) -> None:
    sales, churn = report(store, title="Sales & more"), report(store, "churn")
    ids = published(store, "1", "2", "3")
    (other,) = published(store, "1", name="churn")
    publish(ended(store, state="failed", cause="no"))
    root = assert_feed(feed(sales, "https://x.org/reports/"))
    assert root.findtext(f"{ATOM}title") == "Sales & more"
    links = [one.get("href") for one in root.findall(f"{ATOM}entry/{ATOM}link")]
    assert links == [f"https://x.org/reports/sales/{one}.html" for one in reversed(ids)]
    everything = assert_feed(feed_of_all([sales, churn]))
    links = [one.get("href") for one in everything.findall(f"{ATOM}entry/{ATOM}link")]
    assert links[0] == f"churn/{other}.html"
    assert len(links) == 4
    assert feed(sales) == feed(Report(store, "sales"))
    assert_feed(feed(report(store, "empty")))


def test_the_index_says_how_each_report_stands(store: RunStore) -> None:
    report(store, title="Sales")
    published(store, "1")
    publish(ended(store, state="failed", cause="cell 3: KeyError", executed=notebook("1")))
    report(store, "churn", title="Churn")
    published(store, "1", name="churn")
    report(store, "new", title="New")
    page = assert_sound(pages.index_page(reports(store), {"churn": 1_800_000_000.0}))
    text = page.text
    assert text.index("Churn") < text.index("New") < text.index("Sales")
    assert "up to date" in text
    assert "no edition yet" in text
    assert "stale since" in text
    assert "The newest failed: cell 3: KeyError." in text
    assert "next" in text
    assert "2027" in text
    assert [one["href"] for one in page.all("a") if "/" in one["href"]] == [
        "churn/index.html", "new/index.html", "sales/index.html",
    ]  # fmt: skip
    assert "There are no reports yet" in pages.index_page([])


def test_two_editions_are_compared_on_a_page(store: RunStore) -> None:
    sales = report(store)
    one = notebook("accuracy = 0.5, loss = 2", code("plot()", shown({"image/png": PNG})), check(True))
    two = notebook("accuracy = 0.75, loss = 1e-3", code("plot()"), check(False))
    first = publish(ended(store, executed=one, at=time.time() - DAY))
    second = publish(ended(store, executed=two))
    assert first is not None
    assert second is not None
    page = assert_sound(pages.changes_page(sales))
    assert "1 check, 2 numbers and 1 picture changed." in page.text
    assert "accuracy 0.5 0.75 +0.25 +50.0%" in page.text
    assert "loss 2 1e-3 −1.999 −100.0%" in page.text or "loss 2 1e-3 −1.999" in page.text
    assert [one["src"].startswith("data:image/png") for one in page.all("img")] == [True]
    again = assert_sound(pages.compare_page(sales, second.id, first.id))
    assert "accuracy 0.75 0.5 −0.25 −33.3%" in again.text
    assert "Nothing changed that is shown" in pages.compare_page(sales, first.id, first.id)
    with pytest.raises(UnknownReport):
        pages.compare_page(sales, first.id, "20200101-000000-sales-aaaa")
    report(store, "lonely")
    with pytest.raises(UnknownReport, match="no two"):
        pages.changes_page(Report(store, "lonely"))


def links_of(root: Path) -> set[tuple[str, str]]:
    """Return every link in a site: the page and what it leads to, both relative to the root."""
    found = set()
    for path in root.rglob("*.html"):
        for one in Page(path.read_text()).all("a"):
            target = urlsplit(one["href"])
            assert not target.scheme
            assert not target.query, "a site of files answers no question"
            if target.path:
                full = os.path.normpath(path.parent / unquote(target.path))
                found.add((str(path.relative_to(root)), os.path.relpath(full, root)))
    return found


def test_the_static_site_is_whole_follows_and_touches_nothing_else(store: RunStore, tmp_path: Path) -> None:
    sales = report(store, keep=None)
    published(store, *(str(n) for n in range(105)))
    report(store, "churn")
    publish(ended(store, "churn", state="failed", cause="cell 2: no", executed=notebook("1"), cell=(2, "failed")))
    report(store, "new")
    site = tmp_path / "site"
    site.mkdir()
    (site / "mine.txt").write_text("mine")
    (tmp_path / "outside.txt").write_text("outside")

    written = write_site(store, str(site))

    there = files(site)
    assert written.written == len(there) - 2  # what was there, and the notes
    for page, target in links_of(site):
        assert target in there, (page, target)
    for name in ("index.html", "feed.xml", "sales/index.html", "sales/editions-2.html", "sales/changes.html"):
        assert name in there
    assert (site / "sales/index.html").read_text() == pages.front_page(sales)
    assert oct((site / "index.html").stat().st_mode & 0o044) == oct(0o044)
    times = {one: (site / one).stat().st_mtime_ns for one in there}
    assert write_site(store, site.as_uri()).written == 0
    assert {one: (site / one).stat().st_mtime_ns for one in there} == times

    gone = retention.prune(sales, keep=2)
    (site / "sales" / ".index.html.0123abcd").write_text("left by a killed process")
    (site / "sales" / f"{sales.ids()[0]}.html").unlink()
    again = write_site(store, str(site))
    assert again.removed == 2 * len(gone) + 1  # and a page of the list
    left = files(site)
    assert not [one for one in left if any(name in one for name in gone)]
    assert f"sales/{sales.ids()[0]}.html" in left
    assert "sales/.index.html.0123abcd" not in left
    for _, target in links_of(site):
        assert target in left

    retention.delete(sales)
    write_site(store, str(site))
    assert not (site / "sales").exists()
    write_site(store, str(site), ["new"])
    assert [one for one in files(site) if "/" in one] == ["new/editions.html", "new/feed.xml", "new/index.html"]
    assert (site / "mine.txt").read_text() == "mine"
    assert (tmp_path / "outside.txt").read_text() == "outside"


def test_a_site_writes_over_nothing_that_is_not_its_own(store: RunStore, tmp_path: Path) -> None:
    report(store)
    published(store, "1")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "index.html").write_text("somebody's")
    with pytest.raises(SiteError, match=r"has a file index\.html that is not of this site"):
        write_site(store, str(foreign))
    assert files(foreign) == ["index.html"]

    linked, elsewhere = tmp_path / "linked", tmp_path / "elsewhere"
    linked.mkdir()
    elsewhere.mkdir()
    (linked / "sales").symlink_to(elsewhere)
    with pytest.raises(SiteError, match="leads elsewhere"):
        write_site(store, str(linked))
    assert files(elsewhere) == []

    with pytest.raises(SiteError, match="lies in the store"):
        write_site(store, str(store.path / "reports"))

    other = RunStore(tmp_path / "other" / ".mlwidgets")
    report(other)
    site = tmp_path / "site"
    write_site(store, str(site))
    with pytest.raises(SiteError, match="has the reports of"):
        write_site(other, str(site))
    noted = json.loads((site / NOTES).read_bytes())
    noted["files"] |= {"../outside.txt": "x", "/etc/passwd": "x", "a/../../b": "x", "sales/../../outside.txt": ""}
    (site / NOTES).write_text(json.dumps(noted))
    (tmp_path / "outside.txt").write_text("outside")
    write_site(store, str(site), [])
    assert (tmp_path / "outside.txt").exists()
    assert files(site) == ["feed.xml", "index.html", NOTES]
    (site / NOTES).write_text("{")
    with pytest.raises(SiteError, match="is damaged"):
        write_site(store, str(site))


def test_a_site_may_be_anywhere_that_fsspec_reaches(store: RunStore) -> None:
    sales = report(store)
    published(store, "1", "2")
    url = f"memory://bucket-{os.getpid()}/prefix"
    written = write_site(store, url)
    memory = fsspec.filesystem("memory")
    root = f"/bucket-{os.getpid()}/prefix"
    there = {path[len(root) + 1 :] for path in memory.find(root)}
    assert len(there) == written.written + 1
    assert memory.cat_file(f"{root}/sales/index.html").decode() == pages.front_page(sales)
    assert write_site(store, url).written == 0
    retention.prune(sales, keep=1)
    write_site(store, url)
    assert f"sales/{sales.ids()[0]}.html" in {path[len(root) + 1 :] for path in memory.find(root)}
    assert len(memory.find(root)) < len(there) + 1
    for wrong, said in (
        ("nonsense://x/y", "is no address that can be written to"),
        ("https://user:secret@127.0.0.1:9/x", "127.0.0.1:9/x"),
    ):
        with pytest.raises(SiteError, match=said) as raised:
            write_site(store, wrong)
        assert "secret" not in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_missing_package_is_said_in_one_line(store: RunStore) -> None:
    report(store)
    hidden = "import sys; sys.modules['s3fs'] = None\nfrom mlwidgets.cli import main\nsys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "--store", str(store.path), "report", "site", "s3://bucket/x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.fullmatch(
        r"mlwidgets: s3://bucket/x cannot be reached without a further package: .*s3fs.*\n", done.stderr
    )


def test_a_site_in_the_definition_follows_each_publication(store: RunStore, tmp_path: Path) -> None:
    site = tmp_path / "site"
    sales = report(store, site=str(site))
    report(store, "churn", site=str(site))
    report(store, "private")
    published(store, "1", name="private")
    published(store, "1", "2")
    assert "2" in Page((site / "sales/index.html").read_text()).text
    assert {one.partition("/")[0] for one in files(site) if "/" in one} == {"sales", "churn"}
    publish(ended(store, state="failed", cause="cell 1: no", executed=notebook("1")))
    assert 'class="r-banner"' in (site / "sales/index.html").read_text()
    assert "being made" not in (site / "index.html").read_text()

    define(store, "sales", settings={"site": str(tmp_path / "blocked" / "x")})
    (tmp_path / "blocked").write_text("a file")
    folder = ended(store, executed=notebook("3"), at=time.time() + 1)
    edition = publish(folder)
    assert edition is not None
    assert edition.state == "published"
    assert sales.latest() == edition
    assert "cannot be written to" in edition.problems["site"]
    assert "cannot be written to" in told(folder, "site")[0]["error"]


def test_commands(store: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str, status: int = 0) -> str:
        assert main(["--store", str(store.path), "report", *words]) == status
        out, err = capsys.readouterr()
        assert status == 0 or (err.startswith("mlwidgets: ") and err.count("\n") == 1) or not err
        return out if status == 0 else err

    assert "no reports yet" in run("list")
    sales = report(store)
    assert "has no edition yet" in run("editions", "sales")
    ids = published(store, "accuracy = 0.5", "accuracy = 0.75")
    bad = publish(ended(store, state="failed", cause="cell 2: ValueError: \x1b[31mno", executed=notebook("1")))
    assert bad is not None
    listed = run("list")
    assert re.search(rf"^sales +stale +{ids[1]} +20\d\d-", listed, re.MULTILINE)
    assert json.loads(run("list", "--json"))["stale_since"] == bad.time
    told_of = run("editions", "sales")
    assert re.search(rf"{bad.id} +failed .*cell 2: ValueError: \?\[31mno", told_of)
    assert "published, latest" in told_of
    assert [json.loads(line)["id"] for line in run("editions", "sales", "--json", "--limit", "2").splitlines()] == [
        bad.id,
        ids[1],
    ]
    changed = run("compare", "sales")
    assert f"{ids[0]} → {ids[1]}: 1 number changed." in changed
    assert re.search(r"Sales +accuracy +0\.5 +0\.75 +\+0\.25 +\+50\.0%", changed)
    assert "0.75" in run("compare", "sales", "~1", "~2")
    assert "no edition" in run("compare", "sales", "20000101", status=1)
    run("compare", "sales", "--html", str(tmp_path / "x.html"))
    assert_sound((tmp_path / "x.html").read_text())
    assert "cannot write" in run("compare", "sales", "--html", str(tmp_path / "no" / "x.html"), status=1)
    assert f"sales: 1 of 3 editions would be removed\n  {ids[0]}\n" in run("prune", "--keep", "1", "--dry-run")
    assert "sales: 1 of 3 editions removed" in run("prune", "sales", "--keep", "1")
    assert "files written" in run("site", str(tmp_path / "site"))
    assert re.search(
        r"^keep +7$", run("set", "sales", "keep=7", "title=A title", "open=yes", "days=none"), re.MULTILINE
    )
    assert re.search(r"^days +1\.5$", run("set", "sales", "days=1.5"), re.MULTILINE)
    assert re.search(r"^days +365$", run("set", "sales", "days=365"), re.MULTILINE)
    assert (Report(store, "sales").title, Report(store, "sales").definition.open) == ("A title", True)
    assert "cannot be set" in run("set", "sales", "keep=many", status=1)
    assert "no report 'other'" in run("editions", "other", status=1)
    assert "give --yes" in run("delete", "sales", status=1)
    assert sales.ids()
    run("set", "sales", f"site={tmp_path / 'site'}")
    assert "removed, with 2 editions" in run("delete", "sales", "--yes")
    assert "no reports yet" in run("prune")
    assert not (tmp_path / "site" / "sales").exists()


def test_a_page_beside_reports_is_no_larger_than_it_needs_to_be(store: RunStore) -> None:
    report(store)
    published(store, "1")
    for html in (pages.index_page(reports(store)), pages.editions_page(Report(store, "sales"))):
        assert len(html) < 40_000


def test_times_are_those_of_this_machine(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        sales = report(store)
        publish(ended(store, executed=notebook("1"), at=1_794_000_000.0))
        html: Any = pages.editions_page(sales)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert 'datetime="2026-11-06T16:20:00-05:00"' in html
    assert re.search(r"6 November 2026, 16:20 EST", html)
