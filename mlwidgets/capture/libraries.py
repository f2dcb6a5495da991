"""Which libraries a run's code used, and what these say of how they compute: asked when the code has ended."""

from __future__ import annotations

import ast
import contextlib
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mlwidgets.capture.imported import imported

_INSTALLED = ("/site-packages/", "/dist-packages/")


def used_libraries(before: frozenset[str], namespace: Mapping[str, Any], code: str) -> dict[str, Any]:
    """Return what the code used of what is installed: milliseconds, and nothing is imported for it.

    Parameters
    ----------
    before
        Modules that were there before the code was: a warm process has imported many that the code never needs.
    namespace
        What the code has left.

    Returns
    -------
    dict
        ``imported``: installed modules by their top-level names. Where the code used them, ``torch`` and ``numpy``:
        versions and switches; ``threadpools``: native libraries of linear algebra with their threads, where
        ``threadpoolctl`` was imported.
    """
    own = [vars(module) for module in sys.modules.copy().values() if _is_sent(module)]
    tops = {name.partition(".")[0] for name in sys.modules.keys() - before}
    tops |= set(_imported_by(code))
    for names in (namespace, *own):
        tops |= set(_referred_to(names))
    tops = {name for name in tops if _is_installed(name)}
    told: dict[str, Any] = {"imported": sorted(tops)}
    for name, ask in (("torch", _torch), ("numpy", _numpy), ("threadpoolctl", _threadpools)):
        if name in sys.modules and (name in tops or name == "threadpoolctl"):
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                told["threadpools" if name == "threadpoolctl" else name] = ask(imported(name))
    return told


def _is_sent(module: Any) -> bool:
    """Whether a module is one of the user's own, which came with the run."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return type(loader).__module__ == "mlwidgets.capture.modules"


def _imported_by(code: str) -> Iterator[str]:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Magics and the like: what was imported stands in the namespace.
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _referred_to(names: Mapping[str, Any]) -> Iterator[str]:
    """Yield the modules that values come from; nothing of the values' own is called."""
    for value in list(names.values()):
        # Not by isinstance, which asks the value.
        of = type(value)
        if issubclass(of, types.ModuleType):
            name: Any = types.ModuleType.__getattribute__(value, "__dict__").get("__name__")
        elif issubclass(of, types.FunctionType):
            name = value.__module__
        else:
            name = type.__getattribute__(value if issubclass(of, type) else of, "__module__")
        if isinstance(name, str):
            yield name.partition(".")[0]


def _is_installed(name: str) -> bool:
    if name in sys.stdlib_module_names or name in {"mlwidgets", "IPython", "__main__"}:
        return False
    module = sys.modules.get(name)
    paths: Iterable[Any] = (getattr(module, "__file__", None), *(getattr(module, "__path__", None) or ()))
    return any(isinstance(path, str) and any(part in f"{path}/" for part in _INSTALLED) for path in paths)


def _answers(asked: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Return what could be asked; libraries move their switches about."""
    found: dict[str, Any] = {}
    for name, ask in asked.items():
        with contextlib.suppress(Exception):
            value = ask()
            found[name] = value if isinstance(value, bool | int | float | None | list) else str(value)
    return {name: value for name, value in found.items() if value is not None}


def _torch(torch: Any) -> dict[str, Any]:
    backends = torch.backends
    return _answers(
        {
            "version": lambda: torch.__version__,
            "cuda": lambda: torch.version.cuda,
            "hip": lambda: torch.version.hip,
            "cudnn": lambda: backends.cudnn.version() if torch.version.cuda else None,
            "cpu": backends.cpu.get_cpu_capability,
            "mkldnn": backends.mkldnn.is_available,
            "threads": torch.get_num_threads,
            "interop_threads": torch.get_num_interop_threads,
            "deterministic": torch.are_deterministic_algorithms_enabled,
            "cudnn_deterministic": lambda: backends.cudnn.deterministic,
            "cudnn_benchmark": lambda: backends.cudnn.benchmark,
            "matmul_precision": torch.get_float32_matmul_precision,
            "matmul_tf32": lambda: backends.cuda.matmul.allow_tf32,
            "cudnn_tf32": lambda: backends.cudnn.allow_tf32,
            "default_dtype": torch.get_default_dtype,
            "gpus": lambda: _gpus(torch.cuda),
        }
    )


def _gpus(cuda: Any) -> list[str] | None:
    """Return the GPUs that the code could see; None where it used none, for asking would begin to use them."""
    if not cuda.is_initialized():
        return None
    return [f"{cuda.get_device_name(number)}, sm_{''.join(map(str, cuda.get_device_capability(number)))}"
            for number in range(cuda.device_count())]  # fmt: skip


def _numpy(numpy: Any) -> dict[str, Any]:
    built = numpy.__config__.CONFIG
    blas, simd = built["Build Dependencies"]["blas"], built["SIMD Extensions"]
    return _answers(
        {
            "version": lambda: numpy.__version__,
            "blas": lambda: f"{blas['name']} {blas['version']}",
            "simd": lambda: " ".join(simd.get("found") or simd.get("baseline") or ()),
        }
    )


def _threadpools(threadpoolctl: Any) -> list[str]:
    keys = ("internal_api", "version", "num_threads", "architecture", "threading_layer")
    rows = ({key: one.get(key) for key in keys} for one in threadpoolctl.threadpool_info())
    return sorted(
        " ".join(str(value) for key in keys if (value := row[key]) is not None and key != "num_threads")
        + f", {row['num_threads']} threads"
        for row in rows
    )
