"""What a station file says of a camera fits its driver, or is refused with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from edge.cameras import camera_of
from edge.drivers.contract import agrees
from edge.drivers.folder import FolderCamera
from edge.live_camera import LiveCamera
from inspector.settings import CameraSettings


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "expected folder"),
        ({"folder": "p", "device": "1"}, "expected device only for driver opencv or genicam"),
        ({"folder": "p", "features": {"Width": 1}}, "expected features only for driver"),
        ({"folder": "p", "latency_bound_ms": 1}, "expected latency_bound_ms only for driver"),
        ({"folder": "p", "trigger_by": "camera_line"}, "which no input can fire"),
        ({"driver": "basler", "folder": "p"}, "expected folder only for driver folder"),
        ({"driver": "basler", "producer": "p.cti"}, "expected producer only for driver genicam"),
        ({"driver": "opencv"}, "expected device"),
        ({"driver": "opencv", "device": 0}, "expected latency_bound_ms"),
        ({"driver": "opencv", "device": "rtsp://10.0.0.1/a"}, "expected latency_bound_ms"),
        (
            {"driver": "opencv", "device": 0, "latency_bound_ms": 9, "trigger_by": "camera_line"},
            "which no input can fire",
        ),
    ],
)
def test_keys_that_do_not_fit_the_driver_are_refused(settings: dict[str, object], expected: str):
    with pytest.raises(ValidationError, match=expected):
        CameraSettings.model_validate({"id": "top", **settings})


def test_the_drivers_of_a_station_file_make_cameras(tmp_path: Path):
    assert isinstance(camera_of(CameraSettings(id="top", folder=tmp_path)), FolderCamera)
    video = CameraSettings(id="top", driver="opencv", device="a.avi")
    assert isinstance(camera_of(video), LiveCamera)


@pytest.mark.parametrize(
    ("settings", "expects_noise"),
    [
        ({"folder": "p"}, False),
        ({"driver": "opencv", "device": "line.mp4"}, False),
        ({"driver": "opencv", "device": 0, "latency_bound_ms": 1}, True),
        ({"driver": "basler"}, True),
        ({"driver": "basler", "expect_noise": False}, False),
        ({"folder": "p", "expect_noise": True}, True),
    ],
)
def test_a_sensor_is_expected_to_have_noise(settings: dict[str, object], expects_noise: bool):
    assert CameraSettings.model_validate({"id": "a", **settings}).expects_noise is expects_noise


def test_a_frame_is_waited_for_as_long_as_it_may_take():
    assert CameraSettings(id="a", driver="basler").frame_timeout_s == 0.5
    slow = CameraSettings(id="a", driver="genicam", latency_bound_ms=700)
    assert slow.frame_timeout_s == pytest.approx(1.2)


def test_settings_that_were_written_out_are_read_again(tmp_path: Path):
    for settings in (
        CameraSettings(id="a", folder=tmp_path),
        CameraSettings(id="a", driver="basler", features={"Gain": 1, "Gamma": 0.5, "On": True}),
    ):
        assert CameraSettings.model_validate(settings.model_dump()) == settings


@pytest.mark.parametrize(
    ("asked", "found", "is_agreed"),
    [
        (800.0, 800.4, True),
        (800.0, 820.0, False),
        (0.0, 0.0, True),
        (0.0, 0.5, False),
        (100, 100, True),
        (100, 101, False),
        (100, 100.0, True),
        (True, True, True),
        (True, False, False),
        ("Mono8", "Mono8", True),
        ("Mono8", "Mono12", False),
    ],
)
def test_a_value_read_back_agrees_or_not(asked: object, found: object, is_agreed: bool):
    assert agrees(asked, found) is is_agreed  # type: ignore[arg-type]
