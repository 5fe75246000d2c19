"""What the judge's probability rests on, as measured by leaving items out."""

from datetime import date

import pytest

from inspector.attribution import UNITS_AT_MOST, influences
from inspector.domain import Box, Clause, Code, Context, Detection, EvidenceRef, Findings, TextLine
from inspector.errors import ModelError
from inspector.evidence import gather, without

BOX = Box(x0=0, y0=0, x1=10, y1=10)
CLAUSE = Clause(id="C1", text="No spur over 0.4 mm.")


def defect(label, mm, confidence=0.9):
    return Detection(label=label, confidence=confidence, box=BOX, width_mm=mm, height_mm=mm)


def line(text):
    return TextLine(text=text, confidence=0.9, box=BOX)


def evidence(*defects, texts=(), codes=()):
    return gather(
        Findings(detections=defects, text_lines=texts, codes=codes),
        product="board",
        context=Context(inspected_on=date(2026, 11, 23), expected={"lot": "A231"}),
        frame_bgr=None,
    )


def long_spurs(part, clauses):
    """Judge a clause violated where a spur is longer than 0.4 mm."""
    bad = any(d.label == "spur" and d.longest_mm > 0.4 for d in part.defects)
    return (0.9 if bad else 0.1,) * len(clauses)


def explained(judging, part, *, clauses=(CLAUSE,), calls=99):
    left = iter(range(calls))
    judged = dict(zip(clauses, judging(part, clauses), strict=True))
    return influences(judging, part, judged=judged, may_go_on=lambda: next(left, None) is not None)


def test_the_item_that_decided_is_named_with_the_probability_without_it():
    part = evidence(defect("spur", 0.2), defect("spur", 0.5), defect("open", 3), texts=(line("X"),))
    (found,) = explained(long_spurs, part)["C1"]
    assert [part.defects[ref.index].longest_mm for ref in found.items] == [0.5]
    assert found.without == 0.1
    assert found.words == "the 'spur' of 0.5 mm"


def test_where_no_single_item_decides_all_of_a_kind_are_left_out():
    part = evidence(defect("spur", 0.5), defect("spur", 0.6), defect("open", 1))
    (found,) = explained(long_spurs, part)["C1"]
    assert {part.defects[ref.index].label for ref in found.items} == {"spur"}
    assert found.words == "the 2 'spur'"


def test_print_and_codes_are_left_out_with_the_facts_they_gave():
    def ordered(part, clauses):
        equal = "in print equals ordered lot" in part.facts
        return (0.8 if equal else 0.2,) * len(clauses)

    code = Code(symbology="QRCode", text="X", box=BOX)
    part = evidence(texts=(line("A231"), line("B")), codes=(code,))
    (found,) = explained(ordered, part)["C1"]
    assert found.words == "the print 'A231'"
    assert found.items == (EvidenceRef(kind="text", index=0),)


def test_of_hundreds_of_defects_a_few_are_tried():
    calls = []

    def counting(part, clauses):
        calls.append(len(part.defects))
        return (0.9,) * len(clauses)

    part = evidence(*[defect(f"kind{i % 40}", 1, confidence=i / 500) for i in range(500)])
    assert explained(counting, part) == {}
    assert len(calls) <= 1 + 2 * UNITS_AT_MOST


def test_it_stops_when_the_time_is_over():
    part = evidence(defect("spur", 0.5), texts=(line("X"), line("Y")))
    assert explained(long_spurs, part, calls=0) == {}


def test_what_is_no_number_explains_nothing():
    def broken(part, clauses):
        return (0.9 if len(part.defects) == 1 else float("nan"),) * len(clauses)

    assert explained(broken, evidence(defect("spur", 1))) == {}


def test_a_failing_judge_is_reported():
    def failing(part, clauses):
        if not part.defects:
            raise ModelError("out of memory")
        return (0.9,) * len(clauses)

    with pytest.raises(ModelError):
        explained(failing, evidence(defect("spur", 1)))


def test_each_clause_is_explained_by_what_raises_its_own_probability():
    other = Clause(id="C2", text="No opens.")

    def both(part, clauses):
        labels = {d.label for d in part.defects}
        return tuple(0.9 if ("open" if c is other else "spur") in labels else 0.0 for c in clauses)

    found = explained(both, evidence(defect("spur", 1), defect("open", 1)), clauses=(CLAUSE, other))
    assert [one.words for one in found["C1"]] == ["the 'spur' of 1 mm"]
    assert [one.words for one in found["C2"]] == ["the 'open' of 1 mm"]


def test_nothing_else_changes_when_an_item_is_left_out():
    part = evidence(defect("spur", 1), defect("open", 1), texts=(line("A231"),))
    fewer = without(part, [EvidenceRef(kind="defect", index=0)])
    assert [d.label for d in fewer.defects] == ["spur"]
    assert fewer.texts == part.texts
    assert fewer.facts == part.facts
    assert fewer.context == part.context
