"""Check files of wordings: `python -m inspector.training.wordings_check FILE.yaml …`.

Prints every mistake, then clauses made from the file with their lines.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from inspector.line_grammar import prepared
from inspector.training.clause_slots import Slots
from inspector.training.corpus_clauses import ASIDES, asides, read_wordings

SAMPLES = 12


def main(paths: list[str]) -> int:
    """Print what is wrong in `paths` and samples of the rest; return the number of mistakes."""
    wrong = 0
    for name in paths:
        if Path(name).stem == ASIDES:
            wrong += _check_asides()
            continue
        groups, mistakes = read_wordings(Path(name))
        wrong += len(mistakes)
        print(f"{name}: {len(groups)} groups, {sum(len(g.wordings) for g in groups)} wordings")
        print("\n".join(f"  MISTAKE {what}" for what in mistakes))
        chance = random.Random(name)
        usable = [group for group in groups if group.wordings]
        for _ in range(SAMPLES if usable else 0):
            group = chance.choice(usable)
            slots = Slots(chance, held_out=False)
            clause = slots.clause(chance.choice(group.wordings))
            print(f"  {prepared(clause)}\n      {slots.line(group.line)}")
    return wrong


def _check_asides() -> int:
    wrong = 0
    for key, said in asides().items():
        print(f"{ASIDES}: {key}: {len(said)}")
        for aside in said:
            try:
                Slots(random.Random(0), held_out=False).clause(aside)
            except (KeyError, ValueError) as exc:
                wrong += 1
                print(f"  MISTAKE {aside!r}: no such slot {exc}")
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
