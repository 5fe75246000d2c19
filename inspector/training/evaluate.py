"""Measure a detector on labelled pictures: the one place where a test split is read.

A picture with a reference has a good twin: itself with the reference pasted over each annotated
box, grown by 8 px, so that its harmless differences from the reference stay. Without references
the good parts are the pictures without annotation. `inspector.training.figures` has the measure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from inspector import images
from inspector.domain import Bgr, Detection
from inspector.errors import DataError, PictureError
from inspector.models.shelf import DetectorThresholds
from inspector.registration import DEFAULT_LIMITS, Golden
from inspector.settings import RegistrationSettings
from inspector.training.datasets import Annotation, LabelledPicture
from inspector.training.figures import DetectorFigures, MeasuredBoard, figures
from inspector.training.perturb import NONE, Perturbation, perturbed

GOOD_BOARD_MARGIN_PX = 8

Advance = Callable[[int, int], None]
"""Called with how many boards are done, of how many."""


class MeasuredDetector(Protocol):
    """What is measured of a detector: every box it would ever give, not only what it reports."""

    labels: tuple[str, ...]
    sha256: str
    engine: str
    needs_reference: bool
    thresholds: DetectorThresholds

    def candidates(
        self, bgr: Bgr, *, reference_bgr: Bgr | None, iou: float
    ) -> tuple[Detection, ...]:
        """Return every box with a confidence of 0.001 or more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The figures of one run, what they were measured on and with, and all that was found."""

    data_sha256: str
    model_sha256: str
    engine: str
    figures: DetectorFigures
    perturbation: Perturbation
    boards: tuple[MeasuredBoard, ...]

    def as_json(self, *, split: str, notes: Sequence[str] = ()) -> str:
        """Return the line of `evaluate detector --json`; `notes` are those of the data set."""
        content = {
            "schema": "evaluate-detector/1",
            "data_sha256": self.data_sha256,
            "split": split,
            "notes": list(notes),
            "model_sha256": self.model_sha256,
            "engine": self.engine,
            **asdict(self.figures),
            "perturb": self.perturbation.as_json(),
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
    detector: MeasuredDetector,
    pictures: Sequence[LabelledPicture],
    *,
    threshold: float | None = None,
    perturbation: Perturbation = NONE,
    bit_depth: int = 8,
    limits: RegistrationSettings | None = None,
    advance: Advance | None = None,
) -> Evaluation:
    """Run `detector` over `pictures`; the same input gives the same figures.

    `threshold` is the one of its description where None; `limits` are the recipe's for registering.
    """
    boards = tuple(
        measure_boards(
            detector,
            pictures,
            perturbation=perturbation,
            bit_depth=bit_depth,
            limits=limits,
            advance=advance,
        )
    )
    at = detector.thresholds.report_at if threshold is None else threshold
    return Evaluation(
        data_sha256=data_sha256(pictures),
        model_sha256=detector.sha256,
        engine=detector.engine,
        figures=figures(boards, labels=detector.labels, threshold=at),
        perturbation=perturbation,
        boards=boards,
    )


def measure_boards(
    detector: MeasuredDetector,
    pictures: Sequence[LabelledPicture],
    *,
    perturbation: Perturbation = NONE,
    bit_depth: int = 8,
    limits: RegistrationSettings | None = None,
    advance: Advance | None = None,
) -> Iterator[MeasuredBoard]:
    """Yield what `detector` finds on each picture and on its good twin.

    Where it compares with a reference, that is registered and moved as a station does it. Raises
    `DataError` where the pictures do not fit the detector.
    """
    _require_fit(detector, pictures, perturbation)
    for index, picture in enumerate(pictures):
        bgr = images.read(picture.picture, bit_depth=bit_depth)
        reference: Bgr | None = None
        good = None if picture.annotations else bgr
        if picture.reference is not None:
            reference = images.read(picture.reference, bit_depth=bit_depth)
            if picture.annotations:
                good = good_board(bgr, reference, picture.annotations)
        shown, compared = perturbed(bgr, reference, perturbation, index=index)
        golden = None
        if compared is not None and detector.needs_reference:
            golden = Golden(compared, limits=limits or DEFAULT_LIMITS)
        found = found_on_good = _found(detector, shown, golden)
        if good is not None and good is not bgr:
            shown, _ = perturbed(good, reference, perturbation, index=index)
            found_on_good = _found(detector, shown, golden)
        yield MeasuredBoard(
            picture=picture.picture.name,
            truth=picture.annotations,
            found=found or (),
            found_on_good=None if good is None else found_on_good or (),
            registered=found is not None,
            good_registered=good is None or found_on_good is not None,
        )
        if advance is not None:
            advance(index + 1, len(pictures))


def good_board(board: Bgr, reference: Bgr, annotations: Iterable[Annotation]) -> Bgr:
    """Return `board` with `reference` pasted over each annotated box, grown by 8 px.

    The reference is pasted as it is: where it lies a few pixels off, the seams stay, and count.
    """
    if board.shape != reference.shape:
        raise DataError(f"expected a reference of {board.shape[:2]}, found {reference.shape[:2]}")
    good = board.copy()
    height, width = board.shape[:2]
    for annotation in annotations:
        box = annotation.box.expanded(GOOD_BOARD_MARGIN_PX).clipped(width=width, height=height)
        if box is not None:
            area = np.s_[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
            good[area] = reference[area]
    return good


def data_sha256(pictures: Sequence[LabelledPicture]) -> str:
    """Return one hash of all pictures, references and annotations, in their order."""
    digest = hashlib.sha256()
    for picture in pictures:
        for path in filter(None, (picture.picture, picture.reference)):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        for annotation in picture.annotations:
            digest.update(f"{annotation.label} {annotation.box.as_list()}\n".encode())
    return digest.hexdigest()


def _found(
    detector: MeasuredDetector, bgr: Bgr, golden: Golden | None
) -> tuple[Detection, ...] | None:
    """Return every box on `bgr`, None where it cannot be registered and a station would hold it."""
    try:
        reference = None if golden is None else golden.under(bgr)
    except PictureError:
        return None
    return detector.candidates(bgr, reference_bgr=reference, iou=detector.thresholds.iou)


def _require_fit(
    detector: MeasuredDetector, pictures: Sequence[LabelledPicture], perturbation: Perturbation
) -> None:
    if not pictures:
        raise DataError("expected at least one picture to measure on, found none; check the split")
    mistakes = []
    labels = {annotation.label for picture in pictures for annotation in picture.annotations}
    if unknown := sorted(labels - set(detector.labels)):
        mistakes.append(
            f"expected labels of the detector ({', '.join(detector.labels)}), found "
            f"{', '.join(unknown)} in the annotations; use the detector trained for them"
        )
    bare = [picture.picture for picture in pictures if picture.reference is None]
    if bare and detector.needs_reference:
        mistakes.append(
            f"expected a reference of each picture, since the detector compares with one, found "
            f"none for {len(bare)} (first {bare[0]}); give a recipe with a reference"
        )
    if bare and perturbation.moves_reference:
        mistakes.append(
            f"expected a reference of each picture, which shift and angle move, found none for "
            f"{len(bare)} (first {bare[0]}); leave shift and angle out of the perturbation"
        )
    if mistakes:
        raise DataError("\n".join(mistakes))
