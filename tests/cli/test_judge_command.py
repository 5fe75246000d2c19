"""`inspector judge` on case files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from inspector.cli.judge import run_judge

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_judge import write_tiny_judge

EVIDENCE = {
    "product": "board",
    "defects": [{"label": "spur", "confidence": 0.9, "width_mm": 0.4, "height_mm": 0.2}],
    "context": {"inspected_on": "2026-11-23"},
}
FIELDS = {
    "id", "violated", "outcome", "violation_probability", "decided_by", "statement", "reading",
    "evidence",
}  # fmt: skip


def test_each_case_is_one_json_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_tiny_judge(tmp_path / "tiny")
    clauses = [{"id": "C1", "text": "No spurs."}, {"id": "C2", "text": "No opens."}]
    cases = tmp_path / "cases.jsonl"
    cases.write_text(
        json.dumps({"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE})
        + "\n"
        + json.dumps({"id": "J2", "clauses": clauses, "evidence": EVIDENCE})
    )
    assert run_judge(cases, model=str(model), as_json=True) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert next(iter(first)) == "schema"
    assert set(first) == FIELDS | {"schema"}
    assert first["outcome"] in {"conforms", "violated", "uncertain"}
    assert first["violated"] is (first["violation_probability"] >= 0.5)
    assert first["evidence"] == [{"kind": "defect", "index": 0}]
    assert [clause["id"] for clause in second["clauses"]] == ["C1", "C2"]
    assert all(set(clause) == FIELDS for clause in second["clauses"])


def test_people_get_one_sentence_a_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_tiny_judge(tmp_path / "tiny")
    cases = tmp_path / "cases.jsonl"
    cases.write_text(json.dumps({"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE}))
    run_judge(cases, model=str(model), as_json=False)
    assert "With 1 spur found, the judge says" in capsys.readouterr().out
