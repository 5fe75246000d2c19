"""From a GenICam camera's bytes to BGR, by the pixel format's name (PFNC, EMVA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inspector import images
from inspector.domain import Bgr
from inspector.errors import PictureError

CHANNELS = {"Mono": 1, "RGB": 3, "BGR": 3, "RGBa": 4, "BGRa": 4}
FORMATS = ("Mono8", "Mono10", "Mono12", "Mono14", "Mono16", "RGB8", "BGR8", "RGBa8", "BGRa8")
BAYER = tuple(f"Bayer{order}{bits}" for order in ("RG", "BG", "GR", "GB") for bits in (8, 10, 12))


def bgr_of(raw: bytes | NDArray[np.uint8], *, pixel_format: str, width: int, height: int) -> Bgr:
    """Return the picture in the first bytes of `raw`, copied.

    Raises `PictureError` for a format that is packed or unknown, and for too few bytes.
    """
    name = pixel_format.removesuffix("Packed") if pixel_format.endswith("8Packed") else pixel_format
    if name not in (*FORMATS, *BAYER):
        raise PictureError(
            f"expected one of the pixel formats {', '.join((*FORMATS, *BAYER))}, found "
            f"{pixel_format}; set PixelFormat in features"
        )
    kind, bits = name.rstrip("0123456789"), int(name[len(name.rstrip("0123456789")) :])
    channels = CHANNELS.get(kind, 1)
    values = np.frombuffer(raw, dtype=np.uint8 if bits == 8 else "<u2")
    wanted = width * height * channels
    if len(values) < wanted:
        raise PictureError(
            f"expected {wanted} values of {width} × {height} px in {pixel_format}, found "
            f"{len(values)}; the frame is incomplete"
        )
    pixels = values[:wanted].reshape(height, width, channels)
    if kind.startswith("RGB"):
        pixels = pixels[:, :, [2, 1, 0]]  # without alpha, which a camera does not know
    elif kind.startswith("BGR"):
        pixels = pixels[:, :, :3]
    bgr = images.to_bgr(pixels.astype(pixels.dtype.newbyteorder("=")), bit_depth=bits)
    if kind.startswith("Bayer"):
        return images.from_bayer(bgr[:, :, 0], kind.removeprefix("Bayer"))
    return bgr.copy() if bgr.base is not None or not bgr.flags.owndata else bgr
