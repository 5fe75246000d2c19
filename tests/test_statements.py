"""The sentences of clauses that the judge decided."""

from datetime import date

import pytest

from inspector.domain import Box, Code, Context, Detection, Evidence, EvidenceRef, TextLine
from inspector.statements import (
    Influence,
    found_in_words,
    item_in_words,
    judged,
    objected,
    undecidable,
    weighed,
)

BOX = Box(x0=0, y0=0, x1=1, y1=1)


def defect(label, mm=None, zone=None):
    return Detection(label=label, confidence=0.9, box=BOX, width_mm=mm, height_mm=mm, zone=zone)


def part(*defects, texts=0, codes=0):
    return Evidence(
        product="part",
        defects=defects,
        texts=(TextLine(text="it's void", confidence=0.9, box=BOX),) * texts,
        codes=(Code(symbology="QRCode", text="A\x1b1", box=BOX),) * codes,
        context=Context(inspected_on=date(2026, 11, 23)),
    )


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (part(), "nothing"),
        (part(defect("pin_hole")), "1 'pin hole'"),
        (part(defect("spur", 0.5)), "1 'spur' (0.5 mm)"),
        (
            part(defect("spur", 0.5), defect("spur", 0.75), defect("open"), texts=1),
            "2 'spur' (largest 0.75 mm), 1 'open' and 1 line of print",
        ),
        (part(texts=2, codes=1), "2 lines of print and 1 code"),
        (
            part(*[defect(f"k{i}") for i in range(7)]),
            "1 'k0', 1 'k1', 1 'k2', 1 'k3', 1 'k4' and 2 defects of other kinds",
        ),
    ],
)
def test_what_was_found_is_counted_and_measured(evidence, words):
    assert found_in_words(evidence) == words


def test_items_are_named_by_what_tells_them_apart():
    evidence = part(defect("mouse_bite", 1.25, "left_margin"), texts=1, codes=1)
    words = [
        item_in_words(evidence, EvidenceRef(kind=kind, index=0))
        for kind in ("defect", "text", "code")
    ]
    assert words == [
        "the 'mouse bite' of 1.25 mm in 'left margin'",
        "the print 'it’s void'",
        "the 'QRCode' 'A 1'",
    ]


def test_a_sentence_says_what_the_probability_would_be_without_an_item():
    spur = Influence(
        items=(EvidenceRef(kind="defect", index=0),), words="the 'spur' of 1 mm", without=0.031
    )
    assert judged(
        part(defect("spur", 1)), 0.9, violated=True, pass_at=0.2, fail_at=0.8, influences=(spur,)
    ) == (
        "With 1 'spur' (1 mm) found, the judge gives a probability of violation of 0.90 (0.03 "
        "without the 'spur' of 1 mm); 0.80 or more counts as violated."
    )
    assert objected("No 'open' found; none is allowed.", 0.9, influences=(spur,)) == (
        "No 'open' found; none is allowed; the judge objects with a probability of violation of "
        "0.90 (0.03 without the 'spur' of 1 mm)."
    )


def test_items_that_nothing_tells_apart_are_told_once():
    several = [
        Influence(items=(EvidenceRef(kind="defect", index=i),), words="the 'spur'", without=0.34)
        for i in range(3)
    ]
    said = judged(
        part(*[defect("spur")] * 3),
        0.4,
        violated=None,
        pass_at=0.2,
        fail_at=0.8,
        influences=several,
    )
    assert "0.40 (0.34 without the 'spur', one of 3 alike); between" in said


@pytest.mark.parametrize(
    ("violated", "is_opposed", "end"),
    [
        (
            None,
            False,
            "weighed with the judge, the probability of violation is 0.50; between 0.20 and 0.80 a "
            "person decides.",
        ),
        (
            True,
            True,
            "the judge disagrees, and together the probability of violation is 0.50; 0.80 or more "
            "counts as violated.",
        ),
    ],
)
def test_what_was_read_and_weighed_names_the_limit(violated, is_opposed, end):
    said = weighed(
        "No 'open' found; none is allowed.",
        0.5,
        violated=violated,
        is_opposed=is_opposed,
        pass_at=0.2,
        fail_at=0.8,
    )
    assert said == f"No 'open' found; none is allowed; {end}"


def test_what_no_camera_sees_is_said_to_be_for_a_person():
    assert undecidable("it asks for 'weight', which no camera sees", 0.01) == (
        "Nothing that was found can show whether this clause is met: it asks for 'weight', which "
        "no camera sees; a person decides (probability of violation 0.01)."
    )
