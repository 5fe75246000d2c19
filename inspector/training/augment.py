"""Vary pictures with references as a line varies them, for ultralytics' trainer.

Frame and reference move together: quarter turns, flips, scale, place, a small turn now and then.
Against the frame the reference is a little off, as registration leaves it. The frame alone gets
noise; blur may come to both. The difference is made afresh from what results. There is no play of
colour: composed pictures have none, and grey is measured, not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from inspector import images
from inspector.domain import Bgr, Box
from inspector.training.synthetic import draw_defects

Grey = NDArray[np.uint8]
Floats = NDArray[np.float64]

DRAWN_SHARE = 0.65  # of the pictures, where defects are drawn at all
DRAWN_COUNT = (2, 9)
SCALES = (0.75, 1.5)
SCALED_SHARE = 0.7
TURN_DEG = 5.0
TURNED_SHARE = 0.2
MISALIGNED_SHARE = 0.4
MISALIGNED_PX = 0.6  # standard deviations
MISALIGNED_DEG = 0.12
NOISY_SHARE = 0.3
NOISE = 0.002  # of the pixels at most
BLURRED_SHARE = 0.08
BLUR_PX = (0.3, 1.2)
LEAST_VISIBLE = 0.5  # a box that is cut by more than this leaves with the rest of its defect


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPicture:
    """A composed picture on disk; `boxes` is [N, 5]: number of the label, x0 y0 x1 y1 in px."""

    path: Path
    boxes: Floats


def prepared_pictures(folder: Path) -> tuple[PreparedPicture, ...]:
    """Return the pictures of `folder/images` with their boxes from `folder/labels` (YOLO)."""
    found = []
    for path in sorted((folder / "images").glob("*.png")):
        width, height = images.size_of(path)
        lines = (folder / "labels" / f"{path.stem}.txt").read_text().split()
        relative = np.array(lines, dtype=np.float64).reshape(-1, 5)
        middle, half = relative[:, 1:3], relative[:, 3:5] / 2
        corners = np.hstack([middle - half, middle + half]) * (width, height, width, height)
        found.append(PreparedPicture(path=path, boxes=np.hstack([relative[:, :1], corners])))
    return tuple(found)


class ReferencePairs(Dataset[dict[str, Any]]):
    """Composed pictures, varied anew each time they are asked for.

    Each comes `repeats` times an epoch. With `two_valued`, pictures keep two values when they are
    moved. With `draws_defects`, drawn defects join the real ones; `labels` are then DeepPCB's.
    Attributes and items are those that ultralytics 8.4 reads of its own `YOLODataset`.
    """

    mosaic = False

    def __init__(
        self,
        folder: Path,
        *,
        labels: Sequence[str],
        size_px: int,
        seed: Sequence[int],
        two_valued: bool,
        draws_defects: bool,
        repeats: int = 1,
    ) -> None:
        self._pictures = prepared_pictures(folder) * repeats
        self._names = tuple(labels)
        self._size_px = size_px
        self._seed = tuple(seed)
        self._two_valued = two_valued
        self._draws_defects = draws_defects
        self._chance: np.random.Generator | None = None
        self.labels = [
            {"cls": picture.boxes[:, :1], "bboxes": picture.boxes[:, 1:]}
            for picture in self._pictures
        ]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> dict[str, Any]:
        picture = self._pictures[index]
        composed = images.read(picture.path)
        varied, boxes = self._varied(composed[:, :, 0], composed[:, :, 1], picture.boxes)
        size = self._size_px
        middles, sides = (boxes[:, 1:3] + boxes[:, 3:5]) / 2, boxes[:, 3:5] - boxes[:, 1:3]
        return {
            "img": torch.from_numpy(np.ascontiguousarray(varied[:, :, ::-1].transpose(2, 0, 1))),
            "cls": torch.tensor(boxes[:, :1], dtype=torch.float32),
            "bboxes": torch.tensor(np.hstack([middles, sides]) / size, dtype=torch.float32),
            "batch_idx": torch.zeros(len(boxes)),
            "im_file": str(picture.path),
            "ori_shape": (size, size),
            "resized_shape": (size, size),
            "ratio_pad": ((1.0, 1.0), (0.0, 0.0)),
        }

    @staticmethod
    def collate_fn(batch: list[dict[str, Any]]) -> dict[str, Any]:
        """Join items into a batch, as ultralytics does."""
        from ultralytics.data.dataset import YOLODataset

        joined: dict[str, Any] = YOLODataset.collate_fn(batch)
        return joined

    def _varied(self, frame: Grey, reference: Grey, boxes: Floats) -> tuple[Bgr, Floats]:
        chance, size = self._generator, self._size_px
        if self._draws_defects and chance.random() < DRAWN_SHARE:
            frame, boxes = self._with_drawn_defects(frame, reference, boxes)
        angle_deg = chance.uniform(-TURN_DEG, TURN_DEG) if chance.random() < TURNED_SHARE else 0.0
        move = _drawn_move(chance, frame.shape, size, angle_deg=angle_deg)
        off = _drawn_misalignment(chance, size) if chance.random() < MISALIGNED_SHARE else np.eye(3)
        square = frame.shape[0] == frame.shape[1]
        outside = None if square else ~_warped(np.full_like(frame, 255), move, size, pad=True)
        frame, reference = _warped(frame, move, size), _warped(reference, off @ move, size)
        if self._two_valued:
            frame, reference = _two_values(frame), _two_values(reference)
        if chance.random() < NOISY_SHARE:
            _add_salt_and_pepper(frame, chance, rate=chance.uniform(0, NOISE))
        if chance.random() < BLURRED_SHARE:
            sigma = chance.uniform(*BLUR_PX)
            frame = cv2.GaussianBlur(frame, (0, 0), sigma)
            if chance.random() < 0.5:
                reference = cv2.GaussianBlur(reference, (0, 0), sigma)
        varied = np.dstack([frame, reference, cv2.absdiff(frame, reference)])
        if outside is not None:
            varied[outside > 127] = images.LETTERBOX_GREY
        return varied, _moved_boxes(boxes, move, size, angle_deg=angle_deg)

    @property
    def _generator(self) -> np.random.Generator:
        if self._chance is None:  # in a loading process: torch's seed differs from one to the next
            self._chance = np.random.default_rng([*self._seed, torch.initial_seed() % 2**32])
        return self._chance

    def _with_drawn_defects(
        self, frame: Grey, reference: Grey, boxes: Floats
    ) -> tuple[Grey, Floats]:
        annotated = [Box(x0=x0, y0=y0, x1=x1, y1=y1) for _, x0, y0, x1, y1 in boxes.tolist()]
        frame, drawn = draw_defects(
            frame,
            reference,
            annotated,
            count=int(self._generator.integers(*DRAWN_COUNT)),
            chance=self._generator,
        )
        rows = [(self._names.index(found.label), *found.box.as_list()) for found in drawn]
        return frame, np.vstack([boxes, np.array(rows, dtype=np.float64).reshape(-1, 5)])


def _drawn_move(
    chance: np.random.Generator, shape: tuple[int, ...], size_px: int, *, angle_deg: float
) -> Floats:
    """Return a matrix [3, 3] that takes pixels of the frame into the picture trained on.

    Pixels are squares here: (0, 0) is the corner of the first, so that turns keep the grid.
    """
    height, width = shape
    to_middle = _shift(-width / 2, -height / 2)
    turn = _rotation(90.0 * int(chance.integers(4)))
    flip = np.diag([float(chance.choice([-1, 1])), 1.0, 1.0])
    own_scale = size_px / max(height, width)  # a letterbox without its padding
    zoom = 1.0
    if chance.random() < SCALED_SHARE:
        zoom = float(np.exp(chance.uniform(*np.log(SCALES))))
    scale = np.diag([zoom * own_scale, zoom * own_scale, 1.0])
    reach = max(0.0, (zoom - 1) * size_px / 2) + 0.06 * size_px
    place = size_px / 2 + chance.uniform(-reach, reach, 2) * (chance.random(2) < 0.8)
    if zoom * own_scale == 1.0 and angle_deg == 0.0:
        place = np.round(place)  # whole pixels: nothing is smeared that need not be
    move: Floats = _shift(*place) @ _rotation(angle_deg) @ scale @ flip @ turn @ to_middle
    return _shift(-0.5, -0.5) @ move @ _shift(0.5, 0.5)


def _drawn_misalignment(chance: np.random.Generator, size_px: int) -> Floats:
    """Return how a registered reference still lies off the frame, turned about the middle."""
    middle = size_px / 2
    turn = _rotation(chance.normal(0, MISALIGNED_DEG))
    shift = _shift(*chance.normal(0, MISALIGNED_PX, 2))
    return shift @ _shift(middle, middle) @ turn @ _shift(-middle, -middle)


def _moved_boxes(boxes: Floats, move: Floats, size_px: int, *, angle_deg: float) -> Floats:
    """Return the boxes after `move`, without those that mostly left the picture."""
    corners = boxes[:, [1, 2, 3, 2, 3, 4, 1, 4]].reshape(-1, 4, 2)
    # Boxes lie on pixel corners, `move` is for pixel centres.
    moved = (corners - 0.5) @ move[:2, :2].T + move[:2, 2] + 0.5
    low, high = moved.min(axis=1), moved.max(axis=1)
    if angle_deg:
        # The box around a turned box is larger than the defect: shrink it about its middle.
        grown = abs(np.cos(np.deg2rad(angle_deg))) + abs(np.sin(np.deg2rad(angle_deg)))
        middle = (low + high) / 2
        low, high = middle + (low - middle) / grown, middle + (high - middle) / grown
    inside_low, inside_high = np.clip(low, 0, size_px), np.clip(high, 0, size_px)
    visible = (inside_high - inside_low).clip(0).prod(axis=1)
    kept = visible > LEAST_VISIBLE * (high - low).prod(axis=1)
    return np.hstack([boxes[kept, :1], inside_low[kept], inside_high[kept]])


def _warped(grey: Grey, move: Floats, size_px: int, *, pad: bool = False) -> Grey:
    border = cv2.BORDER_CONSTANT if pad else cv2.BORDER_REPLICATE
    warped: Grey = cv2.warpAffine(
        grey, move[:2], (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=border
    )
    return warped


def _two_values(grey: Grey) -> Grey:
    return (grey > 127).astype(np.uint8) * np.uint8(255)


def _add_salt_and_pepper(grey: Grey, chance: np.random.Generator, *, rate: float) -> None:
    draw = chance.random(grey.shape)
    grey[draw < rate / 2] = 0
    grey[draw > 1 - rate / 2] = 255


def _shift(x: float, y: float) -> Floats:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def _rotation(angle_deg: float) -> Floats:
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
