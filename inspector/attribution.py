"""What the judge's probability rests on: how it changes when an item of evidence is left out.

Leave-one-out (Li, Monroe, Jurafsky, Understanding neural networks through representation erasure,
2016): each item, then each kind of item, is taken away and the clause is judged again. Only
measured changes are told; where time runs out, fewer are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from inspector.domain import Clause, Evidence, EvidenceKind, EvidenceRef
from inspector.evidence import named_items, spoken, without
from inspector.standard.phrases import quoted
from inspector.statements import Influence, item_in_words

UNITS_AT_MOST = 8
LEAST_CHANGE = 0.05

Judging = Callable[[Evidence, tuple[Clause, ...]], tuple[float, ...]]
_Unit = tuple[EvidenceRef, ...]


def influences(
    judging: Judging,
    evidence: Evidence,
    *,
    judged: Mapping[Clause, float],
    may_go_on: Callable[[], bool],
) -> dict[str, tuple[Influence, ...]]:
    """Return by clause id the items that raise P(violated) by 0.05 or more, the strongest first.

    `judged` holds the clauses to explain with their probabilities. Single items come first, at
    most eight; where none of them alone matters, all of a kind together. One call of `judging` for
    each, while `may_go_on()`; raises what it raises.
    """
    found: dict[str, list[Influence]] = {clause.id: [] for clause in judged}
    open_clauses = tuple(judged)
    for units in (_singles(evidence, open_clauses), _kinds(evidence)):
        for unit in units:
            if not open_clauses or not may_go_on():
                return _sorted(found)
            fewer = without(evidence, unit)
            for clause, p in zip(open_clauses, judging(fewer, open_clauses), strict=True):
                if math.isfinite(p) and judged[clause] - p >= LEAST_CHANGE:
                    words = _in_words(evidence, unit)
                    found[clause.id].append(Influence(items=unit, words=words, without=p))
        open_clauses = tuple(clause for clause in open_clauses if not found[clause.id])
    return _sorted(found)


def _sorted(found: Mapping[str, Sequence[Influence]]) -> dict[str, tuple[Influence, ...]]:
    return {
        name: tuple(sorted(several, key=lambda one: (one.without, one.words)))
        for name, several in found.items()
        if several
    }


def _items(evidence: Evidence) -> list[EvidenceRef]:
    counts: tuple[tuple[EvidenceKind, int], ...] = (
        ("defect", len(evidence.defects)),
        ("text", len(evidence.texts)),
        ("code", len(evidence.codes)),
    )
    return [EvidenceRef(kind=kind, index=i) for kind, count in counts for i in range(count)]


def _singles(evidence: Evidence, clauses: Sequence[Clause]) -> list[_Unit]:
    """Return the items one by one: those that a clause names, then the surest."""
    named = {ref for clause in clauses for ref in named_items(evidence, clause.text)}

    def rank(ref: EvidenceRef) -> tuple[bool, float]:
        sureness = 1.0
        if ref.kind == "defect":
            sureness = evidence.defects[ref.index].confidence
        elif ref.kind == "text":
            sureness = evidence.texts[ref.index].confidence
        return ref not in named, -sureness

    return [(ref,) for ref in sorted(_items(evidence), key=rank)[:UNITS_AT_MOST]]


def _kinds(evidence: Evidence) -> list[_Unit]:
    """Return the items of each kind together where there are several of it."""
    kinds: dict[tuple[str, str], list[EvidenceRef]] = defaultdict(list)
    for ref in _items(evidence):
        kinds[ref.kind, _kind(evidence, ref)].append(ref)
    several = [tuple(refs) for refs in kinds.values() if len(refs) > 1]
    return sorted(several, key=lambda refs: -len(refs))[:UNITS_AT_MOST]


def _kind(evidence: Evidence, ref: EvidenceRef) -> str:
    match ref.kind:
        case "defect":
            return evidence.defects[ref.index].label
        case "code":
            return evidence.codes[ref.index].symbology
    return ""


def _in_words(evidence: Evidence, unit: _Unit) -> str:
    if len(unit) == 1:
        return item_in_words(evidence, unit[0])
    name = _kind(evidence, unit[0])
    return f"the {len(unit)} {quoted(spoken(name)) if name else 'lines of print'}"
