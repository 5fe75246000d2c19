"""Find where one picture lies in another: a coarse search, then steps along its edges.

Coarse: cross-correlation of small band-passed pictures over a few angles, the peak looked for near
the tolerance only, so that a repeating structure cannot win from further away. Fine: the
inverse-compositional Gauss-Newton search (Baker & Matthews, IJCV 56(3), 2004) with gain, offset and
robust weights over the edge points of the whole picture at once: a single tile may show parallel
traces only, the sum of all fixes both directions. Where even the sum does not, a weak prior keeps
the picture where the coarse search found it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FINE_LONGER_SIDE_PX = 1280
COARSE_LONGER_SIDE_PX = 240
SMOOTHING_PX = 1.2
POINTS_AT_MOST = 12_000
POINTS_AT_LEAST = 100
EDGE_GREY_PER_PX = 1.5
# Weight of the prior, as a share of the picture's whole gradient energy.
PRIOR = 2e-4

Grey: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pose:
    """A movement at one scale: shift in its px, turn in radians."""

    dx: float = 0.0
    dy: float = 0.0
    turn: float = 0.0

    def scaled(self, factor: float) -> Pose:
        return replace(self, dx=self.dx * factor, dy=self.dy * factor)


class Edges:
    """Edge points of the reference at one scale, and how grey changes there when it moves."""

    def __init__(self, grey: Grey) -> None:
        import cv2

        smooth = smoothed(grey)
        across = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
        down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
        strength = cv2.magnitude(across, down)
        threshold = max(EDGE_GREY_PER_PX, 0.2 * float(strength.max()))
        ys, xs = np.nonzero(strength > threshold)
        if len(xs) > POINTS_AT_MOST:
            # spread at random: a regular choice would see only some phases of a regular structure
            chosen = np.random.default_rng(0).permutation(len(xs))[:POINTS_AT_MOST]
            chosen.sort()
            ys, xs = ys[chosen], xs[chosen]
        height, width = smooth.shape
        self._right, self._bottom = width - 1.0, height - 1.0
        self._x = (xs - self._right / 2).astype(np.float32)
        self._y = (ys - self._bottom / 2).astype(np.float32)
        # a turn is measured in px at the corners, so that all columns weigh alike
        self._radius = math.hypot(width, height) / 2
        across, down = across[ys, xs], down[ys, xs]
        turning = (down * self._x - across * self._y) / np.float32(self._radius)
        self.values: Floats = smooth[ys, xs].astype(np.float32)
        self._change: Floats = np.stack(
            [across, down, turning, self.values, np.ones_like(across)], axis=1
        )
        energy = float((self._change[:, :2] ** 2).sum())
        # gain and offset get next to nothing: only enough to solve for them in an even frame
        self._prior = np.diag([PRIOR * energy + 1] * 3 + [1, 1])

    def settle(self, smooth: Grey, start: Pose, *, steps: int) -> tuple[Pose, float]:
        """Return the best pose that the search from `start` passes, and its agreement."""
        pose, best, highest = start, start, -math.inf
        for _ in range(steps):
            after, agreement = self.step(smooth, pose, anchor=start)
            if agreement > highest:
                best, highest = pose, agreement
            turned = abs(after.turn - pose.turn) * self._radius
            if math.hypot(after.dx - pose.dx, after.dy - pose.dy) + turned < 0.02:
                break
            pose = after
        return best, highest

    def step(self, smooth: Grey, pose: Pose, *, anchor: Pose) -> tuple[Pose, float]:
        """Return the next pose, and the agreement at this one; `anchor` is the prior's place."""
        import cv2

        cos, sin = math.cos(pose.turn), math.sin(pose.turn)
        xs = cos * self._x - sin * self._y + (self._right / 2 + pose.dx)
        ys = sin * self._x + cos * self._y + (self._bottom / 2 + pose.dy)
        found = cv2.remap(
            smooth,
            xs.reshape(-1, 1),
            ys.reshape(-1, 1),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        grey = found.reshape(-1).astype(np.float32)
        seen = (xs >= 0) & (ys >= 0) & (xs <= self._right) & (ys <= self._bottom)
        weights = seen.astype(np.float32)
        count = float(weights.sum())
        if count < POINTS_AT_LEAST / 2:
            return pose, 0.0
        expected = (self.values - float(self.values @ weights) / count) * weights
        grey = (grey - float(grey @ weights) / count) * weights
        both = float(grey @ expected)
        power, expected_power = float(grey @ grey), float(expected @ expected)
        if power <= 0 or expected_power <= 0:
            return pose, 0.0
        agreement = both / math.sqrt(power * expected_power)
        # the reference is taken to the frame's contrast; opposite contrast never agrees
        error = grey * np.float32(expected_power / max(both, 0.05 * expected_power)) - expected
        spread = 1.4826 * _median(np.abs(error)) + 1
        # Geman & McClure's weights: a defect or a shadow pulls less the less it fits
        weights /= (1 + (error / np.float32(3 * spread)) ** 2) ** 2
        weighted = self._change * weights[:, None]
        squares = (weighted.T @ self._change).astype(np.float64) + self._prior
        product = (weighted.T @ error).astype(np.float64)
        product[:3] += self._prior[0, 0] * np.array(
            [pose.dx - anchor.dx, pose.dy - anchor.dy, (pose.turn - anchor.turn) * self._radius]
        )
        solved = [float(value) for value in np.linalg.solve(squares, product)]
        gain = 1 + max(solved[3], -0.5)
        dx, dy, turn = solved[0] / gain, solved[1] / gain, solved[2] / gain / self._radius
        turned = pose.turn - turn
        cos, sin = math.cos(turned), math.sin(turned)
        after = Pose(pose.dx - cos * dx + sin * dy, pose.dy - sin * dx - cos * dy, turned)
        return after, agreement


class Search:
    """Finds the coarse place of the reference in a small frame, by correlation over angles."""

    def __init__(self, grey: Grey, *, max_shift_px: float, max_turn: float) -> None:
        import cv2

        height, width = grey.shape
        # a little further than allowed, so that a part just beyond is found and named as such
        self._reach = math.ceil(1.25 * max_shift_px + 1)
        self._size = tuple(cv2.getOptimalDFTSize(n + self._reach) for n in (height, width))
        steps = math.ceil(1.1 * max_turn * math.hypot(width, height) / 2 / 2.4)
        self._turns = tuple(1.1 * max_turn * i / max(1, steps) for i in range(-steps, steps + 1))
        self._spectra = tuple(self._spectrum(self._turned(grey, turn)) for turn in self._turns)

    def best(self, grey: Grey, *, everywhere: bool) -> Pose:
        """Return the pose of the highest correlation; `everywhere`, at any shift."""
        import cv2

        frame = self._spectrum(grey)
        reach_y, reach_x = (
            (n // 2 - 1) if everywhere else min(self._reach, n // 2 - 1) for n in self._size
        )
        highest, pose = -math.inf, Pose()
        for turn, reference in zip(self._turns, self._spectra, strict=True):
            product = cv2.mulSpectrums(frame, reference, 0, conjB=True)
            surface = np.roll(cv2.idft(product), (reach_y, reach_x), (0, 1))
            near = surface[: 2 * reach_y + 1, : 2 * reach_x + 1]
            _, value, _, (x, y) = cv2.minMaxLoc(near)
            if value > highest:
                highest, pose = value, Pose(float(x - reach_x), float(y - reach_y), turn)
        return pose

    def _spectrum(self, grey: Grey) -> Floats:
        import cv2

        picture = grey.astype(np.float32)
        band = cv2.GaussianBlur(picture, (0, 0), 1) - cv2.GaussianBlur(picture, (0, 0), 4)
        padded = np.zeros(self._size, np.float32)
        padded[: band.shape[0], : band.shape[1]] = band
        spectrum: Floats = cv2.dft(padded)
        return spectrum

    def _turned(self, grey: Grey, turn: float) -> Grey:
        import cv2

        height, width = grey.shape
        # OpenCV turns the other way for a positive angle
        turning = cv2.getRotationMatrix2D(
            ((width - 1) / 2, (height - 1) / 2), -math.degrees(turn), 1
        )
        turned: Grey = cv2.warpAffine(
            grey,
            turning,
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return turned


def _median(values: Floats) -> float:
    """Return what `np.median` does, without its search for what is not a number."""
    middle = len(values) // 2
    lower = middle - (len(values) % 2 == 0)
    sorted_there = np.partition(values, (lower, middle))
    return (float(sorted_there[lower]) + float(sorted_there[middle])) / 2


def pyramid(grey: Grey) -> tuple[Grey, ...]:
    """Return `grey` by halves, from the finest scale that is worked at to the coarsest."""
    levels = [grey]
    while max(levels[-1].shape) > COARSE_LONGER_SIDE_PX:
        levels.append(_half(levels[-1]))
    while max(levels[0].shape) > FINE_LONGER_SIDE_PX:
        levels.pop(0)
    return tuple(levels)


def _half(grey: Grey) -> Grey:
    import cv2

    height, width = grey.shape
    halved: Grey = cv2.resize(
        grey, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA
    )
    return halved


def smoothed(grey: Grey) -> Grey:
    import cv2

    smooth: Grey = cv2.GaussianBlur(grey, (0, 0), SMOOTHING_PX)
    return smooth
