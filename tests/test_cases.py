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

CLAUSE = {"id": "C1", "text": "No spurs."}


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
        ({"id": "J1", "clause": "?! -", "evidence": EVIDENCE}, "expected a clause in words"),
        ({"id": " \u0000", "clause": "No spurs.", "evidence": EVIDENCE}, "expected a name"),
        ({"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE, "colour": 1}, "colour"),
        (
            {"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE, "crops": [None, None]},
            "crop or null for each of 1",
        ),
        (
            {"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE, "crops": ["nowhere.png"]},
            "crops.0: ",
        ),
        (
            {"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE, "violated": 1},
            "violated: Input should be a valid boolean",
        ),
        ({"id": "J1", "clauses": [CLAUSE, CLAUSE], "evidence": EVIDENCE}, "each id of 'clauses'"),
        ('{"id": "J1", "clause": "No spurs.", "evidence": NaN}', "evidence"),
        ('{"id": "J1", "id": "J2"}', "each key once, found 'id'"),
        ('{"id": "\\ud800"}', "Invalid JSON"),
        ("[" * 100_000, "lists within lists"),
        ("9" * 5000, "expected a JSON object"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_malformed_case_is_named_with_its_line(tmp_path: Path, case: object, said: str) -> None:
    with pytest.raises(CaseError, match=r"cases\.jsonl:2: ") as caught:
        read_cases(written(tmp_path, {"id": "J0", "clause": "Fine.", "evidence": EVIDENCE}, case))
    assert said in str(caught.value)


@pytest.mark.parametrize("key", ["width_mm", "height_mm", "confidence"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, "0.3", True, 1e9])
def test_a_size_that_is_no_size_is_named(tmp_path: Path, key: str, value: object) -> None:
    defect = {"label": "spur", "confidence": 0.9, key: value}
    case = {"id": "J1", "clause": "No spurs.", "evidence": {**EVIDENCE, "defects": [defect]}}
    with pytest.raises(CaseError, match=rf"cases\.jsonl:1: evidence\.defects\.0\.{key}: "):
        read_cases(written(tmp_path, case))


def test_signs_that_do_not_print_are_taken_out_of_clauses_and_names(tmp_path: Path) -> None:
    defect = {"label": "so\u00adlder\u0007bridge", "confidence": 0.9, "zone": " "}
    evidence = {**EVIDENCE, "defects": [defect]}
    case = {"id": "J1", "clause": "\ufeffNo sp\u200burs\u00a0here.\n", "evidence": evidence}
    (found,) = read_cases(written(tmp_path, case))
    assert found.clauses[0].text == "No spurs here."
    assert found.evidence.defects[0].label == "solder bridge"
    assert found.evidence.defects[0].zone is None


def test_a_byte_order_mark_and_line_ends_of_windows_are_no_mistakes(tmp_path: Path) -> None:
    case = json.dumps({"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE})
    path = tmp_path / "cases.jsonl"
    path.write_bytes(f"\ufeff{case}\r\n\r\n".encode())
    assert len(read_cases(path)) == 1


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe{"])
def test_a_file_without_cases_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cases.jsonl").write_bytes(content)
    with pytest.raises(CaseError, match=r"cases\.jsonl: expected"):
        read_cases(tmp_path / "cases.jsonl")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"nowhere\.jsonl"):
        read_cases(tmp_path / "nowhere.jsonl")
