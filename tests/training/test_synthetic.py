"""Drawn defects carry the label that their surroundings give them."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest

from inspector.domain import Box
from inspector.training.datasets import DEEPPCB_LABELS
from inspector.training.synthetic import KINDS, Grey, draw_defects

BARE, COPPER = 255, 0


@pytest.fixture(scope="module")
def template() -> Grey:
    """Return a board of conductors 16 px wide, 24 px apart, and an island wide enough for holes."""
    board = np.full((320, 320), BARE, dtype=np.uint8)
    for left in range(20, 180, 40):
        board[10:310, left : left + 16] = COPPER
    board[40:140, 200:300] = COPPER
    return board


def pieces(copper: np.ndarray) -> int:
    return int(cv2.connectedComponents(copper.astype(np.uint8), connectivity=4)[0]) - 1


def drawn(template: Grey, *, seed: int, count: int = 12, annotated: tuple[Box, ...] = ()):
    chance = np.random.default_rng(seed)
    return draw_defects(template, template, annotated, count=count, chance=chance)


def test_the_labels_are_those_of_the_data():
    assert set(KINDS) == set(DEEPPCB_LABELS)


def test_every_kind_of_defect_is_drawn(template: Grey):
    labels = Counter(found.label for seed in range(12) for found in drawn(template, seed=seed)[1])
    assert set(labels) == set(DEEPPCB_LABELS)


def test_a_drawn_defect_does_what_its_label_says(template: Grey):
    """Each is looked at alone, on the whole board, by counting pieces of copper and of gap."""
    seen = Counter()
    for seed in range(120):
        board, found = drawn(template, seed=seed, count=1)
        if not found:
            continue
        before, after = template == COPPER, board == COPPER
        label = found[0].label
        copper, bare = pieces(after) - pieces(before), pieces(~after) - pieces(~before)
        expected = {
            "open": copper > 0,
            "short": copper < 0,
            "mousebite": copper == 0 and after.sum() < before.sum(),
            "spur": copper == 0 and after.sum() > before.sum(),
            "copper": copper >= 1 and after.sum() > before.sum(),
            "pin-hole": bare >= 1 and copper >= 0,
        }
        assert expected[label], (seed, label, copper, bare)
        seen[label] += 1
    assert set(seen) == set(DEEPPCB_LABELS)


def test_the_box_stands_off_the_change_as_deeppcb_s_do(template: Grey):
    for seed in range(40):
        board, found = drawn(template, seed=seed, count=1)
        ys, xs = np.nonzero(board != template)
        for annotation in found:
            box = annotation.box
            assert box.x0 <= xs.min() and box.y0 <= ys.min()
            assert box.x1 > xs.max() and box.y1 > ys.max()
            assert box.width <= xs.max() + 1 - xs.min() + 24


def test_drawn_defects_keep_clear_of_annotated_ones_and_of_each_other(template: Grey):
    annotated = Box(x0=60, y0=60, x1=180, y1=180)
    board, found = drawn(template, seed=1, count=40, annotated=(annotated,))
    assert found
    assert (board[60:180, 60:180] == template[60:180, 60:180]).all()
    boxes = [annotation.box for annotation in found]
    assert all(a.iou(b) == 0 for n, a in enumerate(boxes) for b in boxes[:n])
    assert set(np.unique(board)) == {BARE, COPPER}


def test_the_same_chance_draws_the_same(template: Grey):
    first, second = drawn(template, seed=7), drawn(template, seed=7)
    assert (first[0] == second[0]).all()
    assert first[1] == second[1]


def test_a_board_without_copper_is_left_as_it_is():
    blank = np.full((100, 100), BARE, dtype=np.uint8)
    board, found = drawn(blank, seed=0)
    copper = [annotation for annotation in found if KINDS[annotation.label].takes_copper]
    assert copper == []
    assert all(annotation.label == "copper" for annotation in found)
    assert board.shape == blank.shape
