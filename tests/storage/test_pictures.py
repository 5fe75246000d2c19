from __future__ import annotations

import os
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from inspector.domain import Bgr
from inspector.errors import PictureError, StorageError
from inspector.storage.files import Pictures

ID = UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path / "pictures")


@pytest.fixture
def bgr() -> Bgr:
    return np.random.default_rng(1).integers(0, 255, (40, 60, 3), dtype=np.uint8)


def test_a_picture_is_filed_by_the_day_it_was_taken_in_utc(pictures: Pictures):
    after_midnight = datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert pictures.path(ID, after_midnight) == f"2026/03/01/{ID}.png"


def test_a_picture_is_loaded_as_it_was_saved(pictures: Pictures, bgr: Bgr):
    pictures.save(bgr, f"2026/03/01/{ID}.png")
    assert np.array_equal(pictures.load(f"2026/03/01/{ID}.png"), bgr)


def test_a_saved_picture_leaves_nothing_else(pictures: Pictures, bgr: Bgr):
    pictures.save(bgr, f"2026/03/01/{ID}.png")
    files = [p.name for p in pictures.folder.rglob("*") if p.is_file()]
    assert files == [f"{ID}.png"]


def test_what_a_crash_cut_short_is_cleared_and_complete_pictures_stay(pictures: Pictures, bgr: Bgr):
    pictures.save(bgr, "2026/03/01/a.png")
    (pictures.folder / ".partial" / "b.png").write_bytes(b"\x89PNG")
    assert pictures.clear_partial() == 1
    assert np.array_equal(pictures.load("2026/03/01/a.png"), bgr)


def test_the_folders_of_a_day_are_made_to_last_once_and_again_when_they_were_removed(
    pictures: Pictures, bgr: Bgr, monkeypatch: pytest.MonkeyPatch
):
    synced: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    of_a_new_day = ["a.png", "01", "03", "2026", "pictures"]
    pictures.save(bgr, "2026/03/01/a.png")
    assert synced == of_a_new_day
    pictures.save(bgr, "2026/03/01/b.png")
    assert synced[5:] == ["b.png", "01"]
    shutil.rmtree(pictures.folder / "2026")
    pictures.save(bgr, "2026/03/01/a.png")
    assert synced[7:] == of_a_new_day


def test_a_picture_that_is_gone_is_a_picture_error(pictures: Pictures):
    with pytest.raises(PictureError):
        pictures.load("2026/03/01/gone.png")


@pytest.mark.parametrize("outside", ["../x.png", "/etc/x.png", "a/../../x.png", ""])
def test_a_path_out_of_the_folder_is_refused(pictures: Pictures, bgr: Bgr, outside: str):
    with pytest.raises(StorageError, match="inside"):
        pictures.save(bgr, outside)
    with pytest.raises(StorageError, match="inside"):
        pictures.load(outside)


def test_free_space_is_told_in_megabytes(pictures: Pictures):
    assert 0 < pictures.free_mb() < 10**9
