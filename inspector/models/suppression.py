"""From a YOLO's raw predictions to settled boxes: one box a defect.

**Duplicates.** Boxes take their turn in order of confidence. Within a label, boxes that overlap by
more than `iou` are one defect: the surer one stays, the other is dropped. Across labels, the
surest label keeps the box; each other's confidence is multiplied by (1 - confidence of the surer)
and it counts as contested: a second guess, which stays in the ranking and is never reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_BOXES = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledBoxes:
    """Boxes in px of the planes, highest confidence first: `xyxy` [n, 4], the others [n]."""

    xyxy: NDArray[np.float64]
    confidence: NDArray[np.float64]
    label: NDArray[np.intp]
    contested: NDArray[np.bool_]


def settled(
    predictions: NDArray[np.float32], *, least_confidence: float, iou: float
) -> SettledBoxes:
    """Return at most 300 boxes of `predictions` [4 + labels, anchors] by the rule above.

    Each anchor stands for its surest label. `least_confidence` is asked of the confidence before
    and after the labels are settled.
    """
    scores = predictions[4:]
    surest = scores.max(axis=0)
    (anchors,) = np.nonzero(surest >= least_confidence)
    anchors = anchors[np.argsort(-surest[anchors], kind="stable")]
    confidence = surest[anchors].astype(np.float64)
    label = scores[:, anchors].argmax(axis=0)
    middle, half = predictions[:2, anchors], predictions[2:4, anchors] / 2
    corners = np.concatenate([middle - half, middle + half]).astype(np.float64)
    chosen = _undropped(corners, label, iou=iou)
    corners, confidence, label = corners[:, chosen], confidence[chosen], label[chosen]
    contested = _contest(corners, confidence, label, iou=iou)
    order = np.argsort(-confidence, kind="stable")
    order = order[confidence[order] >= least_confidence][:MAX_BOXES]
    return SettledBoxes(
        xyxy=corners[:, order].T,
        confidence=confidence[order],
        label=label[order],
        contested=contested[order],
    )


def _undropped(
    corners: NDArray[np.float64], label: NDArray[np.intp], *, iou: float
) -> NDArray[np.intp]:
    """Return the indices of the boxes that stay within their labels; surest come first."""
    remaining = np.arange(corners.shape[1])
    kept = []
    while len(remaining):
        first, others = remaining[0], remaining[1:]
        kept.append(first)
        same = label[others] == label[first]
        dropped = same & (_overlaps(corners, first, others) > iou)
        remaining = others[~dropped]
    return np.array(kept, dtype=np.intp)


def _contest(
    corners: NDArray[np.float64],
    confidence: NDArray[np.float64],
    label: NDArray[np.intp],
    *,
    iou: float,
) -> NDArray[np.bool_]:
    """Lower the `confidence` of second guesses in place; return which boxes they are."""
    contested = np.zeros(len(confidence), dtype=np.bool_)
    for index in range(len(confidence)):
        if contested[index]:
            continue
        others = np.arange(index + 1, len(confidence))
        over = _overlaps(corners, index, others) > iou
        beaten = others[over & (label[others] != label[index]) & ~contested[others]]
        confidence[beaten] *= 1 - confidence[index]
        contested[beaten] = True
    return contested


def _overlaps(
    corners: NDArray[np.float64], one: int, others: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the IoU of box `one` with each of `others`; `corners` are x0, y0, x1, y1 [4, n]."""
    x0, y0, x1, y1 = corners[:, others]
    left, top, right, bottom = corners[:, one]
    shared = np.maximum(0, np.minimum(x1, right) - np.maximum(x0, left)) * np.maximum(
        0, np.minimum(y1, bottom) - np.maximum(y0, top)
    )
    total = (x1 - x0) * (y1 - y0) + (right - left) * (bottom - top) - shared
    found: NDArray[np.float64] = shared / np.maximum(total, 1e-9)
    return found
