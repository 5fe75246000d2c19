"""Whether a defect is there where the detector says so: a small network looks at the crop again.

A detector that reports much is wrong often, and a judge that only reads its labels believes it.
Here each crop gets the chance that it shows what its label says. The judge then weighs the evidence
with and without what is doubtful. Only labels that it was trained on are ever doubted.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inspector.combining import share
from inspector.domain import Bgr, Evidence, EvidenceRef
from inspector.errors import ModelError
from inspector.evidence import without
from inspector.models.fusion import TOKENS_PER_CROP, CropEncoder
from inspector.models.shelf import verified

WIDTH = 128
DROPOUT = 0.2
# A chance counts as the next of these: what is probably there is taken to be there, so that most
# evidence is judged once, and what is probably not keeps its order.
LEVELS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
CROPS_TOGETHER = 256

Rests = Literal["crop", "confidence", "both"]


class CropSight(nn.Module):
    """Gives float32[N, labels]: the log-odds that a crop shows a defect of each label."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.crops = CropEncoder(WIDTH)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(WIDTH * TOKENS_PER_CROP, len(self.labels))

    def forward(self, pictures: Tensor) -> Tensor:
        """Take crops float32[N, 3, H, W] in 0–1."""
        seen = nn.functional.silu(self.crops(pictures)).flatten(1)
        logits: Tensor = self.head(self.dropout(seen))
        return logits


@dataclass(frozen=True, slots=True)
class Sight:
    """A trained network, and the log-odds that a box of its training was a true one."""

    network: CropSight
    usual_log_odds: float

    def log_odds(self, evidence: Evidence) -> tuple[float | None, ...]:
        """Return for each defect the log-odds that its crop shows what its label says.

        None where there is no crop, or a label that the network was not trained on.
        """
        labels = self.network.labels
        shown = [
            (i, labels.index(defect.label), crop)
            for i, (defect, crop) in enumerate(
                zip(evidence.defects, evidence.crops_bgr, strict=False)
            )
            if crop is not None and defect.label in labels
        ]
        found: list[float | None] = [None] * len(evidence.defects)
        for start in range(0, len(shown), CROPS_TOGETHER):
            part = shown[start : start + CROPS_TOGETHER]
            with torch.inference_mode():
                logits = self.network(as_pictures([crop for _, _, crop in part]))
            for row, (i, label, _) in enumerate(part):
                found[i] = float(logits[row, label])
        return tuple(found)

    def chances(self, evidence: Evidence, *, rests_on: Rests = "both") -> tuple[float, ...]:
        """Return for each defect the chance that it is there, 1 where the network cannot say."""
        return doubted(
            evidence, self.log_odds(evidence), usual=self.usual_log_odds, rests_on=rests_on
        )


def as_pictures(crops: Sequence[Bgr] | NDArray[np.uint8]) -> Tensor:
    """Return crops as float32[N, 3, H, W] in 0–1."""
    stacked = np.ascontiguousarray(np.stack(list(crops)))
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float().div(255)


def doubted(
    evidence: Evidence,
    log_odds: Sequence[float | None],
    *,
    usual: float,
    rests_on: Rests,
) -> tuple[float, ...]:
    """Return the chance that each defect is there, by its crop, the detector's confidence or both.

    Both are joined by Bayes' rule: the confidence is what is believed before the crop is seen, and
    what the crop adds is its log-odds less the `usual` ones of the training.
    """
    found = []
    for defect, seen in zip(evidence.defects, log_odds, strict=True):
        if seen is None:
            found.append(1.0)
            continue
        confidence = min(1 - 1e-6, max(1e-6, defect.confidence))
        before = math.log(confidence / (1 - confidence))
        joined = {"crop": seen, "confidence": before, "both": before + seen - usual}[rests_on]
        found.append(share(joined))
    return tuple(found)


def by_doubt(evidence: Evidence, chances: Sequence[float]) -> tuple[tuple[float, Evidence], ...]:
    """Return `evidence` as it may be, with the weight of each version; the weights add up to 1.

    The least likely defects go first: what is left at one level of doubt holds all that is left at
    a stricter one. So there are as many versions as levels at most, not two to the number of
    defects.
    """
    level_of = [LEVELS[min(bisect_left(LEVELS, c), len(LEVELS) - 1)] for c in chances]
    found, below = [], 0.0
    for level in sorted({*level_of, 1.0}):
        gone = [EvidenceRef(kind="defect", index=i) for i, c in enumerate(level_of) if c < level]
        found.append((level - below, without(evidence, gone) if gone else evidence))
        below = level
    return tuple(found)


def load_sight(folder: Path, card: Mapping[str, Any]) -> Sight:
    """Return the sight that a judge's `model.json` describes under `sight`, its file verified.

    Raises `ModelError` where it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = verified(folder / card["file"], card["sha256"])
        network = CropSight([str(label) for label in card["labels"]])
        network.load_state_dict({name: v.float() for name, v in load_file(weights).items()})
        return Sight(network.eval(), float(card["usual_log_odds"]))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as exc:
        raise ModelError(
            f"expected the sight of a judge in {folder}: {exc}; install it again"
        ) from exc
