"""One amount as people write it: a number, a length, an area, a share, a span of time."""

from __future__ import annotations

import re

from inspector.checks import Span
from inspector.quantities import NUMBER_WORDS, UNIT_MM

LENGTH_UNITS = {
    **UNIT_MM,
    "in": 25.4, "in.": 25.4, "thou": 0.0254, "m": 1000.0, "metre": 1000.0, "metres": 1000.0,
    "meter": 1000.0, "meters": 1000.0, "nm": 1e-6, "dm": 100.0, "tenths": 0.1, "hundredths": 0.01,
}  # fmt: skip
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
)
_WORDS: dict[str, float] = {
    **{word: float(n) for n, word in enumerate(NUMBER_WORDS)},
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "hundred": 100, "no": 0, "none": 0, "nil": 0, "nothing": 0, "a": 1, "an": 1, "single": 1,
    "once": 1, "twice": 2, "thrice": 3, "pair": 2, "couple": 2, "dozen": 12, "½": 0.5, "¼": 0.25,
    "¾": 0.75, "half": 0.5, "quarter": 0.25, "quarters": 0.25, "third": 1 / 3, "thirds": 1 / 3,
    "tenth": 0.1, "tenths": 0.1, "hundredth": 0.01, "hundredths": 0.01, "fifth": 0.2,
    "fifths": 0.2, "eighth": 0.125, "eighths": 0.125,
}  # fmt: skip
_PARTS = frozenset(
    "half quarter quarters third thirds tenth tenths hundredth hundredths fifth fifths eighth "
    "eighths".split()
)
_GROUPS = frozenset({"dozen", "hundred", "pair", "couple"})
_SILENT = frozenset({"of", "and", "the", "only", "times", "time", "pcs", "pieces", "piece"})
_UNIT = re.compile(
    rf"[\s-]*(?P<square>(?:square|sq\.?)[\s-]*)?(?P<unit>"
    rf"{'|'.join(sorted(map(re.escape, LENGTH_UNITS), key=len, reverse=True))})"
    r"(?P<power>²|\^?2)?$"
)
_SPAN = re.compile(r"[\s-]*(?:calendar |working |full )?(?P<span>day|week|month|year)s?$")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_DECIMAL = re.compile(r"\d+(?:[.,]\d+)?|[.,]\d+")
_FRACTION = re.compile(r"(?:(?P<whole>\d+)[\s-]+)?(?P<over>\d+)\s*[/⁄]\s*(?P<under>\d+)")


def number(words: str) -> float:
    """Return the number that `words` name; raise `ValueError` where they name none."""
    text = words.strip().lower()
    if _DECIMAL.fullmatch(text):
        return _decimal(text)
    if text.removeprefix("a ") in _ORDINALS:
        return _ORDINALS.index(text.removeprefix("a ")) + 1.0
    if match := _ORDINAL.fullmatch(text):
        return float(match[1])
    if (match := _FRACTION.fullmatch(text)) and int(match["under"]):
        return int(match["whole"] or 0) + int(match["over"]) / int(match["under"])
    found = [part for part in re.split(r"[\s-]+", text) if part not in _SILENT]
    values = [_value(part, words) for part in found]
    if not values or text.endswith((" and", " of the")):
        raise ValueError(f"expected a number, got {words!r}")
    return _joined(found, values)


def _value(part: str, words: str) -> float:
    if _DECIMAL.fullmatch(part):
        return _decimal(part)
    if part not in _WORDS:
        raise ValueError(f"expected a number, got {words!r}")
    return _WORDS[part]


def _joined(found: list[str], values: list[float]) -> float:
    """Return "three quarters", "a dozen", "one and a half" or "twenty-five" as one number."""
    total, last = 0.0, None
    for index, (part, value) in enumerate(zip(found, values, strict=True)):
        article = part in ("a", "an", "single") and len(found) > 1
        if article and (index == 0 or found[index - 1] in _PARTS or index == len(found) - 1):
            last = value if index == 0 else last
            total = value if index == 0 else total
        elif article:
            continue  # "one and a half": the article belongs to the half
        elif last is not None and (part in _GROUPS or (part in _PARTS and not _adds(found, index))):
            total = total - last + last * value
            last = last * value
        else:
            total, last = total + value, value
    return total


def _adds(found: list[str], index: int) -> bool:
    """Return whether the part of a whole at `index` is added: "two and a half", "two half"."""
    return found[index - 1] in ("a", "an") and index >= 2


def _decimal(text: str) -> float:
    whole, comma, rest = text.partition(",")
    if comma and len(rest) == 3 and whole.strip("0"):
        return float(whole + rest)  # 1,500 is written for people who set thousands apart
    return float(text.replace(",", "."))


def length_mm(words: str, *, unit_mm: float | None = None) -> float:
    """Return the length that `words` name; one without a unit is in `unit_mm`, or mm.

    Raises `ValueError` where they name none.
    """
    text = words.strip().lower()
    if text.endswith(('"', "″")):
        return number(text[:-1]) * 25.4
    match = _UNIT.search(text)
    if match and not (match["square"] or match["power"]) and match.start():
        return number(text[: match.start()]) * LENGTH_UNITS[match["unit"]]
    return number(text) * (unit_mm or 1.0)


def area_mm2(words: str, *, unit_mm2: float | None = None) -> float:
    """Return the area that `words` name; one without a unit is in `unit_mm2`, or mm²."""
    text = words.strip().lower()
    match = _UNIT.search(text)
    if match and match.start():
        return number(text[: match.start()]) * LENGTH_UNITS[match["unit"]] ** 2
    return number(text) * (unit_mm2 or 1.0)


def unit_of(words: str) -> float | None:
    """Return the mm of the length unit in `words`, None where there is none."""
    match = _UNIT.search(words.strip().lower())
    return LENGTH_UNITS[match["unit"]] if match and match.start() else None


def share(words: str) -> float:
    """Return 0.8 for "80 %", "0.8", "80" or "eighty percent"."""
    text = words.strip().lower()
    plain = re.sub(r"\s*(%|per ?cent)$", "", text)
    value = number(plain)
    return value / 100 if plain != text or value > 1 else value


def span(words: str) -> tuple[float, Span]:
    """Return number and unit of a span of time like "30 days", "six months" or "a year"."""
    text = words.strip().lower()
    match = _SPAN.search(text)
    if match is None:
        raise ValueError(f"expected a span of time like 30 days, got {words!r}")
    value = number(text[: match.start()] or "1")
    unit: Span = "day"
    for known in ("day", "week", "month", "year"):
        if match["span"] == known:
            unit = known
    return value, unit
