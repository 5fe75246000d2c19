"""Days, months and weeks as they are printed, and from which day a named one counts."""

import pytest
from support.made_parts import CLOSED, code, line, part

from inspector.domain import Outcome
from inspector.reading import from_line
from inspector.standard import says

CONFORMS, VIOLATED = Outcome.CONFORMS, Outcome.VIOLATED


def outcome(check, *printed):
    return says(from_line(check), part(*printed), CLOSED).outcome


@pytest.mark.parametrize(
    ("check", "printed", "expected"),
    [
        ("date(field expiry) >= day July 2027", "EXP 2027-07-01", CONFORMS),
        ("date(field expiry) >= day July 2027", "EXP 2027-06-30", VIOLATED),
        ("date(field expiry) <= day July 2027", "EXP 2027-07-31", CONFORMS),
        ("date(field expiry) > day July 2027", "EXP 2027-07-31", VIOLATED),
        ("date(field expiry) < day July 2027", "EXP 2027-07-01", VIOLATED),
        ("date(day July 2027) <= field expiry", "EXP 2027-07-01", CONFORMS),
    ],
)
def test_a_month_counts_from_the_side_the_limit_is_on(check, printed, expected):
    assert outcome(check, line(printed, field="expiry")) is expected


@pytest.mark.parametrize(
    ("printed", "expected"), [("PACK 20/2026", CONFORMS), ("PACK 19/2026", VIOLATED)]
)
def test_a_packing_week_is_no_month(printed, expected):
    check = "date(field packed) >= day calendar week 20 of 2026"
    assert outcome(check, line(printed, field="pack week")) is expected


@pytest.mark.parametrize(("printed", "expected"), [("DC 2531", CONFORMS), ("DC 2431", VIOLATED)])
def test_a_date_code_is_a_year_and_a_week(printed, expected):
    check = "date(field date code) >= today - two years"
    assert outcome(check, line(printed, field="date code")) is expected


@pytest.mark.parametrize(("printed", "expected"), [("2641", CONFORMS), ("2667", VIOLATED)])
def test_the_form_of_a_week_code_has_a_possible_week(printed, expected):
    assert outcome("format(YYWW code; YYWW)", line(printed, field="date code")) is expected


@pytest.mark.parametrize("form", ["MMM", "JAN to DEC", "letters", "DD MMM YYYY"])
def test_a_month_in_letters_is_a_month(form):
    assert outcome(f"format(month; {form})", line("EXP 15 MAR 2028", field="expiry")) is CONFORMS
    assert outcome(f"format(month; {form})", line("EXP 15.03.2028", field="expiry")) is VIOLATED


def test_all_codes_say_the_same_where_each_equals_each():
    assert outcome("equal(code; code)", code("A"), code("A", "DataMatrix")) is CONFORMS
    assert outcome("equal(code; code)", code("A"), code("B", "DataMatrix")) is VIOLATED


@pytest.mark.parametrize("words", ["matrix", "DMC", "data-matrix", "2D code"])
def test_short_names_of_a_matrix_code_are_known(words):
    assert outcome(f"codes({words}) >= 1", code("A", "DataMatrix")) is CONFORMS
    assert outcome(f"codes({words}) >= 1", code("A", "EAN-13")) is VIOLATED
