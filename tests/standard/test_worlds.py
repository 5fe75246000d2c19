"""What is not sure, not known, not read or just at the limit."""

from datetime import date

import pytest
from support.made_parts import CLOSED, OPEN, STRICT, code, day, defect, line, part

from inspector.checks import CodeCheck, DateCheck, DefectCheck, TextCheck
from inspector.domain import Outcome, Reason
from inspector.reading import from_line
from inspector.standard import World, says

CONFORMS, VIOLATED, UNKNOWN = Outcome.CONFORMS, Outcome.VIOLATED, Outcome.UNKNOWN


def outcome(check, found, world=OPEN):
    wanted = from_line(check) if isinstance(check, str) else check
    return says(wanted, found, world).outcome


# --- at the limit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("defects(scratch; longest > 1 mm) = 0", defect(long=1.0)),
        ("defects(scratch; longest > 0.1 inch) = 0", defect(long=2.54)),
        ("defects(scratch; longest > 3 mil) = 0", defect(long=0.0762)),
        ("defects(scratch; longest > 500 µm) = 0", defect(long=0.5)),
        ("defects(scratch; area > 0.09 mm²) = 0", defect(long=0.3)),
        ("defects(scratch; confidence > 90 %) = 0", defect(confidence=0.9)),
        (DefectCheck(labels=("scratch",), larger_than_mm=0.3), defect(long=0.1 + 0.2)),
    ],
)
def test_exactly_the_limit_is_not_over_it(check, found):
    assert outcome(check, part(found)) is CONFORMS


@pytest.mark.parametrize(
    "check", ["length(scratch) <= 0.3 mm", DefectCheck(labels=("any",), total_at_most_mm=0.3)]
)
def test_a_sum_of_floats_is_not_over_the_limit_that_it_equals(check):
    assert outcome(check, part(defect(long=0.1), defect(long=0.2))) is CONFORMS
    assert outcome(check, part(defect(long=0.1), defect(long=0.201))) is VIOLATED


@pytest.mark.parametrize(("days", "expected"), [(30, CONFORMS), (29, VIOLATED)])
def test_the_last_day_counts(days, expected):
    found = part(line(day(days), field="expiry"))
    assert outcome(DateCheck(field="expiry", min_days_left=30), found) is expected
    assert outcome("date(field expiry) >= today + 30 days", found) is expected


# --- sizes and places that nobody knows -------------------------------------------------------


def test_a_size_that_was_not_measured_is_unknown():
    unscaled = part(defect(long=None))
    for check in (
        "defects(scratch; longest > 1 mm) = 0",
        "defects(scratch; area > 1 mm²) <= 0",
        "length(scratch) <= 1 mm",
        DefectCheck(labels=("scratch",), larger_than_mm=1),
        DefectCheck(labels=("scratch",), total_at_most_mm=1),
    ):
        for world in (OPEN, STRICT, CLOSED):
            assert outcome(check, unscaled, world) is UNKNOWN


def test_what_is_known_of_a_sum_may_be_enough_to_break_it():
    found = part(defect(long=None), defect(long=2.0))
    for check in ("length(scratch) <= 1 mm", DefectCheck(labels=("any",), total_at_most_mm=1)):
        assert outcome(check, found) is VIOLATED


def test_a_count_needs_no_sizes():
    assert outcome("defects(scratch) <= 1", part(defect(long=None))) is CONFORMS


@pytest.mark.parametrize(
    "check", ["defects(any; in left flank) = 0", "defects(any; not in hem) = 0"]
)
def test_a_place_that_is_no_zone_of_the_recipe_is_unknown(check):
    for zone in (None, "rim"):
        assert outcome(check, part(defect(zone=zone))) is UNKNOWN
    assert outcome(check, part()) is CONFORMS


def test_a_defect_outside_all_zones_lies_in_none():
    assert outcome("defects(any; in rim) = 0", part(defect(zone=None))) is CONFORMS
    assert outcome("defects(any; not in rim) = 0", part(defect(zone=None))) is VIOLATED


def test_a_place_named_as_the_part_is_the_part_whatever_else_was_found():
    check = "defects(scratch; in lens) = 0"
    bare = World(sure_at=0.5, missing="hold", zones=("rim",))
    for found in ([defect(zone="rim")], [defect(zone="rim"), defect("dent", zone=None)]):
        assert outcome(check, part(*found, product="Lens, coated"), bare) is VIOLATED


def test_a_label_nobody_can_place_holds_on_a_station_only():
    found = part(defect("zzyzx"))
    assert outcome("defects(scratches) = 0", found) is UNKNOWN
    assert outcome("defects(scratches) = 0", found, STRICT) is UNKNOWN
    assert outcome("defects(scratches) = 0", found, CLOSED) is CONFORMS


# --- what is not sure -------------------------------------------------------------------------


@pytest.mark.parametrize("check", ["defects(scratch) = 0", DefectCheck(labels=("scratch",))])
@pytest.mark.parametrize(("confidence", "expected"), [(0.49, UNKNOWN), (0.5, VIOLATED)])
def test_an_unsure_detection_holds_and_a_sure_one_fails(check, confidence, expected):
    for world in (OPEN, STRICT):
        assert outcome(check, part(defect(confidence=confidence)), world) is expected


def test_unsure_detections_beyond_sure_ones_hold():
    found = part(defect(), defect(confidence=0.2))
    assert outcome("defects(scratch) <= 1", found) is UNKNOWN
    assert outcome("defects(scratch) <= 2", found) is CONFORMS
    assert outcome("defects(scratch) >= 2", found) is UNKNOWN


def test_print_read_poorly_neither_satisfies_nor_breaks():
    poor = part(line("VOID", confidence=0.3))
    assert outcome('texts("VOID") >= 1', poor) is UNKNOWN
    assert outcome('texts("VOID") = 0', poor) is UNKNOWN
    assert outcome('texts("VOID") = 0', poor, STRICT) is UNKNOWN


def test_with_missing_fail_print_read_poorly_is_missing():
    poor = part(line("LOT A231", confidence=0.3), expected={"lot": "A231"})
    for check in ('texts("A231") >= 1', "texts(field lot) >= 1", "equal(field lot; order)"):
        assert outcome(check, poor, OPEN) is UNKNOWN
        assert outcome(check, poor, STRICT) is VIOLATED
        assert outcome(check, poor, CLOSED) is CONFORMS


def test_a_wording_over_several_lines_is_as_sure_as_its_weakest_line():
    sure, poor = line("KEEP OUT"), line("OF REACH", confidence=0.2)
    assert outcome('texts("keep out of reach") >= 1', part(sure, poor)) is UNKNOWN
    assert outcome('texts("keep out of reach") = 0', part(sure, poor)) is UNKNOWN
    forbidden = says(
        from_line('texts("keep out of reach") = 0'), part(line("X"), line("OF REACH"), sure), OPEN
    )
    assert forbidden.outcome is VIOLATED
    assert [ref.index for ref in forbidden.evidence] == [2, 1]


# --- what was not read ------------------------------------------------------------------------

REQUIRED = [
    ("texts(field lot) >= 1", Reason.TEXT_UNREADABLE),
    ('texts("KEEP DRY") >= 1', Reason.TEXT_UNREADABLE),
    ("texts(any) = 1", Reason.TEXT_UNREADABLE),
    ("codes(QR code) >= 1", Reason.CODE_UNREADABLE),
    ("codes(any) = 1", Reason.CODE_UNREADABLE),
    ("date(field expiry) >= today", Reason.TEXT_UNREADABLE),
    ("format(expiry; YYYY-MM-DD)", Reason.TEXT_UNREADABLE),
    ("equal(field lot; order)", Reason.TEXT_UNREADABLE),
    ("equal(element 01; order lot)", Reason.CODE_UNREADABLE),
    (TextCheck(field="lot"), Reason.TEXT_UNREADABLE),
    (CodeCheck(symbologies=("QRCode",)), Reason.CODE_UNREADABLE),
    (DateCheck(field="expiry"), Reason.TEXT_UNREADABLE),
]


@pytest.mark.parametrize(("check", "reason"), REQUIRED)
def test_what_is_required_and_was_not_read_holds_unless_the_recipe_says_fail(check, reason):
    wanted = from_line(check) if isinstance(check, str) else check
    found = says(wanted, part(expected={"lot": "A"}), OPEN)
    assert (found.outcome, found.reason) == (UNKNOWN, reason)
    for world in (STRICT, CLOSED):
        assert outcome(wanted, part(expected={"lot": "A"}), world) is VIOLATED


def test_a_blank_line_is_no_print():
    blank = part(line("  ", field="lot"), line("", field="mark"), code(" "))
    for check in (TextCheck(field="lot"), "texts(field lot) >= 1", CodeCheck()):
        assert outcome(check, blank) is UNKNOWN
    assert outcome(TextCheck(field="mark", forbidden=True), blank) is CONFORMS


def test_exactly_one_is_one_that_was_read():
    assert outcome("codes(any) = 1", part(code("A"))) is CONFORMS
    assert outcome("codes(any) = 1", part(code("A"), code("B"))) is VIOLATED


@pytest.mark.parametrize(
    "check",
    [
        'not (texts("VOID") >= 1)',
        'not (texts("VOID") >= 1 or codes(any) >= 1)',
        'if texts("SAMPLE") >= 1 then codes(any) = 0',
        'if texts("SAMPLE") >= 1 then texts(field lot) >= 1',
        'if not (texts("VOID") = 0) then defects(any) = 0',
    ],
)
def test_what_is_forbidden_or_only_a_condition_need_not_be_read(check):
    assert outcome(check, part()) is CONFORMS


def test_a_condition_that_may_be_so_holds():
    check = 'if texts("SAMPLE") >= 1 then defects(any) = 0'
    found = part(line("SAMPLE", confidence=0.3), defect())
    assert outcome(check, found) is UNKNOWN
    assert outcome(check, part(line("SAMPLE", confidence=0.3))) is CONFORMS


# --- what was read twice ----------------------------------------------------------------------


@pytest.mark.parametrize("check", [TextCheck(field="lot", equals="lot"), "equal(field lot; order)"])
def test_a_field_that_reads_right_and_wrong_is_for_a_person(check):
    found = part(line("A231", field="lot"), line("A999", field="lot"), expected={"lot": "A231"})
    assert outcome(check, found) is UNKNOWN
    assert outcome(check, found, CLOSED) is CONFORMS


def test_two_dates_that_no_field_claims_are_for_a_person_where_they_disagree():
    found = part("2027-05-01", "2026-01-01")
    assert outcome("date(field expiry) >= today", found) is UNKNOWN
    assert outcome("date(field expiry) >= today", part("2027-05-01", "2027-06-01")) is CONFORMS


# --- odd content ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd", ["²³⁴⁵⁶⁷⁸⁹", "٣٣٣٣٣٣٣٣", "\x1d\x1d01", "(01)²", "99999999999999999999"]
)
def test_odd_digits_are_no_check_digit(odd):
    assert outcome("codes(any; valid) >= 1", part(code(odd)), CLOSED) is VIOLATED


@pytest.mark.parametrize(
    "shift", ["+ 3999999 days", "- 3999999 days", "+ 120000.5 months", "- 9999 years"]
)
def test_spans_beyond_the_calendar_end_with_it(shift):
    found = part(line("EXP 9999-12-31"))
    assert outcome(f"date(field expiry {shift}) >= today", found) in (CONFORMS, VIOLATED)


def test_the_day_of_inspection_is_the_given_one():
    assert part().context.inspected_on == date(2026, 11, 23)


# --- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "words", "expected"),
    [
        ("bent pin", "bent", VIOLATED),
        ("crooked_label", "crooked", VIOLATED),
        ("cracked", "cracked lids", VIOLATED),
        ("missing_cap", "missing screws", CONFORMS),
        ("open", "short", CONFORMS),
    ],
)
def test_a_state_is_meant_whatever_thing_the_label_says_it_of(label, words, expected):
    assert outcome(f"defects({words}) = 0", part(defect(label)), CLOSED) is expected


@pytest.mark.parametrize("printed", ["WEEK 20/2026", "calendar week 20 of 2026", "WK 20, 2026"])
def test_a_week_is_read_as_people_write_it(printed):
    check = "date(field date code) >= today - 1 year"
    assert outcome(check, part(line(printed, field="date_code"))) is CONFORMS
