"""What is imported when: a notebook must not wait for what it does not use."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from mlwidgets.runner import warm

HEAVY = ["anywidget", "ipywidgets", "jupyterlab", "matplotlib", "nbconvert", "nbformat", "pandas", "sklearn", "torch"]


def imported(code: str, *, candidates: list[str]) -> list[str]:
    """Return which of `candidates` a fresh process has imported after `code`."""
    code += f"\nimport sys\nprint(*(m for m in {candidates!r} if m in sys.modules))"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "MPL"))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split("\n")[-2].split()


LOAD = """
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
shell.run_line_magic("load_ext", "mlwidgets")
assert "train" in shell.magics_manager.magics["cell"] and "runs" in shell.magics_manager.magics["line"]
"""


@pytest.mark.parametrize(
    "code",
    [
        "import mlwidgets",
        "from mlwidgets import log, save",
        "import mlwidgets.api",
        "import mlwidgets; mlwidgets.train, mlwidgets.run, mlwidgets.Run",
        "import mlwidgets.cli",
        "import mlwidgets.runner.worker",
        LOAD,
    ],
)
def test_heavy_modules_wait_for_their_use(code: str) -> None:
    assert imported(code, candidates=HEAVY) == []


def test_a_server_starts_without_what_it_may_never_need(tmp_path: Path) -> None:
    heavy = ["numpy", "pandas", "matplotlib", "anywidget", "ipywidgets", "IPython", "cloudpickle"]
    loads = "import mlwidgets; mlwidgets._jupyter_server_extension_points()"
    assert imported(loads, candidates=heavy) == []
    lists = "from pathlib import Path; from mlwidgets.server.service import Service"
    lists += f"; Service(Path({str(tmp_path)!r})).stores.listing('').rows([])"
    assert imported(lists, candidates=heavy) == []


def test_the_candidates_are_real() -> None:
    assert imported("import matplotlib, nbformat", candidates=HEAVY) == ["matplotlib", "nbformat"]


def test_plain_import_brings_nearly_nothing() -> None:
    heavy = [*HEAVY, "IPython", "numpy", "cloudpickle", "psutil", "sqlite3", "asyncio"]
    assert imported("import mlwidgets", candidates=heavy) == []
    assert imported("from mlwidgets import log\nlog(a=1)", candidates=heavy) == []


@pytest.mark.parametrize(
    "module", ["mlwidgets.runner.supervisor", "mlwidgets.runner.launch", "mlwidgets.capture.provenance"]
)
def test_the_supervisor_is_small(module: str) -> None:
    assert imported(f"import {module}", candidates=[*HEAVY, "IPython", "numpy", "cloudpickle"]) == []


def test_listing_runs_is_light(tmp_path: Path) -> None:
    code = f"from mlwidgets.cli import main\nmain(['--store', {str(tmp_path / 's')!r}, 'runs'])"
    assert set(imported(code, candidates=HEAVY)) == set()


def test_names_of_the_package() -> None:
    import mlwidgets

    for name in mlwidgets.__all__:
        assert getattr(mlwidgets, name) is not None
    assert dir(mlwidgets) == sorted(mlwidgets.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        mlwidgets.nothing
    assert callable(mlwidgets.runs)


def test_modules_that_are_imported_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread imports when a collection of garbage lets it run, in the midst of what lists modules."""
    numbers = itertools.count()

    def imports(phase: str, info: dict[str, int]) -> None:
        monkeypatch.setitem(sys.modules, f"meanwhile{next(numbers)}", types.ModuleType("meanwhile"))

    before = gc.get_threshold()
    gc.callbacks.append(imports)
    gc.set_threshold(1, 1000, 1000)
    try:
        warm._tops_of.__wrapped__(0)
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(imports)
    assert next(numbers) > 0
