"""How much of the world was seen, and what that makes of a number: the ground of every check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from inspector.checks import Comparison
from inspector.domain import CheckResult, EvidenceRef, Outcome, Reason
from inspector.ontology import TermGraph

Missing = Literal["hold", "fail"]
READ_AT = 0.5  # a line of print read with less confidence may say something else
NEAR = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What of a part may have escaped notice, and what that means.

    A station's world is open: defects below `sure_at` are possible, not sure, and so is print below
    `READ_AT`; what a clause requires and nobody read is unknown, or with `missing: fail` not there.
    `zones` are those of the recipe: where a clause names another place, nobody knows what lies in
    it. A case's world is `closed`: its evidence is all there is and as it says. `terms` are what
    words for defects name; the shipped ones where None.
    """

    sure_at: float
    missing: Missing
    zones: tuple[str, ...] | None = None
    closed: bool = False
    terms: TermGraph | None = None

    @property
    def read_at(self) -> float:
        return 0.0 if self.closed else READ_AT


CLOSED = World(sure_at=0.0, missing="fail", closed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """What was measured: somewhere from `least` (what is sure) to `most` (what is possible)."""

    least: float
    most: float

    def meets(self, comparison: Comparison, limit: float) -> bool | None:
        """Return whether the amount compares with `limit` as stated; None where nobody can tell."""
        answers = {compared(value, comparison, limit) for value in (self.least, self.most)}
        between = self.least < limit - NEAR and self.most > limit + NEAR
        if len(answers) == 2 or (comparison == "=" and between):
            return None
        return answers.pop()


def compared(value: float, comparison: Comparison, limit: float) -> bool:
    """Return whether `value` compares with `limit` as stated; sums of floats may be a bit off."""
    near = abs(value - limit) <= NEAR * max(1.0, abs(limit))
    match comparison:
        case "<":
            return value < limit and not near
        case "<=":
            return value < limit or near
        case "=":
            return near
        case ">=":
            return value > limit or near
        case ">":
            return value > limit and not near


def result(
    holds: bool | None,
    statement: str,
    evidence: Sequence[EvidenceRef] = (),
    *,
    reason: Reason = Reason.UNCERTAIN,
) -> CheckResult:
    """Return CONFORMS, VIOLATED or, for None, UNKNOWN with `reason`."""
    outcome = {True: Outcome.CONFORMS, False: Outcome.VIOLATED, None: Outcome.UNKNOWN}[holds]
    return CheckResult(
        outcome=outcome,
        statement=f"{statement[:1].upper()}{statement[1:]}",
        evidence=tuple(evidence),
        reason=reason if holds is None else None,
    )


def absent(what: str, world: World, *, reason: Reason) -> CheckResult:
    """Return what it means that `what` was not read: unknown on a station, else a violation."""
    if world.missing == "fail":
        return result(False, f"Missing: {what}; the clause requires it.")
    return result(None, f"Not readable: {what}; the clause requires it.", reason=reason)


def refs(
    kind: Literal["defect", "text", "code"], indices: Iterable[int]
) -> tuple[EvidenceRef, ...]:
    """Return references to items of one kind."""
    return tuple(EvidenceRef(kind=kind, index=i) for i in indices)
