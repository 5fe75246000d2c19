"""What every driver must do, over every camera that can be emulated here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from camera_builders import EMULATED, WAIT_S, Emulated
from pydantic import ValidationError

from edge.cameras import camera_of, capture_of
from edge.capture import Capture, Shot
from edge.live_camera import LiveCamera
from inspector.domain import Frame, Reason, Verdict
from inspector.errors import CameraError
from inspector.settings import CameraSettings

SHOT = Shot(part_id="A", view=None)


@pytest.fixture(params=EMULATED)
def emulated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Emulated]:
    with EMULATED[request.param](tmp_path) as emulated:
        yield emulated


@pytest.fixture
def cameras() -> Iterator[list[LiveCamera]]:
    """Cameras to close at the end."""
    cameras: list[LiveCamera] = []
    yield cameras
    for camera in cameras:
        camera.close()


def opened(settings: CameraSettings, cameras: list[LiveCamera]) -> tuple[LiveCamera, Capture]:
    camera = camera_of(settings)
    assert isinstance(camera, LiveCamera)
    cameras.append(camera)
    camera.open()
    return camera, capture_of(settings, camera)


def taken(capture: Capture) -> Frame:
    frame = capture.take(SHOT, timeout_s=WAIT_S)
    assert isinstance(frame, Frame), frame
    return frame


def test_every_shot_gets_a_frame_of_its_own(emulated: Emulated, cameras: list[LiveCamera]):
    camera, capture = opened(emulated.changed(frame_timeout_ms=10_000), cameras)
    camera.require(WAIT_S)
    frames = []
    for _ in range(6):
        told_ns = time.monotonic_ns()
        frame = taken(capture)
        bound_ns = 0 if emulated.is_fired_by_software else camera.slot.bound_ns
        assert frame.captured_ns - bound_ns >= told_ns
        assert frame.captured_ns <= time.monotonic_ns()
        frames.append(frame)
    assert len({frame.seq for frame in frames}) == 6
    width, height = emulated.size_px
    assert {frame.bgr.shape for frame in frames} == {(height, width, 3)}
    status = camera.status()
    assert (status.is_up, status.broken, status.reconnects) == (True, 0, 0)
    assert status.received >= 6
    if emulated.is_fired_by_software:
        assert status.received == 6  # the camera exposes when told, and only then


def test_a_camera_that_is_absent_is_a_lost_camera_and_the_station_starts(
    emulated: Emulated, cameras: list[LiveCamera]
):
    camera, capture = opened(emulated.changed(**emulated.absent), cameras)
    with pytest.raises(CameraError, match="camera top: expected") as refused:
        camera.require(WAIT_S)
    assert "\n" not in str(refused.value)
    verdict = capture.take(SHOT, timeout_s=1)
    assert isinstance(verdict, Verdict)
    assert verdict.reason is Reason.CAMERA_LOST
    assert not camera.status().is_up


def test_one_camera_that_is_absent_leaves_the_others_alone(
    emulated: Emulated, cameras: list[LiveCamera]
):
    camera, capture = opened(emulated.changed(frame_timeout_ms=10_000), cameras)
    camera.require(WAIT_S)
    other, _ = opened(emulated.changed(id="side", reconnect_max_s=0.1, **emulated.absent), cameras)
    with pytest.raises(CameraError):
        other.require(WAIT_S)
    assert len({taken(capture).seq for _ in range(3)}) == 3
    assert camera.status().reconnects == 0


def test_a_camera_can_be_closed_twice_and_opened_again(
    emulated: Emulated, cameras: list[LiveCamera]
):
    for _ in range(2):
        camera, capture = opened(emulated.changed(frame_timeout_ms=10_000), cameras)
        camera.require(WAIT_S)
        taken(capture)
        camera.close()
        camera.close()


def test_features_are_set_and_read_back(emulated: Emulated, cameras: list[LiveCamera]):
    if not emulated.good_features:
        pytest.skip("this camera has no features")
    camera, capture = opened(
        emulated.changed(features={**emulated.settings.features, **emulated.good_features}), cameras
    )
    camera.require(WAIT_S)
    assert taken(capture).bgr.shape[1] == emulated.good_features["Width"]


@pytest.mark.parametrize("features", [{"NoSuchThing": 1}, None])
def test_a_feature_that_the_camera_refuses_is_named(
    emulated: Emulated, cameras: list[LiveCamera], features: dict[str, int] | None
):
    if emulated.settings.is_video_file:
        pytest.skip("a file has no features")
    wrong = emulated.bad_features if features is None else features
    if not wrong:
        pytest.skip("this camera has no features")
    camera, _ = opened(emulated.changed(features={**emulated.settings.features, **wrong}), cameras)
    with pytest.raises(CameraError, match=next(iter(wrong))):
        camera.require(WAIT_S)


def test_a_camera_without_an_input_cannot_be_fired_by_its_line(
    emulated: Emulated, cameras: list[LiveCamera]
):
    if emulated.is_fired_by_software:
        pytest.skip("this camera has inputs: see test_camera_line.py")
    if emulated.settings.driver == "opencv":
        with pytest.raises(ValidationError, match="camera_line"):
            emulated.changed(trigger_by="camera_line", latency_bound_ms=50)
        return
    camera, _ = opened(emulated.changed(trigger_by="camera_line", latency_bound_ms=50), cameras)
    with pytest.raises(CameraError, match="trigger") as refused:
        camera.require(WAIT_S)
    assert "\n" not in str(refused.value)


def test_pictures_of_a_running_camera_are_no_copies_of_each_other(
    emulated: Emulated, cameras: list[LiveCamera]
):
    camera, capture = opened(emulated.changed(frame_timeout_ms=10_000), cameras)
    camera.require(WAIT_S)
    first, second = taken(capture), taken(capture)
    assert not np.array_equal(first.bgr, second.bgr)
