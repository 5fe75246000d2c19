"""Pictures of parts on disk, by day: `YYYY/MM/DD/<inspection id>.png`."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from uuid import UUID

from inspector import images
from inspector.domain import Bgr
from inspector.errors import StorageError
from inspector.storage.failures import naming_the_path

BYTES_PER_MB = 1_000_000
_PARTIAL = ".partial"
PROBE_BYTES = 16_384


class Pictures:
    """A folder of pictures. Any thread may call; several stations may share the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with naming_the_path(folder):
            (folder / _PARTIAL).mkdir(parents=True, exist_ok=True)
        self._lasting_day: Path | None = None

    def path(self, inspection_id: UUID, captured_at: datetime) -> str:
        """Return where the picture of that part belongs, relative to the folder, by its UTC day."""
        return f"{captured_at.astimezone(UTC):%Y/%m/%d}/{inspection_id}.png"

    def save(self, bgr: Bgr, relative: str) -> None:
        """Write the picture so that it is there completely or not at all, and on the disk.

        Raises `StorageFull` or `StorageError`; nothing is left of a picture that did not fit.
        """
        target = self._inside(relative)
        content = images.encode_png(bgr)
        partial = self.folder / _PARTIAL / target.name
        with naming_the_path(target):
            try:
                with partial.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                if not target.parent.is_dir():
                    self._lasting_day = None
                    target.parent.mkdir(parents=True, exist_ok=True)
                partial.replace(target)
            except OSError:
                partial.unlink(missing_ok=True)
                raise
            self._make_last(target.parent)

    def _make_last(self, day: Path) -> None:
        """Make the names in `day` last, and its own: a new day makes new folders.

        Once it lasts it is not asked for again. Threads that find the same new day both ask.
        """
        fsync_folder(day)
        if day == self._lasting_day:
            return
        for folder in day.parents:
            fsync_folder(folder)
            if folder == self.folder:
                break
        self._lasting_day = day

    def load(self, relative: str) -> Bgr:
        """Return the picture; raise `PictureError` where it is gone or cannot be read."""
        return images.read(self._inside(relative))

    def free_mb(self) -> int:
        """Return the free space of the disk in MB (1,000,000 bytes)."""
        with naming_the_path(self.folder):
            return shutil.disk_usage(self.folder).free // BYTES_PER_MB

    def probe(self) -> None:
        """Write and remove a small file; raises `StorageFull` or `StorageError`."""
        write_probe(self.folder / _PARTIAL)

    def clear_partial(self) -> int:
        """Remove pictures that a crash cut short and return how many; call before the first save.

        A station that shares the folder must not be saving meanwhile.
        """
        with naming_the_path(self.folder):
            partial = tuple((self.folder / _PARTIAL).iterdir())
            for path in partial:
                path.unlink(missing_ok=True)
        return len(partial)

    def _inside(self, relative: str) -> Path:
        parts = PurePosixPath(relative)
        if parts.is_absolute() or ".." in parts.parts or not parts.name:
            raise StorageError(f"expected a path inside {self.folder}, found {relative!r}")
        return self.folder / parts


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_probe(folder: Path) -> None:
    """Write, fsync and remove a file as large as a small record, to learn whether that works."""
    probe = folder / ".writable"
    with naming_the_path(folder):
        try:
            with probe.open("wb") as file:
                file.write(bytes(PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
