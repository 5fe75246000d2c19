"""From what was judged to what leaves, and to the row: in this order, whatever ends in between.

1. The candidate, what was judged, is on the disk: the one fsync on the way of an answer.
2. What is about to leave is written, as uncertain.
3. The answer leaves, if nobody answered before and it is not too late.
4. What left is written, for certain.
5. The record thread makes the row of both.

A kill after 1 makes a row that says that nothing was sent; nothing was. After a kill between 2 and
4, some 0.2 ms, nobody can know: the row says that the answer was sent, names the doubt and asks for
a review, since a row must not deny a PASS that left. A HOLD may leave before anything is on the
disk, so it goes straight to 3.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from edge.answers import as_answered, settlement_of
from edge.recorder import Finished, Recorder
from edge.tickets import Answer, Ticket, Tickets
from edge.units import NS_PER_MS
from inspector.domain import Decision, Inspection, Reason, Verdict
from inspector.errors import StorageError
from inspector.storage.spool import Settlement

log = logging.getLogger(__name__)


class Conclusions:
    """Concludes tickets. Any thread may call, once for each ticket."""

    def __init__(
        self,
        *,
        tickets: Tickets,
        recorder: Recorder,
        concluded: Callable[[Answer, Inspection], None] = lambda _answer, _inspection: None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`concluded` is told each answer that counts, with the part as it is recorded."""
        self._tickets = tickets
        self._recorder = recorder
        self._concluded = concluded
        self._clock_ns = clock_ns

    def conclude(self, ticket: Ticket, inspection: Inspection) -> Answer:
        """Answer with what was judged, unless it is too late, and have the row made.

        Returns the answer that counts, which may be another's.
        """
        started_ns = self._clock_ns()
        was_noted = False
        if inspection.verdict.decision is not Decision.HOLD and self._tickets.is_open(ticket):
            try:
                self._recorder.candidate(inspection)
                was_noted = self._note_leaving(ticket, inspection.verdict)
            except StorageError as exc:
                verdict = Verdict.held(Reason.NOT_RECORDED, str(exc))
                inspection = replace(inspection, verdict=verdict)
        recorded_ns = self._clock_ns()
        answer = self._tickets.settle(ticket, inspection.verdict, by="verdict")
        settlement = settlement_of(answer)
        if was_noted:
            self._recorder.leaving(settlement)
        if inspection.verdict.decision is Decision.HOLD or answer.by != "verdict":
            log.error(
                "%s: held: %s",
                ticket.trigger.request_id,
                inspection.verdict.detail,
                extra=ticket.ids,
            )
        timings = replace(
            inspection.timings,
            record_ms=(recorded_ns - started_ns) / NS_PER_MS,
            total_ms=(answer.settled_ns - ticket.opened_ns) / NS_PER_MS,
        )
        inspection = replace(
            inspection, verdict=as_answered(inspection.verdict, answer), timings=timings
        )
        self._recorder.finish(Finished(inspection=inspection, settlement=settlement))
        self._concluded(answer, inspection)
        return answer

    def _note_leaving(self, ticket: Ticket, verdict: Verdict) -> bool:
        """Write that `verdict` is about to leave; return False where the timer has its turn."""
        if self._clock_ns() >= ticket.answer_by_ns or not self._tickets.is_open(ticket):
            return False
        settlement = Settlement(
            id=ticket.id,
            sent_decision=verdict.decision,
            sent_at=datetime.now(UTC),
            by="verdict",
            is_certain=False,
        )
        self._recorder.leaving(settlement)
        return True
