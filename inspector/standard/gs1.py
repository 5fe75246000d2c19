"""GS1 element strings, their dates and check digits (GS1 General Specifications, sections 3, 7)."""

from __future__ import annotations

import calendar
import re
from datetime import date

DATES = ("11", "12", "13", "15", "16", "17")  # made, due, packed, best before, sell by, expiry
_SEPARATOR = "\x1d"
_FIXED = {
    "00": 18, "01": 14, "02": 14, "20": 2, **dict.fromkeys(DATES, 6),
    "410": 13, "411": 13, "412": 13, "413": 13, "414": 13,
}  # fmt: skip
_IN_BRACKETS = re.compile(r"\((\d{2,4})\)([^()]*)")
_LENGTHS = (2, 3, 4)


def elements(text: str) -> dict[str, str]:
    """Return application identifiers and values of a code's content; empty where it has none."""
    bracketed = _IN_BRACKETS.findall(text)
    if bracketed:
        return {name: value.strip() for name, value in bracketed}
    rest = re.sub(r"^\](?:C1|d2|Q3|e0|J1)", "", text)
    found: dict[str, str] = {}
    while rest:
        rest = rest.removeprefix(_SEPARATOR)
        name = next((rest[:n] for n in _LENGTHS if rest[:n] in _FIXED), None)
        if name is None and re.match(r"3[1-6]\d\d\d{6}", rest):
            name, size = rest[:4], 6
        elif name is not None:
            size = _FIXED[name]
        elif re.match(r"(?:10|21|22|30|37|91|240|241|400)\S", rest):
            name = next(rest[:n] for n in (3, 2) if rest[:n] in _VARIABLE)
            size = len(rest[len(name) :].split(_SEPARATOR)[0])
        else:
            return found if _SEPARATOR in text or "01" in found or "00" in found else {}
        found[name] = rest[len(name) : len(name) + size]
        rest = rest[len(name) + size :]
    return found


_VARIABLE = frozenset({"10", "21", "22", "30", "37", "91", "240", "241", "400"})


def element(text: str, identifier: str) -> str | None:
    """Return the value of an element of a code's content; 310 stands for 3100 to 3109."""
    known = elements(text)
    if identifier in known or not re.fullmatch(r"3[1-6]\d", identifier):
        return known.get(identifier)
    return next((value for name, value in known.items() if name[:-1] == identifier), None)


def day_of(value: str, today: date) -> date | None:
    """Return the day of an element YYMMDD, None where it is no day.

    Day 00 is the last one of its month (section 3.4.2); the year is the one of that number that
    lies at most 49 years before `today` and 50 after (section 7.12).
    """
    if not re.fullmatch(r"[0-9]{6}", value):
        return None
    number, month, day = int(value[:2]), int(value[2:4]), int(value[4:])
    ahead = (number - today.year) % 100
    try:
        year = today.year + ahead - (0 if ahead <= 50 else 100)
        return date(year, month, day or calendar.monthrange(year, month)[1])
    except ValueError:  # also calendar.IllegalMonthError
        return None


def is_check_digit_right(text: str) -> bool:
    """Return whether the last digit of a GTIN or SSCC is right; that of its element 01 or 00."""
    known = elements(text)
    digits = re.sub(r"[\s-]", "", known.get("01") or known.get("00") or text)
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in (8, 12, 13, 14, 18):
        return False
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits[:-1])))
    return (10 - total % 10) % 10 == int(digits[-1])
