"""A connection to real brokers: rumqttd speaks 3.1.1 only, Mosquitto v5 where it is installed."""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from brokers import MOSQUITTO, mosquitto, needs_mosquitto
from edge_builders import WAIT_S

from edge.broker import broker
from edge.mqtt import Arrival, Link, Message
from inspector.errors import BrokerError, PortInUse
from inspector.settings import MqttSettings


@pytest.fixture(params=["rumqttd", "mosquitto"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    if request.param == "rumqttd":
        yield request.getfixturevalue("broker_port")
    elif MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    else:
        with mosquitto(tmp_path) as port:
            yield port


@contextlib.contextmanager
def linked(port: int, client_id: str, *topics: str, **more: object) -> Iterator[Link]:
    link = Link(MqttSettings(port=port), client_id=client_id, subscribe=topics, **more)  # type: ignore[arg-type]
    link.start()
    try:
        yield link
    finally:
        link.stop()


def next_arrival(link: Link) -> Arrival:
    return link.arrivals.get(timeout=WAIT_S)


def test_what_is_published_arrives_and_is_acknowledged(port: int):
    with linked(port, "a", "t/+") as ear, linked(port, "b") as mouth:
        token = mouth.publish(Message(topic="t/1", payload=b"hello"), expiry_s=0.5)
        arrival = next_arrival(ear)
        receipt = mouth.receipts.get(timeout=WAIT_S)
    assert (arrival.topic, arrival.payload, arrival.retained) == ("t/1", b"hello", False)
    assert receipt is not None
    assert (receipt.token, receipt.delivered) == (token, True)


def test_every_publication_has_its_own_receipt(port: int):
    with linked(port, "a", "t/#") as ear, linked(port, "b") as mouth:
        tokens = [
            mouth.publish(Message(topic="t/1", payload=b"%d" % number)) for number in range(200)
        ]
        arrived = [next_arrival(ear).payload for _ in range(200)]
        receipts = [mouth.receipts.get(timeout=WAIT_S) for _ in range(200)]
    assert arrived == [b"%d" % number for number in range(200)]
    assert sorted(r.token for r in receipts if r is not None) == tokens


def test_a_retained_message_is_known_as_such(port: int):
    with linked(port, "a") as mouth:
        mouth.publish(Message(topic="r/1", payload=b"old", retain=True))
        assert mouth.receipts.get(timeout=WAIT_S) is not None
        with linked(port, "b", "r/1") as ear:
            assert next_arrival(ear).retained


def test_the_link_is_up_only_with_its_subscription(port: int):
    told: list[bool] = []
    with linked(port, "a", "t/1", on_change=told.append) as ear, linked(port, "b") as mouth:
        assert (ear.is_up, told) == (True, [True])
        mouth.publish(Message(topic="t/1", payload=b"at once"))
        assert next_arrival(ear).payload == b"at once"


def test_the_farewell_takes_the_place_of_the_last_will(port: int):
    will = Message(topic="s/state", payload=b"gone", retain=True)
    with linked(port, "ear", "s/state") as ear:
        link = Link(MqttSettings(port=port), client_id="s", will=will)
        link.start()
        link.stop(farewell=Message(topic="s/state", payload=b"stopped", retain=True))
        assert next_arrival(ear).payload == b"stopped"
        with pytest.raises(queue.Empty):
            ear.arrivals.get(timeout=0.2)


def test_a_link_that_is_down_takes_nothing_and_comes_back():
    changes: queue.SimpleQueue[bool] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        with broker() as first:
            link = stack.enter_context(linked(first.port, "a", "t/1", on_change=changes.put))
            assert changes.get(timeout=WAIT_S)
        assert not changes.get(timeout=WAIT_S)
        assert link.publish(Message(topic="t/1", payload=b"lost")) is None
        with broker(first.port):
            assert changes.get(timeout=WAIT_S)
            link.publish(Message(topic="t/1", payload=b"new"))
            assert next_arrival(link).payload == b"new"
            stack.pop_all().close()


@needs_mosquitto
@pytest.mark.parametrize("waits_s", [0, 30])
def test_what_is_sent_while_a_link_is_renewed_waits_only_for_one_that_asks_for_it(
    tmp_path: Path, waits_s: int
):
    changes: queue.SimpleQueue[bool] = queue.SimpleQueue()
    with mosquitto(tmp_path) as port, linked(port, "b") as mouth:

        def changed(is_up: bool) -> None:
            if not is_up:
                for number in range(50):  # Mosquitto has 20 on the way at a time
                    mouth.publish(Message(topic="t/1", payload=b"%d" % number))
                for _ in range(50):
                    mouth.receipts.get(timeout=WAIT_S)
            changes.put(is_up)

        with linked(port, "a", "t/1", on_change=changed, resume_within_s=waits_s) as ear:
            assert changes.get(timeout=WAIT_S)
            ear.renew()
            assert not changes.get(timeout=WAIT_S)
            assert changes.get(timeout=WAIT_S)
            mouth.publish(Message(topic="t/1", payload=b"new"))
            heard = []
            while (arrival := next_arrival(ear)).payload != b"new":
                heard.append(arrival.payload)
            assert heard == [b"%d" % number for number in range(50 if waits_s else 0)]


@needs_mosquitto
def test_nothing_waits_for_a_link_that_was_stopped_or_whose_process_began_anew(tmp_path: Path):
    with mosquitto(tmp_path) as port, linked(port, "b") as mouth:
        with linked(port, "a", "t/1", resume_within_s=30):
            pass
        mouth.publish(Message(topic="t/1", payload=b"stopped"))
        receipt = mouth.receipts.get(timeout=WAIT_S)
        assert receipt is not None
        assert not receipt.heard, "the broker keeps the session of a link that was stopped"
        with linked(port, "a", "t/1", resume_within_s=30) as killed:
            killed._newest.give_up()  # type: ignore[union-attr]
            killed._stopping.set()
            mouth.publish(Message(topic="t/1", payload=b"killed"))
            receipt = mouth.receipts.get(timeout=WAIT_S)
            assert receipt is not None
            assert receipt.heard
        with linked(port, "a", "t/1", resume_within_s=30) as ear:
            mouth.publish(Message(topic="t/1", payload=b"new"))
            assert next_arrival(ear).payload == b"new"


def test_a_link_that_is_renewed_lets_its_last_will_speak(port: int):
    will = Message(topic="w/state", payload=b"gone", retain=True)
    with linked(port, "ear", "w/state") as ear, linked(port, "w", will=will) as link:
        link.renew()
        assert next_arrival(ear).payload == b"gone"


def test_no_broker_is_said_in_one_line():
    with pytest.raises(BrokerError, match="found none") as refused:
        Link(MqttSettings(port=1), client_id="a").start()
    assert str(refused.value).count("\n") == 0
    assert refused.value.exit_code == 6


def test_a_port_that_is_no_broker_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            for _ in range(2):
                connection, _address = server.accept()
                connection.recv(100)
                connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(BrokerError, match="check that the port speaks MQTT"):
            Link(MqttSettings(port=server.getsockname()[1]), client_id="a").start()


@needs_mosquitto
def test_a_wrong_password_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "passwords").write_text("")
    monkeypatch.setenv("TEST_MQTT_PASSWORD", "guess")
    rules = ("allow_anonymous false", f"password_file {tmp_path / 'passwords'}")
    with (
        mosquitto(tmp_path, *rules) as port,
        pytest.raises(BrokerError, match="to accept user 'line1', found 'Not authorized'"),
    ):
        Link(
            MqttSettings(port=port, username="line1", password_env="TEST_MQTT_PASSWORD"),
            client_id="a",
        ).start()


@needs_mosquitto
def test_a_broker_says_when_nobody_listens(tmp_path: Path):
    with mosquitto(tmp_path) as port, linked(port, "a") as mouth:
        mouth.publish(Message(topic="t/1", payload=b"hello"))
        receipt = mouth.receipts.get(timeout=WAIT_S)
    assert receipt is not None
    assert (receipt.delivered, receipt.heard) == (True, False)


def test_a_port_in_use_is_said_in_one_line():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(PortInUse, match="found it in use"),
        broker(taken.getsockname()[1]),
    ):
        pass


def test_the_broker_listens_on_loopback_only():
    with broker() as running:
        found = [
            line.split()[1]
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
            if line.split()[1].endswith(f":{running.port:04X}") and line.split()[3] == "0A"
        ]
    assert found == [f"0100007F:{running.port:04X}"]


def test_the_broker_ends_with_its_parent():
    script = (
        "import os, sys, time\n"
        "from edge.broker import broker\n"
        "with broker() as running:\n"
        "    print(running.port, flush=True)\n"
        "    time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    with socket.create_connection(("127.0.0.1", port), 5) as open_connection:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        open_connection.settimeout(WAIT_S)
        with contextlib.suppress(ConnectionResetError):
            assert open_connection.recv(1) == b"", "the broker lives on"
    parent.stdout.close()


def silent_broker(server: socket.socket) -> None:
    """Accept one MQTT v5 client, and never acknowledge what it publishes."""
    connection, _address = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(bytes([0x20, 3, 0, 0, 0]))  # CONNACK, success, no properties
        while connection.recv(65536):
            pass


def test_an_answer_that_would_wait_for_acknowledgements_is_not_taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=silent_broker, args=(server,), daemon=True).start()
        with linked(server.getsockname()[1], "a") as mouth:
            answer = Message(topic="t/1", payload=b"PASS")
            taken = [mouth.publish(answer, expiry_s=0.5) for _ in range(30)]
            assert mouth.is_up
    assert taken.count(None) == 10
    assert None not in taken[:20]
