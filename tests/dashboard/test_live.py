"""Live, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dashboard_pages import Open, picture, words
from dashboard_seeding import Plant, part, with_picture

from dashboard import data
from inspector.domain import Decision


def test_live_shows_the_last_part_the_yield_and_that_the_station_runs(
    plant: Plant, open_page: Open
) -> None:
    for decision in (Decision.PASS, Decision.PASS, Decision.PASS, Decision.FAIL):
        plant.store.record(part(datetime.now(UTC), decision=decision, part_id=decision.value))
    shown = words(open_page("live"))
    assert "RUNNING" in shown
    assert "75.0%" in shown
    assert "of 4 parts" in shown


def test_a_picture_of_now_is_shown_without_a_banner(plant: Plant, open_page: Open) -> None:
    plant.store.record(with_picture(part(datetime.now(UTC)), plant.records))
    assert "NOT LIVE" not in picture(open_page("live"))


def test_an_old_picture_is_never_shown_as_live(plant: Plant, open_page: Open) -> None:
    old = datetime.now(UTC) - data.LIVE_LIMIT - timedelta(seconds=5)
    plant.store.record(with_picture(part(old), plant.records))
    page = open_page("live")
    assert "NOT LIVE" in picture(page)
    assert "RUNNING" not in words(page)


def test_a_picture_from_a_clock_that_runs_ahead_is_not_live(plant: Plant, open_page: Open) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    plant.store.record(with_picture(part(ahead), plant.records))
    page = open_page("live")
    assert "NOT LIVE" in picture(page)
    assert "set the clocks" in words(page)


def test_the_picture_of_an_earlier_part_is_not_shown_as_the_last_ones(
    plant: Plant, open_page: Open
) -> None:
    now = datetime.now(UTC)
    plant.store.record(with_picture(part(now - timedelta(seconds=9)), plant.records))
    plant.store.record(part(now, decision=Decision.HOLD))
    assert "NOT THE LAST PART" in picture(open_page("live"))


def test_what_the_line_was_told_counts_and_a_different_judgement_is_named(
    plant: Plant, open_page: Open
) -> None:
    late = part(datetime.now(UTC), decision=Decision.PASS, sent=Decision.HOLD)
    plant.store.record(late)
    shown = words(open_page("live"))
    assert "0.0%" in shown
    assert "judged PASS" in shown


def test_a_stopped_station_is_not_called_quiet(plant: Plant, open_page: Open) -> None:
    now = datetime.now(UTC)
    plant.store.record(part(now - timedelta(minutes=9)))
    plant.store.add_station_event("s1", "STOPPED", "stopped on request", now)
    assert "STOPPED" in words(open_page("live"))


def test_one_station_of_two_can_be_watched_alone(plant: Plant, open_page: Open) -> None:
    for station in ("s1", "s2"):
        one = part(datetime.now(UTC), part_id=f"from-{station}", station_id=station)
        plant.store.record(one)
    page = open_page("live")
    page.selectbox[0].select("s2").run()
    assert "from-s2" in words(page)
    assert "from-s1" not in words(page)
