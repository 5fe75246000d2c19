"""The folder camera: a picture per part and view, for demonstrations and lines that save files."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime
from pathlib import Path

from edge.capture import FrameSlot, Shot
from inspector import images
from inspector.domain import Frame
from inspector.errors import CameraError, NoFrame
from inspector.settings import PART_PATTERN, VIEW_PATTERN, CameraSettings

SUFFIXES = (".png", ".jpg", ".jpeg")


class FolderCamera:
    """Shows PART_VIEW.png, else PART.png (or .jpg) of a folder; never simply the next file.

    A part whose id ends like another's view (`A_B` and the view `B` of `A`) shares its file name
    with that one: choose part ids without '_' where views are used.
    """

    def __init__(self, *, camera_id: str, folder: Path) -> None:
        self.id = camera_id
        self.slot = FrameSlot()
        self._folder = folder
        self._seq = itertools.count(1)

    @classmethod
    def from_settings(cls, settings: CameraSettings) -> FolderCamera:
        return cls(camera_id=settings.id, folder=settings.folder)

    def open(self) -> None:
        """Raise `CameraError` where there is no such folder."""
        if not self._folder.is_dir():
            raise CameraError(
                f"camera {self.id}: expected a folder {self._folder}, found none; "
                "correct cameras.folder"
            )

    def trigger(self, shot: Shot) -> None:
        """Put the picture of that part and view into the slot."""
        self.open()
        bgr = images.read(self._file(shot), bit_depth=shot.bit_depth)
        self.slot.put(
            Frame(
                camera_id=self.id,
                seq=next(self._seq),
                captured_at=datetime.now(UTC),
                captured_ns=time.monotonic_ns(),
                bgr=bgr,
            )
        )

    def close(self) -> None:
        """Do nothing: a folder is not held open."""

    def _file(self, shot: Shot) -> Path:
        part, view = shot.part_id, shot.view
        # a name that could lead out of the folder never reaches the file system
        if part is None or not PART_PATTERN.fullmatch(part):
            raise NoFrame(
                f"camera {self.id}: expected a part_id of letters, digits, '_', '.' and '-' that "
                f"names a picture, found {part!r}"
            )
        if view is not None and not VIEW_PATTERN.fullmatch(view):
            raise NoFrame(
                f"camera {self.id}: expected a view of letters, digits, '_' and '-', found {view!r}"
            )
        stems = (part,) if view is None else (f"{part}_{view}", part)
        try:
            for stem in stems:
                for suffix in SUFFIXES:
                    if (path := self._folder / f"{stem}{suffix}").is_file():
                        return path
        except OSError as exc:
            raise CameraError(
                f"camera {self.id}: expected to read {self._folder}, found {exc.strerror!r}; "
                "correct the folder's owner"
            ) from exc
        raise NoFrame(
            f"camera {self.id}: expected {' or '.join(f'{stem}.png' for stem in stems)} in "
            f"{self._folder}, found neither that nor a .jpg"
        )
