"""The charts' figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dashboard import charts
from inspector.domain import Decision
from inspector.storage.queries import HourCount

MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def count(hour: int, told: Decision | None, parts: int) -> HourCount:
    return HourCount(hour=MIDNIGHT + timedelta(hours=hour), told=told, parts=parts)


def test_hours_without_parts_are_zeros_so_that_a_stop_is_a_gap() -> None:
    frame = charts.by_hour(
        (count(0, Decision.PASS, 5), count(3, Decision.FAIL, 2)),
        since=MIDNIGHT,
        until=MIDNIGHT + timedelta(hours=4),
        zone=BERLIN,
    )
    assert frame["PASS"].tolist() == [5, 0, 0, 0]
    assert frame["FAIL"].tolist() == [0, 0, 0, 2]
    assert frame.index[0].hour == 2  # Berlin in July


def test_a_week_is_counted_by_local_days() -> None:
    frame = charts.by_hour(
        (count(21, Decision.PASS, 1), count(22, Decision.PASS, 2)),
        since=MIDNIGHT,
        until=MIDNIGHT + timedelta(days=7),
        zone=BERLIN,
    )
    assert frame["PASS"].tolist()[:2] == [1, 2]  # 22:00 UTC is midnight in Berlin


def test_parts_without_an_answer_show_only_where_there_are_some() -> None:
    span = {"since": MIDNIGHT, "until": MIDNIGHT + timedelta(hours=2), "zone": BERLIN}
    sent = charts.by_hour((count(0, Decision.PASS, 1),), **span)
    silent = charts.by_hour((count(0, None, 1),), **span)
    assert len(charts.decisions_over_time(sent).data) == 3
    assert len(charts.decisions_over_time(silent).data) == 4
