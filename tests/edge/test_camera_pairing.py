"""A light barrier fires the camera, the trigger comes after: whose frame is it?"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from edge.capture import Broken, FrameSlot, Shot
from edge.pairing import LinePairing
from inspector.domain import Frame
from inspector.errors import NoFrame, PictureError

MS = 1_000_000


class Line:
    """A slot, a clock that stands far enough ahead, and the frames and triggers of a test."""

    def __init__(self, *, bound_ms: float = 10) -> None:
        self.slot = FrameSlot(latency_bound_ms=bound_ms, keep=8)
        self.pairing = LinePairing(window_ms=(100, 20), clock_ns=lambda: 10**15)

    def expose(self, seq: int, *, at_ms: float) -> None:
        self.slot.put(
            Frame(
                camera_id="top",
                seq=seq,
                captured_at=datetime(2026, 11, 23, tzinfo=UTC),
                captured_ns=int(at_ms * MS),
                bgr=np.zeros((6, 8, 3), dtype=np.uint8),
            )
        )

    def pair(self, *, at_ms: float, seq: int | None = None) -> int:
        shot = Shot(part_id=None, view=None, triggered_ns=int(at_ms * MS), seq=seq)
        return self.pairing.frame_of(shot, self.slot, timeout_s=1).seq


@pytest.fixture
def line() -> Line:
    return Line()


def test_the_one_frame_of_the_window_is_the_parts(line: Line):
    line.expose(1, at_ms=960)
    assert line.pair(at_ms=1000) == 1


@pytest.mark.parametrize("at_ms", [899, 1031])
def test_a_frame_outside_the_window_is_not(line: Line, at_ms: float):
    line.expose(1, at_ms=at_ms)
    with pytest.raises(NoFrame, match="found none"):
        line.pair(at_ms=1000)


def test_a_frame_exposed_after_its_trigger_may_come_later_still(line: Line):
    line.expose(1, at_ms=1030)  # exposed from 1020 on, for its bound is 10 ms
    assert line.pair(at_ms=1000) == 1


def test_two_frames_that_may_be_the_parts_hold_it(line: Line):
    line.expose(1, at_ms=940)
    line.expose(2, at_ms=960)
    with pytest.raises(NoFrame, match=r"found 2 \(1, 2\)"):
        line.pair(at_ms=1000)


def test_a_frame_serves_one_part_only(line: Line):
    line.expose(1, at_ms=960)
    assert line.pair(at_ms=1000) == 1
    with pytest.raises(NoFrame, match="found none"):
        line.pair(at_ms=1050)


def test_numbers_decide_between_two_frames(line: Line):
    line.expose(11, at_ms=960)
    assert line.pair(at_ms=1000, seq=501) == 11
    line.expose(12, at_ms=1960)
    line.expose(13, at_ms=1990)
    assert line.pair(at_ms=2000, seq=502) == 12
    assert line.pair(at_ms=2040, seq=503) == 13


def test_a_lost_exposure_is_noticed_by_its_number_and_compared_anew(line: Line):
    line.expose(11, at_ms=960)
    assert line.pair(at_ms=1000, seq=501) == 11
    line.expose(12, at_ms=2960)  # the exposure of part 502 never was
    with pytest.raises(NoFrame, match="expected frame 13"):
        line.pair(at_ms=3000, seq=503)
    line.expose(13, at_ms=3960)
    assert line.pair(at_ms=4000, seq=504) == 13
    line.expose(14, at_ms=4960)
    assert line.pair(at_ms=5000, seq=505) == 14


def test_a_broken_frame_is_the_parts_too_and_holds_it(line: Line):
    line.slot.put(Broken(camera_id="top", seq=1, captured_ns=960 * MS, why="missing packets"))
    with pytest.raises(PictureError, match="missing packets"):
        line.pair(at_ms=1000)
