"""Case files of the judge."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inspector import images
from inspector.cases import read_cases
from inspector.errors import CaseError

EVIDENCE = {
    "product": "board",
    "defects": [
        {"label": "spur", "confidence": 0.9, "width_mm": 0.4, "height_mm": 0.2, "zone": None}
    ],
    "texts": [{"text": "LOT A1", "confidence": 0.9, "field": "lot"}],
    "codes": [{"symbology": "EAN-13", "text": "4006381333931"}],
    "context": {"inspected_on": "2026-11-23", "expected": {"lot": "A1"}},
}


def written(folder: Path, *cases: object) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(c if isinstance(c, str) else json.dumps(c) for c in cases))
    return path


def test_a_case_becomes_evidence_with_its_facts(tmp_path: Path) -> None:
    case = {"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE, "violated": True, "note": "n"}
    (found,) = read_cases(written(tmp_path, case, ""))
    assert found.evidence.defects[0].longest_mm == 0.4
    assert "in print equals ordered lot" in found.evidence.facts
    assert found.violated
    assert not found.several


def test_a_case_may_ask_several_clauses_and_bring_crops(tmp_path: Path) -> None:
    (tmp_path / "spur.png").write_bytes(images.encode_png(np.zeros((20, 30, 3), np.uint8)))
    clauses = [{"id": "C1", "text": "No spurs."}, {"id": "C2", "text": "No opens."}]
    case = {"id": "J1", "clauses": clauses, "evidence": EVIDENCE, "crops": ["spur.png"]}
    (found,) = read_cases(written(tmp_path, case))
    assert [clause.id for clause in found.clauses] == ["C1", "C2"]
    assert found.several
    assert found.evidence.crops_bgr[0] is not None


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("{", "expected a JSON object"),
        ({"id": "J1", "evidence": EVIDENCE}, "either 'clause' or 'clauses'"),
        ({"id": "J1", "clause": "No spurs.", "evidence": {}}, "evidence.product"),
        ({"id": "J1", "clause": "No", "evidence": EVIDENCE}, "clause"),
        ({"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE, "colour": 1}, "colour"),
        (
            {"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE, "crops": [None, None]},
            "crop or null for each of 1",
        ),
        ('{"id": "J1", "clause": "No spurs.", "evidence": NaN}', "evidence"),
    ],
)
def test_a_malformed_case_is_named_with_its_line(tmp_path: Path, case: object, said: str) -> None:
    with pytest.raises(CaseError, match=r"cases\.jsonl:2: ") as caught:
        read_cases(written(tmp_path, {"id": "J0", "clause": "Fine.", "evidence": EVIDENCE}, case))
    assert said in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"nowhere\.jsonl"):
        read_cases(tmp_path / "nowhere.jsonl")
