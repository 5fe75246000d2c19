"""The folder camera: a picture per part and view, for demonstrations and lines that save files."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime
from pathlib import Path

from edge.capture import CameraStatus, FrameSlot, Shot
from inspector import images
from inspector.domain import Frame
from inspector.errors import CameraError, NoFrame
from inspector.settings import PART_PATTERN, VIEW_PATTERN

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
        self._received = 0

    def open(self) -> None:
        """Do nothing: a share that is not mounted yet may be at the next part."""

    def require(self, timeout_s: float = 0) -> None:  # noqa: ARG002  a folder is there or not
        """Raise `CameraError` where there is no such folder."""
        if not self._folder.is_dir():
            raise CameraError(
                f"camera {self.id}: expected a folder {self._folder}, found none; "
                "correct cameras.folder"
            )

    def trigger(self, shot: Shot) -> None:
        """Put the picture of that part and view into the slot."""
        self.require()
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
        self._received += 1

    def abandon(self) -> None:
        """Do nothing: no picture of a folder comes late."""

    def status(self) -> CameraStatus:
        try:
            self.require()
        except CameraError as exc:
            return CameraStatus(
                camera_id=self.id, is_up=False, detail=str(exc), received=self._received
            )
        return CameraStatus(camera_id=self.id, is_up=True, received=self._received)

    def restart(self) -> None:
        """Do nothing: there is no reader."""

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
