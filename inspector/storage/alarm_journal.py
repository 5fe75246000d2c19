"""Changes of alarms on disk until the database has them: one JSON line each, synced."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from inspector.alarms import AlarmChange
from inspector.storage.failures import naming_the_path
from inspector.storage.files import fsync_folder

log = logging.getLogger(__name__)

_CHANGE = TypeAdapter(AlarmChange)


class AlarmJournal:
    """A file of changes, in their order. One thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, changes: tuple[AlarmChange, ...]) -> None:
        """Have `changes` on disk; raises `StorageError`."""
        if not changes:
            return
        lines = b"".join(_CHANGE.dump_json(change) + b"\n" for change in changes)
        with naming_the_path(self._path):
            is_new = not self._path.exists()
            with self._path.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                fsync_folder(self._path.parent)

    def read(self) -> tuple[AlarmChange, ...]:
        """Return what a crash or a database that was away has left; a torn line is skipped."""
        with naming_the_path(self._path):
            lines = self._path.read_bytes().split(b"\n") if self._path.exists() else []
        found = []
        for line in lines:
            if not line:
                continue
            try:
                found.append(_CHANGE.validate_json(line))
            except ValidationError:
                log.error("%s: a line is torn: %r", self._path, line[:80])
        return tuple(found)

    def clear(self) -> None:
        """Forget all: the database has it. Raises `StorageError`."""
        with naming_the_path(self._path):
            self._path.unlink(missing_ok=True)
