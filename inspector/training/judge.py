"""Fine-tune the fused judge: language and crops together, on a CPU or a GPU.

Early stopping looks at a validation part whose wordings and names training never sees. An ensemble
of several seeds is distilled: it is asked for its mean answer to every pair of the corpus, and one
more network learns from the truth and from that (Hinton et al., 2015), so that a station pays for
one network. It costs one training more than the ensemble has members.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inspector.models.fusion import FusedEncoder
from inspector.models.judge import load_parts
from inspector.models.shelf import model_folder
from inspector.training.checkpoints import replace_file
from inspector.training.corpus import Pair, make_corpus
from inspector.training.corpus_judged import judged_pairs
from inspector.training.crops import CropBank, cut_crops
from inspector.training.judge_base import base_model
from inspector.training.judge_fit import JudgePlan, JudgeTraining, rate_factor
from inspector.training.judge_pairs import Encoded, device_named, encode, logits_of
from inspector.training.judge_shelf import put_on_shelf
from inspector.training.tracking import Tracker

__all__ = ["JudgePlan", "JudgeTraining", "rate_factor", "replace_file", "train_judge"]

log = logging.getLogger(__name__)


def train_judge(
    *,
    data: Path | None,
    out: Path,
    backbone: Path | None = None,
    start: str | None = None,
    seed: int = 0,
    epochs: int = 3,
    lora: int = 0,
    ensemble: int = 1,
    adversarial: float = 0.0,
    device: str = "auto",
    resume: bool = False,
    threads: int | None = None,
    minutes: float | None = None,
    wandb: bool = False,
    plan: JudgePlan | None = None,
) -> Path:
    """Train, calibrate, and return `out`, a folder that `load_judge` opens.

    `data` is a folder in the format of DeepPCB for the crops; None trains on text alone. `backbone`
    is a folder with an encoder or a decoder, None MiniLM; `start` names a judge to go on from
    instead. Checkpoints and the TensorBoard log lie in `out/training`; `resume` goes on from there.
    """
    plan = replace(
        plan or JudgePlan(),
        seed=seed,
        start=start,
        epochs=epochs,
        lora=lora,
        ensemble=ensemble,
        adversarial=adversarial,
        minutes_at_most=minutes,
    )
    if threads is not None:
        torch.set_num_threads(threads)
    place = device_named(device)
    tokenizer, _ = _base(backbone, plan)
    banks = _banks(data, plan)
    parts = [
        _pairs(plan, seed=plan.seed + i, count=count, held_out=i > 0, bank=banks[i > 0])
        for i, count in enumerate((plan.pairs, plan.validation_pairs, plan.calibration_pairs))
    ]
    taught, validation, held_out = (encode(part, tokenizer) for part in parts)
    lesson = _Lesson(
        backbone=backbone, bank=banks[0], validation=validation, device=place, resume=resume,
        wandb=out.name if wandb else None,
    )  # fmt: skip
    work = out / "training"
    if plan.ensemble > 1:
        taught = _softened(taught, lesson, plan, work)
        work = work / "distilled"
    network, history = _trained(taught, lesson, plan, work)
    put_on_shelf(
        network,
        tokenizer,
        held_out,
        out,
        settings=asdict(plan),
        history=history,
        with_crops=data is not None,
        backbone=None if backbone is None else backbone.name,
    )
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lesson:
    """What every member of an ensemble is trained with."""

    backbone: Path | None
    bank: CropBank | None
    validation: Sequence[Encoded]
    device: torch.device
    resume: bool
    wandb: str | None


def _trained(
    pairs: Sequence[Encoded], lesson: _Lesson, plan: JudgePlan, work: Path
) -> tuple[FusedEncoder, list[dict[str, float]]]:
    """Return one trained network and its history; one that is finished is only loaded."""
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    tokenizer, network = _base(lesson.backbone, plan)
    training = JudgeTraining(network, tokenizer, plan, work, lesson.device)
    if not (lesson.resume and training.restore()) and lesson.bank is not None:
        training.teach_crops(lesson.bank)
    with Tracker(work, wandb=lesson.wandb, settings=asdict(plan)) as tracker:
        training.fit(pairs, lesson.validation, tracker=tracker)
    return training.best(), training.standing.history


def _softened(
    pairs: Sequence[Encoded], lesson: _Lesson, plan: JudgePlan, work: Path
) -> list[Encoded]:
    """Return `pairs` taught by the truth and by the mean answer of an ensemble."""
    tokenizer: Any = _base(lesson.backbone, plan)[0]
    mean = np.zeros(len(pairs))
    for number in range(plan.ensemble):
        log.info("member %d of %d", number + 1, plan.ensemble)
        own = replace(plan, seed=plan.seed + number)
        network, _ = _trained(pairs, lesson, own, work / f"member-{number + 1}")
        logits = logits_of(network, pairs, tokenizer, lesson.device)
        mean += 1 / (1 + np.exp(-np.clip(logits, -60, 60))) / plan.ensemble
    return [
        replace(item, taught=(1 - plan.soft) * item.taught + plan.soft * float(p))
        for item, p in zip(pairs, mean, strict=True)
    ]


def _base(backbone: Path | None, plan: JudgePlan) -> tuple[Any, FusedEncoder]:
    """Return the tokenizer and the network that a training begins with."""
    if plan.start is None:
        return base_model(backbone, dropout=plan.dropout)
    network, tokenizer = load_parts(model_folder(plan.start))
    return tokenizer, network


def _pairs(
    plan: JudgePlan, *, seed: int, count: int, held_out: bool, bank: CropBank | None
) -> tuple[Pair, ...]:
    """Return pairs of both corpora: parts for a clause, and clauses read, each with its oracle."""
    read = round(plan.read * count)
    made = make_corpus(seed=seed, count=count - read, held_out=held_out, bank=bank)
    return (*made, *judged_pairs(seed=seed, count=read, held_out=held_out))


def _banks(data: Path | None, plan: JudgePlan) -> tuple[CropBank | None, CropBank | None]:
    if data is None:
        return None, None
    return (
        cut_crops(data, validation=False, boards_at_most=plan.boards, seed=plan.seed),
        cut_crops(data, validation=True, boards_at_most=60, seed=plan.seed),
    )
