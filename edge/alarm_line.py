"""Alarms over MQTT: alerts and commands in, the retained states out.

It has a connection of its own, so that a flood of alerts keeps no trigger waiting.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from edge import alarm_messages
from edge.alarm_watch import AlarmWatch
from edge.alarms import Alarms
from edge.mqtt import Arrival, Link, Message
from edge.plc_alerts import AlertReader
from edge.queues import taken
from inspector.alarms import Alarm
from inspector.errors import AlarmRefused, MessageError
from inspector.settings import StationSettings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.1
MOST_AT_ONCE = 500  # then delays are looked after and states published, whatever still waits


def topics(settings: StationSettings) -> tuple[str, ...]:
    """Return what the link of the alarms subscribes to."""
    wanted = (
        f"{settings.mqtt_base}/{alarm_messages.COMMAND}",
        *(rule.filter for rule in settings.alarms.plc),
    )
    return tuple(dict.fromkeys(wanted))


class AlarmLine:
    """The MQTT side of the alarms; `run` is the body of one thread."""

    def __init__(
        self, settings: StationSettings, *, alarms: Alarms, watch: AlarmWatch, link: Link
    ) -> None:
        self._base = settings.mqtt_base
        self._alarms = alarms
        self._watch = watch
        self._link = link
        self._readers = tuple(AlertReader(rule) for rule in settings.alarms.plc)
        self._reconnects = link.reconnects
        self._was_up = False
        self._stopping = threading.Event()

    def run(self) -> None:
        """Take what arrives and publish what changes, until `stop`."""
        while not self._stopping.is_set():
            for arrival in taken(self._link.arrivals, wait_s=LOOK_EVERY_S, most=MOST_AT_ONCE):
                self.take(arrival)
            self._watch.look()
            self._alarms.tick()
            self._publish()
            self._read_receipts()

    def stop(self) -> None:
        self._stopping.set()

    def take(self, arrival: Arrival) -> None:
        """Take one message."""
        if arrival.topic == f"{self._base}/{alarm_messages.COMMAND}":
            self._command(arrival)
            return
        if arrival.topic.startswith(f"{self._base}/"):
            return  # a wide filter also catches what this station says itself
        for reader in self._readers:
            if not reader.wants(arrival.topic):
                continue
            found = reader.read(arrival.topic, arrival.payload)
            for alert in found.alerts:
                self._alarms.alert(reader.rule.name, alert)
            for mistake in found.mistakes:
                self._alarms.note_malformed(mistake)

    def _command(self, arrival: Arrival) -> None:
        if arrival.retained:
            self._alarms.note_malformed("expected commands without the retain flag, found it set")
            return
        try:
            command = alarm_messages.parse_command(arrival.payload, now=datetime.now(UTC))
            self._alarms.command(command)
        except (MessageError, AlarmRefused) as exc:
            self._alarms.note_malformed(f"{arrival.topic}: {exc}")

    def _publish(self) -> None:
        if not self._link.is_up:
            self._was_up = False
            return
        if not self._was_up or self._link.reconnects != self._reconnects:
            # a broker that was restarted may know nothing
            self._was_up, self._reconnects = True, self._link.reconnects
            self._alarms.tell_again()
        waiting = self._alarms.take_to_tell()
        unsent = tuple(alarm.id for alarm in waiting if not self._told(alarm))
        if unsent:
            self._alarms.tell_again(unsent)

    def _read_receipts(self) -> None:
        for receipt in taken(self._link.receipts):
            if not receipt.delivered:
                log.error("the broker refused the state of an alarm: %s", receipt.detail)

    def _told(self, alarm: Alarm) -> bool:
        message = Message(
            topic=f"{self._base}/{alarm_messages.ALARM}/{alarm.id}",
            payload=alarm_messages.encode_alarm(alarm),
            retain=True,
        )
        return self._link.publish(message) is not None
