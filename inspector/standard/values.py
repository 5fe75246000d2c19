"""Checks of equality: print, work order, codes and GS1 elements against one another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inspector.checks import EqualCheck, Source
from inspector.domain import CheckResult, Evidence, EvidenceRef, Reason
from inspector.quantities import printed_date
from inspector.standard import fields, gs1, names
from inspector.standard.likeness import is_alike
from inspector.standard.phrases import quoted
from inspector.standard.prints import is_symbology
from inspector.standard.world import World, absent, result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """One value that a source has, its forms (with and without caption), and where it stands.

    `is_field` says that the recipe knows the line as the field; a caption alone may mislead.
    """

    shown: str
    forms: tuple[str, ...]
    ref: EvidenceRef | None = None
    is_field: bool = False


def check_equal(wanted: EqualCheck, evidence: Evidence, world: World) -> CheckResult:
    """Return whether two sources agree; several lines or codes agree where one of them does.

    A source that must equal itself says that all it has is the same: "all codes say the same".

    On a station, a printed field that was read twice and agrees once is for a person to look at.
    """
    left = _values(wanted.left, evidence, world, other=wanted.right)
    right = _values(wanted.right, evidence, world, other=wanted.left)
    for source, values in ((wanted.left, left), (wanted.right, right)):
        if not values:
            return _missing(
                source, world, other=wanted.right if source is wanted.left else wanted.left
            )
    pairs = [(a, b) for a in left for b in right]
    agreeing = [(a, b) for a, b in pairs if _agree(a, b, wanted)]
    if wanted.left == wanted.right and len(agreeing) < len(pairs):
        pairs, agreeing = [pair for pair in pairs if pair not in agreeing], []
    doubted = None if world.closed else _doubted(agreeing, left, wanted)
    one, other = (agreeing or pairs)[0]
    relation = "contain" if wanted.contains else "equal"
    statement = (
        f"{_named(wanted.left)}{_shown(wanted.left, one)} "
        f"{f'{relation}s' if agreeing else f'does not {relation}'} "
        f"{_named(wanted.right)}{_shown(wanted.right, other)}"
    )
    found = [one, other] if doubted is None else [one, doubted, other]
    if doubted is not None:
        statement += f", but is printed as {quoted(doubted.shown)} too"
    refs = [value.ref for value in found if value.ref is not None]
    must = f"; it is required to {relation} it."
    return result(None if doubted else bool(agreeing), statement + must, refs)


def _doubted(
    agreeing: Sequence[tuple[_Value, _Value]], left: Sequence[_Value], wanted: EqualCheck
) -> _Value | None:
    """Return a reading of a printed field that disagrees where another one agrees."""
    if not agreeing or wanted.left.kind != "field":
        return None
    agreed = {id(one) for one, _ in agreeing}
    return next((value for value in left if value.is_field and id(value) not in agreed), None)


def _shown(source: Source, value: _Value) -> str:
    return "" if source.kind == "literal" else f" {quoted(value.shown)}"


def _missing(source: Source, world: World, *, other: Source) -> CheckResult:
    if source.kind == "order":
        name = source.name or other.name or "it"
        return result(
            None,
            f"The work order gives no value for {quoted(name)} to compare with.",
            reason=Reason.EXPECTED_MISSING,
        )
    reason = Reason.TEXT_UNREADABLE if source.kind == "field" else Reason.CODE_UNREADABLE
    return absent(f"{_named(source)} was not read", world, reason=reason)


def _named(source: Source) -> str:
    match source.kind:
        case "field":
            return f"the printed {quoted(source.name)}"
        case "order":
            return f"the ordered {quoted(source.name) if source.name else 'value'}"
        case "code":
            return f"the {quoted(source.name)}" if source.name else "the code"
        case "element":
            return f"the GS1 element ({source.name})"
        case "literal":
            return quoted(source.name)


def _values(source: Source, evidence: Evidence, world: World, *, other: Source) -> list[_Value]:
    match source.kind:
        case "field":
            lines = fields.lines_of(source.name, evidence, read_at=world.read_at)
            found = []
            for i in lines:
                line = evidence.texts[i]
                value = fields.value_of(line, source.name)
                forms = (value, *_runs(line.text))
                ref = EvidenceRef(kind="text", index=i)
                known = line.field is not None
                found.append(_Value(shown=line.text, forms=forms, ref=ref, is_field=known))
            return found
        case "order":
            name = source.name or (other.name if other.kind == "field" else "")
            wanted = names.ordered(name, evidence.context.expected)
            if wanted is None and not source.name:
                wanted = names.ordered("", evidence.context.expected)
            return [_Value(shown=wanted, forms=(wanted,))] if wanted else []
        case "code":
            return [
                _Value(
                    shown=code.text,
                    forms=(code.text.strip(), *gs1.elements(code.text).values(), *_runs(code.text)),
                    ref=EvidenceRef(kind="code", index=i),
                )
                for i, code in enumerate(evidence.codes)
                if is_symbology(code, source.name)
            ]
        case "element":
            return [
                _Value(shown=held, forms=(held,), ref=EvidenceRef(kind="code", index=i))
                for i, code in enumerate(evidence.codes)
                if (held := gs1.elements(code.text).get(source.name)) is not None
            ]
        case "literal":
            return [_Value(shown=source.name, forms=(source.name,))]


def _runs(text: str) -> list[str]:
    """Return every run of up to five parts of `text`: a value among its captions."""
    parts = [p for p in re.split(r"[\s:;,#=/|]+", text) if p][:16]
    return [
        " ".join(parts[i:j])
        for i in range(len(parts))
        for j in range(i + 1, min(i + 6, len(parts) + 1))
    ]


def _agree(one: _Value, other: _Value, wanted: EqualCheck) -> bool:
    lefts = {_plain(form, wanted) for form in one.forms} - {""}
    rights = {_plain(form, wanted) for form in other.forms[:1]} - {""}
    if wanted.contains:
        return any(right in left for right in rights for left in lefts)
    if lefts & rights or _same_day(one, other):
        return True
    if any(_same_number(a, b) for a in lefts for b in rights) and not wanted.exact:
        return True
    return bool(wanted.edits) and any(is_alike(a, b, wanted.edits) for a in lefts for b in rights)


def _plain(text: str, wanted: EqualCheck) -> str:
    value = text.strip() if wanted.exact else re.sub(r"\s+", "", text).upper()
    for group in wanted.alike:
        for sign in group[1:]:
            value = value.replace(sign.upper(), group[0].upper())
    for sign in wanted.ignored:
        value = value.lstrip("0") if sign == "0" else value.replace(sign, "")
    return value


def _same_number(one: str, other: str) -> bool:
    """Return whether two trade numbers are one: leading zeros of a GTIN do not count."""
    if not (one.isdigit() and other.isdigit()):
        return False
    long = min(len(one), len(other)) >= 8 and max(len(one), len(other)) <= 14
    return long and one.zfill(14) == other.zfill(14)


def _same_day(one: _Value, other: _Value) -> bool:
    day = printed_date(other.shown)
    return day is not None and printed_date(one.shown) == day
