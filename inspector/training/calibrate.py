"""Calibrate a judge: one temperature, two thresholds, and what they promise.

Temperature scaling after Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017). The
thresholds are split-conformal quantiles: for n held-out violated cases, a new one exchangeable with
them scores at most the k-th smallest with probability at most k / (n + 1) (Vovk et al., 2005).
"""

from __future__ import annotations

import math

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
    pass_at = _below(float(low[_rank(len(low), escape, "escape") - 1]))
    fail_at = _above(float(high[_rank(len(high), overkill, "overkill") - 1]))
    pass_at = min(pass_at, 0.5 - CLOSEST / 2)
    fail_at = max(fail_at, 0.5 + CLOSEST / 2)
    return Thresholds(pass_at=pass_at, fail_at=min(fail_at, 1.0))


def _rank(count: int, target: float, name: str) -> int:
    rank = math.floor(target * (count + 1))
    if rank < 1:
        raise DataError(
            f"expected a target {name} of at least {1 / (count + 1):.4f} for {count} cases, got "
            f"{target}; add cases or raise the target"
        )
    return rank


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
    index = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [
        abs(float(p[index == b].mean()) - float(violated[index == b].mean()))
        * int((index == b).sum())
        for b in range(bins)
        if (index == b).any()
    ]
    return sum(gaps) / len(p)
