"""The words of the ontology as lessons for the sentence encoder, and questions it never saw.

The questions are `inspector/assets/cases/words.yaml`: words for known defects that the ontology
lacks, and words that name no defect. By the hash of a word, one half chooses and one half measures.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from inspector.models.shelf import ASSETS
from inspector.models.word_encoder import defect_names
from inspector.ontology import ANY_DEFECT, Group, Term, TermGraph
from inspector.training.corpus_words import plural_of
from inspector.training.rewording import with_slip

Part = Literal["validation", "test"]
QUESTIONS = ASSETS.parent / "cases" / "words.yaml"
_SAID = ("{}", "{}", "{}", "no {}", "visible {}", "{} on the surface", "any {}", "{} found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A text that no word of the lessons equals; `right` are the names it may be taken for."""

    text: str
    right: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """The words taught, by name, and the questions of the two parts."""

    words: Mapping[str, tuple[str, ...]]
    wider: Mapping[str, frozenset[str]]
    questions: Mapping[Part, tuple[Question, ...]]


def lessons(graph: TermGraph) -> Lessons:
    """Return the words of `graph` for defects, and the questions that none of them answers."""
    entries: Mapping[str, Term | Group] = {**graph.terms, **graph.groups}
    asked: dict[Part, list[Question]] = {"validation": [], "test": []}
    for question in _questions(graph):
        asked[_part(question.text)].append(question)
    return Lessons(
        words={
            name: tuple(dict.fromkeys((name, *entries[name].words))) for name in defect_names(graph)
        },
        wider=graph.wider,
        questions={part: tuple(own) for part, own in asked.items()},
    )


def _questions(graph: TermGraph) -> list[Question]:
    written: dict[str, Any] = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    found = [
        Question(text=word, right=_kin(frozenset(one["means"]), graph))
        for one in written["defects"]
        for word in one["said"]
    ]
    others = [word for words in written["no defects"].values() for word in words]
    found += [Question(text=word, right=frozenset()) for word in others]
    return [question for question in found if not graph.knows(question.text)]


def _kin(names: frozenset[str], graph: TermGraph) -> frozenset[str]:
    """Return `names`, what they fall under and what falls under them; "any defect" is no answer."""
    above = frozenset[str]().union(*(graph.wider[name] for name in names))
    below = {name for name, wider in graph.wider.items() if names & wider}
    return (above | below) - {ANY_DEFECT}


def _part(text: str) -> Part:
    parts: tuple[Part, Part] = ("validation", "test")
    return parts[hashlib.sha256(text.encode()).digest()[0] % 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Two texts for each of several names; `apart[i][j]` where name j is wrong for i."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    apart: tuple[tuple[bool, ...], ...]


def draw(given: Lessons, count: int, chance: random.Random) -> Lesson:
    """Return a lesson of `count` names; half of them come with neighbours of the same kind.

    Two names of which one falls under the other are never taught to be apart.
    """
    every = list(given.words)
    names = chance.sample(every, k=count // 2)
    while len(names) < count:
        one = chance.choice(names[: count // 2])
        near = [n for n in every if given.wider[n] & given.wider[one] - {ANY_DEFECT}]
        other = chance.choice(near or every)
        if other not in names or len(near) < 4:
            names.append(other if other not in names else chance.choice(every))
    names = list(dict.fromkeys(names))
    pairs = [_two(given.words[name], chance) for name in names]
    return Lesson(
        left=tuple(_said(a, chance) for a, _ in pairs),
        right=tuple(_said(b, chance) for _, b in pairs),
        apart=tuple(
            tuple(
                not (
                    a in given.wider[b]
                    or b in given.wider[a]
                    or set(given.words[a]) & set(given.words[b])
                )
                for b in names
            )
            for a in names
        ),
    )


def _two(words: Sequence[str], chance: random.Random) -> tuple[str, str]:
    if len(words) == 1:
        return words[0], words[0]
    first, second = chance.sample(words, k=2)
    return first, second


def _said(word: str, chance: random.Random) -> str:
    if chance.random() < 0.2:
        word = plural_of(word)
    if chance.random() < 0.1:
        word = with_slip(word, chance)
    return chance.choice(_SAID).format(word)
