"""Quantities and dates as people write them, in clauses and in print.

The judge reads words; what is a number, a length, a span of time or a date is found here.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

UNIT_MM = {
    "µm": 0.001, "μm": 0.001, "um": 0.001, "micron": 0.001, "microns": 0.001,
    "micrometre": 0.001, "micrometres": 0.001, "micrometer": 0.001, "micrometers": 0.001,
    "mm": 1.0, "millimetre": 1.0, "millimetres": 1.0, "millimeter": 1.0, "millimeters": 1.0,
    "cm": 10.0, "centimetre": 10.0, "centimetres": 10.0, "centimeter": 10.0, "centimeters": 10.0,
    "inch": 25.4, "inches": 25.4, "mil": 0.0254, "mils": 0.0254,
}  # fmt: skip
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
OTHER_WORDS = {
    "half a": 0.5, "half an": 0.5, "quarter of a": 0.25, "a pair of": 2,
    "a couple of": 2, "a dozen": 12, "twice": 2, "once": 1, "thirty": 30, "forty": 40,
    "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100,
}  # fmt: skip
MOST = 1e9  # a longer number is a name: no clause counts or measures so far
_VALUES = {**{word: float(n) for n, word in enumerate(NUMBER_WORDS)}, **OTHER_WORDS}
_NUMBER = "|".join([r"\d+(?:[.,]\d+)?", *sorted(map(re.escape, _VALUES), key=len, reverse=True)])
_LENGTHS = "|".join(sorted(map(re.escape, UNIT_MM), key=len, reverse=True))
_QUANTITY = re.compile(
    rf"(?<![\w.,/-])(?P<number>{_NUMBER})(?:(?P<gap>[\s-]*)"
    rf"(?:(?P<square>(?:square|sq\.?)\s+)?(?P<length>{_LENGTHS})(?P<power>²|\^?2)?"
    r"|(?P<span>calendar days?|days?|weeks?|months?|years?))(?![\w]))?(?![\w]|[.,]\d)",
    re.IGNORECASE,
)
# A number that names something is not a limit: "class 2", "Code 39", "EAN-13", "section 4.2".
_NAME_BEFORE = re.compile(
    r"(?:code|class|clause|section|type|no\.|number|grade|level|ean|upc|itf|step|page|iso|rev\.?|"
    r"table|line|part|form|pdf|drawing)[\s-]*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A limit in a clause: `words` as written; `value` in mm, mm², pieces or `span`s."""

    kind: Literal["count", "length", "area", "span"]
    words: str
    value: float
    span: str = ""


def quantities(clause: str) -> tuple[Quantity, ...]:
    """Return the quantities of `clause` in reading order, each once."""
    found: dict[tuple[str, float, str], Quantity] = {}
    for match in _QUANTITY.finditer(clause):
        written = match["number"].lower()
        value = _VALUES.get(written)
        if value is None:
            value = float(written.replace(",", "."))
        if value > MOST:
            continue
        words = " ".join(match[0].split())
        if match["length"]:
            scale = UNIT_MM[match["length"].lower()]
            square = bool(match["square"] or match["power"])
            quantity = Quantity(
                kind="area" if square else "length",
                words=words,
                value=value * (scale * scale if square else scale),
            )
        elif match["span"]:
            span = match["span"].lower().removeprefix("calendar ").rstrip("s")
            quantity = Quantity(kind="span", words=words, value=value, span=span)
        elif value == 0 or value != int(value) or _is_a_name(clause, match):
            continue
        else:
            quantity = Quantity(kind="count", words=words, value=value)
        found.setdefault((quantity.kind, quantity.value, quantity.span), quantity)
    return tuple(found.values())


def _is_a_name(clause: str, match: re.Match[str]) -> bool:
    number, before = match["number"].lower(), clause[: match.start()]
    if number == "one" and re.search(r"\b(?:on|per|any|in|of)\s*$", before, re.IGNORECASE):
        return True  # "on one board" says where, not how many
    return bool(_NAME_BEFORE.search(before)) or (number.isdigit() and len(number) > 4)


def after(start: date, quantity: Quantity) -> date:
    """Return the day that lies the span `quantity` after `start` (months by the calendar)."""
    days = {"day": 1, "week": 7}.get(quantity.span or "")
    if days is not None:
        most = (date.max - start).days
        return start + timedelta(days=min(quantity.value * days, most))
    months = round(quantity.value * (12 if quantity.span == "year" else 1))
    index = start.year * 12 + start.month - 1 + months
    year, month = min(index // 12, date.max.year), index % 12 + 1
    return date(year, month, min(start.day, calendar.monthrange(year, month)[1]))


_MONTHS = (
    "january januari januar janvier janv jan enero gennaio",
    "february februari februar febr feb février févr febrero febbraio",
    "march maart märz marzo mars mrz mär mar",
    "april aprile avril avr apr abril",
    "may mei mai maggio mayo",
    "june juni juin jun junio giugno",
    "july juli juillet juil jul julio luglio",
    "august augustus août aug agosto",
    "september septembre septiembre settembre sept sep",
    "october oktober octobre octubre ottobre oct okt",
    "november novembre noviembre nov",
    "december dezember décembre diciembre dicembre déc dec dez",
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
# Whole names only: "MARMALADE 34 g" is no March.
_NAMED_MONTH = rf"(?P<name>{'|'.join(sorted(_MONTH_OF, key=len, reverse=True))})(?![^\W\d_])"
_SHORT_YEAR = r"\d\d(?!\d)(?!\s*(?:[km]?g|[cm]?l|[cm]?m|pcs|%|°)(?!\w))"
_NAMED_DAY = r"(?<!\d)(?P<d>0?[1-9]|[12]\d|3[01])"  # "LOT 45 MAR 2027" has no day
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)",
        r"(?<!\d)(?P<d>\d{1,2})[./-](?P<m>\d{1,2})[./-](?P<y>\d{4})(?!\d)",
        rf"{_NAMED_DAY}[ .-]*{_NAMED_MONTH}[ .-]*(?P<y>\d{{4}}|\d\d)(?!\d)",
        rf"\b{_NAMED_MONTH}[ .-]+(?P<d>\d{{1,2}}),? +(?P<y>\d{{4}})(?!\d)",
        rf"\b{_NAMED_MONTH}[ .-]*(?P<y>\d{{4}}(?!\d)|{_SHORT_YEAR})",
        r"(?<!\d)(?P<d>\d{1,2})[.](?P<m>\d{1,2})[.](?P<y>\d\d)(?!\d)",
        r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})(?!\d)",
        r"(?<!\d)(?P<m>\d{1,2})[/.-](?P<y>\d{4})(?!\d)",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedDay:
    """A date in a text, as the days it stands for: of a month without a day `first` to `last`."""

    first: date
    last: date


def printed_date(text: str) -> date | None:
    """Return the first date in `text`, None where there is none.

    A month without a day ends with its last day, as on food and drugs (Regulation (EU) No
    1169/2011, annex X).
    """
    return next((found.last for found in printed_days(text)), None)


def printed_days(text: str) -> tuple[PrintedDay, ...]:
    """Return the dates in `text` in reading order.

    The day comes before the month where both are numbers. What is written like a date and is none,
    "31.02.2027", is no month either.
    """
    found: dict[int, PrintedDay] = {}
    rest = text
    for pattern in _DATES:
        for match in pattern.finditer(rest):
            rest = f"{rest[: match.start()]}{'_' * len(match[0])}{rest[match.end() :]}"
            if (day := _day(match)) is not None:
                found[match.start()] = day
    return tuple(found[at] for at in sorted(found))


def _day(match: re.Match[str]) -> PrintedDay | None:
    parts = match.groupdict()
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    name = parts.get("name")
    month = _MONTH_OF[name.lower()] if name else int(parts["m"])
    try:
        if parts.get("d"):
            first = last = date(year, month, int(parts["d"]))
        else:
            first = date(year, month, 1)
            last = first.replace(day=calendar.monthrange(year, month)[1])
    except ValueError:
        return None
    return PrintedDay(first=first, last=last)
