"""What ultralytics is told: how to learn, how to vary the pictures, how many make a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.training.architecture import model_file
from inspector.training.detector_card import TrainingPlan

if TYPE_CHECKING:
    from inspector.training.yolo import TrainerOptions

_OPTIMISER = {
    "optimizer": "AdamW",
    "lr0": 0.001,
    "lrf": 0.01,
    "cos_lr": True,
    "weight_decay": 0.0005,
}
# Pictures with references are varied by `inspector.training.augment`; ultralytics adds nothing.
_WITH_REFERENCE = {
    "mosaic": 0.0,
    "close_mosaic": 0,
    "cls": 0.8,  # open and short, spur and copper look alike: the label is the harder part
    "warmup_epochs": 0.5,
    "patience": 25,
}
# Ordinary photographs, often few: parts lie either way round, light and colour vary a little.
# Mosaic shows parts in places where they were never photographed; the last third is without.
_WITHOUT_REFERENCE = {
    "fliplr": 0.5,
    "flipud": 0.5,
    "degrees": 10.0,
    "translate": 0.1,
    "scale": 0.3,
    "hsv_h": 0.01,
    "hsv_s": 0.3,
    "hsv_v": 0.3,
    "mosaic": 0.5,
    "mixup": 0.0,
    "erasing": 0.0,
    "cache": "ram",
    "warmup_epochs": 3.0,
    "patience": 40,
}


def batch_size(pictures: int, devices: str) -> int:
    """Return how many pictures make a step; few pictures still make several steps."""
    if devices == "cpu":
        return min(8, max(2, pictures // 2))
    return len(devices.split(",")) * min(32, max(2, pictures // 4))


def trainer_settings(
    plan: TrainingPlan,
    *,
    data_file: Path,
    work: Path,
    start: Path | None,
    devices: str,
    batch: int,
) -> dict[str, Any]:
    """Return ultralytics' settings for `plan`."""
    import torch

    on_cpu = devices == "cpu"
    amp: bool | str = False
    if not on_cpu:
        # with True ultralytics compares with weights that it would have to fetch first
        amp = "bf16" if torch.cuda.is_bf16_supported() else True
    return {
        "model": model_file(plan.architecture),
        "pretrained": False if start is None else str(start),
        "data": str(data_file),
        "imgsz": plan.input_px,
        "epochs": plan.epochs,
        "time": plan.hours,
        "batch": batch,
        "nbs": batch,
        "amp": amp,
        "workers": 0 if on_cpu else 4,
        "device": devices,
        "seed": plan.seed,
        "deterministic": not on_cpu,
        "project": str(work),
        "name": "run",
        "exist_ok": True,
        "plots": False,
        **_OPTIMISER,
        **(
            _WITH_REFERENCE
            if plan.has_reference
            else {**_WITHOUT_REFERENCE, "close_mosaic": plan.epochs // 3}
        ),
    }


def augmentation_text(options: TrainerOptions) -> str:
    """Return for the card how the pictures were varied."""
    if not options.has_reference:
        return (
            "Augmentation: flips, turns of up to 10°, shifts, scale, mosaic in the first two "
            "thirds, small changes of colour and light."
        )
    text = (
        "Augmentation: quarter turns, flips, scale 0.75 to 1.5, shifts, small turns, small shifts "
        "and turns of the reference against the frame, noise and blur; no colour."
    )
    if options.draws_defects:
        text += (
            " Two pictures in three get further defects, drawn and labelled by "
            "`inspector/training/synthetic.py`."
        )
    return text
