"""Yes-or-no answers about the evidence that code can give for any clause.

The fused judge reads which of them a clause hangs on and which way; it need not work them out from
words. +1 is yes, -1 is no, 0 is "does not apply": a clause without a number asks no count.
"""

from __future__ import annotations

from collections.abc import Sequence

from inspector.asked import Asked, asked_of, date_name, size_mm
from inspector.domain import Detection, Evidence, TextLine
from inspector.ontology import Ontology
from inspector.quantities import Quantity, after, printed_date
from inspector.wording import CLEAR_AT, carries, folded, is_printed, same_number

OF_DEFECTS = (
    "present", "more than the number", "the number or more", "longer than the limit",
    "as long as the limit", "total over the limit", "area over the limit",
    "more over the limit than the number", "inside the zone", "outside the zone",
    "more inside than the number", "more outside than the number", "over the limit inside",
)  # fmt: skip
SIGNS = (
    *(f"named defects {sign}" for sign in OF_DEFECTS),
    *(f"all defects {sign}" for sign in OF_DEFECTS),
    "other defects present", "clause names known defects", "clause names defects in general",
    "code read", "named code", "other code", "print read", "print unclear", "a phrase printed",
    "every phrase printed", "a line shares words", "named field printed", "ordered value equal",
    "ordered value different or missing", "named value equal", "expiry printed", "expired",
    "life under the span",
)  # fmt: skip
ALSO_CALLED = {
    "lot": ("batch", "lot"),
    "serial": ("serial",),
    "part_number": ("part number", "article number", "item number"),
    "gtin": ("gtin", "ean number", "trade item", "article number"),
    "coil_code": ("coil",),
    "order": ("order number", "job number"),
    "expiry": ("expiry", "best before", "use by", "expiration"),
}


def signs(
    evidence: Evidence, clause_text: str, *, ontology: Ontology | None = None
) -> tuple[float, ...]:
    """Return an answer for each of `SIGNS`."""
    asked = asked_of(clause_text, ontology)
    named = [d for d in evidence.defects if asked.names_defect(d)]
    known = bool(named or asked.terms.labels)
    return (
        *(_of_defects(named, asked) if known else (0.0,) * len(OF_DEFECTS)),
        *_of_defects(evidence.defects, asked),
        _sign(len(named) < len(evidence.defects)),
        _sign(known),
        _sign(asked.terms.anything),
        *_of_codes(evidence, asked),
        *_of_print(evidence, asked),
        *_of_order(evidence, asked, clause_text.lower()),
        *_of_dates(evidence, asked),
    )


def _sign(yes: bool) -> float:
    return 1.0 if yes else -1.0


def _if(applies: bool, yes: bool) -> float:
    return _sign(yes) if applies else 0.0


def _of_defects(defects: Sequence[Detection], asked: Asked) -> tuple[float, ...]:
    number = asked.counts[0].value if asked.counts else None
    limit = asked.lengths[0].value if asked.lengths else None
    area = asked.areas[0].value if asked.areas else None
    inside = [d for d in defects if d.zone is not None and asked.names(d.zone)]
    outside = [d for d in defects if d.zone is None or not asked.names(d.zone)]
    sizes = _sizes(defects, asked)
    over = sum(_over(size, limit) for size in sizes)
    areas = [d.width_mm * d.height_mm for d in defects if d.width_mm and d.height_mm]
    return (
        _sign(bool(defects)),
        _if(number is not None, len(defects) > (number or 0)),
        _if(number is not None, len(defects) >= (number or 0)),
        _if(limit is not None, over > 0),
        _if(limit is not None, any(size >= (limit or 0) - 1e-9 for size in sizes)),
        _if(limit is not None, _over(sum(sizes), limit)),
        _if(area is not None, any(_over(one, area) for one in areas)),
        _if(limit is not None and number is not None, over > (number or 0)),
        _sign(bool(inside)),
        _sign(bool(outside)),
        _if(number is not None, len(inside) > (number or 0)),
        _if(number is not None, len(outside) > (number or 0)),
        _if(limit is not None, any(_over(size, limit) for size in _sizes(inside, asked))),
    )


def _sizes(defects: Sequence[Detection], asked: Asked) -> list[float]:
    return [size for d in defects if (size := size_mm(d, asked.measure)) is not None]


def _over(value: float, limit: float | None) -> bool:
    return limit is not None and value > limit + 1e-9 * max(1.0, limit)


def _of_codes(evidence: Evidence, asked: Asked) -> tuple[float, ...]:
    some = bool(asked.symbologies)
    of_clause = [asked.names_code(code) for code in evidence.codes]
    return (
        _sign(bool(of_clause)),
        _if(some, any(of_clause)),
        _if(some, not all(of_clause)),
    )


def _of_print(evidence: Evidence, asked: Asked) -> tuple[float, ...]:
    texts = evidence.texts
    lines = [text.text for text in texts]
    found = [is_printed(phrase, lines) for phrase in asked.phrases]
    return (
        _sign(bool(texts)),
        _sign(any(text.confidence < CLEAR_AT for text in texts)),
        _if(bool(found), any(found)),
        _if(bool(found), all(found)),
        _sign(any(asked.words_shared(text) for text in texts)),
    )


def _of_order(evidence: Evidence, asked: Asked, clause: str) -> tuple[float, ...]:
    expected = evidence.context.expected
    equal = {key: _is_as_ordered(evidence, key, value) for key, value in expected.items()}
    named = [key for key in expected if _names_key(key, asked, clause)]
    named = named or list(expected)[:1] if len(expected) == 1 else named
    return (
        _sign(any(_is_of_field(text, asked, clause) for text in evidence.texts)),
        _if(bool(equal), any(equal.values())),
        _if(bool(equal), not all(equal.values())),
        _if(bool(named), all(equal[key] for key in named)),
    )


def _names_key(key: str, asked: Asked, clause: str) -> bool:
    return asked.names(key.replace("_", " ")) or any(
        name in clause for name in ALSO_CALLED.get(key, ())
    )


def _is_of_field(text: TextLine, asked: Asked, clause: str) -> bool:
    return text.field is not None and _names_key(text.field, asked, clause)


def _is_as_ordered(evidence: Evidence, key: str, value: str) -> bool:
    of_field = [text for text in evidence.texts if text.field == key]
    in_print = any(carries(text.text, value) for text in of_field or evidence.texts)
    return in_print or any(same_number(folded(code.text), folded(value)) for code in evidence.codes)


def _of_dates(evidence: Evidence, asked: Asked) -> tuple[float, ...]:
    today = evidence.context.inspected_on
    days = [
        day
        for text in evidence.texts
        if (day := printed_date(text.text)) is not None
        and (text.field or date_name(text.text)) != "made"
    ]
    first = min(days, default=None)
    limit: Quantity | None = asked.spans[0] if asked.spans else None
    return (
        _sign(first is not None),
        _if(first is not None, first is not None and first < today),
        _if(
            first is not None and limit is not None,
            first is not None and limit is not None and first < after(today, limit),
        ),
    )
