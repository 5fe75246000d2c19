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
from inspector.pipeline import Inspector, Models, inside, measured
from inspector.reading import from_line
from inspector.settings import Recipe, RecipeSettings, load_recipe

SAMPLES = Path(__file__).parent.parent / "inspector" / "assets" / "samples"
GREY = np.full((64, 64, 3), 200, np.uint8)
BOX = Box(x0=10, y0=20, x1=34, y1=32)


class OneDefect:
    labels = ("spur",)
    sha256 = "d" * 64
    needs_reference = False
    sure_at = 0.5

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


def assess(wanted, *, detector=None, judge=None, reader=None, view=None, expected=None, bgr=None):
    inspector = inspector_with(detector=detector, judge=judge, reader=reader)
    return inspect(inspector, wanted, GREY if bgr is None else bgr, view=view, expected=expected)


def inspector_with(*, detector=None, judge=None, reader=None):
    return Inspector(
        Models(
            detectors={"d": detector or OneDefect()},
            judges={"j": judge or ConstantJudge()},
            text_reader=reader,
            code_reader=Codes(),
        )
    )


def inspect(inspector, wanted, bgr, *, view=None, expected=None):
    frame = Frame(
        camera_id="c",
        seq=0,
        captured_at=datetime.now(UTC),
        captured_ns=0,
        bgr=bgr,
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


class CountingJudge(ConstantJudge):
    """Calls a part violated by each defect that was found, sure or not."""

    def violation_probabilities(self, evidence, clauses):
        return (0.99 if evidence.defects else 0.01,) * len(clauses)


@pytest.mark.parametrize(
    ("judge", "confidence", "decision", "reason"),
    [
        (CountingJudge(), 0.3, Decision.HOLD, Reason.UNCERTAIN),
        (CountingJudge(), 0.9, Decision.FAIL, Reason.JUDGED_BAD),
        (ConstantJudge(0.99), 0.3, Decision.FAIL, Reason.JUDGED_BAD),  # violated without it, too
    ],
)
def test_the_judge_fails_no_part_for_a_detection_that_is_not_sure(
    judge, confidence, decision, reason
):
    clause = Clause(id="C1", text="No spur.")
    found = assess(
        recipe(clause, **WITH_DETECTOR), detector=OneDefect(confidence=confidence), judge=judge
    )
    assert (found.verdict.decision, found.verdict.reason) == (decision, reason)


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


def board(*, seed=0, size=128):
    """Return a board of black and white rectangles."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((size, size, 3), np.uint8)
    for _ in range(12):
        x, y = rng.integers(4, size - 30, 2)
        width, height = rng.integers(6, 26, 2)
        picture[y : y + height, x : x + width] = 255
    return picture


def shifted(picture, *, dx, dy):
    rows = np.clip(np.arange(len(picture)) - dy, 0, len(picture) - 1)
    columns = np.clip(np.arange(picture.shape[1]) - dx, 0, picture.shape[1] - 1)
    return picture[rows][:, columns]


class Watching(OneDefect):
    def __init__(self):
        super().__init__()
        self.seen = []

    def detect(self, bgr, *, reference_bgr, report_at, iou):
        self.seen.append(reference_bgr)
        return ()


@pytest.fixture
def golden(tmp_path: Path):
    (tmp_path / "top.png").write_bytes(images.encode_png(board()))
    return recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR, reference=str(tmp_path))


def test_the_reference_of_the_view_is_used(golden):
    watching = Watching()
    found = assess(golden, detector=watching, view="top", bgr=board())
    assert found.verdict.decision is Decision.PASS
    assert np.array_equal(watching.seen[0], board())


def test_the_detector_gets_the_reference_as_it_lies_under_the_frame(golden):
    watching = Watching()
    frame = shifted(board(), dx=5, dy=-3)
    found = assess(golden, detector=watching, view="top", bgr=frame)
    assert found.verdict.decision is Decision.PASS
    inner = (slice(8, -8), slice(8, -8))
    assert float((watching.seen[0][inner] != frame[inner]).mean()) < 0.01
    assert set(np.unique(watching.seen[0])) == {0, 255}


def test_the_picture_is_judged_with_the_reference_that_lies_under_it(golden):
    crops = []

    class Looking(ConstantJudge):
        def violation_probabilities(self, evidence, clauses):
            crops.extend(evidence.crops_bgr)
            return super().violation_probabilities(evidence, clauses)

    frame = shifted(board(), dx=6, dy=4)
    assess(golden, detector=OneDefect(), judge=Looking(), view="top", bgr=frame)
    # blue shows the frame, green the reference, red their difference
    assert float((crops[0][:, :, 2] > 127).mean()) < 0.03


@pytest.mark.parametrize(
    ("frame", "detail"),
    [
        (board(seed=1), "agreement"),
        (np.zeros((128, 128, 3), np.uint8), "found an all-black one"),
        (np.full((128, 128, 3), 90, np.uint8), "expected a picture with structure"),
        (board()[:100], "expected a reference of the frame's size 128 × 100 px, found 128 × 128"),
        (shifted(board(), dx=23, dy=0), "shifted by 23.0 px"),
    ],
    ids=["another board", "black", "even", "another size", "shifted too far"],
)
def test_a_frame_that_does_not_lie_on_its_reference_is_held(golden, frame, detail):
    watching = Watching()
    found = assess(golden, detector=watching, view="top", bgr=frame)
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.BAD_FRAME)
    assert detail in found.verdict.detail
    assert "\n" not in found.verdict.detail
    assert not watching.seen


def test_the_tolerance_of_the_recipe_is_kept(tmp_path: Path):
    (tmp_path / "top.png").write_bytes(images.encode_png(board()))
    wanted = recipe(
        NO_SPUR_IN_RIM,
        **WITH_DETECTOR,
        reference=str(tmp_path / "top.png"),
        registration={"max_shift_px": 2},
    )
    found = assess(wanted, detector=Watching(), bgr=shifted(board(), dx=4, dy=0))
    assert found.verdict.reason is Reason.BAD_FRAME
    assert "within 2 px" in found.verdict.detail


def test_a_tolerance_without_a_reference_is_a_mistake():
    with pytest.raises(ValueError, match="expected a reference where there is registration"):
        recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR, registration={"max_shift_px": 2})


def test_an_even_golden_picture_holds_the_part_and_names_its_file(tmp_path: Path):
    (tmp_path / "top.png").write_bytes(images.encode_png(np.zeros_like(board())))
    wanted = recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR, reference=str(tmp_path))
    found = assess(wanted, view="top", bgr=board())
    assert found.verdict.decision is Decision.HOLD
    assert found.verdict.reason is Reason.REFERENCE_MISSING
    assert "top.png: expected a golden picture with structure" in found.verdict.detail


def test_many_views_are_inspected_in_turn(tmp_path: Path):
    names = [f"v{seed}" for seed in range(20)]
    for seed, name in enumerate(names):
        (tmp_path / f"{name}.png").write_bytes(images.encode_png(board(seed=seed)))
    wanted = recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR, reference=str(tmp_path))
    inspector = inspector_with(detector=Watching())
    for seed, name in [*enumerate(names), (0, "v0")]:
        found = inspect(inspector, wanted, board(seed=seed), view=name)
        assert found.verdict.decision is Decision.PASS, found.verdict.detail


def test_a_shifted_board_still_gets_its_defects_found():
    from inspector.models.detector import load_detector

    shipped = load_recipe("pcb")
    detector = load_detector(shipped.settings.detector.model, threads=1)
    inspector = Inspector(
        Models(
            detectors={shipped.settings.detector.model: detector},
            judges={shipped.settings.judge: ConstantJudge()},
        )
    )
    straight = images.read(SAMPLES / "pictures" / "PCB-02.png")
    found, found_shifted = (
        inspect(inspector, shipped, bgr, view="92000034").findings.detections
        for bgr in (straight, shifted(straight, dx=11, dy=-7))
    )
    assert found
    for defect in found:
        x, y = defect.box.centre
        assert any(
            other.label == defect.label
            and abs(other.box.centre[0] - x - 11) < 4
            and abs(other.box.centre[1] - y + 7) < 4
            for other in found_shifted
        )


@pytest.mark.parametrize(
    ("box", "zone"),
    [
        (Box(x0=10, y0=10, x1=34, y1=22), "rim"),
        (Box(x0=10, y0=25, x1=34, y1=41), None),
        (Box(x0=10, y0=13, x1=34, y1=45), "rim"),
        (Box(x0=60, y0=10, x1=90, y1=20), None),
    ],
    ids=["inside", "centre below", "centre on this side", "centre beside"],
)
def test_a_defect_lies_in_the_zone_that_its_centre_lies_in(box, zone):
    settings = recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR).settings
    found = measured(Detection(label="spur", confidence=0.9, box=box), settings)
    assert found.zone == zone
    assert found.width_mm == pytest.approx(box.width / 48, abs=5e-4)
    assert found.height_mm == pytest.approx(box.height / 48, abs=5e-4)


def test_a_recipe_without_scale_or_zones_gives_neither_size_nor_zone():
    settings = recipe(NO_SPUR_IN_RIM, detector={"model": "d"}).settings
    found = measured(Detection(label="spur", confidence=0.9, box=BOX), settings)
    assert (found.width_mm, found.height_mm, found.zone) == (None, None, None)


@pytest.mark.parametrize(("sure_at", "decision"), [(None, Decision.HOLD), (0.2, Decision.FAIL)])
def test_a_recipe_without_thresholds_uses_those_of_its_detector(sure_at, decision):
    settings = {"model": "d"} if sure_at is None else {"model": "d", "sure_at": sure_at}
    wanted = recipe(NO_SPUR_IN_RIM, **{**WITH_DETECTOR, "detector": settings})
    assert assess(wanted, detector=OneDefect(confidence=0.3)).verdict.decision is decision


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
    (tmp_path / "top.png").write_bytes(images.encode_png(board()))
    clause = Clause(id="C1", text="A code.", check=CodeCheck())
    wanted = recipe(clause, read_codes=True, reference=str(tmp_path / "top.png"))
    found = assess(wanted)
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.BAD_FRAME)


def test_a_black_frame_is_held_where_no_reference_would_tell():
    dark = np.random.default_rng(0).integers(0, 12, GREY.shape).astype(np.uint8)
    found = assess(recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR), detector=OneDefect(0.0), bgr=dark)
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.BAD_FRAME)
    assert "check light, lens cap" in found.verdict.detail


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


class CountingJudge(ConstantJudge):
    """Objects while there is a defect; counts how often it is asked."""

    def __init__(self, *, failing_without_defects=False):
        super().__init__()
        self.calls = 0
        self.failing = failing_without_defects

    def violation_probabilities(self, evidence, clauses):
        self.calls += 1
        if self.failing and not evidence.defects:
            raise ModelError("no judgement")
        return (0.9 if evidence.defects else 0.05,) * len(clauses)


class NoDefect(OneDefect):
    def detect(self, bgr, *, reference_bgr, report_at, iou):
        return ()


UNCHECKED = Clause(id="C1", text="No spur may be seen.")


def test_an_objection_of_the_judge_names_what_it_rests_on():
    found = assess(recipe(UNCHECKED, **WITH_DETECTOR), judge=CountingJudge())
    assert (found.verdict.decision, found.verdict.reason) == (Decision.FAIL, Reason.JUDGED_BAD)
    (finding,) = found.judgement.clauses
    assert finding.statement == (
        "With 1 'spur' (0.5 mm) found, the judge gives a probability of violation of 0.90 "
        "(0.05 without the 'spur' of 0.5 mm in 'rim'); 0.80 or more counts as violated."
    )
    assert [(ref.kind, ref.index) for ref in finding.evidence] == [("defect", 0)]
    assert finding.statement in found.verdict.detail


def test_a_part_that_passes_is_judged_once():
    judge = CountingJudge()
    found = assess(recipe(UNCHECKED, **WITH_DETECTOR), judge=judge, detector=NoDefect())
    assert found.verdict.decision is Decision.PASS
    assert judge.calls == 1


def test_a_part_that_a_rule_fails_is_judged_once():
    judge = CountingJudge()
    found = assess(recipe(NO_SPUR_IN_RIM, **WITH_DETECTOR), judge=judge)
    assert found.verdict.reason is Reason.RULE_VIOLATED
    assert judge.calls == 1


def test_without_time_left_the_verdict_is_not_explained():
    judge = CountingJudge()
    frame = Frame(camera_id="c", seq=0, captured_at=datetime.now(UTC), captured_ns=0, bgr=GREY)
    found = inspector_with(judge=judge).inspect(
        frame,
        recipe=recipe(UNCHECKED, **WITH_DETECTOR),
        view=None,
        context=Context(inspected_on=date(2026, 11, 23)),
        within_s=0.0,
    )
    assert found.verdict.decision is Decision.FAIL
    assert judge.calls == 1
    assert "without" not in found.judgement.clauses[0].statement


def test_a_judge_that_fails_while_it_is_explained_leaves_the_verdict_as_it_was():
    judge = CountingJudge(failing_without_defects=True)
    found = assess(recipe(UNCHECKED, **WITH_DETECTOR), judge=judge)
    assert (found.verdict.decision, found.verdict.reason) == (Decision.FAIL, Reason.JUDGED_BAD)


def test_a_clause_about_what_no_camera_sees_holds_the_part():
    weight = Clause(id="C1", text="The part weighs at most 5 g.")
    found = assess(recipe(weight, **WITH_DETECTOR), judge=ConstantJudge(0.0))
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.UNCERTAIN)
    assert "which no camera sees" in found.verdict.detail


def test_a_label_of_the_detector_is_looked_for_even_where_nobody_else_knows_it():
    class Blorps(NoDefect):
        labels = ("blorp",)

    clause = Clause(id="C1", text="No blorp, please.")
    assert assess(recipe(clause, **WITH_DETECTOR)).verdict.decision is Decision.HOLD
    found = assess(recipe(clause, **WITH_DETECTOR), detector=Blorps())
    assert found.verdict.decision is Decision.PASS


def test_a_zone_that_the_recipe_does_not_have_holds_the_part():
    check = from_line("defects(spurs; in left flank) = 0")
    found = assess(recipe(Clause(id="C1", text="No spur.", check=check), **WITH_DETECTOR))
    assert (found.verdict.decision, found.verdict.reason) == (Decision.HOLD, Reason.UNCERTAIN)
