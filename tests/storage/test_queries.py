"""What the dashboard reads, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from storage_builders import NOON, part, ticket

from inspector.domain import Decision, Inspection, Reason
from inspector.errors import AlreadyReviewed
from inspector.storage import queries
from inspector.storage.database import Database
from inspector.storage.queries import Counts, HourCount, PartFilter
from inspector.storage.recorded import recorded_part
from inspector.storage.store import Store

MINUTE = timedelta(minutes=1)


def test_a_part_comes_back_exactly_as_it_was_recorded(store: Store, database: Database) -> None:
    inspection = part(decision=Decision.FAIL, sent=Decision.FAIL)
    seq = store.record(inspection)
    found = recorded_part(database, inspection.id)
    assert found is not None
    assert (found.seq, found.inspection) == (seq, inspection)


def test_a_part_that_was_not_judged_has_no_judgement(store: Store, database: Database) -> None:
    inspection = replace(part(decision=Decision.HOLD), judgement=None, picture=None)
    store.record(inspection)
    found = recorded_part(database, inspection.id)
    assert found is not None
    assert found.inspection.judgement is None


def test_an_unknown_part_is_none(database: Database) -> None:
    assert recorded_part(database, uuid4()) is None


def test_pages_hold_every_part_once_newest_first_also_where_times_are_equal(
    store: Store, database: Database
) -> None:
    times = [NOON + MINUTE * (n // 3) for n in range(10)]
    recorded = [_record(store, part(of=ticket(at=at))) for at in times]
    seen, cursor = [], None
    while True:
        page = queries.parts(database, PartFilter(), limit=4, after=cursor)
        seen += [summary.id for summary in page.parts]
        cursor = page.older
        if cursor is None:
            break
    assert seen == [inspection.id for inspection in reversed(recorded)]


def test_parts_that_arrive_while_someone_pages_move_nothing(
    store: Store, database: Database
) -> None:
    recorded = [_record(store, part(of=ticket(at=NOON + MINUTE * n))) for n in range(4)]
    first = queries.parts(database, PartFilter(), limit=2)
    _record(store, part(of=ticket(at=NOON + MINUTE * 9)))
    second = queries.parts(database, PartFilter(), limit=2, after=first.older)
    assert [summary.id for summary in second.parts] == [recorded[1].id, recorded[0].id]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (PartFilter(), {"a", "b", "c"}),
        (PartFilter(decision=Decision.FAIL), {"b"}),
        (PartFilter(reason=Reason.UNCERTAIN), {"c"}),
        (PartFilter(product="label"), {"c"}),
        (PartFilter(recipe="coil"), {"b"}),
        (PartFilter(part_id="b"), {"b"}),
        (PartFilter(lot="L9"), {"c"}),
        (PartFilter(station_id="s2"), {"a"}),
        (PartFilter(since=NOON + MINUTE), {"b", "c"}),
        (PartFilter(until=NOON + MINUTE), {"a"}),
        (PartFilter(decision=Decision.FAIL, product="label"), set()),
    ],
)
def test_a_filter_finds_what_it_names(
    where: PartFilter, expected: set[str], store: Store, database: Database
) -> None:
    a = part(of=ticket(station_id="s2"))
    b = part(of=ticket(at=NOON + MINUTE), decision=Decision.FAIL)
    c = part(of=ticket(at=NOON + MINUTE * 2), decision=Decision.HOLD)
    store.record(replace(a, part_id="a"))
    store.record(replace(b, part_id="b", recipe="coil"))
    store.record(replace(c, part_id="c", product="label", lot="L9"))
    found = queries.parts(database, where, limit=10)
    assert {summary.part_id for summary in found.parts} == expected


def test_counts_are_of_what_was_told_and_silence_is_no_pass(
    store: Store, database: Database
) -> None:
    told = (Decision.PASS, Decision.PASS, Decision.FAIL, Decision.HOLD, None)
    for sent in told:
        store.record(part(decision=Decision.PASS, sent=sent))
    counts = queries.counts(database, since=NOON - MINUTE, until=NOON + MINUTE)
    assert counts == Counts(passed=2, failed=1, held=1, none=1)
    assert counts.parts == len(told)


def test_counts_of_a_span_with_broken_hours_are_exact(store: Store, database: Database) -> None:
    hour = timedelta(hours=1)
    base = NOON.replace(minute=0, second=0, microsecond=0)
    for minutes in (-1, 29, 30, 59, 60, 125, 180, 214, 215):
        at = base + MINUTE * minutes
        store.record(part(of=ticket(at=at), sent=Decision.PASS))
    since, until = base + hour / 2, base + MINUTE * 215
    assert queries.counts(database, since=since, until=until).passed == 6
    assert queries.counts(database, since=base, until=base + hour).passed == 3
    assert queries.counts(database, since=base, until=base + MINUTE * 30).passed == 1


def test_hours_add_up_stations_and_products_unless_one_is_asked_for(
    store: Store, database: Database
) -> None:
    hour = NOON.replace(minute=0, second=0, microsecond=0)
    store.record(part(sent=Decision.PASS))
    store.record(replace(part(sent=Decision.PASS), product="label"))
    store.record(part(of=ticket(station_id="s2"), sent=Decision.PASS))
    until = hour + queries.HOUR
    assert queries.hours(database, since=hour, until=until) == (
        HourCount(hour=hour, told=Decision.PASS, parts=3),
    )
    assert queries.hours(database, since=hour, until=until, station_id="s2") == (
        HourCount(hour=hour, told=Decision.PASS, parts=1),
    )
    assert queries.hours(database, since=until, until=until + queries.HOUR) == ()


def test_the_review_queue_goes_both_ways_and_on_from_where_one_was(
    store: Store, database: Database
) -> None:
    seqs = [
        store.record(part(of=ticket(at=NOON + MINUTE * n), decision=decision, sent=decision))
        for n, decision in enumerate(
            (Decision.FAIL, Decision.PASS, Decision.HOLD, Decision.FAIL, Decision.HOLD)
        )
    ]
    waiting = [seqs[0], seqs[2], seqs[3], seqs[4]]
    oldest = queries.review_queue(database, limit=9)
    assert [summary.seq for summary in oldest] == waiting
    newest = queries.review_queue(database, limit=2, newest_first=True)
    assert [summary.seq for summary in newest] == [seqs[4], seqs[3]]
    after = queries.review_queue(database, limit=9, newest_first=True, after_seq=seqs[3])
    assert [summary.seq for summary in after] == [seqs[2], seqs[0]]
    assert queries.open_reviews(database) == 4
    assert queries.open_reviews(database, at_most=3) == 3


def test_a_review_takes_the_part_off_the_queue_and_shows_with_it(
    store: Store, database: Database
) -> None:
    inspection = _record(store, part(decision=Decision.FAIL, sent=Decision.FAIL))
    _review(store, inspection, reviewer="Ana", seen_reviews=0)
    found = recorded_part(database, inspection.id)
    assert found is not None
    assert not found.open_review
    assert [(r.reviewer, r.decision, r.note) for r in found.reviews] == [
        ("Ana", Decision.PASS, "dust")
    ]
    assert queries.review_queue(database, limit=9) == ()


def test_a_second_reviewer_of_the_same_page_is_refused(store: Store, database: Database) -> None:
    inspection = _record(store, part(decision=Decision.FAIL, sent=Decision.FAIL))
    _review(store, inspection, reviewer="Ana", seen_reviews=0)
    with pytest.raises(AlreadyReviewed, match="Ana reviewed this part"):
        _review(store, inspection, reviewer="Ben", seen_reviews=0)
    found = recorded_part(database, inspection.id)
    assert found is not None
    assert [review.reviewer for review in found.reviews] == ["Ana"]


def test_one_who_has_seen_the_first_review_may_add_another(
    store: Store, database: Database
) -> None:
    inspection = _record(store, part(decision=Decision.FAIL, sent=Decision.FAIL))
    _review(store, inspection, reviewer="Ana", seen_reviews=0)
    _review(store, inspection, reviewer="Ben", seen_reviews=1)
    found = recorded_part(database, inspection.id)
    assert found is not None
    assert [review.reviewer for review in found.reviews] == ["Ana", "Ben"]


def test_the_newest_picture_skips_parts_without_one(store: Store, database: Database) -> None:
    assert queries.newest_picture(database) is None
    with_picture = _record(store, part())
    _record(store, replace(part(of=ticket(at=NOON + MINUTE)), picture=None))
    found = queries.newest_picture(database)
    assert found is not None
    assert found.id == with_picture.id


def test_the_newest_event_is_of_the_station_asked_for(store: Store, database: Database) -> None:
    assert queries.newest_event(database) is None
    store.add_station_event("s1", "STARTED", "boot 1", NOON)
    store.add_station_event("s2", "STOPPED", "stopped on request", NOON + MINUTE)
    newest = queries.newest_event(database)
    of_s1 = queries.newest_event(database, station_id="s1")
    assert newest is not None and (newest.station_id, newest.kind) == ("s2", "STOPPED")
    assert of_s1 is not None and (of_s1.kind, of_s1.detail) == ("STARTED", "boot 1")


def test_choices_are_each_value_once_in_order(store: Store, database: Database) -> None:
    assert queries.products(database) == ()
    for product in ("label", "board", "label", "coil"):
        store.record(replace(part(), product=product))
    assert queries.products(database) == ("board", "coil", "label")
    assert queries.stations(database) == ("s1",)
    assert queries.recipes(database) == ("pcb",)


def _record(store: Store, inspection: Inspection) -> Inspection:
    store.record(inspection)
    return inspection


def _review(store: Store, inspection: Inspection, *, reviewer: str, seen_reviews: int) -> None:
    store.add_review(
        inspection.id,
        reviewer=reviewer,
        decision=Decision.PASS,
        reason="NO_DEFECT",
        note="dust",
        at=NOON + MINUTE * (1 + seen_reviews),
        seen_reviews=seen_reviews,
    )
