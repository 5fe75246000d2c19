"""The station as a Sparkplug B edge node (Eclipse, version 3.0), beside the plain topics.

One thread publishes all of it on a connection of its own, whose last will is the NDEATH. Parts come
from the outbox's rows, in order: what was recorded since it began is news, all else is historical,
with its own time. Sparkplug demands QoS 0, to which no broker answers; so a message with QoS 1
follows each few parts on the same connection (`<base>/sparkplug`), and only its good PUBACK moves
the place from which the next connection goes on. The broker thus gets each part at least once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge import messages, sparkplug_metrics
from edge.metrics import CameraFigures, Figures
from edge.mqtt import Arrival, Link, Message, Receipt
from edge.outbox import Waiting
from edge.queues import taken
from edge.sparkplug import NAMESPACE, Metric, Value, decode_command, encode
from edge.sparkplug_memory import SparkplugMemory
from edge.supervision import Turn
from edge.units import NS_PER_S
from inspector.errors import MessageError, StorageError
from inspector.settings import SparkplugSettings, StationSettings
from inspector.storage.store import OutboxMessage, Store

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.1
TELL_EVERY_S = 1.0
COUNT_EVERY_S = 5.0
NEWS_WITHIN_S = 60.0  # a part that is told later than this after its trigger is history
RETRY_S = 1.0
AT_ONCE = 10  # parts on the way without the broker's word
SEQS = 256
FILE = "sparkplug.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """The message that, once acknowledged, shows that the broker has all parts up to `seq`."""

    token: int
    seq: int


class SparkplugNode:
    """Births, parts, changes and deaths. `run` is the body of one thread."""

    def __init__(
        self,
        settings: StationSettings,
        sparkplug: SparkplugSettings,
        *,
        store: Store,
        figures: Callable[[], Figures],
        clock_ns: Callable[[], int] = time.monotonic_ns,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.waiting = Waiting()
        self.bad = 0
        self._station_id = settings.station_id
        self._group = sparkplug.group
        self._node = sparkplug.node or settings.station_id
        self._host = sparkplug.primary_host
        self._proof_topic = f"{settings.mqtt_base}/{messages.SPARKPLUG}"
        self._store = store
        self._figures = figures
        self._clock_ns = clock_ns
        self._now = now
        self._memory = SparkplugMemory(Path(settings.records) / FILE)
        self._has_will_been_used = True
        self._host_session: int | None = None  # in which the primary host was seen online
        self._host_ms = 0
        self._session: int | None = None  # in which all births were published
        self._newest_session: int | None = None
        self._seq = 0
        self._born_after: int | None = None  # the newest record before this session, once known
        self._proof: _Proof | None = None
        self._last_part = sparkplug_metrics.no_part(at=now())
        self._told: dict[str | None, dict[str, Value]] = {}  # by device, None for the node
        self._tell_ns = self._look_ns = self._count_ns = 0  # when each is due again
        self._stopping = threading.Event()
        self.link = Link(
            settings.mqtt,
            client_id=f"{settings.station_id}-sparkplug",
            subscribe=tuple(self._subscriptions()),
            will=self._will,
            on_change=self._link_changed,
        )

    # --- called by others -------------------------------------------------------------------------

    def start(self) -> None:
        """Connect; raises `BrokerError` and `StorageError`."""
        newest = self._store.newest_seq()
        if self._memory.record_seq is None or self._memory.record_seq > newest:
            # the first time, or another database: the past is not told
            self._memory.carried(newest)
        self.link.start()

    @property
    def carried_seq(self) -> int:
        """Every record up to this one is with the broker; the others must be kept."""
        return self._memory.record_seq or 0

    def recorded(self) -> None:
        """Note that a record is committed, and publish soon. Any thread may call."""
        self._look_ns = 0
        self.link.receipts.put(None)

    def why_old(self, limit_s: float) -> str | None:
        """Return what waits longer than `limit_s`, None where nothing does."""
        age_s = self.waiting.age_s(self._now())
        if age_s <= limit_s:
            return None
        return f"the oldest of {self.waiting.records} records for Sparkplug waits for {age_s:.0f} s"

    def is_done(self) -> bool:
        """Return whether nothing waits that could be sent now; raises `StorageError`."""
        return self._session is None or not self._records(1)

    def stop(self) -> None:
        self._stopping.set()
        self.link.receipts.put(None)

    def close(self) -> None:
        """Disconnect with a death, once the thread has ended."""
        is_born = self._session is not None and self._session == self.link.session
        self.link.stop(farewell=self._death() if is_born else None)

    # --- the thread -------------------------------------------------------------------------------

    def run(self, turn: Turn) -> None:
        """Publish until `stop`."""
        self._session = None  # what a stuck thread had begun begins anew
        while not self._stopping.is_set() and not turn.ended():
            receipts = tuple(taken(self.link.receipts, wait_s=LOOK_EVERY_S))
            with turn.work("Sparkplug"):
                self._take_arrivals()
                is_born = self._is_born(turn)
                if is_born:
                    self._read(receipts)
                    self._tell_changes()
                try:
                    if is_born:
                        self._tell_parts(turn)
                    self._count()
                except StorageError as exc:
                    log.warning("Sparkplug: %s", exc)
                    self._look_ns = self._clock_ns() + int(RETRY_S * NS_PER_S)

    # --- session ----------------------------------------------------------------------------------

    def _subscriptions(self) -> list[str]:
        wanted = [self._topic("NCMD")]
        if self._host is not None:
            wanted.append(f"{NAMESPACE}/STATE/{self._host}")
        return wanted

    def _will(self) -> Message:
        """Return the death for the next connection, with a number that no earlier one had."""
        if self._has_will_been_used:
            self._has_will_been_used = False
            self._memory.count_connection()
        return self._death()

    def _death(self) -> Message:
        now = self._now()
        metric = sparkplug_metrics.death_metric(self._memory.bd_seq, at=now)
        return Message(topic=self._topic("NDEATH"), payload=encode((metric,), at=now, seq=None))

    def _link_changed(self, is_up: bool) -> None:
        if is_up:
            self._has_will_been_used = True

    def _is_born(self, turn: Turn) -> bool:
        """Return whether data may be published; give birth where it is time for that."""
        session = self.link.session
        if session is None:
            self._session = None
        elif session != self._session:
            self._session = None
            if self._host is None or self._host_session == session:
                self._give_birth(session, turn)
        return self._session is not None

    def _give_birth(self, session: int, turn: Turn) -> None:
        """Publish the births in `session`, whose will has the number that the memory holds now."""
        if session != self._newest_session:
            # a new connection knows nothing of what the old one was sent
            self._newest_session = session
            self._proof = None
            self._look_ns = 0
            with contextlib.suppress(StorageError):  # asked again before the first part is told
                self._born_after = None
                self._born_after = self._store.newest_seq()
            if turn.ended():
                return
        self._seq = 0
        self._told.clear()
        now = self._now()
        figures = self._figures()
        node = sparkplug_metrics.node_metrics(figures, at=now)
        births = sparkplug_metrics.birth_metrics(self._memory.bd_seq, at=now)
        if self._send("NBIRTH", None, (*births, *node), session=session) and self._send(
            "DBIRTH", sparkplug_metrics.INSPECTION, self._last_part, session=session
        ):
            self._note_told(None, node)
            self._session = session
            self._tell_cameras(figures.cameras, at=now)
            log.info(
                "Sparkplug: %s/%s born, bdSeq %s", self._group, self._node, self._memory.bd_seq
            )

    def _take_arrivals(self) -> None:
        for arrival in taken(self.link.arrivals):
            try:
                self._take(arrival)
            except MessageError as exc:
                self.bad += 1
                log.warning("%s not understood: %s", arrival.topic, exc)

    def _take(self, arrival: Arrival) -> None:
        if arrival.topic != self._topic("NCMD"):
            self._hear_host(arrival)
        elif arrival.retained:
            return  # an order of the past
        elif decode_command(arrival.payload).get(sparkplug_metrics.REBIRTH) is True:
            log.info("Sparkplug: a host asks for births")
            self._session = None

    def _hear_host(self, arrival: Arrival) -> None:
        """Take the state of the primary host; while it is away, records wait."""
        is_online, at_ms = _state_of_host(arrival.payload)
        if at_ms < self._host_ms:
            return  # a last will that came late
        # a moment that is still to come would make the host's next words look late
        self._host_ms = min(at_ms, int(self._now().timestamp() * 1000))
        self._host_session = arrival.session if is_online else None
        if not is_online and arrival.session == self._session:
            # the specification: die, disconnect, connect again and wait
            self.link.publish(self._death(), session=self._session)
            self._session = None
            self.link.renew(f"the primary host {self._host} is offline", has_taken_leave=True)

    # --- data -------------------------------------------------------------------------------------

    def _tell_changes(self) -> None:
        """Publish what changed on node and cameras, at most once a second."""
        if self._clock_ns() < self._tell_ns:
            return
        self._tell_ns = self._clock_ns() + int(TELL_EVERY_S * NS_PER_S)
        now = self._now()
        figures = self._figures()
        self._tell_changed("NDATA", None, sparkplug_metrics.node_metrics(figures, at=now))
        self._tell_cameras(figures.cameras, at=now)

    def _tell_cameras(self, cameras: tuple[CameraFigures, ...], *, at: datetime) -> None:
        for camera in cameras:
            device = f"camera-{camera.camera_id}"
            metrics = sparkplug_metrics.camera_metrics(camera, at=at)
            if not camera.is_up:
                if device in self._told and self._send("DDEATH", device, ()):
                    del self._told[device]
            elif device in self._told:
                self._tell_changed("DDATA", device, metrics)
            elif self._send("DBIRTH", device, metrics):
                self._note_told(device, metrics)

    def _tell_changed(self, kind: str, device: str | None, metrics: tuple[Metric, ...]) -> None:
        told = self._told[device]
        changed = tuple(metric for metric in metrics if told[metric.name] != metric.value)
        if changed and self._send(kind, device, changed):
            self._note_told(device, changed)

    def _note_told(self, device: str | None, metrics: tuple[Metric, ...]) -> None:
        told = self._told.setdefault(device, {})
        told.update((metric.name, metric.value) for metric in metrics)

    def _tell_parts(self, turn: Turn) -> None:
        """Publish the next few records, and what proves that they arrived."""
        if self._proof is not None or self._clock_ns() < self._look_ns:
            return
        self._look_ns = self._clock_ns() + int(TELL_EVERY_S * NS_PER_S)
        if self._born_after is None:
            self._born_after = self._store.newest_seq()
        found = self._records(AT_ONCE)
        if not found or turn.ended():
            return
        for record in found:
            news = sparkplug_metrics.part_metrics(record.payload)
            is_late = self._now() - news[0].at > timedelta(seconds=NEWS_WITHIN_S)
            is_old = is_late or record.seq <= self._born_after
            metrics = sparkplug_metrics.as_historical(news) if is_old else news
            if not self._send("DDATA", sparkplug_metrics.INSPECTION, metrics):
                return
            self._last_part = news
        self._ask_for_proof(found[-1].seq)

    def _records(self, limit: int) -> tuple[OutboxMessage, ...]:
        return self._store.outbox_after(self.carried_seq, station_id=self._station_id, limit=limit)

    def _count(self) -> None:
        if self._clock_ns() < self._count_ns:
            return
        self._count_ns = self._clock_ns() + int(COUNT_EVERY_S * NS_PER_S)
        records, oldest_at = self._store.outbox_waiting(
            self._station_id, after_seq=self.carried_seq
        )
        self.waiting = Waiting(records=records, oldest_at=oldest_at)

    def _ask_for_proof(self, seq: int) -> None:
        carried = messages.Carried(seq=seq, ts=messages.timestamp(self._now()))
        message = Message(topic=self._proof_topic, payload=messages.encode(carried), retain=True)
        token = self.link.publish(message, session=self._session)
        if token is not None:
            self._proof = _Proof(token=token, seq=seq)

    def _read(self, receipts: tuple[Receipt, ...]) -> None:
        for receipt in receipts:
            if self._proof is None or receipt.token != self._proof.token:
                continue
            if receipt.delivered:
                self._memory.carried(self._proof.seq)
                self._look_ns = 0
            else:
                log.error("%s: the broker refused it: %s", self._proof_topic, receipt.detail)
                self._look_ns = self._clock_ns() + int(RETRY_S * NS_PER_S)
            self._proof = None

    def _send(
        self,
        kind: str,
        device: str | None,
        metrics: tuple[Metric, ...],
        *,
        session: int | None = None,
    ) -> bool:
        payload = encode(metrics, at=self._now(), seq=self._seq)
        message = Message(topic=self._topic(kind, device), payload=payload, qos=0)
        if self.link.publish(message, session=session or self._session) is None:
            return False
        self._seq = (self._seq + 1) % SEQS
        return True

    def _topic(self, kind: str, device: str | None = None) -> str:
        levels = (NAMESPACE, self._group, kind, self._node, *(() if device is None else (device,)))
        return "/".join(levels)


def _state_of_host(payload: bytes) -> tuple[bool, int]:
    """Return whether the host says that it is online, and since when, in ms of its clock."""
    try:
        said = json.loads(payload)
        is_online, at_ms = said["online"], said["timestamp"]
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise MessageError(f"expected the STATE of a host: {exc!r}", request_id=None) from exc
    if not isinstance(is_online, bool) or isinstance(at_ms, bool) or not isinstance(at_ms, int):
        raise MessageError(
            "expected a STATE with online true or false and timestamp in ms", request_id=None
        )
    return is_online, at_ms
