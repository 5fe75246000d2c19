"""The tables. Keys are UUIDs made at the edge, times are UTC, and constraints have names.

What a person filters or counts is a column; JSON is used for nothing but the work order's expected
values. `Store` writes; `migrations/` must agree with this file, and a test compares them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Text,
    TypeDecorator,
    Uuid,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; a naive one is refused, any other zone is converted.

    SQLite keeps it without a zone, as text that sorts by time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected a moment with a time zone, got {value!r}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class StorableText(TypeDecorator[str]):
    """Text in which NUL and lone surrogates are replaced by U+FFFD.

    Bar codes may carry any byte; PostgreSQL takes no NUL in text and neither database takes a lone
    surrogate, and a part must not stay unrecorded for it. The outbox keeps the exact text.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else UNSTORABLE.sub("\ufffd", value)


class Table(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: StorableText,
        float: Double,
        datetime: UtcDateTime,
        UUID: Uuid,
        dict[str, str]: JSON,
    }


class InspectionRow(Table):
    """One part. `seq` increases in the order of commits. Pages are read by (triggered_at, seq).

    `decision` is what was judged, `sent_decision` what left the station (null: nothing did).
    `open_review` says that a person has yet to look. `judge` is null where there was no judgement.
    `clause_ids` are joined by commas.
    """

    __tablename__ = "inspections"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    station_id: Mapped[str]
    camera_id: Mapped[str]
    request_id: Mapped[str]
    part_id: Mapped[str | None]
    lot: Mapped[str | None]
    view: Mapped[str | None]
    product: Mapped[str]
    recipe: Mapped[str]
    recipe_rev: Mapped[str]
    standard_rev: Mapped[str]
    triggered_at: Mapped[datetime]
    captured_at: Mapped[datetime | None]
    decision: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[str]
    clause_ids: Mapped[str]
    judge: Mapped[str | None]
    expected: Mapped[dict[str, str]]
    picture: Mapped[str | None]
    sent_decision: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    wait_ms: Mapped[float]
    detect_ms: Mapped[float]
    read_ms: Mapped[float]
    judge_ms: Mapped[float]
    record_ms: Mapped[float]
    total_ms: Mapped[float]
    frame_sha256: Mapped[str | None]
    detector_sha256: Mapped[str | None]
    judge_sha256: Mapped[str | None]
    software: Mapped[str]
    open_review: Mapped[bool]

    __table_args__ = (
        CheckConstraint("decision IN ('PASS', 'FAIL', 'HOLD')", name="decision"),
        CheckConstraint("sent_decision IN ('PASS', 'FAIL', 'HOLD')", name="sent_decision"),
        Index("uq_inspections_seq", "seq", unique=True),
        Index("ix_inspections_triggered_at", "triggered_at", "seq"),
        Index("ix_inspections_decision", "decision", "triggered_at", "seq"),
        Index("ix_inspections_reason", "reason", "triggered_at", "seq"),
        Index("ix_inspections_product", "product", "triggered_at", "seq"),
        Index("ix_inspections_recipe", "recipe", "triggered_at", "seq"),
        Index("ix_inspections_station_id", "station_id", "triggered_at", "seq"),
        Index("ix_inspections_part_id", "part_id", "triggered_at", "seq"),
        Index("ix_inspections_lot", "lot", "triggered_at", "seq"),
        Index(
            "ix_inspections_open_review",
            "seq",
            sqlite_where=text("open_review"),
            postgresql_where=text("open_review"),
        ),
    )


class ClauseFindingRow(Table):
    """One clause of one part; `evidence` reads `kind:index`, joined by commas."""

    __tablename__ = "clause_findings"

    inspection_id: Mapped[UUID] = mapped_column(ForeignKey(InspectionRow.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    clause_id: Mapped[str]
    violated: Mapped[bool | None]
    violation_probability: Mapped[float | None]
    decided_by: Mapped[str]
    statement: Mapped[str]
    evidence: Mapped[str]

    __table_args__ = (
        Index("ix_clause_findings_clause_id", "clause_id", "violated", "inspection_id"),
    )


class DefectRow(Table):
    """One detection of one part, box in px of the full frame, end exclusive."""

    __tablename__ = "defects"

    inspection_id: Mapped[UUID] = mapped_column(ForeignKey(InspectionRow.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str]
    confidence: Mapped[float]
    x0: Mapped[float]
    y0: Mapped[float]
    x1: Mapped[float]
    y1: Mapped[float]
    width_mm: Mapped[float | None]
    height_mm: Mapped[float | None]
    zone: Mapped[str | None]

    __table_args__ = (Index("ix_defects_label", "label", "inspection_id"),)


class TextLineRow(Table):
    """One line of printed text of one part."""

    __tablename__ = "text_lines"

    inspection_id: Mapped[UUID] = mapped_column(ForeignKey(InspectionRow.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    confidence: Mapped[float]
    x0: Mapped[float]
    y0: Mapped[float]
    x1: Mapped[float]
    y1: Mapped[float]
    field: Mapped[str | None]


class CodeRow(Table):
    """One bar or matrix code of one part."""

    __tablename__ = "codes"

    inspection_id: Mapped[UUID] = mapped_column(ForeignKey(InspectionRow.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    symbology: Mapped[str]
    text: Mapped[str]
    x0: Mapped[float]
    y0: Mapped[float]
    x1: Mapped[float]
    y1: Mapped[float]
    recovered: Mapped[bool]


class ReviewRow(Table):
    """What a person decided on a part; append-only, refused by triggers. The newest counts."""

    __tablename__ = "reviews"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    inspection_id: Mapped[UUID] = mapped_column(ForeignKey(InspectionRow.id))
    reviewer: Mapped[str]
    decision: Mapped[str]
    reason: Mapped[str]
    note: Mapped[str]
    at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("decision IN ('PASS', 'FAIL', 'HOLD')", name="decision"),
        Index("ix_reviews_inspection_id", "inspection_id", "at"),
        Index("ix_reviews_at", "at"),
    )


class AcknowledgementRow(Table):
    """The PLC's word that it has read the result of a part: the first one."""

    __tablename__ = "acknowledgements"

    inspection_id: Mapped[UUID] = mapped_column(ForeignKey(InspectionRow.id), primary_key=True)
    acknowledged_by: Mapped[str]
    at: Mapped[datetime]


class AlarmRow(Table):
    """The state now of each alarm of each station; `state` is of ISA-18.2 (UNACK, ACKED, …).

    `active` is its condition, which is followed behind SHLVD and OOSRV too.
    """

    __tablename__ = "alarms"

    station_id: Mapped[str] = mapped_column(primary_key=True)
    alarm_id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    priority: Mapped[int]
    state: Mapped[str]
    message: Mapped[str]
    raised_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    cleared_at: Mapped[datetime | None]
    shelved_until: Mapped[datetime | None]
    effect: Mapped[str]
    active: Mapped[bool]
    suppressed_by: Mapped[str | None]
    suppressed_because: Mapped[str]
    occurrences: Mapped[int]

    __table_args__ = (Index("ix_alarms_state", "state"),)


class AlarmEventRow(Table):
    """One change of one alarm, and by whom; append-only. `seq` increases in order of commits.

    `state` and `priority` are those after the change. The clock may step, so `seq` is the order.
    """

    __tablename__ = "alarm_events"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    station_id: Mapped[str]
    alarm_id: Mapped[str]
    state: Mapped[str]
    message: Mapped[str]
    changed_by: Mapped[str | None]
    at: Mapped[datetime]
    seq: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    priority: Mapped[int]
    reason: Mapped[str]

    __table_args__ = (
        Index("ix_alarm_events_at", "at"),
        Index("ix_alarm_events_seq", "seq", unique=True),
        Index("ix_alarm_events_alarm_id", "station_id", "alarm_id", "seq"),
    )


class AlarmCommandRow(Table):
    """What a person asks of an alarm; the station answers once, and nothing else ever changes.

    `answer` is empty where the station did it, otherwise why not.
    """

    __tablename__ = "alarm_commands"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    station_id: Mapped[str]
    alarm_id: Mapped[str]
    action: Mapped[str]
    asked_by: Mapped[str]
    reason: Mapped[str]
    until: Mapped[datetime | None]
    at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    answer: Mapped[str]

    __table_args__ = (
        Index("ix_alarm_commands_at", "at"),
        Index(
            "ix_alarm_commands_open",
            "station_id",
            "at",
            sqlite_where=text("answered_at IS NULL"),
            postgresql_where=text("answered_at IS NULL"),
        ),
    )


class StationEventRow(Table):
    """What happened to a station: started, stopped, a trigger rejected, a record torn."""

    __tablename__ = "station_events"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    station_id: Mapped[str]
    kind: Mapped[str]
    detail: Mapped[str]
    at: Mapped[datetime]

    __table_args__ = (Index("ix_station_events_at", "at"),)


class OutboxRow(Table):
    """The record of one part for `<base>/record`; `seq` is the inspection's.

    `payload` is the JSON text, exactly as it leaves.
    """

    __tablename__ = "outbox"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    inspection_id: Mapped[UUID] = mapped_column(ForeignKey(InspectionRow.id), unique=True)
    station_id: Mapped[str]
    payload: Mapped[str]
    published: Mapped[bool]

    __table_args__ = (
        Index(
            "ix_outbox_pending",
            "station_id",
            "seq",
            sqlite_where=text("NOT published"),
            postgresql_where=text("NOT published"),
        ),
    )


class ModelRow(Table):
    """A model that has judged here; `kind` is detector or judge."""

    __tablename__ = "models"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    first_seen_at: Mapped[datetime]


class HourRow(Table):
    """Parts per hour (of the trigger), written with each part, so that charts need no scan.

    `sent` is what left the station, NONE where nothing did.
    """

    __tablename__ = "hourly"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    station_id: Mapped[str] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(primary_key=True)
    decision: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    sent: Mapped[str] = mapped_column(primary_key=True)
    parts: Mapped[int]
    total_ms_sum: Mapped[float]
    total_ms_max: Mapped[float]
