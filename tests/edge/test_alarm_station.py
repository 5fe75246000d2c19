"""What alarms do to the parts of a whole station."""

from __future__ import annotations

import json
import threading
import urllib.request
from pathlib import Path

import pytest
from brokers import mosquitto, needs_mosquitto
from edge_builders import (
    BASE,
    FakeInspector,
    LinePlc,
    await_that,
    line_plc,
    running,
    station_settings,
)

from edge import messages
from edge.mqtt import Message
from inspector.domain import Decision, Reason
from inspector.settings import StationSettings
from inspector.storage.alarms import AlarmStore
from inspector.storage.database import open_database

ALARMS = {
    "own": {"failures_in_a_row": {"effect": "pause"}},
    "failures_limit": 2,
    "plc": [
        {"name": "guard", "filter": "plant/guard", "effect": "hold"},
        {"name": "door", "filter": "plant/door", "effect": "pause"},
        {"name": "light", "filter": "plant/light"},
    ],
}


@pytest.fixture
def settings(tmp_path: Path, own_port: int, migrated: Path) -> StationSettings:
    return station_settings(tmp_path, port=own_port, migrated=migrated, alarms=ALARMS)


def say(plc: LinePlc, what: str, active: bool) -> None:
    payload = json.dumps({"active": active}).encode()
    assert plc.link.publish(Message(topic=f"plant/{what}", payload=payload)) is not None
    told(plc, what, active=int(active))


def ask(plc: LinePlc, name: str, action: str, state: str, **more: object) -> None:
    payload = json.dumps({"alarm_id": name, "action": action, "by": "Ana", **more}).encode()
    plc.seen.clear()
    assert plc.link.publish(Message(topic=f"{BASE}/cmd/alarm", payload=payload)) is not None
    told(plc, name, state=state)


def told(plc: LinePlc, name: str, **wanted: object) -> str:
    """Wait until the newest word on an alarm is as wanted; return its message."""
    arrival = plc.await_message(
        f"alarm/{name}",
        lambda payload: wanted.items() <= json.loads(payload).items(),
    )
    return str(json.loads(arrival.payload)["message"])


def test_a_good_part_is_held_while_an_alarm_holds_and_passes_after_it(
    settings: StationSettings, plc: LinePlc
):
    with running(settings):
        plc.await_state("Ready")
        say(plc, "guard", True)
        plc.trigger("r1")
        held = plc.result("r1")
        assert (held.decision, held.reason) == (Decision.HOLD, Reason.ALARM_ACTIVE)
        plc.trigger("r2", part_id="BAD")
        assert plc.result("r2").decision is Decision.FAIL  # a bad part stays one
        say(plc, "guard", False)
        plc.trigger("r3")
        assert plc.result("r3").decision is Decision.PASS


@needs_mosquitto
def test_an_alarm_that_comes_while_its_link_is_renewed_holds_the_next_part(
    tmp_path: Path, settings: StationSettings
):
    with mosquitto(tmp_path) as port, line_plc(port) as plc:
        settings = StationSettings.model_validate(
            {**settings.model_dump(), "mqtt": {"port": port, "keepalive_s": 2}}
        )
        with running(settings) as station:
            plc.await_state("Ready")
            link = station._desk.link
            link.renew()
            assert not link.is_up
            say(plc, "guard", True)
            await_that(lambda: station._state()[0] == "Ready")
            plc.trigger("r1")
            assert plc.result("r1").reason is Reason.ALARM_ACTIVE


def test_an_alarm_that_comes_while_a_part_is_judged_holds_it(
    settings: StationSettings, plc: LinePlc
):
    gate = threading.Event()
    with running(settings, lambda: FakeInspector(gate)):
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.await_message(messages.ACQUIRED, lambda _payload: True)
        say(plc, "guard", True)
        gate.set()
        assert plc.result("r1").reason is Reason.ALARM_ACTIVE


def test_an_alarm_that_is_only_noted_changes_no_answer(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        say(plc, "light", True)
        plc.trigger("r1")
        assert plc.result("r1").decision is Decision.PASS


def test_an_alarm_out_of_service_lets_parts_pass_and_a_shelved_one_does_not(
    settings: StationSettings, plc: LinePlc
):
    with running(settings):
        plc.await_state("Ready")
        say(plc, "guard", True)
        ask(plc, "guard", "shelve", "SHLVD", reason="known", for_s=600)
        plc.trigger("r1")
        assert plc.result("r1").reason is Reason.ALARM_ACTIVE
        ask(plc, "guard", "out_of_service", "OOSRV", reason="switch is broken")
        plc.trigger("r2")
        assert plc.result("r2").decision is Decision.PASS
    database = open_database(settings.database)
    events = AlarmStore(database).events(limit=9, alarm_id="guard")
    database.close()
    assert [(event.kind, event.by, event.reason) for event in events] == [
        ("OUT_OF_SERVICE", "Ana", "switch is broken"),
        ("SHELVED", "Ana", "known"),
        ("RAISED", "station", ""),
    ]


def test_an_alarm_that_pauses_refuses_triggers_until_it_goes(
    settings: StationSettings, plc: LinePlc
):
    with running(settings):
        plc.await_state("Ready")
        say(plc, "door", True)
        assert plc.await_state("Halted").detail == "alarm door: door"
        plc.trigger("r1")
        assert plc.rejected("r1").reason == "NOT_READY"
        plc.seen.clear()
        say(plc, "door", False)
        plc.await_state("Ready")
        plc.trigger("r2")
        assert plc.result("r2").decision is Decision.PASS


def test_bad_parts_in_a_row_pause_the_line_until_a_person_has_seen_it(
    settings: StationSettings, plc: LinePlc
):
    with running(settings):
        plc.await_state("Ready")
        for request_id in ("r1", "r2"):
            plc.trigger(request_id, part_id="BAD")
            plc.result(request_id)
        plc.await_state("Halted")
        ask(plc, "failures_in_a_row", "ack", "NORM")
        plc.await_state("Ready")
        plc.trigger("r3")
        assert plc.result("r3").decision is Decision.PASS


def test_an_alarm_of_the_plc_still_holds_after_a_restart(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        say(plc, "guard", True)
    plc.await_end()
    plc.seen.clear()
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1")
        assert plc.result("r1").reason is Reason.ALARM_ACTIVE


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("cmd/trigger", b'{"requestid": "r1"}'),
        ("cmd/trigger", b"hello"),
        ("cmd/ack", b'{"request": "r1"}'),
        ("cmd/replay", b"{}"),
    ],
)
def test_what_nobody_can_be_answered_about_is_an_alarm(
    settings: StationSettings, plc: LinePlc, topic: str, payload: bytes
):
    with running(settings):
        plc.await_state("Ready")
        asked = f"{settings.mqtt_base}/{topic}"
        assert plc.link.publish(Message(topic=asked, payload=payload)) is not None
        message = told(plc, "alerts_malformed", state="UNACK")
    assert message.startswith(f"1 since the start; newest: {asked}: expected ")


def test_metrics_count_alarms_and_what_could_not_be_read(settings: StationSettings, plc: LinePlc):
    watched = StationSettings.model_validate({**settings.model_dump(), "metrics_port": 0})
    with running(watched) as station:
        plc.await_state("Ready")
        say(plc, "light", True)
        assert plc.link.publish(Message(topic="plant/light", payload=b"{")) is not None
        told(plc, "alerts_malformed", state="UNACK")
        assert station._metrics_server is not None
        url = f"http://127.0.0.1:{station._metrics_server.port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
    assert "inspector_alerts_malformed_total 1.0" in text
    assert "inspector_alarms_unacknowledged 2.0" in text
