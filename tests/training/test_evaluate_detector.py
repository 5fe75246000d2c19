"""The measure, against cases worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inspector import images
from inspector.domain import Bgr, Box, Detection
from inspector.errors import DataError
from inspector.models.shelf import DetectorThresholds
from inspector.training import evaluate
from inspector.training.datasets import Annotation, LabelledPicture
from inspector.training.figures import (
    DetectorFigures,
    MeasuredBoard,
    average_precision,
    best_f,
    f_measure,
    figures,
    overlaps,
)
from inspector.training.perturb import Perturbation


def box(x: float, y: float = 0, side: float = 10) -> Box:
    return Box(x0=x, y0=y, x1=x + side, y1=y + side)


def truth(x: float, label: str = "open") -> Annotation:
    return Annotation(label=label, box=box(x))


def found(x: float, confidence: float, label: str = "open") -> Detection:
    return Detection(label=label, confidence=confidence, box=box(x))


def board(
    truths: list[Annotation],
    detections: list[Detection],
    on_good: tuple[Detection, ...] | None = (),
) -> MeasuredBoard:
    return MeasuredBoard(
        picture="b.png", truth=tuple(truths), found=tuple(detections), found_on_good=on_good
    )


def measured(*boards: MeasuredBoard, threshold: float = 0.5) -> DetectorFigures:
    named = [a.label for b in boards for a in b.truth] + [d.label for b in boards for d in b.found]
    labels = tuple(dict.fromkeys(named))
    return figures(boards, labels=labels, threshold=threshold)


def test_all_found_and_nothing_else_is_perfect() -> None:
    result = measured(board([truth(0), truth(100)], [found(0, 0.9), found(100, 0.8)]))
    assert (result.map, result.pooled_ap, result.f, result.f_best) == (1, 1, 1, 1)
    assert (result.map50, result.map50_95, result.boards_missed) == (1, 1, 0)


def test_average_precision_is_the_area_under_the_envelope() -> None:
    # right, wrong, right of 3 truths: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3
    ap = average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), truths=3)
    assert ap == pytest.approx((1 + 2 / 3) / 3)


def test_the_envelope_lifts_earlier_points() -> None:
    # wrong, right, right of 2 truths: precision 0, 1/2, 2/3; the envelope is 2/3 throughout
    ap = average_precision(np.array([0.9, 0.8, 0.7]), np.array([False, True, True]), truths=2)
    assert ap == pytest.approx(2 / 3)


def test_a_second_box_on_the_same_defect_is_wrong() -> None:
    result = measured(board([truth(0)], [found(0, 0.9), found(1, 0.8)]))
    assert result.per_class["open"].precision == 0.5
    assert result.per_class["open"].recall == 1
    assert result.map == 1  # the area is not hurt by what comes after full recall


def test_a_box_uses_up_the_defect_that_it_overlaps_most() -> None:
    # 13 overlaps the truth at 10 by 7/13 and that at 17 by 6/14; for 11 only 17 is left, by 4/16
    result = measured(board([truth(10), truth(17)], [found(13, 0.9), found(11, 0.8)]))
    assert result.per_class["open"].recall == 0.5


def test_overlap_of_a_third_or_less_does_not_count() -> None:
    # shifted by 5.1 of 10: IoU 4.9 / 15.1 = 0.3245; by 5: 1/3 = 0.3333 > 0.33
    assert measured(board([truth(0)], [found(5.1, 0.9)])).map == 0
    assert measured(board([truth(0)], [found(5, 0.9)])).map == 1


def test_a_detection_of_another_label_is_wrong() -> None:
    result = measured(board([truth(0)], [found(0, 0.9, "short")]))
    assert result.map == 0
    assert result.per_class["open"].missed == 1


def test_the_pooled_ranking_mixes_labels() -> None:
    boards = board(
        [truth(0), truth(50, "short")],
        [found(200, 0.9), found(0, 0.8), found(50, 0.7, "short")],
    )
    result = measured(boards)
    assert result.map == pytest.approx((1 / 2 + 1) / 2)
    assert result.pooled_ap == pytest.approx(2 / 3)


def test_the_threshold_sets_precision_recall_and_missed() -> None:
    boards = board(
        [truth(0), truth(50), truth(100)],
        [found(0, 0.9), found(50, 0.4), found(300, 0.6)],
    )
    at_half = measured(boards, threshold=0.5).per_class["open"]
    assert (at_half.precision, at_half.recall) == pytest.approx((0.5, 1 / 3))
    assert at_half.missed == 2
    at_low = measured(boards, threshold=0.4).per_class["open"]
    assert at_low.precision == pytest.approx(2 / 3)
    assert at_low.missed == 1


def test_f_is_the_harmonic_mean_and_best_f_its_highest_threshold() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    right = np.array([True, False, True, False])
    # 2 truths: F 2/3, 1/2, 4/5, 2/3
    assert f_measure(confidence, right, truths=2, threshold=0.9) == pytest.approx(2 / 3)
    assert best_f(confidence, right, truths=2) == pytest.approx((4 / 5, 0.7))


def test_coco_overlaps_are_stricter() -> None:
    # shifted by 2 of 10: IoU 8/12 = 0.667: right at 0.5, 0.55, 0.6, 0.65 of ten overlaps
    result = measured(board([truth(0)], [found(2, 0.9)]))
    assert result.map50 == 1
    assert result.map50_95 == pytest.approx(0.4)


def test_boards_with_a_miss_and_overkill_are_counted_at_the_threshold() -> None:
    result = measured(
        board([truth(0), truth(50)], [found(0, 0.9)], (found(0, 0.49),)),
        board([truth(0)], [found(0, 0.4)], (found(0, 0.5),)),
        board([truth(0)], [found(0, 0.6)]),
    )
    assert (result.boards, result.boards_missed) == (3, 2)
    assert (result.good_boards, result.overkill_boards) == (3, 1)


def test_boards_with_all_their_defects_missed_are_counted() -> None:
    result = measured(
        board([truth(0), truth(50)], [found(0, 0.9)]),
        board([truth(0), truth(50)], [found(0, 0.4)]),
        board([truth(0)], [found(300, 0.9)]),
        board([], [found(300, 0.9)]),
    )
    assert (result.boards_missed, result.boards_all_missed) == (3, 2)
    assert (result.defects, result.missed) == (5, 4)


def test_an_unregistered_board_misses_everything_and_an_unregistered_good_one_is_overkill() -> None:
    result = measured(
        board([truth(0)], [found(0, 0.9)]),
        MeasuredBoard(
            picture="b.png",
            truth=(truth(0),),
            found=(),
            found_on_good=(),
            registered=False,
            good_registered=False,
        ),
    )
    assert (result.unregistered, result.boards_missed, result.map) == (1, 1, 0.5)
    assert (result.good_boards, result.overkill_boards) == (2, 1)


def test_boards_without_a_good_twin_are_no_good_boards() -> None:
    result = measured(board([truth(0)], [found(0, 0.9)], None), board([], [found(9, 0.7)], ()))
    assert (result.boards, result.good_boards, result.overkill_boards) == (2, 1, 0)


def test_a_label_that_never_occurs_is_left_out_of_the_mean() -> None:
    one = board([truth(0)], [found(0, 0.9), found(50, 0.8, "short")])
    result = figures([one], labels=("open", "short"), threshold=0.5)
    assert (result.map, result.map50, result.map50_95) == (1, 1, 1)
    assert (result.per_class["short"].ap, result.per_class["short"].defects) == (0, 0)


def test_overlaps_are_those_of_the_boxes() -> None:
    chance = np.random.default_rng(0)
    boxes = [
        Box(x0=x, y0=y, x1=x + w, y1=y + h)
        for x, y, w, h in chance.uniform(1, 40, (30, 4)).tolist()
    ]
    expected = [[a.iou(b) for b in boxes[:7]] for a in boxes]
    assert overlaps(boxes, boxes[:7]) == pytest.approx(np.array(expected))
    assert overlaps([], boxes).shape == (0, 30)
    assert overlaps(boxes, []).shape == (30, 0)


def test_nothing_found_is_zero_not_an_error() -> None:
    result = measured(board([truth(0)], []))
    assert (result.map, result.f, result.f_best, result.map50_95) == (0, 0, 0, 0)


def test_a_good_board_has_the_template_over_its_defects_and_keeps_the_rest() -> None:
    tested = np.full((60, 60, 3), 200, dtype=np.uint8)
    template = np.full((60, 60, 3), 100, dtype=np.uint8)
    good = evaluate.good_board(tested, template, [truth(20)])
    pasted = (good == 100).all(axis=2)
    ys, xs = np.nonzero(pasted)
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (12, 37, 0, 17)
    assert pasted.sum() == 26 * 18
    assert (tested == 200).all()


def test_the_data_hash_changes_with_a_picture_and_with_an_annotation(tmp_path: Path) -> None:
    for name, shade in (("a", 0), ("b", 1)):
        picture = np.full((8, 8, 3), shade, dtype=np.uint8)
        (tmp_path / f"{name}.png").write_bytes(images.encode_png(picture))

    def pair(board: str, x: float) -> LabelledPicture:
        return LabelledPicture(
            id="1",
            group="1",
            picture=tmp_path / f"{board}.png",
            reference=tmp_path / "a.png",
            annotations=(truth(x),),
        )

    hashes = {evaluate.data_sha256([p]) for p in (pair("a", 0), pair("b", 0), pair("a", 1))}
    assert len(hashes) == 3
    assert evaluate.data_sha256([pair("a", 0)]) in hashes


# --- running a detector -----------------------------------------------------------------------


class SpotFinder:
    """Finds what differs from the reference, or what is red where it has none."""

    labels = ("open",)
    sha256 = "0" * 64
    engine = "drawn"
    thresholds = DetectorThresholds(report_at=0.5, sure_at=0.6, iou=0.5)

    def __init__(self, *, needs_reference: bool) -> None:
        self.needs_reference = needs_reference

    def candidates(
        self, bgr: Bgr, *, reference_bgr: Bgr | None, iou: float
    ) -> tuple[Detection, ...]:
        if reference_bgr is not None:
            spots = np.abs(bgr.astype(int) - reference_bgr).max(axis=2) > 60
        else:
            spots = (bgr == (0, 0, 255)).all(axis=2)
        ys, xs = np.nonzero(spots)
        if not len(xs):
            return ()
        around = Box(x0=xs.min(), y0=ys.min(), x1=xs.max() + 1, y1=ys.max() + 1)
        return (Detection(label="open", confidence=0.9, box=around),)


def traces() -> Bgr:
    """Return a drawn board, 160 px a side, that lies in one way only on itself."""
    chance = np.random.default_rng(5)
    picture = np.zeros((160, 160, 3), dtype=np.uint8)
    for x, y, w, h in chance.integers(6, 130, (16, 4)).tolist():
        picture[y : y + 6, x : x + w] = 255
        picture[y : y + h, x : x + 6] = 255
    return picture


def save(path: Path, picture: Bgr) -> Path:
    path.write_bytes(images.encode_png(picture))
    return path


def pair(
    folder: Path, *, name: str = "p", moved_px: int = 0, blank: bool = False
) -> LabelledPicture:
    """Return a board with a spot of 10 px at (20, 0), its template moved by so much."""
    template = traces()
    template[:12, :40] = 255
    board = template.copy()
    board[0:10, 20:30] = 0
    if blank:
        board[:] = 0
    return LabelledPicture(
        id=name,
        group=name,
        picture=save(folder / f"{name}.png", board),
        reference=save(folder / f"{name}_golden.png", np.roll(template, moved_px, axis=1)),
        annotations=(truth(20),),
    )


def test_a_board_and_its_good_twin_are_measured(tmp_path: Path) -> None:
    detector = SpotFinder(needs_reference=True)
    steps: list[tuple[int, int]] = []
    evaluation = evaluate.evaluate_detector(
        detector,
        [pair(tmp_path, name="a"), pair(tmp_path, name="b")],
        advance=lambda done, of: steps.append((done, of)),
    )
    result = evaluation.figures
    assert (result.map, result.missed, result.unregistered) == (1, 0, 0)
    assert (result.good_boards, result.overkill_boards) == (2, 0)
    assert steps == [(1, 2), (2, 2)]
    line = json.loads(evaluation.as_json(split="test", notes=("n",)))
    assert (line["schema"], line["engine"], line["perturb"]) == ("evaluate-detector/1", "drawn", {})
    assert (line["split"], line["notes"], line["threshold"]) == ("test", ["n"], 0.5)
    evaluation.write_detections(tmp_path / "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first["image"] == "a.png"
    assert first["detections"] == [{"label": "open", "confidence": 0.9, "box": [20, 0, 30, 10]}]


def test_a_board_that_cannot_be_registered_is_held_without_a_look(tmp_path: Path) -> None:
    detector = SpotFinder(needs_reference=True)
    pictures = [pair(tmp_path, name="a"), pair(tmp_path, name="b", blank=True)]
    result = evaluate.evaluate_detector(detector, pictures).figures
    assert (result.unregistered, result.missed, result.boards_all_missed) == (1, 1, 1)
    assert (result.good_boards, result.overkill_boards) == (2, 1)


def test_a_blank_board_is_measured_against_its_blank_template(tmp_path: Path) -> None:
    # as in DeepPCB, where some templates show no copper at all
    template = np.full((160, 160, 3), 255, dtype=np.uint8)
    board = template.copy()
    board[0:10, 20:30] = 0
    picture = LabelledPicture(
        id="p",
        group="p",
        picture=save(tmp_path / "p.png", board),
        reference=save(tmp_path / "golden.png", template),
        annotations=(truth(20),),
    )
    result = evaluate.evaluate_detector(SpotFinder(needs_reference=True), [picture]).figures
    assert (result.unregistered, result.missed, result.overkill_boards) == (0, 0, 0)


def test_a_moved_reference_is_registered_and_truth_boxes_stay(tmp_path: Path) -> None:
    detector = SpotFinder(needs_reference=True)
    how = Perturbation(shift=4)
    (measured,) = evaluate.measure_boards(detector, [pair(tmp_path)], perturbation=how)
    assert measured.registered
    assert measured.truth == (truth(20),)
    (again,) = evaluate.measure_boards(detector, [pair(tmp_path)], perturbation=how)
    assert again == measured
    assert json.loads(
        evaluate.evaluate_detector(detector, [pair(tmp_path)], perturbation=how).as_json(split="t")
    )["perturb"] == {"shift": 4}


def test_without_references_the_pictures_without_annotation_are_the_good_parts(
    tmp_path: Path,
) -> None:
    plain = np.full((40, 40, 3), 200, dtype=np.uint8)
    marked = plain.copy()
    marked[:10, 20:30] = (0, 0, 255)

    def labelled(name: str, picture: Bgr, *truths: Annotation) -> LabelledPicture:
        path = save(tmp_path / name, picture)
        return LabelledPicture(
            id=name, group=name, picture=path, reference=None, annotations=truths
        )

    pictures = [
        labelled("bad.png", marked, truth(20)),
        labelled("good.png", plain),
        labelled("stained.png", marked),
    ]
    result = evaluate.evaluate_detector(SpotFinder(needs_reference=False), pictures).figures
    assert (result.boards, result.defects, result.missed) == (3, 1, 0)
    assert (result.good_boards, result.overkill_boards) == (2, 1)
    assert result.per_class["open"].precision == 0.5


def test_data_that_does_not_fit_the_detector_is_refused_with_all_reasons(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.zeros((40, 40, 3), dtype=np.uint8))
    picture = LabelledPicture(
        id="a", group="a", picture=path, reference=None, annotations=(truth(20, "dent"),)
    )
    with pytest.raises(DataError) as caught:
        evaluate.evaluate_detector(
            SpotFinder(needs_reference=True), [picture], perturbation=Perturbation(shift=1)
        )
    assert "expected labels of the detector (open), found dent" in str(caught.value)
    assert "give a recipe with a reference" in str(caught.value)
    assert "leave shift and angle out" in str(caught.value)
    with pytest.raises(DataError, match="at least one picture"):
        evaluate.evaluate_detector(SpotFinder(needs_reference=True), [])
