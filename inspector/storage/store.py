"""All that is written to the database; reading for people is in `queries`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    Connection,
    Executable,
    bindparam,
    case,
    delete,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from inspector.domain import Decision, Inspection, Reason, Verdict
from inspector.errors import AlreadyReviewed, StorageError
from inspector.storage.database import Database, pipelined
from inspector.storage.recorded import clause_ids
from inspector.storage.records import inspection_to_json, json_text
from inspector.storage.rows import child_rows, inspection_row
from inspector.storage.schema import (
    AcknowledgementRow,
    HourRow,
    InspectionRow,
    ModelRow,
    OutboxRow,
    ReviewRow,
    StationEventRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """A record for `<base>/record`; `payload` is JSON text of schema record/1 with its `seq`."""

    seq: int
    inspection_id: UUID
    station_id: str
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPart:
    """A part that was recorded lately: what its trigger asked for, and what it was told."""

    id: UUID
    request_id: str
    camera_id: str
    part_id: str | None
    lot: str | None
    view: str | None
    recipe: str
    expected: Mapping[str, str]
    triggered_at: datetime
    verdict: Verdict
    sent_decision: Decision | None
    sent_at: datetime | None


class Store:
    """The writes. Any thread may call; each method is one transaction, on disk when it returns.

    Raises `StorageFull` or `StorageError`; then nothing of that call is in the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, inspection: Inspection, *, needs_review: bool = False) -> int:
        """Write the row of a part, all that belongs to it and its outbox message; return its seq.

        A part that was not judged and told to be good is left open for review anyway;
        `needs_review` leaves any other open too. A part that is there already, by its id, is left
        as it is.
        """
        with self._database.writing(in_turn=True) as connection:
            known, newest = connection.execute(_SEQS, {"id": inspection.id}).one()
            if known is not None:
                return int(known)
            seq = 1 + (newest or 0)
            with pipelined(connection):
                connection.execute(
                    insert(InspectionRow),
                    inspection_row(inspection, seq, needs_review=needs_review),
                )
                for table, rows in child_rows(inspection):
                    if rows:
                        connection.execute(insert(table), rows)
                connection.execute(insert(OutboxRow), _outbox_row(inspection, seq))
                _count(connection, inspection)
        return seq

    def parts_since(self, moment: datetime, *, station_id: str) -> tuple[EarlierPart, ...]:
        """Return the parts of a station that were triggered from `moment` on, oldest first."""
        asked = (
            select(InspectionRow.__table__)
            .where(InspectionRow.station_id == station_id, InspectionRow.triggered_at >= moment)
            .order_by(InspectionRow.triggered_at, InspectionRow.seq)
        )
        with self._database.reading() as connection:
            return tuple(
                EarlierPart(
                    id=row.id,
                    request_id=row.request_id,
                    camera_id=row.camera_id,
                    part_id=row.part_id,
                    lot=row.lot,
                    view=row.view,
                    recipe=row.recipe,
                    expected=dict(row.expected),
                    triggered_at=row.triggered_at,
                    verdict=Verdict(
                        decision=Decision(row.decision),
                        reason=Reason(row.reason),
                        detail=row.detail,
                        clause_ids=clause_ids(row.clause_ids),
                    ),
                    sent_decision=None
                    if row.sent_decision is None
                    else Decision(row.sent_decision),
                    sent_at=row.sent_at,
                )
                for row in connection.execute(asked)
            )

    def pending_outbox(
        self, limit: int, *, station_id: str | None = None, besides: Collection[int] = ()
    ) -> tuple[OutboxMessage, ...]:
        """Return the oldest unpublished records, by seq; of one station where it is named.

        Those with a seq of `besides` are left out.
        """
        asked = select(OutboxRow.__table__).where(~OutboxRow.published)
        if station_id is not None:
            asked = asked.where(OutboxRow.station_id == station_id)
        if besides:
            asked = asked.where(OutboxRow.seq.not_in(besides))
        return self._messages(asked.order_by(OutboxRow.seq).limit(limit))

    def outbox_after(self, seq: int, *, station_id: str, limit: int) -> tuple[OutboxMessage, ...]:
        """Return records of a station with a seq above `seq`, published or not: a replay."""
        asked = select(OutboxRow.__table__).where(
            OutboxRow.station_id == station_id, OutboxRow.seq > seq
        )
        return self._messages(asked.order_by(OutboxRow.seq).limit(limit))

    def _messages(self, asked: Executable) -> tuple[OutboxMessage, ...]:
        return tuple(
            OutboxMessage(
                seq=row.seq,
                inspection_id=row.inspection_id,
                station_id=row.station_id,
                payload=row.payload,
            )
            for row in self._database.alone(asked)
        )

    def newest_seq(self) -> int:
        """Return the seq of the newest record of all stations, 0 where there is none."""
        ((newest,),) = self._database.alone(select(func.max(InspectionRow.seq)))
        return newest or 0

    def outbox_waiting(
        self, station_id: str, *, after_seq: int | None = None
    ) -> tuple[int, datetime | None]:
        """Return how many records of a station wait, and the oldest one's trigger.

        Those wait that are unpublished, or, for a reader with a place of its own, lie after it.
        """
        waits = ~OutboxRow.published if after_seq is None else OutboxRow.seq > after_seq
        asked = select(func.count(), func.min(OutboxRow.seq)).where(
            waits, OutboxRow.station_id == station_id
        )
        with self._database.reading() as connection:
            waiting, oldest = connection.execute(asked).one()
            oldest_at = connection.scalar(
                select(InspectionRow.triggered_at).where(InspectionRow.seq == oldest)
            )
            return waiting, oldest_at

    def mark_published(self, seqs: tuple[int, ...]) -> None:
        """Note that the broker has acknowledged these records."""
        if seqs:
            self._database.alone(
                update(OutboxRow).where(OutboxRow.seq.in_(seqs)).values(published=True)
            )

    def prune_outbox(
        self, before: datetime, *, station_id: str, up_to_seq: int | None = None, limit: int
    ) -> int:
        """Delete published records of a station whose parts are older than `before`, oldest first.

        Nothing above `up_to_seq` is deleted, where it is given, and nothing that is unpublished.
        Returns how many were, at most `limit`: the rest is for later calls, since the database has
        one writer. The parts themselves stay.
        """
        newest_old = (
            select(InspectionRow.seq)
            .where(InspectionRow.station_id == station_id, InspectionRow.triggered_at < before)
            .order_by(InspectionRow.triggered_at.desc(), InspectionRow.seq.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            last = connection.scalar(newest_old)
            if last is None:
                return 0
            seqs = connection.scalars(
                select(OutboxRow.seq)
                .where(
                    OutboxRow.station_id == station_id,
                    OutboxRow.published,
                    OutboxRow.seq <= (last if up_to_seq is None else min(last, up_to_seq)),
                )
                .order_by(OutboxRow.seq)
                .limit(limit)
            ).all()
        if not seqs:
            return 0
        with self._database.writing() as connection:
            pruned = connection.execute(
                delete(OutboxRow).where(OutboxRow.seq.in_(seqs), OutboxRow.published)
            )
            return pruned.rowcount

    def acknowledge(self, inspection_id: UUID, *, by: str, at: datetime) -> bool:
        """Note who has read the result of a part; the first counts.

        Returns False where there is no row of that part (yet).
        """
        with self._database.writing(in_turn=True) as connection:
            known = connection.scalar(
                select(InspectionRow.id).where(InspectionRow.id == inspection_id)
            )
            if known is None:
                return False
            earlier = connection.scalar(
                select(AcknowledgementRow.at).where(
                    AcknowledgementRow.inspection_id == inspection_id
                )
            )
            if earlier is None:
                connection.execute(
                    insert(AcknowledgementRow),
                    {"inspection_id": inspection_id, "acknowledged_by": by, "at": at},
                )
        return True

    def add_review(
        self,
        inspection_id: UUID,
        *,
        reviewer: str,
        decision: Decision,
        reason: str,
        note: str,
        at: datetime,
        seen_reviews: int | None = None,
    ) -> None:
        """Add what a person decided and take the part off the review queue.

        Nothing overwrites an earlier review; the newest counts. `seen_reviews` is how many the
        reviewer was shown: `AlreadyReviewed` where there are more by now, and nothing is written.
        """
        with self._database.writing() as connection:
            closed = connection.execute(
                update(InspectionRow)
                .where(InspectionRow.id == inspection_id)
                .values(open_review=False)
            )
            if closed.rowcount != 1:
                raise StorageError(f"expected an inspection {inspection_id}, found none")
            if seen_reviews is not None:
                _refuse_unseen_review(connection, inspection_id, seen_reviews)
            connection.execute(
                insert(ReviewRow),
                {
                    "id": uuid4(),
                    "inspection_id": inspection_id,
                    "reviewer": reviewer,
                    "decision": decision.value,
                    "reason": reason,
                    "note": note,
                    "at": at,
                },
            )

    def add_station_event(self, station_id: str, kind: str, detail: str, at: datetime) -> None:
        """Add what happened to a station."""
        with self._database.writing() as connection:
            connection.execute(
                insert(StationEventRow),
                {"id": uuid4(), "station_id": station_id, "kind": kind, "detail": detail, "at": at},
            )

    def register_model(self, name: str, kind: str, sha256: str, at: datetime) -> None:
        """Note a model that judges from now on; a known one is left as it is."""
        with self._database.writing(in_turn=True) as connection:
            known = connection.scalar(select(ModelRow.name).where(ModelRow.sha256 == sha256))
            if known is None:
                connection.execute(
                    insert(ModelRow),
                    {"sha256": sha256, "name": name, "kind": kind, "first_seen_at": at},
                )


def _refuse_unseen_review(connection: Connection, inspection_id: UUID, seen: int) -> None:
    # the caller has just updated the part's row, so that a second reviewer waits for the first
    reviewers = connection.scalars(
        select(ReviewRow.reviewer)
        .where(ReviewRow.inspection_id == inspection_id)
        .order_by(ReviewRow.at)
    ).all()
    if len(reviewers) > seen:
        raise AlreadyReviewed(
            f"{reviewers[-1]} reviewed this part while it was shown (expected {seen} reviews, "
            f"found {len(reviewers)}); look at what was decided, then decide again if need be"
        )


def _with_seq(inspection: Inspection, seq: int) -> dict[str, Any]:
    record = inspection_to_json(inspection)
    return {"schema": record.pop("schema"), "seq": seq, **record}


def _outbox_row(inspection: Inspection, seq: int) -> dict[str, Any]:
    return {
        "seq": seq,
        "inspection_id": inspection.id,
        "station_id": inspection.station_id,
        "payload": json_text(_with_seq(inspection, seq)),
        "published": False,
    }


def _count(connection: Connection, inspection: Inspection) -> None:
    total_ms = float(inspection.timings.total_ms)
    connection.execute(
        _COUNTING[connection.dialect.name],
        {
            "hour": inspection.triggered_at.replace(minute=0, second=0, microsecond=0),
            "station_id": inspection.station_id,
            "product": inspection.product,
            "decision": inspection.verdict.decision.value,
            "reason": inspection.verdict.reason.value,
            "sent": inspection.sent_decision or "NONE",
            "parts": 1,
            "total_ms_sum": total_ms,
            "total_ms_max": total_ms,
        },
    )


def _counting(insert_into: Callable[[Any], Any]) -> Executable:
    """Return what adds a part to its hour, or begins one."""
    counted = insert_into(HourRow)
    added = counted.excluded
    statement: Executable = counted.on_conflict_do_update(
        index_elements=list(inspect(HourRow).primary_key),
        set_={
            "parts": HourRow.parts + added.parts,
            "total_ms_sum": HourRow.total_ms_sum + added.total_ms_sum,
            "total_ms_max": case(
                (HourRow.total_ms_max < added.total_ms_max, added.total_ms_max),
                else_=HourRow.total_ms_max,
            ),
        },
    )
    return statement


_COUNTING = {"sqlite": _counting(sqlite.insert), "postgresql": _counting(postgresql.insert)}
_SEQS = select(
    select(InspectionRow.seq).where(InspectionRow.id == bindparam("id")).scalar_subquery(),
    select(func.max(InspectionRow.seq)).scalar_subquery(),
)
