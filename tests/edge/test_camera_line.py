"""A camera fired by its own input: Basler's emulator, with the test as its light barrier."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from camera_builders import WAIT_S, basler

from edge.cameras import capture_of
from edge.capture import Capture, Shot
from edge.drivers.contract import Driver, FiredBy
from edge.live_camera import LiveCamera
from inspector.domain import Frame, Reason, Verdict
from inspector.errors import CameraError


class Line:
    """A camera whose input the test fires."""

    def __init__(self, camera: LiveCamera, capture: Capture, driver: Driver) -> None:
        self.camera = camera
        self._capture = capture
        self._driver = driver

    def part_passes(self) -> None:
        """Have the light barrier fire, and wait until the frame is there."""
        before = self.camera.status().received
        self._driver.fire()
        give_up = time.monotonic() + WAIT_S
        while self.camera.status().received == before:
            assert time.monotonic() < give_up
            threading.Event().wait(0.005)

    def triggered(self, seq: int | None = None) -> Frame | Verdict:
        """Return what the part gets whose trigger arrives now."""
        now_ns = time.monotonic_ns()
        shot = Shot(part_id=None, view=None, triggered_ns=now_ns, seq=seq)
        return self._capture.take(shot, timeout_s=WAIT_S)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with basler(tmp_path) as emulated:
        settings = emulated.changed(
            trigger_by="camera_line",
            # the emulator has inputs, and nothing that could be wired to them
            trigger_line="Software",
            pair_window_ms=(60_000, 0),
            latency_bound_ms=20,
        )
        driver = import_module("edge.drivers.basler").connect(settings)
        camera = LiveCamera(settings, make_driver=lambda: driver)
        camera.open()
        camera.require(WAIT_S)
        yield Line(camera, capture_of(settings, camera), driver)
        camera.close()


def test_the_frame_of_the_light_barrier_is_the_parts(line: Line):
    line.part_passes()
    frame = line.triggered()
    assert isinstance(frame, Frame)
    assert frame.seq == 1


def test_the_station_does_not_fire_such_a_camera(line: Line):
    found = line.triggered()
    assert isinstance(found, Verdict)
    assert found.reason is Reason.NO_FRAME
    assert line.camera.status().received == 0


def test_two_exposures_for_one_trigger_hold_the_part(line: Line):
    line.part_passes()
    line.part_passes()
    found = line.triggered()
    assert isinstance(found, Verdict)
    assert (found.reason, "found 2 (1, 2)" in found.detail) == (Reason.NO_FRAME, True)


def test_parts_whose_triggers_are_late_are_told_apart_by_their_numbers(line: Line):
    line.part_passes()
    assert isinstance(line.triggered(seq=71), Frame)
    line.part_passes()
    line.part_passes()
    second, third = line.triggered(seq=72), line.triggered(seq=73)
    assert isinstance(second, Frame)
    assert isinstance(third, Frame)
    assert (second.seq, third.seq) == (2, 3)


def test_a_line_that_the_camera_does_not_have_is_refused(tmp_path: Path):
    with basler(tmp_path) as emulated:
        settings = emulated.changed(
            trigger_by="camera_line", trigger_line="Line77", latency_bound_ms=20
        )
        driver: Driver = import_module("edge.drivers.basler").connect(settings)
        with pytest.raises(CameraError, match="Line77"):
            driver.open()
        driver.close()


def test_an_input_is_what_the_driver_says_fires_it(tmp_path: Path):
    with basler(tmp_path) as emulated:
        settings = emulated.changed(trigger_by="camera_line", latency_bound_ms=20)
        driver: Driver = import_module("edge.drivers.basler").connect(settings)
        assert driver.open() is FiredBy.LINE
        driver.close()
