"""One probability from a reading's check and from the fused judge, by a small calibrated rule.

In log-odds: what the check says, weighed by how sure the reading is, plus what the judge says,
weighed. Where they disagree the sum is near nought, and the case is uncertain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

LEAST, MOST = 0.001, 0.999  # no single number is surer than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """The weights of the rule, fitted on cases of which neither model was trained.

    `alone` weighs the judge where nothing was read. Unfitted, each is believed as far as it says:
    the odds of both are multiplied, as if they erred independently.
    """

    reading: float = 0.0
    sureness: float = 1.0
    judge: float = 1.0
    alone: float = 1.0

    def probability(
        self, *, says_violated: bool | None, confidence: float, judge: float | None
    ) -> float:
        """Return P(violated) where a reading says so (None: it says nothing) and the judge too.

        However the weights were fitted, a reading never counts against what it says.
        """
        odds = 0.0 if judge is None else log_odds(judge)
        if says_violated is None:
            return share(self.alone * odds)
        weight = max(0.0, self.reading + self.sureness * log_odds(confidence))
        return share((weight if says_violated else -weight) + self.judge * odds)


Decider = Literal["reading", "model", "combined"]


def decider(*, says_violated: bool | None, judge: float | None, together: float) -> Decider:
    """Return who decided: the reading, the judge, or the judge against the reading."""
    if says_violated is None:
        return "model"
    if judge is not None and says_violated is not (together >= 0.5):
        return "combined"
    return "reading"


def log_odds(p: float) -> float:
    """Return the log-odds of `p`, which is kept from certainty first."""
    clipped = min(MOST, max(LEAST, p))
    return math.log(clipped / (1 - clipped))


def share(odds: float) -> float:
    """Return the probability of log-odds, however large they are."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, odds))))
