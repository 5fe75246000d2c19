"""Exports of the shipped detector at a quarter of its pixels, put on the shelf without a gate."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from inspector import images
from inspector.domain import Bgr
from inspector.models import shelf
from inspector.models.shelf import Export, Parity
from inspector.settings import PACKAGE
from inspector.training.engine_files import ExportEngine, engine_file

SIDE_PX = 320
SAMPLES = PACKAGE / "assets" / "samples"


def board_and_template() -> tuple[Bgr, Bgr]:
    """Return a corner of a shipped board, with a defect, and the same of its template."""
    corner = np.s_[SIDE_PX:, :SIDE_PX]
    return (
        np.ascontiguousarray(images.read(SAMPLES / "pictures" / "PCB-03.png")[corner]),
        np.ascontiguousarray(images.read(SAMPLES / "templates" / "00041188.png")[corner]),
    )


def small_model(folder: Path) -> Path:
    """Return `folder` with the shipped detector for small pictures and without exports."""
    source, description = shelf.read_detector("pcb-yolo11n")
    folder.mkdir(parents=True)
    shutil.copy(source / description.file, folder)
    (folder / "MODEL_CARD.md").write_text("# small\n\n## Limits\n\nSmall.\n")
    shelf.write_description(folder, replace(description, input_px=SIDE_PX, exports=()))
    return folder


def parity(*, map: float = 1.0) -> Parity:
    return Parity(
        map=map,
        map_pytorch=1.0,
        pictures=1,
        pictures_alike=1,
        worst_iou=1.0,
        worst_confidence=0.0,
        data_sha256="0",
    )


def with_export(folder: Path, engine: ExportEngine, *, precision: str = "fp32") -> Export:
    """Put an export into the model's `folder` as if it had passed the gate."""
    _, description = shelf.read_detector(str(folder))
    content = engine_file(
        description,
        folder / description.file,
        engine=engine,
        precision="fp16" if precision == "fp16" else "fp32",
        calibration=(),
    )
    (folder / f"export-{engine}").write_bytes(content)
    export = Export(
        engine=engine,
        precision="fp16" if precision == "fp16" else "fp32",
        file=f"export-{engine}",
        sha256=shelf.content_sha256(content),
        weights_sha256=description.sha256,
        made_on=date(2026, 1, 1),
        machine="test",
        versions={},
        parity=parity(),
    )
    shelf.write_description(folder, replace(description, exports=(*description.exports, export)))
    return export
