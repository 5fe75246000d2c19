"""The detector alone: stock ultralytics, PyTorch and every export that passed its parity gate.

Each goes from picture and reference to boxes, with the same weights, some pictures in turns: after
its last call PyTorch's threads wait for more work for a while, and would slow the next way down.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from inspector import images
from inspector.domain import Bgr
from inspector.models import choice, offline, shelf
from inspector.models.detector import YoloDetector, load_detector
from inspector.models.engines import PyTorchEngine

STOCK, PRODUCT = "stock YOLO.predict", "product"
CONFIDENCE, IOU = 0.25, 0.5
TURN = 5  # pictures

Pictures = Sequence[tuple[Bgr, Bgr]]
"""Frames with the references they are compared with."""


def timed_detectors(
    name: str, pictures: Pictures, *, threads: int, advance: Callable[[], None]
) -> dict[str, list[float]]:
    """Return the milliseconds of each way on `pictures`; the first of a turn warms up, uncounted.

    "product" is what `engine: auto` takes on this machine.
    """
    offline.import_ultralytics()
    import torch

    folder, description = shelf.read_detector(name)
    weights = shelf.verified(folder / description.file, description.sha256)
    pytorch = YoloDetector(description, PyTorchEngine(description, weights, threads=threads))
    turns: list[tuple[str, Callable[[Bgr, Bgr], None]]] = [
        (STOCK, _stock(name)),
        (PRODUCT, partial(_detect, load_detector(name, threads=threads))),
        (pytorch.engine, partial(_detect, pytorch)),
    ]
    for export in choice.usable_exports(description):
        engine = choice.load_export(folder, export, threads=threads)
        turns.append((choice.named(export), partial(_detect, YoloDetector(description, engine))))
    spent_ms: dict[str, list[float]] = defaultdict(list)
    for turn, begin in enumerate(range(0, len(pictures), TURN)):
        shown = pictures[begin : begin + TURN]
        first = turn % len(turns)
        for way, work in turns[first:] + turns[:first]:
            torch.set_num_threads(threads)  # ultralytics' predictor sets its own count
            work(*shown[0])
            for bgr, reference in shown:
                start = time.perf_counter_ns()
                work(bgr, reference)
                spent_ms[way].append((time.perf_counter_ns() - start) / 1e6)
        for _ in shown:
            advance()
    return dict(spent_ms)


def _stock(name: str) -> Callable[[Bgr, Bgr], None]:
    from ultralytics import YOLO

    folder, description = shelf.read_detector(name)
    yolo = YOLO(folder / description.file, task="detect")

    def predict(bgr: Bgr, reference: Bgr) -> None:
        seen = images.compose(bgr, reference) if description.input_channels == "reference" else bgr
        yolo.predict(seen, conf=CONFIDENCE, iou=IOU, imgsz=description.input_px, verbose=False)

    return predict


def _detect(detector: YoloDetector, bgr: Bgr, reference: Bgr) -> None:
    detector.detect(bgr, reference_bgr=reference, report_at=CONFIDENCE, iou=IOU)
