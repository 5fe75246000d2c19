"""A station's storage killed at random moments: what was acknowledged is there, once."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select
from storage_builders import part, settlement, ticket

from inspector.domain import Decision
from inspector.storage.database import open_database
from inspector.storage.recovery import recover
from inspector.storage.schema import HourRow, InspectionRow, OutboxRow
from inspector.storage.spool import Spool
from inspector.storage.store import Store

KILLS = 20
CRASHES_WITHIN = 120


def write_parts(folder: Path, url: str, seed: int, acknowledge: int) -> None:
    """Recover, then take parts through the storage for ever, saying each step when it is done."""
    choices = random.Random(seed)
    spool, store = Spool(folder), Store(open_database(url))

    def say(*words: object) -> None:
        os.write(acknowledge, (" ".join(map(str, words)) + "\n").encode())

    recover(spool, store)
    say("recovered")
    while True:
        opened = ticket()
        spool.open_ticket(opened)
        say("ticket", opened.id)
        if choices.random() < 0.1:
            continue
        decision = choices.choice(list(Decision))
        judged = part(of=opened, decision=decision)
        spool.candidate(judged)
        say("candidate", opened.id, decision)
        if choices.random() < 0.1:
            continue
        settled = settlement(opened.id, sent=choices.choice([decision, Decision.HOLD]))
        spool.settle(settled)
        say("settled", opened.id, settled.sent_decision)
        if choices.random() < 0.1:
            continue
        seq = store.record(settled.applied_to(judged))
        say("row", opened.id, seq)
        spool.remove(opened.id)
        say("removed", opened.id)


@dataclass
class Acknowledged:
    tickets: set[UUID] = field(default_factory=set)
    judged: dict[UUID, str] = field(default_factory=dict)
    sent: dict[UUID, str] = field(default_factory=dict)
    seqs: dict[UUID, int] = field(default_factory=dict)

    def add(self, line: str) -> None:
        match line.split():
            case ["ticket", who]:
                self.tickets.add(UUID(who))
            case ["candidate", who, decision]:
                self.judged[UUID(who)] = decision
            case ["settled", who, decision]:
                self.sent[UUID(who)] = decision
            case ["row", who, seq]:
                self.seqs[UUID(who)] = int(seq)


def lines_until_killed(folder: Path, url: str, seed: int) -> Iterator[str]:
    """Run the writer, kill it while it works on, and yield all that it had said."""
    receiving, sending = os.pipe()
    writer = multiprocessing.get_context("fork").Process(
        target=write_parts, args=(folder, url, seed, sending)
    )
    writer.start()
    os.close(sending)
    last = random.Random(seed).randrange(CRASHES_WITHIN)
    with os.fdopen(receiving) as said:
        for number, line in enumerate(said):
            if number == last:
                os.kill(writer.pid, signal.SIGKILL)
            yield line
    writer.join()
    assert writer.exitcode == -signal.SIGKILL


def test_twenty_kills_lose_nothing_acknowledged_and_double_nothing(tmp_path: Path, url: str):
    acknowledged = Acknowledged()
    for seed in range(KILLS):
        for line in lines_until_killed(tmp_path / "spool", url, seed):
            acknowledged.add(line)
    database = open_database(url)
    spool = Spool(tmp_path / "spool")
    report = recover(spool, Store(database))
    assert spool.leftovers() == ()
    assert set(report.torn) == set()
    with database.reading() as connection:
        rows = {row.id: row for row in connection.execute(select(InspectionRow.__table__))}
        requests = connection.scalar(select(func.count(InspectionRow.request_id.distinct())))
        messages = connection.scalar(select(func.count()).select_from(OutboxRow))
        counted = connection.scalar(select(func.sum(HourRow.parts)))
    database.close()

    assert acknowledged.tickets - rows.keys() == set()
    assert len(rows) == requests == messages == counted
    for inspection_id, row in rows.items():
        judged = acknowledged.judged.get(inspection_id)
        assert judged is None or row.decision == judged
        sent = acknowledged.sent.get(inspection_id)
        assert sent is None or row.sent_decision == sent
        seq = acknowledged.seqs.get(inspection_id)
        assert seq is None or row.seq == seq
    # nothing is told to have left that may not have left
    unsaid = rows.keys() - acknowledged.sent.keys()
    assert sum(rows[i].sent_decision is not None for i in unsaid) <= KILLS
