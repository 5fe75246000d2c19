"""`inspector cameras`: what an integrator tries before the line runs."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from inspector import images
from inspector.cli import app

RUN = CliRunner()


@pytest.fixture
def station(tmp_path: Path) -> Path:
    """A station with a folder of two pictures, and a camera that is not there."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    noise = np.random.default_rng(0)
    for name in ("A", "B"):
        bgr = noise.integers(60, 180, (48, 64, 3), dtype=np.uint8)
        (pictures / f"{name}.png").write_bytes(images.encode_png(bgr))
    path = tmp_path / "station.yaml"
    path.write_text(
        f"""
station_id: line1
database: sqlite:///{tmp_path / "none.db"}
records: {tmp_path / "records"}
cameras:
  - {{id: top, folder: {pictures}}}
  - {{id: side, driver: opencv, device: {tmp_path / "gone.avi"}}}
recipes: [pcb]
"""
    )
    return path


def test_as_many_frames_as_triggers_is_good(station: Path):
    done = RUN.invoke(app, ["cameras", "test", str(station), "--triggers", "4"])
    assert done.exit_code == 0, done.output
    assert "4 triggers, 4 frames, 4 distinct" in done.output


def test_the_test_says_what_was_missing_and_ends_with_one(station: Path):
    for picture in (station.parent / "pictures").glob("B.*"):
        picture.write_bytes(b"torn")
    done = RUN.invoke(app, ["cameras", "test", str(station), "--triggers", "4", "--json"])
    assert done.exit_code == 1
    *each, report = [json.loads(line) for line in done.stdout.splitlines()]
    assert [taken["seq"] is None for taken in each] == [False, True, False, True]
    assert (report["triggers"], report["frames"], report["is_good"]) == (4, 2, False)


def test_a_camera_that_is_not_there_ends_the_test_with_what_to_do(station: Path):
    done = RUN.invoke(app, ["cameras", "test", str(station), "--camera", "side"])
    assert "expected a video file" in str(done.exception)


def test_a_snap_tells_what_to_write_into_the_recipe(station: Path, tmp_path: Path):
    out = tmp_path / "snap.png"
    done = RUN.invoke(app, ["cameras", "snap", str(station), str(out), "--part", "A"])
    assert done.exit_code == 0, done.output
    assert "64 x 48 px" in done.output
    assert "sharpness" in done.output
    assert images.read(out).shape == (48, 64, 3)


def test_a_snap_that_a_recipe_refuses_says_why(station: Path, tmp_path: Path):
    out = tmp_path / "snap.png"
    black = np.zeros((640, 640, 3), dtype=np.uint8)
    (station.parent / "pictures" / "A.png").write_bytes(images.encode_png(black))
    arguments = ["cameras", "snap", str(station), str(out), "--part", "A", "--recipe", "pcb"]
    done = RUN.invoke(app, arguments)
    assert done.exit_code == 1
    assert "HOLD BAD_FRAME" in done.output


def test_cameras_are_listed_as_a_station_file_names_them():
    if find_spec("genicam") is None or find_spec("harvesters") is None:
        pytest.skip("needs pip install 'inspector[genicam]'")
    producer = Path(find_spec("genicam").origin).with_name("viky.cti")
    arguments = ["cameras", "list", "--driver", "genicam", "--producer", str(producer)]
    done = RUN.invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "driver: genicam, device: '0'" in done.output
    assert len(done.stdout.splitlines()) == 3
