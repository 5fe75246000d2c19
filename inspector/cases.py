"""Cases for the judge: JSON lines of evidence, clause and, for measuring, the truth.

A case is closed-world: what is not in its evidence is missing. Sizes may be null; every list may be
empty. `category` and `note` are for people and scores; the judge never sees them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inspector import images
from inspector.domain import Bgr, Box, Clause, Code, Context, Detection, Evidence, TextLine
from inspector.errors import CaseError
from inspector.evidence import CROP_PX, derived_facts

NOWHERE = Box(x0=0, y0=0, x1=1, y1=1)  # a case has no picture to have a place in

WORDS = r"[^\W_]{2}"  # what is blank or mere signs is no clause


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Defect(_Part):
    label: str = Field(min_length=1, max_length=80)
    confidence: float = Field(ge=0, le=1)
    width_mm: float | None = Field(None, ge=0)
    height_mm: float | None = Field(None, ge=0)
    zone: str | None = None


class _Text(_Part):
    text: str
    confidence: float = Field(ge=0, le=1)
    field: str | None = None


class _Code(_Part):
    symbology: str
    text: str


class _Context(_Part):
    inspected_on: date
    expected: dict[str, str] = {}


class _Evidence(_Part):
    product: str
    defects: tuple[_Defect, ...] = Field((), max_length=5000)
    texts: tuple[_Text, ...] = ()
    codes: tuple[_Code, ...] = ()
    context: _Context


class _Clause(_Part):
    id: str
    text: str = Field(min_length=3, max_length=20_000, pattern=WORDS)


class _Case(_Part):
    id: str
    clause: str | None = Field(None, min_length=3, max_length=20_000, pattern=WORDS)
    clauses: tuple[_Clause, ...] = ()
    evidence: _Evidence
    crops: tuple[str | None, ...] = ()
    violated: bool | None = None
    category: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> _Case:
        if (self.clause is None) == (not self.clauses):
            raise ValueError("expected either 'clause' or 'clauses'")
        if self.crops and len(self.crops) != len(self.evidence.defects):
            raise ValueError(
                f"expected a crop or null for each of {len(self.evidence.defects)} defects, "
                f"found {len(self.crops)}"
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCase:
    """One case; `several` where it was asked with `clauses`. `violated` is None where unknown."""

    id: str
    clauses: tuple[Clause, ...]
    several: bool
    evidence: Evidence
    violated: bool | None
    category: str | None


def read_cases(path: Path) -> tuple[JudgeCase, ...]:
    """Return the cases of a JSON lines file, in its order.

    Raises `CaseError` that names every bad line at once.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise CaseError(f"{path}: expected a file of cases, one JSON object a line: {exc}") from exc
    cases: list[JudgeCase] = []
    mistakes: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            cases.append(_case(_Case.model_validate(json.loads(line)), path.parent))
        except ValidationError as exc:
            mistakes += [f"{path}:{number}: {what}" for what in _worded(exc)]
        except ValueError as exc:
            mistakes.append(f"{path}:{number}: expected a JSON object: {exc}")
    if mistakes:
        raise CaseError("\n".join(mistakes))
    return tuple(cases)


def _worded(error: ValidationError) -> Iterator[str]:
    for one in error.errors():
        key = ".".join(map(str, one["loc"])) or "(case)"
        yield f"{key}: {one['msg']}"


def _case(case: _Case, folder: Path) -> JudgeCase:
    single = () if case.clause is None else (Clause(id=case.id, text=case.clause),)
    return JudgeCase(
        id=case.id,
        clauses=single or tuple(Clause(id=c.id, text=c.text) for c in case.clauses),
        several=not single,
        evidence=_evidence(case, folder),
        violated=case.violated,
        category=case.category,
    )


def _evidence(case: _Case, folder: Path) -> Evidence:
    given = case.evidence
    defects = tuple(
        Detection(
            label=d.label,
            confidence=d.confidence,
            box=NOWHERE,
            width_mm=d.width_mm,
            height_mm=d.height_mm,
            zone=d.zone,
        )
        for d in given.defects
    )
    texts = tuple(
        TextLine(text=t.text, confidence=t.confidence, box=NOWHERE, field=t.field)
        for t in given.texts
    )
    codes = tuple(Code(symbology=c.symbology, text=c.text, box=NOWHERE) for c in given.codes)
    context = Context(
        inspected_on=given.context.inspected_on, expected=dict(given.context.expected)
    )
    crops = case.crops or (None,) * len(defects)
    return Evidence(
        product=given.product,
        defects=defects,
        texts=texts,
        codes=codes,
        context=context,
        facts=derived_facts(texts=texts, codes=codes, context=context),
        crops_bgr=tuple(None if crop is None else _crop(folder / crop) for crop in crops),
    )


def _crop(path: Path) -> Bgr:
    bgr = images.read(path)
    whole = Box(x0=0, y0=0, x1=bgr.shape[1], y1=bgr.shape[0])
    return images.crop(bgr, whole, margin_px=0, size_px=CROP_PX)
