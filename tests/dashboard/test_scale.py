"""Many rows: every statement of every page goes by an index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from dashboard_pages import Open, words
from dashboard_seeding import Plant, many
from sqlalchemy import Engine, event

from inspector.domain import Decision, Reason
from inspector.storage import queries
from inspector.storage.database import open_database, upgrade
from inspector.storage.queries import Cursor, PartFilter
from inspector.storage.recorded import recorded_part
from inspector.storage.schema import Table
from inspector.storage.store import Store

PARTS = 3_000
NOW = datetime.now(UTC)
LATER = Cursor(triggered_at=NOW - timedelta(hours=2), seq=2_000)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("full")
    url = f"sqlite:///{folder / 'station.db'}"
    upgrade(url)
    database = open_database(url)
    many(database, PARTS, newest_at=NOW, every=timedelta(seconds=10))
    yield Plant(url=url, records=folder, database=database, store=Store(database))
    database.close()


@pytest.mark.parametrize("page", ["live", "history", "review"])
def test_a_page_scans_no_table(page: str, open_page: Open) -> None:
    with plans() as found:
        words(open_page(page))
    assert found
    assert not [plan for plan in found if scans_a_table(plan)]


@pytest.mark.parametrize(
    "where",
    [
        PartFilter(),
        PartFilter(decision=Decision.HOLD),
        PartFilter(reason=Reason.DEADLINE),
        PartFilter(product="board 1"),
        PartFilter(recipe="pcb"),
        PartFilter(station_id="s1"),
        PartFilter(part_id="B-17"),
        PartFilter(lot="L3"),
        PartFilter(since=NOW - timedelta(hours=3), until=NOW - timedelta(hours=1)),
        PartFilter(decision=Decision.FAIL, since=NOW - timedelta(hours=3)),
    ],
)
@pytest.mark.parametrize("after", [None, LATER])
def test_a_list_is_read_in_the_order_of_an_index(
    where: PartFilter, after: Cursor | None, plant: Plant
) -> None:
    with plans() as found:
        queries.parts(plant.database, where, limit=50, after=after)
    (plan,) = found
    assert not scans_a_table(plan)
    assert "TEMP B-TREE" not in plan  # no sorting: the index has the order


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_review_queue_reads_only_what_waits(newest_first: bool, plant: Plant) -> None:
    with plans() as found:
        queue = queries.review_queue(plant.database, limit=50, newest_first=newest_first)
        assert queries.open_reviews(plant.database) == len(queue) == 40
    assert all("ix_inspections_open_review" in plan for plan in found)


def test_one_part_is_read_by_its_key(plant: Plant) -> None:
    known = queries.parts(plant.database, PartFilter(), limit=1).parts[0].id
    for inspection_id in (known, UUID(int=7)):
        with plans() as found:
            recorded_part(plant.database, inspection_id)
        assert not [plan for plan in found if scans_a_table(plan)]


def test_counts_agree_with_the_rows(plant: Plant) -> None:
    since, until = NOW - timedelta(hours=5, minutes=7), NOW - timedelta(minutes=3)
    counted = queries.counts(plant.database, since=since, until=until)
    rows = queries.parts(plant.database, PartFilter(since=since, until=until), limit=PARTS)
    told = [part.told for part in rows.parts]
    assert (counted.passed, counted.failed, counted.held) == tuple(map(told.count, Decision))


@contextmanager
def plans() -> Iterator[list[str]]:
    """Collect how SQLite goes about each statement on the records that runs in the block."""
    found: list[str] = []

    def explain(_: Any, cursor: Any, statement: str, parameters: Any, *_context: Any) -> None:
        if statement.startswith(("SELECT", "WITH")) and "alembic_version" not in statement:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[3] for row in cursor.fetchall()]
            found.append("\n".join([*steps, *(["LIMIT"] if "LIMIT" in statement else [])]))

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


def scans_a_table(plan: str) -> bool:
    """Return whether a plan reads all rows of a table, or all of an index without a LIMIT."""
    steps = plan.splitlines()
    scans = [s for s in steps if s.startswith("SCAN ") and s.split()[1] in Table.metadata.tables]
    return any("USING" not in step for step in scans) or (bool(scans) and "LIMIT" not in steps)
