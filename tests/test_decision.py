"""Every row of the decision table, and what must hold whatever the model says."""

import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.decision import Thresholds, decide
from inspector.domain import (
    CheckResult,
    Clause,
    Context,
    Decision,
    Evidence,
    EvidenceRef,
    Outcome,
    Reason,
    Severity,
    Standard,
)
from inspector.statements import Influence

NOTHING = Evidence(
    product="part",
    defects=(),
    texts=(),
    codes=(),
    context=Context(inspected_on=date(2026, 11, 23)),
)
THRESHOLDS = Thresholds(pass_at=0.2, fail_at=0.8)
CONFORMS = CheckResult(outcome=Outcome.CONFORMS, statement="Fine.")
VIOLATED = CheckResult(outcome=Outcome.VIOLATED, statement="Too many.")
UNKNOWN = CheckResult(outcome=Outcome.UNKNOWN, statement="Not read.", reason=Reason.CODE_UNREADABLE)


def verdict_on(*clauses, minor="hold", text="No dents.", influences=None, unsure=()):
    """Decide on (severity, check, probability) triples."""
    standard = Standard(
        name="s",
        title="S",
        rev="0",
        clauses=tuple(
            Clause(id=f"C{i}", text=text, severity=severity)
            for i, (severity, _, _) in enumerate(clauses)
        ),
    )
    return decide(
        standard,
        NOTHING,
        checks={f"C{i}": check for i, (_, check, _) in enumerate(clauses) if check is not None},
        probabilities={f"C{i}": p for i, (_, _, p) in enumerate(clauses) if p is not None},
        thresholds=THRESHOLDS,
        judge="test",
        minor=minor,
        influences=influences,
        unsure=unsure,
    )


@pytest.mark.parametrize(
    ("check", "probability", "decision", "reason", "violated"),
    [
        (VIOLATED, 0.0, Decision.FAIL, Reason.RULE_VIOLATED, True),
        (VIOLATED, 1.0, Decision.FAIL, Reason.RULE_VIOLATED, True),
        (VIOLATED, None, Decision.FAIL, Reason.RULE_VIOLATED, True),
        (UNKNOWN, 0.0, Decision.HOLD, Reason.CODE_UNREADABLE, None),
        (UNKNOWN, 1.0, Decision.HOLD, Reason.CODE_UNREADABLE, None),
        (CONFORMS, 0.8, Decision.HOLD, Reason.JUDGED_BAD, None),
        (CONFORMS, 0.79, Decision.PASS, Reason.CLEAN, False),
        (CONFORMS, None, Decision.HOLD, Reason.MODEL_FAILED, None),
        (None, 0.8, Decision.FAIL, Reason.JUDGED_BAD, True),
        (None, 0.5, Decision.HOLD, Reason.UNCERTAIN, None),
        (None, 0.2, Decision.PASS, Reason.CLEAN, False),
        (None, None, Decision.HOLD, Reason.MODEL_FAILED, None),
        (None, math.nan, Decision.HOLD, Reason.MODEL_FAILED, None),
        (None, math.inf, Decision.HOLD, Reason.MODEL_FAILED, None),
        (None, -0.1, Decision.HOLD, Reason.MODEL_FAILED, None),
        (None, 1.1, Decision.HOLD, Reason.MODEL_FAILED, None),
        (CONFORMS, math.nan, Decision.HOLD, Reason.MODEL_FAILED, None),
        (VIOLATED, math.nan, Decision.FAIL, Reason.RULE_VIOLATED, True),
        (UNKNOWN, math.nan, Decision.HOLD, Reason.CODE_UNREADABLE, None),
        (UNKNOWN, None, Decision.HOLD, Reason.CODE_UNREADABLE, None),
        (None, 0.79, Decision.HOLD, Reason.UNCERTAIN, None),
        (None, 0.21, Decision.HOLD, Reason.UNCERTAIN, None),
        (None, 1.0, Decision.FAIL, Reason.JUDGED_BAD, True),
        (None, 0.0, Decision.PASS, Reason.CLEAN, False),
    ],
)
def test_each_row_of_the_table(check, probability, decision, reason, violated):
    judgement, verdict = verdict_on((Severity.MAJOR, check, probability))
    assert (verdict.decision, verdict.reason) == (decision, reason)
    assert judgement.clauses[0].violated is violated


def test_fail_goes_over_hold_and_hold_over_pass():
    _, verdict = verdict_on(
        (Severity.MAJOR, CONFORMS, 0.0),
        (Severity.MAJOR, UNKNOWN, 0.0),
        (Severity.MAJOR, VIOLATED, 0.0),
    )
    assert verdict.decision is Decision.FAIL
    assert verdict.clause_ids == ("C2",)
    _, verdict = verdict_on((Severity.MAJOR, CONFORMS, 0.0), (Severity.MAJOR, UNKNOWN, 0.0))
    assert verdict.decision is Decision.HOLD


@pytest.mark.parametrize(
    ("minor", "decision"),
    [("fail", Decision.FAIL), ("hold", Decision.HOLD), ("note", Decision.PASS)],
)
def test_a_violated_minor_clause_does_what_the_recipe_says(minor, decision):
    _, verdict = verdict_on((Severity.MINOR, VIOLATED, 0.0), minor=minor)
    assert verdict.decision is decision
    assert verdict.clause_ids == ("C0",)


@pytest.mark.parametrize("minor", ["fail", "hold", "note"])
def test_an_unknown_minor_clause_never_passes(minor):
    _, verdict = verdict_on((Severity.MINOR, UNKNOWN, 0.0), minor=minor)
    assert verdict.decision is Decision.HOLD


@pytest.mark.parametrize(
    ("check", "probability", "decision"),
    [
        (None, 0.9, Decision.HOLD),
        (None, 0.5, Decision.HOLD),
        (None, 0.1, Decision.PASS),
        (VIOLATED, 0.9, Decision.FAIL),
        (CONFORMS, 0.9, Decision.HOLD),
    ],
)
def test_a_violation_that_rests_on_what_is_not_sure_fails_no_part(check, probability, decision):
    _, verdict = verdict_on((Severity.MAJOR, check, probability), unsure={"C0"})
    assert verdict.decision is decision


ANY_CLAUSES = st.lists(
    st.tuples(
        st.sampled_from([Severity.CRITICAL, Severity.MAJOR]),
        st.sampled_from([None, CONFORMS, VIOLATED, UNKNOWN]),
        st.none() | st.floats(),
    ),
    min_size=1,
    max_size=8,
)


@given(ANY_CLAUSES)
def test_no_output_of_the_model_makes_a_violated_rule_pass(clauses):
    _, verdict = verdict_on(*clauses)
    if any(check is VIOLATED for _, check, _ in clauses):
        assert verdict.decision is Decision.FAIL
    elif any(check is UNKNOWN for _, check, _ in clauses):
        assert verdict.decision is not Decision.PASS


@given(ANY_CLAUSES)
def test_pass_needs_a_low_probability_for_every_clause(clauses):
    _, verdict = verdict_on(*clauses)
    if verdict.decision is Decision.PASS:
        assert all(0 <= p < THRESHOLDS.fail_at for _, _, p in clauses)
        assert all(check is CONFORMS or p <= THRESHOLDS.pass_at for _, check, p in clauses)


@given(ANY_CLAUSES)
def test_influences_explain_and_change_no_decision(clauses):
    item = EvidenceRef(kind="defect", index=0)
    found = [Influence(items=(item,), words="the dent", without=0.01)]
    plain, explained = (
        verdict_on(*clauses, influences=influences)
        for influences in (None, {f"C{i}": found for i in range(len(clauses))})
    )
    assert explained[1].decision is plain[1].decision
    assert explained[1].reason is plain[1].reason
    assert [c.violated for c in explained[0].clauses] == [c.violated for c in plain[0].clauses]


def test_contradictory_clauses_are_both_judged_and_the_worse_wins():
    standard = [(Severity.MAJOR, VIOLATED, 0.0), (Severity.MAJOR, CONFORMS, 0.0)]
    for clauses in (standard, standard[::-1]):
        judgement, verdict = verdict_on(*clauses)
        assert verdict.decision is Decision.FAIL
        assert len(judgement.clauses) == 2


@pytest.mark.parametrize(
    "text",
    ["The part weighs at most 5 g.", "It smells of nothing.", "未检出任何异物", "Qwx zrt plm."],
)
def test_a_clause_that_no_camera_can_decide_is_left_to_a_person(text):
    judgement, verdict = verdict_on((Severity.MAJOR, None, 0.0), text=text)
    assert (verdict.decision, verdict.reason) == (Decision.HOLD, Reason.UNCERTAIN)
    assert "Nothing that was found can show" in judgement.clauses[0].statement
    assert verdict_on((Severity.MAJOR, None, 0.9), text=text)[1].decision is Decision.FAIL
    assert verdict_on((Severity.MAJOR, CONFORMS, 0.0), text=text)[1].decision is Decision.PASS


def test_statements_name_evidence_probability_and_limit():
    said = {p: verdict_on((Severity.MAJOR, None, p))[0].clauses[0].statement for p in (0, 0.5, 0.9)}
    assert said[0] == (
        "With nothing found, the judge gives a probability of violation of 0.00; 0.20 or less "
        "counts as met."
    )
    assert said[0.5].endswith("0.50; between 0.20 and 0.80 a person decides.")
    assert said[0.9].endswith("0.90; 0.80 or more counts as violated.")
    judgement, _ = verdict_on((Severity.MAJOR, CONFORMS, 0.9))
    assert judgement.clauses[0].decided_by == "combined"
    assert judgement.clauses[0].statement == (
        "Fine; the judge objects with a probability of violation of 0.90."
    )


def test_thresholds_must_leave_room_for_doubt():
    with pytest.raises(ValueError, match="pass_at < fail_at"):
        Thresholds(pass_at=0.5, fail_at=0.5)
