"""An inspection as JSON and back, without loss: the spool, the outbox and `<base>/record` use it.

Nothing is rounded: what is read back equals what was written. A reader of "record/1" ignores keys
it doesn't know, so keys may be added; a change of meaning needs "record/2".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from inspector.domain import (
    Box,
    ClauseFinding,
    Code,
    Decision,
    Detection,
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
from inspector.errors import StorageError

RECORD_SCHEMA = "record/1"


def inspection_to_json(inspection: Inspection) -> dict[str, Any]:
    """Return `inspection` as what `json.dumps` takes, `schema` first."""
    return {
        "schema": RECORD_SCHEMA,
        "id": str(inspection.id),
        "station_id": inspection.station_id,
        "camera_id": inspection.camera_id,
        "request_id": inspection.request_id,
        "part_id": inspection.part_id,
        "lot": inspection.lot,
        "view": inspection.view,
        "product": inspection.product,
        "recipe": inspection.recipe,
        "recipe_rev": inspection.recipe_rev,
        "standard_rev": inspection.standard_rev,
        "triggered_at": inspection.triggered_at.isoformat(),
        "captured_at": moment_to_json(inspection.captured_at),
        "verdict": {
            "decision": inspection.verdict.decision.value,
            "reason": inspection.verdict.reason.value,
            "detail": inspection.verdict.detail,
            "clause_ids": list(inspection.verdict.clause_ids),
        },
        "sent_decision": decision_to_json(inspection.sent_decision),
        "sent_at": moment_to_json(inspection.sent_at),
        "judgement": _judgement_to_json(inspection.judgement),
        "findings": _findings_to_json(inspection.findings),
        "expected": dict(inspection.expected),
        "picture": inspection.picture,
        "timings": {
            "wait_ms": float(inspection.timings.wait_ms),
            "detect_ms": float(inspection.timings.detect_ms),
            "read_ms": float(inspection.timings.read_ms),
            "judge_ms": float(inspection.timings.judge_ms),
            "record_ms": float(inspection.timings.record_ms),
            "total_ms": float(inspection.timings.total_ms),
        },
        "provenance": {
            "frame_sha256": inspection.provenance.frame_sha256,
            "detector_sha256": inspection.provenance.detector_sha256,
            "judge_sha256": inspection.provenance.judge_sha256,
            "software": inspection.provenance.software,
        },
    }


def inspection_from_json(record: Mapping[str, Any]) -> Inspection:
    """Return the inspection of `record`; raise `StorageError` where it is not a record/1."""
    if (schema := record.get("schema")) != RECORD_SCHEMA:
        raise StorageError(f"expected a record of schema {RECORD_SCHEMA}, found {schema!r}")
    try:
        return Inspection(
            id=UUID(record["id"]),
            station_id=record["station_id"],
            camera_id=record["camera_id"],
            request_id=record["request_id"],
            part_id=record["part_id"],
            lot=record["lot"],
            view=record["view"],
            product=record["product"],
            recipe=record["recipe"],
            recipe_rev=record["recipe_rev"],
            standard_rev=record["standard_rev"],
            triggered_at=datetime.fromisoformat(record["triggered_at"]),
            captured_at=moment_from_json(record["captured_at"]),
            findings=_findings_from_json(record["findings"]),
            judgement=_judgement_from_json(record["judgement"]),
            verdict=Verdict(
                decision=Decision(record["verdict"]["decision"]),
                reason=Reason(record["verdict"]["reason"]),
                detail=record["verdict"]["detail"],
                clause_ids=tuple(record["verdict"]["clause_ids"]),
            ),
            expected=dict(record["expected"]),
            picture=record["picture"],
            sent_decision=decision_from_json(record["sent_decision"]),
            sent_at=moment_from_json(record["sent_at"]),
            timings=Timings(**record["timings"]),
            provenance=Provenance(**record["provenance"]),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise StorageError(f"expected a complete {RECORD_SCHEMA}, found {exc!r}") from exc


def json_text(record: Mapping[str, Any]) -> str:
    """Return `record` as one line of ASCII JSON; a number that JSON lacks (NaN) is refused."""
    try:
        return json.dumps(record, allow_nan=False, separators=(",", ":"))
    except ValueError as exc:
        raise StorageError(
            f"expected finite numbers in the record, found one that is not: {exc}"
        ) from exc


def moment_to_json(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def moment_from_json(moment: str | None) -> datetime | None:
    return None if moment is None else datetime.fromisoformat(moment)


def decision_to_json(decision: Decision | None) -> str | None:
    return None if decision is None else decision.value


def decision_from_json(decision: str | None) -> Decision | None:
    return None if decision is None else Decision(decision)


def _judgement_to_json(judgement: Judgement | None) -> dict[str, Any] | None:
    if judgement is None:
        return None
    return {
        "judge": judgement.judge,
        "clauses": [
            {
                "id": finding.clause_id,
                "violated": finding.violated,
                "violation_probability": optional_float(finding.violation_probability),
                "decided_by": finding.decided_by,
                "statement": finding.statement,
                "evidence": [{"kind": ref.kind, "index": ref.index} for ref in finding.evidence],
            }
            for finding in judgement.clauses
        ],
    }


def _judgement_from_json(judgement: Mapping[str, Any] | None) -> Judgement | None:
    if judgement is None:
        return None
    return Judgement(
        judge=judgement["judge"],
        clauses=tuple(
            ClauseFinding(
                clause_id=clause["id"],
                violated=clause["violated"],
                violation_probability=clause["violation_probability"],
                decided_by=clause["decided_by"],
                statement=clause["statement"],
                evidence=tuple(EvidenceRef(**ref) for ref in clause["evidence"]),
            )
            for clause in judgement["clauses"]
        ),
    )


def _findings_to_json(findings: Findings) -> dict[str, Any]:
    return {
        "detections": [
            {
                "label": detection.label,
                "confidence": float(detection.confidence),
                "box": _box_to_json(detection.box),
                "width_mm": optional_float(detection.width_mm),
                "height_mm": optional_float(detection.height_mm),
                "zone": detection.zone,
            }
            for detection in findings.detections
        ],
        "texts": [
            {
                "text": line.text,
                "confidence": float(line.confidence),
                "box": _box_to_json(line.box),
                "field": line.field,
            }
            for line in findings.text_lines
        ],
        "codes": [
            {
                "symbology": code.symbology,
                "text": code.text,
                "box": _box_to_json(code.box),
                "recovered": code.recovered,
            }
            for code in findings.codes
        ],
    }


def _findings_from_json(findings: Mapping[str, Any]) -> Findings:
    return Findings(
        detections=tuple(
            Detection(**{**detection, "box": _box_from_json(detection["box"])})
            for detection in findings["detections"]
        ),
        text_lines=tuple(
            TextLine(**{**line, "box": _box_from_json(line["box"])}) for line in findings["texts"]
        ),
        codes=tuple(
            Code(**{**code, "box": _box_from_json(code["box"])}) for code in findings["codes"]
        ),
    )


def optional_float(number: float | None) -> float | None:
    # a vendor's numpy number is no JSON number
    return None if number is None else float(number)


def _box_to_json(box: Box) -> list[float]:
    return [float(box.x0), float(box.y0), float(box.x1), float(box.y1)]


def _box_from_json(corners: list[float]) -> Box:
    x0, y0, x1, y1 = corners
    return Box(x0=x0, y0=y0, x1=x1, y1=y1)
