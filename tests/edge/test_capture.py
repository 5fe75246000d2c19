"""The right picture or none: the slot, the folder camera, the checks of a frame."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from edge_builders import picture, station_settings

from edge.capture import CameraStatus, Capture, FrameSlot, Shot
from edge.drivers.folder import FolderCamera
from edge.frame_truth import check_frame
from inspector.domain import Frame, Reason, Verdict
from inspector.errors import CameraError, NoFrame
from inspector.settings import load_recipe

MS = 1_000_000


def frame(*, captured_ns: int, seq: int = 1) -> Frame:
    return Frame(
        camera_id="top",
        seq=seq,
        captured_at=datetime(2026, 11, 23, tzinfo=UTC),
        captured_ns=captured_ns,
        bgr=np.zeros((6, 8, 3), dtype=np.uint8),
    )


def test_the_previous_parts_frame_is_never_given():
    slot = FrameSlot()
    slot.put(frame(captured_ns=99 * MS))
    with pytest.raises(NoFrame, match="only an older one"):
        slot.next_after(100 * MS, timeout_s=0)


def test_a_frame_within_the_latency_bound_may_be_the_previous_parts():
    slot = FrameSlot(latency_bound_ms=40)
    slot.put(frame(captured_ns=139 * MS))
    with pytest.raises(NoFrame):
        slot.next_after(100 * MS, timeout_s=0)
    slot.put(frame(captured_ns=140 * MS))
    assert slot.next_after(100 * MS, timeout_s=0).captured_ns == 140 * MS


def test_the_slot_waits_for_a_frame():
    slot = FrameSlot()
    threading.Timer(0.02, lambda: slot.put(frame(captured_ns=100 * MS))).start()
    assert slot.next_after(100 * MS, timeout_s=10).captured_ns == 100 * MS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path, "A.png", brightness=10)
    picture(tmp_path, "A_top.png", brightness=20)
    picture(tmp_path, "B.png", brightness=30)
    picture(tmp_path.parent, "outside.png", brightness=40)
    return tmp_path


def taken(folder: Path, *, part_id: str | None, view: str | None = None) -> Frame | Verdict:
    capture = Capture(FolderCamera(camera_id="top", folder=folder))
    return capture.take(Shot(part_id=part_id, view=view), timeout_s=1)


@pytest.mark.parametrize(
    ("part_id", "view", "brightness"), [("A", "top", 20), ("A", None, 10), ("B", "top", 30)]
)
def test_a_part_and_view_name_the_picture(
    folder: Path, part_id: str, view: str | None, brightness: int
):
    found = taken(folder, part_id=part_id, view=view)
    assert isinstance(found, Frame)
    assert found.bgr[0, 0, 0] == brightness


@pytest.mark.parametrize("part_id", ["C", None, "..", "../outside", "/etc/passwd", "A\0", ""])
def test_a_part_without_picture_is_held_and_gets_nobody_elses(folder: Path, part_id: str | None):
    found = taken(folder, part_id=part_id)
    assert isinstance(found, Verdict)
    assert found.reason is Reason.NO_FRAME


@pytest.mark.parametrize("view", ["../top", "a b", ""])
def test_a_view_cannot_lead_out_of_the_folder(folder: Path, view: str):
    found = taken(folder, part_id="A", view=view)
    assert isinstance(found, Verdict)
    assert found.reason is Reason.NO_FRAME


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_picture_that_cannot_be_read_is_a_bad_frame(folder: Path, content: bytes | None):
    good = (folder / "A.png").read_bytes()
    (folder / "A.png").write_bytes(good[: len(good) // 2] if content is None else content)
    found = taken(folder, part_id="A")
    assert isinstance(found, Verdict)
    assert found.reason is Reason.BAD_FRAME


def test_a_folder_that_is_gone_is_a_lost_camera(tmp_path: Path):
    found = taken(tmp_path / "unplugged", part_id="A")
    assert isinstance(found, Verdict)
    assert found.reason is Reason.CAMERA_LOST
    with pytest.raises(CameraError, match="expected a folder"):
        FolderCamera(camera_id="top", folder=tmp_path / "unplugged").require()


def test_a_jpeg_serves_where_no_png_is(folder: Path):
    (folder / "B.png").rename(folder / "D.jpg")
    assert isinstance(taken(folder, part_id="D"), Frame)


class SlowCamera:
    """Hands over the frame of each shot after a moment, from a thread of its own."""

    def __init__(self) -> None:
        self.id = "slow"
        self.slot = FrameSlot()

    def open(self) -> None: ...

    def require(self, timeout_s: float) -> None: ...

    def abandon(self) -> None: ...

    def status(self) -> CameraStatus:
        return CameraStatus(camera_id=self.id, is_up=True)

    def restart(self) -> None: ...

    def trigger(self, shot: Shot) -> None:
        assert shot.part_id is not None
        seq = int(shot.part_id)
        threading.Timer(
            0.005, lambda: self.slot.put(frame(captured_ns=time.monotonic_ns(), seq=seq))
        ).start()

    def close(self) -> None: ...


def test_inspections_that_share_a_camera_each_get_their_own_frame():
    capture = Capture(SlowCamera())
    found: dict[int, int] = {}

    def take(number: int) -> None:
        shot = capture.take(Shot(part_id=str(number), view=None), timeout_s=10)
        assert isinstance(shot, Frame)
        found[number] = shot.seq

    threads = [threading.Thread(target=take, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number for number in range(1, 9)}


def test_a_frame_of_another_size_is_a_bad_frame(tmp_path: Path):
    settings = station_settings(tmp_path, port=1, migrated=None)
    recipe = load_recipe(settings.recipes[0])
    assert check_frame(frame(captured_ns=0), recipe) is None
    wide = Frame(
        camera_id="top",
        seq=1,
        captured_at=datetime(2026, 11, 23, tzinfo=UTC),
        captured_ns=0,
        bgr=np.zeros((6, 9, 3), dtype=np.uint8),
    )
    verdict = check_frame(wide, recipe)
    assert verdict is not None
    assert (verdict.reason, "found 9 × 6" in verdict.detail) == (Reason.BAD_FRAME, True)
