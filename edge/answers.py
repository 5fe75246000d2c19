"""What leaves the station for the PLC, and what the row says of it."""

from __future__ import annotations

import logging
import queue
from dataclasses import replace
from datetime import UTC, datetime

from edge import messages
from edge.messages import Refusal
from edge.mqtt import Link, Message
from edge.tickets import NS_PER_MS, NS_PER_S, Answer, Ticket
from inspector.domain import Reason, Verdict
from inspector.storage.spool import Settlement

log = logging.getLogger(__name__)


class Answers:
    """Speaks to the PLC over a link of its own, only while it is up. Any thread may call."""

    def __init__(self, *, link: Link, line: Link, base: str) -> None:
        """`line` carries the retained copy of the newest result, for clients that were away."""
        self._link = link
        self._line = line
        self._base = base

    def send(self, answer: Answer) -> bool:
        """Publish an answer in time; return whether it left. The lock of the tickets is held."""
        payload = messages.encode(result_of(answer))
        taken = self._link.publish(
            Message(topic=f"{self._base}/{messages.RESULT}", payload=payload),
            expiry_s=(answer.ticket.due_ns - answer.settled_ns) / NS_PER_S,
        )
        if taken is None:
            return False
        self._line.publish(
            Message(topic=f"{self._base}/{messages.RESULT_LAST}", payload=payload, retain=True)
        )
        return True

    def repeat(self, answer: Answer) -> None:
        """Publish an answer again, for a PLC that asks again."""
        self._tell(messages.RESULT, result_of(answer))

    def accepted(self, ticket: Ticket) -> None:
        self._tell(
            messages.ACCEPTED,
            messages.Accepted(
                request_id=ticket.trigger.request_id,
                inspection_id=str(ticket.id),
                deadline_ms=(ticket.due_ns - ticket.opened_ns) // NS_PER_MS,
                ts=messages.timestamp(datetime.now(UTC)),
            ),
        )

    def acquired(self, ticket: Ticket) -> None:
        self._tell(
            messages.ACQUIRED,
            messages.Acquired(
                request_id=ticket.trigger.request_id,
                inspection_id=str(ticket.id),
                ts=messages.timestamp(datetime.now(UTC)),
            ),
        )

    def rejected(self, request_id: str, refusal: Refusal, detail: str) -> None:
        self._tell(messages.REJECTED, messages.rejection(request_id, refusal, detail))

    def read_receipts(self) -> None:
        """Say in the log what the broker said of the answers since the last call."""
        while True:
            try:
                receipt = self._link.receipts.get_nowait()
            except queue.Empty:
                return
            if receipt is None:
                continue
            if not receipt.delivered:
                log.error("the broker refused an answer: %s", receipt.detail)
            elif not receipt.heard:
                log.warning("nobody listens to the answers at %s", self._base)

    def _tell(self, topic: str, payload: messages.Payload) -> None:
        self._link.publish(Message(topic=f"{self._base}/{topic}", payload=messages.encode(payload)))


def result_of(answer: Answer) -> messages.Result:
    """Return an answer as the PLC gets it."""
    ticket = answer.ticket
    acquired_ns = answer.acquired_ns
    return messages.Result(
        request_id=ticket.trigger.request_id,
        inspection_id=str(ticket.id),
        seq=answer.seq,
        decision=answer.verdict.decision,
        code=answer.verdict.decision.code,
        reason=answer.verdict.reason,
        clause_ids=messages.joined(answer.verdict.clause_ids),
        part_id=ticket.trigger.part_id or "",
        ts=messages.timestamp(answer.settled_at),
        t_acq_ms=0 if acquired_ns is None else (acquired_ns - ticket.opened_ns) // NS_PER_MS,
        t_proc_ms=0 if acquired_ns is None else (answer.settled_ns - acquired_ns) // NS_PER_MS,
    )


def settlement_of(answer: Answer) -> Settlement:
    """Return what the record notes of an answer."""
    return Settlement(
        id=answer.ticket.id,
        sent_decision=answer.verdict.decision if answer.was_sent else None,
        sent_at=answer.settled_at if answer.was_sent else None,
        by=answer.by,
    )


def as_answered(judged: Verdict, answer: Answer) -> Verdict:
    """Return the verdict of the row: where another answer counts, that one, naming what was judged.

    A part that was held for its deadline is a held part, whatever was judged afterwards.
    """
    if answer.by == "verdict":
        return judged
    if judged.reason in {answer.verdict.reason, Reason.DEADLINE}:
        return answer.verdict
    return replace(
        answer.verdict,
        detail=f"{answer.verdict.detail}; judged too late: {judged.decision} {judged.reason} "
        f"({judged.detail})",
        clause_ids=judged.clause_ids,
    )
