"""Readings whose words nobody knows, said in words of the ontology.

A guess is made once, when a clause is read, and shown with its similarity. What a person approves
is the line in known words: it binds without any model, and means tomorrow what it means today.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from inspector.models.clause_reader import Reading
from inspector.models.word_encoder import load_word_encoder, shipped_word_encoder
from inspector.ontology import Nearest, TermGraph, load_ontology, subjects, taken, with_subjects
from inspector.reading import in_words, to_line


def in_known_words(reading: Reading, graph: TermGraph, nearest: Nearest) -> Reading:
    """Return `reading` with the terms that its unknown subjects are taken for, if for any."""
    guesses = taken(subjects(reading.check), graph, nearest)
    if reading.check is None or not guesses:
        return reading
    check = with_subjects(reading.check, {guess.words: guess.name for guess in guesses})
    return replace(
        reading,
        check=check,
        line=to_line(check),
        words=f"{in_words(check)} ({'; '.join(map(str, guesses))})",
    )


def all_in_known_words(readings: Iterable[Reading]) -> list[Reading]:
    """Return `readings` in words of the shipped ontology, as they are without a word encoder.

    The encoder is loaded only where a word is unknown.
    """
    given, graph = list(readings), load_ontology()
    name = shipped_word_encoder()
    every = (words for reading in given for words in subjects(reading.check))
    if name is None or all(graph.knows(words) for words in every):
        return given
    nearest = load_word_encoder(name, graph)
    return [in_known_words(reading, graph, nearest) for reading in given]
