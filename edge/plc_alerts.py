"""Alerts of PLCs and gateways: what a payload says of which alarm.

| shape     | payload                                                                          |
|-----------|----------------------------------------------------------------------------------|
| json      | an object (or a list of them at `each`) whose fields lie at dotted paths          |
| kepware   | IoT Gateway: `{"timestamp":…,"values":[{"id":"Ch.Dev.Tag","v":1,"q":true,"t":…}]}` |
| neuron    | EMQX Neuron: `{"node":…,"group":…,"values":{"tag":1},"errors":{"tag":2014}}`       |
| scalar    | the condition alone: `1`, `true`, `ON`; the id is in the topic                     |
| sparkplug | Sparkplug B: each metric of a birth or data message                                |

What cannot be read is a mistake that says what was expected; it never hides the alerts beside it,
and never clears an alarm.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from edge.sparkplug import MetricNames, decode_metrics
from inspector.alarm_settings import Flag, PlcAlertSettings
from inspector.alarms import Priority, alarm_id
from inspector.errors import MessageError

MAX_ALERT_BYTES = 262_144
MAX_MESSAGE_CHARS = 200
_YES = frozenset({"true", "1", "on", "yes", "active", "alarm"})
_NO = frozenset({"false", "0", "off", "no", "inactive", "normal", "ok"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alarm of a PLC as it is now; `priority` where the payload says it."""

    alarm_id: str
    active: bool
    message: str
    priority: Priority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """What one message says; `mistakes` are the parts of it that could not be read."""

    alerts: tuple[Alert, ...] = ()
    mistakes: tuple[str, ...] = ()


class AlertReader:
    """Reads the messages of one rule. One thread, since Sparkplug's aliases are remembered."""

    def __init__(self, rule: PlcAlertSettings) -> None:
        self.rule = rule
        self._ids = None if rule.ids is None else re.compile(rule.ids)
        self._yes = _words(rule.active_when) or _YES
        self._no = _words(rule.inactive_when) or (None if rule.active_when else _NO)
        self._names = MetricNames()

    def wants(self, topic: str) -> bool:
        """Return whether the rule's filter matches `topic`."""
        return wildcards(self.rule.filter, topic) is not None

    def read(self, topic: str, payload: bytes) -> Alerts:
        """Return the alerts of one message; never raises for what it holds."""
        levels = wildcards(self.rule.filter, topic) or ()
        try:
            if len(payload) > MAX_ALERT_BYTES:
                raise MessageError(
                    f"expected at most {MAX_ALERT_BYTES} bytes, found {len(payload)}",
                    request_id=None,
                )
            found = tuple(self._found(topic, levels, payload))
        except MessageError as exc:
            return Alerts(mistakes=(f"{topic}: {exc}"[:MAX_MESSAGE_CHARS],))
        return Alerts(
            alerts=tuple(one for one in found if isinstance(one, Alert)),
            mistakes=tuple(
                f"{topic}: {one}"[:MAX_MESSAGE_CHARS] for one in found if isinstance(one, str)
            ),
        )

    def _found(self, topic: str, levels: tuple[str, ...], payload: bytes) -> Iterator[Alert | str]:
        match self.rule.shape:
            case "json":
                yield from self._objects(levels, _parsed(payload))
            case "kepware":
                yield from self._kepware(_parsed(payload))
            case "neuron":
                yield from self._neuron(_parsed(payload))
            case "scalar":
                yield self._alert(levels, _scalar(payload))
            case "sparkplug":
                for name, value in decode_metrics(topic, payload, self._names):
                    if self._is_alert(name):
                        yield self._alert((name,), value)

    def _objects(self, levels: tuple[str, ...], content: object) -> Iterator[Alert | str]:
        if self.rule.each is None:
            yield from self._object(levels, content)
            return
        entries = at_path(content, self.rule.each)
        if not isinstance(entries, list):
            yield f"expected a list at {self.rule.each!r}, found {_quoted(entries)}"
            return
        for entry in entries:
            yield from self._object(levels, entry)

    def _object(self, levels: tuple[str, ...], entry: object) -> Iterator[Alert | str]:
        rule = self.rule
        names = levels
        if rule.id is not None:
            written = at_path(entry, rule.id)
            if isinstance(written, bool) or not isinstance(written, str | int) or written == "":
                yield f"expected an id at {rule.id!r}, found {_quoted(written)}"
                return
            names = (str(written),)
        if not self._is_alert(".".join(names)):
            return
        message = "" if rule.message is None else at_path(entry, rule.message)
        priority: Priority | None = None
        if rule.priority_at is not None:
            level = at_path(entry, rule.priority_at)
            priority = rule.priorities.get(_word(level) or "") or rule.priorities.get(str(level))
            if priority is None:
                known = ", ".join(rule.priorities)
                yield f"expected one of {known} at {rule.priority_at!r}, found {_quoted(level)}"
        yield self._alert(
            names,
            at_path(entry, rule.active),
            message=message if isinstance(message, str) else "",
            priority=priority,
        )

    def _kepware(self, content: object) -> Iterator[Alert | str]:
        values = content.get("values") if isinstance(content, dict) else None
        if not isinstance(values, list):
            yield f"expected a list in 'values', found {_quoted(values)}"
            return
        for value in values:
            name = value.get("id") if isinstance(value, dict) else None
            if not isinstance(name, str) or not name:
                yield f"expected values with an 'id', found {_quoted(value)}"
            elif self._is_alert(name):
                if value.get("q", True) is not True:
                    yield f"expected good quality of {name}, found {_quoted(value.get('q'))}"
                else:
                    yield self._alert((name,), value.get("v"))

    def _neuron(self, content: object) -> Iterator[Alert | str]:
        values = content.get("values") if isinstance(content, dict) else None
        errors = content.get("errors", {}) if isinstance(content, dict) else {}
        if not isinstance(values, dict) or not isinstance(errors, dict):
            yield f"expected objects in 'values' and 'errors', found {_quoted(content)}"
            return
        for name, value in values.items():
            if self._is_alert(name):
                yield self._alert((name,), value)
        for name, code in errors.items():
            if self._is_alert(name):
                yield f"expected a value of {name}, found error {_quoted(code)}"

    def _is_alert(self, name: str) -> bool:
        return self._ids is None or self._ids.search(name) is not None

    def _alert(
        self,
        names: tuple[str, ...],
        value: object,
        *,
        message: str = "",
        priority: Priority | None = None,
    ) -> Alert | str:
        active = self._condition(value)
        name = ".".join(names)
        if active is None:
            return f"expected a condition of {name or self.rule.name}, found {_quoted(value)}"
        words = message or self.rule.texts.get(name, "") or name or self.rule.name
        return Alert(
            alarm_id=alarm_id(self.rule.name, *names),
            active=active,
            message=words[:MAX_MESSAGE_CHARS],
            priority=priority,
        )

    def _condition(self, value: object) -> bool | None:
        word = _word(value)
        if word is None:
            return None
        if word in self._yes:
            return True
        return False if self._no is None or word in self._no else None


def wildcards(pattern: str, topic: str) -> tuple[str, ...] | None:
    """Return the levels of `topic` that the wildcards of a filter stand for, None if no match.

    As MQTT v5, 4.7: `#` stands for its parent too, and no wildcard for a first level with `$`.
    """
    wanted, found = pattern.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return None
    caught: list[str] = []
    for index, level in enumerate(wanted):
        if level == "#":
            return (*caught, *found[index:])
        if index >= len(found) or level not in {"+", found[index]}:
            return None
        if level == "+":
            caught.append(found[index])
    return tuple(caught) if len(wanted) == len(found) else None


def at_path(content: object, path: str) -> object:
    """Return what lies at a dotted path, None where nothing does; a number picks from a list.

    Keys may have dots themselves ("alarm.code": 7): the longest key that is there wins.
    """
    if isinstance(content, list):
        index, _, rest = path.partition(".")
        if not index.isascii() or not index.isdigit() or int(index) >= len(content):
            return None
        return at_path(content[int(index)], rest) if rest else content[int(index)]
    if not isinstance(content, dict):
        return None
    if path in content:
        found: object = content[path]
        return found
    end = len(path)
    while (end := path.rfind(".", 0, end)) > 0:
        if path[:end] in content:
            return at_path(content[path[:end]], path[end + 1 :])
    return None


def _parsed(payload: bytes) -> object:
    try:
        content: object = json.loads(payload)
    except (ValueError, RecursionError) as exc:
        raise MessageError(f"expected JSON in UTF-8: {exc}", request_id=None) from exc
    return content


def _scalar(payload: bytes) -> object:
    """Return a payload that is one value: JSON where it is, else the words as they stand."""
    try:
        words = payload.decode("utf-8").strip()
    except UnicodeDecodeError as exc:
        raise MessageError(f"expected one value in UTF-8: {exc.reason}", request_id=None) from exc
    try:
        content: object = json.loads(words)
    except (ValueError, RecursionError):
        return words
    return content


def _words(values: tuple[Flag, ...]) -> frozenset[str]:
    """Return the words that stand for `values`; YAML makes true and false of ON, yes and off."""
    words: set[str] = set()
    for value in values:
        if isinstance(value, bool):
            words |= _YES if value else _NO
        elif (word := _word(value)) is not None:
            words.add(word)
    return frozenset(words)


def _word(value: object) -> str | None:
    """Return a value as one word, None where it is none: 1, 1.0 and "1" are the same."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if abs(value) < 2**63 else None
        case float():
            if not math.isfinite(value):
                return None
            return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        case str():
            return value.strip().lower()[:64]
    return None


def _quoted(value: object) -> str:
    return repr(value)[:60]
