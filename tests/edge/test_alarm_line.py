"""Alarms between broker, memory and database: real ones, and threads as in the station."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import jsonschema
import pytest
from edge_builders import BASE, LinePlc, await_that, station_settings
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from edge import messages
from edge.alarm_desk import AlarmDesk
from edge.alarm_messages import encode_alarm, parse_command
from edge.alarm_records import AlarmRecords
from edge.alarms import Alarms
from edge.mqtt import Arrival, Message
from inspector.alarms import Action, Alarm, AlarmCommand, AlarmState, ChangeKind, raised
from inspector.errors import MessageError
from inspector.settings import StationSettings
from inspector.storage.alarm_journal import AlarmJournal
from inspector.storage.alarms import AlarmStore
from inspector.storage.database import Database, open_database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEMAS = Path(messages.__file__).parent / "schemas"
ALARMS = {
    "own": {"camera_lost": {"effect": "hold", "off_delay_s": 0}},
    "plc": [{"name": "plc", "filter": "plant/plc/+", "effect": "hold", "message": "text"}],
}


@pytest.fixture
def settings(tmp_path: Path, own_port: int, migrated: Path) -> StationSettings:
    made = station_settings(tmp_path, port=own_port, migrated=migrated, alarms=ALARMS)
    made.records.mkdir()
    return made


@pytest.fixture
def database(settings: StationSettings) -> Iterator[Database]:
    database = open_database(settings.database)
    yield database
    database.close()


@contextlib.contextmanager
def running_desk(settings: StationSettings, database: Database) -> Iterator[AlarmDesk]:
    """Run the alarms of a station without the station."""
    desk = AlarmDesk(settings, database=database)
    desk.recover()
    threads = [threading.Thread(target=body, name=name) for name, body in desk.bodies()]
    for thread in threads:
        thread.start()
    try:
        desk.start()
        yield desk
    finally:
        desk.stop()
        for thread in threads:
            thread.join(10)
        desk.close()
        assert not any(thread.is_alive() for thread in threads)


@dataclass
class Told:
    """What the retained topic of an alarm says."""

    plc: LinePlc

    def has(self, name: str, state: str) -> dict[str, object]:
        arrival = self.plc.await_message(
            f"alarm/{name}", lambda payload: json.loads(payload)["state"] == state
        )
        found: dict[str, object] = json.loads(arrival.payload)
        return found


def say(plc: LinePlc, topic: str, content: object, *, retain: bool = False) -> None:
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    assert plc.link.publish(Message(topic=topic, payload=payload, retain=retain)) is not None


def kinds(database: Database) -> list[ChangeKind]:
    return [event.kind for event in reversed(AlarmStore(database).events(limit=99))]


def test_an_alert_of_the_plc_holds_is_told_retained_and_is_recorded(
    settings: StationSettings, database: Database, plc: LinePlc
):
    with running_desk(settings, database) as desk:
        say(plc, "plant/plc/guard", {"active": True})
        told = Told(plc).has("plc.guard", "UNACK")
        assert (told["effect"], told["acked"], told["active"]) == ("hold", 0, 1)
        assert desk.alarms.why_held() == "alarm plc.guard: guard"
        say(plc, f"{BASE}/cmd/alarm", {"alarm_id": "plc.guard", "action": "ack", "by": "Ana"})
        assert Told(plc).has("plc.guard", "ACKED")["by"] == "Ana"
        say(plc, "plant/plc/guard", {"active": False})
        Told(plc).has("plc.guard", "NORM")
        assert desk.alarms.why_held() is None
    assert kinds(database) == [ChangeKind.RAISED, ChangeKind.ACKNOWLEDGED, ChangeKind.CLEARED]


def test_a_retained_alert_counts_since_it_says_what_is(
    settings: StationSettings, database: Database, plc: LinePlc
):
    say(plc, "plant/plc/guard", {"active": True}, retain=True)
    with running_desk(settings, database):
        Told(plc).has("plc.guard", "UNACK")


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("plant/plc/guard", b"{"),
        (f"{BASE}/cmd/alarm", b"{}"),
        (f"{BASE}/cmd/alarm", b'{"alarm_id":"nothing","action":"ack","by":"Ana"}'),
        (f"{BASE}/cmd/alarm", b'{"alarm_id":"x","action":"shelve","by":"Ana","reason":"r"}'),
    ],
)
def test_what_cannot_be_read_or_done_is_an_alarm_itself(
    settings: StationSettings, database: Database, plc: LinePlc, topic: str, payload: bytes
):
    with running_desk(settings, database) as desk:
        say(plc, topic, payload)
        told = Told(plc).has("alerts_malformed", "UNACK")
        assert str(told["message"]).startswith(f"1 since the start; newest: {topic}: ")
        assert desk.alarms.malformed == 1


def test_what_a_person_asks_through_the_database_is_done_and_answered(
    settings: StationSettings, database: Database, plc: LinePlc
):
    store = AlarmStore(database)
    with running_desk(settings, database) as desk:
        desk.alarms.condition("camera_lost.top", True, "no answer")
        await_that(lambda: store.load("line1") != ())
        done = command(Action.ACK)
        store.ask("line1", done)
        Told(plc).has("camera_lost.top", "ACKED")
        refused = command(Action.UNSHELVE)
        store.ask("line1", refused)
        await_that(lambda: store.commands("line1") == ())
    answers = {asked.command.id: asked.answer for asked in store.asked(limit=9)}
    assert answers[done.id] == ""
    assert "expected it shelved" in answers[refused.id]


def test_alarms_are_what_they_were_after_a_restart(
    settings: StationSettings, database: Database, plc: LinePlc
):
    with running_desk(settings, database):
        say(plc, "plant/plc/guard", {"active": True})
        Told(plc).has("plc.guard", "UNACK")
        say(plc, f"{BASE}/cmd/alarm", {"alarm_id": "plc.guard", "action": "ack", "by": "Ana"})
        Told(plc).has("plc.guard", "ACKED")
    with running_desk(settings, database) as desk:
        assert desk.alarms.state("plc.guard") is AlarmState.ACKED
        assert desk.alarms.why_held() is not None


def test_a_database_that_is_away_loses_no_line_of_the_history(
    settings: StationSettings, database: Database, tmp_path: Path
):
    file = tmp_path / "station.db"
    with running_desk(settings, database) as desk:
        with database.writing():  # SQLite's only writer: all others wait, and give up
            for _ in range(3):
                desk.alarms.condition("camera_lost.top", True, "no answer")
                desk.alarms.condition("camera_lost.top", False)
            await_that(lambda: (settings.records / "alarms.jsonl").exists())
            assert desk.alarms.why_held() is None  # nobody waits for the database
            shutil.copy(settings.records / "alarms.jsonl", tmp_path / "left.jsonl")
        await_that(lambda: desk.records.unrecorded == 0)
        await_that(lambda: not (settings.records / "alarms.jsonl").exists())
    assert kinds(database) == [ChangeKind.RAISED, ChangeKind.CLEARED] * 3
    assert file.exists()
    # as after a kill between the commit and the end of the journal
    shutil.copy(tmp_path / "left.jsonl", settings.records / "alarms.jsonl")
    AlarmDesk(settings, database=database).recover()
    assert len(kinds(database)) == 6


def test_more_changes_than_memory_takes_wait_in_the_journal_in_their_order(
    settings: StationSettings, database: Database
):
    alarms = Alarms(settings.alarms)
    records = AlarmRecords(
        alarms=alarms,
        store=AlarmStore(database),
        journal=AlarmJournal(settings.records / "alarms.jsonl"),
        station_id="line1",
        most_in_memory=2,
    )
    records.recover()
    with database.writing(), ThreadPoolExecutor(1) as thread:
        ended = thread.submit(records.run)
        for count in range(1, 4):
            alarms.condition("camera_lost.top", True, f"lost {count}")
            alarms.condition("camera_lost.top", False)
            await_that(lambda: alarms.changes.empty())
        assert records.unrecorded <= 2
        # the database is still away when the station stops
        records.stop()
        ended.result(30)
    again = AlarmDesk(settings, database=database)
    again.recover()
    assert kinds(database) == [ChangeKind.RAISED, ChangeKind.CLEARED] * 3
    assert again.alarms.all()[0].message == "lost 3"


def test_words_with_half_characters_reach_topic_journal_and_database(
    settings: StationSettings, database: Database, plc: LinePlc
):
    with running_desk(settings, database):
        say(plc, "plant/plc/guard", b'{"active": true, "text": "a\\ud800b"}')
        Told(plc).has("plc.guard", "UNACK")
    assert AlarmStore(database).load("line1")[0].message == "a?b"


def test_what_a_kill_left_in_the_journal_is_recorded_at_the_next_start(
    settings: StationSettings, database: Database
):
    desk = AlarmDesk(settings, database=database)
    desk.recover()
    desk.alarms.condition("camera_lost.top", True, "no answer")
    change = desk.alarms.changes.get_nowait()
    assert change is not None
    journal = AlarmJournal(settings.records / "alarms.jsonl")
    journal.add((change,))
    with (settings.records / "alarms.jsonl").open("ab") as file:
        file.write(b'{"id": "torn')
    again = AlarmDesk(settings, database=database)
    again.recover()
    assert kinds(database) == [ChangeKind.RAISED]
    assert again.alarms.state("camera_lost.top") is AlarmState.UNACK
    assert journal.read() == ()


def test_a_filter_for_everything_does_not_hear_the_station_itself(
    tmp_path: Path, own_port: int, migrated: Path
):
    wide = {"plc": [{"name": "all", "filter": "#", "shape": "scalar"}]}
    settings = station_settings(tmp_path, port=own_port, migrated=migrated, alarms=wide)
    settings.records.mkdir()
    with contextlib.closing(open_database(settings.database)) as database:
        desk = AlarmDesk(settings, database=database)
        desk.line.take(arrival(f"{BASE}/alarm/x", b"{}"))
        desk.line.take(arrival("elsewhere", b"1"))
        assert [alarm.id for alarm in desk.alarms.all()] == ["all.elsewhere"]


# --- the contract -----------------------------------------------------------------------------


def arrival(topic: str, payload: bytes) -> Arrival:
    return Arrival(topic=topic, payload=payload, retained=False, received_ns=0)


def command(action: Action) -> AlarmCommand:
    now = datetime.now(UTC)
    return AlarmCommand(
        id=uuid4(), alarm_id="camera_lost.top", action=action, by="Ana", at=now, reason="known"
    )


def validator(name: str) -> Callable[[object], None]:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    check: Callable[[object], None] = jsonschema.Draft202012Validator(schema).validate
    return check


@given(st.text(max_size=400))
def test_every_alarm_keeps_to_its_schema_and_to_a_kilobyte(message: str):
    alarm = raised(Alarm(id="a" * 64, source="b" * 32), at=NOON, message=message)
    payload = encode_alarm(alarm)
    validator("alarm")(json.loads(payload))
    assert len(payload) < 1000
    assert payload.isascii()


def test_a_command_says_how_long_to_shelve():
    content = {
        "schema": "alarm_command/1",
        "alarm_id": "camera_lost.top",
        "action": "shelve",
        "by": "Ana",
        "reason": "lens is being cleaned",
        "for_s": 900,
    }
    validator("alarm_command")(content)
    found = parse_command(json.dumps(content).encode(), now=NOON)
    assert (found.action, found.until) == (Action.SHELVE, NOON + timedelta(minutes=15))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'{"alarm_id":"a","action":"ack"}',
        b'{"alarm_id":"a/b","action":"ack","by":"Ana"}',
        b'{"alarm_id":"a","action":"delete","by":"Ana"}',
        b'{"alarm_id":"a","action":"ack","by":"Ana","for_s":5}',
        b'{"alarm_id":"a","action":"shelve","by":"Ana","for_s":true}',
        b'{"alarm_id":"a","action":"ack","by":"Ana","more":1}',
        b'{"schema":"other/1","alarm_id":"a","action":"ack","by":"Ana"}',
        b" " * 3000,
    ],
)
def test_a_command_that_is_none_is_refused(payload: bytes):
    with pytest.raises(MessageError, match="expected"):
        parse_command(payload, now=NOON)


@example_settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_no_payload_breaks_the_reader_of_commands(payload: bytes):
    with pytest.raises(MessageError):
        parse_command(payload, now=NOON)
