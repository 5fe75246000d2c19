"""Evidence as the text that the judge reads for one clause.

Numbers are compared here, by code: every count, size and span of time of the clause is set in words
against what was measured, so that the model reads and does not compute. Printed text is data: it is
cleaned, cut and quoted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from inspector.asked import Asked, asked_of, date_name, size_mm
from inspector.domain import Code, Detection, Evidence, EvidenceRef, TextLine
from inspector.ontology import Ontology
from inspector.quantities import Quantity, after, printed_date
from inspector.symbologies import symbology_kind
from inspector.wording import cleaned, folded, is_printed, quoted, spoken

KINDS_AT_MOST = 8
TEXTS_AT_MOST = 6
CODES_AT_MOST = 4
PRINT_CHARACTERS = 40
CODE_CHARACTERS = 14


def premise(evidence: Evidence, clause_text: str, *, ontology: Ontology | None = None) -> str:
    """Return `evidence` as the judge reads it for one clause.

    Defects are grouped by label, so 500 of them are as short as five. What the clause names, by the
    label or by a term of `ontology` (the shipped one where None), comes first and is measured
    against the clause's numbers. Nothing in print can add a word outside its quotes.
    """
    asked = asked_of(clause_text, ontology)
    parts = [*_defects(evidence.defects, asked)]
    if evidence.codes:
        parts.append("codes: " + ", ".join(_codes(evidence.codes, asked)))
    if evidence.texts:
        parts.append("print: " + ", ".join(_texts(evidence.texts, asked)))
    absent = [
        name for name, here in (("code", evidence.codes), ("print", evidence.texts)) if not here
    ]
    parts += ["no " + " or ".join(absent)] if absent else []
    parts += _phrases(evidence, asked)
    parts += evidence.facts
    parts += _dates(evidence, asked)
    parts.append(cleaned(evidence.product))
    return "; ".join(parts)


def _defects(defects: Sequence[Detection], asked: Asked) -> list[str]:
    if not defects:
        return ["no defects"]
    named = [defect for defect in defects if asked.names_defect(defect)]
    others = [defect for defect in defects if not asked.names_defect(defect)]
    kinds = len({defect.label for defect in named})
    lines = []
    if kinds > 1:
        lines.append(f"named {_kinds(named)}, together {_measured(named, asked)}")
    elif named:
        lines.append(f"named {cleaned(spoken(named[0].label))} {_measured(named, asked)}")
    if asked.terms.anything:
        lines.append(f"all defects {_measured(defects, asked)}")
        lines += [f"other {_kinds(others)}"] if others and named else []
    elif named:
        lines += [f"other {_kinds(others)}"] if others else []
    elif asked.terms.labels:
        lines.append(f"none of the named, other {_kinds(others)}")
    else:
        lines += _each_kind(others, asked)
    return lines


def _kinds(defects: Sequence[Detection]) -> str:
    count = Counter(defect.label for defect in defects).most_common()
    order = sorted(count, key=lambda item: (-item[1], item[0]))
    said = [f"{cleaned(spoken(label))} {n}" for label, n in order[:KINDS_AT_MOST]]
    if len(order) > KINDS_AT_MOST:
        rest = sum(n for _, n in order[KINDS_AT_MOST:])
        said.append(f"{len(order) - KINDS_AT_MOST} other kinds {rest}")
    return ", ".join(said)


def _each_kind(defects: Sequence[Detection], asked: Asked) -> list[str]:
    """Return a measured line for each kind, where nobody knows which of them the clause means."""
    count = Counter(defect.label for defect in defects)
    order = sorted(count, key=lambda label: (-count[label], label))
    lines = []
    for label in order[:KINDS_AT_MOST]:
        of_label = [defect for defect in defects if defect.label == label]
        lines.append(f"{cleaned(spoken(label))} {_measured(of_label, asked)}")
    if len(order) > KINDS_AT_MOST:
        rest = sum(count[label] for label in order[KINDS_AT_MOST:])
        lines.append(f"{len(order) - KINDS_AT_MOST} other kinds {rest}")
    if len(order) > 1:
        lines.append(f"all defects {_counted(defects, asked)}")
    return lines


def _measured(defects: Sequence[Detection], asked: Asked) -> str:
    """Return how many, how large and where, compared with the clause's numbers.

    A zone that the clause names splits them; with none named, each zone is listed.
    """
    said = [_counted(defects, asked)]
    zones = Counter(defect.zone for defect in defects if defect.zone)
    named = [zone for zone in zones if asked.names(zone)]
    for zone in sorted(named)[:2]:
        inside = [defect for defect in defects if defect.zone == zone]
        outside = [defect for defect in defects if defect.zone != zone]
        said.append(f"in named {cleaned(spoken(zone))} {_counted(inside, asked)}")
        said.append(f"outside {_counted(outside, asked)}" if outside else "none outside")
    if not named:
        said += [f"in {cleaned(spoken(zone))} {n}" for zone, n in sorted(zones.items())[:5]]
    return " ".join([said[0], *([f"({', '.join(said[1:])})"] if len(said) > 1 else [])])


def _counted(defects: Sequence[Detection], asked: Asked) -> str:
    said = [str(len(defects)) + "".join(f" {_compared(len(defects), q)}" for q in asked.counts)]
    if asked.lengths:
        known = [size for d in defects if (size := size_mm(d, asked.measure)) is not None]
        if not known:
            said.append("size unknown")
        elif asked.total:
            said += [f"total {_compared(sum(known), q)}" for q in asked.lengths]
        else:
            said += [f"{asked.measure} {_compared(max(known), q)}" for q in asked.lengths]
            if len(defects) > 1 and (asked.counts or len(asked.lengths) > 1):
                for q in asked.lengths:
                    over = sum(size > q.value + 1e-9 for size in known)
                    counts = "".join(f" {_compared(over, c)}" for c in asked.counts)
                    said.append(f"{over} over {q.words}{counts}")
    if asked.areas:
        areas = [d.width_mm * d.height_mm for d in defects if d.width_mm and d.height_mm]
        if not areas:
            said.append("area unknown")
        else:
            value = sum(areas) if asked.total else max(areas)
            said += [f"area {_compared(value, q)}" for q in asked.areas]
    if asked.confidence:
        said.append(f"confidence {max(d.confidence for d in defects):.2f}")
    return " ".join(said)


def _compared(value: float, limit: Quantity) -> str:
    if abs(value - limit.value) <= 1e-9 * max(1.0, abs(limit.value)):
        return f"exactly {limit.words}"
    if limit.kind == "count":
        return f"{'more' if value > limit.value else 'fewer'} than {limit.words}"
    return f"{'over' if value > limit.value else 'under'} {limit.words}"


def _codes(codes: Sequence[Code], asked: Asked) -> list[str]:
    said = []
    order = sorted(codes, key=lambda c: (not asked.names_code(c), c.symbology, c.text))
    for code in order:
        mark = ""
        if asked.symbologies:
            mark = "named " if asked.names_code(code) else "other "
        name = f"{cleaned(spoken(code.symbology))} ({symbology_kind(code.symbology)})"
        said.append(f"{mark}{name} {quoted(code.text, CODE_CHARACTERS)}")
    return said[:CODES_AT_MOST] + ([f"{len(said)} in all"] if len(said) > CODES_AT_MOST else [])


def _texts(texts: Sequence[TextLine], asked: Asked) -> list[str]:
    shared = [asked.words_shared(text) for text in texts]
    order = sorted(
        range(len(texts)),
        key=lambda i: (-shared[i], texts[i].field is None, texts[i].text, texts[i].field or ""),
    )
    said = []
    for i in order[:TEXTS_AT_MOST]:
        field = texts[i].field
        mark = "named " if shared[i] else ""
        name = f"{cleaned(spoken(field))} " if field else ""
        said.append(f"{mark}{name}{quoted(texts[i].text, PRINT_CHARACTERS)}")
    return said if len(texts) <= TEXTS_AT_MOST else [*said, f"{len(texts)} lines in all"]


def _phrases(evidence: Evidence, asked: Asked) -> Iterable[str]:
    lines = [text.text for text in evidence.texts]
    for phrase in asked.phrases:
        if folded(phrase):
            said = "is printed" if is_printed(phrase, lines) else "is not printed"
            yield f"{quoted(phrase)} {said}"


def _dates(evidence: Evidence, asked: Asked) -> Iterable[str]:
    today = evidence.context.inspected_on
    dated = [(day, t) for t in evidence.texts if (day := printed_date(t.text)) is not None]
    for day, text in sorted(dated, key=lambda pair: (pair[0], pair[1].field or "", pair[1].text)):
        name = cleaned(spoken(text.field)) if text.field else date_name(text.text)
        days = (day - today).days
        said = f"{name} {'today' if not days else 'in the future' if days > 0 else 'in the past'}"
        for span in asked.spans:
            limit = after(today, span)
            here = "exactly" if day == limit else "over" if day > limit else "under"
            if days < 0:
                ago, wanted = -days, (limit - today).days
                here = "exactly" if ago == wanted else "under" if ago < wanted else "over"
            said += f" {here} {span.words} {'left' if days >= 0 else 'ago'}"
        yield said


def named_items(evidence: Evidence, clause_text: str) -> tuple[EvidenceRef, ...]:
    """Return the items whose label, zone, field or symbology the clause names word for word."""
    asked = asked_of(clause_text)
    defects = [
        EvidenceRef(kind="defect", index=i)
        for i, defect in enumerate(evidence.defects)
        if asked.names_defect(defect)
    ]
    texts = [
        EvidenceRef(kind="text", index=i)
        for i, text in enumerate(evidence.texts)
        if text.field is not None and asked.names(text.field)
    ]
    codes = [
        EvidenceRef(kind="code", index=i)
        for i, code in enumerate(evidence.codes)
        if asked.names_code(code)
    ]
    return (*defects, *texts, *codes)
