from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text
from storage_builders import part, settlement, ticket

from inspector.domain import Decision
from inspector.errors import StorageError
from inspector.storage.database import Database
from inspector.storage.recovery import RecoveryReport, recover
from inspector.storage.schema import InspectionRow
from inspector.storage.spool import Spool
from inspector.storage.store import Store


def the_row(database: Database):
    with database.reading() as connection:
        return connection.execute(select(InspectionRow.__table__)).one()


def test_a_judged_and_answered_part_becomes_the_row_it_would_have_been(
    database: Database, store: Store, spool: Spool
):
    opened = ticket()
    spool.open_ticket(opened)
    spool.candidate(part(of=opened))
    spool.settle(settlement(opened.id))
    assert recover(spool, store) == RecoveryReport(settled=(opened.id,))
    row = the_row(database)
    assert (row.decision, row.reason, row.sent_decision) == ("PASS", "CLEAN", "PASS")
    assert row.sent_at == settlement(opened.id).sent_at
    assert spool.leftovers() == ()


def test_a_judged_part_without_an_answer_was_never_answered(
    database: Database, store: Store, spool: Spool
):
    opened = ticket()
    spool.open_ticket(opened)
    spool.candidate(part(of=opened))
    assert recover(spool, store) == RecoveryReport(unsettled=(opened.id,))
    row = the_row(database)
    assert (row.decision, row.sent_decision, row.sent_at) == ("PASS", None, None)
    assert row.open_review


def test_a_candidate_never_says_what_was_sent(database: Database, store: Store, spool: Spool):
    spool.candidate(part(sent=Decision.PASS))
    recover(spool, store)
    assert the_row(database).sent_decision is None


def test_a_ticket_without_a_judgement_was_interrupted(
    database: Database, store: Store, spool: Spool
):
    opened = ticket()
    spool.open_ticket(opened)
    assert recover(spool, store) == RecoveryReport(interrupted=(opened.id,))
    row = the_row(database)
    assert (row.decision, row.reason, row.sent_decision) == ("HOLD", "INTERRUPTED", None)
    assert (row.request_id, row.part_id, row.lot) == (
        opened.request_id,
        opened.part_id,
        opened.lot,
    )


@pytest.mark.parametrize(
    ("by", "reason"),
    [("deadline", "DEADLINE"), ("stopping", "STOPPING"), ("verdict", "INTERRUPTED")],
)
def test_a_hold_that_left_before_anything_was_judged_is_a_hold_that_was_sent(
    database: Database, store: Store, spool: Spool, by, reason: str
):
    opened = ticket()
    spool.open_ticket(opened)
    spool.settle(settlement(opened.id, sent=Decision.HOLD, by=by))
    recover(spool, store)
    row = the_row(database)
    assert (row.decision, row.reason, row.sent_decision) == ("HOLD", reason, "HOLD")


def test_a_part_whose_row_was_committed_before_the_crash_stays_one_row(
    database: Database, store: Store, spool: Spool
):
    opened = ticket()
    spool.open_ticket(opened)
    spool.candidate(part(of=opened))
    spool.settle(settlement(opened.id))
    store.record(settlement(opened.id).applied_to(part(of=opened)))
    recover(spool, store)
    assert the_row(database).sent_decision == "PASS"


def test_a_torn_candidate_falls_back_to_the_ticket_and_is_reported(
    database: Database, store: Store, spool: Spool
):
    opened = ticket()
    spool.open_ticket(opened)
    spool.candidate(part(of=opened))
    cut_short(spool)
    report = recover(spool, store)
    assert report.interrupted == (opened.id,)
    assert len(report.torn) == 1
    assert the_row(database).reason == "INTERRUPTED"


def test_a_file_of_which_nothing_can_be_made_is_set_aside_and_reported_once(
    store: Store, spool: Spool
):
    spool.open_ticket(ticket())
    cut_short(spool)
    assert len(recover(spool, store).torn) == 1
    assert recover(spool, store) == RecoveryReport()
    assert [path.suffix for path in spool.folder.iterdir()] == [".torn"]


def test_a_part_that_the_database_refuses_stays_in_the_spool(
    database: Database, store: Store, spool: Spool
):
    opened = ticket()
    spool.candidate(part(of=opened))
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE codes")
    with pytest.raises(StorageError):
        recover(spool, store)
    assert [leftover.candidate for leftover in spool.leftovers()] == [part(of=opened)]


def test_what_a_settlement_adds_is_only_what_was_sent():
    inspection = part()
    applied = settlement(inspection.id, sent=Decision.HOLD, by="deadline").applied_to(inspection)
    assert replace(applied, sent_decision=None, sent_at=None) == inspection
    assert applied.sent_decision is Decision.HOLD


def cut_short(spool: Spool) -> None:
    path: Path
    (path,) = spool.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-20])


def test_a_record_the_database_never_takes_does_not_keep_the_others(
    database: Database, store: Store, spool: Spool
):
    refused, good = ticket(), ticket()
    refuse = {
        "sqlite": "CREATE TRIGGER no BEFORE INSERT ON inspections "
        f"WHEN NEW.id = '{refused.id.hex}' BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "postgresql": f"ALTER TABLE inspections ADD CHECK (id <> '{refused.id}')",
    }
    with database.writing() as connection:
        connection.execute(text(refuse[connection.dialect.name]))
    for opened in (refused, good):
        spool.open_ticket(opened)
        spool.candidate(part(of=opened))
    report = recover(spool, store)
    assert report.unsettled == (good.id,)
    assert len(report.torn) == 1
    assert str(refused.id) in report.torn[0]
    assert list(spool.folder.glob("*.torn"))
    assert recover(spool, store) == RecoveryReport()
