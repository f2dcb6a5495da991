"""What every policy that ends trials early has to guarantee (`mlwidgets.sweeps.policies.base.Policy`)."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator

import pytest

from mlwidgets.sweeps.policies import POLICIES, Curve, Policy, Why, parse_policy, replay

TEXTS = {
    "bandit": "bandit:slack=0.1",
    "bandit-amount": "bandit:amount=0.2,every=2,delay=3",
    "median": "median:delay=2",
    "truncation": "truncation:percent=30",
    "truncation-exclude": "truncation:percent=40,finished=exclude,every=3",
    "halving": "halving:first=2,factor=2",
    "hyperband": "hyperband:last=9",
    "wilcoxon": "wilcoxon:p=0.1,start=4",
    "percentile": "percentile:keep=40,start=3,delay=2",
    "patience": "patience:intervals=3",
}
LENGTH = 9
METRIC = "score"


@pytest.fixture(params=TEXTS)
def text(request: pytest.FixtureRequest) -> str:
    return TEXTS[request.param]


@pytest.fixture(params=[1, -1], ids=["maximize", "minimize"])
def sign(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def policy(text: str, sign: int) -> Policy:
    return parse_policy(text, sign=sign, metric=METRIC)


def curve(values: list[float], *, state: str | None = None) -> Curve:
    # Steps are the code's own; intervals are counted.
    return Curve([10 * k for k in range(1, len(values) + 1)], values, state is not None, state)


def learning(sign: int, top: float, *, noise: float = 0.0, seed: int = 0, length: int = LENGTH) -> list[float]:
    """Return values that rise from half of `top` towards it, the other way round where less is better."""
    rng = random.Random(seed)
    rise = [top * (1 - 0.5 ** (k / 2)) + rng.gauss(0, noise) for k in range(1, length + 1)]
    return rise if sign > 0 else [3.0 - v for v in rise]


def race(sign: int, seed: int, *, trials: int = 12) -> Iterator[tuple[dict[int, Curve], int]]:
    """Yield curves as they grow, five trials at a time, each time with the trial that has just logged."""
    rng = random.Random(seed)
    whole = {n: learning(sign, rng.random() + 0.2, noise=0.05, seed=seed + n) for n in range(trials)}
    for n in range(2, trials, 5):
        whole[n][rng.randrange(LENGTH)] = rng.choice([math.nan, math.inf, -math.inf])
    curves: dict[int, Curve] = {}
    waiting, running = list(whole), list[int]()
    while waiting or running:
        while waiting and len(running) < 5:
            running.append(waiting.pop(0))
            curves[running[-1]] = curve([])
        number = rng.choice(running)
        now = curves[number]
        now.values.append(whole[number][len(now.values)])
        now.steps.append(10 * len(now.values))
        yield curves, number
        if len(now.values) == LENGTH or rng.random() < 0.03:
            now.ended = True
            now.state = rng.choice(["finished"] * 5 + ["terminated", "failed", "stopped"])
            running.remove(number)


def test_every_policy_is_here() -> None:
    assert {t.partition(":")[0] for t in TEXTS.values()} == set(POLICIES)


def test_the_text_comes_back(policy: Policy) -> None:
    again = parse_policy(policy.text, sign=policy.sign, metric=METRIC)
    assert again == policy
    assert again.text == policy.text
    assert parse_policy(POLICIES[policy.name].form.partition(" ")[0]).name == policy.name


def test_the_best_trial_goes_on(policy: Policy, sign: int) -> None:
    best = learning(sign, 1.0)
    others = {n: curve(learning(sign, 0.1 * n), state="finished") for n in range(1, 9)}
    for k in range(1, LENGTH + 1):
        assert policy.judge({**others, 0: curve(best[:k])}, 0) is None


def test_a_trial_alone_goes_on(policy: Policy, sign: int) -> None:
    for k in range(1, LENGTH + 1):
        assert policy.judge({5: curve(learning(sign, 1.0)[:k])}, 5) is None


def test_equals_go_on(policy: Policy, sign: int) -> None:
    curves = {n: curve(learning(sign, 1.0), state="finished") for n in range(6)}
    for k in range(1, LENGTH + 1):
        assert policy.judge({**curves, 7: curve(learning(sign, 1.0)[:k])}, 7) is None


def test_a_hopeless_trial_ends(policy: Policy, sign: int) -> None:
    curves = {n: curve(learning(sign, 1.0 + n / 20), state="finished") for n in range(5)}
    curves |= {n: curve(learning(sign, 0.9)) for n in range(5, 8)}
    hopeless = [0.1 - 0.01 * k if sign > 0 else 2.9 + 0.01 * k for k in range(LENGTH)]
    whys = [policy.judge({**curves, 9: curve(hopeless[:k])}, 9) for k in range(1, LENGTH + 1)]
    assert any(whys)
    for k, why in enumerate(whys, start=1):
        if why is not None:
            check(why, policy, curves, hopeless, k)


def check(why: Why, policy: Policy, curves: dict[int, Curve], values: list[float], k: int) -> None:
    """Check that a reason is complete, and true."""
    assert json.loads(json.dumps(why.to_json())) == why.to_json()
    assert (why.policy, why.metric, why.interval, why.step) == (policy.text, METRIC, k, 10 * k)
    assert {type(why.value), type(why.threshold), type(why.best)} == {float}
    # Truncation ends the trial at the threshold itself.
    assert policy.sign * why.value < policy.sign * why.threshold or policy.name == "truncation"
    assert min(values[:k]) <= why.value <= max(values[:k])
    assert "\n" not in why.rule
    assert f"{why.value:.4g}" in why.rule
    assert f"{why.threshold:.4g}" in why.rule
    assert why.best_trial is not None
    best = max((policy.sign * v for c in curves.values() for v in c.values[:k]), default=0)
    if policy.text != TEXTS["truncation-exclude"] + ",delay=0":
        assert why.best == policy.sign * best
        assert why.best in curves[why.best_trial].values


@pytest.mark.parametrize("seed", range(4))
def test_a_verdict_depends_on_the_curves_alone(text: str, sign: int, seed: int) -> None:
    used = parse_policy(text, sign=sign, metric=METRIC)
    verdicts = 0
    for curves, number in race(sign, seed):
        before = copy.deepcopy(curves)
        why = used.judge(curves, number)
        assert repr(curves) == repr(before)
        fresh = parse_policy(text, sign=sign, metric=METRIC)
        assert repr(fresh.judge(dict(reversed(curves.items())), number)) == repr(why)
        assert repr(used.judge(curves, number)) == repr(why)
        verdicts += why is not None
    assert verdicts or used.name in {"wilcoxon", "percentile"}


def test_an_earlier_interval_is_judged_as_if_it_were_the_last(policy: Policy, sign: int) -> None:
    for curves, number in race(sign, 11):
        now = curves[number]
        for k in range(1, len(now.values)):
            cut = {**curves, number: curve(now.values[:k])}
            why = policy.judge(curves, number, k)
            assert repr(why) == repr(policy.judge(cut, number))
            assert repr(why) == repr(parse_policy(policy.text, sign=sign, metric=METRIC).judge(curves, number, k))


# A share of the best is larger on one side than on the other.
@pytest.mark.parametrize("text", [t for t in TEXTS.values() if "slack" not in t])
def test_more_is_better_is_less_is_better_upside_down(text: str) -> None:
    up, down = parse_policy(text, sign=1), parse_policy(text, sign=-1)
    for curves, number in race(1, 21):
        mirrored = {n: Curve(c.steps, [-v for v in c.values], c.ended, c.state) for n, c in curves.items()}
        why, other = up.judge(curves, number), down.judge(mirrored, number)
        assert (why is None) == (other is None)
        if why is not None and other is not None:
            assert (why.interval, why.best_trial) == (other.interval, other.best_trial)
            assert repr((why.value, why.threshold)) == repr((-other.value, -other.threshold)) or math.isnan(why.value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_the_worst(policy: Policy, sign: int, bad: float) -> None:
    good = {n: curve(learning(sign, 1.0), state="finished") for n in range(3)}
    whys = [policy.judge({**good, 9: curve([bad] * k)}, 9) for k in range(1, LENGTH + 1)]
    due = [k for k in range(1, LENGTH + 1) if k >= policy.delay and k % policy.every == 0]
    if "exclude" in policy.text:
        good = {n: curve(learning(sign, 1.0)) for n in range(3)}
        whys = [policy.judge({**good, 9: curve([bad] * k)}, 9) for k in range(1, LENGTH + 1)]
    assert [k for k, why in enumerate(whys, start=1) if why is not None] == due
    why = next(w for w in whys if w is not None)
    assert math.isnan(why.value)
    assert math.isfinite(why.best)
    assert "no finite value" in why.rule


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_measure_for_others(policy: Policy, sign: int, bad: float) -> None:
    broken = {n: curve([bad] * LENGTH, state="finished") for n in range(6)}
    for k in range(1, LENGTH + 1):
        assert policy.judge({**broken, 9: curve(learning(sign, 1.0)[:k])}, 9) is None
        assert policy.judge({**broken, 9: curve([bad] * k)}, 9) is None


@pytest.mark.parametrize("text", [t for t in TEXTS.values() if parse_policy(t).has_when])
def test_it_waits_until_delay_and_looks_at_every_interval_in_turn(text: str, sign: int) -> None:
    name = text.partition(":")[0]
    options = ",".join(o for o in text.partition(":")[2].split(",") if not o.startswith(("every", "delay")))
    good = {n: curve([1.0] * 20 if sign > 0 else [-1.0] * 20, state=None if n else "finished") for n in range(6)}
    for every, delay, first in [(1, 0, 1), (3, 0, 3), (3, 4, 6), (3, 6, 6), (5, 1, 5), (1, 7, 7)]:
        policy = parse_policy(f"{name}:{options},every={every},delay={delay}", sign=sign)
        ends = [k for k in range(1, 21) if policy.judge({**good, 9: curve([math.nan] * k)}, 9)]
        assert ends == list(range(first, 21, every))


def test_trials_without_a_value_yet(policy: Policy, sign: int) -> None:
    curves = {0: curve([]), 1: curve([], state="failed"), 2: curve([], state="finished"), 3: curve(learning(sign, 1.0))}
    assert policy.judge(curves, 3) is None
    assert policy.judge(curves, 0) is None


@pytest.mark.parametrize("seed", [0, 5])
def test_replay(text: str, sign: int, seed: int) -> None:
    rng = random.Random(seed)
    curves = {n: curve(learning(sign, rng.random() + 0.2, noise=0.02, seed=n), state="finished") for n in range(15)}
    found = replay(parse_policy(text, sign=sign, metric=METRIC), curves)
    assert repr(replay(parse_policy(text, sign=sign, metric=METRIC), curves)) == repr(found)
    assert found.intervals == 15 * LENGTH
    assert found.intervals_saved == sum(LENGTH - w.interval for w in found.ended.values())
    assert found.share == found.intervals_saved / found.intervals
    assert all(0 < w.interval < LENGTH for w in found.ended.values())
    last = {n: sign * c.values[-1] for n, c in curves.items()}
    assert found.best == max(last, key=lambda n: last[n])
    assert found.best_lost == (found.best in found.ended)
    assert found.kept == max(set(last) - set(found.ended), key=lambda n: last[n])
    assert (found.seconds, found.seconds_saved) == (None, None)
