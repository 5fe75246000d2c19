"""How results join: and, or, not, if-then, in three values, with the evidence that decided."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.domain import CheckResult, EvidenceRef, Outcome

_OPPOSITE = {
    Outcome.CONFORMS: Outcome.VIOLATED,
    Outcome.VIOLATED: Outcome.CONFORMS,
    Outcome.UNKNOWN: Outcome.UNKNOWN,
}


def all_of(results: Sequence[CheckResult]) -> CheckResult:
    """Return the violation that needs the least evidence, else an unknown, else that all hold."""
    broken = [r for r in results if r.outcome is Outcome.VIOLATED]
    if broken:
        return min(broken, key=lambda r: len(r.evidence))
    unknown = [r for r in results if r.outcome is Outcome.UNKNOWN]
    return unknown[0] if unknown else _joined(Outcome.CONFORMS, results, "Each of these is met")


def any_of(results: Sequence[CheckResult]) -> CheckResult:
    """Return the first that holds, else an unknown, else that none does."""
    for outcome in (Outcome.CONFORMS, Outcome.UNKNOWN):
        found = [r for r in results if r.outcome is outcome]
        if found:
            return found[0]
    return _joined(Outcome.VIOLATED, results, "Not one of these is met")


def negated(result: CheckResult) -> CheckResult:
    """Return the opposite; what is unknown stays so."""
    return CheckResult(
        outcome=_OPPOSITE[result.outcome],
        statement=f"It must not be that {_small(result.statement)}",
        evidence=result.evidence,
        reason=result.reason,
    )


def if_then(refuted: CheckResult, condition: CheckResult, then: CheckResult) -> CheckResult:
    """Return what `then` says, unless the condition is refuted: then nothing is asked.

    `refuted` is the condition's denial: what a condition speaks of may be absent, it is not
    required to be there.
    """
    if refuted.outcome is Outcome.CONFORMS:
        return CheckResult(
            outcome=Outcome.CONFORMS,
            statement=f"Not asked here: {_found(refuted)}.",
            evidence=refuted.evidence,
        )
    if refuted.outcome is Outcome.UNKNOWN and then.outcome is not Outcome.CONFORMS:
        return CheckResult(
            outcome=Outcome.UNKNOWN,
            statement=f"Nobody knows whether this is asked: {_found(refuted)}.",
            evidence=refuted.evidence,
            reason=refuted.reason,
        )
    if then.outcome is Outcome.CONFORMS:
        return then
    return CheckResult(
        outcome=then.outcome,
        statement=f"Asked since {_found(condition)}; {_small(then.statement)}",
        evidence=_all((refuted, then)),
        reason=then.reason,
    )


def _found(result: CheckResult) -> str:
    """Return what was found, without the limit: a condition is none."""
    found, semicolon, _ = result.statement.rpartition("; ")
    return _small(found if semicolon else result.statement.removesuffix("."))


def _small(statement: str) -> str:
    return f"{statement[:1].lower()}{statement[1:]}"


def _joined(outcome: Outcome, results: Sequence[CheckResult], words: str) -> CheckResult:
    said = " / ".join(_small(r.statement.removesuffix(".")) for r in results)
    return CheckResult(outcome=outcome, statement=f"{words}: {said}.", evidence=_all(results))


def _all(results: Sequence[CheckResult]) -> tuple[EvidenceRef, ...]:
    return tuple(dict.fromkeys(ref for r in results for ref in r.evidence))
