"""A reader's figures: right is what means the same, and the surer half is told apart."""

from itertools import islice

import pytest

from inspector.models.clause_reader import reading_of
from inspector.training.corpus_clauses import ReadClause, read_clauses
from inspector.training.evaluate_reader import figures_of, note_in_card


def asked(*lines):
    return [ReadClause(clause="…", line=line, family="plain") for line in lines]


def test_what_means_the_same_is_right_and_what_was_not_read_is_wrong():
    clauses = asked("defects(a) < 3", "defects(a) = 0", "no check", "no check")
    lines = ["defects(a) <= two", "", "no check", "defects(a) = 0"]
    readings = [
        reading_of("…", line, likelihood=0.9 if i % 2 == 0 else 0.1, agreement=1.0)
        for i, line in enumerate(lines)
    ]
    found = figures_of(clauses, readings, seconds=8.0)
    assert found.right == 0.5 and found.surer_half == 1.0
    assert found.by_family == {"plain": (2, 4)} and found.seconds_a_clause == 2.0
    assert [one.reading.line for one in found.misread] == ["", "defects(a) = 0"]


def test_a_perfect_reader_is_right_everywhere():
    clauses = list(islice(read_clauses(seed=7, held_out=True), 40))
    readings = [reading_of(c.clause, c.line, likelihood=1.0, agreement=1.0) for c in clauses]
    assert figures_of(clauses, readings, seconds=1.0).right == 1.0


def test_figures_stand_in_the_card(tmp_path):
    (tmp_path / "MODEL_CARD.md").write_text("# Clause reader\n\n## Limits\n\nNone.\n")
    found = figures_of(
        asked("no check"),
        [reading_of("…", "no check", likelihood=1.0, agreement=1.0)],
        seconds=0.5,
    )
    note_in_card(tmp_path, found, on="2026-11-23")
    note_in_card(tmp_path, found, on="2026-11-24")
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert card.count("| 1 | 1.000 | 1.000 | 0.50 |") == 2 and "## Limits" in card
    assert pytest.approx(found.right) == 1.0
