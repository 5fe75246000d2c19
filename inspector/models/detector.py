"""YOLO as the pipeline's `Detector`: the bare torch model, without ultralytics' predictor.

The predictor keeps results, callbacks and folders that a station has no use for, and takes longer.
Weights load as data only (torch's `weights_only` with ultralytics' list of known classes), after
their hash has been compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inspector import images
from inspector.domain import Bgr, Box, Detection
from inspector.errors import ModelError
from inspector.models import offline, shelf

if TYPE_CHECKING:
    import torch

MAX_DETECTIONS = 300
# The coarsest grid of a YOLO head; an input side has to be a multiple of it.
STRIDE_PX = 32


def load_detector(name_or_path: str, *, threads: int | None = None) -> YoloDetector:
    """Return the detector of that name or path, warmed up.

    `threads` is the number of torch threads of the thread that calls `detect`; torch's own choice
    where None. Raises `ModelError`.
    """
    folder, description = shelf.read_detector(name_or_path)
    weights = shelf.verified(folder / description.file, description.sha256)
    return YoloDetector(description, weights, threads=threads)


class YoloDetector:
    """Finds defects with a YOLO model. One instance serves one thread.

    Two boxes that overlap by more than `iou` are one defect, whatever their labels: the one with
    the higher confidence stays.
    """

    def __init__(
        self,
        description: shelf.DetectorDescription,
        weights: Path,
        *,
        threads: int | None = None,
    ) -> None:
        """Load `weights`, whose hash the caller has compared."""
        images.require_system_libraries()
        offline.import_ultralytics()
        from ultralytics.nn.tasks import torch_safe_load

        self.name = description.name
        self.labels = description.labels
        self.sha256 = description.sha256
        self.thresholds = description.thresholds
        self.needs_reference = description.input_channels == "reference"
        self.input_px = description.input_px
        self._threads = threads
        try:
            checkpoint, _ = torch_safe_load(weights, safe_only=True)
        except (TypeError, RuntimeError, AttributeError, ModuleNotFoundError) as exc:
            raise ModelError(
                f"{weights}: expected weights that this ultralytics can load: {exc}"
            ) from exc
        model = (checkpoint.get("ema") or checkpoint["model"]).float()
        found = tuple(model.names[index] for index in sorted(model.names))
        if found != self.labels:
            raise ModelError(
                f"{weights}: expected the labels {', '.join(self.labels)} of its card, found "
                f"{', '.join(found)}; restore the file and its card together"
            )
        self._model = model.fuse(verbose=False).eval()
        size = self.input_px
        blank: Bgr = np.full((size, size, 3), images.LETTERBOX_GREY, dtype=np.uint8)
        self.predictions(blank)  # the first call allocates; a part should not wait for it

    def detect(
        self, bgr: Bgr, *, reference_bgr: Bgr | None, report_at: float, iou: float
    ) -> tuple[Detection, ...]:
        """Return the defects of `bgr`, highest confidence first, clipped to the frame.

        Raises `ModelError`, and `PictureError` where the reference has another size.
        """
        if self.needs_reference:
            if reference_bgr is None:
                raise ModelError(
                    f"{self.name}: expected a reference picture, got none; set the recipe's "
                    "'reference', or use a detector that needs none"
                )
            bgr = images.compose(bgr, reference_bgr)
        from ultralytics.utils.nms import non_max_suppression

        laid, fit = images.letterbox(bgr, self.input_px, stride_px=STRIDE_PX)
        (rows,) = non_max_suppression(
            self.predictions(laid),
            conf_thres=report_at,
            iou_thres=iou,
            agnostic=True,
            max_det=MAX_DETECTIONS,
            nc=len(self.labels),
        )
        found = rows.numpy()
        height, width = bgr.shape[:2]
        detections = []
        for xyxy, confidence, label in zip(
            fit.to_frame(found[:, :4]), found[:, 4], found[:, 5], strict=True
        ):
            x0, y0, x1, y1 = np.clip(xyxy, 0, (width, height, width, height))
            if x0 < x1 and y0 < y1:
                box = Box(x0=float(x0), y0=float(y0), x1=float(x1), y1=float(y1))
                detections.append(
                    Detection(
                        label=self.labels[int(label)],
                        confidence=min(1.0, float(confidence)),
                        box=box,
                    )
                )
        return tuple(detections)

    def predictions(self, laid: Bgr) -> torch.Tensor:
        """Return the raw predictions [1, 4 + labels, anchors] for a letterboxed picture."""
        import torch

        if self._threads is not None and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)  # OpenMP keeps it for each calling thread
        # ultralytics trains on RGB, so on a composed picture the difference comes first.
        planes = np.ascontiguousarray(laid[:, :, ::-1].transpose(2, 0, 1))
        with torch.inference_mode():
            batch = torch.from_numpy(planes)[None].float().div_(255)
            try:
                output = self._model(batch)
            except RuntimeError as exc:
                raise ModelError(f"{self.name}: the detector failed: {exc}") from exc
        predictions: torch.Tensor = output[0] if isinstance(output, tuple) else output
        if not bool(torch.isfinite(predictions).all()):
            # suppression would take them for a picture without defects
            raise ModelError(
                f"{self.name}: expected numbers, the detector gave others; install it again"
            )
        return predictions
