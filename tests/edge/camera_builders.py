"""Real cameras without hardware: emulators, a demo producer, a video file, an RTSP server."""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from inspector.settings import CameraSettings

os.environ["PYLON_CAMEMU"] = "2"  # read when Basler's runtime is loaded
WAIT_S = 20.0
DEBIAN_PYTHON = "/usr/bin/python3"
FAKE_GIGE = shutil.which("arv-fake-gv-camera-0.8")

RTSP_SERVER = """
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer, GLib
Gst.init(None)
if not Gst.ElementFactory.find("x264enc"):
    sys.exit("no x264enc")
server = GstRtspServer.RTSPServer(); server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory(); factory.set_shared(True)
factory.set_launch("( videotestsrc is-live=true pattern=ball motion=wavy ! "
    "video/x-raw,format=I420,width=160,height=120,framerate=20/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96 )")
server.get_mount_points().add_factory("/cam", factory); server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulated:
    """A camera to test with: its settings, a device that is not there, features it knows."""

    settings: CameraSettings
    size_px: tuple[int, int]
    absent: dict[str, Any]
    good_features: dict[str, Any]
    bad_features: dict[str, Any]
    is_fired_by_software: bool

    def changed(self, **changes: object) -> CameraSettings:
        return CameraSettings.model_validate({**self.settings.model_dump(), **changes})


def video(path: Path, *, frames: int = 50, fps: float = 25) -> Path:
    """Write a video of numbered, noisy pictures."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (160, 120))
    noise = np.random.default_rng(0)
    for number in range(frames):
        bgr = noise.integers(60, 180, (120, 160, 3), dtype=np.uint8)
        cv2.putText(bgr, str(number), (40, 80), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 255), 4)
        writer.write(bgr)
    writer.release()
    return path


@contextlib.contextmanager
def video_file(folder: Path) -> Iterator[Emulated]:
    device = str(video(folder / "line.avi"))
    yield Emulated(
        settings=CameraSettings(id="top", driver="opencv", device=device),
        size_px=(160, 120),
        absent={"device": str(folder / "gone.avi")},
        good_features={},
        bad_features={},
        is_fired_by_software=False,
    )


@contextlib.contextmanager
def rtsp_server(port: int = 0) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Give an RTSP server as a process of its own, and its port; skip where GStreamer lacks."""
    if not Path(DEBIAN_PYTHON).exists():
        pytest.skip("needs Debian's python3 with gir1.2-gst-rtsp-server-1.0")
    server = subprocess.Popen(
        [DEBIAN_PYTHON, "-c", RTSP_SERVER, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None and server.stderr is not None
        bound = server.stdout.readline().strip()
        if not bound:
            why = server.stderr.read().strip().splitlines()[-1:]
            pytest.skip(f"needs gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-ugly: {why}")
        yield server, int(bound)
    finally:
        server.kill()
        server.communicate()


def rtsp_settings(port: int) -> CameraSettings:
    return CameraSettings(
        id="top",
        driver="opencv",
        device=f"rtsp://127.0.0.1:{port}/cam",
        latency_bound_ms=1000,
        frame_timeout_ms=10_000,
        reconnect_max_s=0.5,
    )


@contextlib.contextmanager
def rtsp(folder: Path) -> Iterator[Emulated]:
    with rtsp_server() as (_, port), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        yield Emulated(
            settings=rtsp_settings(port),
            size_px=(160, 120),
            absent={"device": f"rtsp://127.0.0.1:{taken.getsockname()[1]}/cam"},
            good_features={},
            bad_features={},
            is_fired_by_software=False,
        )


@contextlib.contextmanager
def viky(folder: Path) -> Iterator[Emulated]:
    """The GenICam committee's demonstration producer, which comes with the package genicam."""
    if find_spec("genicam") is None or find_spec("harvesters") is None:
        pytest.skip("needs pip install 'inspector[genicam]'")
    producer = Path(find_spec("genicam").origin).with_name("viky.cti")  # type: ignore[union-attr, arg-type]
    yield Emulated(
        settings=CameraSettings(
            id="top",
            driver="genicam",
            device="1",
            producer=producer,
            latency_bound_ms=60,
            features={"PixelFormat": "Mono8", "AcquisitionFrameRate": 50.0},
        ),
        size_px=(400, 400),
        absent={"device": "77"},
        good_features={"Width": 320, "Height": 240, "PixelFormat": "RGBa8"},
        bad_features={"Width": 100000},
        is_fired_by_software=False,
    )


@contextlib.contextmanager
def basler(folder: Path) -> Iterator[Emulated]:
    """Basler's own emulator."""
    if find_spec("pypylon") is None:
        pytest.skip("needs pip install 'inspector[basler]'")
    yield Emulated(
        settings=CameraSettings(
            id="top",
            driver="basler",
            device="0815-0000",
            features={
                "PixelFormat": "Mono8",
                "Width": 256,
                "Height": 128,
                "TestImageSelector": "Testimage2",
            },
        ),
        size_px=(256, 128),
        absent={"device": "0815-0077"},
        good_features={"PixelFormat": "BGR8Packed", "Width": 320, "ExposureTimeAbs": 5000.0},
        bad_features={"Width": 100000},
        is_fired_by_software=True,
    )


def require_aravis() -> None:
    try:
        ctypes.CDLL("libaravis-0.8.so.0")
    except OSError:
        pytest.skip("needs apt-get install libaravis-0.8-0")


@contextlib.contextmanager
def gige_camera(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give Aravis's fake GigE camera on loopback, a process of its own."""
    require_aravis()
    if FAKE_GIGE is None:
        pytest.skip("needs apt-get install aravis-tools")
    camera = subprocess.Popen(
        [FAKE_GIGE, "-i", "127.0.0.1", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            camera.wait(0.3)  # it ends at once where it cannot have its port
            pytest.skip("needs UDP port 3956 of 127.0.0.1, which another program has")
        yield camera
    finally:
        camera.kill()
        camera.wait()


def gige_settings() -> CameraSettings:
    return CameraSettings(
        id="top",
        driver="aravis",
        device="127.0.0.1",
        features={"PixelFormat": "Mono8", "Width": 256, "Height": 128},
        frame_timeout_ms=5000,
        reconnect_max_s=0.5,
    )


@contextlib.contextmanager
def aravis(folder: Path) -> Iterator[Emulated]:
    with gige_camera() as _:
        yield Emulated(
            settings=gige_settings(),
            size_px=(256, 128),
            absent={"device": "127.0.0.77"},
            good_features={"Width": 320, "ExposureTimeAbs": 5000.0},
            bad_features={"Width": 100000},
            is_fired_by_software=True,
        )


EMULATED: dict[str, Callable[[Path], contextlib.AbstractContextManager[Emulated]]] = {
    "video file": video_file,
    "rtsp": rtsp,
    "genicam": viky,
    "basler": basler,
    "aravis": aravis,
}
