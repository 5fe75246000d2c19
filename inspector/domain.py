"""The types that flow through an inspection: frozen, checked when built.

Boxes are pixels of the full frame, end exclusive. Times are aware and UTC (`_at`) or monotonic
nanoseconds (`_ns`). Pictures are BGR uint8[H, W, 3].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from inspector.checks import Check as Check
from inspector.checks import CodeCheck as CodeCheck
from inspector.checks import DateCheck as DateCheck
from inspector.checks import DefectCheck as DefectCheck
from inspector.checks import TextCheck as TextCheck
from inspector.checks import expect_rate

Bgr = NDArray[np.uint8]


class Decision(StrEnum):
    """What the PLC is told; `code` is the integer of the MQTT contract."""

    PASS = "PASS"
    FAIL = "FAIL"
    HOLD = "HOLD"

    @property
    def code(self) -> int:
        return {"PASS": 1, "FAIL": 2, "HOLD": 3}[self.value]


class Reason(StrEnum):
    """Why a part got its decision; README lists each with what to do."""

    CLEAN = "CLEAN"
    RULE_VIOLATED = "RULE_VIOLATED"
    JUDGED_BAD = "JUDGED_BAD"
    UNCERTAIN = "UNCERTAIN"
    TEXT_UNREADABLE = "TEXT_UNREADABLE"
    CODE_UNREADABLE = "CODE_UNREADABLE"
    EXPECTED_MISSING = "EXPECTED_MISSING"
    REFERENCE_MISSING = "REFERENCE_MISSING"
    NO_FRAME = "NO_FRAME"
    STALE_FRAME = "STALE_FRAME"
    BAD_FRAME = "BAD_FRAME"
    CAMERA_LOST = "CAMERA_LOST"
    MODEL_FAILED = "MODEL_FAILED"
    OVERLOAD = "OVERLOAD"
    DEADLINE = "DEADLINE"
    NOT_RECORDED = "NOT_RECORDED"
    INTERRUPTED = "INTERRUPTED"
    UNKNOWN_RECIPE = "UNKNOWN_RECIPE"
    ALARM_ACTIVE = "ALARM_ACTIVE"
    STOPPING = "STOPPING"


class Severity(StrEnum):
    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class Outcome(StrEnum):
    """What a check says of the evidence."""

    CONFORMS = "CONFORMS"
    VIOLATED = "VIOLATED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle in px of the full frame, `x1` and `y1` exclusive; never empty."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise ValueError(
                f"expected x0 < x1 and y0 < y1, got {(self.x0, self.y0, self.x1, self.y1)}"
            )

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def iou(self, other: Box) -> float:
        """Return intersection over union with `other`, 0 where they do not touch."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / (self.area + other.area - width * height)

    def expanded(self, margin_px: float) -> Box:
        """Return this box grown by `margin_px` on each side."""
        return Box(
            x0=self.x0 - margin_px,
            y0=self.y0 - margin_px,
            x1=self.x1 + margin_px,
            y1=self.y1 + margin_px,
        )

    def clipped(self, *, width: int, height: int) -> Box | None:
        """Return the part of this box inside a picture of that size, None where there is none."""
        x0, y0 = max(self.x0, 0), max(self.y0, 0)
        x1, y1 = min(self.x1, width), min(self.y1, height)
        return Box(x0=x0, y0=y0, x1=x1, y1=y1) if x0 < x1 and y0 < y1 else None

    def as_list(self) -> list[float]:
        """Return `[x0, y0, x1, y1]` as the machine output prints it."""
        return [round(float(v), 2) for v in (self.x0, self.y0, self.x1, self.y1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture of a camera; `bgr` is uint8[H, W, 3] and read-only from here on."""

    camera_id: str
    seq: int
    captured_at: datetime
    captured_ns: int
    bgr: Bgr

    def __post_init__(self) -> None:
        _expect_utc("captured_at", self.captured_at)
        if self.bgr.dtype != np.uint8 or self.bgr.ndim != 3 or self.bgr.shape[2] != 3:
            raise ValueError(f"expected uint8[H, W, 3], got {self.bgr.dtype}{list(self.bgr.shape)}")
        self.bgr.setflags(write=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One defect found; sizes and zone are None where the recipe knows no scale or zones.

    A size that is not a number is refused: it would compare with no limit.
    """

    label: str
    confidence: float
    box: Box
    width_mm: float | None = None
    height_mm: float | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        expect_rate("confidence", self.confidence)
        for name in ("width_mm", "height_mm"):
            size = getattr(self, name)
            if size is not None and not 0 <= size < float("inf"):
                raise ValueError(f"expected {name} of 0 or more, or None, got {size}")

    @property
    def longest_mm(self) -> float | None:
        if self.width_mm is None or self.height_mm is None:
            return None
        return max(self.width_mm, self.height_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """One line of printed text; `field` is the recipe's field it was matched to."""

    text: str
    confidence: float
    box: Box
    field: str | None = None

    def __post_init__(self) -> None:
        expect_rate("confidence", self.confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One bar or matrix code; `recovered` says that it was read only after enhancement."""

    symbology: str
    text: str
    box: Box
    recovered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was seen in one frame."""

    detections: tuple[Detection, ...] = ()
    text_lines: tuple[TextLine, ...] = ()
    codes: tuple[Code, ...] = ()


# --- the standard -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One clause of a standard; `check` binds when a person wrote or approved it."""

    id: str
    text: str
    severity: Severity = Severity.MAJOR
    check: Check | None = None
    binding: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """A written quality standard; `rev` is the sha256 of its file."""

    name: str
    title: str
    rev: str
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known of the part besides the picture: the work order and the day."""

    inspected_on: date
    expected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a clause may be judged on, in canonical order.

    `facts` are sentences derived by code. `crops_bgr` is parallel to `defects`, None where a crop
    was not cut.
    """

    product: str
    defects: tuple[Detection, ...]
    texts: tuple[TextLine, ...]
    codes: tuple[Code, ...]
    context: Context
    facts: tuple[str, ...] = ()
    crops_bgr: tuple[Bgr | None, ...] = ()


EvidenceKind = Literal["defect", "text", "code", "context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRef:
    """One item of evidence; `index` counts within its kind."""

    kind: EvidenceKind
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check says, in one sentence, and the evidence that it rests on.

    `reason` is set where the outcome is UNKNOWN.
    """

    outcome: Outcome
    statement: str
    evidence: tuple[EvidenceRef, ...] = ()
    reason: Reason | None = None


DecidedBy = Literal["rule", "reading", "model", "combined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseFinding:
    """What was found for one clause; `violated` is None where nobody can tell."""

    clause_id: str
    violated: bool | None
    violation_probability: float | None
    decided_by: DecidedBy
    statement: str
    evidence: tuple[EvidenceRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the judge says of every clause; `judge` is its name and version."""

    clauses: tuple[ClauseFinding, ...]
    judge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision on one part, why, and the clauses that decided it."""

    decision: Decision
    reason: Reason
    detail: str
    clause_ids: tuple[str, ...] = ()

    @classmethod
    def held(cls, reason: Reason, detail: str) -> Verdict:
        """Return HOLD for `reason`: the safe default."""
        return cls(decision=Decision.HOLD, reason=reason, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How long each stage took, in ms; 0 for a stage that did not run."""

    wait_ms: float = 0.0
    detect_ms: float = 0.0
    read_ms: float = 0.0
    judge_ms: float = 0.0
    record_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The sha256 of the frame and of every model, and the software version: enough to replay."""

    frame_sha256: str | None = None
    detector_sha256: str | None = None
    judge_sha256: str | None = None
    software: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What the pipeline says of one frame, before anybody is told."""

    findings: Findings
    judgement: Judgement | None
    verdict: Verdict
    timings: Timings = Timings()
    provenance: Provenance = Provenance()

    @classmethod
    def held(cls, reason: Reason, detail: str) -> Assessment:
        """Return HOLD for `reason` with nothing found."""
        return cls(findings=Findings(), judgement=None, verdict=Verdict.held(reason, detail))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One part: what was judged, and what was sent; `id` is made when the ticket opens.

    `sent_decision` is None while nothing left the station.
    """

    id: UUID
    station_id: str
    camera_id: str
    request_id: str
    part_id: str | None
    lot: str | None
    view: str | None
    product: str
    recipe: str
    recipe_rev: str
    standard_rev: str
    triggered_at: datetime
    captured_at: datetime | None
    findings: Findings
    judgement: Judgement | None
    verdict: Verdict
    expected: Mapping[str, str] = field(default_factory=dict)
    picture: str | None = None
    sent_decision: Decision | None = None
    sent_at: datetime | None = None
    timings: Timings = Timings()
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        _expect_utc("triggered_at", self.triggered_at)
        for name in ("captured_at", "sent_at"):
            if (moment := getattr(self, name)) is not None:
                _expect_utc(name, moment)


def _expect_utc(name: str, moment: datetime) -> None:
    if moment.utcoffset() != timedelta(0):
        raise ValueError(f"expected {name} in UTC with a time zone, got {moment!r}")
