"""A camera's bytes become the picture that the sensor saw."""

from __future__ import annotations

import numpy as np
import pytest

from edge.drivers.pixels import bgr_of
from inspector.errors import PictureError

BLUE, GREEN, RED = 200, 90, 30
SIZE = (6, 8)  # rows, columns


def mosaic(order: str, dtype: type = np.uint8) -> np.ndarray:
    """Return the raw values of an evenly coloured scene behind a colour filter of that order."""
    value = {"R": RED, "G": GREEN, "B": BLUE}
    first, second = {
        "RG": ("RG", "GB"),
        "BG": ("BG", "GR"),
        "GR": ("GR", "BG"),
        "GB": ("GB", "RG"),
    }[order]
    raw = np.zeros(SIZE, dtype=dtype)
    for row, colours in enumerate((first, second)):
        for column, colour in enumerate(colours):
            raw[row::2, column::2] = value[colour]
    return raw


def picture(raw: np.ndarray, pixel_format: str) -> np.ndarray:
    return bgr_of(raw.tobytes(), pixel_format=pixel_format, width=SIZE[1], height=SIZE[0])


@pytest.mark.parametrize("order", ["RG", "BG", "GR", "GB"])
def test_every_order_of_the_colour_filter_gives_the_scenes_colours(order: str):
    bgr = picture(mosaic(order), f"Bayer{order}8")
    assert (bgr == (BLUE, GREEN, RED)).all()


@pytest.mark.parametrize("bits", [10, 12])
def test_deep_mosaics_keep_their_upper_bits(bits: int):
    raw = mosaic("RG", np.uint16) << (bits - 8)
    assert (picture(raw, f"BayerRG{bits}") == (BLUE, GREEN, RED)).all()


@pytest.mark.parametrize(
    ("pixel_format", "pixel"),
    [
        ("RGB8", (RED, GREEN, BLUE)),
        ("RGB8Packed", (RED, GREEN, BLUE)),
        ("BGR8", (BLUE, GREEN, RED)),
        ("RGBa8", (RED, GREEN, BLUE, 0)),
        ("BGRa8", (BLUE, GREEN, RED, 0)),
    ],
)
def test_colours_are_where_the_format_says(pixel_format: str, pixel: tuple[int, ...]):
    raw = np.full((*SIZE, len(pixel)), pixel, dtype=np.uint8)
    assert (picture(raw, pixel_format) == (BLUE, GREEN, RED)).all()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_of_any_depth_is_shifted_to_eight_bits(bits: int):
    raw = np.full(SIZE, 170 << (bits - 8), dtype=np.uint8 if bits == 8 else np.uint16)
    assert (picture(raw, f"Mono{bits}") == 170).all()


def test_the_picture_does_not_change_when_the_cameras_buffer_is_filled_again():
    buffer = np.full((*SIZE, 3), 7, dtype=np.uint8)
    bgr = bgr_of(buffer.reshape(-1), pixel_format="BGR8", width=SIZE[1], height=SIZE[0])
    buffer[:] = 99
    assert (bgr == 7).all()


@pytest.mark.parametrize("pixel_format", ["Mono12Packed", "Mono12p", "YUV422_8", "Coord3D_C16", ""])
def test_a_format_that_is_not_known_is_refused_with_those_that_are(pixel_format: str):
    with pytest.raises(PictureError, match="set PixelFormat in features"):
        picture(np.zeros(SIZE, dtype=np.uint8), pixel_format)


def test_too_few_bytes_are_an_incomplete_frame():
    with pytest.raises(PictureError, match="expected 48 values of 8 × 6 px in Mono8, found 40"):
        bgr_of(bytes(40), pixel_format="Mono8", width=8, height=6)
