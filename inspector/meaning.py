"""One form for all checks that mean the same: what tells whether two readings agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inspector.checks import (
    AllOf,
    AnyOf,
    CodesCheck,
    Comparison,
    IfThen,
    MeasureCheck,
    Not,
    PrintCheck,
    ReadCheck,
)
from inspector.reading import to_line


def meaning(check: ReadCheck | None) -> str:
    """Return a line that two checks share where they ask for the same.

    Order of parts and words, capitals and whole numbers said in two ways ("fewer than 3", "at most
    2") make no difference. Checks of different build may still mean the same.
    """
    return to_line(None if check is None else _plain(check)).lower()


def _plain(check: ReadCheck) -> ReadCheck:
    match check:
        case AllOf() | AnyOf():
            parts = {to_line(part): part for part in map(_plain, check.checks)}
            if len(parts) == 1:
                return next(iter(parts.values()))
            return replace(check, checks=tuple(parts[line] for line in sorted(parts)))
        case Not():
            return replace(check, check=_plain(check.check))
        case IfThen():
            return replace(check, condition=_plain(check.condition), then=_plain(check.then))
        case MeasureCheck():
            comparison, limit = check.comparison, check.limit
            if check.measure in ("defects", "kinds"):
                comparison, limit = _counted(comparison, limit)
            return replace(
                check,
                subjects=_sorted(check.subjects),
                exceptions=_sorted(check.exceptions),
                inside=_sorted(check.inside),
                outside=_sorted(check.outside),
                sizes=tuple(sorted(check.sizes, key=lambda s: (s.measure, s.comparison, s.limit))),
                comparison=comparison,
                limit=limit,
            )
        case PrintCheck():
            comparison, limit = _counted(check.comparison, check.limit)
            return replace(check, words=_sorted(check.words), comparison=comparison, limit=limit)
        case CodesCheck():
            comparison, limit = _counted(check.comparison, check.limit)
            names = _sorted(check.symbologies)
            return replace(check, symbologies=names, comparison=comparison, limit=limit)
        case _:
            return check


def _counted(comparison: Comparison, limit: float) -> tuple[Comparison, float]:
    """Return "fewer than 3" as "at most 2", "more than 2" as "at least 3", "at most 0" as "= 0"."""
    if comparison == "<" and limit >= 1 and limit == int(limit):
        comparison, limit = "<=", limit - 1
    elif comparison == ">" and limit == int(limit):
        comparison, limit = ">=", limit + 1
    return ("=", limit) if comparison == "<=" and limit == 0 else (comparison, limit)


def _sorted(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({word.lower() for word in words}))
