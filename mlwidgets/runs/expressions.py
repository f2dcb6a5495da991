"""Conditions on runs: ``lr < 1e-3 and state == 'finished'``. Read, checked and computed here; nothing is executed."""

from __future__ import annotations

import ast
import difflib
import operator
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from mlwidgets.errors import ParameterError
from mlwidgets.runs.index import RunSummary
from mlwidgets.runs.operands import (
    Asked,
    Get,
    Unfit,
    check_states,
    elapsed,
    guarded,
    is_scalar,
    joined,
    number_of,
    param_of,
    read_moment,
    read_span,
    text_of,
)

LONGEST = 1000
"""Characters of a condition."""

_FIELDS: dict[str, Get] = {
    "id": lambda of: of.run.id,
    "name": lambda of: of.run.name,
    "state": lambda of: of.run.state,
    "cause": lambda of: of.run.cause,
    "note": lambda of: of.run.note,
    "notebook": lambda of: of.run.notebook,
    "pinned": lambda of: of.run.pinned,
    "trial": lambda of: of.run.trial,
    "sweep": lambda of: of.run.trial_of,
    "submitted": lambda of: of.run.submitted_at,
    "started": lambda of: of.run.started_at,
    "ended": lambda of: of.run.ended_at,
    "age": lambda of: of.now - of.run.submitted_at,
    "elapsed": elapsed,
}
_GROUPS: dict[str, Callable[[RunSummary], dict[str, Any]]] = {
    "params": lambda run: run.params,
    "metrics": lambda run: run.metrics,
    "tags": lambda run: run.tags,
}
_MOMENTS = frozenset({"submitted", "started", "ended"})
_SPANS = frozenset({"age", "elapsed"})

_HOLDING = (ast.Tuple, ast.List, ast.Set, ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Call)
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
_COMPUTED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    # Of whole numbers it could take all memory.
    ast.Pow: lambda base, power: float(base) ** float(power),
}
_METHODS: dict[str, Callable[..., Any]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "lower": str.lower,
    "upper": str.upper,
}
_TAKES = {"startswith": 1, "endswith": 1, "lower": 0, "upper": 0}


class Expression:
    """A text that was read and found to be nothing but names, values, comparisons and arithmetic.

    A bare name is one of a run's own (``state``, ``name``, ``age``, …), else the last value of a metric, else a
    parameter, else a tag; ``params.lr``, ``metrics["val/loss"]`` and ``tags.owner`` say which. Where a run has no such
    thing every comparison with it is unknown, and so is what is made of that, as in SQL: such a run does not fit, but
    for ``x is None``.

    Raises
    ------
    ParameterError
        If it is anything else; the message points to the place.
    """

    def __init__(self, text: str, option: str = "where") -> None:
        self.text = text
        self._option = option
        self._names: dict[str, int] = {}
        if len(text) > LONGEST:
            raise ParameterError(f"{option}: it has {len(text):,} characters; {LONGEST:,} are the most")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a backslash in a text
                tree = ast.parse(text.strip(), mode="eval")
        except SyntaxError as error:
            at = (error.offset or 1) - 1
            assigns = text.strip()[at : at + 1] == "=" or "Maybe you meant '=='" in error.msg
            self._fail(at, "write == to compare" if assigns else error.msg.partition(". Perhaps")[0].rstrip("."))
        except (ValueError, MemoryError, RecursionError):
            raise ParameterError(f"{option}: what is {text!r:.60}? See docs: Runs") from None
        try:
            self._get = self._read(tree.body)
        except Unfit as unfit:
            self._fail(unfit.at, str(unfit), encoded=True)
        except RecursionError:
            raise ParameterError(f"{option}: {text!r:.60} is nested too deeply") from None

    def _fail(self, at: int, why: str, *, encoded: bool = False) -> NoReturn:
        """Raise with the text and a mark in front of the place."""
        stripped = self.text.strip()
        if encoded:  # ast counts bytes
            at = len(stripped.encode()[:at].decode("utf-8", "ignore"))
        begin = max(0, at - 40)
        before, behind = stripped[begin:at], stripped[at : at + 40]
        shown = f"{'…' * (begin > 0)}{before}▸{behind}{'…' * (at + 40 < len(stripped))}"
        raise ParameterError(f"{self._option}: {why}, here: {' '.join(shown.split())}")

    def values(self, runs: Sequence[RunSummary], now: float | None = None) -> list[Any]:
        """Return the value for each run, None where it has none.

        Parameters
        ----------
        now
            Unix seconds; the present by default.

        Raises
        ------
        ParameterError
            If it names what no run has, or compares what cannot be compared in any of them.
        """
        if not runs:
            return []
        self._check_names(runs)
        asked = Asked(runs[0], time.time() if now is None else now)
        get, found = self._get, []
        try:
            for run in runs:
                asked.run = run
                found.append(get(asked))
        except RecursionError:
            raise ParameterError(f"{self._option}: {self.text!r:.60} is nested too deeply") from None
        if asked.clashes and all(value is None for value in found):
            raise ParameterError(f"{self._option}: {self.text.strip()!r:.100} compares or computes what does not go "
                                 "together: texts need quotes, numbers have none")  # fmt: skip
        return found

    def _check_names(self, runs: Sequence[RunSummary]) -> None:
        wanted = dict(self._names)
        for run in runs if wanted else ():
            for name in [name for name in wanted if name in run.metrics or name in run.params or name in run.tags]:
                del wanted[name]
            if not wanted:
                return
        for name, at in wanted.items():
            known = {*_FIELDS, *_GROUPS, *(name for run in runs for name in (*run.metrics, *run.params, *run.tags))}
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            self._fail(at, f"no run has {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""), encoded=True)

    def _read(self, node: ast.expr) -> Get:
        """Return what computes a part.

        Raises
        ------
        Unfit
            If such a thing is not known here.
        """
        read = _READERS.get(type(node))
        if read is None:
            raise Unfit(node, f"{_KINDS.get(type(node), type(node).__name__)} is not known here")
        return read(self, node)

    def _constant(self, node: ast.Constant) -> Get:
        value = node.value
        if value is not None and not isinstance(value, bool | int | float | str):
            raise Unfit(node, f"{value!r:.20} is no number and no text")
        return lambda _: value

    def _several(self, node: ast.Tuple | ast.List | ast.Set) -> Get:
        parts = [self._read(one) for one in node.elts]
        return lambda of: [part(of) for part in parts]

    def _logic(self, node: ast.BoolOp) -> Get:
        return joined(isinstance(node.op, ast.And), [self._read(one) for one in node.values])

    def _name(self, node: ast.Name) -> Get:
        name = node.id
        if name in _FIELDS:
            return _FIELDS[name]
        if name in _GROUPS:
            group = _GROUPS[name]
            return lambda of: group(of.run)
        if name in {"nan", "inf"}:
            number = float(name)
            return lambda _: number
        self._names.setdefault(name, node.col_offset)

        def get(of: Asked) -> Any:
            run = of.run
            if name in run.metrics:
                return run.metrics[name]
            return param_of(run.params[name]) if name in run.params else run.tags.get(name)

        return get

    def _member(self, node: ast.Attribute | ast.Subscript) -> Get:
        owner = node.value
        if not isinstance(owner, ast.Name) or owner.id not in _GROUPS:
            raise Unfit(node, "only params, metrics and tags have members")
        if isinstance(node, ast.Attribute):
            key = node.attr
        elif isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            key = node.slice.value
        else:
            raise Unfit(node.slice, f'{owner.id} takes a name in quotes: {owner.id}["a name"]')
        group = _GROUPS[owner.id]
        if owner.id == "params":
            return lambda of: param_of(of.run.params[key]) if key in of.run.params else None
        return lambda of: group(of.run).get(key)

    def _unary(self, node: ast.UnaryOp) -> Get:
        part = self._read(node.operand)
        if isinstance(node.op, ast.Not):

            def negated(of: Asked) -> Any:
                value = part(of)
                return None if value is None else not value

            return negated
        if isinstance(node.op, ast.Invert):
            raise Unfit(node, "~ is not known here: write not")
        sign = -1 if isinstance(node.op, ast.USub) else 1
        return guarded(lambda of: sign * number_of(part(of)), part)

    def _binary(self, node: ast.BinOp) -> Get:
        compute = _COMPUTED.get(type(node.op))
        if compute is None:
            hint = ": write and, or" if isinstance(node.op, ast.BitAnd | ast.BitOr) else ""
            raise Unfit(node, f"this operator is not known here{hint}")
        left, right = self._read(node.left), self._read(node.right)
        return guarded(lambda of: compute(number_of(left(of)), number_of(right(of))), left, right)

    def _compare(self, node: ast.Compare) -> Get:
        sides = [node.left, *node.comparators]
        for left, op, right in zip(sides, node.ops, node.comparators, strict=False):
            check_states(left, op, right)
        parts = [self._side(one, sides) for one in sides]
        steps = [self._step(op, sides[at], sides[at + 1], parts[at], parts[at + 1]) for at, op in enumerate(node.ops)]
        return steps[0] if len(steps) == 1 else joined(True, steps)

    def _side(self, node: ast.expr, sides: Sequence[ast.expr]) -> Get:
        """Return one side of a comparison; beside a time a text is read as one."""
        beside = {one.id for one in sides if isinstance(one, ast.Name)}
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and beside & (_MOMENTS | _SPANS):
            seconds = read_moment(node) if beside & _MOMENTS else read_span(node)
            return lambda _: seconds
        return self._read(node)

    def _step(self, op: ast.cmpop, left: ast.expr, right: ast.expr, one: Get, other: Get) -> Get:
        nothing = [side for side in (left, right) if isinstance(side, ast.Constant) and side.value is None]
        if nothing and isinstance(op, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
            wanted = isinstance(op, ast.Is | ast.Eq)
            return lambda of: (one(of) is None) is wanted if right in nothing else (other(of) is None) is wanted
        compare = _COMPARED.get(type(op))
        if compare is None:
            raise Unfit(left, "`is` is for None alone: write ==")
        if isinstance(op, ast.In | ast.NotIn) and not isinstance(right, _HOLDING):
            raise Unfit(right, "`in` takes several values in brackets, a text, or params, metrics, tags")
        ordered = isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE)

        def step(of: Asked) -> Any:
            a, b = one(of), other(of)
            if a is None or b is None:
                return None
            try:
                if not ordered and isinstance(a, str) is not isinstance(b, str) and is_scalar(a) and is_scalar(b):
                    of.clashes += 1
                return bool(compare(a, b))
            except (TypeError, ValueError, OverflowError, RecursionError):
                of.clashes += 1
                return None

        return step

    def _call(self, node: ast.Call) -> Get:
        if node.keywords:
            raise Unfit(node, "functions take no named values here")
        if isinstance(node.func, ast.Name) and node.func.id == "abs" and len(node.args) == 1:
            number = self._read(node.args[0])
            return guarded(lambda of: abs(number_of(number(of))), number)
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _METHODS:
            raise Unfit(node, f"functions are abs(x) and x.{'(…), x.'.join(_METHODS)}(…)")
        name = node.func.attr
        if len(node.args) != _TAKES[name]:
            raise Unfit(node, f"{name} takes {'one text' if _TAKES[name] else 'nothing'}")
        method, parts = _METHODS[name], [self._read(one) for one in (node.func.value, *node.args)]
        return guarded(lambda of: method(*[text_of(part(of)) for part in parts]), *parts)


_READERS: dict[type[ast.expr], Callable[[Expression, Any], Get]] = {
    ast.Constant: Expression._constant,
    ast.Name: Expression._name,
    ast.Attribute: Expression._member,
    ast.Subscript: Expression._member,
    ast.BoolOp: Expression._logic,
    ast.UnaryOp: Expression._unary,
    ast.BinOp: Expression._binary,
    ast.Compare: Expression._compare,
    ast.Tuple: Expression._several,
    ast.List: Expression._several,
    ast.Set: Expression._several,
    ast.Call: Expression._call,
}
"""All that there may be: whatever is not here is refused."""
_KINDS = {ast.Lambda: "lambda", ast.IfExp: "if", ast.JoinedStr: "an f-string", ast.Dict: "a dictionary"}
