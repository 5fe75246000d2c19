"""Measure readings and judge on cases with known answers, apart and together, and fit their rule.

The weights of the rule are fitted on one part of the cases at a time and measured on the other, so
that the figure of both together is not one of the cases that it was fitted on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.cases import JudgeCase, read_cases
from inspector.combining import LEAST, MOST, Combination
from inspector.errors import DataError
from inspector.models.judge import load_judge
from inspector.models.reading_cache import CachedReader
from inspector.standard import is_violated, says

FOLDS = 5
STEPS = 50
RIDGE = 0.05  # keeps the weights finite where one part is never wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What reading and judge say of one case, and the truth."""

    case: str
    category: str
    violated: bool
    by_reading: bool | None
    confidence: float
    by_judge: float
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingFigures:
    """Shares of right answers; `right_where_read` counts only cases whose clause was read."""

    n: int
    read: float
    right_where_read: float
    reading_alone: float
    judge_alone: float
    together: float
    by_category: dict[str, tuple[int, int]]
    combination: Combination


def answers(cases: Path, *, judge: str = "judge", reader: str = "clause-reader") -> list[Answer]:
    """Return what reading and judge say of each case.

    Raises `DataError` where a case has no known answer.
    """
    given = read_cases(cases)
    if unknown := [case.id for case in given if case.violated is None or case.several]:
        raise DataError(f"{cases}: expected one clause and 'violated', missing for {unknown[:10]}")
    fused = load_judge(judge)
    readings = CachedReader(name=reader).read_clauses([case.clauses[0].text for case in given])
    found = []
    for case in given:
        reading = readings[case.clauses[0].text]
        found.append(
            Answer(
                case=case.id,
                category=case.category or "(none)",
                violated=bool(case.violated),
                by_reading=None
                if reading.check is None
                else is_violated(says(reading.check, case.evidence)),
                confidence=reading.confidence,
                by_judge=_of_judge(fused.violation_probabilities, case),
                line=reading.line,
            )
        )
    return found


def _of_judge(ask: Callable[..., tuple[float, ...]], case: JudgeCase) -> float:
    return ask(case.evidence, case.clauses)[0]


def figures(found: Sequence[Answer]) -> ReadingFigures:
    """Return the figures of `found`, the rule fitted on the other folds for each of them."""
    truth = np.array([a.violated for a in found])
    together = np.zeros(len(found))
    for fold in range(FOLDS):
        own = np.arange(len(found)) % FOLDS == fold
        rule = fitted([a for a, here in zip(found, own, strict=True) if not here])
        together[own] = [probability(a, rule) for a, here in zip(found, own, strict=True) if here]
    right = (together >= 0.5) == truth
    by_category: dict[str, list[bool]] = defaultdict(list)
    for answer, ok in zip(found, right, strict=True):
        by_category[answer.category].append(bool(ok))
    read = [a for a in found if a.by_reading is not None]
    return ReadingFigures(
        n=len(found),
        read=len(read) / max(1, len(found)),
        right_where_read=_share([a.by_reading == a.violated for a in read]),
        reading_alone=_share([bool(a.by_reading) == a.violated for a in found]),
        judge_alone=_share([(a.by_judge >= 0.5) == a.violated for a in found]),
        together=float(right.mean()),
        by_category={name: (sum(own), len(own)) for name, own in sorted(by_category.items())},
        combination=fitted(found),
    )


def probability(answer: Answer, rule: Combination) -> float:
    """Return P(violated) of one case by the rule."""
    return rule.probability(
        says_violated=answer.by_reading, confidence=answer.confidence, judge=answer.by_judge
    )


def fitted(found: Sequence[Answer]) -> Combination:
    """Return the weights of the rule by logistic regression on the cases that were read."""
    read = [a for a in found if a.by_reading is not None]
    if len(read) < 20:
        return Combination()
    x = np.array([_features(a) for a in read])
    y = np.array([float(a.violated) for a in read])
    weights = np.array([1.5, 0.5, 0.4])
    for _ in range(STEPS):  # Newton's method; the loss is convex
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (p - y) + RIDGE * weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(3)
        weights = weights - np.linalg.solve(curvature, gradient)
    reading, sureness, judge = (float(round(w, 4)) for w in weights)
    return Combination(reading=reading, sureness=max(0.0, sureness), judge=max(0.0, judge))


def _features(answer: Answer) -> NDArray[np.float64]:
    sign = 1.0 if answer.by_reading else -1.0
    return np.array([sign, sign * _log_odds(answer.confidence), _log_odds(answer.by_judge)])


def _log_odds(p: float) -> float:
    clipped = min(MOST, max(LEAST, p))
    return float(np.log(clipped / (1 - clipped)))


def _share(right: Sequence[bool]) -> float:
    return sum(right) / max(1, len(right))
