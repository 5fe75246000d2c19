"""Draw defects on real two-valued boards, labelled by what they do to the copper around them.

A defect class of DeepPCB is a statement about local topology, so a stroke drawn anywhere can be
labelled by counting connected components in a small window, before and after it:

- copper taken away: *open* where the stroke cuts one piece of copper into several, *mousebite*
  where it bites into an edge and cuts nothing, *pin-hole* where it lies wholly inside copper;
- copper added: *short* where the stroke joins pieces of copper, *spur* where it grows from one
  edge, *copper* where it lies wholly on bare board.

Strokes are lines, blobs and scribbles, and whole stretches of a thin conductor or gap. A stroke
that is neither, or hardly to be seen, is thrown away. The rule needs a reference that says
where copper is, and pictures of two values (0 copper, 255 bare board); the labels are DeepPCB's.
Pieces are 4-connected: copper that touches at a corner only is as good as cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.domain import Box
from inspector.training.datasets import Annotation

Grey = NDArray[np.uint8]
Place = Literal["between", "edge", "inside"]

HALF_WINDOW_PX = 72
DRAWS_A_DEFECT = 10  # strokes tried before a defect is given up
CLEARANCE_PX = 8  # a drawn defect keeps this far from the annotated ones
LARGEST_AREA_PX = 600
LARGEST_SIDE_PX = 70
MARGIN_PX = (9, 13)  # DeepPCB's boxes stand off the defect by about this much
STRETCH_SHARE, STRETCH_THICKNESS_PX = 0.3, 16
SMALLEST_PIECE_PX = 8  # crumbs of copper are no conductor
SMALLEST_GAP_PX = 6  # nor are crumbs of bare board a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How a class comes about; `weight` is how often it is drawn, more for the harder ones."""

    takes_copper: bool
    place: Place
    weight: float


KINDS = {
    "open": _Kind(takes_copper=True, place="between", weight=1.2),
    "short": _Kind(takes_copper=False, place="between", weight=1.5),
    "mousebite": _Kind(takes_copper=True, place="edge", weight=1.2),
    "spur": _Kind(takes_copper=False, place="edge", weight=1.2),
    "copper": _Kind(takes_copper=False, place="inside", weight=0.8),
    "pin-hole": _Kind(takes_copper=True, place="inside", weight=0.7),
}
_LABELS = tuple(KINDS)
_WEIGHTS = np.array([kind.weight for kind in KINDS.values()])


def draw_defects(
    board: Grey,
    reference: Grey,
    annotated: Iterable[Box],
    *,
    count: int,
    chance: np.random.Generator,
) -> tuple[Grey, tuple[Annotation, ...]]:
    """Return `board` with up to `count` defects drawn into it, and their annotations.

    Both pictures are [H, W] of one size; the drawn defects keep clear of `annotated` and of each
    other.
    """
    canvas = _Canvas(board, reference, annotated, chance)
    labels = chance.choice(_LABELS, size=count, p=_WEIGHTS / _WEIGHTS.sum())
    drawn = (canvas.draw(str(label)) for label in labels)
    return canvas.board, tuple(found for found in drawn if found is not None)


class _Canvas:
    """A board under the pen."""

    def __init__(
        self, board: Grey, reference: Grey, annotated: Iterable[Box], chance: np.random.Generator
    ) -> None:
        self.board = board.copy()
        self._chance = chance
        self._copper: Grey = (reference < 128).astype(np.uint8)
        self._taken = np.zeros(board.shape, dtype=np.bool_)
        for box in annotated:
            x0, y0 = (max(0, int(v) - CLEARANCE_PX) for v in (box.x0, box.y0))
            self._taken[y0 : int(box.y1) + CLEARANCE_PX, x0 : int(box.x1) + CLEARANCE_PX] = True
        # Distance of each copper pixel to bare board, and of each bare pixel to copper.
        self._depth = {
            True: cv2.distanceTransform(self._copper, cv2.DIST_L2, 3),
            False: cv2.distanceTransform(1 - self._copper, cv2.DIST_L2, 3),
        }
        self._anchors: dict[_Kind, NDArray[np.intp]] = {}

    def draw(self, label: str) -> Annotation | None:
        """Draw one defect of `label`; return None where no stroke would do."""
        kind = KINDS[label]
        anchors = self._places(kind)
        if len(anchors) == 0:
            return None
        for _ in range(DRAWS_A_DEFECT):
            box = self._stroke_at(int(anchors[self._chance.integers(len(anchors))]), kind)
            if box is not None:
                return Annotation(label=label, box=box)
        return None

    def _places(self, kind: _Kind) -> NDArray[np.intp]:
        """Return the flat indices of pixels where a stroke of `kind` may have its middle."""
        if kind not in self._anchors:
            depth = self._depth[kind.takes_copper]
            fits = {
                "edge": (depth > 0) & (depth < 2.5),
                "inside": depth > 4,
                "between": (depth > 0) & (depth < 13),
            }[kind.place]
            self._anchors[kind] = np.flatnonzero(fits & ~self._taken)
        return self._anchors[kind]

    def _stroke_at(self, anchor: int, kind: _Kind) -> Box | None:
        """Draw one stroke and return its box; None, and nothing drawn, where it does not label."""
        height, width = self.board.shape
        depth = self._depth[kind.takes_copper]
        y, x = divmod(anchor, width)
        if kind.place == "between" and self._chance.random() < 0.6:
            # The middle of a conductor or gap: most strokes across it then part or bridge it.
            top, left = max(0, y - 7), max(0, x - 7)
            window = depth[top : y + 8, left : x + 8]
            deepest = int(window.argmax())
            y, x = top + deepest // window.shape[1], left + deepest % window.shape[1]
        if x < 4 or y < 4 or x > width - 5 or y > height - 5:
            return None
        thickness = 2 * float(depth[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4].max())
        left, top = x - HALF_WINDOW_PX, y - HALF_WINDOW_PX
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(width, x + HALF_WINDOW_PX), min(height, y + HALF_WINDOW_PX)
        # Etching and plating also lose a whole stretch of a thin conductor or gap.
        is_stretch = (
            kind.place == "between"
            and thickness <= STRETCH_THICKNESS_PX
            and self._chance.random() < STRETCH_SHARE
        )
        mark = (
            _block(self._chance) if is_stretch else _pen_mark(self._chance, kind.place, thickness)
        )
        area = np.s_[y0:y1, x0:x1]
        ground: Grey = self._copper[area] if kind.takes_copper else 1 - self._copper[area]
        stroke: Grey = mark[y0 - top : y1 - top, x0 - left : x1 - left] & ground
        if is_stretch:
            _, pieces = cv2.connectedComponents(stroke, connectivity=4)
            stroke &= (pieces == pieces[y - y0, x - x0]).astype(np.uint8)
        is_copper = self.board[area] < 128
        seen: Grey = stroke & (is_copper if kind.takes_copper else ~is_copper).astype(np.uint8)
        if not _is_visible(seen, kind.place):
            return None
        ys, xs = np.nonzero(stroke)
        extent = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
        if max(extent[2] - extent[0], extent[3] - extent[1]) > LARGEST_SIDE_PX:
            return None
        if not _labels(stroke, ground, extent, kind):
            return None
        margins = self._chance.integers(*MARGIN_PX, 4)
        bx0, by0 = max(0, x0 + extent[0] - margins[0]), max(0, y0 + extent[1] - margins[1])
        bx1 = min(width, x0 + extent[2] + margins[2])
        by1 = min(height, y0 + extent[3] + margins[3])
        if self._taken[by0:by1, bx0:bx1].any():
            return None
        self.board[area][stroke == 1] = 255 if kind.takes_copper else 0
        self._taken[by0:by1, bx0:bx1] = True
        return Box(x0=float(bx0), y0=float(by0), x1=float(bx1), y1=float(by1))


def _is_visible(seen: Grey, place: Place) -> bool:
    """Return whether that much of a stroke changes the picture that a person would mark it."""
    least_area, least_core = (22, 7) if place == "edge" else (14, 3)
    if not least_area <= int(seen.sum()) <= LARGEST_AREA_PX:
        return False
    # Lines a pixel wide are like the harmless differences between a board and its reference.
    return int(cv2.erode(seen, np.ones((2, 2), np.uint8)).sum()) >= least_core


def _labels(stroke: Grey, ground: Grey, extent: Sequence[int], kind: _Kind) -> bool:
    """Return whether `stroke` on `ground` does what makes a defect of `kind`.

    `ground` is the copper that the stroke takes away, or the bare board that it covers.
    """
    near = np.s_[max(0, extent[1] - 12) : extent[3] + 12, max(0, extent[0] - 12) : extent[2] + 12]
    stroke, ground = stroke[near], ground[near]
    ring = cv2.dilate(stroke, np.ones((3, 3), np.uint8)) == 1
    if kind.place == "inside":
        return not (cv2.dilate(stroke, np.ones((5, 5), np.uint8))[ground == 0]).any()
    if not (ring & (ground == 0)).any():
        return False
    pieces_before = _pieces(ground, ring)
    pieces_after = _pieces(ground & (1 - stroke), ring)
    conductors = [size for size in pieces_after if size >= SMALLEST_PIECE_PX]
    others = [size for size in _pieces(1 - ground, ring) if size >= SMALLEST_GAP_PX]
    parts = len(conductors) > len(pieces_before)
    if kind.place == "between":
        # Copper that parts bare board is a short only where it reaches two pieces of copper.
        return parts and (kind.takes_copper or len(others) >= 2)
    return not parts and len(conductors) == len(pieces_after) and len(others) == 1


def _pieces(mask: Grey, ring: NDArray[np.bool_]) -> list[int]:
    """Return the sizes in pixels of the pieces of `mask` that `ring` touches."""
    _, pieces = cv2.connectedComponents(mask, connectivity=4)
    sizes = np.bincount(pieces.ravel())
    return [int(sizes[piece]) for piece in np.unique(pieces[ring & (mask == 1)])]


def _pen_mark(chance: np.random.Generator, place: Place, thickness_px: float) -> Grey:
    """Return a mark like one drawn by hand about the middle of a window, ones on zeros."""
    mark = np.zeros((2 * HALF_WINDOW_PX, 2 * HALF_WINDOW_PX), dtype=np.uint8)
    style = chance.random()
    if place == "between":
        _line_across(mark, chance, thickness_px)
    elif style < 0.5:
        radii_px = (2.5, 10.0) if place == "inside" else (2.0, 9.0)
        _blob(mark, chance, radius_px=chance.uniform(*radii_px))
    else:
        _scribble(mark, chance)
    return mark


def _block(chance: np.random.Generator) -> Grey:
    """Return an upright or lying rectangle about the middle of a window, ones on zeros."""
    halves = [int(chance.integers(5, 31)), int(chance.integers(5, 15))]
    chance.shuffle(halves)
    mark = np.zeros((2 * HALF_WINDOW_PX, 2 * HALF_WINDOW_PX), dtype=np.uint8)
    along, across = (slice(HALF_WINDOW_PX - half, HALF_WINDOW_PX + half) for half in halves)
    mark[along, across] = 1
    return mark


def _line_across(mark: Grey, chance: np.random.Generator, thickness_px: float) -> None:
    turns = int(chance.integers(2, 5))
    angle = chance.uniform(0, np.pi)
    reach = thickness_px / 2 + chance.uniform(2, 14)
    wobble = chance.uniform(0, 0.35) * reach * 0.5
    along = np.linspace(-1, 1, turns + 1)[:, None] * reach * [np.cos(angle), np.sin(angle)]
    points = HALF_WINDOW_PX + along + chance.normal(0, wobble, along.shape)
    width = int(chance.choice([1, 2, 2, 3, 3, 4, 5, 6, 8, 10]))
    cv2.polylines(mark, [points.astype(np.int32)], False, 1, width)


def _blob(mark: Grey, chance: np.random.Generator, *, radius_px: float) -> None:
    flatness, turn = chance.uniform(0.4, 1), chance.uniform(0, np.pi)
    corners = int(chance.integers(5, 12))
    angles = np.sort(chance.uniform(0, 2 * np.pi, corners))
    radii = radius_px * chance.uniform(0.6, 1.25, corners)
    x, y = radii * np.cos(angles), radii * np.sin(angles) * flatness
    points = np.stack(
        [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1
    )
    cv2.fillPoly(mark, [np.round(HALF_WINDOW_PX + points).astype(np.int32)], 1)


def _scribble(mark: Grey, chance: np.random.Generator) -> None:
    """Draw a random walk of the pen, now and then as a row of dots."""
    steps, step_px = int(chance.integers(2, 9)), chance.uniform(2, 7)
    bend = float(chance.choice([0.3, 0.8, 1.6]))
    angles = chance.uniform(0, 2 * np.pi) + np.cumsum(chance.normal(0, bend, steps))
    walk = np.cumsum(step_px * np.stack([np.cos(angles), np.sin(angles)], axis=1), axis=0)
    points = (HALF_WINDOW_PX + np.vstack([np.zeros((1, 2)), walk])).astype(np.int32)
    width = int(chance.choice([1, 2, 2, 3, 3, 4, 5]))
    if chance.random() < 0.15:
        for x, y in points:
            cv2.circle(mark, (int(x), int(y)), max(1, width // 2 + 1), 1, -1)
    else:
        cv2.polylines(mark, [points], False, 1, width)
