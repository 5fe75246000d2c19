"""From what was judged to what leaves, and to the row: in this order, whatever ends in between.

1. The candidate, what was judged, is on the disk: the one fsync on the way of an answer.
2. The settlement, what is about to leave, is written.
3. The answer leaves, if nobody answered before and it is not too late.
4. Where something else left, or nothing, the settlement is corrected.
5. The record thread makes the row of both.

A kill after 1 makes a row that says that nothing was sent; nothing was. A kill between 2 and 3, or
3 and 4, leaves a settlement that is wrong: within some 0.2 ms, and better than a row that denies a
PASS that left. A HOLD may leave before anything is on the disk, so it goes straight to 3.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from edge.answers import as_answered, settlement_of
from edge.recorder import Finished, Recorder
from edge.tickets import NS_PER_MS, Answer, Ticket, Tickets
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
        noted: Settlement | None = None
        if inspection.verdict.decision is not Decision.HOLD and self._tickets.is_open(ticket):
            try:
                self._recorder.candidate(inspection)
                noted = self._note_leaving(ticket, inspection.verdict)
            except StorageError as exc:
                verdict = Verdict.held(Reason.NOT_RECORDED, str(exc))
                inspection = replace(inspection, verdict=verdict)
        recorded_ns = self._clock_ns()
        answer = self._tickets.settle(ticket, inspection.verdict, by="verdict")
        settlement = settlement_of(answer)
        if noted is not None and noted.sent_decision is not settlement.sent_decision:
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

    def _note_leaving(self, ticket: Ticket, verdict: Verdict) -> Settlement | None:
        """Write that `verdict` leaves, where it still can; None where the timer has its turn."""
        if self._clock_ns() >= ticket.answer_by_ns or not self._tickets.is_open(ticket):
            return None
        settlement = Settlement(
            id=ticket.id,
            sent_decision=verdict.decision,
            sent_at=datetime.now(UTC),
            by="verdict",
        )
        self._recorder.leaving(settlement)
        return settlement
