"""The outbox: every record, in order, marked only when the broker has it."""

from __future__ import annotations

import json
import queue
import shutil
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from edge_builders import WAIT_S, await_that, passed_part

from edge.mqtt import Message, Receipt
from edge.outbox import Outbox, Replay
from edge.recorder import Recorder
from edge.supervision import Stage, Turn
from inspector.errors import StorageError
from inspector.storage.database import open_database
from inspector.storage.store import OutboxMessage, Store

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class FakeLink:
    """A link whose broker is the test."""

    def __init__(self) -> None:
        self.is_up = True
        self.reconnects = 0
        self.receipts: queue.SimpleQueue[Receipt | None] = queue.SimpleQueue()
        self.published: queue.SimpleQueue[tuple[int, dict[str, object]]] = queue.SimpleQueue()
        self._token = 0

    def publish(self, message: Message) -> int | None:
        if not self.is_up:
            return None
        self._token += 1
        self.published.put((self._token, json.loads(message.payload)))
        return self._token

    def next_record(self) -> tuple[int, dict[str, object]]:
        return self.published.get(timeout=WAIT_S)

    def acknowledge(self, token: int, *, delivered: bool = True) -> None:
        self.receipts.put(Receipt(token=token, delivered=delivered))

    def reconnect(self) -> None:
        self.reconnects += 1
        self.receipts.put(None)


def kept(store: Store) -> list[int]:
    return [message.seq for message in store.outbox_after(0, station_id="line1", limit=99)]


@pytest.fixture
def store(tmp_path: Path, migrated: Path) -> Iterator[Store]:
    shutil.copy(migrated, tmp_path / "station.db")
    database = open_database(f"sqlite:///{tmp_path / 'station.db'}")
    yield Store(database)
    database.close()


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def outbox(store: Store, link: FakeLink) -> Iterator[Outbox]:
    outbox = Outbox(store=store, link=link, topic="qc/line1/record", station_id="line1")  # type: ignore[arg-type]
    thread = threading.Thread(target=outbox.run, args=(Turn(Stage("outbox", limit_s=10)),))
    thread.start()
    yield outbox
    outbox.stop()
    thread.join(WAIT_S)


def test_a_record_waits_until_the_broker_has_it(store: Store, link: FakeLink, outbox: Outbox):
    outbox.recorded(store.record(passed_part("r1")))
    token, record = link.next_record()
    assert (record["schema"], record["request_id"], record["replayed"]) == ("record/1", "r1", False)
    assert not outbox.is_empty()
    link.acknowledge(token)
    outbox.recorded(store.record(passed_part("r2")))
    link.next_record()
    await_that(lambda: [message.seq for message in store.pending_outbox(10)] == [2])


def test_a_refused_record_is_sent_again(store: Store, link: FakeLink, outbox: Outbox):
    outbox.recorded(store.record(passed_part("r1")))
    token, first = link.next_record()
    link.acknowledge(token, delivered=False)
    again, second = link.next_record()
    assert again != token
    assert second["id"] == first["id"]
    assert not outbox.is_empty()


def test_what_was_not_acknowledged_is_replayed_over_the_next_connection(
    store: Store, link: FakeLink, outbox: Outbox
):
    outbox.recorded(store.record(passed_part("r1")))
    _, first = link.next_record()
    link.reconnect()
    _, second = link.next_record()
    assert (second["id"], second["replayed"]) == (first["id"], True)


def test_records_go_out_in_order_and_only_a_few_at_a_time(
    store: Store, link: FakeLink, outbox: Outbox
):
    for number in range(25):
        outbox.recorded(store.record(passed_part(f"r{number}")))
    seen = []
    tokens = []
    for _ in range(10):
        token, record = link.next_record()
        tokens.append(token)
        seen.append(record["seq"])
    with pytest.raises(queue.Empty):
        link.published.get(timeout=0.1)
    for token in tokens:
        link.acknowledge(token)
    for _ in range(15):
        token, record = link.next_record()
        seen.append(record["seq"])
        link.acknowledge(token)
    assert seen == list(range(1, 26))


class CountingStore:
    """A store that notes what the outbox asks of its database, which refuses so many marks."""

    def __init__(self, store: Store, *, refuses: int = 0) -> None:
        self.found: list[int] = []
        self.marked: list[set[int]] = []
        self._store = store
        self._refuses = refuses

    def pending_outbox(
        self, limit: int, *, station_id: str, besides: Collection[int] = ()
    ) -> tuple[OutboxMessage, ...]:
        pending = self._store.pending_outbox(limit, station_id=station_id, besides=besides)
        self.found += [message.seq for message in pending]
        return pending

    def mark_published(self, seqs: tuple[int, ...]) -> None:
        if seqs and self._refuses:
            self._refuses -= 1
            raise StorageError("the database is away")
        if seqs:
            self.marked.append(set(seqs))
        self._store.mark_published(seqs)

    def outbox_waiting(self, station_id: str) -> tuple[int, datetime | None]:
        return self._store.outbox_waiting(station_id)


def test_a_record_is_read_once_and_ten_are_marked_at_once_the_last_at_the_end(
    store: Store, link: FakeLink
):
    counting = CountingStore(store)
    outbox = Outbox(
        store=counting,  # type: ignore[arg-type]
        link=link,  # type: ignore[arg-type]
        topic="qc/line1/record",
        station_id="line1",
        clock_ns=lambda: 0,  # so that no mark is due for its age
    )
    thread = threading.Thread(target=outbox.run, args=(Turn(Stage("outbox", limit_s=10)),))
    thread.start()
    for seqs in (range(1, 11), range(11, 14)):
        for number in seqs:
            outbox.recorded(store.record(passed_part(f"r{number}")))
        for _ in seqs:
            token, _record = link.next_record()
            link.acknowledge(token)
        await_that(lambda: bool(counting.marked))
    outbox.stop()
    thread.join(WAIT_S)
    assert counting.found == list(range(1, 14))
    assert counting.marked == [set(range(1, 11)), set(range(11, 14))]
    assert outbox.is_empty()


def test_a_record_is_not_sent_again_because_its_mark_was_refused(store: Store, link: FakeLink):
    counting = CountingStore(store, refuses=2)
    outbox = Outbox(store=counting, link=link, topic="qc/line1/record", station_id="line1")  # type: ignore[arg-type]
    thread = threading.Thread(target=outbox.run, args=(Turn(Stage("outbox", limit_s=10)),))
    thread.start()
    outbox.recorded(store.record(passed_part("r1")))
    token, _record = link.next_record()
    link.acknowledge(token)
    await_that(lambda: not store.pending_outbox(1))
    outbox.stop()
    thread.join(WAIT_S)
    assert counting.marked == [{1}]
    assert counting.found == [1]
    assert link.published.empty()


class BusyStore(CountingStore):
    """A store whose database is marking something while other things happen."""

    def __init__(self, store: Store, *, meanwhile: Callable[[], None]) -> None:
        super().__init__(store)
        self._meanwhile = meanwhile

    def mark_published(self, seqs: tuple[int, ...]) -> None:
        super().mark_published(seqs)
        if len(self.marked) == 1:
            self._meanwhile()


def test_what_is_acknowledged_before_the_stop_is_marked(store: Store, link: FakeLink):
    def meanwhile() -> None:
        link.acknowledge(tokens[1])
        outbox.stop()

    busy = BusyStore(store, meanwhile=meanwhile)
    outbox = Outbox(store=busy, link=link, topic="qc/line1/record", station_id="line1")  # type: ignore[arg-type]
    for name in ("r1", "r2"):
        store.record(passed_part(name))
    thread = threading.Thread(target=outbox.run, args=(Turn(Stage("outbox", limit_s=10)),))
    thread.start()
    tokens = [link.next_record()[0] for _ in range(2)]
    link.acknowledge(tokens[0])
    thread.join(WAIT_S)
    assert busy.marked == [{1}, {2}]


def test_records_are_sent_again_to_whoever_asks(store: Store, link: FakeLink, outbox: Outbox):
    for number in range(15):
        outbox.recorded(store.record(passed_part(f"r{number}")))
    for _ in range(15):
        token, _record = link.next_record()
        link.acknowledge(token)
    assert outbox.replay(Replay(after_seq=3, left=11))
    again = []
    for _ in range(11):
        token, record = link.next_record()
        link.acknowledge(token)
        again.append((record["seq"], record["replayed"]))
    assert again == [(seq, True) for seq in range(4, 15)]
    with pytest.raises(queue.Empty):
        link.published.get(timeout=0.2)


class AwayStore:
    """A store whose database is away at the first asking."""

    def __init__(self) -> None:
        self.asked = 0

    def acknowledge(self, inspection_id: UUID, *, by: str, at: datetime) -> bool:
        self.asked += 1
        if self.asked == 1:
            raise StorageError("the database is away")
        return True


def test_an_acknowledgement_waits_until_the_database_is_back():
    store = AwayStore()
    recorder = Recorder(
        station_id="line1",
        store=store,  # type: ignore[arg-type]
        spool=None,  # type: ignore[arg-type]
        pictures=None,  # type: ignore[arg-type]
        min_free_mb=0,
        recorded=lambda _seq: None,
    )
    recorder.acknowledged(uuid4(), by="robot 2")
    thread = threading.Thread(
        target=recorder.run, args=(Turn(Stage("record", limit_s=10)),), daemon=True
    )
    thread.start()
    await_that(lambda: store.asked == 2)
    recorder.stop()
    thread.join(WAIT_S)
    assert not thread.is_alive()


class SlowStore:
    """A store whose database answers after another thread has taken the outbox over."""

    def __init__(self, store: Store, *, taken_over: Callable[[], None]) -> None:
        self._store = store
        self._taken_over = taken_over

    def pending_outbox(
        self, limit: int, *, station_id: str, besides: Collection[int]
    ) -> tuple[OutboxMessage, ...]:
        found = self._store.pending_outbox(limit, station_id=station_id, besides=besides)
        self._taken_over()
        return found

    def outbox_after(
        self, after_seq: int, *, station_id: str, limit: int
    ) -> tuple[OutboxMessage, ...]:
        found = self._store.outbox_after(after_seq, station_id=station_id, limit=limit)
        self._taken_over()
        return found


def test_a_thread_that_was_replaced_while_it_asked_the_database_sends_nothing(
    store: Store, link: FakeLink
):
    turn = Turn(Stage("outbox", limit_s=10))

    def taken_over() -> None:
        turn.end()
        outbox._replays.clear()  # the other thread has sent what was asked for

    slow = SlowStore(store, taken_over=taken_over)
    outbox = Outbox(store=slow, link=link, topic="qc/line1/record", station_id="line1")  # type: ignore[arg-type]
    store.record(passed_part("r1"))
    outbox.replay(Replay(after_seq=0, left=1))
    outbox._publish(turn)
    assert turn.ended()
    assert link.published.empty()
    turn = Turn(Stage("outbox", limit_s=10))
    outbox.replay(Replay(after_seq=0, left=1))
    outbox._publish_replays(turn)
    assert turn.ended()
    assert link.published.empty()


def test_what_is_old_and_sent_is_deleted_and_nothing_else(store: Store, link: FakeLink):
    sent, old, new = (
        store.record(replace(passed_part(name), triggered_at=NOON - timedelta(days=days)))
        for name, days in (("sent", 5), ("unsent", 4), ("new", 1))
    )
    store.record(
        replace(passed_part("other"), station_id="line2", triggered_at=NOON - timedelta(days=9))
    )
    store.mark_published((sent, new))
    clock_ns = 0
    outbox = Outbox(
        store=store,
        link=link,  # type: ignore[arg-type]
        topic="qc/line1/record",
        station_id="line1",
        keep_days=2,
        clock_ns=lambda: clock_ns,
        now=lambda: NOON,
    )
    outbox._prune()
    assert kept(store) == [old, new]
    assert len(store.pending_outbox(9, station_id="line2")) == 1
    store.mark_published((old,))
    outbox._prune()
    assert kept(store) == [old, new], "it has just looked"
    clock_ns = 61 * 10**9
    outbox._prune()
    assert kept(store) == [new]
    assert len(store.parts_since(NOON - timedelta(days=9), station_id="line1")) == 3


def test_a_record_that_another_reader_still_needs_is_kept(store: Store, link: FakeLink):
    first, second = (store.record(passed_part(name)) for name in ("r1", "r2"))
    store.mark_published((first, second))
    later = {"before": datetime(2030, 1, 1, tzinfo=UTC), "station_id": "line1"}
    assert store.prune_outbox(**later, up_to_seq=0, limit=9) == 0  # type: ignore[arg-type]
    assert store.prune_outbox(**later, up_to_seq=first, limit=9) == 1  # type: ignore[arg-type]
    assert kept(store) == [second]


def test_old_records_are_deleted_a_few_at_a_time(store: Store):
    seqs = [store.record(passed_part(f"r{number}")) for number in range(5)]
    store.mark_published(tuple(seqs))
    later = datetime(2030, 1, 1, tzinfo=UTC)
    assert store.prune_outbox(later, station_id="line1", limit=3) == 3
    assert kept(store) == seqs[3:]
    assert store.prune_outbox(later, station_id="line1", limit=3) == 2
    assert store.prune_outbox(later, station_id="line1", limit=3) == 0


def test_what_waits_for_the_broker_is_counted_with_its_age(
    store: Store, link: FakeLink, outbox: Outbox
):
    link.is_up = False
    store.record(passed_part("r1"))
    store.record(passed_part("r2"))
    outbox._counted_ns = None
    link.receipts.put(None)
    await_that(lambda: outbox.waiting.records == 2)
    assert outbox.waiting.oldest_at == datetime(2026, 11, 23, tzinfo=UTC)
