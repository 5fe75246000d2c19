"""The line of a check: what it says, and that writing and reading it come to the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.checks import (
    AllOf,
    AnyOf,
    CodesCheck,
    EqualCheck,
    FormatCheck,
    IfThen,
    MeasureCheck,
    Moment,
    MomentCheck,
    Not,
    PrintCheck,
    Size,
    Source,
)
from inspector.line_grammar import as_line, as_read, as_written, prepared
from inspector.reading import LineError, from_line, in_words, to_line

COMPARISONS = st.sampled_from(["<", "<=", "=", ">=", ">"])
NAMES = st.sampled_from("scratches|solder balls|seal area|zone A|lot number|rim".split("|"))
LIMITS = st.integers(0, 500).map(float)
LENGTHS = st.integers(1, 5000).map(lambda n: n / 100)
LITERALS = st.sampled_from(["KEEP DRY", "may contain nuts", "https://", "A-1"])
SEVERAL = st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple)
SIZES = st.builds(
    Size,
    measure=st.sampled_from(["longest", "width", "height", "area"]),
    comparison=COMPARISONS,
    limit=LENGTHS,
)
MEASURES = st.builds(
    MeasureCheck,
    subjects=SEVERAL | st.just(("any",)),
    exceptions=SEVERAL | st.just(()),
    inside=SEVERAL | st.just(()),
    outside=SEVERAL | st.just(()),
    sizes=st.lists(SIZES, max_size=2).map(tuple),
    each=st.sampled_from([None, "kind", "zone"]),
    measure=st.sampled_from(["defects", "kinds", "length", "width", "height", "area"]),
    comparison=COMPARISONS,
    limit=LIMITS,
)
PRINTS = st.one_of(
    st.builds(
        PrintCheck,
        sought=st.just("wording"),
        words=st.lists(LITERALS, min_size=1, max_size=2, unique=True).map(tuple),
        edits=st.integers(0, 3),
        exact=st.booleans(),
        comparison=COMPARISONS,
        limit=LIMITS,
    ),
    st.builds(
        PrintCheck,
        sought=st.sampled_from(["field", "language", "unit"]),
        words=SEVERAL,
        starts=st.none() | LITERALS,
    ),
    st.builds(PrintCheck, sought=st.sampled_from(["product", "any"])),
)
CODES = st.builds(
    CodesCheck,
    symbologies=st.just(("any",)) | st.just(("QR code", "Data Matrix")),
    contains=st.none() | LITERALS,
    starts=st.none() | LITERALS,
    exceptions=SEVERAL | st.just(()),
    element=st.none() | st.just("01"),
    valid=st.booleans(),
    each=st.booleans(),
    comparison=COMPARISONS,
    limit=LIMITS,
)
SOURCES = st.one_of(
    st.builds(Source, kind=st.just("field"), name=NAMES),
    st.builds(Source, kind=st.sampled_from(["order", "code"]), name=NAMES | st.just("")),
    st.builds(
        Source, kind=st.just("element"), name=st.just("17"), symbologies=SEVERAL | st.just(())
    ),
    st.builds(Source, kind=st.just("literal"), name=LITERALS),
)
EQUALS = st.builds(
    EqualCheck,
    left=SOURCES,
    right=SOURCES,
    contains=st.booleans(),
    exact=st.booleans(),
    alike=st.sampled_from([(), ("0O",), ("0O", "1I")]),
    ignored=st.sampled_from(["", "-", " ", "0", "-."]),
    edits=st.integers(0, 2),
    each=st.booleans(),
)
MOMENTS = st.one_of(
    st.just(Moment(kind="today")),
    st.builds(
        Moment,
        kind=st.sampled_from(["field", "order", "day"]),
        name=NAMES,
        number=st.integers(1, 90).map(float),
        span=st.sampled_from(["day", "week", "month", "year"]),
    ),
    st.builds(
        Moment,
        kind=st.just("element"),
        name=st.sampled_from(["17", "11"]),
        symbologies=SEVERAL | st.just(()),
        number=st.integers(-9, 9).map(float),
    ),
)
ATOMS = st.one_of(
    MEASURES,
    PRINTS,
    CODES,
    EQUALS,
    st.builds(MomentCheck, left=MOMENTS, comparison=COMPARISONS, right=MOMENTS),
    st.builds(FormatCheck, field=NAMES, form=st.just("DD.MM.YYYY")),
)
PAIRS = st.lists(ATOMS, min_size=2, max_size=3).map(tuple)
CHECKS = st.one_of(
    ATOMS,
    st.builds(AllOf, checks=PAIRS),
    st.builds(AnyOf, checks=PAIRS),
    st.builds(Not, check=ATOMS | st.builds(AnyOf, checks=PAIRS)),
    st.builds(IfThen, condition=ATOMS, then=ATOMS | st.builds(AllOf, checks=PAIRS)),
    st.builds(AllOf, checks=st.tuples(ATOMS, st.builds(AnyOf, checks=PAIRS))),
)


@given(CHECKS)
def test_a_line_says_its_check_again(check):
    line = to_line(check)
    assert from_line(line) == check
    assert from_line(as_line(as_written(line))) == check
    assert in_words(check)


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("defects(pits | dents) <= three", "defects(pits | dents) <= 3"),
        ("defects(crack; longest > 200 µm) = 0", "defects(crack; longest > 0.2 mm) = 0"),
        (
            "defects(crack; width > half a millimetre) < a dozen",
            "defects(crack; width > 0.5 mm) < 12",
        ),
        ("defects(dent) < third", "defects(dent) < 3"),
        ("length(scratches) < 5 cm", "length(scratches) < 50 mm"),
        ("area(stains) <= 0.5 square centimetres", "area(stains) <= 50 mm²"),
        (
            "defects(pits; longest > 0.2; longest <= 5 cm) <= 3",
            "defects(pits; longest > 2 mm; longest <= 50 mm) <= 3",
        ),
        ("defects(pit; confidence > 80 %) = 0", "defects(pit; confidence > 0.8) = 0"),
        (
            "date(element [17]; in Data Matrix) >= today",
            "date(element 17; in Data Matrix) >= today",
        ),
        ("date(element expiry date) >= today", "date(element 17) >= today"),
        ("equal(element lot; field lot)", "equal(element 10; field lot)"),
        ("codes(any; element AI 01) >= one", "codes(any; element 01) >= 1"),
        (
            "date(field expiry) >= today + half a year",
            "date(field expiry) >= today + 0.5 years",
        ),
        ("no check", "no check"),
    ],
)
def test_numbers_and_units_of_the_clause_are_converted(line, plain):
    assert to_line(from_line(line)) == plain


@pytest.mark.parametrize(
    "line",
    [
        "",
        "defects(",
        "defects() = 0",
        "defects(pit)",
        "defects(pit) <= many",
        "texts(lot) >= 1",
        'texts("") >= 1',
        "equal(field lot)",
        "date(lot) >= today",
        "date(element colour) >= today",
        "date(element 17; in) >= today",
        "date(element 17; in QR code; in Aztec) >= today",
        "equal(element 10 and 17; field lot)",
        "equal(field lot; in QR code; order)",
        "defects(pit) = 0 and",
        "defects(pit) = 0 defects(dent) = 0",
        "(" * 3000 + "defects(pit) = 0",
    ],
)
def test_a_malformed_line_is_refused(line):
    with pytest.raises(LineError):
        from_line(line)


def test_a_clause_is_prepared_for_copying():
    assert prepared("  No “KEEP\tDRY” (ever);\x00 ok ") == 'no "KEEP DRY" [ever], ok'
    assert as_read("Scratches/dents ≥0.5 mm") == " scratches / dents >= 0.5 mm"


@given(st.text(max_size=700))
def test_any_text_can_be_prepared(text):
    assert len(prepared(text)) <= 600
    assert not set(prepared(text)) & set("();|\n“”")
