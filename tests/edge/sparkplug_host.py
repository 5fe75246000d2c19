"""A Sparkplug host application for tests, written from the specification over another's decoder.

`esio_spb_builder` ships the messages that the Eclipse Tahu project generates from its `.proto`.
What breaks a rule of the specification fails in `read`; the names in brackets are those of its
assertions (tck-id-…).
"""

from __future__ import annotations

import contextlib
import json
import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from edge_builders import WAIT_S
from esio_spb_builder.core import sparkplug_b_pb2 as tahu
from paho.mqtt.enums import CallbackAPIVersion

GROUP = "site1"
NODE = "line1"
TYPE_NAMES = {number: name for name, number in tahu.DataType.items()}
FIELDS = {
    "Int32": "int_value",
    "Int64": "long_value",
    "Double": "double_value",
    "Boolean": "boolean_value",
    "String": "string_value",
    "DateTime": "long_value",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One message of the edge node."""

    kind: str
    device: str
    payload: Any
    qos: int

    @property
    def values(self) -> dict[str, object]:
        return {metric.name: _value(metric) for metric in self.payload.metrics}

    @property
    def times_ms(self) -> set[int]:
        return {metric.timestamp for metric in self.payload.metrics}

    @property
    def is_historical(self) -> bool:
        flags = {metric.is_historical for metric in self.payload.metrics}
        assert len(flags) == 1
        return flags.pop()


@dataclass(slots=True)
class Host:
    """Follows one edge node, and checks that it keeps to the rules."""

    client: paho.Client
    arrivals: queue.SimpleQueue[paho.MQTTMessage]
    group: str = GROUP
    node: str = NODE
    told: list[Told] = field(default_factory=list)
    is_online: bool = False
    bd_seq: int | None = None
    born: dict[str, dict[str, int]] = field(default_factory=dict)  # types by device and name
    _seq: int = 0

    def await_(
        self,
        kind: str,
        device: str = "",
        wanted: Callable[[Told], bool] = lambda _told: True,
        *,
        after: int = 0,
    ) -> Told:
        """Return the first such message from the `after`-th one on, old or new."""
        index = after
        give_up = time.monotonic() + WAIT_S
        while True:
            while index < len(self.told):
                told = self.told[index]
                index += 1
                if (told.kind, told.device) == (kind, device) and wanted(told):
                    return told
            left = give_up - time.monotonic()
            seen = [(told.kind, told.device) for told in self.told[after:]]
            assert left > 0, f"no {kind} {device} within {WAIT_S} s; got {seen}"
            with contextlib.suppress(queue.Empty):
                self._read(self.arrivals.get(timeout=left))

    def part(self, request_id: str, *, after: int = 0) -> Told:
        return self.await_(
            "DDATA",
            "inspection",
            lambda told: told.values["Part/Request Id"] == request_id,
            after=after,
        )

    def read(self) -> None:
        """Take all that has arrived."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._read(self.arrivals.get_nowait())

    def parts(self) -> list[Told]:
        return [told for told in self.told if (told.kind, told.device) == ("DDATA", "inspection")]

    def command(self, name: str, value: bool, *, retain: bool = False) -> None:
        payload = tahu.Payload(timestamp=_now_ms())
        payload.metrics.add(
            name=name, timestamp=_now_ms(), datatype=tahu.Boolean, boolean_value=value
        )
        self.write(
            f"spBv1.0/{self.group}/NCMD/{self.node}", payload.SerializeToString(), retain=retain
        )

    def say_state(self, host: str, *, online: bool, at_ms: int) -> None:
        payload = json.dumps({"online": online, "timestamp": at_ms}).encode()
        self.write(f"spBv1.0/STATE/{host}", payload, retain=True, qos=1)

    def write(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 0) -> None:
        self.client.publish(topic, payload, qos=qos, retain=retain)

    def _read(self, message: paho.MQTTMessage) -> None:
        namespace, group, kind, *names = message.topic.split("/")
        if group == "STATE" or kind == "NCMD":
            return
        assert (namespace, group, names[0]) == ("spBv1.0", self.group, self.node)
        device = names[1] if len(names) > 1 else ""
        payload = tahu.Payload()
        payload.ParseFromString(message.payload)
        assert not message.retain  # [topics-nbirth-mqtt and its like]
        for metric in payload.metrics:
            assert metric.timestamp  # [payloads-name-birth-data-requirement]
            if not metric.is_null:
                # [payloads-metric-datatype-value]
                assert metric.HasField(FIELDS[TYPE_NAMES[metric.datatype]])
        if kind == "NDEATH":
            self._die(payload)
        else:
            self._check(kind, device, payload)
        self.told.append(Told(kind=kind, device=device, payload=payload, qos=message.qos))

    def _die(self, payload: Any) -> None:
        assert not payload.HasField("seq")  # [topics-ndeath-seq]
        (metric,) = payload.metrics  # [topics-ndeath-payload]
        assert metric.name == "bdSeq"
        if _value(metric) == self.bd_seq:
            self.is_online = False
            self.born.clear()

    def _check(self, kind: str, device: str, payload: Any) -> None:
        assert payload.timestamp
        types = {metric.name: metric.datatype for metric in payload.metrics}
        if kind == "NBIRTH":
            assert not device
            values = {metric.name: metric for metric in payload.metrics}
            assert payload.seq == 0  # [topics-nbirth-seq-num]
            assert values["bdSeq"].datatype == tahu.Int64
            rebirth = values["Node Control/Rebirth"]  # [topics-nbirth-rebirth-metric]
            assert (rebirth.datatype, rebirth.boolean_value) == (tahu.Boolean, False)
            self.is_online, self.bd_seq = True, _value(values["bdSeq"])
            self.born = {"": types}
        else:
            assert self.is_online, f"{kind} before NBIRTH"
            # [payloads-sequence-num-incrementing]
            assert payload.seq == (self._seq + 1) % 256
            if kind == "DBIRTH":
                self.born[device] = types
            elif kind == "DDEATH":
                del self.born[device]
            else:
                assert kind == ("DDATA" if device else "NDATA")
                # [operational-behavior-data-publish-dbirth]
                assert types.items() <= self.born[device].items()
        self._seq = payload.seq


def _value(metric: Any) -> object:
    return None if metric.is_null else getattr(metric, metric.WhichOneof("value"))


def _now_ms() -> int:
    return int(time.time() * 1000)


@contextlib.contextmanager
def sparkplug_host(
    port: int, *, user: str | None = None, group: str = GROUP, node: str = NODE
) -> Iterator[Host]:
    """Listen to all edge nodes; a `user` has its name for a password."""
    client = paho.Client(CallbackAPIVersion.VERSION2, f"host-{port}")
    if user is not None:
        client.username_pw_set(user, user)
    arrivals: queue.SimpleQueue[paho.MQTTMessage] = queue.SimpleQueue()
    subscribed: queue.SimpleQueue[None] = queue.SimpleQueue()
    client.on_message = lambda _client, _userdata, message: arrivals.put(message)
    client.on_subscribe = lambda *_: subscribed.put(None)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("spBv1.0/#", qos=1)
    subscribed.get(timeout=WAIT_S)
    try:
        yield Host(client, arrivals, group, node)
    finally:
        client.disconnect()
        client.loop_stop()
