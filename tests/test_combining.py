"""How a reading and the judge become one probability."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.combining import Combination, decider

RULE = Combination(reading=2.0, sureness=0.5, judge=0.4, alone=0.6)
RATES = st.floats(0, 1)


@given(RATES, RATES)
def test_a_sure_reading_is_not_talked_round(confidence, judge):
    p = RULE.probability(says_violated=True, confidence=0.99, judge=judge)
    assert 0 <= p <= 1
    assert p > RULE.probability(says_violated=False, confidence=confidence, judge=judge)


@given(RATES, RATES, st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_a_reading_never_counts_against_what_it_says(confidence, judge, reading, sureness, weight):
    rule = Combination(reading=reading, sureness=sureness, judge=weight)
    violated, met = (
        rule.probability(says_violated=said, confidence=confidence, judge=judge)
        for said in (True, False)
    )
    assert violated >= met


def test_disagreement_is_uncertain_and_agreement_sure():
    against = RULE.probability(says_violated=True, confidence=0.6, judge=0.02)
    along = RULE.probability(says_violated=True, confidence=0.6, judge=0.98)
    assert along > 0.9 > against


def test_unfitted_the_odds_are_multiplied():
    odds = (0.8 / 0.2) * (0.6 / 0.4)
    p = Combination().probability(says_violated=True, confidence=0.8, judge=0.6)
    assert p == pytest.approx(odds / (1 + odds))


def test_without_a_reading_the_judge_decides():
    alone = Combination().probability(says_violated=None, confidence=0.5, judge=0.3)
    assert alone == pytest.approx(0.3)
    assert RULE.probability(says_violated=None, confidence=0.5, judge=0.3) > 0.3
    assert decider(says_violated=None, judge=0.3, together=0.3) == "model"
    assert decider(says_violated=True, judge=0.3, together=0.8) == "reading"
    assert decider(says_violated=True, judge=0.01, together=0.4) == "combined"
