"""Parse the line of a check; `inspector.reading` describes the language and writes it.

Words stand as in the clause; numbers, units and number words are converted here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from inspector import amounts
from inspector.checks import (
    AllOf,
    AnyOf,
    CodesCheck,
    Comparison,
    EqualCheck,
    FormatCheck,
    IfThen,
    MeasureCheck,
    Moment,
    MomentCheck,
    Not,
    PrintCheck,
    ReadCheck,
    Size,
    Source,
    Span,
)
from inspector.identifiers import identifier_of

NO_CHECK: Final = "no check"
LINE_CHARACTERS = 5000
NESTED_AT_MOST = 24  # brackets and conditions within each other; a clause of 600 signs has few
IGNORABLE: Final = {"hyphens": "-", "spaces": " ", "dots": ".", "leading zeros": "0"}
Measure = Literal["defects", "kinds", "length", "width", "height", "area"]
Property = Literal["longest", "width", "height", "area", "confidence", "characters"]
Sought = Literal["wording", "field", "language", "unit", "product", "any"]
MEASURES: Final[dict[str, Measure]] = {
    "defects": "defects", "kinds": "kinds", "length": "length", "width": "width",
    "height": "height", "area": "area",
}  # fmt: skip
_SIZES: Final[dict[str, Property]] = {
    "longest": "longest", "width": "width", "height": "height", "area": "area",
    "confidence": "confidence", "characters": "characters",
}  # fmt: skip
_COMPARISONS: Final[dict[str, Comparison]] = {"<": "<", "<=": "<=", "=": "=", ">=": ">=", ">": ">"}
_SPANS: Final[dict[str, Span]] = {"day": "day", "week": "week", "month": "month", "year": "year"}
_COMPARISON = re.compile(r"\s*(<=|>=|<|>|=)\s*")
_AMOUNT_END = re.compile(r"\s(?:and|or|then)\s(?=[a-z]*\s?\()|\)|$")
_SIZE = re.compile(rf"({'|'.join(_SIZES)})\s*(<=|>=|<|>|=)\s*(.+)")
_LENGTHS = re.compile(r"(?:longest|width|height|\))\s*[<>=]+\s*([^;)]+?)(?=;|\)| and | or |$)")
_MOMENT_SHIFT = re.compile(r"\s([+-])\s")


_MOMENTS: Final[tuple[Literal["today", "field", "order", "day"], ...]] = (
    "today", "field", "order", "day",
)  # fmt: skip
_PLACED = re.compile(r"element (?P<words>[^;]+?)(?:; in (?P<codes>[^;]+))?")
_KNOWN: Final[tuple[Sought, ...]] = ("field", "language", "unit")


class LineError(ValueError):
    """A text is no line of the check language; says where and what was expected."""


def from_line(text: str) -> ReadCheck | None:
    """Return the check that a line says, None for `no check`; raise `LineError` where malformed."""
    line = " ".join(text.split())
    if line == NO_CHECK:
        return None
    if len(line) > LINE_CHARACTERS:
        raise LineError(f"expected at most {LINE_CHARACTERS} characters, got {len(line)}")
    parser = _Parser(line)
    try:
        check = parser.expression()
    except LineError:
        raise
    except ValueError as exc:
        raise LineError(f"{exc} in {line!r}") from exc
    if parser.rest.strip():
        raise LineError(f"expected the end of the line, got {parser.rest!r} in {line!r}")
    return check


@dataclass(slots=True)
class _Parser:
    """Recursive descent over one line; `at` is where it stands."""

    line: str
    at: int = 0
    depth: int = 0
    unit_mm: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        units = map(amounts.unit_of, _LENGTHS.findall(self.line))
        self.unit_mm = next((unit for unit in units if unit is not None), None)

    @property
    def rest(self) -> str:
        return self.line[self.at :]

    def expression(self) -> ReadCheck:
        self.depth += 1
        if self.depth > NESTED_AT_MOST:
            raise LineError(f"expected at most {NESTED_AT_MOST} checks within each other, got more")
        check = self._expression()
        self.depth -= 1
        return check

    def _expression(self) -> ReadCheck:
        if self._takes("if"):
            condition = self.expression()
            if not self._takes("then"):
                raise LineError(f"expected 'then' before {self.rest!r} in {self.line!r}")
            return IfThen(condition=condition, then=self.expression())
        return self._joined("or", lambda: self._joined("and", self._single))

    def _joined(self, word: str, part: Callable[[], ReadCheck]) -> ReadCheck:
        checks = [part()]
        while self._takes(word):
            checks.append(part())
        if len(checks) == 1:
            return checks[0]
        join = AllOf if word == "and" else AnyOf
        flat: list[ReadCheck] = []
        for check in checks:
            flat += check.checks if isinstance(check, join) else (check,)
        return join(checks=tuple(flat))

    def _single(self) -> ReadCheck:
        if self._takes("not"):
            return Not(check=self._bracketed())
        if self.rest.lstrip().startswith("("):
            return self._bracketed()
        match = re.match(r"\s*([a-z]+)\(", self.rest)
        if match is None:
            raise LineError(f"expected a check, got {self.rest!r} in {self.line!r}")
        self.at += match.end()
        return self._atom(match[1], self._arguments())

    def _bracketed(self) -> ReadCheck:
        if not self.rest.lstrip().startswith("("):
            raise LineError(f"expected '(', got {self.rest!r} in {self.line!r}")
        self.at += len(self.rest) - len(self.rest.lstrip()) + 1
        check = self.expression()
        if not self.rest.lstrip().startswith(")"):
            raise LineError(f"expected ')', got {self.rest!r} in {self.line!r}")
        self.at += len(self.rest) - len(self.rest.lstrip()) + 1
        return check

    def _takes(self, word: str) -> bool:
        match = re.match(rf"\s*{word}(?=[\s(])", self.rest)
        if match is None:
            return False
        self.at += match.end()
        return True

    def _arguments(self) -> list[str]:
        """Return what stands between the brackets, split at `;` outside quotes."""
        parts, start, quoted = [], self.at, False
        for index in range(self.at, len(self.line)):
            sign = self.line[index]
            if sign == '"':
                quoted = not quoted
            elif sign in ";)" and not quoted:
                parts.append(self.line[start:index].strip())
                start = index + 1
                if sign == ")":
                    self.at = start
                    return parts
        raise LineError(f"expected ')' in {self.line!r}")

    def _limit(self) -> tuple[Comparison, str]:
        match = _COMPARISON.match(self.rest)
        if match is None:
            raise LineError(f"expected <=, <, =, >= or >, got {self.rest!r} in {self.line!r}")
        self.at += match.end()
        end = _AMOUNT_END.search(self.rest)
        words = self.rest[: end.start()] if end else self.rest
        self.at += len(words)
        return _COMPARISONS[match[1]], words.strip()

    def _atom(self, name: str, arguments: list[str]) -> ReadCheck:
        if name in MEASURES:
            return self._measure(name, arguments)
        match name:
            case "texts":
                return self._texts(arguments)
            case "codes":
                return self._codes(arguments)
            case "equal" | "contains":
                return _equal(name, arguments)
            case "format" if len(arguments) == 2:
                return FormatCheck(field=arguments[0].removeprefix("field "), form=arguments[1])
            case "date":
                comparison, words = self._limit()
                left, right = _moment("; ".join(arguments)), _moment(words)
                return MomentCheck(left=left, comparison=comparison, right=right)
        raise LineError(f"expected a check, got {name}({'; '.join(arguments)})")

    def _measure(self, name: str, arguments: list[str]) -> MeasureCheck:
        wanted: dict[str, tuple[str, ...]] = {"in": (), "not in": (), "except": ()}
        sizes: list[Size] = []
        each: Literal["kind", "zone"] | None = None
        for part in arguments[1:]:
            word = next((w for w in wanted if part.startswith(f"{w} ")), None)
            if word is not None:
                wanted[word] += _words(part.removeprefix(word))
            elif part in ("each kind", "each zone") and each is None:
                each = "kind" if part == "each kind" else "zone"
            else:
                sizes.append(self._size(part))
        comparison, words = self._limit()
        limit = {"area": self._area, "defects": amounts.number, "kinds": amounts.number}.get(
            name, self._length
        )(words)
        return MeasureCheck(
            subjects=_words(arguments[0]),
            exceptions=wanted["except"],
            inside=wanted["in"],
            outside=wanted["not in"],
            sizes=tuple(sizes),
            each=each,
            measure=MEASURES[name],
            comparison=comparison,
            limit=limit,
        )

    def _length(self, words: str) -> float:
        return _rounded(amounts.length_mm(words, unit_mm=self.unit_mm))

    def _area(self, words: str) -> float:
        return _rounded(amounts.area_mm2(words))

    def _size(self, part: str) -> Size:
        match = _SIZE.fullmatch(part)
        if match is None:
            raise LineError(f"expected a filter, got {part!r} in {self.line!r}")
        words = match[3].strip()
        match match[1]:
            case "area":
                limit = self._area(words)
            case "confidence":
                limit = _rounded(amounts.share(words))
            case "characters":
                limit = amounts.number(words)
            case _:
                limit = self._length(words)
        return Size(measure=_SIZES[match[1]], comparison=_COMPARISONS[match[2]], limit=limit)

    def _texts(self, arguments: list[str]) -> PrintCheck:
        sought, words = _sought(arguments[0])
        sizes: list[Size] = []
        starts, edits, exact = None, 0, False
        for part in arguments[1:]:
            if part.startswith("starts "):
                starts = _literal(part.removeprefix("starts "))
            elif part.startswith("within "):
                edits = int(amounts.number(part.removeprefix("within ")))
            elif part == "exact":
                exact = True
            else:
                sizes.append(self._size(part))
        comparison, number = self._limit()
        return PrintCheck(
            sought=sought,
            words=words,
            sizes=tuple(sizes),
            starts=starts,
            edits=edits,
            exact=exact,
            comparison=comparison,
            limit=amounts.number(number),
        )

    def _codes(self, arguments: list[str]) -> CodesCheck:
        texts: dict[str, str | None] = {"contains": None, "starts": None}
        element, valid, each = None, False, False
        exceptions: tuple[str, ...] = ()
        sizes: list[Size] = []
        for part in arguments[1:]:
            word = next((w for w in texts if part.startswith(f"{w} ")), None)
            if word is not None:
                texts[word] = _literal(part.removeprefix(f"{word} "))
            elif part.startswith("element ") and element is None:
                element = _identifier(part.removeprefix("element "))
            elif part.startswith("except "):
                exceptions += _words(part.removeprefix("except "))
            elif part == "valid":
                valid = True
            elif part == "each":
                each = True
            else:
                sizes.append(self._size(part))
        comparison, number = self._limit()
        return CodesCheck(
            symbologies=_words(arguments[0]),
            exceptions=exceptions,
            contains=texts["contains"],
            starts=texts["starts"],
            element=element,
            valid=valid,
            sizes=tuple(sizes),
            each=each,
            comparison=comparison,
            limit=amounts.number(number),
        )


def _equal(name: str, arguments: list[str]) -> EqualCheck:
    arguments = _with_places(arguments)
    if len(arguments) < 2:
        raise LineError(f"expected two sources, got {arguments}")
    alike: tuple[str, ...] = ()
    ignored, edits, exact, each = "", 0, False, False
    for part in arguments[2:]:
        if part == "exact":
            exact = True
        elif part == "each":
            each = True
        elif part.startswith("within "):
            edits = int(amounts.number(part.removeprefix("within ")))
        elif part.startswith("ignoring "):
            what = part.removeprefix("ignoring ")
            if what in IGNORABLE:
                ignored += IGNORABLE[what]
            else:
                alike += tuple(pair.replace("/", "") for pair in what.split())
        else:
            raise LineError(f"expected an option, got {part!r}")
    return EqualCheck(
        left=_source(arguments[0]),
        right=_source(arguments[1]),
        contains=name == "contains",
        exact=exact,
        alike=alike,
        ignored=ignored,
        edits=edits,
        each=each,
    )


def _with_places(arguments: list[str]) -> list[str]:
    """Return the arguments with "in CODES" put to the element that stands before it."""
    joined: list[str] = []
    for part in arguments:
        if part.startswith("in ") and joined and re.fullmatch(r"element [^;]+", joined[-1]):
            joined[-1] = f"{joined[-1]}; {part}"
        else:
            joined.append(part)
    return joined


def _source(words: str) -> Source:
    if words.startswith('"'):
        return Source(kind="literal", name=_literal(words))
    kind, _, name = words.partition(" ")
    match kind:
        case "element":
            identifier, symbologies = _element(words)
            return Source(kind="element", name=identifier, symbologies=symbologies)
        case "order":
            return Source(kind="order", name=name)
        case "code":
            return Source(kind="code", name=name)
        case "field" if name:
            return Source(kind="field", name=name)
    raise LineError(f"expected field NAME, order, code or element, got {words!r}")


def _moment(words: str) -> Moment:
    parts = _MOMENT_SHIFT.split(words.strip())
    number, span = 0.0, "day"
    if len(parts) == 3:
        number, span = amounts.span(parts[2])
        number = -number if parts[1] == "-" else number
    kind, _, name = parts[0].strip().partition(" ")
    if kind == "element" and len(parts) in (1, 3):
        name, symbologies = _element(parts[0].strip())
        return Moment(
            kind="element", name=name, symbologies=symbologies, number=number, span=_SPANS[span]
        )
    for known in _MOMENTS:
        named = bool(name) if known in ("field", "day") else not name or known == "order"
        if kind == known and named and len(parts) in (1, 3):
            return Moment(kind=known, name=name, number=number, span=_SPANS[span])
    raise LineError(f"expected today, field NAME, element, order or day DATE, got {words!r}")


def _sought(words: str) -> tuple[Sought, tuple[str, ...]]:
    if words.startswith('"'):
        return "wording", tuple(map(_literal, re.findall(r'"[^"]*"', words)))
    if words == "any":
        return "any", ()
    if words == "product":
        return "product", ()
    kind, _, rest = words.partition(" ")
    for known in _KNOWN:
        if kind == known and rest:
            return known, _words(rest)
    raise LineError(f'expected "WORDING", field, language, unit, product or any, got {words!r}')


def _words(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split("|"))
    if not all(found):
        raise LineError(f"expected words, got {text!r}")
    return found


def _literal(text: str) -> str:
    plain = text.strip()
    if len(plain) < 3 or plain[0] != '"' or plain[-1] != '"' or '"' in plain[1:-1]:
        raise LineError(f"expected text in quotes, got {text!r}")
    return plain[1:-1].strip()


def _element(words: str) -> tuple[str, tuple[str, ...]]:
    """Return the identifier of "element 17; in Data Matrix", and the codes that it stands in."""
    match = _PLACED.fullmatch(words)
    if match is None:
        raise LineError(f"expected element NUMBER or element NUMBER; in CODES, got {words!r}")
    return _identifier(match["words"]), _words(match["codes"]) if match["codes"] else ()


def _identifier(words: str) -> str:
    identifier = identifier_of(words)
    if identifier is None:
        raise LineError(f"expected a GS1 application identifier like 01, got {words!r}")
    return identifier


def _rounded(value: float) -> float:
    """Return `value` without the dust of unit conversion: 500 µm are 0.5 mm."""
    return float(f"{value:.9g}")
