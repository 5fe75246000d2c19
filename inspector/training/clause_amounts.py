"""Numbers, lengths, areas, shares and days as people write them, drawn for a clause."""

from __future__ import annotations

import random

from inspector.quantities import NUMBER_WORDS

_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_UNITS = (
    ("mm", (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75, 0.8, 1, 1.2, 1.5, 2, 2.5, 3,
                 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100)),
    ("µm", (5, 10, 20, 25, 50, 75, 80, 100, 120, 150, 200, 250, 300, 400, 500, 600, 800)),
    ("cm", (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 30)),
    ("inch", (0.01, 0.02, 0.03, 0.05, 0.1, 0.125, 0.2, 0.25, 0.5, 1, 2)),
)  # fmt: skip
_UNIT_WORDS = {
    "mm": ("mm", "mm", "mm", "mm", "mm", "millimetres", "millimetre", "millimeters"),
    "µm": ("µm", "µm", "um", "microns", "micron", "micrometres", "micrometers"),
    "cm": ("cm", "cm", "cm", "centimetres", "centimeters"),
    "inch": ("inch", "inches", "in"),
}
_LENGTH_PHRASES = (
    "half a millimetre", "a millimetre", "one millimetre", "two millimetres", "an inch",
    "a quarter of a millimetre", "a tenth of a millimetre", "two tenths of a millimetre",
    "three tenths of a millimetre", "three quarters of a millimetre", "one and a half millimetres",
    "ten microns", "fifty microns", "a hundred microns", "an inch", "half an inch", "1/4 inch",
    "1/8 inch", "1/2 mm", "five millimetres", "a centimetre", "ten millimetres", "5/8 inch",
    "two and a half millimetres", "eight tenths of a millimetre", "twenty millimetres",
)  # fmt: skip
_AREAS = (0.1, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 50, 100)
_AREA_UNITS = (
    "mm²", "mm²", "mm²", "mm2", "square millimetres", "square millimeters", "sq mm", "sq. mm",
    "cm²", "square centimetres", "mm^2",
)  # fmt: skip
_SPANS = (
    "30 days", "60 days", "90 days", "14 days", "10 days", "180 days", "365 days", "two weeks",
    "six weeks", "8 weeks", "three months", "3 months", "six months", "6 months", "12 months",
    "twelve months", "18 months", "nine months", "one year", "a year", "two years", "2 years",
    "half a year", "5 years", "3 years", "a week", "seven days", "one month", "a month",
    "24 months",
    "21 days", "45 days", "four weeks", "ten days", "36 months", "100 days",
)  # fmt: skip
_MONTHS = (
    "January February March April May June July August September October November December"
).split()


def number(chance: random.Random, value: int) -> str:
    """Return `value` in digits or in words."""
    if value == 12 and chance.random() < 0.3:
        return "a dozen"
    worded = value < 13 and chance.random() < 0.5
    return NUMBER_WORDS[value] if worded else str(value)


def ordinal(chance: random.Random) -> str:
    """Return "third" or "3rd", from the second to the seventh."""
    value = chance.randrange(2, 8)
    if chance.random() < 0.6:
        return _ORDINALS[value - 1]
    return f"{value}{ {2: 'nd', 3: 'rd'}.get(value, 'th') }"


def lengths(chance: random.Random, *, several: bool) -> list[tuple[str, str]]:
    """Return three lengths from small to large, each with its unit and without.

    Where a clause has one length only, now and then it is a phrase like "half a millimetre".
    """
    unit, values = chance.choices(_UNITS, weights=(6, 2, 1, 1))[0]
    drawn = sorted(chance.sample(values, 3))
    word = chance.choice(_UNIT_WORDS[unit])
    gap = "" if len(word) <= 2 and chance.random() < 0.25 else " "
    comma = chance.random() < 0.05
    plain = [f"{v:g}" if chance.random() < 0.85 else f"{v:.2f}" for v in drawn]
    plain = [p.replace(".", ",") if comma else p for p in plain]
    found = [(f"{p}{gap}{word}", p) for p in plain]
    if not several and chance.random() < 0.2:
        found[0] = (chance.choice(_LENGTH_PHRASES), plain[0])
    return found


def areas(chance: random.Random) -> tuple[str, str]:
    """Return a small and a larger area in one unit."""
    unit = chance.choice(_AREA_UNITS)
    small, large = sorted(chance.sample(_AREAS, 2))
    return f"{small:g} {unit}", f"{large:g} {unit}"


def share(chance: random.Random) -> str:
    """Return a confidence, in per cent or as a fraction of one."""
    value = chance.choice((50, 60, 70, 75, 80, 85, 90, 95))
    forms = (f"{value} %", f"{value}%", f"{value / 100:g}", f"{value} percent")
    return chance.choice(forms)


def span(chance: random.Random) -> str:
    return chance.choice(_SPANS)


def day(chance: random.Random) -> str:
    """Return a day, a month or a week of a year."""
    year, month = chance.randrange(2025, 2030), chance.randrange(1, 13)
    of_month = chance.randrange(1, 29)
    name = _MONTHS[month - 1]
    return chance.choice(
        (
            f"{of_month} {name} {year}",
            f"{of_month} {name[:3]} {year}",
            f"{name} {of_month}, {year}",
            f"{year}-{month:02}-{of_month:02}",
            f"{of_month:02}.{month:02}.{year}",
            f"{of_month:02}/{month:02}/{year}",
            f"{month:02}/{year}",
            f"{name} {year}",
            f"the end of {name} {year}",
            f"calendar week {chance.randrange(1, 53)} of {year}",
            f"week {chance.randrange(1, 53)}/{year}",
        )
    )
