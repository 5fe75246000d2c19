"""Every row of the decision table, and what must hold whatever the model says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.decision import Thresholds, decide
from inspector.domain import (
    CheckResult,
    Clause,
    Decision,
    Outcome,
    Reason,
    Severity,
    Standard,
)

THRESHOLDS = Thresholds(pass_at=0.2, fail_at=0.8)
CONFORMS = CheckResult(outcome=Outcome.CONFORMS, statement="Fine.")
VIOLATED = CheckResult(outcome=Outcome.VIOLATED, statement="Too many.")
UNKNOWN = CheckResult(outcome=Outcome.UNKNOWN, statement="Not read.", reason=Reason.CODE_UNREADABLE)


def verdict_on(*clauses, minor="hold"):
    """Decide on (severity, check, probability) triples."""
    standard = Standard(
        name="s",
        title="S",
        rev="0",
        clauses=tuple(
            Clause(id=f"C{i}", text="text", severity=severity)
            for i, (severity, _, _) in enumerate(clauses)
        ),
    )
    return decide(
        standard,
        checks={f"C{i}": check for i, (_, check, _) in enumerate(clauses) if check is not None},
        probabilities={f"C{i}": p for i, (_, _, p) in enumerate(clauses) if p is not None},
        thresholds=THRESHOLDS,
        judge="test",
        minor=minor,
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
        (None, -0.1, Decision.HOLD, Reason.MODEL_FAILED, None),
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


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Severity.CRITICAL, Severity.MAJOR]),
            st.sampled_from([None, CONFORMS, VIOLATED, UNKNOWN]),
            st.none() | st.floats(),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_no_output_of_the_model_makes_a_violated_rule_pass(clauses):
    _, verdict = verdict_on(*clauses)
    if any(check is VIOLATED for _, check, _ in clauses):
        assert verdict.decision is Decision.FAIL
    elif any(check is UNKNOWN for _, check, _ in clauses):
        assert verdict.decision is not Decision.PASS


def test_thresholds_must_leave_room_for_doubt():
    with pytest.raises(ValueError, match="pass_at < fail_at"):
        Thresholds(pass_at=0.5, fail_at=0.5)
