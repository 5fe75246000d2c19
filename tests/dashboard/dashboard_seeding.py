"""Records for the dashboard's tests: single parts, and many at once through the schema."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import insert

import dashboard
from inspector.domain import (
    Bgr,
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
from inspector.settings import load_standard
from inspector.storage.database import Database
from inspector.storage.files import Pictures
from inspector.storage.schema import (
    ClauseFindingRow,
    DefectRow,
    HourRow,
    InspectionRow,
)
from inspector.storage.store import Store

REASONS = {
    Decision.PASS: (Reason.CLEAN,),
    Decision.FAIL: (Reason.RULE_VIOLATED, Reason.JUDGED_BAD),
    Decision.HOLD: (Reason.UNCERTAIN, Reason.NO_FRAME, Reason.DEADLINE),
}
CHUNK = 5_000
VIEWS = Path(dashboard.__file__).parent / "views"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """What a station left: a database, and a folder with pictures."""

    url: str
    records: Path
    database: Database
    store: Store


def part(
    at: datetime,
    *,
    decision: Decision = Decision.FAIL,
    sent: Decision | str | None = "as judged",
    part_id: str | None = "B-1",
    lot: str | None = "L7",
    picture: str | None = None,
    station_id: str = "s1",
) -> Inspection:
    """Return one part of the shipped board standard with a defect, a text and a code."""
    violated = {Decision.PASS: False, Decision.FAIL: True, Decision.HOLD: None}[decision]
    return Inspection(
        id=uuid4(),
        station_id=station_id,
        camera_id="top",
        request_id="r1",
        part_id=part_id,
        lot=lot,
        view="front",
        product="board",
        recipe="pcb",
        recipe_rev="a" * 64,
        standard_rev=load_standard("bare-board").rev,
        triggered_at=at,
        captured_at=at + timedelta(milliseconds=12),
        findings=Findings(
            detections=(
                Detection(
                    label="short",
                    confidence=0.91,
                    box=Box(x0=20, y0=30, x1=44, y1=60),
                    width_mm=0.5,
                    height_mm=0.63,
                    zone="edge",
                ),
            ),
            text_lines=(
                TextLine(
                    text="<b>LOT 7</b>",
                    confidence=0.8,
                    box=Box(x0=1, y0=1, x1=60, y1=12),
                    field="lot",
                ),
            ),
            codes=(
                Code(symbology="EAN13", text="4006381333931", box=Box(x0=5, y0=70, x1=60, y1=90)),
            ),
        ),
        judgement=Judgement(
            judge="judge/1",
            clauses=(
                ClauseFinding(
                    clause_id="B1",
                    violated=False,
                    violation_probability=0.02,
                    decided_by="rule",
                    statement="no open found",
                ),
                ClauseFinding(
                    clause_id="B2",
                    violated=violated,
                    violation_probability=0.97,
                    decided_by="rule",
                    statement="1 short of 0.63 mm found, none is accepted",
                    evidence=(EvidenceRef(kind="defect", index=0),),
                ),
            ),
        ),
        verdict=Verdict(
            decision=decision,
            reason=REASONS[decision][0],
            detail="1 short found",
            clause_ids=() if decision is Decision.PASS else ("B2",),
        ),
        expected={"lot": "7"},
        picture=picture,
        sent_decision=decision if isinstance(sent, str) and sent == "as judged" else sent,
        sent_at=at + timedelta(milliseconds=300),
        timings=Timings(detect_ms=200, judge_ms=100, total_ms=321),
        provenance=Provenance(frame_sha256="c" * 64, judge_sha256="d" * 64, software="inspector"),
    )


def board(width: int = 120, height: int = 100) -> Bgr:
    """Return a picture with two conductors on a light board."""
    bgr = np.full((height, width, 3), 230, dtype=np.uint8)
    bgr[30:36, :] = 40
    bgr[60:66, :] = 40
    return bgr


def with_picture(inspection: Inspection, folder: Path) -> Inspection:
    """Return `inspection` with its picture saved under a station's record folder."""
    pictures = Pictures(folder / "pictures")
    relative = pictures.path(inspection.id, inspection.triggered_at)
    pictures.save(board(), relative)
    return replace(inspection, picture=relative)


def many(database: Database, parts: int, *, newest_at: datetime, every: timedelta) -> None:
    """Insert `parts` parts that end at `newest_at`, one `every` so long: 88 % PASS, 8 % FAIL.

    Each has two defects and four clauses, the roll-ups agree with the rows, and the last 40 that
    are not PASS wait for review.
    """
    rng = random.Random(parts)
    hours: Counter[tuple[datetime, str, Decision, Reason]] = Counter()
    waiting = 40
    for start in range(0, parts, CHUNK):
        rows, defects, clauses = [], [], []
        for n in range(start, min(start + CHUNK, parts)):
            at = newest_at - every * n  # from the newest backwards, with falling seq
            decision = rng.choices((Decision.PASS, Decision.FAIL, Decision.HOLD), (88, 8, 4))[0]
            reason = rng.choice(REASONS[decision])
            product = f"board {n % 3}"
            is_waiting = decision is not Decision.PASS and waiting > 0
            waiting -= is_waiting
            key = uuid4()
            rows.append(_row(key, parts - n, at, decision, reason, product, open_review=is_waiting))
            defects += [_defect(key, position, rng) for position in range(2)]
            clauses += [_clause(key, position) for position in range(4)]
            hour = at.replace(minute=0, second=0, microsecond=0)
            hours[hour, product, decision, reason] += 1
        with database.writing() as connection:
            connection.execute(insert(InspectionRow), rows)
            connection.execute(insert(DefectRow), defects)
            connection.execute(insert(ClauseFindingRow), clauses)
    with database.writing() as connection:
        connection.execute(
            insert(HourRow),
            [
                {
                    "hour": hour,
                    "station_id": "s1",
                    "product": product,
                    "decision": decision.value,
                    "reason": reason.value,
                    "sent": decision.value,
                    "parts": count,
                    "total_ms_sum": 300.0 * count,
                    "total_ms_max": 300.0,
                }
                for (hour, product, decision, reason), count in hours.items()
            ],
        )


def _row(
    key: UUID,
    seq: int,
    at: datetime,
    decision: Decision,
    reason: Reason,
    product: str,
    *,
    open_review: bool,
) -> dict[str, object]:
    return {
        "id": key,
        "seq": seq,
        "station_id": "s1",
        "camera_id": "top",
        "request_id": f"r{seq}",
        "part_id": f"B-{seq}",
        "lot": f"L{seq // 500}",
        "view": "front",
        "product": product,
        "recipe": "pcb",
        "recipe_rev": "a" * 64,
        "standard_rev": "b" * 64,
        "triggered_at": at.astimezone(UTC),
        "captured_at": at,
        "decision": decision.value,
        "reason": reason.value,
        "detail": "as judged",
        "clause_ids": "" if decision is Decision.PASS else "B2",
        "judge": "judge/1",
        "expected": {},
        "picture": None,
        "sent_decision": decision.value,
        "sent_at": at,
        **dict.fromkeys(("wait_ms", "detect_ms", "read_ms", "judge_ms", "record_ms"), 1.0),
        "total_ms": 300.0,
        "frame_sha256": None,
        "detector_sha256": None,
        "judge_sha256": None,
        "software": "inspector",
        "open_review": open_review,
    }


def _defect(key: UUID, position: int, rng: random.Random) -> dict[str, object]:
    x0, y0 = rng.uniform(0, 500), rng.uniform(0, 500)
    return {
        "inspection_id": key,
        "position": position,
        "label": "spur",
        "confidence": 0.8,
        "x0": x0,
        "y0": y0,
        "x1": x0 + 20,
        "y1": y0 + 20,
        "width_mm": 0.4,
        "height_mm": 0.4,
        "zone": None,
    }


def _clause(key: UUID, position: int) -> dict[str, object]:
    return {
        "inspection_id": key,
        "position": position,
        "clause_id": f"B{position + 1}",
        "violated": False,
        "violation_probability": 0.03,
        "decided_by": "rule",
        "statement": "nothing found",
        "evidence": "",
    }
