"""What is taken for what: the confusion matrix of a detector, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Bgr
from inspector.training.figures import OVERLAP, MeasuredBoard, overlaps

BACKGROUND = "background"

_CELL_PX = 72
_MARGIN_PX = 130


def confusion(
    boards: Sequence[MeasuredBoard], labels: tuple[str, ...], threshold: float
) -> NDArray[np.int64]:
    """Return counts [labels + 1, labels + 1]: rows are the truth, columns what was found.

    The last row and column are the background: found where nothing is, and not found. Detections
    at or above `threshold` are matched as the measure does, within their label first; what is left
    on both sides is then matched across labels.
    """
    counts = np.zeros((len(labels) + 1, len(labels) + 1), dtype=np.int64)
    numbers = {label: number for number, label in enumerate(labels)}
    background = len(labels)
    for board in boards:
        found = sorted(
            (d for d in board.found if d.confidence >= threshold),
            key=lambda d: d.confidence,
            reverse=True,
        )
        found_labels = np.array([numbers[d.label] for d in found], dtype=np.int64)
        truth_labels = np.array([numbers[a.label] for a in board.truth], dtype=np.int64)
        iou = overlaps([d.box for d in found], [a.box for a in board.truth])
        iou[iou <= OVERLAP] = 0.0
        same = found_labels[:, None] == truth_labels[None]
        matched = _matched(np.where(same, iou, 0.0))
        iou[[index for index, _ in matched]] = 0.0
        iou[:, [truth for _, truth in matched]] = 0.0
        matched += _matched(iou)
        for index, truth in matched:
            counts[truth_labels[truth], found_labels[index]] += 1
        for truth in set(range(len(truth_labels))) - {truth for _, truth in matched}:
            counts[truth_labels[truth], background] += 1
        for index in set(range(len(found_labels))) - {index for index, _ in matched}:
            counts[background, found_labels[index]] += 1
    return counts


def _matched(iou: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return pairs (detection, truth): each detection in its turn takes the best that is free."""
    free = iou.copy()
    pairs = []
    for index in np.flatnonzero(iou.any(axis=1)):
        truth = int(free[index].argmax())
        if free[index, truth] > 0:
            pairs.append((int(index), truth))
            free[:, truth] = 0.0
    return pairs


def draw_confusion(matrix: NDArray[np.int64], labels: tuple[str, ...]) -> Bgr:
    """Return `matrix` as a picture: rows truth, columns found, darker by the share of the row."""
    import cv2

    names = (*labels, BACKGROUND)
    side = _MARGIN_PX + _CELL_PX * len(names)
    canvas: Bgr = np.full((side + 8, side + 8, 3), 255, dtype=np.uint8)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for row, name in enumerate(names):
        top = _MARGIN_PX + row * _CELL_PX
        _write(cv2, canvas, name, (_MARGIN_PX - 8, top + _CELL_PX // 2), align="right")
        for column in range(len(names)):
            left = _MARGIN_PX + column * _CELL_PX
            share = float(shares[row, column])
            shade = tuple(round(255 - share * (255 - dark)) for dark in (110, 60, 20))
            corner = (left + _CELL_PX - 2, top + _CELL_PX - 2)
            cv2.rectangle(canvas, (left, top), corner, shade, -1)
            ink = (255, 255, 255) if share > 0.5 else (40, 40, 40)
            middle = (left + _CELL_PX // 2, top + _CELL_PX // 2)
            _write(cv2, canvas, str(matrix[row, column]), middle, ink=ink)
    for column, name in enumerate(names):
        # upright names would not fit over their columns
        strip: Bgr = np.full((_CELL_PX - 2, _MARGIN_PX, 3), 255, dtype=np.uint8)
        _write(cv2, strip, name, (8, _CELL_PX // 2), align="left")
        left = _MARGIN_PX + column * _CELL_PX
        canvas[:_MARGIN_PX, left : left + _CELL_PX - 2] = np.rot90(strip)
    _write(cv2, canvas, "truth: rows", (8, 24), align="left")
    _write(cv2, canvas, "found: columns", (8, 44), align="left")
    return canvas


def _write(
    cv2: Any,
    canvas: Bgr,
    text: str,
    at: tuple[int, int],
    *,
    align: str = "centre",
    ink: tuple[int, int, int] = (40, 40, 40),
) -> None:
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.42
    width = cv2.getTextSize(text, font, size, 1)[0][0]
    left = at[0] - {"left": 0, "centre": width // 2, "right": width}[align]
    cv2.putText(canvas, text, (left, at[1] + 5), font, size, ink, 1, cv2.LINE_AA)
