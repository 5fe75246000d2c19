"""The least part of some items that still suffices for something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def least(found: Sequence[_T], suffices: Callable[[tuple[_T, ...]], bool]) -> tuple[_T, ...]:
    """Return a part of `found` that suffices, and does not without any one of its items.

    All of `found` must suffice. Where more items can mean less ("exactly two"), what was needed at
    first may be needed no longer: they are gone through until nothing more can go.
    """
    kept = tuple(found)
    while (fewer := _one_pass(kept, suffices)) != kept:
        kept = fewer
    return kept


def _one_pass(found: tuple[_T, ...], suffices: Callable[[tuple[_T, ...]], bool]) -> tuple[_T, ...]:
    """Return what is left when each item that is not needed is left out in its turn.

    They are tried in runs that double while they can go: of 500 items of which 3 are needed, some
    30 questions tell which, not 500.
    """
    kept, at, run = found, 0, 1
    while at < len(kept):
        fewer = kept[:at] + kept[at + run :]
        if suffices(fewer):
            kept, run = fewer, 2 * run
        elif run > 1:
            run = 1
        else:
            at += 1
    return kept
