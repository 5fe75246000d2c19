"""One frame through the recipe, with hand-written models."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from inspector import images
from inspector.decision import Thresholds
from inspector.domain import (
    Box,
    Clause,
    Code,
    CodeCheck,
    Context,
    Decision,
    DefectCheck,
    Detection,
    Frame,
    Reason,
    Standard,
    TextCheck,
    TextLine,
)
from inspector.errors import ModelError
from inspector.pipeline import Inspector, Models, inside
from inspector.settings import Recipe, RecipeSettings

BOX = Box(x0=10, y0=20, x1=34, y1=32)


class OneDefect:
    labels = ("spur",)
    sha256 = "d" * 64
    needs_reference = False

    def __init__(self, confidence=0.9):
        self.confidence = confidence

    def detect(self, bgr, *, reference_bgr, report_at, iou):
        return (Detection(label="spur", confidence=self.confidence, box=BOX),)


class BrokenDetector(OneDefect):
    def detect(self, bgr, *, reference_bgr, report_at, iou):
        raise ModelError("out of memory")


class Prints:
    def __init__(self, *texts):
        self.texts = texts

    def read(self, bgr):
        return tuple(TextLine(text=t, confidence=0.9, box=BOX) for t in self.texts)


class Codes:
    def decode(self, bgr):
        return (Code(symbology="EAN-13", text="4006381333931", box=BOX),)


class ConstantJudge:
    name = "constant"
    sha256 = "e" * 64
    thresholds = Thresholds(pass_at=0.2, fail_at=0.8)

    def __init__(self, probability=0.0):
        self.probability = probability

    def violation_probabilities(self, evidence, clauses):
        if self.probability is None:
            raise ModelError("no judgement")
        return (self.probability,) * len(clauses)


def recipe(*clauses, **settings):
    return Recipe(
        name="r",
        rev="0",
        settings=RecipeSettings.model_validate(
            {"product": "part", "standard": "s", "judge": "j", **settings}
        ),
        standard=Standard(name="s", title="S", rev="0", clauses=clauses),
    )


NO_SPUR_IN_RIM = Clause(id="C1", text="No spur.", check=DefectCheck(labels=("spur",), inside="rim"))
WITH_DETECTOR = {
    "detector": {"model": "d"},
    "px_per_mm": 48,
    "zones": [{"name": "rim", "polygon": [[0, 0], [64, 0], [64, 30], [0, 30]]}],
}


def assess(wanted, *, detector=None, judge=None, reader=None, view=None, expected=None, size=64):
    inspector = Inspector(
        Models(
            detectors={"d": detector or OneDefect()},
            judges={"j": judge or ConstantJudge()},
            text_reader=reader,
            code_reader=Codes(),
        )
    )
    frame = Frame(
        camera_id="c",
        seq=0,
        captured_at=datetime.now(UTC),
        captured_ns=0,
        bgr=np.full((size, size, 3), 200, np.uint8),
    )
    context = Context(inspected_on=date(2026, 11, 23), expected=expected or {})
    return inspector.inspect(frame, recipe=wanted, view=view, context=context)


def test_a_defect_gets_its_size_and_zone_and_fails_the_clause():
    found = assess(recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR))
    defect = found.findings.detections[0]
    assert (defect.width_mm, defect.height_mm, defect.zone) == (0.5, 0.25, "rim")
    assert (found.verdict.decision, found.verdict.reason) == (Decision.FAIL, Reason.RULE_VIOLATED)
    assert found.verdict.clause_ids == ("C1",)
    assert found.provenance.detector_sha256 == "d" * 64
    assert found.provenance.judge_sha256 == "e" * 64


def test_a_detection_that_is_not_sure_holds_the_part():
    found = assess(recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR), detector=OneDefect(confidence=0.3))
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.UNCERTAIN)


def test_a_failed_detector_holds_the_part():
    found = assess(recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR), detector=BrokenDetector())
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.MODEL_FAILED)
    assert "out of memory" in found.verdict.detail


def test_a_failed_judge_holds_a_part_that_keeps_its_rules():
    clause = Clause(id="C1", text="A code.", check=CodeCheck())
    found = assess(recipe(clause, read_codes=True), judge=ConstantJudge(None))
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.MODEL_FAILED)


def test_a_frame_of_the_wrong_size_is_held():
    found = assess(recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR, frame_size_px=[640, 480]))
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.BAD_FRAME)
    assert "expected a frame of 640 × 480 px, found 64 × 64" in found.verdict.detail


@pytest.mark.parametrize("view", [None, "absent", "../secret", "", "a" * 33])
def test_no_reference_for_the_view_is_held(tmp_path, view):
    (tmp_path.parent / "secret.png").write_bytes(b"")
    wanted = recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR, reference=str(tmp_path))
    found = assess(wanted, view=view)
    assert found.verdict.decision is Decision.HOLD
    assert found.verdict.reason is Reason.REFERENCE_MISSING


def test_the_reference_of_the_view_is_used(tmp_path: Path):
    golden = np.zeros((64, 64, 3), np.uint8)
    (tmp_path / "top.png").write_bytes(images.encode_png(golden))
    seen = []

    class Watching(OneDefect):
        def detect(self, bgr, *, reference_bgr, report_at, iou):
            seen.append(reference_bgr)
            return ()

    wanted = recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR, reference=str(tmp_path))
    found = assess(wanted, detector=Watching(), view="top")
    assert found.verdict.decision is Decision.PASS
    assert seen[0].shape == (64, 64, 3)
    assert not seen[0].any()


def test_printed_lines_are_matched_to_fields_and_compared_with_the_order():
    lot = Clause(id="C1", text="Lot as ordered.", check=TextCheck(field="lot", equals="lot"))
    code = Clause(id="C2", text="Code as ordered.", check=CodeCheck(equals="gtin"))
    wanted = recipe(
        lot,
        code,
        read_text=True,
        read_codes=True,
        text_fields=[{"field": "lot", "pattern": r"LOT:?\s*(\w+)"}],
    )
    order = {"lot": "A231", "gtin": "4006381333931"}
    reader = Prints("BEST BEFORE", "LOT: A231")
    assert assess(wanted, reader=reader, expected=order).verdict.decision is Decision.PASS
    other = assess(wanted, reader=reader, expected={**order, "lot": "A232"})
    assert other.verdict.clause_ids == ("C1",)
    unread = assess(wanted, reader=Prints(), expected=order)
    assert unread.verdict.reason is Reason.TEXT_UNREADABLE


def test_a_point_lies_in_a_polygon_by_the_even_odd_rule():
    corner = ((0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (0, 4))
    assert inside((0.5, 3), corner)
    assert inside((3, 0.5), corner)
    assert not inside((3, 3), corner)


def test_a_line_that_holds_two_fields_is_judged_as_both():
    forbidden = Clause(id="C1", text="Not void.", check=TextCheck(field="mark", forbidden=True))
    wanted = recipe(
        forbidden,
        read_text=True,
        text_fields=[
            {"field": "number", "pattern": r"\d{6,}"},
            {"field": "mark", "pattern": "(?i)void( again)?"},
        ],
    )
    found = assess(wanted, reader=Prints("4006381333931 VOID"))
    assert (found.verdict.decision, found.verdict.reason) == (Decision.FAIL, Reason.RULE_VIOLATED)
    assert [(t.field, t.text) for t in found.findings.text_lines] == [
        ("number", "4006381333931"),
        ("mark", "VOID"),
    ]


def test_a_recipe_whose_reader_is_not_loaded_is_held():
    forbidden = Clause(id="C1", text="Not void.", check=TextCheck(field="mark", forbidden=True))
    wanted = recipe(forbidden, read_text=True, text_fields=[{"field": "mark", "pattern": "void"}])
    found = assess(wanted, reader=None)
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.MODEL_FAILED)


def test_a_reference_of_another_size_is_held_even_where_no_detector_looks(tmp_path: Path):
    (tmp_path / "top.png").write_bytes(images.encode_png(np.zeros((32, 32, 3), np.uint8)))
    clause = Clause(id="C1", text="A code.", check=CodeCheck())
    wanted = recipe(clause, read_codes=True, reference=str(tmp_path / "top.png"))
    found = assess(wanted)
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.BAD_FRAME)


def test_a_pattern_that_never_ends_holds_the_part():
    clause = Clause(id="C1", text="Lot.", check=TextCheck(field="lot"))
    fields = [{"field": "lot", "pattern": r"(a|aa)+$"}]
    wanted = recipe(clause, read_text=True, text_fields=fields)
    found = assess(wanted, reader=Prints("a" * 60 + "b"))
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.MODEL_FAILED)
    assert "simplify the pattern" in found.verdict.detail


def test_the_detail_says_why_the_judge_failed():
    clause = Clause(id="C1", text="A code.", check=CodeCheck())
    found = assess(recipe(clause, read_codes=True), judge=ConstantJudge(None))
    assert "no judgement" in found.verdict.detail
