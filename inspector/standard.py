"""Typed checks of clauses against evidence: CONFORMS, VIOLATED or UNKNOWN, with the sentence why.

Pure: numbers are compared here, by code. The world is open on a station: a required text or code
that was not read is UNKNOWN unless the recipe says `missing: fail`. A detection below the recipe's
`sure_at` can make a check UNKNOWN, never VIOLATED.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from inspector.domain import (
    CheckResult,
    Clause,
    Code,
    CodeCheck,
    DateCheck,
    DefectCheck,
    Detection,
    Evidence,
    EvidenceRef,
    Outcome,
    Reason,
    TextCheck,
)
from inspector.quantities import printed_date
from inspector.symbologies import symbology_key

Missing = Literal["hold", "fail"]
ANY = "any"


def check(
    clause: Clause, evidence: Evidence, *, sure_at: float, missing: Missing = "hold"
) -> CheckResult | None:
    """Return what the clause's check says of `evidence`, None where it has no binding check."""
    if clause.check is None or not clause.binding:
        return None
    match clause.check:
        case DefectCheck() as wanted:
            return _defects(wanted, evidence, sure_at=sure_at)
        case TextCheck() as wanted:
            return _text(wanted, evidence, missing=missing)
        case CodeCheck() as wanted:
            return _code(wanted, evidence, missing=missing)
        case DateCheck() as wanted:
            return _date(wanted, evidence, missing=missing)


# --- defects ----------------------------------------------------------------------------------


def _defects(wanted: DefectCheck, evidence: Evidence, *, sure_at: float) -> CheckResult:
    sure: list[int] = []
    possible: list[int] = []
    for index, defect in enumerate(evidence.defects):
        matches = _matches(wanted, defect)
        if matches is False:
            continue
        possible.append(index)
        if matches and defect.confidence >= sure_at:
            sure.append(index)
    limit = _limit_in_words(wanted)
    if _exceeds(wanted, [evidence.defects[i] for i in sure]):
        return CheckResult(
            outcome=Outcome.VIOLATED,
            statement=f"{_found_in_words(wanted, evidence, sure)}; {limit}.",
            evidence=_sufficient(wanted, evidence, sure),
        )
    if _exceeds(wanted, [evidence.defects[i] for i in possible], unknown_is_over=True):
        return CheckResult(
            outcome=Outcome.UNKNOWN,
            statement=(
                f"{_found_in_words(wanted, evidence, possible)}, not all of it sure; {limit}."
            ),
            evidence=_refs("defect", possible),
            reason=Reason.UNCERTAIN,
        )
    return CheckResult(
        outcome=Outcome.CONFORMS,
        statement=f"{_found_in_words(wanted, evidence, sure)}; {limit}.",
        evidence=_refs("defect", sure),
    )


def _matches(wanted: DefectCheck, defect: Detection) -> bool | None:
    """Return whether the check counts `defect`; None where size or zone is not known."""
    if ANY not in wanted.labels and defect.label not in wanted.labels:
        return False
    unknown = False
    zone = wanted.inside or wanted.outside
    if zone is not None and (defect.zone == zone) is not (wanted.inside is not None):
        return False
    if wanted.larger_than_mm is not None:
        size = _size_mm(wanted, defect)
        if size is None:
            unknown = True
        elif size <= wanted.larger_than_mm:
            return False
    return None if unknown else True


def _size_mm(wanted: DefectCheck, defect: Detection) -> float | None:
    match wanted.measure:
        case "longest":
            return defect.longest_mm
        case "width":
            return defect.width_mm
        case "height":
            return defect.height_mm


def _exceeds(
    wanted: DefectCheck, defects: list[Detection], *, unknown_is_over: bool = False
) -> bool:
    if wanted.total_at_most_mm is None:
        return len(defects) > wanted.at_most
    sizes = [_size_mm(wanted, defect) for defect in defects]
    if any(size is None for size in sizes):
        return unknown_is_over
    return sum(size for size in sizes if size is not None) > wanted.total_at_most_mm


def _sufficient(
    wanted: DefectCheck, evidence: Evidence, sure: list[int]
) -> tuple[EvidenceRef, ...]:
    """Return the fewest, most certain defects that already exceed the limit."""
    if wanted.total_at_most_mm is None:
        key = [(-evidence.defects[i].confidence, i) for i in sure]
        chosen = [i for _, i in sorted(key)[: wanted.at_most + 1]]
    else:
        largest = sorted(sure, key=lambda i: -(_size_mm(wanted, evidence.defects[i]) or 0))
        chosen, total = [], 0.0
        for i in largest:
            chosen.append(i)
            total += _size_mm(wanted, evidence.defects[i]) or 0
            if total > wanted.total_at_most_mm:
                break
    return _refs("defect", sorted(chosen))


def _found_in_words(wanted: DefectCheck, evidence: Evidence, found: list[int]) -> str:
    what = "defect" if ANY in wanted.labels else " or ".join(wanted.labels)
    size = f" over {wanted.larger_than_mm:g} mm" if wanted.larger_than_mm is not None else ""
    zone = f" in {wanted.inside}" if wanted.inside else ""
    zone = f" outside {wanted.outside}" if wanted.outside else zone
    if not found:
        return f"No {what}{size}{zone} found"
    sizes = [_size_mm(wanted, evidence.defects[i]) for i in found]
    known = [s for s in sizes if s is not None]
    measured = f", largest {max(known):.2f} mm" if known else ""
    if wanted.total_at_most_mm is not None and known:
        measured = f", {sum(known):.2f} mm together"
    return f"{len(found)} {what}{size}{zone} found{measured}"


def _limit_in_words(wanted: DefectCheck) -> str:
    if wanted.total_at_most_mm is not None:
        return f"allowed are {wanted.total_at_most_mm:g} mm together"
    return "none is allowed" if wanted.at_most == 0 else f"at most {wanted.at_most} allowed"


# --- text, codes, dates -----------------------------------------------------------------------


def _text(wanted: TextCheck, evidence: Evidence, *, missing: Missing) -> CheckResult:
    found = [i for i, line in enumerate(evidence.texts) if line.field == wanted.field]
    sure = [i for i in found if evidence.texts[i].confidence >= wanted.min_confidence]
    if wanted.forbidden:
        return _forbidden(wanted, evidence, found=found, sure=sure)
    if not sure:
        weak = f", only below confidence {wanted.min_confidence:g}" if found else ""
        return _not_read(f"{wanted.field} was not read{weak}", Reason.TEXT_UNREADABLE, missing)
    if wanted.equals is None:
        return CheckResult(
            outcome=Outcome.CONFORMS,
            statement=f"{wanted.field} reads {_quoted(evidence.texts[sure[0]].text)}.",
            evidence=_refs("text", sure[:1]),
        )
    expected = evidence.context.expected.get(wanted.equals, "").strip()
    if not expected:
        return _no_expected(wanted.equals)
    same = [i for i in sure if _folded(evidence.texts[i].text) == _folded(expected)]
    index = (same or sure)[0]
    return _compared(
        what=wanted.field,
        read=evidence.texts[index].text,
        expected=expected,
        equal=bool(same),
        ref=EvidenceRef(kind="text", index=index),
    )


def _forbidden(
    wanted: TextCheck, evidence: Evidence, *, found: list[int], sure: list[int]
) -> CheckResult:
    if not found:
        return CheckResult(
            outcome=Outcome.CONFORMS, statement=f"No {wanted.field} text was found, as required."
        )
    index = (sure or found)[0]
    printed = _quoted(evidence.texts[index].text)
    if sure:
        return CheckResult(
            outcome=Outcome.VIOLATED,
            statement=f"{printed} is printed; it must not be.",
            evidence=_refs("text", [index]),
        )
    return CheckResult(
        outcome=Outcome.UNKNOWN,
        statement=f"{printed} may be printed, read below confidence {wanted.min_confidence:g}; "
        "it must not be.",
        evidence=_refs("text", [index]),
        reason=Reason.TEXT_UNREADABLE,
    )


def _code(wanted: CodeCheck, evidence: Evidence, *, missing: Missing) -> CheckResult:
    kinds = {symbology_key(symbology) for symbology in wanted.symbologies}
    fitting = [
        i
        for i, code in enumerate(evidence.codes)
        if not wanted.symbologies or symbology_key(code.symbology) in kinds
    ]
    if not fitting:
        named = " or ".join(wanted.symbologies) or "bar or matrix"
        return _not_read(f"no {named} code was read", Reason.CODE_UNREADABLE, missing)
    first = evidence.codes[fitting[0]]
    if wanted.equals is None:
        return CheckResult(
            outcome=Outcome.CONFORMS,
            statement=f"{first.symbology} code reads {_quoted(first.text)}.",
            evidence=_refs("code", fitting[:1]),
        )
    expected = evidence.context.expected.get(wanted.equals, "").strip()
    if not expected:
        return _no_expected(wanted.equals)
    same = [i for i in fitting if same_code(evidence.codes[i], expected)]
    index = (same or fitting)[0]
    return _compared(
        what=f"{evidence.codes[index].symbology} code",
        read=evidence.codes[index].text,
        expected=expected,
        equal=bool(same),
        ref=EvidenceRef(kind="code", index=index),
    )


def same_code(code: Code, expected: str) -> bool:
    """Return whether `code` carries `expected`.

    A UPC-A number is the EAN-13 number without its leading zero (GS1 General Specifications,
    GTIN-12 and GTIN-13), so the two are equal.
    """
    read, wanted = code.text.strip(), expected.strip()
    if read == wanted:
        return True
    if code.symbology in ("EAN-13", "UPC-A", "UPC-E") and read.isdigit() and wanted.isdigit():
        return read.zfill(14) == wanted.zfill(14)
    return False


def _date(wanted: DateCheck, evidence: Evidence, *, missing: Missing) -> CheckResult:
    found = [
        i
        for i, line in enumerate(evidence.texts)
        if line.field == wanted.field and line.confidence >= wanted.min_confidence
    ]
    dated = [(i, day) for i in found if (day := printed_date(evidence.texts[i].text)) is not None]
    if not dated:
        return _not_read(f"no date was read as {wanted.field}", Reason.TEXT_UNREADABLE, missing)
    index, day = min(dated, key=lambda pair: pair[1])
    left = (day - evidence.context.inspected_on).days
    latest = max(other for _, other in dated)
    if left < wanted.min_days_left <= (latest - evidence.context.inspected_on).days:
        return CheckResult(
            outcome=Outcome.UNKNOWN,
            statement=(
                f"{wanted.field} is printed as {day.isoformat()} and as {latest.isoformat()}; "
                f"at least {wanted.min_days_left} days after the inspection are required."
            ),
            evidence=_refs("text", [i for i, _ in dated]),
            reason=Reason.UNCERTAIN,
        )
    return CheckResult(
        outcome=Outcome.CONFORMS if left >= wanted.min_days_left else Outcome.VIOLATED,
        statement=(
            f"{wanted.field} {day.isoformat()} is {left} days after the inspection; "
            f"at least {wanted.min_days_left} are required."
        ),
        evidence=_refs("text", [index]),
    )


def _not_read(what: str, reason: Reason, missing: Missing) -> CheckResult:
    if missing == "fail":
        return CheckResult(
            outcome=Outcome.VIOLATED, statement=f"Missing: {what}; the clause requires it."
        )
    return CheckResult(outcome=Outcome.UNKNOWN, statement=f"Not readable: {what}.", reason=reason)


def _no_expected(key: str) -> CheckResult:
    return CheckResult(
        outcome=Outcome.UNKNOWN,
        statement=f"The work order gives no value for {_quoted(key)} to compare with.",
        reason=Reason.EXPECTED_MISSING,
    )


def _compared(*, what: str, read: str, expected: str, equal: bool, ref: EvidenceRef) -> CheckResult:
    relation = "as ordered" if equal else f"ordered is {_quoted(expected)}"
    return CheckResult(
        outcome=Outcome.CONFORMS if equal else Outcome.VIOLATED,
        statement=f"{what} reads {_quoted(read)}, {relation}.",
        evidence=(ref,),
    )


def _folded(text: str) -> str:
    return re.sub(r"\s+", "", text).upper()


def _quoted(text: str) -> str:
    """Return printed text fit for a sentence: no control characters, at most 60 characters."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return "'" + (clean if len(clean) <= 60 else f"{clean[:57]}...") + "'"


def _refs(
    kind: Literal["defect", "text", "code"], indices: Iterable[int]
) -> tuple[EvidenceRef, ...]:
    return tuple(EvidenceRef(kind=kind, index=i) for i in indices)
