"""Pictures for the screen: boxes, numbers and banners as vectors over the photograph.

An SVG that carries its photograph inside stays sharp on any screen, is one file to the browser, and
runs no script. Boxes are given in px of the full frame, as they are recorded.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from dashboard.theme import ACCENT, LOOKS
from inspector import images
from inspector.domain import Bgr, Box, Decision, EvidenceRef, Inspection

LONGEST_PX = 1600
CROP_PX = 120
CROP_MARGIN_PX = 16
TEXT_COLOUR = "#6A3FA0"
CODE_COLOUR = "#00697A"
_FONT = "'DejaVu Sans', Verdana, Arial, sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A box with its number, as the tables beside the picture name it."""

    box: Box
    number: str
    colour: str
    dashed: bool = False


def marks(inspection: Inspection) -> tuple[Mark, ...]:
    """Return the boxes of all that was found: defects solid, texts and codes dashed.

    A defect is red where a violated clause rests on it, amber where a clause is undecided for it.
    """
    findings = inspection.findings
    return (
        *(
            Mark(box=line.box, number=f"T{i}", colour=TEXT_COLOUR, dashed=True)
            for i, line in enumerate(findings.text_lines, 1)
        ),
        *(
            Mark(box=code.box, number=f"C{i}", colour=CODE_COLOUR, dashed=True)
            for i, code in enumerate(findings.codes, 1)
        ),
        *(
            Mark(box=defect.box, number=str(i + 1), colour=defect_colour(inspection, i))
            for i, defect in enumerate(findings.detections)
        ),
    )


def defect_colour(inspection: Inspection, index: int) -> str:
    """Return the colour of a defect by the worst clause that rests on it."""
    clauses = () if inspection.judgement is None else inspection.judgement.clauses
    here = EvidenceRef(kind="defect", index=index)
    said = [clause.violated for clause in clauses if here in clause.evidence]
    if True in said:
        return LOOKS[Decision.FAIL].strong
    return LOOKS[Decision.HOLD].strong if None in said else ACCENT


def svg(bgr: Bgr, boxes: Sequence[Mark], *, corner: str = "", banner: str = "") -> str:
    """Return `bgr` with its boxes; `corner` is written small at the bottom.

    With a `banner` the photograph turns grey and pale and the banner stands across it, so that
    nobody takes it for what is in front of the camera.
    """
    height, width = bgr.shape[:2]
    unit = max(height, width) / 640
    shown = bgr
    if max(height, width) > LONGEST_PX:
        shown, _ = images.letterbox(bgr, LONGEST_PX, stride_px=1)
    photo = base64.b64encode(images.encode_jpeg(shown, quality=88)).decode()
    look = ' filter="url(#grey)" opacity="0.35"' if banner else ""
    drawn = "".join(_box(mark, unit, width, height) for mark in boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="{_FONT}" font-weight="700">'
        '<filter id="grey"><feColorMatrix type="saturate" values="0"/></filter>'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
        f'<g{look}><image width="{width}" height="{height}" preserveAspectRatio="none" '
        f'href="data:image/jpeg;base64,{photo}"/>{drawn}</g>'
        f"{_corner(corner, unit, height) if corner else ''}"
        f"{_banner(banner, unit, width, height) if banner else ''}</svg>"
    )


def crop_jpeg(bgr: Bgr, box: Box) -> bytes:
    """Return the square around `box` as a JPEG, for a list of defects."""
    cut = images.crop(bgr, box, margin_px=CROP_MARGIN_PX, size_px=CROP_PX)
    return images.encode_jpeg(cut, quality=88)


def _box(mark: Mark, unit: float, width: int, height: int) -> str:
    box = mark.box
    frame = (
        f'x="{box.x0:.1f}" y="{box.y0:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        'fill="none"'
    )
    dash = f' stroke-dasharray="{5 * unit:.1f} {3 * unit:.1f}"' if mark.dashed else ""
    tag_width, tag_height = (5 + 8 * len(mark.number)) * unit, 14 * unit
    # Above the box where there is room, else below it.
    top = box.y0 - tag_height if box.y0 >= tag_height else min(box.y1, height - tag_height)
    left = min(max(0.0, box.x0), width - tag_width)
    ink = "#2B1F00" if mark.colour == LOOKS[Decision.HOLD].strong else "#fff"
    return (
        f'<rect {frame} stroke="#fff" stroke-opacity=".75" stroke-width="{4 * unit:.1f}"/>'
        f'<rect {frame} stroke="{mark.colour}" stroke-width="{2 * unit:.1f}"{dash}/>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{tag_width:.1f}" height="{tag_height:.1f}" '
        f'rx="{2 * unit:.1f}" fill="{mark.colour}"/>'
        f'<text x="{left + tag_width / 2:.1f}" y="{top + 11 * unit:.1f}" fill="{ink}" '
        f'font-size="{11 * unit:.1f}" text-anchor="middle">{escape(mark.number)}</text>'
    )


def _corner(words: str, unit: float, height: int) -> str:
    return (
        f'<rect x="0" y="{height - 22 * unit:.1f}" width="{(14 + 8.6 * len(words)) * unit:.1f}" '
        f'height="{22 * unit:.1f}" fill="#15232E" fill-opacity=".85"/>'
        f'<text x="{7 * unit:.1f}" y="{height - 6.5 * unit:.1f}" fill="#fff" '
        f'font-size="{13 * unit:.1f}">{escape(words)}</text>'
    )


def _banner(words: str, unit: float, width: int, height: int) -> str:
    size = min(46 * unit, width / (0.72 * len(words)))
    return (
        f'<rect x="0" y="{height / 2 - size:.1f}" width="{width}" height="{2 * size:.1f}" '
        'fill="#15232E"/>'
        f'<text x="{width / 2:.1f}" y="{height / 2 + 0.36 * size:.1f}" fill="#fff" '
        f'font-size="{size:.1f}" text-anchor="middle">{escape(words)}</text>'
    )
