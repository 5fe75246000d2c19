"""One box a defect: the rule of duplicates, on predictions drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inspector.models.suppression import MAX_BOXES, settled

OPEN, SHORT, SPUR = range(3)


def predictions(*boxes: tuple[float, int, float]) -> NDArray[np.float32]:
    """Return raw predictions of boxes 10 px wide at `x` of a label with a confidence."""
    raw = np.zeros((4 + 3, len(boxes)), np.float32)
    for anchor, (x, label, confidence) in enumerate(boxes):
        raw[:4, anchor] = (x + 5, 5, 10, 10)
        raw[4 + label, anchor] = confidence
    return raw


def found(
    *boxes: tuple[float, int, float], least: float = 0.001
) -> list[tuple[float, int, float, bool]]:
    result = settled(predictions(*boxes), least_confidence=least, iou=0.5)
    return [
        (round(float(xyxy[0]), 3), int(label), round(float(confidence), 4), bool(contested))
        for xyxy, label, confidence, contested in zip(
            result.xyxy, result.label, result.confidence, result.contested, strict=True
        )
    ]


def test_within_a_label_the_surer_box_stays() -> None:
    assert found((1, OPEN, 0.6), (0, OPEN, 0.9)) == [(0, OPEN, 0.9, False)]


def test_boxes_that_hardly_overlap_are_two_defects() -> None:
    assert found((0, OPEN, 0.9), (8, OPEN, 0.6)) == [(0, OPEN, 0.9, False), (8, OPEN, 0.6, False)]


def test_across_labels_the_surest_keeps_the_box_and_the_other_is_contested() -> None:
    assert found((0, OPEN, 0.75), (1, SHORT, 0.5)) == [
        (0, OPEN, 0.75, False),
        (1, SHORT, 0.125, True),
    ]


def test_a_contested_box_contests_no_other() -> None:
    # 3 px apart overlap by 7 / 13, 6 px apart by 4 / 16: the spur meets only the contested short
    assert found((0, OPEN, 0.8), (3, SHORT, 0.5), (6, SPUR, 0.4)) == [
        (0, OPEN, 0.8, False),
        (6, SPUR, 0.4, False),
        (3, SHORT, 0.1, True),
    ]


def test_a_box_is_contested_once_by_the_surest() -> None:
    assert found((0, OPEN, 0.8), (8, SHORT, 0.5), (2, SPUR, 0.5))[2] == (2, SPUR, 0.1, True)


def test_what_falls_below_the_least_confidence_is_left_out() -> None:
    assert found((0, OPEN, 0.9), (50, SHORT, 0.2), least=0.25) == [(0, OPEN, 0.9, False)]
    assert found((0, OPEN, 0.9), (1, SHORT, 0.3), least=0.25) == [(0, OPEN, 0.9, False)]


def test_the_surest_three_hundred_are_kept() -> None:
    result = found(*((20.0 * i, OPEN, 0.1 + i / 1000) for i in range(MAX_BOXES + 50)))
    assert len(result) == MAX_BOXES
    assert result[0][2] == pytest.approx(0.449)
    assert result[-1][2] == pytest.approx(0.15)


def test_nothing_found_is_no_box() -> None:
    assert found((0, OPEN, 0.0)) == []
