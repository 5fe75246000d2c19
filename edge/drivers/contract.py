"""What one kind of camera can do, as `edge.live_camera` needs it. All drivers pass one test suite.

A driver is used once: `open`, then `grab` again and again until it raises, then `close`. One
thread does all that; only `fire` comes from another. Vendors' exceptions end here: a driver raises
`CameraError` where the camera is lost or refuses, and nothing else on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from inspector.domain import Bgr
from inspector.errors import CameraError, PictureError

FeatureValue = bool | int | float | str
# Cameras round exposure, gain and rates to what their clock divides into.
ROUNDING_SHARE = 0.01


class FiredBy(Enum):
    """What makes the camera expose."""

    ITSELF = "itself"
    SOFTWARE = "software"
    LINE = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grab:
    """What a camera handed over: a picture, or why it is none.

    `skipped` frames were lost right before it. `hardware_ns` is the camera's own clock at the
    exposure; its zero means nothing.
    """

    bgr: Bgr | None
    why_broken: str = ""
    skipped: int = 0
    hardware_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A camera that is there; `device` is what a station file calls it."""

    driver: str
    device: str
    name: str


class Driver(Protocol):
    """One connection to one camera."""

    def open(self) -> FiredBy:
        """Connect, set the features, read them back, and be ready for frames.

        Raises `CameraError`; a failed open leaves nothing behind that `close` would not let go.
        """
        ...

    def grab(self, timeout_s: float) -> Grab | None:
        """Return the oldest frame not yet handed over, None where none came in time."""
        ...

    def fire(self) -> None:
        """Have a camera fired by SOFTWARE expose one frame. Any thread.

        Raises `NoFrame` where it is not ready for one.
        """
        ...

    def rearm(self) -> None:
        """Forget what was exposed and not handed over."""
        ...

    def check(self) -> None:
        """Raise `CameraError` where the camera is gone; for the quiet between triggers."""
        ...

    def close(self) -> None:
        """Let the camera go; harmless at any moment, and never raises."""
        ...


def agrees(asked: FeatureValue, found: FeatureValue) -> bool:
    """Return whether a camera's setting, read back, is what was asked for."""
    if isinstance(asked, str) or isinstance(found, str):
        return str(asked) == str(found)
    if isinstance(asked, float) or isinstance(found, float):
        return abs(asked - found) <= ROUNDING_SHARE * max(abs(asked), abs(found))
    return asked == found


def require_agreement(
    camera_id: str, asked: Mapping[str, FeatureValue], found: Mapping[str, FeatureValue]
) -> None:
    """Raise `CameraError` that names every setting which the camera did not take."""
    refused = [
        f"{name} {value!r}, found {found[name]!r}"
        for name, value in asked.items()
        if not agrees(value, found[name])
    ]
    if refused:
        raise CameraError(
            f"camera {camera_id}: expected it to take {'; '.join(refused)}; correct features to "
            "what the camera can do"
        )


@contextmanager
def as_camera_error(
    camera_id: str, doing: str, *kinds: type[Exception], remedy: str
) -> Iterator[None]:
    """Turn a vendor's exceptions into `CameraError`."""
    try:
        yield
    except kinds as exc:
        what = " ".join(str(exc).split())[:200] or type(exc).__name__
        raise CameraError(
            f"camera {camera_id}: expected {doing}, found {what!r}; {remedy}"
        ) from exc
    except PictureError as exc:
        raise CameraError(f"camera {camera_id}: {exc}") from exc
