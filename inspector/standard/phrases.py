"""The words of statements: what was found and what the limit is, as one grammatical sentence.

Names of defects, zones and fields stand in quotes as they are written: no plural is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from inspector.checks import ANY, Comparison, Size

PRINT_CHARACTERS = 60
NAMES_AT_MOST = 6
_SIDES = {
    "<": "under", "<=": "of at most", "=": "of exactly", ">=": "of at least", ">": "over",
}  # fmt: skip


def quoted(text: str, at_most: int = PRINT_CHARACTERS) -> str:
    """Return text fit for a sentence: no control characters, no end of its own quotation."""
    clean = "".join(c if c.isprintable() else " " for c in text).replace("'", "’")
    return "'" + (clean if len(clean) <= at_most else f"{clean[: at_most - 3]}...") + "'"


def listed(words: Iterable[str]) -> str:
    """Return "'a'", "'a' or 'b'" or "'a', 'b' or 'c'"; of many, the first six."""
    names = [quoted(word.replace("_", " ")) for word in words]
    if len(names) > NAMES_AT_MOST:
        names = [*names[:NAMES_AT_MOST], f"{len(names) - NAMES_AT_MOST} others"]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plain(value: float) -> str:
    """Return a measured number to three places, without zeros that say nothing."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def plural(number: float, one: str, many: str | None = None) -> str:
    """Return the word for that many."""
    return one if number == 1 else (many or f"{one}s")


def limited(size: Size) -> str:
    """Return "with a longest side over 0.5 mm"."""
    name = {"longest": "longest side", "characters": "length"}.get(size.measure, size.measure)
    unit = {"area": " mm²", "confidence": "", "characters": " characters"}.get(size.measure, " mm")
    article = "an" if name.startswith("a") else "a"
    return f"with {article} {name} {_SIDES[size.comparison]} {size.limit:g}{unit}"


def placed(*, inside: Sequence[str], outside: Sequence[str]) -> str:
    """Return where: " in 'rim'", " outside 'rim'", or nothing."""
    where = f" in {listed(inside)}" if inside else ""
    return where + (f" outside {listed(outside)}" if outside else "")


def subject(words: Sequence[str], number: float) -> str:
    """Return "defect" or "defects" where any is meant, else the names in quotes."""
    return plural(number, "defect") if ANY in words else listed(words)


def count_limit(
    comparison: Comparison, limit: float, what: str = "", *, each: Literal["kind", "zone"] | None
) -> str:
    """Return "none is allowed", "at most 3 are allowed", "at least 1 is required"."""
    of_each = {None: "", "kind": " of each kind", "zone": " in each zone"}[each]
    if (limit == 0 and comparison in ("=", "<=")) or (limit <= 1 and comparison == "<"):
        return f"none{of_each} is allowed"
    number = f"{limit:g}{f' {plural(limit, what)}' if what else ''}{of_each}"
    verb = "is" if limit == 1 else "are"
    return {
        "<": f"fewer than {number} {verb} allowed",
        "<=": f"at most {number} {verb} allowed",
        "=": f"exactly {number} {verb} required",
        ">=": f"at least {number} {verb} required",
        ">": f"more than {number} {verb} required",
    }[comparison]


def sum_limit(
    comparison: Comparison, limit: float, unit: str, *, each: Literal["kind", "zone"] | None
) -> str:
    """Return "at most 2 mm together is allowed"."""
    of_each = {None: "", "kind": " for each kind", "zone": " in each zone"}[each]
    if limit == 0 and comparison in ("=", "<="):
        return f"none{of_each} is allowed"
    number = f"{limit:g} {unit} together{of_each}"
    return {
        "<": f"less than {number} is allowed",
        "<=": f"at most {number} is allowed",
        "=": f"exactly {number} is required",
        ">=": f"at least {number} is required",
        ">": f"more than {number} is required",
    }[comparison]
