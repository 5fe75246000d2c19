"""USB cameras, network streams and video files through OpenCV. They run by themselves.

USB (V4L2) was not run here, for want of such a camera; RTSP and files are in the tests.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np

from edge.drivers.contract import (
    FeatureValue,
    FiredBy,
    Found,
    Grab,
    as_camera_error,
    require_agreement,
)
from inspector import images
from inspector.errors import CameraError
from inspector.settings import CameraSettings

OPEN_WITHIN_MS = 5000
# FFmpeg tries three times: a server that is up and silent is noticed after thrice this
READ_WITHIN_MS = 1000
DEFAULT_FPS = 25.0
REMEDY = "check that it is connected, and device"
CREDENTIALS = re.compile(r"//[^/@]*@")


class OpenCvDriver:
    """One USB camera or network stream."""

    def __init__(
        self, *, camera_id: str, device: str, features: Mapping[str, FeatureValue]
    ) -> None:
        self._id = camera_id
        self._device = device
        self._features = features
        self._capture: Any = None

    def open(self) -> FiredBy:
        with as_camera_error(self._id, f"{self._shown} to open", cv2.error, remedy=REMEDY):
            self._capture = self._connect()
        if not self._capture.isOpened():
            raise CameraError(
                f"camera {self._id}: expected {self._shown} to open, found that it does not; "
                f"{REMEDY}, user and password"
            )
        self._set_features()
        return FiredBy.ITSELF

    def grab(self, timeout_s: float) -> Grab | None:  # noqa: ARG002  OpenCV has a limit of its own
        whole, bgr = self._capture.read()
        if not whole:
            raise CameraError(
                f"camera {self._id}: expected a frame of {self._shown}, found the stream ended; "
                f"{REMEDY}"
            )
        return Grab(bgr=images.to_bgr(np.asarray(bgr)), hardware_ns=self._sent_ns())

    def fire(self) -> None:
        """Do nothing: such a camera runs by itself."""

    def rearm(self) -> None:
        """Do nothing: such a camera runs by itself."""

    def check(self) -> None:
        """Do nothing: a lost camera is noticed by `grab`."""

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()

    @property
    def _shown(self) -> str:
        return CREDENTIALS.sub("//", self._device)  # no password in messages

    def _connect(self) -> Any:
        if self._device.isdigit():
            return cv2.VideoCapture(int(self._device))
        # one variable for the whole process is the only way that OpenCV has
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|fflags;nobuffer")
        return cv2.VideoCapture(
            self._device,
            cv2.CAP_FFMPEG,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                OPEN_WITHIN_MS,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                READ_WITHIN_MS,
            ],
        )

    def _sent_ns(self) -> int | None:
        """Return the stream's own time of the frame, which tells what waited in a queue."""
        if self._device.isdigit():
            return None
        sent_ms = float(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        return int(sent_ms * 1e6) if sent_ms > 0 else None

    def _set_features(self) -> None:
        properties = {}
        for name in self._features:
            number = getattr(cv2, f"CAP_PROP_{name}", None)
            if number is None:
                raise CameraError(
                    f"camera {self._id}: expected a feature of OpenCV such as FRAME_WIDTH or "
                    f"EXPOSURE (CAP_PROP_… without its front), found {name!r}; correct features"
                )
            properties[name] = number
        for name, value in self._features.items():
            self._capture.set(properties[name], float(value))
        require_agreement(
            self._id,
            {name: float(value) for name, value in self._features.items()},
            {name: float(self._capture.get(number)) for name, number in properties.items()},
        )


class VideoFileDriver:
    """A video file, played at its own rate and begun again at its end: for trials and tests."""

    def __init__(self, *, camera_id: str, path: Path) -> None:
        self._id = camera_id
        self._path = path
        self._capture: Any = None
        self._interval_s = 1 / DEFAULT_FPS
        self._due_s = 0.0

    def open(self) -> FiredBy:
        if not self._path.is_file():
            raise CameraError(
                f"camera {self._id}: expected a video file {self._path}, found none; correct device"
            )
        with as_camera_error(self._id, f"{self._path} to open", cv2.error, remedy=REMEDY):
            self._capture = cv2.VideoCapture(str(self._path))
        if not self._capture.isOpened():
            raise CameraError(
                f"camera {self._id}: expected a video in {self._path}, found none that OpenCV "
                "reads; convert it to H.264 or Motion JPEG"
            )
        self._interval_s = 1 / (self._capture.get(cv2.CAP_PROP_FPS) or DEFAULT_FPS)
        self._due_s = time.monotonic()
        return FiredBy.ITSELF

    def grab(self, timeout_s: float) -> Grab | None:
        left_s = self._due_s - time.monotonic()
        if left_s > timeout_s:
            Event().wait(timeout_s)
            return None
        Event().wait(max(0.0, left_s))
        whole, bgr = self._capture.read()
        if not whole:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            whole, bgr = self._capture.read()
        if not whole:
            raise CameraError(
                f"camera {self._id}: expected frames in {self._path}, found none; replace the file"
            )
        self._due_s = max(self._due_s + self._interval_s, time.monotonic())
        return Grab(bgr=images.to_bgr(np.asarray(bgr)))

    def fire(self) -> None:
        """Do nothing: a video runs by itself."""

    def rearm(self) -> None:
        """Do nothing: a video runs by itself."""

    def check(self) -> None:
        """Do nothing: a lost file is noticed by `grab`."""

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()


def connect(settings: CameraSettings) -> OpenCvDriver | VideoFileDriver:
    """Return a driver for one connection to the camera of `settings`."""
    assert settings.device is not None  # the settings were validated
    if settings.is_video_file:
        return VideoFileDriver(camera_id=settings.id, path=Path(settings.device))
    return OpenCvDriver(camera_id=settings.id, device=settings.device, features=settings.features)


def look() -> tuple[Found, ...]:
    """Return the USB cameras of this machine; streams and files cannot be looked for."""
    return tuple(
        Found(driver="opencv", device=path.name.removeprefix("video"), name=str(path))
        for path in sorted(Path("/dev").glob("video[0-9]*"))
    )
