"""Every request gets exactly one answer.

A trigger opens a ticket. Whoever settles it first, the verdict, the deadline or the end of the
station, wins under one lock, and the answer leaves under that same lock; everybody else is told
what was answered. Nothing here touches a disk.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from edge.messages import Trigger
from edge.units import NS_PER_MS, NS_PER_S
from inspector.domain import Decision, Reason, Verdict
from inspector.storage.spool import OpenTicket, SettledBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One part to be answered for; moments are monotonic ns.

    HOLD/DEADLINE leaves at `answer_by_ns`; after `due_ns` nothing leaves. `is_over_limit` says that
    too many were open already. `correlation` is what the answers carry back to the asker, on v5.
    """

    note: OpenTicket
    trigger: Trigger
    opened_ns: int
    answer_by_ns: int
    due_ns: int
    is_over_limit: bool = False
    correlation: bytes = b""

    @property
    def id(self) -> UUID:
        return self.note.id

    @property
    def ids(self) -> dict[str, str]:
        """What a message of the log is about."""
        return {"request_id": self.trigger.request_id, "inspection_id": str(self.id)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a ticket was settled with; `was_sent` is False where it could not leave in time."""

    ticket: Ticket
    verdict: Verdict
    by: SettledBy
    seq: int
    settled_ns: int
    settled_at: datetime
    acquired_ns: int | None
    was_sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """The same request again; `answer` is None while it is still open."""

    answer: Answer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clashing:
    """The request_id was used for other content within the duplicate window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of every trigger since the start."""

    received: int = 0
    passed: int = 0
    failed: int = 0
    held: int = 0
    rejected: int = 0
    duplicates: int = 0
    malformed: int = 0
    open: int = 0
    unsent: int = 0

    @property
    def is_conserved(self) -> bool:
        """Whether every trigger received is accounted for."""
        return self.received == (
            self.passed
            + self.failed
            + self.held
            + self.rejected
            + self.duplicates
            + self.malformed
            + self.open
        )


_DECIDED = {Decision.PASS: "passed", Decision.FAIL: "failed", Decision.HOLD: "held"}


class Tickets:
    """The open tickets, and the answers given within the duplicate window. Any thread may call."""

    def __init__(
        self,
        *,
        send: Callable[[Answer], bool],
        answer_margin_ms: int,
        duplicate_window_s: float,
        max_open: int,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Answers leave by `send`, which says whether they did.

        `send` runs under the lock, so it must be quick and must not call back.
        """
        self._send = send
        self._answer_margin_ns = answer_margin_ms * NS_PER_MS
        self._window_ns = int(duplicate_window_s * NS_PER_S)
        self._max_open = max_open
        self._clock_ns = clock_ns
        self._changed = threading.Condition(threading.Lock())
        self._open: dict[UUID, Ticket] = {}
        self._acquired_ns: dict[UUID, int] = {}
        self._unclaimed: dict[UUID, Answer] = {}
        self._remembered: dict[str, Ticket] = {}  # by request_id, oldest first
        self._answers: dict[str, Answer] = {}
        self._timers: list[tuple[int, UUID]] = []
        self._tally = Tally()

    def open(
        self,
        trigger: Trigger,
        *,
        note: OpenTicket,
        received_ns: int,
        deadline_ms: int,
        correlation: bytes = b"",
    ) -> Ticket | Repeated | Clashing:
        """Open a ticket for `trigger`, unless its request_id was met within the window."""
        with self._changed:
            self._forget_old(self._clock_ns())
            known = self._remembered.get(trigger.request_id)
            if known is not None and known.trigger != trigger:
                self._count(received=1, rejected=1)
                return Clashing()
            if known is not None:
                self._count(received=1, duplicates=1)
                return Repeated(answer=self._answers.get(trigger.request_id))
            due_ns = received_ns + deadline_ms * NS_PER_MS
            ticket = Ticket(
                note=note,
                trigger=trigger,
                opened_ns=received_ns,
                answer_by_ns=due_ns - self._answer_margin_ns,
                due_ns=due_ns,
                is_over_limit=len(self._open) >= self._max_open,
                correlation=correlation or trigger.request_id.encode(),
            )
            self._open[ticket.id] = ticket
            self._remembered[trigger.request_id] = ticket
            heapq.heappush(self._timers, (ticket.answer_by_ns, ticket.id))
            self._count(received=1, open=1)
            self._changed.notify_all()
            return ticket

    def knows(self, trigger: Trigger) -> bool:
        """Return whether this very trigger was met within the window."""
        with self._changed:
            self._forget_old(self._clock_ns())
            known = self._remembered.get(trigger.request_id)
            return known is not None and known.trigger == trigger

    def count_refused(self) -> None:
        """Count a trigger that was rejected without a ticket."""
        with self._changed:
            self._count(received=1, rejected=1)

    def count_repeated(self) -> None:
        """Count a trigger that the station's last life has answered."""
        with self._changed:
            self._count(received=1, duplicates=1)

    def count_malformed(self) -> None:
        """Count a trigger without a readable request_id."""
        with self._changed:
            self._count(received=1, malformed=1)

    def is_open(self, ticket: Ticket) -> bool:
        """Return whether nobody has answered yet."""
        with self._changed:
            return ticket.id in self._open

    def acquired(self, ticket: Ticket, *, at_ns: int) -> None:
        """Note when the picture was taken, for the answer."""
        with self._changed:
            if ticket.id in self._open:
                self._acquired_ns[ticket.id] = at_ns

    def settle(self, ticket: Ticket, verdict: Verdict, *, by: SettledBy) -> Answer:
        """Answer `ticket` with `verdict`, unless it is answered; return the answer that counts.

        From `answer_by_ns` on the answer is HOLD/DEADLINE, whoever asks. The caller is the one who
        has worked on the ticket: what the timer answered is handed over here and then forgotten.
        """
        with self._changed:
            if ticket.id in self._open:
                self._settle(ticket, verdict, by=by)
            return self._unclaimed.pop(ticket.id)

    def settle_due(self) -> tuple[Answer, ...]:
        """Answer HOLD/DEADLINE for each ticket whose moment has come."""
        with self._changed:
            return self._settle_due()

    def settle_next_due(self, *, wait_s: float) -> tuple[Answer, ...]:
        """Wait for the next deadline, at most `wait_s`, and answer what is due."""
        with self._changed:
            first_ns = self._timers[0][0] if self._timers else None
            left_s = wait_s
            if first_ns is not None:
                left_s = min(wait_s, (first_ns - self._clock_ns()) / NS_PER_S)
            if left_s > 0:
                self._changed.wait(left_s)
            return self._settle_due()

    def settle_all(self, verdict: Verdict, *, by: SettledBy) -> tuple[Answer, ...]:
        """Answer every open ticket, as the station stops."""
        with self._changed:
            return tuple(
                self._settle(ticket, verdict, by=by) for ticket in tuple(self._open.values())
            )

    def tally(self) -> Tally:
        """Return the counts of one moment."""
        with self._changed:
            return self._tally

    def _settle_due(self) -> tuple[Answer, ...]:
        now_ns = self._clock_ns()
        answers = []
        while self._timers and self._timers[0][0] <= now_ns:
            _, ticket_id = heapq.heappop(self._timers)
            if (ticket := self._open.get(ticket_id)) is not None:
                answers.append(self._settle(ticket, _LATE, by="deadline"))
        return tuple(answers)

    def _settle(self, ticket: Ticket, verdict: Verdict, *, by: SettledBy) -> Answer:
        now_ns = self._clock_ns()
        if by == "verdict" and now_ns >= ticket.answer_by_ns:
            verdict, by = _LATE, "deadline"
        del self._open[ticket.id]
        answer = Answer(
            ticket=ticket,
            verdict=verdict,
            by=by,
            seq=self._tally.passed + self._tally.failed + self._tally.held + 1,
            settled_ns=now_ns,
            settled_at=datetime.now(UTC),
            acquired_ns=self._acquired_ns.pop(ticket.id, None),
        )
        if now_ns < ticket.due_ns and self._send(answer):
            answer = replace(answer, was_sent=True)
            self._answers[ticket.trigger.request_id] = answer
        else:
            # the row will say that nothing left, so a repeated request must not get it either
            del self._remembered[ticket.trigger.request_id]
            self._count(unsent=1)
        self._unclaimed[ticket.id] = answer
        self._count(**{_DECIDED[verdict.decision]: 1}, open=-1)
        return answer

    def _forget_old(self, now_ns: int) -> None:
        for request_id, ticket in tuple(self._remembered.items()):
            if now_ns - ticket.opened_ns <= self._window_ns:
                return
            if ticket.id not in self._open:
                del self._remembered[request_id]
                self._answers.pop(request_id, None)

    def _count(self, **changes: int) -> None:
        self._tally = replace(
            self._tally, **{name: getattr(self._tally, name) + n for name, n in changes.items()}
        )


_LATE = Verdict.held(Reason.DEADLINE, "no verdict before the answer was due")
