"""A station that is watched: hung models, commands, metrics, the service manager, an interval."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from edge_builders import FakeInspector, LinePlc, await_that, running

from edge import commands, messages
from edge.mqtt import Arrival, Message
from edge.recorder import Acknowledged
from edge.watchdog import ServiceManager
from inspector.domain import Assessment, Decision, Reason
from inspector.settings import StationSettings

FUZZ = 5000


def changed(settings: StationSettings, **changes: object) -> StationSettings:
    return StationSettings.model_validate({**settings.model_dump(), **changes})


def command(plc: LinePlc, topic: str, payload: bytes) -> None:
    assert plc.link.publish(Message(topic=f"{plc.base}/{topic}", payload=payload)) is not None


def test_a_model_that_hangs_holds_its_part_and_is_replaced(settings: StationSettings, plc: LinePlc):
    gate = threading.Event()
    made: list[FakeInspector] = []

    def make() -> FakeInspector:
        made.append(FakeInspector(gate if not made else None))
        return made[-1]

    with running(changed(settings, stuck_after_s=0.5, deadline_ms=9000), make):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD")
        held = plc.result("r1")
        assert (held.decision, held.reason) == (Decision.HOLD, Reason.MODEL_FAILED)
        plc.trigger("r2", part_id="GOOD")
        assert plc.result("r2").decision is Decision.PASS
        gate.set()
    assert len(made) == 2


def test_what_a_late_thread_brings_changes_nothing(settings: StationSettings, plc: LinePlc):
    gate = threading.Event()

    class Late(FakeInspector):
        def inspect(self, *args: object, **more: object) -> Assessment:  # type: ignore[override]
            first = not self.asked
            self.asked.append(("", None, None))  # type: ignore[arg-type]
            if first:
                gate.wait(30)
            return super().inspect(*args, **more)  # type: ignore[arg-type]

    with running(changed(settings, stuck_after_s=0.5, deadline_ms=9000), Late):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD")
        assert plc.result("r1").reason is Reason.MODEL_FAILED
        gate.set()
        record = plc.await_message(messages.RECORD, lambda payload: b'"r1"' in payload)
        assert json.loads(record.payload)["verdict"]["decision"] == "HOLD"
    plc.await_end()
    assert plc.count(messages.RESULT) == 1
    assert plc.count(messages.RECORD) == 1


def test_records_come_again_when_they_are_asked_for(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        for number in (1, 2, 3):
            plc.trigger(f"r{number}")
            plc.await_message(messages.RECORD, lambda p, n=number: f'"r{n}"'.encode() in p)
        command(plc, messages.REPLAY, messages.encode_command(messages.ReplayOrder(after_seq=1)))
        again = plc.await_message(
            messages.RECORD, lambda payload: b'"r3"' in payload and b'"replayed": true' in payload
        )
    replayed = [
        json.loads(arrival.payload)["seq"]
        for arrival in plc.seen
        if arrival.topic.endswith("/record") and json.loads(arrival.payload)["replayed"]
    ]
    assert replayed == [2, 3]
    assert json.loads(again.payload)["seq"] == 3


def test_results_that_nobody_acknowledges_are_an_alarm_until_one_is(
    settings: StationSettings, plc: LinePlc
):
    mqtt = {**settings.mqtt.model_dump(), "ack_within_ms": 200}
    with running(changed(settings, mqtt=mqtt)) as station:
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.result("r1")
        await_that(lambda: station._conditions()["plc_not_listening"] is not None)
        assert "r1 was not acknowledged" in (station._conditions()["plc_not_listening"] or "")
        plc.trigger("r2")
        plc.result("r2")
        command(plc, messages.ACK, messages.encode_command(messages.Ack(request_id="r2")))
        await_that(lambda: station._conditions()["plc_not_listening"] is None)


def test_who_acknowledged_a_result_and_when_is_kept_with_the_part(
    settings: StationSettings, plc: LinePlc
):
    def acknowledged() -> dict[str, str]:
        with contextlib.closing(
            sqlite3.connect(settings.database.removeprefix("sqlite:///"))
        ) as database:
            return dict(
                database.execute(
                    "SELECT request_id, acknowledged_by FROM inspections "
                    "JOIN acknowledgements ON inspection_id = inspections.id"
                ).fetchall()
            )

    with running(settings):
        plc.await_state("Ready")
        for request_id in ("r1", "r2", "r3"):
            plc.trigger(request_id)
            plc.result(request_id)
        for ack in (
            messages.Ack(request_id="r1", by="robot 2"),
            messages.Ack(request_id="r2"),
            messages.Ack(request_id="never"),
        ):
            command(plc, messages.ACK, messages.encode_command(ack))
        await_that(lambda: len(acknowledged()) == 2)
    plc.await_end()
    plc.seen.clear()
    with running(settings):  # the PLC may take its time
        plc.await_state("Ready")
        command(plc, messages.ACK, messages.encode_command(messages.Ack(request_id="r3")))
        await_that(lambda: len(acknowledged()) == 3)
    assert acknowledged() == {"r1": "robot 2", "r2": "", "r3": ""}


def test_an_acknowledgement_may_be_quicker_than_the_row(settings: StationSettings, plc: LinePlc):
    blocker = sqlite3.connect(settings.database.removeprefix("sqlite:///"), isolation_level=None)
    with contextlib.closing(blocker), running(settings) as station:
        plc.await_state("Ready")
        await_that(lambda: station._recorder.unrecorded == 0)
        blocker.execute("BEGIN IMMEDIATE")
        plc.trigger("r1")
        part = plc.result("r1").inspection_id
        station._recorder._without_row[UUID(part)] = Acknowledged(
            id=UUID(part), by="robot 2", at=datetime.now(UTC)
        )
        blocker.execute("ROLLBACK")
        read = "SELECT acknowledged_by FROM acknowledgements"
        await_that(lambda: blocker.execute(read).fetchall() == [("robot 2",)])


def test_a_command_that_cannot_be_read_is_counted(settings: StationSettings, plc: LinePlc):
    with running(settings) as station:
        plc.await_state("Ready")
        for payload in (b"", b"{}", b"\xff", b'{"after_seq": -1}', b'{"after_seq": 1, "x": 2}'):
            command(plc, messages.REPLAY, payload)
        command(plc, messages.ACK, b'{"request_id": ""}')
        await_that(lambda: station._commands.bad == 6)
        plc.trigger("r1")
        assert plc.result("r1").decision is Decision.PASS


def test_metrics_and_health_say_what_happens(settings: StationSettings, plc: LinePlc):
    with running(changed(settings, metrics_port=0)) as station:
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD")
        plc.trigger("r2", part_id="NONE")
        plc.result("r1")
        plc.result("r2")
        server = station._metrics_server
        assert server is not None
        url = f"http://127.0.0.1:{server.port}"
        await_that(lambda: 'reason="NO_FRAME"' in fetched(f"{url}/metrics"))
        text = fetched(f"{url}/metrics")
        health = json.loads(fetched(f"{url}/healthz"))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetched(f"{url}/")
    assert 'inspector_triggers_total{outcome="passed"} 1.0' in text
    assert 'inspector_decisions_total{decision="HOLD",reason="NO_FRAME"} 1.0' in text
    assert 'inspector_stage_seconds_count{stage="total"} 2.0' in text
    assert "inspector_ready 1.0" in text
    assert (health["state"], health["station_id"]) == ("Ready", "line1")


def test_health_is_bad_while_nothing_can_pass(settings: StationSettings, plc: LinePlc):
    with running(changed(settings, metrics_port=0, min_free_mb=10**9)) as station:
        plc.await_state("Error")
        assert station._metrics_server is not None
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            fetched(f"http://127.0.0.1:{station._metrics_server.port}/healthz")
        assert "make room on the disk" in json.loads(refused.value.read())["detail"]


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def test_the_service_manager_hears_of_start_life_and_end(tmp_path: Path):
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(10)
        station = ServiceManager({"NOTIFY_SOCKET": str(address)})
        station.ready()
        station.alive("Ready\n nothing")
        station.stopping()
        said = [manager.recv(1000) for _ in range(3)]
    assert said == [b"READY=1", b"WATCHDOG=1\nSTATUS=Ready nothing", b"STOPPING=1"]
    station.ready()  # a manager that is gone stops nobody
    ServiceManager({}).ready()


def test_a_line_without_a_plc_is_triggered_by_the_station(settings: StationSettings, plc: LinePlc):
    with running(changed(settings, interval_ms=100)):
        plc.await_state("Ready")
        first = plc.await_message(messages.RESULT, lambda payload: b"auto-" in payload)
        plc.await_message(messages.RECORD, lambda payload: b"auto-" in payload)
    result = messages.decode(messages.Result, first.payload)
    # this camera shows a picture by part, and nobody says which part it is
    assert (result.decision, result.reason) == (Decision.HOLD, Reason.NO_FRAME)


def test_a_plc_without_json_gets_plain_numbers(settings: StationSettings, plc: LinePlc):
    mqtt = {**settings.mqtt.model_dump(), "scalars": True}
    with running(changed(settings, mqtt=mqtt)):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="BAD")
        plc.await_message("out/seq", lambda payload: payload == b"1")
    said = {
        arrival.topic.rpartition("/")[2]: arrival.payload
        for arrival in plc.seen
        if "/out/" in arrival.topic
    }
    assert said == {"request_id": b"r1", "code": b"2", "reason": b"RULE_VIOLATED", "seq": b"1"}


def garbage(chance: random.Random) -> bytes:
    """Return random bytes, a mutated message, or well-formed JSON of another kind."""
    kind = chance.random()
    if kind < 0.2:
        return chance.randbytes(chance.randrange(300))
    if kind < 0.4:
        value: object = chance.choice(
            (None, True, 1e308, "x" * 9000, [[]] * 50, {"request_id": None}, {"a": {"b": 1}})
        )
        return json.dumps(value).encode()
    good = bytearray(
        chance.choice(
            (
                messages.encode_trigger(messages.Trigger(request_id="known", part_id="GOOD")),
                messages.encode_command(messages.Ack(request_id="known")),
                messages.encode_command(messages.ReplayOrder(after_seq=2**40)),
                messages.encode(messages.SelfTest(nonce="0" * 32)),
            )
        )
    )
    for _ in range(chance.randrange(1, 8)):
        good[chance.randrange(len(good))] = chance.randrange(256)
    return bytes(good)


def test_no_payload_ends_a_thread_or_gets_a_wrong_answer(settings: StationSettings, plc: LinePlc):
    chance = random.Random(5)
    topics = [f"{plc.base}/{topic}" for topic in (messages.TRIGGER, *commands.TOPICS)]
    with running(settings) as station:
        plc.await_state("Ready")
        for number in range(FUZZ):
            station._line.arrivals.put(
                Arrival(
                    topic=chance.choice(topics),
                    payload=garbage(chance),
                    retained=number % 10 == 0,
                    received_ns=time.monotonic_ns(),
                )
            )
        await_that(lambda: station._line.arrivals.empty(), within_s=300)
        await_that(lambda: station._tickets.tally().open == 0, within_s=60)
        assert station._tickets.tally().is_conserved
        assert sum(station._supervisor.restarts.values()) == 0
        plc.trigger("r1", part_id="GOOD")
        assert plc.result("r1").decision is Decision.PASS
    for arrival in plc.seen:
        if arrival.topic.endswith(messages.RESULT) and b'"PASS"' in arrival.payload:
            result = messages.decode(messages.Result, arrival.payload)
            assert result.part_id == "GOOD", "a part that nobody asked for has passed"
