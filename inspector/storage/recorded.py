"""One part read back from its rows, exactly as it was recorded, with what people decided on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection, Row, select

from inspector.domain import (
    Box,
    ClauseFinding,
    Code,
    DecidedBy,
    Decision,
    Detection,
    EvidenceKind,
    EvidenceRef,
    Findings,
    Inspection,
    Judgement,
    Provenance,
    Reason,
    TextLine,
    Timings,
    Verdict,
)
from inspector.storage.database import Database
from inspector.storage.schema import (
    AcknowledgementRow,
    ClauseFindingRow,
    CodeRow,
    DefectRow,
    InspectionRow,
    ReviewRow,
    TextLineRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a person decided on a part."""

    reviewer: str
    decision: Decision
    reason: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The PLC's word that it has read the result; `by` is empty where it did not say who."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPart:
    """All that is known of one part; reviews oldest first."""

    seq: int
    inspection: Inspection
    reviews: tuple[Review, ...]
    open_review: bool
    acknowledgement: Acknowledgement | None = None


def recorded_part(database: Database, inspection_id: UUID) -> RecordedPart | None:
    """Return all that is recorded of one part, None where there is no such part."""
    with database.reading() as connection:
        table = InspectionRow.__table__
        row = connection.execute(select(table).where(InspectionRow.id == inspection_id)).first()
        if row is None:
            return None
        return RecordedPart(
            seq=row.seq,
            inspection=_inspection(connection, row),
            reviews=_reviews(connection, inspection_id),
            open_review=row.open_review,
            acknowledgement=_acknowledgement(connection, inspection_id),
        )


def _inspection(connection: Connection, row: Row[Any]) -> Inspection:
    clauses = tuple(
        ClauseFinding(
            clause_id=c.clause_id,
            violated=c.violated,
            violation_probability=c.violation_probability,
            decided_by=cast("DecidedBy", c.decided_by),
            statement=c.statement,
            evidence=_evidence(c.evidence),
        )
        for c in _children(connection, ClauseFindingRow, row.id)
    )
    return Inspection(
        id=row.id,
        station_id=row.station_id,
        camera_id=row.camera_id,
        request_id=row.request_id,
        part_id=row.part_id,
        lot=row.lot,
        view=row.view,
        product=row.product,
        recipe=row.recipe,
        recipe_rev=row.recipe_rev,
        standard_rev=row.standard_rev,
        triggered_at=row.triggered_at,
        captured_at=row.captured_at,
        findings=_findings(connection, row.id),
        judgement=None if row.judge is None else Judgement(clauses=clauses, judge=row.judge),
        verdict=Verdict(
            decision=Decision(row.decision),
            reason=Reason(row.reason),
            detail=row.detail,
            clause_ids=clause_ids(row.clause_ids),
        ),
        expected=dict(row.expected),
        picture=row.picture,
        sent_decision=None if row.sent_decision is None else Decision(row.sent_decision),
        sent_at=row.sent_at,
        timings=Timings(
            wait_ms=row.wait_ms,
            detect_ms=row.detect_ms,
            read_ms=row.read_ms,
            judge_ms=row.judge_ms,
            record_ms=row.record_ms,
            total_ms=row.total_ms,
        ),
        provenance=Provenance(
            frame_sha256=row.frame_sha256,
            detector_sha256=row.detector_sha256,
            judge_sha256=row.judge_sha256,
            software=row.software,
        ),
    )


def _findings(connection: Connection, inspection_id: UUID) -> Findings:
    return Findings(
        detections=tuple(
            Detection(
                label=d.label,
                confidence=d.confidence,
                box=_box(d),
                width_mm=d.width_mm,
                height_mm=d.height_mm,
                zone=d.zone,
            )
            for d in _children(connection, DefectRow, inspection_id)
        ),
        text_lines=tuple(
            TextLine(text=t.text, confidence=t.confidence, box=_box(t), field=t.field)
            for t in _children(connection, TextLineRow, inspection_id)
        ),
        codes=tuple(
            Code(symbology=c.symbology, text=c.text, box=_box(c), recovered=c.recovered)
            for c in _children(connection, CodeRow, inspection_id)
        ),
    )


def _reviews(connection: Connection, inspection_id: UUID) -> tuple[Review, ...]:
    rows = connection.execute(
        select(ReviewRow.__table__)
        .where(ReviewRow.inspection_id == inspection_id)
        .order_by(ReviewRow.at)
    )
    return tuple(
        Review(
            reviewer=r.reviewer,
            decision=Decision(r.decision),
            reason=r.reason,
            note=r.note,
            at=r.at,
        )
        for r in rows
    )


def _acknowledgement(connection: Connection, inspection_id: UUID) -> Acknowledgement | None:
    row = connection.execute(
        select(AcknowledgementRow.__table__).where(
            AcknowledgementRow.inspection_id == inspection_id
        )
    ).first()
    return None if row is None else Acknowledgement(by=row.acknowledged_by, at=row.at)


def _children(
    connection: Connection,
    table: type[ClauseFindingRow] | type[DefectRow] | type[TextLineRow] | type[CodeRow],
    inspection_id: UUID,
) -> Sequence[Row[Any]]:
    return connection.execute(
        select(table.__table__).where(table.inspection_id == inspection_id).order_by(table.position)
    ).all()


def clause_ids(joined: str) -> tuple[str, ...]:
    """Return the clauses that a row names in one text."""
    return tuple(joined.split(",")) if joined else ()


def _evidence(joined: str) -> tuple[EvidenceRef, ...]:
    pairs = (item.split(":") for item in joined.split(",") if item)
    return tuple(
        EvidenceRef(kind=cast("EvidenceKind", kind), index=int(index)) for kind, index in pairs
    )


def _box(row: Row[Any]) -> Box:
    return Box(x0=row.x0, y0=row.y0, x1=row.x1, y1=row.y1)
