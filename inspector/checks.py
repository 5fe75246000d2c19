"""What a clause asks as a typed check: subjects, filters, measures, limits, and how they join.

Pure data: `inspector.standard` says what a check makes of evidence, `inspector.reading` writes it
as one line and reads that line back. Subjects, zones and fields are the words of whoever wrote the
clause; they are matched with labels, zones and fields where evidence is met. Lengths are mm, areas
mm², confidences 0–1.

The first four are what a standard's file may write key by key; the others are written as a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

Comparison = Literal["<", "<=", "=", ">=", ">"]
Span = Literal["day", "week", "month", "year"]
ANY = "any"
MOST_SPANS = 4e6  # days: more than the calendar has

# pydantic's; a limit of .inf or .nan is one that nothing exceeds
_CHECK_CONFIG: Final = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectCheck:
    """At most `at_most` defects of `labels` that lie where and are as large as stated.

    `labels` are detector labels, or `("any",)`. `inside` / `outside` name a zone of the recipe.
    `larger_than_mm` counts only defects whose `measure` exceeds it. `total_at_most_mm` limits the
    sum of the `measure` of all that match, instead of their number.
    """

    __pydantic_config__: ClassVar = _CHECK_CONFIG

    kind: Literal["defects"] = "defects"
    labels: tuple[str, ...]
    at_most: int = 0
    inside: str | None = None
    outside: str | None = None
    larger_than_mm: float | None = None
    total_at_most_mm: float | None = None
    measure: Literal["longest", "width", "height"] = "longest"

    def __post_init__(self) -> None:
        if not self.labels:
            raise ValueError("expected at least one label in 'labels', or 'any'; got none")
        if self.at_most < 0:
            raise ValueError(f"expected 'at_most' of 0 or more, got {self.at_most}")
        if self.inside is not None and self.outside is not None:
            raise ValueError("expected 'inside' or 'outside', got both")
        if self.total_at_most_mm is not None and self.at_most:
            raise ValueError("expected 'at_most' or 'total_at_most_mm', got both; use two clauses")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCheck:
    """A printed field must be there, read surely, and equal the work order where asked.

    `equals` is the key of the expected value. `forbidden` turns it round: the text must not occur.
    """

    __pydantic_config__: ClassVar = _CHECK_CONFIG

    kind: Literal["text"] = "text"
    field: str
    equals: str | None = None
    min_confidence: float = 0.5
    forbidden: bool = False

    def __post_init__(self) -> None:
        expect_rate("min_confidence", self.min_confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCheck:
    """A code of one of `symbologies` (any, where empty) must be read, and equal the work order.

    `equals` is the key of the expected value; leading zeros that tell UPC-A from EAN-13 count as
    equal (GS1 General Specifications, GTIN-12 in a GTIN-13 field).
    """

    __pydantic_config__: ClassVar = _CHECK_CONFIG

    kind: Literal["code"] = "code"
    symbologies: tuple[str, ...] = ()
    equals: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DateCheck:
    """The date printed in `field` lies at least `min_days_left` days after the inspection."""

    __pydantic_config__: ClassVar = _CHECK_CONFIG

    kind: Literal["date"] = "date"
    field: str
    min_days_left: int = 0
    min_confidence: float = 0.5

    def __post_init__(self) -> None:
        expect_rate("min_confidence", self.min_confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One property of one defect or line against a limit: what is counted must meet it."""

    measure: Literal["longest", "width", "height", "area", "confidence", "characters"]
    comparison: Comparison
    limit: float

    def __post_init__(self) -> None:
        _expect_limit(self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureCheck:
    """What is measured over the defects that match compares with `limit` as stated.

    `subjects` are words for defects, `("any",)` for all of them; `exceptions` are taken out. Zones
    and sizes narrow what matches; `each` asks for every kind or zone on its own. `measure` counts
    the defects or their kinds, or adds up their longest sides, widths, heights or areas.
    """

    subjects: tuple[str, ...] = (ANY,)
    exceptions: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    sizes: tuple[Size, ...] = ()
    each: Literal["kind", "zone"] | None = None
    measure: Literal["defects", "kinds", "length", "width", "height", "area"] = "defects"
    comparison: Comparison
    limit: float

    def __post_init__(self) -> None:
        if not self.subjects:
            raise ValueError("expected at least one subject, or 'any'; got none")
        _expect_limit(self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintCheck:
    """The number of printed lines that match compares with `limit` as stated.

    `sought` says what `words` are: a wording (any one of them) that a line contains, the name of a
    field, a language, a unit of a stated quantity; `product` and `any` need no words. Case and
    spaces count only where `exact`; `edits` characters may differ.
    """

    sought: Literal["wording", "field", "language", "unit", "product", "any"]
    words: tuple[str, ...] = ()
    sizes: tuple[Size, ...] = ()
    starts: str | None = None
    edits: int = 0
    exact: bool = False
    comparison: Comparison = ">="
    limit: float = 1

    def __post_init__(self) -> None:
        if bool(self.words) is (self.sought in ("product", "any")):
            raise ValueError(f"expected words for {self.sought!r} or none, got {self.words}")
        _expect_limit(self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesCheck:
    """The number of codes that match compares with `limit` as stated.

    `symbologies` are names as people write them ("QR code", "retail bar code"), `("any",)` for all;
    codes of `exceptions` are taken out. `element` is the application identifier of a GS1 element
    that must be in the content. `each` asks the content of every code of the symbologies.
    """

    symbologies: tuple[str, ...] = (ANY,)
    exceptions: tuple[str, ...] = ()
    contains: str | None = None
    starts: str | None = None
    element: str | None = None
    valid: bool = False
    sizes: tuple[Size, ...] = ()
    each: bool = False
    comparison: Comparison = ">="
    limit: float = 1

    def __post_init__(self) -> None:
        _expect_limit(self.limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value comes from: a printed field, the work order, a code, a GS1 element, a literal.

    `name` is the field's, the order's or the symbology's in the words of the clause; empty for the
    order means the value of the same name, and for a code any code. Of an element it is the
    application identifier, and `symbologies` are the codes that may hold it, any where empty.
    """

    kind: Literal["field", "order", "code", "element", "literal"]
    name: str = ""
    symbologies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualCheck:
    """Two values are equal, or `left` contains `right`.

    Of several values of a source one must agree, with `each` all must; a source that is to equal
    itself says the same wherever it stands. Case and spaces count only where `exact`. `alike` are
    groups of characters that count as the same ("0O"); `ignored` are characters left out on both
    sides; `edits` characters may differ.
    """

    left: Source
    right: Source
    contains: bool = False
    exact: bool = False
    alike: tuple[str, ...] = ()
    ignored: str = ""
    edits: int = 0
    each: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A day: today, a printed, encoded or ordered date, or a given day, plus a span of time.

    `name` and `symbologies` of an element are those of a `Source`.
    """

    kind: Literal["today", "field", "element", "order", "day"]
    name: str = ""
    symbologies: tuple[str, ...] = ()
    number: float = 0
    span: Span = "day"

    def __post_init__(self) -> None:
        if not -MOST_SPANS <= self.number <= MOST_SPANS:
            raise ValueError(f"expected a span of at most {MOST_SPANS:g}, got {self.number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentCheck:
    """Two days compare as stated; a month without a day ends with its last day."""

    left: Moment
    comparison: Comparison
    right: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatCheck:
    """The date printed as `field` is written in the form that `form` names, like YYYY-MM-DD."""

    field: str
    form: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """Every one of `checks` must hold."""

    checks: tuple[ReadCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """At least one of `checks` must hold."""

    checks: tuple[ReadCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """`check` must not hold."""

    check: ReadCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class IfThen:
    """Where `condition` holds, `then` must hold."""

    condition: ReadCheck
    then: ReadCheck


KeyedCheck = DefectCheck | TextCheck | CodeCheck | DateCheck
LineAtom = MeasureCheck | PrintCheck | CodesCheck | EqualCheck | MomentCheck | FormatCheck
ReadCheck = LineAtom | AllOf | AnyOf | Not | IfThen
Atom = KeyedCheck | LineAtom
Check = KeyedCheck | ReadCheck


def atoms(check: Check) -> tuple[Atom, ...]:
    """Return the checks that `check` is joined of, in their order."""
    match check:
        case AllOf() | AnyOf():
            return tuple(atom for part in check.checks for atom in atoms(part))
        case Not():
            return atoms(check.check)
        case IfThen():
            return (*atoms(check.condition), *atoms(check.then))
        case _:
            return (check,)


def expect_rate(name: str, value: float) -> None:
    """Raise `ValueError` where `value` is no share of one."""
    if not 0 <= value <= 1:
        raise ValueError(f"expected {name} between 0 and 1, got {value}")


def _expect_limit(limit: float) -> None:
    if not 0 <= limit < float("inf"):
        raise ValueError(f"expected a limit of 0 or more, got {limit}")
