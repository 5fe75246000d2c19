"""Inspect parts as one would write it in an afternoon: each package by its own call, in a row.

    python -m inspector.benchmarks.naive pcb BOARD.png TEMPLATE.png
    python -m inspector.benchmarks.naive label LABEL.jpg

Same weights and same pictures as the product, so that `inspector bench` can compare the two.
"""

import sys
from datetime import date
from pathlib import Path

from inspector import evidence, images
from inspector.domain import (
    Bgr,
    Box,
    Clause,
    Code,
    Context,
    Detection,
    Evidence,
    Findings,
    TextLine,
)
from inspector.models import offline, shelf
from inspector.models.judge import load_judge
from inspector.settings import load_recipe


class NaiveInspector:
    def __init__(self, *, detector: str, judge: str, threads: int = 1) -> None:
        offline.import_ultralytics()
        from rapidocr import RapidOCR
        from ultralytics import YOLO

        folder, description = shelf.read_detector(detector)
        self.yolo = YOLO(folder / description.file, task="detect")
        self.ocr = RapidOCR(
            params={
                "Global.log_level": "error",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            }
        )
        self.judge_model = load_judge(judge, engine="pytorch")

    def detect(self, board: Bgr, template: Bgr) -> tuple[Detection, ...]:
        composed = images.compose(board, template)
        result = self.yolo.predict(composed, conf=0.25, iou=0.5, imgsz=640, verbose=False)[0]
        return tuple(
            Detection(
                label=result.names[int(box.cls)],
                confidence=float(box.conf),
                box=Box(**dict(zip(("x0", "y0", "x1", "y1"), box.xyxy[0].tolist(), strict=True))),
            )
            for box in result.boxes
        )

    def read(self, picture: Bgr) -> Findings:
        import zxingcpp

        here = Box(x0=0, y0=0, x1=1, y1=1)
        found = self.ocr(picture)
        lines = zip(found.txts or (), found.scores or (), strict=True)
        codes = zxingcpp.read_barcodes(picture)
        return Findings(
            text_lines=tuple(TextLine(text=t, confidence=float(c), box=here) for t, c in lines),
            codes=tuple(Code(symbology=str(c.format), text=c.text, box=here) for c in codes),
        )

    def judge(self, seen: Evidence, clauses: tuple[Clause, ...]) -> list[float]:
        return [self.judge_model.violation_probabilities(seen, (clause,))[0] for clause in clauses]


def main(recipe_name: str, *paths: str) -> None:
    recipe = load_recipe(recipe_name)
    naive = NaiveInspector(detector="pcb-yolo11n", judge=recipe.settings.judge)
    pictures = [images.read(Path(path)) for path in paths]
    if recipe.settings.detector is not None:
        findings = Findings(detections=naive.detect(pictures[0], pictures[1]))
        looked_at = images.compose(pictures[0], pictures[1])
    else:
        findings, looked_at = naive.read(pictures[0]), pictures[0]
    context = Context(inspected_on=date.today())
    seen = evidence.gather(
        findings, product=recipe.settings.product, context=context, frame_bgr=looked_at
    )
    for clause, p in zip(
        recipe.standard.clauses, naive.judge(seen, recipe.standard.clauses), strict=True
    ):
        print(f"{clause.id}  P(violated) {p:.2f}  {clause.text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
