"""What the dashboard reads: plain selects, each by an index, none over all rows.

Lists are read in pages by keyset, `(triggered_at, seq)`, so that page 1,000 costs what page 1 does
and rows that arrive meanwhile move nothing. Charts read the hourly roll-ups.

Counts are of what left the station, since that is what moved the part: `told` is None where
nothing left, and is never counted as a pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, literal_column, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from inspector.domain import Decision, Reason
from inspector.storage.database import Database
from inspector.storage.recorded import clause_ids
from inspector.storage.schema import HourRow, InspectionRow, StationEventRow

HOUR = timedelta(hours=1)
# As the partial index words it, or SQLite does not take the index.
_OPEN_REVIEW = cast("ColumnElement[bool]", literal_column("inspections.open_review"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a page of parts ended."""

    triggered_at: datetime
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFilter:
    """Which parts: `since` ≤ triggered_at < `until`; what is None does not matter."""

    since: datetime | None = None
    until: datetime | None = None
    station_id: str | None = None
    decision: Decision | None = None
    reason: Reason | None = None
    product: str | None = None
    recipe: str | None = None
    part_id: str | None = None
    lot: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSummary:
    """One line of a list of parts; `told` is what left the station, None where nothing did."""

    id: UUID
    seq: int
    station_id: str
    part_id: str | None
    lot: str | None
    view: str | None
    product: str
    recipe: str
    triggered_at: datetime
    decision: Decision
    reason: Reason
    detail: str
    clause_ids: tuple[str, ...]
    told: Decision | None
    total_ms: float
    picture: str | None
    open_review: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Parts, newest first; `older` is where the next page begins, None on the last."""

    parts: tuple[PartSummary, ...]
    older: Cursor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationEvent:
    station_id: str
    kind: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HourCount:
    """Parts of the hour that begins at `hour` that were told `told`."""

    hour: datetime
    told: Decision | None
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Parts by what left the station; `none` are those for which nothing did."""

    passed: int = 0
    failed: int = 0
    held: int = 0
    none: int = 0

    @property
    def parts(self) -> int:
        return self.passed + self.failed + self.held + self.none


_SUMMARY: tuple[InstrumentedAttribute[Any], ...] = (
    InspectionRow.id,
    InspectionRow.seq,
    InspectionRow.station_id,
    InspectionRow.part_id,
    InspectionRow.lot,
    InspectionRow.view,
    InspectionRow.product,
    InspectionRow.recipe,
    InspectionRow.triggered_at,
    InspectionRow.decision,
    InspectionRow.reason,
    InspectionRow.detail,
    InspectionRow.clause_ids,
    InspectionRow.sent_decision,
    InspectionRow.total_ms,
    InspectionRow.picture,
    InspectionRow.open_review,
)


# --- lists --------------------------------------------------------------------------------------


def parts(
    database: Database, where: PartFilter, *, limit: int, after: Cursor | None = None
) -> Page:
    """Return at most `limit` parts, newest first, those older than `after` where it is given."""
    conditions = _conditions(where)
    if after is not None:
        place = tuple_(InspectionRow.triggered_at, InspectionRow.seq)
        conditions.append(place < (after.triggered_at, after.seq))
    statement = (
        select(*_SUMMARY)
        .where(*conditions)
        .order_by(InspectionRow.triggered_at.desc(), InspectionRow.seq.desc())
        .limit(limit + 1)
    )
    with database.reading() as connection:
        rows = connection.execute(statement).all()
    shown = tuple(_summary(row) for row in rows[:limit])
    more = len(rows) > limit
    older = Cursor(triggered_at=shown[-1].triggered_at, seq=shown[-1].seq) if more else None
    return Page(parts=shown, older=older)


def newest_picture(database: Database, *, station_id: str | None = None) -> PartSummary | None:
    """Return the newest part that has a picture, None where the newest 50 parts have none."""
    page = parts(database, PartFilter(station_id=station_id), limit=50)
    return next((part for part in page.parts if part.picture is not None), None)


def review_queue(
    database: Database, *, limit: int, newest_first: bool = False, after_seq: int | None = None
) -> tuple[PartSummary, ...]:
    """Return parts that wait for a person, beyond `after_seq` in the order asked for."""
    seq = InspectionRow.seq
    conditions = [_OPEN_REVIEW]
    if after_seq is not None:
        conditions.append(seq < after_seq if newest_first else seq > after_seq)
    order = seq.desc() if newest_first else seq.asc()
    statement = select(*_SUMMARY).where(*conditions).order_by(order).limit(limit)
    with database.reading() as connection:
        return tuple(_summary(row) for row in connection.execute(statement))


def open_reviews(database: Database, *, at_most: int = 1000) -> int:
    """Return how many parts wait for a person; counting stops at `at_most`."""
    waiting = select(InspectionRow.seq).where(_OPEN_REVIEW).limit(at_most).subquery()
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(waiting)).scalar_one()


# --- counts -------------------------------------------------------------------------------------


def hours(
    database: Database, *, since: datetime, until: datetime, station_id: str | None = None
) -> tuple[HourCount, ...]:
    """Return the parts of each hour that begins in `[since, until)`, oldest first."""
    conditions = [HourRow.hour >= since, HourRow.hour < until]
    if station_id is not None:
        conditions.append(HourRow.station_id == station_id)
    statement = (
        select(HourRow.hour, HourRow.sent, func.sum(HourRow.parts).label("parts"))
        .where(*conditions)
        .group_by(HourRow.hour, HourRow.sent)
        .order_by(HourRow.hour, HourRow.sent)
    )
    with database.reading() as connection:
        rows = connection.execute(statement).all()
    return tuple(HourCount(hour=r.hour, told=_told(r.sent), parts=int(r.parts)) for r in rows)


def counts(
    database: Database, *, since: datetime, until: datetime, station_id: str | None = None
) -> Counts:
    """Return how many parts triggered in `[since, until)` were told what.

    Whole hours come from the roll-ups; only the parts of the broken hours at both ends are counted
    one by one, so a local day that begins at half past is exact too.
    """
    first = _hour_of(since) if since == _hour_of(since) else _hour_of(since) + HOUR
    last = _hour_of(until)
    total: dict[Decision | None, int] = {}
    if first >= last:
        _add(total, database, since=since, until=until, station_id=station_id)
    else:
        for count in hours(database, since=first, until=last, station_id=station_id):
            total[count.told] = total.get(count.told, 0) + count.parts
        _add(total, database, since=since, until=first, station_id=station_id)
        _add(total, database, since=last, until=until, station_id=station_id)
    return Counts(
        passed=total.get(Decision.PASS, 0),
        failed=total.get(Decision.FAIL, 0),
        held=total.get(Decision.HOLD, 0),
        none=total.get(None, 0),
    )


def _add(
    total: dict[Decision | None, int],
    database: Database,
    *,
    since: datetime,
    until: datetime,
    station_id: str | None,
) -> None:
    if since >= until:
        return
    statement = (
        select(InspectionRow.sent_decision, func.count().label("parts"))
        .where(*_conditions(PartFilter(since=since, until=until, station_id=station_id)))
        .group_by(InspectionRow.sent_decision)
    )
    with database.reading() as connection:
        for row in connection.execute(statement):
            told = _told(row.sent_decision)
            total[told] = total.get(told, 0) + row.parts


# --- stations, events, choices ------------------------------------------------------------------


def newest_event(database: Database, *, station_id: str | None = None) -> StationEvent | None:
    """Return the newest thing that a station reported of itself."""
    statement = select(StationEventRow.__table__).order_by(StationEventRow.at.desc()).limit(1)
    if station_id is not None:
        statement = statement.where(StationEventRow.station_id == station_id)
    with database.reading() as connection:
        row = connection.execute(statement).first()
    if row is None:
        return None
    return StationEvent(station_id=row.station_id, kind=row.kind, detail=row.detail, at=row.at)


def stations(database: Database) -> tuple[str, ...]:
    """Return the stations that have recorded a part."""
    return _distinct(database, InspectionRow.station_id)


def products(database: Database) -> tuple[str, ...]:
    """Return the products that have been inspected."""
    return _distinct(database, InspectionRow.product)


def recipes(database: Database) -> tuple[str, ...]:
    """Return the recipes that have been used."""
    return _distinct(database, InspectionRow.recipe)


def _distinct(database: Database, column: InstrumentedAttribute[str]) -> tuple[str, ...]:
    """Return the values of an indexed column, leaping from one to the next.

    DISTINCT reads every row; this seeks once per value, of which there are few
    (https://wiki.postgresql.org/wiki/Loose_indexscan).
    """
    values = select(func.min(column).label("value")).cte("distinct_values", recursive=True)
    following = (
        select(func.min(column)).where(column > values.c.value).correlate(values).scalar_subquery()
    )
    values = values.union_all(select(following).where(values.c.value.is_not(None)))
    statement = select(values.c.value).where(values.c.value.is_not(None))
    with database.reading() as connection:
        return tuple(row.value for row in connection.execute(statement))


# --- rows into types ----------------------------------------------------------------------------


def _conditions(where: PartFilter) -> list[ColumnElement[bool]]:
    row = InspectionRow
    equal: tuple[tuple[InstrumentedAttribute[Any], object], ...] = (
        (row.station_id, where.station_id),
        (row.decision, where.decision),
        (row.reason, where.reason),
        (row.product, where.product),
        (row.recipe, where.recipe),
        (row.part_id, where.part_id),
        (row.lot, where.lot),
    )
    conditions = [column == value for column, value in equal if value is not None]
    if where.since is not None:
        conditions.append(row.triggered_at >= where.since)
    if where.until is not None:
        conditions.append(row.triggered_at < where.until)
    return conditions


def _summary(row: Row[*tuple[Any, ...]]) -> PartSummary:
    return PartSummary(
        id=row.id,
        seq=row.seq,
        station_id=row.station_id,
        part_id=row.part_id,
        lot=row.lot,
        view=row.view,
        product=row.product,
        recipe=row.recipe,
        triggered_at=row.triggered_at,
        decision=Decision(row.decision),
        reason=Reason(row.reason),
        detail=row.detail,
        clause_ids=clause_ids(row.clause_ids),
        told=_told(row.sent_decision),
        total_ms=row.total_ms,
        picture=row.picture,
        open_review=row.open_review,
    )


def _told(sent: str | None) -> Decision | None:
    return None if sent in (None, "NONE") else Decision(sent)


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
