"""The words of the ontology as lessons for the sentence encoder, and as questions it never saw.

By the hash of a word, one in six is a question of the validation part and one in six of the test.
By the hash of a name, one term in twenty is unknown to each: nothing is taught of it, and the right
answer is a kind or family that it falls under, or none at all.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inspector.ontology import ANY_DEFECT, ANY_TRADE, Group, Term, TermGraph
from inspector.ontology.words import keys
from inspector.training.corpus_words import plural_of, vocabulary
from inspector.training.rewording import with_slip

Part = Literal["validation", "test"]
_SAID = ("{}", "{}", "{}", "no {}", "visible {}", "{} on the surface", "any {}", "{} found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A text that no word of the lessons equals; `right` are the names it may be taken for.

    `trade` is that of the product it is said of, as far as one is known.
    """

    text: str
    trade: str | None
    right: frozenset[str]
    sort: Literal["word of a known term", "unknown term", "no defect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """The words taught, by name, and the questions of the two parts."""

    words: Mapping[str, tuple[str, ...]]
    wider: Mapping[str, frozenset[str]]
    names_in: Mapping[str, frozenset[str]]
    questions: Mapping[Part, tuple[Question, ...]]


def lessons(graph: TermGraph) -> Lessons:
    """Return the words of `graph` divided; the same for the same words."""
    entries: list[Term | Group] = [*graph.terms.values(), *graph.groups.values()]
    taught: dict[str, list[str]] = {}
    asked: dict[Part, list[tuple[str, str]]] = {"validation": [], "test": []}
    hidden: dict[Part, list[str]] = {"validation": [], "test": []}
    for entry in entries:
        if isinstance(entry, Term) and (part := _part(entry.name, of=20)) is not None:
            hidden[part].append(entry.name)
            continue
        kept = taught.setdefault(entry.name, [entry.name])
        for word in dict.fromkeys(entry.words):
            part = _part(f"{entry.name}/{word}", of=6) if word != entry.name else None
            if part is None or entry.name == ANY_DEFECT:
                kept.append(word)
            else:
                asked[part].append((word, entry.name))
    seen = {key for words in taught.values() for word in words for key in _keys(word)}
    owners: dict[str, set[str]] = {}
    for pairs in asked.values():
        for word, name in pairs:
            owners.setdefault(word, set()).add(name)
    questions: dict[Part, tuple[Question, ...]] = {}
    for which in asked:
        known = [
            Question(
                text=word,
                trade=_trade(owners[word], graph),
                right=_wider(owners[word], graph) & taught.keys(),
                sort="word of a known term",
            )
            for word in dict.fromkeys(word for word, _ in asked[which])
        ]
        unknown = [
            Question(
                text=word,
                trade=_trade({name}, graph),
                right=_wider({name}, graph) & taught.keys(),
                sort="unknown term",
            )
            for name in hidden[which]
            for word in dict.fromkeys((name, *graph.terms[name].words))
        ]
        none = [
            Question(text=text, trade=None, right=frozenset(), sort="no defect")
            for text in _no_defects()
            if _part(text, of=8) == which and not graph.knows(text)
        ]
        own = [q for q in (*known, *unknown, *none) if not _keys(q.text) & seen]
        questions[which] = tuple(own)
        seen |= {key for q in own for key in _keys(q.text)}
    return Lessons(
        words={name: tuple(dict.fromkeys(words)) for name, words in taught.items()},
        wider=graph.wider,
        names_in={trade: graph.names_in(trade) for trade in graph.trades},
        questions=questions,
    )


def _part(text: str, *, of: int) -> Part | None:
    parts: dict[int, Part] = {0: "validation", 1: "test"}
    return parts.get(hashlib.sha256(text.encode()).digest()[0] % of)


def _keys(word: str) -> set[str]:
    run = keys(word)
    return set() if run is None else {*run.strict, *run.loose}


def _wider(names: set[str], graph: TermGraph) -> frozenset[str]:
    """Return `names` and what they fall under; "any defect" is no answer."""
    return frozenset().union(*(graph.wider[name] for name in names)) - {ANY_DEFECT}


def _trade(names: set[str], graph: TermGraph) -> str | None:
    """Return the one trade that all these names belong to, None where there are more or fewer."""
    trades = {t for n in names if n in graph.terms for t in graph.terms[n].trades} - {ANY_TRADE}
    return next(iter(trades)) if len(trades) == 1 else None


def _no_defects() -> list[str]:
    lists = vocabulary("clause_words")
    fields = [word for words in lists["fields"].values() for word in words]
    every = [*lists["zones"], *lists["products"], *lists["wordings"], *lists["codes"], *fields]
    plain = (str(word).removeprefix("~").partition("|")[0] for word in every)
    return [word for word in dict.fromkeys(plain) if not any(c.isdigit() for c in word)]


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
