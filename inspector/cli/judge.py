"""What `inspector judge` prints: one finding for each case, or for each of its clauses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inspector.cases import JudgeCase, read_cases
from inspector.decision import Thresholds
from inspector.domain import Clause, Evidence
from inspector.evidence import cleaned, named_items, spoken


def run_judge(path: Path, *, model: str, as_json: bool) -> int:
    """Print a line for each case as soon as it is judged; return the exit code."""
    for line in judge_cases(path, model=model):
        if as_json:
            print(json.dumps(line, ensure_ascii=False, allow_nan=False), flush=True)
            continue
        for finding in line.get("clauses", [line]):
            name = line["id"] if finding is line else f"{line['id']}/{finding['id']}"
            print(f"{name:16} {finding['outcome']:10} {finding['statement']}", flush=True)
    return 0


def judge_cases(path: Path, *, model: str = "judge") -> Iterator[dict[str, Any]]:
    """Yield what the judge says of each case of a JSON lines file, in its order.

    Raises `CaseError` for malformed cases before the first one is judged, and `ModelError`.
    """
    from inspector.models.judge import load_judge

    cases = read_cases(path)
    fused = load_judge(model)
    for case in cases:
        found = fused.violation_probabilities(case.evidence, case.clauses)
        findings = [
            _finding(case.evidence, clause, probability, _outcome(probability, fused.thresholds))
            for clause, probability in zip(case.clauses, found, strict=True)
        ]
        yield _line(case, findings)


def _line(case: JudgeCase, findings: list[dict[str, Any]]) -> dict[str, Any]:
    if not case.several:
        return {"schema": "judge/1", "id": case.id, **findings[0]}
    clauses = [
        {"id": clause.id, **finding} for clause, finding in zip(case.clauses, findings, strict=True)
    ]
    return {"schema": "judge/1", "id": case.id, "clauses": clauses}


def _outcome(probability: float, thresholds: Thresholds) -> str:
    words = {True: "violated", False: "conforms", None: "uncertain"}
    return words[thresholds.says_violated(probability)]


def _finding(
    evidence: Evidence, clause: Clause, probability: float, outcome: str
) -> dict[str, Any]:
    items = named_items(evidence, clause.text)
    return {
        "violated": probability >= 0.5,
        "outcome": outcome,
        "violation_probability": round(probability, 6),
        "decided_by": "model",
        "statement": _statement(evidence, probability, outcome),
        "reading": None,
        "evidence": [{"kind": ref.kind, "index": ref.index} for ref in items],
    }


def _statement(evidence: Evidence, probability: float, outcome: str) -> str:
    count: dict[str, int] = {}
    for defect in evidence.defects:
        label = cleaned(spoken(defect.label))
        count[label] = count.get(label, 0) + 1
    found = [f"{n} {label}" for label, n in sorted(count.items())[:6]]
    found += [f"{len(evidence.texts)} lines of print"] if evidence.texts else []
    found += [f"{len(evidence.codes)} codes"] if evidence.codes else []
    said = {"violated": "is violated", "conforms": "is met"}.get(outcome, "may be violated")
    return (
        f"With {', '.join(found) or 'nothing'} found, the judge says that the clause {said} "
        f"(probability of a violation {probability:.2f})."
    )
