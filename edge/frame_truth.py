"""Whether a frame is a true picture of a part: what it is not is HOLD/BAD_FRAME.

| fault        | measure                                    | limit                                |
|--------------|--------------------------------------------|--------------------------------------|
| wrong size   | width and height                           | recipe `frame_size_px`               |
| black        | share of pixels above 16 of 255            | recipe `frame.min_light_share`       |
| overexposed  | share of pixels at 254 or 255              | recipe `frame.max_white_share`       |
| blurred      | sharpness, as a share of a good frame's    | recipe `frame.min_sharpness_share`   |
| frozen       | pixels that differ from the frame before   | none differs, where noise is expected|
| shifted      | shift and turn against the reference       | recipe `registration` (the pipeline) |
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from inspector import images
from inspector.domain import Bgr, Frame, Reason, Verdict
from inspector.errors import PictureError
from inspector.settings import FrameSettings, Recipe, RecipeSettings, reference_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMeasures:
    """What a frame is measured by; `sharpness` as in `images.sharpness`."""

    light_share: float
    white_share: float
    sharpness: float


def measure(bgr: Bgr) -> FrameMeasures:
    """Return the measures of a picture, those a recipe's `frame` limits."""
    return FrameMeasures(
        light_share=images.share_between(bgr, images.DARK_GREY + 1, 255),
        white_share=images.share_between(bgr, images.WHITE_GREY, 255),
        sharpness=images.sharpness(bgr),
    )


def check_frame(frame: Frame, recipe: Recipe, *, view: str | None = None) -> Verdict | None:
    """Return why `frame` cannot be judged, or None where nothing speaks against it.

    A reference that is missing or cannot be read is no fault of the frame: the pipeline says it.
    """
    settings = recipe.settings
    try:
        images.require_size(frame.bgr, settings.frame_size_px)
        _require_exposure(frame.bgr, settings.frame)
        _require_sharpness(frame.bgr, settings, view=view)
    except PictureError as exc:
        return Verdict.held(Reason.BAD_FRAME, f"camera {frame.camera_id}: {exc}")
    return None


def _require_exposure(bgr: Bgr, settings: FrameSettings) -> None:
    light = images.share_between(bgr, images.DARK_GREY + 1, 255)
    if light < settings.min_light_share:
        raise PictureError(
            f"black: expected at least {settings.min_light_share:.2%} of the pixels above "
            f"{images.DARK_GREY} grey levels, found {light:.2%}; check light, lens cap and trigger"
        )
    white = images.share_between(bgr, images.WHITE_GREY, 255)
    if white > settings.max_white_share:
        raise PictureError(
            f"overexposed: expected at most {settings.max_white_share:.2%} of the pixels at "
            f"{images.WHITE_GREY} or more, found {white:.2%}; check exposure, gain and light"
        )


def _require_sharpness(bgr: Bgr, settings: RecipeSettings, *, view: str | None) -> None:
    norm = settings.frame.sharpness
    if settings.frame.sharpness_by_reference:
        norm = _sharpness_of_reference(settings, view)
    if not norm:
        return
    found = images.sharpness(bgr)
    share = found / norm
    if share < settings.frame.min_sharpness_share:
        raise PictureError(
            f"blurred: expected a sharpness of at least {settings.frame.min_sharpness_share:.0%} "
            f"of {norm:.4g}, found {found:.3g} ({share:.0%}); check focus, lens and "
            "whether the part stood still"
        )


def _sharpness_of_reference(settings: RecipeSettings, view: str | None) -> float | None:
    path = reference_of(settings, view)
    try:
        written_ns = 0 if path is None else path.stat().st_mtime_ns
    except OSError:
        return None
    return None if path is None else _sharpness_of(path, written_ns, settings.bit_depth)


@lru_cache(maxsize=64)
def _sharpness_of(path: Path, _written_ns: int, bit_depth: int) -> float | None:
    """Return how sharp a reference picture is, read once for as long as it is not replaced."""
    try:
        return images.sharpness(images.read(path, bit_depth=bit_depth))
    except PictureError:
        return None


class Still:
    """Knows a frozen camera: a sensor's noise makes every two frames differ. Any thread may call.

    A frame that is black or white all over may be equal to the one before, and says so itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: Frame | None = None

    def check(self, frame: Frame) -> Verdict | None:
        """Return why the part is held where `frame` is the last one again, None where it is not."""
        with self._lock:
            before, self._before = self._before, frame
        if before is None or not is_same_picture(before.bgr, frame.bgr):
            return None
        return Verdict.held(
            Reason.BAD_FRAME,
            f"camera {frame.camera_id}: frozen: expected a frame that differs from the one before "
            f"in its noise, found 0 of {frame.bgr.size // 3} pixels different (frames {before.seq} "
            f"and {frame.seq}); restart the camera, or set expect_noise: false for one without",
        )


def is_same_picture(one: Bgr, other: Bgr) -> bool:
    """Return whether two frames are equal in every pixel; quick where they are not."""
    if one.shape != other.shape:
        return False
    rows = max(1, one.shape[0] // 64)  # true frames differ here already
    return np.array_equal(one[:rows], other[:rows]) and np.array_equal(one, other)
