"""Disturbances: what moves, what stays, and that chance is the picture's own."""

from __future__ import annotations

import numpy as np
import pytest

from inspector.domain import Bgr
from inspector.errors import DataError
from inspector.training.perturb import Perturbation, parse_perturbation, perturbed


def board() -> Bgr:
    picture = np.zeros((80, 100, 3), dtype=np.uint8)
    picture[20:60, 30:70] = 255
    return picture


def test_the_option_is_parsed() -> None:
    found = parse_perturbation("shift=5, angle=1,noise=0.001,blur=1")
    assert found == Perturbation(shift=5, angle=1, noise=0.001, blur=1)
    assert found.as_json() == {"shift": 5, "angle": 1, "noise": 0.001, "blur": 1}
    assert parse_perturbation("").as_json() == {}


def test_every_mistake_of_the_option_is_named() -> None:
    with pytest.raises(DataError) as caught:
        parse_perturbation("tilt=3,shift=far,noise=2,blur=-1,angle=nan,blur")
    text = str(caught.value)
    assert "expected shift, angle, noise, blur, found 'tilt'" in text
    assert "shift: expected a number of 0 or more, found 'far'" in text
    assert "noise: expected a number from 0 to 1, found '2'" in text
    assert "blur: expected a number of 0 or more, found '-1'" in text
    assert "angle: expected a number of 0 or more, found 'nan'" in text
    with pytest.raises(DataError, match="expected shift once"):
        parse_perturbation("shift=1,shift=2")


def test_shift_and_angle_move_the_reference_alone() -> None:
    picture, reference = perturbed(board(), board(), Perturbation(shift=6, angle=2), index=0)
    assert (picture == board()).all()
    assert reference is not None
    assert (reference != board()).any()


def test_a_shift_stays_within_its_limit_and_goes_either_way() -> None:
    offsets = []
    for index in range(40):
        _, reference = perturbed(board(), board(), Perturbation(shift=5), index=index)
        assert reference is not None
        rows, columns = np.nonzero(reference[:, :, 0])
        offsets.append((columns.mean() - 49.5, rows.mean() - 39.5))
    found = np.array(offsets)
    assert abs(found).max() < 5.6
    assert found.min(axis=0).max() < -2
    assert found.max(axis=0).min() > 2


def test_a_reference_of_two_values_keeps_them_and_a_grey_one_is_interpolated() -> None:
    _, reference = perturbed(board(), board(), Perturbation(shift=5, angle=1), index=3)
    assert set(np.unique(reference)) == {0, 255}
    ramp = np.repeat(np.arange(100, dtype=np.uint8)[None, :, None], 80, axis=0).repeat(3, axis=2)
    _, reference = perturbed(ramp, ramp, Perturbation(shift=5, angle=1), index=3)
    assert len(np.unique(reference)) > 90


def test_beyond_the_border_the_nearest_pixels_are_repeated() -> None:
    white = np.full((30, 30, 3), 255, dtype=np.uint8)
    _, reference = perturbed(white, white, Perturbation(shift=9, angle=2), index=1)
    assert (reference == 255).all()


def test_noise_is_salt_and_pepper_at_its_rate_on_the_picture() -> None:
    grey = np.full((400, 400, 3), 100, dtype=np.uint8)
    picture, reference = perturbed(grey, grey, Perturbation(noise=0.01), index=0)
    assert (reference == grey).all()
    salt, pepper = (picture == 255).all(axis=2), (picture == 0).all(axis=2)
    assert (salt | pepper | (picture == 100).all(axis=2)).all()
    # 160,000 pixels: 800 of each, give or take 5 sigma
    assert 660 < salt.sum() < 940
    assert 660 < pepper.sum() < 940


def test_blur_softens_the_picture_alone() -> None:
    picture, reference = perturbed(board(), board(), Perturbation(blur=1), index=0)
    assert len(np.unique(picture)) > 2
    assert (reference == board()).all()


def test_chance_comes_from_the_seed_and_the_place_not_from_the_order() -> None:
    how = Perturbation(shift=5, angle=1, noise=0.01)
    forward = [perturbed(board(), board(), how, index=index) for index in (0, 1, 2)]
    backward = [perturbed(board(), board(), how, index=index) for index in (2, 1, 0)][::-1]
    for (a, a_reference), (b, b_reference) in zip(forward, backward, strict=True):
        assert (a == b).all()
        assert np.array_equal(a_reference, b_reference)
    assert not np.array_equal(forward[0][1], forward[1][1])
    other = perturbed(board(), board(), how, index=0, seed=1)
    assert not np.array_equal(forward[0][1], other[1])


def test_without_a_reference_there_is_noise_but_nothing_to_move() -> None:
    picture, reference = perturbed(board(), None, Perturbation(noise=0.1), index=0)
    assert reference is None
    assert (picture != board()).any()
    with pytest.raises(DataError, match="shift and angle move the reference"):
        perturbed(board(), None, Perturbation(shift=1), index=0)
