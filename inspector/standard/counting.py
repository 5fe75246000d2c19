"""How many printed lines or codes match, and what a limit makes of that number.

What must be there may have escaped the reader; what must not be there counts as it was read. So
"exactly one" is one at least, which must be read, and one at most, of what was read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inspector.checks import Comparison
from inspector.domain import CheckResult, Reason
from inspector.standard import phrases
from inspector.standard.world import Amount, World, absent, compared, refs, result

SHOWN_AT_MOST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What matches: items that count, sure or not; where one counts, all its lines are cited.

    `sure_if` says of the sure ones what makes them so: "with a confidence of 0.5 or more".
    """

    kind: Literal["text", "code"]
    sure: Sequence[tuple[int, ...]]
    possible: Sequence[tuple[int, ...]]
    one: str
    many: str
    shown: Sequence[str]
    sure_if: str


def counted(
    comparison: Comparison, limit: float, world: World, *, found: Found, reason: Reason
) -> CheckResult:
    """Return whether the number of what was found compares with `limit` as stated."""
    sure, possible = len(found.sure), len(found.possible)
    enough: Comparison = ">" if comparison == ">" else ">="
    needs = comparison in (">=", ">") or (comparison == "=" and limit > 0)
    lacks = needs and not compared(sure, enough, limit)
    most = float(possible)
    if lacks:
        most = math.inf if world.missing == "hold" else float(sure)
    holds = Amount(least=sure, most=most).meets(comparison, limit)
    if lacks and not possible:
        return absent(f"no {found.one} was read", world, reason=reason)
    said = [_read_in_words(found)]
    if sure < possible:
        said.append(f"{sure or 'none'} of them {found.sure_if}")
    said_limit = phrases.count_limit(comparison, limit, each=None)
    cited = found.possible if holds is None else found.sure
    if holds is False:
        fewest = math.ceil(limit) if comparison == "<" else int(limit) + 1
        cited = () if lacks else found.sure[:fewest]
    return result(
        holds,
        f"{', '.join(said)}; {said_limit}.",
        refs(found.kind, dict.fromkeys(i for items in cited for i in items)),
        reason=reason,
    )


def _read_in_words(found: Found) -> str:
    number = len(found.possible)
    if not number:
        return f"No {found.one} was read"
    shown = ", ".join(found.shown[:SHOWN_AT_MOST])
    more = f" and {number - SHOWN_AT_MOST} more" if number > SHOWN_AT_MOST else ""
    what = phrases.plural(number, found.one, found.many)
    return f"{number} {what} {phrases.plural(number, 'was', 'were')} read: {shown}{more}"
