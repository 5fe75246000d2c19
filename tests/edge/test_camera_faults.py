"""What happens to cameras on a network: killed, frozen, losing packets, lying; all for real."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from camera_builders import gige_camera, gige_settings, require_aravis, rtsp_server, rtsp_settings

from edge.cameras import camera_of, capture_of
from edge.capture import Camera, Capture, Shot
from inspector.domain import Frame, Reason, Verdict
from inspector.settings import CameraSettings

# Aravis asks a camera that went silent for some 3 s, FFmpeg three times for 1 s
WAIT_S = 30.0
SHOT = Shot(part_id="A", view=None)


@pytest.fixture
def cameras() -> Iterator[list[Camera]]:
    cameras: list[Camera] = []
    yield cameras
    for camera in cameras:
        camera.close()


def opened(settings: CameraSettings, cameras: list[Camera]) -> tuple[Camera, Capture]:
    camera = camera_of(settings)
    cameras.append(camera)
    camera.open()
    return camera, capture_of(settings, camera)


def await_that(holds: Callable[[], bool], camera: Camera) -> None:
    give_up = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up, f"not so within {WAIT_S} s: {camera.status()}"
        threading.Event().wait(0.05)


def is_taken(capture: Capture) -> bool:
    return isinstance(capture.take(SHOT, timeout_s=WAIT_S), Frame)


def test_a_gige_camera_that_is_killed_is_lost_and_comes_back(cameras: list[Camera]):
    with gige_camera():
        camera, capture = opened(gige_settings(), cameras)
        camera.require(WAIT_S)
        assert is_taken(capture)
    found = capture.take(SHOT, timeout_s=WAIT_S)
    assert isinstance(found, Verdict)
    assert found.reason in (Reason.NO_FRAME, Reason.CAMERA_LOST)
    await_that(lambda: not camera.status().is_up, camera)
    found = capture.take(SHOT, timeout_s=WAIT_S)
    assert isinstance(found, Verdict)
    assert found.reason is Reason.CAMERA_LOST
    with gige_camera():
        await_that(lambda: camera.status().is_up, camera)
        assert is_taken(capture)
        assert camera.status().reconnects == 1


def test_a_gige_camera_that_freezes_is_lost_and_comes_back(cameras: list[Camera]):
    with gige_camera() as process:
        camera, capture = opened(gige_settings(), cameras)
        camera.require(WAIT_S)
        assert is_taken(capture)
        process.send_signal(signal.SIGSTOP)
        assert not is_taken(capture)
        await_that(lambda: not camera.status().is_up, camera)
        process.send_signal(signal.SIGCONT)
        await_that(lambda: camera.status().is_up, camera)
        await_that(lambda: is_taken(capture), camera)


def test_a_gige_camera_that_loses_packets_gives_whole_frames_or_none(cameras: list[Camera]):
    with gige_camera("-r", "100"):
        impatient = gige_settings().model_copy(update={"frame_timeout_ms": 1000})
        camera, capture = opened(impatient, cameras)
        camera.require(WAIT_S)
        outcomes = [capture.take(SHOT, timeout_s=WAIT_S) for _ in range(10)]
        frames = [found for found in outcomes if isinstance(found, Frame)]
        reasons = {found.reason for found in outcomes if isinstance(found, Verdict)}
    assert len({frame.seq for frame in frames}) == len(frames)
    assert {frame.bgr.shape for frame in frames} <= {(128, 256, 3)}
    assert reasons <= {Reason.BAD_FRAME, Reason.NO_FRAME, Reason.CAMERA_LOST}
    assert reasons
    assert camera.status().broken > 0


def test_a_camera_that_says_it_waits_for_its_trigger_and_does_not_is_refused(
    cameras: list[Camera],
):
    require_aravis()
    settings = CameraSettings(id="top", driver="aravis", device="Fake_1", reconnect_max_s=60)
    camera, capture = opened(settings, cameras)  # the fake inside Aravis runs by itself
    await_that(lambda: "nobody fired for" in camera.status().detail, camera)
    found = capture.take(SHOT, timeout_s=WAIT_S)
    assert isinstance(found, Verdict)
    assert found.reason is Reason.CAMERA_LOST


def test_a_stream_whose_server_is_killed_is_lost_and_comes_back(cameras: list[Camera]):
    with rtsp_server() as (_, port):
        camera, capture = opened(rtsp_settings(port), cameras)
        camera.require(WAIT_S)
        assert is_taken(capture)
    await_that(lambda: not camera.status().is_up, camera)
    with rtsp_server(port):
        await_that(lambda: camera.status().is_up, camera)
        assert is_taken(capture)


def test_a_stream_whose_server_freezes_is_lost_and_comes_back(cameras: list[Camera]):
    with rtsp_server() as (server, port):
        camera, capture = opened(rtsp_settings(port), cameras)
        camera.require(WAIT_S)
        assert is_taken(capture)
        server.send_signal(signal.SIGSTOP)
        await_that(lambda: not camera.status().is_up, camera)
        server.send_signal(signal.SIGCONT)
        await_that(lambda: camera.status().is_up, camera)
        assert is_taken(capture)
