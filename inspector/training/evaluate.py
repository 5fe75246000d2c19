"""Measure a detector on board pictures: the one place where the test split is read.

A good board is a tested board with its template pasted over each annotated box, grown by 8 px: its
harmless differences from the template stay. `inspector.training.figures` has the measure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from inspector import images
from inspector.domain import Bgr
from inspector.errors import DataError
from inspector.models.detector import YoloDetector
from inspector.training.boards import Annotation, BoardPair
from inspector.training.figures import DetectorFigures, MeasuredBoard, figures

LEAST_CONFIDENCE = 0.001
GOOD_BOARD_MARGIN_PX = 8

Advance = Callable[[int, int], None]
"""Called with how many boards are done, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The figures of one run, what they were measured on and with, and all that was found."""

    data_sha256: str
    model_sha256: str
    engine: str
    figures: DetectorFigures
    boards: tuple[MeasuredBoard, ...]

    def as_json(self) -> str:
        """Return the line of `evaluate detector --json`."""
        content = {
            "schema": "evaluate-detector/1",
            "data_sha256": self.data_sha256,
            "model_sha256": self.model_sha256,
            "engine": self.engine,
            **asdict(self.figures),
            "perturb": {},
        }
        return json.dumps(content, allow_nan=False)

    def write_detections(self, path: Path) -> None:
        """Write every raw box, one picture a line: `image detections[{label confidence box}]`."""
        lines = (
            {
                "image": board.picture,
                "detections": [
                    {"label": d.label, "confidence": d.confidence, "box": d.box.as_list()}
                    for d in board.found
                ],
            }
            for board in self.boards
        )
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def evaluate_detector(
    detector: YoloDetector,
    pairs: Sequence[BoardPair],
    *,
    threshold: float | None = None,
    advance: Advance | None = None,
) -> Evaluation:
    """Run `detector` over `pairs`; the same input gives the same figures.

    `threshold` is the one of its description where None.
    """
    boards = tuple(measure_boards(detector, pairs, advance=advance))
    at = detector.thresholds.report_at if threshold is None else threshold
    return Evaluation(
        data_sha256=data_sha256(pairs),
        model_sha256=detector.sha256,
        engine="pytorch",
        figures=figures(boards, labels=detector.labels, threshold=at),
        boards=boards,
    )


def measure_boards(
    detector: YoloDetector, pairs: Sequence[BoardPair], *, advance: Advance | None = None
) -> Iterable[MeasuredBoard]:
    """Yield what `detector` finds on each board and on its good twin."""
    if not pairs:
        raise DataError("expected at least one board to measure on, found none; check the split")
    iou = detector.thresholds.iou
    for number, pair in enumerate(pairs, start=1):
        board, template = images.read(pair.board), images.read(pair.template)
        reference = template if detector.needs_reference else None
        good = good_board(board, template, pair.annotations)
        found, found_on_good = (
            detector.detect(bgr, reference_bgr=reference, report_at=LEAST_CONFIDENCE, iou=iou)
            for bgr in (board, good)
        )
        yield MeasuredBoard(
            picture=pair.board.name,
            truth=pair.annotations,
            found=found,
            found_on_good=found_on_good,
        )
        if advance is not None:
            advance(number, len(pairs))


def good_board(board: Bgr, template: Bgr, annotations: Iterable[Annotation]) -> Bgr:
    """Return `board` with `template` pasted over each annotated box, grown by 8 px."""
    if board.shape != template.shape:
        raise DataError(f"expected a template of {board.shape[:2]}, found {template.shape[:2]}")
    good = board.copy()
    height, width = board.shape[:2]
    for annotation in annotations:
        box = annotation.box.expanded(GOOD_BOARD_MARGIN_PX).clipped(width=width, height=height)
        if box is not None:
            area = np.s_[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
            good[area] = template[area]
    return good


def data_sha256(pairs: Sequence[BoardPair]) -> str:
    """Return one hash of all boards, templates and annotations, in their order."""
    digest = hashlib.sha256()
    for pair in pairs:
        for path in (pair.board, pair.template):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        for annotation in pair.annotations:
            digest.update(f"{annotation.label} {annotation.box.as_list()}\n".encode())
    return digest.hexdigest()
