"""What code answers about the evidence, for the judge to weigh."""

from __future__ import annotations

from datetime import date

import pytest

from inspector.domain import Box, Code, Context, Detection, Evidence, TextLine
from inspector.signs import SIGNS, signs

BOX = Box(x0=0, y0=0, x1=10, y1=10)


def spur(longest_mm: float = 0.5, zone: str | None = None) -> Detection:
    return Detection(
        label="spur", confidence=0.9, box=BOX, width_mm=longest_mm, height_mm=0.1, zone=zone
    )


def line(text: str, field: str | None = None, confidence: float = 0.9) -> TextLine:
    return TextLine(text=text, confidence=confidence, box=BOX, field=field)


def part(
    *defects: Detection,
    texts: tuple[TextLine, ...] = (),
    codes: tuple[Code, ...] = (),
    **expected: str,
) -> Evidence:
    return Evidence(
        product="part",
        defects=defects,
        texts=texts,
        codes=codes,
        context=Context(inspected_on=date(2026, 11, 23), expected=expected),
    )


def answer(sign: str, evidence: Evidence, clause: str) -> float:
    return dict(zip(SIGNS, signs(evidence, clause), strict=True))[sign]


@pytest.mark.parametrize(
    ("sign", "clause", "expected"),
    [
        ("named defects present", "No spurs.", 1),
        ("named defects present", "No mouse bites.", -1),
        ("named defects present", "No wobble.", 0),
        ("all defects present", "No wobble.", 1),
        ("named defects more than the number", "At most two spurs.", -1),
        ("named defects the number or more", "Fewer than two spurs.", 1),
        ("named defects more than the number", "No spurs.", 0),
        ("named defects longer than the limit", "No spur over 0.6 mm.", 1),
        ("named defects as long as the limit", "No spur of 0.7 mm or more.", 1),
        ("named defects longer than the limit", "No spur over 700 µm.", -1),
        ("named defects total over the limit", "All spurs together at most 1 mm.", 1),
        ("named defects inside the zone", "No spur in the rim.", 1),
        ("named defects outside the zone", "Spurs only in the rim.", 1),
        ("named defects over the limit inside", "No spur over 0.6 mm in the rim.", -1),
        ("other defects present", "No spurs.", -1),
        ("other defects present", "No mouse bites.", 1),
    ],
)
def test_defects_are_answered_for(sign: str, clause: str, expected: float) -> None:
    assert answer(sign, part(spur(0.5, "rim"), spur(0.7)), clause) == expected


@pytest.mark.parametrize(
    ("sign", "clause", "expected"),
    [
        ("code read", "A code must be there.", 1),
        ("named code", "Only EAN-13 codes.", 1),
        ("other code", "Only EAN-13 codes.", 1),
        ("other code", "A code must be there.", 0),
        ("a phrase printed", 'Not "sample" nor "void".', 1),
        ("every phrase printed", 'Both "sample" and "void".', -1),
        ("a line shares words", "It must not be marked as a sample.", 1),
        ("named field printed", "The batch number must be legible.", 1),
        ("named value equal", "The batch number must be as ordered.", 1),
        ("named value equal", "The serial number must be as ordered.", -1),
        ("print unclear", "Print must be clear.", 1),
        ("expired", "Must not be expired.", -1),
        ("life under the span", "At least 90 days of life.", 1),
    ],
)
def test_print_codes_and_dates_are_answered_for(sign: str, clause: str, expected: float) -> None:
    evidence = part(
        texts=(
            line("LOT A231", "lot"),
            line("FREE SAMPLE", confidence=0.3),
            line("EXP 2026-12-24"),
        ),
        codes=(
            Code(symbology="EAN-13", text="4006381333931", box=BOX),
            Code(symbology="ITF", text="00012", box=BOX),
        ),
        lot="A231",
        serial="77",
    )
    assert answer(sign, evidence, clause) == expected


def test_unmeasured_sizes_are_no_proof_of_length() -> None:
    unmeasured = Detection(label="spur", confidence=0.9, box=BOX)
    assert answer("named defects longer than the limit", part(unmeasured), "No spur over 1 mm") < 0
