"""What the station's last life told the PLC, for a PLC that asks again after a restart.

A repeated request is never inspected a second time: where its answer left, it is given again; where
nothing left before the station ended, the answer is HOLD/INTERRUPTED.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from edge import messages
from edge.tickets import Clashing
from edge.units import NS_PER_MS, NS_PER_S
from inspector.domain import Decision, Reason, Verdict
from inspector.storage.spool import OpenTicket
from inspector.storage.store import EarlierPart

BEFORE_THE_START = 0  # in place of an answer's number since the start


class EarlierAnswers:
    """The parts of the duplicate window as the database has them. One thread."""

    def __init__(self, *, window_s: float, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._window_ns = int(window_s * NS_PER_S)
        self._clock_ns = clock_ns
        self._parts: dict[str, tuple[EarlierPart, int]] = {}  # with when it is forgotten

    def recall(self, parts: tuple[EarlierPart, ...], *, now: datetime) -> None:
        """Take the parts that were recorded before this start; of equal ids the newest counts."""
        now_ns = self._clock_ns()
        for part in parts:
            age_ns = max(0, int((now - part.triggered_at).total_seconds() * NS_PER_S))
            self._parts[part.request_id] = (part, now_ns + self._window_ns - age_ns)

    def of(self, asked: OpenTicket) -> messages.Result | Clashing | None:
        """Return the answer to a request that was met within the window, None where it is new."""
        part, until_ns = self._parts.get(asked.request_id, (None, 0))
        if part is None:
            return None
        if self._clock_ns() > until_ns:
            del self._parts[asked.request_id]
            return None
        return _result(part) if _content(part) == _content(asked) else Clashing()

    def id_of(self, request_id: str) -> UUID | None:
        """Return the part of a request of the last life, None where it is not known."""
        part, _ = self._parts.get(request_id, (None, 0))
        return None if part is None else part.id


def _content(part: EarlierPart | OpenTicket) -> tuple[object, ...]:
    """Return what two triggers of one request_id must share; the database keeps no more of it."""
    return (
        part.camera_id, part.part_id, part.lot, part.view, part.recipe, dict(part.expected),
    )  # fmt: skip


def _result(part: EarlierPart) -> messages.Result:
    verdict = _told(part)
    return messages.Result(
        request_id=part.request_id,
        inspection_id=str(part.id),
        seq=BEFORE_THE_START,
        decision=verdict.decision,
        code=verdict.decision.code,
        reason=verdict.reason,
        clause_ids=messages.joined(verdict.clause_ids),
        part_id=part.part_id or "",
        ts=messages.timestamp(part.sent_at or part.triggered_at),
        t_acq_ms=0,
        t_proc_ms=_since_trigger_ms(part),
    )


def _told(part: EarlierPart) -> Verdict:
    if part.sent_decision is part.verdict.decision:
        return part.verdict
    if part.sent_decision is Decision.HOLD:  # judged, and answered by the timer before the kill
        return Verdict.held(Reason.DEADLINE, part.verdict.detail)
    return Verdict.held(Reason.INTERRUPTED, part.verdict.detail)


def _since_trigger_ms(part: EarlierPart) -> int:
    if part.sent_at is None:
        return 0
    return max(0, int((part.sent_at - part.triggered_at).total_seconds() * NS_PER_S) // NS_PER_MS)
