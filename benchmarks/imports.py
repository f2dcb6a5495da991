"""Figure 4: what `import mlwidgets` and `%load_ext mlwidgets` cost in a fresh process, and what they bring in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Figure, Row, Spread, Target, at_most, ratios
from benchmarks.stations import ROOT

#: Modules that must not come in because of us before they are needed.
HEAVY = (
    "torch",
    "pandas",
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "mlflow",
    "optuna",
    "ray",
    "nbconvert",
    "nbformat",
    "sklearn",
    "scipy",
    "tqdm",
)
#: Reported where they come in; they are no secret guests: the library is built on numpy, and a kernel has the others.
NOTED = ("numpy", "IPython", "cloudpickle", "psutil", "sqlite3", "asyncio")

_REPORT = """
import json, sys, time
{before}
_known = set(sys.modules)
_start = time.perf_counter()
{code}
_seconds = time.perf_counter() - _start
{after}
_came = sorted({{name.partition(".")[0] for name in set(sys.modules) - _known}})
print(json.dumps([_seconds, _came]))
"""
_SHELL = "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()"
_KERNEL = "import ipykernel.ipkernel\n" + _SHELL
_LOAD = "shell.run_line_magic('load_ext', 'mlwidgets')"
_LOADED = "assert shell.find_cell_magic('train'), 'there is no %%train'"

IMPORT, LOAD = "`import mlwidgets`", "`%load_ext mlwidgets` in a fresh IPython"
#: What is timed: code that goes before, the code itself, and a check that it did its work.
SUBJECTS = {
    IMPORT: ("", "import mlwidgets", "mlwidgets.log"),
    "`from mlwidgets import log, save`": ("", "from mlwidgets import log, save", ""),
    "`from mlwidgets import train`": ("", "from mlwidgets import train", ""),
    LOAD: (_SHELL, _LOAD, _LOADED),
    "`%load_ext mlwidgets` where ipykernel is imported": (_KERNEL, _LOAD, _LOADED),
    "`import numpy`": ("", "import numpy", ""),
    "`import mlflow`": ("", "import mlflow", ""),
    "`import wandb`": ("", "import wandb", ""),
    "`from torch.utils.tensorboard import SummaryWriter`": (
        "",
        "from torch.utils.tensorboard import SummaryWriter",
        "",
    ),
    "the same where torch is imported": (
        "import torch",
        "from torch.utils.tensorboard import SummaryWriter",
        "",
    ),
    "`import trackio`": ("", "import trackio", ""),
}


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    figure = Figure(
        "imports",
        "Starting up",
        "Each in a fresh process, timed inside it by itself (the interpreter's own start is not counted), in turns, "
        "files in the system's cache.",
    )
    rounds = 3 if quick else 15
    seconds: dict[str, list[float]] = {what: [] for what in SUBJECTS}
    came: dict[str, list[str]] = {}
    missing: dict[str, str] = {}
    for turn in range(-1, rounds):
        for what, code in SUBJECTS.items():
            if what in missing:
                continue
            try:
                taken, came[what] = _fresh(code, scratch)
            except ModuleNotFoundError as error:
                missing[what] = str(error)
                continue
            if turn >= 0:
                seconds[what].append(taken)
    ours = {what for what in SUBJECTS if "mlwidgets" in what}
    for what in SUBJECTS:
        if what in missing:
            figure.rows.append(Row(what, "ms", None, note=missing[what]))
            continue
        guests = [name for name in (*HEAVY, *NOTED) if name in came[what]]
        note = f"brings in {', '.join(guests)}" if guests else "brings in none of the modules below"
        ratio = None if what in ours else ratios(seconds[what], seconds[IMPORT])
        figure.rows.append(Row(what, "ms", Spread.of([s * 1e3 for s in seconds[what]]), ratio, note))
    figure.remarks.append(f"Looked for: {', '.join((*HEAVY, *NOTED))}.")
    for what, limit in ((IMPORT, 100), (LOAD, 300)):
        spread = Spread.of([s * 1e3 for s in seconds[what]]) if seconds[what] else None
        figure.targets.append(at_most(f"{what} under {limit} ms", limit, "ms", spread))
        figure.targets.append(_no_guests(what, came.get(what)))
    return figure


def _no_guests(what: str, came: list[str] | None) -> Target:
    text = f"{what} brings in nothing heavy"
    if came is None:
        return Target(text, "not measured", None)
    guests = [name for name in HEAVY if name in came]
    return Target(text, ", ".join(guests) or "none", not guests)


def _fresh(code: tuple[str, str, str], folder: Path) -> tuple[float, list[str]]:
    """Run the middle part of `code` in a fresh process; return its seconds and the modules that it brought in.

    Raises
    ------
    ModuleNotFoundError
        If what is imported is not installed.
    """
    before, timed, after = code
    source = _REPORT.format(before=f"sys.path.insert(0, {str(ROOT)!r})\n{before}", code=timed, after=after)
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["it failed"]
        if "ModuleNotFoundError" in reason[0] or "ImportError" in reason[0]:
            raise ModuleNotFoundError(reason[0].partition(": ")[2])
        raise RuntimeError(f"{timed}: {done.stderr}")
    taken, came = json.loads(done.stdout.splitlines()[-1])
    return float(taken), list(came)
