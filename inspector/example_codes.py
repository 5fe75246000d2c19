"""Codes made up for checks: symbologies as a station reports them, contents near what is asked."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from inspector.checks import ANY, CodesCheck, Moment, Source
from inspector.domain import Box, Code
from inspector.identifiers import identifier_of
from inspector.standard import gs1
from inspector.standard.fields import field_key
from inspector.symbologies import is_any_code, reported, symbologies_named

NOWHERE = Box(x0=0, y0=0, x1=1, y1=1)
CODES_AT_MOST = 8
_USUAL = ("QRCode", "EAN-13")
_DIGITS = {"ean13": 13, "ean8": 8, "upca": 12, "upce": 8, "isbn": 13, "itf": 14}
_CHECKED = (8, 12, 13, 14, 18)


@dataclass(slots=True)
class CodeIngredients:
    """What checks say of codes; `counts` are numbers of them, `elements` GS1 identifiers."""

    symbologies: set[str] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    elements: set[str] = field(default_factory=set)
    counts: set[int] = field(default_factory=set)

    def add_check(self, check: CodesCheck) -> None:
        """Take up what a check counts."""
        self.add_words((*check.symbologies, *check.exceptions))
        if ANY in check.symbologies or check.exceptions:
            self.symbologies.update(_USUAL)
        self.contents.update(_contents(check))
        if check.element is not None:
            self.elements.add(check.element)
        limit = int(check.limit)
        self.counts.update((0, 1, 2, max(0, limit - 1), limit, limit + 1))

    def add_source(self, source: Source | Moment) -> None:
        """Take up a code or an element that a check compares."""
        if source.kind == "element":
            self.elements.add(source.name)
            self.add_words(source.symbologies or ("Data Matrix", "QR code"))
        else:
            self.add_words([source.name or ANY])
        self.counts.update((0, 1, 1, 2, 3))

    def add_words(self, words: Iterable[str]) -> None:
        """Take up symbologies by the words for them, as a station reports them."""
        for name in words:
            if name == ANY or is_any_code(name):
                self.symbologies.update(_USUAL)
            elif keys := symbologies_named(name):
                self.symbologies.update(sorted(map(reported, keys))[:2])
            else:
                self.symbologies.add(re.sub(r"s$", "", name))

    def together(self, other: CodeIngredients) -> CodeIngredients:
        """Return the ingredients of both."""
        return CodeIngredients(
            symbologies=self.symbologies | other.symbologies,
            contents=self.contents | other.contents,
            elements=self.elements | other.elements,
            counts=self.counts | other.counts,
        )


def _contents(check: CodesCheck) -> set[str]:
    """Return contents that have what is asked, and some that lack a part of it."""
    lengths = {max(1, int(size.limit) + d) for size in check.sizes for d in (-1, 0, 1)}
    starts, contains = check.starts or "", check.contains or ""
    found = {starts, contains}
    if check.valid:
        keys = {key for words in check.symbologies for key in symbologies_named(words)}
        usual = {_DIGITS[key] for key in keys if key in _DIGITS} or {13}
        for length in lengths & set(_CHECKED) or usual:
            right = checked_number(starts if starts.isdigit() else "4", length)
            found |= {right, right[:-1] + str((int(right[-1]) + 1) % 10)}
    for length in lengths or {len(starts + contains)}:
        found.add(starts + "7" * max(0, length - len(starts + contains)) + contains)
        found.add("7" * length)
    return {text for text in found if text}


def checked_number(start: str, length: int) -> str:
    """Return a number of that length with a right check digit that begins with `start`."""
    digits = (start + "0123456789" * 2)[: length - 1]
    return next(n for n in (f"{digits}{d}" for d in range(10)) if gs1.is_check_digit_right(n))


def made_up_codes(
    found: CodeIngredients,
    *,
    values: Mapping[str, str],
    days: Sequence[date],
    chance: random.Random,
) -> list[Code]:
    """Return codes with some of the contents asked for, and of `values` printed or ordered."""
    if not found.symbologies:
        return []
    count = min(chance.choice(sorted(found.counts or {0, 1})), CODES_AT_MOST)
    elements = {name: _held(name, values, days, chance) for name in sorted(found.elements)}
    pool = [*values.values(), *sorted(found.contents)]
    same = chance.choice(pool or [value("", days, chance)]) if chance.random() < 0.5 else None
    codes = []
    for symbology in _drawn(found.symbologies, count, chance):
        text = same or chance.choice([*pool, value("", days, chance)])
        if elements and chance.random() < 0.85:
            text = _with_elements(elements, values, days, chance)
            prefixes = sorted(x for x in found.contents if not x.isdigit())
            if prefixes and chance.random() < 0.3:
                text = f"{chance.choice(prefixes)}{text}"
        elif chance.random() < 0.1:
            text = f"{text} {value('', days, chance)}"
        codes.append(Code(symbology=symbology, text=text, box=NOWHERE))
    return codes


def _drawn(symbologies: set[str], count: int, chance: random.Random) -> list[str]:
    """Return that many symbologies, each once before any twice, or all of one."""
    names = chance.sample(sorted(symbologies), len(symbologies))
    if chance.random() < 0.4:
        names = names[:1]
    return [names[i % len(names)] for i in range(count)]


def _with_elements(
    elements: Mapping[str, str],
    values: Mapping[str, str],
    days: Sequence[date],
    chance: random.Random,
) -> str:
    parts = []
    for name, held in elements.items():
        luck = chance.random()
        if luck < 0.85:
            parts.append(f"({name}){held}")
        elif luck < 0.95:
            parts.append(f"({name}){_held(name, values, days, chance)}")
    return "".join(parts) or value("", days, chance)


def _held(name: str, values: Mapping[str, str], days: Sequence[date], chance: random.Random) -> str:
    """Return a value for an element: mostly the one that print or order give it."""
    if name in gs1.DATES:
        day = chance.choice(days)
        written = [text for text in values.values() if re.fullmatch(r"\d{4}-\d\d-\d\d", text)]
        if written and chance.random() < 0.6:
            day = date.fromisoformat(chance.choice(written))
        return f"{day:%y%m}00" if chance.random() < 0.1 else f"{day:%y%m%d}"
    named = [text for key, text in values.items() if identifier_of(key) == name]
    if chance.random() < 0.6 and (named or values):
        return chance.choice(named or list(values.values()))
    return value({"01": "gtin", "02": "gtin", "00": "sscc"}.get(name, ""), days, chance)


def value(name: str, days: Sequence[date], chance: random.Random) -> str:
    """Return a value for a field of that name: a day, a trade number, else like A1234."""
    match field_key(name) if name else "":
        case "expiry" | "made" | "date":
            return chance.choice(days).isoformat()
        case "gtin":
            return checked_number(f"40{chance.randrange(10**6):06d}", 13)
        case "sscc":
            return checked_number(f"34{chance.randrange(10**6):06d}", 18)
    return f"{chance.choice('ABCDEFG')}{chance.randrange(1000, 9999)}"
