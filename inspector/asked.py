"""What a clause asks, as far as code can tell: its numbers, its words and what they name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from inspector.domain import Code, Detection, TextLine
from inspector.ontology import Named, Ontology, folded_label, shipped_ontology, stems
from inspector.quantities import Quantity, quantities
from inspector.symbologies import symbologies_named, symbology_key

CLAUSE_CHARACTERS = 600
# Words of every clause: sharing one of them with a line of print means nothing.
COMMON_WORDS = frozenset(
    stem
    for stem in stems(
        "label labels part pack package article unit product item text print printed line "
        "must may shall should have code codes number present show shows carry mark marked "
        "marking from this that with without only other than more less least most work order "
        "quality standard check inspection reject rejected result pass fail violated conforms "
        "accept accepted clause"
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a clause asks in numbers, and its words."""

    counts: tuple[Quantity, ...]
    lengths: tuple[Quantity, ...]
    areas: tuple[Quantity, ...]
    spans: tuple[Quantity, ...]
    measure: str
    total: bool
    confidence: bool
    words: frozenset[str]
    runs: frozenset[str]
    terms: Named
    materials: frozenset[str]
    known: frozenset[str]
    symbologies: frozenset[str]
    phrases: tuple[str, ...]

    def names(self, name: str) -> bool:
        """Return whether the words of a zone or field occur in the clause, one after another."""
        return folded_label(name) in self.runs

    def names_defect(self, defect: Detection) -> bool:
        """Return whether the clause means this kind of defect: by a known term, or by its label."""
        label = folded_label(defect.label)
        if label in self.terms.labels:
            return True
        if self.terms.labels and label in self.known:
            return False  # "solder short" names another label than "short"
        return label in self.runs and label not in self.materials

    def names_code(self, code: Code) -> bool:
        return symbology_key(code.symbology) in self.symbologies

    def words_shared(self, text: TextLine) -> int:
        """Return how many words of importance the clause and a line, or its field, share."""
        own = {word for word in stems(text.text) if len(word) > 2} - COMMON_WORDS
        return len(self.words & own) + 2 * (text.field is not None and self.names(text.field))


@lru_cache(maxsize=4096)
def asked_of(clause_text: str, ontology: Ontology | None = None) -> Asked:
    """Return what a clause asks; the shipped ontology tells its words where none is given."""
    clause = clause_text[:CLAUSE_CHARACTERS]
    ontology = shipped_ontology() if ontology is None else ontology
    found = quantities(clause)
    lower = clause.lower()
    measure = "longest"
    if re.search(r"\b(wide|width|widest|broad)", lower):
        measure = "widest"
    elif re.search(r"\b(height|high|tall|tallest)\b", lower):
        measure = "tallest"
    return Asked(
        counts=tuple(q for q in found if q.kind == "count")[:2],
        lengths=tuple(q for q in found if q.kind == "length")[:2],
        areas=tuple(q for q in found if q.kind == "area")[:2],
        spans=tuple(q for q in found if q.kind == "span")[:2],
        measure=measure,
        total=bool(
            re.search(
                r"\b(total|sum|summed|combined|cumulative|together|add(ed)? up|overall)\b", lower
            )
        ),
        confidence=bool(re.search(r"\b(confiden|certain|score)", lower)),
        words=frozenset(own := stems(clause)),
        runs=frozenset("".join(own[i : i + n]) for n in (1, 2, 3, 4) for i in range(len(own))),
        terms=ontology.named(clause),
        materials=ontology.materials,
        known=ontology.known,
        symbologies=symbologies_named(clause),
        phrases=tuple(
            m[1].strip() for m in re.finditer(r"[\"“'‘«]([^\"”'’»]{2,60})[\"”'’»]", clause)
        )[:3],
    )


def size_mm(defect: Detection, measure: str) -> float | None:
    """Return the longest side, or the side that the clause asks for."""
    match measure:
        case "widest":
            return defect.width_mm
        case "tallest":
            return defect.height_mm
    return defect.longest_mm


def date_name(text: str) -> str:
    """Return whether a line with a date is about expiry or making."""
    lower = text.lower()
    if re.search(r"\b(exp|best|bb|bbe|use|valid|mhd)", lower):
        return "expiry"
    return "made" if re.search(r"\b(mfg|mfd|man(?!y)|prod(?!uct)|pack|pkd|made)", lower) else "date"
