"""What reading and judge say of cases with known answers, and the rule that joins them, fitted.

Cases of one product, and cases that stand beside each other in pairs, are close kin: they are
always on the same side of a split, or a fit would be measured on what it was fitted on.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from inspector.cases import JudgeCase, read_cases
from inspector.combining import Combination, log_odds, share
from inspector.decision import Thresholds
from inspector.domain import Evidence
from inspector.errors import DataError
from inspector.judging import OUTCOMES, Judging, heard, joined_probability, load_judging
from inspector.models.judge import Assessed
from inspector.models.shelf import file_sha256
from inspector.standard import is_violated

FOLDS = 5
RIDGE = 0.05  # draws the weights towards the unfitted rule: finite where one part is never wrong
FEWEST = 20  # with fewer cases a weight stays unfitted
# Where no thresholds are set yet, what may not be cleared lies between any.
UNDECIDED = Thresholds(pass_at=0.4999, fail_at=0.5001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was said of one case, and the truth; `group` is shared by close kin.

    `line` is the check that was read, "" for none. The judge's word is kept in log-odds before its
    temperature; `blind_logit` is without crops.
    """

    case: str
    category: str
    group: str
    violated: bool
    line: str
    by_reading: bool | None
    confidence: float
    logit: float
    blind_logit: float
    is_wholly_seen: bool
    is_in_sight: bool

    def by_judge(self, temperature: float, *, blind: bool = False) -> Assessed:
        """Return the judge's P(violated) at that temperature."""
        logit = self.blind_logit if blind else self.logit
        probability = share(logit / temperature)
        return Assessed(probability=probability, is_wholly_read=self.is_wholly_seen)

    def probability(
        self,
        rule: Combination | None,
        temperature: float,
        *,
        thresholds: Thresholds = UNDECIDED,
        blind: bool = False,
    ) -> float:
        """Return P(violated) by the rule, of the judge alone where it is None."""
        return joined_probability(
            rule,
            thresholds,
            by_reading=None if rule is None else self.by_reading,
            confidence=self.confidence,
            assessed=self.by_judge(temperature, blind=blind),
            is_in_sight=self.is_in_sight,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """All cases of one file, answered; `has_crops` says whether any case shows a picture."""

    cases_sha256: str
    judging: Judging
    answers: tuple[Answer, ...]
    has_crops: bool


def answered(
    cases: Path,
    *,
    model: str,
    reader: str | None,
    threads: int | None = None,
    as_calibrated: bool = True,
    advance: Callable[[int, int], None] | None = None,
) -> Answered:
    """Ask reading and judge about every case; `advance` is told after each.

    Raises `DataError` where a case has no known answer, `CaseError` and `ModelError`.
    """
    given = read_cases(cases)
    _expect_answers(given, cases)
    texts = [case.clauses[0].text for case in given]
    judging = load_judging(
        texts,
        model=model,
        reader=reader,
        labels=[defect.label for case in given for defect in case.evidence.defects],
        threads=threads,
        as_calibrated=as_calibrated,
    )
    found = []
    for index, case in enumerate(given):
        kin = given[index - index % 2]
        found.append(_answer(case, judging, group=kin.evidence.product))
        if advance is not None:
            advance(index + 1, len(given))
    return Answered(
        cases_sha256=file_sha256(cases),
        judging=judging,
        answers=tuple(found),
        has_crops=any(_shows(case.evidence) for case in given),
    )


def write_answers(asked: Answered, path: Path) -> None:
    """Write what was said of each case, a JSON object a line; raise `DataError` where it cannot."""
    judging = asked.judging
    temperature = judging.fused.temperature
    lines = []
    for one in asked.answers:
        p = one.probability(judging.rule, temperature, thresholds=judging.thresholds)
        row = {
            "id": one.case,
            "category": one.category,
            "violated": one.violated,
            "violation_probability": round(p, 6),
            "outcome": OUTCOMES[judging.thresholds.says_violated(p)],
            "reading": one.line or None,
            "by_reading": one.by_reading,
            "confidence": round(one.confidence, 6) if one.line else None,
            "by_judge": round(one.by_judge(temperature).probability, 6),
        }
        lines.append(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as exc:
        raise DataError(f"{path}: expected to write the answers there: {exc.strerror}") from exc


def _answer(case: JudgeCase, judging: Judging, *, group: str) -> Answer:
    (clause,) = case.clauses
    (assessed,) = judging.fused.assess(case.evidence, case.clauses)
    blind = assessed
    if _shows(case.evidence):
        (blind,) = judging.fused.assess(replace(case.evidence, crops_bgr=()), case.clauses)
    reading = judging.readings.get(clause.text)
    result = judging.result_of(clause, case.evidence)
    temperature = judging.fused.temperature
    return Answer(
        case=case.id,
        category=case.category or "(none)",
        group=group,
        violated=bool(case.violated),
        line="" if reading is None or reading.check is None else reading.line,
        by_reading=None if result is None else is_violated(result),
        confidence=0.5 if reading is None else reading.confidence,
        logit=temperature * _exact_log_odds(assessed.probability),
        blind_logit=temperature * _exact_log_odds(blind.probability),
        is_wholly_seen=assessed.is_wholly_read,
        is_in_sight=judging.blind_spot(clause, case.evidence) is None,
    )


def _exact_log_odds(p: float) -> float:
    clipped = min(1 - 1e-12, max(1e-12, p))
    return math.log(clipped / (1 - clipped))


def _shows(evidence: Evidence) -> bool:
    return any(crop is not None for crop in evidence.crops_bgr)


def _expect_answers(cases: Sequence[JudgeCase], path: Path) -> None:
    unknown = [case.id for case in cases if case.violated is None or case.several]
    if unknown:
        raise DataError(
            f"{path}: expected one clause and 'violated' for each case, missing for "
            f"{', '.join(unknown[:10])}"
        )


def folds(answers: Sequence[Answer], *, count: int = FOLDS) -> NDArray[np.int64]:
    """Return the fold of each answer, kin together; the same for the same file."""
    groups = sorted({a.group for a in answers}, key=lambda g: hashlib.sha256(g.encode()).digest())
    fold = {group: index % count for index, group in enumerate(groups)}
    return np.array([fold[a.group] for a in answers], dtype=np.int64)


def cross_validated(answers: Sequence[Answer], temperature: float) -> NDArray[np.float64]:
    """Return P(violated) of each answer by a rule that was fitted on the other folds."""
    fold = folds(answers)
    found = np.zeros(len(answers))
    for held in range(FOLDS):
        rule = fitted([a for a, f in zip(answers, fold, strict=True) if f != held], temperature)
        for index in map(int, np.flatnonzero(fold == held)):
            found[index] = answers[index].probability(rule, temperature)
    return found


def fitted(answers: Sequence[Answer], temperature: float) -> Combination:
    """Return the weights of the rule by logistic regression, none of them below nought."""
    unfitted = Combination()
    read = [a for a in answers if a.by_reading is not None]
    unread = [a for a in answers if a.by_reading is None]
    reading, sureness, judge = unfitted.reading, unfitted.sureness, unfitted.judge
    if len(read) >= FEWEST:
        signs = [1.0 if a.by_reading else -1.0 for a in read]
        x = [
            [sign, sign * log_odds(a.confidence), log_odds(heard(a.by_judge(temperature)))]
            for sign, a in zip(signs, read, strict=True)
        ]
        reading, sureness, judge = _logistic(x, read, prior=(reading, sureness, judge))
    alone = unfitted.alone
    if len(unread) >= FEWEST:
        (alone,) = _logistic(
            [[log_odds(a.by_judge(temperature).probability)] for a in unread],
            unread,
            prior=(alone,),
        )
    return Combination(reading=reading, sureness=sureness, judge=judge, alone=alone)


def _logistic(
    rows: Sequence[Sequence[float]], answers: Sequence[Answer], *, prior: Sequence[float]
) -> tuple[float, ...]:
    """Return the weights, none below nought, of the least logistic loss, drawn towards `prior`.

    By L-BFGS-B (Byrd et al., 1995).
    """
    x, before = np.array(rows), np.array(prior)
    y = np.array([float(a.violated) for a in answers])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds, away = x @ weights, weights - before
        p = 1 / (1 + np.exp(-np.clip(odds, -60, 60)))
        value = np.logaddexp(0, odds).sum() - y @ odds + RIDGE / 2 * (away @ away)
        return float(value), x.T @ (p - y) + RIDGE * away

    bounds = [(0.0, None)] * len(before)
    found = minimize(loss, before, jac=True, method="L-BFGS-B", bounds=bounds)
    return tuple(round(float(w), 4) for w in found.x)
