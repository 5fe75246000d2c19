"""A camera's reader: drains, counts, comes back, and never hands over another part's frame."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from edge_builders import await_that

from edge.capture import Capture, Shot
from edge.drivers.contract import FiredBy, Grab
from edge.latency_test import measure_latency
from edge.live_camera import CameraClock, LiveCamera
from edge.units import NS_PER_S
from inspector.domain import Frame, Reason, Verdict
from inspector.errors import CameraError
from inspector.settings import CameraSettings

WAIT_S = 10.0
MS = 1_000_000
SHOT = Shot(part_id="A", view=None)


def grabbed(value: int = 100, **more: object) -> Grab:
    return Grab(bgr=np.full((6, 8, 3), value, dtype=np.uint8), **more)  # type: ignore[arg-type]


@dataclass(slots=True)
class ScriptedDriver:
    """A driver that hands over what the test puts into `grabs`; an exception there is raised."""

    fired_by: FiredBy = FiredBy.ITSELF
    grabs: queue.Queue[Grab | Exception] = field(default_factory=queue.Queue)
    answers: list[Grab | None] = field(default_factory=list)  # one for each shot; None: no frame
    absent: int = 0  # so many opens fail
    opened: int = 0
    closed: int = 0
    rearmed: int = 0
    hangs: threading.Event | None = None

    def open(self) -> FiredBy:
        self.opened += 1
        if self.opened <= self.absent:
            raise CameraError("camera top: expected it there, found none")
        return self.fired_by

    def grab(self, timeout_s: float) -> Grab | None:
        if self.hangs is not None:
            self.hangs.wait(WAIT_S)
        try:
            grab = self.grabs.get(timeout=min(timeout_s, 0.01))
        except queue.Empty:
            return None
        if isinstance(grab, Exception):
            raise grab
        return grab

    def fire(self) -> None:
        answer = self.answers.pop(0)
        if answer is not None:
            self.grabs.put(answer)

    def rearm(self) -> None:
        self.rearmed += 1
        while not self.grabs.empty():
            self.grabs.get()

    def check(self) -> None: ...

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def cameras() -> Iterator[list[LiveCamera]]:
    cameras: list[LiveCamera] = []
    yield cameras
    for camera in cameras:
        camera.close()


@dataclass(slots=True)
class ScreenDriver(ScriptedDriver):
    """A camera that runs by itself before a screen, and shows it `late_s` later."""

    late_s: float = 0.05
    contrast: int = 100
    shown: list[tuple[float, bool]] = field(default_factory=list)

    def show(self, is_bright: bool) -> None:
        self.shown.append((time.monotonic(), is_bright))

    def grab(self, timeout_s: float) -> Grab | None:
        threading.Event().wait(0.005)  # 200 frames a second
        then = time.monotonic() - self.late_s
        seen = [is_bright for at, is_bright in tuple(self.shown) if at <= then]
        return grabbed(50 + (self.contrast if seen and seen[-1] else 0))


def live(
    cameras: list[LiveCamera], *drivers: ScriptedDriver, **settings: object
) -> tuple[LiveCamera, Capture]:
    """Return a camera that uses one driver after the other, the last for ever."""
    left = list(drivers)
    described = CameraSettings.model_validate(
        {
            "id": "top",
            "driver": "genicam",
            "latency_bound_ms": 0,
            "reconnect_max_s": 0.02,
            "frame_timeout_ms": 5000,
            **settings,
        }
    )
    camera = LiveCamera(described, make_driver=lambda: left.pop(0) if len(left) > 1 else left[0])
    cameras.append(camera)
    camera.open()
    return camera, Capture(camera, frame_timeout_s=described.frame_timeout_s)


def held(found: Frame | Verdict) -> tuple[Reason, str]:
    assert isinstance(found, Verdict), found
    return found.reason, found.detail


def test_frames_that_waited_are_thrown_away_and_the_newest_counts(cameras: list[LiveCamera]):
    driver = ScriptedDriver()
    for value in range(50):
        driver.grabs.put(grabbed(value))
    camera, _ = live(cameras, driver)
    await_that(lambda: camera.status().received == 50)
    assert [frame.bgr[0, 0, 0] for frame in camera.slot.frames() if isinstance(frame, Frame)] == [
        49
    ]


def test_a_frame_that_may_be_the_previous_parts_is_a_stale_frame(cameras: list[LiveCamera]):
    driver = ScriptedDriver()
    camera, capture = live(cameras, driver, latency_bound_ms=60_000, frame_timeout_ms=100)
    camera.require(WAIT_S)
    threading.Timer(0.02, lambda: driver.grabs.put(grabbed())).start()
    reason, detail = held(capture.take(SHOT, timeout_s=WAIT_S))
    assert reason is Reason.STALE_FRAME
    assert "latency_bound_ms 60000" in detail


def test_skipped_and_broken_frames_are_counted_and_numbered(cameras: list[LiveCamera]):
    driver = ScriptedDriver()
    camera, _ = live(cameras, driver)
    driver.grabs.put(grabbed())
    driver.grabs.put(grabbed(skipped=3))
    driver.grabs.put(Grab(bgr=None, why_broken="missing packets"))
    driver.grabs.put(grabbed())
    await_that(lambda: camera.status().received == 3)
    status = camera.status()
    assert (status.skipped, status.broken) == (3, 1)
    assert [frame.seq for frame in camera.slot.frames()] == [7]


def test_a_broken_frame_of_a_shot_is_a_bad_frame_at_once(cameras: list[LiveCamera]):
    broken = Grab(bgr=None, why_broken="missing packets")
    driver = ScriptedDriver(fired_by=FiredBy.SOFTWARE, answers=[broken, grabbed()])
    camera, capture = live(cameras, driver)
    camera.require(WAIT_S)
    reason, detail = held(capture.take(SHOT, timeout_s=WAIT_S))
    assert (reason, "missing packets" in detail) == (Reason.BAD_FRAME, True)
    assert isinstance(capture.take(SHOT, timeout_s=WAIT_S), Frame)


def test_a_camera_that_comes_late_is_used(cameras: list[LiveCamera]):
    driver = ScriptedDriver(fired_by=FiredBy.SOFTWARE, absent=3, answers=[grabbed()])
    camera, capture = live(cameras, driver)
    await_that(lambda: camera.status().is_up)
    assert isinstance(capture.take(SHOT, timeout_s=WAIT_S), Frame)
    assert (driver.opened, driver.closed) == (4, 3)  # what failed to open was let go too


def test_a_camera_that_was_lost_comes_back_and_says_so(cameras: list[LiveCamera]):
    first = ScriptedDriver()
    first.grabs.put(grabbed())
    first.grabs.put(CameraError("camera top: expected a frame, found the cable pulled"))
    second = ScriptedDriver(fired_by=FiredBy.SOFTWARE, answers=[grabbed()])
    camera, capture = live(cameras, first, second)
    await_that(lambda: camera.status().reconnects == 1)
    assert isinstance(capture.take(SHOT, timeout_s=WAIT_S), Frame)
    assert first.closed == 1


def test_a_shot_during_which_the_camera_is_lost_is_held_at_once(cameras: list[LiveCamera]):
    driver = ScriptedDriver(fired_by=FiredBy.SOFTWARE, answers=[None])
    camera, capture = live(cameras, driver, reconnect_max_s=60)
    camera.require(WAIT_S)
    driver.grabs.put(CameraError("camera top: expected a frame, found the cable pulled"))
    reason, detail = held(capture.take(SHOT, timeout_s=WAIT_S))
    assert reason is Reason.CAMERA_LOST
    assert "cable pulled" in detail


def test_a_driver_that_fails_unforeseen_is_a_lost_camera_that_comes_back(
    cameras: list[LiveCamera],
):
    first = ScriptedDriver()
    first.grabs.put(grabbed())
    first.grabs.put(ZeroDivisionError("in the vendor's code"))
    camera, _ = live(cameras, first, ScriptedDriver())
    await_that(lambda: camera.status().reconnects == 1)


def test_a_camera_that_runs_by_itself_and_falls_silent_is_lost(cameras: list[LiveCamera]):
    camera, _ = live(cameras, ScriptedDriver(), silent_after_s=0.05, reconnect_max_s=60)
    await_that(lambda: "found none for 0.05 s" in camera.status().detail)


def test_a_late_frame_of_a_shot_never_becomes_the_next_parts(cameras: list[LiveCamera]):
    driver = ScriptedDriver(fired_by=FiredBy.SOFTWARE, answers=[None, grabbed(2)])
    camera, capture = live(cameras, driver, frame_timeout_ms=50)
    camera.require(WAIT_S)
    assert held(capture.take(SHOT, timeout_s=WAIT_S))[0] is Reason.NO_FRAME
    second = capture.take(SHOT, timeout_s=WAIT_S)
    assert isinstance(second, Frame)
    assert second.bgr[0, 0, 0] == 2
    assert driver.rearmed == 1


def test_a_camera_that_does_not_keep_to_its_trigger_is_refused(cameras: list[LiveCamera]):
    driver = ScriptedDriver(fired_by=FiredBy.SOFTWARE)
    driver.grabs.put(grabbed())
    camera, _ = live(cameras, driver, reconnect_max_s=60)
    await_that(lambda: "nobody fired for" in camera.status().detail)


def test_a_camera_that_runs_by_itself_needs_its_latency_bound(cameras: list[LiveCamera]):
    camera, _ = live(cameras, ScriptedDriver(), latency_bound_ms=None)
    with pytest.raises(CameraError, match="latency_bound_ms"):
        camera.require(WAIT_S)


def test_a_reader_that_hangs_is_left_behind_by_a_restart(cameras: list[LiveCamera]):
    gate = threading.Event()
    stuck = ScriptedDriver(hangs=gate)
    camera, capture = live(
        cameras, stuck, ScriptedDriver(fired_by=FiredBy.SOFTWARE, answers=[grabbed()])
    )
    camera.require(WAIT_S)
    camera.restart()
    await_that(lambda: camera.status().is_up)
    assert isinstance(capture.take(SHOT, timeout_s=WAIT_S), Frame)
    stuck.grabs.put(grabbed(77))
    gate.set()
    await_that(lambda: stuck.closed == 1)
    (newest,) = camera.slot.frames()
    assert isinstance(newest, Frame)
    assert newest.bgr[0, 0, 0] != 77
    assert camera.status().received == 1  # what the old reader still got counts for nobody


class Clock:
    """Monotonic time that a test can put forward."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def __call__(self) -> int:
        return time.monotonic_ns() + self.ahead_ns


def test_a_reader_that_hangs_is_a_lost_camera_and_begun_anew_with_the_next_part(
    cameras: list[LiveCamera],
):
    gate = threading.Event()
    left = [ScriptedDriver(hangs=gate), ScriptedDriver(fired_by=FiredBy.SOFTWARE)]
    clock = Clock()
    camera = LiveCamera(
        CameraSettings(id="top", driver="genicam", latency_bound_ms=0),
        make_driver=lambda: left.pop(0),
        clock_ns=clock,
    )
    cameras.append(camera)
    camera.open()
    camera.require(WAIT_S)
    clock.ahead_ns = 6 * NS_PER_S
    assert "hanging" in camera.status().detail
    reason, _ = held(Capture(camera).take(SHOT, timeout_s=WAIT_S))
    assert reason is Reason.CAMERA_LOST
    await_that(lambda: camera.status().is_up)
    assert left == []
    gate.set()


def test_a_cameras_clock_takes_out_what_the_transfer_varies():
    clock = CameraClock()
    transfers_ms = [9, 5, 20, 6, 300, 7]
    exposures_ns = [number * 100 * MS for number in range(1, 7)]
    mapped = [
        clock.exposed_ns(exposed_ns + 777, received_ns=exposed_ns + transfer * MS)
        for exposed_ns, transfer in zip(exposures_ns, transfers_ms, strict=True)
    ]
    late_ms = [(found - true) / MS for found, true in zip(mapped, exposures_ns, strict=True)]
    assert late_ms == pytest.approx([9, 5, 5, 5, 5, 5])


def test_a_cameras_clock_that_was_reset_is_learnt_anew():
    clock = CameraClock()
    clock.exposed_ns(10_000 * MS, received_ns=20_000 * MS)
    assert clock.exposed_ns(5 * MS, received_ns=20_100 * MS) == 20_100 * MS


def test_a_clock_that_stands_is_no_clock():
    clock = CameraClock()
    moments = [clock.exposed_ns(40 * MS, received_ns=at * MS) for at in (1000, 1040, 1080)]
    assert moments == [1000 * MS, 1040 * MS, 1080 * MS]


def test_a_frame_says_when_it_was_exposed_not_when_it_came(cameras: list[LiveCamera]):
    driver = ScriptedDriver()
    camera, _ = live(cameras, driver)
    driver.grabs.put(grabbed(hardware_ns=1000 * MS))
    await_that(lambda: camera.status().received == 1)
    (first,) = camera.slot.frames()
    driver.grabs.put(grabbed(hardware_ns=1001 * MS))
    await_that(lambda: camera.status().received == 2)
    (second,) = camera.slot.frames()
    assert second.captured_ns - first.captured_ns <= 1 * MS
    assert second.captured_ns <= time.monotonic_ns()


def test_a_bound_is_measured_that_no_late_frame_breaks(cameras: list[LiveCamera]):
    screen = ScreenDriver(late_s=0.05)
    camera, _ = live(cameras, screen, latency_bound_ms=5000)
    told: list[float] = []
    report = measure_latency(
        "top",
        camera.slot,
        screen.show,
        changes=4,
        timeout_s=WAIT_S,
        chance=random.Random(7),
        on_change=lambda _number, wait_ms: told.append(wait_ms),
    )
    assert report.waits_ms == tuple(told)
    assert len(told) == 4
    assert min(told) >= 50
    assert report.bound_ms >= 1.5 * max(told)


def test_a_camera_that_does_not_see_the_screen_is_not_measured(cameras: list[LiveCamera]):
    screen = ScreenDriver(contrast=3)
    camera, _ = live(cameras, screen, latency_bound_ms=5000)
    with pytest.raises(CameraError, match="point it at the screen"):
        measure_latency(
            "top", camera.slot, screen.show, changes=1, timeout_s=1, chance=random.Random(7)
        )
