"""An inspection as rows: the one conversion from the domain to the tables."""

from __future__ import annotations

from typing import Any

from inspector.domain import Box, Decision, Inspection
from inspector.storage.records import optional_float
from inspector.storage.schema import (
    ClauseFindingRow,
    CodeRow,
    DefectRow,
    Table,
    TextLineRow,
)


def inspection_row(inspection: Inspection, seq: int, *, needs_review: bool) -> dict[str, Any]:
    """Return the columns of `inspections`."""
    verdict, timings, provenance = inspection.verdict, inspection.timings, inspection.provenance
    # only what was judged good and told to be good needs no person
    is_passed = verdict.decision is Decision.PASS and inspection.sent_decision is Decision.PASS
    return {
        "id": inspection.id,
        "seq": seq,
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
        "triggered_at": inspection.triggered_at,
        "captured_at": inspection.captured_at,
        "decision": verdict.decision.value,
        "reason": verdict.reason.value,
        "detail": verdict.detail,
        "clause_ids": ",".join(verdict.clause_ids),
        "judge": None if inspection.judgement is None else inspection.judgement.judge,
        "expected": dict(inspection.expected),
        "picture": inspection.picture,
        "sent_decision": sent(inspection),
        "sent_at": inspection.sent_at,
        "wait_ms": float(timings.wait_ms),
        "detect_ms": float(timings.detect_ms),
        "read_ms": float(timings.read_ms),
        "judge_ms": float(timings.judge_ms),
        "record_ms": float(timings.record_ms),
        "total_ms": float(timings.total_ms),
        "frame_sha256": provenance.frame_sha256,
        "detector_sha256": provenance.detector_sha256,
        "judge_sha256": provenance.judge_sha256,
        "software": provenance.software,
        "open_review": needs_review or not is_passed,
    }


def sent(inspection: Inspection) -> str | None:
    return None if inspection.sent_decision is None else inspection.sent_decision.value


def child_rows(inspection: Inspection) -> tuple[tuple[type[Table], list[dict[str, Any]]], ...]:
    """Return what was found and judged, table by table, in the order it was found."""
    clauses = () if inspection.judgement is None else inspection.judgement.clauses
    findings = inspection.findings
    return (
        (
            ClauseFindingRow,
            [
                {
                    "inspection_id": inspection.id,
                    "position": position,
                    "clause_id": finding.clause_id,
                    "violated": finding.violated,
                    "violation_probability": optional_float(finding.violation_probability),
                    "decided_by": finding.decided_by,
                    "statement": finding.statement,
                    "evidence": ",".join(f"{ref.kind}:{ref.index}" for ref in finding.evidence),
                }
                for position, finding in enumerate(clauses)
            ],
        ),
        (
            DefectRow,
            [
                {
                    "inspection_id": inspection.id,
                    "position": position,
                    "label": detection.label,
                    "confidence": float(detection.confidence),
                    "width_mm": optional_float(detection.width_mm),
                    "height_mm": optional_float(detection.height_mm),
                    "zone": detection.zone,
                    **_corners(detection.box),
                }
                for position, detection in enumerate(findings.detections)
            ],
        ),
        (
            TextLineRow,
            [
                {
                    "inspection_id": inspection.id,
                    "position": position,
                    "text": line.text,
                    "confidence": float(line.confidence),
                    "field": line.field,
                    **_corners(line.box),
                }
                for position, line in enumerate(findings.text_lines)
            ],
        ),
        (
            CodeRow,
            [
                {
                    "inspection_id": inspection.id,
                    "position": position,
                    "symbology": code.symbology,
                    "text": code.text,
                    "recovered": code.recovered,
                    **_corners(code.box),
                }
                for position, code in enumerate(findings.codes)
            ],
        ),
    )


def _corners(box: Box) -> dict[str, float]:
    return {"x0": float(box.x0), "y0": float(box.y0), "x1": float(box.x1), "y1": float(box.y1)}
