"""Varied pairs keep frame, reference and boxes together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inspector import images
from inspector.training.augment import ReferencePairs

SIZE = 96


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return one prepared pair: bare board, and a spot of copper that only the frame has."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    reference = np.full((SIZE, SIZE, 3), 255, dtype=np.uint8)
    frame = reference.copy()
    frame[40:52, 30:50] = 0
    composed = images.compose(frame, reference)
    (tmp_path / "images" / "a.png").write_bytes(images.encode_png(composed))
    label = f"3 {40 / SIZE} {46 / SIZE} {20 / SIZE} {12 / SIZE}"
    (tmp_path / "labels" / "a.txt").write_text(label)
    return tmp_path


def pairs(folder: Path, *, seed: int = 0, draws_defects: bool = False, size_px: int = SIZE):
    return ReferencePairs(
        folder,
        labels=("open", "short", "mousebite", "spur", "copper", "pin-hole"),
        size_px=size_px,
        seed=(seed,),
        two_valued=True,
        draws_defects=draws_defects,
    )


def planes(item):
    """Return frame, reference and difference; the trainer's planes come in reverse."""
    difference, reference, frame = item["img"].numpy()
    return frame, reference, difference


def test_the_box_stays_on_the_defect_however_the_picture_is_moved(folder: Path):
    dataset = pairs(folder)
    looked_at = 0
    for _ in range(60):
        item = dataset[0]
        frame, reference, _ = planes(item)
        assert len(item["bboxes"]) in (0, 1)
        if len(item["bboxes"]) == 0:
            continue
        x, y, width, height = item["bboxes"][0].numpy() * SIZE
        assert int(item["cls"][0]) == 3
        area = np.s_[
            max(0, round(y - height / 2)) : round(y + height / 2),
            max(0, round(x - width / 2)) : round(x + width / 2),
        ]
        assert (frame[area] < 128).mean() > 0.85
        inside = int((frame[area] < 128).sum())
        assert (frame < 128).sum() - inside < 0.25 * inside + 30
        assert (reference > 128).all()
        looked_at += 1
    assert looked_at > 40


def test_the_difference_is_that_of_the_moved_pair(folder: Path):
    dataset = pairs(folder)
    for _ in range(20):
        frame, reference, difference = planes(dataset[0])
        expected = np.abs(frame.astype(int) - reference.astype(int))
        assert (difference == expected).all()


def test_all_turns_and_flips_come_up(folder: Path):
    dataset = pairs(folder)
    wide = [
        bool(item["bboxes"][0][2] > item["bboxes"][0][3])
        for item in (dataset[0] for _ in range(40))
        if len(item["bboxes"])
    ]
    assert 5 < sum(wide) < 35


def test_drawn_defects_join_the_annotated_ones(folder: Path):
    dataset = pairs(folder, draws_defects=True)
    counts = [len(dataset[0]["cls"]) for _ in range(20)]
    assert max(counts) > 1
    assert all(set(dataset[0]["cls"].flatten().tolist()) <= set(range(6)) for _ in range(5))


def test_the_same_seed_varies_the_same_and_another_differently(folder: Path):
    first, again, other = (pairs(folder, seed=seed)[0]["img"] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_frame_that_is_not_square_is_padded_like_a_letterbox(tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    wide = np.full((SIZE // 2, SIZE, 3), 200, dtype=np.uint8)
    (tmp_path / "images" / "a.png").write_bytes(images.encode_png(images.compose(wide, wide)))
    (tmp_path / "labels" / "a.txt").write_text("")
    dataset = ReferencePairs(
        tmp_path, labels=("scratch",), size_px=SIZE, seed=(0,), two_valued=False,
        draws_defects=False,
    )  # fmt: skip
    item = dataset[0]
    assert len(item["bboxes"]) == 0
    padded = (item["img"].numpy() == images.LETTERBOX_GREY).all(axis=0)
    assert 0.1 < padded.mean() < 0.9


def test_items_join_into_a_batch_for_the_trainer(folder: Path):
    dataset = pairs(folder)
    batch = dataset.collate_fn([dataset[0], dataset[0]])
    assert batch["img"].shape == (2, 3, SIZE, SIZE)
    assert batch["batch_idx"].max() <= 1
