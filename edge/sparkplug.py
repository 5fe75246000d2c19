"""Sparkplug B payloads (Eclipse, version 3.0): the wire format, read and written.

The message types are described here instead of in generated code, which would tie the station to
one release of protobuf. Fields left out are skipped when a payload is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from inspector.errors import MessageError

NAMESPACE = "spBv1.0"
BIRTHS = frozenset({"NBIRTH", "DBIRTH"})
DATA = frozenset({"NDATA", "DDATA"})
DEATHS = frozenset({"NDEATH", "DDEATH"})
_PACKAGE = "inspector.sparkplug"
_OF_THE_PROTOCOL = ("bdSeq", "Node Control/", "Device Control/", "Node Info/")
_VALUES = (
    ("int_value", 10, "UINT32"),
    ("long_value", 11, "UINT64"),
    ("float_value", 12, "FLOAT"),
    ("double_value", 13, "DOUBLE"),
    ("boolean_value", 14, "BOOL"),
    ("string_value", 15, "STRING"),
    ("bytes_value", 16, "BYTES"),
)
_METRIC = (
    ("name", 1, "STRING"),
    ("alias", 2, "UINT64"),
    ("timestamp", 3, "UINT64"),
    ("datatype", 4, "UINT32"),
    ("is_historical", 5, "BOOL"),
    ("is_transient", 6, "BOOL"),
    ("is_null", 7, "BOOL"),
)
_PAYLOAD = (
    ("timestamp", 1, "UINT64"),
    ("seq", 3, "UINT64"),
    ("uuid", 4, "STRING"),
    ("body", 5, "BYTES"),
)


class DataType(IntEnum):
    """The types of metrics that a station writes, by the specification's numbers."""

    INT32 = 3
    INT64 = 4
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13


Value = bool | int | float | str | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A value with the moment it was taken; `is_historical` where it is told after others."""

    name: str
    datatype: DataType
    value: Value
    at: datetime
    is_historical: bool = False


class MetricNames:
    """The names that births give to aliases, by edge node."""

    def __init__(self) -> None:
        self._by_node: dict[tuple[str, str], dict[int, str]] = {}

    def forget(self, node: tuple[str, str]) -> None:
        self._by_node.pop(node, None)

    def learn(self, node: tuple[str, str], alias: int, name: str) -> None:
        self._by_node.setdefault(node, {})[alias] = name

    def name(self, node: tuple[str, str], alias: int) -> str | None:
        return self._by_node.get(node, {}).get(alias)


def encode(metrics: Iterable[Metric], *, at: datetime | None, seq: int | None) -> bytes:
    """Return the payload of a message sent at `at`; a death has no `seq`."""
    payload = payload_type()()
    if at is not None:
        payload.timestamp = _ms(at)
    if seq is not None:
        payload.seq = seq
    for metric in metrics:
        written = payload.metrics.add(
            name=metric.name, datatype=metric.datatype.value, timestamp=_ms(metric.at)
        )
        if metric.is_historical:
            written.is_historical = True
        if metric.value is None:
            written.is_null = True
        else:
            _write(written, metric.datatype, metric.value)
    return bytes(payload.SerializeToString())


def decode_command(payload: bytes) -> dict[str, bool | int | float | str | None]:
    """Return what a command writes, by metric; raise `MessageError` for what is no Sparkplug."""
    return {metric.name: _value(metric) for metric in _parsed(payload).metrics}


def decode_metrics(
    topic: str, payload: bytes, names: MetricNames
) -> Iterator[tuple[str, bool | int | float | str | None]]:
    """Yield name and value of each metric of a birth or data message; None where it has none.

    Names are `node/metric` or `node/device/metric`. Raises `MessageError` for what is no Sparkplug,
    for an alias that no birth has named, and for a death: what a dead node said last may be wrong.
    """
    levels = topic.split("/")
    if len(levels) not in {4, 5} or levels[0] != NAMESPACE:
        raise _wrong(f"expected a topic {NAMESPACE}/GROUP/TYPE/NODE, found {topic!r}")
    kind, node = levels[2], (levels[1], levels[3])
    if kind in DEATHS:
        raise _wrong(f"{'/'.join(levels[3:])} died; its alarms stay as they were")
    if kind not in BIRTHS | DATA:
        return  # a command or the state of a host says nothing of alarms
    message = _parsed(payload)
    if kind == "NBIRTH":
        names.forget(node)
    for metric in message.metrics:
        name = metric.name
        if kind in BIRTHS and metric.HasField("alias"):
            names.learn(node, metric.alias, name)
        if not name:
            name = names.name(node, metric.alias) or ""
        if not name:
            raise _wrong(f"expected alias {metric.alias} in a birth; ask for a rebirth")
        if name.startswith(_OF_THE_PROTOCOL) or metric.is_historical:
            continue
        yield "/".join((*levels[3:], name)), _value(metric)


def _parsed(payload: bytes) -> Any:
    message = payload_type()()
    try:
        message.ParseFromString(payload)
    except DecodeError as exc:
        raise _wrong("expected a Sparkplug B payload, found another") from exc
    # protobuf hands texts that are no UTF-8 over as bytes
    if any(isinstance(text, bytes) for m in message.metrics for text in (m.name, m.string_value)):
        raise _wrong("expected a Sparkplug B payload with texts in UTF-8, found other bytes")
    return message


def _write(metric: Any, datatype: DataType, value: Any) -> None:
    match datatype:
        case DataType.INT32:
            metric.int_value = value & 0xFFFF_FFFF  # two's complement, as the specification has it
        case DataType.INT64:
            metric.long_value = value & 0xFFFF_FFFF_FFFF_FFFF
        case DataType.DOUBLE:
            metric.double_value = value
        case DataType.BOOLEAN:
            metric.boolean_value = value
        case DataType.STRING:
            # text from a picture or a file may hold what UTF-8 cannot
            metric.string_value = value.encode("utf-8", "replace").decode()
        case DataType.DATETIME:
            metric.long_value = _ms(value)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _value(metric: Any) -> bool | int | float | str | None:
    chosen = metric.WhichOneof("value")
    if metric.is_null or chosen in {None, "bytes_value"}:
        return None
    value: bool | int | float | str = getattr(metric, chosen)
    return value


def _wrong(what: str) -> MessageError:
    return MessageError(what, request_id=None)


@cache
def payload_type() -> Any:
    """Return the message class `Payload`, whose field numbers are those of the specification."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="inspector/sparkplug.proto", package=_PACKAGE, syntax="proto2"
    )
    payload = file.message_type.add(name="Payload")
    metric = payload.nested_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for message, fields in ((metric, _METRIC), (payload, _PAYLOAD)):
        for name, number, kind in fields:
            message.field.add(
                name=name,
                number=number,
                label=field.LABEL_OPTIONAL,
                type=getattr(field, f"TYPE_{kind}"),
            )
    for name, number, kind in _VALUES:
        metric.field.add(
            name=name,
            number=number,
            label=field.LABEL_OPTIONAL,
            type=getattr(field, f"TYPE_{kind}"),
            oneof_index=0,
        )
    payload.field.add(
        name="metrics",
        number=2,
        label=field.LABEL_REPEATED,
        type=field.TYPE_MESSAGE,
        type_name=f".{_PACKAGE}.Payload.Metric",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))
