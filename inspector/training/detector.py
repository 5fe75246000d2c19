"""Train a detector on board pictures and put it on the shelf, measured and described.

Everything is chosen on the validation fold; the test split is not read here.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector import images
from inspector.errors import DataError, ModelError
from inspector.models import offline, shelf
from inspector.training.boards import LABELS, BoardPair, read_deeppcb, shipped_splits
from inspector.training.detector_shelf import Training, finish_detector

ARCHITECTURES = ("yolo11n", "yolo11s")

# Boards have no colour and no upright; scale and place vary little. Mosaic is on for the first two
# thirds: it shows more defects a step, and is off at the end so that whole boards set the scores.
AUGMENTATION = {
    "hsv_h": 0.0,
    "hsv_s": 0.0,
    "hsv_v": 0.0,
    "bgr": 0.0,
    "flipud": 0.5,
    "fliplr": 0.5,
    "degrees": 0.0,
    "translate": 0.1,
    "scale": 0.15,
    "mosaic": 0.5,
    "erasing": 0.0,
    "mixup": 0.0,
}
OPTIMISER = {
    "optimizer": "AdamW",
    "lr0": 0.0015,
    "lrf": 0.02,
    "cos_lr": True,
    "warmup_epochs": 1.0,
    "weight_decay": 0.0005,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands; `map50` is that of the last finished epoch on the fold."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    left_s: float
    map50: float | None


def train_detector(
    *,
    data: Path,
    out: Path,
    architecture: str = "yolo11n",
    epochs: int = 30,
    device: str = "auto",
    resume: bool = False,
    seed: int = 0,
    threads: int | None = None,
    input_px: int = 640,
    report: Callable[[Progress], None] | None = None,
) -> shelf.DetectorDescription:
    """Train on the DeepPCB *trainval* boards of `data` and put the detector into `out`.

    Checkpoints lie in `out/training`; after a crash `resume` goes on from the last whole epoch.
    Raises `DataError` and `ModelError`.
    """
    architecture = architecture.removesuffix(".yaml")
    if architecture not in ARCHITECTURES:
        raise ModelError(f"expected one of {', '.join(ARCHITECTURES)}, got {architecture!r}")
    images.require_system_libraries()
    offline.import_ultralytics()
    training, validation = folds(data)
    work = (out / "training").resolve()  # ultralytics puts a relative folder elsewhere
    last = work / "run" / "weights" / "last.pt"
    if resume and not last.is_file():
        raise ModelError(f"expected a checkpoint to resume at {last}, found none; leave out resume")
    dataset = write_dataset(training, validation, work / "boards")
    trainer = _trainer(
        dataset=dataset,
        work=work,
        architecture=architecture,
        epochs=epochs,
        device=device,
        resume=last if resume else None,
        seed=seed,
        threads=threads or os.cpu_count() or 1,
        input_px=input_px,
    )
    if report is not None:
        _report_progress(trainer, report)
    # ultralytics draws its own bars on standard output; `report` says the same.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        trainer.train()
    return finish_detector(
        weights=work / "run" / "weights" / "best.pt",
        out=out,
        training=training,
        validation=validation,
        how=Training(architecture=architecture, epochs=epochs, seed=seed, input_px=input_px),
        threads=threads,
    )


def folds(data: Path) -> tuple[tuple[BoardPair, ...], tuple[BoardPair, ...]]:
    """Return the training and the validation boards of *trainval*, without the demo's."""
    splits = shipped_splits()
    pairs = [pair for pair in read_deeppcb(data, split="trainval") if pair.id not in splits.demo]
    held_out = {pair.id for pair in pairs if pair.group in splits.validation_groups}
    training = tuple(pair for pair in pairs if pair.id not in held_out)
    validation = tuple(pair for pair in pairs if pair.id in held_out)
    if not training or not validation:
        raise DataError(
            f"{data}: expected boards of the validation groups "
            f"{', '.join(splits.validation_groups)} and of others, found {len(validation)} and "
            f"{len(training)}; check --data"
        )
    return training, validation


def write_dataset(
    training: Sequence[BoardPair], validation: Sequence[BoardPair], folder: Path
) -> Path:
    """Write composed pictures and YOLO labels for ultralytics; return the path of its list."""
    for fold, pairs in (("train", training), ("val", validation)):
        (folder / fold / "images").mkdir(parents=True, exist_ok=True)
        (folder / fold / "labels").mkdir(parents=True, exist_ok=True)
        for pair in pairs:
            composed = images.compose(images.read(pair.board), images.read(pair.template))
            height, width = composed.shape[:2]
            rows = [
                f"{LABELS.index(a.label)} {a.box.centre[0] / width:.6f} "
                f"{a.box.centre[1] / height:.6f} {a.box.width / width:.6f} "
                f"{a.box.height / height:.6f}"
                for a in pair.annotations
            ]
            (folder / fold / "images" / f"{pair.id}.png").write_bytes(images.encode_png(composed))
            (folder / fold / "labels" / f"{pair.id}.txt").write_text("\n".join(rows))
    content = {
        "path": str(folder.resolve()),
        "train": "train/images",
        "val": "val/images",
        "names": list(LABELS),
    }
    path = folder / "data.yaml"
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


def _trainer(
    *,
    dataset: Path,
    work: Path,
    architecture: str,
    epochs: int,
    device: str,
    resume: Path | None,
    seed: int,
    threads: int,
    input_px: int,
) -> Any:
    import torch
    from ultralytics.models.yolo.detect import DetectionTrainer

    from inspector.training.yolo import CpuBfloat16Trainer

    if device == "auto":
        device = "0" if torch.cuda.is_available() else "cpu"
    on_cpu = device == "cpu"
    overrides: dict[str, Any] = {
        "model": f"{architecture}.yaml",
        "data": str(dataset),
        "imgsz": input_px,
        "epochs": epochs,
        "batch": 8 if on_cpu else 32,
        "nbs": 8 if on_cpu else 32,
        "amp": not on_cpu,
        "workers": 1 if on_cpu else 4,
        "cache": "ram",
        "device": device,
        "seed": seed,
        "deterministic": not on_cpu,
        "close_mosaic": epochs // 3,
        "patience": epochs,
        "pretrained": False,
        "project": str(work),
        "name": "run",
        "exist_ok": True,
        "plots": False,
        **OPTIMISER,
        **AUGMENTATION,
    }
    if resume is not None:
        overrides["resume"] = str(resume)
    if not on_cpu:
        return DetectionTrainer(overrides=overrides)
    trainer = CpuBfloat16Trainer(overrides=overrides)
    trainer.threads = threads
    return trainer


def _report_progress(trainer: Any, report: Callable[[Progress], None]) -> None:
    started = time.monotonic()
    done = 0

    def batch_ended(trainer: Any) -> None:
        nonlocal done
        done += 1
        batches = len(trainer.train_loader)
        all_of_them = (trainer.epochs - trainer.start_epoch) * batches
        map50 = trainer.metrics.get("metrics/mAP50(B)") if done > batches else None
        report(
            Progress(
                epoch=trainer.epoch + 1,
                epochs=trainer.epochs,
                batch=(done - 1) % batches + 1,
                batches=batches,
                left_s=(time.monotonic() - started) / done * (all_of_them - done),
                map50=None if map50 is None else float(map50),
            )
        )

    trainer.add_callback("on_train_batch_end", batch_ended)
