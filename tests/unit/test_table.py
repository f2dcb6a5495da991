from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlwidgets.runs.index import RunSummary
from mlwidgets.views.table import RunTable, describe_sweep, format_duration


@pytest.fixture
def summary() -> Callable[..., RunSummary]:
    def make(**fields: Any) -> RunSummary:
        given = {
            "id": "20261120-123000-lenet-abcd", "name": "lenet", "state": "finished", "cause": None,
            "submitted_at": 1e9, "started_at": 1e9, "ended_at": 1e9 + 65, "params": {}, "tags": {}, "notebook": None,
            "metrics": {},
        }  # fmt: skip
        return RunSummary(**{**given, **fields})

    return make


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (4.24, "4.2 s"), (60, "1 min 00 s"), (185.4, "3 min 05 s"), (3600, "1 h 00 min"),
     (7620, "2 h 07 min"), (3599.7, "1 h 00 min"), (59.97, "1 min 00 s"), (200000, "55 h 33 min")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_numbers_that_a_sampler_has_chosen(summary: Callable[..., RunSummary]) -> None:
    params = {"lr": "0.00012345678901234567", "keep": "-1.2345678901234567e-05", "v": "'0.12345678'", "n": "123456789"}
    row = repr(RunTable([summary(params=params)])).split("\n")[1].split()
    assert row[-4:] == ["0.000123457", "-1.23457e-05", "'0.12345678'", "123456789"]


@pytest.mark.parametrize("at", [1e20, -1e20, float("inf"), float("nan")])
def test_times_that_no_calendar_has(summary: Callable[..., RunSummary], at: float) -> None:
    for fields in ({"submitted_at": at}, {"started_at": at}, {"ended_at": at}):
        table = RunTable([summary(**fields), summary(name="other")])
        assert repr(table).split("\n")[2].split()[:2] == ["other", "finished"]
        assert "other" in table._repr_html_()


def test_text_that_cannot_be_encoded(summary: Callable[..., RunSummary]) -> None:
    table = RunTable([summary(id="\udcff", params={"a": "\ud800"}, metrics={"\ud800": 1.0})])
    assert b"lenet" in repr(table).encode()
    assert b"lenet" in table._repr_html_().encode()


def test_no_runs() -> None:
    assert repr(RunTable([])) == "no runs yet: put %%train on top of a cell"
    assert "No runs yet" in RunTable([])._repr_html_()


def test_what_a_rerun_does_again(summary: Callable[..., RunSummary]) -> None:
    again = summary(name="faster", rerun_of="20261120-123000-lenet-abcd")
    head, first, second = repr(RunTable([again, summary()])).split("\n")
    assert head.split()[-2:] == ["rerun", "of"]
    assert first.split()[-1] == "lenet"
    assert second.split()[-1] == "s"
    assert "rerun" not in repr(RunTable([summary()]))


def test_text(summary: Callable[..., RunSummary]) -> None:
    table = RunTable([summary(params={"lr": "0.1"}, metrics={"loss": 0.123456}), summary(name="b", started_at=None)])
    head, first, second = repr(table).split("\n")
    assert head.split() == ["name", "state", "submitted", "time", "lr", "loss"]
    assert first.split()[4:] == ["1", "min", "05", "s", "0.1", "0.1235"]
    assert second.split()[0] == "b"
    assert len(second.split()) == 4
    assert head.index("state") == first.index("finished") == second.index("finished")


def test_parameters_of_many_lines(summary: Callable[..., RunSummary]) -> None:
    table = RunTable([summary(params={"df": "   a  b\n0  1  2\n" * 50})])
    assert len(repr(table).split("\n")) == 2
    assert max(map(len, repr(table).split("\n"))) < 130


def test_html_is_escaped(summary: Callable[..., RunSummary]) -> None:
    text = RunTable([summary(params={"<b>": "<script>"}, metrics={"a&b": float("nan")}, id='"x')])._repr_html_()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "<b>" not in text
    assert "a&amp;b" in text
    assert "title='&quot;x'" in text


def test_it_is_a_sequence(summary: Callable[..., RunSummary]) -> None:
    table = RunTable([summary(name=n) for n in "abc"])
    assert len(table) == 3
    assert table[0].name == "a"
    assert [s.name for s in table] == ["a", "b", "c"]
    assert [s.name for s in table[1:]] == ["b", "c"]


def test_a_parameter_and_a_metric_of_one_name_have_two_names(summary: Callable[..., RunSummary]) -> None:
    table = RunTable([summary(params={"width": "3", "time": "1"}, metrics={"width": 2.0, "state": 5.0})])
    head = repr(table).split("\n")[0].split("  ")
    assert [name.strip() for name in head if name.strip()][4:] == [
        "width (parameter)", "time (parameter)", "width (metric)", "state (metric)"
    ]  # fmt: skip


def test_of_many_columns_the_telling_ones_come_first(summary: Callable[..., RunSummary]) -> None:
    same = {f"same{i}": "x" for i in range(20)}
    runs = [
        summary(
            params={**same, "lr": str(i), "seldom": "1"} if i else {**same, "lr": "0"}, metrics={"epoch": 1, "loss": 2}
        )
        for i in range(3)
    ]
    head, *_, last = repr(RunTable(runs)).split("\n")
    assert head.split() == ["name", "state", "submitted", "time", "lr", "seldom", *list(same)[:4], "loss", "epoch"]
    assert last == f"not shown: {', '.join(list(same)[4:12])} …; `%runs --all` shows every column"
    assert "same19" not in RunTable(runs)._repr_html_()
    assert "not shown: same4" in RunTable(runs)._repr_html_()
    assert repr(RunTable(runs, every=True)).split("\n")[0].split()[-3:] == ["same19", "loss", "epoch"]


def test_a_table_is_no_wider_than_the_terminal(
    summary: Callable[..., RunSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [summary(params={f"parameter{i}": str(i) for i in range(5)}, metrics={f"metric{i}": 0.5 for i in range(5)})]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    *table, last = repr(RunTable(runs)).split("\n")
    assert max(map(len, table)) <= 100
    assert "parameter0" in table[0]
    assert "metric0" in table[0]
    assert last.startswith("not shown: ")


@pytest.fixture
def searched(summary: Callable[..., RunSummary]) -> list[RunSummary]:
    """A sweep with two trials, newest first, a run, and a trial whose sweep is not here."""
    counts = {"running": 1, "waiting": 0, "finished": 15, "terminated": 2, "failed": 1, "stopped": 0, "given_back": 0}
    outline = {
        "objectives": [{"metric": "val_accuracy", "direction": "maximize"}], "planned": 20, "counts": counts,
        "best": [0.98123], "best_trial": 4, "paused": None,
    }  # fmt: skip
    return [
        summary(id="t10", name="search-10", trial_of="s", trial=10),
        summary(id="t2", name="search-2", trial_of="s", trial=2),
        summary(id="other", name="other-0", trial_of="gone", trial=0),
        summary(id="s", name="search", sweep=outline),
        summary(id="r", name="lenet"),
    ]


def test_a_sweep_stands_for_its_trials(searched: list[RunSummary]) -> None:
    table = RunTable(searched)
    assert [one.id for one in table] == ["other", "s", "r"]
    head, *lines = repr(table).split("\n")
    assert head.split() == ["name", "state", "submitted", "time", "trials"]
    assert lines[1].endswith("18/20, best val_accuracy 0.9812")
    assert lines[0].endswith("s")
    assert "18/20, best val_accuracy 0.9812" in table._repr_html_()
    assert "trials" not in repr(RunTable(searched[-1:]))


def test_trials_that_are_asked_for_come_below_their_sweep(searched: list[RunSummary]) -> None:
    assert [one.id for one in RunTable(searched, trials=True)] == ["other", "s", "t2", "t10", "r"]


def test_a_sweep_without_a_best_and_one_that_is_paused(searched: list[RunSummary]) -> None:
    outline = {**(searched[3].sweep or {}), "best": None, "planned": None, "paused": "the disk is full"}
    assert describe_sweep(outline) == "18, paused"


def test_a_trial_that_its_policy_ended_was_ended_early(summary: Callable[..., RunSummary]) -> None:
    early = {"state": "stopped", "cause": "ended early: 0.2 is below 0.5", "trial_of": "s"}
    table = RunTable(
        [summary(**early), summary(**{**early, "cause": "stopped by user"}), summary(**{**early, "trial_of": None})]
    )
    assert [line[7:19].rstrip() for line in repr(table).split("\n")[1:]] == ["ended early", "stopped", "stopped"]
