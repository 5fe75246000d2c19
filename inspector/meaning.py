"""One form for all checks that mean the same: what tells whether two readings agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inspector.checks import (
    AllOf,
    AnyOf,
    CodesCheck,
    Comparison,
    EqualCheck,
    IfThen,
    MeasureCheck,
    MomentCheck,
    Not,
    PrintCheck,
    ReadCheck,
    Source,
)
from inspector.reading import to_line

_OTHERWISE: dict[Comparison, Comparison] = {"<=": ">", ">": "<=", "<": ">=", ">=": "<"}
_TURNED: dict[Comparison, Comparison] = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}


def meaning(check: ReadCheck | None) -> str:
    """Return a line that two checks share where they ask for the same.

    Order of parts, sides and words, capitals and whole numbers said in two ways ("fewer than 3",
    "at most 2") make no difference; "if A then B" is "not A, or B". Checks of different build may
    still mean the same.
    """
    return to_line(None if check is None else _plain(check)).lower()


def _plain(check: ReadCheck) -> ReadCheck:
    match check:
        case AllOf() | AnyOf():
            own = type(check)
            parts = {
                to_line(part): part
                for one in map(_plain, check.checks)
                for part in (one.checks if isinstance(one, own) else (one,))
            }
            if len(parts) == 1:
                return next(iter(parts.values()))
            return own(checks=tuple(parts[line] for line in sorted(parts)))
        case Not():
            return _denied(check.check)
        case IfThen():
            return _plain(AnyOf(checks=(Not(check=check.condition), check.then)))
        case EqualCheck() if not check.contains:
            left, right = sorted((check.left, check.right), key=_source_order)
            return replace(check, left=left, right=right, each=check.each and left != right)
        case MomentCheck() if repr(check.right) < repr(check.left):
            turned = _TURNED.get(check.comparison, check.comparison)
            return MomentCheck(left=check.right, comparison=turned, right=check.left)
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
            return replace(
                check,
                symbologies=_sorted(check.symbologies),
                exceptions=_sorted(check.exceptions),
                comparison=comparison,
                limit=limit,
            )
        case _:
            return check


def _denied(check: ReadCheck) -> ReadCheck:
    """Return the plain form of "not `check`"."""
    match check:
        case Not():
            return _plain(check.check)
        case AllOf():
            return _plain(AnyOf(checks=tuple(Not(check=part) for part in check.checks)))
        case AnyOf():
            return _plain(AllOf(checks=tuple(Not(check=part) for part in check.checks)))
        case IfThen():
            return _plain(AllOf(checks=(check.condition, Not(check=check.then))))
        case MeasureCheck() if check.each is None:
            return _plain_count(check)
        case CodesCheck() if check.each:
            return Not(check=_plain(check))
        case PrintCheck() | CodesCheck():
            return _plain_count(check)
        case _:
            return Not(check=_plain(check))


def _plain_count(check: MeasureCheck | PrintCheck | CodesCheck) -> ReadCheck:
    """Return the plain form of a denied count: "not at most 2" is "more than 2"."""
    plain = _plain(check)
    assert isinstance(plain, MeasureCheck | PrintCheck | CodesCheck)
    if plain.comparison != "=":
        return _plain(replace(plain, comparison=_OTHERWISE[plain.comparison]))
    if plain.limit == 0:
        return _plain(replace(plain, comparison=">"))
    return Not(check=plain)


def _counted(comparison: Comparison, limit: float) -> tuple[Comparison, float]:
    """Return "fewer than 3" as "at most 2", "more than 2" as "at least 3", "at most 0" as "= 0"."""
    if comparison == "<" and limit >= 1 and limit == int(limit):
        comparison, limit = "<=", limit - 1
    elif comparison == ">" and limit == int(limit):
        comparison, limit = ">=", limit + 1
    return ("=", limit) if comparison == "<=" and limit == 0 else (comparison, limit)


def _source_order(source: Source) -> tuple[str, str, tuple[str, ...]]:
    return source.kind, source.name.lower(), _sorted(source.symbologies)


def _sorted(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({word.lower() for word in words}))
