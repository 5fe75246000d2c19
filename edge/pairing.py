"""Which frame is whose, where a light barrier fires the camera and the trigger comes after.

A frame belongs to a part when its exposure may lie in the window around the part's trigger and no
other frame's may. Where triggers carry `seq`, the first such pair tells how far the two counters
are apart; from then on the number decides between several frames, and a number that does not fit
the only frame means that one of the two was lost: HOLD, and the counters are compared anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.capture import Broken, FrameSlot, Shot, whole
from edge.units import NS_PER_MS, NS_PER_S
from inspector.domain import Frame
from inspector.errors import NoFrame


class LinePairing:
    """Pairs the frames of one camera with triggers. One thread at a time."""

    def __init__(
        self,
        *,
        window_ms: tuple[float, float],
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`window_ms`: so long before and after its trigger may a part's exposure lie."""
        self._before_ns, self._after_ns = (int(ms * NS_PER_MS) for ms in window_ms)
        self._clock_ns = clock_ns
        self._used_seq = 0
        self._apart: int | None = None  # camera's number less the trigger's

    def frame_of(self, shot: Shot, slot: FrameSlot, *, timeout_s: float) -> Frame:
        """Return the one frame that is of `shot`; raise `NoFrame` or `PictureError`.

        Waits until no further frame of the window can arrive, unless the number says which it is.
        """
        triggered_ns = shot.triggered_ns if shot.triggered_ns is not None else self._clock_ns()
        first_ns, last_ns = triggered_ns - self._before_ns, triggered_ns + self._after_ns

        def candidates(frames: tuple[Frame | Broken, ...]) -> tuple[Frame | Broken, ...]:
            return tuple(
                frame
                for frame in frames
                if frame.seq > self._used_seq
                and frame.captured_ns >= first_ns
                and frame.captured_ns - slot.bound_ns <= last_ns
            )

        def numbered(frames: tuple[Frame | Broken, ...]) -> Frame | Broken | None:
            wanted = self._number(shot)
            return next((frame for frame in candidates(frames) if frame.seq == wanted), None)

        wait_ns = last_ns + slot.bound_ns - self._clock_ns()
        found = slot.wait_for(numbered, timeout_s=min(timeout_s, max(0.0, wait_ns / NS_PER_S)))
        if found is None:
            found = self._only(shot, candidates(slot.frames()))
        self._used_seq = found.seq
        if shot.seq is not None:
            self._apart = found.seq - shot.seq
        return whole(found)

    def _number(self, shot: Shot) -> int | None:
        if shot.seq is None or self._apart is None:
            return None
        return shot.seq + self._apart

    def _only(self, shot: Shot, frames: tuple[Frame | Broken, ...]) -> Frame | Broken:
        before_ms, after_ms = self._before_ns / NS_PER_MS, self._after_ns / NS_PER_MS
        window = f"exposed from {before_ms:g} ms before to {after_ms:g} ms after the trigger"
        numbers = ", ".join(str(frame.seq) for frame in frames)
        if not frames:
            raise NoFrame(
                f"expected one frame {window}, found none; check light barrier, camera and "
                "pair_window_ms"
            )
        if len(frames) > 1:
            raise NoFrame(
                f"expected one frame {window}, found {len(frames)} ({numbers}), so that nobody "
                "knows which is this part's; narrow pair_window_ms, or number the triggers by seq"
            )
        wanted = self._number(shot)
        if wanted is not None:
            self._apart = None
            raise NoFrame(
                f"expected frame {wanted} by the trigger's seq {shot.seq}, found frame {numbers}: "
                "a trigger or an exposure was lost; check the light barrier and the PLC's counter"
            )
        return frames[0]
