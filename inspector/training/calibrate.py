"""Calibrate a judge: one temperature, two thresholds, and what they promise.

Temperature scaling after Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017). The
thresholds are set by conformal risk control (Angelopoulos et al., "Conformal Risk Control", ICLR
2024, theorem 1): with n cases set aside and a loss of 0 or 1 that only grows with the threshold,
the loosest threshold with (errors + 1) / (n + 1) <= target keeps the expected loss of a new
exchangeable case at or below the target. For such a loss it is the split-conformal quantile (Vovk
et al., "Algorithmic Learning in a Random World", 2005).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.decision import Thresholds
from inspector.errors import DataError

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
CLOSEST = 0.05  # between the thresholds lies at least this: an unsure model must be able to hold


def temperature(logits: Floats, violated: Truths) -> float:
    """Return the temperature that minimises the cross-entropy, between 0.2 and 20."""
    low, high = math.log(0.2), math.log(20.0)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(60):  # golden section: the loss has one minimum in log T
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if _cross_entropy(logits / math.exp(left), violated) < _cross_entropy(
            logits / math.exp(right), violated
        ):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)


def _cross_entropy(logits: Floats, violated: Truths) -> float:
    return float(np.mean(np.logaddexp(0.0, np.where(violated, -logits, logits))))


def probabilities(logits: Floats, *, temperature: float) -> Floats:
    """Return P(violated) of each logit."""
    return 1 / (1 + np.exp(-np.clip(logits / temperature, -60, 60)))


def thresholds(
    violated_p: Floats, *, conforming_p: Floats, escape: float, overkill: float
) -> Thresholds:
    """Return thresholds from held-out P(violated) for target rates of escapes and overkill.

    At most `escape` of new violated cases fall to `pass_at` or below and at most `overkill` of new
    conforming ones reach `fail_at`, on average over calibration sets, as long as new cases are
    exchangeable with these. Where the quantiles cross, both are moved to the safe side.
    Raises `DataError` for a target that so few cases cannot support.
    """
    low = np.sort(violated_p)
    high = np.sort(conforming_p)[::-1]
    pass_at = _below(float(low[allowed(len(low), escape, "escape")]))
    fail_at = _above(float(high[allowed(len(high), overkill, "overkill")]))
    pass_at = min(pass_at, 0.5 - CLOSEST / 2)
    fail_at = max(fail_at, 0.5 + CLOSEST / 2)
    return Thresholds(pass_at=pass_at, fail_at=min(fail_at, 1.0))


def allowed(count: int, target: float, name: str) -> int:
    """Return how many of `count` cases set aside may err for a target rate.

    Raises `DataError` for a target below 1 / (count + 1): a new case could be the worst of all.
    """
    if not 0 < target < 1:
        raise DataError(f"expected a target {name} above 0 and below 1, got {target}")
    most = math.floor(target * (count + 1) + 1e-9) - 1
    if most < 0:
        raise DataError(
            f"expected a target {name} of at least {math.ceil(1e4 / (count + 1)) / 1e4:.4f}, got "
            f"{target}: even if none of the {count} cases erred, a rate below 1 in {count + 1} "
            f"would not be shown; add cases (about {math.ceil(1 / target) - 1 - count} of this "
            "kind) or raise the target"
        )
    return most


def bound(errors: int, count: int) -> float:
    """Return what conformal risk control promises: at most this rate, on average."""
    return (errors + 1) / (count + 1)


def rate_at_95(errors: int, count: int) -> float:
    """Return the rate that this one threshold stays below, with a confidence of 95 %.

    The rate behind the threshold that leaves `errors` of `count` is Beta(errors + 1, count -
    errors) distributed (Vovk, "Conditional Validity of Inductive Conformal Predictors", 2012); the
    same number is Clopper and Pearson's upper limit for a threshold set beforehand.
    """
    if errors >= count:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if _at_most(errors, count, middle) > 0.05:
            low = middle
        else:
            high = middle
    return high


def _at_most(errors: int, count: int, rate: float) -> float:
    """Return the probability of at most `errors` in `count` draws."""
    return math.fsum(
        math.exp(
            math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
            + k * math.log(rate) + (count - k) * math.log1p(-rate)
        )
        for k in range(errors + 1)
    )  # fmt: skip


def _below(value: float) -> float:
    return max(0.0, math.floor(value * 1e4 - 1e-9) / 1e4)


def _above(value: float) -> float:
    return min(1.0, math.ceil(value * 1e4 + 1e-9) / 1e4)


def auroc(scores: Floats, violated: Truths) -> float | None:
    """Return the area under the ROC curve (Mann-Whitney, ties half), None with one class only."""
    positives, negatives = int(violated.sum()), int((~violated).sum())
    if positives == 0 or negatives == 0:
        return None
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    for value in np.unique(scores):
        same = scores == value
        ranks[same] = ranks[same].mean()
    total = float(ranks[violated].sum())
    return (total - positives * (positives + 1) / 2) / (positives * negatives)


def expected_calibration_error(p: Floats, violated: Truths, *, bins: int = 10) -> float:
    """Return the mean gap between P(violated) and its frequency, over `bins` equal bins."""
    gaps = [
        abs(one.probability - one.violated) * one.n
        for one in reliability(p, violated, bins=bins)
        if one.probability is not None and one.violated is not None
    ]
    return sum(gaps) / len(p)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Cases whose P(violated) lies in one tenth: how many, their mean, and how many were."""

    n: int
    probability: float | None
    violated: float | None


def reliability(p: Floats, violated: Truths, *, bins: int = 10) -> tuple[Bin, ...]:
    """Return what each of `bins` equal bins of P(violated) holds."""
    index = np.minimum((p * bins).astype(int), bins - 1)
    return tuple(
        Bin(
            n=int(own.sum()), probability=float(p[own].mean()), violated=float(violated[own].mean())
        )
        if (own := index == b).any()
        else Bin(n=0, probability=None, violated=None)
        for b in range(bins)
    )


def ece_interval(
    p: Floats, violated: Truths, *, rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the expected calibration error.

    Few cases in a bin make any error look larger, so the interval lies rather high.
    """
    chance = np.random.default_rng(seed)
    drawn = [chance.integers(0, len(p), len(p)) for _ in range(rounds)]
    errors = [expected_calibration_error(p[rows], violated[rows]) for rows in drawn]
    low, high = np.percentile(errors, (2.5, 97.5))
    return float(low), float(high)
