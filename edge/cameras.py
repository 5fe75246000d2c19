"""From a camera's settings to the camera, and what cameras there are.

A driver's module is imported when a camera asks for it: its vendor's package may not be installed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from edge.capture import Camera, Capture
from edge.drivers.contract import Driver, Found
from edge.drivers.folder import FolderCamera
from edge.live_camera import LiveCamera
from edge.pairing import LinePairing
from inspector.errors import CameraError
from inspector.settings import CameraSettings

# driver: (module, what the module's package needs to be installed)
LIVE_DRIVERS = {
    "opencv": ("edge.drivers.opencv", "pip install opencv-python"),
    "genicam": ("edge.drivers.genicam", "pip install 'inspector[genicam]'"),
    "basler": ("edge.drivers.basler", "pip install 'inspector[basler]'"),
    "aravis": ("edge.drivers.aravis", "apt-get install libaravis-0.8-0"),
}


def camera_of(settings: CameraSettings) -> Camera:
    """Return the camera of `settings`, not yet open.

    Raises `CameraError` where its driver is not installed.
    """
    if settings.driver == "folder":
        assert settings.folder is not None  # the settings were validated
        return FolderCamera(camera_id=settings.id, folder=settings.folder)
    make = _driver(settings.driver, "connect")
    return LiveCamera(settings, make_driver=lambda: cast(Driver, make(settings)))


def capture_of(settings: CameraSettings, camera: Camera) -> Capture:
    """Return what takes the pictures of `camera`."""
    pairing = None
    if settings.trigger_by == "camera_line":
        pairing = LinePairing(window_ms=settings.pair_window_ms)
    return Capture(
        camera,
        frame_timeout_s=float("inf") if settings.driver == "folder" else settings.frame_timeout_s,
        expects_noise=settings.expects_noise,
        pairing=pairing,
    )


def found_by(driver: str, **options: object) -> tuple[Found, ...]:
    """Return the cameras that `driver` sees; raise `CameraError` where it is not installed."""
    return cast(tuple[Found, ...], _driver(driver, "look")(**options))


def _driver(name: str, function: str) -> Callable[..., object]:
    module, remedy = LIVE_DRIVERS[name]
    try:
        return cast(Callable[..., object], getattr(import_module(module), function))
    except (ImportError, OSError) as exc:
        raise CameraError(
            f"expected what driver {name} needs to be installed, found {exc}; {remedy}"
        ) from exc
