"""Cases for the judge: JSON lines of evidence, clause and, for measuring, the truth.

A case is closed-world: what is not in its evidence is missing. Sizes may be null; every list may be
empty. `category` and `note` are for people and scores; the judge never sees them.

A file with mistakes is refused as a whole, every mistake with its line. In clauses and names,
control characters become spaces and invisible signs (joiners, soft hyphens, marks of direction) are
left out; in print and codes they are evidence and stay, and are cleaned before a model reads them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from inspector import images
from inspector.domain import Bgr, Box, Clause, Code, Context, Detection, Evidence, TextLine
from inspector.errors import CaseError, PictureError
from inspector.evidence import CROP_PX, derived_facts
from inspector.printable import printable

NOWHERE = Box(x0=0, y0=0, x1=1, y1=1)  # a case has no picture to have a place in
LARGEST_MM = 1e6
FOUND_CHARACTERS = 60


def _name(text: str) -> str:
    """Return a name made printable."""
    if not (name := printable(text)):
        raise ValueError("expected a name, found nothing that prints")
    return name


def _in_words(text: str) -> str:
    """Return a clause made printable; what is blank or mere signs asks nothing."""
    words = printable(text)
    if not any(one.isalnum() and other.isalnum() for one, other in pairwise(words)):
        raise ValueError("expected a clause in words")
    return words


_Name = Annotated[str, StringConstraints(max_length=200), AfterValidator(_name)]
_NameOrNone = Annotated[str | None, AfterValidator(lambda text: printable(text or "") or None)]
_Words = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_in_words)]
_Print = Annotated[str, StringConstraints(max_length=20_000)]
_Millimetres = Annotated[float, Field(ge=0, le=LARGEST_MM)]


class _Part(BaseModel):
    """What a case says, as JSON says it: no number in quotes, no key that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Defect(_Part):
    label: _Name
    confidence: float = Field(ge=0, le=1)
    width_mm: _Millimetres | None = None
    height_mm: _Millimetres | None = None
    zone: _NameOrNone = None


class _Text(_Part):
    text: _Print
    confidence: float = Field(ge=0, le=1)
    field: _NameOrNone = None


class _Code(_Part):
    symbology: _Name
    text: _Print


class _Context(_Part):
    inspected_on: date
    expected: dict[_Name, _Print] = {}


class _Evidence(_Part):
    product: Annotated[str, StringConstraints(max_length=2000), AfterValidator(printable)]
    defects: tuple[_Defect, ...] = Field((), max_length=5000)
    texts: tuple[_Text, ...] = Field((), max_length=5000)
    codes: tuple[_Code, ...] = Field((), max_length=5000)
    context: _Context


class _Clause(_Part):
    id: _Name
    text: _Words


class _Case(_Part):
    id: _Name
    clause: _Words | None = None
    clauses: tuple[_Clause, ...] = Field((), max_length=200)
    evidence: _Evidence
    crops: tuple[str | None, ...] = ()
    violated: bool | None = None
    category: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> _Case:
        if (self.clause is None) == (not self.clauses):
            raise ValueError("expected either 'clause' or 'clauses'")
        if twice := _first_twice([clause.id for clause in self.clauses]):
            raise ValueError(f"expected each id of 'clauses' once, found {twice!r} again")
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

    Raises `CaseError` that names every mistake of every line at once.
    """
    try:
        # a byte order mark is no part of the first case
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as exc:
        raise CaseError(
            f"{path}: expected a file of cases, one JSON object a line: {exc.strerror}; "
            "correct the path"
        ) from exc
    except UnicodeDecodeError as exc:
        raise CaseError(f"{path}: expected cases as UTF-8 text: {exc.reason}") from exc
    cases: list[JudgeCase] = []
    mistakes: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            cases.append(_read(line, path.parent))
        except _Mistakes as exc:
            mistakes += [f"{path}:{number}: {what}" for what in exc.found]
    if mistakes:
        raise CaseError("\n".join(mistakes))
    if not cases:
        raise CaseError(f"{path}: expected at least one case, a JSON object a line; found none")
    return tuple(cases)


class _Mistakes(ValueError):
    """What is wrong with one line."""

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__(*found)
        self.found = found


def _read(line: str, folder: Path) -> JudgeCase:
    try:
        json.loads(line, object_pairs_hook=_each_once)
        return _case(_Case.model_validate_json(line), folder)
    except ValidationError as exc:
        raise _Mistakes(list(_worded(exc))) from exc
    except RecursionError as exc:
        raise _Mistakes(["expected a JSON object, found lists within lists without end"]) from exc
    except _Mistakes:
        raise
    except ValueError as exc:
        raise _Mistakes([f"expected a JSON object: {exc}"]) from exc


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says a key twice: the second would hide the defects of the first."""
    if twice := _first_twice([key for key, _ in pairs]):
        raise _Mistakes([f"expected each key once, found {twice[:FOUND_CHARACTERS]!r} again"])
    return dict(pairs)


def _first_twice(names: Sequence[str]) -> str | None:
    return next((name for name, times in Counter(names).items() if times > 1), None)


def _worded(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False):
        key = ".".join(map(str, one["loc"])) or "(case)"
        what = one["msg"].removeprefix("Value error, ")
        if one["type"] in ("missing", "value_error"):
            yield f"{key}: {what}"
        else:
            yield f"{key}: {what}, found {str(one['input'])[:FOUND_CHARACTERS]!r}"


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
    return Evidence(
        product=given.product,
        defects=defects,
        texts=texts,
        codes=codes,
        context=context,
        facts=derived_facts(texts=texts, codes=codes, context=context),
        crops_bgr=_crops(case.crops or (None,) * len(defects), folder),
    )


def _crops(names: Sequence[str | None], folder: Path) -> tuple[Bgr | None, ...]:
    found: list[Bgr | None] = []
    mistakes = []
    for index, name in enumerate(names):
        try:
            found.append(None if name is None else _crop(folder / name))
        except (PictureError, ValueError) as exc:  # ValueError: a NUL within a path
            mistakes.append(f"crops.{index}: {exc}")
    if mistakes:
        raise _Mistakes(mistakes)
    return tuple(found)


def _crop(path: Path) -> Bgr:
    bgr = images.read(path)
    whole = Box(x0=0, y0=0, x1=bgr.shape[1], y1=bgr.shape[0])
    return images.crop(bgr, whole, margin_px=0, size_px=CROP_PX)
