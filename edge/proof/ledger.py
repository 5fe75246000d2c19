"""The account of a proof: what was asked, what was answered, what was recorded."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge import messages
from edge.mqtt import Arrival
from edge.tickets import NS_PER_MS
from inspector.domain import Decision
from inspector.errors import MessageError

EXAMPLES = 20


@dataclass(slots=True, kw_only=True)
class Asked:
    """A trigger, and what came back; moments are monotonic ns."""

    request_id: str
    sent_ns: int
    sent_at: datetime
    deadline_ms: int
    copies: int = 1
    is_accepted: bool = False
    results: list[tuple[int, messages.Result]] = field(default_factory=list)
    rejections: list[messages.Rejected] = field(default_factory=list)

    @property
    def is_answered(self) -> bool:
        return bool(self.results or self.rejections)


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """A fault that was played; `recovery_s` is from its end to the next PASS, None for never."""

    kind: str
    at_s: float
    recovery_s: float | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What `prove` prints; a run is good where every count below `interrupted` is zero."""

    seed: int
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
    pass_unrecorded: int
    records_lost: int
    duplicates: int
    answered_twice: int
    stream_gaps: int
    stream_disorder: int
    spool_left: int
    will_max_s: float
    will_missing: int
    station_exits: int
    faults: tuple[Struck, ...]
    examples: tuple[str, ...]
    rss_before_mb: float
    rss_after_mb: float

    @property
    def is_good(self) -> bool:
        broken = (
            self.unanswered,
            self.late_pass,
            self.late,
            self.pass_unrecorded,
            self.records_lost,
            self.duplicates,
            self.answered_twice,
            self.stream_gaps,
            self.stream_disorder,
            self.spool_left,
            self.will_missing,
        )
        recovered = all(fault.recovery_s is not None for fault in self.faults)
        return not any(broken) and recovered and self.triggers > 0


class Ledger:
    """Collects arrivals and closes the account. One thread."""

    def __init__(self, *, base: str) -> None:
        self.asked: dict[str, Asked] = {}
        self.state: messages.State | None = None
        self.boots: list[str] = []
        self.heard_ns = 0
        self.records: dict[int, str] = {}  # request_id by seq, in the order of arrival
        self.replayed_from: int | None = None  # from then on records come again on request
        self.disorder = 0
        self.newest_pass_sent_ns = 0
        self.ready_ns = 0
        self.gone_ns = 0  # the last will
        self._newest_seq = 0
        self._base = base
        self._outages: list[tuple[int, int | None]] = []

    # --- what happens -------------------------------------------------------------------------

    def outage_begins(self, now_ns: int) -> None:
        """From now on an answer may be missing: station or broker is gone."""
        self._outages.append((now_ns, None))

    def outage_ends(self, now_ns: int) -> None:
        since_ns, _ = self._outages.pop()
        self._outages.append((since_ns, now_ns))

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
                if self.state.state == "Ready":
                    self.ready_ns = arrival.received_ns
                elif self.state.online == 0 and not arrival.retained:
                    self.gone_ns = arrival.received_ns
            case messages.HEARTBEAT:
                self.heard_ns = arrival.received_ns
            case messages.ACCEPTED:
                accepted = messages.decode(messages.Accepted, arrival.payload)
                if (asked := self.asked.get(accepted.request_id)) is not None:
                    asked.is_accepted = True
            case messages.RESULT:
                result = messages.decode(messages.Result, arrival.payload)
                if (asked := self.asked.get(result.request_id)) is not None:
                    asked.results.append((arrival.received_ns, result))
                    if result.decision is Decision.PASS:
                        self.newest_pass_sent_ns = max(self.newest_pass_sent_ns, asked.sent_ns)
            case messages.REJECTED:
                rejected = messages.decode(messages.Rejected, arrival.payload)
                if (asked := self.asked.get(rejected.request_id)) is not None:
                    asked.rejections.append(rejected)
            case messages.RECORD:
                self._enter_record(json.loads(arrival.payload))

    def _enter_record(self, record: dict[str, object]) -> None:
        seq = int(str(record["seq"]))
        if seq in self.records:
            return
        if self.replayed_from is None and seq < self._newest_seq:
            self.disorder += 1
        self._newest_seq = max(self._newest_seq, seq)
        self.records[seq] = str(record["request_id"])

    def open(self, now_ns: int) -> list[Asked]:
        """Return the triggers whose answer may still come."""
        return [
            asked
            for asked in self.asked.values()
            if not asked.is_answered and now_ns < asked.sent_ns + asked.deadline_ms * NS_PER_MS
        ]

    def missing_seqs(self, database: Path) -> list[int]:
        """Return the seqs of the database that were never received."""
        return sorted({row["seq"] for row in _rows(database)} - self.records.keys())

    # --- the account --------------------------------------------------------------------------

    def account(
        self,
        *,
        seed: int,
        database: Path,
        spool: Path,
        faults: tuple[Struck, ...],
        will_s: tuple[float | None, ...],
        station_exits: int,
        rss_before_mb: float,
        rss_after_mb: float,
    ) -> Account:
        """Compare what was said with what was recorded."""
        rows = _rows(database)
        by_request: dict[str, list[sqlite3.Row]] = {}
        for row in rows:
            by_request.setdefault(row["request_id"], []).append(row)
        by_id = {_plain(row["id"]): row for row in rows}
        asked = list(self.asked.values())
        decisions = Counter(a.results[0][1].decision for a in asked if a.results)
        unanswered = [a for a in asked if not a.is_answered]
        excused = [a for a in unanswered if self._is_in_outage(a)]
        late = [self._lateness(a) for a in asked]
        known_wills = [s for s in will_s if s is not None]
        return Account(
            seed=seed,
            triggers=len(asked),
            received=sum(a.is_answered or a.is_accepted for a in asked),
            answers=sum(a.is_answered for a in asked),
            passed=decisions[Decision.PASS],
            failed=decisions[Decision.FAIL],
            held=decisions[Decision.HOLD],
            rejected=sum(bool(a.rejections) for a in asked),
            lost_in_outages=len(excused),
            interrupted=sum(row["reason"] == "INTERRUPTED" for row in rows),
            held_up_by_broker=late.count("broker"),
            unanswered=len(unanswered) - len(excused),
            late_pass=late.count("pass"),
            late=late.count("other"),
            pass_unrecorded=sum(
                result.decision is Decision.PASS
                and not _says_pass(by_id.get(_plain(result.inspection_id)))
                for a in asked
                for _, result in a.results
            ),
            records_lost=sum(
                (a.is_accepted or bool(a.results)) and a.request_id not in by_request for a in asked
            ),
            duplicates=sum(len(found) - 1 for found in by_request.values()),
            answered_twice=sum(_answered_twice(a) for a in asked),
            stream_gaps=len({row["seq"] for row in rows} - self.records.keys()),
            stream_disorder=self.disorder,
            spool_left=len(list(spool.glob("*.ticket"))),
            will_max_s=round(max(known_wills, default=0.0), 3),
            will_missing=sum(s is None for s in will_s),
            station_exits=station_exits,
            faults=faults,
            examples=tuple(
                [self._story(a, "not answered") for a in unanswered if a not in excused]
                + [
                    self._story(a, "late")
                    for a, how in zip(asked, late, strict=True)
                    if how in {"pass", "other"}
                ]
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

    def _is_in_outage(self, asked: Asked) -> bool:
        due_ns = asked.sent_ns + asked.deadline_ms * NS_PER_MS
        return any(
            since_ns <= due_ns and (until_ns is None or asked.sent_ns <= until_ns)
            for since_ns, until_ns in self._outages
        )

    def _lateness(self, asked: Asked) -> str:
        """Return how an answer was late: pass, other, broker (sent in time and held up), or ""."""
        for received_ns, result in asked.results[:1]:
            if received_ns <= asked.sent_ns + asked.deadline_ms * NS_PER_MS:
                continue
            left_at = datetime.fromisoformat(result.ts)
            left_in_time = left_at <= asked.sent_at + timedelta(milliseconds=asked.deadline_ms)
            if left_in_time and self._is_in_outage(asked):
                return "broker"
            return "pass" if result.decision is Decision.PASS else "other"
        return ""


def _answered_twice(asked: Asked) -> bool:
    """Return whether one trigger got two answers that differ, or more than were asked for."""
    alike = {result for _, result in asked.results}
    if len(alike) > 1 or (asked.results and asked.rejections):
        return True
    return len(asked.results) > asked.copies


def _says_pass(row: sqlite3.Row | None) -> bool:
    return row is not None and row["decision"] == "PASS"


def _plain(inspection_id: str) -> str:
    return inspection_id.replace("-", "")


def _rows(database: Path) -> list[sqlite3.Row]:
    # read without the product's own code, which is what is to be proved
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(
            "SELECT id, seq, request_id, decision, sent_decision, reason FROM inspections"
        ).fetchall()


def now_at() -> datetime:
    return datetime.now(UTC)
