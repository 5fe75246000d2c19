"""Alarms and the database: changes out in order, commands in.

A change is on disk in the journal before the database is tried, so that neither a crash nor a
database that is away loses a line of the history.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime

from edge.alarms import Alarms
from edge.queues import taken
from inspector.alarms import AlarmChange
from inspector.errors import AlarmRefused, RecordRefused, StorageError
from inspector.storage.alarm_journal import AlarmJournal
from inspector.storage.alarms import AlarmStore

log = logging.getLogger(__name__)

POLL_S = 0.5
RETRY_MAX_S = 5.0
REWORD_EVERY_S = 5.0
MOST_AT_ONCE = 200
MOST_IN_MEMORY = 10_000  # more wait in the journal alone


class AlarmRecords:
    """Keeps the alarms of one station; `run` is the body of one thread."""

    def __init__(
        self,
        *,
        alarms: Alarms,
        store: AlarmStore,
        journal: AlarmJournal,
        station_id: str,
        most_in_memory: int = MOST_IN_MEMORY,
    ) -> None:
        self._alarms = alarms
        self._store = store
        self._journal = journal
        self._station_id = station_id
        self._most_in_memory = most_in_memory
        self._waiting: list[AlarmChange] = []
        self._more_in_journal = False
        self._reworded_at = time.monotonic()
        self._stopping = threading.Event()

    @property
    def unrecorded(self) -> int:
        """How many changes the database lacks."""
        return len(self._waiting) + self._alarms.changes.qsize()

    def recover(self) -> None:
        """Record what the last run left in the journal, and take its alarms over.

        Raises `StorageError`.
        """
        self._waiting = list(self._journal.read())
        self._flush()
        self._alarms.resume(self._store.load(self._station_id))

    def run(self) -> None:
        """Record changes and carry out commands until `stop`."""
        retry_s = POLL_S
        while not self._stopping.is_set():
            self._await_changes()
            try:
                self._flush()
                self._carry_out()
                self._keep_words()
                retry_s = POLL_S
            except StorageError as exc:
                log.warning("alarms: not recorded yet: %s", exc)
                self._stopping.wait(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
        self._last_words()

    def stop(self) -> None:
        """Record what is there and end; what fails now stays in the journal."""
        self._stopping.set()
        self._alarms.changes.put(None)

    def _await_changes(self) -> None:
        changes = tuple(taken(self._alarms.changes, wait_s=POLL_S))
        try:
            self._journal.add(changes)
            has_all = True
        except StorageError as exc:
            log.error("alarms: %s", exc)  # the database may still take them
            has_all = False
        if has_all and len(self._waiting) >= self._most_in_memory:
            self._more_in_journal = self._more_in_journal or bool(changes)
        else:
            self._waiting += changes

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._record_waiting()
        if self._more_in_journal:
            # with those that the database has already, which it leaves as they are
            self._waiting = list(self._journal.read())
            self._more_in_journal = False
            self._record_waiting()
        self._journal.clear()

    def _record_waiting(self) -> None:
        while self._waiting:
            some = tuple(self._waiting[:MOST_AT_ONCE])
            try:
                self._store.record(self._station_id, some)
            except RecordRefused as exc:
                if len(some) == 1:
                    log.error("alarm %s: not recorded: %s", some[0].alarm.id, exc)
                else:  # find the one, so that it keeps no other waiting
                    self._record_singly(some)
            del self._waiting[: len(some)]

    def _record_singly(self, changes: tuple[AlarmChange, ...]) -> None:
        for change in changes:
            try:
                self._store.record(self._station_id, (change,))
            except RecordRefused as exc:
                log.error("alarm %s: not recorded: %s", change.alarm.id, exc)

    def _carry_out(self) -> None:
        """Do what people ask through the database; recording the change answers the command."""
        for command in self._store.commands(self._station_id):
            try:
                self._alarms.command(command)
            except AlarmRefused as exc:
                self._store.answer(command.id, answer=str(exc), at=datetime.now(UTC))
                continue
            # at once: until it is answered, the next poll would find it again
            self._await_changes()
            self._flush()

    def _keep_words(self) -> None:
        if time.monotonic() - self._reworded_at < REWORD_EVERY_S:
            return
        self._reworded_at = time.monotonic()
        if reworded := self._alarms.take_reworded():
            self._store.keep(self._station_id, reworded)

    def _last_words(self) -> None:
        self._await_changes()
        try:
            self._flush()
            if reworded := self._alarms.take_reworded():
                self._store.keep(self._station_id, reworded)
        except StorageError as exc:
            log.warning("alarms: left in the journal: %s", exc)
