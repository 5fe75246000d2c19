"""The trigger self-test: N triggers in, N distinct frames out; and how long a frame takes."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge.capture import Capture, Shot
from edge.units import NS_PER_MS
from inspector.domain import Frame, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one trigger gave: a frame after `wait_ms`, or why none."""

    number: int
    wait_ms: float
    seq: int | None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerReport:
    """What came of the test. `distinct` counts frames that differ from all others."""

    camera_id: str
    triggers: int
    frames: int
    distinct: int
    skipped: int
    broken: int
    waits_ms: tuple[float, ...]

    @property
    def is_good(self) -> bool:
        return self.triggers == self.frames == self.distinct and self.broken == 0

    @property
    def median_ms(self) -> float | None:
        return statistics.median(self.waits_ms) if self.waits_ms else None

    @property
    def longest_ms(self) -> float | None:
        return max(self.waits_ms, default=None)


def run_trigger_test(
    capture: Capture,
    shots: Iterable[Shot],
    *,
    timeout_s: float,
    expects_noise: bool,
    on_taken: Callable[[Taken], None] = lambda _taken: None,
) -> TriggerReport:
    """Fire once for each of `shots` and say what came.

    Two frames count as one where they have the same number or, with `expects_noise`, the same
    content: a camera that freezes goes on counting.
    """
    before = capture.camera.status()
    waits_ms: list[float] = []
    known: set[object] = set()
    triggers = distinct = 0
    for number, shot in enumerate(shots, start=1):
        triggers = number
        started_ns = time.monotonic_ns()
        found = capture.take(shot, timeout_s=timeout_s)
        wait_ms = (time.monotonic_ns() - started_ns) / NS_PER_MS
        if isinstance(found, Verdict):
            on_taken(Taken(number=number, wait_ms=wait_ms, seq=None, detail=found.detail))
            continue
        waits_ms.append(wait_ms)
        marks = _marks(found, expects_noise=expects_noise)
        is_new = known.isdisjoint(marks)
        distinct += is_new
        known |= marks
        detail = "" if is_new else "the same frame again"
        on_taken(Taken(number=number, wait_ms=wait_ms, seq=found.seq, detail=detail))
    after = capture.camera.status()
    return TriggerReport(
        camera_id=capture.camera.id,
        triggers=triggers,
        frames=len(waits_ms),
        distinct=distinct,
        skipped=after.skipped - before.skipped,
        broken=after.broken - before.broken,
        waits_ms=tuple(waits_ms),
    )


def _marks(frame: Frame, *, expects_noise: bool) -> set[object]:
    marks: set[object] = {frame.seq}
    if expects_noise:
        marks.add(hashlib.blake2b(frame.bgr.tobytes(), digest_size=16).digest())
    return marks
