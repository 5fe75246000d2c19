"""The station of a proof with one promise broken on purpose: `... SABOTAGE SETTINGS CONTROL`."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

from edge import conclusion
from edge.answers import Answers
from edge.intake import Intake
from edge.mqtt import Arrival
from edge.proof import station
from edge.proof.plant import DEADLINE_MS
from edge.recorder import Recorder
from edge.tickets import Tickets
from inspector.domain import Decision, Reason, Verdict
from inspector.errors import MessageError
from inspector.storage.spool import Spool
from inspector.storage.store import Store


def skip_the_fsync() -> None:
    """What the spool is given stays with the operating system."""
    append = Spool._append

    def careless(self: Spool, *args: Any, **more: Any) -> None:
        append(self, *args, **{**more, "durable": False})

    Spool._append = careless  # type: ignore[method-assign]


def answer_before_the_record() -> None:
    """The candidate comes only once the answer has left, and takes its time."""
    conclude = conclusion.Conclusions.conclude
    candidate = Recorder.candidate

    def hasty(self: Any, ticket: Any, inspection: Any) -> Any:
        def later(recorder: Recorder, judged: Any) -> None:
            timer = threading.Timer(2, candidate, (recorder, judged))
            timer.daemon = True
            timer.start()

        Recorder.candidate = later  # type: ignore[method-assign]
        return conclude(self, ticket, inspection)

    conclusion.Conclusions.conclude = hasty  # type: ignore[method-assign]


def drop_the_outbox_row() -> None:
    record = Store.record

    def forgetful(self: Store, inspection: Any, **more: Any) -> int:
        seq = record(self, inspection, **more)
        if seq % 7 == 0:
            with self._database.writing() as connection:
                connection.exec_driver_sql(f"DELETE FROM outbox WHERE seq = {seq}")
        return seq

    Store.record = forgetful  # type: ignore[method-assign]


def answer_twice() -> None:
    send = Answers.send

    def eager(self: Answers, answer: Any) -> bool:
        send(self, answer)
        return send(self, answer)

    Answers.send = eager  # type: ignore[method-assign]


def answer_late() -> None:
    """One answer in ten leaves when its deadline is over."""
    send = Answers.send
    count = itertools.count(1)

    def slow(self: Answers, answer: Any) -> bool:
        if next(count) % 10 == 0:
            time.sleep(DEADLINE_MS / 1000 + 0.2)
        return send(self, answer)

    Answers.send = slow  # type: ignore[method-assign]


def record_twice() -> None:
    """A ticket comes back from the spool as another part."""
    record = Store.record

    def doubling(self: Store, inspection: Any, **more: Any) -> int:
        record(self, replace(inspection, id=uuid4()))
        return record(self, inspection, **more)

    Store.record = doubling  # type: ignore[method-assign]


def lose_the_ticket() -> None:
    """What was open when the station died is forgotten."""
    Spool.leftovers = lambda self: ()  # type: ignore[method-assign, assignment]


def stir_the_stream() -> None:
    """Records leave newest first."""
    pending = Store.pending_outbox

    def backwards(self: Store, limit: int, **more: Any) -> Any:
        return tuple(reversed(pending(self, limit, **more)))

    Store.pending_outbox = backwards  # type: ignore[method-assign]


def pass_everything() -> None:
    conclude = conclusion.Conclusions.conclude

    def blind(self: Any, ticket: Any, inspection: Any) -> Any:
        if inspection.verdict.decision is Decision.FAIL:
            verdict = Verdict(decision=Decision.PASS, reason=Reason.CLEAN, detail="not looked at")
            inspection = replace(inspection, verdict=verdict)
        return conclude(self, ticket, inspection)

    conclusion.Conclusions.conclude = blind  # type: ignore[method-assign]


def answer_the_unreadable() -> None:
    """What has no readable id gets an answer all the same."""
    on_bad_message = Intake._on_bad_message

    def talkative(self: Intake, error: MessageError, arrival: Arrival) -> None:
        named = MessageError(str(error), request_id=error.request_id or "unreadable")
        on_bad_message(self, named, arrival)

    Intake._on_bad_message = talkative  # type: ignore[method-assign]


def miscount() -> None:
    """A trigger that cannot be read becomes nothing."""
    Tickets.count_malformed = lambda self: self._count(received=1)  # type: ignore[method-assign]


def die_of_a_payload() -> None:
    """What cannot be read ends the thread that reads."""

    def brittle(self: Intake, error: MessageError, arrival: Arrival) -> None:
        raise error

    Intake._on_bad_message = brittle  # type: ignore[method-assign]


if __name__ == "__main__":
    {
        one.__name__: one
        for one in (
            skip_the_fsync,
            answer_before_the_record,
            drop_the_outbox_row,
            answer_twice,
            answer_late,
            record_twice,
            lose_the_ticket,
            stir_the_stream,
            pass_everything,
            answer_the_unreadable,
            miscount,
            die_of_a_payload,
        )
    }[sys.argv.pop(1)]()
    sys.exit(station.main())
