"""From a trigger to the one picture that surely shows its part."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge.frame_truth import Still, check_frame
from edge.units import NS_PER_MS, NS_PER_S
from inspector.domain import Frame, Reason, Verdict
from inspector.errors import CameraError, NoFrame, PictureError, StaleFrame
from inspector.settings import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What a camera is asked for. `triggered_ns` is when the trigger arrived, `seq` its number."""

    part_id: str | None
    view: str | None
    bit_depth: int = 8
    triggered_ns: int | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A frame that did not arrive whole, in the place of the frame."""

    camera_id: str
    seq: int
    captured_ns: int
    why: str


class FrameSlot:
    """The newest frames of one camera. The camera puts from any thread, one thread waits.

    `captured_ns` of a frame is when it was received or, better, exposed; `latency_bound_ms` how
    much later than its exposure that may be.
    """

    def __init__(self, *, latency_bound_ms: float = 0.0, keep: int = 1) -> None:
        self.bound_ns = int(latency_bound_ms * NS_PER_MS)
        self._changed = threading.Condition()
        self._newest: deque[Frame | Broken] = deque(maxlen=keep)
        self._lost: str | None = None

    def put(self, frame: Frame | Broken) -> None:
        """Hand over a frame."""
        with self._changed:
            self._newest.append(frame)
            self._changed.notify_all()

    def lose(self, why: str) -> None:
        """Let whoever waits know that no frame comes: `CameraError`."""
        with self._changed:
            self._lost = why
            self._newest.clear()
            self._changed.notify_all()

    def find(self) -> None:
        """Take back `lose`."""
        with self._changed:
            self._lost = None

    def frames(self) -> tuple[Frame | Broken, ...]:
        """Return the frames kept, oldest first."""
        with self._changed:
            return tuple(self._newest)

    def next_after(self, moment_ns: int, *, timeout_s: float) -> Frame:
        """Return a frame surely exposed at or after `moment_ns`, never the previous part's.

        Raises `NoFrame` when none came in time, `PictureError` when it came broken.
        """
        found = self.wait_for(
            lambda frames: next(
                (f for f in reversed(frames) if self._is_after(f, moment_ns)), None
            ),
            timeout_s=timeout_s,
        )
        if found is not None:
            return whole(found)
        started = f"expected a frame within {timeout_s:.2f} s of the trigger, found"
        newest = next(iter(reversed(self.frames())), None)
        if newest is None:
            raise NoFrame(f"{started} none; check camera and light")
        if newest.captured_ns < moment_ns:
            raise NoFrame(f"{started} only an older one; check camera and light")
        raise StaleFrame(
            f"{started} only one that came {(newest.captured_ns - moment_ns) / NS_PER_MS:.0f} ms "
            f"after it, which may be the previous part's (latency_bound_ms "
            f"{self.bound_ns / NS_PER_MS:g}); measure the bound, or wait longer for a frame"
        )

    def wait_for(
        self,
        choose: Callable[[tuple[Frame | Broken, ...]], Frame | Broken | None],
        *,
        timeout_s: float,
    ) -> Frame | Broken | None:
        """Return what `choose` picks of the newest frames, oldest first; None where it did not.

        Raises `CameraError` when the camera is lost.
        """
        chosen: Frame | Broken | None = None

        def is_settled() -> bool:
            nonlocal chosen
            chosen = choose(tuple(self._newest))
            return chosen is not None or self._lost is not None

        with self._changed:
            self._changed.wait_for(is_settled, max(0.0, timeout_s))
            if self._lost is not None:
                raise CameraError(self._lost)
            return chosen

    def _is_after(self, frame: Frame | Broken, moment_ns: int) -> bool:
        return frame.captured_ns - self.bound_ns >= moment_ns


def whole(frame: Frame | Broken) -> Frame:
    """Return `frame`; raise `PictureError` where it is a broken one."""
    if isinstance(frame, Broken):
        raise PictureError(
            f"camera {frame.camera_id}: expected a whole frame, found a broken one ({frame.why}); "
            "check cable, network and the camera's packet settings"
        )
    return frame


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """How a camera is, and what it has handed over since the start.

    `skipped` frames were taken and never arrived, `broken` ones arrived in part. `progress_ns` is
    the last sign of the thread that reads the camera; None where there is none.
    """

    camera_id: str
    is_up: bool
    detail: str = ""
    received: int = 0
    skipped: int = 0
    broken: int = 0
    reconnects: int = 0
    progress_ns: int | None = None


class Camera(Protocol):
    """Takes pictures when told, and puts them into its slot."""

    id: str
    slot: FrameSlot

    def open(self) -> None:
        """Get ready. A camera that may come back is tried for ever and does not raise."""
        ...

    def require(self, timeout_s: float) -> None:
        """Raise `CameraError` where it is not there within that time after `open`."""
        ...

    def trigger(self, shot: Shot) -> None:
        """Expose one frame; it reaches `slot` now or soon.

        Raises `NoFrame` where there is surely none, `PictureError` where it cannot be read, and
        `CameraError` where the camera is lost.
        """
        ...

    def abandon(self) -> None:
        """Give up the shot: a frame of it that still comes is nobody's."""
        ...

    def status(self) -> CameraStatus:
        """Return how it is; any thread, at once."""
        ...

    def restart(self) -> None:
        """Begin anew, leaving behind a reader that hangs in the vendor's code."""
        ...

    def close(self) -> None:
        """Let the camera go; harmless when it is not open."""
        ...


class Pairing(Protocol):
    """How the frames of a camera find their parts."""

    def frame_of(self, shot: Shot, slot: FrameSlot, *, timeout_s: float) -> Frame:
        """Return the one frame that is of `shot`; raise `NoFrame` or `PictureError`."""
        ...


class Capture:
    """One camera, one shot at a time. Any thread may call.

    Two inspections that share a camera wait for each other, so that neither can be handed the
    other's frame.
    """

    def __init__(
        self,
        camera: Camera,
        *,
        frame_timeout_s: float = float("inf"),
        expects_noise: bool = False,
        pairing: Pairing | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`pairing` is for a camera that its own input fires; without it the station does."""
        self.camera = camera
        self._frame_timeout_s = frame_timeout_s
        self._pairing = pairing
        self._clock_ns = clock_ns
        self._one_shot = threading.Lock()
        self._still = Still() if expects_noise else None

    def take(self, shot: Shot, *, timeout_s: float) -> Frame | Verdict:
        """Return the frame of this shot, or why the part is held for want of it."""
        give_up_ns = self._clock_ns() + int(max(timeout_s, 0) * NS_PER_S)
        if not self._one_shot.acquire(timeout=max(timeout_s, 0)):
            return Verdict.held(
                Reason.NO_FRAME, f"camera {self.camera.id} was busy for {timeout_s:.2f} s"
            )
        try:
            left_s = (give_up_ns - self._clock_ns()) / NS_PER_S
            return self._taken(shot, timeout_s=min(left_s, self._frame_timeout_s))
        except StaleFrame as exc:
            return Verdict.held(Reason.STALE_FRAME, str(exc))
        except NoFrame as exc:
            return Verdict.held(Reason.NO_FRAME, str(exc))
        except PictureError as exc:
            return Verdict.held(Reason.BAD_FRAME, str(exc))
        except CameraError as exc:
            return Verdict.held(Reason.CAMERA_LOST, str(exc))
        finally:
            self._one_shot.release()

    def check(self, frame: Frame, recipe: Recipe, *, view: str | None = None) -> Verdict | None:
        """Return why `frame` cannot be judged, or None where nothing speaks against it."""
        bad = check_frame(frame, recipe, view=view)
        if bad is None and self._still is not None:
            bad = self._still.check(frame)
        return bad

    def _taken(self, shot: Shot, *, timeout_s: float) -> Frame:
        if self._pairing is not None:
            return self._pairing.frame_of(shot, self.camera.slot, timeout_s=timeout_s)
        told_ns = self._clock_ns()
        try:
            self.camera.trigger(shot)
            return self.camera.slot.next_after(told_ns, timeout_s=timeout_s)
        except (NoFrame, PictureError):
            self.camera.abandon()
            raise
