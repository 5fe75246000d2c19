"""Train a detector on labelled pictures and put it on the shelf, measured and described.

Everything is chosen on the validation fold; the test split is not opened here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from inspector import images
from inspector.errors import ModelError
from inspector.models import offline
from inspector.settings import Recipe
from inspector.training.architecture import ARCHITECTURES, starting_weights
from inspector.training.datasets import DEEPPCB_LABELS, Dataset, read_dataset
from inspector.training.detector_card import TrainingPlan
from inspector.training.detector_shelf import Trained, files_of_detector, finish_detector
from inspector.training.hyperparameters import augmentation_text, batch_size, trainer_settings

DEFAULT_EPOCHS = 100
LEAST_INPUT_PX = 64  # below, the coarsest grid has one cell, and a batch of one no variance
LEAST_STEPS = 8  # an epoch; of fewer, validation and checkpoints would take most of the time


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
    format: str,
    recipe: Recipe,
    out: Path,
    architecture: str = "yolo11n",
    start: str | None = None,
    epochs: int = DEFAULT_EPOCHS,
    hours: float | None = None,
    input_px: int = 640,
    device: str = "auto",
    seed: int = 0,
    threads: int | None = None,
    wandb: bool = False,
    note: str = "",
    resume: bool = False,
    report: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train on the pictures of `data` and put the detector into `out`.

    The recipe says whether the detector looks at a reference. `start` names the weights to begin
    with, a shipped detector or a folder; None is the shipped one where `architecture` fits it, and
    random weights otherwise; "none" is random weights. With `hours` the training ends then, and the
    learning rate is drawn out to that moment. `note` goes into the card, for the data's licence.

    Checkpoints lie in `out/training`; after a crash `resume` goes on from the last whole epoch.
    Raises `DataError` with every mistake of the data before anything is written, and `ModelError`.
    """
    devices = _devices(device)
    _check_request(architecture, input_px=input_px, devices=devices, wandb=wandb)
    _check_out(out)
    images.require_system_libraries()
    offline.import_ultralytics()
    from inspector.training.prepare import read_options

    work = (out / "training").resolve()  # ultralytics puts a relative folder elsewhere
    last = work / "run" / "weights" / "last.pt"
    dataset = read_dataset(data, format=format, recipe=recipe)
    begun = starting_weights(start, architecture=architecture, labels=dataset.labels)
    plan = TrainingPlan(
        format=format,
        recipe=recipe.name,
        has_reference=recipe.settings.reference is not None,
        architecture=architecture,
        start=None if begun is None else begun.name,
        start_sha256=None if begun is None else begun.sha256,
        epochs=epochs,
        hours=hours,
        input_px=input_px,
        seed=seed,
        note=note,
    )
    if resume:
        _check_resumes(plan, work, last)
    else:
        _begin(plan, dataset, recipe, work, last)
    if not (resume and _is_complete(last)):
        _train(
            plan,
            dataset,
            work=work,
            resume=last if resume else None,
            start=None if begun is None else begun.path,
            devices=devices,
            threads=threads or os.cpu_count() or 1,
            wandb=out.resolve().name if wandb else None,
            report=report,
        )
    trained = finish_detector(
        checkpoints=(last, last.with_name("best.pt")),
        out=out,
        dataset=dataset,
        recipe=recipe.settings,
        plan=plan,
        augmentation=augmentation_text(read_options(work / "pictures")),
        threads=threads,
    )
    for checkpoint in (last, last.with_name("best.pt")):
        checkpoint.unlink()  # what is left there is a training to be resumed
    return trained


def _devices(device: str) -> str:
    """Return `device` as ultralytics takes it: cpu, or numbers of GPUs."""
    import torch

    if device == "auto":
        return "0" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return device
    if not re.fullmatch(r"\d+(,\d+)*", device):
        raise ModelError(f"expected a device of auto, cpu, or GPUs like 0 or 0,1; got {device!r}")
    found = torch.cuda.device_count()
    if any(int(number) >= found for number in device.split(",")):
        raise ModelError(f"expected GPUs {device}, found {found} on this machine; use --device cpu")
    return device


def _check_request(architecture: str, *, input_px: int, devices: str, wandb: bool) -> None:
    if architecture not in ARCHITECTURES:
        raise ModelError(f"expected one of {', '.join(ARCHITECTURES)}, got {architecture!r}")
    if input_px < LEAST_INPUT_PX or input_px % 32:
        raise ModelError(
            f"expected an input of {LEAST_INPUT_PX} px or more in steps of 32, got {input_px}"
        )
    if wandb and importlib.util.find_spec("wandb") is None:
        raise ModelError(
            "expected the package wandb for --wandb, found none; run: "
            "pip install 'inspector[wandb]', or leave out --wandb"
        )
    if "," in devices and importlib.util.find_spec("cloudpickle") is None:
        raise ModelError(
            "expected the package cloudpickle to train on several GPUs, found none; run: "
            "pip install 'inspector[train]', or use one GPU"
        )


def _check_out(out: Path) -> None:
    """Refuse, before hours of training, a folder that could not take the detector."""
    there = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise ModelError(
            f"{out}: expected a folder that can be written, or a place for one, found {there} not "
            "to be; choose another --out"
        )
    files_of_detector(out)


def _check_resumes(plan: TrainingPlan, work: Path, last: Path) -> None:
    if not last.is_file():
        raise ModelError(
            f"expected a checkpoint to resume at {last}, found none; leave out --resume"
        )
    begun = TrainingPlan.read(work)
    differing = [
        f"{key} {before!r}, now {asdict(plan)[key]!r}"
        for key, before in asdict(begun).items()
        if before != asdict(plan)[key]
    ]
    if differing:
        raise ModelError(
            "expected the settings that the training began with, found others: "
            f"{'; '.join(differing)}; give the same, or remove {work} to begin anew"
        )


def _begin(plan: TrainingPlan, dataset: Dataset, recipe: Recipe, work: Path, last: Path) -> None:
    """Prepare the pictures and write down the plan; nothing before all mistakes are known."""
    from inspector.training.prepare import prepare, write_data_file
    from inspector.training.yolo import TrainerOptions

    if last.is_file():
        raise ModelError(
            f"expected no unfinished training, found one at {work}; add --resume to go on with it, "
            "or remove that folder to begin anew"
        )
    pictures = work / "pictures"
    two_valued = prepare(dataset, recipe=recipe.settings, input_px=plan.input_px, folder=pictures)
    options = TrainerOptions(
        has_reference=plan.has_reference,
        two_valued=plan.has_reference and two_valued,
        # the rule behind drawn defects is one of copper and bare board
        draws_defects=plan.has_reference and two_valued and dataset.labels == DEEPPCB_LABELS,
        threads=1,
        wandb=None,
    )
    write_data_file(pictures, labels=dataset.labels, repeats=1, options=options)
    if (work / "run").exists():
        shutil.rmtree(work / "run")
    plan.write(work)


def _is_complete(last: Path) -> bool:
    """Return whether the training of that checkpoint ended, and only the shelf was not reached."""
    from ultralytics.nn.tasks import torch_safe_load

    checkpoint, _ = torch_safe_load(last, safe_only=True)
    return int(checkpoint["epoch"]) + 1 >= int(checkpoint["train_args"]["epochs"])


def _train(
    plan: TrainingPlan,
    dataset: Dataset,
    *,
    work: Path,
    resume: Path | None,
    start: Path | None,
    devices: str,
    threads: int,
    wandb: str | None,
    report: Callable[[Progress], None] | None,
) -> None:
    from inspector.training.prepare import read_options, write_data_file
    from inspector.training.yolo import DetectorTrainer, keep_freed_memory

    pictures = work / "pictures"
    options = replace(read_options(pictures), threads=threads, wandb=wandb)
    batch = batch_size(len(dataset.training), devices)
    steps = math.ceil(len(dataset.training) / batch)
    data_file = write_data_file(
        pictures,
        labels=dataset.labels,
        repeats=math.ceil(LEAST_STEPS / steps),
        options=options,
    )
    overrides = trainer_settings(
        plan, data_file=data_file, work=work, start=start, devices=devices, batch=batch
    )
    if resume is not None:
        overrides["resume"] = str(resume)
    if devices == "cpu":
        keep_freed_memory()
    trainer = DetectorTrainer(overrides=overrides)
    if report is not None and "," not in devices:  # callbacks of ours do not reach other processes
        _report_progress(trainer, report)
    # ultralytics draws its own bars on standard output; `report` says the same.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        trainer.train()


def _report_progress(trainer: Any, report: Callable[[Progress], None]) -> None:
    started = time.monotonic()
    first_epoch: int | None = None
    done = 0

    def batch_ended(trainer: Any) -> None:
        nonlocal done, first_epoch
        done += 1
        if first_epoch is None:
            first_epoch = trainer.epoch
        batches = len(trainer.train_loader)
        all_of_them = (trainer.epochs - first_epoch) * batches
        left_s = (time.monotonic() - started) / done * max(0, all_of_them - done)
        if trainer.args.time:
            left_s = max(0.0, trainer.args.time * 3600 - (time.time() - trainer.train_time_start))
        map50 = trainer.metrics.get("metrics/mAP50(B)") if done > batches else None
        report(
            Progress(
                epoch=trainer.epoch + 1,
                epochs=trainer.epochs,
                batch=(done - 1) % batches + 1,
                batches=batches,
                left_s=left_s,
                map50=None if map50 is None else float(map50),
            )
        )

    trainer.add_callback("on_train_batch_end", batch_ended)
