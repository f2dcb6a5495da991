"""Editions: made once and whole, switched to only when good, kept for a while, compared."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Self

import pytest
from nbformat.v4 import new_markdown_cell

from mlwidgets.errors import ParameterError, StoreError
from mlwidgets.reports.publishing import building, definition, retention
from mlwidgets.reports.publishing.comparing import compare
from mlwidgets.reports.publishing.definition import UnknownReport, define, read_definition
from mlwidgets.reports.publishing.editions import Edition, Report, reports
from mlwidgets.reports.publishing.publish import catch_up, expect, publish
from mlwidgets.reports.publishing.standing import banner, standing
from mlwidgets.reports.site.pages import edition_page, editions_page, front_page, index_page
from mlwidgets.reruns.reports import _differences
from mlwidgets.runs.spec import new_run_id
from mlwidgets.runs.store import RunStore
from tests.unit.edition_support import DAY, check, ended, files, notebook, published, report, told
from tests.unit.report_support import PNG, code, printed, shown


def test_an_edition_is_published_once_with_all_that_is_known_of_it(store: RunStore) -> None:
    sales = report(store)
    folder = ended(store, executed=notebook("42 pieces", check(True)), params={"region": "EU", "top": 3})
    folder.environment.write_text(json.dumps({"git": {"commit": "ec3fba4" * 5, "branch": "main", "dirty": True}}))

    edition = publish(folder)

    assert edition is not None
    assert (edition.state, edition.cause, edition.title, edition.duration) == ("published", None, "Sales", 42.0)
    assert edition.params == {"region": "EU", "top": "3"}
    assert [one.text for one in edition.checks] == ["enough rows"]
    assert files(edition.path) == ["after.json", "edition.json", "index.html", "notebook.ipynb"]
    assert json.loads((edition.path / "notebook.ipynb").read_bytes()) == notebook_of(folder.outputs / "sales.ipynb")
    assert sales.latest() == sales.newest() == sales.edition(edition.id) == edition
    assert edition.bytes == edition.page.stat().st_size
    page = front_page(sales)
    assert "42 pieces" in page
    assert "ec3fba4</code>" not in page
    assert "ec3fba4 on main, with changes beside it" in page
    assert sales.pending() == []
    assert [(one["edition"], one["state"], one["report"]) for one in told(folder)] == [
        (edition.id, "published", "sales")
    ]
    before = {path: path.stat().st_mtime_ns for path in edition.path.iterdir()}
    assert publish(folder) == edition
    assert {path: path.stat().st_mtime_ns for path in edition.path.iterdir()} == before
    assert len(told(folder)) == 1


def notebook_of(path: Path) -> Any:
    return json.loads(path.read_bytes())


def test_what_is_no_report_or_goes_on_is_left_alone(store: RunStore, new_run: Any) -> None:
    assert publish(new_run()) is None
    going_on = ended(store, executed=notebook("1"))
    going_on.outcome.unlink()
    # The process that submitted it lives: it may be about to start.
    assert publish(going_on) is None
    assert going_on.id in Report(store, "sales").pending()


@pytest.mark.parametrize(
    ("state", "cause", "said"),
    [
        ("failed", "cell 2: ValueError: no", "cell 2: ValueError: no"),
        ("timeout", "60 s are over", "ran out of time: 60 s are over"),
        ("stopped", "stopped by Ctrl-C", "was stopped by Ctrl-C"),
        ("killed", None, "was killed"),
    ],
)
def test_a_failed_edition_leaves_the_last_good_one_with_a_banner(
    store: RunStore, state: str, cause: str | None, said: str
) -> None:
    sales = report(store)
    (good,) = published(store, "good numbers")
    first = publish(ended(store, executed=notebook("half"), state=state, cause=cause, cell=(2, "failed")))

    assert first is not None
    assert (first.state, first.cause, first.failed_cell) == ("failed", said, 2)
    assert sales.latest().id == good  # type: ignore[union-attr]
    page = front_page(sales)
    assert "good numbers" in page
    assert 'class="r-banner"' in page
    assert said in page
    assert f'<a href="{first.id}.html">What went wrong</a>' in page
    assert standing(sales).stale_since == first.time
    own = edition_page(sales, first.id)
    assert '<a href="#failed">' in own
    assert '<div id="failed">' in own
    assert 'href="index.html"' in own
    assert 'class="r-banner"' not in edition_page(sales, good)

    again = publish(ended(store, executed=notebook("half"), state=state, cause=cause))
    now = standing(sales)
    assert (now.state, now.bad, now.first_bad, now.newest) == ("stale", 2, first, again)
    mended = publish(ended(store, executed=notebook("new numbers"), at=time.time() + 1))
    assert sales.latest() == mended
    assert standing(sales).state == "current"
    assert 'class="r-banner"' not in front_page(sales)
    older = banner(sales, sales.edition(good), front=False)
    assert older is not None
    assert older.links == [("Latest edition", "index.html")]


def test_where_nothing_was_published_the_failure_is_shown(store: RunStore) -> None:
    sales = report(store)
    assert "There is no edition yet" in front_page(sales)
    expect(store, "sales", new_run_id("sales"))
    assert "An edition is being made" in front_page(sales)
    publish(ended(store, executed=notebook("half"), state="failed", cause="cell 2: ValueError: no"))
    assert standing(sales).state == "never"
    assert "No edition of this report has been published yet. This one failed: cell 2" in front_page(sales)


def test_a_failing_check_withholds_where_so_configured(store: RunStore) -> None:
    sales = report(store, on_failed_check="withhold")
    published(store, "good")
    bad = publish(ended(store, executed=notebook("bad", check(True, "a"), check(False, "b"))))
    assert bad is not None
    assert (bad.state, bad.cause) == ("withheld", "1 of 2 checks failed")
    assert "good" in front_page(sales)
    assert "was withheld: 1 of 2 checks failed." in front_page(sales)
    define(store, "sales", settings={"on_failed_check": "publish"})
    shown_all_the_same = publish(ended(store, executed=notebook("bad", check(False)), at=time.time() + 1))
    assert Report(store, "sales").latest() == shown_all_the_same


def test_a_run_without_an_executed_notebook_shows_what_was_to_be_executed(store: RunStore) -> None:
    sales = report(store)
    source = notebook("from an earlier day")
    missing = publish(ended(store, state="killed", cause="out of memory", source=source))
    assert missing is not None
    assert (missing.state, missing.cause) == ("failed", "was killed: out of memory")
    page = edition_page(sales, missing.id)
    assert "print(<span" in page or "said" in page
    assert "from an earlier day" not in page
    finished = publish(ended(store, at=time.time() + 1))
    assert finished is not None
    assert finished.cause == "the run left no executed notebook: No such file or directory"
    torn = ended(store, at=time.time() + 2)
    (torn.outputs / "sales.ipynb").write_text('{"cells": [')
    edition = publish(torn)
    assert edition is not None
    assert edition.state == "failed"
    assert sales.latest() is None


def test_outputs_beyond_any_page_are_left_out_and_it_is_said(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "MOST_BYTES", 10_000)
    sales = report(store)
    huge = code("big()", printed("x" * 2_000_000), printed("small", "stderr"))
    edition = publish(ended(store, executed=notebook("42", huge)))
    assert edition is not None
    page = front_page(sales)
    assert "An output of 2 MB is left out here; it is in the notebook." in page
    assert "small" in page
    assert "42" in page
    assert len(page) < 100_000
    assert "x" * 1000 in edition.notebook.read_text()  # type: ignore[union-attr]


def test_an_older_run_that_ends_later_does_not_take_the_place_of_a_newer_one(store: RunStore) -> None:
    sales = report(store)
    old = ended(store, executed=notebook("old"), at=time.time() - DAY)
    new = publish(ended(store, executed=notebook("new")))
    late = publish(old)
    assert late is not None
    assert late.state == "published"
    assert sales.latest() == new
    assert [one.id for one in sales.editions()] == [new.id, late.id]  # type: ignore[union-attr]
    assert sales.previous(new) == late  # type: ignore[arg-type]


def test_whoever_was_killed_on_the_way_is_caught_up_with(store: RunStore) -> None:
    sales = report(store)
    published(store, "old")
    folder = ended(store, executed=notebook("new"))
    assert [one.id for one in catch_up(store)] == [folder.id]
    assert catch_up(store) == []

    # Killed between the edition and the switch to it, with half of another one beside.
    other = ended(store, executed=notebook("newer"), at=time.time() + 1)
    shown_before = (sales.path / "latest.json").read_bytes()
    publish(other)
    (sales.path / "latest.json").write_bytes(shown_before)
    (sales.path / "editions" / other.id / "after.json").unlink()
    other.events.write_bytes(b"")
    (sales.path / "editions" / ".new-20261120-000000-sales-abcd").mkdir()
    expect(store, "sales", other.id)
    assert "new" in front_page(sales)
    assert [one.id for one in catch_up(store)] == [other.id]
    assert sales.latest().id == other.id  # type: ignore[union-attr]
    assert len(told(other)) == 1
    assert not [name for name in os.listdir(sales.path / "editions") if name.startswith(".")]

    # The marker of a run that was never made goes after a while.
    never = new_run_id("sales")
    expect(store, "sales", never)
    assert catch_up(store) == []
    assert sales.pending() == [never]
    os.utime(sales.path / "pending" / never, (1, 1))
    catch_up(store)
    assert sales.pending() == []


def test_catching_up_costs_little_when_there_is_nothing_to_do(store: RunStore) -> None:
    report(store)
    published(store, *"abc")
    with Opens(store.path) as opened:
        assert catch_up(store) == []
    assert len(opened.paths) <= 1


def test_a_pruned_edition_does_not_come_back(store: RunStore) -> None:
    sales = report(store, keep=1)
    first = ended(store, executed=notebook("first"), at=time.time() - DAY)
    publish(first)
    publish(ended(store, executed=notebook("second")))
    assert len(sales.ids()) == 1
    expect(store, "sales", first.id)
    assert catch_up(store) == []
    assert len(sales.ids()) == 1
    assert sales.pending() == []


def test_what_goes_wrong_while_publishing_is_told_and_tried_again(store: RunStore) -> None:
    sales = report(store)
    folder = ended(store, executed=notebook("1"))
    shutil.rmtree(sales.path / "editions")
    (sales.path / "editions").write_text("in the way")
    assert publish(folder) is None
    assert publish(folder) is None
    assert [one["state"] for one in told(folder)] == ["error"]
    (sales.path / "editions").unlink()
    assert [one.id for one in catch_up(store)] == [folder.id]
    assert [one["state"] for one in told(folder)] == ["error", "published"]


def test_a_page_that_cannot_be_made_is_a_failed_edition(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = building.made

    def broken(document: Any, *rest: Any) -> Any:
        if document["cells"]:
            raise RuntimeError("no page")
        return real(document, *rest)

    monkeypatch.setattr(building, "made", broken)
    report(store)
    edition = publish(ended(store, executed=notebook("1")))
    assert edition is not None
    assert edition.state == "failed"
    assert edition.cause == "its page could not be made: RuntimeError: no page"


def test_editions_are_kept_by_count_and_age_and_the_latest_always(store: RunStore) -> None:
    sales = report(store, keep=3)
    ids = published(store, *"abcdef")
    assert sales.ids() == ids[:2:-1]
    for n in range(5):
        publish(ended(store, executed=notebook("x"), state="failed", cause="no", at=time.time() + n))
    # Failures do not take good editions away.
    assert [one.state for one in sales.editions()] == ["failed"] * 3 + ["published"] * 3
    assert retention.prune(sales, keep=1, dry_run=True) == [*sales.ids()[1:3], *sales.ids()[4:]]
    assert len(sales.ids()) == 6
    assert retention.prune(sales, days=1.5) == [ids[4], ids[3]]
    assert sales.latest().id == ids[5]  # type: ignore[union-attr]
    os.rename(sales.path / "editions" / ids[5], sales.path / "editions" / f"19990101{ids[5][8:]}")
    assert retention.prune(sales, days=1) == []
    assert sales.latest().id == f"19990101{ids[5][8:]}"  # type: ignore[union-attr]


def test_a_report_is_removed_with_its_editions_unless_one_is_being_made(store: RunStore) -> None:
    sales = report(store)
    published(store, "a")
    going_on = ended(store, executed=notebook("b"))
    outcome = going_on.outcome.read_bytes()
    going_on.outcome.unlink()
    with pytest.raises(StoreError, match="is being made by the run"):
        retention.delete(sales)
    going_on.outcome.write_bytes(outcome)
    retention.delete(sales)
    assert reports(store) == []
    with pytest.raises(UnknownReport, match="no report 'sales'"):
        front_page(Report(store, "sales"))
    assert catch_up(store) == []


@pytest.mark.parametrize(
    "name", ["..", "../x", "a/b", ".hidden", "", "index.html", "FEED.xml", "x" * 101, "a\n", "ü", "a b", "%2e%2e"]
)
def test_names_that_lead_elsewhere_are_no_reports(store: RunStore, name: str) -> None:
    with pytest.raises(ParameterError):
        define(store, name)
    with pytest.raises(UnknownReport):
        _ = Report(store, name).definition
    sales = report(store)
    published(store, "a")
    for one in (f"../../{name}", name, f"{sales.ids()[0]}/..", "..", ".new-x"):
        assert sales.find(one) is None
        with pytest.raises(UnknownReport):
            sales.edition(one)


def test_settings_are_checked_and_stay_until_they_are_changed(store: RunStore, tmp_path: Path) -> None:
    made = define(store, "sales", notebook="/a.ipynb", settings={"title": "T", "keep": 5, "site": "~/site"})
    assert made.site == os.path.expanduser("~/site")
    assert define(store, "sales", params={"x": "1"}).keep == 5
    assert define(store, "sales") == read_definition(store, "sales")
    for settings in (
        {"keep": 0}, {"keep": True}, {"days": -1}, {"days": float("nan")}, {"open": "yes"}, {"title": "x" * 301},
        {"on_failed_check": "stop"}, {"colour": "red"}, {"site": ""}, {"name": "other"}, {"created": 1.0},
    ):  # fmt: skip
        with pytest.raises(ParameterError):
            define(store, "sales", settings=settings)
    path = store.path / "reports" / "sales" / "definition.json"
    path.write_text('{"open": "yes", "keep": -3, "title": 7, "params": [], "show_code": true}')
    damaged = read_definition(store, "sales")
    assert (damaged.open, damaged.keep, damaged.title, damaged.show_code) == (False, 100, None, True)
    path.write_text("{")
    assert read_definition(store, "sales").open is False
    assert {one.name for one in dataclasses.fields(definition.Definition)} == {*definition._FIELDS, "name"}


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"state": 7, "checks": 3, "params": [], "started": "x", "title": null, "bytes": "1"}', "\0"]
)
def test_a_damaged_edition_breaks_no_list(store: RunStore, damage: str) -> None:
    sales = report(store)
    first, last = published(store, "a", "b")
    (sales.path / "editions" / last / "edition.json").write_text(damage)
    assert sales.latest().id == first  # type: ignore[union-attr]
    for page in (front_page(sales), editions_page(sales), index_page([sales])):
        assert page.rstrip().endswith("</html>")
    (sales.path / "latest.json").write_text("{")
    assert sales.latest().id == first  # type: ignore[union-attr]


class Opens:
    """Which files below a folder are opened."""

    _now: list[Opens] = []  # noqa: RUF012
    _hooked = False

    def __init__(self, below: Path) -> None:
        self._below = str(below)
        self.paths: list[str] = []

    def __enter__(self) -> Self:
        if not Opens._hooked:
            # An audit hook cannot be taken away again.
            sys.addaudithook(Opens._hear)
            Opens._hooked = True
        Opens._now.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        Opens._now.remove(self)

    @staticmethod
    def _hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and Opens._now:
            for one in Opens._now:
                if str(arguments[0]).startswith(one._below):
                    one.paths.append(str(arguments[0]))


def test_of_ten_thousand_editions_only_those_are_read_that_are_shown(store: RunStore) -> None:
    sales = report(store, keep=None)
    published(store, "a", "b", start=time.time())
    editions = sales.path / "editions"
    start = time.time() - 20_000 * 3600
    for n in range(10_000):
        one = editions / new_run_id("sales", start + n * 3600)
        one.mkdir()
        (one / "edition.json").write_text('{"state": "published", "title": "Sales", "published": 1.0}')
    for page, most in (
        (lambda: index_page(reports(store)), 8),
        (lambda: front_page(sales), 10),
        (lambda: editions_page(sales), 110),
        (lambda: editions_page(sales, 60), 110),
        (lambda: sales.editions(5), 5),
    ):
        with Opens(store.path) as opened:
            page()
        assert 0 < len(opened.paths) <= most
    assert "10,002" in editions_page(sales) or "10002" in editions_page(sales)
    with pytest.raises(UnknownReport):
        editions_page(sales, 102)
    after = sales.editions(3, before=sales.ids()[10])
    assert [one.id for one in after] == sales.ids()[11:14]


def two(store: RunStore, old: Any, new: Any, **more: Any) -> tuple[Edition, Edition]:
    report(store, on_failed_check="publish")
    first = publish(ended(store, executed=old, at=time.time() - DAY, **more))
    second = publish(ended(store, executed=new))
    assert first is not None
    assert second is not None
    return first, second


def table(rows: list[list[object]], head: list[str]) -> Any:
    html = "<table class='dataframe'><thead><tr>" + "".join(f"<th>{one}</th>" for one in head) + "</tr></thead><tbody>"
    html += "".join("<tr>" + "".join(f"<td>{one}</td>" for one in row) + "</tr>" for row in rows) + "</tbody></table>"
    return code("frame", shown({"text/html": html, "text/plain": "frame"}))


def test_numbers_that_changed_are_told_with_where_they_are(store: RunStore) -> None:
    def made(accuracy: str, revenue: str, day: str, *rows: list[object]) -> Any:
        return notebook(
            f"accuracy = {accuracy}, n: 1,200\nrevenue {revenue} EUR on {day}\n",
            new_markdown_cell("## By **region**"),
            table([[0, "EU", revenue, "50%"], *rows], ["", "region", "revenue", "share"]),
        )

    old = made("0.91", "1,000.50", "2026-11-14 07:00", [1, "US", 7, "50%"])
    new = made("0.95", "1,250.50", "2026-11-15 07:00", [1, "Asia", 3, "10%"], [2, "US", 8, "40%"])
    found = compare(*two(store, old, new))

    assert [(one.section, one.label, one.old, one.new) for one in found.numbers] == [
        ("Sales", "accuracy", "0.91", "0.95"),
        ("Sales", "revenue", "1,000.50", "1,250.50"),
        ("By region", "EU · revenue", "1,000.50", "1,250.50"),
        ("By region", "US · revenue", "7", "8"),
        ("By region", "US · share", "50%", "40%"),
    ]
    assert found.numbers[1].difference == 250.0
    assert found.numbers[2].share == pytest.approx(0.24987506)
    assert [(one.old, one.new) for one in found.texts] == [(None, "1 · Asia · 3 · 10%")]
    assert found.code == 0


def test_the_same_shown_again_is_no_change(store: RunStore) -> None:
    same = notebook("accuracy = 0.91", table([["a", 1]], ["x", "y"]), code("plot()", shown({"image/png": PNG})))
    found = compare(*two(store, same, same))
    assert not found
    assert found.code == 0


def test_pictures_texts_checks_parameters_and_code_that_changed_are_told(store: RunStore) -> None:
    other = PNG.replace("2mNk", "2mNl")
    given = code("region = 'EU'", tags=("injected-parameters",))
    old = notebook("fine weather", given, code("plot()", shown({"image/png": PNG})), check(True))
    new = notebook("bad weather", code("plot()  # new", shown({"image/png": other})), check(False), code("more()"))
    first, second = two(store, old, new, params={"region": "EU"})
    found = compare(first, second)
    assert [(one.old, one.new) for one in found.pictures] == [(("image/png", PNG), ("image/png", other))]
    assert [(one.old, one.new) for one in found.texts] == [("fine weather", "bad weather")]
    assert [(one.section, one.old, one.new) for one in found.checks] == [("enough rows", "passed", "failed (3 rows)")]
    assert [(one.section, one.old, one.new) for one in found.params] == [("region", "EU", None)]
    assert found.code == 2


@pytest.mark.parametrize(("before", "after"), [("-2.1423328003686164", "0.4313032824740854"), ("12", "7")])
def test_a_line_of_one_number_alone_is_that_number_changed(store: RunStore, before: str, after: str) -> None:
    found = compare(*two(store, notebook(f"day 1\n{before}\n"), notebook(f"day 1\n{after}\n")))
    assert [(one.old, one.new) for one in found.numbers] == [(before, after)]
    assert not found.texts
    assert _differences(found) == [f"Sales: {after}, it was {before}"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("good", "bad", [("good", "bad")]),
        ("good\nmore", "bad", [("good", None), ("more", None), (None, "bad")]),
        ("good", "bad\nmore", [("good", None), (None, "bad"), (None, "more")]),
        ("good", "good\nmore", [(None, "more")]),
    ],
)
def test_a_line_in_anothers_place_is_one_change(store: RunStore, before: str, after: str, told: list[Any]) -> None:
    found = compare(*two(store, notebook(f"day 1\n{before}\n"), notebook(f"day 1\n{after}\n")))
    assert [(one.old, one.new) for one in found.texts] == told


def test_what_is_too_much_to_compare_is_counted(store: RunStore) -> None:
    rows = [[f"row {n}", n] for n in range(3000)]
    first, second = two(
        store,
        notebook("1", table(rows, ["x", "y"])),
        notebook("1", table([[name, n + 1] for name, n in rows], ["x", "y"])),
    )
    found = compare(first, second)
    assert len(found.numbers) == 1000
    assert found.left_out == {"numbers": 2000}
