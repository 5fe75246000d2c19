"""What a detector is worth: the arithmetic of the measure, without pictures or models.

The measure is that of DeepPCB (Tang et al., 2019): a detection is right where its box overlaps an
unused truth box of its class by IoU > 0.33; the one with the highest IoU is used up. Detections
take their turn in order of confidence. AP is the area under the precision-recall curve,
interpolated at all points (Pascal VOC 2010). mAP50 and mAP50-95 use the same curve at IoU >= 0.5
and the mean over 0.5, 0.55 ... 0.95 (COCO's thresholds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Box, Detection
from inspector.training.boards import Annotation

OVERLAP = 0.33
_COCO_OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredBoard:
    """What was found on one board, and on its good twin; `picture` is its file name."""

    picture: str
    truth: tuple[Annotation, ...]
    found: tuple[Detection, ...]
    found_on_good: tuple[Detection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """One label: `ap` over all confidences, the others at the threshold."""

    ap: float
    precision: float
    recall: float
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFigures:
    """What a detector is worth at `threshold`, rates 0-1.

    `map` is the mean of the labels' AP, `pooled_ap` that of one ranking over all labels. `f` is the
    F measure at `threshold`, `f_best` the best of any threshold, `f_best_at`. `boards_missed`
    counts boards with at least one missed defect, `overkill_boards` good boards with any detection.
    """

    threshold: float
    map: float
    pooled_ap: float
    f: float
    f_best: float
    f_best_at: float
    per_class: dict[str, LabelFigures]
    map50: float
    map50_95: float
    boards: int
    boards_missed: int
    good_boards: int
    overkill_boards: int


def figures(
    boards: Sequence[MeasuredBoard], *, labels: tuple[str, ...], threshold: float
) -> DetectorFigures:
    """Return the figures of `boards` at `threshold`."""
    rankings = {label: _ranking(boards, label) for label in labels}
    hits = {
        label: ranking.at_overlap(OVERLAP, inclusive=False) for label, ranking in rankings.items()
    }
    per_class: dict[str, LabelFigures] = {}
    for label, ranking in rankings.items():
        counted = ranking.confidence >= threshold
        right, shown = int(hits[label][counted].sum()), int(counted.sum())
        per_class[label] = LabelFigures(
            ap=average_precision(ranking.confidence, hits[label], truths=ranking.truths),
            precision=right / shown if shown else 0.0,
            recall=right / ranking.truths if ranking.truths else 0.0,
            missed=ranking.truths - right,
        )
    confidence = np.concatenate([rankings[label].confidence for label in labels])
    right_all = np.concatenate([hits[label] for label in labels])
    truths = sum(ranking.truths for ranking in rankings.values())
    f_best, f_best_at = best_f(confidence, right_all, truths=truths)
    coco = [
        np.mean(
            [
                average_precision(
                    ranking.confidence,
                    ranking.at_overlap(overlap, inclusive=True),
                    truths=ranking.truths,
                )
                for ranking in rankings.values()
            ]
        )
        for overlap in _COCO_OVERLAPS
    ]
    return DetectorFigures(
        threshold=threshold,
        map=float(np.mean([found.ap for found in per_class.values()])),
        pooled_ap=average_precision(confidence, right_all, truths=truths),
        f=f_measure(confidence, right_all, truths=truths, threshold=threshold),
        f_best=f_best,
        f_best_at=f_best_at,
        per_class=per_class,
        map50=float(coco[0]),
        map50_95=float(np.mean(coco)),
        boards=len(boards),
        boards_missed=sum(_misses_any(board, threshold) for board in boards),
        good_boards=len(boards),
        overkill_boards=sum(
            any(found.confidence >= threshold for found in board.found_on_good) for board in boards
        ),
    )


def average_precision(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], *, truths: int
) -> float:
    """Return the all-point interpolated area under the precision-recall curve.

    Detections of equal confidence keep their order. 0 where there is no truth to find.
    """
    if truths == 0 or len(confidence) == 0:
        return 0.0
    order = np.argsort(-confidence, kind="stable")
    found = np.cumsum(right[order])
    precision = found / np.arange(1, len(found) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    # Each right detection raises recall by 1 / truths at the envelope's height there.
    return float(envelope[right[order]].sum() / truths)


def f_measure(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    *,
    truths: int,
    threshold: float,
) -> float:
    """Return 2PR / (P + R) of the detections at or above `threshold`."""
    counted = confidence >= threshold
    total = int(counted.sum()) + truths
    return 2 * int(right[counted].sum()) / total if total else 0.0


def best_f(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], *, truths: int
) -> tuple[float, float]:
    """Return the best F measure and the highest threshold that gives it."""
    if len(confidence) == 0:
        return 0.0, 1.0
    order = np.argsort(-confidence, kind="stable")
    shown = np.arange(1, len(order) + 1)
    scores = 2 * np.cumsum(right[order]) / (shown + truths)
    best = int(scores.argmax())
    return float(scores[best]), float(confidence[order][best])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranking:
    """All detections of one label, board after board, each board's by falling confidence.

    `overlaps` holds, for each board, IoU [detections, truths].
    """

    confidence: NDArray[np.float64]
    overlaps: tuple[NDArray[np.float64], ...]
    truths: int

    def at_overlap(self, least: float, *, inclusive: bool) -> NDArray[np.bool_]:
        """Return which detections are right where that overlap is asked for."""
        right = [_greedy(overlaps, least, inclusive=inclusive) for overlaps in self.overlaps]
        return np.concatenate([np.zeros(0, dtype=np.bool_), *right])


def _ranking(boards: Sequence[MeasuredBoard], label: str) -> _Ranking:
    confidence: list[float] = []
    overlaps = []
    truths = 0
    for board in boards:
        found = sorted(
            (d for d in board.found if d.label == label), key=lambda d: d.confidence, reverse=True
        )
        truth = [a.box for a in board.truth if a.label == label]
        truths += len(truth)
        confidence += [detection.confidence for detection in found]
        overlaps.append(_overlaps([detection.box for detection in found], truth))
    return _Ranking(
        confidence=np.array(confidence, dtype=np.float64), overlaps=tuple(overlaps), truths=truths
    )


def _overlaps(found: Sequence[Box], truth: Sequence[Box]) -> NDArray[np.float64]:
    iou = [[a.iou(b) for b in truth] for a in found]
    return np.array(iou, dtype=np.float64).reshape(len(found), len(truth))


def _greedy(overlaps: NDArray[np.float64], least: float, *, inclusive: bool) -> NDArray[np.bool_]:
    right = np.zeros(len(overlaps), dtype=np.bool_)
    free = overlaps.copy()
    if free.shape[1] == 0:
        return right
    for index in range(len(free)):
        truth = int(free[index].argmax())
        overlap = free[index, truth]
        if overlap > least or (inclusive and overlap == least):
            right[index] = True
            free[:, truth] = -1.0
    return right


def _misses_any(board: MeasuredBoard, threshold: float) -> bool:
    for label in {annotation.label for annotation in board.truth}:
        shown = tuple(found for found in board.found if found.confidence >= threshold)
        one = MeasuredBoard(picture="", truth=board.truth, found=shown, found_on_good=())
        ranking = _ranking((one,), label)
        if int(ranking.at_overlap(OVERLAP, inclusive=False).sum()) < ranking.truths:
            return True
    return False
