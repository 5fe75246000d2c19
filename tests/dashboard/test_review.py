"""Review, without a browser."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboard_pages import Open, banner, button, named, words
from dashboard_seeding import Plant, part

from dashboard import data
from inspector.domain import Decision
from inspector.storage import queries
from inspector.storage.recorded import recorded_part


def test_nobody_decides_without_a_name(plant: Plant, open_page: Open) -> None:
    plant.store.record(part(datetime.now(UTC)))
    page = open_page("review")
    assert all(button(page, f"decide_{decision}").disabled for decision in Decision)
    assert "Enter your name" in words(page)


def test_agreeing_with_the_station_saves_at_once_and_shows_the_next(
    plant: Plant, open_page: Open
) -> None:
    first, second = (part(datetime.now(UTC), part_id=name) for name in ("first", "second"))
    plant.store.record(first)
    plant.store.record(second)
    page = named(open_page("review"))
    button(page, "decide_FAIL").click().run()
    saved = recorded_part(plant.database, first.id)
    assert saved is not None
    (review,) = saved.reviews
    assert (review.reviewer, review.decision, review.reason) == ("Ana", Decision.FAIL, data.AGREED)
    assert "second" in words(page)
    assert "Saved: first" in words(page)


def test_overruling_asks_for_a_reason_from_the_list_and_keeps_the_note(
    plant: Plant, open_page: Open
) -> None:
    recorded = part(datetime.now(UTC))
    plant.store.record(recorded)
    page = named(open_page("review"))
    page.text_area[0].input("wiped off").run()
    button(page, "decide_PASS").click().run()
    before = recorded_part(plant.database, recorded.id)
    assert before is not None and before.reviews == ()
    button(page, "reason_NO_DEFECT").click().run()
    saved = recorded_part(plant.database, recorded.id)
    assert saved is not None
    (review,) = saved.reviews
    assert (review.decision, review.reason, review.note) == (
        Decision.PASS,
        "NO_DEFECT",
        "wiped off",
    )


def test_another_reason_needs_a_note(plant: Plant, open_page: Open) -> None:
    recorded = part(datetime.now(UTC))
    plant.store.record(recorded)
    page = named(open_page("review"))
    button(page, "decide_PASS").click().run()
    button(page, f"reason_{data.OTHER}").click().run()
    assert "Say in the note" in words(page)
    found = recorded_part(plant.database, recorded.id)
    assert found is not None and found.reviews == ()


def test_a_part_that_another_reviewed_meanwhile_is_refused_and_shown_again(
    plant: Plant, open_page: Open
) -> None:
    recorded = part(datetime.now(UTC))
    plant.store.record(recorded)
    ana = named(open_page("review"))
    ben = named(open_page("review"), name="Ben")
    button(ben, "decide_FAIL").click().run()
    button(ana, "decide_FAIL").click().run()
    assert "Ben reviewed this part" in words(ana)
    assert "Agrees with the station" in words(ana)  # his review is shown with the part
    found = recorded_part(plant.database, recorded.id)
    assert found is not None
    assert [review.reviewer for review in found.reviews] == ["Ben"]


def test_no_button_of_a_part_is_one_of_the_next_parts(plant: Plant, open_page: Open) -> None:
    for name in ("first", "second"):  # so that a key pressed twice decides only what was seen
        plant.store.record(part(datetime.now(UTC), part_id=name))
    page = named(open_page("review"))
    before = {shown.key for shown in page.button}
    button(page, "decide_FAIL").click().run()
    assert before.isdisjoint(shown.key for shown in page.button)


def test_next_leaves_the_part_in_the_queue_and_comes_round_again(
    plant: Plant, open_page: Open
) -> None:
    for name in ("first", "second"):
        plant.store.record(part(datetime.now(UTC), part_id=name))
    page = named(open_page("review"))
    button(page, "skip").click().run()
    assert banner(page, "second")
    button(page, "skip").click().run()
    assert banner(page, "first")
    assert queries.open_reviews(plant.database) == 2


def test_a_passed_part_can_be_reviewed_by_its_address(plant: Plant, open_page: Open) -> None:
    recorded = part(datetime.now(UTC), decision=Decision.PASS)
    plant.store.record(recorded)
    page = named(open_page("review", part=str(recorded.id)))
    button(page, "decide_FAIL").click().run()
    button(page, "reason_DEFECT_MISSED").click().run()
    found = recorded_part(plant.database, recorded.id)
    assert found is not None
    assert [review.decision for review in found.reviews] == [Decision.FAIL]
