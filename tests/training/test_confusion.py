"""The confusion matrix, against a case worked out by hand, and its picture."""

from __future__ import annotations

import numpy as np

from inspector.domain import Box, Detection
from inspector.training.confusion import confusion, draw_confusion
from inspector.training.datasets import Annotation
from inspector.training.figures import MeasuredBoard

LABELS = ("open", "short")


def box(x: float) -> Box:
    return Box(x0=x, y0=0, x1=x + 10, y1=10)


def board(truths: dict[float, str], found: list[tuple[float, str, float]]) -> MeasuredBoard:
    return MeasuredBoard(
        picture="b.png",
        truth=tuple(Annotation(label=label, box=box(x)) for x, label in truths.items()),
        found=tuple(Detection(label=k, confidence=c, box=box(x)) for x, k, c in found),
        found_on_good=None,
    )


def test_right_mistaken_missed_and_invented_are_counted() -> None:
    boards = [
        board(
            {0: "open", 50: "open", 100: "short"},
            [(0, "open", 0.9), (51, "short", 0.8), (200, "short", 0.7), (100, "short", 0.4)],
        ),
        board({}, [(0, "open", 0.6)]),
    ]
    matrix = confusion(boards, LABELS, 0.5)
    assert matrix.tolist() == [
        [1, 1, 0],  # open: one found, one taken for a short
        [0, 0, 1],  # short: shown below the threshold only
        [1, 1, 0],  # nothing there: an open and a short
    ]
    assert confusion(boards, LABELS, 0.4)[1].tolist() == [0, 1, 0]


def test_a_surer_box_of_another_label_does_not_take_a_defect_from_its_own() -> None:
    both = board({0: "open"}, [(1, "short", 0.9), (0, "open", 0.6)])
    assert confusion([both], LABELS, 0.5).tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_the_picture_is_dark_where_most_of_a_row_lies() -> None:
    matrix = np.array([[9, 1, 0], [0, 5, 0], [0, 0, 0]], dtype=np.int64)
    picture = draw_confusion(matrix, LABELS)
    assert picture.dtype == np.uint8
    height, width = picture.shape[:2]
    assert height == width
    cell = (height - 8 - 130) // 3
    corners = [
        [int(picture[136 + r * cell, 136 + c * cell].sum()) for c in range(3)] for r in range(3)
    ]
    assert corners[0][0] < corners[0][1] < corners[0][2] == 3 * 255
    assert corners[1][1] == min(corners[1])
