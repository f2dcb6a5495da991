"""`check`: says whether what must hold does, in the notebook, in the run and on a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from mlwidgets.tracking.columns import (
    columns_of,
    is_frame,
    moment_text,
    now,
    span_of,
    span_text,
    times_of,
    type_of,
    values_of,
)
from mlwidgets.tracking.told import tell_check

_NO_VALUES = "there are no values"
Span = str | float | timedelta


class Check:
    """``check(accuracy > 0.9, "accuracy above 90 %")``, and checks of data.

    A check shows one line. Inside a run it is written into the run's events too. It goes on either way and returns
    whether it passed; with ``required=True`` one that did not raises `CheckFailed`. In checks of data missing values
    are passed over except by `missing`, and what has no values at all passes none but `columns` and `types`.
    """

    def __call__(self, passed: Any, text: str, detail: Any = None, *, required: bool = False) -> bool:
        """Say whether something holds.

        Parameters
        ----------
        passed
            One truth value.
        text
            What must hold, in words.
        detail
            What was found, such as the number itself.
        required
            Whether the code is not to go on without it.

        Returns
        -------
        bool
            Whether it passed.

        Raises
        ------
        CheckFailed
            If it is required and did not pass.
        TypeError
            If `passed` is not one truth value or `text` no text.
        """
        if not isinstance(text, str) or not text.strip():
            raise TypeError(f"check: write check(accuracy > 0.9, 'accuracy above 90 %'); {text!r:.40} is no text")
        try:
            holds = bool(passed)
        except (TypeError, ValueError):
            shape = getattr(passed, "shape", None)
            of = "" if shape is None else f" of shape {tuple(shape)}: add .all() or .any()"
            raise TypeError(f"check: {text!r:.60} needs one truth value, not {type(passed).__name__}{of}") from None
        return tell_check(holds, text, "" if detail is None else str(detail), required)

    def columns(self, frame: Any, names: Iterable[str], *, text: str | None = None, required: bool = False) -> bool:
        """Check that a table has these columns; more are no fault.

        Parameters
        ----------
        frame
            A DataFrame or a dict of columns.
        names
            What they are called.
        text
            What to say instead of what the check says by itself, here and in all that follow.
        """
        wanted = [names] if isinstance(names, str) else [str(name) for name in names]
        there = [name for name, _ in columns_of(frame, "check.columns")]
        lacking = [name for name in wanted if name not in there]
        detail = f"there is no {_listed(lacking)}; there are {_listed(there)}" if lacking else ""
        return tell_check(not lacking, text or f"columns {_listed(wanted)}", detail, required)

    def types(self, frame: Any, types: Mapping[str, Any], *, text: str | None = None, required: bool = False) -> bool:
        """Check what columns hold.

        Parameters
        ----------
        frame
            A DataFrame or a dict of columns.
        types
            For each column ``int``, ``float``, ``number`` (either), ``bool``, ``str``, ``datetime``, ``date``,
            ``timedelta``, ``category``, or exactly what the library calls it, such as ``int64``.
        """
        there = dict(columns_of(frame, "check.types"))
        wanted = {name: given.__name__ if isinstance(given, type) else str(given) for name, given in types.items()}
        wrong = []
        for name, kind in wanted.items():
            if name not in there:
                wrong.append(f"there is no {name}")
                continue
            found, own = type_of(there[name], "check.types")
            if kind not in {found, own} and not (kind == "number" and found in {"int", "float"}):
                wrong.append(f"{name} is {own}")
        said = _listed([f"{name} is {kind}" for name, kind in wanted.items()])
        return tell_check(not wrong, text or said, _listed(wrong), required)

    def range(
        self, column: Any, low: Any = None, high: Any = None, *, text: str | None = None, required: bool = False
    ) -> bool:
        """Check that no value lies below `low` or above `high`; None is no bound.

        Parameters
        ----------
        column
            A column of numbers, times or texts: a Series, an array, a list.
        low, high
            What the values may be at least and at most.
        """
        values, _ = values_of(column, "check.range")
        bounds = f"at most {high}" if low is None else f"at least {low}" if high is None else f"from {low} to {high}"
        said = text or f"{_name(column)} {bounds}"
        if not len(values):
            return tell_check(False, said, _NO_VALUES, required)
        try:
            below = 0 if low is None else int((values < low).sum())
            above = 0 if high is None else int((values > high).sum())
            detail = f"{values.min()} to {values.max()}"
        except TypeError as error:
            return tell_check(False, said, f"the values cannot be compared: {error}", required)
        if below or above:
            outside = [f"{n} {where}" for n, where in ((below, f"below {low}"), (above, f"above {high}")) if n]
            detail = f"{' and '.join(outside)} of {len(values)}; they are {detail}"
        return tell_check(not (below or above), said, detail, required)

    def categories(
        self, column: Any, values: Iterable[Any], *, text: str | None = None, required: bool = False
    ) -> bool:
        """Check that every value is one of these.

        Parameters
        ----------
        column
            A Series, an array, a list.
        values
            Those that may occur; they need not.
        """
        known = list(values)
        found = _counted(values_of(column, "check.categories")[0])
        allowed = set(map(_hashable, known))
        others = {value: n for value, n in found.items() if value not in allowed}
        detail = (
            "; ".join(f"{value!r:.40} occurs {_times(n)}" for value, n in list(others.items())[:5])
            if found
            else _NO_VALUES
        )
        if len(others) > 5:
            detail += f"; and {len(others) - 5} others"
        said = text or f"{_name(column)} is one of {_listed(known)}"
        return tell_check(bool(found) and not others, said, detail, required)

    def interval(
        self, column: Any, every: Span, *, tolerance: Span = 0, text: str | None = None, required: bool = False
    ) -> bool:
        """Check that each time is one interval after the time before.

        Parameters
        ----------
        column
            Datetimes, dates, texts of ISO 8601 or Unix seconds, in their order.
        every
            The interval: ``"30s"``, ``"5min"``, ``"1h"``, ``"1d"``, ``"1w"``, a `timedelta`, or seconds.
        tolerance
            By how much a step may be longer or shorter.
        """
        import numpy as np

        step, most = span_of(every, "check.interval"), span_of(tolerance, "check.interval")
        said = text or f"{_name(column)} every {span_text(step)}"
        try:
            times, _ = times_of(values_of(column, "check.interval")[0])
        except ValueError as error:
            return tell_check(False, said, str(error), required)
        if len(times) < 2:
            return tell_check(False, said, f"{len(times)} times have no interval", required)
        steps = np.diff(times)
        (wrong,) = np.nonzero(np.abs(steps - step) > most)
        detail = f"{len(times)} times from {moment_text(int(times[0]))} to {moment_text(int(times[-1]))}"
        if len(wrong):
            first = int(wrong[0])
            detail = f"{len(wrong)} of {len(steps)} steps differ, first {span_text(int(steps[first]))}"
            detail += f" after {moment_text(int(times[first]))}"
        return tell_check(not len(wrong), said, detail, required)

    def fresh(self, column: Any, within: Span, *, text: str | None = None, required: bool = False) -> bool:
        """Check that the newest time is not older than that.

        Parameters
        ----------
        column
            Times as for `interval`, in any order; those without a zone are of this machine's zone.
        within
            How old it may be: ``"1d"``, a `timedelta`, or seconds.
        """
        most = span_of(within, "check.fresh")
        said = text or f"{_name(column)} not older than {span_text(most)}"
        try:
            times, zoned = times_of(values_of(column, "check.fresh")[0])
        except ValueError as error:
            return tell_check(False, said, str(error), required)
        if not len(times):
            return tell_check(False, said, _NO_VALUES, required)
        age = now(zoned=zoned) - int(times.max())
        detail = f"the newest is {span_text(abs(age))} {'old' if age >= 0 else 'ahead'}"
        return tell_check(age <= most, said, detail, required)

    def missing(self, data: Any, *, at_most: float = 0, text: str | None = None, required: bool = False) -> bool:
        """Check that in no column more values are missing than that.

        Parameters
        ----------
        data
            A DataFrame, a dict of columns, or one column.
        at_most
            A share of the rows, from 0 to 1.
        """
        if not isinstance(at_most, int | float) or not 0 <= at_most <= 1:
            raise TypeError(f"check.missing: at_most is a share from 0 to 1, such as 0.01, not {at_most!r:.40}")
        one = not is_frame(data)
        columns = [(_name(data), data)] if one else columns_of(data, "check.missing")
        rows, above = 0, []
        for name, column in columns:
            values, lost = values_of(column, "check.missing")
            rows = len(values) + lost
            if rows and lost / rows > at_most:
                above.append(f"{'' if one else f'{name} '}{lost} of {rows} ({100 * lost / rows:.3g} %)")
        where = _name(data) if one else f"{'each of ' if at_most else ''}{len(columns)} columns"
        said = text or f"{f'at most {100 * at_most:.3g} %' if at_most else 'nothing'} missing in {where}"
        return tell_check(bool(rows) and not above, said, _listed(above) if rows else _NO_VALUES, required)

    def unique(self, column: Any, *, text: str | None = None, required: bool = False) -> bool:
        """Check that no value occurs twice.

        Parameters
        ----------
        column
            A Series, an array, a list.
        """
        found = _counted(values_of(column, "check.unique")[0])
        twice = [f"{value!r:.40} occurs {_times(n)}" for value, n in found.items() if n > 1]
        detail = _listed(twice) if found else _NO_VALUES
        return tell_check(bool(found) and not twice, text or f"{_name(column)} is unique", detail, required)

    def __reduce__(self) -> str:
        """There is one: a run that is sent it finds its own."""
        return "check"


check = Check()


def _listed(values: Iterable[Any], most: int = 8) -> str:
    texts = [str(value) for value in values]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _name(column: Any) -> str:
    name = getattr(column, "name", None)
    return "the column" if name is None else str(name)


def _counted(values: Any) -> Counter[Any]:
    return Counter(map(_hashable, values.tolist()))


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value
