"""The rules by which pictures become BGR, and what is refused."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inspector import images
from inspector.domain import Box, Code, Detection, TextLine
from inspector.errors import PictureError

GRADIENT = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
COLOUR = np.dstack([GRADIENT, GRADIENT[::-1], GRADIENT[:, ::-1]])
LOSSLESS = ("PNG", "BMP", "TIFF", "PPM")
LOSSY = ("JPEG", "WEBP")


def encoded(pixels: NDArray[Any], format: str, **options: Any) -> bytes:
    """Return RGB or grey `pixels` as a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def encoded_deep(pixels: NDArray[np.uint16], suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1])


@pytest.mark.parametrize("format", LOSSLESS)
def test_colours_arrive_as_blue_green_red(format: str) -> None:
    assert (images.decode(encoded(COLOUR, format)) == COLOUR[:, :, ::-1]).all()


@pytest.mark.parametrize("format", LOSSY)
def test_lossy_formats_are_read(format: str) -> None:
    found = images.decode(encoded(COLOUR, format, quality=95)).astype(int)
    assert np.abs(found - COLOUR[:, :, ::-1]).mean() < 4


def test_one_bit_becomes_black_and_white() -> None:
    bits = Image.fromarray(GRADIENT > 50)
    file = io.BytesIO()
    bits.save(file, "PNG")
    assert bits.mode == "1"
    expected = np.where(GRADIENT > 50, 255, 0)
    assert (images.decode(file.getvalue()) == expected[:, :, None]).all()


def test_grey_fills_all_channels() -> None:
    assert (images.decode(encoded(GRADIENT, "PNG")) == GRADIENT[:, :, None]).all()


def test_a_palette_becomes_its_colours() -> None:
    picture = Image.fromarray(COLOUR).quantize(8)
    file = io.BytesIO()
    picture.save(file, "PNG")
    expected = np.asarray(picture.convert("RGB"))[:, :, ::-1]
    assert (images.decode(file.getvalue()) == expected).all()


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("bit_depth", [10, 12, 14, 16])
def test_deep_grey_is_shifted_by_the_bit_depth(suffix: str, bit_depth: int) -> None:
    deep = np.linspace(0, (1 << bit_depth) - 1, 48 * 64).reshape(48, 64).astype(np.uint16)
    found = images.decode(encoded_deep(deep, suffix), bit_depth=bit_depth)
    assert (found == (deep >> (bit_depth - 8))[:, :, None]).all()


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_deep_colour_keeps_its_bits_until_the_shift(suffix: str) -> None:
    deep = COLOUR.astype(np.uint16) * 8
    assert (images.decode(encoded_deep(deep, suffix), bit_depth=11) == COLOUR).all()


def test_a_value_beyond_the_bit_depth_is_refused_with_the_depth_to_set() -> None:
    deep = np.full((4, 4), 3000, dtype=np.uint16)
    with pytest.raises(PictureError, match=r"below 1024 \(bit_depth 10\), found 3000; .* 12"):
        images.decode(encoded_deep(deep, ".png"), bit_depth=10)


def test_eight_bit_pictures_are_taken_as_they_are_at_any_depth() -> None:
    assert (images.decode(encoded(GRADIENT, "PNG"), bit_depth=12) == GRADIENT[:, :, None]).all()


def test_alpha_is_laid_on_white() -> None:
    rgba = np.zeros((2, 2, 4), dtype=np.uint8)
    rgba[0, 0] = (10, 20, 30, 255)
    rgba[1, 1] = (10, 20, 30, 51)
    found = images.decode(encoded(rgba, "PNG"))
    assert found[0, 0].tolist() == [30, 20, 10]
    assert found[0, 1].tolist() == [255, 255, 255]
    assert found[1, 1].tolist() == [210, 208, 206]


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_without_inverting(format: str) -> None:
    picture = Image.new("RGB", (16, 16), (200, 30, 60)).convert("CMYK")
    file = io.BytesIO()
    picture.save(file, format)
    blue, green, red = images.decode(file.getvalue())[8, 8].tolist()
    assert (red, green, blue) == pytest.approx((200, 30, 60), abs=3)


def test_exif_orientation_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    assert images.decode(encoded(COLOUR, "JPEG", exif=exif)).shape == (48, 64, 3)


@pytest.mark.parametrize("format", LOSSLESS + LOSSY)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_truncated_file_is_refused_in_one_line(format: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 90, 3), dtype=np.uint8)
    content = encoded(noise, format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of cut-off TIFF tags before it refuses
        with pytest.raises(PictureError) as caught:
            images.decode(content[: int(len(content) * share)], source="a.pic")
    assert str(caught.value).startswith("a.pic: expected ")
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_in_a_png_is_noticed() -> None:
    content = bytearray(encoded(COLOUR, "PNG"))
    content[len(content) // 2] ^= 1
    with pytest.raises(PictureError, match="damaged"):
        images.decode(bytes(content))


@pytest.mark.parametrize(
    ("content", "found"), [(b"", "0 bytes"), (b"not a picture", "another format")]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "part.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=found) as caught:
        images.read(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="No such file"):
        images.read(tmp_path / "none.png")
    with pytest.raises(PictureError, match="directory"):
        images.read(tmp_path)


def test_more_than_a_hundred_megapixels_are_refused_before_decoding() -> None:
    small = encoded(GRADIENT, "BMP")
    huge = small[:18] + struct.pack("<ii", 10_001, 10_000) + small[26:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(PictureError, match="100 megapixels, found 10001 x 10000"):
            images.decode(huge)


def test_a_file_of_more_than_64_mib_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    with path.open("wb") as file:
        file.truncate(images.MAX_FILE_BYTES + 1)
    with pytest.raises(PictureError, match="at most 64 MiB"):
        images.read(path)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)]
)
def test_arrays_of_another_shape_are_refused(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(PictureError, match="1, 3 or 4 channels"):
        images.to_bgr(pixels)


def test_composed_channels_are_board_reference_and_difference() -> None:
    board, reference = images.to_bgr(GRADIENT), images.to_bgr(GRADIENT[::-1])
    composed = images.compose(board, reference)
    assert (composed[:, :, 0] == GRADIENT).all()
    assert (composed[:, :, 1] == GRADIENT[::-1]).all()
    difference = np.abs(GRADIENT.astype(int) - GRADIENT[::-1])
    assert (composed[:, :, 2] == difference).all()


def test_a_reference_of_another_size_is_refused() -> None:
    with pytest.raises(PictureError, match="64 x 48, found 64 x 40"):
        images.compose(images.to_bgr(GRADIENT), images.to_bgr(GRADIENT[:40]))


@pytest.mark.parametrize(("height", "width"), [(480, 640), (1200, 900), (10, 700), (64, 64)])
@pytest.mark.parametrize("stride_px", [None, 32])
def test_boxes_come_back_from_the_letterbox(height: int, width: int, stride_px: int | None) -> None:
    bgr = np.zeros((height, width, 3), dtype=np.uint8)
    laid, fit = images.letterbox(bgr, 320, stride_px=stride_px)
    assert max(laid.shape[:2]) == 320
    assert laid.shape[0] % 32 == laid.shape[1] % 32 == 0
    inside = (laid == 0).all(axis=2)
    ys, xs = np.nonzero(inside)
    corners = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], dtype=np.float32)
    assert fit.to_frame(corners)[0].tolist() == pytest.approx(
        [0, 0, width, height], abs=1.01 / fit.scale
    )


def test_a_crop_of_the_same_size_is_the_picture_itself() -> None:
    bgr = COLOUR.copy()
    cut = images.crop(bgr, Box(x0=10, y0=5, x1=30, y1=25), margin_px=6, size_px=32)
    expected = np.pad(bgr, ((4, 0), (0, 0), (0, 0)), mode="edge")[3:35, 4:36]
    assert (cut == expected).all()


def test_a_crop_beyond_the_frame_repeats_the_edge() -> None:
    bgr = np.full((20, 20, 3), 77, dtype=np.uint8)
    cut = images.crop(bgr, Box(x0=-5, y0=15, x1=5, y1=25), margin_px=4, size_px=24)
    assert cut.shape == (24, 24, 3)
    assert (cut == 77).all()


@pytest.mark.parametrize("corner", [(0, 0), (600, 0), (0, 460), (600, 460)])
def test_drawing_keeps_the_original_and_shows_every_label_whole(corner: tuple[int, int]) -> None:
    bgr = np.zeros((480, 640, 3), dtype=np.uint8)
    x, y = corner
    box = Box(x0=x, y0=y, x1=x + 40, y1=y + 20)
    drawn = images.draw(
        bgr,
        [Detection(label="mousebite", confidence=0.5, box=box)],
        text_lines=[TextLine(text="A", confidence=0.9, box=Box(x0=200, y0=200, x1=260, y1=220))],
        codes=[Code(symbology="EAN-13", text="1", box=Box(x0=300, y0=300, x1=400, y1=350))],
    )
    assert not bgr.any()
    red = (drawn == (40, 40, 220)).all(axis=2)
    assert red.sum() > 800  # the label's field, not only the outline
    assert (drawn == (40, 140, 20)).all(axis=2).any()
    assert (drawn == (200, 110, 20)).all(axis=2).any()


def test_png_is_lossless() -> None:
    assert (images.decode(images.encode_png(COLOUR)) == COLOUR).all()


def test_a_picture_without_colours_is_stored_as_grey_and_read_as_it_was() -> None:
    bgr = np.repeat(GRADIENT[:, :, None], 3, axis=2)
    file = images.encode_png(bgr)
    assert Image.open(io.BytesIO(file)).mode == "L"
    assert (images.decode(file) == bgr).all()
    bgr[-1, -1, 2] ^= 1  # one pixel with a trace of red is a colour
    assert (images.decode(images.encode_png(bgr)) == bgr).all()


def test_a_missing_system_library_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file')"
    )
    done = subprocess.run(
        [sys.executable, "-c", "from inspector import images; images.require_system_libraries()"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"},
        capture_output=True,
        text=True,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "SystemLibraryMissing" in last
    assert "(libGL.so.1); run: apt-get install libgl1 libglib2.0-0" in last


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.png")
    with pytest.raises(PictureError, match="found a pipe, socket or device"):
        images.read(tmp_path / "p.png")
