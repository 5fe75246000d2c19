"""How good an alarm system is: the figures of ANSI/ISA-18.2-2016, clause 16, and EEMUA 191.

| figure     | definition                                                                     |
|------------|--------------------------------------------------------------------------------|
| rate       | alarms announced per 10 minutes; about 1 is acceptable, about 2 manageable      |
| flood      | begins with more than 10 alarms in 10 minutes, ends with less than 5            |
| chattering | announced 3 times or more within 1 minute                                       |
| stale      | active without a break for more than 24 hours                                   |
| priorities | aim at about 5 % critical or high, 15 % medium, 80 % low                        |

The 10 minutes slide: a flood is seen when the eleventh alarm comes, not at the end of a fixed
interval that may cut it in two.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from inspector.alarms import Priority

WINDOW = timedelta(minutes=10)
FLOOD_BEGINS_ABOVE = 10
FLOOD_ENDS_BELOW = 5
CHATTER_WINDOW = timedelta(minutes=1)
CHATTER_AT = 3
STALE_AFTER = timedelta(hours=24)
MOST_FREQUENT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """One alarm that was announced."""

    alarm_id: str
    priority: Priority
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """A time of more alarms than a person can follow; `ended_at` is None while it lasts."""

    began_at: datetime
    ended_at: datetime | None
    alarms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFigures:
    """The figures of a span of time."""

    announced: int
    per_10_min: float
    most_in_10_min: int
    floods: tuple[Flood, ...]
    flood_share: float
    chattering: tuple[str, ...]
    stale: tuple[str, ...]
    most_frequent: tuple[tuple[str, int], ...]
    by_priority: Mapping[Priority, int]


def alarm_figures(
    announced: Iterable[Announced],
    *,
    since: datetime,
    until: datetime,
    active_since: Mapping[str, datetime],
) -> AlarmFigures:
    """Return the figures of `since` ≤ at < `until`.

    `active_since` holds the alarms that are active at `until`, and from when on.
    """
    if until <= since:
        raise ValueError(f"expected since < until, got {since} and {until}")
    counted = sorted((a for a in announced if since <= a.at < until), key=lambda a: a.at)
    moments = [one.at for one in counted]
    floods = _floods(moments, until=until)
    in_flood = sum(
        (((flood.ended_at or until) - flood.began_at) for flood in floods), start=timedelta()
    )
    frequent = Counter(one.alarm_id for one in counted)
    return AlarmFigures(
        announced=len(counted),
        per_10_min=len(counted) / ((until - since) / WINDOW),
        most_in_10_min=_most_within(moments, WINDOW),
        floods=floods,
        flood_share=in_flood / (until - since),
        chattering=_chattering(counted),
        stale=tuple(sorted(name for name, at in active_since.items() if until - at > STALE_AFTER)),
        most_frequent=tuple(
            sorted(frequent.items(), key=lambda item: (-item[1], item[0]))[:MOST_FREQUENT]
        ),
        by_priority={
            priority: sum(one.priority is priority for one in counted) for priority in Priority
        },
    )


def _floods(moments: Sequence[datetime], *, until: datetime) -> tuple[Flood, ...]:
    """Return the floods in moments that ascend.

    The count falls when an alarm becomes older than the window, so a flood can end between two
    alarms: at the moment when the fifth newest of the window leaves it.
    """
    floods: list[Flood] = []
    recent: deque[datetime] = deque()
    began_at: datetime | None = None
    first = 0
    for index, at in enumerate(moments):
        if began_at is not None and (ended_at := _end(recent)) <= at:
            floods.append(Flood(began_at=began_at, ended_at=ended_at, alarms=index - first))
            began_at = None
        while recent and recent[0] <= at - WINDOW:
            recent.popleft()
        recent.append(at)
        if began_at is None and len(recent) > FLOOD_BEGINS_ABOVE:
            began_at, first = at, index + 1 - len(recent)
    if began_at is not None:
        ended_at = _end(recent)
        floods.append(
            Flood(
                began_at=began_at,
                ended_at=ended_at if ended_at < until else None,
                alarms=len(moments) - first,
            )
        )
    return tuple(floods)


def _end(recent: deque[datetime]) -> datetime:
    """Return when fewer than `FLOOD_ENDS_BELOW` of `recent` are left in the window."""
    return recent[-FLOOD_ENDS_BELOW] + WINDOW


def _most_within(moments: Sequence[datetime], window: timedelta) -> int:
    recent: deque[datetime] = deque()
    most = 0
    for at in moments:
        while recent and recent[0] <= at - window:
            recent.popleft()
        recent.append(at)
        most = max(most, len(recent))
    return most


def _chattering(counted: Sequence[Announced]) -> tuple[str, ...]:
    moments: dict[str, list[datetime]] = {}
    for one in counted:
        moments.setdefault(one.alarm_id, []).append(one.at)
    return tuple(
        sorted(
            name for name, at in moments.items() if _most_within(at, CHATTER_WINDOW) >= CHATTER_AT
        )
    )
