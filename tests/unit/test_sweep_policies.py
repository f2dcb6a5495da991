"""Policies against examples computed by hand from their definitions."""

from __future__ import annotations

import binascii
import math
import random
from typing import Any

import optuna
import pytest
from optuna.pruners import BasePruner, HyperbandPruner, PercentilePruner, SuccessiveHalvingPruner
from optuna.trial import TrialState

from mlwidgets.errors import ParameterError
from mlwidgets.sweeps.policies import Curve, Why, parse_policy, replay

pytestmark = pytest.mark.unit


def curves(*values: list[float], state: str | None = None) -> dict[int, Curve]:
    return {n: Curve(list(range(len(v))), v, state is not None, state) for n, v in enumerate(values)}


def judge(text: str, all_values: list[list[float]], number: int = -1, sign: int = 1) -> Why | None:
    number %= len(all_values)
    return parse_policy(text, sign=sign, metric="auc").judge(curves(*all_values), number)


def limit(why: Why | None) -> float | None:
    return why and why.threshold


@pytest.mark.parametrize(
    ("text", "best", "own", "sign", "threshold"),
    [
        # HyperDrive's example: "compares the value (Y + Y * 0.2) to 0.8, and if smaller, cancels the run".
        ("bandit:slack=0.2", 0.8, 0.66, 1, 0.8 / 1.2),
        ("bandit:slack=0.2", 0.8, 0.67, 1, None),
        # "any run with an AUC less than 0.6 (0.8 - 0.2) after 100 iterations will be terminated".
        ("bandit:amount=0.2", 0.8, 0.59, 1, 0.6),
        ("bandit:amount=0.2", 0.8, 0.6, 1, None),
        # "less than (1/(1+0.1)) or 91% of the best performing trial".
        ("bandit:slack=0.1", 1.0, 0.909, 1, 1 / 1.1),
        ("bandit:slack=0.1", 1.0, 0.9091, 1, None),
        ("bandit:slack=0", 0.5, 0.499, 1, 0.5),
        # A loss: up to 10% more than the best.
        ("bandit:slack=0.1", 0.2, 0.221, -1, 0.22),
        ("bandit:slack=0.1", 0.2, 0.22, -1, None),
        ("bandit:amount=0.05", 0.2, 0.26, -1, 0.25),
        # A best below 0: -2 - 2 * 0.25 / 1.25 = -2.4, and for a loss -2 + 2 * 0.25 = -1.5.
        ("bandit:slack=0.25", -2.0, -2.41, 1, -2.4),
        ("bandit:slack=0.25", -2.0, -2.39, 1, None),
        ("bandit:slack=0.25", -2.0, -1.49, -1, -1.5),
        ("bandit:slack=0.25", -2.0, -1.51, -1, None),
        ("bandit:amount=1", -2.0, -3.1, 1, -3.0),
        ("bandit:slack=0.1", 0.0, -0.01, 1, 0.0),
        ("bandit:slack=0.1", 0.0, 0.01, -1, 0.0),
    ],
)
def test_bandit(text: str, best: float, own: float, sign: int, threshold: float | None) -> None:
    why = judge(text, [[own + sign * -9.0, best], [best - sign, best - sign], [own - sign, own]], sign=sign)
    assert limit(why) == (None if threshold is None else pytest.approx(threshold))
    assert why is None or (why.value, why.best, why.best_trial, why.interval) == (own, best, 0, 2)


def test_bandit_compares_at_the_same_interval() -> None:
    ahead = [0.5, 0.9, 0.95]
    assert judge("bandit:slack=0.1", [ahead, [0.46]]) is None
    assert limit(judge("bandit:slack=0.1", [ahead, [0.46, 0.8]])) == pytest.approx(0.9 / 1.1)
    # A trial's own best counts, and so does that of the one it is compared with.
    assert judge("bandit:slack=0.1", [[0.9, 0.1], [0.85, 0.2]]) is None
    assert limit(judge("bandit:slack=0.1", [[0.9, 0.1], [0.5, 0.2]])) == pytest.approx(0.9 / 1.1)
    # One that has not come as far is no measure yet, unless it has finished.
    behind = [0.9]
    own = [0.2, 0.5]
    assert judge("bandit:slack=0.1", [behind, own]) is None
    there = curves(behind, state="finished") | {1: curves(own)[0]}
    assert limit(parse_policy("bandit:slack=0.1").judge(there, 1)) == pytest.approx(0.9 / 1.1)


def test_bandit_says_why() -> None:
    why = judge("bandit:slack=0.1,delay=5", [[0.9, 0.91, 0.92, 0.93, 0.94, 0.95], [0.5, 0.6, 0.7, 0.75, 0.8, 0.81]])
    assert why is not None
    assert why.to_json() == {
        "policy": "bandit:slack=0.1,every=1,delay=5",
        "rule": "0.81 at interval 6 is below 0.8636, the best trial's 0.95 / (1 + 0.1)",
        "metric": "auc",
        "interval": 6,
        "step": 5,
        "value": 0.81,
        "threshold": pytest.approx(0.863636, abs=1e-6),
        "best": 0.95,
        "best_trial": 0,
    }


@pytest.mark.parametrize(
    ("text", "values", "sign", "rule"),
    [
        (
            "bandit:slack=0.1",
            [[0.2, 0.1], [0.3, 0.5]],
            -1,
            "0.3, the best of 2 intervals, is above 0.11, the best trial's 0.1 * (1 + 0.1)",
        ),
        ("bandit:amount=0.2", [[0.9], [0.5]], 1, "0.5 at interval 1 is below 0.7, the best trial's 0.9 - 0.2"),
        ("bandit:amount=0.2", [[0.5], [0.9]], -1, "0.9 at interval 1 is above 0.7, the best trial's 0.5 + 0.2"),
        (
            "bandit:slack=1",
            [[-3.0], [-9.0]],
            1,
            "-9 at interval 1 is below -4.5, the best trial's -3 - 3 * 1 / (1 + 1)",
        ),
        ("bandit:slack=0.5", [[-3.0], [-1.0]], -1, "-1 at interval 1 is above -1.5, the best trial's -3 + 3 * 0.5"),
        # As many digits as tell one number from the other.
        (
            "bandit:amount=0",
            [[0.1234567], [0.1234566]],
            1,
            "0.1234566 at interval 1 is below 0.1234567, the best trial's 0.1235 - 0",
        ),
        (
            "median",
            [[0.2, 0.4], [0.6, 0.8], [0.4, 0.6], [0.3, 0.4]],
            1,
            "0.4 at interval 2 is below 0.425, the median of 4 trials' averages over intervals 1 to 2",
        ),
        (
            "truncation:percent=50",
            [[0.5], [0.6], [0.7], [0.4]],
            1,
            "0.4 at interval 1 is at or below 0.5, where the lowest 50% of 4 trials end",
        ),
        (
            "truncation:percent=50",
            [[0.5], [0.6], [0.7], [0.6]],
            -1,
            None,
        ),
        (
            "halving:first=1,factor=2",
            [[0.5], [0.6], [0.55]],
            1,
            "0.55 at interval 1 is below 0.6, which the best 1/2 of the 3 trials at this rung have",
        ),
        (
            "patience:intervals=2",
            [[0.1, 0.5, 0.4, 0.3]],
            1,
            "0.4, the best of the last 2 intervals, is below 0.5, the best before them",
        ),
        (
            "median",
            [[0.5, 0.6], [math.nan, math.inf]],
            1,
            "no finite value in 2 intervals, where the best trial has 0.6",
        ),
        ("halving:first=2", [[0.5, 0.6], [0.3, math.nan]], 1, "no finite value at interval 2, which is a rung"),
    ],
)
def test_reasons(text: str, values: list[list[float]], sign: int, rule: str | None) -> None:
    why = judge(text, values, sign=sign)
    assert (why and why.rule) == rule


def test_median() -> None:
    three = [[0.2, 0.4], [0.6, 0.8], [0.4, 0.6]]  # averages 0.3, 0.7 and 0.5
    # With its own average of 0.375 the median is that of 0.3, 0.375, 0.5 and 0.7.
    assert judge("median", [*three, [0.3, 0.45]]) is None
    assert limit(judge("median", [*three, [0.3, 0.4]])) == pytest.approx((0.35 + 0.5) / 2)
    # The best so far counts, not the last.
    assert judge("median", [*three, [0.5, 0.1]]) is None
    # What the others did later does not.
    assert judge("median", [[0.2, 0.9], [0.2, 0.9], [0.1, 0.9], [0.2]]) is None
    losses = [[1 - v for v in values] for values in [*three, [0.3, 0.4]]]
    assert limit(judge("median", losses, sign=-1)) == pytest.approx(1 - 0.425)
    # An average with a value that is not finite in it is the lowest: 0.35 is the median of it, 0.35 and 0.7.
    assert judge("median", [[0.9, math.nan], [0.6, 0.8], [0.3, 0.4]]) is None


def test_an_ended_trial_counts_for_the_median_as_it_ended() -> None:
    policy = parse_policy("median")
    running = curves([0.5, 0.6, 0.7], [0.6, 0.8, 1.0], [0.4, 0.5, 0.55])  # averages to 3: 0.6, 0.8 and 0.483
    # Among the three the median is 0.6, and the third ends.
    assert limit(policy.judge(running, 2)) == pytest.approx(0.6)
    # With two that were ended after one and two intervals, averages 0.1 and 0.15, it is the middle of five: its own.
    ended = {3: Curve([0], [0.1], True, "terminated"), 4: Curve([0, 1], [0.1, 0.2], True, "failed")}
    assert policy.judge({**running, **ended}, 2) is None
    # What goes on and has not come so far is not counted, nor what has logged nothing.
    behind = {3: Curve([0], [0.1]), 4: Curve([0, 1], [0.1, 0.2]), 5: Curve([], [], True, "failed")}
    assert limit(policy.judge({**running, **behind}, 2)) == pytest.approx(0.6)
    # One that ended later than this interval counts up to it: averages to 1 are 0.5, 0.6, 0.4, 0.1 and 0.1.
    assert policy.judge({**running, **ended}, 2, 1) is None
    assert limit(policy.judge({**running, 3: Curve([0], [0.5], True, "terminated")}, 2, 1)) == 0.5


@pytest.mark.parametrize("sign", [1, -1])
def test_a_curve_without_change_is_not_below_its_own_average(sign: int) -> None:
    policy = parse_policy("median", sign=sign)
    for k in range(1, 50):
        assert policy.judge({0: Curve([*range(k)], [0.1] * k)}, 0) is None


def test_truncation() -> None:
    ten = [[i / 10] for i in range(1, 11)]
    ended = [n for n in range(10) if judge("truncation:percent=20", ten, n)]
    assert ended == [0, 1]
    assert limit(judge("truncation:percent=20", ten, 0)) == 0.2
    assert [n for n in range(10) if judge("truncation:percent=20", ten, n, sign=-1)] == [8, 9]
    assert limit(judge("truncation:percent=20", ten, 9, sign=-1)) == 0.9
    # A fifth of nine is one whole trial, of four none.
    assert [n for n in range(9) if judge("truncation:percent=20", ten[:9], n)] == [0]
    assert [n for n in range(4) if judge("truncation:percent=20", ten[:4], n)] == []
    # 29% of 100 are 29, though 100 * 0.29 is less in floats.
    hundred = [[float(i)] for i in range(100)]
    assert [n for n in range(100) if judge("truncation:percent=29", hundred, n)] == list(range(29))
    # Equals end together or not at all.
    level = [[0.1], [0.1], [0.5], [0.6], [0.7]]
    assert judge("truncation:percent=20", level, 0) is None
    assert judge("truncation:percent=40", level, 0) is not None


def test_truncation_with_finished_trials() -> None:
    ended = curves([0.1], [0.2], [0.3], [0.4], state="finished")
    running = {n: Curve([0], [v]) for n, v in [(4, 0.5), (5, 0.6), (6, 0.7), (7, 0.8)]}
    both = ended | running
    include, exclude = parse_policy("truncation:percent=25"), parse_policy("truncation:percent=25,finished=exclude")
    assert [n for n in running if include.judge(both, n)] == []
    assert [n for n in running if exclude.judge(both, n)] == [4]


def test_when_policies_look() -> None:
    good = [1.0] * 30
    for text, intervals in [
        ("bandit:amount=0.1", list(range(1, 13))),
        ("bandit:amount=0.1,every=5", [5, 10]),
        ("bandit:amount=0.1,every=5,delay=5", [5, 10]),
        ("bandit:amount=0.1,every=5,delay=6", [10]),
        ("bandit:amount=0.1,delay=10", [10, 11, 12]),
        ("bandit:amount=0.1,delay=0", list(range(1, 13))),
    ]:
        policy = parse_policy(text)
        assert [k for k in range(1, 13) if policy.judge(curves(good, [0.0] * k), 1)] == intervals


def test_halving() -> None:
    # Rungs at intervals 2, 4 and 8; the best half of those at a rung goes on, the best one at least.
    text = "halving:first=2,factor=2"
    assert judge(text, [[9.0, 0.5], [9.0]]) is None
    first = [[9.0, 0.5], [9.0, 0.6]]
    assert judge(text, first) is None
    assert limit(judge(text, [*first, [9.0, 0.55]])) == 0.6
    # Of four the second best goes on, but not the third.
    assert judge(text, [*first, [9.0, 0.55], [9.0, 0.58]]) is None
    assert limit(judge(text, [*first, [9.0, 0.55], [9.0, 0.54]])) == 0.55
    # At interval 3 there is no rung; at 4 only those count that came there.
    assert judge(text, [*first, [9.0, 0.7, 0.0]]) is None
    assert judge(text, [*first, [9.0, 0.7, 0.0, 0.1]]) is None
    assert limit(judge(text, [[9.0, 0.5, 0.5, 0.2], *first, [9.0, 0.7, 0.0, 0.1]])) == 0.2


def test_hyperband() -> None:
    # 3 brackets of 9, 5 and 3 shares; a trial's is dealt by its number, and its first rung is at 1, 3 or 9.
    policy = parse_policy("hyperband:last=9")
    shares = {n: binascii.crc32(f"policy_{n}".encode()) % 17 for n in range(60)}
    first_rung = {n: 1 if share < 9 else 3 if share < 14 else 9 for n, share in shares.items()}
    assert set(first_rung.values()) == {1, 3, 9}
    there = {n: Curve(list(range(9)), [1.0] * 9, True, "finished") for n in range(40)}
    for number in range(40, 60):
        ends = [k for k in range(1, 10) if policy.judge({**there, number: Curve(list(range(k)), [0.1] * k)}, number)]
        assert ends == [k for k in (1, 3, 9) if k >= first_rung[number]]
        # Only those of its bracket compete, and a bracket's later rungs are those of others, too.
        rivals = sum(first_rung[n] == first_rung[number] for n in there)
        why = policy.judge({**there, number: Curve([0] * 9, [0.1] * 9)}, number)
        assert why is not None
        assert f"of the {rivals + 1} trials at this rung" in why.rule


def test_wilcoxon() -> None:
    best = curves([0.8, 0.7, 0.9, 0.6, 0.8, 0.7], state="finished")
    worse = [v - 0.01 * (k + 1) for k, v in enumerate(best[0].values)]
    for text, ends in [("wilcoxon:p=0.1,start=2", 4), ("wilcoxon:p=0.05,start=2", 5), ("wilcoxon:p=0.1,start=6", 6)]:
        # All n differences are on one side, which by chance happens once in 2**n.
        policy = parse_policy(text)
        judged = [policy.judge({**best, 1: Curve(list(range(k)), worse[:k])}, 1) for k in range(1, 7)]
        assert [why is not None for why in judged].index(True) == ends - 1
    why = parse_policy("wilcoxon:p=0.1").judge({**best, 1: Curve(list(range(4)), worse[:4])}, 1)
    assert why is not None
    assert (why.value, why.threshold) == (pytest.approx(0.725), pytest.approx(0.75))
    assert why.rule == (
        "0.725 on average of 4 intervals, where trial 0 has 0.75, is worse by the signed-rank test, p = 0.062 < 0.1"
    )


def test_percentile() -> None:
    # The upper quarter of 0.1 to 0.5 begins at 0.4.
    done = curves(*([v / 10, v / 10] for v in range(1, 6)), state="finished")
    policy = parse_policy("percentile:keep=25,start=5")
    assert policy.judge({**done, 7: Curve([0], [0.4])}, 7) is None
    why = policy.judge({**done, 7: Curve([0], [0.39])}, 7)
    assert limit(why) == pytest.approx(0.4)
    assert why is not None
    assert why.rule == "0.39 at interval 1 is below 0.4, which the best 25% of 5 finished trials had then"
    assert parse_policy("percentile:keep=25,start=6").judge({**done, 7: Curve([0], [0.39])}, 7) is None
    less = parse_policy("percentile:keep=25,start=5", sign=-1)
    assert less.judge({**done, 7: Curve([0], [0.2])}, 7) is None
    assert limit(less.judge({**done, 7: Curve([0], [0.21])}, 7)) == pytest.approx(0.2)


def test_patience() -> None:
    values = [0.1, 0.5, 0.4, 0.4, 0.4]
    assert judge("patience:intervals=3", [values[:4]]) is None
    assert limit(judge("patience:intervals=3", [values])) == 0.5
    assert judge("patience:intervals=3", [[0.1, 0.5, 0.4, 0.5, 0.4]]) is None
    assert judge("patience:intervals=3,tolerance=0.1", [values]) is None
    assert limit(judge("patience:intervals=3", [[-v for v in values]], sign=-1)) == -0.5


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("text", "pruner"),
    [
        ("halving:first=1,factor=2", SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)),
        ("halving:first=2,factor=3", SuccessiveHalvingPruner(min_resource=2, reduction_factor=3)),
        ("hyperband:last=9", HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)),
        ("percentile:keep=40,start=3", PercentilePruner(40.0, n_startup_trials=3)),
    ],
)
def test_the_verdicts_are_those_of_optuna(text: str, pruner: BasePruner, sign: int) -> None:
    """Five trials at a time log in a random order, some of what they log no number."""
    rng = random.Random(3)
    direction = "maximize" if sign > 0 else "minimize"
    # Hyperband deals trials out by the study's name.
    study = optuna.create_study(study_name="policy", direction=direction, pruner=pruner)
    policy = parse_policy(text, sign=sign)
    there: dict[int, Curve] = {}
    running: list[optuna.Trial] = []
    verdicts = []
    while len(there) < 80 or running:
        if len(running) < 5 and len(there) < 80:
            running.append(study.ask())
            there[running[-1].number] = Curve([], [])
        trial = rng.choice(running)
        curve = there[trial.number]
        value = math.nan if rng.random() < 0.05 else rng.random()
        curve.values.append(value)
        curve.steps.append(0)
        trial.report(value, step=len(curve.values))
        theirs, why = trial.should_prune(), policy.judge(there, trial.number)
        if why is None or not why.rule.startswith("no finite value in"):
            verdicts.append(theirs)
            assert theirs == (why is not None)
        if theirs or len(curve.values) == 9:
            curve.ended, curve.state = True, "terminated" if theirs else "finished"
            study.tell(trial, None if theirs else value, TrialState.PRUNED if theirs else None)
            running.remove(trial)
    assert min(verdicts.count(True), verdicts.count(False)) > 15


def test_a_trial_that_was_given_back_begins_again() -> None:
    policy = parse_policy("halving:first=1,factor=2")
    others = curves([0.5], [0.6])
    assert limit(policy.judge({**others, 2: Curve([0], [0.55])}, 2)) == 0.6
    # Trial 1 was given back, and its second attempt is better.
    again = {**others, 1: Curve([0], [0.9])}
    assert limit(policy.judge({**again, 2: Curve([0], [0.55])}, 2)) == 0.9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no policy '': there are bandit, median, truncation, halving"),
        ("bandits:slack=1", "there is no policy 'bandits'"),
        ("bandit", "bandit takes either slack, a share of the best, or amount"),
        ("bandit:slack=0.1,amount=1", "bandit takes either slack"),
        ("bandit:slack", "'slack' is no option of bandit: write bandit:slack=0.1,every=1,delay=5"),
        ("bandit:slack=", "'slack=' is no option of bandit"),
        ("bandit:slack=a", "bandit: slack=a is no number"),
        ("bandit:slack=-0.1", "slack=-0.1 has to be at least 0"),
        ("bandit:slack=nan", "slack=nan has to be at least 0"),
        ("bandit:slack_factor=0.1", "bandit has no 'slack_factor': it has slack, amount, every, delay"),
        ("bandit:slack=0.1,every=0", "every=0 has to be at least 1"),
        ("bandit:slack=0.1,every=1.5", "every=1.5 is no whole number"),
        ("bandit:slack=0.1,delay=-1", "delay=-1 has to be at least 0"),
        ("bandit:slack=0.1,slack=0.2", "bandit has slack twice"),
        ("bandit:sign=1,slack=1", "bandit has no 'sign'"),
        ("truncation", "truncation is not complete: write truncation:percent=20"),
        ("truncation:percent=0", "percent=0 has to be between 0 and 100"),
        ("truncation:percent=100", "percent=100 has to be between 0 and 100"),
        ("truncation:percent=20,finished=maybe", "finished=maybe has to be include or exclude"),
        ("halving:factor=1", "factor=1 has to be at least 2"),
        ("halving:every=2", "halving has no 'every': it has first, factor"),
        ("hyperband", "hyperband needs last, the intervals that a whole trial logs: hyperband:last=81"),
        ("hyperband:last=2", "last=2 has to be at least 3"),
        ("wilcoxon:p=2", "p=2 has to be between 0 and 1"),
        ("percentile:keep=0", "keep=0 has to be between 0 and 100"),
        ("patience:intervals=0", "intervals=0 has to be at least 1"),
    ],
)  # fmt: skip
def test_bad_policies(text: str, says: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_policy(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("bandit:slack=0.1,every=1,delay=5", "bandit:slack=0.1,every=1,delay=5"),
        (" bandit : delay = 5 , slack = .1 ,", "bandit:slack=0.1,every=1,delay=5"),
        ("median", "median:every=1,delay=0"),
        ("truncation:percent=20", "truncation:percent=20,finished=include,every=1,delay=0"),
        ("bandit:amount=1e-5", "bandit:amount=1e-05,every=1,delay=0"),
        ("halving", "halving:first=1,factor=4"),
    ],
)
def test_text(text: str, canonical: str) -> None:
    assert parse_policy(text).text == canonical


class TestReplay:
    """Two trials after one another, or side by side."""

    good = Curve([0, 1, 2, 3], [0.5, 0.8, 0.9, 0.9], True, "finished")
    poor = Curve([0, 1, 2, 3], [0.1, 0.2, 0.3, 0.95], True, "finished")

    def timed(self, curve: Curve, *, begins: float, pace: float) -> Curve:
        times = [begins + pace * (k + 1) for k in range(len(curve.values))]
        return Curve(curve.steps, curve.values, True, "finished", times, begins)

    def test_without_times_all_run_side_by_side(self) -> None:
        found = replay(parse_policy("bandit:slack=0.1,delay=2"), {0: self.poor, 1: self.good})
        # At interval 2 trial 0 comes first and sees itself only; at 3 it sees what trial 1 had at 2: not as far.
        assert found.ended == {}
        found = replay(parse_policy("bandit:slack=0.1,delay=2"), {0: self.good, 1: self.poor})
        assert {n: w.interval for n, w in found.ended.items()} == {1: 2}
        assert (found.intervals, found.intervals_saved, found.share) == (8, 2, 0.25)
        assert (found.best, found.best_value, found.best_lost) == (1, 0.95, True)
        assert (found.kept, found.kept_value) == (0, 0.9)

    def test_in_the_order_of_time(self) -> None:
        policy = parse_policy("bandit:slack=0.1")
        after = {0: self.timed(self.poor, begins=100, pace=1), 1: self.timed(self.good, begins=200, pace=1)}
        found = replay(policy, after)
        assert (found.ended, found.seconds, found.seconds_saved, found.best_lost) == ({}, 8.0, 0.0, False)
        # Now the poor one is twice as slow, and begins at once.
        beside = {0: self.timed(self.poor, begins=100, pace=2), 1: self.timed(self.good, begins=100, pace=1)}
        found = replay(policy, beside)
        assert {n: w.interval for n, w in found.ended.items()} == {0: 1}
        assert (found.seconds, found.seconds_saved, found.share) == (12.0, 6.0, 0.5)

    def test_what_ended_early_is_no_measure_later(self) -> None:
        first = self.timed(Curve([0, 1, 2], [0.5, 0.5, 0.1], True, "finished"), begins=0, pace=1)
        # Ended at interval 1, its peak at 2 never comes to be.
        peak = self.timed(Curve([0, 1, 2], [0.1, 0.99, 0.2], True, "finished"), begins=10, pace=1)
        third = self.timed(Curve([0, 1, 2], [0.5, 0.5, 0.6], True, "finished"), begins=20, pace=1)
        found = replay(parse_policy("bandit:slack=0.1"), {0: first, 1: peak, 2: third})
        assert {n: w.interval for n, w in found.ended.items()} == {1: 1}

    def test_what_ended_early_has_ended(self) -> None:
        level = {n: Curve([0] * 6, [v] * 6, True, "finished") for n, v in enumerate([0.4, 0.3, 0.1, 0.2])}
        found = replay(parse_policy("truncation:percent=34,finished=exclude,every=2"), level)
        # Trial 2 is the lowest of three at interval 2; so is trial 3 then, of those that are left.
        assert {n: w.interval for n, w in found.ended.items()} == {2: 2, 3: 2}
        found = replay(parse_policy("truncation:percent=34,every=2"), level)
        assert {n: w.interval for n, w in found.ended.items()} == {2: 2, 3: 4}

    def test_the_last_interval_saves_nothing(self) -> None:
        done = Curve([0], [0.9], True, "finished")
        found = replay(parse_policy("bandit:slack=0.1"), {0: done, 1: Curve([0], [0.1], True, "finished")})
        assert (found.ended, found.share) == ({}, 0.0)

    def test_best_or_last_value(self) -> None:
        peak = Curve([0, 1], [0.99, 0.1], True, "finished")
        policy = parse_policy("median")
        assert replay(policy, {0: self.good, 1: peak}).best == 0
        assert replay(policy, {0: self.good, 1: peak}, value="best").best == 1

    def test_only_finished_trials_are_results(self) -> None:
        failed = Curve([0, 1], [0.99, 0.99], True, "failed")
        assert replay(parse_policy("median"), {0: self.good, 1: failed}).best == 0

    @pytest.mark.parametrize("there", [{}, {0: Curve([], [], True, "failed")}])
    def test_nothing(self, there: dict[int, Curve]) -> None:
        found: Any = replay(parse_policy("median"), there)
        assert (found.ended, found.share, found.best, found.best_lost, found.kept) == ({}, 0.0, None, False, None)
