"""Any GenICam camera, through the GenTL producer (.cti) of its maker, by harvesters.

A process may load a producer once, and harvesters' own `update` ends every camera that runs. So
all cameras of one producer share a `_Producers`, which looks for cameras without that.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genicam.genapi import GenericException as FeatureError
from genicam.gentl import GenericException as TransportError
from harvesters.core import (
    Callback,
    DeviceInfo,
    Harvester,
    ImageAcquirer,
    ParameterKey,
    ParameterSet,
)

from edge.drivers.contract import (
    FeatureValue,
    FiredBy,
    Found,
    Grab,
    as_camera_error,
    require_agreement,
)
from edge.drivers.pixels import bgr_of
from inspector.errors import CameraError, PictureError
from inspector.settings import CameraSettings

SEARCH_PATH = "GENICAM_GENTL64_PATH"
BUFFERS = 8
LOOK_WITHIN_MS = 1000
WAKE_EVERY_MS = 20
REMEDY = "check that it is connected, powered and used by nobody else, and device"
VENDOR_ERRORS = (FeatureError, TransportError, AttributeError, ValueError, RuntimeError)


class _Producers:
    """Producers loaded into this process, and the cameras they see. Any thread."""

    _loaded: dict[tuple[Path, ...], _Producers] = {}  # noqa: RUF012  one for the process
    _loading = threading.Lock()

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._harvester = Harvester()
        self._lock = threading.Lock()
        for path in paths:
            self._harvester.add_file(str(path))
        self._harvester.update()

    @classmethod
    def of(cls, paths: tuple[Path, ...]) -> _Producers:
        with cls._loading:
            if paths not in cls._loaded:
                cls._loaded[paths] = cls(paths)
            return cls._loaded[paths]

    def look(self) -> tuple[Any, ...]:
        """Return the cameras that are there now."""
        with self._lock:
            return self._look()

    def connect(self, device: str | None) -> Any:
        """Return an acquirer of that camera; raise `LookupError` with what is there instead."""
        with self._lock:
            infos = self._look()
            wanted = [info for info in infos if device is None or device in _names(info)]
            if len(wanted) != 1:
                raise LookupError(", ".join(_names(info)[0] for info in infos) or "none")
            config = ParameterSet(
                {
                    ParameterKey.NUM_BUFFERS_FOR_FETCH_CALL: BUFFERS,
                    ParameterKey.TIMEOUT_PERIOD_ON_UPDATE_EVENT_DATA_CALL: WAKE_EVERY_MS,
                }
            )
            return self._harvester.create(wanted[0], config=config)

    def release(self, acquirer: Any) -> None:
        with self._lock:
            acquirer.destroy()
            if acquirer in self._harvester.image_acquirers:
                self._harvester.image_acquirers.remove(acquirer)

    def _look(self) -> tuple[Any, ...]:
        # harvesters' private list: its public update() would end all running cameras
        infos = self._harvester.device_info_list
        infos.clear()
        for interface in self._harvester._ifaces:
            interface.update_device_info_list(LOOK_WITHIN_MS)
            infos.extend(
                DeviceInfo(module=found, parent=interface) for found in interface.device_info_list
            )
        return tuple(infos)


class _CountBroken(Callback):  # type: ignore[misc]  # harvesters is untyped
    """Told by harvesters of each incomplete buffer, which it throws away."""

    def __init__(self) -> None:
        super().__init__()
        self.pending = 0

    def emit(self, context: object = None) -> None:  # noqa: ARG002  harvesters' signature
        self.pending += 1


class GenIcamDriver:
    """One camera of a GenTL producer."""

    def __init__(
        self,
        *,
        camera_id: str,
        producers: tuple[Path, ...],
        device: str | None,
        features: Mapping[str, FeatureValue],
        line: str | None,
    ) -> None:
        """`line` is the input that fires the camera; the station does where it is None."""
        self._id = camera_id
        self._paths = producers
        self._device = device
        self._features = features
        self._line = line
        self._producers: _Producers | None = None
        self._acquirer: Any = None
        self._last_id: int | None = None
        self._broken = _CountBroken()

    def open(self) -> FiredBy:
        try:
            with as_camera_error(self._id, "to open it", *VENDOR_ERRORS, remedy=REMEDY):
                self._producers = _Producers.of(self._paths)
                self._acquirer = self._producers.connect(self._device)
        except LookupError as exc:
            wanted = "one camera" if self._device is None else f"a camera {self._device}"
            raise CameraError(
                f"camera {self._id}: expected {wanted} at {', '.join(map(str, self._paths))}, "
                f"found {exc}; {REMEDY}"
            ) from exc
        self._set_features()
        with as_camera_error(self._id, "it to start", *VENDOR_ERRORS, remedy=REMEDY):
            fired_by = self._set_trigger()
            self._acquirer.add_callback(ImageAcquirer.Events.INCOMPLETE_BUFFER, self._broken)
            self._acquirer.start()
        return fired_by

    def grab(self, timeout_s: float) -> Grab | None:
        with as_camera_error(self._id, "a frame", *VENDOR_ERRORS, remedy=REMEDY):
            buffer = self._acquirer.try_fetch(timeout=timeout_s)
            if buffer is None:
                return self._broken_grab()
            with buffer:
                return self._grab_of(buffer)

    def fire(self) -> None:
        with as_camera_error(self._id, "to fire it", *VENDOR_ERRORS, remedy=REMEDY):
            self._nodes.TriggerSoftware.execute()

    def rearm(self) -> None:
        with as_camera_error(self._id, "it to start again", *VENDOR_ERRORS, remedy=REMEDY):
            self._acquirer.stop()
            self._last_id = None
            self._acquirer.start()

    def check(self) -> None:
        with as_camera_error(self._id, "it to answer", *VENDOR_ERRORS, remedy=REMEDY):
            self._nodes.Width.get_value(False, True)  # not from the cache

    def close(self) -> None:
        acquirer, self._acquirer = self._acquirer, None
        if acquirer is None or self._producers is None:
            return
        try:
            self._producers.release(acquirer)
        except VENDOR_ERRORS:
            return  # a camera that is gone cannot be told so

    @property
    def _nodes(self) -> Any:
        return self._acquirer.remote_device.node_map

    def _set_features(self) -> None:
        for name, value in self._features.items():
            doing = f"it to take {name} {value!r}"
            with as_camera_error(self._id, doing, *VENDOR_ERRORS, remedy="correct features"):
                self._node(name).value = value
        found = {name: self._node(name).value for name in self._features}
        require_agreement(self._id, self._features, found)

    def _node(self, name: str) -> Any:
        node = getattr(self._nodes, name, None)
        if node is None:
            raise CameraError(
                f"camera {self._id}: expected a feature of this camera, found {name!r}; correct "
                "features"
            )
        return node

    def _set_trigger(self) -> FiredBy:
        nodes = self._nodes
        if not hasattr(nodes, "TriggerMode"):
            if self._line is None:
                return FiredBy.ITSELF
            raise CameraError(
                f"camera {self._id}: expected a camera with a trigger input, found one without; "
                "use trigger_by: mqtt"
            )
        source = self._line or "Software"
        asked: dict[str, FeatureValue] = {
            "TriggerSelector": "FrameStart",
            "TriggerSource": source,
            "TriggerMode": "On",
        }
        for name, value in asked.items():
            self._node(name).value = value
        require_agreement(self._id, asked, {name: self._node(name).value for name in asked})
        return FiredBy.SOFTWARE if self._line is None else FiredBy.LINE

    def _grab_of(self, buffer: Any) -> Grab:
        number = int(buffer.module.frame_id)
        skipped = 0 if self._last_id is None else max(0, number - self._last_id - 1)
        self._last_id = number
        # of what harvesters threw away as incomplete the numbers are missing too
        broken, self._broken.pending = self._broken.pending, 0
        component = buffer.payload.components[0]
        try:
            bgr = bgr_of(
                component.data,
                pixel_format=component.data_format,
                width=component.width,
                height=component.height,
            )
        except PictureError as exc:
            raise CameraError(f"camera {self._id}: {exc}") from exc
        return Grab(bgr=bgr, skipped=max(0, skipped - broken), hardware_ns=self._exposed_ns(buffer))

    def _broken_grab(self) -> Grab | None:
        if not self._broken.pending:
            return None
        self._broken.pending -= 1
        if self._last_id is not None:
            self._last_id += 1
        return Grab(bgr=None, why_broken="the buffer was filled in part")

    @staticmethod
    def _exposed_ns(buffer: Any) -> int | None:
        try:
            ticks, frequency = int(buffer.timestamp), int(buffer.timestamp_frequency)
        except VENDOR_ERRORS:
            return None  # this producer gives none
        return ticks * 1_000_000_000 // frequency if ticks > 0 and frequency > 0 else None


def connect(settings: CameraSettings) -> GenIcamDriver:
    """Return a driver for one connection to the camera of `settings`."""
    return GenIcamDriver(
        camera_id=settings.id,
        producers=_producers(settings.producer),
        device=settings.device,
        features=settings.features,
        line=settings.trigger_line if settings.trigger_by == "camera_line" else None,
    )


def look(producer: Path | None = None) -> tuple[Found, ...]:
    """Return the cameras that the producers see."""
    return tuple(
        Found(
            driver="genicam",
            device=_names(info)[0],
            name=f"{_told(info, 'vendor')} {_told(info, 'model')}",
        )
        for info in _Producers.of(_producers(producer)).look()
    )


def _producers(chosen: Path | None) -> tuple[Path, ...]:
    folders = [Path(part) for part in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if part]
    paths = tuple(sorted(path for folder in folders for path in folder.glob("*.cti")))
    if chosen is not None:
        paths = (chosen,)
    if not paths or not all(path.is_file() for path in paths):
        raise CameraError(
            f"expected a GenTL producer (.cti) in producer or the folders of {SEARCH_PATH}, found "
            f"{chosen or 'none'}; install the camera maker's software"
        )
    return paths


def _names(info: Any) -> tuple[str, ...]:
    """Return what a station file may call a camera, the serial number first."""
    names = (_told(info, name) for name in ("serial_number", "user_defined_name", "id_"))
    return tuple(name for name in names if name) or ("?",)


def _told(info: Any, name: str) -> str:
    try:
        return str(getattr(info, name) or "")
    except TransportError:
        return ""  # most producers do not tell everything
