"""Figure: what a search finds for the computing that it is given."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Row, Spread, Target, Unit, number, ratios
from benchmarks.peers import NotInstalledError, load

SEARCHES: dict[str, tuple[str, str | None]] = {
    "TPE, bandit": ("tpe", "bandit:slack=0.1,every=1,delay=2"),
    "TPE, median": ("tpe", "median:every=1,delay=2"),
    "TPE alone": ("tpe", None),
    "random, bandit": ("random", "bandit:slack=0.1,every=1,delay=2"),
    "random alone": ("random", None),
}
OURS, PLAIN = "TPE, median", "random alone"


class Problem(ABC):
    """Something to search, whose trials show step by step how good they are."""

    title: str
    unit: Unit
    space: dict[str, str]
    epochs: int
    trials: int
    """So many whole ones fit into the computing that there is."""
    least: float = 0.0
    """What the best loss could be."""

    @abstractmethod
    def curve(self, params: dict[str, Any], seed: int) -> Iterator[float]:
        """Yield the loss after each epoch."""


class Function(Problem):
    """A function whose value a trial comes down to, each at a pace of its own."""

    unit: Unit = "regret"
    epochs, trials = 10, 30

    def __init__(
        self, title: str, space: dict[str, str], least: float, above: float, value: Callable[[dict[str, float]], float]
    ) -> None:
        self.title, self.space, self.least = title, space, least
        self._above, self._value = above, value

    def curve(self, params: dict[str, Any], seed: int) -> Iterator[float]:
        """Yield the function's value and what is left of the way down to it."""
        pace = random.Random(seed).uniform(1, 3)
        end = self._value(params)
        for epoch in range(1, self.epochs + 1):
            yield end + self._above * math.exp(-epoch / pace) * (epoch < self.epochs)


def branin(x: dict[str, float]) -> float:
    """Return Branin's function, least 0.397887 (Dixon and Szegö, 1978)."""
    a, b = x["x"], x["y"]
    first = b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6
    return first**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10


_ALPHA = (1.0, 1.2, 3.0, 3.2)
_A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def hartmann(x: dict[str, float]) -> float:
    """Return Hartmann's function of six variables, least -3.32237 (Dixon and Szegö, 1978)."""
    point = [x[f"x{i}"] for i in range(6)]
    return -sum(
        alpha * math.exp(-sum(a * (v - p) ** 2 for a, p, v in zip(row, centre, point, strict=True)))
        for alpha, row, centre in zip(_ALPHA, _A, _P, strict=True)
    )


class Digits(Problem):
    """A network of one hidden layer on scikit-learn's handwritten digits; the loss is the error on held-out ones."""

    title, unit = "digits network, error", "%"
    epochs, trials = 12, 12

    def __init__(self) -> None:
        self.space = {
            "lr": "loguniform(1e-4, 3)",
            "momentum": "uniform(0, 0.99)",
            "width": "choice(8, 16, 32, 64, 128)",
            "decay": "loguniform(1e-6, 1e-1)",
        }

    def curve(self, params: dict[str, Any], seed: int) -> Iterator[float]:
        """Train it."""
        import torch

        torch.manual_seed(seed)
        torch.set_num_threads(1)
        x, y, held_x, held_y = _digits()
        net = torch.nn.Sequential(
            torch.nn.Linear(64, params["width"]), torch.nn.ReLU(), torch.nn.Linear(params["width"], 10)
        )
        how = {"lr": params["lr"], "momentum": params["momentum"], "weight_decay": params["decay"]}
        descent = torch.optim.SGD(net.parameters(), **how)
        for _ in range(self.epochs):
            for batch in torch.randperm(len(x)).split(32):
                descent.zero_grad()
                torch.nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
                descent.step()
            with torch.no_grad():
                yield 100 * float((net(held_x).argmax(1) != held_y).double().mean())


@cache
def _digits() -> tuple[Any, Any, Any, Any]:
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x / 16, y, test_size=0.4, random_state=0, stratify=y)
    train_x, held_x = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    train_y, held_y = (torch.tensor(part) for part in parts[2:])
    return train_x, train_y, held_x, held_y


def problems() -> list[Problem]:
    """Return what is searched."""
    six = {f"x{i}": "uniform(0, 1)" for i in range(6)}
    return [
        Function("Branin, regret", {"x": "uniform(-5, 10)", "y": "uniform(0, 15)"}, 0.397887, 50, branin),
        Function("Hartmann-6, regret", six, -3.32237, 1, hartmann),
        Digits(),
    ]


def play(problem: Problem, sampler: str, policy: str | None, seed: int, scratch: Path) -> float:
    """Search with what `%%sweep` searches with, one trial after the other; return what the best loss lacks."""
    from mlwidgets.sweeps.definition import MINIMIZE, Objective, SweepDefinition
    from mlwidgets.sweeps.policies import Curve, parse_policy
    from mlwidgets.sweeps.search.study import Search
    from mlwidgets.sweeps.space import Space

    scratch.mkdir(parents=True)
    definition = SweepDefinition(problem.space, (Objective("loss", MINIMIZE),), sampler=sampler, sampler_seed=seed)
    search = Search(scratch / "study.log", definition, Space.parse(problem.space))
    rule = parse_policy(policy, sign=-1) if policy else None
    curves: dict[int, Curve] = {}
    left, best = problem.epochs * problem.trials, math.inf
    while left > 0:
        asked = search.ask()
        assert asked is not None
        trial, params = asked
        curve = curves[trial] = Curve([], [])
        ended = "finished"
        for loss in problem.curve(params, seed * 1000 + trial):
            left -= 1
            curve.steps.append(len(curve.steps) + 1)
            curve.values.append(loss)
            best = min(best, loss)
            if rule is not None and rule.judge(curves, trial) is not None:
                ended = "terminated"
            if ended == "terminated" or left == 0:
                break
        curve.ended, curve.state = True, ended
        search.tell(trial, [curve.values[-1]], ended, intervals=len(curve.values))
    search.close()
    return best - problem.least


def measure(scratch: Path, *, quick: bool) -> Figure:
    """Return the figure."""
    seeds = 3 if quick else 15
    figure = Figure(
        "search",
        "What a search finds for the computing that it is given",
        f"The best value seen, less is better, when so many epochs are used up as {Function.trials} whole trials take "
        f"({Digits.trials} with the digits); {seeds} seeds, the same for all. A trial that ends early leaves its "
        "epochs to others. *Regret* is the distance from the known minimum; trials come down to their value each at "
        f"a pace of its own. The ratio is against `{OURS}`, seed by seed: above 1 that one found better. The policies "
        f"are `{SEARCHES[OURS][1]}` and `{SEARCHES['TPE, bandit'][1]}`. One trial after the other: samplers and "
        "policies are those of `%%sweep`, its processes are left out.",
    )
    try:
        load("optuna")
        load("mlwidgets")
    except NotInstalledError as error:
        figure.rows.append(Row("searches", "regret", None, note=str(error)))
        return figure
    for problem in problems():
        found = {
            name: [play(problem, *how, seed, scratch / f"{problem.title}-{name}-{seed}") for seed in range(seeds)]
            for name, how in SEARCHES.items()
        }
        for name, values in found.items():
            ratio = None if name == OURS else ratios(values, found[OURS])
            figure.rows.append(Row(f"{problem.title}: {name}", problem.unit, Spread.of(values), ratio))
        ours, plain = Spread.of(found[OURS]), Spread.of(found[PLAIN])
        text = f"{problem.title}: {OURS} finds better than {PLAIN}, by the median"
        measured = f"{number(ours.median)} against {number(plain.median)}"
        figure.targets.append(Target(text, measured, ours.median < plain.median))
    return figure
