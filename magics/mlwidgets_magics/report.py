"""``%report``: this notebook becomes a page at a stable address."""

from __future__ import annotations

import os
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from mlwidgets import api
from mlwidgets.capture import executed
from mlwidgets.capture.data import named_data
from mlwidgets.capture.provenance import notebook_here
from mlwidgets.commands.common import seconds
from mlwidgets.commands.scheduling import add_when, given_of, show, who_ticks
from mlwidgets.errors import MlwidgetsError, ParameterError
from mlwidgets.runs.folder import RunFolder, read_json
from mlwidgets.runs.journal import FOLDER_VARIABLE
from mlwidgets.runs.run import Run
from mlwidgets.runs.store import find_store
from mlwidgets.server.addresses import address_of
from mlwidgets_magics.sending import Sending, cell_id
from mlwidgets_magics.words import LineParser, help_of, is_param, read_params, split_words

if TYPE_CHECKING:
    from mlwidgets.schedules.schedule import Schedule


@magics_class
class ReportMagics(Magics):
    """Publishes notebooks."""

    shell: Any

    def __init__(self, shell: Any, sending: Sending) -> None:
        super().__init__(shell)
        self._sending = sending

    @line_magic
    def report(self, line: str) -> None:
        """Publish this notebook as a report: it is executed as a run, from its first cell to its last.

        %report [NAME] [--title TEXT] [--show-code] [--open] [--withhold] [--pdf] [--keep N] [--keep-days D]
                [--as-it-stands] [--timeout T] [--cell-timeout T] [--gpus N] [--cpus N] [--data PATH] [--wait]
                [--every CRON|off] [--tz ZONE] [--until DATE] [--after NAME] [--when-changed PATH]
                [--notify [WHEN=]TARGET] [--missed once|record] [--retries N] [--matrix NAME=A,B]
                [param=value …]

        NAME is the report's, by default that of the notebook. The notebook as it is saved counts; param=value
        replaces what its cell tagged `parameters` says. Where the notebook executes as a report already, this
        does nothing.
        --title TEXT      the page's title; by default the first heading
        --show-code       show code; else it is folded away
        --open            whoever reaches the server may read it, without a login
        --withhold        do not publish an edition in which a check failed
        --pdf             also as PDF
        --keep N          keep the newest N editions
        --keep-days D     keep editions for D days
        --as-it-stands    publish the outputs that the saved notebook has; nothing is executed
        --timeout T       end it after that time: 90, 90s, 15m, 2h, 1d
        --cell-timeout T  the same for each cell
        --gpus N, --cpus N  what it waits for and then has
        --data PATH       a file or folder that it reads: the digest of its content is kept with the run
        --wait            block until it is published
        --every CRON      also by itself from now on, such as "0 7 * * 1-5"; off: no longer
        --tz ZONE         in which that is read, such as Europe/Berlin; this machine's by default
        --notify …        whom to tell: failure=mailto:me@example.org, slack:$HOOK, browser
        More of schedules is in `mlwidgets schedule add --help`, which takes the same options.
        """
        words = split_words(line)
        if "--help" in words or "-h" in words:
            print(help_of(ReportMagics.report))
            return
        options = _parser().parse_intermixed_args(words)
        plain = [word for word in options.words if not is_param(word)]
        if len(plain) > 1:
            raise UsageError(f"%report takes one name, not {len(plain)}: {' '.join(plain)}")
        if FOLDER_VARIABLE in os.environ:
            # A report that published itself would never come to an end.
            return
        path = self._notebook()
        if path is None:
            # No error: a notebook with this cell can be executed where nobody knows its path, by nbconvert, say.
            print("%report: this kernel does not know its notebook; in a terminal: mlwidgets report run NOTEBOOK")
            return
        if options.every != "off" and not path.is_file():
            raise UsageError(
                f"%report: {path.name} was renamed, moved or deleted since this kernel started: save the notebook; "
                "if that does not help, restart the kernel"
            )
        name = plain[0] if plain else None
        given = [word for word in options.words if is_param(word)]
        try:
            if options.every == "off":
                _unschedule(path, name)
                return
            scheduled = _scheduled(path, name, given, options)
            run = api.report(
                path,
                name=name,
                params=read_params(given),
                execute=not options.as_it_stands,
                settings=_settings(options),
                timeout=options.timeout,
                cell_timeout=options.cell_timeout,
                gpus=options.gpus,
                cpus=options.cpus,
                data=options.data,
            )
            if scheduled is not None:
                _schedule(scheduled)
        except MlwidgetsError as error:
            raise UsageError(str(error)) from None
        if self._unsaved(path):
            print(
                f"mlwidgets: {path.name} has cells that were executed and not saved: they are not in the report",
                file=sys.stderr,
            )
        _tell_address(run)
        self._sending.see_off(run, None, wait=options.wait)
        if options.wait:
            _await_publication(run)

    def _notebook(self) -> Path | None:
        found = self.shell.user_ns.get("__vsc_ipynb_file__") or notebook_here()
        if not found or not str(found).endswith(".ipynb"):
            return None
        from mlwidgets.history.located import locate

        cells = [cell.id for cell in executed.here.cells() if cell.id]
        return locate(Path(found), cells) or Path(found)

    def _unsaved(self, path: Path) -> bool:
        """Whether the kernel has executed since the last save what the file does not hold; this cell aside."""
        from mlwidgets.history.notebooks.notebook import load_notebook

        saved = {cell.source.strip() for cell in load_notebook(path).cells}
        mine = cell_id(self.shell)
        newer = [cell for cell in executed.here.cells(path.stat().st_mtime) if cell.id is None or cell.id != mine]
        return any(cell.source.strip() not in saved for cell in newer if not cell.source.lstrip().startswith("%report"))


def _await_publication(run: Run) -> None:
    """Wait until it is published; say so where the report is not of this run."""
    from mlwidgets.reports.publishing.awaiting import await_edition

    edition = await_edition(RunFolder(run.path))
    if edition is None or edition.state != "published":
        print(f"not published: {edition.cause if edition else 'see mlwidgets report list'}")


def _tell_address(run: Run) -> None:
    """Say where the page is or will be: on the server that this kernel belongs to, else in the store."""
    from IPython.display import display

    folder = RunFolder(run.path)
    server = _server()
    if server is None:
        place = folder.store / "reports" / run.name / "editions" / run.id / "index.html"
        print(f"The page, when the run has ended: {place}")
        return
    root, base = server
    key = "" if find_store(root) == folder.store else Path(os.path.relpath(folder.store.parent, root)).as_posix()
    if key.startswith(".."):
        print(f"This Jupyter server does not show the store {folder.store}; mlwidgets serve in its folder does")
        return
    address = f"{base}{address_of(key, run.name, '')}"
    link = f'<a href="{escape(address, quote=True)}" target="_blank" rel="noopener">{escape(address)}</a>'
    display({"text/plain": f"The page, when the run has ended: {address}", "text/html": f"The page: {link}"}, raw=True)


def _server() -> tuple[Path, str] | None:
    """Return root and base address of the Jupyter server that started this kernel, None if none did."""
    from jupyter_core.paths import jupyter_runtime_dir

    parent = os.environ.get("JPY_PARENT_PID", "")
    told = read_json(Path(jupyter_runtime_dir()) / f"jpserver-{parent}.json") if parent.isdecimal() else None
    root, base = (told or {}).get("root_dir"), (told or {}).get("base_url")
    return (Path(root), base) if isinstance(root, str) and isinstance(base, str) else None


def _parser() -> LineParser:
    parser = LineParser(prog="%report", add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*", metavar="NAME param=value", help="a name, and parameters")
    parser.add_argument("--title", metavar="TEXT")
    for flag in ("--show-code", "--open", "--withhold", "--pdf", "--as-it-stands", "--wait"):
        parser.add_argument(flag, action="store_true", default=None)
    parser.add_argument("--keep", type=int, metavar="N")
    parser.add_argument("--keep-days", type=float, metavar="D")
    parser.add_argument("--timeout", type=seconds, metavar="T")
    parser.add_argument("--cell-timeout", type=seconds, metavar="T")
    parser.add_argument("--gpus", type=float, default=0.0, metavar="N")
    parser.add_argument("--cpus", type=int, metavar="N")
    parser.add_argument("--data", action="append", default=[], metavar="PATH")
    add_when(parser)
    return parser


def _scheduled(path: Path, name: str | None, given: list[str], options: Any) -> Schedule | None:
    """Return the schedule that is asked for, checked; None where none is."""
    from mlwidgets.reports.sending import name_of
    from mlwidgets.schedules.checking import resolve_source
    from mlwidgets.schedules.schedule import CURRENT, REPORT, Schedule
    from mlwidgets.schedules.times import local_zone
    from mlwidgets.schedules.timetable import Schedules

    timezone = options.tz or local_zone()
    asked = given_of(options, timezone)
    if not {"cron", "after", "when_changed"} & asked.keys():
        if asked or options.commit:
            raise ParameterError("%report: say when it is to run by itself: --every, --after or --when-changed")
        return None
    if options.as_it_stands:
        raise ParameterError("%report: what runs by itself is executed: leave --as-it-stands out")
    called = name or name_of(path)
    data = [one["absolute"] for one in named_data(options.data)] or None
    own = {"data": data, "timeout": options.timeout, "cell_timeout": options.cell_timeout, "cpus": options.cpus}
    target = {
        "notebook": str(path),
        "report": called,
        "settings": _settings(options),
        "options": {"gpus": options.gpus, **{key: value for key, value in own.items() if value is not None}},
    }
    params = {**asked.pop("params", {}), **dict(word.split("=", 1) for word in given)}
    source = resolve_source(str(path), options.commit or CURRENT)
    asked = {"timezone": timezone, **asked, "params": params, "source": source}
    return Schedules(api.open_store()).checked(Schedule(called, REPORT, target, **asked))


def _schedule(schedule: Schedule) -> None:
    """Keep a schedule in the place of that of its name; say when it is due."""
    from mlwidgets.schedules.timetable import Schedules

    schedules = Schedules(api.open_store())
    if any(one.name == schedule.name for one in schedules.list()):
        asked = {field: value for field, value in vars(schedule).items() if field not in _KEPT}
        schedule = schedules.edit(schedule.name, **asked)
    else:
        schedule = schedules.add(schedule)
    show(schedules, schedule, 3)
    if who := who_ticks(schedules):
        print(who.removeprefix("; "))


_KEPT = frozenset({"id", "name", "created", "changed", "next", "enabled"})


def _unschedule(path: Path, name: str | None) -> None:
    from mlwidgets.reports.sending import name_of
    from mlwidgets.schedules.timetable import Schedules

    removed = Schedules(api.open_store()).remove(name or name_of(path))
    print(f"{removed.name}: runs by itself no longer; its editions stay")


def _settings(options: Any) -> dict[str, Any]:
    """Return what the report is to be from now on; what was not said stays as it is."""
    said = {
        "title": options.title,
        "show_code": options.show_code,
        "open": options.open,
        "on_failed_check": "withhold" if options.withhold else None,
        "pdf": options.pdf,
        "keep": options.keep,
        "days": options.keep_days,
    }
    return {name: value for name, value in said.items() if value is not None}
