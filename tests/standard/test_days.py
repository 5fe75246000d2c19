"""Days, months and weeks as they are printed, and from which day a named one counts."""

import pytest
from support.made_parts import CLOSED, OPEN, code, line, part

from inspector.checks import DateCheck
from inspector.domain import Outcome
from inspector.reading import from_line
from inspector.standard import says

CONFORMS, VIOLATED, UNKNOWN = Outcome.CONFORMS, Outcome.VIOLATED, Outcome.UNKNOWN


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


@pytest.mark.parametrize(
    ("printed", "made", "expiry"),
    [
        ("MFG 01.2027 EXP 03.2026", "2027-01", "2026-03"),
        ("EXP 03.2026 MFG 01.2027", "2027-01", "2026-03"),
        ("01.2027 MFG / 03.2026 EXP", "2027-01", "2026-03"),
        ("EXP 03.2026, made 01.2027, use by 03.2026", "2027-01", "2026-03"),
    ],
)
@pytest.mark.parametrize("field", [None, "expiry"])
def test_a_date_counts_for_the_caption_it_stands_with(printed, made, expiry, field):
    found = part(line(printed, field=field))
    for world in (CLOSED, OPEN):
        for check in (f"date(field expiry) = day {expiry}", "date(field expiry) < today"):
            assert says(from_line(check), found, world).outcome is CONFORMS
    if field is None:
        check = from_line(f"date(field production date) >= day {made}")
        assert says(check, found, CLOSED).outcome is CONFORMS
    keyed = says(DateCheck(field="expiry"), part(line(printed, field="expiry")), OPEN)
    assert keyed.outcome is VIOLATED


def test_a_caption_without_a_date_borrows_none_of_another():
    found = part(line("MFG 01.2027 EXP", field="expiry"))
    assert says(from_line("date(field expiry) >= today"), found, CLOSED).outcome is VIOLATED
    assert says(DateCheck(field="expiry"), found, OPEN).outcome is UNKNOWN


def test_of_two_dates_without_a_caption_nobody_knows_which_is_meant_on_a_station():
    found = part(line("01.2026 12.2027", field="expiry"))
    check = from_line("date(field expiry) >= today")
    assert says(check, found, OPEN).outcome is UNKNOWN
    assert says(check, found, CLOSED).outcome is VIOLATED
    assert says(DateCheck(field="expiry"), found, OPEN).outcome is UNKNOWN


@pytest.mark.parametrize("printed", ["EXP 31.02.2027", "EXP 2027-02-30", "EXP 20270231"])
def test_a_day_that_no_month_has_is_no_date(printed):
    found = part(line(printed, field="expiry"))
    assert says(from_line("date(field expiry) >= today"), found, CLOSED).outcome is VIOLATED
    assert says(DateCheck(field="expiry"), found, OPEN).outcome is UNKNOWN


def test_a_number_beside_a_month_is_no_day_of_it():
    made = line("30 pcs MFG 2026-11", field="production date")
    assert outcome("date(field production date) <= day 2026-11-01", made) is CONFORMS


def test_the_form_asked_for_is_that_of_the_own_date():
    printed = line("MFG 2026-01-01 EXP 31.01.2027", field="expiry")
    assert outcome("format(expiry; YYYY-MM-DD)", printed) is VIOLATED
    assert outcome("format(expiry; DD.MM.YYYY)", printed) is CONFORMS
