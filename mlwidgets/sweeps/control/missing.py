"""Noticing early that an objective never gets logged: a name with a typing error must not cost a whole trial."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Mapping, Sequence

from mlwidgets.runs.objects import ObjectStore
from mlwidgets.runs.spec import RunSpec
from mlwidgets.sweeps.control.curves import Others

_WORDS = re.compile(r"\w+")
_PARTS = re.compile(r"[^\W_]+")
_PREFIXES = frozenset({"val", "valid", "validation", "train", "training", "test", "eval", "dev", "epoch", "batch"})
"""What libraries put in front of a metric's name, which then stands nowhere in the user's code."""
_LARGEST = 16 << 20
"""Bytes of pickled inputs that are looked through."""


class Mentions:
    """Whether the code, a module or a function that was sent with it may make up a metric's name."""

    def __init__(self, spec: RunSpec, objects: ObjectStore) -> None:
        self._spec = spec
        self._objects = objects
        self._words: set[str] | None = None

    def may_be(self, metric: str) -> bool:
        """Whether the name stands there as a word, or all its parts do: it may be put together of them."""
        if self._words is None:
            self._words = self._read()
        if metric in self._words:
            return True
        found = {part for word in self._words for part in _PARTS.findall(word)}
        parts = set(_PARTS.findall(metric)) - _PREFIXES
        return bool(parts) and parts <= found

    def _read(self) -> set[str]:
        texts = [self._spec.code]
        digests = [str(module["digest"]) for module in self._spec.modules]
        if self._spec.inputs is not None:
            # A function of the notebook comes pickled, its names and constants as they are.
            digests.append(self._spec.inputs.stream)
        for digest in digests:
            with contextlib.suppress(OSError), open(self._objects.path / digest, "rb") as file:
                texts.append(file.read(_LARGEST).decode("utf-8", "replace"))
        return {word for text in texts for word in _WORDS.findall(text)}


def missing(objectives: Sequence[str], logged: Sequence[str], others: Mapping[str, Others], mentions: Mentions) -> bool:
    """Return whether a trial that goes on has come so far that an objective would have been logged by now.

    It has when another metric was logged at two steps, where an objective's name cannot come from the code. One that
    can may come once an epoch or once at the end, however often others do: that is known when the trial has ended.

    Parameters
    ----------
    logged
        Those of the objectives that were logged.
    others
        The metrics that are no objectives.
    """
    lacking = [name for name in objectives if name not in logged]
    if not lacking or not any(len(other.steps) >= 2 for other in others.values()):
        return False
    return not all(mentions.may_be(name) for name in lacking)


def describe(objectives: Sequence[str], logged: Sequence[str], others: Sequence[str]) -> str:
    """Return in one line what is never logged, what is, and what may have been meant."""
    lacking = [name for name in objectives if name not in logged]
    names = " and ".join(repr(name) for name in lacking)
    there = [*logged, *others]
    if not there:
        return f"the code never logs {names}, nor anything else: write log({lacking[0]}=...) in it, once an epoch"
    close = difflib.get_close_matches(lacking[0], there, n=1, cutoff=0.6)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"the code never logs {names}; it logs {', '.join(map(repr, there))}{meant}"
