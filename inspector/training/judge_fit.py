"""One training of a fused judge: steps, checkpoints, validation, early stopping.

Binary cross-entropy with balanced classes, AdamW with linear warm-up and decay, gradients gathered
over several batches and clipped, mixed precision where the device has it. Checkpoints are written
whole every few minutes; a training goes on from the last of them.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from inspector.models.fusion import FusedEncoder, Looks, words_of
from inspector.training.adapters import merge_adapters, put_adapters
from inspector.training.adversarial import WordPush
from inspector.training.checkpoints import replace_file
from inspector.training.crops import CropBank
from inspector.training.judge_pairs import (
    Batch,
    Encoded,
    batch_of,
    encode_one,
    in_batches,
    logits_of,
    mixed_precision,
    needs_loss_scale,
)
from inspector.training.rewording import Rewording
from inspector.training.tracking import Tracker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePlan:
    """The settings of one training, as the model card prints them.

    `accumulate` batches make one step. `lora` is the rank of adapters, 0 tunes the whole backbone;
    `adversarial` the length of the push on word vectors, 0 for none (`WordPush`). `synonyms` and
    `slips` are shares of clauses (`Rewording`). With an `ensemble` of N seeds a last network learns
    from the truth and from their mean answer, which counts `soft`. With `minutes_at_most` the
    learning rate decays towards that moment instead of the last step. `read` is the share of pairs
    whose clause comes from the wordings of the clause reader, its truth from their checks; `start`
    names a judge to go on from.
    """

    seed: int = 0
    epochs: int = 3
    pairs: int = 36_000
    read: float = 0.5
    start: str | None = None
    validation_pairs: int = 1_400
    calibration_pairs: int = 4_000
    batch: int = 32
    accumulate: int = 1
    learning_rate: float = 2e-4
    new_layers_rate: float = 5e-4
    lora: int = 0
    lora_rate: float = 1e-3
    weight_decay: float = 0.01
    warm_up: float = 0.04
    dropout: float = 0.1
    adversarial: float = 0.0
    synonyms: float = 0.15
    slips: float = 0.05
    ensemble: int = 1
    soft: float = 0.5
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
    used_s: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class JudgeTraining:
    """One training: network, optimiser and where it stands; `work` holds its checkpoints."""

    def __init__(
        self,
        network: FusedEncoder,
        tokenizer: Any,
        plan: JudgePlan,
        work: Path,
        device: torch.device,
    ) -> None:
        if plan.lora:
            put_adapters(network, plan.lora)
        self.network = network.to(device)
        self.tokenizer = tokenizer
        self.plan = plan
        self.work = work
        self.device = device
        self.optimiser = _optimiser(network, plan)
        self.tuned = {n: p for n, p in network.named_parameters() if p.requires_grad}
        self.standing = Standing()
        self._scaler = torch.amp.GradScaler(device.type, enabled=needs_loss_scale(device))
        self._rewording = Rewording(synonyms=plan.synonyms, slips=plan.slips)
        self._push: WordPush | None = None
        if plan.adversarial:
            self._push = WordPush(words_of(network.backbone), size=plan.adversarial)
        self._violated_weighs = 1.0

    def restore(self) -> bool:
        """Go on from the last checkpoint; False where there is none."""
        path = self.work / "last.pt"
        if not path.is_file():
            return False
        kept = torch.load(path, map_location=self.device, weights_only=True)
        self._put_back(kept["tuned"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self._scaler.load_state_dict(kept["scaler"])
        self.standing = Standing(**kept["standing"])
        return True

    def best(self) -> FusedEncoder:
        """Return the network with its best weights, its adapters merged; the training is over."""
        self._put_back(
            torch.load(self.work / "best.pt", map_location=self.device, weights_only=True)
        )
        if self._push is not None:
            self._push.close()
        if self.plan.lora:
            merge_adapters(self.network)
        return self.network

    def fit(
        self,
        pairs: Sequence[Encoded],
        validation: Sequence[Encoded],
        *,
        tracker: Tracker | None = None,
    ) -> None:
        """Train until the plan, its minutes or its patience end."""
        plan, standing = self.plan, self.standing
        if standing.worse_in_a_row >= plan.patience:
            return  # it had stopped by itself before
        steps_an_epoch = -(-len(pairs) // (plan.batch * plan.accumulate))
        total = plan.epochs * steps_an_epoch
        every = max(1, steps_an_epoch // plan.validations_an_epoch)
        violated = sum(item.taught for item in pairs)
        self._violated_weighs = (len(pairs) - violated) / max(violated, 1e-6)
        started, kept_at = time.monotonic() - standing.used_s, time.monotonic()
        losses: list[float] = []
        with _bar() as bar:
            task = bar.add_task("judge", total=total, completed=standing.step)
            for step, parts in self._stream(pairs, standing.step, total):
                standing.used_s = time.monotonic() - started
                used = standing.used_s / 60 / (plan.minutes_at_most or float("inf"))
                if used >= 1:
                    break
                losses.append(self._step(parts, done=max(step / total, used)))
                standing.step = step + 1
                mean = float(np.mean(losses[-50:]))
                bar.update(task, completed=standing.step, description=f"judge, loss {mean:.3f}")
                if standing.step % 25 == 0:
                    log.info("step %d of %d, loss %.4f", standing.step, total, mean)
                    if tracker is not None:
                        rate = self.optimiser.param_groups[0]["lr"]
                        tracker.log(standing.step, {"loss": mean, "rate": rate})
                if standing.step % every == 0 and not self._improves(validation, tracker):
                    break
                if (time.monotonic() - kept_at) / 60 >= plan.checkpoint_minutes:
                    self._keep()
                    kept_at = time.monotonic()
        if not standing.history or standing.history[-1]["step"] != standing.step:
            self._improves(validation, tracker)
        self._keep()

    def _stream(
        self, pairs: Sequence[Encoded], first: int, total: int
    ) -> Iterator[tuple[int, list[list[Encoded]]]]:
        """Yield steps from `first` on, each of several batches; each has chances of its own."""
        step = 0
        for epoch in range(self.plan.epochs):
            chance = random.Random(f"{self.plan.seed} epoch {epoch}")
            batches = in_batches(pairs, self.plan.batch, chance=chance)
            for at in range(0, len(batches), self.plan.accumulate):
                if first <= step < total:
                    own = random.Random(f"{self.plan.seed} step {step}")
                    parts = batches[at : at + self.plan.accumulate]
                    yield step, [[self._reworded(item, own) for item in part] for part in parts]
                step += 1

    def _reworded(self, item: Encoded, chance: random.Random) -> Encoded:
        pair = self._rewording.of(item.pair, chance)
        if pair is item.pair:
            return item
        return encode_one(pair, self.tokenizer, taught=item.taught)

    def _step(self, parts: Sequence[Sequence[Encoded]], *, done: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * rate_factor(done, warm_up=self.plan.warm_up)
        self.network.train()
        self.optimiser.zero_grad()
        mean = 0.0
        for items in parts:
            batch = batch_of(items, self.tokenizer, self.device)
            with self._push.listening() if self._push is not None else nullcontext():
                loss = self._loss(batch) / len(parts)
            self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            if self._push is not None:
                with self._push.pushing():
                    again = self._loss(batch) / len(parts)
                self._scaler.scale(again).backward()  # type: ignore[no-untyped-call]
            mean += loss.item()
        self._scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.tuned.values(), 1.0)
        self._scaler.step(self.optimiser)
        self._scaler.update()
        return mean

    def _loss(self, batch: Batch) -> Tensor:
        entropy = nn.functional.binary_cross_entropy_with_logits
        balance = torch.tensor(self._violated_weighs, device=self.device)
        with mixed_precision(self.device):
            logits = self.network(batch.ids, batch.mask, batch.types, batch.signs, batch.looks)
            loss: Tensor = entropy(logits, batch.taught, pos_weight=balance)
            if batch.looks is not None:
                guess = self.network.real_logits(batch.looks)
                loss = loss + self.plan.real_weight * entropy(guess, batch.real)
        return loss

    def _improves(self, validation: Sequence[Encoded], tracker: Tracker | None) -> bool:
        """Note the validation figures, keep the best weights; False where it is time to stop."""
        standing = self.standing
        found = logits_of(self.network, validation, self.tokenizer, self.device)
        right = (found > 0) == np.array([item.pair.violated for item in validation])
        families = np.array([item.pair.family for item in validation])
        accuracy = float(right.mean())
        by_family = {str(f): float(right[families == f].mean()) for f in np.unique(families)}
        log.info("step %d, validation %.4f, %s", standing.step, accuracy, by_family)
        standing.history.append({"step": standing.step, "accuracy": accuracy, **by_family})
        if tracker is not None:
            named = {f"validation/{name}": share for name, share in by_family.items()}
            tracker.log(standing.step, {"validation": accuracy, **named})
        if accuracy < standing.best_accuracy:
            standing.worse_in_a_row += 1
            return standing.worse_in_a_row < self.plan.patience
        standing.best_accuracy, standing.worse_in_a_row = accuracy, 0
        state = self._weights()
        replace_file(self.work / "best.pt", lambda path: torch.save(state, path))
        return True

    def _keep(self) -> None:
        content = {
            "tuned": self._weights(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "standing": asdict(self.standing),
        }
        replace_file(self.work / "last.pt", lambda path: torch.save(content, path))
        history = json.dumps(self.standing.history, indent=1)
        replace_file(self.work / "history.json", lambda path: path.write_text(history))

    def _weights(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self.tuned.items()}

    def _put_back(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, values in weights.items():
                self.tuned[name].copy_(values)

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
    words = words_of(network.backbone).weight
    old_rate = plan.lora_rate if plan.lora else plan.learning_rate
    for name, parameter in network.named_parameters():
        if parameter is words:
            # Half of all weights. Tuned on few words, the others would stay behind.
            parameter.requires_grad_(False)
        if parameter.requires_grad:
            old = name.startswith("backbone.")
            groups.setdefault((old, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": members,
                "initial_lr": (rate := old_rate if old else plan.new_layers_rate),
                "lr": rate,
                "weight_decay": plan.weight_decay if is_matrix else 0.0,
            }
            for (old, is_matrix), members in groups.items()
        ]
    )


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
