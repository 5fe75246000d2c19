"""The shipped truth follows from the committed annotations, and none of it is a close call."""

import ast
import json
from collections import Counter
from pathlib import Path

import cv2
import make_truth
import pytest

SAMPLES = Path(__file__).parents[2] / "inspector/assets/samples"
PARTS = make_truth.read_parts()
ANNOTATIONS = {row["source"]: row for row in make_truth.read_annotations()}
BOARDS = [part for part in PARTS if part["recipe"] == "pcb"]


def shipped(name):
    return [json.loads(line) for line in (SAMPLES / name).read_text().splitlines()]


def board_id(part):
    return part["part_id"]


def test_the_shipped_truth_is_what_the_annotations_say():
    assert shipped("truth.jsonl") == make_truth.truths(PARTS, list(ANNOTATIONS.values()))


def test_the_shipped_demo_lists_the_parts_and_nothing_of_their_truth():
    assert shipped("demo.jsonl") == [make_truth.demo_line(part) for part in PARTS]


def test_the_truth_is_made_without_the_product():
    tree = ast.parse(Path(make_truth.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"inspector", "edge", "dashboard"}


@pytest.mark.parametrize("part", BOARDS, ids=board_id)
def test_no_board_is_a_close_call(part):
    assert list(make_truth.thin_margins(part, ANNOTATIONS[part["source"]])) == []


def test_boards_were_cut_out_before_training():
    splits = SAMPLES.parent / "splits/deeppcb.json"
    cut_out = set(json.loads(splits.read_text())["demo"])
    assert {part["source"] for part in BOARDS} <= cut_out


@pytest.mark.parametrize("part", BOARDS, ids=board_id)
def test_the_template_lies_over_the_defects_that_went_and_not_over_those_that_stayed(part):
    board = cv2.imread(str(SAMPLES / "pictures" / f"{part['part_id']}.png"), cv2.IMREAD_GRAYSCALE)
    template = cv2.imread(
        str(SAMPLES / "templates" / f"{part['source']}.png"), cv2.IMREAD_GRAYSCALE
    )
    assert board.shape == template.shape == (640, 640)
    for index, (x0, y0, x1, y1, _) in enumerate(ANNOTATIONS[part["source"]]["defects"]):
        same = board[y0:y1, x0:x1] == template[y0:y1, x0:x1]
        assert same.all() == (index not in part["keep"])


def test_every_kind_of_decision_and_of_clause_occurs():
    truth = shipped("truth.jsonl")
    decided = Counter(row["decision"] for row in truth)
    tolerated = [
        part
        for part, row in zip(PARTS, truth, strict=True)
        if part["recipe"] == "pcb" and part["keep"] and row["decision"] == "PASS"
    ]
    unreadable = [
        part
        for part, row in zip(PARTS, truth, strict=True)
        if ANNOTATIONS[part["source"]].get("unreadable_barcode") and row["decision"] == "HOLD"
    ]
    violated = {
        clause for row in truth if row["decision"] == "FAIL" for clause in row["clause_ids"]
    }
    assert decided["PASS"] >= 16
    assert decided["FAIL"] >= 16
    assert len(tolerated) >= 8
    assert len(unreadable) >= 2
    assert sum(bool(row["hangs_on"]) for row in truth) >= 6
    assert violated >= {f"B{n}" for n in range(1, 14)} | {"L2", "L4", "L5", "L6", "K2"}


def test_the_samples_stay_small():
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 4 * 2**20
