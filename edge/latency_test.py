"""How late do the frames of a camera that runs by itself come? Measured with a screen before it.

The screen turns bright and dark at moments that no frame rate can be in step with. The first frame
that shows a change was exposed after it, so it came at most that long after its exposure; the
screen's own delay and the wait for the next exposure make the figure larger, never smaller.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge.capture import Broken, FrameSlot
from edge.units import NS_PER_MS, NS_PER_S
from inspector.domain import Frame
from inspector.errors import CameraError

MARGIN = 1.5
LEAST_CONTRAST = 10  # grey levels between the bright and the dark screen, else noise decides
SETTLE_S = 2.0
PAUSES_S = (0.3, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyReport:
    """How long each change took to come, and the bound that this gives."""

    camera_id: str
    waits_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        return statistics.median(self.waits_ms)

    @property
    def longest_ms(self) -> float:
        return max(self.waits_ms)

    @property
    def bound_ms(self) -> int:
        """What to write as `latency_bound_ms`: half as much again as the longest."""
        return int(np.ceil(MARGIN * self.longest_ms))


def measure_latency(
    camera_id: str,
    slot: FrameSlot,
    show: Callable[[bool], None],
    *,
    changes: int,
    timeout_s: float,
    chance: random.Random,
    on_change: Callable[[int, float], None] = lambda _number, _ms: None,
) -> LatencyReport:
    """Turn the screen bright and dark with `show` and wait for the frames that show it.

    Raises `CameraError` where the camera is lost, or shows no change.
    """
    bright = _settled(camera_id, slot, show, True)
    dark = _settled(camera_id, slot, show, False)
    if bright - dark < LEAST_CONTRAST:
        raise CameraError(
            f"camera {camera_id}: expected its picture to grow at least {LEAST_CONTRAST} grey "
            f"levels brighter with the screen, found {bright - dark:.1f}; point it at the screen, "
            "close enough to fill half the picture, and switch its automatic exposure off"
        )
    middle = (bright + dark) / 2
    waits_ms = []
    pause = threading.Event()
    for number in range(1, changes + 1):
        is_bright = number % 2 == 1
        pause.wait(chance.uniform(*PAUSES_S))
        shown_ns = time.monotonic_ns()
        show(is_bright)
        changed = _first(slot, shown_ns, is_bright, middle, timeout_s=timeout_s)
        if changed is None:
            raise CameraError(
                f"camera {camera_id}: expected a frame that shows the screen's change within "
                f"{timeout_s:g} s, found none; look at the picture with `cameras snap`"
            )
        waits_ms.append((changed.captured_ns - shown_ns) / NS_PER_MS)
        on_change(number, waits_ms[-1])
    return LatencyReport(camera_id=camera_id, waits_ms=tuple(waits_ms))


def _settled(camera_id: str, slot: FrameSlot, show: Callable[[bool], None], bright: bool) -> float:
    """Return the light of the picture once the screen has been so for a while."""
    show(bright)
    settled_ns = time.monotonic_ns() + int(SETTLE_S * NS_PER_S)
    frame = slot.wait_for(
        lambda frames: next((f for f in frames if f.captured_ns >= settled_ns), None),
        timeout_s=2 * SETTLE_S,
    )
    if not isinstance(frame, Frame):
        raise CameraError(
            f"camera {camera_id}: expected frames without being fired, found none; latency is "
            "measured of cameras that run by themselves"
        )
    return _light(frame)


def _first(
    slot: FrameSlot, shown_ns: int, is_bright: bool, middle: float, *, timeout_s: float
) -> Frame | None:
    def shows_it(frames: tuple[Frame | Broken, ...]) -> Frame | None:
        later = (f for f in frames if isinstance(f, Frame) and f.captured_ns > shown_ns)
        return next((f for f in later if (_light(f) > middle) is is_bright), None)

    found = slot.wait_for(shows_it, timeout_s=timeout_s)
    return found if isinstance(found, Frame) else None


def _light(frame: Frame) -> float:
    return float(frame.bgr[::4, ::4].mean())
