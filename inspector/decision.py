"""From what the checks and the judge say to PASS, FAIL or HOLD.

Rules bind, the model may only object: per clause,

| binding check | model's P(violated) | the clause says                      |
|---------------|---------------------|--------------------------------------|
| VIOLATED      | any                 | FAIL / RULE_VIOLATED                 |
| UNKNOWN       | any                 | HOLD with the reason of the unknown  |
| CONFORMS      | ≥ fail_at           | HOLD / JUDGED_BAD: a person looks    |
| CONFORMS      | below               | conforms                             |
| none          | ≥ fail_at           | FAIL / JUDGED_BAD                    |
| none          | between             | HOLD / UNCERTAIN                     |
| none          | ≤ pass_at           | conforms                             |

and over all clauses FAIL over HOLD over PASS. A probability that is missing or not a number is
HOLD / MODEL_FAILED. Critical and major clauses always count; a minor one does what the recipe says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from inspector.domain import (
    CheckResult,
    Clause,
    ClauseFinding,
    Decision,
    Judgement,
    Outcome,
    Reason,
    Severity,
    Standard,
    Verdict,
)

Minor = Literal["fail", "hold", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """At most `pass_at` conforms, at least `fail_at` is violated, between is uncertain."""

    pass_at: float
    fail_at: float

    def __post_init__(self) -> None:
        if not 0 <= self.pass_at < self.fail_at <= 1:
            raise ValueError(
                f"expected 0 ≤ pass_at < fail_at ≤ 1, got {self.pass_at} and {self.fail_at}"
            )

    def says_violated(self, probability: float) -> bool | None:
        """Return what a P(violated) says of a clause; None where it is uncertain."""
        if probability >= self.fail_at:
            return True
        return False if probability <= self.pass_at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ruling:
    """What one clause says: the finding, and its decision with the reason."""

    finding: ClauseFinding
    decision: Decision
    reason: Reason


def decide(
    standard: Standard,
    *,
    checks: Mapping[str, CheckResult],
    probabilities: Mapping[str, float],
    thresholds: Thresholds,
    judge: str,
    minor: Minor,
) -> tuple[Judgement, Verdict]:
    """Return the judgement of every clause of `standard`, and the verdict on the part.

    `checks` holds the result of each clause that has a binding check; `probabilities` the
    calibrated P(violated) of each clause by id; a clause that is missing was not judged.
    """
    rulings = tuple(
        _softened(
            _rule(
                clause,
                check=checks.get(clause.id),
                probability=probabilities.get(clause.id),
                thresholds=thresholds,
            ),
            severity=clause.severity,
            minor=minor,
        )
        for clause in standard.clauses
    )
    judgement = Judgement(clauses=tuple(ruling.finding for ruling in rulings), judge=judge)
    return judgement, _verdict(rulings)


def _rule(
    clause: Clause,
    *,
    check: CheckResult | None,
    probability: float | None,
    thresholds: Thresholds,
) -> _Ruling:
    known = probability is not None and math.isfinite(probability) and 0 <= probability <= 1
    p = probability if known else None
    if check is not None and check.outcome is Outcome.VIOLATED:
        return _ruling(clause, True, p, check, Decision.FAIL, Reason.RULE_VIOLATED)
    if check is not None and check.outcome is Outcome.UNKNOWN:
        return _ruling(clause, None, p, check, Decision.HOLD, check.reason or Reason.UNCERTAIN)
    if p is None:
        return _ruling(clause, None, None, check, Decision.HOLD, Reason.MODEL_FAILED)
    objects = thresholds.says_violated(p)
    if objects:
        decision = Decision.FAIL if check is None else Decision.HOLD
        violated = True if check is None else None  # an objection to a rule is no proof
        return _ruling(clause, violated, p, check, decision, Reason.JUDGED_BAD)
    if check is not None or objects is False:
        return _ruling(clause, False, p, check, Decision.PASS, Reason.CLEAN)
    return _ruling(clause, None, p, None, Decision.HOLD, Reason.UNCERTAIN)


def _ruling(
    clause: Clause,
    violated: bool | None,
    probability: float | None,
    check: CheckResult | None,
    decision: Decision,
    reason: Reason,
) -> _Ruling:
    statement = check.statement if check is not None else ""
    if reason is Reason.MODEL_FAILED:
        statement = f"{statement} The judge gave no probability for this clause.".strip()
    elif reason is Reason.JUDGED_BAD and check is not None:
        statement = f"{statement} The judge objects with a probability of {probability:.2f}."
    elif check is None:
        words = {True: "violated", False: "met", None: "possibly violated"}[violated]
        statement = (
            f"The judge holds the clause to be {words}: probability of violation {probability:.2f}."
        )
    objected = reason is Reason.JUDGED_BAD and check is not None
    return _Ruling(
        finding=ClauseFinding(
            clause_id=clause.id,
            violated=violated,
            violation_probability=probability,
            decided_by="model" if check is None else ("combined" if objected else "rule"),
            statement=statement,
            evidence=check.evidence if check is not None else (),
        ),
        decision=decision,
        reason=reason,
    )


def _softened(ruling: _Ruling, *, severity: Severity, minor: Minor) -> _Ruling:
    """Apply the recipe's rule for minor clauses: only a violation that is sure is softened."""
    if severity is not Severity.MINOR or ruling.decision is not Decision.FAIL or minor == "fail":
        return ruling
    decision = Decision.HOLD if minor == "hold" else Decision.PASS
    return _Ruling(finding=ruling.finding, decision=decision, reason=ruling.reason)


def _verdict(rulings: tuple[_Ruling, ...]) -> Verdict:
    for decision in (Decision.FAIL, Decision.HOLD):
        decided = [ruling for ruling in rulings if ruling.decision is decision]
        if decided:
            first = min(decided, key=lambda ruling: _WEIGHT.get(ruling.reason, len(_WEIGHT)))
            return Verdict(
                decision=decision,
                reason=first.reason,
                detail=f"{first.finding.clause_id}: {first.finding.statement}",
                clause_ids=tuple(ruling.finding.clause_id for ruling in decided),
            )
    noted = tuple(r.finding.clause_id for r in rulings if r.finding.violated)
    detail = f"minor, noted: {', '.join(noted)}" if noted else "no clause objects"
    return Verdict(decision=Decision.PASS, reason=Reason.CLEAN, detail=detail, clause_ids=noted)


# Where several clauses decide, the reason a person should read first.
_WEIGHT = {
    reason: weight
    for weight, reason in enumerate(
        (
            Reason.RULE_VIOLATED,
            Reason.MODEL_FAILED,
            Reason.CODE_UNREADABLE,
            Reason.TEXT_UNREADABLE,
            Reason.EXPECTED_MISSING,
            Reason.JUDGED_BAD,
            Reason.UNCERTAIN,
        )
    )
}
