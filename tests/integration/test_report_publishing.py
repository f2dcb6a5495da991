"""Publishing while processes are killed, race each other, or find the disk full: readers see the old or the new."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlwidgets.reports.publishing.definition import define
from mlwidgets.reports.publishing.editions import Report
from mlwidgets.reports.publishing.publish import catch_up, publish
from mlwidgets.reports.site import pages
from mlwidgets.reports.site.writing import NOTES, write_site
from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.store import RunStore
from tests.unit.edition_support import DAY, ended, files, notebook, report, told

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parent.parent.parent
SEEDS = 40


def assert_complete(html: str) -> str:
    """It is a whole page; return which edition it says it is."""
    assert html.rstrip().endswith("</html>")
    said = [line for line in html.splitlines() if "token-" in line]
    assert len(said) == 1, said
    number = said[0].partition("token-")[2].split("-")[0]
    assert f"token-{number}-end" in said[0]
    return number


def body(number: int) -> str:
    # Long enough that writing it takes several calls.
    return f"token-{number}-end\n" + "x" * 200_000


def read_all_the_time(path: str, stop: str) -> None:
    """Look at the report's page again and again; exit with 1 at the first that is not whole."""
    store = RunStore(Path(path))
    seen = -1
    while not os.path.exists(stop):
        number = int(assert_complete(pages.front_page(Report(store, "sales"))))
        assert number >= seen, (number, seen)
        seen = number
        pages.editions_page(Report(store, "sales"))
    os._exit(0)


def child(action: object, *arguments: object) -> int:
    """Fork a process that does something and nothing else: all is imported by then, so that it begins at once."""
    pid = os.fork()
    if pid == 0:
        try:
            action(*arguments)  # type: ignore[operator]
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    return pid


def torture(path: str) -> None:
    """Kill publishers at random moments, and look after each what is there."""
    store = RunStore(Path(path))
    sales = report(store, keep=5)
    start = time.time() - 1000 * DAY
    publish(ended(store, executed=notebook(body(0)), at=start))
    began = time.monotonic()
    first = ended(store, executed=notebook(body(1)), at=start + DAY)
    publish(first)
    lasts = time.monotonic() - began
    stop = f"{path}.stop"
    reader = child(read_all_the_time, path, stop)
    try:
        killed = sum(kill_one(store, sales, seed, start, lasts) for seed in range(SEEDS))
    finally:
        Path(stop).touch()
        status = os.waitpid(reader, 0)[1]
    assert status == 0, "a reader saw a page that was not whole, or an older one"
    assert killed > SEEDS / 4, f"only {killed} publishers were killed on their way"


def kill_one(store: RunStore, sales: Report, seed: int, start: float, lasts: float) -> bool:
    """Kill a publisher, look at what is there, and let another one finish; return whether it had not ended itself."""
    chance = random.Random(seed)
    folder = ended(store, executed=notebook(body(seed + 2)), at=start + (seed + 2) * DAY)
    publisher = child(publish, folder)
    time.sleep(chance.random() * lasts * 1.5)
    os.kill(publisher, signal.SIGKILL)
    killed = os.waitpid(publisher, 0)[1] == signal.SIGKILL
    number = int(assert_complete(pages.front_page(sales)))
    assert number in {seed + 1, seed + 2}, (seed, number)
    for one in sales.ids():
        edition = sales.find(one)
        assert edition is not None, (seed, one)
        assert_complete(pages.edition_page(sales, one))
        json.loads(edition.notebook.read_bytes())  # type: ignore[union-attr]
    catch_up(store)
    assert int(assert_complete(pages.front_page(sales))) == seed + 2
    assert sales.pending() == []
    assert len(sales.ids()) == min(5, seed + 3)
    assert not [name for name in os.listdir(sales.path / "editions") if name.startswith(".")]
    assert [one["state"] for one in told(folder)] == ["published"], (seed, told(folder))
    return killed


def site_torture(path: str) -> None:
    """Kill those that write the site at random moments: the next one finishes it."""
    store = RunStore(Path(path))
    sales = report(store, keep=4)
    site = Path(path).parent / "site"
    start = time.time() - 1000 * DAY
    publish(ended(store, executed=notebook(body(0)), at=start))
    began = time.monotonic()
    write_site(store, str(site))
    lasts = time.monotonic() - began
    for seed in range(15):
        publish(ended(store, executed=notebook(body(seed + 1)), at=start + (seed + 1) * DAY))
        writer = child(write_site, store, str(site))
        time.sleep(random.Random(seed).random() * lasts * 1.5)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        page = (site / "sales/index.html").read_text()
        assert assert_complete(page) in {str(seed), str(seed + 1)}
        # Whatever the front page links to is there.
        for one in ("editions.html", "feed.xml"):
            assert (site / "sales" / one).exists()
        write_site(store, str(site))
        assert (site / "sales/index.html").read_text() == pages.front_page(sales)
        noted = json.loads((site / NOTES).read_bytes())["files"]
        assert sorted([*noted, NOTES]) == files(site)
        assert {one[6:-5] for one in files(site) if one.startswith("sales/2") and one.endswith(".html")} == {
            *sales.ids()
        }


@pytest.mark.parametrize("which", ["torture", "site_torture"])
def test_readers_see_the_old_or_the_new_whoever_is_killed(which: str, tmp_path: Path) -> None:
    # A process of its own, without threads, that may fork.
    script = (
        f"from tests.integration.test_report_publishing import {which} as torture; torture({str(tmp_path / 's')!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def publish_many(path: str, ids: list[str], barrier: object) -> None:
    store = RunStore(Path(path))
    barrier.wait()  # type: ignore[attr-defined]
    for one in ids:
        assert publish(RunFolder(store.runs / one)) is not None


def test_two_publishers_at_once_make_each_edition_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path / ".mlwidgets")
    sales = report(store)
    start = time.time() - 20 * DAY
    folders = [ended(store, executed=notebook(body(n)), at=start + n * DAY) for n in range(6)]
    ids = [one.id for one in folders]
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(3)
    orders = [ids, ids[::-1], [*ids[3:], *ids[:3]]]
    both = [spawn.Process(target=publish_many, args=(str(store.path), order, barrier)) for order in orders]
    for one in both:
        one.start()
    for one in both:
        one.join(120)
        assert one.exitcode == 0
    assert sales.ids() == ids[::-1]
    assert sales.latest().id == ids[-1]  # type: ignore[union-attr]
    assert all([event["state"] for event in told(folder)] == ["published"] for folder in folders)
    assert sales.pending() == []
    assert_complete(pages.front_page(sales))


def test_a_full_disk_leaves_what_was_published_and_is_made_good_later(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        store = RunStore(disk / ".mlwidgets")
        sales = report(store)
        publish(ended(store, executed=notebook(body(1)), at=time.time() - DAY))
        folder = ended(store, executed=notebook(body(2)))
        stuffing = disk / "stuffing"
        with open(stuffing, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * 4096):
                pass
        assert publish(folder) is None
        assert assert_complete(pages.front_page(sales)) == "1"
        assert len(sales.ids()) == 1
        with open(stuffing, "r+b") as file:
            # Room for a part of the edition.
            file.truncate(stuffing.stat().st_size - 120_000)
        assert publish(folder) is None
        assert assert_complete(pages.front_page(sales)) == "1"
        assert [one["state"] for one in told(folder)] in ([], ["error"])
        stuffing.unlink()
        assert [one.id for one in catch_up(store)] == [folder.id]
        assert assert_complete(pages.front_page(sales)) == "2"
        assert not [name for name in os.listdir(sales.path / "editions") if name.startswith(".")]
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def limited(path: str, run_id: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    assert publish(RunFolder(Path(path) / "runs" / run_id)) is None


def test_a_file_that_cannot_grow_leaves_what_was_published(tmp_path: Path) -> None:
    store = RunStore(tmp_path / ".mlwidgets")
    sales = report(store)
    publish(ended(store, executed=notebook(body(1)), at=time.time() - DAY))
    folder = ended(store, executed=notebook(body(2)))
    process = multiprocessing.get_context("spawn").Process(target=limited, args=(str(store.path), folder.id))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert assert_complete(pages.front_page(sales)) == "1"
    assert [one["state"] for one in told(folder)] == ["error"]
    assert "File too large" in told(folder)[0]["error"]
    catch_up(store)
    assert assert_complete(pages.front_page(sales)) == "2"


def test_a_pdf_lies_beside_where_a_browser_is_and_its_failure_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlwidgets.reports import pdf

    if pdf.browser() is None:
        pytest.skip("no browser is on PATH")
    store = RunStore(tmp_path / ".mlwidgets")
    define(store, "sales", settings={"site": str(tmp_path / "site")})
    sales = Report(store, "sales")
    edition = publish(ended(store, executed=notebook("42"), at=time.time() - DAY))
    assert edition is not None
    assert edition.problems == {}
    assert edition.pdf is not None
    assert edition.pdf.read_bytes().startswith(b"%PDF")
    assert f'href="{edition.id}.pdf"' in pages.front_page(sales)
    assert (tmp_path / "site" / "sales" / f"{edition.id}.pdf").read_bytes() == edition.pdf.read_bytes()

    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "chromium").write_text("#!/bin/sh\necho it is broken >&2\nexit 3\n")
    (broken / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken}:{os.environ['PATH']}")
    folder = ended(store, executed=notebook("43"))
    second = publish(folder)
    assert second is not None
    assert sales.latest() == second
    assert "it is broken" in second.problems["pdf"]
    assert "it is broken" in told(folder, "pdf")[0]["error"]
    assert ".pdf" not in pages.edition_page(sales, second.id)
