"""What is no true picture of a part is held, with the measure and its limit named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from edge_builders import station_settings

from edge.frame_truth import Still, check_frame, measure
from inspector import images
from inspector.domain import Bgr, Frame, Reason
from inspector.errors import SettingsError
from inspector.settings import FrameSettings, Recipe, load_recipe

SIZE = (96, 128)


def scene(seed: int = 0) -> Bgr:
    """Return a part with sharp edges under a sensor's noise."""
    bgr = np.full((*SIZE, 3), 90, dtype=np.uint8)
    cv2.rectangle(bgr, (20, 20), (100, 70), (180, 170, 160), -1)
    cv2.circle(bgr, (60, 45), 12, (40, 40, 60), -1)
    noise = np.random.default_rng(seed).normal(0, 2, bgr.shape)
    return np.clip(bgr + noise, 0, 255).astype(np.uint8)


def frame(bgr: Bgr, *, seq: int = 1) -> Frame:
    return Frame(
        camera_id="top",
        seq=seq,
        captured_at=datetime(2026, 11, 23, tzinfo=UTC),
        captured_ns=0,
        bgr=bgr,
    )


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """The recipe as it is by default, and the sharpness of a good frame."""
    recipe = load_recipe(station_settings(tmp_path, port=1, migrated=None).recipes[0])
    norm = FrameSettings(sharpness=images.sharpness(scene()))
    settings = recipe.settings.model_copy(update={"frame": norm, "frame_size_px": (128, 96)})
    return replace(recipe, settings=settings)


def test_a_true_picture_has_nothing_against_it(recipe: Recipe):
    assert check_frame(frame(scene(1)), recipe) is None


@pytest.mark.parametrize(
    ("bgr", "expected"),
    [
        (np.full((*SIZE, 3), 3, dtype=np.uint8), "black: expected at least 0.01%"),
        (np.full((*SIZE, 3), 255, dtype=np.uint8), "overexposed: expected at most 99.90%"),
        (cv2.GaussianBlur(scene(), (0, 0), 3), "blurred: expected a sharpness of at least 50%"),
        (scene()[:50], "expected a frame of 128 × 96 px, found 128 × 50"),
    ],
    ids=["black", "overexposed", "blurred", "wrong size"],
)
def test_a_false_picture_is_held_with_measure_and_limit(recipe: Recipe, bgr: Bgr, expected: str):
    verdict = check_frame(frame(bgr), recipe)
    assert verdict is not None
    assert verdict.reason is Reason.BAD_FRAME
    assert expected in verdict.detail
    assert "camera top" in verdict.detail


def test_the_reference_of_the_view_says_how_sharp_a_good_frame_is(recipe: Recipe, tmp_path: Path):
    golden = tmp_path / "golden"
    golden.mkdir()
    (golden / "top.png").write_bytes(images.encode_png(scene(5)))
    changes = {
        "reference": str(golden),
        "frame": FrameSettings(sharpness_by_reference=True),
    }
    learnt = replace(recipe, settings=recipe.settings.model_copy(update=changes))
    blurred = frame(cv2.GaussianBlur(scene(), (0, 0), 3))
    assert check_frame(frame(scene(1)), learnt, view="top") is None
    verdict = check_frame(blurred, learnt, view="top")
    assert verdict is not None
    assert verdict.detail.startswith("camera top: blurred: expected a sharpness of at least 50%")
    # without its reference a part is held by the pipeline, which says so
    assert check_frame(blurred, learnt, view="bottom") is None
    assert check_frame(blurred, learnt, view=None) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("frame: {sharpness_by_reference: true}", "expected a reference"),
        ("reference: a.png\nframe: {sharpness_by_reference: true, sharpness: 9}", "found both"),
    ],
)
def test_a_norm_of_sharpness_that_cannot_be_is_refused(tmp_path: Path, written: str, expected: str):
    file = Path(station_settings(tmp_path, port=1, migrated=None).recipes[0])
    plain = file.read_text().split("frame:")[0]
    file.write_text(f"{plain}{written}\n")
    with pytest.raises(SettingsError, match=expected):
        load_recipe(str(file))


def test_sharpness_is_not_checked_without_a_norm(recipe: Recipe):
    plain = replace(recipe, settings=recipe.settings.model_copy(update={"frame": FrameSettings()}))
    assert check_frame(frame(cv2.GaussianBlur(scene(), (0, 0), 3)), plain) is None


def test_a_frozen_camera_is_known_by_its_second_frame():
    still = Still()
    assert still.check(frame(scene(1), seq=7)) is None
    verdict = still.check(frame(scene(1), seq=8))
    assert verdict is not None
    assert verdict.reason is Reason.BAD_FRAME
    assert "frozen" in verdict.detail
    assert "frames 7 and 8" in verdict.detail


def test_frames_that_differ_in_their_noise_alone_are_two():
    still = Still()
    assert [still.check(frame(scene(seed), seq=seed)) for seed in range(5)] == [None] * 5


def test_a_camera_that_thawed_is_believed_again():
    still = Still()
    verdicts = [still.check(frame(scene(seed))) for seed in (1, 1, 1, 2)]
    assert [verdict is None for verdict in verdicts] == [True, False, False, True]


def test_measures_tell_what_to_write_into_the_recipe():
    found = measure(scene())
    assert (found.light_share, found.white_share) == (1.0, 0.0)
    assert found.sharpness > 2 * measure(cv2.GaussianBlur(scene(), (0, 0), 3)).sharpness
