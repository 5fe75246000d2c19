"""What `inspector judge` prints: one finding for each case, or for each of its clauses.

A case is a closed world. Malformed cases are all named, with their lines, before one is judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.cases import JudgeCase, read_cases

if TYPE_CHECKING:
    from inspector.judging import Judged


def run_judge(
    path: Path,
    *,
    model: str,
    as_json: bool,
    reader: str | None = None,
    threads: int | None = None,
) -> int:
    """Print a line for each case as soon as it is judged; return the exit code."""
    for line in judge_cases(path, model=model, reader=reader, threads=threads):
        if as_json:
            print(json.dumps(line, ensure_ascii=False, allow_nan=False), flush=True)
            continue
        for finding in line.get("clauses", [line]):
            name = line["id"] if finding is line else f"{line['id']}/{finding['id']}"
            print(f"{name:16} {finding['outcome']:10} {finding['statement']}", flush=True)
            if finding["reading"] is not None:
                print(f"{'':27} read as: {finding['reading']}", flush=True)
    return 0


def judge_cases(
    path: Path, *, model: str = "judge", reader: str | None = None, threads: int | None = None
) -> Iterator[dict[str, Any]]:
    """Yield what is found of each case of a JSON lines file, in its order.

    `reader` is a clause reader's name or folder; without one the fused judge is asked alone.
    Raises `CaseError` for malformed cases before the first one is judged, and `ModelError`.
    """
    from inspector.judging import load_judging

    cases = read_cases(path)
    texts = [clause.text for case in cases for clause in case.clauses]
    labels = [defect.label for case in cases for defect in case.evidence.defects]
    judging = load_judging(texts, model=model, reader=reader, labels=labels, threads=threads)
    for case in cases:
        yield _line(case, judging.judge(case.evidence, case.clauses))


def _line(case: JudgeCase, findings: Sequence[Judged]) -> dict[str, Any]:
    if not case.several:
        return {"schema": "judge/1", "id": case.id, **_finding(findings[0])}
    clauses = [{"id": found.clause.id, **_finding(found)} for found in findings]
    return {"schema": "judge/1", "id": case.id, "clauses": clauses}


def _finding(found: Judged) -> dict[str, Any]:
    from inspector.judging import OUTCOMES

    reading = found.reading
    return {
        "violated": found.probability >= 0.5,
        "outcome": OUTCOMES[found.violated],
        "violation_probability": round(found.probability, 6),
        "decided_by": found.decided_by,
        "statement": found.statement,
        "reading": None if reading is None or reading.check is None else reading.line,
        "evidence": [{"kind": ref.kind, "index": ref.index} for ref in found.evidence],
    }
