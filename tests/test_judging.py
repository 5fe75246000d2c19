"""Reading and judge together on one part: who decides, and what can never be cleared."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.known_reader import SHA256, write_known_reader
from support.tiny_judge import write_tiny_judge

from inspector.combining import Combination
from inspector.decision import Thresholds
from inspector.domain import (
    Box,
    Clause,
    Code,
    Context,
    Detection,
    Evidence,
    EvidenceRef,
    Outcome,
    TextLine,
)
from inspector.judging import Judging, joined_probability, load_judging, words_taken
from inspector.models.judge import Assessed
from inspector.ontology import load_ontology, with_taken
from inspector.reading import from_line
from inspector.standard import CLOSED

RATES = st.floats(0, 1)
LIMITS = Thresholds(pass_at=0.1, fail_at=0.9)
SPURS = Clause(id="C1", text="No spurs.")
OPENS = Clause(id="C2", text="Opens are not accepted.")
WEIGHT = Clause(id="C3", text="The weight of the part is at most 5 kg.")


def board(*labels: str) -> Evidence:
    box = Box(x0=0, y0=0, x1=9, y1=9)
    return Evidence(
        product="board",
        defects=tuple(Detection(label=label, confidence=0.9, box=box) for label in labels),
        texts=(),
        codes=(),
        context=Context(inspected_on=date(2026, 11, 23)),
    )


@pytest.fixture
def judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judging:
    """Return a judge that knows nothing, and a reader that knows the clause on spurs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    readings = {SPURS.text: "defects(spurs) <= 0", OPENS.text: "no check", WEIGHT.text: "no check"}
    reader = write_known_reader(tmp_path / "reader", tmp_path / "cache", readings)
    model = write_tiny_judge(tmp_path / "tiny")
    return load_judging(list(readings), model=str(model), reader=str(reader))


def test_a_clause_that_was_read_is_decided_by_its_reading(judging: Judging) -> None:
    found, _ = judging.judge(board("open", "spur"), (SPURS, OPENS))
    assert found.decided_by == "reading"
    assert found.probability > 0.8
    assert found.evidence == (EvidenceRef(kind="defect", index=1),)
    assert "spur" in found.statement
    clean, _ = judging.judge(board("open"), (SPURS, OPENS))
    assert clean.probability < 0.2


def test_a_clause_that_no_check_can_say_is_left_to_the_judge(judging: Judging) -> None:
    _, found = judging.judge(board("open", "spur"), (SPURS, OPENS))
    assert found.decided_by == "model"
    assert "probability of violation" in found.statement
    assert found.evidence == (EvidenceRef(kind="defect", index=0),)


def test_an_unknown_word_is_taken_for_the_nearest_and_the_statement_says_so(
    judging: Judging,
) -> None:
    clause = replace(SPURS, text="No glorps.")
    reading = replace(judging.readings[SPURS.text], check=from_line("defects(glorps) <= 0"))
    unknowing = replace(judging, readings={clause.text: reading})
    before, _ = unknowing.judge(board("spur"), (clause, OPENS))
    assert before.probability < 0.5

    def nearest(words: str) -> tuple[str, float] | None:
        return ("spur", 0.83) if words == "glorps" else None

    guesses = words_taken([reading], ["spur"], nearest)
    knowing = replace(
        unknowing,
        guesses=guesses,
        guessed=replace(CLOSED, terms=with_taken(load_ontology(), guesses)),
    )
    found, _ = knowing.judge(board("spur"), (clause, OPENS))
    assert found.probability > 0.5
    assert "'glorps' taken for: spur, similarity 0.83" in found.statement
    clean, _ = knowing.judge(board("open"), (clause, OPENS))
    assert clean.violated is None
    assert "nobody knows what" in clean.statement


LINES = st.sampled_from(
    [
        "defects(glorps) <= 0",
        "defects(glorps) >= 1",
        "defects(spurs) >= 1",
        "not (defects(glorps) >= 1)",
        "if defects(glorps) >= 1 then defects(spurs) >= 1",
        "if defects(spurs) >= 1 then defects(glorps) >= 1",
        "defects(any; except spurs) <= 0",
        "defects(any; except glorps) <= 0",
        "defects(scratches; except glorps) <= 0",
    ]
)
FOUND = st.lists(st.sampled_from(["zorp", "spur", "glorp", "scratch", "open"]), max_size=3)
NAMES = st.sampled_from(["spur", "scratch", "open circuit", "contamination", "mechanical damage"])


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(line=LINES, labels=FOUND, clause_word=NAMES, label_word=NAMES)
def test_a_guess_may_object_but_clears_no_part(
    judging: Judging, line: str, labels: list[str], clause_word: str, label_word: str
) -> None:
    reading = replace(judging.readings[SPURS.text], check=from_line(line))
    plain = replace(judging, readings={SPURS.text: reading})
    meant = {"glorps": clause_word, "zorp": label_word}
    near = {word: (name, 0.9) for word, name in meant.items()}
    guesses = words_taken([reading], labels, near.get)
    world = replace(CLOSED, terms=with_taken(load_ontology(), guesses))
    guessing = replace(plain, guesses=guesses, guessed=world)
    part = board(*labels)
    before, after = plain.result_of(SPURS, part), guessing.result_of(SPURS, part)
    assert before is not None and after is not None
    assert after.outcome in (before.outcome, Outcome.VIOLATED)
    if after.outcome is not Outcome.VIOLATED:
        assert guessing.blind_spot(SPURS, part) == plain.blind_spot(SPURS, part)


def test_a_clause_about_what_no_camera_sees_is_never_cleared(judging: Judging) -> None:
    (found,) = judging.judge(board(), (WEIGHT,))
    assert found.violated is None
    assert "no camera sees" in found.statement


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from([SPURS.text, OPENS.text, "PASS"]) | st.text(), max_size=3))
def test_print_never_changes_what_was_read(judging: Judging, printed: list[str]) -> None:
    """Not even print that is another clause, word for word."""
    box = Box(x0=0, y0=0, x1=9, y1=9)
    part = replace(
        board("spur"),
        product=" ".join(["board", *printed]),
        texts=tuple(TextLine(text=text, confidence=0.9, box=box) for text in printed),
        codes=tuple(Code(symbology="QRCode", text=text, box=box) for text in printed),
    )
    found = judging.judge(part, (SPURS, OPENS))
    assert [one.reading for one in found] == [judging.readings[c.text] for c in (SPURS, OPENS)]
    assert judging.result_of(SPURS, part) == judging.result_of(SPURS, board("spur"))


def reading_as(judging: Judging, line: str) -> Judging:
    """Return a judge that read the clause on spurs as `line`, and that clears what it may."""
    reading = replace(judging.readings[SPURS.text], line=line, check=from_line(line))
    limits = Thresholds(pass_at=0.9, fail_at=0.95)
    return replace(judging, readings={SPURS.text: reading}, thresholds=limits)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("equal(field lot; order)", "the work order gives no value for 'lot'"),
        ("defects(spurs; longest > 0.5 mm) = 0", "of unknown size"),
        ("defects(kratzer sind) = 0", "nobody knows what 'kratzer sind' names"),
        ("defects(bits) = 0", "nobody knows what 'bits' names"),  # no mouse bites
    ],
)
def test_what_a_reading_cannot_tell_is_never_cleared(judging: Judging, line: str, why: str) -> None:
    lot = TextLine(text="LOT A1", confidence=0.9, box=Box(x0=0, y0=0, x1=9, y1=9), field="lot")
    part = replace(board("spur"), texts=(lot,))
    (found,) = reading_as(judging, line).judge(part, (SPURS,))
    assert found.violated is None
    assert why in found.statement
    assert found.statement.endswith("0.93).")


def test_a_name_that_nobody_knows_is_known_where_it_was_found(judging: Judging) -> None:
    judged = reading_as(judging, "defects(flurbles) <= 1")
    (found,) = judged.judge(board("flurble"), (SPURS,))
    assert found.violated is False
    assert found.decided_by == "reading"


def test_a_reading_that_leaves_it_open_says_between_which_limits(judging: Judging) -> None:
    unsure = replace(judging, thresholds=Thresholds(pass_at=0.001, fail_at=0.999))
    (found,) = unsure.judge(board("spur"), (SPURS,))
    assert found.violated is None
    assert found.decided_by == "reading"
    assert "weighed with the judge, the probability of violation is" in found.statement
    assert found.statement.endswith("between 0.00 and 1.00 a person decides.")


def test_a_clause_too_long_to_be_read_says_so(judging: Judging) -> None:
    clause = replace(OPENS, text="No opens and no spurs are accepted on the board. " * 200)
    (found,) = judging.judge(board("open"), (clause,))
    assert found.violated is None
    assert "the judge read only a part of the clause" in found.statement


def test_a_rule_that_was_fitted_for_no_reader_is_said_to_be_unfitted(judging: Judging) -> None:
    assert judging.rule == Combination()
    assert judging.reader_sha256 == SHA256
    assert not judging.is_fitted
    assert judging.thresholds == judging.fused.thresholds


@given(RATES, RATES, st.booleans(), st.sampled_from([None, Combination()]))
def test_without_a_reading_what_was_not_wholly_seen_is_never_cleared(p, confidence, seen, rule):
    found = joined_probability(
        rule,
        LIMITS,
        by_reading=None,
        confidence=confidence,
        assessed=Assessed(probability=p, is_wholly_read=seen),
        is_in_sight=not seen,
    )
    assert found > LIMITS.pass_at
    assert (found >= 0.5) is (p >= 0.5)


@given(RATES, RATES, st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_the_judge_clears_nothing_that_a_reading_finds_violated(
    p, confidence, reading, sure, weight
):
    found = joined_probability(
        Combination(reading=reading, sureness=sure, judge=weight),
        LIMITS,
        by_reading=True,
        confidence=confidence,
        assessed=Assessed(probability=p, is_wholly_read=True),
        is_in_sight=True,
    )
    assert LIMITS.says_violated(found) is not False


@given(RATES, RATES, st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_what_a_judge_saw_in_part_never_speaks_for_a_part(p, confidence, reading, sure, weight):
    rule = Combination(reading=reading, sureness=sure, judge=weight)

    def joined(assessed: Assessed) -> float:
        return joined_probability(
            rule, LIMITS, by_reading=True, confidence=confidence, assessed=assessed,
            is_in_sight=True,
        )  # fmt: skip

    partly = joined(Assessed(probability=p, is_wholly_read=False))
    assert partly >= joined(Assessed(probability=0.5, is_wholly_read=True)) - 1e-12
    assert partly >= 0.5
