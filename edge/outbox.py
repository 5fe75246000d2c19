"""The record stream: every record at least once, in order, after any outage."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge.mqtt import Link, Message, Receipt
from edge.queues import taken
from edge.supervision import Turn
from edge.units import NS_PER_S
from inspector.errors import StorageError
from inspector.storage.store import OutboxMessage, Store

log = logging.getLogger(__name__)

RETRY_FIRST_S, RETRY_MAX_S = 0.2, 5.0
COUNT_EVERY_S = 5.0
WINDOW = 10  # messages in flight; below every broker's receive maximum known (Mosquitto: 20)
MARK_WITHIN_S = 0.1  # after its PUBACK: one statement marks those of so long
PRUNE_AT_ONCE = 500  # some 10 ms of the database's one writer
PRUNE_EVERY_S, PRUNE_ON_S = 60.0, 1.0  # the latter while more is old
REPLAYS_MAX = 8  # asked for and not yet begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Records that somebody asks for again: those after `after_seq`, at most `left`."""

    after_seq: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What the broker has not acknowledged yet."""

    records: int = 0
    oldest_at: datetime | None = None

    def age_s(self, now: datetime) -> float:
        return 0.0 if self.oldest_at is None else max(0.0, (now - self.oldest_at).total_seconds())


class Outbox:
    """Publishes records, marks them on a good PUBACK only, and sends old ones again when asked."""

    def __init__(
        self,
        *,
        store: Store,
        link: Link,
        topic: str,
        station_id: str,
        keep_days: int = 0,
        needed_above: Callable[[], int | None] = lambda: None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Send the records of one station.

        What the broker has is deleted `keep_days` after its part, never where that is 0.
        `needed_above` names the seq above which another reader still needs them, None for none.
        """
        self.waiting = Waiting()
        self.refused = 0
        self.replayed = 0
        self._store = store
        self._link = link
        self._topic = topic
        self._station_id = station_id
        self._clock_ns = clock_ns
        self._in_flight: dict[int, int | None] = {}  # seq by token; None for a replay
        self._fresh: set[int] = set()
        self._has_news = True  # something may be pending that is not under way
        self._delivered: set[int] = set()  # and not marked yet
        self._mark_at_ns: int | None = None
        self._replays: deque[Replay] = deque()
        self._reconnects = link.reconnects
        self._counted_ns: int | None = None
        self._keep = timedelta(days=keep_days)
        self._needed_above = needed_above
        self._now = now
        self._prune_at_ns = 0
        self._stopping = threading.Event()

    def recorded(self, seq: int) -> None:
        """Note that a record is committed, and publish soon. Any thread may call."""
        if self._link.is_up:
            self._fresh.add(seq)
        self._has_news = True
        self._link.receipts.put(None)

    def replay(self, asked: Replay) -> bool:
        """Send records again, soon; return False where too many wait. Any thread may call."""
        if len(self._replays) >= REPLAYS_MAX:
            return False
        self._replays.append(asked)
        self._link.receipts.put(None)
        return True

    def run(self, turn: Turn) -> None:
        """Publish until `stop`: the body of the outbox thread."""
        retry_s = RETRY_FIRST_S
        self._begin_anew()  # what a stuck thread had sent is sent again
        while not self._stopping.is_set() and not turn.ended():
            wait_s = MARK_WITHIN_S if self._delivered else 1.0
            receipts = tuple(taken(self._link.receipts, wait_s=wait_s))
            try:
                with turn.work("the outbox"):
                    self._read(receipts)
                    self._mark()
                    self._publish(turn)
                    self._publish_replays(turn)
                    self._count()
                    self._prune()
                retry_s = RETRY_FIRST_S
            except StorageError as exc:
                log.warning("outbox: %s", exc)
                self._has_news = True
                self._stopping.wait(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
        if not turn.ended():
            self._mark_the_last(turn)

    def stop(self) -> None:
        self._stopping.set()
        self._link.receipts.put(None)

    def is_empty(self) -> bool:
        """Return whether the broker has every record; raises `StorageError`."""
        return not self._store.pending_outbox(1, station_id=self._station_id)

    def age_s(self) -> float:
        """Return how long the oldest record waits, from its trigger; as of the last count."""
        return self.waiting.age_s(datetime.now(UTC))

    def _begin_anew(self) -> None:
        self._in_flight.clear()
        self._has_news = True

    def _read(self, receipts: tuple[Receipt, ...]) -> None:
        if not self._link.is_up or self._link.reconnects != self._reconnects:
            # a new connection knows nothing of what the old one was sent
            self._reconnects = self._link.reconnects
            self._begin_anew()
            self._fresh.clear()
        for receipt in receipts:
            if receipt.token not in self._in_flight:
                continue
            seq = self._in_flight.pop(receipt.token)
            if seq is None:
                continue
            if receipt.delivered:
                self._delivered.add(seq)
                self._fresh.discard(seq)
            else:
                self.refused += 1
                self._has_news = True
                log.error("record %s: the broker refused it: %s", seq, receipt.detail)
                self._stopping.wait(RETRY_FIRST_S)

    def _mark(self) -> None:
        """Mark what the broker has, a few at a time: each time costs the database a sync."""
        if not self._delivered:
            return
        now_ns = self._clock_ns()
        if self._mark_at_ns is None:
            self._mark_at_ns = now_ns + int(MARK_WITHIN_S * NS_PER_S)
        if now_ns >= self._mark_at_ns or len(self._delivered) >= WINDOW:
            self._mark_now()

    def _mark_now(self) -> None:
        delivered = tuple(self._delivered)
        self._store.mark_published(delivered)
        self._delivered.difference_update(delivered)
        self._mark_at_ns = None

    def _mark_the_last(self, turn: Turn) -> None:
        """Mark all that was acknowledged before `stop`, read or not."""
        try:
            with turn.work("the outbox"):
                self._read(tuple(taken(self._link.receipts)))
                self._mark_now()
        except StorageError as exc:
            log.warning("outbox: %s", exc)

    def _publish(self, turn: Turn) -> None:
        room = WINDOW - len(self._in_flight)
        if turn.ended() or not self._link.is_up or room <= 0 or not self._has_news:
            return
        self._has_news = False
        under_way = {seq for seq in self._in_flight.values() if seq is not None}
        waiting = self._store.pending_outbox(
            room, station_id=self._station_id, besides=under_way | self._delivered
        )
        if turn.ended():
            return  # the database answers late: another thread has sent these
        for message in waiting:
            if not self._send(message, seq=message.seq, replayed=message.seq not in self._fresh):
                self._has_news = True
                return
        if len(waiting) == room:
            self._has_news = True  # there may be more

    def _publish_replays(self, turn: Turn) -> None:
        """Send the next of what was asked for, behind what is new."""
        while (
            not turn.ended()
            and self._replays
            and self._link.is_up
            and len(self._in_flight) < WINDOW
        ):
            asked = self._replays[0]
            found = self._store.outbox_after(
                asked.after_seq,
                station_id=self._station_id,
                limit=min(asked.left, WINDOW - len(self._in_flight)),
            )
            if turn.ended():
                return
            for message in found:
                if not self._send(message, seq=None, replayed=True):
                    return
                self.replayed += 1
                asked = Replay(after_seq=message.seq, left=asked.left - 1)
            if not found or asked.left == 0:
                self._replays.popleft()
            else:
                self._replays[0] = asked

    def _send(self, message: OutboxMessage, *, seq: int | None, replayed: bool) -> bool:
        token = self._link.publish(
            Message(topic=self._topic, payload=_with_replayed(message.payload, replayed))
        )
        if token is None:
            return False
        self._in_flight[token] = seq
        return True

    def _prune(self) -> None:
        """Delete what is old and sent, a little at a time, so that no part waits for it."""
        now_ns = self._clock_ns()
        if not self._keep or now_ns < self._prune_at_ns:
            return
        pruned = self._store.prune_outbox(
            self._now() - self._keep,
            station_id=self._station_id,
            up_to_seq=self._needed_above(),
            limit=PRUNE_AT_ONCE,
        )
        pause_s = PRUNE_EVERY_S if pruned < PRUNE_AT_ONCE else PRUNE_ON_S
        self._prune_at_ns = now_ns + int(pause_s * NS_PER_S)

    def _count(self) -> None:
        now_ns = self._clock_ns()
        if self._counted_ns is None or now_ns - self._counted_ns > COUNT_EVERY_S * NS_PER_S:
            records, oldest_at = self._store.outbox_waiting(self._station_id)
            self.waiting = Waiting(records=records, oldest_at=oldest_at)
            self._counted_ns = now_ns
            if records:
                self._has_news = True  # whoever wrote them


def _with_replayed(payload: str, replayed: bool) -> bytes:
    record = json.loads(payload)
    return json.dumps(
        {"schema": record.pop("schema"), "replayed": replayed, **record}, allow_nan=False
    ).encode()
