"""zxing-cpp as the pipeline's `CodeReader`, with a second try on enhanced pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector import images
from inspector.domain import Bgr, Box, Code
from inspector.errors import ModelError

# zxing-cpp's names where they differ from the ones that standards and recipes use.
_NAMES = {
    "QR Code": "QRCode",
    "QR Code Model 2": "QRCode",
    "Data Matrix": "DataMatrix",
    "Micro QR Code": "MicroQRCode",
    "DataBar Expanded": "GS1 DataBar Expanded",
}

# Enhancement can conjure a code out of blur: of photographs of EAN and UPC labels one try alone
# read a wrong number on 1 in 20. What two different enhancements agree on was right.
_MIN_AGREEING = 2

_RETAIL = ("EAN-13", "UPC-A", "UPC-E", "EAN-8")


class ZxingCodeReader:
    """Reads bar codes and matrix codes. One instance serves one thread.

    Names are those of zxing's labels ("EAN-13", "UPC-A", "ITF", "Code 128", "Code 39", "QRCode",
    "DataMatrix"); an EAN-13 that begins with 0 is a UPC-A and is reported as such, in 12 digits.
    """

    def decode(self, bgr: Bgr) -> tuple[Code, ...]:
        """Return the codes of `bgr`, top to bottom.

        Where a plain look finds none, contrast, size and angle are changed; a code found so is
        marked `recovered`. Raises `ModelError`.
        """
        grey = images.grey(bgr)
        codes = _without_slivers(_read(grey, np.eye(3), bgr.shape))
        if not codes:
            codes = _recovered(grey, bgr.shape)
        return tuple(sorted(codes, key=lambda code: (code.box.y0, code.box.x0)))


def _recovered(grey: NDArray[np.uint8], shape: tuple[int, ...]) -> list[Code]:
    agreeing: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Code] = {}
    for picture, to_frame in images.enhanced(grey):
        seen = {
            (code.symbology, code.text): code
            for code in _read(picture, to_frame, shape)
            if code.symbology != "UPC-E"  # the left half of a torn EAN-13 looks like one
        }
        agreeing.update(seen.keys())
        first = seen | first
    kept = [(code, agreeing[key]) for key, code in first.items() if agreeing[key] >= _MIN_AGREEING]
    return [
        replace(code, recovered=True)
        for code, votes in kept
        if all(
            votes > other_votes
            for other, other_votes in kept
            if other is not code and _same_bars(code, other)
        )
    ]


def _without_slivers(codes: list[Code]) -> list[Code]:
    """Leave out what single scan lines read beside, and otherwise than, the whole of the bars."""
    kept: list[Code] = []
    for code in sorted(codes, key=lambda code: -code.box.area):
        whole = [other for other in kept if _same_bars(code, other)]
        if not any(code.box.area < 0.35 * other.box.area for other in whole):
            kept.append(code)
    return kept


def _same_bars(code: Code, other: Code) -> bool:
    """Return whether both lie on the same bars: level with each other and close together."""
    if code.symbology != other.symbology and not {code.symbology, other.symbology} <= set(_RETAIL):
        return False
    a, b = code.box, other.box
    if a.iou(b) > 0 or code.symbology == "UPC-E":
        return True  # a UPC-E's few bars turn up inside the printed digits of a longer code
    shared_x = min(a.x1, b.x1) - max(a.x0, b.x0)
    shared_y = min(a.y1, b.y1) - max(a.y0, b.y0)
    level_x = shared_x > 0.8 * max(a.width, b.width) and -shared_y < 0.4 * b.width
    level_y = shared_y > 0.8 * max(a.height, b.height) and -shared_x < 0.4 * b.height
    return level_x or level_y


def _read(
    grey: NDArray[np.uint8], to_frame: NDArray[np.float64], shape: tuple[int, ...]
) -> list[Code]:
    import zxingcpp

    try:
        barcodes = zxingcpp.read_barcodes(grey)
    except (RuntimeError, ValueError) as exc:
        raise ModelError(f"zxing-cpp: the code reader failed: {exc}") from exc
    codes = []
    for barcode in barcodes:
        name, text = _named(str(barcode.format), barcode.text)
        box = _box(barcode.position, to_frame).clipped(width=shape[1], height=shape[0])
        if text and box is not None:
            codes.append(Code(symbology=name, text=text, box=box))
    return codes


def _named(symbology: str, text: str) -> tuple[str, str]:
    if symbology == "EAN-13" and text.startswith("0"):
        return "UPC-A", text[1:]
    return _NAMES.get(symbology, symbology), text


def _box(position: Any, to_frame: NDArray[np.float64]) -> Box:
    corners = (
        position.top_left,
        position.top_right,
        position.bottom_right,
        position.bottom_left,
    )
    points = to_frame @ np.array([[corner.x, corner.y, 1] for corner in corners], dtype=float).T
    x0, y0 = points[:2].min(axis=1)
    x1, y1 = points[:2].max(axis=1)
    # A linear code read along one scan line has no height.
    return Box(x0=float(x0), y0=float(y0), x1=float(max(x1, x0 + 1)), y1=float(max(y1, y0 + 1)))
