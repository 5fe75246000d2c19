"""Flood, chatter and the other figures, against their definitions counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from inspector.alarm_figures import AlarmFigures, Announced, Flood, alarm_figures
from inspector.alarms import Priority

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def figures(
    *seconds: float, alarm_id: str = "a", active: dict[str, datetime] | None = None
) -> AlarmFigures:
    return alarm_figures(
        [Announced(alarm_id=alarm_id, priority=Priority.LOW, at=at(s)) for s in seconds],
        since=NOON,
        until=NOON + HOUR,
        active_since=active or {},
    )


def test_ten_alarms_in_ten_minutes_are_no_flood_and_eleven_are():
    assert figures(*range(0, 100, 10)).floods == ()
    (flood,) = figures(*range(0, 110, 10)).floods
    assert (flood.began_at, flood.alarms) == (at(100), 11)


def test_a_flood_ends_when_less_than_five_are_left_of_ten_minutes():
    (flood,) = figures(*range(0, 110, 10)).floods
    # the newest five came at 60 to 100 s; the first of them is ten minutes old at 660 s
    assert flood == Flood(began_at=at(100), ended_at=at(660), alarms=11)


def test_a_flood_goes_on_while_alarms_keep_coming():
    (flood,) = figures(*range(0, 110, 10), *range(200, 1400, 100)).floods
    assert flood.ended_at == at(900 + 600)


def test_two_floods_are_two():
    assert len(figures(*range(11), *range(1800, 1811)).floods) == 2


def test_a_flood_that_lasts_has_no_end_yet():
    found = figures(*range(3500, 3512))
    assert found.floods == (Flood(began_at=at(3510), ended_at=None, alarms=12),)
    assert found.flood_share == pytest.approx(90 / 3600)


def test_three_in_a_minute_chatter_and_three_in_more_do_not():
    assert figures(0, 30, 59.9).chattering == ("a",)
    assert figures(0, 30, 60).chattering == ()


def test_an_alarm_active_for_more_than_a_day_is_stale():
    until = NOON + HOUR
    day = timedelta(hours=24)
    active = {"old": until - day - HOUR, "new": until - day}
    assert figures(active=active).stale == ("old",)


def test_rate_peak_and_priorities():
    found = figures(0, 1, 2, 700)
    assert (found.announced, found.per_10_min, found.most_in_10_min) == (4, 4 / 6, 3)
    assert found.by_priority == {
        Priority.CRITICAL: 0,
        Priority.HIGH: 0,
        Priority.MEDIUM: 0,
        Priority.LOW: 4,
    }
    assert found.most_frequent == (("a", 4),)


@example_settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3599), max_size=60))
def test_floods_are_what_counting_every_second_finds(seconds: list[int]):
    in_flood, began = False, []
    ended = []
    for now in range(3600):
        recent = sum(now - 600 < s <= now for s in seconds)
        if in_flood and recent < 5:
            in_flood = False
            ended.append(at(now))
        if not in_flood and recent > 10:
            in_flood = True
            began.append(at(now))
    found = figures(*seconds).floods
    assert [flood.began_at for flood in found] == began
    assert [flood.ended_at for flood in found if flood.ended_at is not None] == ended
