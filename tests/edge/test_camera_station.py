"""A station with several cameras: one absent, one frozen, one well."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from camera_builders import video
from edge_builders import LinePlc, await_that, running
from test_station import changed, rows

from inspector.domain import Decision, Reason
from inspector.settings import StationSettings


def bright_video(path: Path) -> Path:
    """Write a video of one picture, as a frozen camera shows it."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50, (160, 120))
    noise = np.random.default_rng(0).integers(150, 200, (120, 160, 3), dtype=np.uint8)
    for _ in range(20):
        writer.write(noise)
    writer.release()
    return path


def with_cameras(settings: StationSettings, folder: Path) -> StationSettings:
    recipe = Path(settings.recipes[0])
    recipe.write_text(recipe.read_text().replace("[8, 6]", "[160, 120]"))
    video(folder / "top.avi")
    bright_video(folder / "still.avi")
    return changed(
        settings,
        cameras=[
            {
                "id": name,
                "driver": "opencv",
                "device": str(folder / f"{name}.avi"),
                "frame_timeout_ms": 4000,
                "expect_noise": name == "still",
            }
            for name in ("top", "side", "still")
        ],
    )


def test_one_camera_that_is_absent_holds_its_own_parts_only(
    settings: StationSettings, plc: LinePlc, tmp_path: Path
):
    described = with_cameras(settings, tmp_path)
    with running(described):
        plc.await_state("Ready")
        plc.trigger("r1", camera="side")
        plc.trigger("r2", camera="top")
        lost, good = plc.result("r1"), plc.result("r2")
        bright_video(tmp_path / "side.avi")  # now it is there

        def is_back() -> bool:
            request_id = f"again-{len(plc.seen)}"
            plc.trigger(request_id, camera="side")
            return plc.result(request_id).decision is Decision.PASS

        await_that(is_back)
    assert lost.reason is Reason.CAMERA_LOST
    assert good.decision is not Decision.HOLD
    assert "side" in rows(described)["r1"]["detail"]


def test_a_frozen_camera_holds_its_parts_and_says_so(
    settings: StationSettings, plc: LinePlc, tmp_path: Path
):
    described = with_cameras(settings, tmp_path)
    with running(described):
        plc.await_state("Ready")
        plc.trigger("r1", camera="still")
        plc.trigger("r2", camera="still")
        first, second = plc.result("r1"), plc.result("r2")
    assert first.decision is Decision.PASS
    assert second.reason is Reason.BAD_FRAME
    row = rows(described)["r2"]
    assert "frozen" in row["detail"]
    assert (described.records / "pictures" / row["picture"]).is_file()
