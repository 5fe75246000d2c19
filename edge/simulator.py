"""A PLC for demonstrations and tests: triggers out, answers in, and a strict account of both.

Like a PLC's cycle it is one loop: read what arrived, watch the deadlines, send what is due. It
triggers only while the station says Ready and its heartbeat is fresh; no answer is a reject.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from edge import messages
from edge.messages import Trigger
from edge.mqtt import Arrival, Link, Message
from edge.queues import taken
from edge.units import NS_PER_MS, NS_PER_S
from inspector.domain import Decision
from inspector.errors import BrokerError, CaseError
from inspector.settings import MqttSettings

HEARTBEAT_FRESH_MS = 3000
WATCHDOG_MS = 15_000  # longer than any deadline a station accepts by default
READY_WITHIN_S = 300.0  # models load on a cold machine
LISTEN_ON_MS = 300  # after the last answer, for a second one that must not come


class Part(BaseModel):
    """One line of a parts file; a part that is no picture's name is the station's problem."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    part_id: str
    recipe: str | None = None
    view: str | None = None
    lot: str | None = None
    expected: Mapping[str, str] = {}
    inspected_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one trigger; neither `result` nor `rejected` means that nobody answered."""

    part_id: str
    request_id: str
    latency_ms: float
    deadline_ms: int | None
    result: messages.Result | None = None
    rejected: messages.Rejected | None = None

    @property
    def is_late(self) -> bool:
        return self.deadline_ms is not None and self.latency_ms > self.deadline_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The account of a run; `contradictions` are second answers that differ, or to nothing."""

    triggers: int = 0
    passed: int = 0
    failed: int = 0
    held: int = 0
    rejected: int = 0
    unanswered: int = 0
    late: int = 0
    repeats_sent: int = 0
    repeats_answered: int = 0
    contradictions: int = 0

    @property
    def is_good(self) -> bool:
        """Whether every trigger had exactly one answer, in time."""
        answered = self.passed + self.failed + self.held + self.rejected
        return answered == self.triggers and not (self.late or self.contradictions)

    def with_outcome(self, outcome: Outcome) -> Report:
        """Return this account with one more trigger closed."""
        counted = replace(self, late=self.late + outcome.is_late)
        if outcome.rejected is not None:
            return replace(counted, rejected=counted.rejected + 1)
        if outcome.result is None:
            return replace(counted, unanswered=counted.unanswered + 1)
        match outcome.result.decision:
            case Decision.PASS:
                return replace(counted, passed=counted.passed + 1)
            case Decision.FAIL:
                return replace(counted, failed=counted.failed + 1)
            case Decision.HOLD:
                return replace(counted, held=counted.held + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a PLC triggers: the next part comes after `takt_ms`, or after the answer where that is 0.

    `jitter` is the share of the takt by which it comes sooner or later, `burst` how many come at
    once. With `duplicates` each trigger is sent twice; with `acknowledges` each result is. One part
    in `wrong_recipe_every` names a recipe that there is not.
    """

    takt_ms: int = 0
    jitter: float = 0.0
    burst: int = 1
    duplicates: bool = False
    acknowledges: bool = False
    wrong_recipe_every: int = 0
    seed: int = 0


WRONG_RECIPE = "no-such-recipe"


@dataclass(slots=True, kw_only=True)
class _Open:
    """A trigger on its way."""

    part_id: str
    sent_ns: int
    deadline_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class _Station:
    """What the PLC knows of the station."""

    state: str = ""
    heard_ns: int = 0
    heard_session: int | None = None
    open: dict[str, _Open] = field(default_factory=dict)
    closed: dict[str, Outcome] = field(default_factory=dict)


class Plc:
    """One PLC at one station. One thread."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        base: str,
        on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
        ready_within_s: float = READY_WITHIN_S,
    ) -> None:
        self._base = base
        self._on_outcome = on_outcome
        self._ready_within_s = ready_within_s
        self._known = _Station()
        self._report = Report()
        self._manner = Manner()
        self._link = Link(
            settings,
            client_id=f"plc-{uuid4().hex[:8]}",
            subscribe=tuple(
                f"{base}/{topic}" for topic in (messages.STATE, messages.HEARTBEAT, "evt/+")
            ),
        )

    def run(self, parts: tuple[Part, ...], *, manner: Manner | None = None) -> Report:
        """Send a trigger for each part and return the account.

        Raises `BrokerError` where broker or station are not there.
        """
        self._manner = manner = manner or Manner()
        chance = random.Random(manner.seed)
        self._link.start()
        try:
            prefix = uuid4().hex[:8]
            next_ns = 0
            for number, part in enumerate(parts, start=1):
                is_first = (number - 1) % manner.burst == 0
                while is_first and (
                    time.monotonic_ns() < next_ns or (manner.takt_ms == 0 and self._known.open)
                ):
                    self._cycle(until_ns=next_ns)
                self._await_ready()
                if manner.wrong_recipe_every and number % manner.wrong_recipe_every == 0:
                    part = part.model_copy(update={"recipe": WRONG_RECIPE})
                self._send(part, request_id=f"{prefix}-{number:06d}", duplicates=manner.duplicates)
                if is_first:
                    shift = 1 + chance.uniform(-manner.jitter, manner.jitter)
                    next_ns = time.monotonic_ns() + int(manner.takt_ms * shift * NS_PER_MS)
            while self._known.open:
                self._cycle()
            listen_until_ns = time.monotonic_ns() + LISTEN_ON_MS * NS_PER_MS
            while time.monotonic_ns() < listen_until_ns:
                self._cycle(until_ns=listen_until_ns)
        finally:
            self._link.stop()
        return self._report

    def _await_ready(self) -> None:
        give_up_ns = time.monotonic_ns() + int(self._ready_within_s * 1000) * NS_PER_MS
        while not self._is_ready():
            if time.monotonic_ns() > give_up_ns:
                raise BrokerError(
                    f"expected the station at {self._base} to be Ready within "
                    f"{self._ready_within_s:g} s, found {self._known.state or 'no state'}; "
                    "start it or correct --base"
                )
            self._cycle()

    def _is_ready(self) -> bool:
        # a broker that was restarted may bring an old Ready back before the station is there again
        is_heard = self._known.heard_session == self._link.session
        age_ms = (time.monotonic_ns() - self._known.heard_ns) / NS_PER_MS
        return self._known.state == "Ready" and is_heard and age_ms < HEARTBEAT_FRESH_MS

    def _send(self, part: Part, *, request_id: str, duplicates: bool) -> None:
        trigger = Trigger(
            request_id=request_id,
            part_id=part.part_id,
            lot=part.lot,
            view=part.view,
            recipe=part.recipe,
            ts=datetime.now(UTC),
            expected=part.expected,
            inspected_on=part.inspected_on,
        )
        message = Message(
            topic=f"{self._base}/{messages.TRIGGER}", payload=messages.encode_trigger(trigger)
        )
        self._known.open[request_id] = _Open(part_id=part.part_id, sent_ns=time.monotonic_ns())
        self._report = replace(self._report, triggers=self._report.triggers + 1)
        self._link.publish(message)  # a lost one ends at the watchdog, as on a line
        if duplicates:
            self._link.publish(message)
            self._report = replace(self._report, repeats_sent=self._report.repeats_sent + 1)

    def _cycle(self, *, until_ns: int = 0) -> None:
        """Read what arrived, wait a little for more, and close what nobody answered."""
        wait_s = 0.1
        if until_ns:
            wait_s = min(wait_s, max(0.001, (until_ns - time.monotonic_ns()) / NS_PER_S))
        for arrival in taken(self._link.arrivals, wait_s=wait_s):
            self._read(arrival)
        self._watch_deadlines()

    def _read(self, arrival: Arrival) -> None:
        match arrival.topic.removeprefix(f"{self._base}/"):
            case messages.STATE:
                self._known.state = messages.decode(messages.State, arrival.payload).state
            case messages.HEARTBEAT:
                self._known.heard_ns = arrival.received_ns
                self._known.heard_session = arrival.session
            case messages.ACCEPTED:
                accepted = messages.decode(messages.Accepted, arrival.payload)
                if (known := self._known.open.get(accepted.request_id)) is not None:
                    known.deadline_ms = accepted.deadline_ms
            case messages.RESULT:
                result = messages.decode(messages.Result, arrival.payload)
                if self._manner.acknowledges:
                    ack = messages.encode_command(messages.Ack(request_id=result.request_id))
                    self._link.publish(Message(topic=f"{self._base}/{messages.ACK}", payload=ack))
                self._close(result.request_id, arrival.received_ns, result=result)
            case messages.REJECTED:
                rejected = messages.decode(messages.Rejected, arrival.payload)
                self._close(rejected.request_id, arrival.received_ns, rejected=rejected)

    def _close(
        self,
        request_id: str,
        now_ns: int,
        *,
        result: messages.Result | None = None,
        rejected: messages.Rejected | None = None,
    ) -> None:
        if (known := self._known.open.pop(request_id, None)) is None:
            self._on_second_answer(request_id, result)
            return
        outcome = Outcome(
            part_id=known.part_id,
            request_id=request_id,
            latency_ms=round((now_ns - known.sent_ns) / NS_PER_MS, 3),
            deadline_ms=known.deadline_ms,
            result=result,
            rejected=rejected,
        )
        self._known.closed[request_id] = outcome
        self._report = self._report.with_outcome(outcome)
        self._on_outcome(outcome)

    def _on_second_answer(self, request_id: str, result: messages.Result | None) -> None:
        first = self._known.closed.get(request_id)
        if first is None:
            return  # another PLC's, on the same station
        is_alike = first.result is not None and first.result == result
        self._report = (
            replace(self._report, repeats_answered=self._report.repeats_answered + 1)
            if is_alike and self._report.repeats_sent
            else replace(self._report, contradictions=self._report.contradictions + 1)
        )

    def _watch_deadlines(self) -> None:
        now_ns = time.monotonic_ns()
        for request_id, known in tuple(self._known.open.items()):
            # the deadline itself is checked on arrival: here the PLC gives up
            allowed_ms = WATCHDOG_MS if known.deadline_ms is None else known.deadline_ms + 1000
            if now_ns - known.sent_ns > allowed_ms * NS_PER_MS:
                self._close(request_id, now_ns)


def read_parts(path: Path) -> tuple[Part, ...]:
    """Return the parts of a JSON-lines file; raise `CaseError` that names the line."""
    return tuple(_parts(path))


def _parts(path: Path) -> Iterator[Part]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        raise CaseError(
            f"{path}: expected a file of parts, one JSON object a line: {exc.strerror}; "
            "correct the path"
        ) from exc
    except UnicodeDecodeError as exc:
        raise CaseError(f"{path}: expected parts as UTF-8 text: {exc.reason}") from exc
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Part.model_validate_json(line)
        except ValidationError as exc:
            error = exc.errors()[0]
            key = ".".join(str(part) for part in error["loc"])
            raise CaseError(f"{path}:{number}: {key or 'line'}: {error['msg']}") from exc


def outcome_line(outcome: Outcome) -> str:
    """Return an outcome as one line of JSON."""
    content: dict[str, object] = {"part_id": outcome.part_id, "request_id": outcome.request_id}
    if outcome.result is not None:
        result = outcome.result
        content = {
            "schema": "plc.part/1",
            **content,
            "inspection_id": result.inspection_id,
            "decision": result.decision,
            "reason": result.reason,
            "clause_ids": result.clause_ids,
            "latency_ms": outcome.latency_ms,
            "deadline_ms": outcome.deadline_ms,
            "in_time": not outcome.is_late,
        }
    elif outcome.rejected is not None:
        rejected = outcome.rejected
        content = {
            "schema": "plc.rejected/1",
            **content,
            "code": rejected.code,
            "reason": rejected.reason,
            "detail": rejected.detail,
        }
    else:
        content = {"schema": "plc.unanswered/1", **content}
    return json.dumps(content, allow_nan=False)


def report_line(report: Report) -> str:
    """Return the account as one line of JSON."""
    return json.dumps(
        {
            "schema": "plc.report/1",
            "triggers": report.triggers,
            "pass": report.passed,
            "fail": report.failed,
            "hold": report.held,
            "rejected": report.rejected,
            "unanswered": report.unanswered,
            "late": report.late,
            "repeats_sent": report.repeats_sent,
            "repeats_answered": report.repeats_answered,
            "contradictions": report.contradictions,
            "ok": report.is_good,
        }
    )
