"""Odd clauses and odd evidence: refused, cut or left to a person, never a crash, never a PASS."""

import math
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.asked import CLAUSE_CHARACTERS, asked_of
from inspector.checks import DefectCheck, MeasureCheck, Moment, Size
from inspector.domain import Box, Code, Context, Detection, Findings, Outcome, TextLine
from inspector.evidence import gather, premise
from inspector.examples import passing_and_failing
from inspector.line_parser import LineError
from inspector.reading import from_line, in_words, to_line
from inspector.sight import unseen
from inspector.signs import signs
from inspector.standard import World, says

BOX = Box(x0=0, y0=0, x1=10, y1=10)
OPEN = World(sure_at=0.5, missing="hold", zones=("rim",))
ODD = (
    "",
    " \t\n",
    "\x00\x01\x1b[31m\u202e",
    "划痕不得超过三处",
    "Царапины не допускаются",
    "لا يسمح بالخدوش",
    "🙂" * 50,
    "no " * 2000,
    "Not more than " + "9" * 400 + " scratches longer than 1e999 mm.",
    "((((" * 500,
)
LINES = (
    "defects(scratches; longest > 0.5 mm) <= 2",
    "kinds(any; each zone) <= 1",
    "area(any; in rim) <= 1 mm²",
    'texts("KEEP DRY"; within 1) >= 1',
    "texts(language German) >= 1",
    "texts(unit grams) = 1",
    "codes(any; valid) >= 1",
    "equal(field lot; order)",
    "contains(code; field lot)",
    "date(field expiry) >= today + 6 months",
    "format(expiry; DD.MM.YYYY)",
    'if texts("SAMPLE") >= 1 then not (codes(QR code) >= 1)',
)


def gathered(*, defects=(), texts=(), codes=(), product="part", **expected):
    return gather(
        Findings(detections=tuple(defects), text_lines=tuple(texts), codes=tuple(codes)),
        product=product,
        context=Context(inspected_on=date(2026, 11, 23), expected=expected),
        frame_bgr=None,
    )


def line(text, *, confidence=0.9, field=None):
    return TextLine(text=text, confidence=confidence, box=BOX, field=field)


@pytest.mark.parametrize("size", [math.nan, math.inf, -0.1])
def test_a_size_that_is_no_length_is_refused(size):
    for side in ("width_mm", "height_mm"):
        with pytest.raises(ValueError, match=side):
            Detection(label="spur", confidence=0.9, box=BOX, **{side: size})


@pytest.mark.parametrize("confidence", [math.nan, -0.1, 1.1])
def test_a_confidence_that_is_no_share_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence"):
        Detection(label="spur", confidence=confidence, box=BOX)
    with pytest.raises(ValueError, match="confidence"):
        line("x", confidence=confidence)


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0])
def test_a_limit_that_is_no_number_is_refused(number):
    with pytest.raises(ValueError, match="limit"):
        MeasureCheck(comparison="<=", limit=number)
    with pytest.raises(ValueError, match="limit"):
        Size(measure="longest", comparison=">", limit=number)
    if not math.isfinite(number):
        with pytest.raises(ValueError, match="span"):
            Moment(kind="today", number=number)


def test_a_line_with_a_number_beyond_all_measure_is_refused():
    with pytest.raises(LineError):
        from_line(f"date(field expiry) >= today + {'9' * 400} days")
    with pytest.raises(LineError):
        from_line(f"defects(any) <= {'9' * 400}")


@pytest.mark.parametrize(
    ("opens", "closes"),
    [("not (", ")"), ("(", ")"), ("if (", ") then defects(any) = 0")],
)
def test_a_line_nests_so_deep_and_no_deeper(opens, closes):
    """However deep the stack is already, the same lines are read, shown, checked and refused."""
    deep = from_line(opens * 11 + "defects(any) = 0" + closes * 11)
    assert in_words(deep) and from_line(to_line(deep)) == deep
    assert says(deep, gathered(), OPEN).statement.isprintable()
    for depth in (24, 500, 800):
        with pytest.raises(LineError, match="at most"):
            from_line(opens * depth + "defects(any) = 0" + closes * depth)
    with pytest.raises(LineError, match="5000 characters"):
        from_line(" and ".join(["defects(any) = 0"] * 500))


@pytest.mark.parametrize("clause", ODD)
def test_an_odd_clause_is_read_without_a_crash(clause):
    part = gathered(
        defects=[Detection(label="spur", confidence=0.9, box=BOX)], texts=[line("划痕 \x00 A231")]
    )
    asked_of(clause)
    assert premise(part, clause).isprintable()
    assert all(math.isfinite(sign) for sign in signs(part, clause))
    unseen(clause, part)


@pytest.mark.parametrize("clause", ODD[:6])
def test_a_clause_that_says_nothing_we_know_cannot_clear_a_part(clause):
    assert unseen(clause, gathered()) is not None


def test_what_is_beyond_the_end_of_a_long_clause_is_not_asked():
    clause = "x" * CLAUSE_CHARACTERS + " at most 3 spurs"
    assert asked_of(clause).counts == ()


@pytest.mark.parametrize("wanted", LINES)
def test_five_hundred_defects_are_checked_like_five(wanted):
    defects = [
        Detection(
            label=f"kind {i % 60}",
            confidence=(i % 10) / 10,
            box=Box(x0=i, y0=0, x1=i + 1, y1=1),
            width_mm=None if i % 7 == 0 else i / 100,
            height_mm=0.1,
            zone=(None, "rim", "划痕", "x" * 300)[i % 4],
        )
        for i in range(500)
    ]
    texts = [line(f"{odd[:300]} {i}") for i, odd in enumerate(ODD)]
    codes = [Code(symbology=odd[:20] or "?", text=odd[:900], box=BOX) for odd in ODD]
    part = gathered(defects=defects, texts=texts, codes=codes, lot="A231")
    found = says(from_line(wanted), part, OPEN)
    assert len(found.statement) < 1000
    assert found.statement.isprintable()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(LINES),
    st.lists(st.text(max_size=40), max_size=4),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_no_print_no_code_and_no_label_breaks_a_check(wanted, printed, label, ordered):
    part = gathered(
        defects=[Detection(label=label, confidence=0.9, box=BOX, zone=label or None)],
        texts=[
            *(line(text) for text in printed),
            *(line(text, field="lot") for text in printed[:1]),
            *(line(text, field="expiry") for text in printed[1:2]),
        ],
        codes=[Code(symbology=label, text=text, box=BOX) for text in printed],
        product=label,
        lot=ordered,
    )
    found = says(from_line(wanted), part, OPEN)
    assert found.statement.isprintable()
    assert (found.reason is None) is (found.outcome is not Outcome.UNKNOWN)


def test_a_label_of_odd_signs_is_quoted_clean():
    odd = Detection(label="spur'\x1b[31m; none found", confidence=0.9, box=BOX)
    said = says(DefectCheck(labels=("any",)), gathered(defects=[odd]), OPEN).statement
    assert said.isprintable()
    assert said.count("'") == 2


def test_a_check_that_no_part_could_break_has_no_failing_example():
    passes, fails = passing_and_failing(from_line("defects(spurs) >= 0"))
    assert passes is not None
    assert fails is None


def test_a_part_without_anything_found_is_still_described():
    nothing = gathered()
    assert "no defects" in premise(nothing, "No spur.")
