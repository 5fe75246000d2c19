"""Put trained weights on the shelf: stripped, with thresholds, description, report and card.

Thresholds are chosen on the validation fold; the test split is not opened here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector import images
from inspector.models import offline, shelf
from inspector.models.detector import YoloDetector
from inspector.models.engines import PyTorchEngine
from inspector.settings import RecipeSettings
from inspector.training.card_sections import CARD, write_whole
from inspector.training.confusion import confusion, draw_confusion
from inspector.training.datasets import Dataset
from inspector.training.detector_card import TrainingPlan, card_text
from inspector.training.evaluate import measure_boards
from inspector.training.figures import DetectorFigures, MeasuredBoard, figures

if TYPE_CHECKING:
    import torch

IOU = 0.5
MAX_OVERKILL = 0.01  # of the good parts, at the threshold that ships
REPORT = "report.json"
CONFUSION = "confusion.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A detector on the shelf and what it is worth on the validation fold."""

    description: shelf.DetectorDescription
    figures: DetectorFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """The best checkpoint, its weights in the shelf's form and what they find; the others' too."""

    checkpoint: Path
    file: Path
    boards: tuple[MeasuredBoard, ...]
    worse: tuple[Path, ...]


def finish_detector(
    *,
    checkpoints: Sequence[Path],
    out: Path,
    dataset: Dataset,
    recipe: RecipeSettings,
    plan: TrainingPlan,
    augmentation: str,
    threads: int | None = None,
) -> Trained:
    """Put the best of a training's `checkpoints` into `out`, ready for a recipe's `detector.model`.

    The best has the highest `map` on the validation fold, registered and measured as `evaluate`
    does. `augmentation` says in a sentence or two how the pictures were varied. Of an earlier
    training in `out` the card keeps what was tried and the runs on the test split. `model.json` is
    written last: until then the earlier detector stays in use.
    """
    images.require_system_libraries()
    offline.import_ultralytics()
    out.mkdir(parents=True, exist_ok=True)
    superseded = files_of_detector(out)
    best = _best(checkpoints, out, dataset, recipe, plan, threads)
    file, boards = best.file, best.boards
    thresholds = choose_thresholds(boards, labels=dataset.labels)
    description = _described(out, file, dataset, plan, thresholds)
    found = figures(boards, labels=dataset.labels, threshold=thresholds.report_at)
    matrix = confusion(boards, dataset.labels, thresholds.report_at)
    picture = images.encode_png(draw_confusion(matrix, dataset.labels))
    trained_on = datetime.now(UTC).date()
    report = {
        "schema": "train-detector/1",
        "trained_on": trained_on.isoformat(),
        "plan": asdict(plan),
        "checkpoint": best.checkpoint.stem,
        "model": asdict(description),
        "notes": list(dataset.notes),
        "validation": asdict(found),
        "confusion": {"labels": [*dataset.labels, "background"], "counts": matrix.tolist()},
    }
    earlier = (out / CARD).read_text(encoding="utf-8") if (out / CARD).is_file() else ""
    card = card_text(
        description,
        plan=plan,
        dataset=dataset,
        found=found,
        augmentation=augmentation,
        trained_on=trained_on,
        earlier=earlier,
    )
    write_whole(out / CONFUSION, picture)
    write_whole(out / REPORT, json.dumps(report, indent=2, allow_nan=False).encode() + b"\n")
    write_whole(out / CARD, card.encode())
    shelf.write_description(out, description)
    for other in (*superseded, *best.worse):
        if other != file:
            other.unlink(missing_ok=True)
    return Trained(description=description, figures=found)


def _best(
    checkpoints: Sequence[Path],
    out: Path,
    dataset: Dataset,
    recipe: RecipeSettings,
    plan: TrainingPlan,
    threads: int | None,
) -> _Measured:
    """Measure each checkpoint's stripped weights, in `out`, on the validation fold."""
    measured: list[tuple[float, Path, Path, tuple[MeasuredBoard, ...]]] = []
    provisional = shelf.DetectorThresholds(report_at=0.25, sure_at=0.5, iou=IOU)
    for checkpoint in checkpoints:
        file = _stripped(checkpoint, out, plan)
        described = _described(out, file, dataset, plan, provisional)
        detector = YoloDetector(described, PyTorchEngine(described, file, threads=threads))
        boards = tuple(
            measure_boards(
                detector,
                dataset.validation,
                bit_depth=recipe.bit_depth,
                limits=recipe.registration,
            )
        )
        found = figures(boards, labels=dataset.labels, threshold=provisional.report_at)
        measured.append((found.map, checkpoint, file, boards))
    best = max(measured, key=lambda each: each[0])
    return _Measured(
        checkpoint=best[1],
        file=best[2],
        boards=best[3],
        worse=tuple(each[2] for each in measured if each is not best),
    )


def files_of_detector(out: Path) -> tuple[Path, ...]:
    """Return the weights and exports of the detector that `out` holds, none where it holds none.

    Raises `ModelError` where another kind of model lies there.
    """
    if not (out / shelf.DESCRIPTION).is_file():
        return ()
    _, held = shelf.read_detector(str(out.resolve()))
    names = (held.file, *(export.file for export in held.exports))
    return tuple(out / Path(name).name for name in names)


def choose_thresholds(
    boards: Sequence[MeasuredBoard], *, labels: tuple[str, ...]
) -> shelf.DetectorThresholds:
    """Return the thresholds that ship, chosen on the measured validation fold.

    A missed defect costs more than a part held for nothing, as long as those are few: `report_at`
    is the lowest threshold at which no more than 1 % of the good parts show anything. One in a
    hundred cannot be seen on fewer than a hundred good parts; with fewer, `report_at` lies midway
    between the threshold of the best F measure and the surest detection on a good part, and never
    above the former. `sure_at` is the threshold of the best F measure, and never below `report_at`.
    """
    f_best_at = figures(boards, labels=labels, threshold=0.5).f_best_at
    good = [board for board in boards if board.loudest_on_good() is not None]
    if len(good) * MAX_OVERKILL >= 1:
        report_at = _rounded_up(overkill_threshold(good, most=MAX_OVERKILL))
    else:
        loudest = max((board.loudest_on_good() or 0.0 for board in good), default=0.0)
        report_at = _rounded_down(min(f_best_at, (f_best_at + loudest) / 2))
    sure_at = max(report_at, _rounded_down(f_best_at))
    return shelf.DetectorThresholds(report_at=report_at, sure_at=sure_at, iou=IOU)


def overkill_threshold(boards: Sequence[MeasuredBoard], *, most: float) -> float:
    """Return the lowest threshold at which at most that share of the good parts shows anything."""
    measured = (board.loudest_on_good() for board in boards)
    loudest = sorted((value for value in measured if value is not None), reverse=True)
    allowed = int(most * len(loudest))
    return float(np.nextafter(loudest[allowed], 1.0)) if allowed < len(loudest) else 0.0


def _described(
    out: Path,
    file: Path,
    dataset: Dataset,
    plan: TrainingPlan,
    thresholds: shelf.DetectorThresholds,
) -> shelf.DetectorDescription:
    return shelf.DetectorDescription(
        name=out.resolve().name,
        file=file.name,
        sha256=shelf.file_sha256(file),
        labels=dataset.labels,
        input_channels="reference" if plan.has_reference else "picture",
        input_px=plan.input_px,
        thresholds=thresholds,
    )


def _rounded_up(threshold: float) -> float:
    return float(np.clip(np.ceil(threshold * 1000) / 1000, 0.01, 0.95))


def _rounded_down(threshold: float) -> float:
    return float(np.clip(np.floor(threshold * 1000) / 1000, 0.01, 0.95))


def _stripped(weights: Path, out: Path, plan: TrainingPlan) -> Path:
    """Write the averaged weights of a checkpoint as float16, without optimiser and paths.

    The file is named by its hash, so that the description in use never points to other weights.
    """
    import torch
    import ultralytics
    from ultralytics.nn.tasks import torch_safe_load

    checkpoint, _ = torch_safe_load(weights, safe_only=True)
    model: torch.nn.Module = checkpoint.get("ema") or checkpoint["model"]
    settings: dict[str, Any] = {"task": "detect", "imgsz": plan.input_px}
    model.args = settings  # type: ignore[assignment]  # ultralytics keeps a dict there
    model.criterion = None  # type: ignore[assignment]  # the loss, with its own buffers
    model.__dict__.pop("pt_path", None)
    network: Any = model
    network.yaml["yaml_file"] = f"{plan.architecture}.yaml"  # was a path
    head = network.model[-1]
    if getattr(head, "one2one_cv2", None) is not None:
        # yolo26 has a second head that does without suppression. The product measures every box
        # and settles duplicates itself, by its own rule; that takes the head which gives them all.
        head.one2one_cv2 = head.one2one_cv3 = None
        head.end2end = False
    for parameter in model.parameters():
        parameter.requires_grad = False
    draft = out / f"{plan.architecture}.part"
    torch.save(
        {
            "model": model.half(),
            "train_args": settings,
            "version": ultralytics.__version__,
            "license": "AGPL-3.0",
        },
        draft,
    )
    file = out / f"{plan.architecture}-{shelf.file_sha256(draft)[:8]}.pt"
    draft.replace(file)
    return file
