"""Words and parts that every family of the judge's corpus is made of."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from inspector.domain import Box, Detection, Evidence, TextLine

EVERY_HELD_OUT = 6  # one wording in six is for validation
BOX = Box(x0=0, y0=0, x1=10, y1=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One question with its truth; `real` is parallel to the defects, False for a mistake.

    `known_words` is False where the judge has to do without the ontology.
    """

    evidence: Evidence
    clause: str
    violated: bool
    family: str
    real: tuple[bool, ...]
    known_words: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a clause is about: labels, None for any, and its words."""

    labels: frozenset[str] | None
    singular: str
    plural: str
    mass: bool

    def counts(self, label: str) -> bool:
        return self.labels is None or label in self.labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One defect as the generator drew it."""

    label: str
    width: float
    height: float
    zone: str | None
    real: bool = True

    @property
    def longest(self) -> float:
        return max(self.width, self.height)


def vocabulary(name: str, *, package: str = "inspector.training") -> dict[str, Any]:
    """Return one of the files written by hand."""
    text = (resources.files(package) / f"{name}.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


class Wordings:
    """The one source of chance of a corpus, and the wordings of its part.

    `held_out` chooses what training never sees.
    """

    def __init__(self, chance: random.Random, *, held_out: bool) -> None:
        self.chance = chance
        self.held_out = held_out
        lists = vocabulary("wordings")
        self._phrases = {name: self._part(all_) for name, all_ in lists.pop("phrases").items()}
        self._lists = {family: self._part(all_) for family, all_ in lists.items()}

    def _part(self, all_: list[str]) -> list[str]:
        return [w for i, w in enumerate(all_) if (i % EVERY_HELD_OUT == 4) == self.held_out]

    def worded(self, key: str, **slots: str) -> str:
        """Return a wording of that list with its slots filled and its first letter large."""
        words = {"item": "part", "are": "are", **slots}
        for name, phrases in self._phrases.items():
            phrase = self.chance.choice(phrases).format_map(_Kept(words))
            words[name] = phrase
            words[name.capitalize()] = phrase[:1].upper() + phrase[1:]
        words["A"] = words.get("a", "")
        words["concept_"] = words.get("concept", "").removeprefix("a ").removeprefix("an ")
        text = self.chance.choice(self._lists[key]).format(**words)
        return text[:1].upper() + text[1:]


class _Kept(dict[str, str]):
    """Leaves a slot as it is where there is no word for it."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def detections(seen: Sequence[Seen], chance: random.Random) -> tuple[Detection, ...]:
    """Return what was drawn as a detector reports it; its mistakes are less sure."""
    return tuple(
        Detection(
            label=d.label,
            confidence=round(
                chance.uniform(0.45, 0.98) if d.real else chance.uniform(0.25, 0.6), 2
            ),
            box=BOX,
            width_mm=d.width,
            height_mm=d.height,
            zone=d.zone,
        )
        for d in seen
    )


def text_line(text: str, *, field: str | None = None, confidence: float = 0.95) -> TextLine:
    return TextLine(text=text, confidence=confidence, box=BOX, field=field)


def subject(labels: frozenset[str] | None, term: str) -> Subject:
    """Return the subject that `term` of the vocabulary names."""
    if term.startswith("~"):
        return Subject(labels=labels, singular=term[1:], plural=term[1:], mass=True)
    singular, _, plural = term.partition("|")
    return Subject(
        labels=labels, singular=singular, plural=plural or plural_of(singular), mass=False
    )


_LINKS = (
    " in ", " of ", " on ", " with ", " between ", " placed ", " out of ", " not ", " from ",
    " too ", " at ", " where ", " along ", " under ",
)  # fmt: skip


def plural_of(term: str) -> str:
    """Return the plural of a term: of its head, the word before "in", "of", "with"…"""
    for link in _LINKS:
        head, found, tail = term.partition(link)
        if found and head:
            return plural_of(head) + found + tail
    if term.endswith("y") and term[-2:-1] not in "aeiou":
        return term[:-1] + "ies"
    return term + ("es" if term.endswith(("s", "x", "ch", "sh")) else "s")


def with_article(term: str) -> str:
    first = term[:1].lower()
    an = (first in "aeio" or term.startswith(("un", "out", "up"))) and not term.startswith("one")
    return f"{'an' if an else 'a'} {term}"
