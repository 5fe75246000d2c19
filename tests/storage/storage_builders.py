"""Parts for the storage tests: complete ones, so that a lost field shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

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
from inspector.storage.spool import OpenTicket, SettledBy, Settlement

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
JUDGED = {
    Decision.PASS: Reason.CLEAN,
    Decision.FAIL: Reason.RULE_VIOLATED,
    Decision.HOLD: Reason.UNCERTAIN,
}


def ticket(
    *, inspection_id: UUID | None = None, at: datetime = NOON, station_id: str = "s1"
) -> OpenTicket:
    inspection_id = inspection_id or uuid4()
    return OpenTicket(
        id=inspection_id,
        request_id=f"r-{inspection_id}",
        station_id=station_id,
        camera_id="top",
        part_id="PCB-0001",
        lot="L7",
        view="front",
        product="board",
        recipe="pcb",
        recipe_rev="a" * 64,
        standard_rev="b" * 64,
        triggered_at=at,
        expected={"gtin": "04006381333931"},
    )


def part(
    *,
    of: OpenTicket | None = None,
    decision: Decision = Decision.PASS,
    sent: Decision | None = None,
    total_ms: float = 210.25,
    code_text: str = "04006381333931",
) -> Inspection:
    of = of or ticket()
    return Inspection(
        id=of.id,
        station_id=of.station_id,
        camera_id=of.camera_id,
        request_id=of.request_id,
        part_id=of.part_id,
        lot=of.lot,
        view=of.view,
        product=of.product,
        recipe=of.recipe,
        recipe_rev=of.recipe_rev,
        standard_rev=of.standard_rev,
        triggered_at=of.triggered_at,
        captured_at=of.triggered_at + timedelta(milliseconds=12),
        findings=Findings(
            detections=(
                Detection(
                    label="short",
                    confidence=0.1 + 0.2,
                    box=Box(x0=1.5, y0=2, x1=30.1, y1=40),
                    width_mm=1 / 3,
                    height_mm=0.7,
                    zone="edge",
                ),
                Detection(label="spur", confidence=1, box=Box(x0=0, y0=0, x1=1, y1=1)),
            ),
            text_lines=(
                TextLine(
                    text="größe: 5 µm\n", confidence=0.9, box=Box(x0=0, y0=0, x1=9, y1=9), field="x"
                ),
            ),
            codes=(Code(symbology="EAN13", text=code_text, box=Box(x0=0, y0=0, x1=9, y1=9)),),
        ),
        judgement=Judgement(
            judge="fused/1",
            clauses=(
                ClauseFinding(
                    clause_id="C1",
                    violated=decision is Decision.FAIL,
                    violation_probability=0.0625,
                    decided_by="combined",
                    statement="1 short, limit 0",
                    evidence=(
                        EvidenceRef(kind="defect", index=0),
                        EvidenceRef(kind="text", index=0),
                    ),
                ),
                ClauseFinding(
                    clause_id="C2",
                    violated=None,
                    violation_probability=None,
                    decided_by="rule",
                    statement="not read",
                ),
            ),
        ),
        verdict=Verdict(
            decision=decision, reason=JUDGED[decision], detail="as told", clause_ids=("C1", "C2")
        ),
        expected=of.expected,
        picture="2026/03/01/x.png",
        sent_decision=sent,
        sent_at=None if sent is None else of.triggered_at + timedelta(milliseconds=300),
        timings=Timings(wait_ms=1, detect_ms=100.5, total_ms=total_ms),
        provenance=Provenance(frame_sha256="c" * 64, software="inspector 0.1.0"),
    )


def settlement(
    inspection_id: UUID, *, sent: Decision | None = Decision.PASS, by: SettledBy = "verdict"
) -> Settlement:
    return Settlement(
        id=inspection_id,
        sent_decision=sent,
        sent_at=None if sent is None else NOON + timedelta(milliseconds=300),
        by=by,
    )
