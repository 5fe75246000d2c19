"""The least evidence that breaks a check: it suffices, none of it can go, and it is found soon."""

from hypothesis import given
from hypothesis import strategies as st
from support.made_parts import CLOSED, defect, part

from inspector.domain import Outcome
from inspector.reading import from_line
from inspector.standard import only, says
from inspector.standard.least import least


@given(st.lists(st.integers(0, 30), unique=True, max_size=30), st.data())
def test_what_is_left_suffices_and_nothing_of_it_can_go(found, data):
    """Even where more is not better: the sets that suffice are drawn at random."""
    enough = data.draw(st.lists(st.frozensets(st.sampled_from(found or [0])), max_size=5))
    enough.append(frozenset(found))
    kept = least(found, lambda some: frozenset(some) in enough)
    assert frozenset(kept) in enough
    assert not any(frozenset(kept) - {one} in enough for one in kept)


def test_three_of_five_hundred_are_found_with_few_questions():
    asked = []

    def suffices(some):
        asked.append(some)
        return {3, 250, 499} <= set(some)

    assert least(range(500), suffices) == (3, 250, 499)
    assert len(asked) < 100


def test_of_five_hundred_defects_the_one_that_breaks_a_condition_is_cited():
    check = from_line("if defects(dents) >= 1 then defects(any; longest > 0.5 mm) = 0")
    found = part(*[defect("dent", 0.1)] * 499, defect("dent", 0.9))
    said = says(check, found, CLOSED)
    assert said.outcome is Outcome.VIOLATED
    assert [ref.index for ref in said.evidence] == [499]
    assert says(check, only(found, said.evidence), CLOSED).outcome is Outcome.VIOLATED
