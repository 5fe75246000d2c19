"""YOLO as the pipeline's `Detector`: the bare network, without ultralytics' predictor.

The predictor keeps results, callbacks and folders that a station has no use for, and takes longer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inspector import images
from inspector.domain import Bgr, Box, Detection
from inspector.errors import ModelError
from inspector.models import choice, shelf
from inspector.models.engines import Engine
from inspector.models.suppression import settled

# The coarsest grid of a YOLO head; an input side has to be a multiple of it.
STRIDE_PX = 32
LEAST_CONFIDENCE = 0.001


def load_detector(
    name_or_path: str, *, engine: str = "auto", threads: int | None = None
) -> YoloDetector:
    """Return the detector of that name or path, warmed up.

    `engine` is auto, pytorch, onnx, openvino or tensorrt; `inspector.models.choice` says what auto
    takes. `threads` is the number of CPU threads of the thread that calls `detect`, the engine's
    own choice where None. Raises `ModelError`.
    """
    folder, description = shelf.read_detector(name_or_path)
    shelf.verified(folder / description.file, description.sha256)
    chosen = choice.engine_for(folder, description, wanted=engine, threads=threads)
    return YoloDetector(description, chosen)


class YoloDetector:
    """Finds defects with a YOLO model. One instance serves one thread.

    Within a label, boxes that overlap by more than `iou` are one defect: the surer one stays.
    Across labels, the surest label keeps the box; each other's confidence is multiplied by
    (1 - confidence of the surer) and it is never reported by `detect`. It stays among the
    `candidates`, so that the ranking is measured whole.
    """

    def __init__(self, description: shelf.DetectorDescription, engine: Engine) -> None:
        """Warm `engine` up: the first call allocates, and a part should not wait for it."""
        self.name = description.name
        self.labels = description.labels
        self.sha256 = description.sha256
        self.thresholds = description.thresholds
        self.sure_at = description.thresholds.sure_at
        self.needs_reference = description.input_channels == "reference"
        self.input_px = description.input_px
        self.engine = f"{engine.name} {engine.precision}"
        self._engine = engine
        self._planes = np.empty((1, 3, 0, 0), dtype=np.uint8)
        size = self.input_px
        self.predictions(np.full((size, size, 3), images.LETTERBOX_GREY, dtype=np.uint8))

    def detect(
        self, bgr: Bgr, *, reference_bgr: Bgr | None, report_at: float | None, iou: float
    ) -> tuple[Detection, ...]:
        """Return the defects of `bgr`, highest confidence first, clipped to the frame.

        `report_at` None is the threshold that was chosen when the detector was trained. Raises
        `ModelError`, and `PictureError` where the reference has another size.
        """
        least = self.thresholds.report_at if report_at is None else report_at
        return self._settled(
            bgr, reference_bgr, least_confidence=least, iou=iou, with_contested=False
        )

    def candidates(
        self, bgr: Bgr, *, reference_bgr: Bgr | None, iou: float
    ) -> tuple[Detection, ...]:
        """Return every box with a confidence of 0.001 or more, at most 300, for measuring."""
        return self._settled(
            bgr, reference_bgr, least_confidence=LEAST_CONFIDENCE, iou=iou, with_contested=True
        )

    def laid_out(self, bgr: Bgr, reference_bgr: Bgr | None) -> tuple[Bgr, images.Fit]:
        """Return what the network looks at, composed and letterboxed, and how it was fitted."""
        if self.needs_reference:
            if reference_bgr is None:
                raise ModelError(
                    f"{self.name}: expected a reference picture, got none; set the recipe's "
                    "'reference', or use a detector that needs none"
                )
            bgr = images.compose(bgr, reference_bgr)
        stride_px = None if self._engine.is_square else STRIDE_PX
        return images.letterbox(bgr, self.input_px, stride_px=stride_px)

    def predictions(self, laid: Bgr) -> NDArray[np.float32]:
        """Return the raw predictions [1, 4 + labels, anchors] for a letterboxed picture."""
        if self._planes.shape[2:] != laid.shape[:2]:
            self._planes = np.empty((1, 3, *laid.shape[:2]), dtype=np.uint8)
        # ultralytics trains on RGB, so on a composed picture the difference comes first.
        images.reversed_planes(laid, self._planes[0])
        found = self._engine.predictions(self._planes)
        if found.ndim != 3 or found.shape[1] != 4 + len(self.labels):
            raise ModelError(
                f"{self.name}: expected predictions for {len(self.labels)} labels, {self.engine} "
                f"gave the shape {list(found.shape)}; export the model again"
            )
        if not np.isfinite(found).all():
            # suppression would take them for a picture without defects
            raise ModelError(
                f"{self.name}: expected numbers, the detector gave others; install it again"
            )
        return found

    def _settled(
        self,
        bgr: Bgr,
        reference_bgr: Bgr | None,
        *,
        least_confidence: float,
        iou: float,
        with_contested: bool,
    ) -> tuple[Detection, ...]:
        laid, fit = self.laid_out(bgr, reference_bgr)
        found = settled(self.predictions(laid)[0], least_confidence=least_confidence, iou=iou)
        height, width = bgr.shape[:2]
        corners = np.clip(
            fit.to_frame(found.xyxy.astype(np.float32)), 0, (width, height, width, height)
        )
        detections = []
        for xyxy, confidence, label, contested in zip(
            corners.tolist(),
            found.confidence.tolist(),
            found.label.tolist(),
            found.contested.tolist(),
            strict=True,
        ):
            x0, y0, x1, y1 = xyxy
            if x0 < x1 and y0 < y1 and (with_contested or not contested):
                detections.append(
                    Detection(
                        label=self.labels[label],
                        confidence=min(1.0, confidence),
                        box=Box(x0=x0, y0=y0, x1=x1, y1=y1),
                    )
                )
        return tuple(detections)
