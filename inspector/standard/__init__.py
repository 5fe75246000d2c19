"""Typed checks of clauses against evidence: CONFORMS, VIOLATED or UNKNOWN, with the sentence why.

Pure: numbers are compared here, by code. The world is open on a station: a required text or code
that was not read is UNKNOWN unless the recipe says `missing: fail`. A detection below the recipe's
`sure_at` can make a check UNKNOWN, never VIOLATED.

The evidence of a violation is a least set that suffices: alone it still violates the check, and
without any one of its items it does not. It is empty where what violates is that something is
missing; the statement names it. Of several print or codes that all differ from the ordered value,
the first stands for all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from inspector.checks import (
    ANY,
    AllOf,
    AnyOf,
    Check,
    CodeCheck,
    CodesCheck,
    Comparison,
    DateCheck,
    DefectCheck,
    EqualCheck,
    FormatCheck,
    IfThen,
    MeasureCheck,
    MomentCheck,
    Not,
    PrintCheck,
    TextCheck,
)
from inspector.domain import CheckResult, Clause, Evidence, EvidenceRef, Outcome
from inspector.standard.codes import check_codes
from inspector.standard.dates import check_format, check_moment
from inspector.standard.joints import all_of, any_of, if_then, negated
from inspector.standard.keyed import check_keyed, same_code
from inspector.standard.least import least
from inspector.standard.measures import check_measure
from inspector.standard.prints import check_print
from inspector.standard.values import check_equal
from inspector.standard.world import CLOSED, Missing, World

__all__ = ["ANY", "CLOSED", "Missing", "World", "check", "is_violated", "only", "same_code", "says"]

_CONVERSE: dict[Comparison, Comparison] = {"<": ">=", "<=": ">", ">=": "<", ">": "<="}


def check(clause: Clause, evidence: Evidence, world: World) -> CheckResult | None:
    """Return what the clause's check says of `evidence`, None where it has no binding check."""
    if clause.check is None or not clause.binding:
        return None
    return says(clause.check, evidence, world)


def says(wanted: Check, evidence: Evidence, world: World = CLOSED) -> CheckResult:
    """Return what a check says of `evidence`; without a `world`, what is not there is missing."""
    found = _says(wanted, evidence, world)
    joined = isinstance(wanted, AllOf | AnyOf | Not | IfThen)
    if joined and found.outcome is Outcome.VIOLATED and len(found.evidence) > 1:
        least = _least(wanted, evidence, replace(world, missing="hold"), found.evidence)
        return replace(found, evidence=least)
    return found


def _says(wanted: Check, evidence: Evidence, world: World) -> CheckResult:
    match wanted:
        case DefectCheck() | TextCheck() | CodeCheck() | DateCheck():
            return check_keyed(wanted, evidence, world)
        case MeasureCheck():
            return check_measure(wanted, evidence, world)
        case PrintCheck():
            return check_print(wanted, evidence, world)
        case CodesCheck():
            return check_codes(wanted, evidence, world)
        case EqualCheck():
            return check_equal(wanted, evidence, world)
        case MomentCheck():
            return check_moment(wanted, evidence, world)
        case FormatCheck():
            return check_format(wanted, evidence, world)
        case AllOf():
            return all_of([_says(part, evidence, world) for part in wanted.checks])
        case AnyOf():
            return any_of([_says(part, evidence, world) for part in wanted.checks])
        case Not():
            return _denies(wanted.check, evidence, world)
        case IfThen():
            return if_then(
                _denies(wanted.condition, evidence, world),
                _says(wanted.condition, evidence, world),
                _says(wanted.then, evidence, world),
            )
    assert_never(wanted)


def _denies(wanted: Check, evidence: Evidence, world: World) -> CheckResult:
    """Return whether `wanted` does not hold.

    The denial is carried down to the numbers (De Morgan), so that "not at least one" is "none": a
    prohibition, of which nothing is required to be read.
    """
    match wanted:
        case AllOf():
            return any_of([_denies(part, evidence, world) for part in wanted.checks])
        case AnyOf():
            return all_of([_denies(part, evidence, world) for part in wanted.checks])
        case Not():
            return _says(wanted.check, evidence, world)
        case IfThen():
            condition = _says(wanted.condition, evidence, world)
            return all_of([condition, _denies(wanted.then, evidence, world)])
        case MeasureCheck(each="kind" | "zone") | CodesCheck(each=True):
            pass
        case MeasureCheck() | PrintCheck() | CodesCheck():
            converse = _CONVERSE.get(wanted.comparison, ">" if wanted.limit == 0 else None)
            if converse is not None:
                return _says(replace(wanted, comparison=converse), evidence, world)
        case MomentCheck(comparison="<" | "<=" | ">=" | ">"):  # of several dates each must not
            denied = replace(wanted, comparison=_CONVERSE[wanted.comparison])
            found = _says(denied, evidence, world)
            if found.evidence or found.outcome is not Outcome.VIOLATED:
                return found
        case FormatCheck():
            return check_format(wanted, evidence, _unread_is_unknown(world), is_forbidden=True)
    return negated(_says(wanted, evidence, _unread_is_unknown(world)))


def _unread_is_unknown(world: World) -> World:
    """Return the world for a prohibition: on a station what nobody read breaks none, keeps none."""
    return world if world.closed else replace(world, missing="hold")


def _least(
    wanted: Check, evidence: Evidence, world: World, found: tuple[EvidenceRef, ...]
) -> tuple[EvidenceRef, ...]:
    """Return a least part of `found` that alone violates the check; all of it where none does."""

    def violates(kept: tuple[EvidenceRef, ...]) -> bool:
        return _says(wanted, only(evidence, kept), world).outcome is Outcome.VIOLATED

    return least(found, violates) if violates(found) else found


def only(evidence: Evidence, kept: tuple[EvidenceRef, ...]) -> Evidence:
    """Return the evidence with no other items than `kept`; facts and crops are left out."""

    def of(kind: str) -> list[int]:
        return sorted({ref.index for ref in kept if ref.kind == kind})

    return replace(
        evidence,
        defects=tuple(evidence.defects[i] for i in of("defect")),
        texts=tuple(evidence.texts[i] for i in of("text")),
        codes=tuple(evidence.codes[i] for i in of("code")),
        facts=(),
        crops_bgr=(),
    )


def is_violated(result: CheckResult) -> bool | None:
    """Return the outcome as a truth value; None where it is unknown."""
    return {Outcome.VIOLATED: True, Outcome.CONFORMS: False}.get(result.outcome)
