"""Put trained weights on the shelf: stripped, with thresholds, description and card.

Thresholds are chosen on the validation fold; the test split is not read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector import images
from inspector.models import offline, shelf
from inspector.models.detector import YoloDetector
from inspector.training.boards import LABELS, BoardPair
from inspector.training.evaluate import Advance, measure_boards
from inspector.training.figures import DetectorFigures, MeasuredBoard, figures

if TYPE_CHECKING:
    import torch

IOU = 0.5
# Of the good boards of the validation fold: how many may be held, and how many failed.
MAX_HELD = 0.05
MAX_FAILED = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How weights came about, for the card."""

    architecture: str
    epochs: int
    seed: int
    input_px: int


def finish_detector(
    *,
    weights: Path,
    out: Path,
    training: Sequence[BoardPair],
    validation: Sequence[BoardPair],
    how: Training,
    threads: int | None = None,
    advance: Advance | None = None,
) -> shelf.DetectorDescription:
    """Put `weights` of a training into `out`: stripped, with thresholds, description and card.

    On `validation`, `report_at` is the lowest threshold at which no more than 5 % of the good
    boards show anything, `sure_at` the higher of the one with the best F measure and the lowest
    one at which no more than 1 % do: a missed defect costs more than a held part.
    """
    images.require_system_libraries()
    offline.import_ultralytics()
    out.mkdir(parents=True, exist_ok=True)
    file = _stripped(weights, out, how)
    provisional = _described(
        out, file, how, shelf.DetectorThresholds(report_at=0.25, sure_at=0.5, iou=IOU)
    )
    detector = YoloDetector(provisional, file, threads=threads)
    boards = tuple(measure_boards(detector, validation, advance=advance))
    best = figures(boards, labels=LABELS, threshold=0.25)
    report_at = _rounded(overkill_threshold(boards, most=MAX_HELD))
    clean_at = overkill_threshold(boards, most=MAX_FAILED)
    thresholds = shelf.DetectorThresholds(
        report_at=report_at,
        sure_at=max(report_at, _rounded(max(best.f_best_at, clean_at))),
        iou=IOU,
    )
    description = _described(out, file, how, thresholds)
    found = figures(boards, labels=LABELS, threshold=thresholds.report_at)
    card = card_text(description, how, found, boards=(len(training), len(validation)))
    (out / "MODEL_CARD.md").write_text(card)
    shelf.write_description(out, description)
    for older in out.glob("*.pt"):
        if older != file:
            older.unlink()
    return description


def overkill_threshold(boards: Sequence[MeasuredBoard], *, most: float) -> float:
    """Return the lowest threshold at which at most that share of good boards shows anything."""
    loudest = sorted(
        (max((d.confidence for d in board.found_on_good), default=0.0) for board in boards),
        reverse=True,
    )
    allowed = int(most * len(boards))
    return float(np.nextafter(loudest[allowed], 1.0)) if allowed < len(loudest) else 0.0


def card_text(
    description: shelf.DetectorDescription,
    how: Training,
    found: DetectorFigures,
    *,
    boards: tuple[int, int],
) -> str:
    """Return the model card as Markdown; `boards` are those trained and validated on."""
    thresholds = description.thresholds
    rows = "\n".join(
        f"| {label} | {one.ap:.4f} | {one.precision:.4f} | {one.recall:.4f} | {one.missed} |"
        for label, one in found.per_class.items()
    )
    return f"""# {description.name}

Finds six kinds of defects on bare printed circuit boards: {", ".join(description.labels)}.
It sees three channels: the board, its defect-free template, and their difference.

| | |
|---|---|
| architecture | {how.architecture}, from random weights, {description.input_px} px |
| file | `{description.file}`, float16, sha256 `{description.sha256}` |
| data | DeepPCB *trainval*: {boards[0]} boards trained on, {boards[1]} validated on |
| splits | `inspector/assets/splits/deeppcb.json`: validation by whole groups; no demo boards |
| command | `inspector train detector --data DEEPPCB --out DIR --epochs {how.epochs}` |
| seed | {how.seed} |
| thresholds | report {thresholds.report_at}, sure {thresholds.sure_at}, IoU {thresholds.iou} |

Augmentation: flips, shifts of 10 %, scale of 15 %, mosaic in the first two thirds; no colour.
Thresholds, the epoch kept and every other choice were made on the validation fold. Overlapping
boxes (IoU > {thresholds.iou}) are one defect, whatever their labels; the surer one stays.

## Validation fold

mAP {found.map:.4f} (IoU > 0.33), pooled AP {found.pooled_ap:.4f}, F {found.f:.4f} at
{found.threshold}, best F {found.f_best:.4f} at {found.f_best_at:.3f},
mAP50 {found.map50:.4f}, mAP50-95 {found.map50_95:.4f}.
Boards with a missed defect: {found.boards_missed} of {found.boards}.
Good boards with any detection: {found.overkill_boards} of {found.good_boards}.

| label | AP | precision | recall | missed |
|---|---|---|---|---|
{rows}

## Limits

The boards are binarised scans at 48 px per mm, aligned with their templates to the pixel. A board
that is shifted or turned against its template differs everywhere along its edges.

## Licence

AGPL-3.0, as ultralytics asks. The data, DeepPCB (Tang et al., 2019), states MIT in its LICENSE file
and "research purpose only" in its README.

## Runs on the test split

Every run is listed here.

| date | weights | threshold | mAP | pooled AP | F | best F | mAP50 | boards missed | overkill |
|---|---|---|---|---|---|---|---|---|---|
"""


def note_test_run(folder: Path, found: DetectorFigures, *, sha256: str, day: str) -> None:
    """Append one run on the test split to the card in `folder`."""
    with (folder / "MODEL_CARD.md").open("a") as card:
        card.write(
            f"| {day} | `{sha256[:12]}` | {found.threshold} | {found.map:.4f} "
            f"| {found.pooled_ap:.4f} | {found.f:.4f} | {found.f_best:.4f} "
            f"| {found.map50:.4f} | {found.boards_missed} of {found.boards} "
            f"| {found.overkill_boards} of {found.good_boards} |\n"
        )


def _described(
    out: Path, file: Path, how: Training, thresholds: shelf.DetectorThresholds
) -> shelf.DetectorDescription:
    return shelf.DetectorDescription(
        name=out.name,
        file=file.name,
        sha256=shelf.file_sha256(file),
        labels=LABELS,
        input_channels="reference",
        input_px=how.input_px,
        thresholds=thresholds,
    )


def _rounded(threshold: float) -> float:
    return round(min(0.95, max(0.01, threshold)), 3)


def _stripped(weights: Path, out: Path, how: Training) -> Path:
    """Write the averaged weights of a checkpoint as float16, without optimiser and paths.

    The file is named by its hash, so that the description in use never points to other weights.
    """
    import torch
    import ultralytics
    from ultralytics.nn.tasks import torch_safe_load

    checkpoint, _ = torch_safe_load(weights, safe_only=True)
    model: torch.nn.Module = checkpoint.get("ema") or checkpoint["model"]
    settings: dict[str, Any] = {"task": "detect", "imgsz": how.input_px}
    model.args = settings  # type: ignore[assignment]  # ultralytics keeps a dict there
    model.criterion = None  # type: ignore[assignment]  # the loss, with its own buffers
    model.__dict__.pop("pt_path", None)
    for parameter in model.parameters():
        parameter.requires_grad = False
    draft = out / f"{how.architecture}.part"
    torch.save(
        {
            "model": model.half(),
            "train_args": settings,
            "version": ultralytics.__version__,
            "license": "AGPL-3.0",
        },
        draft,
    )
    file = out / f"{how.architecture}-{shelf.file_sha256(draft)[:8]}.pt"
    draft.replace(file)
    return file
