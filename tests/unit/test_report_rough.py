"""What may happen to reports between the hands of several: stops, deletions, kills, links, secrets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from mlwidgets.errors import StoreError
from mlwidgets.reports import sending
from mlwidgets.reports.publishing import publish as publishing
from mlwidgets.reports.publishing import retention
from mlwidgets.reports.publishing.comparing import compare
from mlwidgets.reports.publishing.definition import UnknownReport, report_names
from mlwidgets.reports.publishing.editions import Report
from mlwidgets.reports.publishing.publish import catch_up, expect, publish
from mlwidgets.reports.publishing.standing import standing
from mlwidgets.reports.site.feed import feed
from mlwidgets.reports.site.pages import edition_page, editions_page, front_page, index_page
from mlwidgets.reports.site.writing import write_site
from mlwidgets.runs.spec import new_run_id
from mlwidgets.runs.state import START_GRACE
from mlwidgets.runs.store import RunStore
from tests.unit.edition_support import check, ended, notebook, published, report, told

SECRET = "hunter2-of-the-database"


def stopped(store: RunStore, said: str = "half") -> str:
    folder = ended(store, executed=notebook(said), state="stopped", cause="stopped by Ada", cell=(2, "started"))
    folder.stop_request.parent.mkdir(exist_ok=True)
    folder.stop_request.write_text("Ada")
    edition = publish(folder)
    assert edition is not None
    assert (edition.state, edition.cause, edition.failed_cell) == ("stopped", "was stopped by Ada", 2)
    return edition.id


def test_an_edition_that_somebody_stopped_worries_no_reader(store: RunStore) -> None:
    sales = report(store)
    alone = stopped(store)
    assert "No edition of this report has been published yet. This one was stopped by Ada." in front_page(sales)
    published(store, "good numbers", start=sales.edition(alone).time - 10)
    there = stopped(store)
    assert {one.id for one in sales.editions()} >= {alone, there}
    assert standing(sales).state == "current"
    assert 'class="r-banner"' not in front_page(sales)
    assert "This edition was stopped by Ada. <" in edition_page(sales, there)
    assert "stopped</span>" in editions_page(sales)
    failed = publish(ended(store, executed=notebook("half"), state="failed", cause="no"))
    stopped(store)
    now = standing(sales)
    assert (now.state, now.bad, now.last_bad) == ("stale", 1, failed)
    assert "The next one, of" in front_page(sales)
    assert "failed: no." in front_page(sales)


def test_what_did_not_start_as_another_failed_is_no_stop(store: RunStore) -> None:
    report(store)
    edition = publish(ended(store, state="stopped", cause="not started: the run before it failed"))
    assert edition is not None
    assert edition.state == "failed"


def test_who_publishes_masks_again(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    (store.path.parent / "pyproject.toml").write_text('[tool.mlwidgets]\nsecrets = ["DB_PASSWORD"]\n')
    sales = report(store, title=f"Of {SECRET}")
    good = publish(
        ended(store, executed=notebook(f"is {SECRET}", check(True, SECRET)), params={"password": SECRET, "n": 1})
    )
    bad = publish(ended(store, executed=notebook("half"), state="failed", cause=f"cell 2: ValueError: {SECRET}"))
    assert good is not None
    assert bad is not None
    assert bad.cause == "cell 2: ValueError: ••••"
    assert good.params == {"password": "••••", "n": "1"}
    for edition in (good, bad):
        for path in edition.path.iterdir():
            assert SECRET not in path.read_text(), path
    assert "is ••••" in edition_page(sales, good.id)


def test_nothing_is_published_where_nobody_knows_what_to_mask(store: RunStore) -> None:
    sales = report(store)
    pyproject = store.path.parent / "pyproject.toml"
    pyproject.write_text("[tool.mlwidgets]\nsecrets = [3]\n")
    folder = ended(store, executed=notebook("42 pieces"))
    assert publish(folder) is None
    assert "names no secret" in told(folder)[0]["error"]
    pyproject.unlink()
    assert [one.id for one in catch_up(store)] == [folder.id]
    assert "42 pieces" in front_page(sales)


def test_a_report_that_was_deleted_stays_so(store: RunStore) -> None:
    sales = report(store)
    first = ended(store, executed=notebook("1"))
    publish(first)
    late = ended(store, executed=notebook("2"))
    retention.delete(sales)
    assert publish(first) is None
    assert publish(late) is None
    assert report_names(store) == []
    assert [one["state"] for one in told(first)] == ["published"]
    assert [one["error"] for one in told(late)] == ["the report 'sales' was deleted"]


def test_a_run_that_was_deleted_or_never_sent_is_not_being_made(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sales = report(store)
    run_id = new_run_id("sales")
    expect(store, "sales", run_id)
    assert sales.making() == [run_id]
    mark = sales.path / "pending" / run_id
    os.utime(mark, (0, mark.stat().st_mtime - START_GRACE - 1))
    assert sales.making() == []
    assert "being made" not in index_page([sales])
    mark.unlink()

    def no_room(*_: object) -> None:
        raise StoreError("no room")

    monkeypatch.setattr(sending, "send_off", no_room)
    path = tmp_path / "sales.ipynb"
    path.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    with pytest.raises(StoreError, match="no room"):
        sending.send_report(path, name="sales", execute=False, store=store)
    assert sales.pending() == []


def test_a_page_that_kills_whoever_makes_it_is_given_up(store: RunStore) -> None:
    sales = report(store)
    folder = ended(store, executed=notebook("x"))
    code = (
        "import os, sys; from pathlib import Path; from mlwidgets.runs.store import RunStore\n"
        "from mlwidgets.reports.publishing import publish\n"
        "publish.build = lambda *_: os.kill(os.getpid(), 9)\n"
        "publish.catch_up(RunStore(Path(sys.argv[1])))"
    )
    for _ in range(publishing.MOST_TRIES):
        assert subprocess.run([sys.executable, "-c", code, store.path], check=False).returncode == -9
        assert sales.pending() == [folder.id]
    assert subprocess.run([sys.executable, "-c", code, store.path], check=False).returncode == 0
    assert sales.pending() == []
    assert "was killed 5 times" in told(folder)[0]["error"]


def test_links_in_the_store_lead_nowhere(store: RunStore, tmp_path: Path) -> None:
    sales = report(store)
    first, second = published(store, "1", "2")
    secret = tmp_path / "secret"
    secret.write_text('{"cells": [], "nbformat": 4, "secret": "hunter2"}')
    target = sales.edition(first)
    for name in ("index.html", "notebook.ipynb", "report.pdf"):
        (target.path / name).unlink(missing_ok=True)
        (target.path / name).symlink_to(secret)
    assert (target.notebook, target.pdf) == (None, None)
    with pytest.raises(UnknownReport):
        edition_page(sales, first)
    assert compare(target, sales.edition(second)).texts
    site = tmp_path / "site"
    write_site(store, str(site))
    assert [one for one in site.rglob("*") if one.is_file() and b"hunter2" in one.read_bytes()] == []
    elsewhere = tmp_path / "elsewhere"
    shutil.move(sales.path / "editions" / second, elsewhere)
    (sales.path / "editions" / second).symlink_to(elsewhere)
    assert sales.find(second) is None
    shutil.move(sales.path / "editions", tmp_path / "editions")
    (sales.path / "editions").symlink_to(tmp_path / "editions")
    assert Report(store, "sales").find(first) is None


def test_what_is_told_of_an_edition_stays_short_whatever_the_notebook_says(store: RunStore) -> None:
    sales = report(store)
    checks = [check(n != 990, f"{n} {'y' * 5000}") for n in range(1000)]
    cells = [new_markdown_cell(f"# {'x' * 2_000_000}"), *checks]
    params = {f"p{n}": "z" * 100_000 for n in range(20)}
    edition = publish(ended(store, executed=new_notebook(cells=cells), params=params))
    assert edition is not None
    assert edition.state == "published"
    assert len(edition.checks) == 500
    assert [one.text[:3] for one in edition.checks if not one.passed] == ["990"]
    assert (edition.path / "edition.json").stat().st_size < 1_000_000
    assert len(index_page([sales])) < 100_000


def test_a_damaged_time_hides_no_report(store: RunStore) -> None:
    sales = report(store)
    (good,) = published(store, "42 pieces")
    path = sales.path / "editions" / good / "edition.json"
    for wrong in (float("nan"), float("inf"), 1e18, -5):
        path.write_text(json.dumps({**json.loads(path.read_text()), "started": wrong, "published": wrong}))
        assert 'href="sales/index.html"' in index_page([sales])
        assert good in feed(sales)
