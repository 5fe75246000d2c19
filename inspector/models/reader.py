"""RapidOCR (PP-OCRv6 in its wheel, on ONNX Runtime) as the pipeline's `TextReader`."""

from __future__ import annotations

import numpy as np

from inspector import images
from inspector.domain import Bgr, Box, TextLine
from inspector.errors import ModelError
from inspector.models import offline

# Lines below this are guesses at texture. What lies above is reported with its confidence, and the
# standard's `min_confidence` decides whether it counts as read.
MIN_CONFIDENCE = 0.3


class RapidTextReader:
    """Reads printed text. One instance serves one thread."""

    def __init__(self, *, threads: int | None = None) -> None:
        images.require_system_libraries()
        offline.keep_offline()
        from rapidocr import RapidOCR

        self._engine = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.text_score": MIN_CONFIDENCE,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        # The engine loads its networks at the first picture; a part should not wait for that.
        self.read(np.full((64, 64, 3), 255, dtype=np.uint8))

    def read(self, bgr: Bgr) -> tuple[TextLine, ...]:
        """Return the lines of `bgr`, top to bottom, then left to right, `field` unset.

        Boxes are the upright rectangles around the quadrangles that the engine finds. Raises
        `ModelError`.
        """
        height, width = bgr.shape[:2]
        try:
            found = self._engine(bgr)
        except (RuntimeError, ValueError) as exc:
            raise ModelError(f"RapidOCR: the text reader failed: {exc}") from exc
        if found.boxes is None:
            return ()
        lines = []
        for corners, text, confidence in zip(found.boxes, found.txts, found.scores, strict=True):
            (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
            box = Box(
                x0=float(x0), y0=float(y0), x1=max(float(x1), x0 + 1), y1=max(float(y1), y0 + 1)
            ).clipped(width=width, height=height)
            if text.strip() and box is not None:
                lines.append(
                    TextLine(text=text, confidence=min(1.0, max(0.0, float(confidence))), box=box)
                )
        return tuple(sorted(lines, key=lambda line: (line.box.y0, line.box.x0)))
