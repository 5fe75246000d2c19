"""Spool, rows and outbox: what is judged and answered is on disk, whatever ends next.

Before a PASS or FAIL leaves, its candidate is on disk (fsync), and then what is about to leave
(written only). The record thread makes the row with its outbox message in one transaction and
forgets the spool's copy.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from edge.supervision import Turn
from edge.units import NS_PER_S
from inspector.domain import Decision, Frame, Inspection
from inspector.errors import RecordRefused, StorageError
from inspector.storage.files import Pictures
from inspector.storage.spool import OpenTicket, Settlement, Spool
from inspector.storage.store import Store

log = logging.getLogger(__name__)

RETRY_FIRST_S, RETRY_MAX_S = 0.2, 5.0
MINOR_BURST, MINOR_PER_S = 20, 2
EARLY_ACKNOWLEDGEMENTS = 1000  # that are quicker than the row of their part
PROBE_EVERY_S = 5.0  # a healthy disk; one that refused is asked at each look


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A part as its row will have it, and how it was settled."""

    inspection: Inspection
    settlement: Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to the station."""

    kind: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The PLC has read the result of a part."""

    id: UUID
    by: str
    at: datetime


_Work = Finished | Settlement | Event | Acknowledged


class _Trickle:
    """Lets `MINOR_BURST` through at once and `MINOR_PER_S` a second after that."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._level = 0.0
        self._seen_ns = clock_ns()
        self._left_out = 0

    def take(self) -> bool:
        with self._lock:
            now_ns = self._clock_ns()
            run_out = (now_ns - self._seen_ns) / NS_PER_S * MINOR_PER_S
            self._level = max(0.0, self._level - run_out)
            self._seen_ns = now_ns
            if self._level >= MINOR_BURST:
                self._left_out += 1
                return False
            self._level += 1
            return True

    def left_out(self) -> int:
        """Return how many were left out since this was asked."""
        with self._lock:
            left_out, self._left_out = self._left_out, 0
            return left_out


class Recorder:
    """Keeps what happens to parts. Only the methods that say so touch the disk."""

    def __init__(
        self,
        *,
        station_id: str,
        store: Store,
        spool: Spool,
        pictures: Pictures,
        min_free_mb: int,
        recorded: Callable[[int], None],
        picture_writers: int = 1,
        spool_max: int = 2000,
        silent_after_s: float = 20.0,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Prepare to record; `recorded` is told the seq of each row, in the record thread.

        Beyond `spool_max` parts without a row nothing passes. A disk that has not answered a look
        for `silent_after_s` counts as lost.
        """
        self._recorded = recorded
        self._station_id = station_id
        self._store = store
        self._spool = spool
        self._pictures = pictures
        self._min_free_mb = min_free_mb
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._current: _Work | None = None
        self._without_row: dict[UUID, Acknowledged] = {}
        self._spool_max = spool_max
        self._silent_after_ns = int(silent_after_s * NS_PER_S)
        self._clock_ns = clock_ns
        self._looked_ns: int | None = None
        self._probed_ns: int | None = None
        self._refused: str | None = None
        self._free_mb = 0
        self._unremoved: deque[UUID] = deque()
        self._minor = _Trickle(clock_ns)
        self._unrecorded = 0
        self._counting = threading.Lock()
        self._hurry = threading.Event()
        self._picture_writers = ThreadPoolExecutor(picture_writers, thread_name_prefix="picture")

    @property
    def unrecorded(self) -> int:
        """How many parts wait for their row."""
        return self._unrecorded

    @property
    def spool_share(self) -> float:
        """How full the spool is, 1 at its limit."""
        return self._unrecorded / self._spool_max

    @property
    def free_mb(self) -> int:
        """The free space of the disk at the last look, 0 where it cannot be told."""
        return self._free_mb

    @property
    def is_low(self) -> bool:
        """Whether less than twice the space is left below which nothing passes."""
        return self._looked_ns is not None and self._free_mb < 2 * self._min_free_mb

    def why_full(self) -> str | None:
        """Return why no PASS can be recorded now, None where one can. Never asks the disk."""
        if self._unrecorded >= self._spool_max:
            return f"{self._unrecorded} parts wait for the database; check it"
        looked_ns = self._looked_ns
        if looked_ns is not None and self._clock_ns() - looked_ns > self._silent_after_ns:
            return (
                f"expected {self._pictures.folder} to answer, found the disk silent for "
                f"{(self._clock_ns() - looked_ns) / NS_PER_S:.0f} s; check it"
            )
        return self._refused

    def look_at_disk(self) -> None:
        """Find out whether records can be written: free space, and now and then a real write."""
        try:
            self._free_mb = self._pictures.free_mb()
            refused = None
            if self._free_mb < self._min_free_mb:
                refused = (
                    f"expected {self._min_free_mb} MB free in {self._pictures.folder}, "
                    f"found {self._free_mb}; make room on the disk"
                )
            elif self._is_probe_due():
                self._spool.probe()
                self._pictures.probe()
                self._probed_ns = self._clock_ns()
                while self._unremoved:
                    self._spool.remove(self._unremoved[0])
                    self._unremoved.popleft()
        except StorageError as exc:
            refused = str(exc)
        self._refused = refused
        self._looked_ns = self._clock_ns()

    def _is_probe_due(self) -> bool:
        return (
            self._refused is not None
            or self._probed_ns is None
            or self._clock_ns() - self._probed_ns >= PROBE_EVERY_S * NS_PER_S
        )

    def note_open(self, note: OpenTicket) -> None:
        """Have on disk that a ticket is open; raises `StorageError`."""
        with self._noticing_refusals():
            self._spool.open_ticket(note)

    def save_picture(self, frame: Frame, inspection_id: UUID) -> Future[str]:
        """Start to write the picture in a thread of its own; the result is its relative path.

        The future raises `StorageError` where it could not be written.
        """
        return self._picture_writers.submit(self._save, frame, inspection_id)

    def candidate(self, inspection: Inspection) -> None:
        """Have on disk what was judged; raises `StorageError`.

        It says nothing of what leaves: without a settlement its row says that nothing did.
        """
        with self._noticing_refusals():
            self._spool.candidate(inspection)

    def leaving(self, settlement: Settlement) -> None:
        """Note what is about to leave, or what left after all, for whoever finds a crash.

        Written, not fsynced: the candidate, which must not be lost, is on the disk already.
        """
        self._try_spool(partial(self._spool.settle, settlement, durable=False))

    def finish(self, finished: Finished) -> None:
        """Hand a part over to the record thread."""
        with self._counting:
            self._unrecorded += 1
        self._work.put(finished)

    def note_settlement(self, settlement: Settlement) -> None:
        """Hand over what left for a part that is still being worked on."""
        self._work.put(settlement)

    def note_event(self, kind: str, detail: str, *, is_minor: bool = False) -> None:
        """Hand over what happened to the station.

        Of minor events, such as messages that cannot be read, only so many a second are kept: who
        floods the station must not fill its database, nor keep the parts' rows waiting.
        """
        if is_minor and not self._minor.take():
            return
        if is_minor and (left_out := self._minor.left_out()):
            detail = f"{detail} (and {left_out} more before)"
        self._work.put(Event(kind=kind, detail=detail, at=datetime.now(UTC)))

    def acknowledged(self, inspection_id: UUID, *, by: str) -> None:
        """Hand over that the PLC has read the result of a part."""
        self._work.put(Acknowledged(id=inspection_id, by=by, at=datetime.now(UTC)))

    def run(self, turn: Turn) -> None:
        """Make rows until `stop`: the body of the record thread.

        What a thread that got stuck had in hand is done again by the next one: a row that is there
        already stays as it is.
        """
        while not turn.ended():
            work = self._current or self._work.get()
            if work is None:
                return
            self._current = work
            match work:
                case Finished():
                    self._record(work, turn)
                case Settlement():
                    with turn.work("a settlement"):
                        self._try_spool(partial(self._spool.settle, work))
                case Event():
                    with turn.work("an event"):
                        self._record_event(work)
                case Acknowledged():
                    self._record_acknowledgement(work, turn)
            if turn.ended():
                return
            self._current = None
            if isinstance(work, Finished):
                with self._counting:
                    self._unrecorded -= 1

    def stop(self) -> None:
        """Let the record thread finish what was handed over; what fails now stays in the spool."""
        self._hurry.set()
        self._work.put(None)
        self._picture_writers.shutdown(wait=False)

    def _save(self, frame: Frame, inspection_id: UUID) -> str:
        relative = self._pictures.path(inspection_id, frame.captured_at)
        with self._noticing_refusals():
            self._pictures.save(frame.bgr, relative)
        return relative

    @contextlib.contextmanager
    def _noticing_refusals(self) -> Iterator[None]:
        """Withdraw readiness at once when the disk refuses; the next good look gives it back."""
        try:
            yield
        except StorageError as exc:
            self._refused = str(exc)
            raise

    def _record(self, finished: Finished, turn: Turn) -> None:
        inspection = finished.settlement.applied_to(finished.inspection)
        if inspection.verdict.decision is Decision.HOLD:
            # a HOLD may leave before anything is on disk, and may replace an earlier candidate
            with turn.work(f"the spool, {inspection.request_id}"):
                self._try_spool(partial(self._spool.candidate, inspection))
        retry_s = RETRY_FIRST_S
        while True:
            try:
                with turn.work(f"the row of {inspection.request_id}"):
                    seq = self._store.record(inspection)
                break
            except RecordRefused as exc:
                # one record must not keep all the others waiting
                log.error(
                    "%s: not recorded: %s", inspection.request_id, exc, extra=_ids(inspection)
                )
                self._try_spool(lambda: self._spool.set_aside(inspection.id))
                return
            except StorageError as exc:
                log.error(
                    "%s: not recorded yet: %s",
                    inspection.request_id,
                    exc,
                    extra=_ids(inspection),
                )
                if retry_s == RETRY_FIRST_S:
                    # the row would have said it; now the spool must, whatever ends next
                    self._try_spool(partial(self._spool.settle, finished.settlement))
                if self._hurry.is_set() or turn.ended():
                    return
                self._hurry.wait(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
        if turn.ended():
            return
        self._forget(inspection.id)
        self._recorded(seq)
        if (early := self._without_row.get(inspection.id)) is not None:
            self._record_acknowledgement(early, turn)

    def _forget(self, inspection_id: UUID) -> None:
        """Remove a ticket that has its row; what refuses now is removed after a good look."""
        try:
            self._spool.remove(inspection_id)
        except StorageError as exc:
            log.warning("spool: %s", exc)
            self._unremoved.append(inspection_id)

    def _record_acknowledgement(self, acknowledged: Acknowledged, turn: Turn) -> None:
        """Note it beside the part, or keep it for the row that is still to come."""
        retry_s = RETRY_FIRST_S
        while True:
            try:
                with turn.work("an acknowledgement"):
                    has_row = self._store.acknowledge(
                        acknowledged.id, by=acknowledged.by, at=acknowledged.at
                    )
                break
            except StorageError as exc:
                log.warning("acknowledgement of %s not recorded: %s", acknowledged.id, exc)
                if isinstance(exc, RecordRefused) or self._hurry.is_set() or turn.ended():
                    return
                self._hurry.wait(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
        if has_row:
            self._without_row.pop(acknowledged.id, None)
        elif not turn.ended():
            while len(self._without_row) >= EARLY_ACKNOWLEDGEMENTS:
                del self._without_row[next(iter(self._without_row))]
            self._without_row[acknowledged.id] = acknowledged

    def _record_event(self, event: Event) -> None:
        try:
            self._store.add_station_event(self._station_id, event.kind, event.detail, event.at)
        except StorageError as exc:
            log.warning("event %s (%s) not recorded: %s", event.kind, event.detail, exc)

    def _try_spool(self, write: Callable[[], object]) -> None:
        """Write what the row will say as well: without it a crash loses less than a part."""
        try:
            write()
        except StorageError as exc:
            log.warning("spool: %s", exc)


def _ids(inspection: Inspection) -> dict[str, str]:
    return {"request_id": inspection.request_id, "inspection_id": str(inspection.id)}
