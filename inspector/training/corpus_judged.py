"""Clauses with made-up parts: what code makes of the line is the truth for the fused judge."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from inspector.domain import Evidence, Outcome
from inspector.examples import made_up
from inspector.reading import from_line
from inspector.standard import says
from inspector.training.corpus_clauses import ReadClause, read_clauses
from inspector.training.corpus_words import Pair

PARTS_TRIED = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedClause:
    """A clause with a made-up part, and whether the part violates what the line says."""

    clause: ReadClause
    evidence: Evidence
    violated: bool


def judged_clauses(*, seed: int, held_out: bool) -> Iterator[JudgedClause]:
    """Yield clauses with parts without end, half of them violated where the line allows it.

    The truth is what code makes of the line; a clause that no check can say is left out.
    """
    chance = random.Random(f"parts {seed} {held_out}")
    for clause in read_clauses(seed=seed, held_out=held_out):
        check = from_line(clause.line)
        if check is None:
            continue
        wanted = Outcome.VIOLATED if chance.random() < 0.5 else Outcome.CONFORMS
        for part in islice(made_up([check], chance), PARTS_TRIED):
            outcome = says(check, part).outcome
            if outcome is wanted:
                break
        if outcome is not Outcome.UNKNOWN:
            yield JudgedClause(clause=clause, evidence=part, violated=outcome is Outcome.VIOLATED)


def judged_pairs(*, seed: int, count: int, held_out: bool) -> tuple[Pair, ...]:
    """Return `count` of them as pairs of the judge's corpus, without crops."""
    return tuple(
        Pair(
            evidence=replace(one.evidence, crops_bgr=()),
            clause=one.clause.clause,
            violated=one.violated,
            family=f"read: {one.clause.family}",
            real=(),
        )
        for one in islice(judged_clauses(seed=seed, held_out=held_out), count)
    )
