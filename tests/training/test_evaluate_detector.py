"""The measure, against cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inspector import images
from inspector.domain import Box, Detection
from inspector.training import evaluate
from inspector.training.boards import Annotation, BoardPair
from inspector.training.figures import (
    DetectorFigures,
    MeasuredBoard,
    average_precision,
    best_f,
    f_measure,
    figures,
)


def box(x: float, y: float = 0, side: float = 10) -> Box:
    return Box(x0=x, y0=y, x1=x + side, y1=y + side)


def truth(x: float, label: str = "open") -> Annotation:
    return Annotation(label=label, box=box(x))


def found(x: float, confidence: float, label: str = "open") -> Detection:
    return Detection(label=label, confidence=confidence, box=box(x))


def board(
    truths: list[Annotation], detections: list[Detection], on_good: tuple[Detection, ...] = ()
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

    def pair(board: str, x: float) -> BoardPair:
        return BoardPair(
            id="1",
            group="1",
            board=tmp_path / f"{board}.png",
            template=tmp_path / "a.png",
            annotations=(truth(x),),
        )

    hashes = {evaluate.data_sha256([p]) for p in (pair("a", 0), pair("b", 0), pair("a", 1))}
    assert len(hashes) == 3
    assert evaluate.data_sha256([pair("a", 0)]) in hashes
