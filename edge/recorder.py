"""Spool, rows and outbox: what is judged and answered is on disk, whatever ends next.

Before a PASS or FAIL leaves, its candidate is on disk (fsync), and then what is about to leave
(written only). The record thread makes the row with its outbox message in one transaction and
forgets the spool's copy. The outbox thread publishes records in order and marks
them on a good PUBACK only.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from edge.mqtt import Link, Message, Receipt
from inspector.domain import Decision, Frame, Inspection
from inspector.errors import RecordRefused, StorageError
from inspector.storage.files import Pictures
from inspector.storage.spool import OpenTicket, Settlement, Spool
from inspector.storage.store import Store

log = logging.getLogger(__name__)

RETRY_FIRST_S, RETRY_MAX_S = 0.2, 5.0
BACKLOG_MAX = 2000  # parts waiting for the database; beyond this nothing more is passed


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
    ) -> None:
        """Prepare to record; `recorded` is told the seq of each row, in the record thread."""
        self._recorded = recorded
        self._station_id = station_id
        self._store = store
        self._spool = spool
        self._pictures = pictures
        self._min_free_mb = min_free_mb
        self._work: queue.SimpleQueue[Finished | Settlement | Event | None] = queue.SimpleQueue()
        self._unrecorded = 0
        self._counting = threading.Lock()
        self._hurry = threading.Event()
        self._picture_writers = ThreadPoolExecutor(picture_writers, thread_name_prefix="picture")

    @property
    def unrecorded(self) -> int:
        """How many parts wait for their row."""
        return self._unrecorded

    def why_full(self) -> str | None:
        """Return why no PASS can be recorded now, None where one can. Asks the disk."""
        if self._unrecorded >= BACKLOG_MAX:
            return f"{self._unrecorded} parts wait for the database; check it"
        try:
            free_mb = self._pictures.free_mb()
        except StorageError as exc:
            return str(exc)
        if free_mb < self._min_free_mb:
            return (
                f"expected {self._min_free_mb} MB free in {self._pictures.folder}, "
                f"found {free_mb}; make room on the disk"
            )
        return None

    def free_mb(self) -> int:
        """Return the free space of the disk, 0 where it cannot be told."""
        try:
            return self._pictures.free_mb()
        except StorageError:
            return 0

    def note_open(self, note: OpenTicket) -> None:
        """Have on disk that a ticket is open; raises `StorageError`."""
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

    def note_event(self, kind: str, detail: str) -> None:
        """Hand over what happened to the station."""
        self._work.put(Event(kind=kind, detail=detail, at=datetime.now(UTC)))

    def run(self) -> None:
        """Make rows until `stop`: the body of the record thread."""
        while (work := self._work.get()) is not None:
            match work:
                case Finished():
                    self._record(work)
                    with self._counting:
                        self._unrecorded -= 1
                case Settlement():
                    self._try_spool(partial(self._spool.settle, work))
                case Event():
                    self._record_event(work)

    def stop(self) -> None:
        """Let the record thread finish what was handed over; what fails now stays in the spool."""
        self._hurry.set()
        self._work.put(None)
        self._picture_writers.shutdown(wait=False)

    def _save(self, frame: Frame, inspection_id: UUID) -> str:
        relative = self._pictures.path(inspection_id, frame.captured_at)
        self._pictures.save(frame.bgr, relative)
        return relative

    def _record(self, finished: Finished) -> None:
        inspection = finished.settlement.applied_to(finished.inspection)
        if inspection.verdict.decision is Decision.HOLD:
            # a HOLD may leave before anything is on disk, and may replace an earlier candidate
            self._try_spool(partial(self._spool.candidate, inspection))
        retry_s = RETRY_FIRST_S
        while True:
            try:
                seq = self._store.record(inspection)
                break
            except RecordRefused as exc:
                # one record must not keep all the others waiting
                log.error("%s: not recorded: %s", inspection.request_id, exc)
                self._try_spool(lambda: self._spool.set_aside(inspection.id))
                return
            except StorageError as exc:
                log.error("%s: not recorded yet: %s", inspection.request_id, exc)
                if retry_s == RETRY_FIRST_S:
                    # the row would have said it; now the spool must, whatever ends next
                    self._try_spool(partial(self._spool.settle, finished.settlement))
                if self._hurry.is_set():
                    return
                self._hurry.wait(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
        self._try_spool(partial(self._spool.remove, inspection.id))
        self._recorded(seq)

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


class Outbox:
    """Publishes every record once or more, in order, after any outage."""

    def __init__(self, *, store: Store, link: Link, topic: str, station_id: str) -> None:
        self._store = store
        self._link = link
        self._topic = topic
        self._station_id = station_id
        self._window = 10  # below every broker's receive maximum known (Mosquitto: 20)
        self._in_flight: dict[int, int] = {}  # seq by token
        self._fresh: set[int] = set()
        self._reconnects = link.reconnects
        self._stopping = threading.Event()

    def recorded(self, seq: int) -> None:
        """Note that a record is committed, and publish soon. Any thread may call."""
        if self._link.is_up:
            self._fresh.add(seq)
        self._link.receipts.put(None)

    def run(self) -> None:
        """Publish until `stop`: the body of the outbox thread."""
        retry_s = RETRY_FIRST_S
        while not self._stopping.is_set():
            try:
                self._mark(self._receipts(wait_s=1.0))
                self._publish()
                retry_s = RETRY_FIRST_S
            except StorageError as exc:
                log.warning("outbox: %s", exc)
                self._stopping.wait(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)

    def stop(self) -> None:
        self._stopping.set()
        self._link.receipts.put(None)

    def is_empty(self) -> bool:
        """Return whether the broker has every record; raises `StorageError`."""
        return not self._store.pending_outbox(1, station_id=self._station_id)

    def _receipts(self, *, wait_s: float) -> list[Receipt]:
        found = []
        try:
            receipt = self._link.receipts.get(timeout=wait_s)
            while True:
                if receipt is not None:
                    found.append(receipt)
                receipt = self._link.receipts.get_nowait()
        except queue.Empty:
            return found

    def _mark(self, receipts: list[Receipt]) -> None:
        if not self._link.is_up or self._link.reconnects != self._reconnects:
            # a new connection knows nothing of what the old one was sent
            self._reconnects = self._link.reconnects
            self._in_flight.clear()
            self._fresh.clear()
        delivered = []
        for receipt in receipts:
            seq = self._in_flight.pop(receipt.token, None)
            if seq is None:
                continue
            if receipt.delivered:
                delivered.append(seq)
                self._fresh.discard(seq)
            else:
                log.error("record %s: the broker refused it: %s", seq, receipt.detail)
                self._stopping.wait(RETRY_FIRST_S)
        self._store.mark_published(tuple(delivered))

    def _publish(self) -> None:
        if not self._link.is_up or len(self._in_flight) >= self._window:
            return
        waiting = self._store.pending_outbox(self._window, station_id=self._station_id)
        under_way = set(self._in_flight.values())
        for message in waiting:
            if message.seq in under_way:
                continue
            token = self._link.publish(
                Message(
                    topic=self._topic,
                    payload=_with_replayed(message.payload, message.seq not in self._fresh),
                )
            )
            if token is None:
                return
            self._in_flight[token] = message.seq


def _with_replayed(payload: str, replayed: bool) -> bytes:
    record = json.loads(payload)
    return json.dumps(
        {"schema": record.pop("schema"), "replayed": replayed, **record}, allow_nan=False
    ).encode()
