"""What may be mistaken for what a clause names: another field's value, other letters, a caption."""

import pytest
from support.made_parts import CLOSED, OPEN, STRICT, line, part

from inspector.domain import Outcome
from inspector.reading import from_line
from inspector.standard import says

WORLDS = pytest.mark.parametrize("world", [CLOSED, OPEN, STRICT], ids=["case", "hold", "fail"])


def outcome(check, evidence, world):
    return says(from_line(check), evidence, world).outcome


@WORLDS
@pytest.mark.parametrize(
    ("field", "print_", "ordered"),
    [
        ("lot", "LOT B999 SER A231", "A231"),
        ("serial number", "LOT B999 SER A231", "B999"),
        ("expiry", "MFG 01.2027 EXP 03.2026", "2027-01"),
        ("lot", "EXP 2027-01 LOT B999", "2027-01"),
    ],
)
def test_a_line_with_two_fields_gives_each_its_own_value(world, field, print_, ordered):
    evidence = part(line(print_), expected={field.split()[0]: ordered})
    assert outcome(f"equal(field {field}; order)", evidence, world) is Outcome.VIOLATED
    assert outcome(f"contains(field {field}; order)", evidence, world) is Outcome.VIOLATED


@WORLDS
@pytest.mark.parametrize(
    "print_", ["LOT A231 SER 77", "SER 77 LOT A231", "Lot no. A231 EXP 2027-01"]
)
def test_the_own_value_of_a_field_is_found_among_others(world, print_):
    evidence = part(line(print_), expected={"lot": "A231"})
    assert outcome("equal(field lot; order)", evidence, world) is Outcome.CONFORMS


@WORLDS
def test_the_no_of_a_caption_denies_nothing(world):
    assert outcome('texts("TEST") = 0', part("BATCH NO TEST 1"), world) is Outcome.VIOLATED
    assert outcome('texts("STERILE") = 0', part("NOT STERILE"), world) is Outcome.CONFORMS


@WORLDS
def test_full_width_letters_are_letters(world):
    assert (
        outcome('texts("SAMPLE") = 0', part("\uff33\uff21\uff2d\uff30\uff2c\uff25"), world)
        is Outcome.VIOLATED
    )


@WORLDS
def test_a_wording_in_letters_that_look_alike_is_for_a_person(world):
    alike = part("S\u0410MPLE")
    found = says(from_line('texts("SAMPLE") = 0'), alike, world)
    assert found.outcome is Outcome.UNKNOWN
    assert "in its own letters" in found.statement
    assert outcome('texts("SAMPLE") >= 1', alike, world) is not Outcome.CONFORMS


def test_a_denied_comparison_of_dates_holds_for_each_date():
    past = part(line("EXP 2025-01", field="expiry"), line("EXP 2028-01", field="expiry"))
    denied = "not (date(field expiry) < today)"
    assert outcome(denied, past, CLOSED) is Outcome.VIOLATED
    assert outcome(denied, past, OPEN) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "denied",
    [
        "not (date(field expiry) < today)",
        "not (equal(field lot; order))",
        "not (format(expiry; YYYY))",
    ],
)
def test_what_nobody_read_keeps_no_prohibition_on_a_station(denied):
    unread = part(expected={"lot": "A231"})
    assert outcome(denied, unread, STRICT) is Outcome.UNKNOWN
    assert outcome(denied, unread, OPEN) is Outcome.UNKNOWN


@WORLDS
def test_a_form_that_is_not_allowed_may_stand_on_no_line(world):
    both = part(line("EXP 2027-01-31", field="expiry"), line("EXP 31.01.2027", field="expiry"))
    assert outcome("not (format(expiry; DD.MM.YYYY))", both, world) is Outcome.VIOLATED
    assert outcome("not (format(expiry; DD/MM/YYYY))", both, world) is Outcome.CONFORMS
