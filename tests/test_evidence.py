"""What the judge reads of a part."""

from __future__ import annotations

import random
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.domain import Box, Code, Context, Detection, Evidence, Findings, TextLine
from inspector.evidence import CROP_PX, CROPS_AT_MOST, cleaned, gather, named_items, premise, quoted

TODAY = date(2026, 11, 23)


def defect(
    label: str, longest_mm: float | None = 0.5, *, zone: str | None = None, at: float = 0
) -> Detection:
    return Detection(
        label=label,
        confidence=0.9,
        box=Box(x0=at, y0=0, x1=at + 10, y1=10),
        width_mm=longest_mm,
        height_mm=None if longest_mm is None else longest_mm / 2,
        zone=zone,
    )


def line(text: str, *, field: str | None = None, confidence: float = 0.9) -> TextLine:
    box = Box(x0=0, y0=0, x1=10, y1=10)
    return TextLine(text=text, confidence=confidence, box=box, field=field)


def code(symbology: str, text: str) -> Code:
    return Code(symbology=symbology, text=text, box=Box(x0=0, y0=0, x1=10, y1=10))


def evidence(
    *defects: Detection,
    texts: tuple[TextLine, ...] = (),
    codes: tuple[Code, ...] = (),
    **expected: str,
) -> Evidence:
    return gather(
        Findings(detections=defects, text_lines=texts, codes=codes),
        product="bare board",
        context=Context(inspected_on=TODAY, expected=expected),
        frame_bgr=None,
    )


def test_counts_are_compared_with_the_number_of_the_clause() -> None:
    part = evidence(defect("spur"), defect("spur", at=20))
    assert "named spur 2 fewer than three" in premise(part, "At most three spurs are accepted.")
    assert "named spur 2 exactly 2" in premise(part, "No more than 2 spurs.")
    assert "named spur 2 more than one" in premise(part, "There is room for one spur.")


def test_a_number_that_names_something_is_no_limit() -> None:
    part = evidence(defect("spur"))
    assert "than" not in premise(part, "Code 39 is used on class 2 parts, no spur on one board.")


def test_sizes_are_compared_in_the_unit_of_the_clause() -> None:
    part = evidence(defect("pin-hole", 0.3))
    assert "longest under 500 µm" in premise(part, "No pin hole over 500 µm.")
    assert "longest exactly 0.3 mm" in premise(part, "Pin holes of 0.3 mm or more are rejected.")
    assert "longest over 0.02 cm" in premise(part, "Pin holes must not exceed 0.02 cm.")


def test_lengths_are_added_where_the_clause_asks_for_their_sum() -> None:
    part = evidence(defect("spur", 1.0), defect("spur", 0.9, at=20))
    assert "total over 1.7 mm" in premise(part, "All spurs together must not exceed 1.7 mm.")


def test_a_size_that_was_not_measured_is_unknown() -> None:
    assert "size unknown" in premise(evidence(defect("spur", None)), "No spur over 1 mm.")


def test_a_zone_of_the_clause_splits_the_counts() -> None:
    part = evidence(defect("spur", zone="left margin"), defect("spur", zone="rim", at=20))
    assert "in named left margin 1, outside 1" in premise(part, "No spur in the left margin.")
    assert "in left margin 1, in rim 1" in premise(part, "No spur at all.")


def test_equality_with_the_work_order_is_stated() -> None:
    part = evidence(
        texts=(line("LOT: A231", field="lot"),),
        codes=(code("UPC-A", "012345678905"),),
        lot="A231",
        gtin="0012345678905",
        serial="77",
    )
    assert "in print equals ordered lot" in part.facts
    assert "in code equals ordered gtin" in part.facts
    assert "ordered serial not found in print or code" in part.facts


def test_a_longer_lot_is_not_the_ordered_one() -> None:
    part = evidence(texts=(line("LOT A2310", field="lot"),), lot="A231")
    assert part.facts[0] == "printed lot differs from ordered by 1 characters"


def test_days_to_expiry_are_compared_with_the_span_of_the_clause() -> None:
    part = evidence(texts=(line("EXP 2027-03"),))
    said = premise(part, "At least six months of life must remain.")
    assert "expiry in the future under six months left" in said
    assert "over 90 days left" in premise(part, "At least 90 days of life must remain.")
    assert "in the past" in premise(evidence(texts=(line("EXP 2026-11-22"),)), "Not expired.")


def test_five_hundred_defects_are_as_short_as_a_few() -> None:
    chance = random.Random(1)
    many = [defect(f"kind{chance.randrange(40)}", at=20 * i) for i in range(500)]
    said = premise(evidence(*many), "No kind of defect over 0.3 mm.")
    assert said.startswith("all defects 500 longest over 0.3 mm")
    assert "32 other kinds" in premise(evidence(*many), "No wobble.")
    assert len(premise(evidence(*many), "No wobble over 0.3 mm.").split()) < 120


def test_the_order_of_findings_changes_nothing() -> None:
    parts = [
        defect("spur", 0.3, zone="rim"),
        defect("open", 0.5, zone="rim", at=40),
        defect("spur", 0.9, at=80),
    ]
    texts = (line("B"), line("A"))
    clause = "No spur over 0.5 mm in the rim."
    said = premise(evidence(*parts, texts=texts), clause)
    assert said == premise(evidence(*reversed(parts), texts=texts[::-1]), clause)


def test_a_term_names_the_kinds_it_stands_for() -> None:
    part = evidence(defect("open"), defect("pin-hole", at=20), defect("spur", at=40))
    said = premise(part, "No interrupted conductors and no perforated tracks.")
    assert said.startswith("named open 1, pin-hole 1, together 2; other spur 1")
    assert premise(part, "No solder balls.").startswith("none of the named, other open 1")


def test_without_known_terms_every_kind_is_measured() -> None:
    part = evidence(defect("open"), defect("spur", at=20))
    said = premise(part, "Not more than one wobble.")
    assert said.startswith("open 1 exactly one; spur 1 exactly one; all defects 2 more than one")


def test_codes_of_the_clause_are_marked() -> None:
    part = evidence(codes=(code("ITF", "123"), code("EAN-13", "4006381333931")))
    said = premise(part, "Only retail codes may be used on a retail label.")
    assert 'named EAN-13 (retail bar code) "4006381333931", other ITF (logistic bar code)' in said
    assert "named ITF" in premise(part, "ITF codes are not accepted on a retail label.")


def test_lines_that_share_a_word_with_the_clause_are_marked() -> None:
    part = evidence(texts=(line("Alpine"), line("FREE SAMPLE")))
    said = premise(part, "The label must not be marked as a sample.")
    assert 'print: named "FREE SAMPLE", "Alpine"' in said


@settings(deadline=None)
@given(st.text())
def test_print_never_ends_its_own_quotation(text: str) -> None:
    shown = quoted(text)
    assert shown[0] == shown[-1] == '"'
    assert '"' not in shown[1:-1]
    assert shown.isprintable()
    assert len(cleaned(text)) <= 60


@settings(deadline=None)
@given(st.text(), st.text(max_size=700))
def test_no_print_and_no_clause_breaks_the_premise(text: str, clause: str) -> None:
    part = evidence(defect(text or "x"), texts=(line(text, field="lot"),), lot="A1")
    assert premise(part, clause).isprintable()


def test_crops_are_cut_for_the_surest_defects_only() -> None:
    frame = np.full((64, 64, 3), 90, np.uint8)
    boxes = [Box(x0=i, y0=2, x1=i + 4, y1=8) for i in range(CROPS_AT_MOST + 6)]
    found = tuple(
        Detection(label="spur", confidence=0.3 + i / 100, box=box) for i, box in enumerate(boxes)
    )
    part = gather(
        Findings(detections=found),
        product="board",
        context=Context(inspected_on=TODAY),
        frame_bgr=frame,
    )
    crops = [crop for crop in part.crops_bgr if crop is not None]
    assert len(part.crops_bgr) == len(found)
    assert len(crops) == CROPS_AT_MOST
    assert crops[0].shape == (CROP_PX, CROP_PX, 3)
    assert part.crops_bgr[0] is None


@pytest.mark.parametrize(
    ("clause", "index"), [("No nicks.", 0), ("No pinhole, please", 1), ("No dents", None)]
)
def test_items_that_a_clause_names_are_pointed_at(clause: str, index: int | None) -> None:
    part = evidence(defect("mousebite"), defect("pin-hole", at=20))
    assert [ref.index for ref in named_items(part, clause)] == ([] if index is None else [index])


def test_a_label_the_ontology_does_not_know_counts_by_its_own_words() -> None:
    part = evidence(defect("solder blob"))
    assert "named solder blob 1" in premise(part, "No short and no solder blob is allowed.")


def test_an_area_nobody_measured_is_not_under_the_limit() -> None:
    said = premise(evidence(defect("spur", None)), "No spur with an area above 1 mm².")
    assert "area unknown" in said


def test_spans_beyond_the_calendar_are_read() -> None:
    part = evidence(texts=(line("EXP 2020-01-01", field="expiry"),))
    assert premise(part, "At least 900000 days must be left.")
    assert premise(part, "At least 9999999999 days must be left.")


def test_an_order_without_a_value_equals_nothing() -> None:
    part = evidence(texts=(line("", field="lot"),), lot="")
    assert "equals" not in premise(part, "The lot must be the ordered one.")
