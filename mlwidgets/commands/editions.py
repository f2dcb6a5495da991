"""Reports as they were published: list, compare, prune, delete, settings, the static site."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlwidgets.commands.common import plain, print_table, store_of
from mlwidgets.errors import MlwidgetsError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlwidgets.reports.publishing.comparing import Comparison
    from mlwidgets.reports.publishing.editions import Edition, Report

REPORT = "a report's name"
EDITION = "an edition's id or the beginning of one, latest, newest, or a number of editions back, as ~1"
_WORDS = {"yes": True, "true": True, "no": False, "false": False, "none": None}
_WIDEST = 60


def add(choices: Any) -> None:
    """Add the commands below ``report``."""
    listing = choices.add_parser("list", help="all reports: state, latest edition, since when it is stale")
    listing.add_argument("--json", action="store_true", help="as JSON, one object per line")
    listing.set_defaults(action=_list)
    editions = choices.add_parser("editions", help="the editions of a report, newest first")
    editions.add_argument("name", help=REPORT)
    editions.add_argument("--limit", type=int, default=30, metavar="N", help="how many at most (30)")
    editions.add_argument("--json", action="store_true", help="as JSON, one object per line")
    editions.set_defaults(action=_editions)
    compare = choices.add_parser("compare", help="numbers and pictures that changed from one edition to another")
    compare.add_argument("name", help=REPORT)
    compare.add_argument("old", nargs="?", metavar="A", help=f"{EDITION}; the one published before B")
    compare.add_argument("new", nargs="?", metavar="B", help=f"{EDITION}; the latest")
    compare.add_argument("--html", type=Path, metavar="FILE", help="write it as a page with the pictures")
    compare.set_defaults(action=_compare)
    prune = choices.add_parser("prune", help="remove old editions; the latest stays")
    prune.add_argument("names", nargs="*", metavar="name", help=f"{REPORT}; all reports")
    prune.add_argument("--keep", type=_count, metavar="N", help="how many are kept; else what the report is set to")
    prune.add_argument("--days", type=_days, metavar="D", help="for how many days")
    prune.add_argument("--dry-run", action="store_true", help="only say which")
    prune.set_defaults(action=_prune)
    delete = choices.add_parser("delete", help="remove a report with all its editions")
    delete.add_argument("name", help=REPORT)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.set_defaults(action=_delete)
    site = choices.add_parser("site", help="write reports as a static site: a directory, file://, s3:// and others")
    site.add_argument("url", metavar="URL")
    site.add_argument("names", nargs="*", metavar="name", help=f"{REPORT}; all reports")
    site.set_defaults(action=_site)
    change = choices.add_parser("set", help="change title, keep, days, pdf, site and so on of a report")
    change.add_argument("name", help=REPORT)
    change.add_argument("settings", nargs="*", metavar="setting=value", help="none says how it is set")
    change.set_defaults(action=_set)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1 is kept")
    return value


def _days(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("give a number of days")
    return value


def _report(options: argparse.Namespace) -> Report:
    from mlwidgets.reports.publishing.editions import Report

    report = Report(store_of(options), options.name)
    _ = report.definition
    return report


def _list(options: argparse.Namespace) -> int:
    from mlwidgets.reports.publishing.editions import reports
    from mlwidgets.reports.publishing.standing import WORDS, standing

    store = store_of(options)
    found = [(report, standing(report)) for report in reports(store)]
    if options.json:
        for report, now in found:
            told = {
                "name": report.name,
                "title": report.title,
                "state": now.state,
                "latest": now.latest.to_json() if now.latest else None,
                "stale_since": now.stale_since,
                "cause": now.newest.cause if now.newest and now.newest is not now.latest else None,
                "making": list(now.making),
            }
            print(json.dumps(told))
    elif found:
        rows = [("name", "state", "latest edition", "when", "stale since")]
        for report, now in found:
            latest = now.latest
            state = f"{WORDS[now.state]}, a new one is being made" if now.making else WORDS[now.state]
            when = _time(latest.time) if latest else ""
            since = "" if now.stale_since is None else _time(now.stale_since)
            rows.append((report.name, state, latest.id if latest else "", when, since))
        _print(rows)
    else:
        print(f"no reports yet in {store.path}: `mlwidgets report run NOTEBOOK` publishes one")
    return 0


def _editions(options: argparse.Namespace) -> int:
    report = _report(options)
    found = report.editions(max(1, options.limit))
    if options.json:
        for edition in found:
            print(json.dumps(edition.to_json()))
    elif found:
        latest = report.latest()
        rows = [("edition", "state", "when", "took", "checks", "")]
        for one in found:
            state = f"{one.state}, latest" if latest and latest.id == one.id else one.state
            rows.append((one.id, state, _time(one.time), _took(one), _checks(one), one.cause or ""))
        _print(rows)
    else:
        print(f"{report.name} has no edition yet")
    return 0


def _took(edition: Edition) -> str:
    from mlwidgets.reports.page.about import duration_words

    return "" if edition.duration is None else duration_words(edition.duration)


def _checks(edition: Edition) -> str:
    failed = sum(not one.passed for one in edition.checks)
    return "" if not edition.checks else f"{failed} failed" if failed else f"{len(edition.checks)} passed"


def _compare(options: argparse.Namespace) -> int:
    from mlwidgets.reports.publishing.comparing import compare
    from mlwidgets.reports.publishing.definition import UnknownReport
    from mlwidgets.reports.site.pages import page_of_comparison

    report = _report(options)
    new = _edition(report, options.new or "latest")
    old = _edition(report, options.old) if options.old else report.previous(new)
    if old is None:
        raise UnknownReport(f"report {report.name!r} has no edition that was published before {new.id}")
    found = compare(old, new)
    if options.html is not None:
        page = page_of_comparison(report.title, found)
        try:
            options.html.write_text(page, encoding="utf-8")
        except OSError as error:
            raise MlwidgetsError(f"cannot write {options.html}: {error.strerror or error}") from error
        print(f"written to {options.html}")
        return 0
    _tell(found)
    return 0


def _edition(report: Report, name: str) -> Edition:
    """Return the edition that a user means."""
    from mlwidgets.reports.publishing.definition import UnknownReport

    if name.startswith("~") and name[1:].isdecimal():
        ids = report.ids()
        if int(name[1:]) >= len(ids):
            raise UnknownReport(f"report {report.name!r} has {_counted(len(ids))}, none {name}")
        return report.edition(ids[int(name[1:])])
    starting = [one for one in report.ids() if len(name) >= 4 and one.startswith(name)]
    if name not in starting and len(starting) > 1:
        raise UnknownReport(f"several editions of {report.name!r} begin with {name}: {', '.join(starting[:4])}")
    return report.edition(starting[0] if len(starting) == 1 else name)


def _tell(found: Comparison) -> None:
    from mlwidgets.reports.site.pages import grown, said, share

    print(f"{found.old.id} → {found.new.id}: {said(found)}")
    for name, some in (("checks", found.checks), ("parameters", found.params)):
        if some:
            print(f"\n{name}")
            _print([(one.section, one.old or "–", "→", one.new or "–") for one in some])
    if found.numbers:
        print("\nnumbers")
        rows = [("section", "what", "before", "now", "difference", "")]
        rows += [(one.section, one.label, one.old, one.new, grown(one), share(one)) for one in found.numbers]
        _print(rows)
    if found.texts:
        print("\ntexts")
        for text in found.texts:
            for sign, side in (("-", text.old), ("+", text.new)):
                if side:
                    print(f"{sign} {plain(f'{text.section}: {side}' if text.section else side, 200)}")
    if found.pictures:
        where = ", ".join(dict.fromkeys(plain(one.section, _WIDEST) for one in found.pictures if one.section))
        print(f"\npictures: {len(found.pictures)} changed{f', in {where}' if where else ''}; --html FILE shows them")
    for kind, count in found.left_out.items():
        print(f"and {count} more {kind}")


def _prune(options: argparse.Namespace) -> int:
    from mlwidgets.reports.publishing.editions import Report, reports
    from mlwidgets.reports.publishing.retention import prune

    store = store_of(options)
    chosen = [Report(store, name) for name in options.names] or reports(store)
    if not chosen:
        print(f"no reports yet in {store.path}")
    for report in chosen:
        gone = prune(report, keep=options.keep, days=options.days, dry_run=options.dry_run)
        what = "would be removed" if options.dry_run else "removed"
        had = len(report.ids()) + (0 if options.dry_run else len(gone))
        print(f"{report.name}: {len(gone)} of {_counted(had)} {what}")
        for one in gone if options.dry_run else ():
            print(f"  {one}")
        if gone and not options.dry_run:
            _follow(report)
    return 0


def _follow(report: Report) -> None:
    """Bring the site up to date that a report is on."""
    from mlwidgets.reports.site.writing import update_site

    if report.definition.site is not None:
        update_site(report.store, report.definition.site)


def _counted(editions: int) -> str:
    return f"{editions} edition{'' if editions == 1 else 's'}"


def _delete(options: argparse.Namespace) -> int:
    from mlwidgets.reports.publishing.retention import delete

    report = _report(options)
    count = len(report.ids())
    if not options.yes:
        if not sys.stdin.isatty():
            raise ParameterError(f"nobody is there to be asked whether {report.name!r} is to be removed: give --yes")
        answer = input(f"Remove the report {report.name} with {_counted(count)}? They cannot be restored. [y/N] ")
        if answer.strip().lower() not in {"y", "yes"}:
            print("nothing was removed")
            return 1
    delete(report)
    print(f"{report.name}: removed, with {_counted(count)}")
    _follow(report)
    return 0


def _site(options: argparse.Namespace) -> int:
    from mlwidgets.reports.site.writing import write_site

    written = write_site(store_of(options), options.url, options.names or None)
    print(f"{options.url}: {written.written} files written, {written.removed} removed")
    return 0


def _set(options: argparse.Namespace) -> int:
    from mlwidgets.reports.publishing.definition import SETTINGS, define

    report = _report(options)
    given = dict(map(_setting, options.settings))
    definition = define(report.store, report.name, settings=given) if given else report.definition
    _print([(key, _shown(getattr(definition, key))) for key in SETTINGS])
    return 0


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ParameterError(f"{text!r} is no setting: give it as setting=value")
    if key in {"title", "site", "on_failed_check"}:
        return key, None if value in {"", "none"} and key != "on_failed_check" else value
    if value.lower() in _WORDS:
        return key, _WORDS[value.lower()]
    try:
        return key, float(value) if key == "days" else int(value)
    except ValueError:
        return key, value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _time(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def _print(rows: Sequence[Sequence[str]]) -> None:
    print_table([[plain(text, _WIDEST) for text in row] for row in rows])
