"""What checks written as lines say of evidence."""

from datetime import date

import pytest

from inspector.domain import (
    Box,
    Clause,
    Code,
    Context,
    Detection,
    Evidence,
    Outcome,
    Reason,
    TextLine,
)
from inspector.examples import contradiction, contradictory, part_in_words, passing_and_failing
from inspector.reading import from_line
from inspector.standard import World, says

BOX = Box(x0=0, y0=0, x1=10, y1=10)
OPEN = World(sure_at=0.5, missing="hold")


def defect(label="scratch", long=1.0, short=0.1, zone=None, confidence=0.9):
    return Detection(
        label=label, confidence=confidence, box=BOX, width_mm=long, height_mm=short, zone=zone
    )


def part(*items, product="Lens cover", expected=None):
    lines = []
    for item in items:
        if isinstance(item, str):
            field, found, text = item.partition("=")
            line = (text, field) if found and field.isalpha() else (item, None)
            lines.append(TextLine(text=line[0], confidence=0.9, box=BOX, field=line[1]))
    return Evidence(
        product=product,
        defects=tuple(i for i in items if isinstance(i, Detection)),
        texts=tuple(lines),
        codes=tuple(i for i in items if isinstance(i, Code)),
        context=Context(inspected_on=date(2026, 11, 23), expected=expected or {}),
    )


def code(text, symbology="QRCode"):
    return Code(symbology=symbology, text=text, box=BOX)


def violated(line, evidence):
    outcome = says(from_line(line), evidence).outcome
    assert outcome is not Outcome.UNKNOWN
    return outcome is Outcome.VIOLATED


DENT, SCRATCH, DUST = defect("dent"), defect("scratch"), defect("dust", 0.2, 0.2)
GS1 = "(01)04012345678901(17)270131(10)A231"


@pytest.mark.parametrize(
    ("line", "conforms", "violates"),
    [
        ("defects(scratches | dents) <= 2", [SCRATCH, DENT], [SCRATCH, DENT, DENT]),
        ("defects(dent) < third", [DENT, DENT], [DENT] * 3),
        ("defects(any; except dust) = 0", [DUST], [DUST, DENT]),
        ("defects(scratch; longest > 0.5 mm) = 0", [defect(long=0.5)], [defect(long=0.51)]),
        ("defects(scratch; longest >= 0.5 mm) = 0", [defect(long=0.49)], [defect(long=0.5)]),
        ("defects(scratch; width > 500 µm) = 0", [defect(long=0.5)], [defect(long=0.6)]),
        ("defects(scratch; area > 0.1 mm²) = 0", [defect()], [defect(short=0.2)]),
        ("defects(scratch; confidence > 80 %) = 0", [defect(confidence=0.8)], [defect()]),
        ("defects(scratch; in rim) = 0", [defect(zone="centre")], [defect(zone="outer rim")]),
        ("defects(scratch; not in rim) = 0", [defect(zone="rim")], [defect(), defect(zone="rim")]),
        ("defects(scratch; in lens) = 0", [DENT], [defect(zone="upper half")]),
        ("defects(any; each kind) <= 1", [DENT, SCRATCH], [DENT, DENT]),
        (
            "defects(any; each zone) <= 1",
            [defect(zone="a b"), defect(zone="c d")],
            [defect(zone="a b"), DENT, defect(zone="a b")],
        ),
        ("kinds(any) <= 1", [DENT, DENT], [DENT, SCRATCH]),
        ("length(scratches) <= 2 mm", [SCRATCH, SCRATCH], [SCRATCH, SCRATCH, defect(long=0.1)]),
        ("area(scratches) < 0.2 mm²", [SCRATCH], [SCRATCH, SCRATCH]),
        (
            "defects(scratch; longest > 0.2; longest <= 0.5 mm) <= 1 and "
            "defects(scratch; longest > 0.5 mm) = 0",
            [defect(long=0.2)] * 9 + [defect(long=0.5)],
            [defect(long=0.3), defect(long=0.5)],
        ),
        ("if defects(dent) >= 1 then defects(scratch) = 0", [SCRATCH], [DENT, SCRATCH]),
        ("defects(dent) = 0 or defects(scratch) = 0", [DENT], [DENT, SCRATCH]),
        ("not (defects(dent) >= 1)", [], [DENT]),
        ('texts("Keep dry") >= 1', ["KEEPDRY"], ["KEEP WET"]),
        ('texts("Keep dry"; within 1) >= 1', ["KEEP DRV"], ["KEEP WET"]),
        ('texts("Keep dry"; exact) >= 1', ["Keep dry"], ["KEEP DRY"]),
        ('texts("Keep dry" | "Fragile") >= 1', ["fragile!"], []),
        ('texts("CE") = 0', ["PIECE"], ["C E mark"]),
        ('texts("sterile") >= 1', ["STERILE R"], ["NON-STERILE"]),
        ('texts("keep out of reach") >= 1', ["KEEP OUT", "OF REACH"], ["REACH OUT", "OF KEEP"]),
        ("texts(field lot number) >= 1", ["LOT A231"], ["A231"]),
        ('texts(field lot; starts "A"; characters = 4) >= 1', ["lot=LOT A231"], ["lot=LOT B231"]),
        ("texts(language German) >= 1", ["Nicht für Kinder"], ["Not for children"]),
        ("texts(unit grams) >= 1", ["Net 250 g"], ["Net 250 ml"]),
        ("texts(product) >= 1", ["LENS COVER"], ["HOUSING"]),
        ("texts(any) = 0", [DENT], ["X1"]),
        ("codes(QR code) >= 1", [code("A")], [code("A", "EAN13")]),
        ("codes(any) = 1", [code("A")], [code("A"), code("B")]),
        ("codes(matrix code) = 0", [code("4", "EAN13")], [code("A", "DataMatrix")]),
        ('codes(QR code; starts "https://") >= 1', [code("https://a.b")], [code("http://a.b")]),
        ("codes(any; element 17) >= 1", [code(GS1)], [code("A231")]),
        (
            "codes(EAN-13; valid) >= 1",
            [code("4006381333931", "EAN13")],
            [code("4006381333930", "EAN13")],
        ),
        ("codes(any; characters = 3) >= 1", [code("ABC")], [code("AB")]),
        ("contains(code; field lot)", ["lot=A231", code("x-A231-y")], ["lot=A232", code("A231")]),
        ("equal(field serial; code)", ["serial=S/N 77", code("77")], ["serial=78", code("77")]),
        ("date(field expiry) >= today", ["EXP 2026-11"], ["EXP 2026-10"]),
        ("date(field expiry) >= today + 6 months", ["EXP 2027-05-23"], ["EXP 2027-05-22"]),
        ("date(field production date) <= today", ["MFG 2026-11-23"], ["MFG 2026-11-24"]),
        (
            "date(field production date) < field expiry",
            ["MFG 2026-01-01", "EXP 2026-01-02"],
            ["MFG 2026-01-02", "EXP 2026-01-02"],
        ),
        ("date(field date code) >= today - 2 years", ["WK 48/2024"], ["WK 46/2024"]),
        ("format(expiry; YYYY-MM-DD)", ["EXP 2027-01-31"], ["EXP 31.01.2027"]),
        ("format(expiry; month and year)", ["EXP 01/2027"], ["EXP 31.01.2027"]),
    ],
)
def test_a_line_tells_good_parts_from_bad(line, conforms, violates):
    assert not violated(line, part(*conforms))
    assert violated(line, part(*violates))


@pytest.mark.parametrize(
    ("line", "printed", "is_equal"),
    [
        ("equal(field lot; order)", "lot=LOT A231", True),
        ("equal(field lot; order)", "lot=LOT A232", False),
        ("equal(field lot; order)", "lot=a 231", True),
        ("equal(field lot; order; exact)", "lot=a231", False),
        ("equal(field lot; order; within 1)", "lot=A232", True),
        ("equal(field lot; order; ignoring 1/I)", "lot=A23I", True),
        ("equal(field lot; order; ignoring hyphens)", "lot=A-231", True),
        ("equal(field lot; order)", "lot=A-231", False),
        ("equal(field lot; order)", "lot=A2311", False),
    ],
)
def test_equality_knows_what_may_differ(line, printed, is_equal):
    found = part(printed, expected={"lot": "A231", "gtin": "1"})
    assert violated(line, found) is not is_equal


def test_elements_of_a_code_are_compared_with_order_and_print():
    found = part(code(GS1), "EXP 2027-01-31", expected={"gtin": "4012345678901"})
    assert not violated("equal(element 01; order GTIN)", found)
    assert not violated('equal(element 10; "A231")', found)
    assert violated('equal(element 10; "A232")', found)


def test_on_a_station_what_was_not_read_is_unknown():
    for line, reason in (
        ("texts(field lot) >= 1", Reason.TEXT_UNREADABLE),
        ("codes(any) >= 1", Reason.CODE_UNREADABLE),
        ("date(field expiry) >= today", Reason.TEXT_UNREADABLE),
        ("equal(field lot; order)", Reason.TEXT_UNREADABLE),
    ):
        found = says(from_line(line), part(expected={"lot": "A"}), OPEN)
        assert (found.outcome, found.reason) == (Outcome.UNKNOWN, reason)


def test_a_missing_order_value_is_unknown_everywhere():
    found = says(from_line("equal(field lot; order)"), part("lot=A231"))
    assert found.reason is Reason.EXPECTED_MISSING


def test_an_unsure_defect_can_hold_but_not_fail():
    found = says(from_line("defects(scratch) = 0"), part(defect(confidence=0.3)), OPEN)
    assert found.outcome is Outcome.UNKNOWN


def test_the_evidence_is_the_least_that_breaks_the_check():
    found = says(from_line("defects(any) <= 1"), part(*[DENT] * 5))
    assert len(found.evidence) == 2
    assert says(from_line('texts("X1") >= 1'), part("Y2")).evidence == ()


def test_a_product_name_gives_no_orders():
    carton = part(defect(zone="lid"), product="Carton; any fault counts as side seam")
    assert not violated("defects(scratches; in side seam) = 0", carton)


def test_examples_pass_and_fail():
    for line in (
        "defects(scratches; in rim; longest > 0.5 mm) <= 2",
        "texts(field lot) >= 1 and equal(field lot; order)",
        "date(field expiry) >= today + 6 months",
        'if texts("SAMPLE") >= 1 then codes(QR code) = 0',
        "date(field expiry) <= order delivery date",
        "date(element 17; in Data Matrix) >= today + 3 months",
        "date(element 17) > element 11",
        "equal(element 17; field expiry)",
        "equal(element 01; order GTIN)",
        "equal(element 21; in linear code; element 21; in Data Matrix)",
        "equal(code; code)",
        "equal(code; order lot; each)",
        "codes(any) = three and equal(code; code)",
        "codes(any; except 2D codes) = 0",
        "codes(any; valid; each) >= 1",
        'codes(DMC; starts "K2"; characters = 12) >= 1',
        "codes(retail code; valid) >= 1",
        "codes(any; element 01) >= 1 and codes(any; element 10) >= 1",
        'equal(field serial; "R-7")',
    ):
        check = from_line(line)
        passes, fails = passing_and_failing(check)
        assert says(check, passes).outcome is Outcome.CONFORMS
        assert says(check, fails).outcome is Outcome.VIOLATED
        assert part_in_words(fails)


def test_checks_that_say_the_opposite_are_found():
    two, three = from_line("defects(dents) <= 2"), from_line("defects(dents) <= 3")
    assert contradiction(two, two) is None
    assert len(contradiction(two, three).defects) == 3


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("defects(dents) = 0", "defects(dents | scratches) >= 1", False),
        ("defects(dents) = 0", "defects(dents) >= 1", True),
        ("defects(dents) <= 2", "defects(dents) <= 3", False),
        ('texts("CE") >= 1', 'texts("CE") = 0', True),
        ("codes(QR code) >= 1", "codes(any) = 0", True),
        ("codes(QR code) = 1", "codes(EAN-13) = 1", False),
        ("date(field expiry) >= today + 6 months", "date(field expiry) <= today", True),
        ("equal(field lot; order)", "equal(field serial; order)", False),
    ],
)
def test_clauses_that_no_part_can_keep_together_are_found(one, other, apart):
    clauses = [
        Clause(id="C1", text="t", check=from_line(one)),
        Clause(id="C2", text="t"),
        Clause(id="C3", text="t", check=from_line(other)),
    ]
    assert contradictory(clauses) == ([("C1", "C3")] if apart else [])
