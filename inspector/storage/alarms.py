"""Alarms in the database: how each is now, all that ever happened to it, what people ask of it.

The station alone writes states and events; people write commands, which the station carries out,
so that its memory, the topics and the rows never disagree. Events and what is decided on a command
are kept for ever, refused by triggers to whoever would change them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, insert, select, update

from inspector.alarm_figures import Announced
from inspector.alarms import (
    Action,
    Alarm,
    AlarmChange,
    AlarmCommand,
    AlarmState,
    ChangeKind,
    Effect,
    Priority,
)
from inspector.errors import StorageError
from inspector.storage.database import Database
from inspector.storage.schema import AlarmCommandRow, AlarmEventRow, AlarmRow


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAlarm:
    """One alarm of one station."""

    station_id: str
    alarm: Alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent:
    """One line of the history."""

    seq: int
    station_id: str
    alarm_id: str
    kind: ChangeKind
    state: AlarmState
    priority: Priority
    message: str
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCommand:
    """A command with what became of it; `answer` is empty where it was carried out."""

    station_id: str
    command: AlarmCommand
    answered_at: datetime | None
    answer: str


class AlarmStore:
    """Reads and writes of alarms. Any thread may call; each method is one transaction.

    Raises `StorageFull` or `StorageError`; then nothing of that call is in the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- the station --------------------------------------------------------------------------

    def record(self, station_id: str, changes: tuple[AlarmChange, ...]) -> None:
        """Add events in their order, with the state after each; known ones, by id, are left.

        A change with the id of a command answers it.
        """
        with self._database.writing(in_turn=True) as connection:
            ids = [change.id for change in changes]
            known = set(
                connection.scalars(select(AlarmEventRow.id).where(AlarmEventRow.id.in_(ids)))
            )
            fresh = [change for change in changes if change.id not in known]
            if not fresh:
                return
            seq = 1 + (connection.scalar(select(func.max(AlarmEventRow.seq))) or 0)
            connection.execute(
                insert(AlarmEventRow),
                [
                    _event_row(station_id, change, number)
                    for number, change in enumerate(fresh, start=seq)
                ],
            )
            for alarm in {change.alarm.id: change.alarm for change in fresh}.values():
                _upsert(connection, station_id, alarm)
            _answer_commands(connection, fresh)

    def keep(self, station_id: str, alarms: tuple[Alarm, ...]) -> None:
        """Write alarms as they are now, without an event: new words for the same state."""
        with self._database.writing(in_turn=True) as connection:
            for alarm in alarms:
                _upsert(connection, station_id, alarm)

    def load(self, station_id: str) -> tuple[Alarm, ...]:
        """Return the alarms of a station, by id."""
        asked = (
            select(AlarmRow.__table__)
            .where(AlarmRow.station_id == station_id)
            .order_by(AlarmRow.alarm_id)
        )
        with self._database.reading() as connection:
            return tuple(_alarm(row) for row in connection.execute(asked))

    def commands(self, station_id: str, *, limit: int = 100) -> tuple[AlarmCommand, ...]:
        """Return what people ask of a station and it has not answered, oldest first."""
        asked = (
            select(AlarmCommandRow.__table__)
            .where(AlarmCommandRow.station_id == station_id, AlarmCommandRow.answered_at.is_(None))
            .order_by(AlarmCommandRow.at, AlarmCommandRow.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return tuple(_command(row) for row in connection.execute(asked))

    def answer(self, command_id: UUID, *, answer: str, at: datetime) -> None:
        """Note why a command was not carried out; recording its change answers it otherwise."""
        with self._database.writing() as connection:
            _answer(connection, command_id, answer=answer, at=at)

    # --- people -------------------------------------------------------------------------------

    def ask(self, station_id: str, command: AlarmCommand) -> None:
        """Add what a person asks; raise `StorageError` where the station has no such alarm."""
        with self._database.writing() as connection:
            known = connection.scalar(
                select(AlarmRow.alarm_id).where(
                    AlarmRow.station_id == station_id, AlarmRow.alarm_id == command.alarm_id
                )
            )
            if known is None:
                raise StorageError(
                    f"expected an alarm of {station_id}, found no {command.alarm_id!r}"
                )
            connection.execute(
                insert(AlarmCommandRow),
                {
                    "id": command.id,
                    "station_id": station_id,
                    "alarm_id": command.alarm_id,
                    "action": command.action.value,
                    "asked_by": command.by,
                    "reason": command.reason,
                    "until": command.until,
                    "at": command.at,
                    "answered_at": None,
                    "answer": "",
                },
            )

    def known(self, *, station_id: str | None = None) -> tuple[StationAlarm, ...]:
        """Return every alarm, the most urgent first."""
        return self._alarms(station_id, also_normal=True)

    def alarms(self, *, station_id: str | None = None) -> tuple[StationAlarm, ...]:
        """Return every alarm that is not normal, the most urgent first."""
        return self._alarms(station_id, also_normal=False)

    def _alarms(self, station_id: str | None, *, also_normal: bool) -> tuple[StationAlarm, ...]:
        asked = select(AlarmRow.__table__)
        if not also_normal:
            # By an index: a list of states, where "not normal" would read every row.
            others = [state.value for state in AlarmState if state is not AlarmState.NORM]
            asked = asked.where(AlarmRow.state.in_(others))
        if station_id is not None:
            asked = asked.where(AlarmRow.station_id == station_id)
        asked = asked.order_by(AlarmRow.priority, AlarmRow.raised_at.desc(), AlarmRow.alarm_id)
        with self._database.reading() as connection:
            return tuple(
                StationAlarm(station_id=row.station_id, alarm=_alarm(row))
                for row in connection.execute(asked)
            )

    def events(
        self,
        *,
        limit: int,
        station_id: str | None = None,
        alarm_id: str | None = None,
        before_seq: int | None = None,
    ) -> tuple[AlarmEvent, ...]:
        """Return the newest events, older than `before_seq` where it is given."""
        asked = select(AlarmEventRow.__table__)
        if station_id is not None:
            asked = asked.where(AlarmEventRow.station_id == station_id)
        if alarm_id is not None:
            asked = asked.where(AlarmEventRow.alarm_id == alarm_id)
        if before_seq is not None:
            asked = asked.where(AlarmEventRow.seq < before_seq)
        with self._database.reading() as connection:
            return tuple(
                _event(row)
                for row in connection.execute(asked.order_by(AlarmEventRow.seq.desc()).limit(limit))
            )

    def announced(
        self, *, since: datetime, until: datetime, station_id: str | None = None
    ) -> tuple[Announced, ...]:
        """Return the alarms announced in `since` ≤ at < `until`: raised, and not suppressed."""
        asked = select(AlarmEventRow.alarm_id, AlarmEventRow.priority, AlarmEventRow.at).where(
            AlarmEventRow.at >= since,
            AlarmEventRow.at < until,
            AlarmEventRow.state == AlarmState.UNACK.value,
        )
        if station_id is not None:
            asked = asked.where(AlarmEventRow.station_id == station_id)
        with self._database.reading() as connection:
            return tuple(
                Announced(alarm_id=row.alarm_id, priority=Priority(row.priority), at=row.at)
                for row in connection.execute(asked.order_by(AlarmEventRow.at))
            )

    def asked(self, *, limit: int, station_id: str | None = None) -> tuple[AskedCommand, ...]:
        """Return the newest commands, with what became of them."""
        asked = select(AlarmCommandRow.__table__)
        if station_id is not None:
            asked = asked.where(AlarmCommandRow.station_id == station_id)
        with self._database.reading() as connection:
            return tuple(
                AskedCommand(
                    station_id=row.station_id,
                    command=_command(row),
                    answered_at=row.answered_at,
                    answer=row.answer,
                )
                for row in connection.execute(
                    asked.order_by(AlarmCommandRow.at.desc()).limit(limit)
                )
            )


def _event_row(station_id: str, change: AlarmChange, seq: int) -> dict[str, Any]:
    return {
        "id": change.id,
        "seq": seq,
        "station_id": station_id,
        "alarm_id": change.alarm.id,
        "kind": change.kind.value,
        "state": change.alarm.state.value,
        "priority": change.alarm.priority.value,
        "message": change.alarm.message,
        "changed_by": change.by,
        "reason": change.reason,
        "at": change.at,
    }


def _answer_commands(connection: Connection, changes: list[AlarmChange]) -> None:
    """Answer what people asked: a change that a person asked for has the id of the command."""
    by_id = {change.id: change for change in changes}
    asked = connection.scalars(
        select(AlarmCommandRow.id).where(
            AlarmCommandRow.answered_at.is_(None), AlarmCommandRow.id.in_(list(by_id))
        )
    )
    for command_id in asked.all():
        _answer(connection, command_id, answer="", at=by_id[command_id].at)


def _answer(connection: Connection, command_id: UUID, *, answer: str, at: datetime) -> None:
    connection.execute(
        update(AlarmCommandRow)
        .where(AlarmCommandRow.id == command_id, AlarmCommandRow.answered_at.is_(None))
        .values(answered_at=at, answer=answer)
    )


def _upsert(connection: Connection, station_id: str, alarm: Alarm) -> None:
    values = {
        "source": alarm.source,
        "priority": alarm.priority.value,
        "effect": alarm.effect.value,
        "state": alarm.state.value,
        "active": alarm.active,
        "message": alarm.message,
        "raised_at": alarm.raised_at,
        "acknowledged_at": alarm.acknowledged_at,
        "acknowledged_by": alarm.acknowledged_by,
        "cleared_at": alarm.cleared_at,
        "shelved_until": alarm.shelved_until,
        "suppressed_by": alarm.suppressed_by,
        "suppressed_because": alarm.suppressed_because,
        "occurrences": alarm.occurrences,
    }
    changed = connection.execute(
        update(AlarmRow)
        .where(AlarmRow.station_id == station_id, AlarmRow.alarm_id == alarm.id)
        .values(**values)
    )
    if changed.rowcount == 0:
        connection.execute(
            insert(AlarmRow), {"station_id": station_id, "alarm_id": alarm.id, **values}
        )


def _alarm(row: Row[Any]) -> Alarm:
    return Alarm(
        id=row.alarm_id,
        source=row.source,
        priority=Priority(row.priority),
        effect=Effect(row.effect),
        message=row.message,
        state=AlarmState(row.state),
        active=row.active,
        raised_at=row.raised_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        cleared_at=row.cleared_at,
        shelved_until=row.shelved_until,
        suppressed_by=row.suppressed_by,
        suppressed_because=row.suppressed_because,
        occurrences=row.occurrences,
    )


def _event(row: Row[Any]) -> AlarmEvent:
    return AlarmEvent(
        seq=row.seq,
        station_id=row.station_id,
        alarm_id=row.alarm_id,
        kind=ChangeKind(row.kind),
        state=AlarmState(row.state),
        priority=Priority(row.priority),
        message=row.message,
        by=row.changed_by or "",
        reason=row.reason,
        at=row.at,
    )


def _command(row: Row[Any]) -> AlarmCommand:
    return AlarmCommand(
        id=row.id,
        alarm_id=row.alarm_id,
        action=Action(row.action),
        by=row.asked_by,
        at=row.at,
        reason=row.reason,
        until=row.until,
    )
