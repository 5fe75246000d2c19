"""The account of a proof: what was asked, what was answered, what was recorded."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from edge import messages
from edge.mqtt import Arrival
from edge.proof.databases import Row, plain
from edge.proof.fuzz import Fuzzed, Said
from edge.units import NS_PER_MS
from inspector.domain import Decision
from inspector.errors import MessageError

EXAMPLES = 20


@dataclass(slots=True, kw_only=True)
class Asked:
    """A trigger, and what came back; moments are monotonic ns. `is_good` is the truth."""

    request_id: str
    sent_ns: int
    sent_at: datetime
    deadline_ms: int
    camera: str
    is_good: bool
    copies: int = 1
    is_accepted: bool = False
    results: list[tuple[int, messages.Result]] = field(default_factory=list)
    rejections: list[messages.Rejected] = field(default_factory=list)

    @property
    def is_answered(self) -> bool:
        return bool(self.results or self.rejections)

    @property
    def due_ns(self) -> int:
        return self.sent_ns + self.deadline_ms * NS_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A fault of the schedule. `recovery_s` is from its end until all works again, None for never.

    `not_run` says why it was not played.
    """

    kind: str
    at_s: float
    recovery_s: float | None
    not_run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What `prove` prints; a run is good where every count below `interrupted` is zero."""

    seed: int
    broker: str
    database: str
    took_s: float
    triggers: int
    received: int
    answers: int
    passed: int
    failed: int
    held: int
    rejected: int
    lost_in_outages: int
    interrupted: int
    held_up_by_broker: int
    unanswered: int
    late_pass: int
    late: int
    wrong_answers: int
    pass_unrecorded: int
    records_lost: int
    duplicates: int
    answered_twice: int
    stream_gaps: int
    stream_disorder: int
    spool_left: int
    not_conserved: int
    records: int
    will_max_s: float
    will_missing: int
    station_exits: int
    faults: tuple[Struck, ...]
    fuzz: Fuzzed | None
    examples: tuple[str, ...]
    rss_before_mb: float
    rss_after_mb: float

    @property
    def is_good(self) -> bool:
        broken = (
            self.unanswered,
            self.late_pass,
            self.late,
            self.wrong_answers,
            self.pass_unrecorded,
            self.records_lost,
            self.duplicates,
            self.answered_twice,
            self.stream_gaps,
            self.stream_disorder,
            self.spool_left,
            self.not_conserved,
            self.will_missing,
        )
        recovered = all(
            fault.not_run is not None or fault.recovery_s is not None for fault in self.faults
        )
        survived = self.fuzz is None or self.fuzz.is_survived
        return not any(broken) and recovered and survived and self.triggers > 0


class Ledger:
    """Collects arrivals and closes the account. One thread."""

    def __init__(self, *, base: str) -> None:
        self.asked: dict[str, Asked] = {}
        self.state: messages.State | None = None
        self.health: messages.Health | None = None
        self.boots: list[str] = []
        self.heard_ns = 0  # the newest heartbeat, and on which connection it came
        self.heard_session: int | None = None
        self.records: dict[int, str] = {}  # request_id by seq, in the order of arrival
        self.replayed_from: int | None = None  # from then on records come again on request
        self.disorder = 0
        self.passed_sent_ns: Counter[str] = Counter()  # newest trigger that passed, by camera
        self.recorded_sent_ns = 0  # newest trigger whose record came
        self.gone_ns = 0  # the last will
        self._open: dict[str, Asked] = {}
        self._said: dict[str, Said] = {}  # what the fuzz may be answered, by request_id
        self._newest_seq = 0
        self._base = base
        self._outages = _Times()
        self._lies = _Times()

    # --- what happens -------------------------------------------------------------------------

    def ask(self, asked: Asked) -> None:
        """Note a trigger that is about to leave."""
        self.asked[asked.request_id] = self._open[asked.request_id] = asked

    def say(self, said: Said) -> None:
        """Note a payload of the fuzz that a station may answer."""
        known = self._said.get(said.request_id)
        self._said[said.request_id] = said if known is None else known.joined(said)

    def answered_said(self) -> int:
        """Return how many payloads of the fuzz were answered."""
        return sum(one.is_answered for one in self._said.values())

    def outage_begins(self, now_ns: int) -> None:
        """From now on an answer may be missing: station or broker is gone."""
        self._outages.begin(now_ns)

    def outage_ends(self, now_ns: int) -> None:
        self._outages.end(now_ns)

    def lie_begins(self, now_ns: int) -> None:
        """From now on the pictures are not those of the parts."""
        self._lies.begin(now_ns)

    def lie_ends(self, now_ns: int) -> None:
        self._lies.end(now_ns)

    def read(self, arrival: Arrival) -> None:
        """Enter what arrived."""
        try:
            self._read(arrival)
        except MessageError:
            return  # what the proof itself sent to confuse the station

    def _read(self, arrival: Arrival) -> None:
        match arrival.topic.removeprefix(f"{self._base}/"):
            case messages.STATE:
                self.state = messages.decode(messages.State, arrival.payload)
                if self.state.boot not in self.boots:
                    self.boots.append(self.state.boot)
                if self.state.online == 0 and not arrival.retained:
                    self.gone_ns = arrival.received_ns
            case messages.HEARTBEAT:
                self.heard_ns, self.heard_session = arrival.received_ns, arrival.session
            case messages.HEALTH:
                self.health = messages.decode(messages.Health, arrival.payload)
            case messages.ACCEPTED:
                accepted = messages.decode(messages.Accepted, arrival.payload)
                if (asked := self.asked.get(accepted.request_id)) is not None:
                    asked.is_accepted = True
            case messages.RESULT:
                self._enter_result(
                    messages.decode(messages.Result, arrival.payload), arrival.received_ns
                )
            case messages.REJECTED:
                rejected = messages.decode(messages.Rejected, arrival.payload)
                self._open.pop(rejected.request_id, None)
                if (asked := self.asked.get(rejected.request_id)) is not None:
                    asked.rejections.append(rejected)
                else:
                    self._said_of(rejected.request_id).rejections += 1
            case messages.RECORD:
                self._enter_record(json.loads(arrival.payload))

    def _enter_result(self, result: messages.Result, received_ns: int) -> None:
        self._open.pop(result.request_id, None)
        if (asked := self.asked.get(result.request_id)) is None:
            self._said_of(result.request_id).results.append(result)
            return
        asked.results.append((received_ns, result))
        if result.decision is Decision.PASS:
            newest = self.passed_sent_ns[asked.camera]
            self.passed_sent_ns[asked.camera] = max(newest, asked.sent_ns)

    def _said_of(self, request_id: str) -> Said:
        """Return what was said with that id; what nobody said is an answer to nothing."""
        nobody = Said(request_id=request_id, payloads=0, may_pass=False, sent_ns=0)
        return self._said.setdefault(request_id, nobody)

    def _enter_record(self, record: dict[str, object]) -> None:
        seq = int(str(record["seq"]))
        if seq in self.records:
            return
        if self.replayed_from is None and seq < self._newest_seq:
            self.disorder += 1
        self._newest_seq = max(self._newest_seq, seq)
        request_id = str(record["request_id"])
        self.records[seq] = request_id
        if (asked := self.asked.get(request_id)) is not None:
            self.recorded_sent_ns = max(self.recorded_sent_ns, asked.sent_ns)

    def open(self, now_ns: int) -> int:
        """Return how many triggers may still be answered."""
        while self._open:
            oldest = next(iter(self._open.values()))
            if now_ns < oldest.due_ns:
                break
            del self._open[oldest.request_id]
        return len(self._open)

    def missing_seqs(self, rows: list[Row]) -> list[int]:
        """Return the seqs of the database that were never received."""
        return sorted({row.seq for row in rows} - self.records.keys())

    # --- the account --------------------------------------------------------------------------

    def account(
        self,
        *,
        seed: int,
        broker: str,
        database: str,
        took_s: float,
        rows: list[Row],
        spool_left: int,
        faults: tuple[Struck, ...],
        fuzz: Fuzzed | None,
        will_s: tuple[float | None, ...],
        station_exits: int,
        rss_before_mb: float,
        rss_after_mb: float,
    ) -> Account:
        """Compare what was said with what was recorded."""
        by_request: dict[str, list[Row]] = {}
        for row in rows:
            by_request.setdefault(row.request_id, []).append(row)
        by_id = {row.id: row for row in rows}
        asked = list(self.asked.values())
        decisions = Counter(a.results[0][1].decision for a in asked if a.results)
        unanswered = [a for a in asked if not a.is_answered]
        excused = {a.request_id for a in unanswered if self._outages.touch(a)}
        late = [self._lateness(a) for a in asked]
        wrong = [a for a in asked if self._is_wrong(a)]
        said = [one for one in self._said.values() if one.is_wrongly_answered()]
        silent = [
            one
            for one in self._said.values()
            if one.is_owed_an_answer and not one.is_answered and not self._outages.has(one.sent_ns)
        ]
        results = [result for a in asked for _, result in a.results]
        results += [result for one in self._said.values() for result in one.results]
        known_wills = [s for s in will_s if s is not None]
        return Account(
            seed=seed,
            broker=broker,
            database=database,
            took_s=round(took_s, 1),
            triggers=len(asked),
            received=sum(a.is_answered or a.is_accepted for a in asked),
            answers=sum(a.is_answered for a in asked),
            passed=decisions[Decision.PASS],
            failed=decisions[Decision.FAIL],
            held=decisions[Decision.HOLD],
            rejected=sum(bool(a.rejections) for a in asked),
            lost_in_outages=len(excused),
            interrupted=sum(row.reason == "INTERRUPTED" for row in rows),
            held_up_by_broker=late.count("broker"),
            unanswered=len(unanswered) - len(excused) + len(silent),
            late_pass=late.count("pass"),
            late=late.count("other"),
            wrong_answers=len(wrong) + len(said),
            pass_unrecorded=sum(
                result.decision is Decision.PASS
                and not _says_pass(by_id.get(plain(result.inspection_id)))
                for result in results
            ),
            records_lost=sum(
                (a.is_accepted or bool(a.results)) and a.request_id not in by_request for a in asked
            ),
            duplicates=sum(len(by_request.get(a.request_id, (None,))) - 1 for a in asked),
            answered_twice=sum(_answered_twice(a) for a in asked),
            stream_gaps=len(self.missing_seqs(rows)),
            stream_disorder=self.disorder,
            spool_left=spool_left,
            not_conserved=int(self.health is None or not _is_conserved(self.health)),
            records=len(rows),
            will_max_s=round(max(known_wills, default=0.0), 3),
            will_missing=sum(s is None for s in will_s),
            station_exits=station_exits,
            faults=faults,
            fuzz=fuzz,
            examples=tuple(
                [self._story(a, "not answered") for a in unanswered if a.request_id not in excused]
                + [one.story("not answered") for one in silent]
                + [
                    self._story(a, "late")
                    for a, how in zip(asked, late, strict=True)
                    if how in {"pass", "other"}
                ]
                + [self._story(a, "wrong") for a in wrong]
                + [one.story("wrong") for one in said]
                + [self._story(a, "answered twice") for a in asked if _answered_twice(a)]
            )[:EXAMPLES],
            rss_before_mb=round(rss_before_mb, 1),
            rss_after_mb=round(rss_after_mb, 1),
        )

    def _story(self, asked: Asked, what: str) -> str:
        """Return what is known of a trigger whose answer was not as it should be."""
        answers = [
            f"{result.decision} {result.reason} after {(at_ns - asked.sent_ns) / NS_PER_MS:.0f} ms"
            for at_ns, result in asked.results
        ] + [rejected.reason for rejected in asked.rejections]
        accepted = "accepted" if asked.is_accepted else "not accepted"
        return (
            f"{asked.request_id}, sent {asked.sent_at:%H:%M:%S.%f}: {what}; {accepted}; "
            f"{', '.join(answers) or 'no answer'}"
        )

    def _is_wrong(self, asked: Asked) -> bool:
        """Return whether a bad part passed, or a good one failed that the camera showed."""
        decisions = {result.decision for _, result in asked.results}
        if not asked.is_good and Decision.PASS in decisions:
            return True
        return asked.is_good and Decision.FAIL in decisions and not self._lies.touch(asked)

    def _lateness(self, asked: Asked) -> str:
        """Return how an answer was late: pass, other, broker (sent in time and held up), or ""."""
        for received_ns, result in asked.results[:1]:
            if received_ns <= asked.due_ns:
                continue
            left_at = datetime.fromisoformat(result.ts)
            left_in_time = left_at <= asked.sent_at + timedelta(milliseconds=asked.deadline_ms)
            if left_in_time and self._outages.touch(asked):
                return "broker"
            return "pass" if result.decision is Decision.PASS else "other"
        return ""


class _Times:
    """Spans of time; the last may not have ended."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int | None]] = []

    def begin(self, now_ns: int) -> None:
        self._spans.append((now_ns, None))

    def end(self, now_ns: int) -> None:
        since_ns, _ = self._spans.pop()
        self._spans.append((since_ns, now_ns))

    def touch(self, asked: Asked) -> bool:
        """Return whether any of it lies between a trigger and its deadline."""
        return any(
            since_ns <= asked.due_ns and (until_ns is None or asked.sent_ns <= until_ns)
            for since_ns, until_ns in self._spans
        )

    def has(self, moment_ns: int) -> bool:
        return any(
            since_ns <= moment_ns and (until_ns is None or moment_ns <= until_ns)
            for since_ns, until_ns in self._spans
        )


def _answered_twice(asked: Asked) -> bool:
    """Return whether one trigger got two answers that differ, or more than were asked for."""
    # what is repeated after a restart carries other times
    alike = {(result.inspection_id, result.decision, result.reason) for _, result in asked.results}
    if len(alike) > 1 or (asked.results and asked.rejections):
        return True
    return len(asked.results) > asked.copies


def _says_pass(row: Row | None) -> bool:
    return row is not None and row.decision == "PASS"


def _is_conserved(health: messages.Health) -> bool:
    """Return whether each trigger the station has counted became something."""
    return health.received == (
        health.passed
        + health.failed
        + health.held
        + health.rejected
        + health.duplicates
        + health.malformed
        + health.open
    )


def now_at() -> datetime:
    return datetime.now(UTC)
