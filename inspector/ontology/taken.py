"""Words that nobody wrote down, taken for the term nearest to them.

Who finds the nearest is passed in (`Nearest`), so that nothing here needs a model. A word that is
known keeps its meaning, whatever a model says; so do the exceptions of a clause, for a wrong guess
there would permit what nobody permitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from inspector.checks import ANY, AllOf, AnyOf, IfThen, MeasureCheck, Not, ReadCheck
from inspector.ontology.graph import Nearest, TermGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An unknown word and the term, kind or family it was taken for; `similarity` is 0–1."""

    words: str
    name: str
    similarity: float

    def __str__(self) -> str:
        return f"{self.words!r} taken for: {self.name}, similarity {self.similarity:.2f}"


def taken(words: Iterable[str], graph: TermGraph, nearest: Nearest) -> tuple[Taken, ...]:
    """Return what each of `words` is taken for that `graph` does not know, as far as any is."""
    found = []
    for one in dict.fromkeys(words):
        if one == ANY or graph.knows(one):
            continue
        guess = nearest(one.replace("_", " "))
        if guess is not None and guess[0] in graph.wider:
            found.append(Taken(words=one, name=guess[0], similarity=guess[1]))
    return tuple(found)


def with_taken(graph: TermGraph, guesses: Iterable[Taken]) -> TermGraph:
    """Return `graph` that knows the words of `guesses` too."""
    return graph.with_words({guess.words: guess.name for guess in guesses})


def with_subjects(check: ReadCheck, names: Mapping[str, str]) -> ReadCheck:
    """Return `check` with other words for its subjects where `names` has them."""
    match check:
        case MeasureCheck():
            changed = tuple(dict.fromkeys(names.get(words, words) for words in check.subjects))
            return replace(check, subjects=changed)
        case Not():
            return replace(check, check=with_subjects(check.check, names))
        case IfThen():
            condition, then = (with_subjects(c, names) for c in (check.condition, check.then))
            return replace(check, condition=condition, then=then)
        case AllOf() | AnyOf():
            return replace(check, checks=tuple(with_subjects(c, names) for c in check.checks))
        case _:
            return check


def subjects(check: ReadCheck | None) -> Iterator[str]:
    """Yield the words for the defects that a check is about, exceptions left out."""
    match check:
        case MeasureCheck():
            yield from check.subjects
        case Not():
            yield from subjects(check.check)
        case IfThen():
            yield from subjects(check.condition)
            yield from subjects(check.then)
        case AllOf() | AnyOf():
            for part in check.checks:
                yield from subjects(part)
