"""The checks that a standard's file writes key by key: labels, zones and fields are exact names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inspector.checks import CodeCheck, DateCheck, DefectCheck, KeyedCheck, TextCheck
from inspector.domain import CheckResult, Code, Evidence, EvidenceRef, Reason
from inspector.standard import phrases
from inspector.standard.dates import days_of
from inspector.standard.keyed_defects import check_defects
from inspector.standard.phrases import quoted
from inspector.standard.world import World, absent, refs, result
from inspector.symbologies import symbology_key


def check_keyed(wanted: KeyedCheck, evidence: Evidence, world: World) -> CheckResult:
    """Return what a check says of `evidence`."""
    match wanted:
        case DefectCheck():
            return check_defects(wanted, evidence, world)
        case TextCheck():
            return _text(wanted, evidence, world)
        case CodeCheck():
            return _code(wanted, evidence, world)
        case DateCheck():
            return _date(wanted, evidence, world)


def _text(wanted: TextCheck, evidence: Evidence, world: World) -> CheckResult:
    name = phrases.quoted(wanted.field.replace("_", " "))
    found = [
        i
        for i, line in enumerate(evidence.texts)
        if line.field == wanted.field and line.text.strip()
    ]
    sure = [i for i in found if evidence.texts[i].confidence >= wanted.min_confidence]
    if wanted.forbidden:
        return _forbidden(wanted, evidence, found=found, sure=sure)
    if not sure:
        weak = f" with a confidence of {wanted.min_confidence:g} or more" if found else ""
        return absent(f"no {name} was read{weak}", world, reason=Reason.TEXT_UNREADABLE)
    reads = f"{name} reads {quoted(evidence.texts[sure[0]].text)}"
    if wanted.equals is None:
        return result(True, f"{reads}; one is required.", refs("text", sure[:1]))
    expected = evidence.context.expected.get(wanted.equals, "").strip()
    if not expected:
        return _no_expected(wanted.equals)
    same = [i for i in sure if _folded(evidence.texts[i].text) == _folded(expected)]
    other = [i for i in sure if i not in same]
    if same and other and not world.closed:
        return result(
            None,
            f"{name} reads {quoted(evidence.texts[same[0]].text)} and "
            f"{quoted(evidence.texts[other[0]].text)}; ordered is {quoted(expected)}.",
            refs("text", sorted((same[0], other[0]))),
        )
    index = (same or sure)[0]
    return _compared(
        what=name,
        read=evidence.texts[index].text,
        expected=expected,
        equal=bool(same),
        ref=EvidenceRef(kind="text", index=index),
    )


def _forbidden(
    wanted: TextCheck, evidence: Evidence, *, found: Sequence[int], sure: Sequence[int]
) -> CheckResult:
    name = phrases.quoted(wanted.field.replace("_", " "))
    if not found:
        return result(True, f"No {name} was read; none is allowed.")
    index = (sure or found)[0]
    printed = quoted(evidence.texts[index].text)
    if sure:
        return result(
            False, f"{name} is printed as {printed}; none is allowed.", refs("text", [index])
        )
    return result(
        None,
        f"{name} may be printed as {printed}, read with a confidence under "
        f"{wanted.min_confidence:g}; none is allowed.",
        refs("text", [index]),
        reason=Reason.TEXT_UNREADABLE,
    )


def _code(wanted: CodeCheck, evidence: Evidence, world: World) -> CheckResult:
    kinds = {symbology_key(symbology) for symbology in wanted.symbologies}
    fitting = [
        i
        for i, code in enumerate(evidence.codes)
        if not wanted.symbologies or symbology_key(code.symbology) in kinds
    ]
    if wanted.equals is None:  # what is there must say something
        fitting = [i for i in fitting if evidence.codes[i].text.strip()]
    if not fitting:
        named = f"{phrases.listed(wanted.symbologies)} code" if wanted.symbologies else "code"
        return absent(f"no {named} was read", world, reason=Reason.CODE_UNREADABLE)
    first = evidence.codes[fitting[0]]
    if wanted.equals is None:
        return result(
            True,
            f"{phrases.quoted(first.symbology)} code reads {quoted(first.text)}; one is required.",
            refs("code", fitting[:1]),
        )
    expected = evidence.context.expected.get(wanted.equals, "").strip()
    if not expected:
        return _no_expected(wanted.equals)
    same = [i for i in fitting if same_code(evidence.codes[i], expected)]
    index = (same or fitting)[0]
    return _compared(
        what=f"{phrases.quoted(evidence.codes[index].symbology)} code",
        read=evidence.codes[index].text,
        expected=expected,
        equal=bool(same),
        ref=EvidenceRef(kind="code", index=index),
    )


_RETAIL = frozenset({"ean13", "upca", "upce"})


def same_code(code: Code, expected: str) -> bool:
    """Return whether `code` carries `expected`.

    A UPC-A number is the EAN-13 number without its leading zero (GS1 General Specifications,
    GTIN-12 and GTIN-13), so the two are equal.
    """
    read, wanted = code.text.strip(), expected.strip()
    if read == wanted:
        return True
    if symbology_key(code.symbology) in _RETAIL and read.isdigit() and wanted.isdigit():
        return read.zfill(14) == wanted.zfill(14)
    return False


def _date(wanted: DateCheck, evidence: Evidence, world: World) -> CheckResult:
    name = phrases.quoted(wanted.field.replace("_", " "))
    dated = [
        (i, day)
        for i, line in enumerate(evidence.texts)
        if line.field == wanted.field and line.confidence >= wanted.min_confidence
        for day in days_of(line, wanted.field, world)
    ]
    if not dated:
        return absent(f"no date was read as {name}", world, reason=Reason.TEXT_UNREADABLE)
    today = evidence.context.inspected_on
    limit = _days_required(wanted.min_days_left)
    index, day = min(dated, key=lambda pair: pair[1])
    left = (day - today).days
    last, latest = max(dated, key=lambda pair: pair[1])
    if left < wanted.min_days_left <= (latest - today).days:
        return result(
            None,
            f"{name} is printed as {quoted(evidence.texts[index].text)}, {day.isoformat()}, and as "
            f"{quoted(evidence.texts[last].text)}, {latest.isoformat()}, the inspection is on "
            f"{today.isoformat()}; {limit}.",
            refs("text", sorted((index, last))),
        )
    side = "on the day of" if not left else f"{_days(abs(left))} {_side(left)}"
    printed = quoted(evidence.texts[index].text)
    return result(
        left >= wanted.min_days_left,
        f"{name} printed as {printed} is {day.isoformat()}, {side} the inspection; {limit}.",
        refs("text", [index]),
    )


def _days_required(number: int) -> str:
    if number == 0:
        return "a day that has not passed is required"
    if number < 0:
        return f"at most {_days(-number)} before it {phrases.plural(-number, 'is', 'are')} allowed"
    return f"at least {_days(number)} after it {phrases.plural(number, 'is', 'are')} required"


def _days(number: int) -> str:
    return f"{number} {phrases.plural(number, 'day')}"


def _side(days: int) -> str:
    return "after" if days > 0 else "before"


def _no_expected(key: str) -> CheckResult:
    return result(
        None,
        f"The work order gives no value for {quoted(key)} to compare with.",
        reason=Reason.EXPECTED_MISSING,
    )


def _compared(*, what: str, read: str, expected: str, equal: bool, ref: EvidenceRef) -> CheckResult:
    relation = "as ordered" if equal else f"ordered is {quoted(expected)}"
    return result(equal, f"{what} reads {quoted(read)}; {relation}.", [ref])


def _folded(text: str) -> str:
    return re.sub(r"\s+", "", text).upper()
