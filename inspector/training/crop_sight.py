"""Train the sight of a judge: which boxes of a detector show what they are said to show.

The boxes come from boards that the detector is run on, with their good twins, at the least
confidence: true defects, its mistakes on intact board, and its confusions. A part of the true ones
is shown under another's name. What the judge makes of text stays as it was, to the last bit.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inspector.errors import DataError
from inspector.models.crop_sight import CropSight, Sight, as_pictures
from inspector.models.detector import load_detector
from inspector.models.shelf import DESCRIPTION, file_sha256, model_folder
from inspector.training.card_sections import CARD, with_section, write_whole
from inspector.training.checkpoints import replace_file
from inspector.training.crop_boxes import (
    LEAST_CONFIDENCE,
    Advance,
    TaughtBoxes,
    looked_at,
    taught_boxes,
)
from inspector.training.datasets import Split, read_dataset
from inspector.training.judge_fit import rate_factor
from inspector.training.judge_pairs import device_named
from inspector.training.tracking import Tracker

log = logging.getLogger(__name__)

WEIGHTS = "sight.safetensors"
HEADING = "## Sight"
SPLITS: tuple[Split, ...] = ("training",)
SHIFT_PX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SightPlan:
    """The settings of one training. `misnamed` of a batch are true ones by another's name."""

    seed: int = 0
    steps: int = 2500
    batch: int = 64
    misnamed: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: float = 0.02
    minutes_at_most: float | None = None


def train_sight(
    *,
    data: Path,
    out: Path,
    model: str = "judge",
    detector: str = "pcb-yolo11n",
    seeds: int = 1,
    device: str = "auto",
    threads: int | None = None,
    resume: bool = False,
    plan: SightPlan | None = None,
    advance: Advance | None = None,
) -> Path:
    """Train `seeds` networks and return `out`, the judge `model` with the first of them.

    `data` is a folder in the format of DeepPCB, of which only the training part is read. The others
    lie in `out/training`, to measure how much the figures depend on the seed. With `resume`, a
    network that is finished is not trained again. Raises `DataError` and `ModelError`.
    """
    plan = plan or SightPlan()
    if threads is not None:
        torch.set_num_threads(threads)
    finder = load_detector(detector, threads=threads)
    pictures = read_dataset(data, format="deeppcb", splits=SPLITS).training
    boxes = taught_boxes(looked_at(finder, pictures, advance=advance), finder.labels)
    return sight_of_boxes(
        boxes,
        finder.labels,
        out,
        model=model,
        seeds=seeds,
        device=device,
        resume=resume,
        plan=plan,
        detector=f"{detector}, `{finder.sha256[:12]}`",
    )


def sight_of_boxes(
    boxes: TaughtBoxes,
    labels: tuple[str, ...],
    out: Path,
    *,
    model: str,
    seeds: int,
    device: str,
    resume: bool,
    plan: SightPlan,
    detector: str,
) -> Path:
    """Train on `boxes` and return `out`; `detector` says in words whose they are."""
    real = int(boxes.real.sum())
    if not real or real == len(boxes.real):
        raise DataError(
            "expected boxes of the detector that are right and others that are wrong, found "
            f"{real} right of {len(boxes.real)}; there is nothing to learn from them"
        )
    work = out / "training"
    work.mkdir(parents=True, exist_ok=True)
    place = device_named(device)
    for number in range(seeds):
        own = replace(plan, seed=plan.seed + number)
        path = seed_file(work, own.seed)
        if resume and path.is_file():
            continue
        settings = asdict(own)
        with Tracker(work / f"seed-{own.seed}", wandb=None, settings=settings) as tracker:
            network = taught(boxes, labels, own, place, log_step=tracker.log)
        _save(network, path)
    share = real / len(boxes.real)
    usual = math.log(share * plan.batch / ((1 - share) * plan.batch + plan.misnamed))
    _put_on_shelf(out, model, seed_file(work, plan.seed), labels, usual)
    _describe(out, boxes, plan, seeds=seeds, detector=detector)
    return out


def seed_file(work: Path, seed: int) -> Path:
    """Return where the network of that seed lies."""
    return work / f"sight-{seed}.safetensors"


def taught(
    boxes: TaughtBoxes,
    labels: tuple[str, ...],
    plan: SightPlan,
    device: torch.device,
    *,
    log_step: Callable[[int, dict[str, float]], None],
) -> CropSight:
    """Return a network trained on `boxes`, on the CPU."""
    torch.manual_seed(plan.seed)
    chance = np.random.default_rng(plan.seed)
    network = CropSight(labels).to(device).train()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    started = time.monotonic()
    for step in range(plan.steps):
        used = (time.monotonic() - started) / 60 / (plan.minutes_at_most or math.inf)
        if used >= 1:
            break
        rate = plan.learning_rate * rate_factor(max(step / plan.steps, used), warm_up=plan.warm_up)
        for group in optimiser.param_groups:
            group["lr"] = rate
        crops, names, real = _batch(boxes, len(labels), plan, chance)
        logits = network(as_pictures(crops).to(device))
        asked = logits[torch.arange(len(names)), torch.from_numpy(names)]
        truth = torch.from_numpy(real.astype(np.float32)).to(device)
        loss = nn.functional.binary_cross_entropy_with_logits(asked, truth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (step + 1) % 100 == 0:
            said = loss.item()
            log.info("sight %d: step %d of %d, loss %.3f", plan.seed, step + 1, plan.steps, said)
            log_step(step + 1, {"loss": said, "rate": rate})
    return network.cpu().eval()


def _batch(
    boxes: TaughtBoxes, labels: int, plan: SightPlan, chance: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """Return crops turned, flipped and shifted, the labels they go by, and whether that is so."""
    misnamed = plan.misnamed if labels > 1 else 0
    rows = np.concatenate([
        chance.integers(len(boxes.real), size=plan.batch),
        chance.choice(np.flatnonzero(boxes.real), size=misnamed),
    ])  # fmt: skip
    names, real = boxes.labels[rows].copy(), boxes.real[rows].copy()
    if misnamed:
        other = chance.integers(1, labels, size=misnamed)
        names[plan.batch :] = (names[plan.batch :] + other) % labels
        real[plan.batch :] = False
    crops = np.stack([_moved(boxes.crops[row], chance) for row in rows])
    return crops, names, real


def _moved(crop: NDArray[np.uint8], chance: np.random.Generator) -> NDArray[np.uint8]:
    turned = np.rot90(crop, k=int(chance.integers(4)))
    flipped = turned[:, ::-1] if chance.random() < 0.5 else turned
    pad = ((SHIFT_PX, SHIFT_PX), (SHIFT_PX, SHIFT_PX), (0, 0))
    y, x = chance.integers(2 * SHIFT_PX + 1, size=2)
    size = crop.shape[0]
    return np.pad(flipped, pad, mode="edge")[y : y + size, x : x + size]


def sights_of(folder: Path) -> dict[int, Sight]:
    """Return the trained sights of a judge's folder by their seed; raise `DataError` for none."""
    from safetensors.torch import load_file

    card: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
    files = sorted((folder / "training").glob("sight-*.safetensors"))
    if not files or "sight" not in card:
        raise DataError(
            f"expected the sights of a training in {folder / 'training'}, found none; train them: "
            "inspector train judge --part sight --ensemble 3"
        )
    found = {}
    for path in files:
        network = CropSight(card["sight"]["labels"])
        network.load_state_dict({name: v.float() for name, v in load_file(path).items()})
        usual = float(card["sight"]["usual_log_odds"])
        found[int(path.stem.removeprefix("sight-"))] = Sight(network.eval(), usual)
    return found


def _save(network: CropSight, path: Path) -> None:
    from safetensors.torch import save_file

    state = {name: v.half().contiguous() for name, v in network.state_dict().items()}
    replace_file(path, lambda draft: save_file(state, draft))
    path.chmod(0o644)  # safetensors writes for its owner alone


def _put_on_shelf(
    out: Path, model: str, chosen: Path, labels: tuple[str, ...], usual: float
) -> None:
    """Write the judge with its sight: a copy of `model`, where `out` is another folder."""
    folder = model_folder(model)
    if folder.resolve() != out.resolve():
        for path in folder.iterdir():
            if path.is_file():
                shutil.copyfile(path, out / path.name)
    shutil.copyfile(chosen, out / WEIGHTS)
    card: dict[str, Any] = json.loads((out / DESCRIPTION).read_text())
    card["sight"] = {
        "file": WEIGHTS,
        "sha256": file_sha256(out / WEIGHTS),
        "labels": list(labels),
        "usual_log_odds": round(usual, 6),
    }
    write_whole(out / DESCRIPTION, (json.dumps(card, indent=2) + "\n").encode())


def _describe(out: Path, boxes: TaughtBoxes, plan: SightPlan, *, seeds: int, detector: str) -> None:
    path = out / CARD
    card = path.read_text(encoding="utf-8") if path.is_file() else "# Judge\n"
    settings = ", ".join(f"{name} {value}" for name, value in asdict(plan).items())
    text = _CARD.format(
        least=LEAST_CONFIDENCE,
        weights=WEIGHTS,
        sha256=file_sha256(out / WEIGHTS),
        boxes=len(boxes.real),
        right=int(boxes.real.sum()),
        detector=detector,
        seeds=seeds,
        settings=settings,
    )
    write_whole(path, with_section(card, HEADING, text).encode())


_CARD = """
`{weights}` (sha256 `{sha256}`) looks at each crop again and gives the chance that it shows what the
detector says. P(violated) is the mean over the evidence with and without what is doubtful. Trained
on {boxes} boxes, {right} of them right, that the detector ({detector}) gives at a confidence of
{least} or more on the boards of the training fold and on their good twins; {seeds} seeds, of which
this is the first. Command: `inspector train judge --part sight --data DEEPPCB --ensemble {seeds}
--out DIR`; settings: {settings}.

It counts for the detector's labels alone, and was learnt on binarised boards composed with their
reference: train it on your own boards, or take `sight` out of `model.json`, where yours look
different.
"""
