"""Boards as a detector sees them: every box it gives, its crop, and what is really there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inspector import images
from inspector.domain import Bgr, Context, Detection, Evidence, Findings
from inspector.errors import DataError, PictureError
from inspector.evidence import CROP_PX, gather
from inspector.models.shelf import DetectorThresholds
from inspector.registration import DEFAULT_LIMITS, Golden
from inspector.training.datasets import Annotation, LabelledPicture
from inspector.training.evaluate import good_board
from inspector.training.figures import OVERLAP

LEAST_CONFIDENCE = 0.001
TOUCHES = 0.1  # between this overlap and a true one it is anybody's guess what a box shows
PRODUCT = "bare printed circuit board"

Advance = Callable[[int, int], None]


class ReportingDetector(Protocol):
    """What is asked of a detector: the boxes that a station would report."""

    labels: tuple[str, ...]
    sha256: str
    needs_reference: bool
    thresholds: DetectorThresholds

    def detect(
        self, bgr: Bgr, *, reference_bgr: Bgr | None, report_at: float | None, iou: float
    ) -> tuple[Detection, ...]:
        """Return the boxes with a confidence of `report_at` or more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """A board, or its good twin: what is there, and each box of the detector with its crop."""

    picture: str
    is_twin: bool
    truth: tuple[Annotation, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtBoxes:
    """Boxes to learn from: `crops` uint8[N, 64, 64, 3], `labels` int64[N], whether each is `real`.

    A label is its place among those of the detector.
    """

    crops: NDArray[np.uint8]
    labels: NDArray[np.int64]
    real: NDArray[np.bool_]


def looked_at(
    detector: ReportingDetector,
    pictures: Sequence[LabelledPicture],
    *,
    advance: Advance | None = None,
) -> Iterator[LookedAt]:
    """Yield each board and its good twin, cut and composed as a station does it.

    What cannot be registered is left out: a station would hold it without a look. Raises
    `DataError` for a picture without a reference.
    """
    for index, picture in enumerate(pictures):
        if picture.reference is None:
            raise DataError(
                f"{picture.picture}: expected a reference beside it; crops are learnt from boards "
                "with one, since their good twins are made of it"
            )
        bgr, reference = images.read(picture.picture), images.read(picture.reference)
        golden = Golden(reference, limits=DEFAULT_LIMITS)
        good = good_board(bgr, reference, picture.annotations)
        for shown, truth in ((bgr, picture.annotations), (good, ())):
            evidence = _evidence(detector, shown, golden)
            if evidence is not None:
                yield LookedAt(
                    picture=picture.id, is_twin=shown is good, truth=truth, evidence=evidence
                )
        if advance is not None:
            advance(index + 1, len(pictures))


def _evidence(detector: ReportingDetector, bgr: Bgr, golden: Golden) -> Evidence | None:
    try:
        under = golden.under(bgr)
    except PictureError:
        return None
    found = detector.detect(
        bgr,
        reference_bgr=under if detector.needs_reference else None,
        report_at=LEAST_CONFIDENCE,
        iou=detector.thresholds.iou,
    )
    return gather(
        Findings(detections=found, text_lines=(), codes=()),
        product=PRODUCT,
        context=Context(inspected_on=date(2026, 1, 1)),
        frame_bgr=images.compose(bgr, under),
    )


def is_real(defect: Detection, truth: Iterable[Annotation]) -> bool | None:
    """Return whether `defect` is one of `truth`, by label and overlap; None where nobody can say.

    A second box on a true defect is no mistake that a crop could show: it counts as real.
    """
    most = max((defect.box.iou(a.box) for a in truth if a.label == defect.label), default=0.0)
    return True if most > OVERLAP else None if most > TOUCHES else False


def taught_boxes(boards: Iterable[LookedAt], labels: Sequence[str]) -> TaughtBoxes:
    """Return the boxes of `boards` of which it is known what they show."""
    rows = [
        (crop, labels.index(defect.label), real)
        for board in boards
        for defect, crop in zip(board.evidence.defects, board.evidence.crops_bgr, strict=True)
        if crop is not None and (real := is_real(defect, board.truth)) is not None
    ]
    shape = (0, CROP_PX, CROP_PX, 3)
    return TaughtBoxes(
        crops=np.stack([crop for crop, _, _ in rows]) if rows else np.zeros(shape, np.uint8),
        labels=np.array([label for _, label, _ in rows], dtype=np.int64),
        real=np.array([real for _, _, real in rows], dtype=np.bool_),
    )


def precise_at(boards: Iterable[LookedAt], *, precision: float) -> float:
    """Return the lowest threshold of confidence at which that share of the boxes is right.

    Of boards, not of good twins, by the rule of DeepPCB: the surest box with enough overlap takes
    a true one, another box on it is wrong. Raises `DataError` where no threshold is so precise.
    """
    rows = [row for board in boards if not board.is_twin for row in _rights(board)]
    confidence = np.array([row[0] for row in rows])
    order = np.argsort(-confidence, kind="stable")
    confidence = confidence[order]
    right = np.cumsum(np.array([row[1] for row in rows], dtype=np.int64)[order])
    # Boxes of the same confidence are reported together or not at all.
    last = np.append(confidence[1:] < confidence[:-1], True)[: len(rows)]
    enough = np.flatnonzero(last & (right >= precision * np.arange(1, len(rows) + 1)))
    if not len(enough):
        raise DataError(
            f"expected a threshold at which {precision:.0%} of the boxes are right, found none on "
            f"{len(rows)} boxes; use a detector that was trained for these boards"
        )
    return float(confidence[enough[-1]])


def _rights(board: LookedAt) -> Iterator[tuple[float, bool]]:
    free = list(board.truth)
    for defect in sorted(board.evidence.defects, key=lambda d: -d.confidence):
        own = [a for a in free if a.label == defect.label]
        best = max(own, key=lambda a: defect.box.iou(a.box), default=None)
        is_right = best is not None and defect.box.iou(best.box) > OVERLAP
        if best is not None and is_right:
            free.remove(best)
        yield defect.confidence, is_right
