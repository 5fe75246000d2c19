"""Measure a judge on cases with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inspector.cases import JudgeCase, read_cases
from inspector.errors import DataError
from inspector.models.judge import FusedJudge, load_judge
from inspector.training import calibrate


def evaluate_judge(cases: Path, *, model: str = "judge") -> dict[str, Any]:
    """Return accuracy by category, AUROC, calibration, and errors at the judge's thresholds.

    Rates are 0–1; escapes, overkill and uncertain are numbers of cases. Raises `DataError` where
    a case has no known answer.
    """
    given = read_cases(cases)
    _expect_answers(given, cases)
    judge = load_judge(model)
    violated = np.array([bool(case.violated) for case in given])
    p = np.array([_probability(judge, case) for case in given])
    right = (p >= 0.5) == violated
    limits = judge.thresholds
    categories = [case.category or "(none)" for case in given]
    by_category: dict[str, dict[str, int]] = {}
    for category, is_right in zip(categories, right, strict=True):
        row = by_category.setdefault(category, {"n": 0, "correct": 0})
        row["n"] += 1
        row["correct"] += int(is_right)
    commonest = max(float(violated.mean()), float((~violated).mean()))
    return {
        "schema": "evaluate-judge/1",
        "n": len(given),
        "accuracy": float(right.mean()),
        "auroc": calibrate.auroc(p, violated),
        "ece": calibrate.expected_calibration_error(p, violated),
        "escapes": int((violated & (p <= limits.pass_at)).sum()),
        "overkill": int((~violated & (p >= limits.fail_at)).sum()),
        "uncertain": int(((p > limits.pass_at) & (p < limits.fail_at)).sum()),
        "pass_at": limits.pass_at,
        "fail_at": limits.fail_at,
        "by_category": dict(sorted(by_category.items())),
        "ablation": {
            "fused": {"accuracy": float(right.mean())},
            "commonest answer": {"accuracy": commonest},
        },
        "model_sha256": judge.sha256,
    }


def _probability(judge: FusedJudge, case: JudgeCase) -> float:
    return judge.violation_probabilities(case.evidence, case.clauses)[0]


def _expect_answers(cases: Sequence[JudgeCase], path: Path) -> None:
    if not cases:
        raise DataError(f"{path}: expected at least one case, found none")
    unknown = [case.id for case in cases if case.violated is None or case.several]
    if unknown:
        raise DataError(
            f"{path}: expected one clause and 'violated' for each case, missing for "
            f"{', '.join(unknown[:10])}"
        )
