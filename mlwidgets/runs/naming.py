"""What a metric's name tells: which others it belongs to, and whether more of it is better."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

ROLES = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
LOWER = frozenset(
    (
        *("loss", "error", "err", "perplexity", "ppl", "mse", "rmse", "mae", "mape", "wer", "cer", "fid", "nll"),
        *("bce", "ce", "kl", "regret", "distance", "divergence"),
    )
)
HIGHER = frozenset(
    (
        *("acc", "accuracy", "f1", "auc", "auroc", "auprc", "map", "precision", "recall", "score", "bleu", "rouge"),
        *("iou", "miou", "dice", "r2", "psnr", "ssim", "reward", "return", "top1", "top5", "ndcg", "mrr", "kappa"),
    )
)
CLOCKS = frozenset({"epoch", "epochs", "progress"})
_SEPARATOR = re.compile(r"[/_.\-\s:]+")


class Place(NamedTuple):
    """Where a metric is drawn.

    Attributes
    ----------
    group
        The chart: metrics of the same group share it.
    role
        ``train``, ``validation``, ``test``, or nothing where the name says none of them.
    better
        -1 where lower values are better, 1 where higher ones are, 0 where the name does not tell.
    """

    group: str
    role: str
    better: int


@lru_cache(4096)
def place(name: str) -> Place:
    """Return where a metric of this name belongs."""
    words = [word for word in _SEPARATOR.split(name.lower()) if word]
    at = next((i for i, word in enumerate(words) if word in ROLES), None) if len(words) > 1 else None
    if at is None:
        return Place(name, "", _better(words))
    return Place(_without(name, words[at]), ROLES[words[at]], _better(words))


def better(name: str) -> int:
    """Return 1 where higher values of a metric of this name are better, -1 where lower ones are, 0 if nobody knows."""
    return place(name).better


def _without(name: str, word: str) -> str:
    """Return the name without one of its words and the separator that joined it."""
    pieces = re.split(r"([/_.\-\s:]+)", name)  # words and separators in turns
    at = next(i for i, piece in enumerate(pieces) if piece.lower() == word)
    joint = at + 1 if at + 1 < len(pieces) else at - 1
    return "".join(piece for i, piece in enumerate(pieces) if i not in {at, joint})


def _better(words: list[str]) -> int:
    if LOWER.intersection(words):
        return -1
    return 1 if HIGHER.intersection(words) else 0
