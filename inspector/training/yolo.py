"""The trainer of detectors: ultralytics' own, with what it lacks for a factory.

- Checkpoints are written aside and renamed, so that a killed training finds a whole one.
- Hours at most are counted over all legs of a training that was interrupted and resumed.
- On a processor with AVX-512 BF16 or AMX the forward and backward pass run in bfloat16, which takes
  40 % of the time (yolo11n, 640 px, 2 threads: 0.86 s against 2.17 s for a batch of 8); the loss
  stays in float32. Ultralytics trains in float32 on a CPU.
- Pictures with references are varied by `inspector.training.augment`.
- TensorBoard always, Weights & Biases on request.

For a training on several GPUs ultralytics starts processes that import `DetectorTrainer` from here;
all that it needs to know travels in the data file.
"""

from __future__ import annotations

import csv
import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.modules.head import Detect
from ultralytics.utils import RANK

from inspector.errors import ModelError
from inspector.training.augment import ReferencePairs

OPTIONS = "inspector"
"""The key of the data file that holds `TrainerOptions`; ultralytics leaves it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerOptions:
    """What `DetectorTrainer` is told beside ultralytics' settings.

    `threads` is the number of torch threads on a CPU (ultralytics sets its own, one less than the
    cores). `wandb` is the name of the run on Weights & Biases, None for no run.
    """

    has_reference: bool
    two_valued: bool
    draws_defects: bool
    threads: int
    wandb: str | None


def cpu_has_bfloat16() -> bool:
    """Return whether this processor computes bfloat16 products natively."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the rest of this process; nothing on other systems.

    A training step on a CPU allocates and frees the same hundreds of megabytes again and again. By
    default glibc maps them afresh each time, and the kernel has to hand out every page anew. On a
    virtual machine a page fault is slow enough to make a step take several times as long.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return
    # From malloc.h: never trim, grow in steps of 256 MiB, never map a block of its own.
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 256 * 2**20)
    mallopt(mmap_max, 0)


class DetectorTrainer(DetectionTrainer):  # type: ignore[misc]  # untyped vendor
    """A `DetectionTrainer` as the module describes; `data` in its settings is a file of ours."""

    last: Path
    best: Path

    @property
    def options(self) -> TrainerOptions:
        return TrainerOptions(**self.data[OPTIONS])

    def build_dataset(
        self, img_path: str | list[str], mode: str = "train", batch: int | None = None
    ) -> Any:
        if mode != "train" or not self.options.has_reference:
            return super().build_dataset(img_path, mode, batch)
        folders = [img_path] if isinstance(img_path, str) else img_path
        return ReferencePairs(
            Path(folders[0]).parent,
            repeats=len(folders),
            labels=[self.data["names"][number] for number in sorted(self.data["names"])],
            size_px=self.args.imgsz,
            # a resumed training must not see the variations of its first leg again
            seed=(self.args.seed, len(_finished_epochs(self.csv))),
            two_valued=self.options.two_valued,
            draws_defects=self.options.draws_defects,
        )

    def train(self) -> None:
        self._undo: list[Callable[[], None]] = []
        try:
            super().train()
        finally:
            for undo in self._undo:
                undo()

    def _setup_train(self) -> None:
        super()._setup_train()
        if self.device.type == "cpu":
            torch.set_num_threads(self.options.threads)
            if cpu_has_bfloat16():
                hook = nn.modules.module.register_module_forward_hook(_loss_in_float32)
                self._undo.append(hook.remove)
        if self.args.time and self.resume:
            self._count_earlier_legs()
        if RANK in {-1, 0}:  # one process writes
            self._log_to_tensorboard()
            if self.options.wandb is not None:
                self._log_to_wandb(self.options.wandb)

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch = super().preprocess_batch(batch)
        if self.device.type == "cpu" and cpu_has_bfloat16():
            # The trainer's own autocast context, which encloses this call, restores the setting.
            torch.set_autocast_dtype("cpu", torch.bfloat16)
            torch.set_autocast_enabled("cpu", True)
        return batch

    def save_model(self) -> bool:
        """Write the checkpoints whole or not at all.

        The best comes first: after a kill between the two, the epoch is done again from the older
        last, and its best is written again; the other way round the best would be lost.
        """
        last, best = self.last, self.best
        self.last, self.best = last.with_suffix(".part"), best.with_suffix(".part")
        try:
            saved = bool(super().save_model())
            for draft, place in ((self.best, best), (self.last, last)):
                if draft.exists():
                    with draft.open("rb") as file:
                        os.fsync(file.fileno())
                    draft.replace(place)
        finally:
            self.last, self.best = last, best
        return saved

    def final_eval(self) -> None:
        """Leave the checkpoints as they are: the shelf strips and measures the weights itself."""

    def _count_earlier_legs(self) -> None:
        spent_s = float(_finished_epochs(self.csv)[-1]["time"])

        def at_start(trainer: DetectorTrainer) -> None:
            trainer.train_time_start -= spent_s

        def at_epoch(trainer: DetectorTrainer) -> None:
            trainer.start_epoch = 0  # ultralytics divides the time by the epochs since then

        self.add_callback("on_train_start", at_start)
        self.add_callback("on_train_epoch_start", at_epoch)

    def _log_to_tensorboard(self) -> None:
        writer = SummaryWriter(str(self.save_dir / "tensorboard"))
        self._undo.append(writer.close)

        def at_epoch_end(trainer: DetectorTrainer) -> None:
            for name, value in trainer.logged().items():
                writer.add_scalar(name, value, trainer.epoch + 1)

        self.add_callback("on_fit_epoch_end", at_epoch_end)

    def _log_to_wandb(self, name: str) -> None:
        import wandb

        try:
            run = wandb.init(
                project="inspector",
                name=name,
                dir=str(self.save_dir),
                config=dict(vars(self.args)),
                settings=wandb.Settings(console="off", silent=True),
            )
        except wandb.Error as exc:
            raise ModelError(
                f"expected a run on Weights & Biases: {exc}; run `wandb login`, set "
                "WANDB_MODE=offline, or leave out --wandb"
            ) from exc
        self._undo.append(run.finish)

        def at_epoch_end(trainer: DetectorTrainer) -> None:
            run.log(trainer.logged(), step=trainer.epoch + 1)

        self.add_callback("on_fit_epoch_end", at_epoch_end)

    def logged(self) -> dict[str, float]:
        """Return the losses, figures and learning rates of the epoch that has just ended."""
        values = {**self.label_loss_items(self.tloss), **self.metrics, **self.lr}
        return {name: float(value) for name, value in values.items()}


def _finished_epochs(results: Path) -> list[dict[str, str]]:
    """Return the rows of ultralytics' results file, one for each epoch."""
    if not results.is_file():
        return []
    with results.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{key.strip(): value for key, value in row.items()} for row in rows]


def _loss_in_float32(module: nn.Module, _inputs: Any, output: Any) -> Any:
    if not isinstance(module, Detect) or not module.training:
        return None
    torch.set_autocast_enabled("cpu", False)
    return _as_float32(output)


def _as_float32(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        return output.float()
    if isinstance(output, dict):
        return {key: _as_float32(value) for key, value in output.items()}
    if isinstance(output, list | tuple):
        return type(output)(_as_float32(value) for value in output)
    return output
