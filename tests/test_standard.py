"""What the typed checks say of evidence."""

from datetime import date

import pytest

from inspector.domain import (
    Box,
    Clause,
    Code,
    CodeCheck,
    Context,
    DateCheck,
    DefectCheck,
    Detection,
    Evidence,
    Outcome,
    Reason,
    TextCheck,
    TextLine,
)
from inspector.standard import World, check

BOX = Box(x0=0, y0=0, x1=10, y1=10)
OPEN = World(sure_at=0.5, missing="hold")


def defect(label="spur", *, mm=0.5, confidence=0.9, zone=None):
    return Detection(
        label=label, confidence=confidence, box=BOX, width_mm=mm, height_mm=mm / 2, zone=zone
    )


def evidence(defects=(), texts=(), codes=(), expected=None):
    return Evidence(
        product="p",
        defects=tuple(defects),
        texts=tuple(texts),
        codes=tuple(codes),
        context=Context(inspected_on=date(2026, 11, 23), expected=expected or {}),
    )


def outcome(wanted, found, *, missing="hold"):
    world = World(sure_at=0.5, missing=missing)
    return check(Clause(id="C", text="t", check=wanted), found, world)


def test_a_clause_without_a_check_says_nothing():
    assert check(Clause(id="C", text="t"), evidence(), OPEN) is None


def test_a_check_nobody_approved_does_not_bind():
    clause = Clause(id="C", text="t", check=DefectCheck(labels=("any",)), binding=False)
    assert check(clause, evidence([defect()]), OPEN) is None


@pytest.mark.parametrize(("count", "expected"), [(2, Outcome.CONFORMS), (3, Outcome.VIOLATED)])
def test_at_most_two_allows_two(count, expected):
    found = evidence([defect()] * count)
    assert outcome(DefectCheck(labels=("spur",), at_most=2), found).outcome is expected


@pytest.mark.parametrize(("mm", "expected"), [(1.0, Outcome.CONFORMS), (1.01, Outcome.VIOLATED)])
def test_a_size_limit_counts_only_what_exceeds_it(mm, expected):
    wanted = DefectCheck(labels=("spur",), larger_than_mm=1.0)
    assert outcome(wanted, evidence([defect(mm=mm)])).outcome is expected


def test_a_zone_is_looked_at_from_both_sides():
    found = evidence([defect(zone="rim")])
    assert outcome(DefectCheck(labels=("spur",), inside="rim"), found).outcome is Outcome.VIOLATED
    assert outcome(DefectCheck(labels=("spur",), outside="rim"), found).outcome is Outcome.CONFORMS


def test_lengths_are_added_where_the_clause_limits_the_sum():
    wanted = DefectCheck(labels=("any",), total_at_most_mm=1.2)
    assert outcome(wanted, evidence([defect(mm=0.6)] * 2)).outcome is Outcome.CONFORMS
    assert outcome(wanted, evidence([defect(mm=0.7)] * 2)).outcome is Outcome.VIOLATED


def test_an_unsure_detection_can_hold_but_not_fail():
    result = outcome(DefectCheck(labels=("spur",)), evidence([defect(confidence=0.3)]))
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, Reason.UNCERTAIN)


def test_a_size_that_is_not_known_is_unknown():
    unscaled = Detection(label="spur", confidence=0.9, box=BOX)
    wanted = DefectCheck(labels=("spur",), larger_than_mm=1.0)
    assert outcome(wanted, evidence([unscaled])).outcome is Outcome.UNKNOWN
    total = DefectCheck(labels=("spur",), total_at_most_mm=1.0)
    assert outcome(total, evidence([unscaled])).outcome is Outcome.UNKNOWN


def test_a_violation_cites_the_fewest_defects_that_suffice():
    found = evidence([defect(confidence=0.6), defect(confidence=0.9), defect(confidence=0.8)])
    result = outcome(DefectCheck(labels=("spur",), at_most=1), found)
    assert [ref.index for ref in result.evidence] == [1, 2]
    assert result.statement == "3 'spur' found, largest 0.5 mm; at most 1 is allowed."


def line(text, *, field="lot", confidence=0.9):
    return TextLine(text=text, confidence=confidence, box=BOX, field=field)


def test_text_is_compared_with_the_work_order():
    wanted = TextCheck(field="lot", equals="lot")
    ordered = {"lot": "A 231"}
    good = outcome(wanted, evidence(texts=[line("a231")], expected=ordered))
    bad = outcome(wanted, evidence(texts=[line("A232")], expected=ordered))
    assert good.outcome is Outcome.CONFORMS
    assert bad.outcome is Outcome.VIOLATED
    assert "ordered is 'A 231'" in bad.statement


def test_text_that_was_not_read_holds_unless_the_recipe_says_fail():
    wanted = TextCheck(field="lot", min_confidence=0.5)
    for found in (evidence(), evidence(texts=[line("A231", confidence=0.4)])):
        result = outcome(wanted, found)
        assert (result.outcome, result.reason) == (Outcome.UNKNOWN, Reason.TEXT_UNREADABLE)
        assert outcome(wanted, found, missing="fail").outcome is Outcome.VIOLATED


def test_no_expected_value_is_no_pass():
    result = outcome(TextCheck(field="lot", equals="lot"), evidence(texts=[line("A231")]))
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, Reason.EXPECTED_MISSING)


def test_forbidden_text_violates():
    wanted = TextCheck(field="lot", forbidden=True)
    assert outcome(wanted, evidence(texts=[line("x")])).outcome is Outcome.VIOLATED
    assert outcome(wanted, evidence()).outcome is Outcome.CONFORMS


def test_printed_text_is_quoted_without_control_characters():
    result = outcome(TextCheck(field="lot"), evidence(texts=[line("A\x1b[31m\n" + "x" * 99)]))
    assert "\x1b" not in result.statement
    assert "\n" not in result.statement
    assert len(result.statement) < 100


def code(text, symbology="EAN-13"):
    return Code(symbology=symbology, text=text, box=BOX)


def test_upc_a_equals_ean_13_with_a_leading_zero():
    wanted = CodeCheck(equals="gtin")
    found = evidence(codes=[code("0012345678905")], expected={"gtin": "012345678905"})
    assert outcome(wanted, found).outcome is Outcome.CONFORMS


def test_leading_zeros_count_in_other_codes():
    wanted = CodeCheck(equals="id")
    found = evidence(codes=[code("007", "Code 128")], expected={"id": "7"})
    assert outcome(wanted, found).outcome is Outcome.VIOLATED


def test_one_of_several_codes_may_be_the_ordered_one():
    found = evidence(codes=[code("1"), code("4006381333931")], expected={"gtin": "4006381333931"})
    result = outcome(CodeCheck(equals="gtin"), found)
    assert result.outcome is Outcome.CONFORMS
    assert [ref.index for ref in result.evidence] == [1]


def test_a_code_of_another_kind_is_not_the_code_asked_for():
    wanted = CodeCheck(symbologies=("EAN-13",))
    result = outcome(wanted, evidence(codes=[code("1", "ITF")]))
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, Reason.CODE_UNREADABLE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EXP 2026-12-24", Outcome.CONFORMS),
        ("EXP 2026-12", Outcome.CONFORMS),
        ("EXP 24.11.2026", Outcome.VIOLATED),
        ("EXP 2026-13-45", Outcome.UNKNOWN),
        ("no date", Outcome.UNKNOWN),
    ],
)
def test_remaining_life_is_counted_in_days(text, expected):
    wanted = DateCheck(field="expiry", min_days_left=30)
    assert outcome(wanted, evidence(texts=[line(text, field="expiry")])).outcome is expected


def test_a_statement_quotes_the_date_as_it_is_printed():
    texts = [line("EXP 24.11.2026", field="expiry"), line("EXP 2027-03", field="expiry")]
    wanted = DateCheck(field="expiry", min_days_left=30)
    assert outcome(wanted, evidence(texts=texts[:1])).statement == (
        "'expiry' printed as 'EXP 24.11.2026' is 2026-11-24, 1 day after the inspection; at least "
        "30 days after it are required."
    )
    both = outcome(wanted, evidence(texts=texts)).statement
    assert "'EXP 24.11.2026', 2026-11-24, and as 'EXP 2027-03', 2027-03-31" in both


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_value_of_the_work_order_is_a_missing_one(blank):
    code = Code(symbology="QRCode", text=" ", box=BOX)
    line = TextLine(text="A231", confidence=0.9, box=BOX, field="lot")
    found = evidence(texts=[line], codes=[code], expected={"gtin": blank, "lot": blank})
    for wanted in (CodeCheck(equals="gtin"), TextCheck(field="lot", equals="lot")):
        said = outcome(wanted, found)
        assert (said.outcome, said.reason) == (Outcome.UNKNOWN, Reason.EXPECTED_MISSING)


def test_a_forbidden_text_that_was_read_poorly_is_unknown():
    line = TextLine(text="VOID", confidence=0.3, box=BOX, field="mark")
    said = outcome(TextCheck(field="mark", forbidden=True), evidence(texts=[line]))
    assert (said.outcome, said.reason) == (Outcome.UNKNOWN, Reason.TEXT_UNREADABLE)


def test_two_dates_of_which_one_has_passed_are_unknown():
    lines = [
        TextLine(text=text, confidence=0.9, box=BOX, field="best_before")
        for text in ("2027-01-01", "2026-11-01")
    ]
    said = outcome(DateCheck(field="best_before"), evidence(texts=lines))
    assert (said.outcome, said.reason) == (Outcome.UNKNOWN, Reason.UNCERTAIN)


def test_symbologies_may_be_spelt_as_people_do():
    wanted = CodeCheck(symbologies=("ean13",))
    assert outcome(wanted, evidence(codes=[code("4006381333931")])).outcome is Outcome.CONFORMS
