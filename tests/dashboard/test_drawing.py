"""Pictures for the screen."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
from dashboard_seeding import board, part

from dashboard import drawing
from dashboard.drawing import Mark
from dashboard.theme import ACCENT, LOOKS
from inspector import images
from inspector.domain import Box, Decision

SVG = "{http://www.w3.org/2000/svg}"
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_boxes_lie_where_they_were_recorded_whatever_the_size_that_is_sent() -> None:
    large = board(width=drawing.LONGEST_PX * 2, height=400)
    mark = Mark(box=Box(x0=3000, y0=100, x1=3050, y1=130), number="1", colour="#000")
    drawn = ElementTree.fromstring(drawing.svg(large, (mark,)))
    assert drawn.get("viewBox") == f"0 0 {drawing.LONGEST_PX * 2} 400"
    assert ("3000.0", "100.0", "50.0", "30.0") in {
        (r.get("x"), r.get("y"), r.get("width"), r.get("height")) for r in drawn.iter(f"{SVG}rect")
    }
    assert _photo(drawn).shape == (200, drawing.LONGEST_PX, 3)


def test_numbers_stay_inside_the_picture() -> None:
    corner = Mark(box=Box(x0=110, y0=0, x1=120, y1=100), number="12", colour="#000")
    drawn = ElementTree.fromstring(drawing.svg(board(120, 100), (corner,)))
    tag = next(r for r in drawn.iter(f"{SVG}rect") if r.get("rx"))
    x, y = float(tag.get("x", "")), float(tag.get("y", ""))
    assert x >= 0
    assert x + float(tag.get("width", "")) <= 120.05
    assert y + float(tag.get("height", "")) <= 100.05


def test_a_banner_takes_the_colour_out_and_stands_across() -> None:
    live = drawing.svg(board(), (), corner="taken 10:00:00")
    old = drawing.svg(board(), (), corner="taken 10:00:00", banner="NOT LIVE")
    assert "NOT LIVE" not in live
    assert 'filter="url(#grey)"' not in live
    assert ">NOT LIVE</text>" in old
    assert 'filter="url(#grey)"' in old


def test_what_is_written_into_a_picture_cannot_be_markup() -> None:
    drawn = drawing.svg(board(), (), corner="<script>x</script>")
    assert "<script>" not in drawn
    assert ElementTree.fromstring(drawn) is not None


def test_a_defect_has_the_colour_of_the_worst_clause_that_rests_on_it() -> None:
    colours = {d: drawing.defect_colour(part(NOW, decision=d), 0) for d in Decision}
    assert colours == {
        Decision.FAIL: LOOKS[Decision.FAIL].strong,
        Decision.HOLD: LOOKS[Decision.HOLD].strong,
        Decision.PASS: ACCENT,
    }
    assert drawing.defect_colour(replace(part(NOW), judgement=None), 0) == ACCENT


def test_all_that_was_found_is_marked_and_numbered_as_in_the_tables() -> None:
    assert [mark.number for mark in drawing.marks(part(NOW))] == ["T1", "C1", "1"]


def test_a_crop_shows_the_defect_in_the_middle() -> None:
    bgr = board()
    bgr[45:55, 45:55] = (0, 0, 255)
    crop = images.decode(drawing.crop_jpeg(bgr, Box(x0=45, y0=45, x1=55, y1=55)))
    assert crop.shape == (drawing.CROP_PX, drawing.CROP_PX, 3)
    middle = crop[drawing.CROP_PX // 2, drawing.CROP_PX // 2].astype(int)
    assert middle[2] > 200 and middle[0] < 60


def _photo(drawn: ElementTree.Element) -> np.ndarray:
    image = next(drawn.iter(f"{SVG}image"))
    return images.decode(base64.b64decode(image.get("href", "").split(",", 1)[1]))
