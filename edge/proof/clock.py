"""The clock of the day as the station's processes see it: Debian's libfaketime steps it.

The machine's own clock stays, and so does the monotonic one of every process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

LIBRARIES = "/usr/lib"
PATTERN = "*/faketime/libfaketimeMT.so.1"
FILE = "FAKETIME_TIMESTAMP_FILE"
UNCHANGED = "+0"
SEEN_WITHIN_S = 1  # how often the library looks at its file


class SteppedClock:
    """A clock that can be stepped where libfaketime is installed. One thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._library = next(iter(sorted(Path(LIBRARIES).glob(PATTERN))), None)

    @property
    def why_not(self) -> str | None:
        """Why the clock cannot be stepped here, None where it can."""
        return None if self._library else "libfaketime is not installed (apt install faketime)"

    def environment(self) -> dict[str, str]:
        """Return what makes a new process see this clock."""
        if self._library is None:
            return {}
        self._write(UNCHANGED)
        return {
            "LD_PRELOAD": str(self._library),
            FILE: str(self._file),
            "FAKETIME_CACHE_DURATION": str(SEEN_WITHIN_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # else it ends each timed wait for Python's own lock at once, and who waits spins
            # (libfaketime 0.9.10 with glibc 2.36)
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",  # the times of files are not the clock's
        }

    @contextmanager
    def stepped(self, seconds: int) -> Iterator[None]:
        """Step the clock while the context lasts."""
        self._write(f"{seconds:+d}")
        try:
            yield
        finally:
            self._write(UNCHANGED)

    def _write(self, offset: str) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.replace(self._file)


def sleep_by_waiting() -> None:
    """Let `time.sleep` work under a stepped clock.

    libfaketime 0.9.10 spoils the absolute times that Python 3.11 sleeps to (its issue 426): EINVAL.
    """
    if FILE in os.environ:
        time.sleep = lambda seconds: _wait(float(seconds))


def _wait(seconds: float) -> None:
    Event().wait(seconds)
