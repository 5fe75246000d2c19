"""What leaves for the PLC, and what the PLC says that it has read of it."""

from __future__ import annotations

import queue
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from edge_builders import BASE, PASS, LinePlc, note_of, passed_part, running

from edge import answers, messages
from edge.answers import Answers, settlement_of
from edge.messages import Refusal, Trigger
from edge.mqtt import Message, Receipt
from edge.recorder import Acknowledged, Finished, Recorder
from edge.supervision import Stage, Turn
from edge.tickets import Answer, Ticket
from edge.units import NS_PER_MS
from inspector.settings import StationSettings
from inspector.storage.database import open_database
from inspector.storage.files import Pictures
from inspector.storage.spool import Spool
from inspector.storage.store import Store

ACK_WITHIN_MS = 200


class QuietLink:
    """A link that takes all while it is up, and says nothing."""

    def __init__(self) -> None:
        self.is_up = True
        self.published: list[Message] = []
        self.receipts: queue.SimpleQueue[Receipt | None] = queue.SimpleQueue()

    def publish(self, message: Message, *, expiry_s: float | None = None) -> int | None:
        if not self.is_up:
            return None
        self.published.append(message)
        return len(self.published)


class Desk:
    """Answers on a clock of the test's own."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.link, self.line = QuietLink(), QuietLink()
        self.answers = Answers(
            link=self.link,  # type: ignore[arg-type]
            line=self.line,  # type: ignore[arg-type]
            base=BASE,
            ack_within_ms=ACK_WITHIN_MS,
            clock_ns=lambda: self.now_ns,
        )

    def answer(self, request_id: str, *, at_ms: int = 0) -> UUID:
        self.now_ns = at_ms * NS_PER_MS
        answer = answered(request_id)
        assert self.answers.send(answer)
        return answer.ticket.id

    def acknowledged(self, request_id: str) -> UUID | None:
        return self.answers.acknowledge(request_id)


def answered(request_id: str) -> Answer:
    ticket = Ticket(
        note=note_of(request_id),
        trigger=Trigger(request_id=request_id),
        opened_ns=0,
        answer_by_ns=10**9,
        due_ns=10**9,
    )
    return Answer(
        ticket=ticket,
        verdict=PASS,
        by="verdict",
        seq=1,
        settled_ns=0,
        settled_at=datetime(2026, 11, 23, tzinfo=UTC),
        acquired_ns=None,
        was_sent=True,
    )


def test_a_refusal_leaves_by_the_line_where_no_answer_can_leave_and_no_answer_does():
    desk = Desk()
    desk.link.is_up = False
    assert not desk.answers.send(answered("r1"))
    desk.answers.rejected("r2", Refusal.NOT_READY, "it is being renewed", correlation=b"")
    (refusal,) = desk.line.published
    assert refusal.topic == f"{BASE}/{messages.REJECTED}"


def test_a_request_id_that_is_used_again_is_the_newest_of_those_remembered(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(answers, "ACKNOWLEDGEABLE", 4)
    desk = Desk()
    for request_id in ("r1", "r2", "r3"):
        desk.answer(request_id)
    again = desk.answer("r1")
    for request_id in ("r4", "r5"):
        desk.answer(request_id)
    assert desk.acknowledged("r2") is None
    assert desk.acknowledged("r1") == again


def test_a_request_id_that_is_used_again_hides_no_result_that_nobody_acknowledged():
    desk = Desk()
    desk.answer("r1")
    desk.answer("r2")
    desk.answer("r1", at_ms=ACK_WITHIN_MS)
    desk.now_ns += NS_PER_MS
    desk.answers.read_receipts()
    assert "r2 was not acknowledged" in (desk.answers.why_deaf() or "")


def test_a_result_acknowledged_many_times_is_noted_once_and_counted(
    settings: StationSettings, plc: LinePlc, monkeypatch: pytest.MonkeyPatch
):
    handed_over: list[str] = []
    acknowledged = Recorder.acknowledged

    def counting(recorder: Recorder, part: UUID, *, by: str) -> None:
        handed_over.append(by)
        acknowledged(recorder, part, by=by)

    monkeypatch.setattr(Recorder, "acknowledged", counting)
    with running(settings) as station:
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.result("r1")
        for by in ("robot 1", *("robot 2",) * 50):
            payload = messages.encode_command(messages.Ack(request_id="r1", by=by))
            plc.link.publish(Message(topic=f"{BASE}/{messages.ACK}", payload=payload))
        plc.trigger("r2")  # is read after all of them
        plc.result("r2")
        assert station._answers.acknowledged == 51
    assert handed_over == ["robot 1"]
    with closing(sqlite3.connect(settings.database.removeprefix("sqlite:///"))) as database:
        said = database.execute("SELECT acknowledged_by FROM acknowledgements").fetchall()
    assert said == [("robot 1",)]


class TakenOver:
    """A store whose database answers an acknowledgement when another thread records already."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.turn: Turn | None = None
        self.record = store.record

    def acknowledge(self, inspection_id: UUID, *, by: str, at: datetime) -> bool:
        if self.turn is not None:
            self.turn.end()
            raise TimeoutError("the thread ends here")
        return self._store.acknowledge(inspection_id, by=by, at=at)


def test_an_early_acknowledgement_outlives_the_record_thread_that_had_it(
    tmp_path: Path, migrated: Path
):
    shutil.copy(migrated, tmp_path / "station.db")
    database = open_database(f"sqlite:///{tmp_path / 'station.db'}")
    store = TakenOver(Store(database))
    recorder = Recorder(
        station_id="line1",
        store=store,  # type: ignore[arg-type]
        spool=Spool(tmp_path / "spool"),
        pictures=Pictures(tmp_path / "pictures"),
        min_free_mb=0,
        recorded=lambda _seq: None,
    )
    part = passed_part("r1")
    settlement = replace(settlement_of(answered("r1")), id=part.id)
    early = Acknowledged(id=part.id, by="robot 2", at=datetime(2026, 11, 23, tzinfo=UTC))
    recorder._record_acknowledgement(early, Turn(Stage("record", limit_s=10)))

    recorder.finish(Finished(inspection=part, settlement=settlement))
    first = store.turn = Turn(Stage("record", limit_s=10))
    with pytest.raises(TimeoutError):
        recorder.run(first)
    store.turn = None
    recorder.stop()
    recorder.run(Turn(Stage("record", limit_s=10)))
    database.close()
    with closing(sqlite3.connect(tmp_path / "station.db")) as rows:
        said = rows.execute("SELECT acknowledged_by FROM acknowledgements").fetchall()
    assert said == [("robot 2",)]
