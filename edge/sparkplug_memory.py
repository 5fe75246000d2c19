"""What a Sparkplug edge node keeps over a restart: two numbers in a file."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

BD_SEQS = 256


class SparkplugMemory:
    """The birth-and-death number of the last connection, and the last record that was carried.

    Where the file cannot be written, the numbers go on in memory: after a restart some records are
    then sent once more, as historical. One thread at a time for each number.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.bd_seq = BD_SEQS - 1  # so that the first connection has 0
        self.record_seq: int | None = None  # None: nothing was ever carried
        self._read()

    def count_connection(self) -> None:
        """Go on to the birth-and-death number of a new connection."""
        self.bd_seq = (self.bd_seq + 1) % BD_SEQS
        self._write()

    def carried(self, record_seq: int) -> None:
        """Note that the broker has every record up to this one."""
        self.record_seq = record_seq
        self._write()

    def _read(self) -> None:
        try:
            kept = json.loads(self._path.read_text())
            self.bd_seq = int(kept["bd_seq"]) % BD_SEQS
            if kept["record_seq"] is not None:
                self.record_seq = max(0, int(kept["record_seq"]))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError) as exc:
            log.warning("%s: not read, begun anew with the next record: %s", self._path, exc)

    def _write(self) -> None:
        part = self._path.with_suffix(".part")
        try:
            with part.open("w") as file:
                json.dump({"bd_seq": self.bd_seq, "record_seq": self.record_seq}, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as exc:
            log.warning("%s: not written: %s", self._path, exc)
