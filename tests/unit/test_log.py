from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlwidgets.runs.folder import RunFolder
from mlwidgets.runs.journal import MetricColumn, read_metrics
from mlwidgets.tracking import active
from mlwidgets.tracking.log import MetricLog


@pytest.fixture
def metrics_of(tmp_path: Path) -> Any:
    def read() -> dict[str, MetricColumn]:
        return read_metrics(tmp_path / "metrics.bin", tmp_path / "events.jsonl")

    return read


@pytest.fixture
def log(tmp_path: Path) -> MetricLog:
    return MetricLog(tmp_path / "metrics.bin", tmp_path / "events.jsonl")


def test_each_metric_counts_by_itself(log: MetricLog, metrics_of: Any) -> None:
    log(loss=3.0)
    log(loss=2.0, accuracy=0.5)
    log({"loss": 1.0, "a b": 7})
    columns = metrics_of()
    assert {n: c.steps.tolist() for n, c in columns.items()} == {"loss": [0, 1, 2], "accuracy": [0], "a b": [0]}
    assert columns["a b"].values.tolist() == [7]


def test_counting_goes_on_from_an_explicit_step(log: MetricLog, metrics_of: Any) -> None:
    log(loss=1.0)
    log(loss=1.0, step=100)
    log(loss=1.0, other=2.0)
    log(loss=1.0, step=-5)
    log(loss=1.0)
    assert metrics_of()["loss"].steps.tolist() == [0, 100, 101, -5, -4]
    assert metrics_of()["other"].steps.tolist() == [0]


def test_keywords_win_over_the_mapping_and_step_is_no_metric(log: MetricLog, metrics_of: Any) -> None:
    values = {"a": 1.0, "step": 2.0}
    log(values, a=3.0, step=4)
    assert {n: c.values.tolist() for n, c in metrics_of().items()} == {"a": [3.0], "step": [2.0]}
    assert values == {"a": 1.0, "step": 2.0}


@pytest.mark.parametrize(
    "value", [1, True, np.float32(0.1), np.int64(3), np.array(2.5), np.array([[2.5]]), Fraction(1, 3), 10**20]
)
def test_numbers(log: MetricLog, metrics_of: Any, value: Any) -> None:
    log(x=value)
    expected = value.item() if isinstance(value, np.ndarray) else value
    assert metrics_of()["x"].values.tolist() == [float(expected)]


def test_nan_and_infinity_are_kept(log: MetricLog, metrics_of: Any) -> None:
    log(x=math.nan, y=-math.inf, z=-0.0)
    columns = metrics_of()
    assert math.isnan(columns["x"].values[0])
    assert columns["y"].values[0] == -math.inf
    assert math.copysign(1, columns["z"].values[0]) == -1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bad": "0.3"}, "metric 'bad' must be one number, not str '0.3'"),
        ({"bad": None}, "metric 'bad' must be one number, not NoneType None"),
        ({"bad": np.zeros((2, 3))}, r"metric 'bad' must be one number, not ndarray of shape \(2, 3\)"),
        ({"bad": [1.0]}, "metric 'bad' must be one number, not list"),
        ({"bad": 1j}, "metric 'bad' must be one number, not complex"),
        ({"bad": 10**400}, "metric 'bad' must be one number, not int"),
        ({"bad": b"1"}, "metric 'bad' must be one number, not bytes"),
        ({"": 1.0}, "name must be a non-empty str"),
        ({7: 1.0}, "name must be a non-empty str, not 7"),
    ],
)
def test_what_is_no_metric_is_an_error_and_nothing_is_recorded(
    log: MetricLog, metrics_of: Any, wrong: dict[Any, Any], message: str
) -> None:
    log(good=1.0)
    for step in (None, 50):
        with pytest.raises(TypeError, match=message):
            log({"good": 2.0, **wrong, "later": 3.0}, step=step)
    log(good=4.0, later=5.0)
    columns = metrics_of()
    assert {n: c.steps.tolist() for n, c in columns.items()} == {"good": [0, 1], "later": [0]}
    assert columns["good"].values.tolist() == [1.0, 4.0]


@pytest.mark.parametrize("step", ["1", 1.5, None.__class__, np.float64(2)])
def test_step_must_be_an_int(log: MetricLog, metrics_of: Any, step: Any) -> None:
    with pytest.raises(TypeError, match="step must be an int, not"):
        log(x=1.0, step=step)
    assert metrics_of() == {}


def test_step_that_is_too_big_is_an_error_and_nothing_is_recorded(log: MetricLog, metrics_of: Any) -> None:
    log(x=1.0)
    with pytest.raises(TypeError, match="step must be an int"):
        log(x=1.0, step=2**63)
    log(x=1.0)
    assert metrics_of()["x"].steps.tolist() == [0, 1]


def test_steps_of_numpy(log: MetricLog, metrics_of: Any) -> None:
    log(x=1.0, step=np.int32(7))
    log(x=1.0)
    assert metrics_of()["x"].steps.tolist() == [7, 8]


def test_no_metrics_at_all(log: MetricLog, metrics_of: Any) -> None:
    log()
    log({})
    assert metrics_of() == {}
    assert log.lost == 0


def child(folder: RunFolder, code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, active.FOLDER_VARIABLE: str(folder.path)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, **options)


def test_outside_a_run_it_does_nothing_and_says_so_once(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != active.FOLDER_VARIABLE}
    code = "from mlwidgets import log, save\nfor i in range(3):\n    log(loss=i); save('text', 'a.txt')\nprint('on')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "on\n"
    assert done.stderr.count("log() does nothing here") == done.stderr.count("save() does nothing here") == 1
    assert not list(tmp_path.iterdir())


def test_processes_that_were_forked_log_too(new_run: Any) -> None:
    folder = new_run()
    child(
        folder,
        "import multiprocessing as mp\nfrom mlwidgets import log\n"
        "def work(n):\n    for i in range(100): log({f'w{n}': i, 'both': n})\n"
        "log(start=1.0)\n"
        "ps = [mp.get_context('fork').Process(target=work, args=(n,)) for n in range(2)]\n"
        "[p.start() for p in ps]; [p.join() for p in ps]\nlog(end=1.0)",
    )
    columns = read_metrics(folder.metrics, folder.events)
    assert columns["w0"].values.tolist() == columns["w1"].values.tolist() == list(range(100))
    assert sorted(columns["both"].values.tolist()) == [0] * 100 + [1] * 100
    assert len(columns["end"].values) == 1


FULL = """
import resource, signal
from mlwidgets import log
from mlwidgets.tracking.log import lost_records
log(a=0.0, b=0.0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, resource.RLIM_INFINITY))
for number in range(1, 20):
    log(a=number, b=-number)
before = lost_records()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log(a=100.0, b=-100.0, c=1.0)
print(before, lost_records())
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on the size of files")
@pytest.mark.parametrize("limit", [500, 512, 513, 544, 575, 576])
def test_full_disk(new_run: Any, limit: int) -> None:
    folder = new_run()
    done = child(folder, FULL.replace("BYTES", str(limit)))
    columns = read_metrics(folder.metrics, folder.events)
    written = columns["a"].values.tolist() + [-v for v in columns["b"].values.tolist()]
    lost = 40 - (len(written) - 2)
    assert done.stdout.split() == [str(lost), str(lost)]
    assert done.stderr.count("metrics are not being recorded") == 1
    assert "The code goes on." in done.stderr
    assert columns["a"].values[-1] == 100.0
    assert columns["a"].values[:-1].tolist() == list(range(len(columns["a"].values) - 1))
    assert columns["c"].values.tolist() == [1.0]


def test_full_disk_at_the_first_name(new_run: Any) -> None:
    folder = new_run()
    done = child(
        folder,
        "import resource, signal\nfrom mlwidgets import log\nfrom mlwidgets.tracking.log import lost_records\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "hard = resource.RLIM_INFINITY\nresource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))\n"
        "log(a=1.0, b=2.0)\nlog(a=2.0)\nresource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "log(a=3.0, b=3.0)\nprint(lost_records())",
    )
    assert done.stdout == "3\n"
    columns = read_metrics(folder.metrics, folder.events)
    assert {n: c.values.tolist() for n, c in columns.items()} == {"a": [3.0], "b": [3.0]}


def test_run_folder_that_is_gone(new_run: Any) -> None:
    folder = new_run()
    folder.path.rename(folder.path.with_name("elsewhere"))
    done = child(folder, "from mlwidgets import log\nlog(a=1.0); log(a=2.0)\nprint('on')")
    assert done.stdout == "on\n"
    assert done.stderr.count("metrics are not being recorded") == 1


def test_torch_tensors(log: MetricLog, metrics_of: Any) -> None:
    torch = pytest.importorskip("torch")
    loss = torch.tensor([[0.25]], requires_grad=True)
    log(loss=loss, step=torch.tensor(4))
    assert metrics_of()["loss"].values.tolist() == [0.25]
    assert metrics_of()["loss"].steps.tolist() == [4]
    with pytest.raises(TypeError, match=r"metric 'w' must be one number, not Tensor of shape \(2,\)"):
        log(w=torch.zeros(2))
