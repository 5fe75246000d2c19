"""GigE Vision and USB3 Vision cameras through Aravis, Debian's libaravis-0.8-0, by its C library.

Through `ctypes`, since the library's Python bindings exist only for Debian's own Python.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from ctypes import POINTER, byref, c_bool, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any

from edge.drivers.contract import FeatureValue, FiredBy, Found, Grab, require_agreement
from edge.drivers.pixels import bgr_of
from inspector.errors import CameraError, PictureError
from inspector.settings import CameraSettings

BUFFERS = 8
SUCCESS = 0
CHECK_RANGES = 1
STATUS = {
    1: "cleared",
    2: "timeout",
    3: "missing packets",
    4: "wrong packet id",
    5: "size mismatch",
    6: "still filling",
    7: "aborted",
    8: "payload not supported",
}
REMEDY = "check that it is connected, powered and used by nobody else, and device"
FAKE = "Fake_"


class _GError(ctypes.Structure):
    _fields_ = (("domain", c_uint), ("code", c_int), ("message", c_char_p))


_ErrorArgument = POINTER(POINTER(_GError))


def _load() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    library = ctypes.CDLL("libaravis-0.8.so.0")
    gobject = ctypes.CDLL("libgobject-2.0.so.0")
    e = _ErrorArgument
    signatures: dict[str, tuple[object, tuple[object, ...]]] = {
        "arv_enable_interface": (None, (c_char_p,)),
        "arv_update_device_list": (None, ()),
        "arv_get_n_devices": (c_uint, ()),
        "arv_get_device_id": (c_char_p, (c_uint,)),
        "arv_get_device_serial_nbr": (c_char_p, (c_uint,)),
        "arv_get_device_model": (c_char_p, (c_uint,)),
        "arv_get_device_vendor": (c_char_p, (c_uint,)),
        "arv_camera_new": (c_void_p, (c_char_p, e)),
        "arv_camera_get_device": (c_void_p, (c_void_p,)),
        "arv_camera_create_stream": (c_void_p, (c_void_p, c_void_p, c_void_p, e)),
        "arv_camera_get_payload": (c_uint, (c_void_p, e)),
        "arv_camera_start_acquisition": (None, (c_void_p, e)),
        "arv_camera_stop_acquisition": (None, (c_void_p, e)),
        "arv_camera_is_software_trigger_supported": (c_bool, (c_void_p, e)),
        "arv_camera_set_trigger": (None, (c_void_p, c_char_p, e)),
        "arv_camera_software_trigger": (None, (c_void_p, e)),
        "arv_camera_get_pixel_format_as_string": (c_char_p, (c_void_p, e)),
        "arv_device_set_range_check_policy": (None, (c_void_p, c_int)),
        "arv_device_get_feature": (c_void_p, (c_void_p, c_char_p)),
        "arv_device_get_integer_feature_value": (ctypes.c_int64, (c_void_p, c_char_p, e)),
        "arv_gc_feature_node_set_value_from_string": (None, (c_void_p, c_char_p, e)),
        "arv_gc_feature_node_get_value_as_string": (c_char_p, (c_void_p, e)),
        "arv_buffer_new_allocate": (c_void_p, (c_size_t,)),
        "arv_buffer_get_status": (c_int, (c_void_p,)),
        "arv_buffer_get_data": (c_void_p, (c_void_p, POINTER(c_size_t))),
        "arv_buffer_get_image_width": (c_int, (c_void_p,)),
        "arv_buffer_get_image_height": (c_int, (c_void_p,)),
        "arv_buffer_get_frame_id": (c_uint64, (c_void_p,)),
        "arv_buffer_get_timestamp": (c_uint64, (c_void_p,)),
        "arv_stream_push_buffer": (None, (c_void_p, c_void_p)),
        "arv_stream_try_pop_buffer": (c_void_p, (c_void_p,)),
        "arv_stream_timeout_pop_buffer": (c_void_p, (c_void_p, c_uint64)),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    gobject.g_object_unref.restype, gobject.g_object_unref.argtypes = None, (c_void_p,)
    gobject.g_error_free.restype, gobject.g_error_free.argtypes = None, (POINTER(_GError),)
    return library, gobject


_aravis, _gobject = _load()
_device_list = threading.Lock()  # the library's list of devices is one for the process


class AravisDriver:
    """One camera that Aravis can reach."""

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
        self._camera: int | None = None
        self._stream: int | None = None
        self._pixel_format = ""
        self._payload = 0
        self._last_id: int | None = None

    def open(self) -> FiredBy:
        if self._device is not None and self._device.startswith(FAKE):
            _aravis.arv_enable_interface(b"Fake")
        name = None if self._device is None else self._device.encode()
        with _device_list:
            self._camera = self._call("to open it", _aravis.arv_camera_new, name)
        if self._camera is None:
            raise CameraError(f"camera {self._id}: expected it to open, found none; {REMEDY}")
        # without it a value out of range is written, and the camera does what it likes
        device = _aravis.arv_camera_get_device(self._camera)
        _aravis.arv_device_set_range_check_policy(device, CHECK_RANGES)
        self._set_features()
        fired_by = self._set_trigger()
        self._pixel_format = self._call(
            "its pixel format", _aravis.arv_camera_get_pixel_format_as_string, self._camera
        ).decode()
        self._payload = self._call("its payload size", _aravis.arv_camera_get_payload, self._camera)
        self._start()
        return fired_by

    def grab(self, timeout_s: float) -> Grab | None:
        buffer = _aravis.arv_stream_timeout_pop_buffer(self._stream, int(timeout_s * 1e6))
        if buffer is None:
            return None
        try:
            return self._grab_of(buffer)
        finally:
            _aravis.arv_stream_push_buffer(self._stream, buffer)

    def fire(self) -> None:
        self._call("to fire it", _aravis.arv_camera_software_trigger, self._camera)

    def rearm(self) -> None:
        self._call("it to stop", _aravis.arv_camera_stop_acquisition, self._camera)
        self._drop_stream()
        self._start()

    def check(self) -> None:
        self._call(
            "it to answer",
            _aravis.arv_device_get_integer_feature_value,
            _aravis.arv_camera_get_device(self._camera),
            b"Width",
        )

    def close(self) -> None:
        if self._camera is None:
            return
        error = POINTER(_GError)()
        _aravis.arv_camera_stop_acquisition(self._camera, byref(error))
        if error:
            _gobject.g_error_free(error)  # gone, and cannot be told so
        self._drop_stream()
        _gobject.g_object_unref(self._camera)
        self._camera = None

    def _start(self) -> None:
        self._stream = self._call(
            "a stream of it", _aravis.arv_camera_create_stream, self._camera, None, None
        )
        for _ in range(BUFFERS):
            _aravis.arv_stream_push_buffer(
                self._stream, _aravis.arv_buffer_new_allocate(self._payload)
            )
        self._last_id = None
        self._call("it to start", _aravis.arv_camera_start_acquisition, self._camera)

    def _drop_stream(self) -> None:
        if self._stream is not None:
            _gobject.g_object_unref(self._stream)
            self._stream = None

    def _set_features(self) -> None:
        found: dict[str, FeatureValue] = {}
        for name, value in self._features.items():
            node = _aravis.arv_device_get_feature(
                _aravis.arv_camera_get_device(self._camera), name.encode()
            )
            if node is None:
                raise CameraError(
                    f"camera {self._id}: expected a feature of this camera, found {name!r}; "
                    "correct features"
                )
            written = str(value).lower() if isinstance(value, bool) else str(value)
            self._call(
                f"it to take {name} {value!r}",
                _aravis.arv_gc_feature_node_set_value_from_string,
                node,
                written.encode(),
                remedy="correct features",
            )
        for name, value in self._features.items():
            node = _aravis.arv_device_get_feature(
                _aravis.arv_camera_get_device(self._camera), name.encode()
            )
            read = self._call(
                f"to read {name}", _aravis.arv_gc_feature_node_get_value_as_string, node
            )
            found[name] = _like(value, read.decode())
        require_agreement(self._id, self._features, found)

    def _set_trigger(self) -> FiredBy:
        if self._line is None and not self._call(
            "to know its triggers", _aravis.arv_camera_is_software_trigger_supported, self._camera
        ):
            return FiredBy.ITSELF
        source = self._line or "Software"
        self._call(
            f"it to take the trigger {source}",
            _aravis.arv_camera_set_trigger,
            self._camera,
            source.encode(),
        )
        return FiredBy.SOFTWARE if self._line is None else FiredBy.LINE

    def _grab_of(self, buffer: int) -> Grab:
        number = _aravis.arv_buffer_get_frame_id(buffer)
        skipped = 0 if self._last_id is None else max(0, number - self._last_id - 1)
        self._last_id = number
        status = _aravis.arv_buffer_get_status(buffer)
        if status != SUCCESS:
            why = STATUS.get(status, f"status {status}")
            return Grab(bgr=None, why_broken=why, skipped=skipped)
        size = c_size_t()
        start = _aravis.arv_buffer_get_data(buffer, byref(size))
        try:
            bgr = bgr_of(
                ctypes.string_at(start, size.value),
                pixel_format=self._pixel_format,
                width=_aravis.arv_buffer_get_image_width(buffer),
                height=_aravis.arv_buffer_get_image_height(buffer),
            )
        except PictureError as exc:
            raise CameraError(f"camera {self._id}: {exc}") from exc
        exposed_ns = _aravis.arv_buffer_get_timestamp(buffer)
        return Grab(bgr=bgr, skipped=skipped, hardware_ns=exposed_ns or None)

    def _call(
        self, doing: str, function: Callable[..., Any], *arguments: object, remedy: str = REMEDY
    ) -> Any:
        """Call a function whose last argument is a GError; raise `CameraError` where it is set."""
        error = POINTER(_GError)()
        result = function(*arguments, byref(error))
        if error:
            what = error.contents.message.decode(errors="replace")
            _gobject.g_error_free(error)
            raise CameraError(f"camera {self._id}: expected {doing}, found {what!r}; {remedy}")
        return result


def connect(settings: CameraSettings) -> AravisDriver:
    """Return a driver for one connection to the camera of `settings`."""
    return AravisDriver(
        camera_id=settings.id,
        device=settings.device,
        features=settings.features,
        line=settings.trigger_line if settings.trigger_by == "camera_line" else None,
    )


def look() -> tuple[Found, ...]:
    """Return the cameras that Aravis sees; asks on every network interface."""
    with _device_list:
        _aravis.arv_update_device_list()
        return tuple(
            Found(
                driver="aravis",
                device=_text(_aravis.arv_get_device_id(index)),
                name=f"{_text(_aravis.arv_get_device_vendor(index))} "
                f"{_text(_aravis.arv_get_device_model(index))}",
            )
            for index in range(_aravis.arv_get_n_devices())
        )


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode(errors="replace")


def _like(asked: FeatureValue, read: str) -> FeatureValue:
    """Return what was read as the kind of value that was asked for; else the text itself."""
    try:
        if isinstance(asked, bool):
            return {"true": True, "1": True, "false": False, "0": False}[read.lower()]
        if isinstance(asked, int):
            return int(read)
        if isinstance(asked, float):
            return float(read)
    except (KeyError, ValueError):
        return read
    return read
