"""What a detector is worth: the arithmetic of the measure, without pictures or models.

The measure is that of DeepPCB (Tang et al., 2019): a detection is right where its box overlaps an
unused truth box of its class by IoU > 0.33; the one with the highest IoU is used up. Detections
take their turn in order of confidence. AP is the area under the precision-recall curve,
interpolated at all points (Pascal VOC 2010). mAP50 and mAP50-95 use the same curve at IoU >= 0.5
and the mean over 0.5, 0.55 ... 0.95 (COCO's thresholds). A label without any truth box has no
curve, and is left out of every mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Box, Detection
from inspector.training.datasets import Annotation

OVERLAP = 0.33
_COCO_OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredBoard:
    """What was found on one picture, and on its good twin; `picture` is its file name.

    `found_on_good` is None where the data has no good twin of it. A picture whose registration to
    its reference failed is held without a look: nothing is found, and `registered` is False.
    """

    picture: str
    truth: tuple[Annotation, ...]
    found: tuple[Detection, ...]
    found_on_good: tuple[Detection, ...] | None
    registered: bool = True
    good_registered: bool = True

    def loudest_on_good(self) -> float | None:
        """Return the highest threshold at which the good twin is not passed, None without a twin.

        Above 1 where registration failed: no threshold would pass it.
        """
        if self.found_on_good is None:
            return None
        if not self.good_registered:
            return 2.0
        return max((found.confidence for found in self.found_on_good), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """One label: `ap` over all confidences, the others at the threshold, of `defects` in all."""

    ap: float
    precision: float
    recall: float
    missed: int
    defects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFigures:
    """What a detector is worth at `threshold`, rates 0-1.

    `map` is the mean of the labels' AP, `pooled_ap` that of one ranking over all labels. `f` is the
    F measure at `threshold`, `f_best` the best of any threshold, `f_best_at`. `boards_missed`
    counts boards with at least one missed defect, `boards_all_missed` those with defects of which
    none was found, `overkill_boards` good boards with any detection or a failed registration, and
    `unregistered` boards, good ones not counted, whose registration failed.
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
    defects: int
    missed: int
    boards: int
    boards_missed: int
    boards_all_missed: int
    unregistered: int
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
    per_class = {
        label: _label_figures(ranking, hits[label], threshold)
        for label, ranking in rankings.items()
    }
    confidence = np.concatenate([rankings[label].confidence for label in labels])
    right = np.concatenate([hits[label] for label in labels])
    board_of = np.concatenate([rankings[label].board_of for label in labels])
    truths = sum(ranking.truths for ranking in rankings.values())
    f_best, f_best_at = best_f(confidence, right, truths=truths)
    known = [ranking for ranking in rankings.values() if ranking.truths]
    coco = [
        _mean(
            [
                average_precision(
                    ranking.confidence,
                    ranking.at_overlap(overlap, inclusive=True),
                    truths=ranking.truths,
                )
                for ranking in known
            ]
        )
        for overlap in _COCO_OVERLAPS
    ]
    # The detections at or above the threshold come first in the ranking, so that what they match
    # does not depend on those below it.
    found = np.bincount(board_of[right & (confidence >= threshold)], minlength=len(boards))
    defects = np.array([len(board.truth) for board in boards], dtype=np.int64)
    good = [loudest for board in boards if (loudest := board.loudest_on_good()) is not None]
    return DetectorFigures(
        threshold=threshold,
        map=_mean([one.ap for one in per_class.values() if one.defects]),
        pooled_ap=average_precision(confidence, right, truths=truths),
        f=f_measure(confidence, right, truths=truths, threshold=threshold),
        f_best=f_best,
        f_best_at=f_best_at,
        per_class=per_class,
        map50=coco[0],
        map50_95=_mean(coco),
        defects=int(defects.sum()),
        missed=int((defects - found).sum()),
        boards=len(boards),
        boards_missed=int((found < defects).sum()),
        boards_all_missed=int(((defects > 0) & (found == 0)).sum()),
        unregistered=sum(not board.registered for board in boards),
        good_boards=len(good),
        overkill_boards=sum(loudest >= threshold for loudest in good),
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


def overlaps(found: Sequence[Box], truth: Sequence[Box]) -> NDArray[np.float64]:
    """Return IoU [found, truth]."""
    a, b = _corners(found)[:, None], _corners(truth)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = np.where((sides > 0).all(axis=2), sides.prod(axis=2), 0.0)
    area_a, area_b = ((c[..., 2:] - c[..., :2]).prod(axis=2) for c in (a, b))
    iou: NDArray[np.float64] = common / (area_a + area_b - common)
    return iou


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranking:
    """All detections of one label, board after board, each board's by falling confidence.

    `pairs` are those of a detection and a truth box of its board that overlap by more than
    `OVERLAP`, in order of the detections, the best of each first; `pair_iou` belongs to them.
    """

    confidence: NDArray[np.float64]
    board_of: NDArray[np.int64]
    truths: int
    pairs: NDArray[np.int64]
    pair_iou: NDArray[np.float64]

    def at_overlap(self, least: float, *, inclusive: bool) -> NDArray[np.bool_]:
        """Return which detections are right where that overlap is asked for."""
        enough = self.pair_iou >= least if inclusive else self.pair_iou > least
        right = [False] * len(self.confidence)
        used = [False] * self.truths
        for found, truth in self.pairs[enough].tolist():
            if not right[found] and not used[truth]:
                right[found] = used[truth] = True
        return np.array(right, dtype=np.bool_)


def _ranking(boards: Sequence[MeasuredBoard], label: str) -> _Ranking:
    confidence: list[float] = []
    board_of: list[int] = []
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    pair_iou = [np.zeros(0)]
    truths = 0
    for index, board in enumerate(boards):
        found = sorted(
            (d for d in board.found if d.label == label), key=lambda d: d.confidence, reverse=True
        )
        truth = [a.box for a in board.truth if a.label == label]
        if found and truth:
            iou = overlaps([detection.box for detection in found], truth)
            near = np.argwhere(iou > OVERLAP)
            values = iou[near[:, 0], near[:, 1]]
            order = np.lexsort((near[:, 1], -values, near[:, 0]))
            pairs.append(near[order] + (len(confidence), truths))
            pair_iou.append(values[order])
        confidence += [detection.confidence for detection in found]
        board_of += [index] * len(found)
        truths += len(truth)
    return _Ranking(
        confidence=np.array(confidence, dtype=np.float64),
        board_of=np.array(board_of, dtype=np.int64),
        truths=truths,
        pairs=np.concatenate(pairs),
        pair_iou=np.concatenate(pair_iou),
    )


def _label_figures(ranking: _Ranking, right: NDArray[np.bool_], threshold: float) -> LabelFigures:
    counted = ranking.confidence >= threshold
    found, shown = int(right[counted].sum()), int(counted.sum())
    return LabelFigures(
        ap=average_precision(ranking.confidence, right, truths=ranking.truths),
        precision=found / shown if shown else 0.0,
        recall=found / ranking.truths if ranking.truths else 0.0,
        missed=ranking.truths - found,
        defects=ranking.truths,
    )


def _corners(boxes: Sequence[Box]) -> NDArray[np.float64]:
    rows = [(box.x0, box.y0, box.x1, box.y1) for box in boxes]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 4)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
