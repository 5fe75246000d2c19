"""Fine-tune the sentence encoder that finds the term for a word the ontology lacks.

Words of one term are drawn together and those of other terms pushed apart: the contrastive loss of
InfoNCE (van den Oord et al., 2018), with the other terms of the batch as negatives, in both
directions. The vectors of word pieces stay as they were, so that the judge's file can hold them.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from inspector.models.fusion import layers_of, words_of
from inspector.models.offline import keep_offline
from inspector.models.word_encoder import WordEncoder, embedded, nearest_name, pieces
from inspector.ontology import load_ontology
from inspector.training.checkpoints import replace_file
from inspector.training.judge_base import language_model, minilm
from inspector.training.judge_fit import rate_factor
from inspector.training.judge_pairs import device_named, mixed_precision
from inspector.training.tracking import Tracker
from inspector.training.word_pairs import Lesson, Lessons, Question, draw, lessons
from inspector.training.word_shelf import Answers, chosen_limits, put_words_on_shelf

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPlan:
    """The settings of one training; `layers` of the base are kept, None keeps all.

    The lowest `frozen` of them stay as they were: they know spelling, and cost half of a step.
    """

    seed: int = 0
    epochs: int = 12
    steps_an_epoch: int = 30
    names: int = 80
    layers: int | None = None
    frozen: int = 2
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warm_up: float = 0.1
    softness: float = 0.05
    patience: int = 4


@dataclass(slots=True)
class Standing:
    """Where a training stands: the part of a checkpoint that is not weights."""

    epoch: int = 0
    best: float = 0.0
    worse_in_a_row: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def train_word_encoder(
    *,
    out: Path,
    backbone: Path | None = None,
    epochs: int = 12,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    wandb: bool = False,
    resume: bool = False,
    plan: WordPlan | None = None,
    given: Lessons | None = None,
) -> Path:
    """Train, choose what a guess must reach, and return `out`, ready to be loaded.

    `given` are other lessons than those of the shipped ontology. Checkpoints and the TensorBoard
    log lie in `out/training`; `resume` goes on from the last whole epoch.
    """
    keep_offline()
    from transformers import AutoTokenizer

    plan = replace(plan or WordPlan(), epochs=epochs, seed=seed)
    given = given or lessons(load_ontology())
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(plan.seed)
    work = out / "training"
    work.mkdir(parents=True, exist_ok=True)
    folder = minilm() if backbone is None else backbone
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    network = _shortened(language_model(folder, dropout=0.1).float(), plan.layers)
    untuned = answers(network, tokenizer, given, given.questions["test"])
    training = WordTraining(network, tokenizer, plan, work, device_named(device))
    if resume:
        training.restore()
    with Tracker(work, wandb=out.name if wandb else None, settings=asdict(plan)) as tracker:
        training.fit(given, tracker=tracker)
    put_words_on_shelf(
        training.best(),
        tokenizer,
        out,
        measure=lambda n, part: answers(n, tokenizer, given, given.questions[part]),
        untuned=untuned,
        settings=asdict(plan),
        history=training.standing.history,
    )
    return out


class WordTraining:
    """One training: network, optimiser and where it stands; `work` holds its checkpoints."""

    def __init__(
        self, network: nn.Module, tokenizer: Any, plan: WordPlan, work: Path, device: torch.device
    ) -> None:
        words_of(network).weight.requires_grad_(False)
        if plan.frozen:
            # What stands before a frozen layer has to stay too, or it would be trained through it.
            network.embeddings.requires_grad_(False)
            for layer in list(layers_of(network))[: plan.frozen]:
                layer.requires_grad_(False)
        self.network = network.to(device)
        self.tokenizer = tokenizer
        self.plan = plan
        self.work = work
        self.device = device
        self.standing = Standing()
        tuned = [p for p in network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in tuned if p.ndim > 1], "weight_decay": plan.weight_decay},
                {"params": [p for p in tuned if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=plan.learning_rate,
        )

    def fit(self, given: Lessons, *, tracker: Tracker) -> None:
        """Train until the plan or its patience ends; a checkpoint after each epoch."""
        plan, standing = self.plan, self.standing
        total = plan.epochs * plan.steps_an_epoch
        with _bar() as bar:
            task = bar.add_task("words", total=total)
            while standing.epoch < plan.epochs and standing.worse_in_a_row < plan.patience:
                chance = random.Random(f"{plan.seed} words {standing.epoch}")
                losses, started = [], time.monotonic()
                for step in range(plan.steps_an_epoch):
                    at = standing.epoch * plan.steps_an_epoch + step
                    losses.append(self._step(draw(given, plan.names, chance), done=at / total))
                    bar.update(task, completed=at + 1, description=f"words, loss {losses[-1]:.3f}")
                standing.epoch += 1
                self._measure(given, float(np.mean(losses)), tracker)
                log.info(
                    "epoch %d, %.0f s, %s",
                    standing.epoch, time.monotonic() - started, standing.history[-1],
                )  # fmt: skip

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

    def best(self) -> nn.Module:
        """Return the network with its best weights, on the CPU."""
        path = self.work / "best.pt"
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return self.network.cpu().float().eval()

    def _step(self, lesson: Lesson, *, done: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.learning_rate * rate_factor(done, warm_up=self.plan.warm_up)
        self.network.train()
        batch = pieces(self.tokenizer, [*lesson.left, *lesson.right]).to(self.device)
        with mixed_precision(self.device):
            vectors = embedded(self.network, batch).float()
        apart = torch.tensor(lesson.apart, device=self.device)
        loss = contrast(*vectors.chunk(2), apart=apart, softness=self.plan.softness)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return loss.item()

    def _measure(self, given: Lessons, loss: float, tracker: Tracker) -> None:
        standing = self.standing
        found = answers(self.network, self.tokenizer, given, given.questions["validation"])
        ranked = found.average_precision()
        row = {
            "epoch": standing.epoch,
            "loss": loss,
            "ranked": ranked,
            "found": found.recall(chosen_limits(found)),
            "nearest": found.nearest(),
        }
        standing.history.append(row)
        tracker.log(standing.epoch, row)
        standing.worse_in_a_row += 1
        if ranked >= standing.best:
            standing.best, standing.worse_in_a_row = ranked, 0
            state = self.network.state_dict()
            replace_file(self.work / "best.pt", lambda path: torch.save(state, path))
        content = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "standing": asdict(standing),
        }
        replace_file(self.work / "last.pt", lambda path: torch.save(content, path))


def contrast(left: Tensor, right: Tensor, *, apart: Tensor, softness: float) -> Tensor:
    """Return the loss of unit vectors float[N, width] whose rows belong together.

    Row j of the other side is a negative of row i where `apart[i, j]`.
    """
    scores = left @ right.T / softness
    own = torch.eye(len(left), dtype=torch.bool, device=left.device)
    scores = scores.masked_fill(~(apart | own), float("-inf"))
    wanted = torch.arange(len(left), device=left.device)
    entropy = nn.functional.cross_entropy
    loss: Tensor = (entropy(scores, wanted) + entropy(scores.T, wanted)) / 2
    return loss


def answers(
    network: nn.Module, tokenizer: Any, given: Lessons, questions: Sequence[Question]
) -> Answers:
    """Return what each question is taken for among the words taught, and how sure."""
    device = next(network.parameters()).device
    encoder = WordEncoder(network.cpu(), tokenizer)
    found = nearest(encoder.vectors, given, questions)
    network.to(device)
    return found


def nearest(
    vectors: Callable[[Sequence[str]], NDArray[np.float32]],
    given: Lessons,
    questions: Sequence[Question],
) -> Answers:
    """Return what each question is taken for by any way to place texts."""
    rows = [(name, word) for name, words in given.words.items() for word in words]
    similar = vectors([q.text for q in questions]) @ vectors([word for _, word in rows]).T
    names = [name for name, _ in rows]
    return Answers(
        questions=tuple(questions),
        guesses=tuple(nearest_name(row, names, given.wider) for row in similar),
    )


def _shortened(network: nn.Module, layers: int | None) -> nn.Module:
    if layers is not None:
        kept = layers_of(network)
        del kept[layers:]
        network.config.num_hidden_layers = layers  # type: ignore[union-attr]
    network.register_module("pooler", None)
    return network


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
