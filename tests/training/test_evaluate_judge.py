"""`inspector evaluate judge`: figures, ablation, picture, and what is written into the card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.known_reader import SHA256, write_known_reader
from support.tiny_judge import write_tiny_judge
from typer.testing import CliRunner

from inspector import images
from inspector.cli import app
from inspector.errors import DataError
from inspector.models.judge import load_judge
from inspector.models.judge_calibration import read_calibration
from inspector.training.evaluate_judge import InCategory, evaluate_judge
from inspector.training.judge_answers import answered, cross_validated, fitted, folds

FIELDS = {
    "schema", "n", "accuracy", "auroc", "ece", "escapes", "overkill", "uncertain", "pass_at",
    "fail_at", "by_category", "ablation",
}  # fmt: skip
PARTS = 45  # two cases each, of which a third of the parts fits


def rows() -> Iterator[dict[str, object]]:
    """Yield two cases for each part: one with a spur, one without; every fifth clause is unread."""
    for part in range(PARTS):
        for violated in (True, False):
            label = "spur" if violated else "open"
            unread = part % 5 == 0
            yield {
                "id": f"{part}{violated}",
                "clause": f"Wording {part} on {'what' if unread else 'spurs'} {violated}.",
                "evidence": {
                    "product": f"board {part}",
                    "defects": [
                        {"label": label, "confidence": 0.9, "width_mm": 0.1 * part, "height_mm": 1}
                    ],
                    "context": {"inspected_on": "2026-11-23"},
                },
                "violated": violated,
                "category": "unread" if unread else "read",
            }


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(map(json.dumps, rows())))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = write_tiny_judge(tmp_path / "tiny")
    (folder / "MODEL_CARD.md").write_text(
        "# Judge\n\n## Calibration\n\nOld words.\n\n## Limits\n\nBy hand.\n"
    )
    return folder


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a reader that reads four clauses of five, and one of those wrongly."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = {
        str(row["clause"]): "no check" if row["category"] == "unread" else "defects(spurs) <= 0"
        for row in rows()
    }
    lines["Wording 1 on spurs True."] = "defects(opens) <= 0"
    return write_known_reader(tmp_path / "reader", tmp_path / "cache", lines)


def evaluate(*arguments: str | Path) -> str:
    command = ["evaluate", "judge", *map(str, arguments), "--threads", "1"]
    return CliRunner().invoke(app, command, catch_exceptions=False).stdout


def test_without_a_reader_the_rows_of_readings_are_absent_and_it_says_why(
    cases: Path, model: Path
) -> None:
    found = json.loads(evaluate("--cases", cases, "--model", model, "--reader", "none", "--json"))
    assert next(iter(found)) == "schema"
    assert set(found) >= FIELDS
    assert (found["n"], found["reader_sha256"]) == (2 * PARTS, None)
    assert found["by_category"]["unread"]["n"] == 18
    assert set(found["ablation"]) == {
        "fused alone", "fused alone, without crops", "commonest answer",
    }  # fmt: skip
    assert found["ablation"]["commonest answer"] == {"accuracy": 0.5}
    assert found["accuracy"] == found["ablation"]["fused alone"]["accuracy"]
    assert found["notes"][0] == "no rows for readings: --reader none"
    assert sum(one["n"] for one in found["bins"]) == 2 * PARTS
    low, high = found["ece_interval"]
    assert low <= high


def test_readings_and_judge_are_measured_apart_and_together(
    cases: Path, model: Path, reader: Path
) -> None:
    found = evaluate_judge(cases, model=str(model), reader=str(reader))
    alone = found.ablation["rules read alone"]
    assert alone.accuracy == pytest.approx((4 * 18 - 1) / 90)  # what is not read is not right
    assert alone.read == pytest.approx(0.8)
    assert alone.accuracy_where_read == pytest.approx(71 / 72)
    assert found.by_category["read"] == InCategory(n=72, correct=71, missed=1)
    assert found.ablation["both"].accuracy == found.accuracy
    assert "both, weights cross-validated" not in found.ablation  # nothing is fitted to measure
    assert found.reader_sha256 == SHA256
    assert "not fitted for this reader" in found.notes[0]


def test_what_was_said_of_each_case_can_be_written(
    tmp_path: Path, cases: Path, model: Path, reader: Path
) -> None:
    out = tmp_path / "answers.jsonl"
    evaluate("--cases", cases, "--model", model, "--reader", reader, "--answers", out)
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one["id"] for one in written] == [row["id"] for row in rows()]
    assert (written[2]["reading"], written[2]["by_reading"]) == ("defects(opens) <= 0", False)
    assert (written[0]["reading"], written[0]["by_reading"]) == (None, None)


def test_with_crops_the_rows_without_them_are_measured_too(
    tmp_path: Path, cases: Path, model: Path
) -> None:
    (tmp_path / "crop.png").write_bytes(images.encode_png(np.full((64, 64, 3), 200, np.uint8)))
    with_crops = [row | {"crops": ["crop.png"]} for row in rows()]
    cases.write_text("\n".join(map(json.dumps, with_crops)))
    asked = answered(cases, model=str(model), reader=None)
    assert asked.has_crops
    assert not any("picture" in note for note in evaluate_judge(cases, model=str(model)).notes)


def test_a_run_can_be_listed_in_the_card_and_drawn(
    tmp_path: Path, cases: Path, model: Path
) -> None:
    out = tmp_path / "reliability.png"
    how = ("--cases", cases, "--model", model, "--reader", "none")
    said = evaluate(*how, "--list-run", "--reliability", out)
    assert "are judged conforming (escapes)" in said
    assert images.read(out).shape[2] == 3
    evaluate(*how, "--list-run")
    card = (model / "MODEL_CARD.md").read_text()
    listed = [line for line in card.splitlines() if "cases.jsonl" in line]
    assert len(listed) == 2
    assert f"`{load_judge(model).sha256[:12]}` | none | cases.jsonl" in listed[0]
    assert "By hand." in card
    evaluate(*how)
    assert (model / "MODEL_CARD.md").read_text() == card


def test_kin_are_in_one_fold_and_a_fit_is_measured_on_others(
    cases: Path, model: Path, reader: Path
) -> None:
    answers = answered(cases, model=str(model), reader=str(reader)).answers
    fold = folds(answers)
    assert all(fold[0::2] == fold[1::2])
    assert set(fold) == {0, 1, 2, 3, 4}
    rule = fitted(answers, 1.0)
    assert rule.reading + rule.sureness > 0
    assert min(rule.reading, rule.sureness, rule.judge, rule.alone) >= 0
    p = cross_validated(answers, 1.0)
    read = np.array([a.by_reading is not None for a in answers])
    assert (p[read] >= 0.5).sum() == 35  # one of 36 is read wrongly


def test_calibration_is_stored_beside_the_weights_and_used_with_that_reader_only(
    cases: Path, model: Path, reader: Path
) -> None:
    how = ("--cases", cases, "--model", model, "--reader", reader)
    targets = ("--target-escape", "0.1", "--target-overkill", "0.2")
    said = evaluate(*how, "--calibrate", *targets)
    assert "What this assumes" in said
    found = read_calibration(str(model))
    assert found is not None
    assert found.together is not None
    assert (found.cases, found.fitted) == (90, 30)
    for promise, target in (
        (found.alone.escape, 0.1),
        (found.alone.overkill, 0.2),
        (found.together.calibrated.escape, 0.1),
        (found.together.calibrated.overkill, 0.2),
    ):
        assert promise.cases == 30
        assert promise.errors + 1 <= promise.bound * 31 + 1e-9
        assert promise.bound <= target == promise.target
        assert promise.bound < promise.at_95
    judge = load_judge(model)
    assert judge.thresholds == found.alone.thresholds
    measured = evaluate_judge(cases, model=str(model), reader=str(reader))
    assert (measured.pass_at, measured.fail_at) == (
        found.together.calibrated.pass_at,
        found.together.calibrated.fail_at,
    )
    assert "was calibrated on these cases" in measured.notes[-1]
    assert measured.ablation["both, weights cross-validated"].accuracy > 0.8
    alone = evaluate_judge(cases, model=str(model))
    assert (alone.pass_at, alone.fail_at) == (found.alone.pass_at, found.alone.fail_at)
    card = (model / "MODEL_CARD.md").read_text()
    assert found.cases_sha256[:12] in card
    assert "Old words" not in card
    assert "By hand." in card
    assert not list(model.glob("*.part"))


def test_calibrating_again_says_the_same(cases: Path, model: Path) -> None:
    how = ("--cases", cases, "--model", model, "--reader", "none", "--calibrate", "--json")
    targets = ("--target-escape", "0.1", "--target-overkill", "0.1")
    first = json.loads(evaluate(*how, *targets))
    assert first["schema"] == "calibrate-judge/1"
    again = json.loads(evaluate(*how, *targets))
    assert again["alone"]["escape"] == first["alone"]["escape"]
    assert again["temperature"] == pytest.approx(first["temperature"], rel=1e-3)


def test_a_target_that_the_cases_cannot_show_is_refused_and_nothing_is_changed(
    cases: Path, model: Path
) -> None:
    before = (model / "model.json").read_text()
    how = ("--cases", cases, "--model", model, "--reader", "none", "--calibrate")
    with pytest.raises(DataError, match="a rate below 1 in 31 would not be shown"):
        evaluate(*how, "--target-escape", "0.01", "--target-overkill", "0.2")
    assert (model / "model.json").read_text() == before


def test_targets_and_calibrate_belong_together(cases: Path, model: Path) -> None:
    for half in (["--calibrate"], ["--target-escape", "0.1"]):
        command = ["evaluate", "judge", "--cases", str(cases), "--model", str(model), *half]
        assert CliRunner().invoke(app, command).exit_code == 2


def test_a_case_without_an_answer_is_named(cases: Path, model: Path) -> None:
    cases.write_text("\n".join(json.dumps(row | {"violated": None}) for row in rows()))
    with pytest.raises(DataError, match="missing for 0True, 0False"):
        evaluate_judge(cases, model=str(model))


@pytest.mark.parametrize(("label", "violated"), [("spur", True), ("open", False)])
def test_the_shipped_judge_is_measured_on_what_any_judge_must_know(
    tmp_path: Path, label: str, violated: bool
) -> None:
    defect = {"label": label, "confidence": 0.9, "width_mm": 0.4, "height_mm": 0.2}
    evidence = {
        "product": "printed circuit board",
        "defects": [defect],
        "context": {"inspected_on": "2026-11-23"},
    }
    case = {"id": "1", "clause": "No spurs are allowed.", "evidence": evidence}
    (tmp_path / "cases.jsonl").write_text(json.dumps(case | {"violated": violated}))
    found = evaluate_judge(tmp_path / "cases.jsonl", threads=1)
    assert (found.accuracy, found.auroc) == (1.0, None)
