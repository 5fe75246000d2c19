"""What `inspector evaluate reader` prints: how a clause reader reads wordings it never learnt."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from inspector.cli.progress import counting
from inspector.models.clause_reader import load_clause_reader
from inspector.models.shelf import model_folder
from inspector.training.evaluate_reader import ReaderFigures, measure_reader, note_in_card

MISREAD_SHOWN = 12


def evaluate_reader(
    *, reader: str, clauses: int, threads: int | None, listed: bool, as_json: bool
) -> None:
    """Measure a clause reader and print its figures; `listed` adds them to its card."""
    model = load_clause_reader(reader, threads=threads)
    with counting("clauses") as advance:
        found = measure_reader(model, clauses=clauses, advance=advance)
    if listed:
        note_in_card(model_folder(reader), found, on=datetime.now(UTC).date().isoformat())
    print(json.dumps(_row(found), ensure_ascii=False)) if as_json else _print(found)


def _row(found: ReaderFigures) -> dict[str, object]:
    return {
        "schema": "reader-figures/1",
        "n": found.n,
        "right": round(found.right, 4),
        "right_of_surer_half": round(found.surer_half, 4),
        "seconds_a_clause": round(found.seconds_a_clause, 3),
        "by_family": {
            name: {"right": right, "n": n} for name, (right, n) in found.by_family.items()
        },
        "misread": [
            {
                "clause": one.clause.clause,
                "line": one.clause.line,
                "read": one.reading.line or None,
                "confidence": round(one.reading.likelihood * one.reading.agreement, 4),
            }
            for one in found.misread
        ],
    }


def _print(found: ReaderFigures) -> None:
    console = Console()
    console.print(
        f"{found.n} clauses of held-out wordings: {found.right:.1%} read right, "
        f"{found.surer_half:.1%} of the surer half; {found.seconds_a_clause:.2f} s a clause"
    )
    table = Table("family", "right", "of")
    for name, (right, n) in found.by_family.items():
        table.add_row(name, str(right), str(n))
    console.print(table)
    for one in found.misread[:MISREAD_SHOWN]:
        console.print(f"  {one.clause.clause}", markup=False)
        console.print(f"      line  {one.clause.line}", markup=False)
        console.print(f"      read  {one.reading.line or 'nothing'}", markup=False)
