"""What was asked of a run: frozen dataclasses, to and from JSON."""

from __future__ import annotations

import ast
import dataclasses
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from mlwidgets.errors import ParameterError

FORMAT = 1
"""Version of the run folder's layout. A reader refuses what is newer."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class FrozenName:
    """One variable of a frozen stream, for people to read."""

    name: str
    type: str
    summary: str = ""


@dataclass(frozen=True)
class Frozen:
    """Variables stored by content: a pickle stream and the large buffers beside it.

    ``stream`` and ``buffers`` are digests of objects in the store; ``names`` are in the stream's order.
    """

    stream: str
    buffers: tuple[str, ...] = ()
    names: tuple[FrozenName, ...] = ()
    nbytes: int = 0

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Frozen:
        """Build from what `dataclasses.asdict` gave."""
        names = tuple(FrozenName(**n) for n in data["names"])
        return cls(data["stream"], tuple(data["buffers"]), names, data["nbytes"])


@dataclass(frozen=True)
class Resources:
    """What a run may use. ``timeout`` in seconds, None for no limit."""

    timeout: float | None = None


@dataclass(frozen=True)
class Provenance:
    """Where the run was submitted; what takes longer to find out is in ``environment.json``."""

    cwd: str
    executable: str
    python: str
    host: str
    user: str
    notebook: str | None = None
    kernel_pid: int | None = None
    threads: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunSpec:
    """Everything that was asked of one run. Written once, never changed.

    Parameters
    ----------
    params
        Python literals as text (``repr``), so that tuples, NaN and big integers survive JSON.
    inputs
        The notebook's variables that the code reads.
    ambient
        What shapes the code from outside it: random states, filters, options.
    modules
        Local modules as they were at submit: name, path and the digest of the source.
    imports
        Submodules that the code reaches through their package.
    hints
        What may be a mistake, in sentences for the user.
    results
        Names to bring back; None brings back all that the code bound or changed.
    heading
        The magic's line when the code came from a cell: it is line 1 of the cell.
    """

    id: str
    name: str
    code: str
    params: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    inputs: Frozen | None = None
    ambient: Frozen | None = None
    modules: tuple[dict[str, Any], ...] = ()
    imports: tuple[str, ...] = ()
    unsent: dict[str, str] = field(default_factory=dict)
    hints: tuple[str, ...] = ()
    results: tuple[str, ...] | None = None
    resources: Resources = field(default_factory=Resources)
    provenance: Provenance | None = None
    tags: dict[str, str] = field(default_factory=dict)
    note: str = ""
    heading: str | None = None
    execution_count: int | None = None
    submitted_at: float = 0.0
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """Return everything but the code, which lies beside it as ``code.py``."""
        data = dataclasses.asdict(self)
        del data["code"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any], code: str) -> RunSpec:
        """Build from `to_json` and the code.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the data are not a spec of this format.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        data = {k: v for k, v in data.items() if k in known and k != "code"}
        for key in ("inputs", "ambient"):
            if data.get(key):
                data[key] = Frozen.from_json(data[key])
        data["modules"] = tuple(data.get("modules", ()))
        data["imports"] = tuple(data.get("imports", ()))
        data["hints"] = tuple(data.get("hints", ()))
        if data.get("results") is not None:
            data["results"] = tuple(data["results"])
        data["resources"] = Resources(**data.get("resources", {}))
        if data.get("provenance"):
            data["provenance"] = Provenance(**data["provenance"])
        return cls(code=code, **data)


def new_run_id(name: str, now: float | None = None) -> str:
    """Return an id that sorts by time, can be read and can be typed: ``20261120-093015-lenet-k3f9``."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return f"{stamp}-{name}-{''.join(secrets.choice(alphabet) for _ in range(4))}"


def check_name(name: str) -> str:
    """Return `name` if a run may be called so.

    Raises
    ------
    ParameterError
        If it has other characters than letters, digits, ``_``, ``.`` and ``-``.
    """
    if not _NAME.fullmatch(name):
        raise ParameterError(
            f"{name!r} cannot be a run's name: use letters, digits, '_', '.' and '-', at most 100 of them"
        )
    return name


def parse_literal(text: str) -> Any:
    """Read a parameter's text as a Python literal; ``inf`` and ``nan`` count as such.

    Raises
    ------
    ValueError
        If it is none.
    """
    if text in {"inf", "-inf", "nan", "-nan"}:
        return float(text)
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"not a Python literal: {text}") from error


def literal_text(value: Any) -> str:
    """Return a parameter's value as text that `parse_literal` reads back where it can be."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    try:
        return repr(value)
    except Exception:  # a repr may raise anything; an int of thousands of digits raises ValueError
        return f"<{type(value).__qualname__}>"
