"""A camera with a thread of its own that always drains it, and brings it back when it is lost.

Frames that wait in a vendor's queue show the past: the reader takes each as it comes and keeps the
newest. What is known of a frame's moment of exposure is in `captured_ns`, and how wrong it may be
in `latency_bound_ms`; see `FrameSlot`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from edge.capture import Broken, CameraStatus, FrameSlot, Shot
from edge.drivers.contract import Driver, FiredBy, Grab
from edge.units import NS_PER_MS, NS_PER_S
from inspector.domain import Frame
from inspector.errors import CameraError
from inspector.settings import CameraSettings

log = logging.getLogger(__name__)

POLL_S = 0.1
CHECK_EVERY_S = 1.0
FIRST_PAUSE_S = 0.25
STEADY_AFTER_S = 5.0  # a camera that held this long is tried again soon after a loss
REARM_WITHIN_S = 1.0
CLOSE_WITHIN_S = 3.0
# FFmpeg comes back from a silent stream within 3 s, GenICam's calls within their timeouts
HANGS_AFTER_S = 5.0
OPEN_HANGS_AFTER_S = 30.0
RESTART_EVERY_S = 12.0  # 5 a minute
CLOCK_FRAMES = 64
KEPT_FOR_PAIRING = 8


class CameraClock:
    """Maps a camera's own clock to this machine's by the quickest of the last frames.

    The result is never later than the moment of receipt, and later than the exposure by the
    quickest transfer: `latency_bound_ms` covers that.
    """

    def __init__(self) -> None:
        self._delays: deque[int] = deque(maxlen=CLOCK_FRAMES)
        self._last_ns = 0

    def exposed_ns(self, hardware_ns: int, *, received_ns: int) -> int:
        """Return the exposure in monotonic ns of this machine."""
        if hardware_ns <= self._last_ns:  # the camera was reset, or its clock stands
            self._delays.clear()
        self._last_ns = hardware_ns
        self._delays.append(received_ns - hardware_ns)
        return hardware_ns + min(self._delays)


class LiveCamera:
    """One camera behind a driver. `open` starts the reader; any thread may call the rest."""

    def __init__(
        self,
        settings: CameraSettings,
        *,
        make_driver: Callable[[], Driver],
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.id = settings.id
        by_line = settings.trigger_by == "camera_line"
        self.slot = FrameSlot(
            latency_bound_ms=settings.latency_bound_ms or 0,
            keep=KEPT_FOR_PAIRING if by_line else 1,
        )
        self._settings = settings
        self._make_driver = make_driver
        self._clock_ns = clock_ns
        self._changed = threading.Condition(threading.RLock())
        self._status = CameraStatus(
            camera_id=self.id, is_up=False, detail=f"camera {self.id}: not opened yet"
        )
        self._reader: _Reader | None = None
        self._has_tried = False
        self._restarted_ns = -int(RESTART_EVERY_S * NS_PER_S)

    def open(self) -> None:
        """Start reading; a camera that is absent is tried again until it is there."""
        with self._changed:
            if self._reader is None:
                self._start_reader()

    def require(self, timeout_s: float) -> None:
        """Raise `CameraError` where the first attempt to reach it failed or takes longer."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_tried, timeout_s)
            if not self._status.is_up:
                raise CameraError(self._status.detail)

    def trigger(self, shot: Shot) -> None:  # noqa: ARG002  whatever the part, it is one exposure
        """Fire a camera that the station fires; any other exposes by itself."""
        status = self.status()
        with self._changed:
            reader = self._reader
            if reader is not None and reader.hangs():
                self._restart_where_allowed()
            if reader is None or not status.is_up:
                raise CameraError(status.detail)
        reader.fire()

    def abandon(self) -> None:
        """Have the camera forget a shot that gave no frame, lest it become the next part's."""
        with self._changed:
            reader = self._reader
        if reader is not None:
            reader.rearm_soon()  # may wait for the driver, and then nobody else may

    def status(self) -> CameraStatus:
        with self._changed:
            if self._reader is None:
                return self._status
            status = replace(self._status, progress_ns=self._reader.progress_ns)
            if not self._reader.hangs():
                return status
            return replace(
                status,
                is_up=False,
                detail=f"camera {self.id}: expected its driver to answer, found it hanging; it is "
                "begun anew with the next part; check the camera and its network",
            )

    def restart(self) -> None:
        """Begin anew with another reader; one that hangs in a vendor's code is left to its fate."""
        with self._changed:
            if self._reader is None:
                return
            self._restarted_ns = self._clock_ns()
            self._reader.leave()
            self._tell(self._reader, is_up=False, detail=f"camera {self.id}: restarted")
            self._start_reader()

    def _restart_where_allowed(self) -> None:
        if self._clock_ns() - self._restarted_ns > RESTART_EVERY_S * NS_PER_S:
            log.warning("camera %s: hangs in its driver; begun anew", self.id)
            self.restart()

    def close(self) -> None:
        with self._changed:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.leave()
            reader.join(CLOSE_WITHIN_S)

    def _start_reader(self) -> None:
        self._reader = _Reader(self, self._settings, self._make_driver, self._clock_ns)
        self._reader.start()

    # --- told by the reader -------------------------------------------------------------------

    def _tell(self, reader: _Reader, *, is_up: bool, detail: str = "") -> None:
        """Note how the camera is, unless another reader has taken over."""
        with self._changed:
            if reader is not self._reader:
                return
            if is_up:
                self.slot.find()
            else:
                self.slot.lose(detail)
            self._has_tried = True
            came_back = is_up and self._status.received > 0
            self._status = replace(
                self._status,
                is_up=is_up,
                detail=detail,
                reconnects=self._status.reconnects + came_back,
            )
            self._changed.notify_all()

    def _count(
        self, reader: _Reader, *, received: int = 0, skipped: int = 0, broken: int = 0
    ) -> int:
        """Add to the counters and return the number of the newest frame, lost ones included."""
        with self._changed:
            if reader is self._reader:
                self._status = replace(
                    self._status,
                    received=self._status.received + received,
                    skipped=self._status.skipped + skipped,
                    broken=self._status.broken + broken,
                )
            return self._status.received + self._status.skipped + self._status.broken

    def _hand_over(self, reader: _Reader, frame: Frame | Broken) -> None:
        with self._changed:
            if reader is self._reader:
                self.slot.put(frame)


class _Reader(threading.Thread):
    """Connects, drains, and connects again after a loss, until it is told to leave."""

    def __init__(
        self,
        camera: LiveCamera,
        settings: CameraSettings,
        make_driver: Callable[[], Driver],
        clock_ns: Callable[[], int],
    ) -> None:
        super().__init__(name=f"camera-{camera.id}", daemon=True)
        self._camera = camera
        self._settings = settings
        self._make_driver = make_driver
        self._clock_ns = clock_ns
        self._leaving = threading.Event()
        self._armed = threading.Condition()
        self._in_use = threading.Lock()
        self._must_rearm = False
        self._driver: Driver | None = None
        self._fired_by = FiredBy.ITSELF
        self._fired_ns = 0
        self._is_awaited = False  # a shot was fired and its frame has not come
        self._bound_ns = int((settings.latency_bound_ms or 0) * NS_PER_MS)
        self.progress_ns = clock_ns()

    # --- any thread ---------------------------------------------------------------------------

    def leave(self) -> None:
        self._leaving.set()

    def hangs(self) -> bool:
        """Return whether the vendor's code has not come back for longer than it ever should."""
        limit_s = HANGS_AFTER_S
        if self._driver is None:
            limit_s = OPEN_HANGS_AFTER_S + self._settings.reconnect_max_s
        return self._clock_ns() - self.progress_ns > limit_s * NS_PER_S

    def rearm_soon(self) -> None:
        with self._armed:
            self._must_rearm = self._fired_by is FiredBy.SOFTWARE

    def fire(self) -> None:
        """Fire once nothing of an earlier shot can arrive any more."""
        with self._armed:
            if self._fired_by is not FiredBy.SOFTWARE:
                return
            self._armed.wait_for(lambda: not self._must_rearm, REARM_WITHIN_S)
            if self._must_rearm or self._driver is None:
                raise CameraError(
                    f"camera {self._camera.id}: expected it ready for the next shot within "
                    f"{REARM_WITHIN_S:g} s, found it still busy with one that gave no frame; "
                    "check the camera"
                )
            self._fired_ns, self._is_awaited = self._clock_ns(), True
        # the reader goes on draining meanwhile, and may lose the camera, but not close it
        with self._in_use:
            if self._driver is not None:
                self._driver.fire()

    # --- the reader's own thread --------------------------------------------------------------

    def run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._leaving.is_set():
            opened_ns = self._clock_ns()
            try:
                self._read_until_lost()
            except CameraError as exc:
                why = str(exc)
            except Exception as exc:
                # a fault of one driver must not end the other cameras or the station
                log.exception("camera %s: its driver failed", self._camera.id)
                why = f"camera {self._camera.id}: its driver failed: {type(exc).__name__}: {exc}"
            else:
                break
            self.progress_ns = self._clock_ns()
            self._tell_lost(why)
            if self._clock_ns() - opened_ns > STEADY_AFTER_S * NS_PER_S:
                pause_s = FIRST_PAUSE_S
            self._leaving.wait(min(pause_s, self._settings.reconnect_max_s))
            pause_s = min(2 * pause_s, self._settings.reconnect_max_s)

    def _tell_lost(self, why: str) -> None:
        if not self._leaving.is_set() and self._camera.status().detail != why:
            log.warning("%s", why)
        self._camera._tell(self, is_up=False, detail=why)

    def _read_until_lost(self) -> None:
        """Return when told to leave; raise `CameraError` when the camera is lost."""
        driver = self._make_driver()
        try:
            fired_by = driver.open()
            self._require_bound(fired_by)
            # of a camera fired by the station the order of shots says whose a frame is
            self._camera.slot.bound_ns = 0 if fired_by is FiredBy.SOFTWARE else self._bound_ns
            self.progress_ns = self._clock_ns()
            with self._armed:
                self._driver, self._fired_by = driver, fired_by
                self._must_rearm, self._is_awaited, self._fired_ns = False, False, 0
            log.info("camera %s: up, fired by %s", self._camera.id, fired_by.value)
            self._camera._tell(self, is_up=True)
            self._drain(driver, fired_by)
        finally:
            with self._armed:
                self._driver, self._must_rearm = None, False
                self._armed.notify_all()
            with self._in_use:
                driver.close()

    def _require_bound(self, fired_by: FiredBy) -> None:
        if fired_by is not FiredBy.SOFTWARE and self._settings.latency_bound_ms is None:
            if self._settings.is_video_file:
                return
            raise CameraError(
                f"camera {self._camera.id}: expected latency_bound_ms, since it is fired by "
                f"{fired_by.value} and a frame may be the previous part's; found none. README says "
                "how to measure it"
            )

    def _drain(self, driver: Driver, fired_by: FiredBy) -> None:
        clock = CameraClock()
        heard_ns = checked_ns = self._clock_ns()
        while not self._leaving.is_set():
            self._rearm_where_asked(driver)
            grab = driver.grab(POLL_S)
            now_ns = self.progress_ns = self._clock_ns()
            if grab is not None:
                heard_ns = checked_ns = now_ns
                self._take(grab, clock, fired_by, received_ns=now_ns)
                continue
            if fired_by is FiredBy.ITSELF:
                self._require_heard(now_ns - heard_ns)
            if now_ns - checked_ns > CHECK_EVERY_S * NS_PER_S:
                checked_ns = now_ns
                driver.check()

    def _rearm_where_asked(self, driver: Driver) -> None:
        with self._armed:
            if self._must_rearm:
                driver.rearm()
                self._must_rearm = self._is_awaited = False
                self._armed.notify_all()

    def _require_heard(self, silent_ns: int) -> None:
        if silent_ns > self._settings.silent_after_s * NS_PER_S:
            raise CameraError(
                f"camera {self._camera.id}: expected frames, found none for "
                f"{self._settings.silent_after_s:g} s; check cable, power and network"
            )

    def _require_awaited(self) -> None:
        """A camera that says it waits for its trigger and does not would show the wrong part."""
        with self._armed:
            is_awaited, self._is_awaited = self._is_awaited, False
        if not is_awaited:
            raise CameraError(
                f"camera {self._camera.id}: expected frames only when it is fired, found one that "
                "nobody fired for: it does not keep to its software trigger; check its firmware, "
                "and what else talks to it"
            )

    def _take(self, grab: Grab, clock: CameraClock, fired_by: FiredBy, *, received_ns: int) -> None:
        is_whole = grab.bgr is not None
        seq = self._camera._count(
            self, received=is_whole, skipped=grab.skipped, broken=not is_whole
        )
        captured_ns = received_ns
        if grab.hardware_ns is not None:
            captured_ns = clock.exposed_ns(grab.hardware_ns, received_ns=received_ns)
        if fired_by is FiredBy.SOFTWARE:
            self._require_awaited()
            # nothing of an earlier shot is left, so the frame was exposed after it was fired for;
            # the mapped clock may lie some microseconds before that
            captured_ns = max(captured_ns, self._fired_ns)
        if grab.bgr is None:
            if fired_by is not FiredBy.ITSELF:  # else the next one serves
                self._camera._hand_over(
                    self,
                    Broken(
                        camera_id=self._camera.id,
                        seq=seq,
                        captured_ns=captured_ns,
                        why=grab.why_broken,
                    ),
                )
            return
        age_ns = self._clock_ns() - captured_ns
        self._camera._hand_over(
            self,
            Frame(
                camera_id=self._camera.id,
                seq=seq,
                captured_at=datetime.now(UTC) - timedelta(microseconds=age_ns / 1000),
                captured_ns=captured_ns,
                bgr=grab.bgr,
            ),
        )
