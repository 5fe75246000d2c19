"""From a trigger to the one picture that surely shows its part."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from inspector import images
from inspector.domain import Frame, Reason, Verdict
from inspector.errors import CameraError, NoFrame, PictureError
from inspector.settings import Recipe

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What a camera is asked for."""

    part_id: str | None
    view: str | None
    bit_depth: int = 8


class FrameSlot:
    """The newest frame of one camera. The camera puts from any thread, one thread waits.

    `latency_bound_ms` is how much later than its exposure the camera may hand over a frame.
    """

    def __init__(self, *, latency_bound_ms: float = 0.0) -> None:
        self._bound_ns = int(latency_bound_ms * NS_PER_MS)
        self._changed = threading.Condition()
        self._newest: Frame | None = None

    def put(self, frame: Frame) -> None:
        """Hand over a frame; `frame.captured_ns` is when it was received or, better, exposed."""
        with self._changed:
            self._newest = frame
            self._changed.notify_all()

    def next_after(self, moment_ns: int, *, timeout_s: float) -> Frame:
        """Return a frame surely exposed at or after `moment_ns`, never the previous part's.

        Raises `NoFrame` when none came in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_after(moment_ns), timeout_s)
            frame = self._newest
            if frame is None or not self._is_after(moment_ns):
                raise NoFrame(
                    f"expected a frame within {timeout_s:.2f} s of the trigger, found "
                    f"{'none' if frame is None else 'only an older one'}; check camera and light"
                )
            return frame

    def _is_after(self, moment_ns: int) -> bool:
        newest = self._newest
        return newest is not None and newest.captured_ns - self._bound_ns >= moment_ns


class Camera(Protocol):
    """Takes pictures when told, and puts them into its slot."""

    id: str
    slot: FrameSlot

    def open(self) -> None:
        """Get ready; raise `CameraError`."""
        ...

    def trigger(self, shot: Shot) -> None:
        """Expose one frame; it reaches `slot` now or soon.

        Raises `NoFrame` where there is surely none, `PictureError` where it cannot be read, and
        `CameraError` where the camera is lost.
        """
        ...

    def close(self) -> None:
        """Let the camera go; harmless when it is not open."""
        ...


class Capture:
    """One camera, one shot at a time. Any thread may call.

    Two inspections that share a camera wait for each other, so that neither can be handed the
    other's frame.
    """

    def __init__(self, camera: Camera, *, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.camera = camera
        self._clock_ns = clock_ns
        self._one_shot = threading.Lock()

    def take(self, shot: Shot, *, timeout_s: float) -> Frame | Verdict:
        """Return the frame of this shot, or why the part is held for want of it."""
        if not self._one_shot.acquire(timeout=max(timeout_s, 0)):
            return Verdict.held(
                Reason.NO_FRAME, f"camera {self.camera.id} was busy for {timeout_s:.2f} s"
            )
        try:
            told_ns = self._clock_ns()
            self.camera.trigger(shot)
            return self.camera.slot.next_after(told_ns, timeout_s=timeout_s)
        except NoFrame as exc:
            return Verdict.held(Reason.NO_FRAME, str(exc))
        except PictureError as exc:
            return Verdict.held(Reason.BAD_FRAME, str(exc))
        except CameraError as exc:
            return Verdict.held(Reason.CAMERA_LOST, str(exc))
        finally:
            self._one_shot.release()


def check_frame(frame: Frame, recipe: Recipe) -> Verdict | None:
    """Return why `frame` cannot be judged, or None where nothing speaks against it."""
    try:
        images.require_size(frame.bgr, recipe.settings.frame_size_px)
    except PictureError as exc:
        return Verdict.held(Reason.BAD_FRAME, str(exc))
    return None
