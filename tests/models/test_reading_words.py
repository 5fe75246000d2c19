"""A reading in words that nobody knows is shown, and bound, in words of the ontology."""

from __future__ import annotations

from inspector.models.clause_reader import Reading
from inspector.models.reading_words import in_known_words
from inspector.ontology import load_ontology
from inspector.reading import from_line, in_words

GRAPH = load_ontology()


def nearest(text: str) -> tuple[str, float] | None:
    return ("scratch", 0.83) if text == "marring" else None


def reading(line: str) -> Reading:
    check = from_line(line)
    return Reading(
        clause="", check=check, line=line, words="" if check is None else in_words(check),
        likelihood=0.9, agreement=1.0, is_read=True,
    )  # fmt: skip


def test_an_unknown_word_becomes_its_term_in_the_line_and_the_words_say_so() -> None:
    found = in_known_words(reading("defects(marring | dents) = 0"), GRAPH, nearest)
    assert found.line == "defects(scratch | dents) = 0"
    assert found.check == from_line(found.line)
    assert found.words.endswith("('marring' taken for: scratch, similarity 0.83)")


def test_a_reading_in_known_words_and_no_reading_stay_as_they_are() -> None:
    for line in ("defects(scratches) = 0", "defects(glitch) = 0", "no check"):
        given = reading(line)
        assert in_known_words(given, GRAPH, nearest) is given
