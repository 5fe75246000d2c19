"""Basler cameras through pypylon, which brings Basler's own runtime along.

PYLON_CAMEMU=N, set before the start, adds N emulated cameras with the serials 0815-0000 and on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from pypylon import genicam, pylon

from edge.drivers.contract import (
    FeatureValue,
    FiredBy,
    Found,
    Grab,
    as_camera_error,
    require_agreement,
)
from inspector import images
from inspector.errors import CameraError, NoFrame
from inspector.settings import CameraSettings

BUFFERS = 8
READY_WITHIN_MS = 2000
REMEDY = "check that it is connected, powered and used by nobody else, and device"
EMULATED = "0815-"


class BaslerDriver:
    """One Basler camera."""

    def __init__(
        self,
        *,
        camera_id: str,
        device: str | None,
        features: Mapping[str, FeatureValue],
        line: str | None,
    ) -> None:
        """`line` is the input that fires the camera; the station does where it is None."""
        self._id = camera_id
        self._device = device
        self._features = features
        self._line = line
        self._camera: Any = None
        self._last_id: int | None = None
        self._converter = pylon.ImageFormatConverter()
        self._converter.OutputPixelFormat = pylon.PixelType_BGR8packed

    def open(self) -> FiredBy:
        with self._as_camera_error("to open it"):
            self._camera = pylon.InstantCamera(
                pylon.TlFactory.GetInstance().CreateDevice(self._found())
            )
            self._camera.Open()
        self._set(self._features)
        source = self._line or "Software"
        self._set({"TriggerSelector": "FrameStart", "TriggerSource": source, "TriggerMode": "On"})
        with self._as_camera_error("it to start"):
            self._camera.MaxNumBuffer.Value = BUFFERS
            self._camera.StartGrabbing(pylon.GrabStrategy_OneByOne)
        return FiredBy.SOFTWARE if self._line is None else FiredBy.LINE

    def grab(self, timeout_s: float) -> Grab | None:
        with self._as_camera_error("a frame"):
            result = self._camera.RetrieveResult(
                max(1, int(timeout_s * 1000)), pylon.TimeoutHandling_Return
            )
            if not result:
                return None
            with contextlib.closing(_Released(result)):
                return self._grab_of(result)

    def fire(self) -> None:
        with self._as_camera_error("to fire it"):
            if not self._camera.WaitForFrameTriggerReady(
                READY_WITHIN_MS, pylon.TimeoutHandling_Return
            ):
                raise NoFrame(
                    f"camera {self._id}: expected it ready to be fired within {READY_WITHIN_MS} "
                    "ms, found it busy; shorten the exposure or lengthen the takt"
                )
            self._camera.ExecuteSoftwareTrigger()

    def rearm(self) -> None:
        with self._as_camera_error("it to start again"):
            self._camera.StopGrabbing()
            self._last_id = None
            self._camera.StartGrabbing(pylon.GrabStrategy_OneByOne)

    def check(self) -> None:
        with self._as_camera_error("it to answer"):
            if self._camera.IsCameraDeviceRemoved():
                raise CameraError(f"camera {self._id}: expected it there, found it gone; {REMEDY}")
            _ = self._camera.Width.Value

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            with contextlib.suppress(genicam.GenericException):  # gone, and cannot be told so
                camera.Close()

    def _as_camera_error(self, doing: str) -> contextlib.AbstractContextManager[None]:
        return as_camera_error(self._id, doing, genicam.GenericException, remedy=REMEDY)

    def _found(self) -> Any:
        infos = _infos(self._device)
        wanted = [info for info in infos if self._device is None or self._device in _names(info)]
        if len(wanted) != 1:
            there = ", ".join(_names(info)[0] for info in infos) or "none"
            raise CameraError(
                f"camera {self._id}: expected "
                f"{'one camera' if self._device is None else f'a camera {self._device}'}, found "
                f"{there}; {REMEDY}"
            )
        return wanted[0]

    def _set(self, features: Mapping[str, FeatureValue]) -> None:
        for name, value in features.items():
            doing = f"it to take {name} {value!r}"
            with as_camera_error(
                self._id, doing, genicam.GenericException, TypeError, remedy="correct features"
            ):
                getattr(self._camera, name).Value = value
        with self._as_camera_error("to read its features"):
            found = {name: getattr(self._camera, name).Value for name in features}
        require_agreement(self._id, features, found)

    def _grab_of(self, result: Any) -> Grab:
        number = int(result.BlockID)
        skipped = 0 if self._last_id is None else max(0, number - self._last_id - 1)
        self._last_id = number
        if not result.GrabSucceeded():
            return Grab(bgr=None, why_broken=result.GetErrorDescription(), skipped=skipped)
        return Grab(
            bgr=images.to_bgr(self._converter.Convert(result).GetArray().copy()),
            skipped=skipped,
            hardware_ns=self._exposed_ns(int(result.TimeStamp)),
        )

    def _exposed_ns(self, ticks: int) -> int | None:
        """Return the camera's clock; USB cameras tick in ns, older GigE ones say how."""
        if ticks <= 0:
            return None
        frequency = self._camera.GetNodeMap().GetNode("GevTimestampTickFrequency")
        if frequency is None or not genicam.IsReadable(frequency):
            return ticks
        return int(ticks * 1_000_000_000 // frequency.GetValue())


class _Released:
    """Gives a grab result's buffer back to the camera."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def close(self) -> None:
        self._result.Release()


def connect(settings: CameraSettings) -> BaslerDriver:
    """Return a driver for one connection to the camera of `settings`."""
    return BaslerDriver(
        camera_id=settings.id,
        device=settings.device,
        features=settings.features,
        line=settings.trigger_line if settings.trigger_by == "camera_line" else None,
    )


def look() -> tuple[Found, ...]:
    """Return the Basler cameras that are there; asks on every network interface."""
    return tuple(
        Found(driver="basler", device=_names(info)[0], name=f"Basler {info.GetModelName()}")
        for info in _infos(None)
    )


def _infos(device: str | None) -> tuple[Any, ...]:
    factory = pylon.TlFactory.GetInstance()
    if device is None or not device.startswith(EMULATED):
        return tuple(factory.EnumerateDevices())
    # an emulated camera is not looked for on the plant's network
    emulated = pylon.DeviceInfo()
    emulated.SetDeviceClass("BaslerCamEmu")
    return tuple(factory.EnumerateDevices([emulated]))


def _names(info: Any) -> tuple[str, ...]:
    """Return what a station file may call a camera, the serial number first."""
    names = [info.GetSerialNumber(), info.GetUserDefinedName()]
    if info.IsIpAddressAvailable():
        names.append(info.GetIpAddress())
    return tuple(name for name in names if name)
