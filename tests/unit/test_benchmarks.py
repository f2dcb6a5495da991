from __future__ import annotations

import os
import signal
import struct

import pytest

from benchmarks import loggers, readers
from benchmarks.measure import Figure, Row, Spread, at_least, at_most, number, ratios
from benchmarks.peers import NotInstalledError, load
from benchmarks.report import to_markdown
from benchmarks.stations import Station, StationError

pytestmark = pytest.mark.unit


def test_a_ratio_pairs_the_figures_of_one_round():
    assert ratios([10.0, 40.0, 90.0], [1.0, 2.0, 3.0]) == Spread(10.0, 20.0, 30.0, 3)
    assert ratios([1.0], []) is None


def test_targets_are_judged_by_the_median_and_say_what_could_not_be_measured():
    assert at_most("t", 3, "µs", Spread(1, 2, 9, 3)).met is True
    assert at_most("t", 3, "µs", Spread(1, 4, 9, 3)).met is False
    assert at_least("t", 20, Spread(1, 19.9, 90, 3)).met is False
    assert at_least("t", 20, None).met is None


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (1234.5, "1,234"), (99.96, "100"), (0.0123, "0.0123")])
def test_numbers_are_shown_without_exponents(value, shown):
    assert number(value) == shown


def test_the_page_says_plainly_what_was_missed_and_what_is_missing():
    figure = Figure("log", "Logging", "How.")
    figure.rows = [
        Row("ours", "µs", Spread(1, 2, 3, 5)),
        Row("peer", "µs", Spread(10, 20, 30, 5), Spread(10, 10, 10, 5)),
        Row("other", "µs", None, note="wandb is not installed"),
    ]
    figure.targets = [at_least("20 times cheaper", 20, figure.rows[1].ratio)]
    assert Figure.from_json(figure.to_json()) == figure
    about = {"date": "d", "commit": "c", "processor": "p", "cores": 2, "memory_gib": 8, "system": "s", "python": "3"}
    entry = {"quick": True, "figure": figure.to_json(), "machine": {**about, "load": 0.1, "versions": {"numpy": "2"}}}
    page = to_markdown({"log": entry})
    assert "| Logging: 20 times cheaper | 10 × | **not met** |" in page
    assert "| peer | 20 µs (10 … 30) | 10 × (10 … 10) | 5 |  |" in page
    assert "| other | – | – | – | wandb is not installed |" in page
    assert "A quick run" in page


def test_a_station_answers_from_a_process_of_its_own(tmp_path):
    with Station("benchmarks.loggers:Nothing", tmp_path / "here") as station:
        assert station.pid != os.getpid()
        answer = station.ask(do="calls", n=100)
    assert 0 < answer["median"] <= answer["max"]
    assert station.process.returncode == 0


def test_a_station_whose_subject_is_not_installed_says_so(tmp_path, monkeypatch):
    (tmp_path / "absent_peer.py").write_text(
        "from benchmarks.peers import load\ndef make(folder): load('no_such_peer')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NotInstalledError, match="no_such_peer is not installed"):
        Station("absent_peer:make", tmp_path / "here")
    with pytest.raises(NotInstalledError):
        load("no_such_peer")


def test_a_station_that_is_killed_is_an_error_and_not_a_wait(tmp_path):
    station = Station("benchmarks.loggers:Nothing", tmp_path / "here")
    os.kill(station.pid, signal.SIGKILL)
    with pytest.raises(StationError):
        station.ask(do="calls", n=1)
    station.close()


def test_offline_files_are_read_across_blocks_and_up_to_a_torn_end():
    messages = [bytes([65 + i]) * size for i, size in enumerate((10, 40_000, 70_000, 5))]
    block, head = 32_768, 7
    data = bytearray(b":W&B\xe1\xbe\x00")
    for message in messages:
        rest, first = message, True
        while rest or first:
            left = block - len(data) % block
            if left < head:
                data += bytes(left)
                continue
            part, rest = rest[: left - head], rest[left - head :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not rest]
            data += struct.pack("<IHB", 0, len(part), kind) + part
            first = False
    assert list(readers._wandb_messages(bytes(data))) == messages
    assert list(readers._wandb_messages(bytes(data[:-3]))) == messages[:-1]


def test_numpy_readers_find_what_was_written(tmp_path):
    from benchmarks.read import STEPS, _write_raw

    _write_raw(tmp_path / "raw", 2)
    answers = [reader(tmp_path / "raw")({"do": "read"}) for reader in (readers.RawLoad, readers.RawFile)]
    assert [answer["points"] for answer in answers] == [2 * 2 * STEPS] * 2
    assert answers[0]["sum"] == answers[1]["sum"]


def test_every_peer_has_a_writer_and_a_reader_of_the_same_name():
    from benchmarks.read import PEERS

    for reader, logger in PEERS.items():
        assert reader.__name__ == logger.__name__
        assert issubclass(logger, loggers.Logger)
