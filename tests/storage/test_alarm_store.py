"""Alarms in SQLite and PostgreSQL: nothing recorded is lost, changed or counted twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from inspector.alarms import (
    Action,
    Alarm,
    AlarmChange,
    AlarmCommand,
    AlarmState,
    ChangeKind,
    Effect,
    Priority,
    acknowledged,
    cleared,
    raised,
    shelved,
)
from inspector.errors import StorageError
from inspector.storage.alarms import AlarmStore
from inspector.storage.database import Database

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
NEW = Alarm(id="camera_lost.top", priority=Priority.HIGH, effect=Effect.HOLD)
UP = raised(NEW, at=NOON, message="no answer")


@pytest.fixture
def alarms(database: Database) -> AlarmStore:
    return AlarmStore(database)


def change(
    kind: ChangeKind, alarm: Alarm, *, at: datetime = NOON, event_id: UUID | None = None
) -> AlarmChange:
    return AlarmChange(id=event_id or uuid4(), kind=kind, at=at, by="station", alarm=alarm)


def command(action: Action = Action.ACK, *, at: datetime = NOON) -> AlarmCommand:
    return AlarmCommand(id=uuid4(), alarm_id=UP.id, action=action, by="Ana", at=at, reason="known")


def test_an_alarm_comes_back_as_it_was_kept(alarms: AlarmStore):
    seen = acknowledged(UP, at=LATER, by="Ana")
    kept = shelved(seen, at=NOON, by="Ben", reason="noisy", until=LATER)
    alarms.record("s1", (change(ChangeKind.SHELVED, kept),))
    assert alarms.load("s1") == (kept,)
    assert alarms.load("s2") == ()


def test_the_history_keeps_every_step_in_the_order_it_happened(alarms: AlarmStore):
    gone = cleared(UP, at=LATER)
    # the second came before the first by the clock, which was set back
    alarms.record("s1", (change(ChangeKind.RAISED, UP, at=LATER),))
    alarms.record("s1", (change(ChangeKind.CLEARED, gone, at=NOON),))
    assert [event.kind for event in alarms.events(limit=9)] == [
        ChangeKind.CLEARED,
        ChangeKind.RAISED,
    ]
    newest = alarms.events(limit=1)[0]
    assert (newest.state, newest.priority, newest.message, newest.at) == (
        AlarmState.RTNUN,
        Priority.HIGH,
        "no answer",
        NOON,
    )
    assert [e.kind for e in alarms.events(limit=9, before_seq=newest.seq)] == [ChangeKind.RAISED]
    assert alarms.events(limit=9, alarm_id="another") == ()


def test_an_event_handed_over_twice_is_there_once(alarms: AlarmStore):
    up = change(ChangeKind.RAISED, UP)
    gone = change(ChangeKind.CLEARED, cleared(UP, at=LATER))
    alarms.record("s1", (up, gone))
    alarms.record("s1", (up, gone))
    assert len(alarms.events(limit=9)) == 2
    assert alarms.load("s1") == (gone.alarm,)


def test_new_words_are_kept_without_an_event(alarms: AlarmStore):
    alarms.record("s1", (change(ChangeKind.RAISED, UP),))
    alarms.keep("s1", (replace(UP, message="still no answer"),))
    assert alarms.load("s1")[0].message == "still no answer"
    assert len(alarms.events(limit=9)) == 1


@pytest.mark.parametrize(
    "forbidden", ["UPDATE alarm_events SET at = at", "DELETE FROM alarm_events"]
)
def test_the_history_cannot_be_changed(alarms: AlarmStore, database: Database, forbidden: str):
    alarms.record("s1", (change(ChangeKind.RAISED, UP),))
    with pytest.raises(StorageError, match="append-only"), database.writing() as connection:
        connection.execute(text(forbidden))
    assert len(alarms.events(limit=9)) == 1


def test_what_a_person_asks_waits_for_the_station_and_is_answered_once(alarms: AlarmStore):
    alarms.record("s1", (change(ChangeKind.RAISED, UP),))
    later, sooner = command(at=LATER), command()
    alarms.ask("s1", later)
    alarms.ask("s1", sooner)
    assert alarms.commands("s1") == (sooner, later)
    done = acknowledged(UP, at=LATER, by="Ana")
    alarms.record("s1", (change(ChangeKind.ACKNOWLEDGED, done, at=LATER, event_id=sooner.id),))
    alarms.answer(later.id, answer="it is acknowledged", at=LATER)
    alarms.answer(later.id, answer="another", at=NOON)
    assert alarms.commands("s1") == ()
    assert [(a.command, a.answered_at, a.answer) for a in alarms.asked(limit=9)] == [
        (later, LATER, "it is acknowledged"),
        (sooner, LATER, ""),
    ]


@pytest.mark.parametrize(
    "forbidden",
    [
        "UPDATE alarm_commands SET asked_by = 'Eve'",
        "UPDATE alarm_commands SET answer = 'no'",
        "DELETE FROM alarm_commands",
    ],
)
def test_an_answered_command_cannot_be_changed(
    alarms: AlarmStore, database: Database, forbidden: str
):
    alarms.record("s1", (change(ChangeKind.RAISED, UP),))
    asked = command()
    alarms.ask("s1", asked)
    alarms.answer(asked.id, answer="", at=LATER)
    with pytest.raises(StorageError, match="append-only"), database.writing() as connection:
        connection.execute(text(forbidden))


def test_nobody_asks_anything_of_an_alarm_that_is_not_there(alarms: AlarmStore):
    with pytest.raises(StorageError, match=r"found no 'camera_lost\.top'"):
        alarms.ask("s1", command())


def test_what_is_not_normal_is_listed_the_most_urgent_first(alarms: AlarmStore):
    low = replace(UP, id="low", priority=Priority.LOW)
    for alarm in (low, UP, Alarm(id="quiet")):
        alarms.record("s1", (change(ChangeKind.RAISED, alarm),))
    assert [found.alarm.id for found in alarms.alarms()] == [UP.id, "low"]
    assert alarms.alarms(station_id="s2") == ()


def test_only_what_was_announced_counts_for_the_figures(alarms: AlarmStore):
    hidden = raised(shelved(NEW, at=NOON, by="Ana", reason="x", until=LATER), at=NOON, message="m")
    seen = acknowledged(UP, at=LATER, by="Ana")
    alarms.record(
        "s1",
        (
            change(ChangeKind.RAISED, UP),
            change(ChangeKind.ACKNOWLEDGED, seen),
            change(ChangeKind.CLEARED, cleared(seen, at=LATER)),
            change(ChangeKind.RAISED, hidden),
        ),
    )
    (counted,) = alarms.announced(since=NOON, until=LATER)
    assert (counted.alarm_id, counted.priority, counted.at) == (UP.id, Priority.HIGH, NOON)
    assert alarms.announced(since=LATER, until=LATER + timedelta(hours=1)) == ()
