"""MQTT v5 properties repeat the payload; a client or a broker on 3.1.1 lacks nothing."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from brokers import mosquitto, needs_mosquitto
from edge_builders import BASE, WAIT_S, LinePlc, await_that, line_plc, running
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge import messages
from inspector.settings import StationSettings


@contextlib.contextmanager
def listener(port: int, protocol: MQTTProtocolVersion) -> Iterator[queue.SimpleQueue]:
    """Hear all that a station says, with paho alone."""
    heard: queue.SimpleQueue = queue.SimpleQueue()
    subscribed: queue.SimpleQueue = queue.SimpleQueue()
    client = paho.Client(CallbackAPIVersion.VERSION2, "listener", protocol=protocol)
    client.on_message = lambda _client, _data, message: heard.put(message)
    client.on_subscribe = lambda *_: subscribed.put(None)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(f"{BASE}/#", 1)
    subscribed.get(timeout=WAIT_S)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def next_of(heard: queue.SimpleQueue, topic: str) -> paho.MQTTMessage:
    while True:
        message = heard.get(timeout=WAIT_S)
        if message.topic == f"{BASE}/{topic}":
            return message


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with mosquitto(tmp_path) as port:
        yield port


def at(settings: StationSettings, port: int) -> StationSettings:
    return StationSettings.model_validate(
        {**settings.model_dump(), "mqtt": {"port": port, "keepalive_s": 2}}
    )


def trigger_with(port: int, request_id: str, correlation: bytes) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, "asker", protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    properties = Properties(PacketTypes.PUBLISH)
    properties.CorrelationData = correlation
    payload = messages.encode_trigger(messages.Trigger(request_id=request_id, part_id="GOOD"))
    client.publish(f"{BASE}/cmd/trigger", payload, 1, properties=properties).wait_for_publish(
        WAIT_S
    )
    client.disconnect()
    client.loop_stop()


@needs_mosquitto
def test_the_properties_of_an_answer_repeat_its_payload(settings: StationSettings, port: int):
    with (
        listener(port, MQTTProtocolVersion.MQTTv5) as heard,
        line_plc(port) as plc,
        running(at(settings, port)),
    ):
        plc.await_state("Ready")
        plc.trigger("r1")
        for topic in (messages.ACCEPTED, messages.ACQUIRED, messages.RESULT):
            said = next_of(heard, topic).properties
            assert said.CorrelationData == b"r1"
            assert said.UserProperty == [("schema", f"{topic.removeprefix('evt/')}/1")]
            assert (said.ContentType, said.PayloadFormatIndicator) == ("application/json", 1)
        assert said.ResponseTopic == f"{BASE}/cmd/ack"
        assert 1 <= said.MessageExpiryInterval <= 5  # of deadline_ms
        record = next_of(heard, messages.RECORD).properties
        assert record.UserProperty == [("schema", "record/1")]
        assert not hasattr(record, "MessageExpiryInterval")


@needs_mosquitto
def test_an_asker_gets_its_own_mark_back(settings: StationSettings, port: int):
    with (
        listener(port, MQTTProtocolVersion.MQTTv5) as heard,
        line_plc(port) as plc,
        running(at(settings, port)),
    ):
        plc.await_state("Ready")
        for mark in (b"\x00\x01first", b"again"):  # the second is a repetition
            trigger_with(port, "r1", mark)
            assert next_of(heard, messages.RESULT).properties.CorrelationData == mark
        plc.trigger("r1", part_id="BAD")
        assert next_of(heard, messages.REJECTED).properties.CorrelationData == b"r1"


@needs_mosquitto
def test_a_listener_on_3_1_1_lacks_nothing(settings: StationSettings, port: int):
    with (
        listener(port, MQTTProtocolVersion.MQTTv311) as heard,
        line_plc(port) as plc,
        running(at(settings, port)),
    ):
        plc.await_state("Ready")
        trigger_with(port, "r1", b"mark")
        message = next_of(heard, messages.RESULT)
        assert message.properties is None
        assert messages.decode(messages.Result, message.payload).request_id == "r1"


def test_a_broker_on_3_1_1_alone_is_served_without_properties(
    settings: StationSettings, plc: LinePlc
):
    # the broker of the demo knows 3.1.1 only
    with running(settings) as station:
        plc.await_state("Ready")
        connection = station._line._up
        assert connection is not None
        assert not connection._v5
        plc.trigger("r1")
        assert plc.result("r1").decision == "PASS"
        await_that(lambda: plc.count(messages.RESULT) == 1)
