"""What must hold of every prohibition: fewer findings never hurt, and the evidence suffices.

A prohibition compares with `<`, `<=` or `= 0`, or is joined of such by and, or, if-then. What asks
for something to be there ("at least", "exactly two", "must read") is none.
"""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.made_parts import (
    CLOSED,
    OPEN,
    STRICT,
    checks,
    defect,
    parts,
    prohibiting_checks,
    requiring_checks,
)
from support.made_parts import (
    part as made_part,
)

from inspector.checks import DefectCheck, MeasureCheck
from inspector.decision import Thresholds, decide
from inspector.domain import Clause, Decision, EvidenceRef, Outcome, Standard
from inspector.evidence import without
from inspector.standard import check as checked
from inspector.standard import only, says

WORLDS = st.sampled_from([OPEN, STRICT, CLOSED])
BADNESS = {Outcome.CONFORMS: 0, Outcome.UNKNOWN: 1, Outcome.VIOLATED: 2}
drawn = settings(max_examples=60, deadline=None)


# Few defects, all of which are asked about, and limits that some of them just keep.
_few_defects = st.lists(
    st.builds(
        defect,
        st.sampled_from(["spur", "dent"]),
        st.sampled_from([0.3, 0.5]),
        zone=st.sampled_from([None, "rim"]),
    ),
    min_size=1,
    max_size=3,
)
_near_limits = st.builds(
    MeasureCheck,
    subjects=st.sampled_from([("any",), ("spurs",)]),
    comparison=st.just("<="),
    limit=st.sampled_from([1.0, 2.0]),
    each=st.sampled_from([None, "kind", "zone"]),
    measure=st.sampled_from(["defects", "kinds", "length", "area"]),
) | st.builds(
    DefectCheck,
    labels=st.sampled_from([("any",), ("spur",)]),
    at_most=st.integers(1, 2),
    inside=st.sampled_from([None, "rim"]),
)


def items(part):
    kinds = {"defect": part.defects, "text": part.texts, "code": part.codes}
    return [EvidenceRef(kind=kind, index=i) for kind, of in kinds.items() for i in range(len(of))]


@drawn
@given(prohibiting_checks, parts, WORLDS, st.randoms(use_true_random=False))
def test_taking_a_finding_away_never_makes_a_prohibition_worse(check, part, world, chance):
    if not (found := items(part)):
        return
    fewer = without(part, [chance.choice(found)])
    assert BADNESS[says(check, fewer, world).outcome] <= BADNESS[says(check, part, world).outcome]


@drawn
@given(prohibiting_checks, parts, WORLDS)
def test_nothing_found_breaks_no_prohibition(check, part, world):
    assert says(check, without(part, items(part)), world).outcome is Outcome.CONFORMS


@drawn
@given(
    st.lists(prohibiting_checks, min_size=1, max_size=3),
    parts,
    st.floats(0, 1),
    st.randoms(use_true_random=False),
)
def test_removing_a_defect_never_turns_pass_into_fail(several, part, probability, chance):
    clauses = tuple(Clause(id=f"C{i}", text="t", check=c) for i, c in enumerate(several))

    def decision(evidence):
        _, verdict = decide(
            Standard(name="s", title="S", rev="0", clauses=clauses),
            evidence,
            checks={c.id: checked(c, evidence, OPEN) for c in clauses},
            probabilities=dict.fromkeys((c.id for c in clauses), probability),
            thresholds=Thresholds(pass_at=0.2, fail_at=0.8),
            judge="any",
            minor="hold",
        )
        return verdict.decision

    if part.defects and decision(part) is Decision.PASS:
        gone = EvidenceRef(kind="defect", index=chance.randrange(len(part.defects)))
        assert decision(without(part, [gone])) is Decision.PASS


@drawn
@given(_near_limits, _few_defects, WORLDS)
def test_a_part_just_good_enough_stays_so_whichever_defect_is_taken_away(check, found, world):
    part = made_part(*found)
    if says(check, part, world).outcome is Outcome.CONFORMS:
        for gone in items(part):
            assert says(check, without(part, [gone]), world).outcome is Outcome.CONFORMS


@drawn
@given(prohibiting_checks, parts, WORLDS)
def test_the_evidence_of_a_broken_prohibition_is_a_least_set_that_breaks_it(check, part, world):
    found = says(check, part, world)
    if found.outcome is not Outcome.VIOLATED:
        return
    assert found.evidence
    assert says(check, only(part, found.evidence), world).outcome is Outcome.VIOLATED
    for ref in found.evidence:
        fewer = tuple(other for other in found.evidence if other != ref)
        assert says(check, only(part, fewer), world).outcome is Outcome.CONFORMS


@drawn
@given(requiring_checks, parts)
def test_what_is_missing_has_no_evidence_and_the_statement_names_it(check, part):
    nothing = without(part, items(part))
    found = says(check, nothing, CLOSED)
    assert (found.outcome, found.evidence) == (Outcome.VIOLATED, ())
    assert "required" in found.statement or "requires" in found.statement


@drawn
@given(checks, parts, WORLDS)
def test_evidence_names_items_that_are_there(check, part, world):
    refs = says(check, part, world).evidence
    assert set(refs) <= set(items(part))
    assert len(set(refs)) == len(refs)


@drawn
@given(checks, parts, WORLDS)
def test_an_unsure_finding_breaks_nothing_on_a_station(check, part, world):
    """What is not sure may hold a part; taking all of it away leaves a violation violated."""
    if world is CLOSED or says(check, part, world).outcome is not Outcome.VIOLATED:
        return
    unsure = [
        *(EvidenceRef(kind="defect", index=i) for i, d in enumerate(part.defects)
          if d.confidence < world.sure_at),
        *(EvidenceRef(kind="text", index=i) for i, t in enumerate(part.texts)
          if t.confidence < world.read_at),
    ]  # fmt: skip
    assert says(check, without(part, unsure), world).outcome is not Outcome.CONFORMS


@drawn
@given(checks, parts, WORLDS)
def test_every_statement_is_one_line_that_a_person_can_read(check, part, world):
    said = says(check, part, world).statement
    assert said.isprintable()
    assert said.endswith(".")
    assert not said[0].islower()
    own = re.sub(r"'[^']*'", "'…'", said)
    for ugly in ("  ", "No no", "None", "{", "}", " 1 defects", "..", " ,", "()"):
        assert ugly not in own


@drawn
@given(checks, parts, st.randoms(use_true_random=False))
def test_the_order_of_findings_does_not_matter(check, part, chance):
    shuffled = replace(
        part,
        defects=tuple(chance.sample(part.defects, len(part.defects))),
        texts=tuple(chance.sample(part.texts, len(part.texts))),
        codes=tuple(chance.sample(part.codes, len(part.codes))),
    )
    for world in (OPEN, CLOSED):
        assert says(check, shuffled, world).outcome is says(check, part, world).outcome


@pytest.mark.parametrize("world", [OPEN, STRICT, CLOSED])
def test_at_least_is_no_prohibition(world):
    wanted = MeasureCheck(comparison=">=", limit=1)
    assert says(wanted, made_part(defect()), world).outcome is Outcome.CONFORMS
    assert says(wanted, made_part(), world).outcome is Outcome.VIOLATED
