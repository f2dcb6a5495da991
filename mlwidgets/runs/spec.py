"""What was asked of a run: frozen dataclasses, to and from JSON."""

from __future__ import annotations

import ast
import dataclasses
import math
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from mlwidgets.errors import ParameterError

FORMAT = 1
"""Version of the run folder's layout. A reader refuses what is newer."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Characters of an id's end that are not mistaken for each other; in the order in which ids sort."""
_LAST_TIME = 253402300800.0
"""The end of the year 9999, in Unix seconds: no calendar function goes beyond."""


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
    """What a run may use, and when.

    Parameters
    ----------
    timeout
        Seconds, None for no limit.
    gpus
        A whole number, or a share of one GPU in quarters.
    cpus
        CPU places; 0 takes none.
    priority
        Runs of a higher one go first.
    after
        Id of a run of the same store that has to finish first.
    retries
        How many further attempts there are after a failure.
    cold
        Start in a fresh process, even where a warm one is there.
    """

    timeout: float | None = None
    gpus: float = 0.0
    cpus: int = 1
    priority: int = 0
    after: str | None = None
    retries: int = 0
    cold: bool = False


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
    cell: str | None = None


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
    sweep
        What is searched, where the run is a sweep; `code` is that of its trials then.
    trial_of, trial
        Id of the sweep whose trial the run is, and its number there, from 0.
    report
        What is executed, where the run executes a whole notebook; `code` is that notebook as text then.
    data
        Files and folders that the code reads, as the user named them: ``path`` as given, ``absolute``.
    deterministic
        Whether torch is to use operations that give the same bits each time.
    variables
        Environment variables that shape what libraries compute, as they were at submit.
    rerun_of
        Id of the run that this one does again.
    resumes
        Id of the run from whose last checkpoint this one goes on.
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
    sweep: dict[str, Any] | None = None
    trial_of: str | None = None
    trial: int | None = None
    report: dict[str, Any] | None = None
    data: tuple[dict[str, str], ...] = ()
    deterministic: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    rerun_of: str | None = None
    resumes: str | None = None
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
        if not isinstance(data, dict):
            raise ValueError("the spec is no JSON object")
        known = {f.name for f in dataclasses.fields(cls)}
        data = {k: v for k, v in data.items() if k in known and k != "code"}
        for key in ("inputs", "ambient"):
            if data.get(key):
                data[key] = Frozen.from_json(data[key])
        data["modules"] = tuple(data.get("modules", ()))
        data["imports"] = tuple(data.get("imports", ()))
        data["hints"] = tuple(data.get("hints", ()))
        data["data"] = tuple(data.get("data", ()))
        if data.get("results") is not None:
            data["results"] = tuple(data["results"])
        data["resources"] = Resources(**data.get("resources", {}))
        if data.get("provenance"):
            data["provenance"] = Provenance(**data["provenance"])
        spec = cls(code=code, **data)
        spec._check()
        return spec

    def _check(self) -> None:
        """Raise ValueError where what everybody reads is of another type: lists of runs trust it."""
        texts = {"id": self.id, "name": self.name, "note": self.note, "heading": self.heading or ""}
        for key in ("trial_of", "rerun_of", "resumes"):
            texts[key] = getattr(self, key) or ""
        if self.provenance:
            texts["notebook"] = self.provenance.notebook or ""
            texts["cell"] = self.provenance.cell or ""
        for number, one in enumerate(self.data):
            texts |= {f"data {number} {key}": one[key] for key in ("path", "absolute")}
        for field_name, text in texts.items():
            if not isinstance(text, str):
                raise ValueError(f"{field_name!r} in the spec is no text: {text!r:.60}")
        if self.sweep is not None and not isinstance(self.sweep, dict):
            raise ValueError(f"'sweep' in the spec is no definition: {self.sweep!r:.60}")
        if self.report is not None and not isinstance(self.report, dict):
            raise ValueError(f"'report' in the spec says of no notebook: {self.report!r:.60}")
        if self.trial is not None and (not isinstance(self.trial, int) or isinstance(self.trial, bool)):
            raise ValueError(f"'trial' in the spec is no number: {self.trial!r:.60}")
        for field_name in ("params", "tags", "unsent", "variables"):
            pairs = getattr(self, field_name)
            if not isinstance(pairs, dict) or not all(isinstance(t, str) for pair in pairs.items() for t in pair):
                raise ValueError(f"{field_name!r} in the spec is no mapping from text to text: {pairs!r:.60}")
        at = self.submitted_at
        # NaN fails the comparison too.
        if not isinstance(at, int | float) or isinstance(at, bool) or not 0 <= at < _LAST_TIME:
            raise ValueError(f"'submitted_at' in the spec is no time: {at!r:.60}")


def new_run_id(name: str, now: float | None = None) -> str:
    """Return an id that sorts by time, can be read and can be typed: ``20261120-093015-lenet-k3f9``.

    The time is UTC, which no summer time sets back. The first two of the last four characters are the fraction of
    the second, so that runs of one second sort too; the others are random.
    """
    now = time.time() if now is None else now
    base = len(_ALPHABET)
    part = int(now % 1 * base**2)
    fraction = _ALPHABET[part // base] + _ALPHABET[part % base]
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(math.floor(now)))
    return f"{stamp}-{name}-{fraction}{secrets.choice(_ALPHABET)}{secrets.choice(_ALPHABET)}"


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
