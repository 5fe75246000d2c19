"""How a reading and the judge become one probability."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.combining import Combination, decider

RULE = Combination()
RATES = st.floats(0, 1)


@given(RATES, RATES)
def test_a_sure_reading_is_not_talked_round(confidence, judge):
    p = RULE.probability(says_violated=True, confidence=0.99, judge=judge)
    assert 0 <= p <= 1
    assert p > RULE.probability(says_violated=False, confidence=confidence, judge=judge)


def test_disagreement_is_uncertain_and_agreement_sure():
    against = RULE.probability(says_violated=True, confidence=0.6, judge=0.02)
    along = RULE.probability(says_violated=True, confidence=0.6, judge=0.98)
    assert along > 0.9 > against


def test_without_a_reading_the_judge_decides():
    assert RULE.probability(says_violated=None, confidence=0.5, judge=0.3) == pytest.approx(0.3)
    assert decider(says_violated=None, judge=0.3, together=0.3) == "model"
    assert decider(says_violated=True, judge=0.3, together=0.8) == "reading"
    assert decider(says_violated=True, judge=0.01, together=0.4) == "combined"
