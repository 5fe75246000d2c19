"""Varied clauses: another word for the same defect, and a slip of the finger here and there.

A clause means the same afterwards, so its truth stays. Words that the held-out part of the corpus
is made of are never put in.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from functools import cache

from inspector.ontology import load_ontology, stems
from inspector.training.corpus_words import Pair, plural_of, vocabulary

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LINKED = re.compile(
    r"\b(in|of|on|at|to|with|within|between|from|for|by|under|not|no|off|out|up)\b"
)
_SLIPS = ("leave out", "double", "swap", "other")
# A slip in one of these may turn a clause round: "no" and "on", "least" and "last".
_TELLING = re.compile(
    r"[\d%µ]|^(no|not|nor|non|none|and|or|but|if|only|unless|except|than|more|less|fewer|least|most|"
    r"over|under|above|below|inside|outside|in|on|of|within|beyond|any|all|each|must|may|free|"
    r"without|with|one|two|three|four|five|six|seven|eight|nine|ten|mm|cm|inch|mil|un\w*|in\w*|"
    r"dis\w*|\w+er|\w+est|area|total|length|width|height|accept\w*|reject\w*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewording:
    """How often a pair's clause gets another word for a defect, and a slip (shares, 0–1)."""

    synonyms: float
    slips: float

    def of(self, pair: Pair, chance: random.Random) -> Pair:
        """Return `pair` with its clause reworded, or itself."""
        clause = pair.clause
        if chance.random() < self.synonyms:
            clause = with_synonym(clause, chance)
        if chance.random() < self.slips:
            clause = with_slip(clause, chance)
        return pair if clause == pair.clause else replace(pair, clause=clause)


def with_synonym(clause: str, chance: random.Random) -> str:
    """Return `clause` with one of its defects called by another of its names."""
    lower, known = clause.lower(), _synonyms()
    words = [(m.start(), m.end()) for m in re.finditer(r"[a-zà-ÿ][\w'-]*", lower)]
    found = [
        (words[i][0], words[j][1])
        for i in range(len(words))
        for j in range(i, min(i + 4, len(words)))
        if lower[words[i][0] : words[j][1]] in known
    ]
    # The longest words only: a "solder short" is no "short".
    whole = [a for a in found if not any(b != a and b[0] <= a[0] and a[1] <= b[1] for b in found)]
    if not whole:
        return clause
    start, end = chance.choice(whole)
    other = chance.choice(known[lower[start:end]])
    before = clause[:start]
    if (article := re.search(r"\b(an?)( )$", before)) is not None:
        before = before[: article.start(1)] + ("an " if other[0] in "aeiou" else "a ")
    return before + (other.capitalize() if clause[start].isupper() else other) + clause[end:]


def with_slip(clause: str, chance: random.Random) -> str:
    """Return `clause` with one letter of a longer word left out, doubled, swapped or mistyped."""
    words = [
        m
        for m in re.finditer(r"[^\W\d_]{5,}", clause)
        if not _TELLING.search(m[0]) and not _is_quoted(clause, m.start())
    ]
    if not words:
        return clause
    word = chance.choice(words)
    at = chance.randrange(word.start() + 1, word.end() - 1)  # a first letter is seldom wrong
    a, b, rest = clause[at], clause[at + 1], clause[at + 2 :]
    match chance.choice(_SLIPS):
        case "leave out":
            return clause[:at] + b + rest
        case "double":
            return clause[:at] + a + a + b + rest
        case "swap":
            return clause[:at] + b + a + rest
        case _:
            return clause[:at] + chance.choice(_LETTERS) + b + rest


def _is_quoted(clause: str, at: int) -> bool:
    return len(re.findall(r"[\"“”«»]", clause[:at])) % 2 == 1


@cache
def _synonyms() -> dict[str, tuple[str, ...]]:
    """Return for each name of a defect, singular and plural, its other names in that number.

    Only those that the corpus does not use itself: there a neighbouring name may be a defect of its
    own, and the truth of a clause would change.
    """
    own = _words_of_the_corpus()
    names: dict[str, set[str]] = {}
    often: dict[str, int] = {}
    for term in load_ontology().terms.values():
        plain = [w for w in term.words if re.fullmatch(r"[a-z' -]+", w) and not w.endswith("s")]
        for word in plain:
            often[word] = often.get(word, 0) + 1
            if term.kind.endswith("attribute"):
                continue
            others = {
                w
                for w in plain
                if w != word and frozenset(stems(w)) not in own and not _LINKED.search(w)
            }
            names.setdefault(word, set()).update(others)
    found = {}
    for word, others in names.items():
        if often[word] == 1 and others and len(word) > 3:  # of several senses nobody knows which
            found[word] = tuple(sorted(others))
            found[plural_of(word)] = tuple(sorted(map(plural_of, others)))
    return found


@cache
def _words_of_the_corpus() -> frozenset[frozenset[str]]:
    """Return the stems of every name in it, those held out among them."""
    trades = vocabulary("ontology", package="inspector")["trades"].values()
    names = [label for trade in trades for label in trade["labels"]]
    names += [term for trade in trades for terms in trade["labels"].values() for term in terms]
    names += [kind for trade in trades for kind in trade.get("kinds", {})]
    forms = (form for name in names for form in str(name).removeprefix("~").split("|"))
    return frozenset(frozenset(stems(form.replace("_", " "))) for form in forms)
