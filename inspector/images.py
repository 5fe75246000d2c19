"""Pictures in and out: decode, colour and depth rules, crop, fit, compose, draw.

The library's one door to OpenCV, and to Pillow, which decodes because it refuses truncated files
that OpenCV fills with grey. Every picture leaves here as BGR uint8[H, W, 3], by these rules:

- 1-bit: 0 becomes 0, 1 becomes 255. Grey: the value in all three channels. Palette: its colours.
- 10 to 16 bits (Mono10, Mono12, Mono16 in 16-bit files): shifted right by `bit_depth - 8`. A value
  that does not fit `bit_depth` is refused, never clipped. 8-bit pictures are taken as they are.
- Alpha: laid on white, the paper that labels and drawings are exported without.
- CMYK: Pillow's plain conversion, without colour management; Adobe's inverted JPEG is recognised.
- EXIF orientation is ignored: a camera on a station does not turn, and boxes are sensor pixels.
- Of a file with several pictures the first counts.
"""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain import Bgr, Box, Code, Detection, TextLine
from inspector.errors import PictureError, SystemLibraryMissing

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 64 * 2**20
MAX_PIXELS = 100_000_000
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")

# A frame with less light is taken for black: sensors give some grey levels without any, and a few
# hot pixels.
DARK_GREY = 16
LIGHT_SHARE = 1e-4
WHITE_GREY = 254  # from here on a sensor's or codec's white is full

# The grey that ultralytics pads with in training; another value would be a new kind of edge.
LETTERBOX_GREY = 114


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a frame was laid into a letterbox: `letterbox_px = frame_px * scale + offset`."""

    scale: float
    left_px: int
    top_px: int

    def to_frame(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return boxes [N, 4] of the letterbox in px of the frame, unclipped."""
        offset = np.array([self.left_px, self.top_px] * 2, dtype=np.float32)
        moved: NDArray[np.float32] = (xyxy - offset) / np.float32(self.scale)
        return moved


def require_system_libraries() -> None:
    """Raise `SystemLibraryMissing` where OpenCV cannot be loaded, before a vendor tries."""
    _cv2()


def use_threads(count: int) -> None:
    """Let OpenCV use `count` threads in this process, where it would take one for each core.

    Threads that wait for shares of a picture this small cost a busy core more than they save.
    """
    _cv2().setNumThreads(count)


def read(path: Path, *, bit_depth: int = 8) -> Bgr:
    """Return the picture of `path`; raise `PictureError` in one line that names it."""
    try:
        found = path.stat()
        # a pipe or a device may never end
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise PictureError(f"{path}: expected a picture file, found a pipe, socket or device")
        size = found.st_size
        if size > MAX_FILE_BYTES:
            raise PictureError(_too_large(str(path), size))
        content = path.read_bytes()
    except OSError as exc:
        raise PictureError(f"{path}: expected a picture file: {exc.strerror}") from exc
    return decode(content, bit_depth=bit_depth, source=str(path))


def size_of(path: Path, *, bit_depth: int = 8) -> tuple[int, int]:
    """Return (width, height) of the picture of `path`; raise `PictureError` where `read` would.

    A PNG is not decoded: its checksums show that it is whole, in a fifth of the time.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.mode in ("1", "L", "P", "RGB", "RGBA") and not _is_deep_colour(image):
                size = image.size
                image.verify()
                if size[0] * size[1] <= MAX_PIXELS and path.stat().st_size <= MAX_FILE_BYTES:
                    return size
    except (OSError, SyntaxError, ValueError, EOFError, ModuleNotFoundError):
        pass  # no PNG, or a damaged one: `read` has the words
    except Image.DecompressionBombError:
        pass
    bgr = read(path, bit_depth=bit_depth)
    return bgr.shape[1], bgr.shape[0]


def require_size(bgr: Bgr, expected: tuple[int, int] | None) -> None:
    """Raise `PictureError` where a frame is not of `expected` (width, height) px, if any."""
    found = (bgr.shape[1], bgr.shape[0])
    if expected is not None and found != expected:
        raise PictureError(
            f"expected a frame of {expected[0]} × {expected[1]} px, found {found[0]} × {found[1]}; "
            "check the camera's settings or the recipe's frame_size_px"
        )


def require_light(bgr: Bgr) -> None:
    """Raise `PictureError` where a frame is all black, as with the lens cap on or no light."""
    cv2 = _cv2()
    bright = cv2.countNonZero(cv2.inRange(grey(bgr), DARK_GREY + 1, 255))
    if bright < LIGHT_SHARE * bgr.shape[0] * bgr.shape[1]:
        raise PictureError(
            f"expected a picture with light in it, found an all-black one ({bright} pixels above "
            f"{DARK_GREY} grey levels); check light, lens cap and trigger"
        )


def decode(content: bytes, *, bit_depth: int = 8, source: str = "picture") -> Bgr:
    """Return the picture encoded in `content`; `source` names it in errors (`PictureError`)."""
    from PIL import Image, UnidentifiedImageError

    if len(content) > MAX_FILE_BYTES:
        raise PictureError(_too_large(source, len(content)))
    if not content:
        raise PictureError(f"{source}: expected a picture, found 0 bytes; take or copy it again")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise PictureError(_too_many_pixels(source, f"{width} x {height}"))
            if image.format == "PNG":
                image.verify()  # the checksums; a verified picture must be opened anew
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            pixels = _deep_colour(image, content) if _is_deep_colour(image) else _pixels(image)
    # ultralytics replaces Image.open by one that asks for the package pi_heif where none fits
    except (UnidentifiedImageError, ModuleNotFoundError) as exc:
        raise PictureError(
            f"{source}: expected one of {', '.join(FORMATS)}, found another format or a damaged "
            "file; take or copy it again"
        ) from exc
    except Image.DecompressionBombError as exc:
        raise PictureError(_too_many_pixels(source, "far more")) from exc
    except (OSError, SyntaxError, ValueError, EOFError) as exc:  # Pillow's words for damaged files
        raise PictureError(
            f"{source}: expected a complete picture, found a damaged or truncated one ({exc}); "
            "take or copy it again"
        ) from exc
    return to_bgr(pixels, bit_depth=bit_depth, source=source)


def to_bgr(
    pixels: NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.bool_],
    *,
    bit_depth: int = 8,
    source: str = "picture",
) -> Bgr:
    """Return `pixels` (grey [H, W] or [H, W, 1], BGR [H, W, 3], BGRA [H, W, 4]) as BGR uint8."""
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise PictureError(
            f"{source}: expected [H, W] with 1, 3 or 4 channels, got {list(pixels.shape)}"
        )
    eight = _to_eight_bits(pixels, bit_depth=bit_depth, source=source)
    if eight.shape[2] == 1:
        return np.repeat(eight, 3, axis=2)
    if eight.shape[2] == 4:
        return _on_white(eight)
    return np.ascontiguousarray(eight)


def grey(bgr: Bgr) -> NDArray[np.uint8]:
    """Return the luminance [H, W] of `bgr` (ITU-R BT.601 weights)."""
    cv2 = _cv2()
    result: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    return result


def from_bayer(mosaic: NDArray[np.uint8], order: str) -> Bgr:
    """Return the colours of a sensor's raw mosaic [H, W]; `order` is RG, BG, GR or GB (PFNC)."""
    cv2 = _cv2()
    # OpenCV's long names count from the first pixel, as cameras do; its short ones do not
    pattern = {"RG": "RGGB", "BG": "BGGR", "GR": "GRBG", "GB": "GBRG"}[order]
    code: int = getattr(cv2, f"COLOR_Bayer{pattern}2BGR")
    colours: Bgr = cv2.cvtColor(np.ascontiguousarray(mosaic), code)
    return colours


def share_between(bgr: Bgr, low: int, high: int) -> float:
    """Return the share of pixels whose luminance lies between two grey levels, both included."""
    cv2 = _cv2()
    inside: int = cv2.countNonZero(cv2.inRange(grey(bgr), low, high))
    return inside / float(bgr.shape[0] * bgr.shape[1])


def sharpness(bgr: Bgr) -> float:
    """Return the variance of the luminance's Laplacian (Pech-Pacheco et al., ICPR 2000).

    It grows with edges, focus, contrast and noise: compare it only between pictures of one camera,
    light and kind of part.
    """
    cv2 = _cv2()
    deviation = cv2.meanStdDev(cv2.Laplacian(grey(bgr), cv2.CV_16S))[1]
    return float(deviation[0, 0]) ** 2


def compose(bgr: Bgr, reference_bgr: Bgr) -> Bgr:
    """Return what a reference-guided detector sees: grey board, grey reference, difference.

    Raises `PictureError` where the two differ in size.
    """
    if bgr.shape != reference_bgr.shape:
        raise PictureError(
            f"expected a reference of the frame's size {_size(bgr)}, found {_size(reference_bgr)}; "
            "take the reference with the same camera and settings"
        )
    board, reference = grey(bgr), grey(reference_bgr)
    composed: Bgr = _cv2().merge([board, reference, _cv2().absdiff(board, reference)])
    return composed


def reversed_planes(picture: Bgr, planes: NDArray[np.uint8]) -> None:
    """Copy the channels of `picture` [H, W, n] into `planes` [n, H, W], last channel first."""
    cv2 = _cv2()
    last = len(planes) - 1
    for channel in range(len(planes)):
        cv2.extractChannel(picture, last - channel, dst=planes[channel])


def letterbox(bgr: Bgr, size_px: int, *, stride_px: int | None = None) -> tuple[Bgr, Fit]:
    """Return `bgr` scaled to `size_px` on its longer side and padded with grey.

    The result is square, or, with `stride_px`, padded only to the next multiple of it.
    """
    cv2 = _cv2()
    height, width = bgr.shape[:2]
    scale = size_px / max(height, width)
    new_width = min(size_px, max(1, round(width * scale)))
    new_height = min(size_px, max(1, round(height * scale)))
    full_width = full_height = size_px
    if stride_px is not None:
        full_width = -(-new_width // stride_px) * stride_px
        full_height = -(-new_height // stride_px) * stride_px
    left, top = (full_width - new_width) // 2, (full_height - new_height) // 2
    if (new_width, new_height) != (width, height):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        bgr = cv2.resize(bgr, (new_width, new_height), interpolation=how)
    fit = Fit(scale=scale, left_px=left, top_px=top)
    if bgr.shape[:2] == (full_height, full_width):
        return bgr, fit
    laid = np.full((full_height, full_width, 3), LETTERBOX_GREY, dtype=np.uint8)
    laid[top : top + new_height, left : left + new_width] = bgr
    return laid, fit


def crop(bgr: Bgr, box: Box, *, margin_px: float, size_px: int) -> Bgr:
    """Return the square around `box`, grown by `margin_px`, as uint8[size_px, size_px, 3].

    Beyond the frame the nearest pixels are repeated, so that the defect stays in the middle.
    """
    cv2 = _cv2()
    side = max(box.width, box.height) + 2 * margin_px
    x, y = box.centre
    scale = size_px / side
    # Pixel centres: crop pixel (0, 0) shows the frame at the square's corner plus half a step.
    to_crop = np.array(
        [
            [scale, 0, -(x - side / 2 - 0.5) * scale - 0.5],
            [0, scale, -(y - side / 2 - 0.5) * scale - 0.5],
        ]
    )
    cut: Bgr = cv2.warpAffine(
        bgr,
        to_crop,
        (size_px, size_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cut


def enhanced(
    grey_picture: NDArray[np.uint8],
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """Yield `grey_picture` with contrast, sharpness, size and angle changed, to read poor codes.

    With each comes the matrix [3, 3] that takes its homogeneous pixel positions to the original.
    """
    cv2 = _cv2()
    evened = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(grey_picture)
    yield evened, np.eye(3)
    half = np.diag([0.5, 0.5, 1.0])
    yield _sharpened(_doubled(evened), radius_px=3, amount=1.5), half
    larger = _sharpened(_doubled(grey_picture), radius_px=4, amount=2)
    yield larger, half
    yield _sharpened(_doubled(cv2.blur(evened, (1, 5))), radius_px=4, amount=2), half
    height, width = larger.shape
    for angle in (10, -10):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
        turned = cv2.warpAffine(
            larger, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        yield turned, half @ np.linalg.inv(np.vstack([turn, [0, 0, 1]]))


def draw(
    bgr: Bgr,
    detections: Sequence[Detection],
    *,
    text_lines: Sequence[TextLine] = (),
    codes: Sequence[Code] = (),
) -> Bgr:
    """Return a copy of `bgr` with boxes: defects red, codes green, text blue, each with its name.

    Lines and letters grow with the picture, so that they stay readable when it is shown smaller.
    """
    canvas = bgr.copy()
    for line in text_lines:
        _draw_box(canvas, line.box, line.field or "", (200, 110, 20))
    for code in codes:
        _draw_box(canvas, code.box, code.symbology, (40, 140, 20))
    for detection in detections:
        name = f"{detection.label} {detection.confidence:.2f}"
        _draw_box(canvas, detection.box, name, (40, 40, 220))
    return canvas


def is_grey(bgr: Bgr) -> bool:
    """Return whether the three channels are equal everywhere."""
    cv2 = _cv2()
    one = cv2.cvtColor(cv2.extractChannel(bgr, 0), cv2.COLOR_GRAY2BGR)
    return bool(cv2.norm(bgr, one, cv2.NORM_INF) == 0)


def encode_png(bgr: Bgr) -> bytes:
    """Return `bgr` as a PNG file, lossless; a picture without colours is stored as grey."""
    cv2 = _cv2()
    # Trying all filters for each row takes two thirds of the time and saves no bytes on boards.
    quickly = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)
    return _encoded(".png", cv2.extractChannel(bgr, 0) if is_grey(bgr) else bgr, quickly)


def encode_jpeg(bgr: Bgr, *, quality: int = 85) -> bytes:
    """Return `bgr` as a JPEG file, for showing only."""
    return _encoded(".jpg", bgr, (_cv2().IMWRITE_JPEG_QUALITY, quality))


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as exc:
        if ".so" not in str(exc):
            raise
        raise SystemLibraryMissing(
            f"expected the system libraries that OpenCV needs, found one missing "
            f"({str(exc).split(':')[0]}); run: apt-get install libgl1 libglib2.0-0"
        ) from exc
    return cv2


def _doubled(grey_picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    cv2 = _cv2()
    doubled: NDArray[np.uint8] = cv2.resize(
        grey_picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC
    )
    return doubled


def _sharpened(
    grey_picture: NDArray[np.uint8], *, radius_px: float, amount: float
) -> NDArray[np.uint8]:
    """Return the picture plus `amount` times what a blur of `radius_px` takes from it."""
    cv2 = _cv2()
    blurred = cv2.GaussianBlur(grey_picture, (0, 0), radius_px)
    sharp: NDArray[np.uint8] = cv2.addWeighted(grey_picture, 1 + amount, blurred, -amount, 0)
    return sharp


def _encoded(suffix: str, bgr: Bgr, parameters: tuple[int, ...]) -> bytes:
    done, content = _cv2().imencode(suffix, bgr, list(parameters))
    if not done:
        raise PictureError(f"expected a picture that {suffix} can hold, got {_size(bgr)}")
    return bytes(content)


def _is_deep_colour(image: Image.Image) -> bool:
    """Return whether the file holds 16 bits a colour, which Pillow would cut to 8."""
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", [])]
    return image.mode in ("RGB", "RGBA") and any(";16" in mode for mode in raw_modes)


def _deep_colour(image: Image.Image, content: bytes) -> NDArray[np.uint16]:
    image.load()  # raises where the file is truncated
    cv2 = _cv2()
    deep: NDArray[np.uint16] | None = cv2.imdecode(
        np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED
    )
    if deep is None:
        raise ValueError("16-bit colour that cannot be decoded")
    return deep


def _pixels(image: Image.Image) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return grey, BGR or BGRA as stored in the file."""
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if image.mode.startswith("I"):
        return _sixteen_bits(np.asarray(image))
    if image.mode == "F":
        raise ValueError("floating-point pixels; store 8 or 16 bits")
    if "A" in image.getbands() or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))[:, :, [2, 1, 0, 3]]
    return np.asarray(image.convert("RGB"))[:, :, ::-1]


def _sixteen_bits(pixels: NDArray[Any]) -> NDArray[np.uint16]:
    if pixels.min() < 0 or pixels.max() > 0xFFFF:
        raise ValueError("pixels of more than 16 bits")
    return pixels.astype(np.uint16)


def _on_white(bgra: NDArray[np.uint8]) -> Bgr:
    laid = np.empty((*bgra.shape[:2], 3), dtype=np.uint8)
    # in bands: the wide numbers of 100 megapixels at once would take gigabytes
    for top in range(0, len(bgra), 64):
        band = bgra[top : top + 64].astype(np.uint32)
        colour, alpha = band[:, :, :3], band[:, :, 3:]
        laid[top : top + 64] = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    return laid


def _to_eight_bits(pixels: NDArray[Any], *, bit_depth: int, source: str) -> NDArray[np.uint8]:
    if not 8 <= bit_depth <= 16:
        raise ValueError(f"expected bit_depth from 8 to 16, got {bit_depth}")
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype != np.uint16:
        raise PictureError(f"{source}: expected 8 or 16 bits a pixel, got {pixels.dtype}")
    largest = int(pixels.max())
    if largest >= 1 << bit_depth:
        raise PictureError(
            f"{source}: expected values below {1 << bit_depth} (bit_depth {bit_depth}), found "
            f"{largest}; set the recipe's bit_depth to {max(10, largest.bit_length())} or more"
        )
    return (pixels >> (bit_depth - 8)).astype(np.uint8)


def _draw_box(canvas: Bgr, box: Box, name: str, colour: tuple[int, int, int]) -> None:
    cv2 = _cv2()
    height, width = canvas.shape[:2]
    unit = max(height, width) / 640
    thickness = max(1, round(1.6 * unit))
    x0, y0, x1, y1 = (round(value) for value in (box.x0, box.y0, box.x1, box.y1))
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, thickness)
    if not name:
        return
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.42 * unit
    (text_width, text_height), below = cv2.getTextSize(name, font, size, thickness)
    pad = max(2, thickness)
    label_height = text_height + below + 2 * pad
    left = int(np.clip(x0, 0, max(0, width - text_width - 2 * pad)))
    # Above the box where there is room, else below it, else inside.
    top = y0 - label_height
    if top < 0:
        top = y1 if y1 + label_height <= height else max(0, y0)
    cv2.rectangle(
        canvas, (left, top), (left + text_width + 2 * pad, top + label_height), colour, -1
    )
    baseline = (left + pad, top + pad + text_height)
    cv2.putText(
        canvas, name, baseline, font, size, (255, 255, 255), max(1, round(unit)), cv2.LINE_AA
    )


def _size(bgr: Bgr) -> str:
    return f"{bgr.shape[1]} x {bgr.shape[0]}"


def _too_large(source: str, size: int) -> str:
    return (
        f"{source}: expected at most {MAX_FILE_BYTES >> 20} MiB, found {size / 2**20:.0f} MiB; "
        "store the picture smaller"
    )


def _too_many_pixels(source: str, found: str) -> str:
    return (
        f"{source}: expected at most {MAX_PIXELS // 1_000_000} megapixels, found {found}; "
        "scale or crop the picture"
    )
