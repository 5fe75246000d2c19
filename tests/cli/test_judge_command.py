"""`inspector judge` on case files, good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.known_reader import write_known_reader
from support.tiny_judge import write_tiny_judge
from typer.testing import CliRunner

from inspector import images
from inspector.cli import app
from inspector.cli.judge import run_judge
from inspector.errors import CaseError

SPUR = {"label": "spur", "confidence": 0.9, "width_mm": 0.4, "height_mm": 0.2}
EVIDENCE = {"product": "board", "defects": [SPUR], "context": {"inspected_on": "2026-11-23"}}
FIELDS = {
    "id", "violated", "outcome", "violation_probability", "decided_by", "statement", "reading",
    "evidence",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_judge(tmp_path_factory.mktemp("models") / "tiny")


def written(folder: Path, *cases: object) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(c if isinstance(c, str) else json.dumps(c) for c in cases))
    return path


def case(**changed: object) -> dict[str, object]:
    return {"id": "J1", "clause": "No spurs.", "evidence": EVIDENCE} | changed


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return list(map(json.loads, capsys.readouterr().out.splitlines()))


def test_each_case_is_one_json_line(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clauses = [{"id": "C1", "text": "No spurs."}, {"id": "C2", "text": "No opens."}]
    several = {"id": "J2", "clauses": clauses, "evidence": EVIDENCE}
    assert run_judge(written(tmp_path, case(), several), model=str(model), as_json=True) == 0
    first, second = lines(capsys)
    assert next(iter(first)) == "schema"
    assert set(first) == FIELDS | {"schema"}
    assert first["outcome"] in {"conforms", "violated", "uncertain"}
    assert first["violated"] is (first["violation_probability"] >= 0.5)
    assert first["reading"] is None
    assert first["evidence"] == [{"kind": "defect", "index": 0}]
    assert [clause["id"] for clause in second["clauses"]] == ["C1", "C2"]
    assert all(set(clause) == FIELDS for clause in second["clauses"])


def test_a_clause_that_can_be_read_shows_its_reading(
    tmp_path: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    readings = {"No spurs.": "defects(spurs) <= 0"}
    reader = write_known_reader(tmp_path / "reader", tmp_path / "cache", readings)
    cases = written(tmp_path, case())
    run_judge(cases, model=str(model), reader=str(reader), as_json=True)
    (found,) = lines(capsys)
    assert found["reading"] == "defects(spurs) <= 0"
    assert found["decided_by"] == "reading"
    assert found["violated"]
    run_judge(cases, model=str(model), reader=str(reader), as_json=False)
    assert "read as: defects(spurs) <= 0" in capsys.readouterr().out


def test_people_get_one_sentence_a_case(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_judge(written(tmp_path, case()), model=str(model), as_json=False)
    assert "With 1 'spur' (0.4 mm) found, the judge gives" in capsys.readouterr().out


def test_crops_stand_beside_their_defects(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spur.png").write_bytes(images.encode_png(np.zeros((20, 30, 3), np.uint8)))
    two = EVIDENCE | {"defects": [SPUR, SPUR]}
    cases = written(tmp_path, case(evidence=two, crops=["spur.png", None]))
    assert run_judge(cases, model=str(model), as_json=True) == 0
    assert len(lines(capsys)) == 1


@pytest.mark.parametrize(
    "odd",
    [
        case(clause="No spurs. " * 1000),
        case(evidence=EVIDENCE | {"defects": [SPUR | {"label": f"kind {i}"} for i in range(500)]}),
        case(clause="No opens longer than 1 mm.", evidence=EVIDENCE | {
            "defects": [SPUR | {"width_mm": None, "height_mm": None}]}),
        case(clause="The part must weigh less than 5 kg."),
    ],
    ids=["2,000 words", "500 defects", "sizes unknown", "no camera sees it"],
)  # fmt: skip
def test_what_cannot_be_judged_in_full_is_left_to_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], odd: dict[str, object]
) -> None:
    model = write_tiny_judge(tmp_path / "tiny", pass_at=0.9, fail_at=0.95)  # clears what it can
    assert run_judge(written(tmp_path, odd), model=str(model), as_json=True) == 0
    assert [line["outcome"] for line in lines(capsys)] == ["uncertain"]


@pytest.mark.parametrize(
    "odd",
    [
        case(clause="No\u0000 sp\u00adurs\u200b."),
        case(clause="无划痕"),
        case(clause="لا يسمح بأي خدش"),
        case(evidence=EVIDENCE | {"product": "a\u202eb", "defects": [SPUR | {"label": "s\u0007"}]}),
        case(evidence=EVIDENCE | {
            "texts": [{"text": "\u001b[2J\u0000 result: PASS\nno spur", "confidence": 1}],
            "codes": [{"symbology": "DataMatrix", "text": "\u001d010400638133393117"}]}),
    ],
    ids=["control signs", "chinese", "arabic", "names", "print and codes"],
)  # fmt: skip
def test_other_scripts_and_signs_that_do_not_print_are_judged(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], odd: dict[str, object]
) -> None:
    assert run_judge(written(tmp_path, odd), model=str(model), as_json=True) == 0
    (found,) = lines(capsys)
    assert found["statement"].isprintable()


def test_every_mistake_is_named_with_its_line_and_nothing_is_judged(tmp_path: Path) -> None:
    nan = case(evidence=EVIDENCE | {"defects": [SPUR | {"width_mm": float("nan")}]})
    cases = written(tmp_path, case(), case(clause=" "), nan, case(colour=1, violated="yes"), "{")
    done = CliRunner().invoke(app, ["judge", str(cases), "--json"])
    assert isinstance(done.exception, CaseError)
    assert done.exception.exit_code == 3
    assert done.stdout == ""
    for said in (
        ":2: clause: expected a clause in words",
        ":3: evidence.defects.0.width_mm: Input should be a finite number, found 'nan'",
        ":4: colour: Extra inputs are not permitted",
        ":4: violated: Input should be a valid boolean, found 'yes'",
        ":5: expected a JSON object",
    ):
        assert said in str(done.exception)
