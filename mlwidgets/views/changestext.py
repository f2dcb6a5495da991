"""What changed since the previous run of the same name, in words, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlwidgets.views import format as fmt
from mlwidgets.views.nbdiffwords import ago, is_shown, many, visible

if TYPE_CHECKING:
    from mlwidgets.views.data import Snapshot

MOST = 3
"""Parameters that one line has room for."""
LONGEST = 40
"""Characters of a parameter in a line."""

_FOREMOST = re.compile(r"(?:^|[/_.-])(?:val|valid|validation|test)", re.IGNORECASE)


@dataclass(frozen=True)
class Effect:
    """A metric before and now: its best value where it is known which that is, its last one otherwise."""

    name: str
    better: int
    before: float | None
    now: float | None

    @property
    def verdict(self) -> str:
        """Whether it is ``better``, ``worse``, ``higher``, ``lower`` or ``the same``; empty where nobody can say."""
        if self.before is None or self.now is None:
            return ""
        more = self.now - self.before
        if more == 0:
            return "the same"
        if self.better:
            return "better" if more * self.better > 0 else "worse"
        return "higher" if more > 0 else "lower"

    def words(self) -> str:
        """Return both values: ``val_accuracy 0.91 → 0.93 (better)``."""
        return f"{visible(self.name)} {fmt.number(self.before)} → {self.now_words()}"

    def now_words(self) -> str:
        """Return the present value and whether it is better: ``0.93 (better)``."""
        return fmt.number(self.now) + (f" ({self.verdict})" if self.verdict else "")


def effects(changes: dict[str, Any], shot: Snapshot) -> list[Effect]:
    """Return what became of the metrics that both runs have; of a sweep of what it was after."""
    now = {one.name: one for one in shot.series}
    found = []
    for name, better, last, best in changes["metrics"]:
        if name in now:
            one = now[name]
            value = one.high if better > 0 else one.low if better < 0 else one.last
            found.append(Effect(name, better, _finite(best if better else last), value))
    aim = changes.get("best")
    if aim and shot.sweep is not None and aim[0] == shot.sweep.metrics[0]:
        best_now = shot.sweep.status["best"]
        found.insert(0, Effect(aim[0], aim[1], _finite(aim[2]), _finite(best_now["values"][0]) if best_now else None))
    return found


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def foremost(every: Sequence[Effect]) -> Effect | None:
    """Return the metric that a reader looks at first: one of validation, where it is known which is better."""
    judged = [one for one in every if one.verdict]
    known = [one for one in judged if one.better]
    return next((one for one in known if _FOREMOST.search(one.name)), next(iter([*known, *judged]), None))


def since_words(changes: dict[str, Any], shot: Snapshot) -> str:
    """Return it in one line: ``since lenet, 2 h earlier: lr 0.001 → 0.0003; cell +1 line; loss 0.5 → 0.4 (better)``.

    Times are told from submit to submit, so that the line stays true in a notebook that is opened years later.
    """
    since = changes["since"]
    when = ago(since["submitted"], shot.header["submitted"])
    when = {"just now": "moments earlier"}.get(when, when.replace(" ago", " earlier"))
    ended = "" if since["state"] == "finished" else f" ({since['state']})"
    said = what_words(changes) or ["nothing changed"]
    effect = foremost(effects(changes, shot))
    if effect is not None:
        said.append(effect.words() if shot.header["ended"] else effect.words().replace(")", " so far)"))
    return f"since {since['name']}, {when}{ended}: {'; '.join(said)}"


def what_words(changes: dict[str, Any]) -> list[str]:
    """Return what changed, in few words each."""
    said = [fact_words(fact) for fact in changes["params"][:MOST]]
    if len(changes["params"]) > MOST:
        said.append(many(len(changes["params"]) - MOST, "more parameter"))
    if changes["cell"]:
        said.append(f"cell {line_words(changes['cell'])}")
    notebook = changes["notebook"]
    cells = sum(1 for cell in notebook["cells"] if is_shown(cell)) if notebook else 0
    said += [many(cells, "other cell")] if cells else []
    said += [f"{visible(name)} {line_words(rows)}" for name, rows in changes["modules"][:MOST]]
    if len(changes["modules"]) > MOST:
        said.append(many(len(changes["modules"]) - MOST, "more module"))
    environment = [fact for fact in changes["environment"] if fact[0] != "git"]
    if environment:
        said.append(fact_words(environment[0]) if len(environment) == 1 else "other environment")
    elif changes["environment"]:
        said.append("other commit")
    return said


def fact_words(fact: Sequence[str | None]) -> str:
    """Return a parameter before and now: ``lr 0.001 → 0.0003``, ``without momentum``."""
    name, old, new = (None if text is None else visible(_short(text)) for text in fact)
    if new is None:
        return f"without {name}"
    return f"{name} {new}" if old is None else f"{name} {old} → {new}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def line_words(rows: Sequence[Sequence[Any]]) -> str:
    """Return how many lines came and went: ``+2 −1 lines``."""
    came = sum(1 for row in rows if row[0] in "+~")
    went = sum(1 for row in rows if row[0] in "-~")
    parts = [f"+{came}"] * (came > 0) + [f"−{went}"] * (went > 0)
    return f"{' '.join(parts)} line{'' if came + went == 1 else 's'}"
