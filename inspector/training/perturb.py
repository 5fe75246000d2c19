"""Disturb pictures as a line does, to measure what a detector bears.

Only the reference moves, so the truth boxes stay: shift in x and y and angle are uniform in ± the
number given, interpolated bilinearly, the border repeated. A reference of two values is thresholded
again: a grey edge would tell that it was moved. Blur and noise go on the picture itself.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import numpy as np

from inspector import images
from inspector.domain import Bgr
from inspector.errors import DataError

# Compressed two-valued pictures have a few grey pixels at their edges.
_NEARLY_ALL = 0.98
_NEAR = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """How much: `shift` in px and `angle` in degrees of the reference, each in ±.

    `noise` is the share of pixels of the picture that become salt or pepper, half each; `blur` is
    the sigma in px of a Gaussian.
    """

    shift: float = 0.0
    angle: float = 0.0
    noise: float = 0.0
    blur: float = 0.0

    @property
    def moves_reference(self) -> bool:
        return self.shift > 0 or self.angle > 0

    def as_json(self) -> dict[str, float]:
        """Return what differs from nothing, by the names of `--perturb`."""
        return {name: value for name, value in asdict(self).items() if value}


NONE = Perturbation()


def parse_perturbation(text: str) -> Perturbation:
    """Return what `shift=5,angle=1,noise=0.001` says; raise `DataError` with all mistakes."""
    names = tuple(field.name for field in fields(Perturbation))
    found: dict[str, float] = {}
    mistakes = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (side.strip() for side in part.partition("="))
        value = _number(number)
        if name not in names:
            mistakes.append(f"expected {', '.join(names)}, found {name!r}")
        elif name in found:
            mistakes.append(f"expected {name} once, found it twice")
        elif value is None or value < 0 or (name == "noise" and value > 1):
            limit = "from 0 to 1" if name == "noise" else "of 0 or more"
            mistakes.append(f"{name}: expected a number {limit}, found {number!r}")
        else:
            found[name] = value
    if mistakes:
        raise DataError(f"perturb {text!r}: " + "; ".join(mistakes))
    return Perturbation(**found)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def perturbed(
    bgr: Bgr,
    reference_bgr: Bgr | None,
    perturbation: Perturbation,
    *,
    index: int,
    seed: int = 0,
) -> tuple[Bgr, Bgr | None]:
    """Return the picture and its reference, disturbed.

    Chance comes from `seed` and `index`, the picture's place in its split: no order of work changes
    it, and a picture and its good twin get the same. Raises `DataError` where the reference shall
    move and there is none.
    """
    movement, grain = (np.random.default_rng((seed, index, stream)) for stream in (0, 1))
    if perturbation.moves_reference:
        if reference_bgr is None:
            raise DataError(
                "perturb: shift and angle move the reference, and these pictures have none; leave "
                "them out, or give a recipe with a reference"
            )
        reference_bgr = _moved(reference_bgr, perturbation, movement)
    return _disturbed(bgr, perturbation, grain), reference_bgr


def _moved(reference_bgr: Bgr, perturbation: Perturbation, chance: np.random.Generator) -> Bgr:
    """Return the reference shifted, and turned about its centre."""
    import cv2

    dx, dy = chance.uniform(-1, 1, 2) * perturbation.shift
    angle = chance.uniform(-1, 1) * perturbation.angle
    height, width = reference_bgr.shape[:2]
    to_moved = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    to_moved[:, 2] += dx, dy
    moved: Bgr = cv2.warpAffine(
        reference_bgr,
        to_moved,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    levels = _two_levels(reference_bgr)
    if levels is None:
        return moved
    low, high = levels
    bright = images.grey(moved) > (low + high) / 2
    return np.repeat(np.where(bright, np.uint8(high), np.uint8(low))[:, :, None], 3, axis=2)


def _disturbed(bgr: Bgr, perturbation: Perturbation, chance: np.random.Generator) -> Bgr:
    """Return the picture blurred, then with salt and pepper: optics come before the sensor."""
    if perturbation.blur > 0:
        import cv2

        bgr = cv2.GaussianBlur(bgr, (0, 0), perturbation.blur, borderType=cv2.BORDER_REPLICATE)
    if perturbation.noise > 0:
        draw = chance.random(bgr.shape[:2])
        bgr = bgr.copy()
        bgr[draw < perturbation.noise] = 255
        bgr[draw < perturbation.noise / 2] = 0
    return bgr


def _two_levels(bgr: Bgr) -> tuple[int, int] | None:
    """Return the dark and the bright value of a two-valued picture, None for any other."""
    if not (bgr == bgr[:, :, :1]).all():
        return None
    counts = np.bincount(bgr[:, :, 0].ravel(), minlength=256)
    low, high = int(counts[:128].argmax()), 128 + int(counts[128:].argmax())
    values = np.arange(256)
    near = (abs(values - low) <= _NEAR) | (abs(values - high) <= _NEAR)
    return (low, high) if counts[near].sum() >= _NEARLY_ALL * counts.sum() else None
