"""What leaves the station for the PLC, and what the row says of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from edge import messages
from edge.messages import Refusal
from edge.mqtt import Link, Message, Receipt
from edge.queues import taken
from edge.tickets import Answer, Ticket
from edge.units import NS_PER_MS, NS_PER_S
from inspector.domain import Reason, Verdict
from inspector.storage.spool import Settlement

log = logging.getLogger(__name__)

RECEIPTS_KEPT = 1000
ACKNOWLEDGEABLE = 10_000  # results that an acknowledgement may still be for


class Answers:
    """Speaks to the PLC over a link of its own, only while it is up. Any thread may call."""

    def __init__(
        self,
        *,
        link: Link,
        line: Link,
        base: str,
        ack_within_ms: int = 0,
        has_scalars: bool = False,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`line` carries the retained copy of the newest result, for clients that were away.

        With `ack_within_ms` the PLC acknowledges each result by then, or counts as deaf. With
        `has_scalars` each answer follows as plain numbers and words, for PLCs without JSON.
        """
        self.acknowledged = 0
        self.unheard = 0
        self.refused = 0
        self._link = link
        self._line = line
        self._base = base
        self._has_scalars = has_scalars
        self._ack_within_ns = ack_within_ms * NS_PER_MS
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._results: dict[int, str] = {}  # request_id by token, until its receipt
        self._sent: dict[str, UUID] = {}  # the part of a request_id, for its acknowledgement
        self._unacknowledged: dict[str, int] = {}  # when it was sent, by request_id
        self._deaf: str | None = None
        self._last: Message | None = None

    def send(self, answer: Answer) -> bool:
        """Publish an answer in time; return whether it left. The lock of the tickets is held."""
        payload = messages.encode(result_of(answer))
        taken = self._link.publish(
            Message(
                topic=f"{self._base}/{messages.RESULT}",
                payload=payload,
                correlation=answer.ticket.correlation,
                response_topic=f"{self._base}/{messages.ACK}",
            ),
            expiry_s=(answer.ticket.due_ns - answer.settled_ns) / NS_PER_S,
        )
        if taken is None:
            return False
        request_id = answer.ticket.trigger.request_id
        with self._lock:
            while len(self._results) >= RECEIPTS_KEPT:  # of connections that were lost
                del self._results[next(iter(self._results))]
            self._results[taken] = request_id
            # a request_id that is used again goes to the end: it is the newest, not the oldest
            self._sent.pop(request_id, None)
            while len(self._sent) >= ACKNOWLEDGEABLE:
                del self._sent[next(iter(self._sent))]
            self._sent[request_id] = answer.ticket.id
            if self._ack_within_ns:
                self._unacknowledged.pop(request_id, None)
                self._unacknowledged[request_id] = self._clock_ns()
        self._last = Message(
            topic=f"{self._base}/{messages.RESULT_LAST}", payload=payload, retain=True
        )
        self._line.publish(self._last)
        if self._has_scalars:
            self._send_scalars(answer)
        return True

    def _send_scalars(self, answer: Answer) -> None:
        """Publish an answer as scalars; `seq` comes last, so that it says that all is there."""
        expiry_s = (answer.ticket.due_ns - answer.settled_ns) / NS_PER_S
        for name, value in (
            ("request_id", answer.ticket.trigger.request_id),
            ("code", answer.verdict.decision.code),
            ("reason", answer.verdict.reason),
            ("seq", answer.seq),
        ):
            topic = f"{self._base}/{messages.OUT}/{name}"
            self._link.publish(Message(topic=topic, payload=str(value).encode()), expiry_s=expiry_s)

    def acknowledge(self, request_id: str) -> UUID | None:
        """Take the PLC's word that it has read a result; return the part, None if it is unknown."""
        with self._lock:
            self.acknowledged += 1
            self._unacknowledged.pop(request_id, None)
            if self._ack_within_ns:
                self._deaf = None
            return self._sent.get(request_id)

    def why_deaf(self) -> str | None:
        """Return why the PLC seems not to listen, None where nothing speaks for that."""
        with self._lock:
            return self._deaf

    def repeat(self, result: messages.Result, *, correlation: bytes) -> None:
        """Publish an answer again, for a PLC that asks again."""
        self._tell(messages.RESULT, result, correlation or result.request_id.encode())

    def tell_last_again(self) -> None:
        """Publish the newest result again, retained, to a broker that forgot it."""
        if (last := self._last) is not None:
            self._line.publish(last)

    def accepted(self, ticket: Ticket) -> None:
        self._tell(
            messages.ACCEPTED,
            messages.Accepted(
                request_id=ticket.trigger.request_id,
                inspection_id=str(ticket.id),
                deadline_ms=(ticket.due_ns - ticket.opened_ns) // NS_PER_MS,
                ts=messages.timestamp(datetime.now(UTC)),
            ),
            ticket.correlation,
        )

    def acquired(self, ticket: Ticket) -> None:
        self._tell(
            messages.ACQUIRED,
            messages.Acquired(
                request_id=ticket.trigger.request_id,
                inspection_id=str(ticket.id),
                ts=messages.timestamp(datetime.now(UTC)),
            ),
            ticket.correlation,
        )

    def rejected(
        self, request_id: str, refusal: Refusal, detail: str, *, correlation: bytes
    ) -> None:
        """Tell a refusal, by the line's link where that of the answers is not up (yet)."""
        refused = messages.rejection(request_id, refusal, detail)
        self._tell(
            messages.REJECTED,
            refused,
            correlation or request_id.encode(),
            by=self._link if self._link.is_up else self._line,
        )

    def read_receipts(self) -> None:
        """Take what the broker said of the answers since the last call, and look for the PLC's."""
        for receipt in taken(self._link.receipts):
            self._read(receipt)
        self._look_for_acknowledgements()

    def _read(self, receipt: Receipt) -> None:
        with self._lock:
            request_id = self._results.pop(receipt.token, None)
        if not receipt.delivered:
            self.refused += 1
            log.error("%s: the broker refused it: %s", request_id or "message", receipt.detail)
            if request_id is not None:
                self._turn_deaf(
                    f"the broker refused a result ({receipt.detail}); correct its access list"
                )
        elif request_id is None:
            return  # only results must be heard; a PLC may leave out the rest
        elif not receipt.heard:
            self.unheard += 1
            log.warning("%s: nobody listens to %s/evt/result", request_id, self._base)
            self._turn_deaf(f"nobody subscribes to {self._base}/{messages.RESULT}")
        elif not self._ack_within_ns:
            self._turn_deaf(None)

    def _look_for_acknowledgements(self) -> None:
        now_ns = self._clock_ns()
        overdue = None
        with self._lock:
            for request_id, sent_ns in tuple(self._unacknowledged.items()):
                if now_ns - sent_ns <= self._ack_within_ns:
                    break
                del self._unacknowledged[request_id]
                overdue = request_id
        if overdue is not None:
            self._turn_deaf(
                f"{overdue} was not acknowledged within {self._ack_within_ns // NS_PER_MS} ms"
            )

    def _turn_deaf(self, why: str | None) -> None:
        with self._lock:
            self._deaf = why

    def _tell(
        self, topic: str, payload: messages.Payload, correlation: bytes, *, by: Link | None = None
    ) -> None:
        (by or self._link).publish(
            Message(
                topic=f"{self._base}/{topic}",
                payload=messages.encode(payload),
                correlation=correlation,
            )
        )


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
