"""What the row says of an answer, wherever the station is killed: SIGKILL at every step."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from edge_builders import PASS, note_of

from edge.conclusion import Conclusions
from edge.messages import Trigger
from edge.recorder import Recorder
from edge.tickets import Answer, Ticket, Tickets
from inspector.domain import Inspection
from inspector.storage.database import open_database
from inspector.storage.files import Pictures
from inspector.storage.recovery import held, recover
from inspector.storage.spool import Settlement, Spool
from inspector.storage.store import Store


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class MortalSpool(Spool):
    """Kills the process after a step; the record thread does not run, as if it were slow."""

    def __init__(self, folder: Path, *, after: str) -> None:
        super().__init__(folder)
        self.after = after

    def candidate(self, inspection: Inspection) -> None:
        super().candidate(inspection)
        if self.after == "candidate":
            die()

    def settle(self, settlement: Settlement, *, durable: bool = True) -> None:
        super().settle(settlement, durable=durable)
        if self.after == f"settlement {settlement.sent_decision}":
            die()


class Bench:
    """A ticket and all that concludes it, in a folder."""

    def __init__(self, folder: Path, *, after: str, leaves: bool = True) -> None:
        self.folder = folder
        self.after = after
        self.leaves = leaves
        self.clock_ns = 0
        self.spool = MortalSpool(folder / "spool", after=after)
        self.tickets = Tickets(
            send=self._send,
            answer_margin_ms=50,
            duplicate_window_s=60,
            max_open=8,
            clock_ns=lambda: self.clock_ns,
        )
        self.recorder = Recorder(
            station_id="line1",
            store=Store(open_database(f"sqlite:///{folder / 'station.db'}")),
            spool=self.spool,
            pictures=Pictures(folder / "pictures"),
            min_free_mb=0,
            recorded=lambda _seq: None,
        )
        self.conclusions = Conclusions(
            tickets=self.tickets, recorder=self.recorder, clock_ns=lambda: self.clock_ns
        )

    def _send(self, answer: Answer) -> bool:
        if self.leaves:
            (self.folder / "left").write_text(answer.verdict.decision)
        if self.after == "sent":
            die()
        return self.leaves

    def ticket(self) -> Ticket:
        note = note_of()
        self.spool.open_ticket(note)
        opened = self.tickets.open(
            Trigger(request_id="r1", part_id="A"), note=note, received_ns=0, deadline_ms=1000
        )
        assert isinstance(opened, Ticket)
        return opened

    def conclude(self) -> None:
        ticket = self.ticket()
        self.conclusions.conclude(ticket, held(ticket.note, PASS))


def killed(body: Callable[[], None]) -> None:
    """Run `body` in a process that must end by SIGKILL."""
    process = multiprocessing.get_context("fork").Process(target=body)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def recovered(folder: Path) -> tuple[str, str | None, str | None]:
    """Return decision and sent_decision of the one row, and what really left."""
    database = open_database(f"sqlite:///{folder / 'station.db'}")
    recover(Spool(folder / "spool"), Store(database))
    database.close()
    with closing(sqlite3.connect(folder / "station.db")) as rows:
        ((decision, sent),) = rows.execute("SELECT decision, sent_decision FROM inspections")
    left = folder / "left"
    return decision, sent, left.read_text() if left.is_file() else None


@pytest.fixture
def folder(tmp_path: Path, migrated: Path) -> Path:
    shutil.copy(migrated, tmp_path / "station.db")
    return tmp_path


def test_a_kill_after_the_candidate_is_a_row_with_nothing_sent(folder: Path):
    killed(lambda: Bench(folder, after="candidate").conclude())
    assert recovered(folder) == ("PASS", None, None)


def test_a_kill_as_soon_as_the_pass_left_is_a_row_that_says_so(folder: Path):
    killed(lambda: Bench(folder, after="sent").conclude())
    assert recovered(folder) == ("PASS", "PASS", "PASS")


def test_a_kill_between_the_note_and_the_sending_is_a_row_that_names_the_doubt(folder: Path):
    killed(lambda: Bench(folder, after="settlement PASS").conclude())
    assert recovered(folder) == ("PASS", "PASS", None)
    with closing(sqlite3.connect(folder / "station.db")) as rows:
        ((detail, open_review),) = rows.execute("SELECT detail, open_review FROM inspections")
    assert "the PLC may not have got it" in detail
    assert open_review


def test_a_pass_that_left_for_certain_needs_no_review(folder: Path):
    class Certain(MortalSpool):
        def settle(self, settlement: Settlement, *, durable: bool = True) -> None:
            Spool.settle(self, settlement, durable=durable)
            if settlement.is_certain:
                die()

    def conclude() -> None:
        bench = Bench(folder, after="")
        bench.recorder._spool = Certain(folder / "spool", after="")
        bench.conclude()

    killed(conclude)
    assert recovered(folder) == ("PASS", "PASS", "PASS")
    with closing(sqlite3.connect(folder / "station.db")) as rows:
        assert rows.execute("SELECT open_review FROM inspections").fetchone() == (0,)


def test_a_kill_after_an_answer_that_could_not_leave_is_a_row_with_nothing_sent(folder: Path):
    killed(lambda: Bench(folder, after="settlement None", leaves=False).conclude())
    assert recovered(folder) == ("PASS", None, None)


def test_a_pass_that_came_too_late_never_counts_as_sent(folder: Path):
    def late() -> None:
        bench = Bench(folder, after="candidate")
        ticket = bench.ticket()
        bench.clock_ns = ticket.answer_by_ns
        bench.conclusions.conclude(ticket, held(ticket.note, PASS))

    killed(late)
    assert recovered(folder) == ("PASS", None, None)


def test_the_hold_of_the_timer_replaces_the_pass_that_was_about_to_leave(folder: Path):
    class Overtaken(MortalSpool):
        """The timer answers just when the settlement is written."""

        bench: Bench

        def settle(self, settlement: Settlement, *, durable: bool = True) -> None:
            super().settle(settlement, durable=durable)
            self.bench.clock_ns = 960_000_000
            self.bench.tickets.settle_due()

    def overtaken() -> None:
        bench = Bench(folder, after="")
        bench.spool = Overtaken(folder / "spool", after="settlement HOLD")
        bench.spool.bench = bench
        bench.recorder._spool = bench.spool
        bench.conclude()

    killed(overtaken)
    assert recovered(folder) == ("PASS", "HOLD", "HOLD")


def test_one_fsync_stands_between_the_verdict_and_the_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    synced: list[int] = []
    fsync = os.fsync
    bench = Bench(folder, after="")
    ticket = bench.ticket()
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), fsync(fd))[1])
    bench.conclusions.conclude(ticket, held(ticket.note, PASS))
    assert len(synced) == 1
