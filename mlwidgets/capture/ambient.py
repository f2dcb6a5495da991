"""What shapes code from outside it: gathered in the notebook, applied in the worker.

Libraries are asked only if the notebook has imported them.
"""

from __future__ import annotations

import decimal
import os
import random
import re
import sys
import warnings
import zlib
from collections.abc import Callable
from multiprocessing import current_process
from typing import Any

from mlwidgets.capture import logs
from mlwidgets.capture.imported import imported
from mlwidgets.capture.onimport import when_imported

_PACKAGES = re.compile(r"/(site|dist)-packages(/|$)")
_LIBRARIES = re.compile(rf"{_PACKAGES.pattern}|/lib(64)?/python3(\.\d+)?(/|$)|/python3\d+\.zip$")
"""Folders that belong to an environment, and not to a project."""


def gather(*, random_states: bool) -> dict[str, Any]:
    """Return the state of this process that code behaves by, one entry for each library.

    Parameters
    ----------
    random_states
        Whether to take the random states of ``random``, numpy and torch along: not if a seed is given.
    """
    state: dict[str, Any] = {
        "argv": _arguments(),
        "path": list(sys.path),
        "warnings": list(warnings.filters),
        "recursion_limit": sys.getrecursionlimit(),
    }
    libraries: tuple[tuple[str, Callable[[Any], Any]], ...] = (
        ("numpy", _numpy),
        ("torch", _torch),
        ("matplotlib", _matplotlib),
        ("pandas", _pandas),
        ("decimal", lambda decimal: decimal.getcontext()),
        ("logging", lambda _: logs.gather()),
    )
    for name, ask in libraries:
        library = imported(name)
        if library is not None:
            state[name] = ask(library)
    # Functions may be such that they cannot be sent: they must not take the other settings with them.
    if "numpy" in state and state["numpy"]["print"].get("formatter"):
        state["numpy.formatter"] = state["numpy"]["print"].pop("formatter")
    if "pandas" in state:
        state["pandas.functions"] = {k: v for k, v in state["pandas"].items() if callable(v)}
        state["pandas"] = {k: v for k, v in state["pandas"].items() if not callable(v)}
    if random_states:
        state["random"] = _random_states()
        if not {"numpy", "torch"} <= state["random"].keys():
            # What has no state yet would draw one from the system, another one each time.
            state["unseeded"] = _drawn()
    return state


def _arguments() -> list[str]:
    """Return ``sys.argv`` without the connection file, which means something to the kernel alone."""
    own = len(sys.argv) == 3 and sys.argv[1] == "-f" and "kernel" in sys.argv[0]
    return sys.argv[:1] if own else list(sys.argv)


def _numpy(numpy: Any) -> dict[str, Any]:
    options = {k: v for k, v in numpy.get_printoptions().items() if k != "override_repr"}
    return {"print": options, "errors": numpy.geterr()}


def _torch(torch: Any) -> dict[str, Any]:
    return {
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "dtype": torch.get_default_dtype(),
        "device": str(torch.get_default_device()),
        "grad": torch.is_grad_enabled(),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "matmul": torch.get_float32_matmul_precision(),
        "anomaly": (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        "print": dict(vars(torch._tensor_str.PRINT_OPTS)),
    }


def _matplotlib(matplotlib: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        defaults = matplotlib.rcParamsDefault
        names = [k for k in matplotlib.rcParams if not k.startswith(("backend", "interactive")) and k in defaults]
        state = {k: matplotlib.rcParams[k] for k in names if matplotlib.rcParams[k] != defaults[k]}
        # Whoever first needs the backend chooses it, and turns interaction on.
        if getattr(sys.modules.get("matplotlib.pyplot"), "_backend_mod", None) is not None:
            state["interactive"] = matplotlib.is_interactive()
        return state


def _pandas(pandas: Any) -> dict[str, Any]:
    options: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some options are deprecated
        groups = [("", pandas.options)]
        while groups:
            prefix, group = groups.pop()
            for name in dir(group):
                value = getattr(group, name)
                if type(value) is type(group):
                    groups.append((f"{prefix}{name}.", value))
                elif callable(value) or isinstance(value, bool | int | float | str | type(None)):
                    options[f"{prefix}{name}"] = value
    return options


def _random_states() -> dict[str, Any]:
    states: dict[str, Any] = {"random": random.getstate()}
    numpy, torch = imported("numpy"), imported("torch")
    if numpy is not None and "numpy.random" in sys.modules:
        states["numpy"] = numpy.random.get_state()
    if torch is not None:
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _drawn() -> int:
    """Return a seed that nobody has chosen."""
    return int.from_bytes(os.urandom(4), "little")


def apply_paths(state: dict[str, Any]) -> None:
    """Set ``sys.argv``, ``sys.path`` and the recursion limit; needed before anything is imported."""
    sys.argv[:] = state.get("argv", sys.argv)
    sys.path[:] = _path(state["path"]) if "path" in state else sys.path
    if "recursion_limit" in state:
        sys.setrecursionlimit(state["recursion_limit"])


def _path(told: list[str]) -> list[str]:
    """Return where modules are looked for: as at submit, but for the libraries of another environment this one's."""
    own = [folder for folder in sys.path if folder.startswith(sys.prefix) and _PACKAGES.search(folder)]
    if not own or any(folder in told for folder in own):
        return told
    local = [folder for folder in told if not _LIBRARIES.search(folder)]
    return [*local, *(folder for folder in sys.path if folder not in local)]


def apply(state: dict[str, Any]) -> None:
    """Set all else but the random states."""
    if "warnings" in state:
        warnings.filters[:] = state["warnings"]  # type: ignore[index]
        getattr(warnings, "_filters_mutated", lambda: None)()
    if "numpy" in state:
        import numpy as np

        np.set_printoptions(**state["numpy"]["print"])
        np.seterr(**state["numpy"]["errors"])
        if "numpy.formatter" in state:
            np.set_printoptions(formatter=state["numpy.formatter"])
    if "torch" in state:
        _apply_torch(state["torch"])
    if state.get("matplotlib"):
        import matplotlib as mpl

        options = dict(state["matplotlib"])
        if not options.pop("interactive", True):
            import matplotlib.pyplot as plt

            plt.switch_backend(mpl.get_backend())
            plt.ioff()
        mpl.rcParams.update(options)
    if "pandas" in state:
        _apply_pandas({**state["pandas"], **state.get("pandas.functions", {})})
    if "decimal" in state:
        decimal.setcontext(state["decimal"])
    if "logging" in state:
        logs.apply(state["logging"])


def _apply_pandas(options: dict[str, Any]) -> None:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some options are deprecated
        for name, value in options.items():
            if pd.get_option(name) != value:
                pd.set_option(name, value)


def _apply_torch(state: dict[str, Any]) -> None:
    import torch

    torch.set_num_threads(state["threads"])
    if torch.get_num_interop_threads() != state["interop_threads"]:
        torch.set_num_interop_threads(state["interop_threads"])
    torch.set_default_dtype(state["dtype"])
    if state["device"] != "cpu":
        torch.set_default_device(state["device"])
    torch.set_grad_enabled(state["grad"])
    algorithms, warn_only = state["deterministic"]
    present = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if present != (algorithms, warn_only):
        set_deterministic(torch, "default" if not algorithms else "warn" if warn_only else "error")
    if (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()) != state["anomaly"]:
        torch.autograd.set_detect_anomaly(state["anomaly"][0], state["anomaly"][1])
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = state["cudnn"]
    torch.set_float32_matmul_precision(state["matmul"])
    vars(torch._tensor_str.PRINT_OPTS).update(state["print"])


def set_deterministic(torch: Any, mode: str) -> None:
    """Do as ``torch.use_deterministic_algorithms``, which imports torch's compiler for it, most of a second.

    Parameters
    ----------
    mode
        As ``torch.set_deterministic_debug_mode`` takes it: ``default``, ``warn`` or ``error``.
    """
    torch.set_deterministic_debug_mode(mode)
    when_imported("torch._inductor.config", lambda config: setattr(config, "deterministic", mode != "default"))


def apply_random_states(state: dict[str, Any]) -> None:
    """Set the random states; the last thing before the code, since imports may draw numbers too.

    Libraries that had none at submit are seeded with what was drawn there for them.
    """
    states = state.get("random", {})
    seed = state["unseeded"] if "unseeded" in state else _drawn()
    if "random" in states:
        random.setstate(states["random"])
    if "numpy" in states:
        import numpy as np

        np.random.set_state(states["numpy"])  # noqa: NPY002 - the state that notebooks draw from
    else:
        _seed_numpy(seed)
    if "torch" in states:
        import torch

        torch.set_rng_state(states["torch"])
        if "cuda" not in states:
            # Each GPU's generator begins with the seed that torch had last, if the notebook has not used one yet.
            torch.cuda.manual_seed_all(torch.initial_seed())
        elif torch.cuda.is_available():
            for device, value in enumerate(states["cuda"][: torch.cuda.device_count()]):
                torch.cuda.set_rng_state(value, device)
    else:
        _seed_torch(seed)


def seed_everything(seed: int) -> None:
    """Seed ``random``, numpy and torch, the libraries when they are imported if that is later."""
    random.seed(seed)
    _seed_numpy(seed)
    _seed_torch(seed)


def _seed_numpy(seed: int) -> None:
    when_imported("numpy.random", lambda numpy_random: numpy_random.seed(_of_this_process(seed)))


def _seed_torch(seed: int) -> None:
    when_imported("torch", lambda torch: torch.manual_seed(_of_this_process(seed)))


def _of_this_process(seed: int) -> int:
    """Return the seed, or what children of the code that import a library themselves have instead of it."""
    name = current_process().name
    return seed if name == "MainProcess" else zlib.crc32(f"{seed} {name}".encode())
