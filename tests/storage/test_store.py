from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import delete, func, insert, select, text, update
from storage_builders import NOON, part, ticket

from inspector.domain import Decision, Reason, Timings, Verdict
from inspector.errors import RecordRefused, StorageError
from inspector.storage.database import Database, open_database
from inspector.storage.recorded import Acknowledgement, recorded_part
from inspector.storage.records import inspection_from_json
from inspector.storage.schema import (
    ClauseFindingRow,
    CodeRow,
    DefectRow,
    HourRow,
    InspectionRow,
    ModelRow,
    OutboxRow,
    ReviewRow,
    StationEventRow,
    Table,
    TextLineRow,
)
from inspector.storage.store import Store


def count(database: Database, table: type[Table]) -> int:
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def rows(database: Database, table: type[Table]):
    with database.reading() as connection:
        return connection.execute(select(table.__table__)).all()


def review(store: Store, inspection_id, *, decision: Decision = Decision.PASS) -> None:
    store.add_review(
        inspection_id, reviewer="Ada", decision=decision, reason="GLARE", note="", at=NOON
    )


def test_a_part_becomes_a_row_with_all_that_belongs_to_it(database: Database, store: Store):
    inspection = part(decision=Decision.FAIL, sent=Decision.FAIL)
    store.record(inspection)
    (row,) = rows(database, InspectionRow)
    assert row.id == inspection.id
    assert (row.decision, row.reason, row.sent_decision) == ("FAIL", "RULE_VIOLATED", "FAIL")
    assert (row.triggered_at, row.sent_at) == (inspection.triggered_at, inspection.sent_at)
    assert (row.clause_ids, row.judge) == ("C1,C2", "fused/1")
    assert row.expected == inspection.expected
    assert row.total_ms == inspection.timings.total_ms
    tables = (ClauseFindingRow, DefectRow, TextLineRow, CodeRow, OutboxRow, HourRow)
    assert [count(database, table) for table in tables] == [2, 2, 1, 1, 1, 1]


def test_a_part_recorded_twice_is_one_part_with_one_seq(database: Database, store: Store):
    inspection = part(sent=Decision.PASS)
    seq = store.record(inspection)
    assert store.record(replace(inspection, sent_decision=None)) == seq
    assert count(database, InspectionRow) == 1
    (row,) = rows(database, InspectionRow)
    assert row.sent_decision == "PASS"
    (hour,) = rows(database, HourRow)
    assert hour.parts == 1


def test_seq_increases_with_every_part(store: Store):
    seqs = [store.record(part()) for _ in range(5)]
    assert seqs == sorted(set(seqs))


def test_a_part_that_does_not_fit_leaves_no_trace(database: Database, store: Store):
    store.record(part())
    with database.writing() as connection:
        connection.execute(delete(HourRow))
        taken = select(func.max(OutboxRow.seq) + 1).scalar_subquery()
        connection.execute(update(OutboxRow).values(seq=taken))
    with pytest.raises(RecordRefused, match=r"unique|UNIQUE"):
        store.record(part())
    assert count(database, InspectionRow) == 1
    assert count(database, DefectRow) == 2
    assert count(database, HourRow) == 0


def test_the_outbox_carries_the_whole_record_and_its_seq(store: Store):
    inspection = part(sent=Decision.PASS, code_text="\0raw")
    seq = store.record(inspection)
    (message,) = store.pending_outbox(10)
    record = json.loads(message.payload)
    assert (message.seq, record["seq"]) == (seq, seq)
    assert inspection_from_json(record) == inspection


def test_published_records_are_pending_no_more_and_can_be_replayed(store: Store):
    seqs = [store.record(part()) for _ in range(4)]
    store.mark_published((seqs[0], seqs[1]))
    assert [m.seq for m in store.pending_outbox(10)] == seqs[2:]
    assert [m.seq for m in store.pending_outbox(1)] == [seqs[2]]
    assert [m.seq for m in store.outbox_after(seqs[0], station_id="s1", limit=2)] == seqs[1:3]


def test_what_is_under_way_is_not_pending(store: Store):
    seqs = [store.record(part()) for _ in range(4)]
    assert [m.seq for m in store.pending_outbox(2, besides=seqs[:2])] == seqs[2:]
    assert [m.seq for m in store.pending_outbox(2, besides=())] == seqs[:2]


def test_a_station_publishes_only_its_own_records(store: Store):
    seq = store.record(part(of=ticket(station_id="s1")))
    store.record(part(of=ticket(station_id="s2")))
    assert [m.seq for m in store.pending_outbox(10, station_id="s1")] == [seq]


def test_hours_count_parts_by_what_was_judged_and_sent(database: Database, store: Store):
    store.record(part(sent=Decision.PASS, total_ms=100))
    store.record(part(sent=Decision.PASS, total_ms=300))
    store.record(part(sent=Decision.HOLD, total_ms=50))
    store.record(part(of=ticket(at=NOON + timedelta(hours=1)), total_ms=7))
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    found = {
        (r.hour, r.decision, r.sent): (r.parts, r.total_ms_sum, r.total_ms_max)
        for r in rows(database, HourRow)
    }
    assert found == {
        (noon, "PASS", "PASS"): (2, 400, 300),
        (noon, "PASS", "HOLD"): (1, 50, 50),
        (noon + timedelta(hours=1), "PASS", "NONE"): (1, 7, 7),
    }


def test_only_a_part_judged_and_told_good_needs_no_review(database: Database, store: Store):
    told_good = part(sent=Decision.PASS)
    for inspection in (
        told_good,
        part(sent=Decision.HOLD),
        part(sent=None),
        part(decision=Decision.FAIL, sent=Decision.FAIL),
    ):
        store.record(inspection)
    closed = [r.id for r in rows(database, InspectionRow) if not r.open_review]
    assert closed == [told_good.id]


def test_the_first_acknowledgement_of_a_part_is_kept_with_it(database: Database, store: Store):
    inspection = part()
    assert not store.acknowledge(inspection.id, by="robot 2", at=NOON), "there is no row yet"
    store.record(inspection)
    assert store.acknowledge(inspection.id, by="robot 2", at=NOON)
    assert store.acknowledge(inspection.id, by="another", at=NOON + timedelta(hours=1))
    recorded = recorded_part(database, inspection.id)
    assert recorded is not None
    assert recorded.acknowledgement == Acknowledgement(by="robot 2", at=NOON)


def test_a_review_closes_the_part_and_a_second_one_is_added(database: Database, store: Store):
    inspection = part(decision=Decision.FAIL)
    store.record(inspection)
    review(store, inspection.id)
    review(store, inspection.id, decision=Decision.FAIL)
    (row,) = rows(database, InspectionRow)
    assert not row.open_review
    assert row.decision == "FAIL"
    assert sorted(r.decision for r in rows(database, ReviewRow)) == ["FAIL", "PASS"]


def test_a_review_of_an_unknown_part_is_refused(database: Database, store: Store):
    with pytest.raises(StorageError, match="expected an inspection"):
        review(store, uuid4())
    assert count(database, ReviewRow) == 0


def test_a_review_is_never_changed_or_deleted(database: Database, store: Store):
    inspection = part()
    store.record(inspection)
    review(store, inspection.id)
    for change in (update(ReviewRow).values(note="other"), delete(ReviewRow)):
        with pytest.raises(StorageError, match="append-only"), database.writing() as connection:
            connection.execute(change)
    assert [r.note for r in rows(database, ReviewRow)] == [""]


def test_text_that_no_database_takes_is_recorded_with_a_replacement(
    database: Database, store: Store
):
    store.record(part(code_text="a\0b\ud83d"))
    assert [r.text for r in rows(database, CodeRow)] == ["a\ufffdb\ufffd"]


def test_numbers_of_numpy_are_recorded(database: Database, store: Store):
    inspection = part()
    odd = replace(inspection.findings.detections[0], width_mm=np.float32(0.5))
    store.record(
        replace(
            inspection,
            findings=replace(inspection.findings, detections=(odd,)),
            timings=Timings(total_ms=np.float32(2)),
        )
    )
    assert [r.width_mm for r in rows(database, DefectRow)] == [0.5]


def test_every_reason_and_decision_can_be_recorded(database: Database, store: Store):
    for reason in Reason:
        verdict = Verdict.held(reason, "as told")
        store.record(replace(part(), verdict=verdict, judgement=None))
    assert count(database, InspectionRow) == len(Reason)


def test_another_zone_is_kept_as_utc_and_no_zone_is_refused(database: Database, store: Store):
    two_hours_east = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    store.add_station_event("s1", "started", "", two_hours_east)
    (event,) = rows(database, StationEventRow)
    assert event.at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert event.at.utcoffset() == timedelta(0)
    with pytest.raises(StorageError, match="with a time zone"):
        store.add_station_event("s1", "started", "", datetime(2026, 3, 1))


def test_a_model_is_registered_once(database: Database, store: Store):
    store.register_model("pcb", "detector", "d" * 64, NOON)
    store.register_model("pcb", "detector", "d" * 64, NOON + timedelta(days=1))
    (model,) = rows(database, ModelRow)
    assert model.first_seen_at == NOON


def test_a_row_that_points_nowhere_is_refused(database: Database):
    with pytest.raises(StorageError), database.writing() as connection:
        connection.execute(
            insert(OutboxRow),
            {"seq": 1, "inspection_id": uuid4(), "station_id": "s", "payload": "", "published": 0},
        )


def test_writers_at_the_same_time_lose_nothing_and_share_no_seq(url: str):
    seqs: list[int] = []

    def write() -> None:
        database = open_database(url)
        store = Store(database)
        seqs.extend(store.record(part(sent=Decision.PASS)) for _ in range(10))
        database.close()

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(seqs) == list(range(1, 41))
    database = open_database(url)
    (hour,) = rows(database, HourRow)
    assert hour.parts == 40
    database.close()


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        (lambda store: store.record(part()), 2),
        (lambda store: len(store.pending_outbox(9)), 1),
        (lambda store: store.mark_published((1,)) or len(store.pending_outbox(9)), 0),
        (lambda store: store.outbox_waiting("s1")[0], 1),
    ],
    ids=["record", "pending", "mark", "waiting"],
)
def test_a_server_that_dropped_its_connections_is_asked_again(
    postgresql, ask: Callable[[Store], int], found: int
):
    database = open_database(postgresql.create(like=postgresql.migrated))
    store = Store(database)
    store.record(part())
    postgresql.drop_connections(database)
    assert ask(store) == found
    database.close()


def test_a_server_waits_ten_seconds_for_whoever_has_its_turn_and_no_reader(postgresql):
    database = open_database(postgresql.create(like=postgresql.migrated))
    limit = text("SHOW idle_in_transaction_session_timeout")
    with database.writing(in_turn=True) as connection:
        assert connection.scalar(limit) == "10s"
    with database.reading() as connection:
        assert connection.scalar(limit) == "0"
    database.close()


def test_a_reader_sees_one_moment_while_others_write(database: Database, store: Store):
    with database.reading() as connection:
        before = connection.scalar(select(func.count()).select_from(InspectionRow))
        store.record(part())
        after = connection.scalar(select(func.count()).select_from(InspectionRow))
    assert (before, after) == (0, 0)
    assert count(database, InspectionRow) == 1
