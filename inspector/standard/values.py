"""Checks of equality: print, work order, codes and GS1 elements against one another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from inspector.checks import EqualCheck, Source
from inspector.domain import CheckResult, Evidence, EvidenceRef, Reason
from inspector.quantities import printed_date
from inspector.standard import codes, dates, fields, gs1, names
from inspector.standard.counting import SHOWN_AT_MOST
from inspector.standard.likeness import is_alike
from inspector.standard.phrases import quoted
from inspector.standard.world import World, absent, result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """One value that a source has, its forms (with and without caption), and where it stands.

    `day` is the one that it stands for. `is_field` says that the recipe knows the line as the
    field; a caption alone may mislead.
    """

    shown: str
    forms: tuple[str, ...]
    ref: EvidenceRef | None = None
    day: date | None = None
    is_field: bool = False


def check_equal(wanted: EqualCheck, evidence: Evidence, world: World) -> CheckResult:
    """Return whether two sources agree; several lines or codes agree where one of them does.

    A source that must equal itself says that all it has is the same: "all codes say the same"; of
    one alone nobody can say that. On a station, a printed field that was read twice and agrees
    once is for a person to look at.
    """
    left, right = (
        _values(one, evidence, world, other=other, within=wanted.contains)
        for one, other in ((wanted.left, wanted.right), (wanted.right, wanted.left))
    )
    for source, values in ((wanted.left, left), (wanted.right, right)):
        if not values:
            return _missing(
                source, world, other=wanted.right if source is wanted.left else wanted.left
            )
    if wanted.left == wanted.right:
        return _all_alike(wanted, left, world)
    pairs = [(a, b) for a in left for b in right]
    agreeing = [(a, b) for a, b in pairs if _agree(a, b, wanted)]
    if wanted.each and (alone := _alone(left, right, agreeing)) is not None:
        pairs, agreeing = [alone], []
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


def _all_alike(wanted: EqualCheck, values: Sequence[_Value], world: World) -> CheckResult:
    name = _named(wanted.left)
    if len(values) < 2 and values[0].ref is not None:
        return absent(
            f"a second value of {name} beside {quoted(values[0].shown)} was not read",
            world,
            reason=_unread(wanted.left),
        )
    differing = [(a, b) for a in values for b in values if not _agree(a, b, wanted)]
    shown = list(differing[0] if differing else values)
    listed = " and ".join([quoted(value.shown) for value in shown][:SHOWN_AT_MOST])
    more = f" and {len(shown) - SHOWN_AT_MOST} more" if len(shown) > SHOWN_AT_MOST else ""
    return result(
        not differing,
        f"{name} reads {listed}{more}; it is required to be the same wherever it stands.",
        list(dict.fromkeys(value.ref for value in shown if value.ref is not None)),
    )


def _alone(
    left: Sequence[_Value], right: Sequence[_Value], agreeing: Sequence[tuple[_Value, _Value]]
) -> tuple[_Value, _Value] | None:
    """Return a value that agrees with none of the other side, and one of that side."""
    ones, others = ({id(pair[side]) for pair in agreeing} for side in (0, 1))
    lone = [(value, right[0]) for value in left if id(value) not in ones]
    lone += [(left[0], value) for value in right if id(value) not in others]
    return lone[0] if lone else None


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
    return absent(f"{_named(source)} was not read", world, reason=_unread(source))


def _unread(source: Source) -> Reason:
    return Reason.TEXT_UNREADABLE if source.kind == "field" else Reason.CODE_UNREADABLE


def _named(source: Source) -> str:
    match source.kind:
        case "field":
            return f"the printed {quoted(source.name)}"
        case "order":
            return f"the ordered {quoted(source.name) if source.name else 'value'}"
        case "code":
            return f"the {quoted(source.name)}" if source.name else "the code"
        case "element":
            return f"the {codes.element_in_words(source)}"
        case "literal":
            return quoted(source.name)


def _values(
    source: Source, evidence: Evidence, world: World, *, other: Source, within: bool
) -> list[_Value]:
    match source.kind:
        case "field":
            lines = fields.lines_of(source.name, evidence, read_at=world.read_at)
            found = []
            for i in lines:
                line = evidence.texts[i]
                own = dates.own_part(line.text, fields.field_key(source.name))
                own = fields.own_part(own, source.name)
                value = own if within else fields.value_of(line, source.name)
                forms = (value, *_runs(own))
                ref = EvidenceRef(kind="text", index=i)
                known = line.field is not None
                day = printed_date(own)
                found.append(_Value(shown=line.text, forms=forms, ref=ref, day=day, is_field=known))
            return found
        case "order":
            name = source.name or (other.name if other.kind == "field" else "")
            wanted = names.ordered(name, evidence.context.expected)
            if wanted is None and not source.name:
                wanted = names.ordered("", evidence.context.expected)
            given = [wanted] if wanted else []
            return [_Value(shown=one, forms=(one,), day=printed_date(one)) for one in given]
        case "code":
            return [
                _Value(
                    shown=code.text,
                    forms=(code.text.strip(), *gs1.elements(code.text).values(), *_runs(code.text)),
                    ref=EvidenceRef(kind="code", index=i),
                    day=printed_date(code.text),
                )
                for i, code in enumerate(evidence.codes)
                if codes.is_symbology(code, source.name)
            ]
        case "element":
            today = evidence.context.inspected_on
            is_date = source.name in gs1.DATES
            return [
                _Value(
                    shown=held,
                    forms=(held,),
                    ref=EvidenceRef(kind="code", index=i),
                    day=gs1.day_of(held, today) if is_date else None,
                )
                for i, held in codes.holding(source, evidence)
            ]
        case "literal":
            name = source.name
            return [_Value(shown=name, forms=(name,), day=printed_date(name))]


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
    if lefts & rights or (one.day is not None and one.day == other.day):
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
