"""Words nobody wrote down: taken for the nearest term, never in place of what is known."""

from __future__ import annotations

import pytest

from inspector.ontology import load_ontology, subjects, taken, with_subjects, with_taken
from inspector.reading import from_line, to_line

GRAPH = load_ontology()


def nearest(text: str) -> tuple[str, float] | None:
    return {"marring": ("scratch", 0.83), "dent": ("crack", 0.99), "glitch": ("no term", 0.9)}.get(
        text
    )


def test_an_unknown_word_is_taken_for_the_nearest_term_and_says_so() -> None:
    (found,) = taken(["marring", "quux"], GRAPH, nearest)
    assert str(found) == "'marring' taken for: scratch, similarity 0.83"
    known = with_taken(GRAPH, [found])
    assert known.falls_under("scratch", "marring") is True
    assert known.falls_under("dent", "marring") is False
    assert known.falls_under("marring", "surface damage") is True
    assert GRAPH.falls_under("scratch", "marring") is None


def test_a_known_word_keeps_its_meaning_whatever_a_model_says() -> None:
    assert taken(["dent", "dents", "any"], GRAPH, nearest) == ()
    same = GRAPH.with_words({"dent": "crack"})
    assert same.falls_under("dent", "crack") == GRAPH.falls_under("dent", "crack")


def test_a_guess_outside_the_ontology_is_no_guess() -> None:
    assert taken(["glitch"], GRAPH, nearest) == ()
    with pytest.raises(ValueError, match="no term"):
        GRAPH.with_words({"glitch": "no term"})


def test_the_subjects_of_a_check_are_asked_about_and_its_exceptions_are_not() -> None:
    line = (
        "if defects(dents) > 0 then defects(marring; except tooling witness) = 0 and "
        'texts("OK") >= 1'
    )
    assert list(subjects(from_line(line))) == ["dents", "marring"]
    assert list(subjects(None)) == []
    known = with_subjects(from_line(line), {"marring": "scratch"})
    assert to_line(known) == line.replace("marring", "scratch")
