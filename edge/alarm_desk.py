"""All that a station needs for its alarms, in one piece."""

from __future__ import annotations

from collections.abc import Callable

from edge.alarm_line import AlarmLine, topics
from edge.alarm_records import AlarmRecords
from edge.alarm_watch import AlarmWatch
from edge.alarms import Alarms
from edge.mqtt import Link
from inspector.settings import StationSettings
from inspector.storage.alarm_journal import AlarmJournal
from inspector.storage.alarms import AlarmStore
from inspector.storage.database import Database

ALERTS_WAIT_S = 3600  # at the broker, while the station cannot be reached


class AlarmDesk:
    """Alarms with their watch, their MQTT link and their records.

    First `recover`, then the threads of `bodies` and `start`; at the end `stop`, and `close` once
    the threads have ended.
    """

    def __init__(self, settings: StationSettings, *, database: Database) -> None:
        self.alarms = Alarms(settings.alarms)
        self.watch = AlarmWatch(settings.alarms, alarms=self.alarms)
        self.link = Link(
            settings.mqtt,
            client_id=f"{settings.station_id}-alarms",
            subscribe=topics(settings),
            resume_within_s=ALERTS_WAIT_S,
        )
        self.line = AlarmLine(settings, alarms=self.alarms, watch=self.watch, link=self.link)
        self.records = AlarmRecords(
            alarms=self.alarms,
            store=AlarmStore(database),
            journal=AlarmJournal(settings.records / "alarms.jsonl"),
            station_id=settings.station_id,
        )

    def recover(self) -> None:
        """Take over what the last run left; raises `StorageError`."""
        self.records.recover()

    def bodies(self) -> tuple[tuple[str, Callable[[], None]], ...]:
        """Return the threads' names with what they run."""
        return (("alarms", self.line.run), ("alarm-record", self.records.run))

    def start(self) -> None:
        """Connect; raises `BrokerError`."""
        self.link.start()

    def stop(self) -> None:
        """Ask the threads to end; the last changes are recorded first."""
        self.line.stop()
        self.records.stop()

    def close(self) -> None:
        """Disconnect."""
        self.link.stop()
