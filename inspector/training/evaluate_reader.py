"""Measure a clause reader as it runs: clauses of held-out wordings and names, decoded in whole.

A reading is right where it means what the clause's line means, whatever the order of its parts.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from inspector.meaning import meaning
from inspector.models.clause_reader import ClauseReader, Reading
from inspector.reading import from_line
from inspector.training.card_sections import add_row
from inspector.training.corpus_clauses import ReadClause, read_clauses

SEED = 7  # of the measured clauses; training measures itself on those of its own seed
CHUNK = 48
HEADING = "## Read in whole"
_HEAD = """
| day | held-out clauses | right | right of the surer half | seconds a clause |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misread:
    """A clause that was read as something else."""

    clause: ReadClause
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderFigures:
    """Shares of clauses read right; `surer_half` of those with confidence above the median."""

    n: int
    right: float
    surer_half: float
    by_family: dict[str, tuple[int, int]]
    seconds_a_clause: float
    misread: tuple[Misread, ...]


def measure_reader(
    reader: ClauseReader,
    *,
    clauses: int = 300,
    drawn: int = 4,
    advance: Callable[[int, int], None] = lambda _done, _total: None,
) -> ReaderFigures:
    """Return how `reader` reads clauses of held-out wordings; `drawn` further readings for each."""
    asked = list(islice(read_clauses(seed=SEED, held_out=True), clauses))
    started = time.monotonic()
    readings: list[Reading] = []
    for start in range(0, len(asked), CHUNK):
        part = [clause.clause for clause in asked[start : start + CHUNK]]
        readings += reader.read_clauses(part, drawn=drawn)
        advance(len(readings), len(asked))
    return figures_of(asked, readings, seconds=time.monotonic() - started)


def figures_of(
    asked: Sequence[ReadClause], readings: Sequence[Reading], *, seconds: float
) -> ReaderFigures:
    """Return the figures of clauses and what was read of them."""
    right = np.array(
        [
            bool(reading.line) and meaning(reading.check) == meaning(from_line(clause.line))
            for clause, reading in zip(asked, readings, strict=True)
        ]
    )
    sure = np.array([reading.likelihood * reading.agreement for reading in readings])
    by_family: dict[str, list[bool]] = defaultdict(list)
    for clause, ok in zip(asked, right, strict=True):
        by_family[clause.family].append(bool(ok))
    return ReaderFigures(
        n=len(asked),
        right=float(right.mean()),
        surer_half=float(right[sure >= np.median(sure)].mean()),
        by_family={name: (sum(own), len(own)) for name, own in sorted(by_family.items())},
        seconds_a_clause=seconds / max(1, len(asked)),
        misread=tuple(
            Misread(clause=clause, reading=reading)
            for clause, reading, ok in zip(asked, readings, right, strict=True)
            if not ok
        ),
    )


def note_in_card(folder: Path, figures: ReaderFigures, *, on: str) -> None:
    """Add a row with `figures` to the reader's MODEL_CARD.md."""
    row = (
        f"| {on} | {figures.n} | {figures.right:.3f} | {figures.surer_half:.3f} "
        f"| {figures.seconds_a_clause:.2f} |"
    )
    add_row(folder, heading=HEADING, head=_HEAD, row=row)
