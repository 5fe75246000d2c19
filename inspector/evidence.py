"""Findings and context as evidence: in canonical order, with crops and derived facts.

The order of findings never matters. `premise`, beside this, is the text that the judge reads.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from inspector import images
from inspector.domain import (
    Bgr,
    Box,
    Code,
    Context,
    Detection,
    Evidence,
    EvidenceKind,
    EvidenceRef,
    Findings,
    TextLine,
)
from inspector.premise import named_items, premise
from inspector.wording import CLEAR_AT, carries, cleaned, folded, quoted, runs, same_number, spoken

__all__ = [
    "CROPS_AT_MOST",
    "CROP_MARGIN_PX",
    "CROP_PX",
    "EVIDENCE_VERSION",
    "cleaned",
    "derived_facts",
    "edit_distance",
    "gather",
    "named_items",
    "premise",
    "quoted",
    "spoken",
    "without",
]

EVIDENCE_VERSION = "evidence/3"
CROP_PX = 64
CROP_MARGIN_PX = 12
CROPS_AT_MOST = 24
EXPECTED_AT_MOST = 4


def gather(
    findings: Findings, *, product: str, context: Context, frame_bgr: Bgr | None
) -> Evidence:
    """Return `findings` as evidence; crops are cut from `frame_bgr`, None where there is none.

    `frame_bgr` is what the detector saw: the picture, or the picture composed with its reference.
    Only the surest `CROPS_AT_MOST` defects get a crop.
    """
    defects = tuple(sorted(findings.detections, key=_defect_order))
    texts = tuple(sorted(findings.text_lines, key=_text_order))
    codes = tuple(sorted(findings.codes, key=_code_order))
    surest = sorted(range(len(defects)), key=lambda i: -defects[i].confidence)[:CROPS_AT_MOST]
    crops: list[Bgr | None] = [None] * len(defects)
    if frame_bgr is not None:
        for i in surest:
            crops[i] = images.crop(
                frame_bgr, defects[i].box, margin_px=CROP_MARGIN_PX, size_px=CROP_PX
            )
    return Evidence(
        product=product,
        defects=defects,
        texts=texts,
        codes=codes,
        context=context,
        facts=derived_facts(texts=texts, codes=codes, context=context),
        crops_bgr=tuple(crops),
    )


def without(evidence: Evidence, left_out: Collection[EvidenceRef]) -> Evidence:
    """Return `evidence` as it would be had the items `left_out` not been found."""

    def kept(kind: EvidenceKind, count: int) -> list[int]:
        gone = {ref.index for ref in left_out if ref.kind == kind}
        return [i for i in range(count) if i not in gone]

    defects = kept("defect", len(evidence.defects))
    texts = tuple(evidence.texts[i] for i in kept("text", len(evidence.texts)))
    codes = tuple(evidence.codes[i] for i in kept("code", len(evidence.codes)))
    return replace(
        evidence,
        defects=tuple(evidence.defects[i] for i in defects),
        texts=texts,
        codes=codes,
        facts=derived_facts(texts=texts, codes=codes, context=evidence.context),
        crops_bgr=tuple(evidence.crops_bgr[i] for i in defects) if evidence.crops_bgr else (),
    )


def _place(box: Box) -> tuple[float, float, float, float]:
    return box.y0, box.x0, box.y1, box.x1


def _defect_order(defect: Detection) -> tuple[str, str, tuple[float, ...], float, float, float]:
    return (
        defect.label,
        defect.zone or "",
        _place(defect.box),
        -defect.confidence,
        -1 if defect.width_mm is None else defect.width_mm,
        -1 if defect.height_mm is None else defect.height_mm,
    )


def _text_order(line: TextLine) -> tuple[tuple[float, ...], str, str, float]:
    return _place(line.box)[:2], line.text, line.field or "", -line.confidence


def _code_order(code: Code) -> tuple[str, str, tuple[float, ...], bool]:
    return code.symbology, code.text, _place(code.box), code.recovered


def derived_facts(
    *, texts: Sequence[TextLine], codes: Sequence[Code], context: Context
) -> tuple[str, ...]:
    """Return what can be said without a clause: equality with the work order, print, dates."""
    facts = [_against_order(key, value, texts, codes) for key, value in _expected(context)]
    if texts:
        unclear = sum(text.confidence < CLEAR_AT for text in texts)
        facts.append(f"print unclear in {unclear} of {len(texts)}" if unclear else "print clear")
    return tuple(facts)


def _expected(context: Context) -> list[tuple[str, str]]:
    return sorted(context.expected.items())[:EXPECTED_AT_MOST]


def _against_order(key: str, value: str, texts: Sequence[TextLine], codes: Sequence[Code]) -> str:
    name, wanted = cleaned(spoken(key)), folded(value)
    if not wanted:
        return f"ordered {name} not given"
    in_code = any(same_number(folded(code.text), wanted) for code in codes)
    of_field = [text for text in texts if text.field == key]
    in_print = any(carries(text.text, value) for text in (of_field or texts))
    said = []
    if in_print or in_code:
        where = " and ".join(w for w, here in (("print", in_print), ("code", in_code)) if here)
        said.append(f"in {where} equals ordered {name}")
    if of_field and not in_print:
        edits = min(edit_distance(run, wanted) for text in of_field for run in runs(text.text))
        said.append(f"printed {name} differs from ordered by {edits} characters")
    if codes and not in_code and name in CODE_KEYS:
        edits = min(edit_distance(folded(code.text), wanted) for code in codes)
        said.append(f"code differs from ordered {name} by {edits} characters")
    if not said:
        said.append(f"ordered {name} not found in print or code")
    return ", ".join(said)


CODE_KEYS = ("gtin", "ean", "upc", "code", "barcode", "sscc")


def edit_distance(a: str, b: str) -> int:
    """Return the number of insertions, deletions and replacements (Levenshtein, 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a[:200], start=1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]
