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

and over all clauses FAIL over HOLD over PASS. What the model calls violated only with detections
that are not sure is HOLD / UNCERTAIN. A probability that is missing or not a number is
HOLD / MODEL_FAILED. A clause without a check that no finding can decide is HOLD / UNCERTAIN where
the model would let it conform. Critical and major clauses always count; a minor one does what the
recipe says. Clauses that contradict each other are both judged: no part passes them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inspector import statements
from inspector.domain import (
    CheckResult,
    Clause,
    ClauseFinding,
    Decision,
    Evidence,
    EvidenceRef,
    Judgement,
    Outcome,
    Reason,
    Severity,
    Standard,
    Verdict,
)
from inspector.evidence import named_items
from inspector.sight import unseen
from inspector.statements import Influence

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
    evidence: Evidence,
    *,
    checks: Mapping[str, CheckResult],
    probabilities: Mapping[str, float],
    thresholds: Thresholds,
    judge: str,
    minor: Minor,
    influences: Mapping[str, Sequence[Influence]] | None = None,
    looked_for: Iterable[str] = (),
    unsure: Collection[str] = (),
) -> tuple[Judgement, Verdict]:
    """Return the judgement of every clause of `standard`, and the verdict on the part.

    `checks` holds the result of each clause that has a binding check; `probabilities` the
    calibrated P(violated) of each clause by id; a clause that is missing was not judged.
    `influences` only word and attribute what the model decided; `looked_for` are the labels and
    zones that the recipe knows, found or not. `unsure` are the ids of clauses that the judge calls
    violated only with detections that the detector is not sure of: they hold a part, no more.
    """
    known = tuple(looked_for)
    rulings = tuple(
        _softened(
            _Case(
                clause=clause,
                evidence=evidence,
                check=checks.get(clause.id),
                thresholds=thresholds,
                influences=tuple((influences or {}).get(clause.id, ())),
                looked_for=known,
                is_unsure=clause.id in unsure,
            ).ruling(probabilities.get(clause.id)),
            severity=clause.severity,
            minor=minor,
        )
        for clause in standard.clauses
    )
    judgement = Judgement(clauses=tuple(ruling.finding for ruling in rulings), judge=judge)
    return judgement, _verdict(rulings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One clause before one part: what the table is asked about."""

    clause: Clause
    evidence: Evidence
    check: CheckResult | None
    thresholds: Thresholds
    influences: tuple[Influence, ...]
    looked_for: tuple[str, ...]
    is_unsure: bool

    def ruling(self, probability: float | None) -> _Ruling:
        known = probability is not None and math.isfinite(probability) and 0 <= probability <= 1
        p = probability if known else None
        if self.check is not None:
            return self._of_rule(self.check, p)
        if p is None:
            said = "The judge gave no probability for this clause."
            return self._ruling(None, None, said, Decision.HOLD, Reason.MODEL_FAILED)
        violated = self.thresholds.says_violated(p)
        if violated is not True and (why := self._unseen()) is not None:
            said = statements.undecidable(why, p)
            return self._ruling(None, p, said, Decision.HOLD, Reason.UNCERTAIN)
        if violated and self.is_unsure:
            said = statements.unsure(self.evidence, p)
            return self._ruling(None, p, said, Decision.HOLD, Reason.UNCERTAIN)
        said = statements.judged(
            self.evidence,
            p,
            violated=violated,
            pass_at=self.thresholds.pass_at,
            fail_at=self.thresholds.fail_at,
            influences=self.influences,
        )
        decision, reason = {
            True: (Decision.FAIL, Reason.JUDGED_BAD),
            None: (Decision.HOLD, Reason.UNCERTAIN),
            False: (Decision.PASS, Reason.CLEAN),
        }[violated]
        return self._ruling(violated, p, said, decision, reason)

    def _of_rule(self, check: CheckResult, p: float | None) -> _Ruling:
        said = check.statement
        if check.outcome is Outcome.VIOLATED:
            return self._ruling(True, p, said, Decision.FAIL, Reason.RULE_VIOLATED)
        if check.outcome is Outcome.UNKNOWN:
            return self._ruling(None, p, said, Decision.HOLD, check.reason or Reason.UNCERTAIN)
        if p is None:
            said = f"{said.removesuffix('.')}; the judge gave no probability for this clause."
            return self._ruling(None, None, said, Decision.HOLD, Reason.MODEL_FAILED)
        if self.thresholds.says_violated(p):
            said = statements.objected(said, p, influences=self.influences)
            # an objection to a rule is no proof
            return self._ruling(None, p, said, Decision.HOLD, Reason.JUDGED_BAD)
        return self._ruling(False, p, said, Decision.PASS, Reason.CLEAN)

    def _unseen(self) -> str | None:
        return unseen(self.clause.text, self.evidence, looked_for=self.looked_for)

    def _ruling(
        self,
        violated: bool | None,
        probability: float | None,
        statement: str,
        decision: Decision,
        reason: Reason,
    ) -> _Ruling:
        objected = reason is Reason.JUDGED_BAD and self.check is not None
        by_rule: Literal["rule", "combined"] = "combined" if objected else "rule"
        return _Ruling(
            finding=ClauseFinding(
                clause_id=self.clause.id,
                violated=violated,
                violation_probability=probability,
                decided_by="model" if self.check is None else by_rule,
                statement=statement,
                evidence=self._rests_on(is_model=self.check is None or objected),
            ),
            decision=decision,
            reason=reason,
        )

    def _rests_on(self, *, is_model: bool) -> tuple[EvidenceRef, ...]:
        """Return what decided: measured where it was, else what the check or the clause names."""
        if is_model and self.influences:
            return tuple(dict.fromkeys(ref for one in self.influences for ref in one.items))
        if self.check is not None:
            return self.check.evidence
        return named_items(self.evidence, self.clause.text)


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
