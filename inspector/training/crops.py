"""Crops of real board defects, and of intact board where a detector might err."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from inspector import images
from inspector.domain import Bgr, Box
from inspector.evidence import CROP_MARGIN_PX, CROP_PX
from inspector.training.datasets import LabelledPicture, Split, read_dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class CropBank:
    """Crops by label, and of `intact` board; each uint8[64, 64, 3] as the judge sees it."""

    by_label: dict[str, tuple[Bgr, ...]]
    intact: tuple[Bgr, ...]

    def draw(self, label: str | None, chance: random.Random) -> Bgr:
        """Return a crop of `label`, or of intact board for None, turned and flipped by chance."""
        crop = chance.choice(self.intact if label is None else self.by_label[label])
        crop = np.rot90(crop, k=chance.randrange(4))
        return np.ascontiguousarray(crop[:, ::-1] if chance.random() < 0.5 else crop)


def cut_crops(root: Path, *, validation: bool, boards_at_most: int, seed: int) -> CropBank:
    """Return crops of DeepPCB *trainval* boards of the one or the other part of the split.

    Demo boards are in neither. Intact places are drawn near copper edges, away from every defect.
    """
    fold: Split = "validation" if validation else "training"
    pairs = read_dataset(root, format="deeppcb", splits=(fold,)).split(fold)
    chance = random.Random(f"crops {seed}")
    chosen = chance.sample(pairs, k=min(boards_at_most, len(pairs)))
    by_label: dict[str, list[Bgr]] = {}
    intact: list[Bgr] = []
    for pair in chosen:
        seen = images.read(pair.picture)
        if pair.reference is not None:
            seen = images.compose(seen, images.read(pair.reference))
        for annotation in pair.annotations:
            box = _jittered(annotation.box, chance)
            by_label.setdefault(annotation.label, []).append(_crop(seen, box))
        intact += [_crop(seen, box) for box in _intact_boxes(seen, pair, chance, count=6)]
    return CropBank(by_label={k: tuple(v) for k, v in by_label.items()}, intact=tuple(intact))


def _crop(seen: Bgr, box: Box) -> Bgr:
    return images.crop(seen, box, margin_px=CROP_MARGIN_PX, size_px=CROP_PX)


def _jittered(box: Box, chance: random.Random) -> Box:
    """Return `box` moved and scaled as a detector's boxes differ from the annotation."""
    x, y = box.centre
    width = box.width * chance.uniform(0.8, 1.25)
    height = box.height * chance.uniform(0.8, 1.25)
    x += chance.uniform(-0.12, 0.12) * box.width
    y += chance.uniform(-0.12, 0.12) * box.height
    return Box(x0=x - width / 2, y0=y - height / 2, x1=x + width / 2, y1=y + height / 2)


def _intact_boxes(
    seen: Bgr, pair: LabelledPicture, chance: random.Random, *, count: int
) -> Sequence[Box]:
    edges = cv2.Canny(np.ascontiguousarray(seen[:, :, 1]), 50, 150)
    ys, xs = np.nonzero(edges)
    found: list[Box] = []
    for _ in range(20 * count):
        if len(found) == count or len(xs) == 0:
            break
        at = chance.randrange(len(xs))
        half_x, half_y = chance.uniform(8, 26), chance.uniform(8, 26)
        x, y = float(xs[at]), float(ys[at])
        box = Box(x0=x - half_x, y0=y - half_y, x1=x + half_x, y1=y + half_y)
        if all(box.expanded(8).iou(a.box) == 0 for a in pair.annotations):
            found.append(box)
    return found
