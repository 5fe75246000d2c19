"""What lines about codes, their GS1 elements and dates say of a part."""

from datetime import date

import pytest

from inspector.domain import (
    Box,
    Code,
    Context,
    Evidence,
    EvidenceRef,
    Outcome,
    Reason,
    TextLine,
)
from inspector.reading import from_line
from inspector.standard import World, only, says
from inspector.standard.gs1 import day_of

BOX = Box(x0=0, y0=0, x1=10, y1=10)
OPEN = World(sure_at=0.5, missing="hold")
TODAY = date(2026, 11, 23)


def part(*codes, printed=(), expected=None):
    """Return a part with codes "EAN13 4006381333931" and lines of print "expiry=2027-01-31"."""
    lines = []
    for text in printed:
        name, _, value = text.partition("=")
        lines.append(TextLine(text=value, confidence=0.9, box=BOX, field=name))
    return Evidence(
        product="Carton",
        defects=(),
        texts=tuple(lines),
        codes=tuple(
            Code(symbology=symbology, text=text, box=BOX)
            for symbology, _, text in (code.partition(" ") for code in codes)
        ),
        context=Context(inspected_on=TODAY, expected=expected or {}),
    )


def outcome(line, evidence, world=None):
    return says(from_line(line), evidence, *([world] if world else [])).outcome


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("270131", date(2027, 1, 31)),
        ("270200", date(2027, 2, 28)),
        ("280200", date(2028, 2, 29)),
        ("761231", date(2076, 12, 31)),
        ("770101", date(1977, 1, 1)),
        ("270230", None),
        ("271301", None),
        ("2701311200", None),
        ("27013", None),
    ],
)
def test_a_date_of_an_element_has_a_century_and_may_have_no_day(value, day):
    assert day_of(value, TODAY) == day


DM = "DataMatrix (01)04006381333931(17){}(10)A231"


@pytest.mark.parametrize(
    ("line", "conforms", "violates"),
    [
        ("date(element 17) >= today", [DM.format("261123")], [DM.format("261122")]),
        ("date(element 17) >= today", [DM.format("261100")], [DM.format("261000")]),
        ("date(element 17) >= today + 2 months", [DM.format("270123")], [DM.format("270122")]),
        ("date(element 11) <= today", ["QRCode (11)261123"], ["QRCode (11)261124"]),
        (
            "date(element 17) > element 11",
            ["QRCode (11)250101(17)260101"],
            ["QRCode (11)250101(17)250101"],
        ),
        (
            "date(element 17; in Data Matrix) >= today",
            ["QRCode (17)200101", DM.format("270101")],
            ["QRCode (17)270101", DM.format("200101")],
        ),
        ("date(element 17) >= today", ["DataMatrix 010400638133393117270131"], []),
        (
            "date(element 17) >= today",
            [DM.format("270101")],
            [DM.format("270101"), "Code128 (17)200101"],
        ),
        ("equal(code; code)", ["QRCode A1", "EAN13 A1"], ["QRCode A1", "EAN13 A1", "QRCode A2"]),
        ("equal(code; code)", ["QRCode A1", "QRCode A1"], ["QRCode A1", "QRCode A1 B"]),
        ("equal(code; code)", ["QRCode A1"] * 2, ["QRCode A1"]),
        (
            "equal(code linear barcodes; code linear barcodes)",
            ["Code128 A1", "Code39 A1", "QRCode B"],
            ["Code128 A1", "Code39 A2", "QRCode A1"],
        ),
        (
            "equal(element 01; element 01)",
            [DM.format("270101"), "QRCode (01)04006381333931"],
            [DM.format("270101"), "QRCode (01)04006381333948"],
        ),
        (
            "equal(element 21; in linear code; element 21; in Data Matrix)",
            ["Code128 (21)77", "DataMatrix (21)77", "QRCode (21)78"],
            ["Code128 (21)78", "DataMatrix (21)77", "QRCode (21)77"],
        ),
        ("codes(any; except Data Matrix) = 0", ["DataMatrix A"], ["DataMatrix A", "QRCode A"]),
        (
            'codes(QR code; contains "https"; each) >= 1',
            ["QRCode https://a", "EAN13 1"],
            ["QRCode https://a", "QRCode 1"],
        ),
        (
            "codes(any; valid; each) >= 1",
            ["EAN13 4006381333931"],
            ["EAN13 4006381333931", "EAN13 4006381333930"],
        ),
        ("codes(any; valid; each) >= 1", ["EAN13 4006381333931"], []),
        ("not (codes(any; valid; each) >= 1)", ["EAN13 1", "EAN13 4006381333931"],
         ["EAN13 4006381333931"]),
        ("codes(2D barcode) >= 1", ["DataMatrix A"], ["EAN13 A"]),
        ("codes(data carrier) >= 1", ["DataMatrix A"], []),
        ("codes(Code 39) = 0", ["Code128 A"], ["Code39 A"]),
        ("codes(any; element 310) >= 1", ["Code128 (3103)000450"], ["Code128 (10)3103"]),
    ],
)  # fmt: skip
def test_a_line_about_codes_tells_good_parts_from_bad(line, conforms, violates):
    assert outcome(line, part(*conforms)) is Outcome.CONFORMS
    assert outcome(line, part(*violates)) is Outcome.VIOLATED


@pytest.mark.parametrize(
    ("codes", "printed", "is_equal"),
    [
        ("DataMatrix (17)270131", "2027-01-31", True),
        ("DataMatrix (17)270131", "31 JAN 2027", True),
        ("DataMatrix (17)270100", "01/2027", True),
        ("DataMatrix (17)270131", "2027-01-30", False),
        ("DataMatrix (17)771301", "2077-01-31", False),
    ],
)
def test_an_encoded_date_equals_a_printed_one_by_its_day(codes, printed, is_equal):
    found = part(codes, printed=[f"expiry={printed}"])
    for line in ("equal(element 17; field expiry)", "date(element 17) = field expiry"):
        assert (outcome(line, found) is Outcome.CONFORMS) is is_equal


def test_every_code_must_equal_the_order_where_each_is_asked():
    found = part("EAN13 4006381333931", "QRCode X1", expected={"gtin": "4006381333931"})
    assert outcome("equal(code; order gtin)", found) is Outcome.CONFORMS
    assert outcome("equal(code EAN-13; order gtin; each)", found) is Outcome.CONFORMS
    result = says(from_line("equal(code; order gtin; each)"), found)
    assert result.outcome is Outcome.VIOLATED
    assert result.evidence == (EvidenceRef(kind="code", index=1),)


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("date(element 17) >= today", []),
        ("date(element 17) >= today", ["QRCode (10)A"]),
        ("date(element 17) >= today", ["QRCode (17)271340"]),
        ("date(element 17) >= today", ["QRCode (17)270101", "QRCode (17)271340"]),
        ("date(element 17; in Data Matrix) >= today", ["QRCode (17)270101"]),
        ("date(element 17; in supplier code) >= today", ["QRCode (17)270101"]),
        ("equal(code; code)", ["QRCode A"]),
        ("equal(code; code)", []),
        ("equal(element 01; element 01)", ["QRCode (01)04006381333931", "EAN13 4006381333931"]),
        ("equal(element 21; in linear code; element 21; in Data Matrix)", ["Code128 (21)77"]),
        ("codes(any; valid; each) >= 1", []),
        ("codes(supplier code) = 0", ["QRCode A"]),
        ("codes(any; except supplier code) = 0", ["QRCode A"]),
        ('codes(supplier code; starts "A"; each) >= 1', ["QRCode B"]),
    ],
)
def test_what_was_not_read_or_nobody_knows_clears_no_part_on_a_station(line, codes):
    found = says(from_line(line), part(*codes), OPEN)
    assert (found.outcome, found.reason) == (Outcome.UNKNOWN, Reason.CODE_UNREADABLE)


def test_codes_that_disagree_about_a_date_are_for_a_person_to_look_at():
    found = part("QRCode (17)270101", "DataMatrix (17)200101")
    assert outcome("date(element 17) >= today", found, OPEN) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("line", "codes", "cited", "said"),
    [
        (
            "date(element 17) >= today",
            ["EAN13 1", "QRCode (17)261031"],
            [1],
            "The GS1 element (17) of '(17)261031' is 2026-10-31, the day of inspection is "
            "2026-11-23; the first must lie on or after the second.",
        ),
        (
            "equal(code; code)",
            ["QRCode A1", "QRCode A1", "EAN13 A2"],
            [0, 2],
            "The code reads 'A1' and 'A2'; it is required to be the same wherever it stands.",
        ),
        (
            "codes(any; except QR code) = 0",
            ["QRCode A", "EAN13 1", "EAN13 2"],
            [1],
            "2 codes other than 'QR code' were read: 'EAN13' '1', 'EAN13' '2'; none is allowed.",
        ),
        (
            'codes(QR code; starts "H"; each) >= 1',
            ["QRCode HA", "QRCode A"],
            [1],
            "'QRCode' 'A' is no 'QR code' beginning with 'H'; every one is required to be.",
        ),
    ],
)
def test_a_violation_cites_the_codes_that_suffice_and_the_limit(line, codes, cited, said):
    check, evidence = from_line(line), part(*codes)
    found = says(check, evidence)
    assert found.statement == said
    assert [ref.index for ref in found.evidence] == cited
    assert says(check, only(evidence, found.evidence), OPEN).outcome is Outcome.VIOLATED
    for ref in found.evidence:
        rest = tuple(other for other in found.evidence if other != ref)
        assert says(check, only(evidence, rest), OPEN).outcome is not Outcome.VIOLATED
