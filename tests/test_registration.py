"""A frame is registered to its reference, or refused with the measure and the limit."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector import images
from inspector.errors import PictureError
from inspector.registration import Golden, Registration, aligned, register
from inspector.settings import RegistrationSettings

SAMPLES = Path(__file__).parent.parent / "inspector" / "assets" / "samples"
# sample boards, each with the name of its reference
BOARDS = {"PCB-01": "92000020", "PCB-06": "13000165"}


def drawn(*, seed=0, width=480, height=400):
    """Return a board of traces and pads, drawn in black and white."""
    rng = np.random.default_rng(seed)
    board = np.zeros((height, width, 3), np.uint8)
    for _ in range(14):
        x, y = (int(v) for v in rng.uniform((30, 30), (width - 30, height - 30)))
        ends = [(x, int(rng.uniform(20, height - 20))), (int(rng.uniform(20, width - 20)), y)]
        for end in ends:
            cv2.line(board, (x, y), end, (255, 255, 255), 9)
            cv2.circle(board, end, 13, (255, 255, 255), -1)
            cv2.circle(board, end, 4, (0, 0, 0), -1)
    return board


def photograph(*, seed=0):
    """Return a grey picture with soft structure and low contrast."""
    rng = np.random.default_rng(seed)
    grey = cv2.GaussianBlur(rng.normal(0, 1, (400, 480)).astype(np.float32), (0, 0), 6)
    return images.to_bgr((120 + 25 * grey / grey.std()).clip(0, 255).astype(np.uint8))


def template(name):
    return images.read(SAMPLES / "templates" / f"{name}.png")


def moved(bgr, *, dx, dy, angle, two_valued=False):
    height, width = bgr.shape[:2]
    place = Registration(dx_px=dx, dy_px=dy, angle_deg=angle, agreement=1)
    turned = cv2.warpAffine(
        bgr,
        place.matrix(width=width, height=height),
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.where(turned > 127, 255, 0).astype(np.uint8) if two_valued else turned


def noisy(bgr, *, share, seed=0):
    u = np.random.default_rng(seed).random(bgr.shape[:2])[:, :, None]
    return np.where(u < share / 2, 0, np.where(u > 1 - share / 2, 255, bgr)).astype(np.uint8)


def corner_error_px(found, *, dx, dy, angle, width, height):
    true = Registration(dx_px=dx, dy_px=dy, angle_deg=angle, agreement=1)
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]).T
    size = {"width": width, "height": height}
    apart = (found.matrix(**size) - true.matrix(**size)) @ corners
    return float(np.hypot(*apart).max())


MOVES = [(0.4, -0.3, 0.1), (5, 4, -1), (-19, 18, 1.9), (18.6, 0.5, -1.9)]


@pytest.mark.parametrize(("dx", "dy", "angle"), MOVES)
@pytest.mark.parametrize("kind", ["drawn", "photograph", "92000020"])
def test_a_moved_picture_is_found_to_a_fraction_of_a_pixel(kind, dx, dy, angle):
    made = {"drawn": drawn, "photograph": photograph}
    reference = made[kind]() if kind in made else template(kind)
    found = register(moved(reference, dx=dx, dy=dy, angle=angle), reference)
    height, width = reference.shape[:2]
    error = corner_error_px(found, dx=dx, dy=dy, angle=angle, width=width, height=height)
    assert error < 0.15


def test_defects_noise_and_blur_do_not_pull_the_registration():
    reference = drawn()
    frame = moved(reference, dx=-7.5, dy=11.3, angle=1.2, two_valued=True)
    for x, y in [(90, 80), (200, 300), (330, 120), (400, 310)]:
        frame[y : y + 18, x : x + 14] = 255 - frame[y : y + 18, x : x + 14]
    frame = cv2.GaussianBlur(noisy(frame, share=0.01), (0, 0), 1)
    found = register(frame, reference)
    assert corner_error_px(found, dx=-7.5, dy=11.3, angle=1.2, width=480, height=400) < 0.5


def test_other_light_and_contrast_do_not_pull_the_registration():
    reference = photograph()
    dim = moved(reference, dx=3.25, dy=-6.5, angle=0.5) * 0.5 + 20
    found = register(dim.astype(np.uint8), reference)
    assert corner_error_px(found, dx=3.25, dy=-6.5, angle=0.5, width=480, height=400) < 0.15


def test_parallel_traces_move_no_further_than_they_must():
    # along the traces nothing says where the part lies, and a pitch further all looks the same
    stripes = np.zeros((320, 320, 3), np.uint8)
    for x in range(20, 320, 40):
        stripes[:, x : x + 14] = 255
    found = register(moved(stripes, dx=6.3, dy=0, angle=0), stripes)
    assert found.dx_px == pytest.approx(6.3, abs=0.2)
    assert abs(found.dy_px) < 2


@pytest.mark.parametrize(("picture", "name"), list(BOARDS.items()))
def test_a_real_board_with_defects_lies_on_its_moved_reference(picture, name):
    board = images.read(SAMPLES / "pictures" / f"{picture}.png")
    reference = template(name)
    natural = register(board, reference)
    size = {"width": 640, "height": 640}
    turned = moved(reference, dx=12.4, dy=-9.7, angle=1.5, two_valued=True)
    found = register(board, turned)
    truth = np.vstack([natural.matrix(**size), [0, 0, 1]]) @ np.linalg.inv(
        np.vstack(
            [
                Registration(dx_px=12.4, dy_px=-9.7, angle_deg=1.5, agreement=1).matrix(**size),
                [0, 0, 1],
            ]
        )
    )
    corners = np.array([[0, 0, 1], [640, 0, 1], [0, 640, 1], [640, 640, 1]]).T
    assert np.hypot(*((found.matrix(**size) - truth[:2]) @ corners)).max() < 0.5
    before, after = (
        np.count_nonzero(cv2.absdiff(board, picture))
        for picture in (turned, aligned(turned, found))
    )
    assert after < before / 3


def test_a_frame_where_nothing_moved_returns_the_very_reference():
    reference = drawn()
    found = register(noisy(reference, share=0.001), reference)
    assert found.is_identity
    assert aligned(reference, found) is reference


def test_a_reference_of_two_values_stays_one():
    place = Registration(dx_px=3.4, dy_px=-2.2, angle_deg=0.7, agreement=1)
    assert set(np.unique(aligned(drawn(), place))) == {0, 255}
    pale = np.where(drawn() > 0, np.uint8(200), np.uint8(30))
    assert set(np.unique(aligned(pale, place))) == {30, 200}
    assert len(np.unique(aligned(photograph(), place))) > 20


def test_each_channel_of_a_reference_in_colours_moves_as_a_grey_one():
    place = Registration(dx_px=3.4, dy_px=-2.2, angle_deg=0.7, agreement=1)
    grey, other = photograph(seed=1), photograph(seed=2)
    colours = np.dstack([grey[:, :, 0], other[:, :, 0], grey[:, :, 0]])
    apart = aligned(colours, place)
    assert (apart[:, :, 0] == aligned(grey, place)[:, :, 0]).all()
    assert (apart[:, :, 1] == aligned(other, place)[:, :, 0]).all()


def test_the_reference_is_moved_onto_the_frame():
    reference = drawn()
    frame = moved(reference, dx=9, dy=-4, angle=1)
    found = register(frame, reference)
    inner = (slice(30, -30), slice(30, -30))
    apart = cv2.absdiff(frame, aligned(reference, found))[inner]
    assert float((apart > 127).mean()) < 0.005


def test_another_board_is_refused_with_its_agreement():
    with pytest.raises(PictureError, match=r"found an agreement of 0\.\d\d \(at least 0\.42\)"):
        register(drawn(seed=1), drawn(seed=0))
    with pytest.raises(PictureError, match="agreement"):
        register(template("00041033"), template("92000020"))


def nearly_empty(*, wider_px=0, defects=(), pads=True):
    """Return a board that shows a part of two pads at its borders, and hardly anything else."""
    board = np.full((400, 480, 3), 255, np.uint8)
    for x in (-40 - wider_px, 520 + wider_px) if pads else ():
        cv2.circle(board, (x, 240), 110, (0, 0, 0), -1)
    for x, y in defects:
        cv2.circle(board, (x, y), 6, (0, 0, 0), -1)
    return board


def test_a_nearly_empty_board_lies_on_its_reference_where_its_edges_do_not_agree():
    reference, spots = nearly_empty(), [(x, 60) for x in range(80, 440, 40)]
    found = register(nearly_empty(wider_px=6, defects=spots[:3]), reference)
    assert found.agreement < 0.42
    with pytest.raises(PictureError, match="agreement"):
        register(nearly_empty(wider_px=6, defects=[(x, y + 90) for x, y in spots]), reference)


def test_a_nearly_empty_board_without_what_its_reference_shows_is_refused():
    with pytest.raises(PictureError, match="agreement"):
        register(nearly_empty(pads=False, defects=[(200, 200)]), nearly_empty())


def test_weak_structure_is_no_excuse_for_another_part():
    with pytest.raises(PictureError, match="agreement"):
        register(photograph(seed=1), photograph(seed=0))


def test_an_inverted_picture_is_refused():
    with pytest.raises(PictureError, match="agreement"):
        register(255 - drawn(), drawn())


@pytest.mark.parametrize("grey", [0, 114, 255])
def test_an_even_frame_is_refused_as_without_structure(grey):
    with pytest.raises(PictureError, match="expected a picture with structure"):
        register(np.full_like(drawn(), grey), drawn())


def test_a_dark_frame_with_sensor_noise_is_refused():
    dark = np.random.default_rng(0).normal(6, 12, drawn().shape).clip(0, 255).astype(np.uint8)
    with pytest.raises(PictureError):
        register(dark, drawn())


@pytest.mark.parametrize("shift", [24, 60])
def test_a_shift_beyond_the_tolerance_is_refused_with_its_size(shift):
    reference = drawn()
    with pytest.raises(PictureError, match=rf"within 20 px .* shifted by {shift}\.\d px"):
        register(moved(reference, dx=shift, dy=2, angle=0), reference)


def test_a_turn_beyond_the_tolerance_is_refused_with_its_size():
    reference = drawn()
    with pytest.raises(PictureError, match=r"within 2° .* turned by 2\.[567]°"):
        register(moved(reference, dx=0, dy=0, angle=2.6), reference)


def test_the_tolerance_is_the_recipes():
    reference = drawn()
    frame = moved(reference, dx=31, dy=-27, angle=3.5)
    wide = RegistrationSettings(max_shift_px=40, max_angle_deg=5)
    found = register(frame, reference, limits=wide)
    assert corner_error_px(found, dx=31, dy=-27, angle=3.5, width=480, height=400) < 0.15
    narrow = RegistrationSettings(max_shift_px=2, max_angle_deg=0.5)
    with pytest.raises(PictureError, match="within 2 px"):
        register(moved(reference, dx=6, dy=0, angle=0), reference, limits=narrow)


def test_another_size_is_refused():
    with pytest.raises(PictureError, match="size 480 × 400 px, found 240 × 200"):
        register(drawn(), drawn()[::2, ::2])


def test_an_even_reference_stays_where_it_is_and_agrees_with_nearly_even_frames_only():
    blank = np.full_like(drawn(), 255)
    assert Golden(blank).is_even
    spotted = blank.copy()
    spotted[100:120, 100:120] = 0
    assert register(spotted, blank).is_identity
    assert register(blank, blank).is_identity
    for other in (drawn(), np.zeros_like(blank)):
        with pytest.raises(PictureError, match="as even as its reference"):
            register(other, blank)


@pytest.mark.parametrize(("width", "height"), [(120, 90), (641, 333), (1500, 700)])
def test_any_frame_size_is_registered(width, height):
    reference = drawn(width=width, height=height)
    found = register(moved(reference, dx=4.5, dy=-3.5, angle=0.8), reference)
    error = corner_error_px(found, dx=4.5, dy=-3.5, angle=0.8, width=width, height=height)
    assert error < 0.2


def test_many_frames_are_registered_to_one_prepared_reference():
    golden = Golden(drawn())
    for turn in (-1.5, 0.75):
        found = golden.register(moved(golden.bgr, dx=2, dy=2, angle=turn))
        assert math.isclose(found.angle_deg, turn, abs_tol=0.02)
