"""Connections to an MQTT broker. The only module that imports paho.

A `Link` is one connection. It tries MQTT v5 and falls back to 3.1.1, reconnects by itself, and
publishes only while it is connected: every connection has a new paho client, so nothing that was
queued before an outage is sent after it. What must survive an outage waits elsewhere (the outbox)
until `Link.publish` takes it. What others send meanwhile waits at the broker for a link that asks
for it, on v5; a link's first connection is a clean start always.

QoS 1 throughout, never 2: paho resends everything on reconnect beyond the broker's receive maximum,
and Mosquitto 2.0 drops the surplus but acknowledges it (paho issue 492).
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.units import NS_PER_S
from inspector.errors import BrokerError
from inspector.settings import MqttSettings

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
RETRY_FIRST_S, RETRY_MAX_S = 0.2, 5.0
FAILURE = 0x80  # MQTT v5, 2.4: reason codes from here on are failures
NO_MATCHING_SUBSCRIBERS = 0x10
SESSION_TAKEN_OVER = 0x8E
WORKS_WITHIN_S = 1.0  # a broker that acknowledged something so lately is at work
_BAD_LOGIN = {4, 5, 134, 135}  # 3.1.1 return codes and v5 reason codes
_SCHEMA = re.compile(rb'\{"schema": ?"([a-z_]{1,32}/[0-9]{1,3})"')  # first in every payload of ours
_PROTOCOLS = (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is to be published; with QoS 0 the broker gives no receipt.

    On v5 the properties repeat what the payload says of itself: JSON and its schema. `correlation`
    is the asker's own mark, or the request_id; `response_topic` is where an answer is awaited. None
    of it is there on 3.1.1, so nothing may depend on it.
    """

    topic: str
    payload: bytes
    retain: bool = False
    qos: Literal[0, 1] = 1
    correlation: bytes = b""
    response_topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What arrived, with the monotonic moment of its arrival, and in which session of its link.

    `correlation` is the v5 correlation data of the sender, for the answer to it.
    """

    topic: str
    payload: bytes
    retained: bool
    received_ns: int
    session: int = 0
    correlation: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The broker's word on a message that `publish` took.

    `delivered` is False where the broker refused it. `heard` is False where a v5 broker says that
    nobody subscribes.
    """

    token: int
    delivered: bool
    heard: bool = True
    detail: str = ""


class Link:
    """One connection to the broker, kept up by a thread of its own.

    Callbacks run in paho's thread: they only put into queues and set flags, since an exception
    there would silently end all receiving, and a lock held there and around `publish` deadlocks.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        subscribe: tuple[str, ...] = (),
        will: Message | Callable[[], Message] | None = None,
        on_change: Callable[[bool], None] = lambda _up: None,
        stall_ms: int | None = None,
        resume_within_s: int = 0,
    ) -> None:
        """Prepare a connection; `start` makes it. A `will` that is called is made for each one.

        `on_change` is told True when the link is up with every subscription acknowledged, and
        False when it is lost. The kernel gives a connection up after `stall_ms` without progress,
        so that nothing written to it arrives much later. A v5 broker keeps what arrives while the
        link is down for at most `resume_within_s`; it comes before what is sent afterwards.
        """
        self.arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self.receipts: queue.SimpleQueue[Receipt | None] = queue.SimpleQueue()
        self.reconnects = 0
        self.was_taken_over = False
        self._settings = settings
        self._client_id = client_id
        self._subscribe = subscribe
        self._will = will
        self._on_change = on_change
        self._stall_ms = stall_ms
        self._resume_within_s = resume_within_s
        self._has_been_up = False
        self._tokens = itertools.count(1)
        self._sessions = itertools.count(1)
        self._up: _Connection | None = None
        self._newest: _Connection | None = None  # stays until the thread has closed it
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name=f"mqtt-{client_id}", daemon=True)

    @property
    def is_up(self) -> bool:
        """Whether the link is connected and every subscription acknowledged."""
        return self._up is not None

    @property
    def session(self) -> int | None:
        """The number of the connection that is up, which no other has had; None where none is."""
        connection = self._up
        return None if connection is None else connection.session

    @property
    def name(self) -> str:
        return self._thread.name

    def trouble(self) -> str | None:
        """Return why the connection must be renewed, None where it need not.

        A broker that hangs acknowledges nothing, long before the keepalive notices; and where
        paho's own thread has ended, the connection stays "up" and nothing moves.
        """
        connection = self._up
        if self._thread.ident is not None and not self._thread.is_alive():
            return "the thread that keeps the connection up has ended"
        return None if connection is None else connection.trouble()

    def renew(
        self, why: str = "it moved nothing any more", *, has_taken_leave: bool = False
    ) -> None:
        """Give the connection up and make another.

        The broker publishes the last will, unless the link `has_taken_leave` by itself.
        """
        connection = self._up
        if connection is not None:
            connection.why_lost = why
            connection.has_taken_leave = has_taken_leave
            self._up = None
            connection.lost.set()
        if self._thread.ident is not None and not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._keep_up, name=self._thread.name, daemon=True
            )
            self._thread.start()

    def start(self) -> None:
        """Connect; raise `BrokerError` where the broker cannot be reached or refuses."""
        connection = self._connect()
        self._announce(connection)
        self._thread.start()

    def publish(
        self, message: Message, *, expiry_s: float | None = None, session: int | None = None
    ) -> int | None:
        """Hand `message` to the broker; return a token that its receipt will carry.

        Returns None where the link is down: the message is then gone, not queued. `expiry_s` is
        the v5 message expiry, rounded up to whole seconds; a message that has one never waits for
        acknowledgements that the broker owes: it leaves with QoS 0, or, where the broker seems to
        hang, is not taken. Nor is one for another `session` than the present one.
        """
        connection = self._up
        if connection is None or session not in {None, connection.session}:
            return None
        token = next(self._tokens)
        return token if connection.publish(message, token=token, expiry_s=expiry_s) else None

    def stop(self, *, farewell: Message | None = None, timeout_s: float = 2.0) -> None:
        """Publish `farewell` in place of the last will and disconnect."""
        self._stopping.set()
        connection, self._up = self._up or self._newest, None
        if connection is not None:
            connection.close(farewell=farewell, timeout_s=timeout_s)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _connect(self) -> _Connection:
        refused: BrokerError | None = None
        for protocol in _PROTOCOLS:
            connection = _Connection(self, protocol)
            try:
                connection.open()
                return connection
            except _OtherProtocol as exc:
                refused = exc.broker_error
        assert refused is not None
        raise refused

    def _announce(self, connection: _Connection) -> None:
        self._has_been_up = True
        self._up = self._newest = connection
        connection.hand_over()
        self._on_change(True)

    def _keep_up(self) -> None:
        retry_s = RETRY_FIRST_S
        told = ""
        while not self._stopping.is_set():
            connection = self._newest
            if connection is not None:
                connection.lost.wait()
                if self._stopping.is_set():
                    return
                self._up = self._newest = None
                connection.give_up()
                log.warning("%s: broker connection lost: %s", self._client_id, connection.why_lost)
                if connection.was_taken_over:
                    self.was_taken_over = True
                    retry_s = RETRY_MAX_S  # or the two would throw each other out for ever
                self._on_change(False)
            if self._stopping.wait(retry_s):
                return
            try:
                connection = self._connect()
            except BrokerError as exc:
                retry_s = min(retry_s * 2, RETRY_MAX_S)
                level = logging.INFO if str(exc) == told else logging.WARNING
                log.log(level, "%s: %s; next try in %.1f s", self._client_id, exc, retry_s)
                told = str(exc)
                continue
            retry_s, told = RETRY_FIRST_S, ""
            self.reconnects += 1
            self._announce(connection)


def _tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """Return what checks the broker and, with a certificate, shows who the station is.

    Raises `BrokerError` that names the file which does not serve.
    """
    named = settings.ca_file or "the system's certificates"
    try:
        context = ssl.create_default_context(
            cafile=None if settings.ca_file is None else str(settings.ca_file)
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.cert_file is not None:
            named = f"{settings.cert_file} with {settings.key_file}"
            context.load_cert_chain(
                str(settings.cert_file), str(settings.key_file), password=_no_password
            )
    except (OSError, ValueError) as exc:
        raise BrokerError(
            f"expected {named} to hold certificate and key in PEM, found {exc}; "
            "correct mqtt.ca_file, cert_file and key_file"
        ) from exc
    return context


def _no_password() -> str:
    raise ValueError("a key with a password, which a station that starts by itself cannot ask for")


def _properties(message: Message, *, expiry_s: float | None) -> Properties:
    """Return the v5 properties of `message` (MQTT v5, 3.3.2.3)."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if (schema := _SCHEMA.match(message.payload)) is not None:
        properties.PayloadFormatIndicator = 1  # UTF-8
        properties.ContentType = "application/json"
        properties.UserProperty = [("schema", schema[1].decode())]
    if message.correlation:
        properties.CorrelationData = message.correlation
    if message.response_topic:
        properties.ResponseTopic = message.response_topic
    if expiry_s is not None:
        properties.MessageExpiryInterval = max(1, math.ceil(expiry_s))
    return properties


class _OtherProtocol(Exception):
    """The broker does not speak this version of MQTT, or hung up as old ones do on v5."""

    def __init__(self, broker_error: BrokerError) -> None:
        super().__init__(str(broker_error))
        self.broker_error = broker_error


class _Connection:
    """One paho client from connect to loss; never used again after it."""

    def __init__(self, link: Link, protocol: MQTTProtocolVersion) -> None:
        self.lost = threading.Event()
        self.why_lost = ""
        self.has_taken_leave = False
        self.session = next(link._sessions)
        self._link = link
        self._settings = link._settings
        self._v5 = protocol == MQTTProtocolVersion.MQTTv5
        self._answered = threading.Event()
        self._connected = False
        self.was_taken_over = False
        self._refused: ReasonCode | None = None
        self._subscribing: int | None = None
        self._denied: tuple[str, ...] = ()
        # token per packet id: a PUBACK may arrive before publish() returns, so both sides look
        self._tokens: dict[int, int] = {}
        self._sent_ns: dict[int, int] = {}
        self._acknowledged_ns = 0
        self._early: dict[int, Receipt] = {}
        self._tokens_lock = threading.Lock()
        # what waited at the broker comes before the link is up, and nobody could answer it
        self._too_early: list[Arrival] | None = []
        self._arrivals_lock = threading.Lock()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            link._client_id,
            protocol=protocol,
            reconnect_on_failure=False,
            clean_session=None if self._v5 else True,
        )
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        password = self._settings.password()
        if self._settings.username is not None:
            self._client.username_pw_set(self._settings.username, password)
        if link._will is not None:
            will = link._will() if callable(link._will) else link._will
            self._client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        if self._settings.tls:
            self._client.tls_set_context(_tls_context(self._settings))
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_socket_open = self._on_socket_open

    def open(self) -> None:
        """Connect and subscribe; raise `BrokerError` or `_OtherProtocol`."""
        settings = self._settings
        where = f"{settings.host}:{settings.port}"
        try:
            self._client.connect(
                settings.host,
                settings.port,
                keepalive=settings.keepalive_s,
                **(self._session_of_the_link() if self._v5 else {}),
            )
        except ssl.SSLError as exc:
            raise BrokerError(
                f"expected a broker with a good certificate at {where}, found "
                f"{getattr(exc, 'verify_message', '') or exc.reason or exc}; renew the "
                "certificate, correct mqtt.ca_file, or check that this port speaks TLS"
            ) from exc
        except (OSError, ValueError) as exc:
            raise BrokerError(
                f"expected an MQTT broker at {where}, found none ({exc}); "
                "start it or correct mqtt.host and mqtt.port"
            ) from exc
        self._client.loop_start()
        in_time = self._answered.wait(CONNECT_TIMEOUT_S)
        if in_time and self._connected and self._refused is None and not self._denied:
            return
        if self._link._resume_within_s and self._link._has_been_up:
            self.give_up()  # a broker that answers late must not take it for a farewell
        else:
            self.close()
        if self._denied:
            raise BrokerError(
                f"expected the broker at {where} to let {self._link._client_id} subscribe to "
                f"{', '.join(self._denied)}, found it refused; correct the broker's access list"
            )
        if self._refused is not None and self._refused.value in _BAD_LOGIN:
            raise BrokerError(
                f"expected the broker at {where} to accept user {settings.username!r}, found "
                f"{str(self._refused)!r}; correct mqtt.username and the password"
            )
        found = str(self._refused) if self._refused is not None else "no answer to CONNECT"
        if self._settings.tls and self._refused is None:
            found += ", or no trust in the station's certificate"
        raise _OtherProtocol(
            BrokerError(
                f"expected an MQTT broker at {where}, found {found!r}; "
                "check that the port speaks MQTT v5 or 3.1.1"
            )
        )

    def _session_of_the_link(self) -> dict[str, Any]:
        within_s = self._link._resume_within_s
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = within_s
        return {
            "clean_start": not (within_s and self._link._has_been_up),
            "properties": properties,
        }

    def hand_over(self) -> None:
        """Let the link have what arrived, now that it is up."""
        with self._arrivals_lock:
            early, self._too_early = self._too_early or [], None
            for arrival in early:
                self._link.arrivals.put(arrival)

    def publish(self, message: Message, *, token: int, expiry_s: float | None) -> bool:
        qos: int = message.qos
        if expiry_s is not None and len(self._tokens) >= self._client.max_inflight_messages:
            # paho would keep it until the broker acknowledges others: late. Where the broker works,
            # it gets it now, without an acknowledgement; where it does not, it gets it not at all.
            if time.monotonic_ns() - self._acknowledged_ns > WORKS_WITHIN_S * NS_PER_S:
                return False
            qos = 0
        taken = self._client.publish(
            message.topic,
            message.payload,
            qos=qos,
            retain=message.retain,
            properties=_properties(message, expiry_s=expiry_s) if self._v5 else None,
        )
        if taken.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        if qos == 0:
            return True
        with self._tokens_lock:
            early = self._early.pop(taken.mid, None)
            if early is None:
                self._tokens[taken.mid] = token
                self._sent_ns[taken.mid] = time.monotonic_ns()
        if early is not None:
            self._link.receipts.put(
                Receipt(
                    token=token, delivered=early.delivered, heard=early.heard, detail=early.detail
                )
            )
        return True

    def trouble(self) -> str | None:
        thread = self._client._thread
        if not self.lost.is_set() and (thread is None or not thread.is_alive()):
            return "the connection's network thread has ended"
        with self._tokens_lock:
            oldest_ns = min(self._sent_ns.values(), default=None)
        if oldest_ns is None:
            return None
        # a slow broker that works through what it was sent is not stuck
        waits_s = (time.monotonic_ns() - max(oldest_ns, self._acknowledged_ns)) / NS_PER_S
        if waits_s <= self._settings.keepalive_s:
            return None
        return f"the broker has acknowledged nothing for {waits_s:.1f} s"

    def give_up(self) -> None:
        """End the connection without a word, so that the broker keeps the session and its will."""
        if self.has_taken_leave:
            self.close()
            return
        if (sock := self._client.socket()) is not None:
            with contextlib.suppress(OSError):  # it is lost already
                sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
        self._client.loop_stop()

    def close(self, *, farewell: Message | None = None, timeout_s: float = 2.0) -> None:
        """Disconnect in order: no last will, and nothing waits at the broker any more."""
        if farewell is not None:
            taken = self._client.publish(
                farewell.topic, farewell.payload, qos=1, retain=farewell.retain
            )
            with contextlib.suppress(RuntimeError, ValueError):  # raised where it is not connected
                taken.wait_for_publish(timeout_s)
        properties = None
        if self._v5 and self._link._resume_within_s:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
        self._client.disconnect(properties=properties)
        self.lost.set()
        self._client.loop_stop()

    def _on_socket_open(self, _client: paho.Client, _userdata: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._link._stall_ms is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._link._stall_ms)

    def _on_connect(
        self, client: paho.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _props: Any
    ) -> None:
        if reason.is_failure:
            self._refused = reason
            self._answered.set()
            return
        self._connected = True
        if not self._link._subscribe:
            self._answered.set()
            return
        _, self._subscribing = client.subscribe([(topic, 1) for topic in self._link._subscribe])

    def _on_subscribe(
        self, _client: paho.Client, _userdata: Any, mid: int, reasons: list[ReasonCode], _props: Any
    ) -> None:
        if mid == self._subscribing:
            self._denied = tuple(
                topic
                for topic, reason in zip(self._link._subscribe, reasons, strict=False)
                if reason.value >= FAILURE
            )
            self._answered.set()

    def _on_disconnect(
        self, _client: paho.Client, _userdata: Any, _flags: Any, reason: ReasonCode, _props: Any
    ) -> None:
        self.why_lost = str(reason)
        self.was_taken_over |= reason.value == SESSION_TAKEN_OVER
        if self._link._up is self:
            self._link._up = None  # at once: nothing more is handed to a dead connection
        self._connected = False
        self._answered.set()
        self.lost.set()

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        arrival = Arrival(
            topic=message._topic.decode("utf-8", "replace"),  # .topic raises on bad UTF-8
            payload=bytes(message.payload),
            retained=bool(message.retain),
            received_ns=time.monotonic_ns(),
            session=self.session,
            # only there where the sender gave it, and never on 3.1.1
            correlation=bytes(getattr(message.properties, "CorrelationData", b"")),
        )
        with self._arrivals_lock:
            if self._too_early is None:
                self._link.arrivals.put(arrival)
            else:
                self._too_early.append(arrival)

    def _on_publish(
        self, _client: paho.Client, _userdata: Any, mid: int, reason: ReasonCode, _props: Any
    ) -> None:
        delivered = reason.value < FAILURE
        heard = reason.value != NO_MATCHING_SUBSCRIBERS
        with self._tokens_lock:
            self._acknowledged_ns = time.monotonic_ns()
            self._sent_ns.pop(mid, None)
            token = self._tokens.pop(mid, None)
            if token is None:
                self._early[mid] = Receipt(
                    token=0, delivered=delivered, heard=heard, detail=str(reason)
                )
                return
        self._link.receipts.put(
            Receipt(token=token, delivered=delivered, heard=heard, detail=str(reason))
        )
