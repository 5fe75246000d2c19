"""The text reader and the code reader on drawn and photographed labels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import zxingcpp

from inspector import images
from inspector.domain import Bgr
from inspector.models.codes import ZxingCodeReader
from inspector.models.reader import RapidTextReader
from inspector.settings import PACKAGE

PICTURES = PACKAGE / "assets" / "samples" / "pictures"


def drawn_code(symbology: zxingcpp.BarcodeFormat, text: str, *, at: tuple[int, int]) -> Bgr:
    """Return a white picture with the code's upper left corner (quiet zone included) at `at`."""
    bars = np.array(zxingcpp.create_barcode(text, symbology).to_image(scale=3))
    sheet = np.full((480, 640), 255, dtype=np.uint8)
    x, y = at
    sheet[y : y + bars.shape[0], x : x + bars.shape[1]] = bars
    return images.to_bgr(sheet)


@pytest.mark.parametrize(
    ("symbology", "text", "name", "read_as"),
    [
        (zxingcpp.BarcodeFormat.EAN13, "4007817327098", "EAN-13", "4007817327098"),
        (zxingcpp.BarcodeFormat.EAN13, "0625034201058", "UPC-A", "625034201058"),
        (zxingcpp.BarcodeFormat.ITF, "0829220874", "ITF", "0829220874"),
        (zxingcpp.BarcodeFormat.Code128, "005-3379", "Code 128", "005-3379"),
        (zxingcpp.BarcodeFormat.Code39, "165340", "Code 39", "165340"),
        (zxingcpp.BarcodeFormat.QRCode, "SN 42", "QRCode", "SN 42"),
        (zxingcpp.BarcodeFormat.DataMatrix, "SN 42", "DataMatrix", "SN 42"),
    ],
)
def test_codes_are_named_as_on_labels(
    symbology: zxingcpp.BarcodeFormat, text: str, name: str, read_as: str
) -> None:
    (code,) = ZxingCodeReader().decode(drawn_code(symbology, text, at=(100, 150)))
    assert (code.symbology, code.text, code.recovered) == (name, read_as, False)
    assert 100 <= code.box.x0 < code.box.x1 <= 640
    assert 150 <= code.box.y0 < code.box.y1 <= 480


def test_two_codes_come_top_to_bottom() -> None:
    upper = drawn_code(zxingcpp.BarcodeFormat.QRCode, "A", at=(300, 20))
    lower = drawn_code(zxingcpp.BarcodeFormat.QRCode, "B", at=(50, 300))
    found = ZxingCodeReader().decode(np.minimum(upper, lower))
    assert [code.text for code in found] == ["A", "B"]


def test_an_empty_sheet_has_neither_codes_nor_text() -> None:
    sheet = np.full((200, 300, 3), 255, dtype=np.uint8)
    assert ZxingCodeReader().decode(sheet) == ()
    assert RapidTextReader(threads=1).read(sheet) == ()


def test_a_code_under_glare_is_recovered_marked_and_in_its_place() -> None:
    sharp = drawn_code(zxingcpp.BarcodeFormat.EAN13, "4007817327098", at=(100, 150))
    small = cv2.resize(sharp, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    # Blurred, and washed out from left to right to a seventh of the contrast.
    blurred = cv2.GaussianBlur(small, (0, 0), 1.0).astype(float)
    contrast = np.linspace(0.5, 0.15, small.shape[1])[None, :, None]
    glare = (255 - (255 - blurred) * contrast).astype(np.uint8)
    (code,) = ZxingCodeReader().decode(glare)
    assert (code.text, code.recovered) == ("4007817327098", True)
    assert code.box.x0 == pytest.approx(62, abs=15)
    assert code.box.y0 == pytest.approx(78, abs=15)


def test_a_code_whose_bars_are_cut_off_is_not_guessed() -> None:
    whole = drawn_code(zxingcpp.BarcodeFormat.EAN13, "4007817327098", at=(100, 150))
    cut = whole.copy()
    cut[:, 300:] = 255
    assert ZxingCodeReader().decode(cut) == ()


def test_printed_text_is_read_with_its_place() -> None:
    found = RapidTextReader(threads=1).read(images.read(PICTURES / "LBL-08.jpg"))
    isbn = next(line for line in found if "84-305-3267-6" in line.text)
    assert isbn.confidence > 0.8
    assert isbn.field is None
    assert [line.box.y0 for line in found] == sorted(line.box.y0 for line in found)
    assert all(line.box.clipped(width=640, height=480) == line.box for line in found)
