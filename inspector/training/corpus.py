"""The judge's corpus: evidence, clause and truth, made by a seed and an oracle.

`terms.yaml`, `prints.yaml` and `wordings.yaml` hold the vocabulary, written by hand. A part of the
wordings and names, and whole trades, are held out for the validation part.
"""

from __future__ import annotations

import random
from dataclasses import replace

from inspector.domain import Detection
from inspector.training.corpus_defects import DefectFamilies
from inspector.training.corpus_print import PrintFamilies
from inspector.training.corpus_words import Pair, Wordings
from inspector.training.crops import CropBank

__all__ = ["FAMILIES", "Pair", "make_corpus"]

FAMILIES = {
    "none": 12, "count": 6, "size": 8, "count and size": 6, "zone": 14, "zone and limit": 7,
    "exception": 4, "off topic": 2, "text": 13, "marking": 13, "equality": 8, "code": 24, "date": 3,
    "legible": 2,
}  # fmt: skip
UNKNOWN_WORDS = 0.2  # this share of pairs is judged without the ontology
PRINT_FAMILIES = ("text", "marking", "equality", "code", "date", "legible")
PREFIXES = (
    "Note: ", "Visual inspection. ", "For all deliveries: ", "Customer requirement: ",
    "As agreed, ", "Re 4.2: ", "Generally, ", "During final inspection: ",
)  # fmt: skip
SUFFIXES = (
    " This applies to all variants.", " See the drawing for details.", " (customer requirement)",
    " Lighting as specified.", " Use the magnifier if in doubt.", " No exceptions.",
    " Quality decides in case of doubt.", " Both sides are checked.",
)  # fmt: skip


def make_corpus(
    *, seed: int, count: int, held_out: bool, bank: CropBank | None = None
) -> tuple[Pair, ...]:
    """Return `count` pairs, about half of them violated; the same for the same arguments.

    `held_out` chooses the wordings and names that training never sees. Crops of real boards come
    from `bank`; without it no pair has any.
    """
    writer = _Writer(random.Random(f"{seed} {held_out}"), held_out=held_out, bank=bank)
    seen: set[tuple[str, int]] = set()
    pairs: list[Pair] = []
    while len(pairs) < count:
        pair = writer.pair()
        key = (pair.clause, hash((pair.evidence.defects, pair.evidence.texts, pair.evidence.codes)))
        if key not in seen:
            seen.add(key)
            pairs.append(pair)
    return tuple(pairs)


class _Writer:
    """Draws pairs; every draw comes from the one generator `chance`."""

    def __init__(self, chance: random.Random, *, held_out: bool, bank: CropBank | None) -> None:
        self.chance = chance
        words = Wordings(chance, held_out=held_out)
        self.print = PrintFamilies(words, some_defects=self._some_defects)
        self.defects = DefectFamilies(
            words,
            bank=bank,
            stray_texts=self.print.stray_texts,
            stray_codes=self.print.stray_codes,
        )

    def pair(self) -> Pair:
        """Return a pair whose truth was decided by the toss of a coin, where that was possible."""
        family = self.chance.choices(list(FAMILIES), weights=list(FAMILIES.values()))[0]
        target = self.chance.random() < 0.5
        families = self.print if family in PRINT_FAMILIES else self.defects
        for _ in range(40):
            pair = families.pair(family, target)
            if pair.violated == target:
                break
        known = self.chance.random() >= UNKNOWN_WORDS
        return replace(pair, clause=self._voiced(pair.clause), known_words=known)

    def _some_defects(self) -> tuple[Detection, ...]:
        return self.defects.some_defects()

    def _voiced(self, clause: str) -> str:
        chance = self.chance.random()
        if chance < 0.08:
            prefix = self.chance.choice(PREFIXES)
            keep = clause[:2].isupper() or prefix.rstrip()[-1] == "."
            return prefix + (clause if keep else clause[:1].lower() + clause[1:])
        if chance < 0.16:
            return clause + self.chance.choice(SUFFIXES)
        if chance < 0.20:
            return clause.rstrip(".").lower()
        return clause
